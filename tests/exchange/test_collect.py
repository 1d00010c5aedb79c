"""Collecting submissions from what learning platforms, and hostile students, make of them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from conftest import ROOT, TINY

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange import archives
from autograder.exchange.archives import opened
from autograder.exchange.collect import Collected, collect
from autograder.exchange.platforms import (
    PLATFORMS,
    Owner,
    copy_number,
    folder_name,
    lesson_of,
    owner_of,
    platform_patterns,
    without_copy_marks,
)
from autograder.marks.gradebook import open_api
from autograder.marks.submitted import submitted_students
from autograder.texts import shown

OTHER = "01_other_lesson"


@pytest.fixture
def two(course: Course) -> Course:
    """A course with two lessons."""
    course.lesson_path(OTHER).write_bytes(course.lesson_path(TINY).read_bytes())
    return course


def notebook(text: str) -> bytes:
    """Return the bytes of a notebook that can be told from others."""
    return json.dumps({"cells": [], "metadata": {"of": text}, "nbformat": 4}).encode()


def make_zip(path: Path, members: Mapping[str, bytes | str]) -> Path:
    """Write a zip whose members all were last changed on one day of May 2024."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(member(name), content)
    return path


def member(name: str, day: int = 1) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (2024, 5, day, 12, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def make_folder(root: Path, files: Mapping[str, bytes | str], day: int = 1) -> Path:
    """Write files that all were last changed on one day of May 2024."""
    time = datetime(2024, 5, day, 12).timestamp()
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (time, time))
    return root


def held(course: Course) -> dict[str, bytes]:
    """Return what lies in submitted/, without what collecting notes for itself."""
    return {
        path.relative_to(course.submitted).as_posix(): path.read_bytes()
        for path in sorted(course.submitted.rglob("*"))
        if path.is_file() and path.name != ".collected.json"
    }


def students(course: Course, stem: str = TINY) -> dict[str, bytes]:
    """Return the submissions of a lesson by student, as grading finds them."""
    names = submitted_students(course, stem)
    return {name: course.submitted_notebook(name, stem).read_bytes() for name in names}


def reasons(report: Collected) -> dict[str, str]:
    return {left.name: left.reason for left in report.left_out}


def outcomes(report: Collected) -> dict[str, str]:
    return {row.student: row.outcome for row in report.rows}


# ----------------------------------------------------------------------------------- platforms


def test_canvas(two: Course, tmp_path: Path) -> None:
    members = {
        f"lovelaceada_12345_67890_{TINY}-2.ipynb": notebook("ada"),
        f"hoppergrace_LATE_12346_67891_{TINY} (1).ipynb": notebook("grace"),
        f"łukasiewiczjan_12347_67892_{TINY}.ipynb": notebook("jan"),
        f"anon_x7YzQ_67893_{TINY}.ipynb": notebook("anonymous"),
        f"LATE_anon_b2CdE_67894_{TINY}.ipynb": notebook("late and anonymous"),
        "curiemarie_12348_67895_homework.pdf": b"%PDF",
        "noetheremmy_12349_67896_homework.ipynb": notebook("which lesson?"),
        f"turingalan_12350_67897_{OTHER}.ipynb": notebook("alan"),
        "germainsophie_12351_text.html": b"<html>",
    }
    report = collect(two, [make_zip(tmp_path / "submissions.zip", members)])
    assert students(two) == {
        "lovelaceada_12345": notebook("ada"),
        "hoppergrace_12346": notebook("grace"),
        "łukasiewiczjan_12347": notebook("jan"),
        "anon_x7YzQ": notebook("anonymous"),
        "anon_b2CdE": notebook("late and anonymous"),
    }
    assert students(two, OTHER) == {"turingalan_12350": notebook("alan")}
    late = {row.student for row in report.rows if "late" in row.notes}
    assert late == {"hoppergrace_12346", "anon_b2CdE"}
    left = reasons(report)
    assert "--assignment" in left["noetheremmy_12349_67896_homework.ipynb"]
    assert "there is curiemarie_12348_67895_homework.pdf" in left["curiemarie_12348"]
    assert "there is a text, germainsophie_12351_text.html" in left["germainsophie_12351"]


