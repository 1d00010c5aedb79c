"""Submitted notebooks: reading one safely, and making some from a lesson for tests and the demo.

Reading is in three steps: `read_submission` finds the one file that counts and reads its bytes,
following no link and waiting for nothing; `parse_notebook` turns bytes into a notebook of sound
cells, whatever they hold; `restore.restore` takes the answers out of it.

A made submission starts from the release notebook, as a student's does: `solutions` gives what the
lesson's own solution puts into each answer cell, `fill_in` puts answers into a copy of the release,
and the functions after it do to a notebook what students have been seen to do.
"""

from __future__ import annotations

import copy
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.course import Course
from autograder.decoding import MAX_BYTES, load_json, other_kind
from autograder.errors import CourseError
from autograder.lesson import Lesson, strip_scheme, strip_stubs
from autograder.matching import NOTES, clean_text

MAX_CELLS = 2_000
MAX_TEXT = 5_000_000  # characters in all cells together, outputs left out
MAX_ENTRIES = 1_000  # files in a student's folder
BROKEN_JSON = '{"cells": [{"cell_type": "code", "source": "print(1)"'
_NOTEBOOK_NAME = re.compile(r".*\.ipynb(?:\.(?:txt|json))?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Submission:
    """A file as it was handed in: its name, its bytes, and sentences about how it was found."""

    name: str
    data: bytes
    notes: tuple[str, ...] = ()


def read_submission(folder: Path, stem: str) -> Submission:
    """Return what was handed in for a lesson, in `submitted/<student>/<lesson>`.

    That is the file `<lesson>.ipynb`, or else the only notebook in the folder. Raises CourseError
    with one sentence if there is no such file, or it cannot be read safely.
    """
    wanted = f"{stem}.ipynb"
    try:
        for place in (folder.parent, folder):
            _refuse_link(place)
        if not folder.is_dir():
            raise CourseError(f"the folder holds no folder {stem}: put {wanted} into one")
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in itertools.islice(entries, MAX_ENTRIES))
    except OSError as error:
        raise CourseError(
            f"the folder {stem} cannot be read ({error.strerror}): check its permissions"
        ) from None
    if wanted in names:
        return Submission(wanted, read_bytes(folder / wanted))
    others = [name for name in names if _NOTEBOOK_NAME.fullmatch(name) and not name.startswith(".")]
    if not others:
        hint = _instead(folder, names)
        raise CourseError(f"no notebook was handed in: {wanted} is missing{hint}")
    if len(others) > 1:
        found = ", ".join(map(shown, others[:3]))
        raise CourseError(
            f"there is no {wanted}, but {len(others)} other notebooks ({found}): keep the one that "
            f"counts, and rename it to {wanted}"
        )
    name = shown(others[0])
    note = f"The file was called {name}; it was taken for {wanted}."
    return Submission(name, read_bytes(folder / others[0]), (note,))


def read_bytes(path: Path) -> bytes:
    """Return the contents of an ordinary file that is not too large.

    No link is followed, and no pipe or device is waited for. Raises CourseError with one sentence.
    """
    name = shown(path.name)
    try:
        _refuse_link(path)
        before = path.lstat()
        if stat.S_ISDIR(before.st_mode):
            raise CourseError(f"{name} is a folder, not a notebook: hand in the file itself")
        if not stat.S_ISREG(before.st_mode):
            raise CourseError(f"{name} is not an ordinary file: hand in the notebook itself")
        # Between the look and the opening the file may have been replaced.
        flags = os.O_RDONLY
        for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # no system has all three
            flags |= getattr(os, flag, 0)
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CourseError(f"{name} is not an ordinary file: hand in the notebook itself")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CourseError(f"there is no notebook {name}: check the path") from None
    except OSError as error:
        raise CourseError(
            f"the file {name} cannot be read ({error.strerror}): check its permissions"
        ) from None
    if len(data) > MAX_BYTES:
        raise CourseError(
            f"the file {name} is larger than {MAX_BYTES // 1_000_000} MB: clear its outputs, "
            "save it, and try again"
        )
    return data


def shown(name: str) -> str:
    """Return a file's name as it can be printed and written to a file in UTF-8."""
    text = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def read_notebook(path: Path) -> NotebookNode:
    """Return the notebook at `path`, one of the course's own, as nbformat 4.

    Raises CourseError with one sentence if there is no such file or it is not a notebook.
    """
    if not path.is_file():
        raise CourseError(f"there is no notebook {path}: check the path")
    return _parse(read_bytes(path.resolve()), shown(path.name))[0]


def parse_notebook(data: bytes, name: str, notes: Iterable[str] = ()) -> NotebookNode:
    """Return the notebook in a file's bytes as nbformat 4, with cells of the right types.

    What the file says about its format is not relied on, and what no notebook has is left out.
    `metadata["course_notes"]` holds `notes` and a sentence about each thing that was unusual, never
    what the file itself has there. Raises CourseError with one sentence, calling the file `name`,
    if the bytes are no notebook.
    """
    notebook, found = _parse(data, name)
    notebook.metadata[NOTES] = [*notes, *found]
    return notebook


