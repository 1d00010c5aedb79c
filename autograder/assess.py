"""Grade one submission: a function of its bytes, the assignment, the seed and the limits.

It reads and writes nothing else, so it can run in any process on any machine (see executors.py).
The gradebook, feedback pages and tables are made from what it returns, by grade.py.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import kernels
from autograder.checks import reference
from autograder.checks.outside import Examiner, Verdict
from autograder.checks.private import PrivateProperty, parse
from autograder.errors import CourseError
from autograder.execute import ENDED, NOT_RUN, UNSTOPPABLE, SubmissionClient
from autograder.lesson import Lesson
from autograder.matching import NOTES, check_lesson
from autograder.nbgrader_plugins import mark_schemes, with_mark_schemes
from autograder.needed import needed_cells
from autograder.pythons import Starter, StartFailed, boot
from autograder.restore import restore
from autograder.safe import safe_notebook
from autograder.sandbox import Limits
from autograder.submissions import Submission, grade_id, message, parse_notebook

RUNS = 4  # how often a notebook is run whose cells end Python
SYNTAX_ERRORS = {"SyntaxError", "IndentationError", "TabError"}
ENVIRONMENT = {
    "COURSE_FAST_RUN": "1",
    "COURSE_GRADING": "1",
    # Figures, should there be any, belong into the notebook.
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


@dataclass(frozen=True)
class Assignment:
    """A lesson as the grader needs it, by value.

    source, release: its notebooks as JSON.
    private: the text of the instructor's own hidden tests, None if there are none.
    others: the releases of the course's other lessons, to recognise a notebook of one of them.
    """

    lesson: Lesson
    source: str
    release: str
    private: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The lesson's name."""
        return self.lesson.stem

    @functools.cached_property
    def version(self) -> str:
        """The version that the release's metadata name, and a checksum of everything in `source`.

        The latter changes with the hidden tests, too.
        """
        released = json.loads(self.source)["metadata"].get("course", {}).get("version", "")
        return f"{released}.{hashlib.sha256(self.source.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class How:
    """How student code runs; see pythons.Starter. `data`: a folder of data sets on the machine."""

    sandboxed: bool = True
    forked: bool = True
    data: str | None = None


@dataclass(frozen=True)
class Assessment:
    """What grading one submission gave.

    checksum: SHA-256 of the submission's bytes; version: the lesson's; seed: the hidden tests'.
    problem: why nothing could be graded, as a clause, or None.
    notes: one sentence for each thing a person should know.
    notebook: the executed notebook as JSON, None if there is a problem.
    limits: the limits that were hit.
    seconds: what took how long: "in all", and its parts.
    """

    checksum: str
    version: str
    seed: int
    problem: str | None = None
    notes: tuple[str, ...] = ()
    notebook: str | None = None
    limits: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


# One submission at a time in each process: output, random numbers and limits are the process's.
_one_at_a_time = threading.RLock()


def assess(
    submission: Submission,
    assignment: Assignment,
    seed: int,
    limits: Limits,
    how: How | None = None,
) -> Assessment:
    """Grade one submission.

    Raises CourseError if nothing can be graded here: without a sandbox, for example. Whatever a
    submission does is no error, but stands in the result.
    """
    with _one_at_a_time:
        return _Grader.get(assignment, limits, how or How()).assess(submission, seed)


