"""Which cell of a release each cell of a submission comes from, and whether it is the right lesson.

Programs drop metadata and give cells new ids, and students copy, retype and paste, so a cell is
known by what it holds where its id is gone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from nbformat import NotebookNode

from autograder.errors import CourseError
from autograder.lesson.markers import START_MARKER, RegionError, blocks
from autograder.submissions.pieces import Piece, defined, parts, pieces, plain_spaces

NOTES = "course_notes"  # where a notebook's metadata keep what a person should know, in sentences
MAX_SEARCHED = 300_000  # characters of a cell; all of a long lesson merged into one are fewer
MAX_PICTURE = 5_000_000  # bytes of an attached picture
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_NAME = re.compile(r"[\w.-]{1,80}")
_PICTURE_NAME = re.compile(r"[\w .()-]{1,200}")


class _Code:
    """What is found in the `text` of a cell."""

    text: str

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, without white space at their ends; none if it is too long to be searched."""
        return [line.rstrip() for line in self.text.split("\n")] if self.is_searched else []

    @cached_property
    def line_set(self) -> frozenset[str]:
        """Its different lines."""
        return frozenset(self.lines)

    @property
    def is_searched(self) -> bool:
        """Whether it is short enough to look for answers in it."""
        return len(self.text) <= MAX_SEARCHED

    @cached_property
    def pieces(self) -> list[Piece]:
        """Its statements; none if it is too long to be searched."""
        return pieces(self.text) if self.is_searched else []

    @cached_property
    def defined(self) -> set[str]:
        """The functions and classes that it defines."""
        return defined(self.pieces)

    @cached_property
    def parts(self) -> dict[str, str]:
        """The text of each of its functions, classes and methods."""
        return parts(self.pieces)


@dataclass(eq=False)
class Template(_Code):
    """A cell of the release."""

    cell: NotebookNode

    @cached_property
    def id(self) -> str:
        """The cell's id."""
        return self.cell.id

    @cached_property
    def kind(self) -> str:
        """code or markdown."""
        return self.cell.cell_type

    @cached_property
    def text(self) -> str:
        """The cell's source."""
        return self.cell.source

    @cached_property
    def marks(self) -> dict:
        """What nbgrader's metadata say."""
        return _nbgrader(self.cell)

    @cached_property
    def is_answer(self) -> bool:
        """Whether the student answers in it."""
        return bool(self.marks.get("solution"))

    @cached_property
    def is_test(self) -> bool:
        """Whether it tests an answer."""
        return bool(self.marks.get("grade")) and not self.is_answer

    @cached_property
    def is_marked(self) -> bool:
        """Whether it is graded, locked or an answer, and so must be there."""
        return any(self.marks.get(key) for key in ("grade", "locked", "solution"))

    @cached_property
    def is_locked(self) -> bool:
        """Whether the student may not change it."""
        return self.is_marked and not self.is_answer

    @cached_property
    def wanted(self) -> dict[str, str]:
        """The functions and methods in which something is to be filled in, as released."""
        found = {}
        for piece in self.pieces if self.is_answer else ():
            inside = {name: text for name, text in piece.parts.items() if START_MARKER in text}
            methods = {name: text for name, text in inside.items() if "." in name}
            found |= methods or inside
        return found

    def is_stub(self, text: str) -> bool:
        """Whether a cell with this text is as it was released, or empty."""
        return not text.strip() or same_text(text, self.text)

    def open(self, text: str) -> list[str]:
        """Return which of the wanted functions and methods are missing there or as released."""
        given = parts(pieces(text))
        return [
            name for name, stub in self.wanted.items() if same_text(given.get(name, stub), stub)
        ]


