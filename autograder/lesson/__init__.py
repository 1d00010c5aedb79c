"""A lesson's text, read and checked: `Lesson` and what its cells are made of."""

from autograder.lesson.model import Lesson

__all__ = ["Lesson"]
