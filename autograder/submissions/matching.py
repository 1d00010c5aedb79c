"""Which cell of a release each cell of a submission comes from, and whether it is the right lesson.

Programs drop metadata and give cells new ids, and students copy, retype and paste, so a cell is
known by what it holds where its id is gone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from nbformat import NotebookNode

from autograder.errors import CourseError
from autograder.lesson.markers import START_MARKER, RegionError, blocks
from autograder.submissions.cells import nbgrader_marks
from autograder.submissions.pieces import Piece, defined, parts, pieces, plain_spaces
from autograder.submissions.values import as_dict, as_list, clean_text

NOTES = "course_notes"  # where a notebook's metadata keep what a person should know, in sentences
MAX_SEARCHED = 600_000  # of a cell; all of a long lesson, pictures too, merged into one are fewer
MAX_PICTURE = 5_000_000  # bytes of an attached picture
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_NAME = re.compile(r"[\w.-]{1,80}")
_PICTURE_NAME = re.compile(r"[\w .()-]{1,200}")


class CellText:
    """The text of a cell, and what is found in it; nothing if it is too long to be searched."""

    text: str

    @cached_property
    def trimmed(self) -> str:
        """Its lines without white space at their ends, each between two line ends."""
        if len(self.text) > MAX_SEARCHED:
            return ""
        return "\n".join(["", *(line.rstrip() for line in self.text.split("\n")), ""])

    @cached_property
    def pieces(self) -> list[Piece]:
        """Its statements."""
        return pieces(self.text) if len(self.text) <= MAX_SEARCHED else []

    @cached_property
    def defined(self) -> set[str]:
        """The functions and classes that it defines."""
        return defined(self.pieces)


class Template(CellText):
    """A cell of the release, and its place there, counted from 0.

    is_answer: whether the student answers in it; is_written: in words.
    is_test: whether it tests an answer.
    is_marked: whether it is graded, locked or an answer, and so must be there.
    is_locked: whether it is one of these that the student may not change.
    """

    def __init__(self, cell: NotebookNode, place: int) -> None:
        marks = nbgrader_marks(cell)
        self.cell, self.place = cell, place
        self.id, self.kind, self.text = cell.id, cell.cell_type, cell.source
        self.is_answer = bool(marks.get("solution"))
        self.is_written = self.is_answer and self.kind == "markdown"
        self.is_test = bool(marks.get("grade")) and not self.is_answer
        self.is_marked = any(marks.get(key) for key in ("grade", "locked", "solution"))
        self.is_locked = self.is_marked and not self.is_answer

    @cached_property
    def wanted(self) -> dict[str, str]:
        """The functions and methods in which something is to be filled in, as released."""
        wanted: dict[str, str] = {}
        for piece in self.pieces if self.is_answer else ():
            inside = {name: text for name, text in piece.parts.items() if START_MARKER in text}
            methods = {name: text for name, text in inside.items() if "." in name}
            wanted |= methods or inside
        return wanted

    def is_stub(self, text: str) -> bool:
        """Whether a cell with this text is as it was released, or empty."""
        return not text.strip() or same_text(text, self.text)

    def unfilled(self, text: str) -> list[str]:
        """Return which of the wanted functions and methods are missing there or as released."""
        given = parts(pieces(text))
        return [
            name for name, stub in self.wanted.items() if same_text(given.get(name, stub), stub)
        ]


@dataclass(eq=False)
class StudentCell(CellText):
    """A cell of a submission.

    ids: the names under which it claims to be known.
    is_given: whether it says that it is a graded or locked cell, and no answer.
    origin: the cell of the release that it comes from; None for one of the student's own.
    lost_attachment: whether it had an attachment that is no picture.
    odd_spaces, odd_signs: whether its code held spaces, or signs, that Python does not read.
    odd_imports: whether it imports what is not there and not needed.
    """

    kind: str
    text: str
    ids: tuple[str, ...] = ()
    is_given: bool = False
    origin: Template | None = None
    attachments: dict = field(default_factory=dict)
    lost_attachment: bool = False
    odd_spaces: bool = False
    odd_signs: bool = False
    odd_imports: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether it says that it is a given cell, but of another release."""
        return self.origin is None and self.is_given

    def set_text(self, text: str) -> None:
        """Give the cell another text."""
        self.text = text
        for name in ("trimmed", "pieces", "defined"):
            self.__dict__.pop(name, None)