@dataclass(eq=False)
class StudentCell(_Code):
    """A cell of a submission.

    ids: the names under which it claims to be known.
    marks: what its nbgrader metadata say.
    name: the id of the release's cell that it comes from; None for one of the student's own.
    lost_attachment: whether it had an attachment that is no picture.
    odd_spaces: whether its code held spaces that Python does not read.
    """

    kind: str
    text: str
    ids: tuple[str, ...] = ()
    marks: Mapping = field(default_factory=dict)
    name: str | None = None
    attachments: dict = field(default_factory=dict)
    lost_attachment: bool = False
    odd_spaces: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether it says that it is a graded or locked cell, but of another release."""
        locked = self.marks.get("grade") or self.marks.get("locked")
        return self.name is None and bool(locked) and not self.marks.get("solution")

    def set_text(self, text: str) -> None:
        """Give the cell another text."""
        self.text = text
        for name in ("lines", "line_set", "pieces", "defined", "parts"):
            self.__dict__.pop(name, None)


def templates_of(release: NotebookNode) -> dict[str, Template]:
    """Return the cells of a release by their ids, in order."""
    return {cell.id: Template(cell) for cell in release.cells}


def cells_of(submission: Mapping, templates: Mapping[str, Template]) -> list[StudentCell]:
    """Return the cells of a submission, known by the release's ids where they come from it.

    What is known by its place only is left to `find_by_place`, when every cell is a cell again.
    """
    raw = submission.get("cells")
    raw = raw if isinstance(raw, list) else []
    cells = [_student_cell(cell) for cell in raw if isinstance(cell, dict)]
    _by_ids_and_texts(cells, templates)
    _by_definitions(cells, templates)
    _by_headings(cells, templates)
    return cells


def find_by_place(cells: list[StudentCell], templates: Mapping[str, Template]) -> None:
    """Go by the place, for answers not found in another way.

    An answer is the unknown cell of its type directly below the cell that it follows in the
    release, or directly above the one that follows it.
    """
    order = list(templates.values())
    places: dict[str, int] = {}
    for index, cell in enumerate(cells):
        if cell.name is not None:
            places.setdefault(cell.name, index)
    neighbours = [(one, two, 1) for one, two in zip(order, order[1:], strict=False)]
    neighbours += [(two, one, -1) for one, two, _ in neighbours]
    for near, answer, step in neighbours:
        if not answer.is_answer or answer.id in places or near.id not in places:
            continue
        index = places[near.id] + step
        cell = cells[index] if 0 <= index < len(cells) else None
        if cell is None or cell.name is not None or cell.kind != answer.kind:
            continue
        if not answer.defined or answer.defined & cell.defined:
            cell.name = answer.id
            places[answer.id] = index


def clean_text(source: object) -> str:
    """Return a cell's source as text: in one piece, and of letters that any file can hold."""
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return ""
    text = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode("utf-8")


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but white space at the ends of lines, and empty lines."""
    return packed(one) == packed(other)


def packed(text: str) -> str:
    """Return a text without empty lines and white space at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.split("\n") if line.strip())


def shared_cells(notebook: NotebookNode, release: NotebookNode) -> int:
    """Return how many of the release's graded, locked and answer cells the notebook holds."""
    templates = templates_of(release)
    names = {cell.name for cell in cells_of(notebook, templates)}
    return sum(template.is_marked for name, template in templates.items() if name in names)


