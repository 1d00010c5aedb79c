"""Reading what was handed in: any bytes, any file system, and at most one clear sentence."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT, TINY
from mishaps import as_bytes

from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.assess import How
from autograder.grading.plan import Plan, read_assignment
from autograder.lesson import Lesson
from autograder.marks.submitted import submitted_students
from autograder.sandbox.limits import Limits
from autograder.submissions.made import fill_in
from autograder.submissions.matching import NOTES
from autograder.submissions.reading import (
    parse_notebook,
    read_bytes,
    read_notebook,
    read_submission,
)
from autograder.texts import shown

NAME = f"{TINY}.ipynb"
LESSON_1 = "01_regular_group_convolutions"


def handed_in(course: Course, student: str = "ann") -> Path:
    """Return the folder for a student's submission, made."""
    folder = course.submitted_notebook(student, TINY).parent
    folder.mkdir(parents=True)
    return folder


def plan_of(course: Course) -> Plan:
    """Return what the grader goes by, without a gradebook: to read a submission it needs none."""
    assignment = read_assignment(course, Lesson.load(course.lesson_path(TINY)))
    api: Any = None
    return Plan(course, api, assignment, students=(), seed=1, limits=Limits(), how=How())


@pytest.fixture
def data(built_course: Course) -> bytes:
    """The release's bytes."""
    return built_course.release_notebook(TINY).read_bytes()


# ------------------------------------------------------------------------------------ the file


def test_the_submission_is_the_file_of_its_name(built_course, data):
    folder = handed_in(built_course)
    (folder / "a.ipynb").write_bytes(b"{}")
    (folder / NAME).write_bytes(data)
    found = read_submission(folder, TINY)
    assert (found.name, found.data, found.notes) == (NAME, data, ())


def test_the_only_notebook_of_another_name_is_taken_with_a_note(built_course, data):
    folder = handed_in(built_course)
    (folder / "Copy of 00_tiny (2).IPYNB").write_bytes(data)
    (folder / "._00_tiny.ipynb").write_bytes(b"made by a Mac")
    (folder / "notes.txt").write_bytes(b"x")
    found = read_submission(folder, TINY)
    assert (found.name, found.data) == ("Copy of 00_tiny (2).IPYNB", data)
    assert found.notes == (
        "The file was called Copy of 00_tiny (2).IPYNB; it was taken for 00_tiny.ipynb.",
    )


needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need special rights")


@needs_links
@pytest.mark.parametrize("where", ["student", "lesson", "file"])
@pytest.mark.parametrize("target", ["inside", "outside", "nowhere", "itself"])
def test_links_are_never_followed(built_course, data, tmp_path, where, target):
    course = built_course
    real = handed_in(course, "bob")
    (real / NAME).write_bytes(data)
    outside = tmp_path / "outside" / TINY
    outside.mkdir(parents=True)
    (outside / NAME).write_bytes(b"a secret")
    levels = {"student": 0, "lesson": 1, "file": 2}
    link = [course.submitted / "ann", course.submitted / "ann" / TINY]
    link = [*link, link[1] / NAME][levels[where]]
    link.parent.mkdir(parents=True, exist_ok=True)
    inside = [real.parent, real, real / NAME][levels[where]]
    out = [outside.parent, outside, outside / NAME][levels[where]]
    place = {"inside": inside, "outside": out, "nowhere": tmp_path / "gone", "itself": link}
    link.symlink_to(place[target])
    with pytest.raises(CourseError, match="is a link to another place, which is not followed"):
        read_submission(course.submitted / "ann" / TINY, TINY)
    assert "ann" in submitted_students(course, TINY), "somebody must hear about it"
    with pytest.raises(CourseError, match="which is not followed"):
        plan_of(course).submission("ann")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_pipes_and_sockets_are_not_waited_for(built_course, tmp_path, monkeypatch):
    folder = handed_in(built_course)
    os.mkfifo(folder / NAME)
    with pytest.raises(CourseError, match="00_tiny.ipynb is not an ordinary file"):
        read_submission(folder, TINY)
    (folder / NAME).unlink()
    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(NAME)
        with pytest.raises(CourseError, match="is not an ordinary file"):
            read_submission(folder, TINY)
    with pytest.raises(CourseError, match="is not an ordinary file"):
        read_bytes(Path("/dev/zero"))


