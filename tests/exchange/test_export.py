"""Marks out of the gradebook, into files that Canvas and Moodle import."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from conftest import TINY

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.collect import collect
from autograder.exchange.export import FEEDBACK, Export, ExportedMark, export, lesson_marks
from autograder.exchange.rosters import Roster
from autograder.grading.grade import grade_lesson
from autograder.lesson import Lesson
from autograder.marks import results
from autograder.marks.gradebook import open_api
from autograder.pages.feedback import feedback_page, write_feedback
from autograder.submissions.made import BROKEN_JSON, fill_in
from autograder.submissions.reading import read_notebook
from autograder.texts import guarded

OTHER = "01_other"

CANVAS = f"""\
Student,ID,SIS User ID,SIS Login ID,Section,Quiz (7),{TINY} (98765),{TINY} Final Score
,,,,,,Manual Posting,
    Points Possible,,,,,5.00,8.00,(read only)
"Lovelace, Ada",101,S1,al1,Lab 1,4.5,,90
"Hopper, Grace",102,S2,gh1,Lab 1 and Lab 2,3.0,6.00,80
"Curie, Marie",103,S3,mc1,Lab 2,,,
"Noether, Emmy",105,S5,en1,Lab 2,-1,,
"Student, Test",199,,t,Lab 1,,,
"""
WORKSHEET = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,\
Last modified (submission),Last modified (grade),Feedback comments
Participant 1234567,Ada Lovelace,ada@example.org,Submitted for grading,,8.00,Yes,"Friday, 3 May",-,
Participant 1234568,Zoë de la Cruz-Ng,zoe@example.org,Submitted,3.00,8.00,Yes,-,-,Well done!
Participant 1234569,Emmy Noether,emmy@example.org,No submission,,8.00,Yes,-,-,
"""
MOODLE = f"""\
First name,Last name,ID number,Email address,Assignment: {TINY} (Real),\
Assignment: {TINY} (Feedback),Course total (Real),Last downloaded from this course
Ada,Lovelace,7,ada@example.org,-,,-,1714000000
Zoë,de la Cruz-Ng,8,zoe@example.org,-,{FEEDBACK}of last week,-,1714000000
"""
GITHUB = """\
"identifier","github_username","github_id","name"
"ada@example.org","ada-l","1","Ada Lovelace"
"bob@example.org","bob","2",""
"carl@example.org","","",""
"""


def rows(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def by_first(made: Export) -> dict[str, dict[str, str]]:
    """Return the rows as a program reads them, by what stands in the first column."""
    return {
        row[next(iter(row))]: row
        for row in csv.DictReader(io.StringIO(made.text(), newline=""), delimiter=made.delimiter)
    }


@pytest.fixture
def lesson(course: Course) -> Lesson:
    return Lesson.load(course.lesson_path(TINY))


@pytest.fixture
def other(course: Course) -> Lesson:
    """A second lesson, like the first one."""
    course.lesson_path(OTHER).write_bytes(course.lesson_path(TINY).read_bytes())
    return Lesson.load(course.lesson_path(OTHER))


@pytest.fixture
def load(tmp_path: Path):
    """Return what makes a roster of a text."""

    def made(text: str | bytes, id_column: str | None = None) -> Roster:
        path = tmp_path / "roster.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Roster.load(path, id_column)

    return made


MARKS = [
    ExportedMark("lovelaceada_101", TINY, 7.5, feedback=f"{FEEDBACK}Exercise 1 2/2"),
    ExportedMark("hoppergrace_102", TINY, None, "1 written answer to mark"),
    ExportedMark("curiemarie_103", TINY, None, "the file is not valid JSON"),
    ExportedMark("turingalan_104", TINY, 8.0),
    ExportedMark("noetheremmy_105", TINY, 0.0),
]


# ------------------------------------------------------------------------------------- canvas


def test_canvas_with_its_gradebook(lesson: Lesson, load) -> None:
    made = export("canvas", [lesson], MARKS, load(CANVAS))
    assert rows(made.text()) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"{TINY} (98765)"],
        ["", "", "", "", "", "Manual Posting"],
        ["    Points Possible", "", "", "", "", "8.00"],
        ["Lovelace, Ada", "101", "S1", "al1", "Lab 1", "7.5"],
        ["Hopper, Grace", "102", "S2", "gh1", "Lab 1 and Lab 2", "6.00"],
        ["Curie, Marie", "103", "S3", "mc1", "Lab 2", ""],
        ["Noether, Emmy", "105", "S5", "en1", "Lab 2", "0"],
        ["Student, Test", "199", "", "t", "Lab 1", ""],
    ]
    assert made.written == 2
    notes = "\n".join(made.notes)
    assert f"hoppergrace_102, {TINY}: no mark, 1 written answer to mark." in notes
    assert f"curiemarie_103, {TINY}: no mark, the file is not valid JSON." in notes
    assert "turingalan_104: not in the roster" in notes
    assert "without a submission: Student, Test." in notes


