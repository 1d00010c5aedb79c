"""Build the instructor and student notebooks, and the README's tables, from the lessons' texts."""

from __future__ import annotations

import argparse

from autograder.build.fresh import find_stale
from autograder.build.generate import build
from autograder.build.pictures import draw
from autograder.course import Course
from autograder.lesson import Lesson
from autograder.lesson.markers import scheme_points
from autograder.texts import plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--check",
        action="store_true",
        help="compare with the files that are there instead of writing; exit 1 if any is stale",
    )
    how.add_argument(
        "--draw",
        action="store_true",
        help="first draw the pictures whose code in notebooks/pictures/ has changed",
    )


def run(args: argparse.Namespace) -> int:
    """Build, or check; return the exit code."""
    course = Course.find()
    if args.check:
        stale = find_stale(course)
        for line in stale:
            print(line)
        count = len(course.lessons())
        print(f"{len(stale)} stale" if stale else f"all generated files of {count} lesson(s) fresh")
        return 1 if stale else 0
    for path in [*(draw(course) if args.draw else []), *build(course)]:
        print(f"wrote {path.relative_to(course.root).as_posix()}")
    for stem in course.lessons():
        print(f"{stem}: source and release are up to date, and the release gives nothing away")
        for note in rubric_notes(Lesson.load(course.lesson_path(stem))):
            print(note)
    return 0


def rubric_notes(lesson: Lesson) -> list[str]:
    """Return in sentences which rubrics do not add up to the points of their questions."""
    sources = {cell.id: cell.source for cell in lesson.cells}
    notes = []
    for question in lesson.questions:
        points = scheme_points(sources[question.answer_cell_id])
        if points is not None and points != question.points:
            notes.append(
                f"{lesson.stem}: the rubric of {question.id} adds up to {points:g}, and the "
                f"question is worth {plural(question.points, 'point')}: change one of them."
            )
    return notes
