"""Grade one submission: a function of its bytes, the assignment, the seed and the limits.

It reads and writes nothing else, so it can run in any process on any machine (see executors.py).
The gradebook, feedback pages and tables are made from what it returns, by grade.py.
"""

from __future__ import annotations

import atexit
import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.checks.private import PrivateProperty, parse
from autograder.errors import LOG, LOG_FILE, CourseError, collected_log, described
from autograder.grading.model import Assessment, Assignment, How
from autograder.grading.needed import needed_cells
from autograder.grading.remarks import remarks
from autograder.grading.runs import NotebookRuns
from autograder.grading.schemes import mark_schemes, with_mark_schemes
from autograder.grading.surviving import ENVIRONMENT
from autograder.lesson.code import modules_imported
from autograder.sandbox import kernels
from autograder.sandbox.limits import Limits
from autograder.sandbox.pythons import Starter, StartFailed, make_starter
from autograder.submissions.cells import grade_id
from autograder.submissions.matching import require_lesson
from autograder.submissions.reading import Submission, parse_notebook
from autograder.submissions.restore import restore
from autograder.submissions.safe import safe_notebook

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
        if cls._last is None or cls._last[0] != key:
            cls._last = (key, cls(assignment, limits, how))
        return cls._last[1]

    def __init__(self, assignment: Assignment, limits: Limits, how: How) -> None:
        self.assignment, self.lesson, self.limits = assignment, assignment.lesson, limits
        self.source = nbformat.reads(assignment.source, as_version=4)
        self.release = nbformat.reads(assignment.release, as_version=4)
        # Texts of the course, which may hold what a student's may not.
        texts = [cell.source for cell in self.release.cells if cell.cell_type == "markdown"]
        self.trusted = {*texts, *mark_schemes(self.source).values()}
        self.private: list[PrivateProperty] = []
        if assignment.private is not None:
            self.private = parse(assignment.private, Path(f"{assignment.stem}.py"), self.lesson)
        self.how, self.modules = how, (*kernels.MODULES, *modules_imported(self.lesson))
        self.starter.begin()

    def assess(self, submission: Submission, seed: int) -> Assessment:
        """Grade one submission."""
        facts = {
            "checksum": hashlib.sha256(submission.data).hexdigest(),
            "version": self.assignment.version,
            "seed": seed,
        }
        with collected_log() as log:
            graded = self._assess(submission, seed, facts)
        if log.has_error and graded.problem is None:
            note = f"The grader met something that nobody has foreseen: see {LOG_FILE}."
            graded = replace(graded, notes=(*graded.notes, note))
        return replace(graded, log=log.text)

    def _assess(self, submission: Submission, seed: int, facts: dict) -> Assessment:
        started = time.monotonic()
        try:
            notebook = self.prepared(submission)
            read = time.monotonic()
            runs = self.run(notebook, seed)
            limits = runs.limits_hit
            notes = [*remarks(notebook, limits, list(runs.heard.values())), *runs.notes]
            notebook = safe_notebook(notebook, self.trusted)
        except StartFailed as error:
            raise CourseError(
                f"Python could not be started for a submission ({error}): try again, or with "
                "--fresh"
            ) from error
        except CourseError as error:
            return Assessment(**facts, problem=str(error))
        except Exception as error:  # what nobody has foreseen is this submission's trouble alone
            LOG.exception("the grader could not grade it")
            problem = f"the grader could not grade it ({described(error)}): see {LOG_FILE}"
            return Assessment(**facts, problem=problem)
        ended = time.monotonic()
        seconds = {"in all": ended - started, "reading": read - started, "running": ended - read}
        return Assessment(
            **facts,
            notes=tuple(notes),
            notebook=nbformat.writes(notebook),
            limits=tuple(limits),
            seconds={part: round(value, 2) for part, value in seconds.items()},
        )

    def prepared(self, submission: Submission) -> NotebookNode:
        """Return the submission rebuilt around the release, with the hidden tests.

        Raises CourseError if it cannot be graded.
        """
        name, stem = submission.name, self.assignment.stem
        notebook = parse_notebook(submission.data, name, submission.notes)
        require_lesson(notebook, name, stem, self.release, self.other_releases)
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

    def run(self, notebook: NotebookNode, seed: int) -> NotebookRuns:
        """Run a restored submission in place; return how that went."""
        needed = needed_cells(notebook, self.lesson, {cell.id for cell in self.release.cells})
        lesson, limits = self.lesson, self.limits
        runs = NotebookRuns(notebook, needed, lesson, self.private, seed, limits, self.starter)
        runs.run()
        return runs

    @property
    def starter(self) -> Starter:
        """What starts the submissions' Pythons."""
        return _starter(self.limits, self.how, self.modules)


# What has started Pythons, one at most. It knows nothing of an assignment but the modules that it
# imports, so it is kept for the next that imports the same: a Python needs seconds to get warm.
_kept: dict[object, Starter] = {}
_keeping = threading.RLock()


def _starter(limits: Limits, how: How, modules: tuple[str, ...]) -> Starter:
    """Return what starts the Pythons of an assignment's submissions."""
    data = Path(how.data) if how.data and Path(how.data).is_dir() else None
    key = (limits, how.sandboxed, how.forked, data, modules)
    with _keeping:
        if key not in _kept:
            stop()
            _kept[key] = make_starter(
                limits,
                modules=modules,
                data=data,
                env=ENVIRONMENT,
                sandboxed=how.sandboxed,
                forked=how.forked,
            )
        return _kept[key]


def stop() -> None:
    """Stop what this process keeps for the next submission; returns when it has ended."""
    with _keeping:
        while _kept:
            _kept.popitem()[1].close()


atexit.register(stop)
