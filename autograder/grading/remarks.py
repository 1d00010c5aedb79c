"""What a person should know about a graded submission, one sentence each.

An answer that may be right although its points are lost is named: what grading lacks, and what the
rest of the notebook has done to the lesson's names, is no mistake of the answer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from nbformat import NotebookNode

from autograder.checks.examiner import Hearing
from autograder.grading.surviving import NOT_RUN, given_up
from autograder.submissions.cells import message
from autograder.submissions.matching import NOTES

SYNTAX_ERRORS = {"SyntaxError", "IndentationError", "TabError"}
MOST_NAMES = 6
# What a notebook may ask for and grading has not: words of the error → what the cell does.
LACKING = {
    r"(?i)\b(?:cuda|nvidia|mps|xpu|hip|xla|gpu)\b": "asks for a graphics card",
    r"StdinNotImplemented|does not support input|EOF when reading": "waits for somebody's input",
    r"ModuleNotFoundError|No module named": "imports a package that grading has not",
    r"FileNotFoundError|No such file or dir|PermissionError": "needs a file that is not there",
    r"URLError|gaierror|Connection\w*Error|[Nn]ame resolution|is unreachable": "needs the network",
}


def remarks(
    executed: NotebookNode, limits: Sequence[str], heard: Sequence[tuple[NotebookNode, Hearing]]
) -> list[str]:
    """Return what a person should know.

    That is what was mended before grading (`NOTES`), cells that took too long, cells that
    are not valid Python, where and why Python itself was lost, and lost points that may be due.
    """
    found = [str(note) for note in executed.metadata.get(NOTES, [])]
    found += [text for cell, output in _errors(executed) for text in _about(cell, output)]
    if any(output.evalue.startswith(NOT_RUN) for _, output in _errors(executed)):
        found.append("Some cells were not run, because too many cells ended Python.")
    found += [f"A limit was hit: {limit}." for limit in limits if " of the cell " not in limit]
    exchanged = {name for _, hearing in heard for name in hearing.other_names if "." in name}
    if exchanged:
        found.append(
            f"The notebook exchanges what belongs to a library ({_some(exchanged)}): look at the "
            "code that does it."
        )
    return [*found, *_may_be_right(executed, heard)]


def _some(names: Iterable[str]) -> str:
    """Return the first of some names."""
    known = sorted(names)
    return ", ".join([*known[:MOST_NAMES], "…"][: len(known)])


def _errors(executed: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield cell, output


def _about(cell: NotebookNode, output: NotebookNode) -> Iterator[str]:
    """Yield a sentence about an error that a cell has stopped with, if a person needs one."""
    if output.ename in SYNTAX_ERRORS:
        yield f"The cell {cell.id} is not valid Python: {message(output)}."
    elif (sentence := given_up(cell.id, output)) is not None:
        yield sentence


def _may_be_right(
    executed: NotebookNode, heard: Sequence[tuple[NotebookNode, Hearing]]
) -> Iterator[str]:
    """Yield a sentence for each reason for which lost points may be due all the same."""
    lost = [(cell, hearing) for cell, hearing in heard if hearing.points_lost]
    if not lost:
        return
    names = {name for _, hearing in lost for name in hearing.other_names if "." not in name}
    if names:
        yield (
            "Names of the lesson were gone or had another meaning where points were lost "
            f"({_some(names)}): see whether the answers are right."
        )
    held = [cell.id for cell, hearing in lost if hearing.holds_elsewhere]
    if held:
        yield (
            "Checks stop in this notebook although the answer holds among the lesson's own "
            f"definitions ({', '.join(held)}): see whether the answers are right."
        )
    tests = [cell for cell, _ in lost]
    last = max(map(executed.cells.index, tests))
    for cell in executed.cells[: last + 1]:
        outputs = cell.get("outputs", [])
        said = [f"{out.ename}: {out.evalue}" for out in outputs if out.output_type == "error"]
        if cell in tests:
            said += [out.text for out in outputs if out.output_type == "stream"]
        for pattern, does in LACKING.items():
            if any(re.search(pattern, text) for text in said):
                yield f"The cell {cell.id} {does}: see whether an answer is right that lost points."
