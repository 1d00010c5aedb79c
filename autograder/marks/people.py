"""A table of people, such as a platform's roster or the class list: which row a folder stands for.

Collecting knows a student by a folder's name alone, which is made of what the platform writes into
its files: an id, a name, or both.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from autograder.errors import CourseError
from autograder.texts import csv_text

# Columns that hold what a folder may be called after, in small letters: one line a language.
IDS: tuple[str, ...] = (
    *("id", "identifier", "id number", "email address", "email", "username", "student_id"),
    *("github_username", "github username", "sis login id", "sis user id", "integration id"),
    *("student id", "orgdefinedid", "uid", "login", "display id", "user id", "student number"),
    *("id-nummer", "e-mail-adresse", "anmeldename", "benutzername", "matrikelnummer"),
    *("identifiant", "numéro d'identification", "adresse de courriel", "nom d'utilisateur"),
    *("identificador", "número de id", "dirección de correo", "nombre de usuario", "correo"),
    *("identificativo", "codice identificativo", "indirizzo email", "nome utente", "matricola"),
    *("número de identificação", "endereço de e-mail", "endereço de email", "nome de usuário"),
    *("identificatie", "id-nummer", "e-mailadres", "gebruikersnaam", "studentnummer"),
    *("e-postadress", "användarnamn", "e-mailadresse", "brugernavn", "brukernavn"),
)
NAMES = (
    *("student", "full name", "name", "student name"),
    *("vollständiger name", "nom complet", "nombre completo", "nome completo", "volledige naam"),
    *(
        "fullständigt namn",
        "fulde navn",
        "fullt navn",
        "koko nimi",
        "imię i nazwisko",
        "teljes név",
    ),
    *("celé jméno", "полное имя", "名前", "氏名", "全名", "姓名"),
)
FIRST_NAMES = (
    *("first name", "firstname", "given name", "vorname", "prénom", "nombre", "nome", "voornaam"),
    *("förnamn", "fornavn", "etunimi", "imię"),
)
LAST_NAMES = (
    *("last name", "lastname", "surname", "family name", "nachname", "nom de famille", "nom"),
    *("apellido(s)", "apellidos", "cognome", "sobrenome", "apelido", "achternaam", "efternamn"),
    *("etternavn", "sukunimi", "nazwisko"),
)
# Those whose number collecting puts behind a student's name.
NUMBERS = ("id", "identifier", "identifiant", "identificador", "identificativo", "identificatie")
NUMBERED = re.compile(r"(?:(.+)_)?(\d+)")
FINAL_NUMBER = re.compile(r"(?<!\d)\d+$")
# Excel writes such a line above all others, or wants it there.
SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
RESERVED = {"con", "prn", "aux", "nul"}
RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
# nbgrader's gradebook has room for 128 letters; a folder's name may have two parts.
MAX_NAME = 60


@dataclass
class People:
    """A CSV file with a row for each person.

    header: the names of the columns.
    rows: the people's, each as long as the header.
    above: rows that are nobody's, such as Canvas' points possible.
    id_column: the only column that tells people apart, if its name is not one of `IDS`.
    start: what stands before the first column: a mark that it is UTF-8, Excel's `sep=;`.
    """

    header: list[str]
    rows: list[list[str]]
    above: list[list[str]] = field(default_factory=list)
    delimiter: str = ","
    start: str = ""
    id_column: str | None = None

    @classmethod
    def load(cls, path: Path, id_column: str | None = None) -> Self:
        """Read a table; raises CourseError if it is none."""
        text = _read(path)
        lines = text.removeprefix("\ufeff")
        separator = SEPARATOR.match(lines)
        if separator:
            lines = lines[separator.end() :]
        start = text[: len(text) - len(lines)]
        first = lines.partition("\n")[0]
        delimiter = separator[1] if separator else max(",;\t", key=first.count)
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
        for row in rows:
            if any(map(str.strip, row[len(header) :])):
                raise CourseError(
                    f"{path.name}: the row of {row[0]!r} has more cells than the first row: export "
                    "it again"
                )
            row[:] = [*row, *[""] * len(header)][: len(header)]
        people = cls(header, rows, [], delimiter, start, id_column)
        people._check(path)
        return people

    def _check(self, path: Path) -> None:
        """Raise CourseError if no column tells people apart."""
        known = {*IDS, *NAMES, *FIRST_NAMES}
        if self.id_column is None and known.isdisjoint(map(str.casefold, self.header)):
            raise CourseError(
                f"{path.name} has no column that tells its students apart (such as ID, Identifier, "
                "Email address): name it with --id-column"
            )

    def text(self, table: Sequence[Sequence[str]] | None = None) -> str:
        """Return it, or another table in its manner, as a file's text; no cell is a formula."""
        rows = [self.header, *self.above, *self.rows] if table is None else table
        return self.start + csv_text(rows, self.delimiter)

    def find(self, student: str) -> list[list[str]]:
        """Return the rows that may be a student's; it is known only if there is just one.

        A folder is called after an id (a user name, an e-mail address, the value of --id-column),
        after a name, or after both, as collecting makes it for Canvas and Moodle. Both must fit
        then: a number alone may be somebody else's on another platform; see by_number.
        """
        for key, columns in ((_id_key, self.ids), (_name_key, self._full_names)):
            fitting = [row for row in self.rows if key(student) in map(key, columns(row))]
            if fitting:
                return fitting
        name, number = split(student)
        together = {letters(name), letters(student)} - {""}
        fitting = [row for row in self.rows if together & self._names_with_ids(row)]
        if fitting:
            return fitting
        if not number:
            return []
        # Moodle's gradebook does not have the number that its downloads have.
        if not self._is_numbered():
            return [row for row in self.rows if self.is_called(row, name)]
        numbered = [row for row in self.rows if number in self.numbers(row)]
        nameless = [row for row in numbered if not name or not self._full_names(row)]
        called = [row for row in self.rows if self.is_called(row, name)]
        both = [row for row in called if number in self.numbers(row)]
        return both or nameless or [row for row in called if not self.numbers(row)]

    def by_number(self, student: str) -> list[list[str]]:
        """Return the rows of a folder's number, if its name is nobody's.

        A group's file bears the name of the group and the number of a member.
        """
        name, number = split(student)
        if not number or any(self.is_called(row, name) for row in self.rows):
            return []
        return [row for row in self.rows if number in self.numbers(row)]

    def _is_numbered(self) -> bool:
        return bool(self.id_column or {*NUMBERS} & {*map(str.casefold, self.header)})

    def is_called(self, row: Sequence[str], name: str) -> bool:
        """Return whether a name, as collecting writes it, is that of a row."""
        return _name_key(name) in map(_name_key, self._full_names(row))

    def label(self, row: Sequence[str]) -> str:
        """Return what a person is called in a message."""
        return next(filter(None, [*self._full_names(row), *self.ids(row)]), "?")

    def keys(self, row: Sequence[str]) -> list[str]:
        """Return what a person may be found by in another table: ids, then names."""
        return [*self.ids(row), *self._full_names(row)]

    def ids(self, row: Sequence[str], columns: Sequence[str] = IDS) -> list[str]:
        """Return what of a row a folder may be called after, but for names."""
        if self.id_column is not None:
            return [row[self.header.index(self.id_column)].strip()]
        # Brightspace writes #ada, so that no spreadsheet takes it for a number.
        return [text.removeprefix("#") for text in self._values(row, columns)]

    def numbers(self, row: Sequence[str]) -> list[str]:
        """Return the numbers that ids are, or end with, as Moodle's `Participant 1234567` does."""
        matches = [FINAL_NUMBER.search(text) for text in self.ids(row, NUMBERS)]
        return [match.group() for match in matches if match]

    def _names_with_ids(self, row: Sequence[str]) -> set[str]:
        """Return a row's names with each of its ids behind them, as ILIAS and Sakai write both."""
        return {
            _name_key(name) + _name_key(text)
            for name in self._full_names(row)
            for text in self.ids(row)
            if not text.isdigit()
        }

    def _full_names(self, row: Sequence[str]) -> list[str]:
        """Return the ways to write a name; that of Moodle's `Participant 7` as well."""
        names = self._values(row, NAMES)
        first, last = self._values(row, FIRST_NAMES), self._values(row, LAST_NAMES)
        if first and last:
            names += [f"{first[0]} {last[0]}", f"{last[0]} {first[0]}"]
        # Canvas writes "Lovelace, Ada".
        names += [" ".join(reversed(name.split(",", 1))) for name in names if "," in name]
        names += [FINAL_NUMBER.sub("", text) for text in self._values(row, NUMBERS[1:])]
        return [name for name in names if _name_key(name)]

    def _values(self, row: Sequence[str], columns: Iterable[str]) -> list[str]:
        return [
            cell.strip()
            for name, cell in zip(self.header, row, strict=True)
            if name.casefold() in columns and cell.strip()
        ]


