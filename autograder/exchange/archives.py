"""What a downloaded zip, folder or file holds, read without trusting any of it.

Nothing is unpacked onto the disk, no link is followed and nothing is run. A file is read only when
somebody asks for its bytes, and never more than `MAX_BYTES` of it are kept. The outputs of a large
notebook are left out while it is read. What cannot or must not be read is left out with a reason;
it never keeps the rest from being read.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.errors import CourseError
from autograder.exchange.outputs import WithoutOutputs
from autograder.submissions.decoding import MAX_BYTES

MAX_FILES = 100_000
MAX_TOTAL = 4_000_000_000  # of what is kept
MAX_RAW = 1_000_000_000  # of one file, with outputs
MAX_RAW_TOTAL = 200_000_000_000
LARGE = 5_000_000  # from here on a notebook is collected without its outputs
PIECE = 1_000_000
MAX_PATH = 1_000
ARCHIVES = {".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
# zipfile knows others, whose decoders may ask for gigabytes of memory; no platform uses them.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What reading a file or a damaged member raises, as far as it is known.
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
class SourceFile:
    """A file that may be read.

    name: its path below the source, with / between the folders.
    modified: when it was last changed (local time, ISO 8601), as far as the source says so.
    read: returns its bytes; raises CourseError with a clause if they cannot be had.
    """

    name: str
    modified: str | None
    read: Callable[[], bytes]


@dataclass(frozen=True)
class LeftOut:
    """A file, or many of them under one name, that is not collected, and why, as a clause.

    harmless: nobody's work is missing for that.
    """

    name: str
    reason: str
    harmless: bool = False


@dataclass
class Contents:
    """What a source holds.

    repositories: the folders in it that are git repositories.
    budget, raw_budget: how many bytes may still be kept, and read.
    without_outputs: the files whose outputs were left out, and how large they were.
    """

    files: list[SourceFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    repositories: set[str] = field(default_factory=set)
    budget: int = field(default_factory=lambda: MAX_TOTAL)
    raw_budget: int = field(default_factory=lambda: MAX_RAW_TOTAL)
    without_outputs: dict[str, int] = field(default_factory=dict)

    def leave_out(self, name: str, reason: str) -> None:
        """Note a file that is not collected."""
        self.left_out.append(LeftOut(name, reason, harmless=reason == HIDDEN))

    def add(
        self, name: str, modified: str | None, start: Callable[[], IO[bytes]], trouble: str
    ) -> None:
        """Take a file in, unless its name forbids it.

        `start` opens it, and `trouble` says what is wrong where that, or reading it, fails.
        """
        if len(name) > MAX_PATH:
            self.leave_out(f"{name[:60]}…", TOO_LONG)
        elif PurePosixPath(name).suffix.lower() in ARCHIVES:
            self.leave_out(name, NESTED)
        else:
            self.files.append(SourceFile(name, modified, partial(self._read, name, start, trouble)))

    def _read(self, name: str, start: Callable[[], IO[bytes]], trouble: str) -> bytes:
        try:
            with start() as file:
                data = self._kept(name, file)
        except DAMAGE as error:
            cause = getattr(error, "strerror", None) or error
            raise CourseError(f"{trouble} ({cause})") from error
        if len(data) > MAX_BYTES:
            raise CourseError(TOO_LARGE)
        if len(data) > self.budget:
            raise CourseError(TOO_MUCH)
        self.budget -= len(data)
        return data

    def _kept(self, name: str, file: IO[bytes]) -> bytes:
        """Return a file's bytes, those of a large notebook without its outputs."""
        data = bytearray(file.read(min(LARGE, MAX_BYTES) + 1))
        if len(data) <= min(LARGE, MAX_BYTES) or ".ipynb" not in name.lower():
            return bytes(data)
        size, shorter = len(data), WithoutOutputs()
        shorter.feed(bytes(data))
        while piece := file.read(PIECE):
            shorter.feed(piece)
            size += len(piece)
            if len(data) <= MAX_BYTES:
                data += piece
            if size > MAX_RAW or len(shorter.kept) > MAX_BYTES:
                raise CourseError(TOO_LARGE)
            if size > self.raw_budget:
                raise CourseError(TOO_MUCH)
        self.raw_budget -= size
        if len(shorter.kept) == size:
            return bytes(data)
        self.without_outputs[name] = size
        return bytes(shorter.kept)


@contextmanager
def opened(source: Path) -> Iterator[Contents]:
    """Yield what a zip, a folder or a single file holds; its files can be read until the end.

    A damaged zip holds nothing but a word that says so. Raises CourseError if there is no such
    source.
    """
    contents = Contents()
    with ExitStack() as stack:
        if source.is_dir():
            _list_folder(contents, source)
        elif not source.exists():
            raise CourseError(f"there is no file or folder {source}: check the path")
        elif source.suffix.lower() != ".zip":
            _add_file(contents, source, source.name)
        else:
            try:
                archive = stack.enter_context(zipfile.ZipFile(source))
            except (zipfile.BadZipFile, OSError, UnicodeError, ValueError) as error:
                contents.leave_out(source.name, f"no zip that can be read ({error})")
            else:
                _list_zip(contents, archive, source.name)
        yield contents


def _list_folder(contents: Contents, root: Path) -> None:
    def relative(path: Path | str) -> str:
        return Path(path).relative_to(root).as_posix()

    def failed(error: OSError) -> None:
        contents.leave_out(relative(error.filename), f"cannot be read ({error.strerror})")

    count = 0
    for place, folders, files in os.walk(root, onerror=failed):
        here = Path(place)
        if here != root and (".git" in folders or ".git" in files):
            contents.repositories.add(relative(here))
        for name in sorted([*folders, *files]):
            path = here / name
            if path.is_symlink():
                contents.leave_out(relative(path), LINK)
            elif _is_hidden(name):
                contents.leave_out(relative(path), HIDDEN)
            elif name in folders:
                continue
            elif not path.is_file():
                contents.leave_out(relative(path), "no ordinary file")
            elif count == MAX_FILES:
                contents.leave_out(relative(path), TOO_MANY)
                return
            else:
                count += 1
                _add_file(contents, path, relative(path))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))


def _add_file(contents: Contents, path: Path, name: str) -> None:
    try:
        modified = datetime.fromtimestamp(path.stat().st_mtime).isoformat()
    except (OSError, OverflowError, ValueError):
        modified = None
    contents.add(name, modified, lambda: path.open("rb"), "cannot be read")


def _list_zip(contents: Contents, archive: zipfile.ZipFile, title: str) -> None:
    members = archive.infolist()
    if len(members) > MAX_FILES:
        contents.leave_out(title, TOO_MANY)
    for info in members[:MAX_FILES]:
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
            modified = None
            # The first day that a zip can name stands for no time at all.
            with suppress(ValueError):
                if info.date_time[0] != 1980:
                    modified = datetime(*info.date_time).isoformat()
            start = partial(_open_member, archive, info)
            contents.add("/".join(parts), modified, start, "damaged in the archive")


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.file_size > MAX_RAW:
        raise CourseError(TOO_LARGE)
    return archive.open(info)


def _member_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name, with / between the folders.

    Many programs write UTF-8 without saying so; zipfile then takes it for code page 437.
    """
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
