"""Who has handed in what: the folders in submitted/, and what collecting noted of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from autograder.course import Course
from autograder.errors import CourseError
from autograder.marks.classlist import ClassList
from autograder.texts import is_text

RECORDS = ".collected.json"
# What a record must hold for a later run: these texts, and an order.
RECORD: dict[str, Any] = {"who": str, "checksum": str, "platform": str | None}
RECORD |= {"timestamp": str | None, "number": int | None, "modified": str | None}


def submitted_lessons(course: Course) -> list[str]:
    """Return the lessons that have submissions; raise CourseError if there are none."""
    stems = [stem for stem in course.lessons() if submitted_students(course, stem)]
    if not stems:
        raise CourseError(
            f"there is nothing to grade: put notebooks into {course.submitted} as "
            "<student>/<lesson>/<lesson>.ipynb"
        )
    return stems


def submitted_students(course: Course, stem: str) -> list[str]:
    """Return the names of the folders in submitted/ that stand for a submission of the lesson.

    A student's folder without a folder of any lesson counts as well: something went wrong there
    that somebody must hear about. Who left, as the class list says, does not count.
    """
    if not course.submitted.is_dir():
        return []
    lessons, classes = set(course.lessons()), ClassList(course)
    names = []
    for folder in sorted(course.submitted.iterdir()):
        if folder.name.startswith(".") or not is_text(folder.name):
            continue
        held: set[str] = set()
        if folder.is_dir() and not folder.is_symlink():
            with suppress(OSError):  # reading the submission says why it cannot be read
                held = {entry.name for entry in folder.iterdir() if entry.is_dir()} & lessons
        # A link is not followed, and reading it says so.
        there = (folder.is_dir() or folder.is_symlink()) and (stem in held or not held)
        if there and not classes.has_left(folder.name):
            names.append(folder.name)
    return names


def read_collected(course: Course) -> dict[str, dict[str, Any]]:
    """Return what collecting noted, by "<student>/<lesson>"; {} if there is nothing to be read.

    "who" is the student as the platform wrote it, "from" the file's path in the download, and
    "late" whether the platform marked it so.
    """
    try:
        records = json.loads((course.submitted / RECORDS).read_text(encoding="utf-8"))
        valid = all(
            isinstance(record.get(name), kind)
            for record in records.values()
            for name, kind in RECORD.items()
        )
    except (OSError, ValueError, AttributeError):
        return {}
    return records if valid else {}


def marked_late(course: Course, stem: str) -> set[str]:
    """Return whose submission of a lesson the platform called late, without saying by how much."""
    records = read_collected(course)
    ends = f"/{stem}"
    return {
        key.removesuffix(ends)
        for key, record in records.items()
        if key.endswith(ends) and record.get("late") is True
    }


def chosen_submissions(
    course: Course, stems: Sequence[str], students: Sequence[str] | None
) -> dict[str, list[str]]:
    """Return whom to grade in each lesson: everybody, or those of the students who are there.

    Raises CourseError for a student who has submitted nothing for any of the lessons.
    """
    known = {stem: submitted_students(course, stem) for stem in stems}
    if students is None:
        return known
    for student in students:
        if not any(student in names for names in known.values()):
            raise CourseError(
                f"{student!r} has submitted nothing for {' or '.join(stems)}: --student takes the "
                f"name of a folder in {course.submitted}"
            )
    chosen = {stem: [who for who in students if who in names] for stem, names in known.items()}
    return {stem: names for stem, names in chosen.items() if names}