def test_canvas_gets_a_new_column_where_none_bears_the_name(
    lesson: Lesson, other: Lesson, load
) -> None:
    marks = [*MARKS, ExportedMark("lovelaceada_101", OTHER, 3.25)]
    made = export("canvas", [lesson, other], marks, load(CANVAS))
    table = by_first(made)
    assert table["Lovelace, Ada"][OTHER] == "3.25" and table["Noether, Emmy"][OTHER] == ""
    assert table["    Points Possible"][OTHER] == "8"
    assert any("a new assignment" in note and OTHER in note for note in made.notes)
    named = export("canvas", [lesson], MARKS, load(CANVAS), "Quiz (7)")
    assert by_first(named)["Lovelace, Ada"]["Quiz (7)"] == "7.5"
    assert any("Quiz (7) counts out of 5.00" in note for note in named.notes)
    with pytest.raises(CourseError, match="--assignment"):
        export("canvas", [lesson, other], marks, load(CANVAS), "Quiz (7)")
    with pytest.raises(CourseError, match=r"no column 'Quiz'.*Quiz \(7\)"):
        export("canvas", [lesson], marks, load(CANVAS), "Quiz")
    with pytest.raises(CourseError, match="several columns"):
        export("canvas", [lesson], marks, load(CANVAS.replace("Quiz (7)", f"{TINY} again (7)")))


def test_canvas_gradebooks_as_other_countries_get_them(lesson: Lesson, load) -> None:
    text = CANVAS.replace('"', "").replace(", ", " ").replace(",", ";").replace("8.00", "8,00")
    made = export("canvas", [lesson], MARKS, load(b"\xef\xbb\xbf" + text.encode()))
    assert made.text().startswith("\ufeffStudent;ID;")
    (ada,) = [row for row in rows(made.text(), ";") if row[1] == "101"]
    assert ada == ["Lovelace Ada", "101", "S1", "al1", "Lab 1", "7.5"]
    assert not any("counts out of" in note for note in made.notes)
    text = CANVAS.replace("Student,ID", "LastName,FirstName,ID").replace(", ", '","')
    text = text.replace("\n,,", "\n,,,").replace("Possible,", "Possible,,")
    made = export("canvas", [lesson], MARKS, load(text))
    assert ["Lovelace", "Ada", "101", "S1", "al1", "Lab 1", "7.5"] in rows(made.text())


def test_canvas_without_a_roster(lesson: Lesson) -> None:
    made = export("canvas", [lesson], [*MARKS, ExportedMark("al1", TINY, 2.0)])
    assert rows(made.text()) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", TINY],
        ["    Points Possible", "", "", "", "", "8"],
        ["al1", "", "", "al1", "", "2"],
        ["lovelaceada", "101", "", "", "", "7.5"],
        ["noetheremmy", "105", "", "", "", "0"],
        ["turingalan", "104", "", "", "", "8"],
    ]
    with pytest.raises(CourseError, match="not Canvas' gradebook"):
        export("canvas", [lesson], MARKS, Roster(["ID", "Grade"], []))


