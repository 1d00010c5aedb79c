"""What those get who grade a submission, and what they give back: values, nothing that runs.

The process that hands them out needs no PyTorch for it (see grade.py).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.lesson import Lesson
from autograder.marks.records import version_of


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
        """The lesson's version; see version_of."""
        return version_of(self.source)


@dataclass(frozen=True)
class How:
    """How student code runs; see make_starter. `data`: a folder of data sets on the machine."""

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
    log: what was logged meanwhile: tracebacks, for the instructor.
    """

    checksum: str
    version: str
    seed: int
    problem: str | None = None
    notes: tuple[str, ...] = ()
    notebook: str | None = None
    limits: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    log: str = ""
