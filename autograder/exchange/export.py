"""Write the marks as a file that Canvas, Moodle, Blackboard, Brightspace or Excel takes.

The marks come from the gradebook: the tests' and the graders' together. A submission that is not
graded, or has a written answer that nobody has marked yet, gets no mark, since 0 would be a
verdict. With --roster the file is the platform's own list of students with the marks filled in.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from rich.console import Console
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.hosted import VISIBILITIES, pack_gradescope, workflow
from autograder.exchange.platforms import lesson_of
from autograder.exchange.rosters import FORMS, Roster
from autograder.exchange.workbook import workbook
from autograder.lesson import Lesson
from autograder.marks.classlist import ClassList
from autograder.marks.dates import apply_class_list
from autograder.marks.gradebook import check_gradebook_exists, open_api
from autograder.marks.options import add_assignment, add_gradebook
from autograder.marks.people import split
from autograder.marks.records import present_version
from autograder.marks.results import MARKED, Result, maximum, of_other_tests, read_results
from autograder.marks.submitted import read_collected, submitted_students
from autograder.texts import csv_text, listed, number, plural, replaced, say, write_text

OUTPUTS = {name: f"grades-{name}.csv" for name in FORMS}
OUTPUTS |= {"csv": "grades-table.csv", "excel": "grades-excel.xlsx"}
# Places that grade themselves take a lesson instead of marks.
HOSTS = {"gradescope": "{stem}-gradescope.zip", "github-actions": "{stem}-check.yml"}
# What Canvas works out itself, where its importer takes no marks, and Moodle's comments, in the
# languages of its gradebook: percentages and letters are no marks either.
NO_MARKS = re.compile(
    r"(Current|Final|Override) (Score|Points|Grade|Status)|^(Feedback|Rückmeldung):|"
    r"\((Feedback|Rückmeldung|Retroalimentación|Commentaire|Commento|Comentários|Percentage|"
    r"Prozentsatz|Pourcentage|Porcentaje|Percentuale|Porcentagem|Letter|Lettre|Letra|Lettera)\)$",
    re.IGNORECASE,
)
COMMENTS = re.compile(r"\((Feedback|Rückmeldung|Retroalimentación|Comm\w+|Coment\w+)\)$", re.I)
WITHOUT_ROSTER = {
    "canvas": "Without a roster Canvas knows only students whose folder ends with its own id, or "
    "is their login: export its gradebook and give it as --roster.",
    "moodle": "Without a roster Moodle knows only students whose folder ends with its number: "
    "download the grading worksheet and give it as --roster.",
    "blackboard": "Without a roster Blackboard knows only students whose folder is their user "
    "name: download its gradebook and give it as --roster.",
    "brightspace": "Without a roster Brightspace knows only students whose folder is their user "
    "name: export its grades and give them as --roster.",
}
FEEDBACK = "Points by exercise: "


@dataclass(frozen=True)
class ExportedMark:
    """A student's mark for a lesson.

    points: None if there is none yet; `reason` then says why, as a clause.
    feedback: the points of each exercise in a line.
    late: by how much it was late, "" if it was not.
    platform: which one it was collected from, "" if nobody knows.
    """

    student: str
    stem: str
    points: float | None
    reason: str = ""
    feedback: str = ""
    late: str = ""
    platform: str = ""


@dataclass
class Export:
    """The rows of the file, and what a person should know about it, one sentence each.

    written: how many marks are in it.
    delimiter, start: as in `People`.
    """

    table: list[list[str]]
    written: int
    notes: list[str]
    delimiter: str
    start: str

    def text(self) -> str:
        """Return the file's text; no cell of it is a formula."""
        return self.start + csv_text(self.table, self.delimiter)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `export`."""
    parser.add_argument(
        "--for",
        dest="platform",
        choices=[*OUTPUTS, *HOSTS],
        default="csv",
        help="what will import the file (default: csv, a column for each lesson); gradescope and "
        "github-actions get the lesson itself, to grade or check it at once on handing in",
    )
    parser.add_argument(
        "--visibility",
        choices=VISIBILITIES,
        default=VISIBILITIES[0],
        help="when students see the properties on Gradescope (default: %(default)s)",
    )
    add_assignment(parser, "all that have marks")
    parser.add_argument(
        "assignment",
        metavar="LESSON",
        nargs="?",
        default=argparse.SUPPRESS,
        help="the same as --assignment LESSON",
    )
    parser.add_argument(
        "--roster",
        metavar="FILE",
        type=Path,
        help="the students as exported there: Canvas' or Blackboard's gradebook, Moodle's grading "
        "worksheet or gradebook, Brightspace's grades, GitHub's roster",
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
    if args.platform in HOSTS:
        return pack_lesson(course, args)
    output = args.output or course.root / OUTPUTS[args.platform]
    if args.roster and output.exists() and output.resolve() == args.roster.resolve():
        raise CourseError("--output would overwrite the roster: choose another name")
    if args.roster is None and (args.column or args.id_column):
        raise CourseError("--column and --id-column are about a roster: name it with --roster")
    stems = [course.known_lesson(args.assignment)] if args.assignment else course.lessons()
    roster = Roster.load(args.roster, args.id_column) if args.roster else None
    classes = ClassList(course)
    api = open_api(course, args.db)
    check_gradebook_exists(api)  # looking for marks must not leave an empty one behind
    apply_class_list(api, classes)
    lessons, marks, notes = [], [], []
    for stem in stems:
        lesson = Lesson.load(course.lesson_path(stem))
        there = set(submitted_students(course, stem))
        everybody = class_results(api, course, lesson)
        results = [result for result in everybody if result.student in there]
        if gone := [result.student for result in everybody if result.student not in there]:
            notes.append(f"Not in submitted/ any more, and not exported: {listed(gone)}, {stem}.")
        notes += of_other_tests(results, present_version(course, stem))
        if results:
            lessons.append(lesson)
            platforms = platforms_of(course, stem)
            marks += [_mark(result, args.with_open, platforms) for result in results]
    if not lessons:
        raise CourseError("there are no marks to export: run `python -m autograder grade`")
    exported = export(args.platform, lessons, marks, roster, args.column, classes)
    if args.platform == "excel":
        with replaced(output) as new:
            new.write_bytes(workbook(exported.table))
    else:
        write_text(output, exported.text())
    console = Console()
    for note in [*exported.notes, *notes]:
        console.print(Text(note))
    say(console, f"{plural(exported.written, 'mark')} written: {output}")
    return 0 if exported.written else 1


def pack_lesson(course: Course, args: argparse.Namespace) -> int:
    """Write what a place that grades itself needs of one lesson; return 0.

    Raises CourseError if no lesson is named, or there is no such lesson.
    """
    if not args.assignment:
        raise CourseError(f"name the lesson, as in `export --for {args.platform} LESSON`")
    stem = course.known_lesson(args.assignment)
    output = args.output or course.root / "_build" / HOSTS[args.platform].format(stem=stem)
    if args.platform == "gradescope":
        pack_gradescope(course, stem, output, args.visibility)
    else:
        write_text(output, workflow(course, stem))
    say(Console(), f"written: {output}")
    return 0


def class_results(api: NbGraderAPI, course: Course, lesson: Lesson) -> list[Result]:
    """Return the results of everybody who handed in a lesson, here or as the gradebook has it.

    Who left, as the class list says, is not among them. Raises CourseError if the gradebook cannot
    be opened.
    """
    check_gradebook_exists(api)
    with api.gradebook as gradebook:
        known = {entry.student_id for entry in gradebook.assignment_submissions(lesson.stem)}
    classes = ClassList(course)
    students = known.union(submitted_students(course, lesson.stem))
    there = sorted(student for student in students if not classes.has_left(student))
    return read_results(api, lesson, there)


def lesson_marks(
    api: NbGraderAPI, course: Course, lesson: Lesson, *, with_open: bool = False
) -> list[ExportedMark]:
    """Return the marks of everybody who handed in a lesson; see class_results."""
    platforms = platforms_of(course, lesson.stem)
    results = class_results(api, course, lesson)
    return [_mark(result, with_open, platforms) for result in results]


def platforms_of(course: Course, stem: str) -> dict[str, str]:
    """Return which platform each student's submission of a lesson was collected from."""
    keys = ((key.rpartition("/"), record) for key, record in read_collected(course).items())
    return {student: record["platform"] or "" for (student, _, of), record in keys if of == stem}


