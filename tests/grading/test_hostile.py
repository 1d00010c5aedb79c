"""Hostile submissions in one class with honest ones: nothing gained, nobody hurt, nothing left.

Grading the whole catalogue takes its time, so every twelfth attack is tried; `make proof` tries
all. COURSE_ATTACKS=agent tries those of one family, or whose names hold a word.
"""

from __future__ import annotations

import ast
import collections
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import ROOT, is_proof, make_course
from graded import checksums, scores
from hostile import CATALOGUE, TENSORS, TINY, UNTOUCHED, Attack
from hostile.files import Submission
from hostile.left import Page, planted, strays

from autograder.build.generate import build
from autograder.course import Course
from autograder.lesson import Lesson
from autograder.marks.gradebook import open_api, read_marks
from autograder.marks.results import read_results
from autograder.marks.submitted import submitted_students
from autograder.pages.feedback import feedback_page
from autograder.submissions.made import fill_in, write_submission
from autograder.submissions.reading import read_notebook

CHOSEN = os.environ.get("COURSE_ATTACKS", "")
EVERY = 1 if CHOSEN or is_proof() else 12
SAMPLE = [a for a in CATALOGUE if CHOSEN in f"{a.family} {a.name}"][::EVERY]
LESSONS = (TINY, TENSORS)
FULL = {
    TINY: {"double": 2, "inverse": 3, "evens": 1},
    TENSORS: {"shift": 2, "scale": 2, "twice": 1, "word": 1},
}
HONEST = ("a-honest", "m100-honest", "z-honest")
SECRET = "the secret of the hostile tests"
VARIABLE = "HOSTILE_SECRET"
NO_PYTHON = "a cell that is no Python, with a formula"
# Slips that would mean that an attack never was one.
SLIPS = {"NameError", "SyntaxError", "IndentationError", "UnboundLocalError", "ImportError"}
# What must gain something where the tests run in the student's own kernel: the catalogue's teeth.
# None of these harms the machine.
TEETH = (
    "input transformer blanks the tests",
    "run_cell is replaced",
    "asserts are stripped from the syntax tree",
    "a display hook that shows points only",
    "equal to everything",
    "a given function always gives what is wanted",
    "the inputs are set to zero",
    "a word that equals every word",
)


