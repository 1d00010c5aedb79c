"""Take apart cells that were merged into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from autograder.submissions.matching import StudentCell, Template

# Nobody writes so many characters of code in the same way by chance.
DISTINCTIVE = 60


class Span(NamedTuple):
    """The lines of a cell from `start` on and before `end`, and the release's cell they are of."""

    start: int
    end: int
    origin: Template | None


def separate(cells: list[StudentCell], templates: list[Template], notes: list[str]) -> None:
    """Give each missing cell of the release that stands in another one a cell of its own again."""
    present = {cell.origin for cell in cells}
    missing = [template for template in templates if template not in present]
    if not missing:
        return
    counts = Counter(template.text.strip() for template in templates)
    for cell in list(cells):
        given = [] if cell.origin is None or cell.origin.is_answer else [cell.origin]
        spans = _spans(cell, missing + given, counts)
        if not spans:
            continue
        parts = _parts(cell, spans, missing)
        index = cells.index(cell)
        cells[index : index + 1] = parts
        origins = [part.origin for part in parts if part.origin is not None]
        missing = [template for template in missing if template not in origins]
        names = [template.id for template in origins if template.is_marked]
        if len(parts) > 1 and names:
            notes.append(f"Cells had been merged; taken apart again: {', '.join(names)}.")


def _spans(cell: StudentCell, wanted: Iterable[Template], counts: Counter[str]) -> list[Span]:
    """Return in order where the wanted cells of the release stand in a cell.

    Where two overlap, the one that is wanted first counts. `counts` says how many cells of the
    release have a text.
    """
    spans: list[Span] = []
    for template in wanted:
        place = None
        if template.is_answer and template.kind == "code":
            place = _find_definitions(cell, template)
        # A text that several cells share may be any of them.
        elif counts[template.text.strip()] == 1 and _is_distinctive(template):
            place = find_lines(cell, template)
        if place and all(span.end <= place[0] or place[1] <= span.start for span in spans):
            spans.append(Span(*place, template))
    return sorted(spans, key=lambda span: span.start)


def _is_distinctive(template: Template) -> bool:
    """Whether a cell is known by its text: a short line of code may stand anywhere."""
    text = template.text
    is_long = text.count("\n") > 1 or len(text.strip()) >= DISTINCTIVE
    return template.is_marked or template.kind != "code" or is_long


def _find_definitions(cell: StudentCell, answer: Template) -> tuple[int, int] | None:
    """Return the lines of the definitions that an answer has to have, if the cell has them."""
    if not answer.defined or not answer.defined <= cell.defined:
        return None
    defining = [piece for piece in cell.pieces if piece.names & answer.defined]
    return defining[0].start, defining[-1].end


def find_lines(cell: StudentCell, template: Template) -> tuple[int, int] | None:
    """Return where a cell holds the lines of a release's cell: first line, and the line behind."""
    block = template.trimmed
    place = cell.trimmed.find(block) if block.strip() else -1
    if place < 0:
        return None
    start = cell.trimmed.count("\n", 0, place)
    return start, start + block.count("\n") - 1


def _parts(cell: StudentCell, spans: list[Span], missing: list[Template]) -> list[StudentCell]:
    """Return what a merged cell is made of: a cell for each origin of its spans and gaps."""
    lines = cell.text.split("\n")
    edges = [Span(0, 0, None), *spans, Span(len(lines), len(lines), None)]
    texts: dict[Template | None, list[str]] = {}
    for above, below in pairwise(edges):
        text = "\n".join(lines[above.end : below.start]).strip()
        owner = _owner(text, above.origin, below.origin, cell.origin, missing)
        for start, end, origin in (Span(above.end, below.start, owner), below):
            if any(line.strip() for line in lines[start:end]):
                texts.setdefault(origin, []).extend(lines[start:end])
    if cell.origin is not None:
        texts.setdefault(cell.origin, [])
    parts = []
    for origin, block in texts.items():
        part = cell
        if origin is not None and origin is not cell.origin:
            part = StudentCell(origin.kind, "", origin=origin)
        part.set_text("\n".join(block).strip("\n"))
        parts.append(part)
    return parts


def _owner(
    gap: str,
    above: Template | None,
    below: Template | None,
    whole: Template | None,
    missing: list[Template],
) -> Template | None:
    """Return the cell of the release to which the text of a gap between two others belongs.

    It may be a given cell or a written answer that is missing there, or go on with the answer
    above it. Anything else stays in the cell that holds it all, whose origin is `whole`.
    """
    beside = None
    if above is not None:
        beside = above.place + 1
    elif below is not None and whole in (None, below):
        beside = below.place - 1
    owners = [
        template
        for template in missing
        if above is not None and below is not None and above.place < template.place < below.place
        if template.text.strip() == gap
    ]
    owners += [template for template in missing if template.is_written and template.place == beside]
    default = above if above is not None and above.is_answer else whole
    return next(iter(owners), default)
