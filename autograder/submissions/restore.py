"""Make a submission whole again before it is graded.

Students delete, copy, move and edit cells, and other programs drop metadata. `restore` rebuilds
the notebook around the release: every graded or locked cell is there exactly once, in order, with
the release's metadata; answers and all cells of the student's own are kept. Texts and pictures are
all that comes from the submission: no metadata, tag, id or output of it can change how it is run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from copy import deepcopy

import nbformat
from nbformat import NotebookNode

from autograder.submissions import mending, merged
from autograder.submissions.matching import (
    NOTES,
    StudentCell,
    Template,
    cells_of,
    clean_text,
    find_by_place,
    named_version,
    same_text,
    templates_of,
)

Own = dict[str | None, list[StudentCell]]


def restore(submission: NotebookNode, release: NotebookNode) -> NotebookNode:
    """Return the submission rebuilt around the release, whatever it holds.

    What had to be mended is listed in `metadata["course_notes"]`, one sentence each, behind those
    that `submissions.parse_notebook` left there.
    """
    notes = _notes_so_far(submission)
    templates = templates_of(release)
    cells = cells_of(submission, templates)
    is_other = _is_other_version(submission, release, cells, templates)
    merged.separate(cells, templates, notes)
    find_by_place(cells, templates)
    mending.join(cells, templates, notes)
    chosen = _choose(cells, templates)
    places = [cells.index(chosen[name]) for name in templates if name in chosen]
    mending.complete(cells, chosen, templates, notes)
    mending.write_in(cells, chosen, templates, notes)
    if is_other:
        notes.append(_version_note(chosen, templates))
    else:
        notes += _damages(cells, chosen, templates)
    if places != sorted(places):
        notes.append("Cells had been moved; they are back in the order of the release.")
    own = _own_cells(cells, chosen, templates, is_other)
    mending.hoist(own, chosen, templates, notes)
    whole = _assembled(own, chosen, templates, is_other)
    metadata = nbformat.from_dict({**release.metadata, NOTES: notes})
    # Put together by hand, for nbformat's functions validate each cell, which takes seconds where
    # there are many. The tests validate.
    return NotebookNode(cells=whole, metadata=metadata, nbformat=4, nbformat_minor=5)


def _notes_so_far(submission: Mapping) -> list[str]:
    metadata = submission.get("metadata")
    notes = metadata.get(NOTES) if isinstance(metadata, dict) else None
    notes = notes if isinstance(notes, list) else []
    return [clean_text(note) for note in notes if isinstance(note, str)]


def _is_other_version(
    submission: Mapping,
    release: NotebookNode,
    cells: list[StudentCell],
    templates: Mapping[str, Template],
) -> bool:
    """Whether a submission was made from another version of the release.

    The metadata say so. Where they are gone, graded cells that the release does not have say it,
    and locked cells most of which are different.
    """
    versions = named_version(submission)[1], named_version(release)[1]
    if None not in versions:
        return versions[0] != versions[1]
    if any(cell.is_foreign for cell in cells):
        return True
    locked = [
        same_text(cell.text, templates[cell.name].text)
        for cell in cells
        if cell.name is not None and templates[cell.name].is_locked
    ]
    return locked.count(False) > max(2, len(locked) / 2)


def _choose(cells: list[StudentCell], templates: Mapping[str, Template]) -> dict[str, StudentCell]:
    """Return the cell to take for each id: the first, for answers the first that is filled in."""
    chosen: dict[str, StudentCell] = {}
    for cell in cells:
        if cell.name is None:
            continue
        template = templates[cell.name]
        first = chosen.setdefault(cell.name, cell)
        if template.is_answer and template.is_stub(first.text) and not template.is_stub(cell.text):
            chosen[cell.name] = cell
    return chosen


def _version_note(chosen: Mapping[str, StudentCell], templates: Mapping[str, Template]) -> str:
    answers = [one for one in templates.values() if one.is_answer]
    lost = [one.id for one in answers if one.id not in chosen]
    found = f"{len(answers) - len(lost)} of its {len(answers)} answer cells were found"
    rest = f", but not {', '.join(lost)}" if lost else ""
    return (
        "The notebook was made from another version of this lesson. It is graded as the present "
        f"version; {found}{rest}."
    )


def _damages(
    cells: list[StudentCell],
    chosen: Mapping[str, StudentCell],
    templates: Mapping[str, Template],
) -> list[str]:
    """Return a sentence for each graded, locked or answer cell that is not as it should be."""
    notes = []
    for name, template in templates.items():
        if not template.is_marked:
            continue
        count = sum(cell.name == name for cell in cells)
        if count > 1:
            notes.append(f"The cell {name} was there {count} times; one is graded.")
        if name not in chosen:
            notes.append(f"The cell {name} was missing; it is back as released.")
            continue
        cell = chosen[name]
        if cell.kind != template.kind:
            notes.append(f"The cell {name} had been turned into another type of cell.")
        if template.is_locked and not same_text(cell.text, template.text):
            notes.append(f"The locked cell {name} had been changed; it is back as released.")
        if cell.odd_spaces and template.is_answer:
            notes.append(f"The cell {name} held spaces that Python does not read; put right.")
        if cell.lost_attachment and template.is_answer:
            notes.append(f"An attachment of the cell {name} that is no picture was left out.")
    return notes


def _own_cells(
    cells: list[StudentCell],
    chosen: Mapping[str, StudentCell],
    templates: Mapping[str, Template],
    is_other: bool,
) -> Own:
    """Return the student's own cells, each behind the cell of the release that it followed."""
    own: Own = {None: []}
    anchor = None
    for cell in cells:
        template = templates.get(cell.name)
        if template is None:
            if not (is_other and cell.is_foreign):
                own[anchor].append(cell)
        elif chosen[cell.name] is not cell:
            if _is_worth_keeping(cell, template):
                own[anchor].append(cell)
        else:
            if _is_replaced(template, is_other) and not same_text(cell.text, template.text):
                own[anchor].append(cell)
            anchor = cell.name
            own.setdefault(anchor, [])
    return own


