"""Run the worked-out lessons and keep them, with their results, as the pages of the book."""

from __future__ import annotations

import argparse
import functools
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.book.cover import save_covers
from autograder.build.notebooks import digest, solution_notebook, write_notebook
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson

WIDGET = "application/vnd.jupyter.widget-view+json"
# The kernel's own warnings, about its transport for example, are nothing a reader can act on.
QUIET_KERNEL = ["--log-level=ERROR"]
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
        help="run the lesson even if its code, and so its results, have not changed",
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
            kept = not args.force and update_text(course, lesson, args.training)
            if not kept:
                advance = functools.partial(progress.advance, task)
                render(course, lesson, args.training, on_cell=advance)
            progress.update(task, completed=len(lesson.cells))
    for lesson in lessons:
        path = course.solutions_notebook(lesson.stem).relative_to(course.root)
        print(f"wrote {path.as_posix()}")
    return 0


def update_text(course: Course, lesson: Lesson, training: str) -> bool:
    """Take over new text into a rendered notebook whose code has not changed; say if that was so.

    Results come from the code alone, so a lesson need not be trained again for a better sentence.
    """
    path = course.solutions_notebook(lesson.stem)
    notebook = solution_notebook(lesson)
    try:
        old = nbformat.read(path, as_version=4)
    except (OSError, nbformat.reader.NotJSONError, AttributeError):
        return False
    known = old.metadata.get("course", {})
    if known.get("training") != training or known.get("lesson_sha256") != digest(old):
        return False
    new_code, old_code = (
        [cell for cell in one.cells if cell.cell_type == "code"] for one in (notebook, old)
    )
    if len(new_code) != len(old_code):
        return False
    pairs = list(zip(new_code, old_code, strict=True))
    if any(cell.source != run.source for cell, run in pairs):
        return False
    for cell, run in pairs:
        cell.outputs, cell.execution_count = run.outputs, run.execution_count
        if "mystnb" in run.metadata:
            cell.metadata["mystnb"] = run.metadata["mystnb"]
    _write(course, lesson, notebook, training)
    return True


def render(
    course: Course, lesson: Lesson, training: str, on_cell: Callable[[], None] | None = None
) -> Path:
    """Run a lesson's solutions in an empty folder and write `solutions/<lesson>.ipynb`.

    `training` goes to the lesson as COURSE_TRAINING; `on_cell` is called after each cell. Raises
    CourseError, and writes nothing, if a cell fails or a figure has no alternative text.
    """
    notebook = solution_notebook(lesson)
    data = Path(os.environ.get("COURSE_DATA") or course.data).resolve()
    if training == "none" and any(course.data.glob("networks/*")) and data != course.data.resolve():
        raise CourseError(
            f"COURSE_DATA is {data}, but the course's networks lie in {course.data}: copy MNIST to "
            "that folder, or render with --training full"
        )
    environment = {"COURSE_DATA": str(data), "COURSE_FAST_RUN": str(int(training == "fast"))}
    environment["COURSE_TRAINING"] = "short" if training == "fast" else training
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder).resolve()
        execute(notebook, lesson, work, environment, on_cell)
        _forget_paths(notebook, {work: ".", data: "data", course.root: "."})
    return _write(course, lesson, notebook, training)


def execute(
    notebook: NotebookNode,
    lesson: Lesson,
    folder: Path,
    environment: dict[str, str],
    on_cell: Callable[[], None] | None = None,
) -> None:
    """Run the notebook of `solution_notebook(lesson)` in `folder`, outputs going into it.

    `environment` is added to this process's. Raises CourseError at the first cell that fails or
    shows a figure without alternative text.
    """
    client = NotebookClient(
        notebook,
        timeout=None,
        record_timing=False,
        extra_arguments=QUIET_KERNEL,
        resources={"metadata": {"path": str(folder)}},
    )
    env = {
        **os.environ,
        # A backend set for this process must not keep figures out of the notebook.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **environment,
    }
    with client.setup_kernel(env=env):
        for index, (cell, text) in enumerate(zip(notebook.cells, lesson.cells, strict=True)):
            where = f"{lesson.path.parent.name}/{lesson.path.name}:{text.line}"
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                raise CourseError(f"{where}: this cell fails:\n{error}") from error
            except DeadKernelError as error:
                raise CourseError(f"{where}: Python stopped in this cell") from error
            if cell.cell_type == "code":
                _tidy_outputs(cell, where)
            if on_cell:
                on_cell()


def _write(course: Course, lesson: Lesson, notebook: NotebookNode, training: str) -> Path:
    """Write the notebook and its pictures."""
    about = {"lesson_sha256": digest(notebook), "training": training}
    notebook.metadata["course"] = {**notebook.metadata.get("course", {}), **about}
    path = course.solutions_notebook(lesson.stem)
    write_notebook(notebook, path)
    save_covers(notebook, path.parent / "images" / lesson.stem)
    return path


def _tidy_outputs(cell: NotebookNode, where: str) -> None:
    """Drop what is no use on a page, and give the page the figures' alternative texts.

    Raises CourseError if a figure has none.
    """
    # Progress bars and warnings go to stderr, and a widget shows nothing without its kernel.
    cell.outputs = [
        output
        for output in cell.outputs
        if output.get("name") != "stderr" and WIDGET not in output.get("data", {})
    ]
    texts = []
    for output in cell.outputs:
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                alt = output.metadata.get(kind, {}).get("alt", "").strip()
                if not alt:
                    raise CourseError(
                        f"{where}: a figure without alternative text; show it with "
                        f'display(figure, metadata={{"{kind}": {{"alt": "…"}}}})'
                    )
                texts.append(alt)
    if texts:
        # MyST-NB takes one text for all figures of a cell, and from here only.
        alt = " ".join(dict.fromkeys(texts))
        cell.metadata["mystnb"] = {"image": {"alt": alt}}


def _forget_paths(notebook: NotebookNode, names: dict[Path, str]) -> None:
    """Replace this machine's folders in the outputs' texts by `names`."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = _replace(output.text, names)
            for kind, text in output.get("data", {}).items():
                if kind.startswith("text/") and isinstance(text, str):
                    output.data[kind] = _replace(text, names)


def _replace(text: str, names: dict[Path, str]) -> str:
    for path, name in names.items():
        text = re.sub(re.escape(str(path)), name, text)
    return text