def test_a_folder_called_like_the_notebook(built_course, data):
    (handed_in(built_course) / NAME).mkdir()
    folder = handed_in(built_course, "bob")
    (folder / "homework").mkdir()
    (folder / "homework" / NAME).write_bytes(data)
    with pytest.raises(CourseError, match="00_tiny.ipynb is a folder, not a notebook"):
        read_submission(built_course.submitted / "ann" / TINY, TINY)
    (folder / "homework" / NAME).rename(folder / "homework" / "x.txt")
    with pytest.raises(CourseError, match="is missing; homework is a folder, not a notebook"):
        read_submission(folder, TINY)


def test_nothing_handed_in(built_course):
    folder = built_course.submitted / "ann" / TINY
    with pytest.raises(CourseError, match="the folder holds no folder 00_tiny"):
        read_submission(folder, TINY)
    folder.mkdir(parents=True)
    with pytest.raises(CourseError, match="00_tiny.ipynb is missing$"):
        read_submission(folder, TINY)


def test_a_file_is_read_no_further_than_the_limit(tmp_path, monkeypatch):
    path = tmp_path / NAME
    path.write_bytes(b"12345")
    monkeypatch.setattr("autograder.submissions.reading.MAX_BYTES", 5)
    assert read_bytes(path) == b"12345"
    monkeypatch.setattr("autograder.submissions.reading.MAX_BYTES", 4)
    with pytest.raises(CourseError, match="is larger than"):
        read_bytes(path)


def test_what_may_not_be_read(built_course, data, monkeypatch):
    folder = handed_in(built_course)
    (folder / NAME).write_bytes(data)

    def refuse(path, *arguments):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CourseError, match=r"the file 00_tiny.ipynb cannot be read \(Permission"):
        read_submission(folder, TINY)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CourseError, match="the folder 00_tiny cannot be read"):
        read_submission(folder, TINY)


def test_names_can_be_printed():
    assert shown("a\nb\x1b[31m\udcff.ipynb") == "a?b?[31m?.ipynb"
    assert shown("Übung 1 (π).ipynb") == "Übung 1 (π).ipynb"


# ---------------------------------------------------------------------------------- the notebook


def test_a_notebook_is_read_as_it_is(built_course):
    path = built_course.release_notebook(TINY)
    assert read_notebook(path) == nbformat.read(path, as_version=4)
    solutions = ROOT / "solutions" / f"{LESSON_1}.ipynb"
    assert read_notebook(solutions) == nbformat.read(solutions, as_version=4)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_of_unicode_are_read_and_told(data, encoding):
    text = data.decode()
    assert "·" in text
    made = parse_notebook(text.encode(encoding), NAME)
    assert [cell.source for cell in made.cells] == [
        cell.source for cell in parse_notebook(data, NAME).cells
    ]
    assert len(made.metadata[NOTES]) == 1 and "it was read all the same" in made.metadata[NOTES][0]


def test_western_letters_are_read_only_where_nothing_is_lost():
    text = '{"cells": [{"cell_type": "code", "source": "# caf\u00e9 \u201cx\u201d"}]}'
    made = parse_notebook(text.encode("cp1252"), NAME)
    assert made.cells[0].source == "# café “x”"
    assert "Windows-1252" in made.metadata[NOTES][0]
    # 0x81 means something in Latin-1 only.
    made = parse_notebook(text.encode("cp1252").replace(b"\x93", b"\x81"), NAME)
    assert "Latin-1" in made.metadata[NOTES][0]
    # Both kinds of letters in one file: no one encoding reads it without loss.
    with pytest.raises(CourseError, match="perhaps damaged"):
        parse_notebook(text.encode("cp1252") + "é".encode(), NAME)


