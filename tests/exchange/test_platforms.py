"""Whose a file is, told from the names of more platforms, and what is said where it is not sure."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import TINY

from autograder import cli
from autograder.course import Course
from autograder.exchange import archives
from autograder.exchange.collect import Collected, collect
from autograder.exchange.names import COPY, PATTERNS
from autograder.exchange.platforms import lesson_of
from autograder.marks.gradebook import open_api

BLACKBOARD = "_attempt_2026-10-01-10-00-00"


def made(course: Course, folder: Path, names: Sequence[str], pack: str = "x.zip") -> Collected:
    """Collect a zip with these files; LESSON stands for the lesson's name."""
    with zipfile.ZipFile(folder / pack, "w") as archive:
        for name in names:
            content = f'{{"cells": [], "metadata": {{"of": "{name}"}}}}'
            archive.writestr(name.replace("LESSON", TINY), content)
    return collect(course, [folder / pack])


def who(report: Collected) -> list[str]:
    return [row.student for row in report.rows]


def missing(report: Collected) -> dict[str, str]:
    return {left.name: left.reason for left in report.missing}


# Names as a platform writes them, the students they are of, and those without a notebook.
LAYOUTS = {
    "Blackboard, user names with _": (
        [f"Homework 1_ab_1{BLACKBOARD}_LESSON.ipynb", f"Homework 1_cd_1{BLACKBOARD}_LESSON.ipynb"],
        ["ab_1", "cd_1"],
        [],
    ),
    "Blackboard, the lesson as title": (
        [f"LESSON_ab_1{BLACKBOARD}_LESSON.ipynb", f"LESSON_ab_2{BLACKBOARD}_LESSON.ipynb"],
        ["ab_1", "ab_2"],
        [],
    ),
    "Blackboard, no notebook": (
        [
            f"Homework 1_ada{BLACKBOARD}_LESSON.ipynb",
            f"Homework 1_ada{BLACKBOARD}.txt",
            f"Homework 1_ab101{BLACKBOARD}.txt",
        ],
        ["ada"],
        ["ab101"],
    ),
    "Canvas, links and texts": (
        ["ada_100_9000_LESSON.ipynb", "bob_101_link.html", "eve_LATE_102_text.html"],
        ["ada_100"],
        ["bob_101", "eve_102"],
    ),
    "Canvas, links and texts alone": (
        ["bob_101_link.html", "eve_LATE_102_text.html"],
        [],
        ["bob_101", "eve_102"],
    ),
    "Canvas, a name that ends in _1": (
        ["student_1_4567_9001_LESSON.ipynb"],
        ["student_1_4567"],
        [],
    ),
    "Canvas, a file that begins with numbers": (
        ["ada_101_9001_20261001_LESSON.ipynb", "bob_102_9002_LESSON.ipynb"],
        ["ada_101", "bob_102"],
        [],
    ),
    "Moodle, names with _, teams and texts": (
        [
            "Anna_Maria Schmidt_1234568_assignsubmission_file_/LESSON.ipynb",
            "Team 7-Ada Lovelace_1234567_assignsubmission_file_/LESSON.ipynb",
            "Bob Bee_1234569_assignsubmission_onlinetext_/onlinetext.html",
        ],
        ["Anna_Maria_Schmidt_1234568", "Team_7-Ada_Lovelace_1234567"],
        ["Bob_Bee_1234569"],
    ),
    "Brightspace": (
        [
            "index.html",
            "351765-9001 - Ada Lovelace - Oct 1, 2026 1224 PM/LESSON.ipynb",
            "351765-9001 - Ada Lovelace - Oct 2, 2026 124 AM/LESSON.ipynb",
            "351766-9001 - Ann - Marie Lee - Oct 2, 2026 124 AM/LESSON.ipynb",
            "351767-9001 - Bob Bee - Oct 2, 2026 124 AM/essay.docx",
        ],
        ["Ada_Lovelace_351765", "Ann_-_Marie_Lee_351766"],
        ["Bob_Bee_351767"],
    ),
    "Brightspace, in one folder": (
        ["351765-9001 - Ada-Ann Lovelace - Oct 1, 2026 1224 PM - LESSON (1).ipynb"],
        ["Ada-Ann_Lovelace_351765"],
        [],
    ),
    "ILIAS": (
        [
            "Blatt 01/Abgaben/Lovelace_Ada_al1_3345/LESSON.ipynb",
            "Blatt 01/Abgaben/Bee_Bob_bb1_3346/20261001_LESSON.ipynb",
            "Blatt 01/Abgaben/Doe_Jo_jd1_3347/essay.pdf",
        ],
        ["Bee_Bob_bb1_3346", "Lovelace_Ada_al1_3345"],
        ["Doe_Jo_jd1_3347"],
    ),
    "ILIAS, teams": (
        [
            "Blatt 01/Abgaben/Team 12/Lovelace_Ada_al1_3345/LESSON.ipynb",
            "Blatt 01/Abgaben/Team 13/Bee_Bob_bb1_3346/LESSON.ipynb",
        ],
        ["Bee_Bob_bb1_3346", "Lovelace_Ada_al1_3345"],
        [],
    ),
    "ILIAS, in another language": (
        [
            "Sheet/Inleveringen/Lovelace_Ada_al1_3345/LESSON.ipynb",
            "Sheet/Inleveringen/Bee_Bob_bb1_3346/20261001_LESSON.ipynb",
        ],
        ["Bee_Bob_bb1_3346", "Lovelace_Ada_al1_3345"],
        [],
    ),
    "Sakai": (
        [
            "HW1/grades.csv",
            "HW1/Lovelace, Ada(al101)/Submission attachment(s)/LESSON.ipynb",
            "HW1/Doe, Jo(jd1)/Doe, Jo(jd1)_submissionText.html",
        ],
        ["Lovelace-_Ada_al101"],
        ["Doe-_Jo_jd1"],
    ),
    "PrairieLearn": (
        [
            "ada@example.org_1_hw_1_1_2_12345_LESSON.ipynb",
            "bob@example.org_1_q1_1_1_12346_LESSON.ipynb",
            "eve@example.org_123_q1_12347_LESSON.ipynb",
            "the_group_1_q1_1_1_12348_LESSON.ipynb",
        ],
        ["ada@example.org", "bob@example.org", "eve@example.org", "the_group"],
        [],
    ),
    "Teams": (
        [
            "Submitted files/Ada Lovelace/Homework 1/Version 1/LESSON.ipynb",
            "Submitted files/Ada Lovelace/Homework 1/Version 2/LESSON.ipynb",
            "Submitted files/Bob Bee/Homework 1/Version 1/essay.docx",
        ],
        ["Ada_Lovelace"],
        ["Bob_Bee"],
    ),
    "Classroom 50": (
        [
            "cs-hw1_submissions_2026_10_01_T_10_00_00/cs-hw1-ada-l/LESSON.ipynb",
            "cs-hw1_submissions_2026_10_01_T_10_00_00/cs-hw1-bob/LESSON.ipynb",
            "cs-hw1_submissions_2026_10_01_T_10_00_00/cs-hw1-carl/result.json",
            "cs-hw1_submissions_2026_10_01_T_10_00_00/scores.csv",
        ],
        ["ada-l", "bob"],
        ["carl"],
    ),
    "Classroom 50, as it was before": (
        [
            "school_submissions_2026_05_09_T_14_30_45/ada-hello/LESSON.ipynb",
            "school_submissions_2026_05_09_T_14_30_45/bob-hello/LESSON.ipynb",
        ],
        ["ada", "bob"],
        [],
    ),
    "ghclass": (
        [
            *("hw1-ada/.git/config", "hw1-ada/LESSON.ipynb"),
            *("hw1-bob/.git/config", "hw1-bob/LESSON.ipynb"),
        ],
        ["ada", "bob"],
        [],
    ),
    "one outer folder": (["handed in/ada/LESSON.ipynb", "__MACOSX/._x"], ["ada"], []),
    "outer folders": (
        ["a/b/submitted/ada/LESSON/LESSON.ipynb", "a/b/submitted/bob/LESSON/LESSON.ipynb"],
        ["ada", "bob"],
        [],
    ),
    "files in an outer folder": (
        ["handed in/ada_LESSON.ipynb", "handed in/bob LESSON.ipynb"],
        ["ada", "bob"],
        [],
    ),
    "a copy beside the original": (
        ["ada/LESSON.ipynb", "ada/LESSON - Kopie.ipynb"],
        ["ada"],
        [],
    ),
}