class Attacked:
    """A class of attackers between honest students, graded."""

    def __init__(self, course: Course, attacks: Sequence[Attack]) -> None:
        self.course = course
        self.secret = course.root.parent / "secret" / "secret"
        self.secret.parent.mkdir()
        self.secret.write_text(SECRET, encoding="utf-8")
        hand_in_perfect(course)
        self.students = hand_in(course, attacks, self.secret)
        self.before = self.files()
        self.planted, self.strays = planted(), strays()
        # Not in the test's own folder: the path of a socket may have 107 characters only.
        self.temporary = Path(tempfile.mkdtemp(prefix="hostile-"))
        own = {"TMPDIR": str(self.temporary), VARIABLE: f"{VARIABLE} is here"}
        own["TORCHINDUCTOR_CACHE_DIR"] = str(course.root.parent / "inductor")  # PyTorch's own
        command = [sys.executable, "-m", "autograder", "grade", "--timeout", "4", "--jobs", "2"]
        environment = os.environ | own | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=course.root, env=environment, check=True, capture_output=True)
        self.scores = {}
        for stem in LESSONS:
            lesson = Lesson.load(course.lesson_path(stem))
            students = submitted_students(course, stem)
            self.scores[stem] = scores(read_results(open_api(course), lesson, students))

    def files(self) -> dict[str, bytes]:
        """Return what nobody may change."""
        root = self.course.root
        folders = (self.course.source, self.course.release)
        found = {
            f"{folder}/{name}": data
            for folder in folders
            for name, data in checksums(folder).items()
        }
        paths = [root / "nbgrader_config.py", self.secret, *self.course.notebooks.iterdir()]
        for folder in self.course.submitted.glob("*/*"):
            if not folder.is_symlink():
                paths += [path for path in folder.iterdir() if path.is_file()]
        return found | {str(path): path.read_bytes() for path in paths}

    def points(self, attack: Attack) -> float:
        """Return what an attack has gained."""
        found = self.scores[attack.lesson].get(self.students[attack.name])
        return sum(found.values()) if found else 0

    def active(self, student: str, stem: str) -> set[str]:
        """Return what could run in a student's page; nothing if there is no page."""
        page = feedback_page(self.course, stem, student)
        return Page(page.read_text(encoding="utf-8")).active if page.is_file() else set()

    def cells(self, attack: Attack) -> list[dict]:
        """Return the cells of an attacker's graded notebook; [] if there is none."""
        path = self.course.autograded / self.students[attack.name] / attack.lesson
        path /= f"{attack.lesson}.ipynb"
        return json.loads(path.read_text(encoding="utf-8"))["cells"] if path.is_file() else []

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of grades.csv."""
        with (self.course.root / "grades.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, strict=True))


def hand_in_perfect(course: Course) -> None:
    """Write the submissions of the honest students."""
    for stem in LESSONS:
        release = read_notebook(course.release_notebook(stem))
        perfect = fill_in(release, Lesson.load(course.lesson_path(stem)))
        for student in HONEST:
            write_submission(course, student, stem, perfect)


def hand_in(course: Course, attacks: Sequence[Attack], secret: Path) -> dict[str, str]:
    """Write the attackers' submissions; return attack → student."""
    students = {}
    for number, attack in enumerate(attacks):
        stem = attack.lesson
        students[attack.name] = attack.student or f"m{number:03}"
        folder = course.submitted_notebook(students[attack.name], stem).parent
        folder.mkdir(parents=True)
        submission = Submission(
            folder,
            json.loads(course.release_notebook(stem).read_text(encoding="utf-8")),
            honest=course.submitted_notebook(HONEST[0], stem),
            source=course.source_notebook(stem),
            secret=secret,
        )
        attack.hand_in(submission, course.root)
    return students


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course with both lessons, built."""
    course = make_course(tmp_path_factory.mktemp("hostile") / "course")
    with (course.root / "nbgrader_config.py").open("a", encoding="utf-8", newline="\n") as file:
        file.write("c.GradingExecute.patience = 2\nc.Limits.memory = 1024\n")
    shutil.copy(ROOT / "tests" / "lessons" / f"{TENSORS}.py", course.notebooks)
    build(course)
    return course


@pytest.fixture(scope="module")
def attacked(built: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The graded class."""
    folder = tmp_path_factory.mktemp("attacked")
    made = Attacked(Course(Path(shutil.copytree(built.root, folder / "course"))), SAMPLE)
    yield made
    shutil.rmtree(made.temporary, ignore_errors=True)
    # pytest cannot remove folders as deep as these, and would stop at them in its next run.
    for deep in made.course.submitted.glob("*/*/d"):
        while (deep / "d").is_dir():
            deep /= "d"
        os.removedirs(deep)


def test_the_catalogue_is_large_and_every_attack_has_a_name() -> None:
    names = [attack.name for attack in CATALOGUE]
    assert len(names) == len(set(names)) >= 66
    families = collections.Counter(attack.family for attack in CATALOGUE)
    assert len(families) == 10 and min(families.values()) >= 5, families
    assert set(TEETH) <= set(names)


