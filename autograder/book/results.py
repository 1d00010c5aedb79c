"""What the lessons gave, how long it took and on what: tables for the book's page of results.

Everything comes from files that `train` and `render` have written; nothing is typed in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import nbformat

from autograder.book.machine import PACKAGES
from autograder.book.train import read_rows
from autograder.course import Course

HEADS = {
    "turned": "turned, %",
    "upright": "upright, %",
    "seconds": "minutes",
}
"""Heads of the columns in `data/results/<lesson>.csv`; other columns are called as in the file."""


def results(course: Course) -> str:
    """Return Markdown with a section for each lesson: its trained networks, and its rendering."""
    return "\n\n".join(lesson_results(stem, course) for stem in course.lessons())


def lesson_results(stem: str, course: Course) -> str:
    """Return the section of one lesson."""
    notebook = nbformat.read(course.solutions_notebook(stem), as_version=4)
    title = re.search(r"^# (.*)$", notebook.cells[0].source, re.MULTILINE)
    parts = [f"## {title[1] if title else stem}"]
    rows = read_rows(course.data / "results" / f"{stem}.csv")
    if rows:
        parts += ["The course's networks, one row for each training:", networks_table(rows)]
    about = notebook.metadata.get("course", {})
    parts += ["The lesson as the book shows it:", rendering_table(about)]
    return "\n\n".join(parts)


def networks_table(rows: Sequence[dict[str, str]]) -> str:
    """Return the trainings as a Markdown table, the seconds as minutes."""
    names = list(rows[0])
    lines = [[HEADS.get(name, name) for name in names]]
    lines += [[_shown(name, row) for name in names] for row in rows]
    return _table(lines)


def rendering_table(about: dict) -> str:
    """Return a Markdown table of a rendered notebook's metadata `course`."""
    run = about.get("run", {})
    lines = [["what", "value"], ["training", about.get("training", "not recorded")]]
    if "seconds" in run:
        lines.append(["time of the whole notebook", f"{run['seconds']} s"])
    if "processor" in run:
        cores = f"{run['processor']}, {run['cores']} cores"
        lines += [["processor", cores], ["GPU", run["accelerator"]], ["system", run["system"]]]
    versions = [f"{name} {run[name]}" for name in ("python", *PACKAGES) if name in run]
    if versions:
        lines.append(["versions", ", ".join(versions)])
    return _table(lines)


def _shown(name: str, row: dict[str, str]) -> str:
    if name == "seconds":
        return f"{float(row[name]) / 60:.0f}"
    return f"{int(row[name]):,}" if row[name].isdecimal() and name != "seed" else row[name]


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first line of which are the heads."""
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])
