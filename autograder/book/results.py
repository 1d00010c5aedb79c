"""What the lessons' networks reach: tables for the book's page of results.

Everything comes from files that `train` and `render` have written; nothing is typed in.
"""

from __future__ import annotations

import re

import nbformat

from autograder.book.train import markdown_table, read_rows
from autograder.course import Course

HEADS = {"turned": "turned, %", "upright": "upright, %", "seconds": "minutes"}
"""Heads of the columns in `data/results/<lesson>.csv`; other columns are called as in the file."""

TRAININGS = {"none": "none, with the course's networks", "full": "full, in the lesson itself"}


def results(course: Course) -> str:
    """Return Markdown with a section for each lesson: its trained networks, and its rendering."""
    parts = []
    for stem in course.lessons():
        notebook = nbformat.read(course.solutions_notebook(stem), as_version=4)
        title = re.search(r"^# (.*)$", notebook.cells[0].source, re.MULTILINE)
        parts.append(f"## {title[1] if title else stem}")
        if rows := read_rows(course.data / "results" / f"{stem}.csv"):
            parts += ["The course's networks, one row for each training:", networks_table(rows)]
        training = notebook.metadata.get("course", {}).get("training", "not recorded")
        training = TRAININGS.get(training, training)
        parts.append(f"Training for the lesson as the book shows it: {training}.")
    return "\n\n".join(parts)


def networks_table(rows: list[dict[str, str]]) -> str:
    """Return the trainings as a Markdown table, the seconds as minutes."""
    heads = [HEADS.get(name, name) for name in rows[0]]
    return markdown_table([heads, *([_shown(*entry) for entry in row.items()] for row in rows)])


def _shown(name: str, value: str) -> str:
    """Return an entry of the table as it is read."""
    if name == "seconds" and value:
        return f"{float(value) / 60:.0f}"
    return f"{int(value):,}" if value.isdecimal() and name != "seed" else value
