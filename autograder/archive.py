"""Put a finished term away, so that the next one begins with an empty course.

What students handed in, what grading wrote and the gradebook move to terms/<name>/ in the course's
folder, together with the lessons and settings that they belong to. Nothing is deleted.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from rich.console import Console

from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError
from autograder.grade import say
from autograder.gradebook import database_name, open_api

# What a term leaves behind, and what its marks depend on.
MOVED = ("submitted", "autograded", "feedback", "reports", "gradebook.db", ".grading-seed")
MOVED_FILES = ("grades*.csv", "gradebook.db.*")
COPIED = ("notebooks", "source", "release", CONFIG_NAME, "pyproject.toml")
COPIED += ("data/results", "data/networks")  # the lessons quote them
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `archive`."""
    parser.add_argument("name", metavar="NAME", help="what to call the term, for example 2026")


def run(args: argparse.Namespace) -> int:
    """Move everything and say what was moved, and what a person still has to do."""
    course = Course.find()
    api = open_api(course)
    moved = archive(course, args.name)
    console = Console()
    say(console, f"moved to {course.terms / args.name}:")
    for name in moved:
        say(console, f"  {name}")
    if api.coursedir.db_url != course.gradebook_url:
        say(
            console,
            f"The gradebook is {database_name(api)} and stays there: name a new one in "
            f"{CONFIG_NAME}, and in the archived one this.",
        )
    return 0


def archive(course: Course, name: str) -> list[str]:
    """Move a term's files to terms/<name>/ and return their names.

    Raises CourseError if there is nothing to move, or something is there already.
    """
    if not NAME.fullmatch(name):
        raise CourseError(
            f"a term cannot be called {name!r}: use letters, digits, dots, - and _, for example "
            "2026"
        )
    target = course.terms / name
    if target.exists():
        raise CourseError(f"{target} is there already: choose another name")
    found = [course.root / part for part in MOVED if (course.root / part).exists()]
    for pattern in MOVED_FILES:
        found += sorted(course.root.glob(pattern))
    if not found:
        raise CourseError("there is nothing to put away: nobody has handed in anything")
    target.mkdir(parents=True)
    for path in (course.root / part for part in COPIED):
        copy = target / path.relative_to(course.root)
        copy.parent.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, copy)
        elif path.is_file():
            shutil.copyfile(path, copy)
    for path in found:
        move(path, target / path.name)
    return [path.name for path in found]


def move(path: Path, target: Path) -> None:
    """Move a file or folder; raise CourseError if another program holds it open."""
    try:
        shutil.move(path, target)
    except OSError as error:
        raise CourseError(
            f"{path} cannot be moved ({error.strerror}): close what has it open (JupyterLab, a "
            f"spreadsheet), and move it to {target} by hand"
        ) from error