class _Grader:
    """What grading of one assignment needs again and again; the last one is kept."""

    _last: tuple[object, _Grader] | None = None

    @classmethod
    def get(cls, assignment: Assignment, limits: Limits, how: How) -> _Grader:
        """Return the grader for this assignment, made anew if the last one was for another."""
        key = (assignment, limits, how)
        if cls._last is not None and cls._last[0] == key:
            return cls._last[1]
        cls.close_last()
        cls._last = (key, cls(assignment, limits, how))
        return cls._last[1]

    @classmethod
    def close_last(cls) -> None:
        """Stop what the kept grader has started."""
        if cls._last is not None:
            last, cls._last = cls._last, None
            last[1].close()

    def __init__(self, assignment: Assignment, limits: Limits, how: How) -> None:
        self.assignment, self.lesson, self.limits = assignment, assignment.lesson, limits
        self.source = nbformat.reads(assignment.source, as_version=4)
        self.release = nbformat.reads(assignment.release, as_version=4)
        # Texts of the course, which may hold what a student's may not.
        texts = [cell.source for cell in self.release.cells if cell.cell_type == "markdown"]
        self.trusted = {*texts, *mark_schemes(self.source).values()}
        self.private = self._private_tests()
        self.modules = sorted(m.__name__ for m in reference.modules(self.lesson).values())
        self.starter = Starter(
            limits,
            modules=[*kernels.MODULES, *self.modules],
            data=Path(how.data) if how.data else None,
            env=ENVIRONMENT,
            sandboxed=how.sandboxed,
            forked=how.forked,
        )

    def _private_tests(self) -> list[PrivateProperty]:
        if self.assignment.private is None:
            return []
        return parse(self.assignment.private, Path(f"{self.assignment.stem}.py"), self.lesson)

    def close(self) -> None:
        """Stop what was started."""
        self.starter.close()

    def assess(self, submission: Submission, seed: int) -> Assessment:
        """Grade one submission."""
        started = time.monotonic()
        facts = {
            "checksum": hashlib.sha256(submission.data).hexdigest(),
            "version": self.assignment.version,
            "seed": seed,
        }
        try:
            notebook = self.prepared(submission)
            read = time.monotonic()
            limits = self.run(notebook, seed)
            notes = remarks(notebook, limits)
            notebook = safe_notebook(notebook, self.trusted)
        except StartFailed as error:
            raise CourseError(
                f"Python could not be started for a submission ({error}): try again, or with "
                "--fresh"
            ) from error
        except CourseError as error:
            return Assessment(**facts, problem=str(error))
        except Exception as error:  # what nobody has foreseen is this submission's trouble alone
            problem = f"the grader could not grade it ({described(error)})"
            return Assessment(**facts, problem=problem)
        ended = time.monotonic()
        return Assessment(
            **facts,
            notes=tuple(notes),
            notebook=nbformat.writes(notebook),
            limits=tuple(limits),
            seconds={
                "in all": round(ended - started, 2),
                "reading": round(read - started, 2),
                "running": round(ended - read, 2),
            },
        )

    def prepared(self, submission: Submission) -> NotebookNode:
        """Return the submission rebuilt around the release, with the hidden tests.

        Raises CourseError if it cannot be graded.
        """
        name, stem = submission.name, self.assignment.stem
        notebook = parse_notebook(submission.data, name, submission.notes)
        check_lesson(notebook, name, stem, self.release, self.other_releases)
        notebook = restore(notebook, self.release)
        originals = {grade_id(cell): cell for cell in self.source.cells if grade_id(cell)}
        for cell in notebook.cells:
            marks = cell.metadata.get("nbgrader", {})
            if marks.get("locked") and not marks.get("solution"):
                cell.source = originals[grade_id(cell)].source
        return with_mark_schemes(notebook, self.source)

    def other_releases(self) -> dict[str, NotebookNode]:
        """Return the releases of the course's other lessons."""
        others = self.assignment.others
        return {stem: nbformat.reads(text, as_version=4) for stem, text in others.items()}

    def run(self, notebook: NotebookNode, seed: int) -> list[str]:
        """Run the notebook in place; return which limits it hit.

        A cell that ends Python, or cannot be interrupted, is left out, and all others are run anew.
        """
        released = {cell.id for cell in self.release.cells}
        needed = set(needed_cells(notebook, self.lesson, released))
        end = time.monotonic() + self.limits.seconds
        hit: list[str] = []
        known: dict[str, Verdict] = {}
        for left in reversed(range(RUNS)):
            limits = replace(self.limits, seconds=max(1, end - time.monotonic()))
            to_the_end = left == 0 or limits.seconds == 1
            client = self.run_once(notebook, needed, seed, limits, to_the_end, known)
            hit += client.limits_hit
            if client.lost_in is None or to_the_end:
                break
            needed.discard(notebook.cells.index(client.lost_in))
        return list(dict.fromkeys(hit))

    def run_once(
        self,
        notebook: NotebookNode,
        needed: Collection[int],
        seed: int,
        limits: Limits,
        to_the_end: bool,
        known: dict[str, Verdict],
    ) -> SubmissionClient:
        """Run these cells of the notebook in a kernel of their own; return what ran them.

        `known`: verdicts of earlier runs, which stand; new ones are added.
        """
        starter = self.starter
        for index in needed:
            notebook.cells[index].outputs = []
        channel = starter.channel()
        manager = kernels.CourseKernelManager(starter, channel)
        client = SubmissionClient(
            notebook,
            manager,
            needed=needed,
            begin_answering=boot(channel.address),
            limits=limits,
        )
        examiner = Examiner(
            self.lesson,
            lambda: channel.connection(limits.patience),
            lambda: manager.provisioner.running.interrupt(),
            lambda total: starter.definitions(limits, total),
            seed=seed,
            private=self.private,
            seconds=limits.cell_seconds,
            patience=limits.patience,
            known=known,
        )
        metadata = notebook.metadata
        try:
            client.run(examiner, to_the_end)
        finally:
            channel.close()
            running = manager.provisioner.running if manager.provisioner else None
            if running is not None:
                running.end()
        notebook.metadata = metadata  # what the kernel says about itself is a submission's word
        if running is not None and running.limit_hit:
            client.limits_hit.append(running.limit_hit)
        return client


_stopping = threading.Lock()


def stop() -> None:
    """Stop what this process keeps for the next submission; returns when it has ended."""
    with _stopping:
        _Grader.close_last()


atexit.register(stop)


def described(error: Exception) -> str:
    """Return an exception in a few words, for a sentence."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def remarks(executed: NotebookNode, limits: list[str]) -> list[str]:
    """Return what a person should know about a graded submission, one sentence each.

    That is what was mended before grading (`NOTES`), cells that took too long, cells that
    are not valid Python, and where and why Python itself was lost.
    """
    found = [str(note) for note in executed.metadata.get(NOTES, [])]
    errors = [
        (cell.id, output)
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    for cell, output in errors:
        if output.ename == "CellTimeoutError":
            found.append(f"The cell {cell} took too long and was stopped.")
        elif output.ename in SYNTAX_ERRORS:
            found.append(f"The cell {cell} is not valid Python: {message(output)}.")
        elif output.ename == "KernelLost" and output.evalue in (ENDED, UNSTOPPABLE):
            found.append(f"The cell {cell} was left out: {output.evalue}")
    if any(output.evalue.startswith(NOT_RUN) for _, output in errors):
        found.append("Some cells were not run, because too many cells ended Python.")
    found += [f"A limit was hit: {limit}." for limit in limits if " of the cell " not in limit]
    return found
