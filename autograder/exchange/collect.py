"""Put what students handed in elsewhere into submitted/, as grading wants it.

A source is a zip or a folder as it was downloaded from a learning platform, or a single notebook.
Who handed it in and which lesson it is are told from the files' names. The newest of a student's
submissions counts, and what it replaces is kept in submitted/.earlier. Collecting the same download
twice changes nothing.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from pathlib import Path, PurePosixPath

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.archives import Contents, LeftOut, SourceFile, opened
from autograder.exchange.platforms import (
    ATTEMPT,
    PLATFORMS,
    Order,
    Owner,
    canvas_readings,
    copy_number,
    is_notebook,
    lesson_of,
    own_pattern,
    owners,
    platform_patterns,
    recognised,
    says_no_zone,
    several_titles,
    utc_time,
)
from autograder.marks.classlist import ClassList
from autograder.marks.options import add_assignment
from autograder.marks.people import folder_name
from autograder.marks.submitted import RECORDS, read_collected, submitted_students
from autograder.texts import listed, plural, replaced, say, shown, write_text

EARLIER = ".earlier"
TIMESTAMP = "timestamp.txt"
NO_STUDENT = "no student in its name: rename it, or say whose it is with --student or --names"
OTHER_NAME = "not called like the lesson, while another notebook of the student is"
NO_LESSON = "no lesson in its name: say which one it is with --assignment"
SHOWN = 4
# What of a student's own is taken along beside the notebook, up to this size in bytes.
OWN_FILE = re.compile(r"[^\W\d]\w{0,59}\.py", re.ASCII)
OWN_BYTES = 100_000
# The first line of the note that Blackboard puts beside each attempt, in whatever language.
NOTE_OF_USER = re.compile(r"^\ufeff?[^\n:]+:[^\n]*\(([^()\s]+)\)\s*$", re.MULTILINE)
INSTEAD = {"_link.html": "a link", "_text.html": "a text", "onlinetext.html": "a text"}
INSTEAD |= {end: "a link" for end in (".url", ".webloc", ".desktop", ".gdoc", ".lnk")}
INSTEAD |= {"_submissionText.html": "a text"}
EPILOG = """what the names look like, and the student's folder they give:

  canvas        lovelaceada_12345_67890_LESSON-2.ipynb               lovelaceada_12345
  moodle        Ada Lovelace_1234567_assignsubmission_file_/LESSON…  Ada_Lovelace_1234567
  blackboard    Homework 1_ada_attempt_2024-05-01-18-30-00_LESSON…   ada
  brightspace   351-90 - Ada Lovelace - Oct 1, 2026 1224 PM/LESSON…  Ada_Lovelace_351
  ilias         Blatt 01/Abgaben/Lovelace_Ada_login_3345/LESSON…     Lovelace_Ada_login_3345
  sakai         HW/Lovelace, Ada(al1)/Submission attachment(s)/LES…  Lovelace-_Ada_al1
  prairielearn  ada@example.org_1_q1_1_2_12345_LESSON.ipynb          ada@example.org
  teams         Submitted files/Ada Lovelace/HW/Version 2/LESSON…    Ada_Lovelace
  github        CLASS-HW_submissions_2026…/CLASS-HW-ada/LESSON…      ada
  classroom     Ada Lovelace - LESSON.ipynb (Google)                 Ada_Lovelace
  folders       ada/LESSON.ipynb or ada/LESSON/LESSON.ipynb          ada
  files         ada_LESSON.ipynb, Ada Lovelace LESSON (1).ipynb      ada, Ada_Lovelace

A platform more is a line more in the table of autograder/exchange/names.py.

--names takes a regular expression as nbgrader's zip_collect does. It is matched from the beginning
of a file's path in the download and must hold (?P<student_id>…) and (?P<file_id>…). It may hold
(?P<timestamp>…), when it was handed in. For example:

  python -m autograder collect class.zip --names ".*/(?P<student_id>s\\d+)-(?P<file_id>.*)"
