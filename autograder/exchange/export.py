"""Write the marks as a CSV file that Canvas or Moodle imports.

The marks come from the gradebook: the tests' and the graders' together. A submission that is not
graded, or has a written answer that nobody has marked yet, gets no mark, since 0 would be a
verdict. With --roster the file is the platform's own list of students with the marks filled in.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from rich.console import Console
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.platforms import lesson_of
from autograder.exchange.rosters import Roster, split
from autograder.lesson import Lesson
from autograder.marks.gradebook import check_gradebook_exists, open_api
from autograder.marks.options import add_assignment, add_gradebook
from autograder.marks.results import Result, maximum, read_results
from autograder.marks.submitted import submitted_students
from autograder.texts import csv_text, number, plural, say, write_text

OUTPUTS = {
    "canvas": "grades-canvas.csv",
    "moodle": "grades-moodle.csv",
    "csv": "grades-table.csv",
}
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
MOODLE = ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade"]
MOODLE += ["Last modified (grade)", "Feedback comments"]
# What Canvas works out itself, where its importer takes no marks, and Moodle's comments.
NO_MARKS = re.compile(
    r"(Current|Final|Override) (Score|Points|Grade|Status)|\(Feedback\)$|^Feedback:"
)
WITHOUT_ROSTER = {
    "canvas": "Without a roster Canvas knows only students whose folder ends with its own id, or "
    "is their login: export its gradebook and give it as --roster.",
    "moodle": "Without a roster Moodle knows only students whose folder ends with its number: "
    "download the grading worksheet and give it as --roster.",
}
FEEDBACK = "Points by exercise: "


@dataclass(frozen=True)
class ExportedMark:
    """A student's mark for a lesson.

    points: None if there is none yet; `reason` then says why, as a clause.
    feedback: the points of each exercise in a line.
    """

    student: str
    stem: str
    points: float | None
    reason: str = ""
    feedback: str = ""


@dataclass
class Export:
    """The rows of the file, and what a person should know about it, one sentence each.

    written: how many marks are in it.
    delimiter, bom: as in `Roster`.
    """

    table: list[list[str]]
    written: int
    notes: list[str]
    delimiter: str
    bom: str

    def text(self) -> str:
        """Return the file's text; no cell of it is a formula."""
        return self.bom + csv_text(self.table, self.delimiter)


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
    stems = [course.known_lesson(args.assignment)] if args.assignment else course.lessons()
    roster = Roster.load(args.roster, args.id_column) if args.roster else None
    api = open_api(course, args.db)
    lessons, marks = [], []
    for stem in stems:
        lesson = Lesson.load(course.lesson_path(stem))
        if given := lesson_marks(api, course, lesson, with_open=args.with_open):
            lessons.append(lesson)
            marks += given
    if not lessons:
        raise CourseError("there are no marks to export: run `python -m autograder grade`")
    exported = export(args.platform, lessons, marks, roster, args.column)
    write_text(output, exported.text())
    console = Console()
    for note in exported.notes:
        console.print(Text(note))
    say(console, f"{plural(exported.written, 'mark')} written: {output}")
    return 0 if exported.written else 1


def lesson_marks(
    api: NbGraderAPI, course: Course, lesson: Lesson, *, with_open: bool = False
) -> list[ExportedMark]:
    """Return the marks of everybody who handed in a lesson, here or as the gradebook has it.

    Raises CourseError if the gradebook cannot be opened.
    """
    check_gradebook_exists(api)  # looking for marks must not leave an empty one behind
    with api.gradebook as gradebook:
        known = {entry.student_id for entry in gradebook.assignment_submissions(lesson.stem)}
    students = sorted(known.union(submitted_students(course, lesson.stem)))
    return [_mark(result, with_open) for result in read_results(api, lesson, students)]


def _mark(result: Result, with_open: bool) -> ExportedMark:
    reason = result.problem
    if reason is None and result.unread and not with_open:
        reason = f"{plural(result.unread, 'written answer')} to mark"
    if reason is not None:
        return ExportedMark(result.student, result.assignment, None, reason)
    parts = [
        f"{exercise.label} {number(result.points(exercise)) or 'open'}/{number(exercise.points)}"
        for exercise in result.exercises
    ]
    if result.penalty:
        parts.append(f"late -{number(result.penalty)}")
    feedback = FEEDBACK + ", ".join(parts)
    return ExportedMark(result.student, result.assignment, result.total, feedback=feedback)


