"""A hidden property, and what it raises when it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

LONGEST = 2000


@dataclass(frozen=True)
class Property:
    """A hidden property: its name, its points, and a function (lesson, given) that tests it.

    An answer without an `essential` one is not what the exercise asks for, whatever else holds;
    one without a `general` one is that for a single case, such as C₄.
    """

    name: str
    points: float
    test: Callable
    essential: bool = field(default=False, kw_only=True)
    general: bool = field(default=False, kw_only=True)

    @property
    def share(self) -> float:
        """What is left of an exercise's points, at most, without this property."""
        return 1 / 3 if self.essential else 1 / 2 if self.general else 1.0


class PropertyFailed(Exception):
    """A property does not hold; the message says what was expected, what came, and why maybe.

    `tensors` are what came and what was expected, if a picture of them may help.
    """

    def __init__(self, message: str, tensors: tuple[Tensor, Tensor] | None = None) -> None:
        # It may quote a student's result, which may be as long as the student likes.
        super().__init__(message if len(message) <= LONGEST else f"{message[:LONGEST]} …")
        self.tensors = tensors