"""


@dataclass(frozen=True)
class Candidate:
    """A notebook that may become a student's submission of a lesson.

    exact: whether it bears the lesson's name.
    notes: what a person should know about it, as clauses.
    without_outputs: see Contents.
    """

    file: SourceFile
    owner: Owner
    stem: str
    exact: bool
    order: Order
    notes: tuple[str, ...] = ()
    without_outputs: Mapping[str, int] = field(default_factory=dict)

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
    """What collecting did, or with `--dry-run` would do.

    notes: what a person should know of the downloads as a whole, in sentences.
    """

    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[LeftOut]:
        """What is left out of somebody's work."""
        return [left for left in self.left_out if not left.harmless]


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
    """Collect, print who handed in what; return 1 if nothing is, or somebody is left out."""
    course = Course.find()
    options = ("assignment", "platform", "names", "student", "force", "dry_run")
    collected = collect(course, args.sources, **{name: getattr(args, name) for name in options})
    console = Console()
    print_collected(console, collected)
    students = plural(len({row.student for row in collected.rows}), "student")
    done = "would be collected" if args.dry_run else "collected"
    say(console, f"\n{students} {done}: {course.submitted}")
    if collected.rows and collected.missing:
        say(console, "Not all is collected: see what is left out above.")
    return 0 if collected.rows and not collected.missing else 1


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
    lessons, classes = course.lessons(), ClassList(course)
    pattern = own_pattern(names) if names else None
    if student is not None and not folder_name(student):
        raise CourseError(f"{student!r} gives no name for a folder: use letters and digits")
    collected = Collected()
    # By student and lesson.
    candidates: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    others: list[tuple[SourceFile, Owner | None]] = []
    with ExitStack() as stack:
        for source in sources:
            contents = stack.enter_context(opened(source))
            place, files = source.resolve().name, [file.name for file in contents.files]
            doubts: dict[str, str] = {}
            if student is not None:
                owned = {name: Owner(folder_name(student), "", name) for name in files}
            else:
                whose = Whose(place, contents, lessons, classes, platform, pattern)
                owned, doubts = whose.owners(files)
                collected.notes += whose.notes(files)
            collected.left_out += contents.left_out
            times = _times(contents.files, classes.zone)
            for file in contents.files:
                owner = owned.get(file.name)
                if owner is not None:
                    owner = replace(owner, student=classes.now(owner.student))
                if not is_notebook(file.name):
                    others.append((file, owner))
                    continue
                try:
                    candidate = _candidate(file, owner, lessons, assignment, contents)
                except CourseError as error:
                    collected.left_out.append(LeftOut(file.name, str(error)))
                else:
                    candidate = _with_time(candidate, times)
                    if file.name in doubts:
                        note = f"may be {doubts[file.name]}: if this is wrong, say --student"
                        candidate = replace(candidate, notes=(*candidate.notes, note))
                    key = (candidate.owner.student.casefold(), candidate.stem)
                    candidates[key].append(candidate)
        shelf = Shelf(course, dry_run=dry_run, force=force)
        stack.callback(shelf.close)
        for group in candidates.values():
            _place(shelf, group, collected)
        taken = _take_along(shelf, others, collected)
        others = [(file, owner) for file, owner in others if file.name not in taken]
        collected.left_out += _other_files(others, collected.rows)
    students = _with_work(course, collected)
    if missing := classes.without_work(students):
        collected.notes.append(f"In the class list, but without a submission: {listed(missing)}.")
    if strangers := classes.strangers({row.student for row in collected.rows}):
        collected.notes.append(f"Not in the class list: {listed(sorted(strangers))}.")
    collected.rows.sort(key=lambda row: (row.stem, row.student))
    return collected


