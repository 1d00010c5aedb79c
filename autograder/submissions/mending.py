"""Find answers that are not where the release has a place for them.

Each function takes the cells of a submission, as `matching.cells_of` gives them, and changes them
so that every answer stands in one cell of its own. What was done is added to `notes`, one sentence
each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from autograder.lesson.markers import END_MARKER
from autograder.submissions.matching import StudentCell, Template, packed, same_text
from autograder.submissions.merged import find_lines
from autograder.submissions.pieces import Piece, code_only, words

Templates = Mapping[str, Template]
_CALLED = re.compile(r"(?<![\w.])(\w+)\s*[.(]")  # f(…), and m in m.f(…)


def join(cells: list[StudentCell], templates: Templates, notes: list[str]) -> None:
    """Join answers that were split in the middle of a function or class."""
    index = 1
    while index < len(cells):
        above, below = cells[index - 1], cells[index]
        name = _split(above, below, templates)
        if name is None:
            index += 1
            continue
        above.set_text(f"{above.text.rstrip()}\n{below.text}")
        above.name = name
        del cells[index]
        notes.append(f"The cell {name} had been split; its parts are joined.")


def _split(above: StudentCell, below: StudentCell, templates: Templates) -> str | None:
    """Return the answer that both cells are parts of, None if there is none."""
    names = {above.name, below.name} - {None}
    template = templates[names.pop()] if len(names) == 1 else None
    if template is None or not template.is_answer or {above.kind, below.kind} != {"code"}:
        return None
    first = next((line for line in below.text.split("\n") if line.strip()), "")
    if not first.startswith((" ", "\t")):
        return None
    if above.name is None and not above.defined & template.defined:
        return None
    joined = f"{above.text.rstrip()}\n{below.text}"
    ended = [_has_end(text, template) for text in (above.text, joined)]
    return template.id if ended == [False, True] else None


def _has_end(text: str, template: Template) -> bool:
    """Whether what stands below the last block of an answer's cell stands in a text."""
    head, _, tail = template.text.rpartition(END_MARKER)
    if tail.strip():
        return f"\n{packed(tail)}\n" in f"\n{packed(text)}\n"
    return text.count(END_MARKER) > head.count(END_MARKER)


def complete(
    cells: list[StudentCell],
    chosen: dict[str, StudentCell],
    templates: Templates,
    notes: list[str],
) -> None:
    """Bring what an answer's cell lacks from the cells in which it stands.

    Only functions, classes and methods are brought that are missing in the answer's cell or still
    as released there. A cell of the student's own of which nothing is left is taken away.
    """
    used: dict[StudentCell, set[int]] = {}
    for template in templates.values():
        if not template.is_answer or not template.wanted:
            continue
        main = chosen.get(template.id)
        text = template.text if main is None or template.is_stub(main.text) else main.text
        missing = template.open(text)
        found = _elsewhere(template, missing, main, cells, chosen, templates) if missing else []
        whole = _with_pieces(template, text, found, cells, main)
        if whole == text:
            continue
        if main is None:
            main = chosen[template.id] = StudentCell("code", "", name=template.id)
        main.set_text(whole)
        notes.append(f"The answer {template.id}, or a part of it, was taken from another cell.")
        for cell, piece in found:
            used.setdefault(cell, set()).add(piece.start)
    for cell, starts in used.items():
        rest = [one for one in cell.pieces if one.start not in starts]
        is_own = cell.name is None or chosen.get(cell.name) is not cell
        if is_own and not any(code_only(one.text).strip() for one in rest):
            cells.remove(cell)


def _elsewhere(
    template: Template,
    missing: Iterable[str],
    main: StudentCell | None,
    cells: list[StudentCell],
    chosen: Mapping[str, StudentCell],
    templates: Templates,
) -> list[tuple[StudentCell, Piece]]:
    """Return the statements in other cells that define what an answer's cell lacks.

    As the student's own notebook has it when it is run, the last definition before the answer is
    tested counts, or else the first one after.
    """
    limit = _place_of_test(template, cells, chosen, templates)
    sources = [
        (index, cell)
        for index, cell in enumerate(cells)
        if cell is not main and _may_hold(cell, template, templates)
    ]
    found: list[tuple[StudentCell, Piece]] = []
    for name in missing:
        places = [
            (index, cell, piece)
            for index, cell in sources
            for piece in cell.pieces
            if name in piece.parts and not same_text(piece.parts[name], template.wanted[name])
        ]
        before = [one for one in places if one[0] < limit]
        for _, cell, piece in before[-1:] or places[:1]:
            for one in (*_needed(cell, piece), piece):
                if (cell, one) not in found:
                    found.append((cell, one))
    return found


def _place_of_test(
    template: Template,
    cells: list[StudentCell],
    chosen: Mapping[str, StudentCell],
    templates: Templates,
) -> int:
    order = list(templates.values())
    for test in order[order.index(template) :]:
        if test.is_test and test.id in chosen:
            return cells.index(chosen[test.id])
    return len(cells)


def _may_hold(cell: StudentCell, template: Template, templates: Templates) -> bool:
    """Whether a part of an answer may be looked for in a cell that is not the answer's own.

    Not in a cell that is as it was released, unless it is a copy of the answer's.
    """
    known = templates.get(cell.name)
    if cell.kind != "code" or known is None or known is template:
        return cell.kind == "code"
    return not same_text(cell.text, known.text)


def _needed(cell: StudentCell, piece: Piece) -> list[Piece]:
    """Return the functions of a cell that `A.method = function` puts into a class."""
    if piece.kind != "assignment":
        return []
    names = words(piece.text)
    return [one for one in cell.pieces if one.kind == "function" and one.names & names]