def _mark(result: Result, with_open: bool, platforms: dict[str, str]) -> ExportedMark:
    reason = result.problem
    if reason is None and result.unread and not with_open:
        reason = f"{plural(result.unread, 'written answer')} to mark"
    mark = ExportedMark(
        result.student,
        result.assignment,
        None,
        reason or "",
        late=result.late,
        platform=platforms.get(result.student, ""),
    )
    if reason is not None:
        return mark
    parts = [
        f"{exercise.label} {number(result.points(exercise)) or 'open'}/{number(exercise.points)}"
        for exercise in result.exercises
    ]
    if result.penalty:
        parts.append(f"late -{number(result.penalty)}")
    elif result.late:
        parts.append("late" if result.late == MARKED else f"{result.late} late")
    return replace(mark, points=result.total, feedback=FEEDBACK + ", ".join(parts))


def export(
    platform: str,
    lessons: Sequence[Lesson],
    marks: Sequence[ExportedMark],
    roster: Roster | None = None,
    column: str | None = None,
    classes: ClassList | None = None,
) -> Export:
    """Return the file for a platform: the roster, or what is needed at least, with the marks.

    `column` names the roster's column to fill, which only makes sense for a single lesson. Where
    there is no mark, or a person has written something else than a number, the roster's own cell
    stays. A group's mark goes to all its members, as the class list or Moodle's roster names them.
    Raises CourseError if the roster is not of use for the platform.
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
    form = FORMS[platform]
    notes: list[str] = []
    most = {lesson.stem: number(maximum(lesson.exercises)) for lesson in lessons}
    if roster is None:
        roster, rows = _least_roster(platform, lessons, marks)
        if platform == "moodle":
            places = {lessons[0].stem: roster.header.index("Grade")}
        else:
            places = {
                stem: roster.add_column(form.new.format(stem=stem), points)
                for stem, points in most.items()
            }
        notes += [WITHOUT_ROSTER[platform]] if platform in WITHOUT_ROSTER else []
    else:
        places = {
            lesson.stem: _place(platform, lesson, roster, column, notes) for lesson in lessons
        }
        rows = _rows(marks, roster, classes, notes)
    written = 0
    comma = roster.comma
    for mark in marks:
        place, late = places[mark.stem], mark.late and f" Handed in {mark.late} late."
        if mark.late == MARKED:
            late = f" Handed in late, {MARKED}."
        if mark.points is None:
            notes.append(f"{mark.student}, {mark.stem}: no mark, {mark.reason}.{late}")
            continue
        if late:
            notes.append(f"{mark.student}, {mark.stem}:{late}")
        for row in rows.get(mark.student, ()):
            if why := roster.why_not(row, place):
                label = roster.label(row)
                notes.append(f"{label}, {mark.stem}: left as it is, {why}.")
                continue
            points = number(mark.points)
            row[place] = points.replace(".", ",") if comma else points
            written += 1
            comment = _comments(roster, place) if platform == "moodle" else None
            # What a teacher wrote there stays.
            if comment is not None and (not row[comment] or row[comment].startswith(FEEDBACK)):
                row[comment] = mark.feedback
    table = [roster.header, *roster.above, *roster.rows]
    if platform in ("canvas", "blackboard", "brightspace"):
        # The other assignments' marks may be older than what the platform has by now.
        ends = [at for at, name in enumerate(roster.header) if form.end and name == form.end[0]]
        kept = [*dict.fromkeys([*roster.keep(), *places.values(), *ends])]
        table = [[row[place] for place in kept] for row in table]
    return Export(table, written, notes, roster.delimiter, roster.start)


def _least_roster(
    platform: str, lessons: Sequence[Lesson], marks: Sequence[ExportedMark]
) -> tuple[Roster, dict[str, list[list[str]]]]:
    """Return what a platform needs at least, and each student's row of it.

    Only a plain table holds those without a mark: elsewhere an empty cell would take one away.
    """
    form = FORMS[platform]
    whole = platform in ("csv", "excel")
    wanted = [mark for mark in marks if whole or mark.points is not None]
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
            rows[student] = [student, *([form.end[1]] if form.end else [])]
    header = [*form.ids, *([form.end[0]] if form.end else [])]
    return Roster(header, list(rows.values())), {student: [row] for student, row in rows.items()}


def _place(
    platform: str, lesson: Lesson, roster: Roster, column: str | None, notes: list[str]
) -> int:
    """Return the place of a lesson's column in the roster; one is made except for Moodle."""
    most = maximum(lesson.exercises)
    name = column or _column_of(platform, lesson, roster)
    if name is None and platform == "moodle":
        raise CourseError(
            f"no column of the roster bears the name {lesson.stem}: name the one to fill with "
            "--column"
        )
    if name is None:
        if platform not in ("csv", "excel"):
            notes.append(
                f"No column bears the name {lesson.stem}: {platform.capitalize()} will make a new "
                "assignment of it. To fill one that is there, name it with --column."
            )
        return roster.add_column(FORMS[platform].new.format(stem=lesson.stem), number(most))
    if name not in roster.header:
        raise CourseError(
            f"the roster has no column {name!r}: its columns are {', '.join(roster.header)}"
        )
    place = roster.header.index(name)
    possible = _possible(roster, place)
    if possible and _float(possible) != most:
        notes.append(
            f"{name} counts out of {possible} in {platform.capitalize()}, {lesson.stem} out of "
            f"{number(most)}: change it in {platform.capitalize()}."
        )
    return place


