"""What decides the hidden tests of a grading run: the seed, and the instructor's private tests."""

from __future__ import annotations

from pathlib import Path

from autograder.course import Course
from autograder.grading.seed import course_seed
from autograder.lesson import Lesson


def chosen_seed(course: Course, setting: int | None) -> int:
    """Return the configured seed, else the course folder's own."""
    return course_seed(course.root) if setting is None else setting


def private_folder(course: Course, lesson: Lesson, setting: str, seed: int) -> Path | None:
    """Return the folder of private tests, or None if none is configured.

    Raises CourseError if those of the lesson hold a mistake, before it costs anybody points.
    """
    if not setting:
        return None
    # Late, for it imports torch, and nbgrader's other steps need none.
    from autograder.checks.rehearsal import rehearse

    folder = (course.root / Path(setting).expanduser()).resolve()
    rehearse(folder, lesson, seed)
    return folder


def private_text(folder: Path | None, lesson: Lesson) -> str | None:
    """Return the text of a lesson's private tests, None if there are none."""
    path = folder / f"{lesson.stem}.py" if folder else None
    return path.read_text(encoding="utf-8") if path and path.is_file() else None
