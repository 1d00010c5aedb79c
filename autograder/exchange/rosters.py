"""The list of a course's students as a platform exports it, and which of its cells take a mark.

Canvas, Moodle, Blackboard and Brightspace each have a form of their own. Everything else of a row
stays as the platform wrote it, and so does a cell that a person has filled with something else than
a number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.marks.people import FIRST_NAMES, IDS, LAST_NAMES, NAMES, People, letters


@dataclass(frozen=True)
class Form:
    """What a platform's file looks like.

    ids: the columns that it needs at least to know a student.
    new: what a new column is called.
    end: what stands behind all columns, and in each row there.
    """

    ids: tuple[str, ...] = ("student",)
    new: str = "{stem}"
    end: tuple[str, str] | None = None


CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = (
    *("Identifier", "Full name", "Email address", "Grade", "Maximum Grade"),
    *("Last modified (grade)", "Feedback comments"),
)
# How each platform's file is made up.
FORMS = {
    "canvas": Form(CANVAS),
    "moodle": Form(MOODLE),
    "blackboard": Form(("Username",)),
    "brightspace": Form(("Username",), "{stem} Points Grade", ("End-of-Line Indicator", "#")),
    "excel": Form(),
    "csv": Form(),
}
# Moodle's worksheet in each language: the columns of the mark, of whether it can be changed, and of
# comments. One line a language; in one that is not here, their places tell them (see _by_place).
WORKSHEETS = (
    ("Grade", "Grade can be changed", "Feedback comments"),
    ("Bewertung", "Bewertung kann geändert werden", "Feedback als Kommentar"),
    ("Note", "La note peut être modifiée", "Feedback par commentaires"),
    ("Calificación", "La calificación puede ser cambiada", "Comentarios de retroalimentación"),
    ("Valutazione", "La valutazione può essere modificata", "Commenti"),
    ("Nota", "A nota pode ser alterada", "Comentários de feedback"),
    ("Avaliação", "A avaliação pode ser alterada", "Comentários de feedback"),
    ("Cijfer", "Cijfer kan gewijzigd worden", "Feedback opmerkingen"),
    ("Beoordeling", "Beoordeling kan gewijzigd worden", "Feedbackcommentaar"),
    ("Betyg", "Betyget kan ändras", "Återkopplingskommentarer"),
    ("Karakter", "Karakteren kan ændres", "Feedbackkommentarer"),
    ("Ocena", "Ocena może być zmieniona", "Komentarz zwrotny"),
    ("Not", "Not değiştirilebilir", "Geri bildirim yorumları"),
    ("Оценка", "Оценка может быть изменена", "Отзыв в виде комментария"),
    ("Qualificació", "La qualificació es pot canviar", "Comentaris de retroacció"),
    ("Kalifikazioa", "Kalifikazioa alda daiteke", "Feedback-iruzkinak"),
    ("成绩", "允许更改成绩", "反馈评论"),
)
# "No", as Moodle says that a mark is locked.
NO = {"no", "nein", "non", "não", "nee", "nej", "nei", "ei", "nie", "ne", "nem", "hayır", "όχι"}
NO |= {"нет", "ні", "否", "いいえ", "아니요", "아니오", "ez", "nu", "لا", "לא"}
# What a cell holds that waits for a mark.
WAITING = re.compile(r"|[-–—]|(needs grading|in progress|not graded|ungraded)\b.*", re.IGNORECASE)
NUMBER = re.compile(r"-?\d+([.,]\d+)?\s*%?")
COMMA = re.compile(r"-?\d+,\d+")
PARTICIPANT = re.compile(r"([^\W\d_][^\d]*?)\s?\d+")
POINTS_POSSIBLE = "points possible"
GROUPS = ("group", "gruppe", "groupe", "grupo", "gruppo", "groep", "grupp", "grupa", "team")


@dataclass
class Roster(People):
    """A platform's list of students, with a row for each."""

    @classmethod
    def load(cls, path: Path, id_column: str | None = None) -> Roster:
        """Read a roster; raises CourseError if it is none."""
        roster = super().load(path, id_column)
        rows, roster.rows = roster.rows, []
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
        return self.worksheet is not None

    @property
    def worksheet(self) -> tuple[int, int | None, int | None] | None:
        """The places of a worksheet's mark, of whether it can be changed, and of comments."""
        if self.is_canvas or not self._has_participants():
            return None
        places = {name.casefold(): place for place, name in enumerate(self.header)}
        for names in WORKSHEETS:
            grade, lock, comments = (places.get(name.casefold()) for name in names)
            others = lock is not None or comments is not None
            if grade is not None and (others or names[0] == "Grade"):
                by_place = self._by_place()
                last = by_place[2] if by_place else None
                return grade, lock, comments if comments is not None else last
        # Whoever says where the ids stand says the rest as well.
        return self._by_place() if self.id_column is None else None

    @property
    def comma(self) -> bool:
        """Whether it writes 12,5 for 12.5; Canvas takes both."""
        return not self.is_canvas and any(
            COMMA.fullmatch(cell.strip()) for row in self._all() for cell in row
        )

    def keep(self) -> list[int]:
        """Return the places of columns that say who a row is: other marks may be older by now."""
        if self.is_canvas:
            return [*range(self.header.index("Section") + 1)]
        known = {*IDS, *NAMES, *FIRST_NAMES, *LAST_NAMES}
        return [place for place, name in enumerate(self.header) if name.casefold() in known]

    def add_column(self, name: str, points: str) -> int:
        """Add an empty column, for marks out of `points`; return where it stands.

        A last column that marks the end of a row stays the last.
        """
        ends = {form.end[0] for form in FORMS.values() if form.end}
        place = len(self.header) - (bool(self.header) and self.header[-1] in ends)
        for row in self._all():
            row.insert(place, "")
        self.header.insert(place, name)
        if self.is_canvas:
            self.points_possible()[place] = points
        return place

    def points_possible(self) -> list[str]:
        """Return Canvas' row of points; one is added if there is none."""
        for row in self.above:
            if POINTS_POSSIBLE in row[0].casefold():
                return row
        row = ["    Points Possible", *[""] * (len(self.header) - 1)]
        self.above.append(row)
        return row

    def why_not(self, row: Sequence[str], place: int) -> str:
        """Return why a cell takes no mark, as a clause, "" if it takes one."""
        worksheet = self.worksheet
        lock = worksheet[1] if worksheet and place == worksheet[0] else None
        if lock is not None and row[lock].strip().casefold() in NO:
            return "locked in Moodle"
        text = row[place].strip()
        if NUMBER.fullmatch(text) or WAITING.fullmatch(text):
            return ""
        return f"{text} stands there"

    def team(self, row: Sequence[str], student: str) -> list[list[str]]:
        """Return the rows of a Moodle team whose name the folder bears; [] if it bears none."""
        groups = [place for place, name in enumerate(self.header) if name.casefold() in GROUPS]
        for place in groups:
            group = row[place].strip()
            if group and letters(student).startswith(letters(group)):
                return [other for other in self.rows if other[place].strip() == group]
        return []

    def _check(self, path: Path) -> None:
        if not self._has_participants():
            super()._check(path)

    def _is_numbered(self) -> bool:
        return super()._is_numbered() or self._has_participants()

    def ids(self, row: Sequence[str], columns: Sequence[str] = IDS) -> list[str]:
        """Return a row's ids; in a worksheet, whatever its language, the first column is one."""
        found = super().ids(row, columns)
        first = [row[0].strip()] if self.id_column is None and self._has_participants() else []
        return list(dict.fromkeys([*found, *first]))

    def _all(self) -> Iterator[list[str]]:
        yield from (*self.above, *self.rows)

    def _has_participants(self) -> bool:
        """Whether the first column numbers the participants, each with the same word before it."""
        if not self.rows or self.is_canvas:
            return False
        words = {
            match[1] if (match := PARTICIPANT.fullmatch(row[0].strip())) else None
            for row in self.rows
        }
        return self.header[0] == "Identifier" or (len(words) == 1 and None not in words)

    def _by_place(self) -> tuple[int, int | None, int | None] | None:
        """Return the worksheet's places as Moodle orders its columns, whatever they are called.

        The most that a mark can be stands behind the mark and is the same for all; whether it can
        be changed stands behind that, and comments stand last.
        """
        for place in range(2, len(self.header) - 2):
            most = {row[place].strip() for row in self.rows}
            if len(most) != 1 or not NUMBER.fullmatch(most.pop()):
                continue
            waiting = all(not self._foreign(row[place - 1]) for row in self.rows)
            locks = Counter(row[place + 1].strip() for row in self.rows)
            if waiting and len(locks) <= 2 and not any(map(NUMBER.fullmatch, locks)):
                return place - 1, place + 1, len(self.header) - 1
        return None

    @staticmethod
    def _foreign(cell: str) -> bool:
        return not (NUMBER.fullmatch(cell.strip()) or WAITING.fullmatch(cell.strip()))

    def _is_above(self, row: Sequence[str]) -> bool:
        if not self.is_canvas:
            return False
        nobody = not row[0].strip() and not row[self.header.index("ID")].strip()
        return nobody or POINTS_POSSIBLE in row[0].casefold()