def test_the_code_of_attacks_is_python() -> None:
    for attack in CATALOGUE:
        if attack.name != NO_PYTHON:
            compile(attack.code, attack.name, "exec")
    with pytest.raises(SyntaxError):
        ast.parse(next(attack.code for attack in CATALOGUE if attack.name == NO_PYTHON))


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("attack", SAMPLE, ids=lambda attack: attack.name)
def test_nothing_is_gained(attacked: Attacked, attack: Attack) -> None:
    assert attacked.points(attack) == 0


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("attack", SAMPLE, ids=lambda attack: attack.name)
def test_nothing_runs_in_a_page(attacked: Attacked, attack: Attack) -> None:
    student, stem = attacked.students[attack.name], attack.lesson
    assert attacked.active(student, stem) - attacked.active(HONEST[0], stem) == set()


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize(
    "attack", [a for a in SAMPLE if a.family == "reference"], ids=lambda attack: attack.name
)
def test_no_word_of_the_reference_solution_leaves(attacked: Attacked, attack: Attack) -> None:
    student = attacked.students[attack.name]
    page = feedback_page(attacked.course, attack.lesson, student).read_text(encoding="utf-8")
    outputs = [out for cell in attacked.cells(attack) for out in cell.get("outputs", [])]
    row = next(row for row in attacked.rows() if row["student"] == student)
    log = (attacked.course.autograded / "grading.log").read_text(encoding="utf-8")
    assert "counts the positive ones (0 of 1)" in page, "its hidden tests were run"
    assert not any("LEAKED" in text for text in (page, json.dumps(outputs), str(row), log))


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("attack", [a for a in SAMPLE if a.code], ids=lambda attack: attack.name)
def test_an_attack_does_not_stop_over_a_slip_of_its_own(attacked: Attacked, attack: Attack) -> None:
    own = [cell for cell in attacked.cells(attack) if cell["id"].startswith("own-")]
    errors = [output for cell in own for output in cell["outputs"] if "ename" in output]
    slips = [error for error in errors if error["ename"] in SLIPS]
    assert not slips or attack.family == "pages", slips


@pytest.mark.slow
@pytest.mark.sandbox
def test_nobody_else_s_marks_change(attacked: Attacked) -> None:
    rows = {(row["assignment"], row["student"]): row for row in attacked.rows()}
    for stem, full in FULL.items():
        for student in HONEST:
            assert attacked.scores[stem][student] == full
            row = rows[stem, student]
            assert row["auto_total"] == row["total"] == f"{sum(full.values())}"
            assert {name: float(row[name]) for name in full} == full


@pytest.mark.slow
@pytest.mark.sandbox
def test_nothing_is_changed_left_or_copied_from_elsewhere(attacked: Attacked) -> None:
    assert attacked.files() == attacked.before
    assert planted() == attacked.planted
    assert list(attacked.temporary.iterdir()) == []
    end = time.monotonic() + 10
    while not strays() <= attacked.strays and time.monotonic() < end:
        time.sleep(0.1)  # what was killed just now may take a moment to end
    assert strays() <= attacked.strays
    course = attacked.course
    for place in (course.autograded, course.feedback, course.root / "gradebook.db"):
        for path in (place, *place.rglob("*")):
            assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


@pytest.mark.slow
@pytest.mark.sandbox
def test_grades_csv_has_one_row_for_everyone_and_no_formula(attacked: Attacked) -> None:
    rows = attacked.rows()
    for value in (value for row in rows for value in row.values()):
        assert not value.startswith(("=", "+", "-", "@", "\t", "\r")), value
        assert len(value) < 5000
    assert not any("\x1b" in row["needs_a_person"] for row in rows)
    found = [(row["assignment"], row["student"].removeprefix("'")) for row in rows]
    graded = [(stem, student) for stem in LESSONS for student in attacked.scores[stem]]
    assert collections.Counter(found) == collections.Counter(graded)


@pytest.fixture(scope="module")
def plain(built: Course, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What attacks gain under plain nbgrader, where the tests run in the student's own kernel."""
    folder = tmp_path_factory.mktemp("plain")
    course = Course(Path(shutil.copytree(built.root, folder / "course")))
    attacks = [attack for attack in CATALOGUE if attack.name in TEETH] + UNTOUCHED
    students = hand_in(course, attacks, folder / "secret")
    for stem in LESSONS:
        for command in (["generate_assignment", stem, "--force"], ["autograde", stem]):
            subprocess.run(
                [sys.executable, "-m", "nbgrader", *command],
                cwd=course.root,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                check=True,
                capture_output=True,
            )
    api = open_api(course)
    return {
        attack.name: sum(
            mark.auto or 0
            for mark in read_marks(api, attack.lesson, students[attack.name]).values()
        )
        for attack in attacks
    }


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize("name", TEETH)
def test_in_the_student_s_own_kernel_an_attack_does_gain(
    plain: dict[str, float], name: str
) -> None:
    assert plain[name] > 0


@pytest.mark.slow
@pytest.mark.proof
def test_without_an_attack_nothing_is_gained_there_either(plain: dict[str, float]) -> None:
    assert [plain[attack.name] for attack in UNTOUCHED] == [0, 0]
