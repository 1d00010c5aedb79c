"""What tests of grading compare: files, points and the rows of grades.csv."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from autograder.course import Course
from autograder.marks.results import Result


def checksums(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def scores(results: list[Result]) -> dict[str, dict[str, float] | None]:
    """Return the points of the tested exercises by student."""
    return {
        result.student: {
            exercise.id: result.points(exercise)
            for exercise in result.exercises
            if not exercise.manual
        }
        if result.graded
        else None
        for result in results
    }


def rows(course: Course) -> dict[str, dict[str, str]]:
    """Return grades.csv by student."""
    text = (course.root / "grades.csv").read_text(encoding="utf-8")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text))}
