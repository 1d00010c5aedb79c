"""What decides the hidden tests of a grading run: the seed, and the instructor's private tests."""

from __future__ import annotations

import secrets
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson

SEED_FILE = ".grading-seed"
# Twelve digits: more than anybody guesses, and no spreadsheet rounds them.
LIMIT = 10**12


def chosen_seed(course: Course, setting: int | None) -> int:
    """Return the configured seed, else the course folder's own."""
    return course_seed(course.root) if setting is None else setting


def course_seed(root: Path) -> int:
    """Return the course folder's own seed; the first call draws it and keeps it in a file.

    The file is not committed, so that nobody can work out the inputs from the repository, and stays
    where it is, so that grading again gives the same marks. Raises CourseError if it cannot be
    written, or holds something else.
    """
    path = root / SEED_FILE
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(f"{secrets.randbelow(LIMIT)}\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise CourseError(
            f"{path} cannot be written ({error.strerror}): make the folder writable, or choose a "
            "seed as c.GradingExecute.seed in nbgrader_config.py"
        ) from error
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{path} holds no whole number: delete it for a new seed, or write the one that "
            "grades.csv names for earlier marks into it"
        ) from error


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
