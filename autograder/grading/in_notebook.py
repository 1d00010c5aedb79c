"""Run a submission as plain nbgrader does, its hidden tests in the notebook."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from traitlets import Integer, List, Unicode
from traitlets.config import Config

from autograder.course import Course
from autograder.grading.hidden_tests import chosen_seed, private_folder
from autograder.grading.surviving import ENVIRONMENT, SurvivingClient
from autograder.lesson import Lesson


class GradingExecute(SurvivingClient, Execute):
    """Run a submission with the course's environment, its hidden tests in the notebook (autograde).

    This is how plain nbgrader grades. `python -m autograder grade` runs the same hidden tests
    outside of a student's reach (assess.py), and takes its settings from here.
    """

    output_limit = Integer(2_000_000, help="Characters that one cell may output").tag(config=True)
    timeout: Any = Integer(60, help=Execute.timeout.help, allow_none=True).tag(config=True)
    extra_arguments = List(
        ["--log-level=ERROR"], help="Arguments for the kernel: its own warnings help no grader"
    ).tag(config=True)
    patience = Integer(
        10, help="Seconds that an interrupted kernel has to answer before it is stopped"
    ).tag(config=True)
    seed = Integer(
        None,
        allow_none=True,
        help="Decides the inputs of the hidden tests (default: the number in .grading-seed, which "
        "the first grading run draws)",
    ).tag(config=True)
    private_tests = Unicode(
        help="Folder of your own hidden tests, outside the repository (default: none)"
    ).tag(config=True)

    @classmethod
    def configured(cls, config: Config) -> GradingExecute:
        """Return it with a course's settings."""
        return cls(config=config)  # type: ignore[call-arg]  # nbconvert's own takes no notebook

    def preprocess(self, nb: NotebookNode, resources: dict, km: Any = None) -> tuple:
        """Run all cells, with the seed in the notebook's metadata; see the class."""
        course = Course(Path.cwd())  # where nbgrader works
        self.begin()
        self._seed = chosen_seed(course, self.seed)
        lesson = Lesson.load(course.lesson_path(resources["nbgrader"]["notebook"]))
        self._private = private_folder(course, lesson, self.private_tests, self._seed)
        nb.metadata["course_seed"] = self._seed
        return super().preprocess(nb, resources, km)

    @contextmanager
    def setup_kernel(self, **kwargs: Any) -> Iterator[None]:
        """Start the kernel with the environment variables of grading."""
        env = {
            **os.environ,
            **ENVIRONMENT,
            "COURSE_GRADING_SEED": str(self._seed),
            "COURSE_PRIVATE_TESTS": str(self._private or ""),
        }
        with super().setup_kernel(env=env, **kwargs):
            yield

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Run one cell, or mark it if the kernel is lost."""
        run = super().preprocess_cell
        self.survive(cell, lambda: run(cell, resources, index))
        return cell, resources
