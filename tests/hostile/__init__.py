"""The catalogue of hostile submissions: students who want marks for nothing, or harm.

Nobody of them answers anything; each must earn no point, change nothing outside of its own Python,
and stop nobody else's grading. One module per family:

- `cells`: how cells are run, and what they seem to show;
- `values`, `tensors`: answers that compare as one likes, or look up what is expected;
- `reference`: the reference solution, found and said where an answer is tried among it;
- `agent`: the code that answers the grader's questions, and the pipe to the grader;
- `kernel`: messages of the kernel, forged, malformed, in floods, or none;
- `harm`: the machine, other students, and the sandbox's walls;
- `pages`: whoever opens a feedback page, or the table;
- `files`: the notebook's JSON, and the folder it is handed in with;
- `names`: what the student's folder is called.

To add one, write a name and its code into a family's `ATTACKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hostile import agent, cells, files, harm, kernel, names, pages, reference, tensors, values
from hostile.files import Submission

TINY, TENSORS = "00_tiny", "00_tensors"
# Without asserts the visible checks pass, so that the attack meets the hidden ones.
VISIBLE = """
import ast
class Passing(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Passing())
"""
# The cells before which an attack's code stands: behind each stub, which would undo it.
PLACES = {
    TINY: ("double-test", "evens-test"),
    TENSORS: ("shift-test", "scale-test", "twice-test", "word-test"),
}


@dataclass(frozen=True)
class Attack:
    """One hostile submission.

    Args:
        family: the module it stands in.
        name: what it does; unique in the catalogue.
        lesson: the stem of the lesson it is handed in for.
        code: what cells of its own hold; "" for none.
        places: the cells before which they stand.
        change: what is done to the submission, if not by code.
        student: the folder's name; "" for any.
    """

    family: str
    name: str
    lesson: str = TINY
    code: str = ""
    places: tuple[str, ...] = ()
    change: Callable[[Submission], object] | None = None
    student: str = ""

    def hand_in(self, submission: Submission, course: object) -> None:
        """Write the submission."""
        if self.code:
            submission.insert(submission.cells[1]["id"], VISIBLE, id="visible")
        for number, place in enumerate(self.places):
            code = self.code.replace("@COURSE@", str(course))
            code = code.replace("@SECRET@", str(submission.secret))
            submission.insert(place, code, id=f"attack-{number}")
        if self.change is not None:
            self.change(submission)
        submission.write()


def _catalogue() -> list[Attack]:
    made = []
    for module in (cells, values, agent, kernel, harm, pages):
        family = module.__name__.rpartition(".")[2]
        places = PLACES[TINY][:1] if module in (harm, pages) else PLACES[TINY]
        made += [Attack(family, name, TINY, code, places) for name, code in module.ATTACKS.items()]
    for name, code in tensors.ATTACKS.items():
        made.append(Attack("tensors", name, TENSORS, code, PLACES[TENSORS]))
    for name, code in reference.ATTACKS.items():
        made.append(Attack("reference", name, TENSORS, code, PLACES[TENSORS][-1:]))
    made += [Attack("files", name, change=change) for name, change in files.ATTACKS.items()]
    for name, student in names.NAMES.items():
        made.append(Attack("names", f"a name: {name}", student=student))
    return made


CATALOGUE = _catalogue()
# Whoever only makes the visible checks pass.
UNTOUCHED = [
    Attack("none", f"no attack on {stem}", stem, "pass", places) for stem, places in PLACES.items()
]
