"""The list of a course's students as Canvas, Moodle or GitHub Classroom export it, as CSV.

Collecting knows a student by a folder's name alone. A roster says which row of the platform that
is, and keeps everything else of the row as the platform wrote it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.errors import CourseError
from autograder.exchange.platforms import folder_name, letters

# Columns that hold what a folder may be called after, in small letters.
IDS: tuple[str, ...] = ("id", "identifier", "id number", "email address", "email", "username")
IDS += ("github_username", "sis login id", "sis user id", "integration id")
IDS += ("student_id", "student id")
NAMES = ("student", "full name", "name")
FIRST_NAMES = ("first name", "firstname")
LAST_NAMES = ("last name", "lastname", "surname")
# Those whose number collecting puts behind a student's name.
NUMBERS = ("id", "identifier")
NUMBERED = re.compile(r"(?:(.+)_)?(\d+)")
FINAL_NUMBER = re.compile(r"(?<!\d)\d+$")
POINTS_POSSIBLE = "points possible"


@dataclass
class Roster:
    """A CSV file with a row for each student.

    header: the names of the columns.
    rows: the students', each as long as the header.
    above: rows that are no student's, such as Canvas' points possible.
    id_column: the only column that tells the students apart, if its name is not one of `IDS`.
    bom: what stands before the first column, for programs that want to see that it is UTF-8.
    """

    header: list[str]
    rows: list[list[str]]
    above: list[list[str]] = field(default_factory=list)
    delimiter: str = ","
    bom: str = ""
    id_column: str | None = None

    @classmethod
    def load(cls, path: Path, id_column: str | None = None) -> Roster:
        """Read a roster; raises CourseError if it is none."""
        text = _read(path)
        lines = text.removeprefix("\ufeff")
        bom = text[: len(text) - len(lines)]
        first = lines.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        try:
            table = list(csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise CourseError(f"{path.name} is no CSV file ({error}): export it again") from error
        header, *rows = [row for row in table if any(map(str.strip, row))] or [[]]
        header = [name.strip() for name in header]
        if id_column is not None and id_column not in header:
            raise CourseError(
                f"{path.name} has no column {id_column!r}: its columns are {', '.join(header)}"
            )
        known = {*IDS, *NAMES, *FIRST_NAMES}
        if id_column is None and known.isdisjoint(map(str.casefold, header)):
            raise CourseError(
                f"{path.name} has no column that tells its students apart (such as ID, Identifier, "
                "Email address): name it with --id-column"
            )
        for row in rows:
            if any(map(str.strip, row[len(header) :])):
                raise CourseError(
                    f"{path.name}: the row of {row[0]!r} has more cells than the first row: export "
                    "it again"
                )
            row[:] = [*row, *[""] * len(header)][: len(header)]
        roster = cls(header, [], [], delimiter, bom, id_column)
        for row in rows:
            (roster.above if roster._is_above(row) else roster.rows).append(row)
        return roster

    @property
    def is_canvas(self) -> bool:
        """Whether Canvas exported it, with the students' names in one column or in two."""
        names = ("Student", "LastName")
        return {"ID", "Section"} <= set(self.header) and self.header[0] in names

    @property
    def is_worksheet(self) -> bool:
        """Whether it is Moodle's grading worksheet, that of a single assignment."""
        return {"Identifier", "Grade"} <= set(self.header)

    def add_column(self, name: str, points: str) -> int:
        """Add an empty column, for marks out of `points`; return where it stands."""
        self.header.append(name)
        for row in [*self.above, *self.rows]:
            row.append("")
        if self.is_canvas:
            self.points_possible()[-1] = points
        return len(self.header) - 1

    def points_possible(self) -> list[str]:
        """Return Canvas' row of points; one is added if there is none."""
        for row in self.above:
            if POINTS_POSSIBLE in row[0].casefold():
                return row
        row = ["    Points Possible", *[""] * (len(self.header) - 1)]
        self.above.append(row)
        return row

    def find(self, student: str) -> list[list[str]]:
        """Return the rows that may be a student's; it is known only if there is just one.

        A folder is called after an id (a user name, an e-mail address, the value of --id-column),
        after a name, or after both, as collecting makes it for Canvas and Moodle. Both must fit
        then: a number alone may be somebody else's on another platform.
        """
        for key, columns in ((_id_key, self._ids), (_name_key, self._full_names)):
            fitting = [row for row in self.rows if key(student) in map(key, columns(row))]
            if fitting:
                return fitting
        name, number = split(student)
        numbered = self.id_column or not {*NUMBERS}.isdisjoint(map(str.casefold, self.header))

        def fits(row: Sequence[str]) -> bool:
            keys = [*map(_name_key, self._full_names(row))]
            is_name = _name_key(name) in keys
            # Moodle's gradebook does not have the number that its downloads have.
            if not numbered:
                return is_name
            return number in self._numbers(row) and (is_name or not name or not keys)

        return [row for row in self.rows if number and fits(row)]

    def label(self, row: Sequence[str]) -> str:
        """Return what a student of the roster is called in a message."""
        return next(filter(None, [*self._full_names(row), *self._ids(row)]), "?")

    def _ids(self, row: Sequence[str], columns: Sequence[str] = IDS) -> list[str]:
        if self.id_column is not None:
            return [row[self.header.index(self.id_column)].strip()]
        return self._values(row, columns)

    def _numbers(self, row: Sequence[str]) -> list[str]:
        """Return the numbers that ids are, or end with, as Moodle's `Participant 1234567` does."""
        matches = [FINAL_NUMBER.search(text) for text in self._ids(row, NUMBERS)]
        return [match.group() for match in matches if match]

    def _full_names(self, row: Sequence[str]) -> list[str]:
        """Return the ways to write a student's name; that of Moodle's `Participant 7` as well."""
        names = self._values(row, NAMES)
        first, last = self._values(row, FIRST_NAMES), self._values(row, LAST_NAMES)
        if first and last:
            names += [f"{first[0]} {last[0]}", f"{last[0]} {first[0]}"]
        # Canvas writes "Lovelace, Ada".
        names += [" ".join(reversed(name.split(",", 1))) for name in names if "," in name]
        names += [FINAL_NUMBER.sub("", text) for text in self._values(row, ("identifier",))]
        return [name for name in names if _name_key(name)]

    def _values(self, row: Sequence[str], columns: Sequence[str]) -> list[str]:
        return [
            cell.strip()
            for name, cell in zip(self.header, row, strict=True)
            if name.casefold() in columns and cell.strip()
        ]

    def _is_above(self, row: Sequence[str]) -> bool:
        if not self.is_canvas:
            return False
        nobody = not row[0].strip() and not row[self.header.index("ID")].strip()
        return nobody or POINTS_POSSIBLE in row[0].casefold()


def split(student: str) -> tuple[str, str]:
    """Return the name and the number that collecting made a folder's name of; "" without one."""
    both = NUMBERED.fullmatch(student)
    return (both[1] or "", both[2]) if both else (student, "")


def _read(path: Path) -> str:
    """Return the text of a CSV file; a mark at its beginning is kept."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(
            f"the roster {path} cannot be read ({error.strerror}): check the path"
        ) from error
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise CourseError(
            f"{path.name} is not text in UTF-8: export it again, or save it as CSV UTF-8"
        ) from None


def _id_key(text: str) -> str:
    """Return an id as a folder would be called after it; capitals make no difference."""
    return folder_name(text).casefold()


def _name_key(text: str) -> str:
    """Return the letters of a name, since Canvas joins them and others write blanks and commas."""
    return letters(folder_name(text))
