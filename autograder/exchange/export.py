"""Write the marks as a CSV file that Canvas or Moodle imports.

The marks come from the gradebook: the tests' and the graders' together. A submission that is not
graded, or has a written answer that nobody has marked yet, gets no mark, since 0 would be a
verdict. With --roster the file is the platform's own list of students with the marks filled in.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from rich.console import Console
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.platforms import lesson_of
from autograder.exchange.rosters import NUMBERED, Roster
from autograder.lesson import Lesson
from autograder.marks.gradebook import check_gradebook_exists, open_api
from autograder.marks.options import add_assignment, add_gradebook
from autograder.marks.results import Result, collect, maximum
from autograder.marks.submitted import submitted_students
from autograder.texts import guarded, number, plural, write_text

OUTPUTS = {
    "canvas": "grades-canvas.csv",
    "moodle": "grades-moodle.csv",
    "csv": "grades-table.csv",
}
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
MOODLE = ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade"]
MOODLE += ["Last modified (grade)", "Feedback comments"]
# What Canvas works out itself; its importer takes no marks there.
COMPUTED = re.compile(r"(Current|Final|Override) (Score|Points|Grade|Status)")
FEEDBACK = "Points by exercise: "


@dataclass(frozen=True)
class Mark:
    """A student's mark for a lesson.

    points: None if there is none yet; `reason` then says why, as a clause.
    feedback: the points of each exercise in a line.
    """

    student: str
    stem: str
    points: float | None
    reason: str = ""
    feedback: str = ""

    @property
    def text(self) -> str:
        """The points as a cell holds them."""
        return number(self.points)


@dataclass
class Export:
    """The rows of the file, and what a person should know about it, one sentence each."""

    table: list[list[str]]
    written: int = 0
    notes: list[str] = field(default_factory=list)
    delimiter: str = ","
    mark: str = ""

    def text(self) -> str:
        """Return the file's text; no cell of it is a formula."""
        buffer = io.StringIO(newline="")
        # With another end of line the writer would not quote the \r in a cell.
        writer = csv.writer(buffer, delimiter=self.delimiter, lineterminator="\r\n")
        writer.writerows([guarded(cell) for cell in row] for row in self.table)
        return self.mark + buffer.getvalue()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `export`."""
    parser.add_argument(
        "--for",
        dest="platform",
        choices=OUTPUTS,
        default="csv",
        help="what will import the file (default: csv, a column for each lesson)",
    )
    add_assignment(parser, "all that have marks")
    parser.add_argument(
        "--roster",
        metavar="FILE",
        type=Path,
        help="the students as exported there: Canvas' gradebook, Moodle's grading worksheet or "
        "gradebook, GitHub Classroom's roster",
    )
    parser.add_argument(
        "--column",
        metavar="NAME",
        help="the roster's column to fill (default: the one that bears the lesson's name)",
    )
    parser.add_argument(
        "--id-column",
        metavar="NAME",
        help="the roster's column that the students' folders are called after (default: known "
        "ones, such as ID, Identifier, Email address, github_username)",
    )
    parser.add_argument(
        "--with-open",
        action="store_true",
        help="give a mark also where written answers are not marked yet, and count those as 0",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="default: " + ", ".join(OUTPUTS.values()) + " in the course folder",
    )
    add_gradebook(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file, say what has no mark and who was not found; return 1 without any mark.

    Raises CourseError if the options do not fit together or nothing has been graded.
    """
    course = Course.find()
    output = args.output or course.root / OUTPUTS[args.platform]
    if args.roster and output.exists() and output.resolve() == args.roster.resolve():
        raise CourseError("--output would overwrite the roster: choose another name")
    if args.roster is None and (args.column or args.id_column):
        raise CourseError("--column and --id-column are about a roster: name it with --roster")
    if args.assignment:
        course.known_lesson(args.assignment)
    roster = Roster.load(args.roster, args.id_column) if args.roster else None
    api = open_api(course, args.db)
    lessons = [Lesson.load(course.lesson_path(stem)) for stem in course.lessons()]
    marks = {
        lesson.stem: lesson_marks(api, course, lesson, with_open=args.with_open)
        for lesson in lessons
        if args.assignment in (None, lesson.stem)
    }
    chosen = [lesson for lesson in lessons if marks.get(lesson.stem)]
    if not chosen:
        raise CourseError("there are no marks to export: run `python -m autograder grade`")
    found = [mark for lesson in chosen for mark in marks[lesson.stem]]
    made = export(args.platform, chosen, found, roster, args.column)
    write_text(output, made.text())
    console = Console()
    for note in made.notes:
        console.print(Text(note))
    line = f"{plural(made.written, 'mark')} written: {output}"
    console.print(Text(line), soft_wrap=True)
    return 0 if made.written else 1