def templates_of(release: NotebookNode) -> list[Template]:
    """Return the cells of a release in order."""
    return [Template(cell, place) for place, cell in enumerate(release.cells)]


def cells_of(submission: Mapping, templates: list[Template]) -> list[StudentCell]:
    """Return the cells of a submission, known by the release's where they come from it.

    What is known by its place only is left to `find_by_place`, when every cell is a cell again.
    """
    cells = [
        _student_cell(cell) for cell in as_list(submission.get("cells")) if isinstance(cell, dict)
    ]
    _find_by_ids_and_texts(cells, templates)
    _find_by_definitions(cells, templates)
    _find_by_headings(cells, templates)
    return cells


def find_by_place(cells: list[StudentCell], templates: list[Template]) -> None:
    """Go by the place, for answers not found in another way.

    An answer is the unknown cell of its type directly below the cell that it follows in the
    release, or directly above the one that follows it.
    """
    places: dict[Template, int] = {}
    for index, cell in enumerate(cells):
        if cell.origin is not None:
            places.setdefault(cell.origin, index)
    neighbours = [(above, below, 1) for above, below in pairwise(templates)]
    neighbours += [(below, above, -1) for above, below in pairwise(templates)]
    for near, answer, step in neighbours:
        if not answer.is_answer or answer in places or near not in places:
            continue
        index = places[near] + step
        if not 0 <= index < len(cells):
            continue
        cell = cells[index]
        is_other = bool(answer.defined) and not answer.defined & cell.defined
        if cell.origin is None and cell.kind == answer.kind and not is_other:
            cell.origin = answer
            places[answer] = index


def same_text(text: str, other: str) -> bool:
    """Whether two texts differ in nothing but white space at the ends of lines, and empty lines."""
    return packed(text) == packed(other)


def packed(text: str) -> str:
    """Return a text without empty lines and white space at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.split("\n") if line.strip())


def shared_cells(notebook: NotebookNode, release: NotebookNode) -> int:
    """Return how many of the release's graded, locked and answer cells the notebook holds."""
    origins = {cell.origin for cell in cells_of(notebook, templates_of(release))}
    return sum(origin is not None and origin.is_marked for origin in origins)


def nearest_release(
    notebook: NotebookNode, releases: Mapping[str, NotebookNode]
) -> tuple[str | None, int]:
    """Return the name of the release whose cells the notebook shares most, and how many it shares.

    The first of several; None if there is no release at all.
    """
    shared = {stem: shared_cells(notebook, release) for stem, release in releases.items()}
    return max(shared.items(), key=lambda item: item[1], default=(None, 0))


def require_lesson(
    notebook: NotebookNode,
    name: str,
    stem: str,
    release: NotebookNode,
    others: Callable[[], Mapping[str, NotebookNode]] = dict,
) -> None:
    """Raise CourseError if the notebook in the file `name` is not of the lesson `stem`.

    `others` returns the releases of the course's other lessons, by which to say which one it seems
    to be of; it is only called for a notebook that lacks much of the lesson.
    """
    shared = shared_cells(notebook, release)
    if shared > sum(template.is_marked for template in templates_of(release)) / 2:
        return
    releases = others()
    other, most = nearest_release(notebook, releases)
    if most <= shared:
        named = named_version(notebook)[0]
        other = named if named != stem else None
    if other is None and shared:
        return
    if other is None:
        raise CourseError(
            f"the file {name} holds no cell of this lesson: it may belong to another one"
        )
    cells = releases[other].cells if other in releases else []
    lines = (line for cell in cells for line in cell.source.split("\n"))
    title = next((f" ({line[2:]})" for line in lines if line.startswith("# ")), "")
    raise CourseError(
        f"the file {name} seems to be of another lesson, {other}{title}: hand in the notebook of "
        f"{stem} here"
    )


def named_version(notebook: Mapping) -> tuple[str | None, str | None]:
    """Return the lesson and the version that a notebook's metadata name, None where they do not."""
    about = as_dict(as_dict(notebook.get("metadata")).get("course"))
    lesson, version = (
        value if isinstance(value, str) and _NAME.fullmatch(value) else None
        for value in (about.get("lesson"), about.get("version"))
    )
    return lesson, version


