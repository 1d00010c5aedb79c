"""Move all that is known of a student to another name, or take it away.

Marks stand in the gradebook, submissions, graded notebooks and pages in folders of the student's
name, records beside both. What a person has marked by hand goes with the student.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry, SubmittedAssignment
from nbgrader.apps import NbGraderAPI
from sqlalchemy import inspect, update

from autograder.course import Course
from autograder.errors import CourseError
from autograder.marks.classlist import ClassList
from autograder.marks.gradebook import has_gradebook
from autograder.marks.records import TABLE
from autograder.marks.submitted import RECORDS, read_collected
from autograder.texts import write_text

LEFT = ".left"  # in submitted/: what those handed in who were taken out


def move_student(api: NbGraderAPI, course: Course, old: str, new: str) -> list[str]:
    """Move everything of a student to another name; return what was moved.

    Where the new name has marks of its own already, what a person has marked under the old one is
    added to them. Raises CourseError if nothing is known of the old name.
    """
    moved = _move_folders(course, old, new)
    if has_gradebook(api):
        with api.gradebook as gradebook:
            if _move_marks(gradebook, old, new):
                moved.append("marks")
    if not moved:
        raise CourseError(f"nothing is known of {old!r}: take the name of a folder in submitted/")
    _rename_records(course, old, new)
    return moved


def remove_student(api: NbGraderAPI, course: Course, name: str) -> list[str]:
    """Take a student out; return what was taken. What was handed in is kept in submitted/.left.

    Raises CourseError if nothing is known of the name.
    """
    taken = []
    folder = course.submitted / name
    if folder.is_dir() and not folder.is_symlink():
        kept = _free(course.submitted / LEFT / name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, kept)
        taken.append("submissions")
    for folder in (course.autograded / name, course.feedback / name):
        if folder.is_dir():
            shutil.rmtree(folder)
            taken.append(folder.parent.name)
    if has_gradebook(api):
        with api.gradebook as gradebook:
            with suppress(MissingEntry):
                gradebook.remove_student(name)
                taken.append("marks")
            if inspect(gradebook.engine).has_table(TABLE.name):
                gradebook.db.execute(TABLE.delete().filter_by(student=name))
                gradebook.db.commit()
    if not taken:
        raise CourseError(f"nothing is known of {name!r}: take the name of a folder in submitted/")
    _rename_records(course, name, None)
    return taken


def follow_changed_ids(api: NbGraderAPI, course: Course, classes: ClassList) -> list[str]:
    """Move those whose name has changed, as the class list says; return the new names."""
    changed = []
    for old in sorted({name for member in classes.members for name in member.was}):
        new = classes.now(old)
        if new != old:
            with suppress(CourseError):  # nothing is left of the old name
                move_student(api, course, old, new)
                changed.append(new)
    return changed


def _free(path: Path) -> Path:
    """Return a path that nothing stands at: this one, or with a number behind it."""
    number = 2
    free = path
    while free.exists():
        free = path.with_name(f"{path.name}.{number}")
        number += 1
    return free


def _move_folders(course: Course, old: str, new: str) -> list[str]:
    """Move a student's folders; what is there under the new name already stays as it is."""
    moved = []
    for root in (course.submitted, course.autograded, course.feedback):
        source, target = root / old, root / new
        if not source.is_dir() or source.is_symlink():
            continue
        target.mkdir(exist_ok=True)
        for entry in sorted(source.iterdir()):
            if not (target / entry.name).exists():
                shutil.move(entry, target / entry.name)
        if any(source.iterdir()):
            kept = _free(course.submitted / LEFT / old)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, kept)
        else:
            source.rmdir()
        moved.append(root.name)
    return moved


def _move_marks(gradebook: Gradebook, old: str, new: str) -> bool:
    try:
        gradebook.find_student(old)
    except MissingEntry:
        return False
    gradebook.update_or_create_student(new)
    there = {entry.assignment.name for entry in gradebook.student_submissions(new)}
    for submission in list(gradebook.student_submissions(old)):
        stem = submission.assignment.name
        if stem in there:
            _add_by_hand(gradebook, stem, old, new)
        else:
            gradebook.db.execute(
                update(SubmittedAssignment)
                .where(SubmittedAssignment.id == submission.id)
                .values(student_id=new)
            )
    if inspect(gradebook.engine).has_table(TABLE.name):
        for row in gradebook.db.execute(TABLE.select().filter_by(student=old)).mappings().all():
            key = {"assignment": row["assignment"], "student": new}
            if gradebook.db.execute(TABLE.select().filter_by(**key)).first() is None:
                gradebook.db.execute(TABLE.insert().values({**row, "student": new}))
        gradebook.db.execute(TABLE.delete().filter_by(student=old))
    gradebook.db.commit()
    gradebook.db.expire_all()
    gradebook.remove_student(old)
    return True


def _add_by_hand(gradebook: Gradebook, stem: str, old: str, new: str) -> None:
    """Give a submission the marks and comments that a person gave under another name."""
    try:
        before = gradebook.find_submission_notebook(stem, stem, old)
        now = gradebook.find_submission_notebook(stem, stem, new)
    except MissingEntry:
        return
    given = {grade.name: grade for grade in before.grades if grade.manual_score is not None}
    for grade in now.grades:
        if grade.manual_score is None and grade.name in given:
            grade.manual_score = given[grade.name].manual_score
            grade.extra_credit = grade.extra_credit or given[grade.name].extra_credit
            grade.needs_manual_grade = False
    written = {entry.name: entry.manual_comment for entry in before.comments}
    for entry in now.comments:
        if not entry.manual_comment and written.get(entry.name):
            entry.manual_comment = written[entry.name]
    gradebook.db.commit()


def _rename_records(course: Course, old: str, new: str | None) -> None:
    """Bring what collecting noted under another name; None takes it away."""
    records = read_collected(course)
    kept = {}
    for key, record in records.items():
        student, _, stem = key.rpartition("/")
        if student != old:
            kept[key] = record
        elif new is not None:
            kept.setdefault(f"{new}/{stem}", record)
    if kept != records:
        text = json.dumps(kept, indent=2, sort_keys=True) + "\n"
        write_text(course.submitted / RECORDS, text)