def lesson_marks(
    api: NbGraderAPI, course: Course, lesson: Lesson, *, with_open: bool = False
) -> list[Mark]:
    """Return the marks of everybody who handed in a lesson, here or as the gradebook has it.

    Raises CourseError if the gradebook cannot be opened.
    """
    check_gradebook_exists(api)  # looking for marks must not leave an empty one behind
    with api.gradebook as gradebook:
        known = {entry.student.id for entry in gradebook.assignment_submissions(lesson.stem)}
    students = sorted(known | set(submitted_students(course, lesson.stem)))
    results = collect(api, course, lesson, students)
    return [_mark(result, with_open) for result in results]


def export(
    platform: str,
    lessons: Sequence[Lesson],
    marks: Sequence[Mark],
    roster: Roster | None = None,
    column: str | None = None,
) -> Export:
    """Return the file for a platform; raises CourseError if the roster is not of use for it.

    `column` names the roster's column to fill, which only makes sense for a single lesson.
    """
    if len(lessons) > 1 and (column or (platform == "moodle" and not _several(roster))):
        raise CourseError(
            f"only one lesson can be exported so, and there are marks for {len(lessons)}: choose "
            "one with --assignment"
        )
    if roster is not None:
        made = _filled(platform, lessons, marks, roster, column)
    elif platform == "canvas":
        made = _for_canvas(lessons, marks)
    elif platform == "moodle":
        made = _for_moodle(lessons[0], marks)
    else:
        made = _plain(lessons, marks)
    made.notes += [
        f"{mark.student}, {mark.stem}: no mark, {mark.reason}."
        for mark in marks
        if mark.points is None
    ]
    return made


def feedback(result: Result) -> str:
    """Return the points of each exercise in a line; "" if there are none."""
    if not result.graded:
        return ""
    points = [(exercise, result.points(exercise)) for exercise in result.exercises]
    parts = [
        f"{exercise.label} {'open' if got is None else number(got)}/{number(exercise.points)}"
        for exercise, got in points
    ]
    return FEEDBACK + ", ".join(parts + [f"late -{number(result.penalty)}"] * bool(result.penalty))


def _mark(result: Result, with_open: bool) -> Mark:
    student, stem = result.student, result.assignment
    if result.problem is not None:
        return Mark(student, stem, None, result.problem)
    if result.unread and not with_open:
        return Mark(student, stem, None, f"{plural(result.unread, 'written answer')} to mark")
    return Mark(student, stem, result.total, "", feedback(result))


def _several(roster: Roster | None) -> bool:
    """Return whether Moodle takes the marks of several lessons so."""
    return roster is not None and not roster.is_worksheet


def _plain(lessons: Sequence[Lesson], marks: Sequence[Mark]) -> Export:
    header = ["student", *(lesson.stem for lesson in lessons)]
    made = Export([header])
    for student, own in _by_student(marks).items():
        made.table.append([student, *(_text(own, lesson) for lesson in lessons)])
    made.written = _count(marks)
    return made


def _for_canvas(lessons: Sequence[Lesson], marks: Sequence[Mark]) -> Export:
    """Return what Canvas needs at least; whoever has no mark is not in it.

    An empty cell would take away a mark that Canvas has.
    """
    points = ["    Points Possible", *[""] * (len(CANVAS) - 1)]
    points += [number(maximum(lesson.exercises)) for lesson in lessons]
    made = Export([[*CANVAS, *(lesson.stem for lesson in lessons)], points])
    for student, own in _by_student(marks).items():
        cells = [_text(own, lesson) for lesson in lessons]
        name, digits = _name_and_number(student)
        if any(cells):
            identity = [name, digits, "", "" if digits else student, ""]
            made.table.append([*identity, *cells])
    made.written = _count(marks)
    made.notes.append(
        "Without a roster Canvas knows only students whose folder ends with its own id, or is "
        "their login: export its gradebook and give it as --roster."
    )
    return made


def _for_moodle(lesson: Lesson, marks: Sequence[Mark]) -> Export:
    """Return a grading worksheet with what Moodle needs at least."""
    made = Export([MOODLE])
    for mark in marks:
        name, digits = _name_and_number(mark.student)
        if mark.points is not None:
            identity = [f"Participant {digits}" if digits else "", name.replace("_", " ")]
            email = mark.student if "@" in mark.student else ""
            most = number(maximum(lesson.exercises))
            made.table.append([*identity, email, mark.text, most, "-", mark.feedback])
    made.written = _count(marks)
    made.notes.append(
        "Without a roster Moodle knows only students whose folder ends with its number: download "
        "the grading worksheet and give it as --roster."
    )
    return made


