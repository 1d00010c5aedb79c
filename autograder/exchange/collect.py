"""Put what students handed in elsewhere into submitted/, as grading wants it.

A source is a zip or a folder as it was downloaded from a learning platform, or a single notebook.
Who handed it in and which lesson it is are told from the files' names. The newest of a student's
submissions counts. What it replaces is kept in submitted/.earlier, so that nothing is lost, and
collecting the same download twice changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from nbgrader.utils import parse_utc
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.archives import Contents, Found, LeftOut, opened, printable
from autograder.exchange.platforms import (
    PLATFORMS,
    NameCollector,
    Owner,
    copy_number,
    folder_name,
    is_notebook,
    lesson_of,
    own_pattern,
    owners,
    platform_collectors,
    recognised,
)
from autograder.marks.options import add_assignment
from autograder.texts import plural, write_text

EARLIER = ".earlier"
RECORDS = ".collected.json"
TIMESTAMP = "timestamp.txt"
NO_STUDENT = "no student in its name: rename it, or say whose it is with --student or --names"
NO_LESSON = "no lesson in its name: say which one it is with --assignment"
SHOWN = 4
EPILOG = """what the names look like, and the student's folder they give:

  canvas      lovelaceada_12345_67890_LESSON-2.ipynb               lovelaceada_12345
  moodle      Ada Lovelace_1234567_assignsubmission_file_/LESSON…  Ada_Lovelace_1234567
  blackboard  Homework 1_ada_attempt_2024-05-01-18-30-00_LESSON…   ada
  github      HOMEWORK-submissions/HOMEWORK-ada/LESSON.ipynb       ada
  classroom   Ada Lovelace - LESSON.ipynb (Google)                 Ada_Lovelace
  folders     ada/LESSON.ipynb or ada/LESSON/LESSON.ipynb          ada
  files       ada_LESSON.ipynb, Ada Lovelace LESSON (1).ipynb      ada, Ada_Lovelace

--names takes a regular expression as nbgrader's zip_collect does. It is matched from the beginning
of a file's path in the download and must hold (?P<student_id>…) and (?P<file_id>…). It may hold
(?P<timestamp>…), when it was handed in (UTC). For example:

  python -m autograder collect class.zip --names ".*/(?P<student_id>s\\d+)-(?P<file_id>.*)"
"""


@dataclass(frozen=True)
class Order:
    """What is known of when something was handed in; None where nothing is.

    timestamp: the platform's time of submission (UTC).
    number: grows with each upload to `platform`.
    modified: when the file was last changed.
    """

    platform: str | None = None
    timestamp: datetime | None = None
    number: int | None = None
    modified: datetime | None = None

    @classmethod
    def from_json(cls, record: dict) -> Order:
        """Return the order that a record holds; raises ValueError or TypeError for another."""
        times = {name: record.get(name) for name in ("timestamp", "modified")}
        if not isinstance(record.get("number"), int | None):
            raise TypeError("the number of an upload is a whole number")
        return cls(
            platform=record.get("platform"),
            number=record.get("number"),
            **{name: datetime.fromisoformat(t) if t else None for name, t in times.items()},
        )

    def as_json(self) -> dict:
        """Return the order as a record holds it."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    def before(self, other: Order) -> bool:
        """Return whether this is certainly older than `other`."""
        pairs = [(self.timestamp, other.timestamp)]
        if self.platform == other.platform:
            pairs.append((self.number, other.number))
        pairs.append((self.modified, other.modified))
        for mine, theirs in pairs:
            if mine is not None and theirs is not None and mine != theirs:
                return mine < theirs
        return False


@dataclass(frozen=True)
class Candidate:
    """A notebook that may become a student's submission of a lesson.

    exact: whether it bears the lesson's name.
    notes: what a person should know about it, as clauses.
    """

    file: Found
    owner: Owner
    stem: str
    exact: bool
    order: Order
    notes: tuple[str, ...] = ()

    def rank(self) -> tuple:
        """Return what sorts a student's notebooks of one lesson; the last one counts."""
        order = self.order
        folders = PurePosixPath(self.owner.file).parts[:-1]
        return (
            order.timestamp or datetime.min,
            -1 if order.number is None else order.number,
            -sum(name != self.stem for name in folders),
            order.modified or datetime.min,
            copy_number(self.file.name),
        )


