"""Catalogues of right and wrong solutions, one file per lesson, named after it.

Such a file defines `VARIANTS`. A variant starts from the lesson's own solution and changes it as a
student might have written it.
"""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.lesson import Lesson
from autograder.lesson.markers import blocks, fill_blocks
from autograder.submissions.made import solutions

FOLDER = Path(__file__).parent

# Where a module may do something else than elsewhere, and what it asks to know it.
ELSEWHERE = {
    "in evaluation": "not self.training",
    "in inference mode": "torch.is_inference_mode_enabled()",
    "in float64": "self.weight.dtype == torch.float64",
}

# The same of what is done to a batch x, whose several images are the ordinary case.
ELSEWHERE_OF_X = {
    "in inference mode": "torch.is_inference_mode_enabled()",
    "in float64": "x.dtype == torch.float64",
    "of one image": "len(x) == 1",
}
OTHERWISE = ELSEWHERE_OF_X | {"of several images": "len(x) > 1"}
# When something besides is done, and what an answer that does it keeps.
BESIDES = (("in training", "self.training", 0), ("in evaluation", "not self.training", 1))

# A YOUR CODE block: the id of its cell, and its number in that cell, counted from 0.
Block = tuple[str, int]


@dataclass(frozen=True)
class Variant:
    """A student's solution and the points that it must get.

    Args:
        name: a few words, unique in the catalogue.
        why: what is wrong with it, or why it is right.
        blocks: what the student wrote in some of the blocks, without the block's indentation.
        points: exercise id → points, for each exercise that does not get all of its points.
        edits: cell id → pairs (old, new), for changes outside the blocks.
        cells: cell id → source, for answer cells written anew.
        before: cell id → source of a cell of the student's own, put before that cell.
    """

    name: str
    why: str
    blocks: Mapping[Block, str] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)
    edits: Mapping[str, list[tuple[str, str]]] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether it gets all points."""
        return not self.points

    def answers(self, lesson: Lesson) -> dict[str, str]:
        """Return the source of every answer cell of code.

        Raises:
            ValueError: a pair's old text is not in its cell exactly once.
            KeyError: there is no such cell or block.
        """
        answers = solutions(lesson)
        bodies: dict[str, list[str]] = {}
        for (id, number), body in self.blocks.items():
            if id not in bodies:
                bodies[id] = ["\n".join(_dedented(block)) for block in blocks(answers[id])]
            bodies[id][number] = body.strip("\n")
        for id, texts in bodies.items():
            answers[id] = fill_blocks(answers[id], texts)
        for id, pairs in self.edits.items():
            for old, new in pairs:
                if answers[id].count(old) != 1:
                    raise ValueError(f"{self.name}: {old!r} is not in {id!r} exactly once")
                answers[id] = answers[id].replace(old, new)
        return answers | dict(self.cells)


def _dedented(block) -> list[str]:
    return [line.removeprefix(block.indent) for line in block.solution]


def load(stem: str) -> list[Variant]:
    """Return the catalogue of a lesson."""
    return runpy.run_path(str(FOLDER / f"{stem}.py"))["VARIANTS"]
