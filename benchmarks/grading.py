"""How fast a class is graded: `python -m autograder grade` beside plain `nbgrader autograde`.

Both grade the same submissions of lesson 1, in turn, in course folders of their own. Beside them
stands the limit: answers, checks and hidden tests run one after another in one Python that has
everything imported already, without a kernel, a sandbox or a gradebook.

    python benchmarks/grading.py                     40 copies, about 60 minutes
    python benchmarks/grading.py --copies 4          to try it
    python benchmarks/grading.py --plain 4           40 copies, 4 of them with nbgrader, 8 minutes
    python benchmarks/grading.py --sizes 10 100 500  how cost and memory grow with the class
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from nbformat import NotebookNode

from autograder.build.generate import build
from autograder.course import Course
from autograder.demo import copy_course, first_lesson, make_class
from autograder.grading.executors import cores
from autograder.grading.needed import as_executed, needed_cells
from autograder.lesson import Lesson
from autograder.lesson.markers import strip_hidden
from autograder.submissions.made import fill_in, write_submission
from autograder.submissions.reading import read_notebook

ROOT = Path(__file__).resolve().parent.parent
# One thread each, for both sides: more only wait for each other.
ENV = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


class Peak(threading.Thread):
    """The most memory (MB) that a process and all it started had for themselves together."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.megabytes, self.ended = pid, 0.0, threading.Event()

    def run(self) -> None:
        """Look now and then: looking takes a tenth of a second of a processor each time."""
        while not self.ended.wait(5):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(self.pid)
                used = 0
                for each in (process, *process.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        used += each.memory_full_info().pss
                self.megabytes = max(self.megabytes, used / 2**20)


def timed(command: list[str], folder: Path, codes: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """Run a command in a folder; return its seconds and its peak of memory in MB.

    Stops the benchmark at any exit code that is not among `codes`.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=ENV, stdout=output, stderr=output
        )
        peak = Peak(process.pid)
        peak.start()
        process.wait()
        seconds = time.perf_counter() - started
        peak.ended.set()
        if process.returncode not in codes:
            output.seek(0)
            text = output.read().decode(errors="replace")[-3000:]
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return seconds, peak.megabytes


def make_course(folder: Path, stem: str) -> Course:
    """Return a course folder with the lesson, built."""
    course = copy_course(Course(ROOT), stem, folder)
    build(course)
    return course


def hand_in(course: Course, stem: str, notebooks: Mapping[str, NotebookNode | str]) -> None:
    """Put these submissions, and no others, into a course folder; nothing is graded yet."""
    for path in (course.submitted, course.autograded, course.feedback):
        shutil.rmtree(path, ignore_errors=True)
    (course.root / "gradebook.db").unlink(missing_ok=True)
    for student, notebook in notebooks.items():
        write_submission(course, student, stem, notebook)


def plain(course: Course, stem: str, notebooks: Mapping[str, NotebookNode | str]) -> float:
    """Return the seconds that plain nbgrader takes for these submissions."""
    hand_in(course, stem, notebooks)
    timed(["nbgrader", "generate_assignment", stem, "--force"], course.root)
    # It ends with 1 where it could not grade some; the others are graded all the same.
    return timed(["nbgrader", "autograde", stem], course.root, codes=(0, 1))[0]


def ours(
    course: Course, stem: str, notebooks: Mapping[str, NotebookNode | str], *more: str
) -> tuple[float, float]:
    """Return the seconds that this course's command takes for them, and its peak of memory."""
    hand_in(course, stem, notebooks)
    return timed(["autograder", "grade", *more], course.root)


def limit(course: Course, lesson: Lesson, notebook: NotebookNode, rounds: int) -> list[float]:
    """Return the seconds of answers, checks and hidden tests alone, run this often."""
    os.environ |= {"COURSE_FAST_RUN": "1", "COURSE_GRADING": "1", "MPLBACKEND": "agg"}
    source = read_notebook(course.source_notebook(lesson.stem))
    tests = {cell.id: cell.source for cell in source.cells}
    released = {cell.id for cell in source.cells}
    times = []
    with contextlib.chdir(course.root):
        for _ in range(rounds):
            names: dict = {"__name__": "__main__", "In": [""], "get_ipython": lambda: None}
            started = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                for index in sorted(needed_cells(notebook, lesson, released)):
                    cell = notebook.cells[index]
                    visible = as_executed(strip_hidden(tests.get(cell.id, cell.source)))
                    whole = tests[cell.id] if "HIDDEN" in tests.get(cell.id, "") else cell.source
                    names["In"].append(visible)
                    exec(compile(as_executed(whole), "<cell>", "exec"), names)
            times.append(time.perf_counter() - started)
    return times[1:]  # the first one imports


def mixed_class(lesson: Lesson, release: NotebookNode, size: int) -> dict:
    """Return a class like the demo's, repeated: right, wrong and broken; none blocks for ever."""
    kinds = make_class(lesson, release)
    kinds.pop("endless-loop")  # a minute of waiting on both sides, which would hide the rest
    contents = [content for _, content in kinds.values()]
    return {f"m{n:03}": contents[n % len(contents)] for n in range(size)}


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=40, help="submissions of each class")
    parser.add_argument(
        "--plain",
        type=int,
        help="how many of them nbgrader and --fresh grade, which cost the same for each "
        "(default: all)",
    )
    parser.add_argument("--sizes", type=int, nargs="*", help="only these sizes, without nbgrader")
    parser.add_argument(
        "--classes", choices=("good", "mixed"), nargs="+", default=("good", "mixed"), help="which"
    )
    parser.add_argument("--jobs", type=int, default=cores())
    args = parser.parse_args()
    stem = first_lesson(Course(ROOT))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        left, right = make_course(folder / "plain", stem), make_course(folder / "ours", stem)
        lesson = Lesson.load(right.lesson_path(stem))
        release = read_notebook(right.release_notebook(stem))
        good = fill_in(release, lesson)
        jobs = ("--jobs", str(args.jobs))
        if args.sizes:
            print("| class | seconds | a submission | peak of memory, MB |\n|---|---|---|---|")
            for size in args.sizes:
                notebooks = {f"s{n:03}": good for n in range(size)}
                seconds, memory = ours(right, stem, notebooks, *jobs)
                print(
                    f"| {size} | {seconds:.0f} | {seconds / size:.2f} | {memory:.0f} |", flush=True
                )
            return
        bare = statistics.median(limit(right, lesson, good, 12))
        classes = {
            "good": {f"s{n:03}": good for n in range(args.copies)},
            "mixed": mixed_class(lesson, release, args.copies),
        }
        print(f"{args.copies} submissions, {args.jobs} at once, seconds a submission\n")
        print("| class | plain nbgrader | this course | ratio | fresh kernels | the limit |")
        print("|---|---|---|---|---|---|", flush=True)
        for kind in args.classes:
            notebooks = classes[kind]
            title = "copies of a good submission" if kind == "good" else "mixed class"
            few = dict(list(notebooks.items())[: args.plain or args.copies])
            names = list(few)
            first = {name: few[name] for name in names[: len(names) // 2]}
            second = {name: few[name] for name in names[len(names) // 2 :]}
            # In turn, so that what else the machine does meets both.
            slow = plain(left, stem, first)
            fast = [ours(right, stem, notebooks, *jobs)[0]]
            slow += plain(left, stem, second)
            fast.append(ours(right, stem, notebooks, *jobs)[0])
            fresh = ours(right, stem, few, *jobs, "--fresh")[0]
            each = slow / len(few), statistics.mean(fast) / len(notebooks), fresh / len(few)
            ratio = each[0] / each[1]
            limits = f"{bare:.2f}" if kind == "good" else ""
            print(
                f"| {title} | {each[0]:.2f} | {each[1]:.2f} | {ratio:.1f} | {each[2]:.2f} | "
                f"{limits} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
