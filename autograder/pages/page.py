"""A feedback page: one self-contained HTML file about one submission.

It runs no script and loads nothing, and its own policy forbids both. It holds no seed, and of a
tests cell only what this has put out, not its text.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbformat import NotebookNode

from autograder.lesson import Lesson
from autograder.lesson.cells import TEXT_STUB, Exercise
from autograder.marks.results import Result, maximum
from autograder.pages import markup
from autograder.submissions.cells import cell_by_id
from autograder.submissions.safe import safe_cell, safe_outputs
from autograder.texts import number, plural, sentence

SIGNS = {"good": "✓", "some": "◐", "bad": "✗", "open": "…"}


@dataclass(frozen=True)
class Part:
    """What the page says about one exercise; see templates/graded.html.j2.

    earned: the points, or None if nobody has given any yet.
    state: how that is to be taken, one of SIGNS.
    code: the student's cell; None if it stands in the part `shown_in`.
    failed: the error with which that cell stopped.
    silent: what to say where the tests have put out nothing.
    question, answer: of a written question; an answer of None was left open.
    """

    anchor: str
    label: str
    title: str
    points: str
    earned: str | None
    state: str
    changed: str
    comment: Markup | None
    findings: Markup | None = None
    silent: str = ""
    code: Markup | None = None
    failed: Markup | None = None
    shown_in: Part | None = None
    question: Markup | None = None
    answer: Markup | None = None

    @property
    def sign(self) -> str:
        """The sign of its state."""
        return SIGNS[self.state]


def graded_page(
    lesson: Lesson,
    notebook: NotebookNode,
    result: Result,
    *,
    comments: Mapping[str, str] | None = None,
    graded_at: datetime | None = None,
    checksum: str | None = None,
) -> str:
    """Return the page of a graded submission.

    Args:
        notebook: the executed submission.
        comments: what graders wrote, by the id of the answer cell.
        graded_at: when it was graded.
        checksum: of the submitted files.
    """
    parts: list[Part] = []
    shown: dict[str, Part] = {}
    for exercise in lesson.exercises:
        cell = exercise.answer_cell_id
        comment = None if cell in shown else (comments or {}).get(cell)
        make = _question if exercise.manual else _exercise
        part = make(lesson, notebook, result, exercise, comment, shown.get(cell))
        shown.setdefault(cell, part)
        parts.append(part)
    total, most = result.total or 0, maximum(lesson.exercises)
    return render(
        "graded.html.j2",
        title=f"Feedback · {lesson.title} · {result.student}",
        student=result.student,
        lesson=lesson.title,
        total=number(total),
        maximum=number(most),
        percent=round(100 * min(total / most, 1)) if most else 0,
        summary=_summary(lesson, result),
        notes=[*_penalty(result), *result.remarks],
        parts=parts,
        graded_at=graded_at.astimezone(UTC) if graded_at else None,
        checksum=checksum,
        light=Markup(markup.code_styles(markup.LIGHT)),
        dark=Markup(markup.code_styles(markup.DARK)),
    )


def _penalty(result: Result) -> list[str]:
    if not result.penalty:
        return []
    return [f"{plural(result.penalty, 'point')} taken off, because it was handed in late."]


def ungraded_page(lesson: Lesson, student: str, problem: str) -> str:
    """Return the page of a submission that could not be graded: why, and what to do."""
    return render(
        "ungraded.html.j2",
        title=f"Feedback · {lesson.title} · {student}",
        student=student,
        lesson=lesson.title,
        reason=sentence(problem),
        file=f"{lesson.stem}.ipynb",
    )


def render(template: str, **values: object) -> str:
    """Return a page made from one of templates/; all values but Markup are escaped."""
    return _environment().get_template(template).render(values) + "\n"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["sentence"] = markup.sentence
    return environment


def _exercise(
    lesson: Lesson,
    notebook: NotebookNode,
    result: Result,
    exercise: Exercise,
    comment: str | None,
    shown_in: Part | None,
) -> Part:
    test = cell_by_id(notebook, exercise.test_cell_id)
    answer = cell_by_id(notebook, exercise.answer_cell_id)
    basis = _basis(result, exercise, comment)
    code = failed = None
    if shown_in is None:
        source = answer.source if answer else ""
        code = markup.code(source, f"Your code for {exercise.label}")
        errors = [
            markup.error(output)
            for output in safe_outputs(answer.get("outputs") if answer else [])
            if output.output_type == "error"
        ]
        failed = Markup("\n").join(errors)
    return Part(
        **basis,
        findings=markup.findings(test.get("outputs") if test else []),
        silent="Everything holds." if basis["state"] == "good" else "They say no more than this.",
        code=code,
        failed=failed,
        shown_in=shown_in,
    )


def _question(
    lesson: Lesson,
    notebook: NotebookNode,
    result: Result,
    exercise: Exercise,
    comment: str | None,
    shown_in: Part | None,
) -> Part:
    cell = cell_by_id(notebook, exercise.answer_cell_id)
    answer = None
    if cell is not None and cell.source.strip() not in ("", TEXT_STUB):
        made = safe_cell(cell)
        answer = markup.markdown(made.source, made.get("attachments"))
    return Part(
        **_basis(result, exercise, comment),
        question=markup.markdown(_question_text(lesson, exercise)),
        answer=answer,
    )


def _basis(result: Result, exercise: Exercise, comment: str | None) -> dict:
    """Return what exercises and questions have in common."""
    mark = result.mark(exercise)
    earned = None if mark is None or (exercise.manual and mark.open) else mark.score
    changed = ""
    if not exercise.manual and mark and mark.auto is not None and mark.score != mark.auto:
        changed = f"The tests gave {plural(mark.auto, 'point')}; a person has changed that."
    if earned is None:
        state = "open"
    elif earned >= exercise.points:
        state = "good"
    else:
        state = "some" if earned > 0 else "bad"
    return {
        "anchor": f"exercise-{exercise.id}",
        "label": exercise.label,
        "title": exercise.title,
        "points": number(exercise.points),
        "earned": None if earned is None else number(earned),
        "state": state,
        "changed": changed,
        "comment": markup.markdown(comment) if comment and comment.strip() else None,
    }


def _question_text(lesson: Lesson, exercise: Exercise) -> str:
    """Return the text of a question without the heading and the points above it."""
    text = next(c.source for c in lesson.cells if c.exercise == exercise.id and not c.grade)
    return text.split("\n\n", 2)[-1]


def _summary(lesson: Lesson, result: Result) -> str:
    """Return in one line what came from tests and what from people."""
    tested = [exercise for exercise in lesson.exercises if not exercise.manual]
    written = [exercise for exercise in lesson.exercises if exercise.manual]

    def points(exercises: list[Exercise]) -> str:
        score = sum(mark.score for mark in map(result.mark, exercises) if mark)
        return f"{number(score)} of {number(maximum(exercises))}"

    texts = [f"tests: {points(tested)}"] if tested else []
    if written:
        unread = f", {plural(result.unread, 'answer')} not marked yet" if result.unread else ""
        texts.append(f"written answers: {points(written)}{unread}")
    return " · ".join(texts).capitalize()
