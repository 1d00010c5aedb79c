"""Check a student's notebook before it is handed in.

The notebook is run from top to bottom with the lesson's visible checks, in a temporary folder and
without training. What comes out is a list of the exercises, what each check said, and what to do
next. Hidden tests are not run.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.clients import SteadyClient
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson, code
from autograder.lesson.cells import TEXT_STUB, Exercise
from autograder.lesson.markers import RegionError, blocks, strip_hidden, stub_blocks
from autograder.submissions.cells import known_cell, message
from autograder.submissions.matching import NOTES, nearest_release
from autograder.submissions.reading import parse_notebook, read_bytes, read_notebook
from autograder.submissions.restore import restore

PASSED, TO_DO, FAILED, NOT_RUN = "passed", "still to do", "failed", "not run"
ANSWERED, NOT_ANSWERED = "answered", "not answered"
TIMEOUT = 300


@dataclass(frozen=True)
class Finding:
    """What is known about one exercise: its state and, unless it is done, why."""

    exercise: Exercise
    state: str
    message: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do here."""
        return self.state in (PASSED, ANSWERED)


@dataclass(frozen=True)
class CheckReport:
    """What `check` found: a finding per exercise, how many of the blocks are filled in, and what
    the grader will have to mend before it can run the notebook."""

    findings: list[Finding]
    blocks_done: int
    blocks: int
    notes: list[str]

    @property
    def passed(self) -> bool:
        """Whether every exercise passes its visible checks."""
        return all(finding.done for finding in self.findings if not finding.exercise.manual)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `check`."""
    parser.add_argument("notebook", type=Path, help="the notebook (.ipynb) to check")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=int,
        default=TIMEOUT,
        help="time one cell may take (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Check a notebook; return 0 if every visible check passes, else 1."""
    notebook = parse_notebook(read_bytes(args.notebook.resolve()), args.notebook.name)
    course = Course.find()
    lesson, release = find_lesson(course, notebook, args.notebook.name)
    with Progress(
        TextColumn("running {task.fields[cell]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None, cell=args.notebook.name)
        report = check_notebook(
            notebook,
            lesson,
            release,
            timeout=args.timeout,
            data=course.data,
            tick=lambda done, total: progress.update(task, completed=done, total=total),
        )
    Console().print(as_text(report), markup=False, highlight=False, soft_wrap=True)
    return 0 if report.passed else 1


def find_lesson(course: Course, notebook: NotebookNode, name: str) -> tuple[Lesson, NotebookNode]:
    """Return the lesson that a notebook is of, and its release; raise CourseError if it is none."""
    paths = {stem: course.release_notebook(stem) for stem in course.lessons()}
    releases = {stem: read_notebook(path) for stem, path in paths.items() if path.is_file()}
    stem, count = nearest_release(notebook, releases)
    if stem is None or not count:
        known = ", ".join(releases) or "none is built yet"
        raise CourseError(
            f"{name} holds no exercise of this course (its lessons: {known}): check that it is the "
            "right notebook, and start from the released one if it is"
        )
    return Lesson.load(course.lesson_path(stem)), releases[stem]


def check_notebook(
    notebook: NotebookNode,
    lesson: Lesson,
    release: NotebookNode,
    *,
    timeout: int = TIMEOUT,
    data: Path | None = None,
    tick: Callable[[int, int], object] = lambda done, total: None,
) -> CheckReport:
    """Run a notebook with its visible checks and report; the notebook itself is not changed.

    It is first made whole as the grader does it, so that both see the same cells. `timeout` is in
    seconds for each cell; `data` is where data sets are kept (COURSE_DATA); `tick` is called with
    the number of cells run and of all.
    """
    whole = restore(notebook, release)
    environment = os.environ | {"COURSE_FAST_RUN": "1"}
    if data is not None:
        environment.setdefault("COURSE_DATA", str(data))
    stopped = _run_cells(whole, timeout, environment, tick)
    answers = lesson.answers
    findings = [find_state(exercise, whole, lesson, stopped) for exercise in lesson.exercises]
    return CheckReport(
        blamed_once(findings, lesson),
        sum(count_done(known_cell(whole, cell.name).source, cell.source) for cell in answers),
        sum(len(blocks(cell.source)) for cell in answers),
        whole.metadata[NOTES],
    )


def _run_cells(
    notebook: NotebookNode,
    timeout: int,
    environment: dict[str, str],
    tick: Callable[[int, int], object],
) -> str | None:
    """Run all cells in place, in an empty folder; return None, or why the run stopped early."""
    cells = notebook.cells
    number = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = SteadyClient(
            notebook,
            kernel_name="python3",  # the name in a notebook from Colab or conda may not exist here
            timeout=timeout,
            allow_errors=True,
            resources={"metadata": {"path": folder}},
        )
        try:
            # What the kernel itself has to say (not the notebook) would tear the progress bar.
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with client.setup_kernel(env=environment, **quiet):
                for number, cell in enumerate(cells, start=1):
                    client.execute_cell(cell, number - 1)
                    tick(number, len(cells))
        except (CellTimeoutError, DeadKernelError) as error:
            line = next(iter(cell.source.splitlines()), "")
            if isinstance(error, DeadKernelError):
                return f"the Python process ended in cell {number} of the notebook: {line}"
            return f"cell {number} of the notebook took more than {timeout} s: {line}"
    return None


def find_state(
    exercise: Exercise, notebook: NotebookNode, lesson: Lesson, stopped: str | None
) -> Finding:
    """Return the state of one exercise of a notebook that was run."""
    answer = known_cell(notebook, exercise.answer_cell_id)
    if exercise.manual:
        written = answer.source.replace(TEXT_STUB, "").strip()
        return Finding(exercise, ANSWERED if written else NOT_ANSWERED)
    test = known_cell(notebook, exercise.test_cell_id)
    if not count_done(answer.source, lesson.cell(exercise.answer_cell_id).source):
        return Finding(exercise, TO_DO)
    answer_error, error = _error(answer), _error(test)
    if error is None and test.execution_count is None:
        return Finding(exercise, NOT_RUN, stopped or "")
    if error is None:
        return Finding(exercise, PASSED)
    if error.ename == "ExerciseToDo":
        return Finding(exercise, TO_DO, _explained(error))
    if answer_error is not None:
        # The check can only say that something is missing; the answer cell says why.
        return Finding(exercise, FAILED, f"your answer cell stops with {_explained(answer_error)}")
    return Finding(exercise, FAILED, _explained(error))


def blamed_once(findings: Iterable[Finding], lesson: Lesson) -> list[Finding]:
    """Return the findings; a failure that an earlier one may have led to says so.

    Where it has the same words, these are not repeated.
    """
    found: list[Finding] = []
    said: dict[str, str] = {}
    for finding in findings:
        label = finding.exercise.label
        if finding.state == FAILED:
            # A lesson's check may name the cause itself; what comes out here is of no use then.
            text = finding.message.partition(" What came out here:")[0]
            first = said.setdefault(text.replace(label, ""), label)
            culprits = [
                earlier.exercise.label
                for earlier in found
                if not earlier.done and earlier.exercise.id in used_by(finding.exercise, lesson)
            ]
            if first != label:
                text = f"the same as under {first}: mend that first."
            elif culprits and "builds on" not in text:
                named = " and ".join(culprits)
                text += f"\nIt uses the answer of {named}, which is not right yet: mend that first."
            finding = replace(finding, message=text)
        found.append(finding)
    return found


@functools.lru_cache(maxsize=256)
def used_by(exercise: Exercise, lesson: Lesson) -> set[str]:
    """Return the ids of the exercises whose answers an exercise's answer or check uses.

    Directly, or by way of what the lesson gives; answers in the same cell are not among them.
    """
    definers = {
        name: cell
        for cell in lesson.cells
        if cell.kind == "code"
        for name in code.names_defined(cell.source)
    }
    own = exercise.answer_cell_id
    ahead = [lesson.cell(own).source]
    if exercise.test_cell_id:
        ahead.append(strip_hidden(lesson.cell(exercise.test_cell_id).source))
    cells: set[str | None] = set()
    while ahead:
        for name in code.names_used(code.statements(ahead.pop())) & set(definers):
            cell = definers[name]
            if cell.id not in cells:
                cells.add(cell.id)
                ahead.append(cell.source)
    return {ex.id for ex in lesson.tested if ex.answer_cell_id in cells - {own}}


def count_done(answer: str, solution: str) -> int:
    """Return how many blocks of a student's answer cell differ from their stub.

    Where the markers no longer stand as given, the cell counts as a whole: it is done if anything
    but its stub is in it.
    """
    stubs = [block.stub for block in blocks(solution)]
    try:
        given = [block.solution for block in blocks(answer)]
    except RegionError:
        given = []
    if len(given) == len(stubs):
        pairs = zip(given, stubs, strict=True)
        return sum(_code(lines) not in ([], _code(stub)) for lines, stub in pairs)
    is_stub = answer.strip() in ("", stub_blocks(solution).strip())
    return 0 if is_stub else len(stubs)


def as_text(report: CheckReport) -> str:
    """Return the report as it is printed."""
    findings = report.findings
    width = max(len(finding.exercise.name) for finding in findings)
    lines = [f"note: {note}" for note in report.notes]
    for finding in findings:
        lines.append(f"{finding.exercise.name:<{width}}  {finding.state}")
        lines += [f"    {line}" for line in finding.message.splitlines()]
    tested = [finding.done for finding in findings if not finding.exercise.manual]
    written = [finding.done for finding in findings if finding.exercise.manual]
    count = (
        f"{report.blocks_done} of {report.blocks} blocks done, "
        f"{sum(tested)} of {len(tested)} exercises passing their visible checks"
    )
    if written:
        count += f", {sum(written)} of {len(written)} questions answered"
    first = next((finding for finding in findings if not finding.done), None)
    todo = f"Next: {first.exercise.name}." if first else "Nothing is left to do: hand it in."
    reminder = "The grader also runs hidden tests, which look at other inputs than these checks."
    return "\n".join([*lines, "", f"{count}.", todo, reminder])


def _code(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]


def _error(cell: NotebookNode) -> NotebookNode | None:
    return next((output for output in cell.outputs if output.output_type == "error"), None)


def _explained(error: NotebookNode) -> str:
    """Return a check's own message, or the name and message of any other error."""
    text = message(error)
    if error.ename in ("CheckFailed", "ExerciseToDo", "AssertionError") and text:
        return text
    return f"{error.ename}: {text}" if text else error.ename
