"""The class list: one table that a teacher edits, and that all commands follow."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, TINY

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.collect import collect
from autograder.grading.grade import grade_lesson
from autograder.lesson import Lesson
from autograder.marks.classlist import ClassList
from autograder.marks.dates import apply_class_list
from autograder.marks.gradebook import open_api, read_lateness
from autograder.marks.moves import follow_changed_ids
from autograder.pages.feedback import graded_students
from autograder.submissions.made import fill_in
from autograder.submissions.reading import read_notebook

OTHER = "01_other"
DUE = "2026-10-02 23:59 +0200"


def classes_of(course: Course, text: str) -> ClassList:
    course.class_list.write_text(text, encoding="utf-8")
    return ClassList(course)


# ------------------------------------------------------------------------------------ the table


def test_who_is_who(course: Course) -> None:
    classes = classes_of(
        course,
        "student,name,id,email,group,status,was\n"
        ",Ada Lovelace,1234567,ada@example.org,,,\n"
        "hoppergrace_102,,,,Team 7,,grace_old\n"
        ",Emmy Noether,105,,Team 7,left,\n",
    )
    labels = {
        "Ada_Lovelace_1234567": "Ada Lovelace",
        "ada@example.org": "Ada Lovelace",
        "Ada_Lovelace": "Ada Lovelace",
        "project_1234567": "Ada Lovelace",
        "hoppergrace_102": "hoppergrace_102",
        "grace_old": "hoppergrace_102",
        "Emmy_Noether_105": "Emmy Noether",
    }
    for folder, label in labels.items():
        member = classes.member(folder)
        assert member is not None and member.label == label
    assert classes.member("Ada_Lovelace_105") is None, "one's name and another's number"
    assert classes.has_left("Emmy_Noether_105") and not classes.has_left("ada@example.org")
    assert classes.now("grace_old") == "hoppergrace_102" and classes.now("x") == "x"
    assert classes.group_of("team_7") == "Team 7" == classes.group_of("hoppergrace_102")
    assert classes.without_work(["Ada_Lovelace"]) == ["hoppergrace_102"]
    assert classes.without_work(["Ada_Lovelace", "team_7"]) == []
    assert classes.strangers(["Ada_Lovelace", "team_7", "eve"]) == ["eve"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"name,{TINY}\neverybody,2026-10-02 23:59\n", "says no time zone"),
        (f"name,{TINY}\nAda,soon\n", "Ada, 00_tiny: 'soon' is no time"),
        (f"name,{TINY}\neverybody,+2 days\n", "needs a date"),
        ("name,status\nAda,perhaps\n", "write `left`"),
        ("name,slip_days\nAda,two\n", "no whole number"),
        ("a,b\n1,2\n", "--id-column"),
    ],
)
def test_what_cannot_be_understood_is_refused(course: Course, text: str, said: str) -> None:
    with pytest.raises(CourseError, match=said):
        classes_of(course, text)


def test_the_command_keeps_the_table(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(course.root)
    for name in ("lovelaceada_101", "bob"):
        course.submitted_notebook(name, TINY).parent.mkdir(parents=True)
    assert cli.main(["class"]) == 0
    assert cli.main(["class", "--due", TINY, DUE]) == 0
    assert f"{TINY} is due 2026-10-02 21:59 UTC." in capsys.readouterr().out
    assert cli.main(["class", "--extend", "bob", TINY, "+2 days"]) == 0
    assert "2026-10-04 21:59 UTC" in capsys.readouterr().out
    roster = course.root / "gradebook.csv"
    roster.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
        '"Lovelace, Ada",101,,al1,A\n"Curie, Marie",103,,mc1,A\n',
        encoding="utf-8",
    )
    assert cli.main(["class", "--roster", str(roster)]) == 0
    assert f"Without a submission of {TINY}: Curie, Marie." in capsys.readouterr().out
    assert cli.main(["class", "--roster", str(roster)]) == 0
    with course.class_list.open(encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["everybody", "bob", "lovelaceada_101", "Curie, Marie"]
    assert rows["lovelaceada_101"]["name"] == "Lovelace, Ada"
    assert rows["lovelaceada_101"]["id"] == "101" and rows["bob"][TINY] == "2 days"
    before = course.class_list.read_bytes()
    for words in (["--due", TINY, "2026-10-02 23:59 CST"], ["--due", "no-such", DUE]):
        assert cli.main(["class", *words]) == 1
    assert course.class_list.read_bytes() == before, "what is refused is not written"


def test_what_comes_under_an_earlier_id_goes_to_the_present_folder(
    course: Course, tmp_path: Path
) -> None:
    classes_of(course, "student,was\nada_8,ada_7\nbob,\n")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(f"ada_7_9001_{TINY}.ipynb", "{}")
    report = collect(course, [tmp_path / "x.zip"])
    assert [row.student for row in report.rows] == ["ada_8"]
    assert report.notes == ["In the class list, but without a submission: bob."]


# --------------------------------------------------------------------------- with the gradebook


@pytest.fixture(scope="module")
def graded(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A class of three, graded; they handed in one, two and three hours after 21:59 UTC."""
    course = Course(shutil.copytree(_built.root, tmp_path_factory.mktemp("members") / "course"))
    release = read_notebook(course.release_notebook(TINY))
    perfect = nbformat.writes(fill_in(release, Lesson.load(course.lesson_path(TINY))))
    for hour, name in enumerate(("ada", "bob", "eve")):
        path = course.submitted_notebook(name, TINY)
        path.parent.mkdir(parents=True)
        path.write_text(perfect, encoding="utf-8")
        stamp = path.with_name("timestamp.txt")
        stamp.write_text(f"2026-10-03 0{hour + 1}:59 +0200\n", encoding="utf-8")
    grade_lesson(course, TINY)
    with open_api(course).gradebook as gradebook:
        given = gradebook.find_grade("why-answer", TINY, TINY, "ada")
        given.manual_score, given.needs_manual_grade = 1.5, False
        found = gradebook.find_comment("why-answer", TINY, TINY, "ada")
        found.manual_comment = "Well said"
        gradebook.db.commit()
    return course