def _possible(roster: Roster, place: int) -> str:
    """Return out of how many points a column counts, as the roster says; "" if it does not."""
    if roster.is_canvas:
        return roster.points_possible()[place].strip()
    name = roster.header[place]
    match = re.search(r"(?:Total Pts: |MaxPoints:)([\d.,]+)", name)
    worksheet = roster.worksheet
    if worksheet and place == worksheet[0] and roster.rows:
        return roster.rows[0][place + 1].strip()
    return match[1] if match else ""


def _column_of(platform: str, lesson: Lesson, roster: Roster) -> str | None:
    """Return the roster's column for a lesson, or None; raises CourseError if there are several."""
    worksheet = roster.worksheet if platform == "moodle" else None
    if worksheet is not None:
        return roster.header[worksheet[0]]
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
    if worksheet := roster.worksheet:
        return worksheet[2]
    name = roster.header[place]
    beginning = re.sub(r"\s*\([^()]*\)$", "", name)
    wanted = {name.replace("Assignment:", "Feedback:")} - {name}
    return next(
        (
            at
            for at, other in enumerate(roster.header)
            if other in wanted
            or (at != place and other.startswith(f"{beginning} (") and COMMENTS.search(other))
        ),
        None,
    )


def _rows(
    marks: Sequence[ExportedMark], roster: Roster, classes: ClassList | None, notes: list[str]
) -> dict[str, list[list[str]]]:
    """Return each student's rows of the roster: one, or those of a group's members.

    Notes who has none, or cannot be told from others.
    """
    rows: dict[str, list[list[str]]] = {}
    taken: dict[int, str] = {}  # by the identity of a row
    students = sorted({mark.student for mark in marks})
    platforms = {mark.student: mark.platform for mark in marks}
    groups: dict[str, list[str]] = {}
    for student in students:
        if classes and (group := classes.group_of(student)):
            groups.setdefault(group, []).append(student)
        fitting = _fitting(student, platforms[student], roster, classes, notes)
        if len(fitting) != 1:
            if not (classes and classes.group_of(student)):
                many = f"{len(fitting)} rows of the roster may be meant"
                notes.append(
                    f"{student}: {many if fitting else 'not in the roster'}, nothing is exported."
                )
            continue
        (row,) = fitting
        other = taken.setdefault(id(row), student)
        if other == student:
            rows[student] = [row]
        else:
            rows.pop(other, None)
            notes.append(
                f"{student}: the roster's {roster.label(row)}, as {other} is: neither is exported."
            )
    for group, folders in groups.items():
        assert classes is not None
        _to_group(roster, classes, group, folders, rows, taken, notes)
    for student in students:
        for row in roster.team(rows[student][0], student) if rows.get(student) else ():
            if taken.setdefault(id(row), student) == student and row not in rows[student]:
                rows[student].append(row)
    left = [row for row in roster.rows if id(row) not in taken]
    missing = [roster.label(row) for row in left if not _has_left(row, roster, classes)]
    if missing:
        notes.append(f"In the roster, but without a submission: {', '.join(missing)}.")
    return rows


