r"""Who handed in which lesson, told from the names of files that a learning platform wrote.

A pattern is a regular expression with named groups, as nbgrader's `zip_collect` takes them: it must
name `student_id` and `file_id`, and may name `timestamp`. Here it may also name `name`, put before
the student's id, `number`, which grows with each upload, and `late`. A pattern is matched from the
beginning of a file's path below the download, with / between the folders.

What a student chose stands at the end of each path, so patterns take the first place that fits:
a folder or a file that looks like someone else's submission stays what its owner handed in.
"""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from nbgrader.plugins import FileNameCollectorPlugin
from nbgrader.utils import parse_utc

from autograder.errors import CourseError
from autograder.exchange.archives import Contents

PATTERNS = {
    "canvas": (
        # With anonymous grading: anon_x7YzQ_67890_lesson.ipynb, the second id being the upload's.
        r"(?:.*/)?(?:(?P<late>LATE)_)?"
        r"(?P<student_id>anon_[^/_]+)_(?P<number>\d+)_(?P<file_id>[^/]+)$",
        # Else: lovelaceada_LATE_12345_67890_lesson-2.ipynb.
        r"(?:.*/)?(?P<name>[^/]+?)_(?:(?P<late>LATE)_)?"
        r"(?P<student_id>\d+)_(?P<number>\d+)_(?P<file_id>[^/]+)$",
    ),
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
    # Ada Lovelace - lesson.ipynb: how Google Classroom calls the copy it makes for each student.
    "classroom": (r"(?:.*/)?(?P<student_id>[^/]+?) - (?P<file_id>[^/]+)$",),
}
GITHUB = r"{folder}{assignment}-(?P<student_id>[^/]+)/(?P<file_id>.+)"
FOLDERS = (
    r"(?:submitted/)?(?P<student_id>[^/]+)/(?P<file_id>(?:{lessons})/[^/]+)$",
    r"(?P<student_id>[^/]+)/(?P<file_id>[^/]+)$",
)
FILES = (r"(?:.*/)?(?P<student_id>[^/]+?)[\s_-]+(?P<file_id>(?:{lessons})[^/]*)$",)
# Where two fit equally well, the one that asks for more comes first.
PLATFORMS = ("moodle", "blackboard", "canvas", "github", "classroom", "folders", "files")

NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)
COPY_OF = re.compile(r"^(copy of|kopie von|kopie van|copia de|copia di|copie de)\s+", re.IGNORECASE)
COPY_NUMBER = re.compile(r"(?:[\s_]*\(\d+\)|[\s_-]*copy[\s_-]*\d*|-\d+)$", re.IGNORECASE)
RESERVED = {"con", "prn", "aux", "nul"}
RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
# nbgrader's gradebook has room for 128 letters; a folder's name may have two parts.
MAX_NAME = 60


@dataclass(frozen=True)
class Owner:
    """What a file's name tells of who handed it in.

    student: the name of the student's folder, "" if nothing is left that can be one.
    who: the student as the platform wrote it, "" if the instructor named the folder.
    file: the path of what was handed in, as far as it is the student's own.
    number: grows with each upload on the same platform, if the platform says it.
    timestamp: when it was handed in (UTC), if the platform says it.
    """

    student: str
    who: str
    file: str
    number: int | None = None
    timestamp: datetime | None = None
    late: bool = False


class NameCollector(FileNameCollectorPlugin):
    """nbgrader's reader of file names, which also reads Blackboard's times (…-18-30-00)."""

    def __init__(self, pattern: str) -> None:
        quiet = logging.getLogger(f"{__name__}.collector")
        quiet.disabled = True  # it warns of each file that does not match
        super().__init__(named_regexp=pattern, log=quiet)

    def owner(self, name: str) -> Owner | None:
        """Return who handed in a file, or None if its name does not say so."""
        # The plugin takes notebooks only; whose a PDF is must be known as well, to say so.
        stem = NOTEBOOK.sub("", name) if is_notebook(name) else PurePosixPath(name).with_suffix("")
        groups = self.collect(f"{stem}.ipynb")
        if not groups or not groups["student_id"] or COPY_OF.match(f"{groups['student_id']} "):
            return None
        parts = [groups.get("name"), groups["student_id"]]
        number = groups.get("number")
        return Owner(
            student="_".join(filter(None, (folder_name(part) for part in parts if part))),
            who="_".join(filter(None, parts)),
            file=groups["file_id"] or "",
            number=int(number) if number and number.isdecimal() else None,
            timestamp=_time(groups.get("timestamp")),
            late=bool(groups.get("late")),
        )