def _parse(data: bytes, name: str) -> tuple[NotebookNode, list[str]]:
    raw, note = load_json(data, name)
    notes = [note] if note else []
    try:
        if isinstance(raw, dict) and "cells" not in raw and "worksheets" in raw:
            raw = _from_worksheets(raw)
            notes.append("The notebook was in an old format (nbformat 3); it was converted.")
        notebook = _sound_notebook(raw, notes)
    except CourseError as error:
        raise CourseError(f"the file {name} {error}") from None
    except Exception:  # whatever a file with the wrong contents makes nbformat raise
        notebook = None
    if notebook is None:
        raise CourseError(
            f"the file {name} is not a Jupyter notebook, although its name says so: download "
            "it again (in Colab: File, Download, Download .ipynb)"
        )
    return notebook, notes


def _refuse_link(path: Path) -> None:
    """Raise CourseError if the path is a symbolic link, or a junction on Windows."""
    is_junction = getattr(path, "is_junction", lambda: False)  # from Python 3.12 on
    if path.is_symlink() or is_junction():
        raise CourseError(
            f"{shown(path.name)} is a link to another place, which is not followed: hand in the "
            "notebook itself"
        )


def _instead(folder: Path, names: list[str]) -> str:
    """Return what was handed in instead of a notebook, empty if nothing was."""
    name = next((name for name in names if not name.startswith(".")), None)
    if name is None:
        return ""
    try:
        problem = other_kind(read_bytes(folder / name)) or "is no notebook: hand in the .ipynb file"
    except CourseError as error:
        return f"; {error}"
    return f", but {shown(name)} is there, which {problem}"


def _from_worksheets(raw: dict) -> dict:
    """Return a notebook of nbformat 2 or 3 as one of nbformat 4."""
    major = 2 if raw.get("nbformat") == 2 else 3
    old = nbformat.from_dict(raw | {"nbformat": major, "nbformat_minor": 0})
    old.setdefault("metadata", NotebookNode())
    return nbformat.convert(old, 4)


def _sound_notebook(raw: object, notes: list[str]) -> NotebookNode | None:
    """Return the notebook with nothing but what nbformat 4 has; None if it is none.

    Raises CourseError, for a sentence that begins with the file, if there is too much of it.
    """
    cells = raw.get("cells") if isinstance(raw, dict) else None
    if not isinstance(cells, list):
        return None
    if len(cells) > MAX_CELLS:
        raise CourseError(f"has {len(cells)} cells: delete those that are not needed")
    sound = [_sound_cell(cell) for cell in cells if isinstance(cell, dict)]
    if cells and not sound:
        return None
    if len(sound) < len(cells):
        notes.append("Entries of the file that are no cells were left out.")
    if sum(len(cell.source) for cell in sound) > MAX_TEXT:
        raise CourseError(
            f"holds more than {MAX_TEXT // 1_000_000} MB of text in its cells: take out what was "
            "pasted there"
        )
    metadata = raw.get("metadata")
    minor = raw.get("nbformat_minor")
    return NotebookNode(
        cells=sound,
        metadata=nbformat.from_dict(metadata if isinstance(metadata, dict) else {}),
        nbformat=4,
        nbformat_minor=minor if type(minor) is int and 0 <= minor <= 5 else 5,
    )


def _sound_cell(raw: dict) -> NotebookNode:
    kinds = {"code": "code", "markdown": "markdown", "raw": "raw", "heading": "markdown"}
    named = raw.get("cell_type")
    kind = kinds.get(named) if isinstance(named, str) else None
    cell = NotebookNode(cell_type=kind or ("code" if "outputs" in raw else "markdown"))
    for key in ("metadata", "attachments"):
        if isinstance(raw.get(key), dict):
            cell[key] = nbformat.from_dict(raw[key])
    cell.setdefault("metadata", NotebookNode())
    if isinstance(raw.get("id"), str):
        cell["id"] = raw["id"]
    cell["source"] = clean_text(raw.get("source"))
    if cell.cell_type == "code":
        count = raw.get("execution_count")
        cell["execution_count"] = count if type(count) is int else None
        outputs = raw.get("outputs")
        outputs = outputs if isinstance(outputs, list) else []
        cell["outputs"] = [_joined(output) for output in outputs if isinstance(output, dict)]
    return cell


def _joined(output: dict) -> NotebookNode:
    """Return an output with its texts in one piece each; files hold them as lists of lines."""
    made = nbformat.from_dict(output)
    data = made.get("data")
    for place in (made, data if isinstance(data, dict) else {}):
        for key, value in place.items():
            lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
            if lines and key != "traceback" and not key.endswith("json"):
                place[key] = "".join(value)
    return made


