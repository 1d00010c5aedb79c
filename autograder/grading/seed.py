"""The seed that decides the inputs of all hidden tests of a course folder."""

from __future__ import annotations

import secrets
from pathlib import Path

from autograder.errors import CourseError

SEED_FILE = ".grading-seed"
# Twelve digits: more than anybody guesses, and no spreadsheet rounds them.
LIMIT = 10**12


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
