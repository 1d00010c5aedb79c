"""Marks out to platforms other than plain ones, and what of a person's own stays in their files."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from conftest import TINY

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.export import FEEDBACK, Export, ExportedMark, export
from autograder.exchange.rosters import NO, WORKSHEETS, Roster
from autograder.exchange.workbook import MAIN, workbook
from autograder.lesson import Lesson
from autograder.marks.classlist import ClassList

CANVAS = f"""\
Student,ID,SIS User ID,SIS Login ID,Section,{TINY} (98765)
    Points Possible,,,,,8.00
"Lovelace, Ada",101,S1,al1,Lab 1,EX
"Hopper, Grace",102,S2,gh1,Lab 1,N/A
"Curie, Marie",103,S3,mc1,Lab 2,3.0
"Noether, Emmy",105,S5,en1,Lab 2,
"""
GERMAN = """\
ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,\
Bewertung kann geändert werden,Zuletzt geändert (Abgabe),Zuletzt geändert (Bewertung),\
Feedback als Kommentar
Teilnehmer/in1234567,Ada Lovelace,ada@example.org,Abgegeben,"3,50","8,00",Ja,-,-,
Teilnehmer/in1234568,Grace Hopper,grace@example.org,Abgegeben,,"8,00",Nein,-,-,
Teilnehmer/in1234569,Emmy Noether,emmy@example.org,Abgegeben,,"8,00",Ja,-,-,Gut!
"""


@pytest.fixture
def lesson(course: Course) -> Lesson:
    return Lesson.load(course.lesson_path(TINY))


@pytest.fixture
def load(tmp_path: Path):
    """Return what makes a roster of a text."""

    def made(text: str) -> Roster:
        path = tmp_path / "roster.csv"
        path.write_bytes(text.encode())
        return Roster.load(path)

    return made


def mark(student: str, points: float = 7.5, **more: str) -> ExportedMark:
    return ExportedMark(student, TINY, points, feedback=f"{FEEDBACK}Exercise 1 2/2", **more)


def column(made: Export, name: str, key: int = 0) -> dict[str, str]:
    """Return a column of what was made, by what stands in another."""
    rows = list(csv.reader(io.StringIO(made.text().lstrip("\ufeff"), newline=""), delimiter=","))
    rows = [row for row in rows if not row[0].startswith("sep=")]
    return {row[key]: row[rows[0].index(name)] for row in rows[1:]}


def test_what_a_person_wrote_in_canvas_stays_and_is_said(lesson: Lesson, load) -> None:
    marks = [mark(name) for name in ("lovelaceada_101", "hoppergrace_102", "curiemarie_103")]
    made = export("canvas", [lesson], marks, load(CANVAS))
    found = column(made, f"{TINY} (98765)", key=1)
    assert (found["101"], found["102"], found["103"]) == ("EX", "N/A", "7.5")
    assert made.written == 1
    notes = "\n".join(made.notes)
    assert f"Lovelace, Ada, {TINY}: left as it is, EX stands there." in notes
    assert f"Hopper, Grace, {TINY}: left as it is, N/A stands there." in notes


def test_moodle_s_worksheet_in_german(lesson: Lesson, load) -> None:
    marks = [
        mark(f"{name}_{number}")
        for name, number in (
            ("Ada_Lovelace", 1234567),
            ("Grace_Hopper", 1234568),
            ("Emmy_Noether", 1234569),
        )
    ]
    made = export("moodle", [lesson], marks, load(GERMAN))
    assert column(made, "Bewertung") == {
        "Teilnehmer/in1234567": "7,5",
        "Teilnehmer/in1234568": "",
        "Teilnehmer/in1234569": "7,5",
    }
    comments = column(made, "Feedback als Kommentar")
    assert comments["Teilnehmer/in1234567"].startswith(FEEDBACK)
    assert comments["Teilnehmer/in1234568"] == "" and comments["Teilnehmer/in1234569"] == "Gut!"
    assert f"Grace Hopper, {TINY}: left as it is, locked in Moodle." in made.notes
    assert made.written == 2


@pytest.mark.parametrize("names", WORKSHEETS)
def test_moodle_s_worksheet_in_every_language_of_the_table(lesson: Lesson, load, names) -> None:
    grade, lock, comment = names
    for no in sorted(NO)[:4]:
        header = f"Nr.,Name,Status,{grade},Most,{lock},Changed,{comment}\n"
        rows = f"P 7,Ada,x,,8.00,Yes,-,\nP 8,Bob,x,,8.00,{no},-,\n"
        made = export("moodle", [lesson], [mark("Ada_7"), mark("Bob_8")], load(header + rows))
        assert column(made, grade) == {"P 7": "7.5", "P 8": ""}
        assert column(made, comment)["P 7"].startswith(FEEDBACK)


def test_moodle_s_worksheet_in_a_language_that_no_table_knows(lesson: Lesson, load) -> None:
    """Its columns stand in an order of their own; numbers decide who is who."""
    text = "Tunnus,Nimi,Tila,Piste,Paras,Muutettavissa,Aika,Sana\n"
    text += "Osallistuja 1234567,Ada Lovelace,x,,8.00,Kyllä,-,\n"
    text += "Osallistuja 1234568,Bob Bee,x,5.00,8.00,Ei,-,\n"
    marks = [mark("Ada_Lovelace_1234567"), mark("Bob_Bee_1234568")]
    made = export("moodle", [lesson], marks, load(text))
    assert list(column(made, "Piste").values()) == ["7.5", "5.00"]
    assert list(column(made, "Sana").values())[0].startswith(FEEDBACK)


def test_moodle_s_gradebook_in_german(lesson: Lesson, load) -> None:
    text = f"Vorname,Nachname,ID-Nummer,Aufgabe: {TINY} (Punkte),Aufgabe: {TINY} (Feedback),"
    text += f"Aufgabe: {TINY} (Prozentsatz)\nAda,Lovelace,7,-,,-\n"
    made = export("moodle", [lesson], [mark("Ada_Lovelace_1234567")], load(text))
    assert column(made, f"Aufgabe: {TINY} (Punkte)") == {"Ada": "7.5"}
    assert column(made, f"Aufgabe: {TINY} (Feedback)")["Ada"].startswith(FEEDBACK)


def test_excel_s_line_about_separators_is_read_and_kept(lesson: Lesson, load) -> None:
    made = export("csv", [lesson], [mark("ada")], load("\ufeffsep=;\r\nID;name\r\nada;Ada, L.\r\n"))
    assert made.text() == f"\ufeffsep=;\r\nID;name;{TINY}\r\nada;Ada, L.;7.5\r\n"


def test_blackboard(lesson: Lesson, load) -> None:
    title = f"{TINY} [Total Pts: 8 Score] |12345"
    text = f"Last Name,First Name,Username,Student ID,Last Access,{title},Quiz |7\n"
    text += "Lovelace,Ada,al1,9,-,Needs Grading,3\nHopper,Grace,gh1,8,-,In Progress(2.00),\n"
    made = export("blackboard", [lesson], [mark("al1"), mark("gh1", 2)], load(text))
    assert column(made, title, key=2) == {"al1": "7.5", "gh1": "2"}
    assert "Quiz |7" not in made.text(), "other marks may be older than what is there"
    least = export("blackboard", [lesson], [mark("al1")])
    assert least.table == [["Username", TINY], ["al1", "7.5"]]


def test_brightspace(lesson: Lesson, load) -> None:
    title = f"{TINY} Points Grade <Numeric MaxPoints:10 Weight:5>"
    text = f"OrgDefinedId,Username,Last Name,First Name,Email,{title},End-of-Line Indicator\n"
    text += "#77,#al1,Lovelace,Ada,ada@example.org,,#\n"
    made = export("brightspace", [lesson], [mark("Ada_Lovelace_351765")], load(text))
    assert column(made, title) == {"#77": "7.5"}
    assert made.table[0][-1] == "End-of-Line Indicator" and made.table[1][-1] == "#"
    assert any("counts out of 10 in Brightspace" in note for note in made.notes)
    # A new column stands before the end of the line.
    made = export("brightspace", [lesson], [mark("al1")], load(text.replace(TINY, "Quiz")))
    assert made.table[0][-2:] == [f"{TINY} Points Grade", "End-of-Line Indicator"]
    assert made.table[1][-2:] == ["7.5", "#"]


def test_excel(lesson: Lesson) -> None:
    table = [["student", TINY], ["=1+1", "12.5"], ["007", ""], ["a<b>&\x01", "-3"]]
    with zipfile.ZipFile(io.BytesIO(workbook(table))) as archive:
        for name in archive.namelist():
            ET.fromstring(archive.read(name))
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    cells = [
        [(cell.get("t", "number"), "".join(cell.itertext())) for cell in row]
        for row in sheet.iter(f"{{{MAIN}}}row")
    ]
    assert cells[1] == [("inlineStr", "=1+1"), ("number", "12.5")], "no formula, and a number"
    assert cells[2][0] == ("inlineStr", "007") and cells[3][0] == ("inlineStr", "a<b>&?")
    assert export("excel", [lesson], [mark("ada")]).table == [["student", TINY], ["ada", "7.5"]]


def test_a_roster_saved_as_a_workbook_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "roster.xlsx"
    path.write_bytes(workbook([["ID"]]))
    with pytest.raises(CourseError, match="save it as CSV UTF-8"):
        Roster.load(path)


def test_a_group_s_file_is_known_by_the_number_on_its_own_platform(lesson: Lesson, load) -> None:
    roster = CANVAS.replace("EX", "").replace("N/A", "")
    made = export("canvas", [lesson], [mark("projectgroup1_101")], load(roster))
    assert column(made, f"{TINY} (98765)", key=1)["101"] == "7.5"
    assert any("taken for Lovelace, Ada by the number" in note for note in made.notes)
    # The name is another's: the number may be from elsewhere.
    made = export("canvas", [lesson], [mark("curiemarie_101")], load(roster))
    assert made.written == 0 and any("not in the roster" in note for note in made.notes)
    made = export("canvas", [lesson], [mark("group_101", platform="moodle")], load(roster))
    assert made.written == 0


def test_a_group_s_mark_goes_to_all_its_members(course: Course, lesson: Lesson, load) -> None:
    course.class_list.write_text(
        "name,id,group,status\n"
        '"Lovelace, Ada",101,Project Group 1,\n"Hopper, Grace",102,Project Group 1,\n'
        '"Curie, Marie",103,Project Group 2,\n"Noether, Emmy",105,Project Group 1,left\n',
        encoding="utf-8",
    )
    roster = CANVAS.replace("EX", "").replace("N/A", "")
    classes = ClassList(course)
    marks = [mark("projectgroup1_101"), mark("project_group_2", 2)]
    made = export("canvas", [lesson], marks, load(roster), classes=classes)
    found = column(made, f"{TINY} (98765)", key=1)
    assert {key: found[key] for key in ("101", "102", "103", "105")} == {
        "101": "7.5",
        "102": "7.5",
        "103": "2",
        "105": "",
    }
    # Two submissions of one group: each mark stays with its folder.
    marks = [mark("lovelaceada_101", 1), mark("hoppergrace_102", 2)]
    made = export("canvas", [lesson], marks, load(roster), classes=classes)
    found = column(made, f"{TINY} (98765)", key=1)
    assert (found["101"], found["102"]) == ("1", "2")
    assert any("several submissions" in note for note in made.notes)


def test_a_moodle_team_s_mark_goes_to_all_its_members(lesson: Lesson, load) -> None:
    text = "Identifier,Full name,Group,Grade,Maximum Grade,Grade can be changed,Feedback comments\n"
    for number, name, group in (
        (1, "Ada L", "Team 7"),
        (2, "Bob B", "Team 7"),
        (3, "Eve", "Team 70"),
    ):
        text += f"Participant {number},{name},{group},,8.00,Yes,\n"
    made = export("moodle", [lesson], [mark("Team_7-Ada_L_1")], load(text))
    assert list(column(made, "Grade").values()) == ["7.5", "7.5", ""]
    assert made.written == 2


def test_late_is_said(lesson: Lesson, load) -> None:
    marks = [
        mark("curiemarie_103", late="3 hours"),
        mark("noetheremmy_105", late="by the platform's word"),
    ]
    made = export("canvas", [lesson], marks, load(CANVAS))
    assert f"curiemarie_103, {TINY}: Handed in 3 hours late." in made.notes
    assert any("noetheremmy_105" in note and "platform's word" in note for note in made.notes)


def test_who_left_is_not_missed(course: Course, lesson: Lesson, load) -> None:
    course.class_list.write_text('name,id,status\n"Curie, Marie",103,left\n', encoding="utf-8")
    marks = [mark("lovelaceada_101")]
    made = export("canvas", [lesson], marks, load(CANVAS), classes=ClassList(course))
    (note,) = [note for note in made.notes if "without a submission" in note]
    assert "Curie" not in note and "Noether" in note
