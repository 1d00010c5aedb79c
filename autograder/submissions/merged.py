"""Take apart cells that were merged into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from autograder.submissions.matching import StudentCell, Template

# Nobody writes so many characters of code in the same way by chance.
DISTINCTIVE = 60

# The lines of a cell that belong to a cell of the release: first line, line behind, and its id.
Place = tuple[int, int, str]


def separate(cells: list[StudentCell], templates: Mapping[str, Template], notes: list[str]) -> None:
    """Give each missing cell of the release that stands in another one a cell of its own again."""
    found = {cell.name for cell in cells}
    missing = {name: one for name, one in templates.items() if name not in found}
    texts = Counter(one.text.strip() for one in templates.values())
    for cell in list(cells) if missing else ():
        places = _places(cell, missing.values(), texts)
        if cell.name is not None and not templates[cell.name].is_answer:
            places += _places(cell, [templates[cell.name]], texts, places)
        parts = _parts(cell, sorted(places), missing, templates) if places else [cell]
        if parts == [cell]:
            continue
        index = cells.index(cell)
        cells[index : index + 1] = parts
        for part in parts:
            missing.pop(part.name, None)
        names = [one.name for one in parts if one.name and templates[one.name].is_marked]
        if len(parts) > 1 and names:
            notes.append(f"Cells had been merged; taken apart again: {', '.join(names)}.")


def _places(
    cell: StudentCell,
    wanted: Iterable[Template],
    texts: Counter[str],
    taken: Iterable[Place] = (),
) -> list[Place]:
    """Return where in a cell the wanted cells of the release stand, none in the taken places."""
    found: list[Place] = []
    for template in wanted:
        place = None
        if template.is_answer and template.kind == "code":
            place = _definitions(cell, template)
        elif template.is_marked or template.kind != "code" or _is_distinctive(template.text):
            # A short line of code may stand anywhere; so may a text that several cells share.
            alone = texts[template.text.strip()] == 1
            place = find_lines(cell, template) if alone else None
        if place and all(
            last <= place[0] or place[1] <= first for first, last, _ in (*taken, *found)
        ):
            found.append((*place, template.id))
    return found


def _is_distinctive(code: str) -> bool:
    return code.count("\n") > 1 or len(code.strip()) >= DISTINCTIVE


def _definitions(cell: StudentCell, template: Template) -> tuple[int, int] | None:
    """Return the lines of the definitions that an answer has to have, if the cell has them."""
    if not template.defined or not template.defined <= cell.defined:
        return None
    own = [one for one in cell.pieces if one.names & template.defined]
    return own[0].start, own[-1].end


def find_lines(cell: StudentCell, template: Template) -> tuple[int, int] | None:
    """Return where a cell holds the lines of a release's cell: first line, and the line behind."""
    lines, block = cell.lines, template.lines
    if not template.text.strip() or not template.line_set <= cell.line_set:
        return None
    for start in range(len(lines) - len(block) + 1):
        if lines[start] == block[0] and lines[start : start + len(block)] == block:
            return start, start + len(block)
    return None


def _parts(
    cell: StudentCell,
    places: list[Place],
    missing: Mapping[str, Template],
    templates: Mapping[str, Template],
) -> list[StudentCell]:
    """Return what a merged cell is made of, what belongs to no other cell staying in the cell.

    What stands between two places may be a given cell or a written answer that is missing there, or
    belong to the answer above it.
    """
    order = list(templates)
    lines = cell.text.split("\n")
    texts: dict[str | None, list[str]] = {}

    def written(index: int) -> str | None:
        one = missing.get(order[index]) if 0 <= index < len(order) else None
        return one.id if one and one.is_answer and one.kind == "markdown" else None

    def given(first: int, last: int, above: str, below: str) -> str | None:
        text = "\n".join(lines[first:last]).strip()
        between = order[order.index(above) + 1 : order.index(below)]
        return next(
            (id for id in between if id in missing and missing[id].text.strip() == text), None
        )

    def add(name: str | None, first: int, last: int) -> None:
        if any(line.strip() for line in lines[first:last]):
            texts.setdefault(name, []).extend(lines[first:last])

    keeper, done = cell.name, 0
    if cell.name in (None, places[0][2]):
        keeper = written(order.index(places[0][2]) - 1) or cell.name
    above = None
    for first, last, name in places:
        add((above and given(done, first, above, name)) or keeper, done, first)
        add(name, first, last)
        own = name if templates[name].is_answer else cell.name
        keeper = written(order.index(name) + 1) or own
        above, done = name, last
    add(keeper, done, len(lines))
    if cell.name is not None:
        texts.setdefault(cell.name, [])
    parts = []
    for name, own in texts.items():
        part = cell if name == cell.name else StudentCell(templates[name].kind, "", name=name)
        part.set_text("\n".join(own).strip("\n"))
        parts.append(part)
    return parts