def _with_work(course: Course, collected: Collected) -> set[str]:
    """Return whose work is there: in submitted/, or collected now."""
    stems = {row.stem for row in collected.rows} or set(course.lessons())
    there = {name for stem in stems for name in submitted_students(course, stem)}
    return there | {row.student for row in collected.rows}


class Whose:
    """Tells whose the files of a download are; `platform`, `pattern` are what a person said."""

    def __init__(
        self,
        place: str,
        contents: Contents,
        lessons: Sequence[str],
        classes: ClassList,
        platform: str | None,
        pattern: re.Pattern[str] | None,
    ) -> None:
        self.lessons, self.zone, self.platform = lessons, classes.zone, None

        named = blackboard_users(contents.files)

        def known(who: str) -> bool:
            return who in named or classes.member(folder_name(who)) is not None

        self.known = known
        if pattern is not None:
            self.patterns = [pattern]
        else:
            self.platform = platform or recognised(place, contents, lessons)
            self.patterns = platform_patterns(self.platform, place, contents, lessons, known)

    def owners(self, files: Sequence[str]) -> tuple[dict[str, Owner], dict[str, str]]:
        """Return whose the files are, and of which it is not sure, with who may be meant."""
        owned = owners(self.patterns, files, self.platform, self.zone)
        if self.platform != "canvas":
            return owned, {}
        return canvas_readings(owned, self.lessons, self.known)

    def notes(self, files: Sequence[str]) -> list[str]:
        """Return what a person should know of the download as a whole."""
        said = []
        times = [owner.time for owner in self.owners(files)[0].values() if owner.time]
        if self.zone is None and any(map(says_no_zone, times)):
            said.append(
                "The times in the names say no zone and were taken for UTC: name yours as "
                "`timezone` in pyproject.toml, and collect again with --force."
            )
        if unread := [time for time in times if utc_time(time) is None]:
            said.append(f"Times that cannot be read were left out, such as {unread[0]!r}.")
        if self.platform == "blackboard" and several_titles(files):
            said.append(
                "It is not sure where the title of the homework ends in these names: look the "
                "students over, and say --names if they are wrong."
            )
        return said


def blackboard_users(files: Sequence[SourceFile]) -> set[str]:
    """Return the users that Blackboard's own notes name: "Name: Ada Lovelace (ab_1)"."""
    users = set()
    for file in files:
        if ATTEMPT.search(file.name) and file.name.endswith(".txt"):
            with suppress(CourseError):
                note = NOTE_OF_USER.search(file.read()[:1000].decode("utf-8", "replace"))
                users |= {note[1]} if note else set()
    return users


def _times(files: Sequence[SourceFile], zone: tzinfo | None) -> dict[str, str]:
    """Return what files called timestamp.txt say, in UTC, by their folders.

    nbgrader and Sakai put one beside each submission.
    """
    times = {}
    for file in files:
        folder, _, name = file.name.rpartition("/")
        if name == TIMESTAMP and folder:
            with suppress(CourseError, UnicodeDecodeError):
                if when := utc_time(file.read()[:100].decode("utf-8").strip(), zone):
                    times[folder] = when
    return times


def _with_time(candidate: Candidate, times: Mapping[str, str]) -> Candidate:
    """Return a candidate with the time that stands in its folder, or the one around that."""
    if candidate.order.timestamp is not None:
        return candidate
    for folder in list(PurePosixPath(candidate.file.name).parents)[:2]:
        if str(folder) in times:
            order = replace(candidate.order, timestamp=times[str(folder)])
            return replace(candidate, order=order)
    return candidate


