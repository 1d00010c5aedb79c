"""Points that may have been lost by the grader's doing or a platform's, not by the answer.

A notebook that ran in Colab may fail where there is no Colab. What is found here is no verdict:
somebody should look.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from autograder.lesson import Lesson
from autograder.marks.results import Result
from autograder.pages.similar import OWN_CELL
from autograder.submissions.cells import grade_id
from autograder.texts import number, plural, printable

# What stands in a cell that may not run where it is graded: what to say of it, and its looks.
SIGNS = {
    "uses google.colab": r"\bgoogle\.colab\b|\bdrive\.mount\(",
    "empties the namespace": r"^\s*%reset\b|magic\(\s*['\"]reset\b|globals\(\)\.clear\(\)",
    "holds a line for the shell or for IPython": r"^\s*(?:!|%{1,2}[a-zA-Z])",
    "shows a widget": r"\bipywidgets\b|\binteract(?:ive|_manual)?\b\s*\(|@interact\b|\bSlider\(",
}
# The errors of what is missing where it is graded.
MISSING = {
    "ModuleNotFoundError": r"No module named '([\w.]+)'",
    "ImportError": r"cannot import name .* from '([\w.]+)'",
    "FileNotFoundError": r"'([^']+)'",
}


def may_be_ours(
    result: Result, notebook: Mapping, lesson: Lesson, beside: Collection[str] = ()
) -> list[str]:
    """Return in sentences which points may have been lost by our doing; [] if none.

    `beside`: the files that were handed in with the notebook.
    """
    cells = {grade_id(cell): cell for cell in notebook["cells"]}
    lost: dict[str, float] = {}  # by the cell of the answer
    labels: dict[str, list[str]] = {}
    for exercise in lesson.tested:
        points = result.points(exercise)
        if points is not None and points < exercise.points:
            cell = exercise.answer_cell_id
            lost[cell] = lost.get(cell, 0) + exercise.points - points
            labels.setdefault(cell, []).append(exercise.label)
    if not lost:
        return []
    said = []
    for cell, points in lost.items():
        for sign in signs(cells.get(cell, {}), beside):
            what = f"{', '.join(labels[cell])} lost {plural(float(number(points)), 'point')}"
            said.append(f"May be ours: {what}, and the answer {sign}.")
    own = (cell for cell in notebook["cells"] if OWN_CELL.fullmatch(cell.get("id", "")))
    for sign in dict.fromkeys(sign for cell in own for sign in signs(cell, beside)):
        total = plural(float(number(sum(lost.values()))), "point")
        said.append(f"May be ours: {total} lost in all, and a cell of the student's own {sign}.")
    return said


def signs(cell: Mapping, beside: Collection[str]) -> Iterator[str]:
    """Yield what in a cell may not run where it is graded, as clauses that go on from "it"."""
    if cell.get("cell_type") != "code":
        return
    source = "".join(cell.get("source") or "")
    for said, pattern in SIGNS.items():
        if re.search(pattern, source, re.MULTILINE):
            yield said
            break  # %reset is a line for IPython as well
    for output in cell.get("outputs") or ():
        pattern = MISSING.get(str(output.get("ename")), "")
        match = re.search(pattern, str(output.get("evalue"))) if pattern else None
        if match:
            name = printable(match[1])[:60]
            where = f"{name.partition('.')[0]}.py"
            here = ", which was handed in beside the notebook" * (where in beside or name in beside)
            yield f"needs {name}{here or ', which is not there'}"
