"""The gradebook in a real PostgreSQL server instead of a SQLite file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import TINY
from made import mistake

from autograder import cli
from autograder.build.generate import build
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.export import lesson_marks
from autograder.grading.grade import grade_lesson
from autograder.grading.plan import GradeOptions
from autograder.lesson import Lesson
from autograder.marks.gradebook import check_gradebook, open_api
from autograder.marks.results import Result
from autograder.submissions.made import BROKEN_JSON, fill_in, with_helper_cell, write_submission
from autograder.submissions.reading import read_notebook

if sys.platform != "win32":
    import pwd

SECOND = "01_second"
ROLE = "grader"


def find_binaries() -> Path | None:
    """Return the folder with PostgreSQL's server programs, or None."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    folders += [Path(found).parent] if found else []
    programs = ("initdb", "pg_ctl", "postgres")
    return next(
        (path for path in folders if all((path / name).exists() for name in programs)), None
    )


def why_not() -> str | None:
    """Return why there can be no server here, or None."""
    if sys.platform == "win32":
        return "the test's server listens on a Unix socket"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return 'psycopg is missing: pip install "psycopg[binary]"'
    if find_binaries() is None:
        return "PostgreSQL's server is missing (initdb, pg_ctl, postgres)"
    return None


class Server:
    """A PostgreSQL server of the test's own, reached through a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._binaries = find_binaries() or Path()
        self._user: pwd.struct_passwd | None = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            self._user = pwd.getpwnam("nobody")
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("w") as log:
            done = subprocess.run(
                [self._binaries / program, *arguments],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                # Not a pipe, which the server would hold open.
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )
        if done.returncode:
            pytest.fail(f"{program} failed: {(self.folder / f'{program}.log').read_text()}")

    def start(self) -> None:
        self._run("initdb", "-D", "data", "-U", ROLE, "-A", "trust", "-E", "UTF8", "--no-sync")
        self.restart()

    def restart(self) -> None:
        options = f"-k {self.folder} -c listen_addresses=''"
        self._run("pg_ctl", "-D", "data", "-o", options, "-l", "server.log", "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self.folder}"

    def new_database(self, name: str) -> str:
        """Create an empty database and return its address."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user=ROLE, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for the tests of this file."""
    if reason := why_not():
        pytest.skip(reason)
    # Not pytest's folder: its name may be too long for a socket, and it is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    made = Server(folder)
    try:
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def _class(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Course:
    course = Course(tmp_path_factory.mktemp("class") / "course")
    shutil.copytree(_built.root, course.root)
    shutil.copyfile(course.lesson_path(TINY), course.lesson_path(SECOND))
    build(course)
    for stem in (TINY, SECOND):
        lesson = Lesson.load(course.lesson_path(stem))
        release = read_notebook(course.release_notebook(stem))
        perfect = fill_in(release, lesson)
        wrong = fill_in(release, lesson, mistake(lesson, "numbers", "2 *", "3 *"))
        write_submission(course, "zoë@example.org", stem, perfect)
        write_submission(course, "bob", stem, wrong if stem == TINY else perfect)
        write_submission(course, "broken", stem, BROKEN_JSON)
    return course


@pytest.fixture
def class_of_two_lessons(_class: Course, tmp_path: Path) -> Course:
    """A course with two lessons and a few submissions of each; each test has its own copy."""
    return Course(shutil.copytree(_class.root, tmp_path / "class"))


def graded(
    course: Course, stem: str, url: str | None, students: Sequence[str] | None = None
) -> list[Result]:
    return grade_lesson(course, stem, GradeOptions(students=students, db_url=url, seed=1))


def points(results: list[Result]) -> dict[str, tuple]:
    """Return all that the gradebook says of each student's exercises, and the total."""
    return {result.student: (result.marks, result.total, result.unread) for result in results}


@pytest.mark.slow
@pytest.mark.proof
def test_a_class_gets_the_marks_that_it_gets_with_sqlite(
    class_of_two_lessons: Course, server: Server, tmp_path: Path
) -> None:
    course = class_of_two_lessons
    other = Course(shutil.copytree(course.root, tmp_path / "sqlite"))
    url = server.new_database("marks")
    for stem in (TINY, SECOND):
        marks = points(graded(course, stem, url))
        assert marks == points(graded(other, stem, None))
        assert {name: total for name, (_, total, _) in marks.items()} == {
            "zoë@example.org": 6.0,
            "bob": 4.0 if stem == TINY else 6.0,
            "broken": None,
        }
    assert not (course.root / "gradebook.db").exists()


@pytest.mark.slow
@pytest.mark.proof
def test_a_graders_mark_outlives_grading_again_and_is_exported(
    class_of_two_lessons: Course,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    course = class_of_two_lessons
    url = server.new_database("grader")
    students = ["zoë@example.org", "bob"]
    for stem in (TINY, SECOND):
        graded(course, stem, url, students=students)
    api = open_api(course, url)
    with api.gradebook as gradebook:
        for student in students:
            given = gradebook.find_grade("why-answer", TINY, TINY, student)
            given.manual_score, given.needs_manual_grade = 1.5, False
            gradebook.find_comment("why-answer", TINY, TINY, student).manual_comment = "Schön ✓"
        gradebook.db.commit()

    # Nothing is graded twice, and a new submission keeps what the grader gave.
    assert all(result.skipped for result in graded(course, TINY, url, students=students))
    release = read_notebook(course.release_notebook(TINY))
    perfect = fill_in(release, Lesson.load(course.lesson_path(TINY)))
    write_submission(course, "bob", TINY, with_helper_cell(perfect, "numbers"))
    results = {result.student: result for result in graded(course, TINY, url, students=students)}
    assert {name: result.total for name, result in results.items()} == {
        "zoë@example.org": 7.5,
        "bob": 7.5,
    }
    assert results["zoë@example.org"].skipped and not results["bob"].skipped
    assert results["bob"].unread == 1, "the grader has to look at the new answer"
    with api.gradebook as gradebook:
        comment = gradebook.find_comment("why-answer", TINY, TINY, "bob")
        assert comment.manual_comment == "Schön ✓"

    monkeypatch.chdir(course.root)
    assert cli.main(["export", "--db", url, "--assignment", TINY]) == 0
    table = (course.root / "grades-table.csv").read_text(encoding="utf-8").splitlines()
    assert table == [f"student,{TINY}", "bob,", "broken,", "zoë@example.org,7.5"]
    assert "bob, 00_tiny: no mark, 1 written answer to mark." in capsys.readouterr().out
    assert cli.main(["export", "--db", url, "--with-open"]) == 0
    table = (course.root / "grades-table.csv").read_text(encoding="utf-8").splitlines()
    assert table[1:] == ["bob,7.5,6", "broken,,", "zoë@example.org,7.5,6"]


@pytest.mark.slow
@pytest.mark.proof
def test_formgrader_finds_the_submissions(class_of_two_lessons: Course, server: Server) -> None:
    """Formgrader goes by nbgrader_config.py, and so does grading without --db."""
    course = class_of_two_lessons
    url = server.new_database("formgrader")
    with (course.root / "nbgrader_config.py").open("a", encoding="utf-8", newline="\n") as config:
        config.write(f"c.CourseDirectory.db_url = {url!r}\n")
    graded(course, TINY, None, students=["bob"])
    assert not (course.root / "gradebook.db").exists()
    api = open_api(course)
    (assignment,) = [entry for entry in api.get_assignments() if entry["name"] == TINY]
    assert (assignment["average_score"], assignment["max_score"]) == (4.0, 8.0)
    (submission,) = [entry for entry in api.get_submissions(TINY) if entry["student"] == "bob"]
    assert submission["needs_manual_grade"] and submission["autograded"]
    (notebook,) = api.get_notebook_submissions(TINY, TINY)
    assert notebook["failed_tests"] and notebook["score"] == 4.0


def test_a_wrong_address_is_one_clear_error(
    built_course: Course,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(built_course.root)
    write_submission(built_course, "ann", TINY, BROKEN_JSON)
    urls = {
        server.url("no_such_database"): 'database "no_such_database" does not exist',
        f"postgresql+psycopg://x:secret@/y?host={server.folder / 'no-such-folder'}": "No such file",
        "postgresql+psycopg://x:secret@127.0.0.1:1/y": "refused",
        "postgresql+nosuch://x": "nosuch",
        "not an address": "parse",
    }
    for url, cause in urls.items():
        for command in ("grade", "export"):
            assert cli.main([command, "--db", url]) == 1
            error = capsys.readouterr().err.strip().splitlines()[-1]
            assert error.startswith("error: the gradebook cannot be opened"), error
            assert cause in error and "check --db" in error and "secret" not in error
    api = open_api(built_course, "postgresql+psycopg2://x@/y")
    with pytest.raises(CourseError, match=r"driver is missing .*\[postgresql\]"):
        check_gradebook(api)


@pytest.mark.slow
@pytest.mark.proof
def test_a_server_that_goes_down_loses_nothing(
    class_of_two_lessons: Course, server: Server
) -> None:
    course = class_of_two_lessons
    url = server.new_database("down")
    graded(course, TINY, url, students=["bob"])
    server.stop()
    try:
        with pytest.raises(CourseError, match="the server runs and lets you in"):
            graded(course, TINY, url, students=["bob"])
    finally:
        server.restart()
    (result,) = graded(course, TINY, url, students=["bob"])
    assert result.skipped and result.total == 4.0
    marks = lesson_marks(open_api(course, url), course, Lesson.load(course.lesson_path(TINY)))
    assert {mark.student: mark.reason for mark in marks}["bob"] == "1 written answer to mark"
