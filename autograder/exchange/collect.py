"""Put what students handed in elsewhere into submitted/, as grading wants it.

A source is a zip or a folder as it was downloaded from a learning platform, or a single notebook.
Who handed it in and which lesson it is are told from the files' names. The newest of a student's
submissions counts, and what it replaces is kept in submitted/.earlier. Collecting the same download
twice changes nothing.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.archives import LeftOut, SourceFile, opened
from autograder.exchange.platforms import (
    PLATFORMS,
    Order,
    Owner,
    copy_number,
    folder_name,
    is_notebook,
    lesson_of,
    own_pattern,
    owners,
    platform_patterns,
    recognised,
    utc_time,
)
from autograder.marks.options import add_assignment
from autograder.texts import plural, replaced, say, shown, write_text

EARLIER = ".earlier"
RECORDS = ".collected.json"
TIMESTAMP = "timestamp.txt"
NO_STUDENT = "no student in its name: rename it, or say whose it is with --student or --names"
OTHER_NAME = "not called like the lesson, while another notebook of the student is"
NO_LESSON = "no lesson in its name: say which one it is with --assignment"
SHOWN = 4
# What a record must hold for a later run: these texts, and an order.
RECORD: dict[str, Any] = {"who": str, "checksum": str, "platform": str | None}
RECORD |= {"timestamp": str | None, "number": int | None, "modified": str | None}
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
class Candidate:
    """A notebook that may become a student's submission of a lesson.

    exact: whether it bears the lesson's name.
    notes: what a person should know about it, as clauses.
    """

    file: SourceFile
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
            order.timestamp or "",
            -1 if order.number is None else order.number,
            -sum(name != self.stem for name in folders),
            order.modified or "",
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
class Collected:
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
    options = ("assignment", "platform", "names", "student", "force", "dry_run")
    collected = collect(course, args.sources, **{name: getattr(args, name) for name in options})
    console = Console()
    print_collected(console, collected)
    students = plural(len({row.student for row in collected.rows}), "student")
    done = "would be collected" if args.dry_run else "collected"
    say(console, f"\n{students} {done}: {course.submitted}")
    return 0 if collected.rows else 1


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
) -> Collected:
    """Put the notebooks of all sources into submitted/; return what was done and left out.

    Raises CourseError if a source is not there or an argument is of no use, before anything is
    written; whatever is wrong with a single file only leaves that one out.
    """
    if assignment:
        course.known_lesson(assignment)
    lessons = course.lessons()
    pattern = own_pattern(names) if names else None
    if student is not None and not folder_name(student):
        raise CourseError(f"{student!r} gives no name for a folder: use letters and digits")
    collected = Collected()
    # By student and lesson.
    candidates: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    others = []
    with ExitStack() as stack:
        for source in sources:
            contents = stack.enter_context(opened(source))
            collected.left_out += contents.left_out
            place, files = source.resolve().name, [file.name for file in contents.files]
            if student is not None:
                owned = {name: Owner(folder_name(student), "", name) for name in files}
            elif pattern is not None:
                owned = owners([pattern], files)
            else:
                told_by = platform or recognised(place, contents, lessons)
                patterns = platform_patterns(told_by, place, contents, lessons)
                owned = owners(patterns, files, told_by)
            for file in contents.files:
                owner = owned.get(file.name)
                if not is_notebook(file.name):
                    others.append((file.name, owner))
                    continue
                try:
                    candidate = _candidate(file, owner, lessons, assignment)
                except CourseError as error:
                    collected.left_out.append(LeftOut(file.name, str(error)))
                else:
                    key = (candidate.owner.student.casefold(), candidate.stem)
                    candidates[key].append(candidate)
        shelf = Shelf(course, dry_run=dry_run, force=force)
        stack.callback(shelf.close)
        for group in candidates.values():
            _place(shelf, group, collected)
    collected.left_out += _other_files(others, collected.rows)
    collected.rows.sort(key=lambda row: (row.stem, row.student))
    return collected


class Shelf:
    """submitted/ and what is known of the submissions in it.

    submitted/.collected.json keeps of each collected submission where it came from, its checksum
    and its place in time, so that a later run knows what is newer.
    """

    def __init__(self, course: Course, *, dry_run: bool, force: bool) -> None:
        self._course, self._dry_run, self._force = course, dry_run, force
        self._records = _read_records(course.submitted / RECORDS)
        self._changed = False
        # Folders by their name in small letters, since some systems take Ada and ada for one.
        names = sorted(path.name for path in course.submitted.glob("*"))
        self._folders = {name.casefold(): name for name in names}

    def folder(self, owner: Owner) -> str:
        """Return the folder of a student; raises CourseError if it is another student's."""
        name = self._folders.setdefault(owner.student.casefold(), owner.student)
        for key, record in self._records.items():
            other = record["who"]
            known = owner.who and other and key.startswith(f"{name}/")
            if known and other.casefold() != owner.who.casefold():
                raise CourseError(
                    f"its folder would be {name}, which is that of {shown(other)}: give it another "
                    "one with --student"
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
        try:
            present = path.read_bytes()
        except FileNotFoundError:
            present = None
        if present == data:
            return "unchanged"
        key = f"{student}/{candidate.stem}"
        outcome = "new"
        if present is not None:
            order = self._order(key, path, present)
            if candidate.order.before(order) and not self._force:
                self.keep(student, candidate.stem, data, candidate.order.timestamp)
                return f"left as it is, the one collected now is older: kept in {EARLIER}"
            self.keep(student, candidate.stem, present, order.timestamp)
            outcome = f"newer, the earlier one is kept in {EARLIER}"
        self._write(path, data, candidate.order.timestamp)
        self._changed = True
        self._records[key] = {
            "who": candidate.owner.who,
            "from": candidate.file.name,
            "checksum": sha256(data).hexdigest(),
            "collected": datetime.now(UTC).isoformat(timespec="seconds"),
            **asdict(candidate.order),
        }
        return outcome

    def keep(self, student: str, stem: str, data: bytes, timestamp: str | None) -> None:
        """Keep a notebook as an earlier submission, unless it is kept already."""
        folder = self._course.submitted / EARLIER / student / stem
        if any(path.read_bytes() == data for path in folder.glob(f"*/{stem}.ipynb")):
            return
        numbers = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
        number = max(numbers, default=0) + 1
        self._write(folder / str(number) / f"{stem}.ipynb", data, timestamp)

    def close(self) -> None:
        """Write down what was collected."""
        if self._changed and not self._dry_run:
            path = self._course.submitted / RECORDS
            write_text(path, json.dumps(self._records, indent=2, sort_keys=True) + "\n")

    def _order(self, key: str, path: Path, present: bytes) -> Order:
        """Return the order of the submission that is there."""
        record = self._records.get(key)
        if record and record["checksum"] == sha256(present).hexdigest():
            return Order(**{part.name: record.get(part.name) for part in fields(Order)})
        # Somebody else put it there.
        text = ""
        with suppress(OSError, ValueError):
            text = path.with_name(TIMESTAMP).read_text(encoding="utf-8")
        return Order(timestamp=utc_time(text.strip()))

    def _write(self, path: Path, data: bytes, timestamp: str | None) -> None:
        if self._dry_run:
            return
        with replaced(path) as new:
            new.write_bytes(data)
            stamp = path.with_name(TIMESTAMP)
            if timestamp is None:
                # An earlier submission's time would be a wrong one for this.
                stamp.unlink(missing_ok=True)
            else:
                write_text(stamp, f"{timestamp.replace('T', ' ')} UTC\n")


def print_collected(console: Console, collected: Collected) -> None:
    """Print who handed in what, what a person should know of it, and what was left out."""
    if collected.rows:
        console.print(_table(collected.rows))
    # Text, not markup: a name may hold square brackets.
    for row in collected.rows:
        for note in row.notes:
            console.print(Text(f"{row.student}: {note}"))
    reasons = defaultdict(list)
    for left in collected.left_out:
        reasons[left.reason].append(shown(left.name))
    if reasons:
        console.print("\nLeft out:")
    for reason, names in reasons.items():
        text = ", ".join(names[:SHOWN])
        more = f" and {plural(len(names) - SHOWN, 'other')}" if len(names) > SHOWN else ""
        console.print(Padding(Text(f"{text}{more}: {reason}"), (0, 0, 0, 2), expand=False))


def _table(rows: Sequence[Row]) -> Table:
    several = len({row.stem for row in rows}) > 1
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("student", *(["lesson"] if several else []), "file", "what was done"):
        grid.add_column(name, overflow="fold")
    for row in rows:
        cells = (row.student, *([row.stem] if several else []), shown(row.name), row.outcome)
        grid.add_row(*map(Text, cells))
    return grid


def _candidate(
    file: SourceFile, owner: Owner | None, lessons: Sequence[str], assignment: str | None
) -> Candidate:
    """Return a notebook as a submission; raise CourseError with a clause if it cannot be one."""
    if owner is None or not owner.student or lesson_of(owner.who, lessons)[1]:
        raise CourseError(NO_STUDENT)
    named, exact = lesson_of(owner.file, lessons)
    if assignment and named not in (None, assignment):
        raise CourseError(f"a notebook of {named}, not of {assignment}")
    stem = assignment or named or (lessons[0] if len(lessons) == 1 else None)
    if stem is None:
        raise CourseError(NO_LESSON)
    notes = ["late"] if owner.late else []
    if not named:
        notes.append(f"the notebook does not bear the lesson's name: {shown(file.name)}")
    order = replace(owner.order, modified=file.modified)
    return Candidate(file, owner, stem, exact, order, tuple(notes))


def _place(shelf: Shelf, group: Sequence[Candidate], collected: Collected) -> None:
    """Put a student's newest notebook of a lesson in its place and keep the others."""
    bears_name = any(candidate.exact for candidate in group)
    row = None
    # A stable sort of the reversed list: of two that are equally new, the later one counts.
    for candidate in sorted(reversed(group), key=Candidate.rank, reverse=True):
        name = candidate.file.name
        try:
            if bears_name and not candidate.exact:
                raise CourseError(OTHER_NAME)
            student = shelf.folder(candidate.owner)
            data = candidate.file.read()
            if row is None:
                outcome = shelf.put(candidate, student, data)
                row = Row(student, candidate.stem, name, outcome, candidate.notes)
            else:
                shelf.keep(student, candidate.stem, data, candidate.order.timestamp)
                note = f"also handed in {shown(name)}, which is older: kept in {EARLIER}"
                row = replace(row, notes=(*row.notes, note))
        except CourseError as error:
            collected.left_out.append(LeftOut(name, str(error)))
        except OSError as error:
            reason = f"cannot be written ({error.strerror}): see to submitted/ and collect again"
            collected.left_out.append(LeftOut(name, reason))
    if row is not None:
        collected.rows.append(row)


def _other_files(others: Iterable[tuple[str, Owner | None]], rows: Iterable[Row]) -> list[LeftOut]:
    """Return the files that are no notebooks, and above all the students who handed in no other."""
    students = {row.student.casefold() for row in rows}
    plain = []
    lacking: dict[str, str] = {}
    for name, owner in others:
        student = owner.student if owner else ""
        if not student or student.casefold() in students:
            plain.append(LeftOut(name, "not a notebook"))
        else:
            lacking.setdefault(student, shown(PurePosixPath(name).name))
    reason = "no notebook of theirs was collected, but there is {}"
    return [LeftOut(student, reason.format(name)) for student, name in lacking.items()] + plain


def _read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Return what earlier runs wrote down; {} if there is nothing that can be read."""
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        valid = all(
            isinstance(record.get(name), kind)
            for record in records.values()
            for name, kind in RECORD.items()
        )
    except (OSError, ValueError, AttributeError):
        return {}
    return records if valid else {}