def test_canvas_takes_the_newest_upload_and_keeps_the_others(
    course: Course, tmp_path: Path
) -> None:
    first = {f"lovelaceada_12345_100_{TINY}.ipynb": notebook("first")}
    second = {
        f"lovelaceada_12345_300_{TINY}-2.ipynb": notebook("third"),
        f"lovelaceada_12345_200_{TINY}-1.ipynb": notebook("second"),
    }
    monday = make_zip(tmp_path / "monday.zip", first)
    friday = make_zip(tmp_path / "friday.zip", second)
    assert outcomes(collect(course, [monday])) == {"lovelaceada_12345": "new"}
    report = collect(course, [friday])
    assert "newer" in outcomes(report)["lovelaceada_12345"]
    assert any("-1.ipynb" in note for row in report.rows for note in row.notes)
    kept = f".earlier/lovelaceada_12345/{TINY}"
    everything = {
        f"lovelaceada_12345/{TINY}/{TINY}.ipynb": notebook("third"),
        f"{kept}/1/{TINY}.ipynb": notebook("first"),
        f"{kept}/2/{TINY}.ipynb": notebook("second"),
    }
    assert held(course) == everything
    # Once more, and in the wrong order: nothing changes, and nothing is kept twice.
    assert outcomes(collect(course, [friday])) == {"lovelaceada_12345": "unchanged"}
    assert "is older" in outcomes(collect(course, [monday]))["lovelaceada_12345"]
    assert held(course) == everything
    collect(course, [monday], force=True)
    assert students(course) == {"lovelaceada_12345": notebook("first")}
    assert held(course)[f"{kept}/3/{TINY}.ipynb"] == notebook("third")


MOODLE = {
    f"Ada Lovelace_1234567_assignsubmission_file_/{TINY}.ipynb": notebook("ada"),
    f"Zoë de la Cruz-Ng_1234568_assignsubmission_file/work/{TINY}.ipynb": notebook("zoë"),
    "Emmy Noether_1234569_assignsubmission_onlinetext_/onlinetext.html": b"<p>Sorry</p>",
    f"Participant_1234570_assignsubmission_file_{TINY}.ipynb": notebook("blind"),
    f"Team 7_88_assignsubmission_file_/{TINY}.ipynb": notebook("team"),
    # What a student's own folders are called says nothing.
    f"Eve_666_assignsubmission_file_/Bob_99_assignsubmission_file_/{TINY}.ipynb": notebook("eve"),
}


@pytest.mark.parametrize("packed", [True, False])
def test_moodle(course: Course, tmp_path: Path, packed: bool) -> None:
    if packed:
        source = make_zip(tmp_path / "GCNN-Homework 1-4711.zip", MOODLE)
    else:
        source = make_folder(tmp_path / "GCNN-Homework 1-4711", MOODLE)
    report = collect(course, [source])
    assert students(course) == {
        "Ada_Lovelace_1234567": notebook("ada"),
        "Zoë_de_la_Cruz-Ng_1234568": notebook("zoë"),
        "Participant_1234570": notebook("blind"),
        "Team_7_88": notebook("team"),
        "Eve_666": notebook("eve"),
    }
    assert "a text, onlinetext.html" in reasons(report)["Emmy_Noether_1234569"]


def test_google_classroom(course: Course, tmp_path: Path) -> None:
    folder = "Lesson 1 - Groups"
    first = {
        f"{folder}/Ada Lovelace - {TINY}.ipynb": notebook("ada"),
        f"{folder}/Grace Hopper - Copy of {TINY}.ipynb": notebook("grace"),
        f"{folder}/Emmy Noether - {TINY} (1).ipynb": notebook("emmy"),
        f"{folder}/Copy of {TINY}.ipynb": notebook("nobody's"),
        f"{folder}/{TINY} - Alan Turing.ipynb": notebook("the wrong way round"),
    }
    second = {
        f"{folder}/Jean d'Alembert - {TINY}.ipynb.txt": notebook("jean"),
        f"{folder}/王小明 - {TINY}.ipynb": notebook("xiaoming"),
    }
    sources = [
        make_zip(tmp_path / f"Lesson 1-2024050{day}T120000Z-00{day}.zip", members)
        for day, members in enumerate((first, second), 1)
    ]
    report = collect(course, sources)
    assert students(course) == {
        "Ada_Lovelace": notebook("ada"),
        "Grace_Hopper": notebook("grace"),
        "Emmy_Noether": notebook("emmy"),
        "Jean_d-Alembert": notebook("jean"),
        "王小明": notebook("xiaoming"),
    }
    left = reasons(report)
    assert sorted(left) == [
        f"{folder}/{TINY} - Alan Turing.ipynb",
        f"{folder}/Copy of {TINY}.ipynb",
    ]
    assert all("--student" in reason for reason in left.values())


