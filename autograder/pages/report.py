"""Write a report on a class: one page about all submissions of a lesson.

It shows how the points are distributed, which properties of the hidden tests fail most often, which
submissions took longest, and who needs a look. With --similar it also shows where two people wrote
the same unusual code: places to look, never a verdict. The page is one file that loads nothing,
reports/<lesson>.html. It names students, so it is for teachers only.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from nbgrader.apps import NbGraderAPI
from rich.console import Console
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.cells import Exercise
from autograder.marks.gradebook import check_gradebook_exists, open_api
from autograder.marks.options import add_assignment, add_gradebook
from autograder.marks.results import Result, maximum
from autograder.marks.submitted import submitted_students
from autograder.pages import markup, plots
from autograder.pages.feedback import feedback_page
from autograder.pages.page import render
from autograder.pages.similar import OWN, Pair, answers_of, own_code, places_to_look
from autograder.pages.survey import Property, Survey, survey
from autograder.texts import number, plural, write_text

EXAMPLES = """examples:
  python -m autograder report                       a report on each lesson that has submissions
  python -m autograder report --similar             also places where two wrote the same
"""
MOST_PROPERTIES = 12
MOST_SLOW = 5
MOST_PAIRS = 30
POINTS = ("no points", "less than half", "half or more", "all points")
POINT_COLOURS = ("none", "less", "more", "full")


@dataclass(frozen=True)
class Place:
    """An answer that two students share pieces of, both beside each other."""

    label: str
    first: Markup
    second: Markup


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `report`."""
    parser.epilog = EXAMPLES
    add_assignment(parser, "every lesson that has submissions")
    parser.add_argument(
        "--similar",
        action="store_true",
        help="add places to look: pairs of submissions that share unusual code",
    )
    add_gradebook(parser)
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write the page to this file; for one lesson (default: reports/LESSON.html)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the pages and say what is in them; return 1 if there was none to write.

    Raises CourseError if nobody has handed in anything, or there is no gradebook.
    """
    course = Course.find()
    stems = [course.known_lesson(args.assignment)] if args.assignment else course.lessons()
    students = {stem: submitted_students(course, stem) for stem in stems}
    chosen = [stem for stem in stems if students[stem]]
    if not chosen:
        raise CourseError(
            f"nobody has handed in {' or '.join(stems) or 'anything'} yet: there is nothing to "
            "report on"
        )
    if args.output and len(chosen) > 1:
        raise CourseError("--output is one file, and there are several lessons: add --assignment")
    api = open_api(course, args.db)
    check_gradebook_exists(api)
    console = Console()
    written = 0
    for stem in chosen:
        lesson = Lesson.load(course.lesson_path(stem))
        found = survey(api, course, lesson, students[stem])
        if not found.records and not found.graded:
            text = f"{stem}: no submission is graded yet; run `python -m autograder grade`."
            console.print(Text(text), soft_wrap=True)
            continue
        pairs = similar_pairs(found) if args.similar else None
        path = args.output or course.reports / f"{stem}.html"
        write_text(path, report_page(course, found, path, pairs, datetime.now(UTC)))
        written += 1
        console.print(Text(f"{stem}: {', '.join(headlines(found, pairs))}."), soft_wrap=True)
        console.print(Text(f"written: {path}"), soft_wrap=True)
    return 0 if written else 1


def write_report(api: NbGraderAPI, course: Course, lesson: Lesson, *, similar: bool) -> Path:
    """Write the report on everybody who has handed in a lesson, and return where it is.

    Raises CourseError if a graded notebook is broken.
    """
    found = survey(api, course, lesson, submitted_students(course, lesson.stem))
    path = course.reports / f"{lesson.stem}.html"
    pairs = similar_pairs(found) if similar else None
    write_text(path, report_page(course, found, path, pairs, datetime.now(UTC)))
    return path


def similar_pairs(found: Survey) -> list[Pair]:
    """Return the pairs of submissions to look at."""
    answers = {
        student: answers_of(notebook, found.lesson) for student, notebook in found.notebooks.items()
    }
    return places_to_look(answers, found.lesson)


def headlines(found: Survey, pairs: Sequence[Pair] | None) -> list[str]:
    """Return what is most important in a few words each."""
    lines = [f"{len(found.graded)} of {plural(len(found.results), 'submission')} graded"]
    if found.open_answers:
        lines.append(f"{plural(found.open_answers, 'written answer')} to mark")
    lines.append(f"{len(found.looks)} to look at")
    if pairs is not None:
        lines.append(f"{plural(len(pairs), 'pair')} with similar answers")
    return lines


def report_page(
    course: Course,
    found: Survey,
    path: Path,
    pairs: Sequence[Pair] | None,
    made_at: datetime,
) -> str:
    """Return the page.

    Args:
        path: where the page will be; its links to feedback pages start there.
        pairs: similar submissions, None if nobody asked for them.
    """
    lesson = found.lesson
    links = {
        result.student: _link(feedback_page(course, lesson.stem, result.student), path)
        for result in found.results
    }
    properties = sorted(found.properties, key=lambda item: (-item.failed, -item.wrong))
    failing = [item for item in properties if item.failed]
    return render(
        "report.html.j2",
        title=f"Class report · {lesson.title}",
        lesson=lesson.title,
        facts=facts(found, pairs),
        points=points_plots(found),
        table=exercise_table(found),
        properties=failing[:MOST_PROPERTIES],
        named=bool(properties),
        failing=failing_plot(failing[:MOST_PROPERTIES]) if len(found.graded) > 1 else None,
        more_failing=len(failing) - MOST_PROPERTIES,
        looks=found.looks,
        slowest=slowest(found),
        open_answers=found.open_answers,
        pairs=None if pairs is None else pairs[:MOST_PAIRS],
        places=[places(pair, found) for pair in (pairs or [])[:MOST_PAIRS]],
        all_pairs=len(pairs or []),
        links=links,
        graded=len(found.graded),
        submissions=len(found.results),
        made_at=made_at,
        plural=plural,
        light=Markup(markup.code_styles(markup.LIGHT)),
        dark=Markup(markup.code_styles(markup.DARK)),
    )


def facts(found: Survey, pairs: Sequence[Pair] | None) -> list[tuple[str, str]]:
    """Return the page's figures at a glance: a number and what it counts."""
    values, most, what = points(found)
    lines = [(f"{len(found.graded)} of {len(found.results)}", "submissions graded")]
    if values:
        middle = number(statistics.median(values))
        lines.append((f"{middle} of {number(most)}", f"{what}, in the middle of the class"))
    if any(exercise.manual for exercise in found.lesson.exercises):
        lines.append((str(found.open_answers), "written answers to mark"))
    lines.append((str(len(found.looks)), "submissions to look at"))
    if pairs is not None:
        lines.append((str(len(pairs)), "pairs with similar answers"))
    return lines