def check_lesson(
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
    if shared > sum(template.is_marked for template in templates_of(release).values()) / 2:
        return
    releases = others()
    counts = {one: shared_cells(notebook, other) for one, other in releases.items()}
    other = max(counts, key=counts.get, default=None)
    if other is None or counts[other] <= shared:
        named = named_version(notebook)[0]
        other = named if named != stem else None
    if other is None and shared:
        return
    if other is None:
        raise CourseError(
            f"the file {name} holds no cell of this lesson: it may belong to another one"
        )
    title = f" ({heading})" if (heading := _title(releases.get(other))) else ""
    raise CourseError(
        f"the file {name} seems to be of another lesson, {other}{title}: hand in the notebook of "
        f"{stem} here"
    )


def named_version(notebook: Mapping) -> tuple[str | None, str | None]:
    """Return the lesson and the version that a notebook's metadata name, None where they do not."""
    metadata = notebook.get("metadata")
    about = metadata.get("course") if isinstance(metadata, dict) else None
    about = about if isinstance(about, dict) else {}
    lesson, version = about.get("lesson"), about.get("version")
    return _as_name(lesson), _as_name(version)


def _as_name(value: object) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _title(release: NotebookNode | None) -> str:
    """Return the first heading of a release."""
    texts = "\n".join(cell.source for cell in release.cells) if release else ""
    return next((line[2:] for line in texts.split("\n") if line.startswith("# ")), "")


def _nbgrader(cell: Mapping) -> dict:
    """Return a cell's nbgrader metadata, empty if there is none worth the name."""
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return marks if isinstance(marks, dict) else {}


def _student_cell(raw: dict) -> StudentCell:
    metadata = raw.get("metadata")
    colab_id = metadata.get("id") if isinstance(metadata, dict) else None
    claimed = (_nbgrader(raw).get("grade_id"), raw.get("id"), colab_id)
    kind = raw.get("cell_type")
    kind = kind if kind in ("code", "raw") else "markdown"
    text = clean_text(raw.get("source"))
    readable = plain_spaces(text) if kind == "code" else text
    given = raw.get("attachments")
    given = given if isinstance(given, dict) else {}
    kept = _pictures(given)
    return StudentCell(
        kind,
        readable,
        tuple(one for one in claimed if isinstance(one, str)),
        _nbgrader(raw),
        attachments=kept,
        lost_attachment=len(kept) < len(given),
        odd_spaces=readable != text,
    )


def _pictures(attachments: dict) -> dict:
    """Return the attachments that are pictures of a kind that runs nothing in a browser."""
    found: dict = {}
    for name, bundle in attachments.items():
        if not _PICTURE_NAME.fullmatch(str(name)) or not isinstance(bundle, dict):
            continue
        for kind in _PICTURES:
            data = clean_text(bundle.get(kind)).replace("\n", "")
            try:
                size = len(base64.b64decode(data, validate=True))
            except (binascii.Error, ValueError):
                continue
            if 0 < size <= MAX_PICTURE:
                found[str(name)] = {kind: data}
    return found


def _unique(pairs: Iterable[tuple]) -> dict:
    """Return a dictionary of the pairs whose key is neither empty nor shared."""
    found: dict = {}
    for key, value in pairs:
        found[key] = None if key in found else value
    return {key: value for key, value in found.items() if key and value}


def _by_ids_and_texts(cells: list[StudentCell], templates: Mapping[str, Template]) -> None:
    """Go by nbgrader's id, the cell's id (which Colab keeps in the metadata), the whole text, and
    for answers by the text around the blocks, in this order."""
    # What stands in place of a written answer stands in other lessons, too.
    texts = _unique(
        (one.text.strip(), one.id)
        for one in templates.values()
        if one.kind == "code" or not one.is_answer
    )
    frames = _unique((_frame(one.text), one.id) for one in templates.values() if one.is_answer)
    for cell in cells:
        name = next((one for one in cell.ids if one in templates), None)
        cell.name = name or texts.get(cell.text.strip()) or frames.get(_frame(cell.text))


def _by_definitions(cells: list[StudentCell], templates: Mapping[str, Template]) -> None:
    """Go by what an answer has to define, for answers not found, and against an id.

    An id may stand on a copy of its cell that was made into another answer.
    """
    answers = [one for one in templates.values() if one.is_answer and one.defined]
    for cell in cells:
        known = templates.get(cell.name)
        if known in answers and cell.defined and not cell.defined & known.defined:
            others = [one for one in answers if one.defined <= cell.defined]
            cell.name = others[0].id if len(others) == 1 else cell.name
    found = {cell.name for cell in cells}
    for answer in answers:
        if answer.id not in found:
            for cell in cells:
                is_code = cell.kind == "code" or any(one.kind for one in cell.pieces[:1])
                if cell.name is None and is_code and answer.defined <= cell.defined:
                    cell.name = answer.id


def _by_headings(cells: list[StudentCell], templates: Mapping[str, Template]) -> None:
    """Go by the first heading, for texts not found."""
    found = {cell.name for cell in cells}
    texts = [one for one in templates.values() if one.kind == "markdown"]
    headings = _unique((_heading(one.text), one.id) for one in texts)
    for cell in cells:
        if cell.name is None and cell.kind == "markdown":
            name = headings.get(_heading(cell.text))
            cell.name = name if name not in found else None


def _frame(source: str) -> tuple[str, str] | None:
    """Return the text before the first block and after the last, None if there is no such text."""
    try:
        found = blocks(source) if START_MARKER in source else []
    except RegionError:  # the student has changed a marker
        return None
    if not found:
        return None
    lines = source.split("\n")
    before, after = lines[: found[0].start], lines[found[-1].end + 1 :]
    frame = ("\n".join(before).strip(), "\n".join(after).strip())
    return frame if any(frame) else None


def _heading(text: str) -> str | None:
    return next((line.strip() for line in text.split("\n") if line.startswith("#")), None)
