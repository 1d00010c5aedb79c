"""Show a rendered lesson as a page of the book: solutions and model answers are folded in it.

`solutions/<lesson>.ipynb` is a plain executed notebook. What a reader of the book finds in it
besides is added while the book is built, and stands in no file of the repository.
"""

from __future__ import annotations

import re

import nbformat
from nbformat import NotebookNode

from autograder.build.readme import BADGE
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson.cells import HIDE_TAG

BADGE_IMAGE = f"![Open in Colab]({BADGE})"
# MyST-NB makes it the class `tag_solution`: solutions are printed, other folded code is not.
SOLUTION_TAG = "solution"
SOLUTION_PROMPTS = {
    "code_prompt_show": "Show the solution",
    "code_prompt_hide": "Hide the solution",
}
START = "**Where you start.** Think first, or try it in the student notebook."
ANSWER = "<details>\n<summary>A model answer</summary>\n\n{}\n\n</details>"
# An anchor that the lesson's reader wrote above a numbered equation, and what MyST calls one.
_ANCHOR = re.compile(r'^<a id="(eq-[\w-]+)"></a>$', re.MULTILINE)
LINKS = """\
:::{{container}} lesson-links
[Open in Colab]({colab}) {{download}}`Download the student notebook <{release}>`
:::"""


def without_badges(text: str) -> str:
    """Return Markdown in which Colab's badges are plain links.

    The badge is a picture on Colab's server, and no page of the book loads anything from elsewhere.
    """
    return text.replace(BADGE_IMAGE, "Open in Colab")


def present_lesson(text: str, stem: str, course: Course) -> str:
    """Return a rendered notebook's text (JSON) as the book shows it.

    What the student is to write is folded: code cells with MyST-NB's tag `hide-input` and a prompt
    of their own, below the code the student starts from; written answers as `<details>`. Which
    cells these are, the student notebook of the lesson says, whose cells have the same ids. Raises
    CourseError if that notebook is missing or of another version of the lesson.
    """
    notebook = nbformat.reads(text, as_version=4)
    given = {cell.id: cell for cell in _read_release(stem, course).cells}
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        if cell.id not in given:
            raise CourseError(
                f"solutions/{stem}.ipynb has a cell {cell.id!r} that the student notebook has not; "
                "run: python -m autograder build, then python -m autograder render"
            )
        marks = given[cell.id].metadata.get("nbgrader", {})
        if marks.get("solution") and cell.cell_type == "markdown":
            cell.source = ANSWER.format(cell.source)
        elif marks.get("solution"):
            cells.append(_starting_code(given[cell.id]))
            _fold(cell)
        if cell.cell_type == "markdown":
            cell.source = _ANCHOR.sub(r"(\1)=", cell.source)
        cells.append(cell)
    if cells:
        cells[0].source = _with_links(cells[0].source, stem, course)
    notebook.cells = cells
    return nbformat.writes(notebook)


def _read_release(stem: str, course: Course) -> NotebookNode:
    path = course.release_notebook(stem)
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, nbformat.reader.NotJSONError) as error:
        raise CourseError(
            f"{path} cannot be read, and the book offers it for download; "
            "run: python -m autograder build"
        ) from error


def _starting_code(given: NotebookNode) -> NotebookNode:
    """Return a text cell that shows a cell as the student finds it."""
    source = f"{START}\n\n```python\n{given.source}\n```"
    return nbformat.v4.new_markdown_cell(source, id=f"start-{given.id}"[:64])


def _fold(cell: NotebookNode) -> None:
    """Fold a code cell below a prompt that says what is behind it."""
    tags = cell.metadata.get("tags", [])
    cell.metadata["tags"] = list(dict.fromkeys([*tags, HIDE_TAG, SOLUTION_TAG]))
    cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **SOLUTION_PROMPTS}


def _with_links(source: str, stem: str, course: Course) -> str:
    """Return the first cell with links to the student notebook, in the place of Colab's badge."""
    path = course.release_notebook(stem).relative_to(course.root).as_posix()
    links = LINKS.format(colab=course.colab_url(stem), release=f"../{path}")
    badge = f"[{BADGE_IMAGE}]({course.colab_url(stem)})"
    if badge in source:
        return source.replace(badge, links)
    title, _, rest = source.partition("\n")
    return f"{title}\n\n{links}\n{rest}"
