"""Run a submission's notebook, and again without the cells that end Python."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nbformat import NotebookNode

from autograder.checks.examiner import Examiner, Hearing
from autograder.checks.private import PrivateProperty
from autograder.grading.execute import SubmissionClient, outputs_of
from autograder.grading.sessions import WITH_AGENT, boot, definitions
from autograder.grading.surviving import NOT_RUN, error
from autograder.lesson import Lesson
from autograder.sandbox.kernels import CourseKernelManager
from autograder.sandbox.limits import Limits
from autograder.sandbox.pythons import Starter
from autograder.submissions.cells import known_cell

RUNS = 4  # how often a notebook is run whose cells end Python


@dataclass
class NotebookRuns:
    """All runs of one submission's notebook.

    Args:
        notebook: the restored submission, which is run in place.
        needed: the indices of the cells to run.
        private: the instructor's own hidden tests.
        limits: what all runs together may take.
        hearings: of the exercises heard so far, which stand.
        suspects: those of them whose answers behave by try or by place; see Outside.
        heard: the tests cells by their ids, each with its last hearing.
        limits_hit: which limits were hit.
        stopped: a sentence for each visible check that took too long or has ended Python.
    """

    notebook: NotebookNode
    needed: set[int]
    lesson: Lesson
    private: Sequence[PrivateProperty]
    seed: int
    limits: Limits
    starter: Starter
    hearings: dict[str, Hearing] = field(default_factory=dict)
    suspects: set[str] = field(default_factory=set)
    heard: dict[str, tuple[NotebookNode, Hearing]] = field(default_factory=dict)
    limits_hit: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What checks and hidden tests say to a person, a sentence each."""
        heard = [hearing for _, hearing in self.heard.values() if not hearing.stopped]
        told = [note for hearing in heard for note in hearing.verdict.notes]
        return [*dict.fromkeys(self.stopped), *told]

    def run(self) -> None:
        """Run the notebook, and put the verdicts into its tests cells.

        A cell that ends Python, or cannot be interrupted, is left out, and all others are run anew.
        Not before the last of these Pythons has ended is anything tried among the lesson's
        definitions, whose Pythons know the reference solution (see judge.py).
        """
        used, hit = 0.0, list[str]()
        for left in reversed(range(RUNS)):
            limits = replace(self.limits, seconds=max(1, self.limits.seconds - used))
            to_the_end = left == 0 or limits.seconds == 1
            client = self.run_in_a_kernel(limits, to_the_end)
            hit += client.limits_hit
            used += client.seconds
            self.heard |= client.heard  # a cell that ended Python is heard in the first run only
            self.stopped += client.stopped
            if client.lost_in is None or to_the_end:
                break
            self.needed.discard(self.notebook.cells.index(client.lost_in))
        self.limits_hit = list(dict.fromkeys(hit))
        for cell, hearing in self.heard.values():
            if not hearing.stopped:
                cell.outputs += outputs_of(hearing.verdict)
        for exercise in self.lesson.tested:  # a tests cell without outputs would count as passed
            if exercise.test_cell_id not in self.heard:
                cell = known_cell(self.notebook, exercise.test_cell_id)
                cell.outputs = [error("KernelLost", f"{NOT_RUN} it was not reached.")]

    def run_in_a_kernel(self, limits: Limits, to_the_end: bool) -> SubmissionClient:
        """Run the needed cells in a kernel of their own; return what ran them."""
        for index in self.needed:
            self.notebook.cells[index].outputs = []
        channel = self.starter.channel()
        manager = CourseKernelManager(self.starter, channel, WITH_AGENT)
        examiner = Examiner(
            self.lesson,
            lambda: channel.connection(limits.patience),
            lambda: manager.started.interrupt(),
            lambda: manager.started.stopwatch(),
            lambda total: definitions(self.starter, limits, total),
            seed=self.seed,
            private=self.private,
            seconds=limits.cell_seconds,
            patience=limits.patience,
            known=self.hearings,
            suspects=self.suspects,
        )
        client = SubmissionClient(
            self.notebook,
            manager,
            examiner,
            needed=self.needed,
            begin_answering=boot(channel.address),
            limits=limits,
        )
        metadata = self.notebook.metadata
        begun = time.monotonic()
        try:
            client.run(to_the_end)
        finally:
            channel.close()
            if manager.running is not None:
                manager.running.end()
        self.notebook.metadata = metadata  # what the kernel says of itself is a submission's word
        guard = manager.running.guard if manager.running is not None else None
        client.seconds = guard.seconds if guard is not None else time.monotonic() - begun
        if guard is not None and guard.reason:
            client.limits_hit.append(guard.reason)
        return client
