"""What the lessons' networks reach: tables for the book's page of results.

Everything comes from files that `train` and `render` have written; nothing is typed in.
"""

from __future__ import annotations

import re
import statistics

import nbformat

from autograder.book.train import markdown_table, read_rows
from autograder.course import Course

HEADS = {"turned": "turned, %", "upright": "upright, %", "seconds": "minutes"}
"""Heads of the columns in `data/results/<lesson>.csv`; other columns are called as in the file."""

HEADLINE = {
    "ordinary network": ("01_regular_group_convolutions", "CNN"),
    "group network": ("01_regular_group_convolutions", "GCNN"),
    "with a better recipe": ("02_from_90_to_98", "steps 1 to 5"),
}
"""What the home page begins with: the words for a network, its lesson, and its recipe there."""

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


def headline(course: Course) -> str:
    """Return as HTML how many turned digits each kind of network reads, and where to begin."""
    if not course.lessons():
        return ""
    parts = []
    for words, (stem, recipe) in HEADLINE.items():
        rows = read_rows(course.data / "results" / f"{stem}.csv")
        if read := [float(row["turned"]) for row in rows if row["network"] == recipe]:
            share = statistics.mean(read)
            parts.append(f"<div><dd>{share:.0f} %</dd><dt>{words}</dt></div>")
    first = course.lessons()[0]
    links = f'<a href="{course.colab_url(first)}">Start in Colab</a>'
    links += f' <a href="{first}.html">Read</a>'
    return (
        f'<dl class="headline">{"".join(parts)}</dl>\n'
        f'<div class="lesson-links"><p>{links}</p></div>'
    )


def networks_table(rows: list[dict[str, str]]) -> str:
    """Return the trainings as a Markdown table, the seconds as minutes."""
    heads = [HEADS.get(name, name) for name in rows[0]]
    return markdown_table([heads, *([_shown(*entry) for entry in row.items()] for row in rows)])


def _shown(name: str, value: str) -> str:
    """Return an entry of the table as it is read."""
    if name == "seconds" and value:
        return f"{float(value) / 60:.0f}"
    return f"{int(value):,}" if value.isdecimal() and name != "seed" else value
