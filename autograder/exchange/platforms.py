"""Who handed in which lesson, told from the names of files that a learning platform wrote.

The names themselves stand in names.py, as tables. Here is what no pattern can say alone: where two
readings of a name are possible, the other names of the download decide, or the class list.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from hashlib import sha256
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from autograder.errors import CourseError
from autograder.exchange.archives import Contents
from autograder.exchange.names import AFTER, COPY, OF, PATTERNS
from autograder.marks.people import MAX_NAME, folder_name, letters, split
from autograder.marks.times import has_zone, naive, read_time

PLATFORMS = tuple(PATTERNS)
Known = Callable[[str], bool]
# What stands before the time in Blackboard's names.
ATTEMPT = re.compile(r"([^/]*?)_attempt_\d{4}(?:-\d\d){5}")
NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)
_COPY, _OF, _AFTER = ("|".join(map(re.escape, words)) for words in (COPY, OF, AFTER))
COPY_OF = re.compile(rf"^(?:{_COPY})(?![^\W\d_])(?:\s+(?:{_OF})(?=\s))?[\s_:~〜–-]*", re.IGNORECASE)
COPY_NUMBER = re.compile(
    rf"(?:[\s_]*\(\d+\)|[\s_–-]*(?:\b|(?<=[\s_–-])|{_AFTER})(?:{_COPY})[\s_-]*\(?\d*\)?|-\d+)$",
    re.IGNORECASE,
)
# How those call the folder around all repositories that clone them: <assignment>-submissions, and
# <classroom>-<assignment>_submissions_2026_10_01_T_10_00_00.
CLONED = re.compile(r"(?P<assignment>.+?)[-_]submissions(?:_\d{4}[\d_T]*)?(?:\.zip)?$")


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
    time: when it was handed in, as the platform wrote it.
    """

    student: str
    who: str
    file: str
    order: Order = Order()
    late: bool = False
    time: str = ""


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
    platform: str | None,
    source: str,
    contents: Contents,
    lessons: Sequence[str],
    known: Known = lambda student: False,
) -> list[re.Pattern[str]]:
    """Return the patterns of the names that a platform gives to the files of a source.

    `known` says whether the class list has somebody.
    """
    names = [file.name for file in contents.files]
    patterns: Sequence[str] = PATTERNS.get(platform or "", ())
    if platform == "github":
        patterns = _github(source, contents)
    elif platform == "blackboard":
        patterns = [_blackboard(patterns[0], names, lessons, known, source)]
    stems = "|".join(map(re.escape, lessons))
    patterns = [pattern.replace("{lessons}", stems) for pattern in patterns]
    if platform == "folders" and (outer := _outer(names, lessons)):
        patterns = [re.escape(outer) + pattern for pattern in patterns]
    return [re.compile(pattern) for pattern in patterns]


def recognised(source: str, contents: Contents, lessons: Sequence[str]) -> str | None:
    """Return the platform whose names most of the notebooks bear, or None.

    Names that only have a student's folder or name before the lesson's are the last resort. Where
    there are no notebooks, the other files tell whose they are.
    """
    every = [file.name for file in contents.files]
    notebooks = [name for name in every if is_notebook(name)]
    for names in (notebooks, every):
        for platforms in (PLATFORMS[:-2], PLATFORMS[-2:]):
            counts = {}
            for platform in platforms:
                if platform != "github" or _are_cloned(source, contents):
                    patterns = platform_patterns(platform, source, contents, lessons)
                    found = owners(patterns, names).values()
                    # Nobody is called like a lesson.
                    counts[platform] = sum(not lesson_of(o.who, lessons)[1] for o in found)
            if "folders" in counts and _name_students(names, lessons):
                counts["folders"] = 0
            best = max(counts, key=counts.__getitem__)
            if counts[best]:
                return best
    return None


def owners(
    patterns: Sequence[re.Pattern[str]],
    names: Iterable[str],
    platform: str | None = None,
    zone: tzinfo | None = None,
) -> dict[str, Owner]:
    """Return whose the files are, without those whose name does not say so.

    `zone` is where the platform's times say none.
    """
    pairs = ((name, owner_of(patterns, name, platform, zone)) for name in names)
    return {name: owner for name, owner in pairs if owner is not None}


