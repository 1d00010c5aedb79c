"""A feedback page: one self-contained HTML file about one submission.

It runs no script and loads nothing, and its own policy forbids both. It holds no seed, and of a
tests cell only what this has put out, not its text.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.lesson import Lesson
from autograder.lesson.cells import TEXT_STUB, Exercise
from autograder.marks.results import Result, maximum
from autograder.pages import markup
from autograder.pages.survey import changed_from
from autograder.submissions.cells import cell_by_id
from autograder.submissions.safe import safe_cell, safe_outputs
from autograder.texts import number, plural, sentence

SIGNS = {"good": "✓", "some": "◐", "bad": "✗", "open": "…"}


@dataclass
class ExercisePart:
    """What the page says about one exercise; see templates/graded.html.j2.

    earned: the points, or None if nobody has given any yet.
    changed_from: the points that the tests gave, where a person has changed them.
    findings: what its tests have put out.
    code: the student's cell; None if it stands in the part of `shown_in`.
    failed: the error with which that cell stopped.
    question, answer: of a written question; an answer of None was left open.
    """

    exercise: Exercise
    earned: float | None
    changed_from: float | None
    shown_in: Exercise | None
    comment: Markup | None = None
    findings: Markup | None = None
    code: Markup | None = None
    failed: Markup | None = None
    question: Markup | None = None
    answer: Markup | None = None

    @property
    def state(self) -> str:
        """How the points are to be taken, one of SIGNS."""
        if self.earned is None:
            return "open"
        if self.earned >= self.exercise.points:
            return "good"
        return "some" if self.earned > 0 else "bad"


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

    `notebook` is the executed submission, `comments` what graders wrote, by the id of the answer
    cell, and `checksum` that of the submitted file.
    """
    parts: list[ExercisePart] = []
    shown: dict[str, Exercise] = {}
    for exercise in lesson.exercises:
        cell = exercise.answer_cell_id
        part = _part(lesson, notebook, result, exercise, shown.get(cell))
        comment = (comments or {}).get(cell, "")
        if cell not in shown and comment.strip():
            part.comment = markup.markdown(comment)
        shown.setdefault(cell, exercise)
        parts.append(part)
    total, most = result.total or 0, maximum(lesson.exercises)
    late = f"{plural(result.penalty, 'point')} taken off, because it was handed in late."
    return render(
        "graded.html.j2",
        title=f"Feedback · {lesson.title} · {result.student}",
        student=result.student,
        lesson=lesson.title,
        edition=lesson.edition,
        total=total,
        maximum=most,
        percent=round(100 * min(total / most, 1)) if most else 0,
        summary=_summary(lesson, result),
        notes=[*([late] if result.penalty else []), *result.remarks],
        parts=parts,
        graded_at=graded_at.astimezone(UTC) if graded_at else None,
        checksum=checksum,
    )


def ungraded_page(lesson: Lesson, student: str, problem: str) -> str:
    """Return the page of a submission that could not be graded: why, and what to do."""
    return render(
        "ungraded.html.j2",
        title=f"Feedback · {lesson.title} · {student}",
        student=student,
        lesson=lesson.title,
        edition=lesson.edition,
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
    environment.filters |= {"sentence": markup.sentence, "number": number}
    environment.globals |= {
        "plural": plural,
        "signs": SIGNS,
        "light": Markup(markup.code_styles(markup.LIGHT)),
        "dark": Markup(markup.code_styles(markup.DARK)),
    }
    return environment


def _part(
    lesson: Lesson,
    notebook: NotebookNode,
    result: Result,
    exercise: Exercise,
    shown_in: Exercise | None,
) -> ExercisePart:
    mark = result.mark(exercise)
    earned = None if mark is None or (exercise.manual and mark.open) else mark.score
    part = ExercisePart(exercise, earned, changed_from(result, exercise), shown_in)
    answer = cell_by_id(notebook, exercise.answer_cell_id) or new_code_cell()
    if exercise.manual:
        text = next(c.source for c in lesson.cells if c.exercise == exercise.id and not c.grade)
        # Without the heading, and the points below it.
        part.question = markup.markdown(text.split("\n\n", 2)[-1])
        if answer.source.strip() not in ("", TEXT_STUB):
            harmless = safe_cell(answer)
            part.answer = markup.markdown(harmless.source, harmless.get("attachments"))
        return part
    tests = cell_by_id(notebook, exercise.test_cell_id) or new_code_cell()
    part.findings = markup.findings(tests.get("outputs"))
    if shown_in is None:
        part.code = markup.code(answer.source, f"Your code for {exercise.label}")
        outputs = safe_outputs(answer.get("outputs"))
        errors = [markup.error(output) for output in outputs if output.output_type == "error"]
        part.failed = Markup("\n").join(errors)
    return part


def _summary(lesson: Lesson, result: Result) -> str:
    """Return in one line what came from tests and what from people."""

    def points(exercises: Sequence[Exercise]) -> str:
        score = sum(mark.score for mark in map(result.mark, exercises) if mark)
        return f"{number(score)} of {number(maximum(exercises))}"

    texts = [f"tests: {points(lesson.tested)}"] if lesson.tested else []
    if lesson.questions:
        unread = f", {plural(result.unread, 'answer')} not marked yet" if result.unread else ""
        texts.append(f"written answers: {points(lesson.questions)}{unread}")
    return " · ".join(texts).capitalize()