def _student_cell(raw: dict) -> StudentCell:
    marks = nbgrader_marks(raw)
    claimed = (marks.get("grade_id"), raw.get("id"), as_dict(raw.get("metadata")).get("id"))
    kind = raw.get("cell_type")
    kind = kind if kind in ("code", "raw") else "markdown"
    text = clean_text(raw.get("source"))
    readable = plain_spaces(text) if kind == "code" else text
    attachments = as_dict(raw.get("attachments"))
    pictures = _pictures(attachments)
    return StudentCell(
        kind,
        readable,
        tuple(id for id in claimed if isinstance(id, str)),
        bool(marks.get("grade") or marks.get("locked")) and not marks.get("solution"),
        attachments=pictures,
        lost_attachment=len(pictures) < len(attachments),
        odd_spaces=readable != text,
    )


def _pictures(attachments: dict) -> dict[str, dict[str, str]]:
    """Return the attachments that are pictures of a kind that runs nothing in a browser."""
    pictures = {}
    for name, bundle in attachments.items():
        if not _PICTURE_NAME.fullmatch(name):
            continue
        for kind in _PICTURES:
            data = clean_text(as_dict(bundle).get(kind)).replace("\n", "")
            try:
                size = len(base64.b64decode(data, validate=True))
            except (binascii.Error, ValueError):
                continue
            if 0 < size <= MAX_PICTURE:
                pictures[name] = {kind: data}
    return pictures


def _by_key(
    templates: Iterable[Template], key: Callable[[str], Hashable]
) -> dict[Hashable, Template]:
    """Return cells of the release by a key of their text that is neither empty nor shared."""
    keyed = [(key(template.text), template) for template in templates]
    counts = Counter(key for key, _ in keyed)
    return {key: template for key, template in keyed if key and counts[key] == 1}


def _find_by_ids_and_texts(cells: list[StudentCell], templates: list[Template]) -> None:
    """Go by nbgrader's id, the cell's id (which Colab keeps in the metadata), the whole text, and
    for answers by the text around the blocks, in this order."""
    by_id = {template.id: template for template in templates}
    # What stands in place of a written answer stands in other lessons, too.
    by_text = _by_key((template for template in templates if not template.is_written), str.strip)
    by_frame = _by_key((template for template in templates if template.is_answer), _frame)
    for cell in cells:
        known = next((by_id[id] for id in cell.ids if id in by_id), None)
        cell.origin = known or by_text.get(cell.text.strip()) or by_frame.get(_frame(cell.text))


def _find_by_definitions(cells: list[StudentCell], templates: list[Template]) -> None:
    """Go by what an answer has to define, for answers not found, and against an id.

    An id may stand on a copy of its cell that was made into another answer.
    """
    answers = [template for template in templates if template.is_answer and template.defined]
    for cell in cells:
        known = cell.origin
        if known in answers and cell.defined and not cell.defined & known.defined:
            others = [answer for answer in answers if answer.defined <= cell.defined]
            cell.origin = others[0] if len(others) == 1 else known
    present = {cell.origin for cell in cells}
    for answer in answers:
        if answer not in present:
            for cell in cells:
                is_code = cell.kind == "code" or any(piece.kind for piece in cell.pieces[:1])
                if cell.origin is None and is_code and answer.defined <= cell.defined:
                    cell.origin = answer


def _find_by_headings(cells: list[StudentCell], templates: list[Template]) -> None:
    """Go by the first heading, for texts not found that begin with one.

    What stands above a heading may be an answer that was joined with the next question.
    """
    present = {cell.origin for cell in cells}
    texts = (template for template in templates if template.kind == "markdown")
    headings = _by_key(texts, _heading)
    for cell in cells:
        if cell.origin is None and cell.kind == "markdown" and cell.text.lstrip().startswith("#"):
            known = headings.get(_heading(cell.text))
            cell.origin = known if known not in present else None


def _frame(source: str) -> tuple[str, str] | None:
    """Return the text before the first block and after the last, None if there is no such text."""
    try:
        marked = blocks(source) if START_MARKER in source else []
    except RegionError:  # the student has changed a marker
        return None
    if not marked:
        return None
    lines = source.split("\n")
    before, after = lines[: marked[0].start], lines[marked[-1].end + 1 :]
    frame = ("\n".join(before).strip(), "\n".join(after).strip())
    return frame if any(frame) else None


def _heading(text: str) -> str | None:
    return next((line.strip() for line in text.split("\n") if line.startswith("#")), None)
