"""Hostile submissions in one class with honest ones: nothing gained, nobody hurt, nothing left."""

from __future__ import annotations

import ast
import collections
import contextlib
import csv
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, make_course
from hostile import CATALOGUE, TENSORS, TINY, Attack
from hostile.files import Submission
from test_grade import checksums, scores

from autograder import grade
from autograder.build import build
from autograder.course import Course
from autograder.feedback import feedback_page
from autograder.lesson import Lesson
from autograder.submissions import fill_in, read_notebook, write_submission

LESSONS = (TINY, TENSORS)
FULL = {
    TINY: {"double": 2, "inverse": 3, "evens": 1},
    TENSORS: {"shift": 2, "scale": 2, "twice": 1, "word": 1},
}
HONEST = ("a-honest", "m100-honest", "z-honest")
SECRET = "the secret of the hostile tests"
VARIABLE = "HOSTILE_SECRET"
# Slips that would mean that an attack never was one.
SLIPS = {"NameError", "SyntaxError", "IndentationError", "UnboundLocalError"}

needs_sandbox = [
    pytest.mark.slow,
    pytest.mark.sandbox,
    pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which("bwrap"), reason="bubblewrap is not installed"
    ),
]


def sandboxed(function):
    """Mark a test that grades in the sandbox."""
    for mark in needs_sandbox:
        function = mark(function)
    return function


def planted() -> set[str]:
    """Return what attacks leave where it would have an effect."""
    found = set()
    for folder in map(Path, ["/tmp", Path.home() / ".ipython", *sys.path, "/usr/bin"]):
        for pattern in ("planted*", "sitecustomize.py", "hoard-*"):
            found |= {str(path) for path in folder.glob(pattern)}
    startup = Path.home() / ".ipython" / "profile_default" / "startup"
    return found | {str(path) for path in startup.glob("*.py")}


def strays() -> set[int]:
    """Return processes of this one's, and of sandboxes that nobody alive has started."""
    found = {process.pid for process in psutil.Process().children(recursive=True)}
    own = os.stat("/proc/self/ns/pid").st_ino
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            outside = [one for one in process.parents() if _namespace(one.pid) == own]
            if _namespace(process.pid) != own and [one.pid for one in outside] == [1]:
                found.add(process.pid)
    return found


def _namespace(pid: int) -> int:
    return os.stat(f"/proc/{pid}/ns/pid").st_ino


class Page(HTMLParser):
    """Collects what could run in a page."""

    ACTIVE = {"script", "iframe", "object", "embed", "applet", "base", "form", "frame", "portal"}
    LINKS = {"href", "src", "xlink:href", "action", "formaction", "data", "srcdoc", "poster"}

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.active: set[str] = set()
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note elements that run something, and attributes that do."""
        if tag in self.ACTIVE or (tag == "meta" and "http-equiv" in dict(attrs)):
            self.active.add(f"<{tag} {sorted(map(str, attrs))}>")
        for name, value in attrs:
            scheme = "".join((value or "").split()).lower().partition(":")[0]
            if name.startswith("on") or name == "srcdoc":
                self.active.add(f"<{tag} {name}={value}>")
            elif name in self.LINKS and scheme in ("javascript", "vbscript", "data"):
                picture = "".join((value or "").split()).lower().startswith("data:image/")
                if not (tag == "img" and picture):
                    self.active.add(f"<{tag} {name}={value}>")
        self.inside = tag

    def handle_data(self, data: str) -> None:
        """Note what scripts hold."""
        if self.inside == "script":
            self.active.add(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave the element."""
        self.inside = ""