@pytest.mark.parametrize("title", LAYOUTS)
def test_layouts(course: Course, tmp_path: Path, title: str) -> None:
    names, students, lacking = LAYOUTS[title]
    report = made(course, tmp_path, names)
    assert who(report) == students
    assert sorted(missing(report)) == lacking
    assert all("no notebook of theirs" in reason for reason in missing(report).values())


def test_every_platform_is_tried_or_has_a_test_of_its_own() -> None:
    tried = " ".join(LAYOUTS).casefold()
    others = {"canvas", "moodle", "classroom", "github", "folders", "files"}
    assert [name for name in PATTERNS if name not in others and name not in tried] == []


def test_a_line_more_in_the_table_is_a_platform_more(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = r"(?P<student_id>m\d+)~(?P<timestamp>[\d-]+T[\d-]+Z)~(?P<file_id>[^/]+)$"
    monkeypatch.setitem(PATTERNS, "ours", (pattern,))
    monkeypatch.setattr("autograder.exchange.platforms.PLATFORMS", ("ours", "folders", "files"))
    assert who(made(course, tmp_path, ["m7~2026-10-01T10-00Z~LESSON.ipynb"])) == ["m7"]
    stamp = course.submitted_notebook("m7", TINY).with_name("timestamp.txt")
    assert stamp.read_text(encoding="utf-8") == "2026-10-01 10:00:00 UTC\n"


def test_the_latest_attempt_counts_whatever_the_order(course: Course, tmp_path: Path) -> None:
    names = [
        "351765-9001 - Ada Lovelace - Oct 2, 2026 124 AM/LESSON.ipynb",
        "351765-9001 - Ada Lovelace - Oct 1, 2026 1224 PM/LESSON.ipynb",
    ]
    made(course, tmp_path, names)
    (path,) = course.submitted.glob(f"*/{TINY}/{TINY}.ipynb")
    assert "Oct 2" in path.read_text(encoding="utf-8")
    stamp = path.with_name("timestamp.txt").read_text(encoding="utf-8")
    assert stamp == "2026-10-02 01:24:00 UTC\n"


def test_times_without_a_zone_are_the_course_s_or_it_is_said(
    course: Course, tmp_path: Path
) -> None:
    names = [f"Homework 1_ada{BLACKBOARD}_LESSON.ipynb"]
    report = made(course, tmp_path, names)
    assert any("no zone and were taken for UTC" in note for note in report.notes)
    pyproject = course.root / "pyproject.toml"
    with pyproject.open("a", encoding="utf-8") as file:
        file.write('timezone = "Europe/Amsterdam"\n')
    (tmp_path / "x.zip").replace(tmp_path / "again.zip")
    report = collect(course, [tmp_path / "again.zip"])
    assert not report.notes
    made(course, tmp_path, [f"Homework 1_bob{BLACKBOARD}_LESSON.ipynb"])
    path = course.submitted_notebook("bob", TINY).with_name("timestamp.txt")
    assert path.read_text(encoding="utf-8") == "2026-10-01 08:00:00 UTC\n"


def test_a_time_that_lies_beside_the_notebook(course: Course, tmp_path: Path) -> None:
    names = ["HW1/Lovelace, Ada(al1)/Submission attachment(s)/LESSON.ipynb"]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(names[0].replace("LESSON", TINY), "{}")
        archive.writestr("HW1/Lovelace, Ada(al1)/timestamp.txt", "20261001220000123 UTC")
    collect(course, [tmp_path / "x.zip"])
    api = open_api(course)
    assert str(api.get_submitted_timestamp(TINY, "Lovelace-_Ada_al1")) == "2026-10-01 22:00:00"


def test_blackboard_where_it_is_not_sure_where_names_begin(course: Course, tmp_path: Path) -> None:
    names = [f"HW_1_{user}{BLACKBOARD}_LESSON.ipynb" for user in ("ab", "cd")]
    report = made(course, tmp_path, names)
    assert who(report) == ["1_ab", "1_cd"]
    assert any("not sure where the title" in note for note in report.notes)
    # What the download is called, Blackboard's own notes and the class list say it.
    other = Course(course.root)
    for number, (pack, more, classes) in enumerate(
        [
            ("gradebook_BIO_HW_1_2026.zip", {}, ""),
            ("x.zip", {"ab": "Name: Ada B (ab)\nAssignment: HW_1\n"}, ""),
            ("x.zip", {}, "student,username\nAda B,ab\n"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        other.class_list.unlink(missing_ok=True)
        if classes:
            other.class_list.write_text(classes, encoding="utf-8")
        with zipfile.ZipFile(folder / pack, "w") as archive:
            for name in names:
                archive.writestr(name.replace("LESSON", TINY), "{}")
            for user, text in more.items():
                archive.writestr(f"HW_1_{user}{BLACKBOARD}.txt", text)
        assert who(collect(other, [folder / pack], force=True)) == ["ab", "cd"]


def test_canvas_where_a_number_may_be_an_id_or_not(course: Course, tmp_path: Path) -> None:
    report = made(course, tmp_path, ["student_1_4567_9001_LESSON.ipynb"])
    assert any("may be 1 or 4567" in note for row in report.rows for note in row.notes)
    course.class_list.write_text("student,id\nStudent,123\nAda,9001\n", encoding="utf-8")
    report = made(course, tmp_path, ["student_123_9001_20_LESSON.ipynb"], "y.zip")
    assert who(report) == ["student_123"]


def test_long_names_are_not_taken_for_one(course: Course, tmp_path: Path) -> None:
    long = "Maximiliane Theodora von und zu Hohenstein-Falkenberg, genannt "
    names = [
        f"{n}-1 - {long}{name} - Oct 1, 2026 124 PM/LESSON.ipynb" for n, name in enumerate("AB")
    ]
    names += [f"{long}{name} - LESSON.ipynb" for name in "CD"]
    report = made(course, tmp_path, names[:2])
    assert len(set(who(report))) == 2 and not report.missing
    report = made(course, tmp_path, names[2:], "y.zip")
    assert len(set(who(report))) == 2 and not report.missing
    assert all(len(name) < 128 for name in who(report))


@pytest.mark.parametrize(
    "name",
    [
        *("Cópia de LESSON", "LESSON - Kopie", "LESSON copy", "Kopie von LESSON (1)", "LESSON (1)"),
        *(
            "LESSON - Copia (2)",
            "Copie de LESSON",
            "LESSON のコピー",
            "LESSON的副本",
            "LESSON - 副本",
        ),
        *(
            "Копия LESSON",
            "Kopia av LESSON",
            "LESSON kopie 2",
            "Másolat – LESSON",
            "Kopie - LESSON",
        ),
        *(
            "LESSON - Copy - Copy",
            "LESSON-kopia",
            "LESSON의 사본",
            "LESSON_copy2",
            "Copia di LESSON",
        ),
    ],
)
def test_copies_in_many_languages_are_called_like_the_lesson(name: str) -> None:
    assert lesson_of(name.replace("LESSON", "01_x") + ".ipynb", ["01_x"]) == ("01_x", True)


def test_words_for_a_copy_inside_of_a_name_are_no_copy() -> None:
    assert lesson_of("Kopiert 01_x_anders.ipynb", ["01_x"]) == ("01_x", False)
    assert all(word == word.casefold() for word in COPY)


def test_a_python_file_beside_the_notebook_is_taken_along(course: Course, tmp_path: Path) -> None:
    names = [
        "ada_101_9001_LESSON.ipynb",
        *("ada_101_9002_my_utils.py", "ada_101_9003_rm -rf.py", "ada_101_9004_data.bin"),
    ]
    report = made(course, tmp_path, names)
    folder = course.submitted_notebook("ada_101", TINY).parent
    assert sorted(path.name for path in folder.iterdir()) == [f"{TINY}.ipynb", "my_utils.py"]
    assert any("my_utils.py was handed in as well" in note for note in report.rows[0].notes)


def test_large_notebooks_are_collected_without_their_outputs(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "LARGE", 1000)
    monkeypatch.setattr(archives, "PIECE", 100)
    monkeypatch.setattr(archives, "MAX_TOTAL", 5000)
    outputs = '{"output_type": "stream", "text": ["a \\" ] }", "outputs"]}'
    cell = f'{{"cell_type": "code", "source": "x = [1]", "outputs": [{outputs}], "id": "a"}}'
    cells = ", ".join([cell] * 20)
    text = f'{{"cells": [{cells}], "metadata": {{"outputs": [7]}}}}'
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"ada_{number}_9_{TINY}.ipynb", text)
    report = collect(course, [tmp_path / "x.zip"])
    assert len(report.rows) == 3, "as many as may be kept"
    kept = course.submitted_notebook("ada_0", TINY).read_text(encoding="utf-8")
    assert kept == text.replace(outputs, "")
    assert "without its outputs" in report.rows[0].notes[0]
    assert {left.reason for left in report.missing} == {archives.TOO_MUCH}


def test_somebody_left_out_is_named_and_no_success(
    course: Course,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(course.root)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(f"ada_1_9_{TINY}.ipynb", "{}")
        for number in range(10, 30):
            archive.writestr(f"x_{number}_link.html", "")
        for number in range(30):
            archive.writestr(f"{number}.txt", "")
    assert cli.main(["collect", str(tmp_path / "x.zip")]) == 1
    out = capsys.readouterr().out
    assert all(f"x_{number}" in out for number in range(10, 30))
    assert re.search(r"and 26 others: not a\s+notebook", out)
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        archive.writestr(f"ada_1_9_{TINY}.ipynb", "{}")
        archive.writestr("ada_1_10_notes.pdf", "")
    assert cli.main(["collect", str(tmp_path / "y.zip")]) == 0