# ------------------------------------------------------------------------------------- moodle

IN_MOODLE = [
    ExportedMark("Ada_Lovelace_1234567", TINY, 7.5, feedback=f"{FEEDBACK}Exercise 1 2/2"),
    ExportedMark("Zoë_de_la_Cruz-Ng_1234568", TINY, 4.0, feedback=f"{FEEDBACK}Exercise 1 0/2"),
]


def test_moodle_with_its_worksheet(lesson: Lesson, load) -> None:
    made = export("moodle", [lesson], IN_MOODLE, load(WORKSHEET.replace("\n", "\r\n")))
    assert rows(made.text())[0] == rows(WORKSHEET)[0]
    table = by_first(made)
    ada, zoe = table["Participant 1234567"], table["Participant 1234568"]
    assert (ada["Grade"], ada["Feedback comments"]) == ("7.5", f"{FEEDBACK}Exercise 1 2/2")
    assert (zoe["Grade"], zoe["Feedback comments"]) == ("4", "Well done!")
    assert ada["Last modified (submission)"] == "Friday, 3 May"
    assert table["Participant 1234569"]["Grade"] == ""
    assert any("without a submission: Emmy Noether" in note for note in made.notes)
    # Once more with what came out: our own line is written anew, the teacher's stays.
    again = [
        ExportedMark("Ada_Lovelace_1234567", TINY, 8.0, feedback=f"{FEEDBACK}Exercise 1 2/2, more")
    ]
    table = by_first(export("moodle", [lesson], again, load(made.text())))
    assert table["Participant 1234567"]["Feedback comments"].endswith("more")
    assert table["Participant 1234568"]["Grade"] == "4"


def test_moodle_with_its_gradebook(lesson: Lesson, other: Lesson, load) -> None:
    made = export("moodle", [lesson], IN_MOODLE, load(MOODLE))
    table = by_first(made)
    assert table["Ada"][f"Assignment: {TINY} (Real)"] == "7.5"
    assert table["Ada"][f"Assignment: {TINY} (Feedback)"] == f"{FEEDBACK}Exercise 1 2/2"
    assert table["Zoë"][f"Assignment: {TINY} (Feedback)"] == f"{FEEDBACK}Exercise 1 0/2"
    assert table["Ada"]["Course total (Real)"] == "-", "Moodle's sign for no mark is no formula"
    with pytest.raises(CourseError, match="--column"):
        export("moodle", [other], IN_MOODLE, load(MOODLE))
    mark = ExportedMark("Ada_Lovelace_1234567", OTHER, 1.0)
    named = export("moodle", [other], [mark], load(MOODLE), f"Assignment: {TINY} (Real)")
    assert by_first(named)["Ada"][f"Assignment: {TINY} (Real)"] == "1"


def test_moodle_in_another_language(lesson: Lesson, load) -> None:
    text = WORKSHEET.replace("Identifier,Full name", "ID-Nr,Vollständiger Name")
    text = text.replace("Grade,Maximum", "Bewertung,Bestwertung").replace("Participant ", "Gast")
    with pytest.raises(CourseError, match="--column"):
        export("moodle", [lesson], IN_MOODLE, load(text, "ID-Nr"))
    made = export("moodle", [lesson], IN_MOODLE, load(text, "ID-Nr"), "Bewertung")
    assert by_first(made)["Gast1234567"]["Bewertung"] == "7.5"
    with pytest.raises(CourseError, match="no column 'Nr'"):
        load(text, "Nr")


