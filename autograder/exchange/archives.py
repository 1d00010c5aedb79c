"""What a downloaded zip, folder or file holds, read without trusting any of it.

Nothing is unpacked onto the disk, no link is followed and nothing is run. A file is read only when
somebody asks for its bytes, and never more than `MAX_BYTES` of it. What cannot or must not be read
is left out with a reason; it never keeps the rest from being read.
"""

from __future__ import annotations

import os
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.errors import CourseError
from autograder.submissions.decoding import MAX_BYTES

MAX_FILES = 100_000
MAX_TOTAL = 4_000_000_000
MAX_PATH = 1_000
ARCHIVES = {".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
# zipfile knows others, whose decoders may ask for gigabytes of memory; no platform uses them.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What reading a damaged member raises, as far as it is known.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)

HIDDEN = "hidden, or kept by a program for itself (.git, .ipynb_checkpoints, __MACOSX, …)"
LINK = "a link, and links are not followed"
OUTSIDE = "its path leads out of the archive"
ENCRYPTED = "encrypted: ask the student for a file without a password"
NESTED = "an archive inside the download: unpack it and collect what it holds by itself"
METHOD = "compressed in an unusual way: unpack the archive and collect the folder"
TOO_LARGE = f"larger than {MAX_BYTES // 1_000_000} MB: ask the student to clear the outputs"
TOO_MUCH = f"more than {MAX_TOTAL // 1_000_000_000} GB in one download: collect it in parts"
TOO_LONG = f"named with more than {MAX_PATH:,} letters: give it a shorter name"
TOO_MANY = f"more than {MAX_FILES:,} files in one download: collect it in parts"


@dataclass(frozen=True)
class Found:
    """A file that may be read.

    name: its path below the source, with / between the folders.
    modified: when it was last changed, as far as the source says so (local time).
    read: returns its bytes; raises CourseError with a clause if they cannot be had.
    """

    name: str
    modified: datetime | None
    read: Callable[[], bytes]


@dataclass(frozen=True)
class LeftOut:
    """A file, or many of them under one name, that is not collected, and why, as a clause."""

    name: str
    reason: str


@dataclass
class Contents:
    """What a source holds.

    repositories: the folders in it that are git repositories.
    """

    files: list[Found] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    repositories: set[str] = field(default_factory=set)

    def leave_out(self, name: str, reason: str) -> None:
        """Note a file that is not collected."""
        self.left_out.append(LeftOut(name, reason))


@contextmanager
def opened(source: Path) -> Iterator[Contents]:
    """Yield what a zip, a folder or a single file holds; its files can be read until the end.

    A damaged zip holds nothing but a word that says so. Raises CourseError if there is no such
    source.
    """
    if source.is_dir():
        yield _folder(source)
    elif not source.exists():
        raise CourseError(f"there is no file or folder {source}: check the path")
    elif source.suffix.lower() != ".zip":
        yield Contents([_single(source)])
    else:
        try:
            archive = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, OSError, UnicodeError, ValueError) as error:
            yield Contents(left_out=[LeftOut(source.name, f"no zip that can be read ({error})")])
            return
        with archive:
            yield _zip(archive)


def printable(name: str) -> str:
    """Return a file's name as it may be printed: without anything that moves the cursor."""
    return "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in name)


class _Budget:
    """How many bytes may still be read from one source."""

    def __init__(self) -> None:
        self._left = MAX_TOTAL

    def take(self, size: int) -> None:
        if size > self._left:
            raise CourseError(TOO_MUCH)
        self._left -= size


def _single(path: Path) -> Found:
    return _on_disk(path, path.name, _Budget())


def _folder(root: Path) -> Contents:
    contents = Contents()
    budget = _Budget()
    count = 0

    def failed(error: OSError) -> None:
        contents.leave_out(_relative(root, error.filename), f"cannot be read ({error.strerror})")

    for place, folders, files in os.walk(root, onerror=failed):
        here = Path(place)
        if here != root and (".git" in folders or ".git" in files):
            contents.repositories.add(_relative(root, here))
        for name in sorted([*folders, *files]):
            path = here / name
            relative = _relative(root, path)
            if path.is_symlink():
                contents.leave_out(relative, LINK)
            elif _is_hidden(name):
                contents.leave_out(relative, HIDDEN)
            elif name in folders:
                continue
            elif not path.is_file():
                contents.leave_out(relative, "no ordinary file")
            elif count == MAX_FILES:
                contents.leave_out(relative, TOO_MANY)
                return contents
            else:
                count += 1
                _add(contents, _on_disk(path, relative, budget))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
    return contents


def _on_disk(path: Path, name: str, budget: _Budget) -> Found:
    def read() -> bytes:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise CourseError(f"cannot be read ({error.strerror})") from error
        return _within_limits(data, budget)

    try:
        modified = datetime.fromtimestamp(path.stat().st_mtime)
    except (OSError, OverflowError, ValueError):
        modified = None
    return Found(name, modified, read)


def _zip(archive: zipfile.ZipFile) -> Contents:
    contents = Contents()
    budget = _Budget()
    members = archive.infolist()
    if len(members) > MAX_FILES:
        contents.leave_out(Path(archive.filename).name, TOO_MANY)
        members = members[:MAX_FILES]
    for info in members:
        name = _member_name(info)
        parts = PurePosixPath(name).parts
        if ".git" in parts[1:]:
            contents.repositories.add("/".join(parts[: parts.index(".git")]))
        if not parts or ".." in parts or name.startswith("/") or parts[0].endswith(":"):
            contents.leave_out(name, OUTSIDE)
        elif any(map(_is_hidden, parts)):
            contents.leave_out(name, HIDDEN)
        elif stat.S_ISLNK(info.external_attr >> 16):
            contents.leave_out(name, LINK)
        elif info.is_dir():
            continue
        elif info.flag_bits & 1:
            contents.leave_out(name, ENCRYPTED)
        elif info.compress_type not in METHODS:
            contents.leave_out(name, METHOD)
        else:
            _add(contents, _in_zip(archive, info, "/".join(parts), budget))
    return contents


def _in_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, budget: _Budget) -> Found:
    def read() -> bytes:
        if info.file_size > MAX_BYTES:
            raise CourseError(TOO_LARGE)
        try:
            with archive.open(info) as file:
                data = file.read(MAX_BYTES + 1)
        except DAMAGE as error:
            raise CourseError(f"damaged in the archive ({error})") from error
        return _within_limits(data, budget)

    try:
        modified = datetime(*info.date_time)
    except ValueError:
        modified = None
    # The first day that a zip can name stands for no time at all.
    if modified is not None and modified.year == 1980:
        modified = None
    return Found(name, modified, read)


def _add(contents: Contents, file: Found) -> None:
    if len(file.name) > MAX_PATH:
        contents.leave_out(f"{file.name[:60]}…", TOO_LONG)
    elif PurePosixPath(file.name).suffix.lower() in ARCHIVES:
        contents.leave_out(file.name, NESTED)
    else:
        contents.files.append(file)


def _within_limits(data: bytes, budget: _Budget) -> bytes:
    if len(data) > MAX_BYTES:
        raise CourseError(TOO_LARGE)
    budget.take(len(data))
    return data


def _member_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name, with / between the folders.

    Many programs write UTF-8 without saying so; zipfile then takes it for code page 437.
    """
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return name.replace("\\", "/")


def _relative(root: Path, path: Path | str) -> str:
    return Path(path).relative_to(root).as_posix()


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
