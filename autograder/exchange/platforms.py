r"""Who handed in which lesson, told from the names of files that a learning platform wrote.

A pattern is a regular expression with named groups, as nbgrader's `zip_collect` takes them: it must
name `student_id` and `file_id`, and may name `timestamp`. Here it may also name `name`, put before
the student's id, `number`, which grows with each upload, and `late`. A pattern is matched from the
beginning of a file's path below the download, with / between the folders.

What a student chose stands at the end of each path, so patterns take the first place that fits:
a folder or a file that looks like someone else's submission stays what its owner handed in.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from nbgrader.utils import parse_utc

from autograder.errors import CourseError
from autograder.exchange.archives import Contents

# Where two fit equally well, the one that asks for more comes first. The last two have only a
# student's folder or name before the lesson's.
PATTERNS: dict[str, Sequence[str]] = {
    # Ada Lovelace_1234567_assignsubmission_file_/lesson.ipynb, or all in one folder without the /.
    "moodle": (
        r"(?:.*?/)??(?P<name>[^/_]+)_(?P<student_id>\d+)_assignsubmission_file"
        r"(?:_?/|_)(?P<file_id>.+)",
    ),
    # Homework 1_ada_attempt_2024-05-01-18-30-00_lesson.ipynb.
    "blackboard": (
        r"(?:.*/)?[^/]*?_(?P<student_id>[^/_]+)_attempt_"
        r"(?P<timestamp>\d{4}(?:-\d\d){5})_(?P<file_id>[^/]+)$",
    ),
    "canvas": (
        # With anonymous grading: anon_x7YzQ_67890_lesson.ipynb, the second id being the upload's.
        r"(?:.*/)?(?:(?P<late>LATE)_)?"
        r"(?P<student_id>anon_[^/_]+)_(?P<number>\d+)_(?P<file_id>[^/]+)$",
        # Else: lovelaceada_LATE_12345_67890_lesson-2.ipynb.
        r"(?:.*/)?(?P<name>[^/]+?)_(?:(?P<late>LATE)_)?"
        r"(?P<student_id>\d+)_(?P<number>\d+)_(?P<file_id>[^/]+)$",
    ),
    "github": (),  # see _github
    # Ada Lovelace - lesson.ipynb: how Google Classroom calls the copy it makes for each student.
    "classroom": (r"(?:.*/)?(?P<student_id>[^/]+?) - (?P<file_id>[^/]+)$",),
    "folders": (
        r"(?:submitted/)?(?P<student_id>[^/]+)/(?P<file_id>(?:{lessons})/[^/]+)$",
        r"(?P<student_id>[^/]+)/(?P<file_id>[^/]+)$",
    ),
    "files": (r"(?:.*/)?(?P<student_id>[^/]+?)[\s_-]+(?P<file_id>(?:{lessons})[^/]*)$",),
}
PLATFORMS = tuple(PATTERNS)

NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)
COPY_OF = re.compile(r"^(copy of|kopie von|kopie van|copia de|copia di|copie de)\s+", re.IGNORECASE)
COPY_NUMBER = re.compile(r"(?:[\s_]*\(\d+\)|[\s_-]*copy[\s_-]*\d*|-\d+)$", re.IGNORECASE)
RESERVED = {"con", "prn", "aux", "nul"}
RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
# nbgrader's gradebook has room for 128 letters; a folder's name may have two parts.
MAX_NAME = 60


@dataclass(frozen=True)
class Order:
    """What is known of when something was handed in; None where nothing is. Times are ISO 8601.

    timestamp: the platform's time of submission (UTC).
    number: grows with each upload to `platform`.
    modified: when the file was last changed (local time).
    """

    platform: str | None = None
    timestamp: str | None = None
    number: int | None = None
    modified: str | None = None

    def before(self, other: Order) -> bool:
        """Return whether this is certainly older than `other`."""
        pairs: list[tuple[Any, Any]] = [(self.timestamp, other.timestamp)]
        if self.platform == other.platform:
            pairs.append((self.number, other.number))
        pairs.append((self.modified, other.modified))
        for mine, theirs in pairs:
            if mine is not None and theirs is not None and mine != theirs:
                return mine < theirs
        return False


@dataclass(frozen=True)
class Owner:
    """What a file's name tells of who handed it in.

    student: the name of the student's folder, "" if nothing is left that can be one.
    who: the student as the platform wrote it, "" if the instructor named the folder.
    file: the path of what was handed in, as far as it is the student's own.
    """

    student: str
    who: str
    file: str
    order: Order = Order()
    late: bool = False


def own_pattern(text: str) -> re.Pattern[str]:
    """Return an instructor's pattern; raises CourseError if it is of no use."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise CourseError(f"--names is no regular expression ({error}): mend it") from error
    missing = [name for name in ("student_id", "file_id") if name not in pattern.groupindex]
    if missing:
        raise CourseError(
            f"--names lacks a group (?P<{missing[0]}>…): it must say where the student's id stands "
            "in a name, and where the file's own name"
        )
    return pattern


