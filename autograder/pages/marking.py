"""Mark written answers: one question of all students at a time, the answer beside its rubric.

This writes reports/<lesson>-marking.html, one file that loads nothing and names nobody. Open it in
a browser, give points with the digit keys, and save the marks from there as a file; --take writes
that file into the gradebook. What was marked in formgrader before is shown, and stays unless you
change it.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from nbgrader.api import MissingEntry
from nbgrader.apps import NbGraderAPI
from rich.console import Console

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.cells import TEXT_STUB, Exercise
from autograder.lesson.markers import mark_scheme
from autograder.marks.gradebook import check_gradebook_exists, open_api
from autograder.marks.options import add_assignment, add_gradebook
from autograder.marks.results import read_results
from autograder.marks.submitted import submitted_students
from autograder.pages import markup
from autograder.pages.page import render
from autograder.submissions.cells import cell_by_id
from autograder.submissions.reading import read_notebook
from autograder.submissions.safe import safe_cell
from autograder.texts import number, plural, say, write_text

COLUMNS = ("lesson", "question", "answer", "text", "points", "comment")
SCRIPT = Path(__file__).with_name("templates") / "marking.js"


@dataclass(frozen=True)
class Answer:
    """One student's answer to a question.

    token: stands for the student; text: a checksum of the answer.
    shown: the answer as a page shows it; None if it was left open.
    points, comment: what a person has given so far; "" if nobody has.
    """

    token: str
    text: str
    shown: Markup | None
    points: str
    comment: str


@dataclass(frozen=True)
class Sheet:
    """A question with its rubric, and all answers to it."""

    question: Exercise
    asked: Markup
    rubric: Markup
    answers: Sequence[Answer]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `mark`."""
    add_assignment(parser, "every lesson with written answers that are graded")
    parser.add_argument(
        "--take", metavar="FILE", type=Path, help="write the marks that the page saved"
    )
    add_gradebook(parser)


def run(args: argparse.Namespace) -> int:
    """Write the pages, or take marks; return 1 if not all could be taken.

    Raises CourseError if no written answer is graded.
    """
    course, console = Course.find(), Console()
    api = open_api(course, args.db)
    check_gradebook_exists(api)
    if args.take:
        taken, notes = take_marks(api, course, args.take)
        for note in notes:
            say(console, note)
        say(console, f"{plural(taken, 'mark')} taken: run `python -m autograder feedback` next.")
        return 0 if taken and not notes else 1
    stems = [course.known_lesson(args.assignment)] if args.assignment else course.lessons()
    written = 0
    for stem in stems:
        sheets = read_sheets(api, course, Lesson.load(course.lesson_path(stem)))
        if any(sheet.answers for sheet in sheets):
            path = course.reports / f"{stem}-marking.html"
            write_text(path, marking_page(course, stem, sheets))
            say(console, f"written: {path}")
            written += 1
    if not written:
        raise CourseError("no written answer is graded yet: run `python -m autograder grade`")
    return 0


def token(stem: str, student: str) -> str:
    """Return what stands for a student on the page, and gives the order there: no name."""
    return hashlib.sha256(f"{stem}/{student}".encode()).hexdigest()[:16]