def points(found: Survey) -> tuple[list[float], float, str]:
    """Return each submission's points, the most there are, and what they are.

    As long as written answers wait for their marks, they are the points of the tests.
    """
    exercises = found.lesson.exercises
    if found.open_answers:
        values = [result.auto_total for result in found.graded]
        return values, maximum(exercises, auto_only=True), "points from tests"
    return [result.total for result in found.graded], maximum(exercises), "points"


def points_plots(found: Survey) -> list[Markup]:
    """Return the figures of the points; [] if there are fewer than two submissions to compare."""
    values, most, what = points(found)
    if len(values) < 2:
        return []
    rows = [
        plots.Bar(f"{exercise.label} · {exercise.title}", shares(found.graded, exercise))
        for exercise in found.lesson.exercises
        if any(shares(found.graded, exercise))
    ]
    title = "How the points are distributed"
    return [
        plots.histogram(values, most, title, what),
        plots.bars(rows, POINTS, POINT_COLOURS, "Points by exercise", "exercises"),
    ]


def shares(results: Sequence[Result], exercise: Exercise) -> list[int]:
    """Return how many have no points, less than half, half or more, and all of them."""
    counts = [0, 0, 0, 0]
    for result in results:
        mark = result.mark(exercise)
        if mark is None or (exercise.manual and mark.open):
            continue
        if mark.score >= exercise.points:
            counts[3] += 1
        elif mark.score <= 0:
            counts[0] += 1
        else:
            counts[2 if 2 * mark.score >= exercise.points else 1] += 1
    return counts


def exercise_table(found: Survey) -> list[dict]:
    """Return a row for each exercise: mean, and how many have how many of the points."""
    rows = []
    for exercise in found.lesson.exercises:
        marks = [mark for result in found.graded if (mark := result.mark(exercise))]
        scores = [mark.score for mark in marks if not (exercise.manual and mark.open)]
        rows.append(
            {
                "label": exercise.label,
                "title": exercise.title,
                "points": number(exercise.points),
                "mean": number(statistics.mean(scores)) if scores else "–",
                "counts": shares(found.graded, exercise),
                "open": len(marks) - len(scores),
            }
        )
    return rows


def failing_plot(items: Sequence[Property]) -> Markup | None:
    """Return the figure of the properties that fail most often, None if none fails."""
    if not items:
        return None
    rows = [
        plots.Bar(_short(f"{item.exercise.number} · {item.name}"), (item.wrong, item.open))
        for item in items
    ]
    title = "Properties that fail most often"
    return plots.bars(rows, ("wrong", "left open"), ("less", "none"), title, "properties")


def slowest(found: Survey) -> list[dict]:
    """Return a row for each of the submissions that took longest."""
    rows = found.slowest[:MOST_SLOW]
    longest = max((record.seconds for _, record in rows), default=0) or 1
    return [
        {
            "student": student,
            "seconds": f"{record.seconds:.1f}",
            "percent": round(100 * record.seconds / longest),
            "limits": ", ".join(record.limits),
        }
        for student, record in rows
    ]


def places(pair: Pair, found: Survey) -> list[Place]:
    """Return the answers that a pair shares pieces of, the code of both beside each other."""
    both = [answers_of(found.notebooks[name], found.lesson) for name in (pair.first, pair.second)]
    labels = _labels(found.lesson)
    made = []
    for cell in pair.cells:
        sources = [_shown(cell, answers.get(cell, "")) for answers in both]
        codes = [
            markup.code(source, f"{labels[cell]}, {name}")
            for source, name in zip(sources, (pair.first, pair.second), strict=True)
        ]
        made.append(Place(labels[cell], *codes))
    return made


def _shown(cell: str, source: str) -> str:
    return source.strip("\n") if cell == OWN else own_code(source)


def _labels(lesson: Lesson) -> Mapping[str, str]:
    """Return what to call each answer cell: the exercises that stand in it."""
    labels: dict[str, list[str]] = {OWN: ["Cells of their own"]}
    for exercise in lesson.exercises:
        labels.setdefault(exercise.answer_cell_id, []).append(exercise.label)
    unused = {cell.id: [cell.id] for cell in lesson.cells if cell.grade == "solution"}
    return {cell: ", ".join(names) for cell, names in (unused | labels).items()}


def _link(target: Path, page: Path) -> str:
    """Return a link from the page to a feedback page, "" if there is none."""
    if not target.is_file():
        return ""
    try:
        relative = os.path.relpath(target.resolve(), page.resolve().parent)
    except ValueError:  # on another drive
        return ""
    return quote(Path(relative).as_posix())


def _short(text: str, most: int = 62) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