@dataclass(frozen=True)
class Row:
    """A line of the table: a student's notebook, and what became of it."""

    student: str
    stem: str
    name: str
    outcome: str
    notes: tuple[str, ...] = ()


@dataclass
class Report:
    """What collecting did, or with `--dry-run` would do."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `collect`."""
    parser.epilog = EPILOG
    parser.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        type=Path,
        help="a zip or folder as downloaded, or a notebook",
    )
    add_assignment(
        parser, "every lesson, as the names say; with it, what bears no lesson's name is taken too"
    )
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument(
        "--from",
        dest="platform",
        choices=PLATFORMS,
        help="where it was downloaded (default: recognised by the names)",
    )
    whose.add_argument("--names", metavar="REGEX", help="how the names are made up, see below")
    whose.add_argument("--student", metavar="NAME", help="everything is this student's")
    parser.add_argument(
        "--force",
        action="store_true",
        help="take also what is older than the submission that is there",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be done, and do nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Collect, print who handed in what; return 1 if nothing was collected."""
    course = Course.find()
    report = collect(
        course,
        args.sources,
        assignment=args.assignment,
        platform=args.platform,
        names=args.names,
        student=args.student,
        force=args.force,
        dry_run=args.dry_run,
    )
    console = Console()
    print_report(console, report)
    students = len({row.student for row in report.rows})
    done = "would be collected" if args.dry_run else "collected"
    line = f"\n{plural(students, 'student')} {done}: {course.submitted}"
    console.print(Text(line), soft_wrap=True)
    return 0 if report.rows else 1


def collect(
    course: Course,
    sources: Sequence[Path],
    *,
    assignment: str | None = None,
    platform: str | None = None,
    names: str | None = None,
    student: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> Report:
    """Put the notebooks of all sources into submitted/; return what was done and left out.

    Raises CourseError if a source is not there or an argument is of no use, before anything is
    written; whatever is wrong with a single file only leaves that one out.
    """
    if assignment:
        course.known_lesson(assignment)
    lessons = course.lessons()
    collectors = own_pattern(names) if names else None
    if student is not None and not folder_name(student):
        raise CourseError(f"{student!r} gives no name for a folder: use letters and digits")
    report = Report()
    candidates, others = [], []
    with ExitStack() as stack:
        for source in sources:
            contents = stack.enter_context(opened(source))
            report.left_out += contents.left_out
            whose, told_by = _owners(source, contents, lessons, platform, collectors, student)
            for file in contents.files:
                owner = whose.get(file.name)
                if not is_notebook(file.name):
                    others.append((file.name, owner))
                    continue
                found = _candidate(file, owner, told_by, lessons, assignment)
                if isinstance(found, LeftOut):
                    report.left_out.append(found)
                else:
                    candidates.append(found)
        shelf = Shelf(course, dry_run=dry_run, force=force)
        try:
            for group in _by_submission(candidates):
                _place(shelf, group, report)
        finally:
            shelf.close()
    report.left_out += _other_files(others, report.rows)
    report.rows.sort(key=lambda row: (row.stem, row.student))
    return report


class Shelf:
    """submitted/ and what is known of the submissions in it.

    submitted/.collected.json keeps of each collected submission where it came from, its checksum
    and its place in time, so that a later run knows what is newer. With `dry_run` nothing is
    written, but what would have been is taken into account.
    """

    def __init__(self, course: Course, *, dry_run: bool = False, force: bool = False) -> None:
        self._course = course
        self._dry_run = dry_run
        self._force = force
        self._path = course.submitted / RECORDS
        self._records = _read_records(self._path)
        self._put = set()
        # Folders by their name in small letters, since some systems take Ada and ada for one.
        self._folders = {}
        if course.submitted.is_dir():
            names = sorted(path.name for path in course.submitted.iterdir())
            self._folders = {name.casefold(): name for name in names}

    def folder(self, owner: Owner) -> str:
        """Return the folder of a student; raises CourseError if it is another student's."""
        name = self._folders.setdefault(owner.student.casefold(), owner.student)
        for key, record in self._records.items():
            other = record["who"]
            known = owner.who and other and key.partition("/")[0] == name
            if known and other.casefold() != owner.who.casefold():
                raise CourseError(
                    f"its folder would be {name}, which is that of {printable(other)}: give it "
                    "another one with --student"
                )
        return name

    def put(self, candidate: Candidate, student: str, data: bytes) -> str:
        """Put a notebook in its place unless it is older than what is there; return what was done.

        Raises CourseError if it must not be put there, OSError if it cannot.
        """
        path = self._course.submitted_notebook(student, candidate.stem)
        for place in (path, path.parent, path.parent.parent):
            if place.is_symlink():
                raise CourseError(f"{place} is a link: remove it, and collect again")
        key = f"{student}/{candidate.stem}"
        checksum, order = self._there(key, path)
        if checksum == _checksum(data):
            return "unchanged"
        if checksum and candidate.order.before(order) and not self._force:
            self.keep(candidate, student, data)
            return f"left as it is, the one collected now is older: kept in {EARLIER}"
        if path.is_file():
            self._keep(student, candidate.stem, path.read_bytes(), order.timestamp)
        self._write(path, data, candidate.order.timestamp)
        self._put.add(key)
        self._records[key] = {
            "who": candidate.owner.who,
            "from": candidate.file.name,
            "checksum": _checksum(data),
            "collected": datetime.now(UTC).isoformat(timespec="seconds"),
            **candidate.order.as_json(),
        }
        return f"newer, the earlier one is kept in {EARLIER}" if checksum else "new"

    def keep(self, candidate: Candidate, student: str, data: bytes) -> None:
        """Keep a notebook as an earlier submission."""
        self._keep(student, candidate.stem, data, candidate.order.timestamp)

    def close(self) -> None:
        """Write down what was collected."""
        if self._put and not self._dry_run:
            write_text(self._path, json.dumps(self._records, indent=2, sort_keys=True) + "\n")

    def _there(self, key: str, path: Path) -> tuple[str | None, Order]:
        """Return the checksum of the submission that is there, None without one, and its order."""
        record = self._records.get(key)
        if key in self._put:
            return record["checksum"], Order.from_json(record)
        try:
            checksum = _checksum(path.read_bytes())
        except FileNotFoundError:
            return None, Order()
        if record and record["checksum"] == checksum:
            return checksum, Order.from_json(record)
        # Somebody else put it there.
        return checksum, Order(timestamp=_read_timestamp(path.with_name(TIMESTAMP)))

    def _keep(self, student: str, stem: str, data: bytes, timestamp: datetime | None) -> None:
        folder = self._course.submitted / EARLIER / student / stem
        kept = sorted(folder.glob(f"*/{stem}.ipynb"))
        if any(path.read_bytes() == data for path in kept):
            return
        numbers = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
        number = max(numbers, default=0) + 1
        self._write(folder / str(number) / f"{stem}.ipynb", data, timestamp)

    def _write(self, path: Path, data: bytes, timestamp: datetime | None) -> None:
        if self._dry_run:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(data)
        stamp = path.with_name(TIMESTAMP)
        if timestamp is None:
            # An earlier submission's time would be a wrong one for this.
            stamp.unlink(missing_ok=True)
        else:
            write_text(stamp, f"{timestamp.isoformat(' ')} UTC\n")
        os.replace(new, path)


def print_report(console: Console, report: Report) -> None:
    """Print who handed in what, what a person should know of it, and what was left out."""
    if report.rows:
        console.print(_table(report.rows))
    # Text, not markup: a name may hold square brackets.
    for row in report.rows:
        for note in row.notes:
            console.print(Text(f"{row.student}: {note}"))
    reasons = {}
    for left in report.left_out:
        reasons.setdefault(left.reason, []).append(printable(left.name))
    if reasons:
        console.print("\nLeft out:")
    for reason, names in reasons.items():
        shown = ", ".join(names[:SHOWN])
        more = f" and {plural(len(names) - SHOWN, 'other')}" if len(names) > SHOWN else ""
        console.print(Padding(Text(f"{shown}{more}: {reason}"), (0, 0, 0, 2), expand=False))


def _table(rows: Sequence[Row]) -> Table:
    several = len({row.stem for row in rows}) > 1
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("student", *(["lesson"] if several else []), "file", "what was done"):
        grid.add_column(name, overflow="fold")
    for row in rows:
        cells = (row.student, *([row.stem] if several else []), printable(row.name), row.outcome)
        grid.add_row(*map(Text, cells))
    return grid


def _owners(
    source: Path,
    contents: Contents,
    lessons: Sequence[str],
    platform: str | None,
    collectors: Sequence[NameCollector] | None,
    student: str | None,
) -> tuple[dict[str, Owner], str | None]:
    """Return whose the files of a source are, and the platform that says so."""
    names = [file.name for file in contents.files]
    if student is not None:
        return {name: Owner(folder_name(student), "", name) for name in names}, None
    place = source.resolve().name
    if collectors is None:
        platform = platform or recognised(place, contents, lessons)
        if platform is None:
            return {}, None
        collectors = platform_collectors(platform, place, contents, lessons)
    return owners(collectors, names), platform


def _candidate(
    file: Found,
    owner: Owner | None,
    platform: str | None,
    lessons: Sequence[str],
    assignment: str | None,
) -> Candidate | LeftOut:
    """Return a notebook as a submission, or why it cannot be one."""
    if owner is None or not owner.student or lesson_of(owner.who, lessons)[1]:
        return LeftOut(file.name, NO_STUDENT)
    named, exact = lesson_of(owner.file, lessons)
    if assignment and named not in (None, assignment):
        return LeftOut(file.name, f"a notebook of {named}, not of {assignment}")
    stem = assignment or named or (lessons[0] if len(lessons) == 1 else None)
    if stem is None:
        return LeftOut(file.name, NO_LESSON)
    notes = ["late"] if owner.late else []
    if not named:
        notes.append(f"the notebook does not bear the lesson's name: {printable(file.name)}")
    order = Order(platform, owner.timestamp, owner.number, file.modified)
    return Candidate(file, owner, stem, exact, order, tuple(notes))


def _by_submission(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Return the notebooks grouped by student and lesson, the newest of each first."""
    groups = {}
    for candidate in candidates:
        key = (candidate.owner.student.casefold(), candidate.stem)
        groups.setdefault(key, []).append(candidate)
    # A stable sort of the reversed list: of two that are equally new, the later one counts.
    return [sorted(reversed(group), key=Candidate.rank, reverse=True) for group in groups.values()]


def _place(shelf: Shelf, group: Sequence[Candidate], report: Report) -> None:
    """Put a student's newest notebook of a lesson in its place and keep the others."""
    best = next((candidate for candidate in group if candidate.exact), None)
    row = None
    for candidate in group:
        name = candidate.file.name
        if best is not None and not candidate.exact:
            reason = "not called like the lesson, while another notebook of the student is"
            report.left_out.append(LeftOut(name, reason))
            continue
        try:
            student = shelf.folder(candidate.owner)
            data = candidate.file.read()
            if row is None:
                outcome = shelf.put(candidate, student, data)
                row = Row(student, candidate.stem, name, outcome, candidate.notes)
            else:
                shelf.keep(candidate, student, data)
                note = f"also handed in {printable(name)}, which is older: kept in {EARLIER}"
                row = replace(row, notes=(*row.notes, note))
        except CourseError as error:
            report.left_out.append(LeftOut(name, str(error)))
        except OSError as error:
            reason = f"cannot be written ({error.strerror}): see to submitted/ and collect again"
            report.left_out.append(LeftOut(name, reason))
    if row is not None:
        report.rows.append(row)


def _other_files(others: Iterable[tuple[str, Owner | None]], rows: Iterable[Row]) -> list[LeftOut]:
    """Return the files that are no notebooks, and above all the students who handed in no other."""
    collected = {row.student.casefold() for row in rows}
    plain, lacking = [], {}
    for name, owner in others:
        if owner is None or not owner.student or owner.student.casefold() in collected:
            plain.append(LeftOut(name, "not a notebook"))
        else:
            lacking.setdefault(owner.student, []).append(printable(PurePosixPath(name).name))
    return [
        *(
            LeftOut(student, f"no notebook of theirs was collected, but there is {names[0]}")
            for student, names in lacking.items()
        ),
        *plain,
    ]


def _read_records(path: Path) -> dict[str, dict]:
    """Return what earlier runs wrote down; {} if there is nothing that can be read."""
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        for record in records.values():
            Order.from_json(record)
            record["who"].casefold(), record["checksum"].casefold()
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return records


def _read_timestamp(path: Path) -> datetime | None:
    try:
        return parse_utc(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError, OverflowError):
        return None


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
