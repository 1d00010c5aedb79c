"""Find answers that are not where the release has a place for them.

Each function takes the cells of a submission, as `matching.cells_of` gives them, and changes them
so that every answer stands in one cell of its own; `chosen` is the cell that counts for each one of
the release. What was done is added to `notes`, one sentence each.
"""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from autograder.lesson.markers import END_MARKER, START_MARKER, RegionError, blocks, fill_blocks
from autograder.submissions.matching import StudentCell, Template, packed, same_text
from autograder.submissions.merged import find_lines
from autograder.submissions.pieces import Piece, code_only, pieces, words

Chosen = dict[Template, StudentCell]
Followers = dict[Template | None, list[StudentCell]]
"""The student's own cells by the cell of the release that they follow."""
_CALLED = re.compile(r"(?<![\w.])(\w+)\s*[.(]")  # f(…), and m in m.f(…)


def join(cells: list[StudentCell], notes: list[str]) -> None:
    """Join answers that were split in the middle of a function or class."""
    index = 1
    while index < len(cells):
        above, below = cells[index - 1], cells[index]
        joined = f"{above.text.rstrip()}\n{below.text}"
        answer = _split_answer(above, below, joined)
        if answer is None:
            index += 1
            continue
        above.set_text(joined)
        above.origin = answer
        del cells[index]
        notes.append(f"The cell {answer.id} had been split; its parts are joined.")


def _split_answer(above: StudentCell, below: StudentCell, joined: str) -> Template | None:
    """Return the answer that both cells are parts of, None if there is none."""
    origins = {above.origin, below.origin} - {None}
    answer = origins.pop() if len(origins) == 1 else None
    if answer is None or not answer.is_answer or {above.kind, below.kind} != {"code"}:
        return None
    first = next((line for line in below.text.split("\n") if line.strip()), "")
    if not first.startswith((" ", "\t")):
        return None
    if above.origin is None and not above.defined & answer.defined:
        return None
    is_split = not _has_end(above.text, answer) and _has_end(joined, answer)
    return answer if is_split else None


def _has_end(text: str, answer: Template) -> bool:
    """Whether what stands below the last block of an answer's cell stands in a text."""
    head, _, tail = answer.text.rpartition(END_MARKER)
    if tail.strip():
        return f"\n{packed(tail)}\n" in f"\n{packed(text)}\n"
    return text.count(END_MARKER) > head.count(END_MARKER)


def complete(
    cells: list[StudentCell], chosen: Chosen, templates: list[Template], notes: list[str]
) -> None:
    """Bring what an answer's cell lacks from the cells in which it stands.

    Only functions, classes and methods are brought that are missing in the answer's cell or still
    as released there. A cell of the student's own of which nothing is left is taken away.
    """
    used: defaultdict[StudentCell, set[int]] = defaultdict(set)
    for answer in templates:
        main = chosen.get(answer)
        text = answer.text if main is None or answer.is_stub(main.text) else main.text
        whole = text
        for cell, piece in _elsewhere(answer, text, cells, chosen, templates):
            is_above = main is not None and cells.index(cell) < cells.index(main)
            longer = _with_piece(answer, whole, piece, is_above)
            if longer is not None:
                whole = longer
                used[cell].add(piece.start)
        if whole != text:
            chosen.setdefault(answer, StudentCell("code", "", origin=answer)).set_text(whole)
            notes.append(f"The answer {answer.id}, or a part of it, was taken from another cell.")
    for cell, starts in used.items():
        left = [piece for piece in cell.pieces if piece.start not in starts]
        is_chosen = cell.origin is not None and chosen.get(cell.origin) is cell
        if not is_chosen and not any(code_only(piece.text).strip() for piece in left):
            cells.remove(cell)


def _elsewhere(
    answer: Template, text: str, cells: list[StudentCell], chosen: Chosen, templates: list[Template]
) -> list[tuple[StudentCell, Piece]]:
    """Return the statements in other cells that define what the text of an answer's cell lacks.

    As the student's own notebook has it when it is run, the last definition before the answer is
    tested counts, or else the first one after.
    """
    missing = answer.unfilled(text) if answer.wanted else []
    tests = (test for test in templates[answer.place :] if test.is_test and test in chosen)
    test = next(tests, None)
    limit = cells.index(chosen[test]) if test is not None else len(cells)
    sources = [cell for cell in cells if _may_hold(cell, answer, chosen)] if missing else []
    needed: list[tuple[StudentCell, Piece]] = []
    for name in missing:
        defining = [
            (cell, piece)
            for cell in sources
            for piece in cell.pieces
            if name in piece.parts and not same_text(piece.parts[name], answer.wanted[name])
        ]
        before = [(cell, piece) for cell, piece in defining if cells.index(cell) < limit]
        for cell, piece in before[-1:] or defining[:1]:
            for statement in (*_helpers_of(piece, cell), piece):
                if (cell, statement) not in needed:
                    needed.append((cell, statement))
    return needed