def owner_of(
    patterns: Sequence[re.Pattern[str]],
    name: str,
    platform: str | None = None,
    zone: tzinfo | None = None,
) -> Owner | None:
    """Return who handed in a file, as the first pattern that fits says, or None."""
    # Patterns are for notebooks, but whose a PDF is must be known as well, to say so.
    stem = NOTEBOOK.sub("", name) if is_notebook(name) else PurePosixPath(name).with_suffix("")
    # A file without a name of its own, such as Canvas' …_text.html, is nothing but its owner's.
    texts = (f"{stem}.ipynb",) if is_notebook(name) else (f"{stem}.ipynb", str(stem))
    for text, pattern in ((text, pattern) for pattern in patterns for text in texts):
        match = pattern.match(text)
        groups = match.groupdict() if match else {}
        if not groups.get("student_id") or COPY_OF.match(f"{groups['student_id']} "):
            continue
        parts = [part for part in (groups.get("name"), groups["student_id"]) if part]
        digits = groups.get("number") or ""
        number = int(digits) if digits.isdecimal() else None
        time = groups.get("timestamp") or ""
        return Owner(
            student="_".join(filter(None, map(_short_name, parts))),
            who="_".join(parts),
            file=groups["file_id"] or "",
            order=Order(platform, utc_time(time, zone), number),
            late=bool(groups.get("late")),
            time=time,
        )
    return None


def canvas_readings(
    owned: dict[str, Owner], lessons: Sequence[str], known: Known
) -> tuple[dict[str, Owner], dict[str, str]]:
    """Return Canvas' owners with names that end in a number told from ids, and what is not sure.

    student_1_4567_9001_lesson.ipynb is of the id 4567 if somebody is called Student 1, and of the
    id 1 if the file is called 9001_lesson.ipynb.
    """
    doubts = {}
    for name, owner in owned.items():
        before, first = split(owner.who)
        match = re.match(r"(\d+)_(.+)", owner.file)
        second = str(owner.order.number or "")
        if match is None or not before or not second or not lesson_of(match[2], lessons)[1]:
            continue
        others = [len(split(o.who)[1]) for o in owned.values() if o is not owner]
        likely = len(second) in others and len(first) not in others if others else len(first) < 3
        if known(second) != known(first):
            likely = known(second)
        else:
            doubts[name] = f"{first} or {second}"
        if likely:
            who = f"{before}_{first}_{second}"
            order = replace(owner.order, number=int(match[1]))
            student = f"{_short_name(f'{before}_{first}')}_{second}"
            owned[name] = replace(owner, student=student, who=who, file=match[2], order=order)
    return owned, doubts


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


def utc_time(text: str, zone: tzinfo | None = None) -> str | None:
    """Return a time in UTC as ISO 8601, or None if there is none that can be read.

    One that says no zone is taken for one of `zone`, else for UTC: whoever asks has to say so.
    """
    try:
        return naive(read_time(text, zone or UTC)).isoformat() if text else None
    except CourseError:
        return None


def says_no_zone(text: str) -> bool:
    """Return whether a time can be read, but does not say its zone."""
    return utc_time(text) is not None and not has_zone(text)


def _short_name(who: str) -> str:
    """Return a folder's name; one that had to be cut ends with what tells it from others."""
    name = folder_name(who)
    if len(who.strip()) <= MAX_NAME or not name:
        return name
    return f"{name[: MAX_NAME - 9]}-{sha256(who.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _outer(names: Iterable[str], lessons: Sequence[str]) -> str:
    """Return the folders around all students', such as "handed in/", "" if there are none."""
    places = [PurePosixPath(name).parent.parts for name in names if is_notebook(name)]
    levels = takewhile(lambda parts: len(set(parts)) == 1, zip(*places, strict=False))
    common = [parts[0] for parts in levels]
    common = common[: next((n for n, part in enumerate(common) if part in lessons), None)]
    deepest = max(map(len, places), default=0)
    if all(len(place) == deepest for place in places) and len({*places}) == 1:
        common = common[:-1]  # the one student's
    return "".join(f"{part}/" for part in common)