def test_moodle_without_a_roster(lesson: Lesson, other: Lesson) -> None:
    marks = [
        *IN_MOODLE,
        ExportedMark("bob@example.org", TINY, 1.0),
        ExportedMark("carl", TINY, None, "open"),
    ]
    table = by_first(export("moodle", [lesson], marks))
    assert list(table) == ["Participant 1234567", "Participant 1234568", ""]
    assert table["Participant 1234567"]["Full name"] == "Ada Lovelace"
    assert table["Participant 1234567"]["Grade"] == "7.5"
    assert table[""]["Email address"] == "bob@example.org"
    # Without these the worksheet is refused.
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(table[""])
    with pytest.raises(CourseError, match="--assignment"):
        export("moodle", [lesson, other], marks)


# --------------------------------------------------------------------------- csv, and the roster


def test_plain_csv(lesson: Lesson, other: Lesson, load) -> None:
    marks = [
        ExportedMark("ada-l", TINY, 7.5),
        ExportedMark("ada-l", OTHER, 1 / 3),
        ExportedMark("bob", TINY, None, "open"),
    ]
    assert rows(export("csv", [lesson, other], marks).text()) == [
        ["student", TINY, OTHER],
        ["ada-l", "7.5", "0.33"],
        ["bob", "", ""],
    ]
    made = export("csv", [lesson, other], marks, load(GITHUB))
    assert rows(made.text())[:3] == [
        ["identifier", "github_username", "github_id", "name", TINY, OTHER],
        ["ada@example.org", "ada-l", "1", "Ada Lovelace", "7.5", "0.33"],
        ["bob@example.org", "bob", "2", "", "", ""],
    ]


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        ("lovelaceada_101", "101"),
        ("al1", "101"),
        ("AL1", "101"),
        ("S2", "102"),
        ("103", "103"),
        ("Ada_Lovelace", "101"),
        ("Lovelace-_Ada", "101"),
        ("Łukasiewicz_Jan", "106"),
        ("curiemarie_101", None),
        ("somebody_102", None),
        ("al-1", None),
        ("anon_x7YzQ", None),
    ],
)
def test_who_is_who_in_canvas(load, student: str, expected: str | None) -> None:
    """A number alone is not enough: on another platform it may be somebody else's."""
    roster = load(CANVAS + '"Łukasiewicz, Jan",106,,,Lab 1,,,\n')
    assert [row[1] for row in roster.find(student)] == ([expected] if expected else [])


def test_two_of_the_same_name_and_two_for_the_same_row(lesson: Lesson, load) -> None:
    roster = load("ID,name\n1,Ann Lee\n2,Ann Lee\n3,Bob\n")
    marks = [ExportedMark(name, TINY, 1.0) for name in ("Ann_Lee", "bob", "Bob_3")]
    made = export("csv", [lesson], marks, roster)
    assert made.written == 0 and [row[-1] for row in rows(made.text())] == [TINY, "", "", ""]
    notes = "\n".join(made.notes)
    assert "Ann_Lee: 2 rows of the roster may be meant" in notes
    assert "bob: the roster's Bob, as Bob_3 is" in notes


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"ID,name\n1,\xff\xfe\n", "not text in UTF-8"),
        (b"a,b\n1,2\n", "--id-column"),
        (b"", "--id-column"),
        (b"ID,name\n1,Ada,more\n", "more cells"),
        (b'ID,name\n1,"' + b"x" * 200_000, "no CSV file"),
    ],
)
def test_a_roster_that_is_none(load, text: bytes, error: str) -> None:
    with pytest.raises(CourseError, match=error):
        load(text)


def test_rosters_in_utf16_and_with_tabs(lesson: Lesson, load) -> None:
    made = export(
        "csv", [lesson], [ExportedMark("zoë", TINY, 1.0)], load("ID\tx\nZoë\t\n".encode("utf-16"))
    )
    assert made.text() == f"ID\tx\t{TINY}\r\nZoë\t\t1\r\n"