def own_pattern(pattern: str) -> list[NameCollector]:
    """Return what reads an instructor's pattern; raises CourseError if it cannot."""
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise CourseError(f"--names is no regular expression ({error}): mend it") from error
    missing = [name for name in ("student_id", "file_id") if name not in groups]
    if missing:
        raise CourseError(
            f"--names lacks a group (?P<{missing[0]}>…): it must say where the student's id stands "
            "in a name, and where the file's own name"
        )
    return [NameCollector(pattern)]


def platform_collectors(
    platform: str, source: str, contents: Contents, lessons: Sequence[str]
) -> list[NameCollector]:
    """Return what reads the names that a platform gives to the files of a source."""
    stems = "|".join(re.escape(stem) for stem in lessons)
    if platform == "github":
        patterns = _github(source, contents)
    elif platform == "folders":
        patterns = [pattern.format(lessons=stems) for pattern in FOLDERS]
    elif platform == "files":
        patterns = [pattern.format(lessons=stems) for pattern in FILES]
    else:
        patterns = PATTERNS[platform]
    return [NameCollector(pattern) for pattern in patterns]


def recognised(source: str, contents: Contents, lessons: Sequence[str]) -> str | None:
    """Return the platform whose names most of the notebooks bear, or None.

    Names that only have a student's folder or name before the lesson's are the last resort.
    """
    names = [file.name for file in contents.files if is_notebook(file.name)]
    for platforms in (PLATFORMS[:-2], PLATFORMS[-2:]):
        counts = {
            platform: len(owners(platform_collectors(platform, source, contents, lessons), names))
            for platform in platforms
            if platform != "github" or contents.repositories or source.endswith("-submissions")
        }
        best = max(counts, key=counts.get)
        if counts[best]:
            return best
    return None


def owners(collectors: Sequence[NameCollector], names: Iterable[str]) -> dict[str, Owner]:
    """Return whose the files are, without those whose name does not say so."""
    found = {}
    for name in names:
        owner = next(filter(None, (collector.owner(name) for collector in collectors)), None)
        if owner is not None:
            found[name] = owner
    return found


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
        named = [stem for stem in lessons if _key(stem) in _key(part)]
        if named:
            stem = max(named, key=len)
            same = _key(stem) in (_key(name), _key(without_copy_marks(name)))
            return stem, same
    return None, False


def without_copy_marks(name: str) -> str:
    """Return a file's name without what Drive, browsers and Jupyter add to the name of a copy."""
    while True:
        shorter = COPY_NUMBER.sub("", COPY_OF.sub("", name.strip()))
        if shorter == name:
            return name
        name = shorter


def copy_number(file: str) -> int:
    """Return the number at the end of a copy's name: 2 for `lesson-2.ipynb`, 0 without one."""
    mark = COPY_NUMBER.search(NOTEBOOK.sub("", file).strip())
    digits = re.search(r"\d+", mark.group()) if mark else None
    return int(digits.group()) if digits else 0


def folder_name(who: str) -> str:
    """Return a student's name or id as a folder's name that is safe on every system.

    Letters of all scripts, digits and _ - . @ stay, blanks become _, everything else a -. Returns
    "" if nothing of it can stay.
    """
    text = re.sub(r"\s+", "_", unicodedata.normalize("NFC", who).strip())
    kept = "".join(c if _may_stay(c) else "-" for c in text)[:MAX_NAME].strip(".-")
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
    if around.endswith("-submissions"):
        assignment = around.removesuffix("-submissions")
    elif len(outermost) > 1:
        assignment = os.path.commonprefix([path.name for path in outermost]).rpartition("-")[0]
    else:
        assignment = ""
    if not assignment:
        return []
    lead = re.escape(f"{folder}/") if folder.name else ""
    return [GITHUB.format(folder=lead, assignment=re.escape(assignment))]


def _time(text: str | None) -> datetime | None:
    """Return a time in UTC, or None if there is none that can be read."""
    if not text:
        return None
    dashed = re.fullmatch(r"(\d{4}-\d\d-\d\d)-(\d\d)-(\d\d)-(\d\d)", text)
    try:
        return parse_utc("{} {}:{}:{}".format(*dashed.groups()) if dashed else text)
    except (ValueError, OverflowError):
        return None


def _key(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", name).casefold() if c.isalnum())


def _may_stay(character: str) -> bool:
    return character in "_-.@" or unicodedata.category(character)[0] in "LMN"