@pytest.fixture
def taught(graded: Course, tmp_path: Path) -> Course:
    return Course(shutil.copytree(graded.root, tmp_path / "taught"))


def late(course: Course, text: str) -> dict[str, float]:
    classes = classes_of(course, text)
    api = open_api(course)
    apply_class_list(api, classes)
    return {name: seconds / 3600 for name, seconds in read_lateness(api, TINY).items()}


@pytest.mark.slow
def test_dates_extensions_and_slip_days_decide_who_is_late(taught: Course) -> None:
    head = f"student,slip_days,{TINY}\neverybody,,{DUE}\n"
    assert late(taught, f"{head}ada,,\n") == {"ada": 2, "bob": 3, "eve": 4}
    extended = f"{head}ada,,+3 hours\nbob,,2026-10-03 01:59 +0200\neve,1,\n"
    assert late(taught, extended) == {"bob": 1}
    api = open_api(taught)
    given = apply_class_list(api, ClassList(taught))
    assert given["ada", TINY].length == timedelta(hours=3)
    assert str(given["eve", TINY]) == "1 day, 1 slip day of them"
    # Slip days are as many as there are, and what is taken out of the table is taken back.
    assert late(taught, f"{head}eve,0,\nada,5,\n") == {"bob": 3, "eve": 4}
    # A folder of a group has as long as the member with most time.
    group = f"student,group,{TINY}\neverybody,,{DUE}\nann,ada,\njoe,ada,+1 hours\n"
    assert late(taught, group)["ada"] == 1
    # Without a date in the table, the gradebook's own stays.
    with api.gradebook as gradebook:
        gradebook.update_or_create_assignment(TINY, duedate=datetime(2026, 10, 3, 1, 30))
    assert late(taught, "student\nada\n")["eve"] == pytest.approx(29 / 60)


@pytest.mark.slow
def test_who_left_is_gone_everywhere(
    taught: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(taught.root)
    classes_of(taught, f"student,status,{TINY}\neverybody,,{DUE}\nada,,\nbob,left,\nzoe,,\n")
    for words in (["report"], ["feedback"], ["export", "--with-open"], ["grade"]):
        assert cli.main(words) == 0
        assert "bob" not in capsys.readouterr().out
    for path in (taught.reports / f"{TINY}.html", taught.root / "grades-table.csv"):
        text = path.read_text(encoding="utf-8")
        assert "bob" not in text and "ada" in text
    text = (taught.reports / f"{TINY}.html").read_text(encoding="utf-8")
    assert "without a submission: zoe." in text and "Handed in 2 hours late." in text
    grades = list(csv.DictReader((taught.root / "grades.csv").open(encoding="utf-8")))
    assert {row["student"]: row["late"] for row in grades} == {"ada": "2 hours", "eve": "4 hours"}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["the command", "the table"])