def _name_students(names: Sequence[str], lessons: Sequence[str]) -> bool:
    """Return whether all lie in one folder, and the files' own names say whose they are."""
    (pattern,) = platform_patterns("files", "", Contents(), lessons)
    of = [owner_of([pattern], name) for name in names]
    told = [owner for owner in of if owner is not None and re.search(r"[^\W\d_]", owner.who)]
    return bool(told) and len({PurePosixPath(name).parent for name in names}) == 1


def _blackboard(
    pattern: str, names: Iterable[str], lessons: Sequence[str], known: Known, source: str
) -> str:
    """Return Blackboard's pattern with the title of the homework, which all names begin with.

    Titles and user names may hold _: Homework 1_ab_1_attempt_… is the user ab_1 if the others'
    names begin with `Homework 1_` as well. Where that leaves several, those count most that leave
    users who are known, then what the lesson or the download is called.
    """
    heads, titles = _titles(names)

    def rank(title: str) -> tuple[int, bool, int, int]:
        users = sum(known(head[len(title) + 1 :]) for head in heads)
        lesson = any(letters(title).endswith(letters(stem)) for stem in lessons)
        named = len(title) if letters(title) and letters(title) in letters(source) else 0
        return (-users, not lesson, -named, len(title))

    title = re.escape(min(titles, key=rank)) if titles else r"[^/_]*"
    return pattern.replace(
        r"(?P<title>[^/]*?)_(?P<student_id>[^/_]+)", rf"(?P<title>{title})_(?P<student_id>[^/]+?)"
    )


def several_titles(names: Iterable[str]) -> bool:
    """Return whether it is not sure where the user names begin in Blackboard's."""
    return len(_titles(names)[1]) > 1


def _titles(names: Iterable[str]) -> tuple[set[str], list[str]]:
    """Return what stands before the time in Blackboard's names, and titles that all may have."""
    heads = {match[1] for name in names if (match := ATTEMPT.search(name))}
    common = os.path.commonprefix([f"{head}_" for head in heads])
    ends = [match.start() for match in re.finditer("_", common)]
    titles = [common[:end] for end in ends if all(head[end + 1 :] for head in heads)]
    return heads, titles


def _are_cloned(source: str, contents: Contents) -> bool:
    tops = {PurePosixPath(file.name).parts[0] for file in contents.files}
    return bool(contents.repositories) or any(map(CLONED.match, (source, *tops)))


def _github(source: str, contents: Contents) -> list[str]:
    """Return the pattern of repositories, `<assignment>-<user>` or `<user>-<assignment>`.

    Both parts may hold hyphens. Classroom 50 (`gh teacher download`) and the former GitHub
    Classroom tell them apart by the name of the folder around the repositories; ghclass does not.
    Failing that, the assignment is what all names begin with, or end with.
    """
    files = [PurePosixPath(file.name) for file in contents.files]
    tops = {PurePosixPath(path.parts[0]) for path in files if len(path.parts) > 1}
    if not contents.repositories and all(CLONED.match(top.name) for top in tops):
        tops = {PurePosixPath(*path.parts[:2]) for path in files if len(path.parts) > 2}
    repositories = {PurePosixPath(path) for path in contents.repositories} or tops
    outermost = [path for path in repositories if not repositories.intersection(path.parents)]
    folders = {path.parent for path in outermost}
    if len(folders) != 1:
        return []
    (folder,) = folders
    names = [path.name for path in outermost]
    around = CLONED.match(folder.name or source)
    start, end = (f"{around['assignment']}-", "") if around else _common(names)
    if around and not all(name.startswith(start) for name in names):
        start, end = _common(names)  # an earlier Classroom 50 named the folder after the school
    if not start and not end:
        return []
    place = f"{folder}/" if folder.name else ""
    user = rf"{re.escape(place + start)}(?P<student_id>[^/]+){re.escape(end)}"
    return [rf"{user}/(?P<file_id>.+)"]


def _common(names: Sequence[str]) -> tuple[str, str]:
    """Return what all names begin with, and end with, up to a hyphen or _; one of them is ""."""
    if len(names) < 2:
        return "", ""
    start = re.sub(r"[^-_]*$", "", os.path.commonprefix(names))
    if start:
        return start, ""
    end = os.path.commonprefix([name[::-1] for name in names])[::-1]
    return "", re.sub(r"^[^-_]*", "", end)