def platform_patterns(
    platform: str | None, source: str, contents: Contents, lessons: Sequence[str]
) -> list[re.Pattern[str]]:
    """Return the patterns of the names that a platform gives to the files of a source."""
    patterns = (
        _github(source, contents) if platform == "github" else PATTERNS.get(platform or "", ())
    )
    stems = "|".join(map(re.escape, lessons))
    return [re.compile(pattern.replace("{lessons}", stems)) for pattern in patterns]


def recognised(source: str, contents: Contents, lessons: Sequence[str]) -> str | None:
    """Return the platform whose names most of the notebooks bear, or None.

    Names that only have a student's folder or name before the lesson's are the last resort.
    """
    names = [file.name for file in contents.files if is_notebook(file.name)]
    for platforms in (PLATFORMS[:-2], PLATFORMS[-2:]):
        counts = {
            platform: len(owners(platform_patterns(platform, source, contents, lessons), names))
            for platform in platforms
            if platform != "github" or contents.repositories or source.endswith("-submissions")
        }
        best = max(counts, key=counts.__getitem__)
        if counts[best]:
            return best
    return None


def owners(
    patterns: Sequence[re.Pattern[str]], names: Iterable[str], platform: str | None = None
) -> dict[str, Owner]:
    """Return whose the files are, without those whose name does not say so."""
    pairs = ((name, owner_of(patterns, name, platform)) for name in names)
    return {name: owner for name, owner in pairs if owner is not None}


def owner_of(
    patterns: Sequence[re.Pattern[str]], name: str, platform: str | None = None
) -> Owner | None:
    """Return who handed in a file, as the first pattern that fits says, or None."""
    # Patterns are for notebooks, but whose a PDF is must be known as well, to say so.
    stem = NOTEBOOK.sub("", name) if is_notebook(name) else PurePosixPath(name).with_suffix("")
    for match in filter(None, (pattern.match(f"{stem}.ipynb") for pattern in patterns)):
        groups = match.groupdict()
        if not groups["student_id"] or COPY_OF.match(f"{groups['student_id']} "):
            continue
        parts = [part for part in (groups.get("name"), groups["student_id"]) if part]
        digits = groups.get("number") or ""
        number = int(digits) if digits.isdecimal() else None
        return Owner(
            student="_".join(filter(None, map(folder_name, parts))),
            who="_".join(parts),
            file=groups["file_id"] or "",
            order=Order(platform, utc_time(groups.get("timestamp") or ""), number),
            late=bool(groups.get("late")),
        )
    return None


def is_notebook(name: str) -> bool:
    """Return whether a name is a notebook's; some browsers add .txt or .json to it."""
    return NOTEBOOK.search(name) is not None


