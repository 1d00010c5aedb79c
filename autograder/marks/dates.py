"""Bring due dates, extensions and slip days of the class list into the gradebook.

nbgrader then tells from them who was late, and what that costs.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from nbgrader.api import Assignment, Gradebook, MissingEntry, SubmittedAssignment
from nbgrader.apps import NbGraderAPI
from sqlalchemy.orm import Query

from autograder.marks.classlist import ClassList
from autograder.marks.times import naive
from autograder.texts import plural

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Extension:
    """By how much longer somebody had time for a lesson, and how much of that were slip days."""

    length: timedelta
    slip_days: int = 0

    def __str__(self) -> str:
        days, rest = divmod(self.length, DAY)
        hours = f"{rest / timedelta(hours=1):.1f}".removesuffix(".0")
        parts = [plural(days, "day")] if days else []
        parts += [f"{hours} hours"] if rest else []
        slip = f", {plural(self.slip_days, 'slip day')} of them" if self.slip_days else ""
        return f"{' '.join(parts) or 'no time'}{slip}"


def apply_class_list(
    api: NbGraderAPI, classes: ClassList, students: Collection[str] | None = None
) -> dict[tuple[str, str], Extension]:
    """Write due dates and extensions into the gradebook; return the latter by student and lesson.

    nbgrader then knows who was late. Where the table says nothing of a lesson's date, the
    gradebook's own stays. Slip days are used up in the lessons' order.
    """
    if classes.people is None:
        return {}
    given: dict[tuple[str, str], Extension] = {}
    left: dict[str, int] = {}
    with api.gradebook as gradebook:
        for stem in classes.lessons:
            base = _due(gradebook, stem, classes)
            if base is None:
                continue
            for submission in submissions_of(gradebook, stem, students):
                student = submission.student_id
                extension = _extension(stem, submission, classes, base, left)
                if extension.length or stem in classes.due:
                    submission.extension = extension.length or None
                if extension.length:
                    given[student, stem] = extension
        gradebook.db.commit()
    return given


def submissions_of(
    gradebook: Gradebook, stem: str, students: Collection[str] | None = None
) -> Query:
    """Return the gradebook's submissions of a lesson, all or those of some students."""
    query = gradebook.db.query(SubmittedAssignment).join(
        Assignment, SubmittedAssignment.assignment_id == Assignment.id
    )
    query = query.filter(Assignment.name == stem)
    if students is None:
        return query
    return query.filter(SubmittedAssignment.student_id.in_(students))


def _due(gradebook: Gradebook, stem: str, classes: ClassList) -> datetime | None:
    """Return when a lesson is due, as the table says, else the gradebook; None if neither does."""
    try:
        assignment = gradebook.find_assignment(stem)
    except MissingEntry:
        return None
    if stem in classes.due:
        assignment.duedate = naive(classes.due[stem])
    return assignment.duedate


def _extension(
    stem: str,
    submission: SubmittedAssignment,
    classes: ClassList,
    base: datetime,
    left: dict[str, int],
) -> Extension:
    """Return how much longer somebody has; a group has as long as the member with most time."""
    student = submission.student_id
    member = classes.member(student)
    members = [member] if member else classes.in_group(classes.group_of(student) or " ")
    if not members:
        return Extension(timedelta())
    own = [person.due.get(stem, timedelta()) for person in members]
    length = max(due if isinstance(due, timedelta) else naive(due) - base for due in own)
    used, slip_days = 0, max(person.slip_days for person in members)
    if slip_days and submission.timestamp is not None:
        late = submission.timestamp - (base + length)
        days = math.ceil(late / DAY) if late > timedelta() else 0
        used = min(days, left.setdefault(student, slip_days))
        left[student] -= used
    return Extension(length + used * DAY, used)
