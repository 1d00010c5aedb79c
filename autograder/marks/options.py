"""Options that several commands about marks share."""

from __future__ import annotations

import argparse


def add_assignment(parser: argparse.ArgumentParser, default: str) -> None:
    """Declare --assignment; `default` says which lessons are meant without it."""
    parser.add_argument(
        "--assignment", metavar="LESSON", help=f"only this lesson (default: {default})"
    )


def add_students(parser: argparse.ArgumentParser) -> None:
    """Declare --student."""
    parser.add_argument(
        "--student",
        metavar="NAME",
        action="append",
        help="only this student, by the name of the folder in submitted/; may be given several "
        "times",
    )


def add_gradebook(parser: argparse.ArgumentParser) -> None:
    """Declare --db."""
    parser.add_argument(
        "--db",
        metavar="URL",
        help="gradebook to use, for example sqlite:////home/me/gradebook.db (default: as in "
        "nbgrader_config.py, else gradebook.db in the course folder)",
    )
