"""Make a submission whole again before it is graded.

Students delete, copy, move and edit cells, and other programs drop metadata. `restore` rebuilds
the notebook around the release: every graded or locked cell is there exactly once, in order, with
the release's metadata; answers and all cells of the student's own are kept. Texts and pictures are
all that comes from the submission: no metadata, tag, id or output of it can change how it is run.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from copy import deepcopy

import nbformat
from nbformat import NotebookNode

from autograder.submissions import mending, merged
from autograder.submissions.lacking import without_needless_imports
from autograder.submissions.matching import (
    NOTES,
    StudentCell,
    Template,
    cells_of,
    find_by_place,
    named_version,
    same_text,
    templates_of,
)
from autograder.submissions.mending import Chosen, Followers
from autograder.submissions.pieces import plain_signs
from autograder.submissions.values import as_dict, as_list, clean_text


def restore(submission: NotebookNode, release: NotebookNode) -> NotebookNode:
    """Return the submission rebuilt around the release, whatever it holds.

    What had to be mended is listed in `metadata["course_notes"]`, one sentence each, behind those
    that `reading.parse_notebook` left there.
    """
    so_far = as_list(as_dict(submission.get("metadata")).get(NOTES))
    notes = [clean_text(note) for note in so_far if isinstance(note, str)]
    templates = templates_of(release)
    cells = cells_of(submission, templates)
    is_other = _is_other_version(submission, release, cells)
    merged.separate(cells, templates, notes)
    find_by_place(cells, templates)
    for cell in cells:  # not before texts that were merged with code are texts again
        readable = plain_signs(cell.text) if cell.kind == "code" else cell.text
        if readable != cell.text:
            cell.odd_signs = True
            cell.set_text(readable)
        if cell.kind == "code" and cell.origin is not None and cell.origin.is_answer:
            lean = without_needless_imports(cell.text)
            if lean != cell.text:
                cell.odd_imports = True
                cell.set_text(lean)
    mending.join(cells, notes)
    chosen = _choose(cells)
    places = [cells.index(chosen[template]) for template in templates if template in chosen]
    mending.put_into_blocks(cells, chosen, templates, notes)
    mending.complete(cells, chosen, templates, notes)
    mending.write_in(cells, chosen, templates, notes)
    if is_other:
        notes.append(_version_note(chosen, templates))
        cells = [cell for cell in cells if not cell.is_foreign]
    else:
        notes += _damages(cells, chosen, templates)
    if places != sorted(places):
        notes.append("Cells had been moved; they are back in the order of the release.")
    # Code that is given, and that a student may change: in another version it may be what cells of
    # the present one cannot do without.
    given = {cell for cell in templates if cell.kind == "code" and not cell.is_marked}
    replaced = given if is_other else set()
    followers = _own_cells(cells, chosen, replaced)
    mending.hoist(followers, chosen, templates, notes)
    whole = _assembled(followers, chosen, templates, replaced)
    metadata = nbformat.from_dict({**release.metadata, NOTES: notes})
    # Put together by hand, for nbformat's functions validate each cell, which takes seconds where
    # there are many. The tests validate.
    return NotebookNode(cells=whole, metadata=metadata, nbformat=4, nbformat_minor=5)


def _is_other_version(submission: Mapping, release: NotebookNode, cells: list[StudentCell]) -> bool:
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
        same_text(cell.text, cell.origin.text)
        for cell in cells
        if cell.origin is not None and cell.origin.is_locked
    ]
    return locked.count(False) > max(2, len(locked) / 2)


def _choose(cells: list[StudentCell]) -> Chosen:
    """Return the cell to take for each of the release's: the first, for answers the first that is
    filled in."""
    chosen: Chosen = {}
    for cell in cells:
        origin = cell.origin
        if origin is None:
            continue
        first = chosen.setdefault(origin, cell)
        if origin.is_answer and origin.is_stub(first.text) and not origin.is_stub(cell.text):
            chosen[origin] = cell
    return chosen


def _version_note(chosen: Chosen, templates: list[Template]) -> str:
    answers = [template for template in templates if template.is_answer]
    lost = [answer.id for answer in answers if answer not in chosen]
    count = f"{len(answers) - len(lost)} of its {len(answers)} answer cells were found"
    but = f", but not {', '.join(lost)}" if lost else ""
    return (
        "The notebook was made from another version of this lesson. It is graded as the present "
        f"version; {count}{but}."
    )


def _damages(cells: list[StudentCell], chosen: Chosen, templates: list[Template]) -> list[str]:
    """Return a sentence for each graded, locked or answer cell that is not as it should be."""
    notes = []
    for template in templates:
        if not template.is_marked:
            continue
        name = template.id
        count = sum(cell.origin is template for cell in cells)
        if count > 1:
            notes.append(f"The cell {name} was there {count} times; one is graded.")
        if template not in chosen:
            notes.append(f"The cell {name} was missing; it is back as released.")
            continue
        cell = chosen[template]
        if cell.kind != template.kind:
            notes.append(f"The cell {name} had been turned into another type of cell.")
        if template.is_locked and not same_text(cell.text, template.text):
            notes.append(f"The locked cell {name} had been changed; it is back as released.")
        if cell.odd_spaces and template.is_answer:
            notes.append(f"The cell {name} held spaces that Python does not read; put right.")
        if cell.odd_signs and template.is_answer:
            notes.append(f"The cell {name} held signs that are not Python's; put right.")
        if cell.odd_imports and template.is_answer:
            notes.append(f"The cell {name} imports what is neither there nor needed; left out.")
        if cell.lost_attachment and template.is_answer:
            notes.append(f"An attachment of the cell {name} that is no picture was left out.")
    return notes


def _own_cells(
    cells: list[StudentCell], chosen: Chosen, replaced: Collection[Template]
) -> Followers:
    """Return the student's own cells, each behind the cell of the release that it followed."""
    followers: Followers = {}
    anchor = None
    for cell in cells:
        if _is_kept(cell, chosen, replaced):
            followers.setdefault(anchor, []).append(cell)
        if cell.origin is not None and chosen[cell.origin] is cell:
            anchor = cell.origin
    return followers


def _is_kept(cell: StudentCell, chosen: Chosen, replaced: Collection[Template]) -> bool:
    """Whether a cell stays as one of the student's own.

    A copy of a locked cell adds nothing, and an unfilled copy of an answer would undo the answer.
    """
    origin = cell.origin
    if origin is None:
        return True
    if chosen[origin] is cell:
        return origin in replaced and not same_text(cell.text, origin.text)
    return not origin.is_stub(cell.text) if origin.is_answer else not origin.is_marked


def _assembled(
    followers: Followers, chosen: Chosen, templates: list[Template], replaced: Collection[Template]
) -> list[NotebookNode]:
    """Return the cells of the whole notebook in the order of the release."""
    taken = {template.id for template in templates}
    ids = (id for id in map("own-{}".format, itertools.count(1)) if id not in taken)
    whole = [_own_cell(cell, next(ids)) for cell in followers.get(None, [])]
    for template in templates:
        if template in chosen and template not in replaced:
            whole.append(_known_cell(chosen[template], template))
        elif template in chosen or template.is_marked:
            whole.append(deepcopy(template.cell))
        whole += [_own_cell(cell, next(ids)) for cell in followers.get(template, [])]
    return whole


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
    plain = NotebookNode(id=id, cell_type=cell.kind, source=cell.text, metadata=NotebookNode())
    if cell.kind == "code":
        plain.update(execution_count=None, outputs=[])
    if cell.kind == "markdown" and cell.attachments:
        plain.attachments = nbformat.from_dict(cell.attachments)
    return plain