class Shelf:
    """submitted/ and what is known of the submissions in it.

    submitted/.collected.json keeps of each collected submission where it came from, its checksum
    and its place in time, so that a later run knows what is newer.
    """

    def __init__(self, course: Course, *, dry_run: bool, force: bool) -> None:
        self._course, self._dry_run, self._force = course, dry_run, force
        self._records = read_collected(course)
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
            "late": candidate.owner.late,
            **asdict(candidate.order),
        }
        return outcome

    def put_beside(self, student: str, stem: str, name: str, data: bytes) -> None:
        """Put a file of the student's own beside the notebook."""
        path = self._course.submitted_notebook(student, stem).with_name(name)
        if not self._dry_run and not path.is_symlink():
            with replaced(path) as new:
                new.write_bytes(data)

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
        return Order(timestamp=utc_time(text.strip(), ClassList(self._course).zone))

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
        reasons[left.reason, left.harmless].append(shown(left.name))
    if reasons:
        console.print("\nLeft out:")
    for (reason, harmless), names in reasons.items():
        # Whose work is missing is named in any case.
        text = f"{listed(names, SHOWN if harmless else 0)}: {reason}"
        console.print(Padding(Text(text), (0, 0, 0, 2), expand=False))
    for note in collected.notes:
        console.print(Text(f"\n{note}"))


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
    file: SourceFile,
    owner: Owner | None,
    lessons: Sequence[str],
    assignment: str | None,
    contents: Contents,
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
    return Candidate(file, owner, stem, exact, order, tuple(notes), contents.without_outputs)


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
                notes = candidate.notes
                if size := candidate.without_outputs.get(name):
                    notes += (f"collected without its outputs, of {size / 1e6:.0f} MB",)
                row = Row(student, candidate.stem, name, outcome, notes)
            else:
                shelf.keep(student, candidate.stem, data, candidate.order.timestamp)
                note = f"also handed in {shown(name)}, which is older: kept in {EARLIER}"
                row = replace(row, notes=(*row.notes, note))
        except CourseError as error:
            harmless = str(error) == OTHER_NAME
            collected.left_out.append(LeftOut(name, str(error), harmless))
        except OSError as error:
            reason = f"cannot be written ({error.strerror}): see to submitted/ and collect again"
            collected.left_out.append(LeftOut(name, reason))
    if row is not None:
        collected.rows.append(row)


def _take_along(
    shelf: Shelf, others: Iterable[tuple[SourceFile, Owner | None]], collected: Collected
) -> set[str]:
    """Put small Python files that a student handed in with the notebook beside it; return which."""
    taken = set()
    rows = {row.student.casefold(): at for at, row in enumerate(collected.rows)}
    for file, owner in others:
        at = rows.get(owner.student.casefold()) if owner else None
        name = PurePosixPath(owner.file).name.removesuffix(".ipynb") if owner else ""
        name = f"{name.removesuffix('.py')}.py"
        if at is None or not file.name.endswith(".py") or not OWN_FILE.fullmatch(name):
            continue
        row = collected.rows[at]
        with suppress(CourseError, OSError):
            data = file.read()
            if 0 < len(data) <= OWN_BYTES:
                shelf.put_beside(row.student, row.stem, name, data)
                note = f"{name} was handed in as well, and is put beside the notebook"
                collected.rows[at] = replace(row, notes=(*row.notes, note))
                taken.add(file.name)
    return taken


def _other_files(
    others: Iterable[tuple[SourceFile, Owner | None]], rows: Iterable[Row]
) -> list[LeftOut]:
    """Return the files that are no notebooks, and above all the students who handed in no other."""
    students = {row.student.casefold() for row in rows}
    plain = []
    lacking: dict[str, str] = {}
    for file, owner in others:
        student = owner.student if owner else ""
        if not student or student.casefold() in students:
            plain.append(LeftOut(file.name, "not a notebook", harmless=True))
        else:
            name = shown(PurePosixPath(file.name).name)
            what = next((f"{what}, " for end, what in INSTEAD.items() if name.endswith(end)), "")
            lacking.setdefault(student, f"{what}{name}")
    reason = "no notebook of theirs was collected, but there is {}"
    return [LeftOut(student, reason.format(name)) for student, name in lacking.items()] + plain
