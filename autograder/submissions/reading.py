"""Read what was handed in, safely.

`read_submission` finds the one file that counts and reads its bytes, following no link and waiting
for nothing; `parse_notebook` turns bytes into a notebook of sound cells, whatever they hold;
`restore.restore` takes the answers out of it.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.errors import LOG, CourseError
from autograder.submissions.decoding import MAX_BYTES, load_json, other_kind
from autograder.submissions.matching import NOTES
from autograder.submissions.values import as_dict, as_list, clean_text
from autograder.texts import shown

MAX_CELLS = 2_000
MAX_TEXT = 5_000_000  # characters in all cells together, outputs left out
MAX_CODE = 1_000_000  # characters in all code cells together
MAX_ENTRIES = 1_000  # files in a student's folder
MAX_DEPTH = 5  # of folders in it
_NOTEBOOK_NAME = re.compile(r".*\.ipynb(?:\.(?:txt|json))?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Submission:
    """A file as it was handed in: its name, its bytes, and sentences about how it was found."""

    name: str
    data: bytes
    notes: tuple[str, ...] = ()


def read_submission(folder: Path, stem: str) -> Submission:
    """Return what was handed in for a lesson, in `submitted/<student>/<lesson>`.

    That is the file `<lesson>.ipynb`, or else the only notebook in the folder, or else in the
    folders in it. Raises CourseError with one sentence if there is no such file, or it cannot be
    read safely.
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
        inside = _inside(folder)
        others = [name for name in inside if name.rpartition("/")[2] == wanted] or inside
    if not others:
        hint = _instead(folder, names)
        raise CourseError(f"no notebook was handed in: {wanted} is missing{hint}")
    if len(others) > 1:
        listed = ", ".join(map(shown, others[:3]))
        raise CourseError(
            f"there is no {wanted}, but {len(others)} other notebooks ({listed}): keep the one "
            f"that counts, and rename it to {wanted}"
        )
    name = shown(others[0])
    note = f"The file was called {name}; it was taken for {wanted}."
    return Submission(name, read_bytes(folder / others[0]), (note,))


def _inside(folder: Path) -> list[str]:
    """Return the notebooks in the folders of a folder, by their paths from it; links stay out."""
    found, seen = [], 0
    for place, folders, files in os.walk(folder):
        seen += len(folders) + len(files)
        depth = len(Path(place).relative_to(folder).parts)
        if seen > MAX_ENTRIES:
            break
        hidden = (".", "__MACOSX")
        folders[:] = sorted(
            name
            for name in folders
            if depth < MAX_DEPTH
            and not name.startswith(hidden)
            and not os.path.islink(os.path.join(place, name))
        )
        found += [
            (Path(place) / name).relative_to(folder).as_posix()
            for name in sorted(files)
            if depth and _NOTEBOOK_NAME.fullmatch(name) and not name.startswith(".")
        ]
    return found


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


def read_notebook(path: Path) -> NotebookNode:
    """Return one of the course's own notebooks as nbformat 4; raise CourseError if it is none."""
    if not path.is_file():
        raise CourseError(f"there is no notebook {path}: check the path")
    notebook = parse_notebook(read_bytes(path.resolve()), shown(path.name))
    del notebook.metadata[NOTES]
    return notebook


def parse_notebook(data: bytes, name: str, notes: Iterable[str] = ()) -> NotebookNode:
    """Return the notebook in a file's bytes as nbformat 4, with cells of the right types.

    What the file says about its format is not relied on, and what no notebook has is left out.
    `metadata["course_notes"]` holds `notes` and a sentence about each thing that was unusual, never
    what the file itself has there. Raises CourseError with one sentence, calling the file `name`,
    if the bytes are no notebook.
    """
    said = list(notes)
    try:
        value, note = load_json(data)
        raw = as_dict(value)
        said += [note] if note else []
        if "cells" not in raw and "worksheets" in raw:
            raw = _from_worksheets(raw)
            said.append("The notebook was in an old format (nbformat 3); it was converted.")
        notebook = _sound_notebook(raw, said)
    except CourseError as error:
        raise CourseError(f"the file {name} {error}") from None
    except Exception:  # whatever a file with the wrong contents makes nbformat raise
        LOG.info("%s is no notebook:", name, exc_info=True)
        notebook = None
    if notebook is None:
        raise CourseError(
            f"the file {name} is not a Jupyter notebook, although its name says so: download "
            "it again (in Colab: File, Download, Download .ipynb)"
        )
    notebook.metadata[NOTES] = said
    return notebook


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


def _sound_notebook(raw: dict, notes: list[str]) -> NotebookNode | None:
    """Return the notebook with nothing but what nbformat 4 has; None if it is none.

    Raises CourseError, for a sentence that begins with the file, if there is too much of it.
    """
    cells = raw.get("cells")
    if not isinstance(cells, list):
        return None
    if len(cells) > MAX_CELLS:
        raise CourseError(f"has {len(cells)} cells: delete those that are not needed")
    sound = [_sound_cell(cell) for cell in cells if isinstance(cell, dict)]
    if cells and not sound:
        return None
    if len(sound) < len(cells):
        notes.append("Entries of the file that are no cells were left out.")
    code = [cell for cell in sound if cell.cell_type == "code"]
    for what, cells, most in (("text", sound, MAX_TEXT), ("code", code, MAX_CODE)):
        if sum(len(cell.source) for cell in cells) > most:
            raise CourseError(
                f"holds more than {most // 1_000_000} MB of {what} in its cells: take out what was "
                "pasted there"
            )
    minor = raw.get("nbformat_minor")
    return NotebookNode(
        cells=sound,
        metadata=nbformat.from_dict(as_dict(raw.get("metadata"))),
        nbformat=4,
        nbformat_minor=minor if type(minor) is int and 0 <= minor <= 5 else 5,
    )


def _sound_cell(raw: dict) -> NotebookNode:
    kinds = {"code": "code", "markdown": "markdown", "raw": "raw", "heading": "markdown"}
    likely = "code" if "outputs" in raw else "markdown"
    cell = NotebookNode(
        cell_type=kinds.get(str(raw.get("cell_type")), likely),
        metadata=nbformat.from_dict(as_dict(raw.get("metadata"))),
        source=clean_text(raw.get("source")),
    )
    if isinstance(raw.get("attachments"), dict):
        cell["attachments"] = nbformat.from_dict(raw["attachments"])
    if isinstance(raw.get("id"), str):
        cell["id"] = raw["id"]
    if cell.cell_type == "code":
        count = raw.get("execution_count")
        cell["execution_count"] = count if type(count) is int else None
        outputs = as_list(raw.get("outputs"))
        cell["outputs"] = [_joined(output) for output in outputs if isinstance(output, dict)]
    return cell


def _joined(output: dict) -> NotebookNode:
    """Return an output with its texts in one piece each; files hold them as lists of lines."""
    joined = nbformat.from_dict(output)
    for texts in (joined, as_dict(joined.get("data"))):
        for key, value in texts.items():
            lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
            if lines and key != "traceback" and not key.endswith("json"):
                texts[key] = "".join(value)
    return joined
