"""Make a submission whole again before it is graded.

Students delete, copy, move and edit cells, and other programs drop metadata. `restore` rebuilds
the notebook around the release: every graded or locked cell is there exactly once, in order, with
the release's metadata; answers and all cells of the student's own are kept.
"""

from __future__ import annotations

from copy import deepcopy

import nbformat
from nbformat import NotebookNode

from autograder.errors import CourseError
from autograder.lesson import START_MARKER, blocks


def restore(submission: NotebookNode, release: NotebookNode) -> NotebookNode:
    """Return the submission rebuilt around the release.

    What had to be mended is listed in `metadata["course_notes"]`, one sentence each.
    """
    notes: list[str] = []
    templates = {cell.id: cell for cell in release.cells}
    cells = [cell for cell in submission.get("cells", []) if isinstance(cell, dict)]
    names = _identify(cells, release)
    chosen = _choose(cells, names, templates, notes)
    positions = [chosen[name] for name in templates if name in chosen]
    if positions != sorted(positions):
        notes.append("Cells had been moved; they are back in the order of the release.")

    # The student's own cells stay behind the cell of the release that they followed.
    own: dict[str | None, list[NotebookNode]] = {None: []}
    anchor = None
    count = 0
    for index, (cell, name) in enumerate(zip(cells, names, strict=True)):
        if name is not None and chosen[name] == index:
            anchor = name
        elif name is None or _is_worth_keeping(cell, templates[name]):
            count += 1
            own.setdefault(anchor, []).append(_own_cell(cell, count))

    whole = list(own[None])
    for name, template in templates.items():
        if name in chosen:
            whole.append(_known_cell(cells[chosen[name]], template, notes))
        elif _is_marked(template):
            notes.append(f"The cell {name} was missing; it is back as released.")
            whole.append(deepcopy(template))
        whole.extend(own.get(name, []))

    metadata = {**deepcopy(release.metadata), "course_notes": notes}
    return nbformat.v4.new_notebook(cells=whole, metadata=metadata, nbformat_minor=5)


def _nbgrader(cell: dict) -> dict:
    """Return a cell's nbgrader metadata, empty if there is none worth the name."""
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return marks if isinstance(marks, dict) else {}


def _is_answer(template: NotebookNode) -> bool:
    return bool(_nbgrader(template).get("solution"))


def _is_marked(template: NotebookNode) -> bool:
    """Whether a cell of the release is graded, locked or an answer, and so must be there."""
    return any(_nbgrader(template).get(key) for key in ("grade", "locked", "solution"))


def _source(cell: dict) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(map(str, source or ()))


def _is_stub(cell: dict, template: NotebookNode) -> bool:
    return _source(cell).strip() in ("", template.source.strip())


def _identify(cells: list[dict], release: NotebookNode) -> list[str | None]:
    """Return for each cell the id of the release's cell it comes from, None for new cells.

    Goes by nbgrader's id, the cell's id (which Colab keeps in the metadata), the whole text, and
    for answers by the text around the blocks, in this order. An answer that is found by none of
    these is the unknown cell of its type directly below the cell that it follows in the release.
    """
    ids = {cell.id for cell in release.cells}
    texts = _unique((cell.source.strip(), cell.id) for cell in release.cells)
    frames = _unique((_frame(cell.source), cell.id) for cell in release.cells if _is_answer(cell))
    names: list[str | None] = []
    for cell in cells:
        metadata = cell.get("metadata")
        colab_id = metadata.get("id") if isinstance(metadata, dict) else None
        candidates = (_nbgrader(cell).get("grade_id"), cell.get("id"), colab_id)
        name = next((one for one in candidates if isinstance(one, str) and one in ids), None)
        name = name or texts.get(_source(cell).strip()) or frames.get(_frame(_source(cell)))
        names.append(name)
    for above, answer in zip(release.cells, release.cells[1:], strict=False):
        if _is_answer(answer) and answer.id not in names and above.id in names:
            below = names.index(above.id) + 1
            unknown = below < len(cells) and names[below] is None
            if unknown and cells[below].get("cell_type") == answer.cell_type:
                names[below] = answer.id
    return names


def _unique(pairs) -> dict:
    """Return a dictionary of the pairs whose key is neither empty nor shared."""
    found: dict = {}
    for key, value in pairs:
        found[key] = None if key in found else value
    return {key: value for key, value in found.items() if key and value}


def _frame(source: str) -> tuple[str, str] | None:
    """Return the text before the first block and after the last, None if there is no such text."""
    try:
        found = blocks(source) if START_MARKER in source else []
    except CourseError:  # the student has changed a marker
        return None
    if not found:
        return None
    lines = source.split("\n")
    before, after = lines[: found[0].start], lines[found[-1].end + 1 :]
    frame = ("\n".join(before).strip(), "\n".join(after).strip())
    return frame if any(frame) else None


def _choose(
    cells: list[dict], names: list[str | None], templates: dict[str, NotebookNode], notes: list[str]
) -> dict[str, int]:
    """Return the index of the cell to take for each id: the first, for answers the first filled."""
    copies: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if name is not None:
            copies.setdefault(name, []).append(index)
    chosen = {}
    for name, indices in copies.items():
        template = templates[name]
        filled = [index for index in indices if not _is_stub(cells[index], template)]
        chosen[name] = filled[0] if filled and _is_answer(template) else indices[0]
        if len(indices) > 1 and _is_marked(template):
            notes.append(f"The cell {name} was there {len(indices)} times; one is graded.")
    return chosen


def _is_worth_keeping(copy: dict, template: NotebookNode) -> bool:
    """Whether a further copy of a cell is kept as a cell of the student's own.

    A copy of a locked cell adds nothing, and an unfilled copy of an answer would undo the answer.
    """
    if _is_answer(template):
        return not _is_stub(copy, template)
    return not _is_marked(template)


def _known_cell(cell: dict, template: NotebookNode, notes: list[str]) -> NotebookNode:
    """Return the release's cell, with the student's text unless it is locked."""
    known = deepcopy(template)
    name = template.id
    if cell.get("cell_type") != template.cell_type and _is_marked(template):
        notes.append(f"The cell {name} had been turned into another type of cell.")
    if _is_marked(template) and not _is_answer(template):
        if _source(cell).rstrip() != template.source.rstrip():
            notes.append(f"The locked cell {name} had been changed; it is back as released.")
        return known
    if not (_is_answer(template) and _is_stub(cell, template)):
        known.source = _source(cell)
    if template.cell_type == "markdown" and isinstance(cell.get("attachments"), dict):
        known.attachments = cell["attachments"]
    return known


def _own_cell(cell: dict, number: int) -> NotebookNode:
    """Return a cell of the student's own, without any metadata that grading could trip over."""
    make = {
        "code": nbformat.v4.new_code_cell,
        "raw": nbformat.v4.new_raw_cell,
    }.get(cell.get("cell_type"), nbformat.v4.new_markdown_cell)
    made = make(_source(cell), id=f"own-{number}")
    if made.cell_type == "markdown" and isinstance(cell.get("attachments"), dict):
        made.attachments = cell["attachments"]
    return made
