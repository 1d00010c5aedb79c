"""The class list: one table, class.csv, that a teacher edits, and what follows from it.

A row is a person, found by any of the columns that a platform's roster has (a name, an id, an
e-mail address), or by the name of the folder in submitted/. Further columns, none of them needed:

- status: "left" for who is gone; then no command names them any more.
- group: whose submissions are one; its mark goes to all members.
- was: earlier names of the folder, after a change of id.
- slip_days: how many days somebody may be late, all lessons together.
- a lesson's name: when it is due for this person, as a time or as "+2 days".

The row `everybody` says when each lesson is due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from autograder.course import Course
from autograder.errors import CourseError
from autograder.marks.people import People, folder_name, letters
from autograder.marks.times import find_zone, read_length, read_time

EVERYBODY = ("everybody", "everyone", "all", "*")
LEFT = ("left", "gone", "no", "dropped", "withdrawn", "inactive")
IN = ("", "in", "yes", "active", "enrolled")
COLUMNS = ("student", "name", "id", "email", "status", "group", "was", "slip_days")


@dataclass(frozen=True)
class Member:
    """A person of the class list.

    label: what they are called in a message.
    was: earlier names of their folder.
    due: lesson → when it is due for them; a length of time is added to everybody's date.
    """

    label: str
    left: bool = False
    group: str = ""
    was: tuple[str, ...] = ()
    slip_days: int = 0
    due: Mapping[str, datetime | timedelta] = field(default_factory=dict)


class ClassList:
    """Who takes the course; empty if there is no table.

    Raises CourseError if the table says something that cannot be understood.
    """

    def __init__(self, course: Course) -> None:
        self.path = course.class_list
        self.lessons = course.lessons()
        self.zone: tzinfo | None = find_zone(course.timezone) if course.timezone else None
        self.people = People.load(self.path) if self.path.is_file() else None
        self.due: dict[str, datetime] = {}
        self._rows: list[tuple[list[str], Member]] = []
        self._found: dict[str, Member | None] = {}  # by the folder's name
        if self.people is None:
            return
        rows = [row for row in self.people.rows if row[0].strip().casefold() in EVERYBODY]
        for row in rows:
            self.people.rows.remove(row)
            for stem, when in self._dates(row).items():
                if isinstance(when, timedelta):
                    raise CourseError(f"{self.path.name}: {stem} needs a date for everybody")
                self.due[stem] = when
        self._rows = [(row, self._member(row)) for row in self.people.rows]

    @property
    def members(self) -> list[Member]:
        """Everybody in the table, those who left included."""
        return [member for _, member in self._rows]

    def member(self, student: str) -> Member | None:
        """Return whose folder it is; None if nobody's, or if several people may be meant."""
        if self.people is None:
            return None
        if student not in self._found:
            rows = self.people.find(student) or self.people.by_number(student)
            fitting = [member for row, member in self._rows if any(row is r for r in rows)]
            if not fitting:
                fitting = [m for _, m in self._rows if student in m.was]
            self._found[student] = fitting[0] if len(fitting) == 1 else None
        return self._found[student]

    def has_left(self, student: str) -> bool:
        """Return whether a folder is that of somebody who left."""
        member = self.member(student)
        return member is not None and member.left

    def now(self, student: str) -> str:
        """Return the present name of a student's folder, which may have changed."""
        for row, member in self._rows:
            if student in member.was and self.people is not None:
                place = {name.casefold(): at for at, name in enumerate(self.people.header)}
                return folder_name(row[place.get("student", 0)]) or student
        return student

    def group_of(self, student: str) -> str:
        """Return the group that a folder belongs to, or is called after; "" if none."""
        member = self.member(student)
        if member is not None and member.group:
            return member.group
        names = {letters(m.group): m.group for m in self.members if m.group}
        return names.get(letters(student), "")

    def in_group(self, group: str) -> list[Member]:
        """Return the members of a group who have not left."""
        same = letters(group)
        return [m for m in self.members if m.group and letters(m.group) == same and not m.left]

    def keys(self, member: Member) -> list[str]:
        """Return what somebody may be found by in a platform's roster."""
        assert self.people is not None
        return next(self.people.keys(row) for row, other in self._rows if other is member)

    def without_work(self, students: Collection[str]) -> list[str]:
        """Return who handed in nothing, neither alone nor in a group."""
        there = {id(m) for student in students if (m := self.member(student))}
        groups = {group for student in students if (group := self.group_of(student))}
        return [
            m.label
            for m in self.members
            if not m.left and id(m) not in there and not (m.group and m.group in groups)
        ]

    def strangers(self, students: Iterable[str]) -> list[str]:
        """Return the folders that are nobody's in the table; [] if there is none."""
        if self.people is None:
            return []
        return [s for s in students if self.member(s) is None and not self.group_of(s)]

    def _member(self, row: Sequence[str]) -> Member:
        assert self.people is not None
        label = self.people.label(row)
        cells = {
            name.casefold().replace(" ", "_"): cell.strip()
            for name, cell in zip(self.people.header, row, strict=True)
        }
        status = cells.get("status", "").casefold()
        if status not in (*LEFT, *IN):
            raise CourseError(
                f"{self.path.name}: the status of {label} is {status!r}: write `left`, or nothing"
            )
        slip = cells.get("slip_days", "") or "0"
        if not slip.isdecimal():
            raise CourseError(f"{self.path.name}: slip_days of {label} is no whole number: {slip}")
        was = tuple(cells.get("was", "").replace(";", " ").replace(",", " ").split())
        return Member(
            label, status in LEFT, cells.get("group", ""), was, int(slip), self._dates(row)
        )

    def _dates(self, row: Sequence[str]) -> dict[str, datetime | timedelta]:
        assert self.people is not None
        dates: dict[str, datetime | timedelta] = {}
        for name, cell in zip(self.people.header, row, strict=True):
            stem = name.removeprefix("due ").strip()
            if stem not in self.lessons or not cell.strip():
                continue
            cell = cell.strip().lstrip("'")  # as a spreadsheet keeps +2 days from being a formula
            length = read_length(cell)
            try:
                dates[stem] = read_time(cell, self.zone) if length is None else length
            except CourseError as error:
                raise CourseError(f"{self.path.name}, {row[0]}, {stem}: {error}") from None
        return dates