# ------------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1", "--1", "-a"],
)
def test_nothing_is_a_formula(lesson: Lesson, load, cell: str) -> None:
    assert guarded(cell) == f"'{cell}"
    roster = load(CANVAS)
    roster.rows[0][0] = cell
    (ada,) = [
        row for row in rows(export("canvas", [lesson], MARKS, roster).text()) if row[1] == "101"
    ]
    assert ada[0] == f"'{cell}"
    made = export("csv", [lesson], [ExportedMark(cell, TINY, 1.0)])
    assert rows(made.text())[1][0] == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "-", "-1", "+1.5", "-3,25", "7.5", "50%", "Ada", "'t Hooft"])
def test_numbers_and_names_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell


# --------------------------------------------------------------------------- with the gradebook


@pytest.fixture(scope="module")
def graded(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A small class out of Canvas, collected and graded; Ada's written answer is marked."""
    folder = tmp_path_factory.mktemp("export")
    course = Course(shutil.copytree(_built.root, folder / "course"))
    release = read_notebook(course.release_notebook(TINY))
    perfect = nbformat.writes(fill_in(release, Lesson.load(course.lesson_path(TINY))))
    with zipfile.ZipFile(folder / "submissions.zip", "w") as archive:
        archive.writestr(f"lovelaceada_101_7001_{TINY}.ipynb", perfect)
        archive.writestr(f"hoppergrace_LATE_102_7002_{TINY}-1.ipynb", perfect)
        archive.writestr(f"curiemarie_103_7003_{TINY}.ipynb", BROKEN_JSON)
        archive.writestr(f"noetheremmy_105_7005_{TINY}.ipynb", nbformat.writes(release))
    collect(course, [folder / "submissions.zip"])
    grade_lesson(course, TINY)
    with open_api(course).gradebook as gradebook:
        given = gradebook.find_grade("why-answer", TINY, TINY, "lovelaceada_101")
        given.manual_score, given.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    return course


def points(marks: list[ExportedMark]) -> dict[str, float | None]:
    return {mark.student: mark.points for mark in marks}


@pytest.mark.slow
def test_marks_are_the_gradebooks(graded: Course, tmp_path: Path) -> None:
    lesson = Lesson.load(graded.lesson_path(TINY))
    marks = lesson_marks(open_api(graded), graded, lesson)
    assert points(marks) == {
        "lovelaceada_101": 7.5,
        "hoppergrace_102": None,
        "curiemarie_103": None,
        "noetheremmy_105": 0.0,
    }
    text = {mark.student: mark.feedback or mark.reason for mark in marks}
    assert text["lovelaceada_101"] == (
        f"{FEEDBACK}Exercise 1 2/2, Exercise 2 3/3, Exercise 3 1/1, Question 1 1.5/2"
    )
    assert text["hoppergrace_102"] == "1 written answer to mark"
    assert "not valid JSON" in text["curiemarie_103"]
    everything = lesson_marks(open_api(graded), graded, lesson, with_open=True)
    assert points(everything)["hoppergrace_102"] == 6.0
    assert points(everything)["curiemarie_103"] is None
    # The gradebook knows those whose folder is somewhere else.
    elsewhere = Course(shutil.copytree(graded.root, tmp_path / "copy"))
    shutil.rmtree(elsewhere.submitted / "lovelaceada_101")
    assert points(lesson_marks(open_api(elsewhere), elsewhere, lesson)) == points(marks)


@pytest.mark.slow
def test_what_nbgrader_takes_off_for_being_late(graded: Course, tmp_path: Path) -> None:
    """As nbgrader's rule has it for the marks of now, in every table and on the page."""
    late = Course(shutil.copytree(graded.root, tmp_path / "late"))
    with (late.root / "nbgrader_config.py").open("a", encoding="utf-8", newline="\n") as file:
        file.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    api, lesson = open_api(late), Lesson.load(late.lesson_path(TINY))
    with api.gradebook as gradebook:
        gradebook.update_or_create_assignment(TINY, duedate="2026-10-02 20:00")
        for student, hour in (("lovelaceada_101", 21), ("hoppergrace_102", 19)):
            submission = gradebook.find_submission(TINY, student)
            submission.timestamp = datetime(2026, 10, 2, hour)
        # As if it had been graded before the answer was marked.
        found = gradebook.find_submission_notebook(TINY, TINY, "lovelaceada_101")
        found.late_submission_penalty = 6.0
        gradebook.db.commit()
    marks = lesson_marks(api, late, lesson, with_open=True)
    assert (points(marks)["lovelaceada_101"], points(marks)["hoppergrace_102"]) == (0, 6)
    (mark,) = (mark for mark in marks if mark.student == "lovelaceada_101")
    assert mark.feedback.endswith("Question 1 1.5/2, late -7.5")
    (result,) = results.read_results(api, lesson, ["lovelaceada_101"])
    assert (result.auto_total, result.penalty, result.total) == (6, 7.5, 0)
    (row,) = csv.DictReader(io.StringIO(results.grades_csv([result])))
    assert (row["auto_total"], row["penalty"], row["total"]) == ("6", "7.5", "0")
    assert write_feedback(api, late, lesson, "lovelaceada_101") is None
    page = feedback_page(late, TINY, "lovelaceada_101").read_text(encoding="utf-8")
    assert "7.5 points taken off, because it was handed in late." in page
    # A date that is put off is a penalty less.
    with api.gradebook as gradebook:
        gradebook.update_or_create_assignment(TINY, duedate="2026-10-02 22:00")
    (result,) = results.read_results(api, lesson, ["lovelaceada_101"])
    assert (result.penalty, result.total) == (0, 7.5)


@pytest.mark.slow
def test_command_line(
    graded: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(graded.root)
    roster = tmp_path / "gradebook.csv"
    roster.write_text(CANVAS, encoding="utf-8", newline="\n")
    output = tmp_path / "out.csv"
    words = ["export", "--for", "canvas", "--roster", str(roster), "--output", str(output)]
    assert cli.main(words) == 0
    table = {row[1]: row[-1] for row in rows(output.read_text(encoding="utf-8"))}
    assert (table["101"], table["102"], table["103"], table["105"]) == ("7.5", "6.00", "", "0")
    out = " ".join(capsys.readouterr().out.split())
    assert "2 marks written" in out and "hoppergrace_102, 00_tiny: no mark, 1 written" in out
    assert cli.main([*words, "--with-open"]) == 0
    assert ",6\n" in output.read_text(encoding="utf-8")
    assert roster.read_text(encoding="utf-8") == CANVAS
    capsys.readouterr()

    assert cli.main([*words[:-1], str(roster)]) == 1
    assert "overwrite the roster" in capsys.readouterr().err
    assert cli.main(["export", "--column", "x"]) == 1
    assert "--roster" in capsys.readouterr().err
    assert cli.main(["export", "--roster", "no-such.csv"]) == 1
    assert "check the path" in capsys.readouterr().err
    assert cli.main(["export", "--for", "moodle", "--assignment", TINY]) == 0
    assert (graded.root / "grades-moodle.csv").is_file()
    assert cli.main(["export"]) == 0
    assert "lovelaceada_101,7.5" in (graded.root / "grades-table.csv").read_text(encoding="utf-8")


def test_without_marks_there_is_no_file(
    built_course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(built_course.root)
    before = sorted(built_course.root.rglob("*"))
    assert cli.main(["export"]) == 1
    assert "run `python -m autograder grade`" in capsys.readouterr().err
    assert sorted(built_course.root.rglob("*")) == before, "not even an empty gradebook"
    assert cli.main(["export", "--db", "sqlite://"]) == 1
    assert "there is no gradebook" in capsys.readouterr().err