def test_a_changed_id_keeps_marks_given_by_hand(
    taught: Course, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.chdir(taught.root)
    if way == "the command":
        classes_of(taught, "student\nada\nbob\n")
        assert cli.main(["class", "--move", "ada", "ada_7"]) == 0
        assert ClassList(taught).now("ada") == "ada_7"
    else:
        # The folder was renamed by hand, and graded under its new name.
        (taught.submitted / "ada").rename(taught.submitted / "ada_7")
        grade_lesson(taught, TINY)
        follow_changed_ids(open_api(taught), taught, classes_of(taught, "student,was\nada_7,ada\n"))
    with open_api(taught).gradebook as gradebook:
        assert gradebook.find_grade("why-answer", TINY, TINY, "ada_7").score == 1.5
        comment = gradebook.find_comment("why-answer", TINY, TINY, "ada_7")
        assert comment.manual_comment == "Well said"
        assert {student.id for student in gradebook.students} == {"ada_7", "bob", "eve"}
    assert sorted(path.name for path in taught.submitted.glob("[a-z]*")) == ["ada_7", "bob", "eve"]
    assert graded_students(open_api(taught), taught, TINY) == ["ada_7", "bob", "eve"]


@pytest.mark.slow
def test_who_is_taken_out_leaves_no_trace_and_no_error(
    taught: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(taught.root)
    classes_of(taught, "student\nada\nbob\n")
    assert cli.main(["class", "--remove", "bob"]) == 0
    assert ClassList(taught).has_left("bob")
    # And as plain nbgrader does it, with the folder deleted by hand.
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "db", "student", "remove", "eve", "--force"],
        cwd=taught.root,
        check=True,
        capture_output=True,
    )
    shutil.rmtree(taught.submitted / "eve")
    capsys.readouterr()
    for words in (["report"], ["feedback"], ["export", "--with-open"]):
        assert cli.main(words) == 0
        out = capsys.readouterr().out
        assert "bob" not in out and "eve" not in out
    table = (taught.root / "grades-table.csv").read_text(encoding="utf-8")
    assert "bob" not in table and "eve" not in table
    kept = taught.submitted / ".left" / "bob" / TINY / f"{TINY}.ipynb"
    assert kept.is_file(), "what was handed in is kept"
    assert cli.main(["class", "--remove", "bob"]) == 1
    assert "nothing is known of 'bob'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_that_is_gone_is_not_exported_and_that_is_said(
    taught: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(taught.root)
    shutil.rmtree(taught.submitted / "eve")
    assert cli.main(["export", "--with-open"]) == 0
    assert "Not in submitted/ any more, and not exported: eve" in capsys.readouterr().out
    assert "eve" not in (taught.root / "grades-table.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_marks_of_an_earlier_test_are_named(
    taught: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Where a test was mended, and only one student graded again."""
    monkeypatch.chdir(taught.root)
    path = taught.lesson_path(TINY)
    path.write_text(path.read_text(encoding="utf-8") + "\n# %% [markdown]\n# More.\n", "utf-8")
    assert cli.main(["build"]) == 0 and cli.main(["grade", "--student", "ada"]) == 0
    assert "Graded with earlier tests than those of now: bob, eve." in capsys.readouterr().out
    assert cli.main(["export", "--with-open"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Graded with earlier tests than those of now: bob, eve." in out


@pytest.mark.slow
def test_a_time_that_cannot_be_understood_is_a_sentence(taught: Course) -> None:
    stamp = taught.submitted_notebook("ada", TINY).with_name("timestamp.txt")
    for text, said in (("2026-10-03 01:59 CST", "left out"), ("2026-10-03 01:59", "for UTC")):
        stamp.write_text(text, encoding="utf-8")
        (ada,) = (found for found in grade_lesson(taught, TINY) if found.student == "ada")
        assert any(said in note for note in ada.notes)
    with open_api(taught).gradebook as gradebook:
        assert gradebook.find_submission(TINY, "ada").timestamp == datetime(2026, 10, 3, 1, 59)


def test_git_ignores_what_lies_in_the_course_s_folder() -> None:
    names = ["submissions.zip", "gradebook.csv", "class.csv", "roster.xlsx", "marks.xls", "a.tsv"]
    names += ["grades.csv", "grades-canvas.csv", "gradebook.db", "submitted/ada/x.ipynb"]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *names],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.stdout.split() == names
