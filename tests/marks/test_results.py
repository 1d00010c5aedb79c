"""What students have written, in the table and in grades.csv."""

from __future__ import annotations

import csv
import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from autograder.lesson import Lesson
from autograder.marks.results import (
    MOST_REMARKS,
    Result,
    grades_csv,
    of_other_tests,
    print_results,
)
from autograder.texts import printable, write_text

HOSTILE = "=cmd|'/c calc'!A1 [red]x[/red] \x1b[2J\x1b]0;owned\x07 \u202e\r\n99"


def result(student: str, lesson: Lesson, notes: list[str]) -> Result:
    return Result(student, lesson.stem, lesson.exercises, {}, notes, None)


def test_text_of_students_is_printed_without_control_characters() -> None:
    assert printable("a\x1b[2Jb\nc\u00a0d\u202e") == "ab c d"
    assert len(printable("x" * 10**6)) <= 500
    assert printable("Zoë [a] ≤ 日本") == "Zoë [a] ≤ 日本"


def test_a_hostile_name_and_note_stay_in_their_row_and_do_nothing(tiny: Lesson) -> None:
    students = (HOSTILE, "carriage\rreturn", "ann")
    results = [result(name, tiny, [HOSTILE, "x" * 10**6]) for name in students]
    text = grades_csv(results)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [row["student"] for row in rows] == [f"'{HOSTILE}", *students[1:]]
    assert rows[0]["needs_a_person"].startswith("'=cmd") and "\x1b" not in rows[0]["needs_a_person"]
    assert len(rows[0]["needs_a_person"]) < 2000
    terminal = io.StringIO()
    console = Console(file=terminal, width=80, force_terminal=True, color_system="truecolor")
    print_results(console, results)
    shown = terminal.getvalue()
    assert "\x1b[2J" not in shown and "\x1b]" not in shown and "\x07" not in shown
    assert "[red]x[/red]" in shown.replace("\n", "")


def test_lateness_and_the_private_tests_stand_in_the_table(tiny: Lesson) -> None:
    ada = replace(result("ada", tiny, []), late="3 hours", private="abcdef0123456789", version="2")
    bob = replace(result("bob", tiny, []), version="1")
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO(grades_csv([ada, bob])))}
    assert (rows["ada"]["late"], rows["ada"]["private_tests"]) == ("3 hours", "abcdef01")
    assert (rows["bob"]["late"], rows["bob"]["private_tests"]) == ("", "")
    earlier, private = of_other_tests([ada, bob], "2")
    assert "Graded with earlier tests than those of now: bob." in earlier
    assert "different private tests (abcdef01, none)" in private
    assert of_other_tests([ada], "2") == [] == of_other_tests([], "2")


def test_of_thousands_of_remarks_the_first_are_kept(tiny: Lesson) -> None:
    remarks = result("eve", tiny, [f"{number}." for number in range(1000)]).remarks
    assert len(remarks) == MOST_REMARKS + 1 and remarks[-1] == "There are 980 more such remarks."
    assert len(result("eve", tiny, ["."] * MOST_REMARKS).remarks) == MOST_REMARKS


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_name_that_is_no_text_can_be_written(tmp_path: Path) -> None:
    name = os.fsdecode(b"eve\xff")
    write_text(tmp_path / "grades.csv", name)
    assert (tmp_path / "grades.csv").read_bytes() == b"eve\xff"