def test_of_copies_in_a_drive_the_one_changed_last_counts(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "drive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member(f"Ada Lovelace - {TINY}.ipynb", 3), notebook("newest"))
        archive.writestr(member(f"Ada Lovelace - {TINY} (1).ipynb", 2), notebook("older"))
        archive.writestr(member("Ada Lovelace - scratch.ipynb", 4), notebook("not the lesson"))
    report = collect(course, [path])
    assert students(course) == {"Ada_Lovelace": notebook("newest")}
    assert notebook("older") in held(course).values()
    assert notebook("not the lesson") not in held(course).values()
    assert "not called like the lesson" in reasons(report)["Ada Lovelace - scratch.ipynb"]


def test_a_zip_without_times_is_not_older(course: Course, tmp_path: Path) -> None:
    name = f"Ada Lovelace - {TINY}.ipynb"
    collect(course, [make_zip(tmp_path / "first.zip", {name: notebook("first")})])
    # What programs write that know no time, and a day that is in no calendar.
    for day in ((1980, 1, 1, 0, 0, 0), (1980, 0, 0, 0, 0, 0)):
        path = tmp_path / "second.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo(name, day), notebook(str(day)))
        assert "newer" in outcomes(collect(course, [path]))["Ada_Lovelace"]
        assert students(course) == {"Ada_Lovelace": notebook(str(day))}


GITHUB = {
    "hw-groups-ada-l/.git/config": b"[core]\n\tfsmonitor = touch owned\n",
    f"hw-groups-ada-l/{TINY}.ipynb": notebook("ada"),
    f"hw-groups-ada-l/drafts/{TINY}.ipynb": notebook("a draft"),
    "hw-groups-ada-l/README.md": b"# Homework",
    "hw-groups-ada-l/.ipynb_checkpoints/x.ipynb": b"{}",
    "hw-groups-bob/.git/config": b"[core]",
    f"hw-groups-bob/{TINY}/{TINY}.ipynb": notebook("bob"),
    f"hw-groups-bob/hw-groups-ada-l/{TINY}.ipynb": notebook("bob in ada's name"),
    "hw-groups-carl/.git/config": b"[core]",
    "hw-groups-carl/README.md": b"# Homework",
}


@pytest.mark.parametrize("name", ["hw-groups-submissions", "cloned"])
def test_github_classroom(course: Course, tmp_path: Path, name: str) -> None:
    report = collect(course, [make_folder(tmp_path / name, GITHUB)])
    assert students(course) == {"ada-l": notebook("ada"), "bob": notebook("bob")}
    assert notebook("bob in ada's name") in held(course).values(), "it counts as an attempt of bob"
    left = reasons(report)
    assert "there is README.md" in left["carl"]
    assert "kept by a program" in left["hw-groups-ada-l/.git"]
    assert not (tmp_path / name / "owned").exists() and not Path("owned").exists()


def test_github_classroom_in_a_zip(course: Course, tmp_path: Path) -> None:
    members = {f"hw-groups-submissions/{name}": content for name, content in GITHUB.items()}
    collect(course, [make_zip(tmp_path / "all.zip", members)])
    assert students(course) == {"ada-l": notebook("ada"), "bob": notebook("bob")}


def test_blackboard_tells_the_time(course: Course, tmp_path: Path) -> None:
    first = f"Homework 1_ada_attempt_2024-05-01-18-30-00_{TINY}.ipynb"
    second = f"Homework 1_ada_attempt_2024-05-02-08-00-00_{TINY}.ipynb"
    tail = f"x_bob_attempt_2030-01-01-00-00-00_{TINY}.ipynb"
    forged = f"Homework 1_eve_attempt_2024-05-03-08-00-00_{tail}"
    members = {second: notebook("second"), first: notebook("first"), forged: notebook("eve")}
    collect(course, [make_zip(tmp_path / "gradebook.zip", members)])
    assert students(course) == {"ada": notebook("second"), "eve": notebook("eve")}
    times = {name: text for name, text in held(course).items() if name.endswith(".txt")}
    assert times == {
        f"ada/{TINY}/timestamp.txt": b"2024-05-02 08:00:00 UTC\n",
        f"eve/{TINY}/timestamp.txt": b"2024-05-03 08:00:00 UTC\n",
        f".earlier/ada/{TINY}/1/timestamp.txt": b"2024-05-01 18:30:00 UTC\n",
    }
    api = open_api(course)
    assert str(api.get_submitted_timestamp(TINY, "ada")) == "2024-05-02 08:00:00"
    assert api.get_submitted_students(TINY) == {"ada", "eve"}, "nbgrader does not see .earlier"
    # A file without a time takes the place of one with a time, whose time would be wrong for it.
    late = {f"ada/{TINY}.ipynb": notebook("third")}
    collect(course, [make_folder(tmp_path / "late", late, day=4)])
    assert students(course)["ada"] == notebook("third")
    assert not (course.submitted / "ada" / TINY / "timestamp.txt").exists()


def test_own_pattern_with_groups_as_in_nbgrader(course: Course, tmp_path: Path) -> None:
    pattern = r".*/(?P<student_id>s\d+)-at-(?P<timestamp>[^/]*)-(?P<file_id>[^/.]+)\.ipynb$"
    files = {
        f"round 1/s07-at-2024-05-01 20:30:00 UTC-{TINY}.ipynb": notebook("seven"),
        f"round 1/s08-at-no time-{TINY}.ipynb": notebook("eight"),
        f"round 1/x09-{TINY}.ipynb": notebook("nine"),
    }
    report = collect(course, [make_zip(tmp_path / "class.zip", files)], names=pattern)
    assert students(course) == {"s07": notebook("seven"), "s08": notebook("eight")}
    assert held(course)[f"s07/{TINY}/timestamp.txt"] == b"2024-05-01 20:30:00 UTC\n"
    assert f"s08/{TINY}/timestamp.txt" not in held(course)
    assert list(reasons(report)) == [f"round 1/x09-{TINY}.ipynb"]


@pytest.mark.parametrize(
    ("pattern", "error"),
    [("(?P<student_id>", "no regular expression"), ("(?P<student_id>.*)", r"\(\?P<file_id>…\)")],
)
def test_a_useless_pattern_is_an_error(
    course: Course, tmp_path: Path, pattern: str, error: str
) -> None:
    with pytest.raises(CourseError, match=error):
        collect(course, [tmp_path], names=pattern)
    assert not course.submitted.exists()


def test_folders_and_single_files(two: Course, tmp_path: Path) -> None:
    folder = {
        f"ada/{TINY}.ipynb": notebook("ada"),
        f"bob/{TINY}/{TINY}.ipynb": notebook("bob"),
        f"bob/{OTHER}/my own name.ipynb": notebook("bob's other"),
        f"bob/{OTHER}/deep/{TINY}.ipynb": notebook("too deep to say whose"),
    }
    mailed = make_folder(
        tmp_path / "mail",
        {
            f"Emmy Noether {TINY} (1).ipynb": notebook("emmy"),
            f"{TINY}.ipynb": notebook("grace"),
            f"alan_{TINY}.ipynb": notebook("alan"),
            f"Copy of {TINY}.ipynb": notebook("somebody"),
        },
    )
    collect(two, [make_folder(tmp_path / "folder", folder), mailed / f"alan_{TINY}.ipynb"])
    collect(two, [mailed / f"Emmy Noether {TINY} (1).ipynb"])
    for name in (f"{TINY}.ipynb", f"Copy of {TINY}.ipynb"):
        report = collect(two, [mailed / name])
        assert not report.rows and "no student" in report.left_out[0].reason
    collect(two, [mailed / f"{TINY}.ipynb"], student="Grace Hopper")
    assert students(two) == {
        "Emmy_Noether": notebook("emmy"),
        "Grace_Hopper": notebook("grace"),
        "ada": notebook("ada"),
        "alan": notebook("alan"),
        "bob": notebook("bob"),
    }
    assert students(two, OTHER) == {"bob": notebook("bob's other")}


def test_the_assignment_given_counts_for_what_bears_no_lessons_name(
    two: Course, tmp_path: Path
) -> None:
    members = {
        "lovelaceada_1_10_homework.ipynb": notebook("ada"),
        f"hoppergrace_2_11_{OTHER}.ipynb": notebook("of the other lesson"),
    }
    source = make_zip(tmp_path / "submissions.zip", members)
    report = collect(two, [source], assignment=TINY)
    assert students(two) == {"lovelaceada_1": notebook("ada")}
    assert "does not bear the lesson's name" in report.rows[0].notes[0]
    assert f"a notebook of {OTHER}, not of {TINY}" in reasons(report).values()
    with pytest.raises(CourseError, match="no lesson is called"):
        collect(two, [source], assignment="no-such")


def test_the_platform_can_be_named(course: Course, tmp_path: Path) -> None:
    source = make_zip(tmp_path / "x.zip", {f"Ada - {TINY}.ipynb": notebook("ada")})
    assert not collect(course, [source], platform="moodle").rows
    assert not collect(course, [source], platform="github").rows
    collect(course, [source], platform="classroom")
    assert students(course) == {"Ada": notebook("ada")}


# ------------------------------------------------------------------------------ hostile contents


def evil_zip(path: Path) -> Path:
    """Write a zip with everything that a zip should not hold, and one honest submission."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member(f"honest_1_10_{TINY}.ipynb"), notebook("honest"))
        for name in (
            f"../evil_2_10_{TINY}.ipynb",
            f"x/../../evil_3_10_{TINY}.ipynb",
            f"/evil_4_10_{TINY}.ipynb",
            f"C:/evil_5_10_{TINY}.ipynb",
            f"..\\evil_6_10_{TINY}.ipynb",
        ):
            archive.writestr(member(name), notebook("outside"))
        link = member(f"evil_7_10_{TINY}.ipynb")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(member("evil_8_10_homework.zip"), b"PK\x05\x06" + bytes(18))
        archive.writestr(member(f"__MACOSX/._evil_9_10_{TINY}.ipynb"), b"\0\5\x16\7")
        archive.writestr(member(f".ipynb_checkpoints/evil_10_10_{TINY}.ipynb"), notebook("x"))
        archive.writestr(member(f"evil_11_10_{TINY}.ipynb"), bytes(archives.MAX_BYTES + 1))
        archive.writestr(member(f"{'a' * 2000}_12_10_{TINY}.ipynb"), notebook("long"))
        archive.writestr(member(f"!!!_13_10_{TINY}.ipynb"), notebook("no name, but an id"))
        archive.writestr(member(f"con_14_10_{TINY}.ipynb"), notebook("a device on Windows"))
        archive.writestr(member(f"\x1b[2J\u202e_15_10_{TINY}.ipynb"), notebook("escapes"))
        odd = member(f"evil_16_10_{TINY}.ipynb")
        odd.compress_type = zipfile.ZIP_LZMA
        archive.writestr(odd, notebook("lzma"))
        archive.writestr(member("folder/"), b"")
    return path


def test_nothing_leaves_a_hostile_zip_and_the_others_are_collected(
    course: Course, tmp_path: Path
) -> None:
    source = evil_zip(tmp_path / "evil.zip")
    before = {path for path in tmp_path.rglob("*") if course.submitted not in path.parents}
    report = collect(course, [source])
    after = {path for path in tmp_path.rglob("*") if course.submitted not in path.parents}
    assert after - before <= {course.submitted}
    assert students(course) == {
        "honest_1": notebook("honest"),
        "13": notebook("no name, but an id"),
        "con__14": notebook("a device on Windows"),
        "2J_15": notebook("escapes"),
    }
    left = reasons(report)
    expected = {
        f"../evil_2_10_{TINY}.ipynb": archives.OUTSIDE,
        f"x/../../evil_3_10_{TINY}.ipynb": archives.OUTSIDE,
        f"/evil_4_10_{TINY}.ipynb": archives.OUTSIDE,
        f"C:/evil_5_10_{TINY}.ipynb": archives.OUTSIDE,
        f"../evil_6_10_{TINY}.ipynb": archives.OUTSIDE,
        f"evil_7_10_{TINY}.ipynb": archives.LINK,
        "evil_8_10_homework.zip": archives.NESTED,
        f"__MACOSX/._evil_9_10_{TINY}.ipynb": archives.HIDDEN,
        f".ipynb_checkpoints/evil_10_10_{TINY}.ipynb": archives.HIDDEN,
        f"evil_11_10_{TINY}.ipynb": archives.TOO_LARGE,
        f"{'a' * 60}…": archives.TOO_LONG,
        f"evil_16_10_{TINY}.ipynb": archives.METHOD,
    }
    assert left == expected


def test_a_member_that_lies_about_its_size_or_is_damaged(course: Course, tmp_path: Path) -> None:
    names = [f"a_1_10_{TINY}.ipynb", f"b_2_10_{TINY}.ipynb", f"c_3_10_{TINY}.ipynb"]
    path = make_zip(tmp_path / "x.zip", {name: notebook(name) * 50 for name in names})
    data = bytearray(path.read_bytes())
    # The first one's checksum is wrong, the second one is said to be encrypted.
    with zipfile.ZipFile(path) as archive:
        first, second, _ = archive.infolist()
    central = data.index(b"PK\x01\x02")
    data[central + 16] ^= 0xFF
    following = data.index(b"PK\x01\x02", central + 4)
    data[following + 8] |= 1
    assert (first.flag_bits, second.flag_bits) == (0, 0)
    path.write_bytes(data)
    report = collect(course, [path])
    assert students(course) == {"c_3": notebook(names[2]) * 50}
    assert "damaged in the archive" in reasons(report)[names[0]]
    assert reasons(report)[names[1]] == archives.ENCRYPTED


def test_a_bomb_of_many_files_goes_off_nowhere(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"s_{number}_10_{TINY}.ipynb": bytes(1000) for number in range(20)}
    source = make_zip(tmp_path / "x.zip", members)
    folder = make_folder(tmp_path / "x", members)
    monkeypatch.setattr(archives, "MAX_TOTAL", 5000)
    for place in (source, folder):
        report = collect(course, [place])
        assert len(report.rows) == 5
        assert [left.reason for left in report.left_out] == [archives.TOO_MUCH] * 15
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    for place in (source, folder):
        with opened(place) as contents:
            assert len(contents.files) == 3
            assert [left.reason for left in contents.left_out] == [archives.TOO_MANY]


def test_no_more_is_read_than_allowed_whatever_a_header_says(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 100)
    files = {f"ada/{TINY}.ipynb": bytes(101), f"bob/{TINY}.ipynb": bytes(100)}
    report = collect(course, [make_folder(tmp_path / "x", files)])
    assert students(course) == {"bob": bytes(100)}
    assert reasons(report) == {f"ada/{TINY}.ipynb": archives.TOO_LARGE}


def test_names_in_utf8_without_a_word_on_it(course: Course, tmp_path: Path) -> None:
    """As macOS and many programs write them; the letters are made of two parts there."""
    path = make_zip(tmp_path / "x.zip", {f"zoe_1_10_{TINY}.ipynb": notebook("zoë")})
    decomposed = "zoe\u0308".encode()
    # Two bytes more in both names, and where the directory begins.
    data = bytearray(path.read_bytes().replace(b"zoe_", b"zo" + decomposed[2:] + b"_"))
    central = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    for place in (26, central + 28):
        data[place] += 2
    data[end + 12] += 2
    data[end + 16] += 2
    path.write_bytes(data)
    collect(course, [path])
    assert students(course) == {"zoë_1": notebook("zoë")}


def test_the_same_name_twice_in_a_zip(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for text in ("first", "second"):
            archive.writestr(member(f"ada_1_10_{TINY}.ipynb"), notebook(text))
    collect(course, [path])
    assert students(course) == {"ada_1": notebook("second")}
    assert notebook("first") in held(course).values()


def test_what_is_no_zip_does_not_stop_the_others(course: Course, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"<html>You have been logged out</html>")
    good = make_zip(tmp_path / "good.zip", {f"ada_1_10_{TINY}.ipynb": notebook("ada")})
    report = collect(course, [broken, good])
    assert students(course) == {"ada_1": notebook("ada")}
    assert "no zip that can be read" in reasons(report)["broken.zip"]
    with pytest.raises(CourseError, match="check the path"):
        collect(course, [tmp_path / "no-such.zip"])


@pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")
def test_links_and_pipes_in_folders(course: Course, tmp_path: Path) -> None:
    secret = make_folder(tmp_path / "elsewhere", {f"{TINY}.ipynb": notebook("secret")})
    root = make_folder(tmp_path / "class", {f"ada/{TINY}.ipynb": notebook("ada")})
    (root / "eve").mkdir()
    (root / "eve" / f"{TINY}.ipynb").symlink_to(secret / f"{TINY}.ipynb")
    (root / "mallory").symlink_to(secret, target_is_directory=True)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "trudy").mkdir()
    os.mkfifo(root / "trudy" / f"{TINY}.ipynb")
    report = collect(course, [root])
    assert students(course) == {"ada": notebook("ada")}
    assert reasons(report) == {
        f"eve/{TINY}.ipynb": archives.LINK,
        "mallory": archives.LINK,
        "loop": archives.LINK,
        f"trudy/{TINY}.ipynb": "no ordinary file",
    }


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_a_link_in_submitted_is_not_written_through(course: Course, tmp_path: Path) -> None:
    target = make_folder(tmp_path / "target", {"keep.txt": b"mine"})
    course.submitted.mkdir()
    (course.submitted / "ada").symlink_to(target, target_is_directory=True)
    root = make_folder(tmp_path / "class", {f"ada/{TINY}.ipynb": notebook("ada")})
    report = collect(course, [root])
    assert not report.rows and "is a link" in report.left_out[0].reason
    assert [path.name for path in target.iterdir()] == ["keep.txt"]


def test_two_students_never_share_a_folder(course: Course, tmp_path: Path) -> None:
    members = {f"Ann:Lee - {TINY}.ipynb": notebook("1"), f"Ann;Lee - {TINY}.ipynb": notebook("2")}
    source = make_zip(tmp_path / "x.zip", members)
    report = collect(course, [source])
    assert list(students(course)) == ["Ann-Lee"] and len(report.left_out) == 1
    taken = students(course)["Ann-Lee"]
    assert "which is that of Ann" in report.left_out[0].reason
    collect(course, [source])
    assert students(course) == {"Ann-Lee": taken}


def test_ada_and_Ada_are_one_folder(course: Course, tmp_path: Path) -> None:
    collect(course, [make_folder(tmp_path / "a", {f"Ada/{TINY}.ipynb": notebook("1")})])
    collect(course, [make_folder(tmp_path / "b", {f"ada/{TINY}.ipynb": notebook("2")})])
    assert students(course) == {"Ada": notebook("2")}


# ------------------------------------------------------------------------- what is there already


def test_what_was_put_there_by_hand_is_kept(course: Course, tmp_path: Path) -> None:
    make_folder(course.submitted, {f"ada/{TINY}/{TINY}.ipynb": notebook("by hand")})
    source = make_folder(tmp_path / "class", {f"ada/{TINY}.ipynb": notebook("collected")})
    collect(course, [source])
    assert students(course) == {"ada": notebook("collected")}
    # Somebody mends it by hand: that is not what was collected, so it is kept as well.
    course.submitted_notebook("ada", TINY).write_bytes(notebook("mended"))
    collect(course, [source])
    kept = [data for name, data in held(course).items() if name.startswith(".earlier")]
    assert kept == [notebook("by hand"), notebook("mended")]


def test_records_that_cannot_be_read_lose_nothing(course: Course, tmp_path: Path) -> None:
    source = make_folder(tmp_path / "class", {f"ada/{TINY}.ipynb": notebook("1")})
    collect(course, [source])
    for text in ("{", "[1]", '{"ada/x": {"who": 1}}', '{"ada/x": {"number": "7"}}'):
        (course.submitted / ".collected.json").write_text(text, encoding="utf-8")
        assert outcomes(collect(course, [source])) == {"ada": "unchanged"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder kept from us")
def test_a_folder_that_cannot_be_written_to(course: Course, tmp_path: Path) -> None:
    (course.submitted / "ada").mkdir(parents=True, mode=0o500)
    files = {f"{name}/{TINY}.ipynb": notebook(name) for name in ("ada", "bob")}
    report = collect(course, [make_folder(tmp_path / "class", files)])
    assert list(students(course)) == ["bob"]
    assert "cannot be written" in reasons(report)[f"ada/{TINY}.ipynb"]


def test_a_file_in_the_way_does_not_stop_the_others(course: Course, tmp_path: Path) -> None:
    make_folder(course.submitted, {"ada": b"a file"})
    files = {f"{name}/{TINY}.ipynb": notebook(name) for name in ("ada", "bob")}
    report = collect(course, [make_folder(tmp_path / "class", files)])
    assert list(students(course)) == ["bob"]
    assert "cannot be written" in reasons(report)[f"ada/{TINY}.ipynb"]


def test_a_dry_run_says_the_same_and_writes_nothing(course: Course, tmp_path: Path) -> None:
    members = {
        f"ada_1_10_{TINY}.ipynb": notebook("1"),
        f"ada_1_11_{TINY}-1.ipynb": notebook("2"),
        f"Ann:Lee_2_12_{TINY}.ipynb": notebook("3"),
        f"Ann;Lee_2_13_{TINY}.ipynb": notebook("4"),
    }
    source = make_zip(tmp_path / "x.zip", members)
    dry = collect(course, [source], dry_run=True)
    assert not course.submitted.exists()
    assert dry == collect(course, [source])


# ------------------------------------------------------------------------------ the command line


def test_command_line(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(course.root)
    members = {
        f"lovelaceada_LATE_12345_67890_{TINY}.ipynb": notebook("ada"),
        "hoppergrace_12346_7_photo.png": b"",
        **{f"{letter}.txt": b"" for letter in "abcdefghi"},
        f"[bold]_\x1b[2J_{TINY}.ipynb": notebook("escape"),
    }
    source = str(make_zip(tmp_path / "submissions.zip", members))
    assert cli.main(["collect", source, "--dry-run"]) == 1, "somebody is left out"
    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    out = " ".join(out.split())
    assert "1 student would be collected" in out and "lovelaceada_12345: late" in out
    assert "hoppergrace_12346: no notebook of theirs was collected, but there is" in out
    assert "a.txt, b.txt, c.txt, d.txt and 5 others: not a notebook" in out
    assert f"[bold]_?[2J_{TINY}.ipynb: no student in its name" in out
    assert not course.submitted.exists()
    assert cli.main(["collect", source]) == 1
    assert "1 student collected" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert cli.main(["collect", str(tmp_path / "empty")]) == 1
    assert "0 students collected" in capsys.readouterr().out
    assert cli.main(["collect", str(tmp_path / "no such.zip")]) == 1
    assert "check the path" in capsys.readouterr().err
    assert cli.main(["collect", source, "--student", "!!"]) == 1
    assert "no name for a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["collect", source, "--student", "ada", "--from", "canvas"])


def test_help_shows_an_example_of_every_platform_that_its_pattern_takes(
    course: Course, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["collect", "--help"])
    text = capsys.readouterr().out
    lines = re.findall(r"^  (\w+) {2,}(\S.*?)(?: \(.*?\))? {2,}(\S+)$", text, re.MULTILINE)
    examples = {name: (example, folder) for name, example, folder in lines}
    for name in ("canvas", "moodle", "blackboard", "classroom"):
        example, folder = examples[name]
        file = example.replace("LESSON…", "LESSON.ipynb").replace("LESSON", TINY)
        owner = owner_of(platform_patterns(name, "", archives.Contents(), [TINY]), file)
        assert owner is not None
        assert (owner.student, lesson_of(owner.file, [TINY])[0]) == (folder, TINY)


def test_collecting_runs_no_git(course: Course, tmp_path: Path) -> None:
    """A repository's own configuration can make git run programs, so git is left alone."""
    code = (
        "import subprocess, sys, os\n"
        "def refuse(event, arguments):\n"
        "    started = event in ('subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.system')\n"
        "    if started and 'pandoc' not in str(arguments):\n"  # nbconvert asks for its version
        "        raise SystemExit(f'{event} {arguments}')\n"
        "sys.addaudithook(refuse)\n"
        "from autograder.cli import main\n"
        "sys.exit(main(['collect', sys.argv[1]]))\n"
    )
    folder = make_folder(tmp_path / "hw-groups-submissions", GITHUB)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=course.root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1, done.stderr  # carl has handed in nothing
    assert "2 students collected" in done.stdout


# ----------------------------------------------------------------------------------- small parts


@pytest.mark.parametrize(
    ("who", "folder"),
    [
        ("Ada Lovelace", "Ada_Lovelace"),
        ("  O'Brien,\tSeán ", "O-Brien-_Seán"),
        ("../../etc", "etc"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("a*b?[c]", "a-b--c"),
        ("ada@example.org", "ada@example.org"),
        ("हिन्दी", "हिन्दी"),
        ("CON", "CON_"),
        ("com1.txt", "com1_.txt"),
        ("x" * 300, "x" * 60),
        ("...", ""),
        ("", ""),
    ],
)
def test_folder_names(who: str, folder: str) -> None:
    assert folder_name(who) == folder
    assert folder_name(folder) == folder


@pytest.mark.parametrize(
    ("file", "lesson", "same"),
    [
        ("01_x.ipynb", "01_x", True),
        ("Copy of 01_x.ipynb", "01_x", True),
        ("Copy of Copy of 01_x (2).ipynb", "01_x", True),
        ("01_x-Copy1.ipynb", "01_x", True),
        ("01_x - Copy (2).ipynb", "01_x", True),
        ("01 x.ipynb", "01_x", True),
        ("01_x-3.ipynb.json", "01_x", True),
        ("01_x_final.ipynb", "01_x", False),
        ("01_x_extra.ipynb", "01_x_extra", True),
        ("work/01_x/mine.ipynb", "01_x", False),
        ("mine.ipynb", None, False),
        ("", None, False),
    ],
)
def test_which_lesson(file: str, lesson: str | None, same: bool) -> None:
    assert lesson_of(file, ["01_x", "01_x_extra"]) == (lesson, same)


def test_copy_marks() -> None:
    names = ["a.ipynb", "a-2.ipynb", "a (12).ipynb", "a-Copy3.ipynb", "a_2.ipynb"]
    assert [copy_number(name) for name in names] == [0, 2, 12, 3, 0]
    assert without_copy_marks("Kopie von a (1)") == "a"


def test_names_as_they_are_shown() -> None:
    assert shown("a\x1b[2Jb\u202ec\ud800") == "a?[2Jb?c?"
    assert shown("Zoë 王 [x]") == "Zoë 王 [x]"


@pytest.mark.parametrize(
    "start", ["_" * 900, "a_1_" * 220, " - " * 300, "/a" * 450, "_attempt_" * 100]
)
def test_long_names_that_nearly_fit(start: str) -> None:
    """A pattern that tries every way to divide such a name would never come to an end."""

    def owner(platform: str, end: str) -> Owner | None:
        patterns = platform_patterns(platform, "", archives.Contents(), [TINY])
        return owner_of(patterns, start + end)

    nobodys = [owner(platform, "x.pdf") for platform in PLATFORMS]
    assert {nobody.student if nobody else "" for nobody in nobodys} == {""}
    ends = {
        "canvas": ("ada_7_8_x.ipynb", "ada_7", "x.ipynb"),
        "blackboard": ("x_ada_attempt_2024-05-01-18-30-00_x.ipynb", "ada", "x.ipynb"),
        "files": (f"Ada {TINY}.ipynb", "Ada", f"{TINY}.ipynb"),
    }
    for platform, (end, who, file) in ends.items():
        known = owner(platform, end)
        assert known is not None and known.file == file
        assert known.who.endswith(who) and 0 < len(known.student) < 128


def test_numbers_of_other_scripts_and_huge_ones() -> None:
    patterns = platform_patterns("canvas", "", archives.Contents(), [TINY])
    numbers = {"9" * 300: int("9" * 300), "٣٤": 34}
    for text, number in numbers.items():
        owner = owner_of(patterns, f"ada_١٢_{text}_{TINY}.ipynb")
        assert owner is not None and owner.order.number == number