def _filled(
    platform: str,
    lessons: Sequence[Lesson],
    marks: Sequence[Mark],
    roster: Roster,
    column: str | None,
) -> Export:
    """Return the roster with the marks filled in.

    Where there is no mark, the roster's own cell stays: an empty one would take a mark away.
    """
    if platform == "canvas" and not roster.is_canvas:
        raise CourseError(
            "the roster is not Canvas' gradebook (Student, ID, …, Section): export it there, or "
            "choose another --for"
        )
    made = Export([], delimiter=roster.delimiter, mark=roster.mark)
    places = {lesson.stem: _place(platform, lesson, roster, column, made) for lesson in lessons}
    rows = _rows(marks, roster, made)
    comments = {stem: _comments(platform, roster, place) for stem, place in places.items()}
    for mark in marks:
        row = rows.get(mark.student)
        if row is None or mark.points is None:
            continue
        row[places[mark.stem]] = mark.text
        made.written += 1
        comment = comments[mark.stem]
        # What a teacher wrote there stays.
        if comment is not None and (not row[comment] or row[comment].startswith(FEEDBACK)):
            row[comment] = mark.feedback
    table = [roster.header, *roster.above, *roster.rows]
    if platform == "canvas":
        # The other assignments' marks may be older than what Canvas has by now.
        kept = [*range(roster.column("Section") + 1), *places.values()]
        table = [[row[place] for place in kept] for row in table]
    made.table = table
    return made


def _place(platform: str, lesson: Lesson, roster: Roster, column: str | None, made: Export) -> int:
    """Return the place of a lesson's column in the roster; one is made for Canvas and csv."""
    points = number(maximum(lesson.exercises))
    name = column or _column_of(platform, lesson, roster)
    if name is not None and name not in roster.header:
        raise CourseError(
            f"the roster has no column {name!r}: its columns are {', '.join(roster.header)}"
        )
    if name is None and platform == "moodle":
        raise CourseError(
            f"no column of the roster bears the name {lesson.stem}: name the one to fill with "
            "--column"
        )
    if name is not None:
        place = roster.column(name)
        possible = roster.points_possible()[place].strip() if roster.is_canvas else ""
        if possible and _float(possible) != maximum(lesson.exercises):
            made.notes.append(
                f"{name} counts out of {possible} in Canvas, {lesson.stem} out of {points}: change "
                "it in Canvas."
            )
        return place
    place = roster.add_column(lesson.stem)
    if roster.is_canvas:
        roster.points_possible()[place] = points
        made.notes.append(
            f"No column bears the name {lesson.stem}: Canvas will make a new assignment of it. To "
            "fill one that is there, name it with --column."
        )
    return place


def _column_of(platform: str, lesson: Lesson, roster: Roster) -> str | None:
    """Return the roster's column for a lesson, or None; raises CourseError if there are several."""
    if platform == "moodle" and roster.is_worksheet:
        return "Grade"
    names = [
        name
        for name in roster.header
        if lesson_of(name, [lesson.stem])[0] and not COMPUTED.search(name) and not _is_comment(name)
    ]
    if len(names) > 1:
        raise CourseError(
            f"several columns of the roster bear the name {lesson.stem} ({', '.join(names)}): name "
            "the one to fill with --column"
        )
    return names[0] if names else None


def _comments(platform: str, roster: Roster, place: int) -> int | None:
    """Return the place of the column for comments on the marks at `place`, or None."""
    if platform != "moodle":
        return None
    name = roster.header[place]
    wanted = {"Feedback comments"} if roster.is_worksheet else set()
    wanted |= {name.replace("(Real)", "(Feedback)"), name.replace("Assignment:", "Feedback:")}
    wanted.discard(name)
    return next((place for place, other in enumerate(roster.header) if other in wanted), None)


def _is_comment(name: str) -> bool:
    return name.endswith("(Feedback)") or name.startswith("Feedback:")


def _rows(marks: Sequence[Mark], roster: Roster, made: Export) -> dict[str, list[str]]:
    """Return each student's row of the roster, and note who has none or has more than one."""
    rows, taken = {}, {}
    for student in _by_student(marks):
        found = roster.find(student)
        if len(found) != 1:
            many = f"{len(found)} rows of the roster may be meant" if found else "not in the roster"
            made.notes.append(f"{student}: {many}, nothing is exported.")
        elif id(found[0]) in taken:
            made.notes.append(
                f"{student}: the roster's {roster.label(found[0])}, as {taken[id(found[0])]} is: "
                "neither is exported."
            )
            rows.pop(taken[id(found[0])], None)
        else:
            rows[student] = found[0]
            taken[id(found[0])] = student
    missing = [roster.label(row) for row in roster.rows if id(row) not in taken]
    if missing:
        made.notes.append(f"In the roster, but without a submission: {', '.join(missing)}.")
    return rows


def _by_student(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    students = {}
    for mark in marks:
        students.setdefault(mark.student, []).append(mark)
    return dict(sorted(students.items()))


def _text(marks: Sequence[Mark], lesson: Lesson) -> str:
    return next((mark.text for mark in marks if mark.stem == lesson.stem), "")


def _count(marks: Sequence[Mark]) -> int:
    return sum(mark.points is not None for mark in marks)


def _name_and_number(student: str) -> tuple[str, str]:
    """Return what collecting put together into a folder's name; "" for what is not there."""
    both = NUMBERED.fullmatch(student)
    return both.groups(default="") if both else (student, "")


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