class Attacked:
    """A class of attackers between honest students, graded."""

    def __init__(self, course: Course, attacks: Sequence[Attack]) -> None:
        self.course = course
        outside = course.root.parent / "outside"
        outside.mkdir()
        self.secret = outside / "secret"
        self.secret.write_text(SECRET, encoding="utf-8")
        for stem in LESSONS:
            release = read_notebook(course.release_notebook(stem))
            perfect = fill_in(release, Lesson.load(course.lesson_path(stem)))
            for student in HONEST:
                write_submission(course, student, stem, perfect)
        self.students = {
            attack.name: attack.student or f"m{number:03}" for number, attack in enumerate(attacks)
        }
        for attack in attacks:
            self.hand_in(attack)
        self.before = self.files()
        self.planted, self.strays = planted(), strays()
        self.results, self.scores = {}, {}
        with pytest.MonkeyPatch.context() as patch:
            # Not in the test's own folder: the path of a socket may have 107 characters only.
            self.temporary = Path(tempfile.mkdtemp(prefix="hostile-"))
            patch.setattr(tempfile, "tempdir", str(self.temporary))
            patch.setenv("TMPDIR", str(self.temporary))
            patch.setenv(VARIABLE, f"{VARIABLE} is here")
            for stem in LESSONS:
                self.results[stem] = grade.grade_lesson(course, stem, timeout=4, jobs=2)
                self.scores[stem] = scores(self.results[stem])

    def hand_in(self, attack: Attack) -> None:
        """Write an attacker's submission."""
        stem = attack.lesson
        release = self.course.release_notebook(stem).read_text(encoding="utf-8")
        folder = self.course.submitted_notebook(self.students[attack.name], stem).parent
        folder.mkdir(parents=True)
        honest = self.course.submitted_notebook(HONEST[0], stem)
        source = self.course.source_notebook(stem)
        submission = Submission(folder, json.loads(release), honest, source, self.secret)
        attack.hand_in(submission, self.course.root)

    def files(self) -> dict[str, bytes]:
        """Return what nobody may change."""
        root = self.course.root
        found = {
            str(folder): checksums(folder) for folder in (self.course.source, self.course.release)
        }
        paths = [root / "nbgrader_config.py", self.secret, *self.course.notebooks.iterdir()]
        for folder in self.course.submitted.glob("*/*"):
            if not folder.is_symlink():
                paths += [path for path in folder.iterdir() if path.is_file()]
        return found | {str(path): path.read_bytes() for path in paths}

    def check_attack(self, attack: Attack) -> None:
        """Check that an attack has gained nothing, and that its page does nothing."""
        student, stem = self.students[attack.name], attack.lesson
        points = self.scores[stem][student]
        assert points is None or sum(points.values()) == 0, points
        assert self.active(student, stem) - self.active(HONEST[0], stem) == set()

    def active(self, student: str, stem: str) -> set[str]:
        """Return what could run in a student's page; nothing if there is no page."""
        page = feedback_page(self.course, stem, student)
        return Page(page.read_text(encoding="utf-8")).active if page.is_file() else set()

    def check_honest(self) -> None:
        """Check that honest students have all their marks, in every place that says so."""
        rows = self.rows()
        for stem, full in FULL.items():
            for student in HONEST:
                assert self.scores[stem][student] == full
                row = rows[stem, student]
                assert row["auto_total"] == row["total"] == f"{sum(full.values())}"
                assert {name: float(row[name]) for name in full} == full

    def check_files(self) -> None:
        """Check that nothing was changed, left behind or copied from elsewhere."""
        assert self.files() == self.before
        assert planted() == self.planted
        assert list(self.temporary.rglob("*")) == []
        assert strays() <= self.strays
        for path in self.course.root.rglob("*"):
            inside = path.relative_to(self.course.root).parts[0]
            if inside != "submitted" and path.is_file():
                assert SECRET.encode() not in path.read_bytes(), path

    def rows(self) -> dict[tuple[str, str], dict[str, str]]:
        """Return grades.csv by assignment and student; check that each stands there once."""
        text = (self.course.root / "grades.csv").read_bytes().decode("utf-8", "surrogateescape")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        for value in (value for row in rows for value in row.values()):
            assert not value.startswith(("=", "+", "-", "@", "\t", "\r")), value
            assert len(value) < 5000
        keys = [(row["assignment"], row["student"].removeprefix("'")) for row in rows]
        students = [(stem, name) for stem in LESSONS for name in self.scores[stem]]
        assert collections.Counter(keys) == collections.Counter(students)
        return dict(zip(keys, rows, strict=True))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course with both lessons, built."""
    course = make_course(tmp_path_factory.mktemp("hostile") / "course")
    with (course.root / "nbgrader_config.py").open("a", encoding="utf-8", newline="\n") as file:
        file.write("c.GradingExecute.patience = 2\nc.Limits.memory = 1024\n")
    shutil.copy(ROOT / "tests" / "lessons" / f"{TENSORS}.py", course.notebooks)
    build(course)
    return course


def copied(course: Course, folder: Path) -> Course:
    """Return a copy of a course."""
    return Course(Path(shutil.copytree(course.root, folder / "course")))


@pytest.fixture(scope="module")
def attacked(built: Course, tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    """The graded class."""
    wanted = os.environ.get("HOSTILE", "")
    attacks = [a for a in CATALOGUE if not a.known and wanted in a.family + a.name]
    return Attacked(copied(built, tmp_path_factory.mktemp("attacked")), attacks)


def test_the_catalogue_is_large_and_every_attack_has_a_name() -> None:
    names = [attack.name for attack in CATALOGUE]
    assert len(names) == len(set(names)) >= 66
    families = collections.Counter(attack.family for attack in CATALOGUE)
    assert len(families) == 9 and min(families.values()) >= 5, families


@pytest.mark.parametrize("attack", [a for a in CATALOGUE if a.code], ids=lambda a: a.name)
def test_the_code_of_an_attack_is_python(attack: Attack) -> None:
    if attack.name == "a cell that is no Python, with a formula":
        with pytest.raises(SyntaxError):
            ast.parse(attack.code)
    else:
        compile(attack.code, attack.name, "exec")


@sandboxed
@pytest.mark.parametrize("attack", [a for a in CATALOGUE if not a.known], ids=lambda a: a.name)
def test_nothing_is_gained(attacked: Attacked, attack: Attack) -> None:
    if attack.name not in attacked.students:
        pytest.skip()
    attacked.check_attack(attack)


@sandboxed
def test_nobody_else_s_marks_change(attacked: Attacked) -> None:
    attacked.check_honest()


@sandboxed
def test_no_file_and_no_process_is_left(attacked: Attacked) -> None:
    attacked.check_files()
