"""Show a rendered lesson in the book: what is to be written is folded, the setup left out.

`solutions/<lesson>.ipynb` is a plain executed notebook. What a reader of the book finds in it
besides is added while the book is built, and stands in no file of the repository.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.book import breaks, lift
from autograder.build.readme import BADGE
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson.cells import HIDE_TAG

BADGE_IMAGE = f"![Open in Colab]({BADGE})"
# MyST-NB makes it the class `tag_solution`: solutions are printed, other folded code is not.
SOLUTION_TAG = "solution"
START = """\
**Where you start.** Think first, or try it in the student notebook.

```python
{}
```"""
ANSWER = "<details>\n<summary>A model answer</summary>\n\n{}\n\n</details>"
# An anchor that the lesson's reader wrote above a numbered equation, and what MyST calls one.
_ANCHOR = re.compile(r'^<a id="(eq-[\w-]+)"></a>$', re.MULTILINE)
# A folded cell says in its first line what it holds; Colab and JupyterLab show it, too.
_TITLE = re.compile(r"# @title (.+)\n")
# Cells that hold what is ours and not the subject: readers of the book run nothing.
SETUP = re.compile(r"setup$|given-")
# What readers turn with their own hands stands below these cells.
BY_HAND = {
    "2-layers-for-a-group-convolutional-netwo": ("Lift it.", lift.markup),
    "error-test": ("Break it.", breaks.markup),
}
LINKS = """\
:::{{container}} lesson-links
[Open in Colab]({colab}) {{download}}`Download the student notebook <{release}>`
:::"""


def without_badges(text: str) -> str:
    """Return Markdown in which Colab's badges are plain links.

    The badge is a picture on Colab's server, and no page of the book loads anything from elsewhere.
    """
    return text.replace(BADGE_IMAGE, "Open in Colab")


def present_lesson(stem: str, course: Course, folder: Path) -> NotebookNode:
    """Return a rendered notebook as pages in `folder` show it.

    What the student is to write is folded: code cells with MyST-NB's tag `hide-input` and a prompt
    of their own, below the code the student starts from; written answers as `<details>`. Which
    cells these are, the student notebook of the lesson says, whose cells have the same ids. Raises
    CourseError if that notebook is missing or of another version of the lesson.
    """
    notebook = nbformat.read(course.solutions_notebook(stem), as_version=4)
    given = {cell.id: cell for cell in _read_release(stem, course).cells}
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        if cell.id not in given:
            raise CourseError(
                f"solutions/{stem}.ipynb has a cell {cell.id!r} that the student notebook has not; "
                "run: python -m autograder build, then python -m autograder render"
            )
        role = given[cell.id].metadata.get("nbgrader", {})
        is_answer = role.get("solution")
        if cell.cell_type == "code" and SETUP.match(cell.id):
            continue
        if is_answer and cell.cell_type == "code":
            start = START.format(given[cell.id].source)
            cells.append(nbformat.v4.new_markdown_cell(start, id=f"start-{cell.id}"[:64]))
            _fold(cell, "Show the solution", "Hide the solution", SOLUTION_TAG)
        elif is_answer:
            cell.source = ANSWER.format(cell.source)
        elif title := _TITLE.match(cell.source):
            cell.source = cell.source.removeprefix(title[0])
            _fold(cell, title[1], title[1])
        elif cell.cell_type == "code" and role.get("grade"):
            _fold(cell, "The check", "The check")
        if cell.cell_type == "markdown":
            cell.source = _ANCHOR.sub(r"(\1)=", cell.source)
        cells.append(cell)
        words, thing = BY_HAND.get(cell.id, ("", None))
        if thing and (drawn := thing(course)):
            name = f"by-hand-{len(cells)}"
            cells.append(nbformat.v4.new_markdown_cell(f"**{words}**\n\n{drawn}", id=name))
    cells[0].source = _with_links(cells[0].source, stem, course, folder)
    notebook.cells = cells
    return notebook


def _fold(cell: NotebookNode, show: str, hide: str, *tags: str) -> None:
    """Fold a code cell below these words."""
    prompts = {"code_prompt_show": show, "code_prompt_hide": hide}
    cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **prompts}
    cell.metadata["tags"] = list(dict.fromkeys([*cell.metadata.get("tags", []), HIDE_TAG, *tags]))


def _read_release(stem: str, course: Course) -> NotebookNode:
    path = course.release_notebook(stem)
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, nbformat.reader.NotJSONError) as error:
        raise CourseError(
            f"{path} cannot be read, and the book offers it for download; "
            "run: python -m autograder build"
        ) from error


def _with_links(source: str, stem: str, course: Course, folder: Path) -> str:
    """Return the first cell with links to the student notebook, in the place of Colab's badge."""
    path, colab = course.release_notebook(stem), course.colab_url(stem)
    release = "/" + Path(os.path.relpath(path, folder)).as_posix()  # from the folder, on any page
    links = LINKS.format(colab=colab, release=release)
    badge = f"[{BADGE_IMAGE}]({colab})"
    if badge in source:
        return source.replace(badge, links)
    title, _, text = source.partition("\n")
    return f"{title}\n\n{links}\n{text}"
