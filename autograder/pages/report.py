"""Write a report on a class: one page about all submissions of a lesson.

It shows how the points are distributed, which properties of the hidden tests fail most often, which
submissions took longest, and who needs a look. With --similar it also shows where two people wrote
the same unusual code: places to look, never a verdict. The page is one file that loads nothing,
reports/<lesson>.html. It names students, so it is for teachers only.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from rich.console import Console

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.marks.classlist import ClassList
from autograder.marks.dates import apply_class_list
from autograder.marks.gradebook import check_gradebook_exists, open_api
from autograder.marks.options import add_assignment, add_gradebook
from autograder.marks.records import present_version
from autograder.marks.results import maximum
from autograder.marks.submitted import submitted_students
from autograder.pages import markup
from autograder.pages.feedback import feedback_page
from autograder.pages.page import render
from autograder.pages.similar import OWN, SimilarPair, answers_of, own_code, places_to_look
from autograder.pages.survey import Survey, survey_class
from autograder.texts import number, plural, say, write_text

EXAMPLES = """examples:
  python -m autograder report                       a report on each lesson that has submissions
  python -m autograder report --similar             also places where two wrote the same
"""
MOST_COLUMNS = 20  # of the histogram
MOST_PROPERTIES = 12
MOST_SLOW = 5
MOST_PAIRS = 30


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
    classes = ClassList(course)
    extensions = apply_class_list(api, classes)
    console = Console()
    written = 0
    for stem in chosen:
        lesson = Lesson.load(course.lesson_path(stem))
        survey = survey_class(api, course, lesson, students[stem])
        if not survey.records and not survey.graded:
            say(console, f"{stem}: no submission is graded yet; run `python -m autograder grade`.")
            continue
        survey = replace(
            survey,
            absent=classes.without_work(students[stem]),
            extended={who: given for (who, of), given in extensions.items() if of == stem},
            present=present_version(course, stem),
        )
        pairs = similar_pairs(survey) if args.similar else None
        path = write_report(course, survey, pairs, args.output)
        written += 1
        say(console, f"{stem}: {', '.join(headlines(survey, pairs))}.")
        say(console, f"written: {path}")
    return 0 if written else 1


def write_report(
    course: Course, survey: Survey, pairs: Sequence[SimilarPair] | None, output: Path | None = None
) -> Path:
    """Write the report on a class (default: to reports/), and return where it is."""
    path = output or course.reports / f"{survey.lesson.stem}.html"
    write_text(path, report_page(course, survey, path, pairs, datetime.now(UTC)))
    return path


def similar_pairs(survey: Survey) -> list[SimilarPair]:
    """Return the pairs of submissions to look at."""
    lesson = survey.lesson
    answers = {name: answers_of(notebook, lesson) for name, notebook in survey.notebooks.items()}
    return places_to_look(answers, lesson)


def headlines(survey: Survey, pairs: Sequence[SimilarPair] | None) -> list[str]:
    """Return what is most important in a few words each."""
    lines = [f"{len(survey.graded)} of {plural(len(survey.results), 'submission')} graded"]
    if survey.open_answers:
        lines.append(f"{plural(survey.open_answers, 'written answer')} to mark")
    lines.append(f"{len(survey.looks)} to look at")
    if survey.absent:
        lines.append(f"{len(survey.absent)} without a submission")
    if pairs is not None:
        lines.append(f"{plural(len(pairs), 'pair')} with similar answers")
    return lines


def report_page(
    course: Course,
    survey: Survey,
    path: Path,
    pairs: Sequence[SimilarPair] | None,
    made_at: datetime,
) -> str:
    """Return the page that will be at `path`; `pairs` is None if nobody asked for them."""
    lesson = survey.lesson
    links = {
        result.student: _link(feedback_page(course, lesson.stem, result.student), path)
        for result in survey.results
    }
    properties = sorted(survey.properties, key=lambda count: (-count.failed, -count.wrong))
    failing = [count for count in properties if count.failed]
    values, most, what = points(survey)
    shared = [(pair, shared_answers(pair, survey)) for pair in (pairs or ())[:MOST_PAIRS]]
    return render(
        "report.html.j2",
        title=f"Class report · {lesson.title}",
        survey=survey,
        facts=facts(survey, pairs),
        columns=histogram(values, most) if len(values) > 1 else [],
        maximum=most,
        what=what,
        exercises=exercise_rows(survey),
        named=bool(properties),
        failing=failing[:MOST_PROPERTIES],
        more_failing=len(failing) - MOST_PROPERTIES,
        slowest=survey.slowest[:MOST_SLOW],
        pairs=None if pairs is None else shared,
        all_pairs=len(pairs or ()),
        links=links,
        graded=len(survey.graded),
        made_at=made_at,
    )


def facts(survey: Survey, pairs: Sequence[SimilarPair] | None) -> list[tuple[str, str]]:
    """Return the page's figures at a glance: a number and what it counts."""
    values, most, what = points(survey)
    lines = [(f"{len(survey.graded)} of {len(survey.results)}", "submissions graded")]
    if values:
        middle = number(statistics.median(values))
        lines.append((f"{middle} of {number(most)}", f"{what}, in the middle of the class"))
    if survey.lesson.questions:
        lines.append((str(survey.open_answers), "written answers to mark"))
    lines.append((str(len(survey.looks)), "submissions to look at"))
    if pairs is not None:
        lines.append((str(len(pairs)), "pairs with similar answers"))
    return lines