def _with_pieces(
    template: Template,
    text: str,
    found: list[tuple[StudentCell, Piece]],
    cells: list[StudentCell],
    main: StudentCell | None,
) -> str:
    """Return an answer's text with statements from other cells in it; those are left in `found`."""
    place = cells.index(main) if main in cells else -1
    for cell, piece in list(found):
        current = StudentCell("code", text)
        old = [one for one in current.pieces if one.names & piece.names and not one.reopens]
        if piece.reopens or not old:
            before = not piece.reopens and cells.index(cell) < place
            text = "\n\n\n".join([piece.text, text] if before else [text, piece.text])
        elif _covers(piece, old[-1], template):
            lines = text.split("\n")
            lines[old[-1].start : old[-1].end] = [piece.text, "", ""]
            text = "\n".join(lines).rstrip()
        else:
            found.remove((cell, piece))
    return text


def _covers(piece: Piece, old: Piece, template: Template) -> bool:
    """Whether a definition may take the place of another without the loss of an answer."""
    filled = {
        name
        for name, stub in template.wanted.items()
        if name in old.parts and not same_text(old.parts[name], stub)
    }
    return filled <= set(piece.parts)


def write_in(
    cells: list[StudentCell],
    chosen: dict[str, StudentCell],
    templates: Templates,
    notes: list[str],
) -> None:
    """Put written answers into their cells that stand in or below the question's text.

    Only where the answer's cell is missing, empty or as released.
    """
    order = list(templates.values())
    for question, answer in zip(order, order[1:], strict=False):
        if not answer.is_answer or answer.kind != "markdown":
            continue
        main = chosen.get(answer.id)
        if main is not None and not answer.is_stub(main.text):
            continue
        written = _written_beside(question, main, cells, chosen)
        if not written:
            continue
        if main is None:
            main = chosen[answer.id] = StudentCell("markdown", "", name=answer.id)
        main.kind = "markdown"
        main.set_text("\n\n".join(text.strip() for _, text in written))
        for cell, _ in written:
            main.attachments |= cell.attachments
            if cell.name is None:
                cells.remove(cell)
            else:
                cell.set_text(question.text)
        notes.append(f"The answer {answer.id} stood beside its cell; it was taken from there.")


def _written_beside(
    question: Template,
    main: StudentCell | None,
    cells: list[StudentCell],
    chosen: Mapping[str, StudentCell],
) -> list[tuple[StudentCell, str]]:
    """Return what stands in the question's cell behind its text, and in own cells below it."""
    found = []
    asked = chosen.get(question.id)
    if asked is not None and not question.is_marked and question.kind == "markdown":
        place = find_lines(asked, question)
        if place is not None:
            lines = asked.text.split("\n")
            found.append((asked, "\n".join([*lines[: place[0]], *lines[place[1] :]])))
    start = next((one for one in (asked, main) if one in cells), None)
    for cell in cells[cells.index(start) + 1 :] if start is not None else ():
        if cell is main:
            continue
        if cell.name is not None:
            break
        text = cell.text if cell.kind != "code" else _only_comments(cell.text)
        found.append((cell, text))
    return [(cell, text) for cell, text in found if text.strip()]


def _only_comments(text: str) -> str:
    """Return the text of a code cell that holds nothing but comments, empty if it holds more."""
    lines = [line.strip() for line in text.split("\n")]
    if not all(line.startswith("#") for line in lines if line):
        return ""
    return "\n".join(line.lstrip("#").strip() for line in lines)


def hoist(
    own: dict[str | None, list[StudentCell]],
    chosen: Mapping[str, StudentCell],
    templates: Templates,
    notes: list[str],
) -> None:
    """Bring a student's functions and imports that stand below the tests of the answer using them.

    `own` holds the student's own cells by the cell of the release that they follow. Only a cell of
    nothing but functions and imports is moved: running it earlier cannot change anything else.
    """
    if not any(cell.kind == "code" for cells in own.values() for cell in cells):
        return
    order = list(templates)
    code = [one for one in templates.values() if one.kind == "code"]
    known = {name for one in code for name in _names(one.pieces)}
    for place, name in enumerate(order):
        if templates[name] not in code or not templates[name].is_answer or name not in chosen:
            continue
        tests = (n for n in range(place, len(order)) if templates[order[n]].is_test)
        late = order[next(tests, len(order)) :]
        helpers = _helpers(own, late, known)
        waiting, moved = [chosen[name].text], []
        while waiting:
            for called in sorted(set(_CALLED.findall(code_only(waiting.pop()))) & set(helpers)):
                anchor, cell = helpers[called]
                if cell not in moved:
                    own[anchor].remove(cell)
                    waiting.append(cell.text)
                    moved.append(cell)
        if moved:
            own.setdefault(order[place - 1] if place else None, []).extend(moved)
            names = sorted({one[:40] for cell in moved for one in _names(cell.pieces)})
            names = [*names[:5], "…"] if len(names) > 5 else names
            notes.append(f"What defines {', '.join(names)} stood below {name}; it is run first.")


def _helpers(
    own: Mapping[str | None, list[StudentCell]], late: Iterable[str], known: set[str]
) -> dict[str, tuple[str, StudentCell]]:
    """Return the functions and imports behind the cells `late`: name → anchor, cell."""
    found: dict[str, tuple[str, StudentCell]] = {}
    for anchor in late:
        for cell in own.get(anchor, []):
            if _only_functions(cell):
                for name in _names(cell.pieces) - known:
                    found.setdefault(name, (anchor, cell))
    return found


def _names(pieces: Iterable[Piece]) -> set[str]:
    return {name for piece in pieces for name in piece.names}


def _only_functions(cell: StudentCell) -> bool:
    code = [one for one in cell.pieces if code_only(one.text).strip()]
    return cell.kind == "code" and all(one.kind in ("function", "import") for one in code)