def read_sheets(api: NbGraderAPI, course: Course, lesson: Lesson) -> list[Sheet]:
    """Return the written questions of a lesson with the answers of all who are graded."""
    answers: dict[str, list[Answer]] = {question.id: [] for question in lesson.questions}
    students = submitted_students(course, lesson.stem) if lesson.questions else []
    for result in read_results(api, lesson, students):
        path = course.autograded_notebook(result.student, lesson.stem)
        if not result.graded or not path.is_file():
            continue
        notebook = read_notebook(path)
        given = _given(api, lesson.stem, result.student)
        for question in lesson.questions:
            cell = cell_by_id(notebook, question.answer_cell_id)
            source = cell.source if cell is not None else ""
            shown = None
            if cell is not None and source.strip() not in ("", TEXT_STUB):
                harmless = safe_cell(cell)
                shown = markup.markdown(harmless.source, harmless.get("attachments"))
            points, comment = given.get(question.answer_cell_id, ("", ""))
            answers[question.id].append(
                Answer(token(lesson.stem, result.student), _sum(source), shown, points, comment)
            )
    texts = {cell.id: cell.source for cell in lesson.cells}
    asked = {
        cell.exercise: cell.source for cell in lesson.cells if cell.exercise and not cell.grade
    }
    return [
        Sheet(
            question,
            markup.markdown(asked[question.id].split("\n\n", 2)[-1]),
            markup.markdown(mark_scheme(texts[question.answer_cell_id])),
            sorted(answers[question.id], key=lambda answer: answer.token),
        )
        for question in lesson.questions
    ]


def marking_page(course: Course, stem: str, sheets: Sequence[Sheet]) -> str:
    """Return the page; the only script that it lets run is its own."""
    script = SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return render(
        "marking.html.j2",
        title=f"Marking · {stem}",
        stem=stem,
        columns=",".join(COLUMNS),
        sheets=sheets,
        script=Markup(script),
        policy=f" script-src 'sha256-{digest}';",
    )


def take_marks(api: NbGraderAPI, course: Course, path: Path) -> tuple[int, list[str]]:
    """Write the marks of a file that the page saved; return how many, and what was not taken.

    A mark for an answer that is another one by now is not taken. Raises CourseError if the file is
    none of the page's.
    """
    rows = _read_marks(path)
    taken, notes = 0, []
    for stem in dict.fromkeys(row["lesson"] for row in rows):
        lesson = Lesson.load(course.lesson_path(course.known_lesson(stem)))
        sheets = {sheet.question.id: sheet for sheet in read_sheets(api, course, lesson)}
        texts = {(q, a.token): a.text for q, sheet in sheets.items() for a in sheet.answers}
        students = {token(stem, name): name for name in submitted_students(course, stem)}
        for row in (row for row in rows if row["lesson"] == stem):
            place = (row["question"], row["answer"])
            if texts.get(place) != row["text"]:
                notes.append(
                    f"{row['question']}: an answer has changed since, its mark is left out."
                )
                continue
            question = sheets[row["question"]].question
            try:
                points = float(row["points"].replace(",", "."))
            except ValueError:
                points = -1.0
            if not 0 <= points <= question.points:
                notes.append(
                    f"{question.id}: {row['points']!r} is no mark from 0 to "
                    f"{number(question.points)}."
                )
                continue
            _give(api, stem, students[row["answer"]], question, points, row["comment"])
            taken += 1
    return taken, notes


def _read_marks(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(
            f"{path} cannot be read ({error}): save it from the page again"
        ) from error
    if any(None in row.values() or set(row) != set(COLUMNS) for row in rows):
        raise CourseError(f"{path.name} is not what the page saves: save it from there again")
    return rows


def _given(api: NbGraderAPI, stem: str, student: str) -> Mapping[str, tuple[str, str]]:
    """Return the points and comments that a person has given, by the cell of the answer."""
    with api.gradebook as gradebook:
        try:
            notebook = gradebook.find_submission_notebook(stem, stem, student)
        except MissingEntry:
            return {}
        comments = {entry.name: entry.manual_comment or "" for entry in notebook.comments}
        return {
            grade.name: (
                "" if grade.needs_manual_grade else number(grade.score),
                comments.get(grade.name, ""),
            )
            for grade in notebook.grades
        }


def _give(
    api: NbGraderAPI, stem: str, student: str, question: Exercise, points: float, comment: str
) -> None:
    with api.gradebook as gradebook:
        grade = gradebook.find_grade(question.test_cell_id, stem, stem, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        found = gradebook.find_comment(question.answer_cell_id, stem, stem, student)
        found.manual_comment = comment or None
        gradebook.db.commit()


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