def points(survey: Survey) -> tuple[list[float], float, str]:
    """Return each submission's points, the most there are, and what they are.

    As long as written answers wait for their marks, they are the points of the tests.
    """
    if survey.open_answers:
        values = [result.auto_total or 0 for result in survey.graded]
        return values, maximum(survey.lesson.tested), "points from tests"
    values = [result.total or 0 for result in survey.graded]
    return values, maximum(survey.lesson.exercises), "points"


def histogram(values: Iterable[float], most: float) -> list[tuple[float, float, int]]:
    """Return how many submissions have how many points: from, to (not included), and how many.

    The last column holds those with all points, or more, as well; [] if there are no points.
    """
    width = max(1, math.ceil(most / MOST_COLUMNS))  # points are mostly whole numbers
    columns = math.ceil(most / width)
    counts = Counter(min(columns - 1, max(0, int(value / width))) for value in values)
    return [(n * width, min((n + 1) * width, most), counts[n]) for n in range(columns)]


def exercise_rows(survey: Survey) -> list[dict]:
    """Return a row for each exercise: mean, and how many have how many of the points."""
    rows = []
    for exercise in survey.lesson.exercises:
        marks = [mark for result in survey.graded if (mark := result.mark(exercise))]
        scores = [mark.score for mark in marks if not (exercise.manual and mark.open)]
        rows.append(
            {
                "exercise": exercise,
                "mean": number(statistics.mean(scores)) if scores else "–",
                "counts": shares(scores, exercise.points),
                "open": len(marks) - len(scores),
            }
        )
    return rows


def shares(scores: Iterable[float], points: float) -> dict[str, int]:
    """Return how many have no points, less than half, half or more, and all of them."""
    counts = {"no points": 0, "less than half": 0, "half or more": 0, "all points": 0}
    for score in scores:
        if score >= points:
            counts["all points"] += 1
        elif score <= 0:
            counts["no points"] += 1
        else:
            counts["half or more" if 2 * score >= points else "less than half"] += 1
    return counts


def shared_answers(pair: SimilarPair, survey: Survey) -> list[tuple[str, Markup, Markup]]:
    """Return the answers that a pair shares fragments of: what they are called, and both codes."""
    labels = {OWN: ["Cells of their own"]}
    for exercise in survey.lesson.exercises:
        labels.setdefault(exercise.answer_cell_id, []).append(exercise.label)
    names = (pair.first, pair.second)
    answers = {name: answers_of(survey.notebooks[name], survey.lesson) for name in names}

    def code(name: str, cell: str, label: str) -> Markup:
        source = answers[name].get(cell, "")
        source = source.strip("\n") if cell == OWN else own_code(source)
        return markup.code(source, f"{label}, {name}")

    titles = {cell: ", ".join(labels.get(cell, [cell])) for cell in pair.cells}
    return [
        (title, code(pair.first, cell, title), code(pair.second, cell, title))
        for cell, title in titles.items()
    ]


def _link(target: Path, page: Path) -> str:
    """Return a link from the page to a feedback page, "" if there is none."""
    if not target.is_file():
        return ""
    try:
        relative = os.path.relpath(target.resolve(), page.resolve().parent)
    except ValueError:  # on another drive
        return ""
    return quote(Path(relative).as_posix())