def grade_id(cell: NotebookNode) -> str | None:
    """Return the nbgrader id of a cell, or None for a cell without one."""
    marks = cell.get("metadata", {}).get("nbgrader", {})
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else None


def cell_by_id(notebook: NotebookNode, name: str) -> NotebookNode | None:
    """Return the first cell with that nbgrader id, or None."""
    return next((cell for cell in notebook.cells if grade_id(cell) == name), None)


def message(error: NotebookNode) -> str:
    """Return the message of an error output, in one piece.

    A SyntaxError's ends with the line alone: IPython's name for a cell, a temporary file, says
    nothing to a reader.
    """
    return re.sub(r"\([^()]*, (line \d+)\)$", r"(\1)", error.evalue.strip())


def solutions(lesson: Lesson) -> dict[str, str]:
    """Return the lesson's own answers: cell id → what a perfect submission holds in that cell."""
    answers = {}
    for cell in lesson.cells:
        if cell.grade == "solution":
            answers[cell.id] = strip_stubs(cell.source)
        elif cell.grade == "answer":
            answers[cell.id] = strip_scheme(cell.source)
    return answers


def fill_in(
    release: NotebookNode, lesson: Lesson, answers: Mapping[str, str] | None = None
) -> NotebookNode:
    """Return a copy of the release notebook with the given answers in its answer cells.

    `answers` maps cell ids to sources; cells that it does not name keep the stub. None stands for
    all of `solutions(lesson)`. Raises KeyError for an id that the notebook does not hold.
    """
    notebook = copy.deepcopy(release)
    for name, source in (solutions(lesson) if answers is None else answers).items():
        cell = cell_by_id(notebook, name)
        if cell is None:
            raise KeyError(f"the release notebook has no cell {name!r}")
        cell.source = source
    return notebook


def without(lesson: Lesson, *names: str) -> dict[str, str]:
    """Return the lesson's answers but for the named cells, which so keep their stubs."""
    return {name: source for name, source in solutions(lesson).items() if name not in names}


def mistake(lesson: Lesson, name: str, old: str, new: str) -> dict[str, str]:
    """Return the lesson's answers with `old` replaced by `new` in one cell.

    Raises ValueError if the cell does not hold `old`, so that a test of a wrong solution cannot
    silently become a test of the right one.
    """
    answers = solutions(lesson)
    if old not in answers[name]:
        raise ValueError(f"the solution of {name!r} does not hold {old!r}")
    answers[name] = answers[name].replace(old, new)
    return answers


def put_before(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """Return a copy in which the cell `name` starts with `source`."""
    return _with_source(notebook, name, lambda old: f"{source}\n{old}")


def put_after(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """Return a copy in which the cell `name` ends with `source`."""
    return _with_source(notebook, name, lambda old: f"{old}\n{source}")


def with_syntax_error(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` ends with a line that is not Python."""
    return put_after(notebook, name, "if True print('one colon is missing')")


def with_endless_loop(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` never gets past its first lines."""
    return put_before(notebook, name, "while True:\n    pass")


def with_killed_kernel(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` ends the process that runs the notebook."""
    return put_before(notebook, name, "import os\nos._exit(1)")


def with_helper_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy with a harmless cell of the student's own before the cell `name`."""
    notebook = copy.deepcopy(notebook)
    helper = new_code_cell("def my_helper(value):\n    return value\n\n\nmy_helper(3)")
    notebook.cells.insert(_index(notebook, name), helper)
    return notebook


def with_copied_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy with the cell `name` standing twice, as by copy and paste in JupyterLab."""
    notebook = copy.deepcopy(notebook)
    index = _index(notebook, name)
    twin = copy.deepcopy(notebook.cells[index])
    # Jupyter gives the pasted cell a new id and keeps its metadata.
    twin["id"] = f"{name[:50]}-pasted"
    notebook.cells.insert(index + 1, twin)
    return notebook


def without_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy in which the cell `name` was deleted."""
    notebook = copy.deepcopy(notebook)
    del notebook.cells[_index(notebook, name)]
    return notebook


def write_submission(course: Course, student: str, stem: str, content: NotebookNode | str) -> Path:
    """Write a notebook, or the bare text of one, to where nbgrader looks for a submission."""
    path = course.submitted_notebook(student, stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else nbformat.writes(content) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _index(notebook: NotebookNode, name: str) -> int:
    ids = [grade_id(cell) for cell in notebook.cells]
    if name not in ids:
        raise KeyError(f"the notebook has no cell {name!r}")
    return ids.index(name)


def _with_source(notebook: NotebookNode, name: str, change: Callable[[str], str]) -> NotebookNode:
    notebook = copy.deepcopy(notebook)
    cell = notebook.cells[_index(notebook, name)]
    cell.source = change(cell.source)
    return notebook