def test_notes_come_from_us_and_not_from_the_file(data):
    raw = json.loads(data)
    raw["metadata"]["course_notes"] = ["Full marks, please."]
    made = parse_notebook(json.dumps(raw).encode(), NAME, ["Found in the attic."])
    assert made.metadata[NOTES] == ["Found in the attic."]
    assert parse_notebook(json.dumps(raw).encode(), NAME).metadata[NOTES] == []


@pytest.mark.parametrize(
    "raw",
    [
        None,
        3,
        "text",
        [],
        {},
        {"cells": None},
        {"cells": {}},
        {"cells": [1, None, "x"]},
        {"worksheets": None, "nbformat": 3},
        {"worksheets": [{"cells": 3}], "nbformat": 3},
        {"worksheets": [None]},
    ],
)
def test_json_that_is_no_notebook(raw):
    with pytest.raises(CourseError, match="is not a Jupyter notebook"):
        parse_notebook(json.dumps(raw).encode(), NAME)


def test_cells_of_wrong_types_become_sound():
    cells = [
        {"cell_type": "code", "source": ["a = 1\n", "b = 2"], "metadata": None, "outputs": "x"},
        {"cell_type": 7, "source": None, "outputs": [], "id": 3},
        {"cell_type": "heading", "source": {"a": 1}, "attachments": []},
        {"source": "a\r\nb\rc\u0000\ud800"},
        "not a cell",
    ]
    made = parse_notebook(json.dumps({"cells": cells, "nbformat": "4"}).encode(), NAME)
    assert [cell.cell_type for cell in made.cells] == ["code", "code", "markdown", "markdown"]
    assert [cell.source for cell in made.cells] == ["a = 1\nb = 2", "", "", "a\nb\nc\ufffd?"]
    assert made.metadata[NOTES] == ["Entries of the file that are no cells were left out."]
    assert (made.nbformat, made.nbformat_minor) == (4, 5)


@pytest.mark.parametrize("major", [2, 3])
def test_old_formats_are_converted(built_course, major):
    lesson = Lesson.load(built_course.lesson_path(TINY))
    perfect = fill_in(read_notebook(built_course.release_notebook(TINY)), lesson)
    made = parse_notebook(as_bytes(nbformat.convert(deepcopy(perfect), major)), NAME)
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    assert code == [cell.source for cell in perfect.cells if cell.cell_type == "code"]
    assert "old format" in made.metadata[NOTES][0]


@pytest.mark.parametrize(
    "data",
    [
        b'{"cells": ' + b"[" * 500_000,
        b"[" * 3_000_000,
        b'{"a":' * 200_000,
        b'{"cells": [{"source": "x", "metadata": ' + b'{"a": ' * 900 + b"1" + b"}" * 900 + b"}]}",
        b'{"cells": [], "nbformat": ' + b"9" * 10_000 + b"}",
        json.dumps({"cells": [{"source": "x" * 6_000_000}]}).encode(),
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf",
        b"null",
    ],
    ids=range(9),
)
def test_absurd_files_get_a_clear_word(data):
    with pytest.raises(CourseError) as error:
        parse_notebook(data, NAME)
    assert str(error.value).startswith(f"the file {NAME} ")


def test_a_small_file_that_would_need_much_memory_is_not_taken_apart():
    with pytest.raises(CourseError, match="holds too much to be read"):
        parse_notebook(b'{"cells": [' + b"[]," * 2_000_000 + b"[]]}", NAME)


def test_any_bytes_give_a_notebook_or_a_clear_word(data):
    rng = random.Random(5)
    for _ in range(400):
        made = bytearray(data[: rng.randrange(1, len(data))] if rng.random() < 0.3 else data)
        for _ in range(rng.choice([1, 2, 50])):
            made[rng.randrange(len(made))] = rng.randrange(256)
        try:
            json.dumps(parse_notebook(bytes(made), NAME))
        except CourseError as error:
            assert "\n" not in str(error)
