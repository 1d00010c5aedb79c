"""Grading as a function of bytes: the same wherever it runs, also when something is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest
from conftest import ROOT, TINY
from graded import rows, scores
from made import mistake
from mishaps import FULL
from nbformat.v4 import new_code_cell

from autograder.build.generate import build
from autograder.checks import examiner
from autograder.checks.places import Outside
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import grade
from autograder.grading.assess import Assignment, How, assess, stop
from autograder.grading.plan import GradeOptions, read_assignment
from autograder.lesson import Lesson
from autograder.marks.gradebook import open_api
from autograder.marks.records import read_records
from autograder.sandbox import pythons
from autograder.sandbox.limits import Limits
from autograder.submissions.made import fill_in, write_submission
from autograder.submissions.reading import Submission, read_notebook, read_submission

WRONG = FULL | {"double": 0}


def handed_in(course: Course, name: str, old: str, new: str) -> tuple[Assignment, Submission]:
    """Build the lesson of tensors in a course; return it, and a submission with one mistake."""
    stem = "00_tensors"
    shutil.copy(ROOT / "tests" / "lessons" / f"{stem}.py", course.notebooks)
    build(course)
    lesson = Lesson.load(course.lesson_path(stem))
    release = read_notebook(course.release_notebook(stem))
    wrong = mistake(lesson, name, old, new)
    write_submission(course, "ann", stem, fill_in(release, lesson, wrong))
    return assignment_of(course, stem), submission_of(course, stem, "ann")


def submissions(course: Course, count: int) -> dict[str, dict[str, float]]:
    """Write this many submissions, every other one wrong; return the points that each must get."""
    lesson = Lesson.load(course.lesson_path(TINY))
    release = read_notebook(course.release_notebook(TINY))
    wrong = fill_in(release, lesson, mistake(lesson, "numbers", "2 * a", "3 * a"))
    expected: dict[str, dict[str, float]] = {}
    for number in range(count):
        notebook = wrong if number % 2 else fill_in(release, lesson)
        write_submission(course, f"s{number}", TINY, notebook)
        expected[f"s{number}"] = dict(WRONG if number % 2 else FULL)
    return expected


def logged(course: Course) -> list[str]:
    """Return who was graded, as often as it was, from the log."""
    text = (course.autograded / "grading.log").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(" ")]
    return sorted(line.split(": ")[0].split()[-1] for line in lines)


def assignment_of(course: Course, stem: str) -> Assignment:
    return read_assignment(course, Lesson.load(course.lesson_path(stem)))


def submission_of(course: Course, stem: str, student: str) -> Submission:
    return read_submission(course.submitted_notebook(student, stem).parent, stem)


def points_of(notebook: str) -> list[str]:
    cells = nbformat.reads(notebook, as_version=4).cells
    outputs = [out for cell in cells for out in cell.get("outputs", [])]
    return [out.data["text/plain"] for out in outputs if out.output_type == "execute_result"]


@pytest.mark.slow
@pytest.mark.sandbox
def test_grading_is_a_function_of_its_arguments(built_course: Course) -> None:
    submissions(built_course, 2)
    assignment = assignment_of(built_course, TINY)
    submission = submission_of(built_course, TINY, "s1")
    found = [
        assess(submission, assignment, 5, Limits(), how)
        for how in (How(), How(), How(forked=False), How(sandboxed=False))
    ]
    assert {(one.checksum, one.version, one.seed, one.notes) for one in found} == {
        (found[0].checksum, assignment.version, 5, ())
    }
    assert len({one.notebook for one in found}) == 1
    assert points_of(found[0].notebook) == ["3.0", "1.0"], "the visible check of `double` stops"
    assert found[0].seconds["in all"] > 0
    cut_off = replace(submission, data=submission.data[:-9])
    broken = assess(cut_off, assignment, 5, Limits())
    assert "not valid JSON" in broken.problem and broken.notebook is None


@pytest.mark.slow
@pytest.mark.sandbox
def test_what_the_notebook_says_of_itself_plays_no_part(built_course: Course) -> None:
    submissions(built_course, 1)
    path = built_course.submitted_notebook("s0", TINY)
    notebook = read_notebook(path)
    notebook.metadata = {"kernelspec": {"name": "no-such", "display_name": "x"}, "course_seed": 1}
    notebook.cells.insert(0, new_code_cell("1", metadata={"tags": ["raises-exception"]}))
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    assignment = assignment_of(built_course, TINY)
    found = assess(submission_of(built_course, TINY, "s0"), assignment, 5, Limits())
    assert points_of(found.notebook)[-3:] == ["2.0", "3.0", "1.0"]
    executed = nbformat.reads(found.notebook, as_version=4)
    assert executed.metadata.kernelspec.name == "python3" and "course_seed" not in executed.metadata


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_machine_that_starts_no_python_for_the_tests_costs_nobody_points(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment, submission = handed_in(course, "shift", "steps, dims", "1, dims")
    monkeypatch.chdir("/")  # grading has no need of the course's folder
    assert assess(submission, assignment, 5, Limits()).problem is None
    start = pythons.Starter.start

    def fail(self, code, channel, own=None, limits=None):
        if own is None:
            raise pythons.StartFailed("no room")
        return start(self, code, channel, own, limits)

    monkeypatch.setattr(pythons.Starter, "start", fail)
    found = assess(submission, assignment, 5, Limits())
    assert found.problem == (
        "Python could not be started for its hidden tests (no room); grade it again"
    )


@pytest.mark.slow
@pytest.mark.sandbox
def test_no_notebook_runs_beside_the_reference_solution(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else one Python could tell the other, which may say what it likes, by the clock alone."""
    assignment, submission = handed_in(course, "word", "x > 0", "x < 0")
    start, kernels, beside = pythons.Starter.start, [], []

    def watched(self, code, channel, own=None, limits=None):
        running = start(self, code, channel, own, limits)
        if own is not None:
            kernels.append(running)
        else:
            beside.append([kernel for kernel in kernels if kernel.alive()])
        return running

    monkeypatch.setattr(pythons.Starter, "start", watched)
    assess(submission, assignment, 5, Limits())
    assert len(kernels) == 1 and beside and not any(beside)


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_verdict_stands_when_the_notebook_is_run_again(
    built_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else a notebook could use in its second run what it has seen in the first."""
    submissions(built_course, 1)
    path = built_course.submitted_notebook("s0", TINY)
    notebook = read_notebook(path)
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    notebook.cells.insert(ids.index("inverse-test"), new_code_cell("import os; os._exit(0)"))
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    judged = []
    run_hidden = examiner.run_hidden

    def counted(source: str, points: float, where: Outside) -> examiner.Hearing:
        judged.append((points, where.session is not None))
        return run_hidden(source, points, where)

    monkeypatch.setattr(examiner, "run_hidden", counted)
    assignment = assignment_of(built_course, TINY)
    found = assess(submission_of(built_course, TINY, "s0"), assignment, 5, Limits())
    assert points_of(found.notebook)[-3:] == ["2.0", "3.0", "1.0"]
    assert judged.count((2, True)) == 1 and [points for points, _ in judged[-2:]] == [3, 1]


@pytest.mark.slow
def test_limits_come_from_the_configuration(built_course: Course) -> None:
    expected = submissions(built_course, 1)
    config = built_course.root / "nbgrader_config.py"
    with config.open("a", encoding="utf-8", newline="\n") as file:
        file.write("c.Limits.output = 500\n")
    path = built_course.submitted_notebook("s0", TINY)
    notebook = read_notebook(path)
    notebook.cells.append(new_code_cell("print('x' * 1000)"))
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    (result,) = grade.grade_lesson(built_course, TINY)
    assert scores([result]) == expected
    record = read_records(open_api(built_course), TINY, "s0")["s0"]
    assert record.limits == ["output of the cell own-1"]
    config.write_text(config.read_text(encoding="utf-8") + "c.Limits.wishes = 3\n")
    with pytest.raises(CourseError, match=r"sets a limit that there is not .* memory"):
        grade.grade_lesson(built_course, TINY)


@pytest.mark.slow
def test_several_at_once_give_the_same_marks_as_one_after_another(built_course: Course) -> None:
    expected = submissions(built_course, 5)
    assert scores(grade.grade_lesson(built_course, TINY, GradeOptions(jobs=2))) == expected
    assert logged(built_course) == sorted(expected)
    assert {name: row["auto_total"] for name, row in rows(built_course).items()} == {
        name: f"{sum(points.values())}" for name, points in expected.items()
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_run_that_is_killed_goes_on_where_it_stopped(built_course: Course) -> None:
    expected = submissions(built_course, 6)
    command = [sys.executable, "-m", "autograder", "grade", "--jobs", "2"]
    if not GradeOptions().sandbox:
        command.append("--no-sandbox")
    process = psutil.Popen(
        command,
        cwd=built_course.root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = built_course.autograded / "grading.log"
    end = time.monotonic() + 120
    while time.monotonic() < end and not (log.is_file() and len(logged(built_course)) >= 2):
        time.sleep(0.02)
    started = process.children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert psutil.wait_procs(started, timeout=60)[1] == [], "nothing outlives the grader"
    before = logged(built_course)
    assert 2 <= len(before) < 6

    results = grade.grade_lesson(built_course, TINY)
    assert scores(results) == expected
    # What was logged had its record written, and is not graded again.
    assert {result.student for result in results if result.skipped} == set(before)
    assert logged(built_course) == sorted(expected)
    for student in expected:
        assert (built_course.feedback / student / TINY / f"{TINY}.html").is_file()
    leftovers = [path for path in built_course.root.rglob("*.new")]
    assert leftovers == []


@pytest.mark.slow
@pytest.mark.proof
def test_a_cluster_gives_the_same_marks_although_a_worker_is_killed(
    built_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    expected = submissions(built_course, 8)
    killed: list[int] = []

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:

        def kill_one(student: str) -> None:
            if not killed:
                pid = next(iter(cluster.workers.values())).pid
                killed.append(pid)
                psutil.Process(pid).kill()

        results = grade.grade_lesson(
            built_course, TINY, GradeOptions(executor=cluster.scheduler_address), on_end=kill_one
        )
    assert killed
    assert scores(results) == expected
    assert logged(built_course) == sorted(expected), "everyone exactly once"
    assert {record.problem for record in read_records(open_api(built_course), TINY).values()} == {
        ""
    }


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_python_that_does_not_start_is_one_clear_error(
    built_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions(built_course, 1)
    stop()  # or else the Python of the test before is warm already
    monkeypatch.setattr(pythons, "WARM", "raise SystemExit")
    assignment = assignment_of(built_course, TINY)
    submission = submission_of(built_course, TINY, "s0")
    with pytest.raises(CourseError, match="could not be started .* --fresh"):
        assess(submission, assignment, 5, Limits(cell_seconds=59))
    found = assess(submission, assignment, 5, Limits(cell_seconds=59), How(forked=False))
    assert points_of(found.notebook) == ["2.0", "3.0", "1.0"]


def test_without_a_sandbox_nothing_is_graded_unless_asked(
    built_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions(built_course, 1)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CourseError, match="install the package bubblewrap"):
        grade.grade_lesson(built_course, TINY, GradeOptions(sandbox=True))
    assert not Path(built_course.root, "grades.csv").exists()


@pytest.mark.slow
def test_what_nobody_has_foreseen_leaves_its_traceback_in_the_log(
    built_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions(built_course, 1)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("of ours\x1b[2J")

    monkeypatch.setattr("autograder.grading.assess.safe_notebook", fail)
    (result,) = grade.grade_lesson(built_course, TINY)
    assert not result.graded
    assert result.remarks == [
        "The grader could not grade it (ZeroDivisionError: of ours): see autograded/grading.log."
    ]
    log = (built_course.root / "autograded" / "grading.log").read_text(encoding="utf-8")
    assert "    Traceback (most recent call last):\n" in log
    assert "\n    ZeroDivisionError: of ours\n" in log and "\x1b" not in log


@pytest.mark.slow
def test_hidden_tests_that_stop_are_named_to_a_person(course: Course) -> None:
    path = course.lesson_path(TINY)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TESTS\nno_such_name", 1),
        encoding="utf-8",
        newline="\n",
    )
    build(course)
    submissions(course, 1)
    (result,) = grade.grade_lesson(course, TINY)
    assert result.graded
    assert result.remarks == [
        "The grader met something that nobody has foreseen: see autograded/grading.log."
    ]
    log = (course.root / "autograded" / "grading.log").read_text(encoding="utf-8")
    assert "NameError: name 'no_such_name' is not defined" in log
