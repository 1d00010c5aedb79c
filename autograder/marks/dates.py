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

from autograder.marks.classlist import ClassList, Member
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
            submissions = gradebook.db.query(SubmittedAssignment).join(
                Assignment, SubmittedAssignment.assignment_id == Assignment.id
            )
            submissions = submissions.filter(Assignment.name == stem)
            if students is not None:
                submissions = submissions.filter(SubmittedAssignment.student_id.in_(students))
            for submission in submissions:
                student = submission.student_id
                member = classes.member(student)
                extension = _extension(stem, submission, member, base, left)
                if extension.length or stem in classes.due:
                    submission.extension = extension.length or None
                if extension.length:
                    given[student, stem] = extension
        gradebook.db.commit()
    return given


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
    member: Member | None,
    base: datetime,
    left: dict[str, int],
) -> Extension:
    if member is None:
        return Extension(timedelta())
    own = member.due.get(stem, timedelta())
    length = own if isinstance(own, timedelta) else naive(own) - base
    used = 0
    if member.slip_days and submission.timestamp is not None:
        late = submission.timestamp - (base + length)
        days = math.ceil(late / DAY) if late > timedelta() else 0
        used = min(days, left.setdefault(submission.student_id, member.slip_days))
        left[submission.student_id] -= used
    return Extension(length + used * DAY, used)