def lesson_of(file: str, lessons: Sequence[str]) -> tuple[str | None, bool]:
    """Return the lesson that a path names, or None, and whether it is called just like it.

    Marks of a copy count for nothing: `Copy of lesson (1).ipynb` is called like the lesson. If the
    file's own name says nothing, that of a folder does.
    """
    *folders, name = PurePosixPath(NOTEBOOK.sub("", file)).parts or [""]
    for part in (name, *reversed(folders)):
        named = [stem for stem in lessons if letters(stem) in letters(part)]
        if named:
            stem = max(named, key=len)
            same = letters(stem) in (letters(name), letters(without_copy_marks(name)))
            return stem, same
    return None, False


def without_copy_marks(name: str) -> str:
    """Return a file's name without what Drive, browsers and Jupyter add to the name of a copy."""
    while (shorter := COPY_NUMBER.sub("", COPY_OF.sub("", name.strip()))) != name:
        name = shorter
    return name


def copy_number(file: str) -> int:
    """Return the number at the end of a copy's name: 2 for `lesson-2.ipynb`, 0 without one."""
    mark = COPY_NUMBER.search(NOTEBOOK.sub("", file).strip())
    return int(re.sub(r"\D", "", mark.group()) or 0) if mark else 0


def folder_name(who: str) -> str:
    """Return a student's name or id as a folder's name that is safe on every system.

    Letters of all scripts, digits and _ - . @ stay, blanks become _, everything else a -. Returns
    "" if nothing of it can stay.
    """
    text = re.sub(r"\s+", "_", unicodedata.normalize("NFC", who).strip())
    safe = [c if c in "_-.@" or unicodedata.category(c)[0] in "LMN" else "-" for c in text]
    kept = "".join(safe)[:MAX_NAME].strip(".-")
    first, dot, rest = kept.partition(".")
    return f"{first}_{dot}{rest}" if first.casefold() in RESERVED else kept


def _github(source: str, contents: Contents) -> list[str]:
    """Return the pattern of GitHub Classroom's repositories, `<assignment>-<username>`.

    Both parts may hold hyphens. `gh classroom clone` tells them apart by the name of the folder
    around the repositories, `<assignment>-submissions`; failing that, the assignment is what all
    names have in common.
    """
    files = [PurePosixPath(file.name) for file in contents.files]
    tops = {PurePosixPath(path.parts[0]) for path in files if len(path.parts) > 1}
    if not contents.repositories and all(top.name.endswith("-submissions") for top in tops):
        tops = {PurePosixPath(*path.parts[:2]) for path in files if len(path.parts) > 2}
    repositories = {PurePosixPath(path) for path in contents.repositories} or tops
    outermost = [path for path in repositories if not repositories.intersection(path.parents)]
    folders = {path.parent for path in outermost}
    if len(folders) != 1:
        return []
    (folder,) = folders
    around = folder.name or source
    assignment = around.removesuffix("-submissions")
    if assignment == around:
        names = [path.name for path in outermost]
        assignment = os.path.commonprefix(names).rpartition("-")[0] if len(names) > 1 else ""
    if not assignment:
        return []
    start = f"{folder}/{assignment}-" if folder.name else f"{assignment}-"
    return [re.escape(start) + r"(?P<student_id>[^/]+)/(?P<file_id>.+)"]


def letters(name: str) -> str:
    """Return a name's letters and digits, in small letters, by which names are compared."""
    return "".join(c for c in unicodedata.normalize("NFC", name).casefold() if c.isalnum())


def utc_time(text: str) -> str | None:
    """Return a time in UTC as ISO 8601, or None if there is none that can be read."""
    # Blackboard writes 2024-05-01-18-30-00.
    text = re.sub(r"^(\d{4}-\d\d-\d\d)-(\d\d)-(\d\d)-(\d\d)$", r"\1 \2:\3:\4", text)
    try:
        return parse_utc(text).isoformat() if text else None
    except (ValueError, OverflowError):
        return None