def split(student: str) -> tuple[str, str]:
    """Return the name and the number that collecting made a folder's name of; "" without one."""
    both = NUMBERED.fullmatch(student)
    return (both[1] or "", both[2]) if both else (student, "")


def folder_name(who: str) -> str:
    """Return a student's name or id as a folder's name that is safe on every system.

    Letters of all scripts, digits and _ - . @ stay, blanks become _, everything else a -. Returns
    "" if nothing of it can stay.
    """
    text = re.sub(r"\s+", "_", unicodedata.normalize("NFC", who).strip())
    safe = [c if c in "_-.@" or unicodedata.category(c)[0] in "LMN" else "-" for c in text]
    kept = "".join(safe)[:MAX_NAME].strip(".-")
    first, dot, rest = kept.partition(".")
    return f"{first}_{dot}{rest}" if first.casefold() in RESERVED else kept


def letters(name: str) -> str:
    """Return a name's letters and digits, in small letters, by which names are compared."""
    return "".join(c for c in unicodedata.normalize("NFC", name).casefold() if c.isalnum())


def _read(path: Path) -> str:
    """Return the text of a CSV file; a mark at its beginning is kept."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(
            f"the roster {path} cannot be read ({error.strerror}): check the path"
        ) from error
    if data[:4] == b"PK\x03\x04":
        raise CourseError(f"{path.name} is an Excel workbook: save it as CSV UTF-8, and try again")
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