def _fitting(
    student: str, platform: str, roster: Roster, classes: ClassList | None, notes: list[str]
) -> list[list[str]]:
    """Return the rows that may be a student's; the class list helps where names alone do not."""
    fitting = roster.find(student)
    if len(fitting) != 1 and classes and (member := classes.member(student)):
        for key in classes.keys(member):
            if len(found := roster.find(key)) == 1:
                return found
    of = "canvas" if roster.is_canvas else "moodle" if roster.is_worksheet else ""
    # A number means the same only on the platform that gave it.
    if not fitting and of and platform in ("", of) and (fitting := roster.by_number(student)):
        label = listed(map(roster.label, fitting))
        notes.append(f"{student}: taken for {label} by the number; the name may be a group's.")
    return fitting


def _to_group(
    roster: Roster,
    classes: ClassList,
    group: str,
    folders: Collection[str],
    rows: dict[str, list[list[str]]],
    taken: dict[int, str],
    notes: list[str],
) -> None:
    """Give the mark of a group's only submission to all its members' rows."""
    if len(folders) > 1:
        notes.append(
            f"The group {group} has several submissions ({listed(sorted(folders))}): each mark "
            "stays with its folder."
        )
        return
    (student,) = folders
    for member in classes.in_group(group):
        found = [row for key in classes.keys(member) for row in roster.find(key)[:2]]
        ids = {id(row) for row in found}
        if len(ids) != 1:
            notes.append(f"{member.label}, of the group {group}: not in the roster.")
            continue
        row = found[0]
        if taken.setdefault(id(row), student) == student and not any(
            row is other for other in rows.get(student, ())
        ):
            rows.setdefault(student, []).append(row)


def _has_left(row: Sequence[str], roster: Roster, classes: ClassList | None) -> bool:
    keys: Iterable[str] = roster.keys(row) if classes else ()
    return any(classes is not None and classes.has_left(key) for key in keys)


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