def export(
    platform: str,
    lessons: Sequence[Lesson],
    marks: Sequence[ExportedMark],
    roster: Roster | None = None,
    column: str | None = None,
) -> Export:
    """Return the file for a platform: the roster, or what is needed at least, with the marks.

    `column` names the roster's column to fill, which only makes sense for a single lesson. Where
    there is no mark, the roster's own cell stays: an empty one would take a mark away. Raises
    CourseError if the roster is not of use for the platform.
    """
    one_lesson = platform == "moodle" and (roster is None or roster.is_worksheet)
    if len(lessons) > 1 and (column or one_lesson):
        raise CourseError(
            f"only one lesson can be exported so, and there are marks for {len(lessons)}: choose "
            "one with --assignment"
        )
    if platform == "canvas" and roster is not None and not roster.is_canvas:
        raise CourseError(
            "the roster is not Canvas' gradebook (Student, ID, …, Section): export it there, or "
            "choose another --for"
        )
    notes: list[str] = []
    if roster is None:
        roster, rows = _least_roster(platform, lessons, marks)
        if platform == "moodle":
            places = {lessons[0].stem: roster.header.index("Grade")}
        else:
            most = {lesson.stem: number(maximum(lesson.exercises)) for lesson in lessons}
            places = {stem: roster.add_column(stem, points) for stem, points in most.items()}
        notes += [WITHOUT_ROSTER[platform]] if platform in WITHOUT_ROSTER else []
    else:
        places = {
            lesson.stem: _place(platform, lesson, roster, column, notes) for lesson in lessons
        }
        rows = _rows(marks, roster, notes)
    written = 0
    for mark in marks:
        row, place = rows.get(mark.student), places[mark.stem]
        if mark.points is None:
            notes.append(f"{mark.student}, {mark.stem}: no mark, {mark.reason}.")
        elif row is not None:
            row[place] = number(mark.points)
            written += 1
            comment = _comments(roster, place) if platform == "moodle" else None
            # What a teacher wrote there stays.
            if comment is not None and (not row[comment] or row[comment].startswith(FEEDBACK)):
                row[comment] = mark.feedback
    table = [roster.header, *roster.above, *roster.rows]
    if platform == "canvas":
        # The other assignments' marks may be older than what Canvas has by now.
        kept = [*range(roster.header.index("Section") + 1), *places.values()]
        table = [[row[place] for place in kept] for row in table]
    return Export(table, written, notes, roster.delimiter, roster.bom)


def _least_roster(
    platform: str, lessons: Sequence[Lesson], marks: Sequence[ExportedMark]
) -> tuple[Roster, dict[str, list[str]]]:
    """Return what a platform needs at least, and each student's row of it.

    Only a plain table holds those without a mark: elsewhere an empty cell would take one away.
    """
    wanted = [mark for mark in marks if platform == "csv" or mark.points is not None]
    rows = {}
    for student in sorted({mark.student for mark in wanted}):
        name, digits = split(student)
        if platform == "canvas":
            rows[student] = [name, digits, "", "" if digits else student, ""]
        elif platform == "moodle":
            identifier = f"Participant {digits}" if digits else ""
            email = student if "@" in student else ""
            most = number(maximum(lessons[0].exercises))
            rows[student] = [identifier, name.replace("_", " "), email, "", most, "-", ""]
        else:
            rows[student] = [student]
    header = {"canvas": CANVAS, "moodle": MOODLE}.get(platform, ["student"])
    return Roster([*header], list(rows.values())), rows


def _place(
    platform: str, lesson: Lesson, roster: Roster, column: str | None, notes: list[str]
) -> int:
    """Return the place of a lesson's column in the roster; one is made for Canvas and csv."""
    most = maximum(lesson.exercises)
    name = column or _column_of(platform, lesson, roster)
    if name is None and platform == "moodle":
        raise CourseError(
            f"no column of the roster bears the name {lesson.stem}: name the one to fill with "
            "--column"
        )
    if name is None:
        if roster.is_canvas:
            notes.append(
                f"No column bears the name {lesson.stem}: Canvas will make a new assignment of it. "
                "To fill one that is there, name it with --column."
            )
        return roster.add_column(lesson.stem, number(most))
    if name not in roster.header:
        raise CourseError(
            f"the roster has no column {name!r}: its columns are {', '.join(roster.header)}"
        )
    place = roster.header.index(name)
    possible = roster.points_possible()[place].strip() if roster.is_canvas else ""
    if possible and _float(possible) != most:
        notes.append(
            f"{name} counts out of {possible} in Canvas, {lesson.stem} out of {number(most)}: "
            "change it in Canvas."
        )
    return place


def _column_of(platform: str, lesson: Lesson, roster: Roster) -> str | None:
    """Return the roster's column for a lesson, or None; raises CourseError if there are several."""
    if platform == "moodle" and roster.is_worksheet:
        return "Grade"
    names = [
        name
        for name in roster.header
        if lesson_of(name, [lesson.stem])[0] and not NO_MARKS.search(name)
    ]
    if len(names) > 1:
        raise CourseError(
            f"several columns of the roster bear the name {lesson.stem} ({', '.join(names)}): name "
            "the one to fill with --column"
        )
    return names[0] if names else None


def _comments(roster: Roster, place: int) -> int | None:
    """Return the place of Moodle's column for comments on the marks at `place`, or None."""
    name = roster.header[place]
    wanted = {name.replace("(Real)", "(Feedback)"), name.replace("Assignment:", "Feedback:")}
    wanted -= {name}
    wanted |= {"Feedback comments"} if roster.is_worksheet else set()
    return next((place for place, other in enumerate(roster.header) if other in wanted), None)


def _rows(marks: Sequence[ExportedMark], roster: Roster, notes: list[str]) -> dict[str, list[str]]:
    """Return each student's row of the roster, and note who has none or has more than one."""
    rows: dict[str, list[str]] = {}
    taken: dict[int, str] = {}  # by the identity of a row
    for student in sorted({mark.student for mark in marks}):
        fitting = roster.find(student)
        if len(fitting) != 1:
            many = f"{len(fitting)} rows of the roster may be meant"
            notes.append(
                f"{student}: {many if fitting else 'not in the roster'}, nothing is exported."
            )
            continue
        (row,) = fitting
        other = taken.setdefault(id(row), student)
        if other == student:
            rows[student] = row
        else:
            rows.pop(other, None)
            notes.append(
                f"{student}: the roster's {roster.label(row)}, as {other} is: neither is exported."
            )
    missing = [roster.label(row) for row in roster.rows if id(row) not in taken]
    if missing:
        notes.append(f"In the roster, but without a submission: {', '.join(missing)}.")
    return rows


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