def _is_replaced(template: Template, is_other: bool) -> bool:
    """Whether code that is given, and that a student may change, is taken from the release.

    In another version it may be what cells of the present one cannot do without.
    """
    return is_other and template.kind == "code" and not template.is_marked


def _is_worth_keeping(copy: StudentCell, template: Template) -> bool:
    """Whether a further copy of a cell is kept as a cell of the student's own.

    A copy of a locked cell adds nothing, and an unfilled copy of an answer would undo the answer.
    """
    if template.is_answer:
        return not template.is_stub(copy.text)
    return not template.is_marked


def _assembled(
    own: Own,
    chosen: Mapping[str, StudentCell],
    templates: Mapping[str, Template],
    is_other: bool,
) -> list[NotebookNode]:
    """Return the cells of the whole notebook in the order of the release."""
    whole: list[NotebookNode | StudentCell] = list(own[None])
    for name, template in templates.items():
        if name in chosen and not _is_replaced(template, is_other):
            whole.append(_known_cell(chosen[name], template))
        elif name in chosen or template.is_marked:
            whole.append(deepcopy(template.cell))
        whole += own.get(name, [])
    ids = (id for id in map("own-{}".format, itertools.count(1)) if id not in templates)
    return [_own_cell(one, next(ids)) if isinstance(one, StudentCell) else one for one in whole]


def _known_cell(cell: StudentCell, template: Template) -> NotebookNode:
    """Return the release's cell, with the student's text unless it is locked."""
    known = deepcopy(template.cell)
    if template.is_locked:
        return known
    if not (template.is_answer and template.is_stub(cell.text)):
        known.source = cell.text
    if template.kind == "markdown" and cell.attachments:
        known.attachments = nbformat.from_dict(cell.attachments)
    return known


def _own_cell(cell: StudentCell, id: str) -> NotebookNode:
    """Return a cell of the student's own, without any metadata that grading could trip over."""
    made = NotebookNode(id=id, cell_type=cell.kind, source=cell.text, metadata=NotebookNode())
    if cell.kind == "code":
        made.update(execution_count=None, outputs=[])
    if cell.kind == "markdown" and cell.attachments:
        made.attachments = nbformat.from_dict(cell.attachments)
    return made