def _may_hold(cell: StudentCell, answer: Template, chosen: Chosen) -> bool:
    """Whether a part of an answer may be looked for in a cell that is not the answer's own.

    Not in a cell that is as it was released, unless it is a copy of the answer's.
    """
    if cell.kind != "code" or cell is chosen.get(answer):
        return False
    is_given = cell.origin is not None and same_text(cell.text, cell.origin.text)
    return cell.origin is answer or not is_given


def _helpers_of(piece: Piece, cell: StudentCell) -> list[Piece]:
    """Return the functions of a cell that `A.method = function` puts into a class."""
    if piece.kind != "assignment":
        return []
    names = words(piece.text)
    return [other for other in cell.pieces if other.kind == "function" and other.names & names]


def _with_piece(answer: Template, text: str, piece: Piece, is_above: bool) -> str | None:
    """Return an answer's text with a statement from another cell, which may stand above it.

    None if something that is filled in there would be lost.
    """
    defined = [old for old in pieces(text) if old.names & piece.names and not old.reopens]
    if piece.reopens or not defined:
        is_first = is_above and not piece.reopens
        return "\n\n\n".join([piece.text, text] if is_first else [text, piece.text])
    old = defined[-1]
    for name, stub in answer.wanted.items():
        is_filled = not same_text(old.parts.get(name, stub), stub)
        if is_filled and name not in piece.parts:
            return None
    lines = text.split("\n")
    lines[old.start : old.end] = [piece.text, "", ""]
    return "\n".join(lines).rstrip()


def put_into_blocks(
    cells: list[StudentCell], chosen: Chosen, templates: list[Template], notes: list[str]
) -> None:
    """Put what stands alone in a cell below an answer into the block that it is the body of.

    That is a block which is still as released, and whose names the cell gives values to.
    """
    for answer in templates:
        main = chosen.get(answer)
        if main is None or not answer.is_answer or START_MARKER not in main.text:
            continue
        for cell in list(_own_cells_below(main, cells)):
            filled = _with_body(answer, main.text, cell)
            if filled is not None:
                main.set_text(filled)
                cells.remove(cell)
                notes.append(
                    f"A block of {answer.id} stood alone in a cell below; it is filled in."
                )


def _own_cells_below(main: StudentCell, cells: list[StudentCell]) -> Iterator[StudentCell]:
    """Yield the student's own code cells directly below a cell."""
    for cell in cells[cells.index(main) + 1 :]:
        if cell.origin is not None and cell.origin.kind == "code":
            return
        if cell.origin is None and cell.kind == "code":
            yield cell


def _with_body(answer: Template, text: str, cell: StudentCell) -> str | None:
    """Return an answer's text with a cell's in the one open block of it that the cell fills."""
    try:
        given, released = blocks(text), blocks(answer.text)
    except RegionError:  # the student has changed a marker
        return None
    flat = "\n".join(line.strip() for line in cell.text.split("\n"))  # also in loops and the like
    bound = _names(piece for piece in pieces(flat) if piece.kind == "assignment")
    if len(given) != len(released) or not bound:
        return None
    is_open = [block.solution == stub.solution for block, stub in zip(given, released, strict=True)]
    fitting = [
        index
        for index, stub in enumerate(released)
        if is_open[index] and (wanted := _assigned(stub.solution)) and wanted <= bound
    ]
    if len(fitting) != 1:
        return None
    bodies = [textwrap.dedent("\n".join(block.solution)) for block in given]
    bodies[fitting[0]] = textwrap.dedent(cell.text).strip("\n")
    return fill_blocks(text, bodies)


def _assigned(stub: Iterable[str]) -> set[str]:
    """Return the names to which the lines of a stub give `...`."""
    pairs = (line.partition("=") for line in stub)
    return {name.strip() for name, _, value in pairs if value.strip() == "..."}


