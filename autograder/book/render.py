"""Run the worked-out lessons and keep them, with their results, as the pages of the book."""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.book.cover import save_covers
from autograder.book.unchanged import same_outputs
from autograder.build.notebooks import digest, solution_notebook, write_notebook
from autograder.clients import SteadyClient
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson

WIDGET = "application/vnd.jupyter.widget-view+json"
# The kernel's own warnings, about its transport for example, are nothing a reader can act on.
QUIET_KERNEL = ["--log-level=ERROR"]
# What a lesson measures, and where an object lies, is another with every run.
_UNIT = r"(?<![\w'’])(?:ns|µs|ms|s|min)\b"
_TIME = re.compile(rf"\d[\d.,]*(?= {_UNIT})")
_ADDRESS = re.compile(r"(?<= at 0x)[0-9a-fA-F]+")
TRAININGS = ("none", "full", "short", "fast")
EXAMPLES = """examples:
  python -m autograder render                          every lesson, with the course's networks
  python -m autograder render 01_regular_group_convolutions --training fast
                                                       one lesson, a few training steps only

COURSE_DATA names the folder of the data sets (default: data/ in the course folder).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "lessons", nargs="*", metavar="LESSON", help="lessons to render (default: all)"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="run the lesson even if its code gives the same results as before",
    )
    parser.add_argument(
        "--training",
        choices=TRAININGS,
        default="none",
        help="how long the lesson trains; none takes the networks in data/networks/, which `train` "
        "has written; committed solutions need none or full (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Render the lessons; return the exit code."""
    course = Course.find()
    lessons = [
        Lesson.load(course.lesson_path(course.known_lesson(stem)))
        for stem in args.lessons or course.lessons()
    ]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        for lesson in lessons:
            task = progress.add_task(lesson.stem, total=len(lesson.cells))
            if args.force or not update_text(course, lesson, args.training):
                render(course, lesson, args.training, functools.partial(progress.advance, task))
            progress.update(task, completed=len(lesson.cells))
    for lesson in lessons:
        path = course.solutions_notebook(lesson.stem).relative_to(course.root)
        print(f"wrote {path.as_posix()}")
    return 0


def update_text(course: Course, lesson: Lesson, training: str) -> bool:
    """Take over new text into a rendered notebook whose code gives the same; say if that was so.

    A lesson need not be run again for a better sentence, be it in a text, a comment or a docstring.
    """
    path = course.solutions_notebook(lesson.stem)
    notebook = solution_notebook(lesson)
    try:
        rendered = nbformat.read(path, as_version=4)
    except (OSError, nbformat.reader.NotJSONError, AttributeError):
        return False
    about = rendered.metadata.get("course", {})
    if about.get("training") != training or about.get("lesson_sha256") != digest(rendered):
        return False
    cells, old_cells = (
        [cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, rendered)
    )
    if not same_outputs([cell.source for cell in old_cells], [cell.source for cell in cells]):
        return False
    for cell, old in zip(cells, old_cells, strict=True):
        cell.outputs, cell.execution_count = old.outputs, old.execution_count
        _tidy_outputs(cell, path.name, {})
    _write(course, lesson, notebook, training)
    return True


def render(
    course: Course, lesson: Lesson, training: str, on_cell: Callable[[], None] = lambda: None
) -> Path:
    """Run a lesson's solutions in an empty folder and write `solutions/<lesson>.ipynb`.

    `training` goes to the lesson as COURSE_TRAINING; `on_cell` is called after each cell. Raises
    CourseError, and writes nothing, if a cell fails or a figure has no alternative text.
    """
    data = course.data_folder()
    if training == "none" and any(course.data.glob("networks/*")) and data != course.data.resolve():
        raise CourseError(
            f"COURSE_DATA is {data}, but the course's networks lie in {course.data}: copy MNIST to "
            "that folder, or render with --training full"
        )
    environment = {
        **os.environ,
        # A backend set for this process must not keep figures out of the notebook.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "COURSE_DATA": str(data),
        "COURSE_FAST_RUN": str(int(training == "fast")),
        "COURSE_TRAINING": "short" if training == "fast" else training,
    }
    notebook = solution_notebook(lesson)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder).resolve()
        client = SteadyClient(
            notebook,
            timeout=None,
            record_timing=False,
            extra_arguments=QUIET_KERNEL,
            resources={"metadata": {"path": str(work)}},
        )
        with client.setup_kernel(env=environment):
            for index, (cell, text) in enumerate(zip(notebook.cells, lesson.cells, strict=True)):
                where = f"{lesson.path.parent.name}/{lesson.path.name}:{text.line}"
                try:
                    client.execute_cell(cell, index)
                except CellExecutionError as error:
                    raise CourseError(f"{where}: this cell fails:\n{error}") from error
                except DeadKernelError as error:
                    raise CourseError(f"{where}: Python stopped in this cell") from error
                if cell.cell_type == "code":
                    _tidy_outputs(cell, where, {work: ".", data: "data", course.root: "."})
                on_cell()
    return _write(course, lesson, notebook, training)


def _write(course: Course, lesson: Lesson, notebook: NotebookNode, training: str) -> Path:
    """Write the notebook and its pictures."""
    notebook.metadata["course"] = {"lesson_sha256": digest(notebook), "training": training}
    path = course.solutions_notebook(lesson.stem)
    write_notebook(notebook, path)
    save_covers(notebook, path.parent / "images" / lesson.stem)
    return path


def _tidy_outputs(cell: NotebookNode, where: str, folders: dict[Path, str]) -> None:
    """Keep what is of use on a page and the same in every run; describe the cell's figures.

    `folders` are this machine's, with what is written in their place. Raises CourseError if a
    figure has no alternative text.
    """
    # Progress bars and warnings go to stderr, and a widget shows nothing without its kernel.
    cell.outputs = [
        output
        for output in cell.outputs
        if output.get("name") != "stderr" and WIDGET not in output.get("data", {})
    ]
    # In how many pieces a text comes depends on how busy the machine is.
    CoalesceStreamsPreprocessor().preprocess_cell(cell, {}, 0)
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            output.text = _TIME.sub("…", _without_places(output.text, folders))
        for kind, content in output.get("data", {}).items():
            if kind.startswith("text/"):
                output.data[kind] = _without_times(_without_places(content, folders))
            elif kind.startswith("image/"):
                alt = output.metadata.get(kind, {}).get("alt", "").strip()
                if not alt:
                    raise CourseError(
                        f"{where}: a figure without alternative text; show it with "
                        f'display(figure, metadata={{"{kind}": {{"alt": "…"}}}})'
                    )
                texts.append(alt)
    if texts:
        # MyST-NB takes one text for all figures of a cell, and from here only.
        cell.metadata["mystnb"] = {"image": {"alt": " ".join(dict.fromkeys(texts))}}


def _without_places(text: str, folders: dict[Path, str]) -> str:
    """Return text without what this machine calls its folders, and where it keeps its objects."""
    for path, name in folders.items():
        text = text.replace(str(path), name)
    return _ADDRESS.sub("…", text)


def _without_times(html: str) -> str:
    """Return HTML in which a table's entries below a head such as "ms a step" are left out."""
    timed = [bool(re.search(_UNIT, head)) for head in re.findall("<th>(.*?)</th>", html)]
    columns = itertools.cycle(timed or [False])
    return re.sub("(?<=<td>).*?(?=</td>)", lambda td: "…" if next(columns) else td[0], html)
