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
START = """\
**Where you start.** Think first, or try it in the student notebook.

```python
{}
```"""
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
        is_answer = given[cell.id].metadata.get("nbgrader", {}).get("solution")
        if is_answer and cell.cell_type == "code":
            start = START.format(given[cell.id].source)
            cells.append(nbformat.v4.new_markdown_cell(start, id=f"start-{cell.id}"[:64]))
            tags = [*cell.metadata.get("tags", []), HIDE_TAG, SOLUTION_TAG]
            cell.metadata["tags"] = list(dict.fromkeys(tags))
            cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **SOLUTION_PROMPTS}
        elif is_answer:
            cell.source = ANSWER.format(cell.source)
        if cell.cell_type == "markdown":
            cell.source = _ANCHOR.sub(r"(\1)=", cell.source)
        cells.append(cell)
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


def _with_links(source: str, stem: str, course: Course) -> str:
    """Return the first cell with links to the student notebook, in the place of Colab's badge."""
    path, colab = course.release_notebook(stem), course.colab_url(stem)
    links = LINKS.format(colab=colab, release=f"../{path.relative_to(course.root).as_posix()}")
    badge = f"[{BADGE_IMAGE}]({colab})"
    if badge in source:
        return source.replace(badge, links)
    title, _, text = source.partition("\n")
    return f"{title}\n\n{links}\n{text}"