def write_in(
    cells: list[StudentCell], chosen: Chosen, templates: list[Template], notes: list[str]
) -> None:
    """Put written answers into their cells that stand in or below the question's text.

    Only where the answer's cell is missing, empty or as released.
    """
    for question, answer in pairwise(templates):
        main = chosen.get(answer)
        if not answer.is_written or (main is not None and not answer.is_stub(main.text)):
            continue
        written = _written_beside(question, main, cells, chosen)
        if not written:
            continue
        main = chosen.setdefault(answer, StudentCell("markdown", "", origin=answer))
        main.kind = "markdown"
        main.set_text("\n\n".join(text.strip() for _, text in written))
        for cell, _ in written:
            main.attachments |= cell.attachments
            if cell.origin is None:
                cells.remove(cell)
            else:
                cell.set_text(question.text)
        notes.append(f"The answer {answer.id} stood beside its cell; it was taken from there.")


def _written_beside(
    question: Template, main: StudentCell | None, cells: list[StudentCell], chosen: Chosen
) -> list[tuple[StudentCell, str]]:
    """Return what stands in the question's cell beside its text, and in own cells below it."""
    written = []
    asked = chosen.get(question)
    if asked is not None and not question.is_marked and question.kind == "markdown":
        place = find_lines(asked, question)
        if place is not None:
            lines = asked.text.split("\n")
            written.append((asked, "\n".join([*lines[: place[0]], *lines[place[1] :]])))
    start = next((cell for cell in (asked, main) if cell in cells), None)
    for cell in cells[cells.index(start) + 1 :] if start is not None else ():
        if cell is main:
            continue
        if cell.origin is not None:
            break
        written.append((cell, cell.text if cell.kind != "code" else _only_comments(cell.text)))
    return [(cell, text) for cell, text in written if text.strip()]


def _only_comments(text: str) -> str:
    """Return the text of a code cell that holds nothing but comments, empty if it holds more."""
    lines = [line.strip() for line in text.split("\n")]
    if not all(line.startswith("#") for line in lines if line):
        return ""
    return "\n".join(line.lstrip("#").strip() for line in lines)


def hoist(
    followers: Followers, chosen: Chosen, templates: list[Template], notes: list[str]
) -> None:
    """Bring a student's functions and imports that stand below the tests of the answer using them.

    Only a cell of nothing but functions and imports is moved: running it earlier cannot change
    anything else.
    """
    if not any(cell.kind == "code" for cells in followers.values() for cell in cells):
        return
    code = [template for template in templates if template.kind == "code"]
    known = {name for template in code for name in _names(template.pieces)}
    for answer in code:
        if not answer.is_answer or answer not in chosen:
            continue
        tests = (test.place for test in templates[answer.place :] if test.is_test)
        late = templates[next(tests, len(templates)) :]
        helpers = _helpers_behind(late, followers, known)
        waiting, moved = [chosen[answer].text], []
        while waiting:
            for called in sorted(set(_CALLED.findall(code_only(waiting.pop()))) & set(helpers)):
                anchor, cell = helpers[called]
                if cell not in moved:
                    followers[anchor].remove(cell)
                    waiting.append(cell.text)
                    moved.append(cell)
        if moved:
            above = templates[answer.place - 1] if answer.place else None
            followers.setdefault(above, []).extend(moved)
            names = sorted({name[:40] for cell in moved for name in _names(cell.pieces)})
            names = [*names[:5], "…"] if len(names) > 5 else names
            notes.append(
                f"What defines {', '.join(names)} stood below {answer.id}; it is run first."
            )


def _helpers_behind(
    late: Iterable[Template], followers: Followers, known: set[str]
) -> dict[str, tuple[Template, StudentCell]]:
    """Return the functions and imports behind the cells `late`: name → anchor, cell."""
    helpers: dict[str, tuple[Template, StudentCell]] = {}
    behind = [(anchor, cell) for anchor in late for cell in followers.get(anchor, [])]
    for anchor, cell in reversed(behind):  # the first one of a name counts
        kinds = {piece.kind for piece in cell.pieces if code_only(piece.text).strip()}
        if cell.kind == "code" and kinds <= {"function", "import"}:
            helpers |= dict.fromkeys(_names(cell.pieces) - known, (anchor, cell))
    return helpers


def _names(pieces: Iterable[Piece]) -> set[str]:
    return {name for piece in pieces for name in piece.names}
