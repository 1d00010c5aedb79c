"""The guides for instructors work as they stand there: each block of their pages is followed."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from guide import Block, Reader, agrees, blocks, change, commands, put_line
from made import mistake, without

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.marks.gradebook import open_api
from autograder.submissions.made import BROKEN_JSON, fill_in
from autograder.submissions.reading import read_notebook

STEM = "01_regular_group_convolutions"
PAGE = ROOT / "solutions" / "one-term.md"
EXCHANGE = "Through JupyterHub"
ADDRESS = "https://github.com/you/gcnn-course"
LEFT_OUT = ("solutions/images", "solutions/0", "benchmarks", "tests")


def git(*words: str, cwd: Path, env: dict) -> None:
    """Run git; AssertionError if it fails."""
    done = subprocess.run(
        ["git", *words], cwd=cwd, env=os.environ | env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def environment(folder: Path, fork: Path) -> dict[str, str]:
    """Return an environment in which the fork's address leads to a folder, and nothing is shared.

    Forks of the course's package find this package, not an installed one.
    """
    (folder / "jupyter").mkdir()
    (folder / "jupyter" / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.Exchange.root = {str(folder / 'exchange')!r}\n", encoding="utf-8"
    )
    (folder / "exchange").mkdir(mode=0o777)
    (folder / "exchange").chmod(0o777)
    (folder / "gitconfig").write_text(
        f'[url "{fork.as_posix()}"]\n\tinsteadOf = {ADDRESS}\n'
        "[user]\n\tname = You\n\temail = you@example.org\n"
        "[init]\n\tdefaultBranch = main\n[core]\n\tautocrlf = false\n",
        encoding="utf-8",
    )
    return {
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "COURSE_DATA": str(ROOT / "data"),
        "COLUMNS": "80",
        "TERM": "dumb",
        "PYTHONUTF8": "1",
        "PYTHONPATH": "",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Somebody with a fork of this course, as it is here, at its address."""
    fork = tmp_path / "fork.git"
    reader = Reader(tmp_path / "desk", environment(tmp_path, fork))
    work = tmp_path / "work"
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if names.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(LEFT_OUT):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, work / name)
    git("init", cwd=work, env=reader.env)
    git("add", "--all", cwd=work, env=reader.env)
    git("commit", "--quiet", "--message", "The course", cwd=work, env=reader.env)
    git("clone", "--quiet", "--bare", str(work), str(fork), cwd=tmp_path, env=reader.env)
    reader.folder.mkdir()
    return reader


def make_class(course: Course) -> dict[str, str]:
    """Return what four students handed in, by the names that Canvas gives to their files."""
    lesson = Lesson.load(course.lesson_path(STEM))
    release = read_notebook(course.release_notebook(STEM))
    inverse = "inverse = torch.remainder(-h, 2 * math.pi)"
    answers = {
        f"lovelaceada_101_9001_{STEM}.ipynb": fill_in(release, lesson),
        f"turingalan_102_9002_{STEM}.ipynb": fill_in(
            release, lesson, mistake(lesson, "cyclic-group", inverse, "inverse = -h")
        ),
        f"noetheremmy_LATE_103_9003_{STEM}-1.ipynb": fill_in(
            release, lesson, without(lesson, "network")
        ),
    }
    made = {name: nbformat.writes(notebook) for name, notebook in answers.items()}
    return made | {f"germainsophie_104_9004_{STEM}.ipynb": BROKEN_JSON}


def put_downloads(folder: Path) -> None:
    """Put into a course's folder what an instructor downloads from Canvas."""
    with zipfile.ZipFile(folder / "submissions.zip", "w") as pack:
        for name, content in make_class(Course(folder)).items():
            pack.writestr(name, content)
    names = {"101": "Lovelace, Ada", "102": "Turing, Alan", "103": "Noether, Emmy"}
    names["104"] = "Germain, Sophie"
    with (folder / "gradebook.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        writer.writerow([*head, f"{STEM} (5001)"])
        writer.writerow(["    Points Possible", "", "", "", "", "53"])
        for number, name in names.items():
            writer.writerow([name, number, "", name[:3].lower(), "A", ""])


def check_dates(course: Course) -> None:
    """What the guide says of dates is what nbgrader has in its gradebook, in UTC."""
    with open_api(course).gradebook as gradebook:
        assert gradebook.find_assignment(STEM).duedate == datetime(2026, 10, 2, 21, 59)
        assert gradebook.find_submission(STEM, "noetheremmy_103").duedate == datetime(
            2026, 10, 4, 21, 59
        )
        late = gradebook.find_submission(STEM, "lovelaceada_101")
        assert (late.extension, late.duedate) == (None, datetime(2026, 10, 2, 21, 59))
        # Who hands in in the last minute has handed in in time, and a minute later has not.
        for minute, seconds in ((58, 0), (59, 0), (60, 60)):
            late.timestamp = datetime(2026, 10, 2, 21) + timedelta(minutes=minute)
            assert late.total_seconds_late == seconds
        gradebook.db.rollback()


def term() -> list[Block]:
    """Return the blocks of the term; the ways through JupyterHub are another test's."""
    return [block for block in blocks(PAGE) if block.section != EXCHANGE]


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.sandbox
def test_the_guide_s_term(reader: Reader) -> None:
    for block in term():
        if "--roster" in block.text and not (reader.folder / "submissions.zip").exists():
            put_downloads(reader.folder)
        reader.follow(block)
        if "autograder grade" in block.text:
            check_dates(Course(reader.folder))
    done = "\n".join(reader.done)
    for name in ("build", "collect", "grade", "report", "feedback", "export"):
        assert f"python -m autograder {name}" in done
    assert (reader.folder / "terms" / "2026" / "gradebook.db").is_file()
    assert not (reader.folder / "submitted").exists()


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.sandbox
@pytest.mark.skipif(os.name == "nt", reason="nbgrader's exchange is for Linux and macOS")
def test_the_guide_s_way_through_jupyterhub(reader: Reader) -> None:
    found = [block for block in blocks(PAGE) if block.section == EXCHANGE]
    release, *rest = found
    git("clone", "--quiet", ADDRESS, "gcnn-course", cwd=reader.folder, env=reader.env)
    reader.folder /= "gcnn-course"
    reader.follow(release)
    student = reader.folder.parent / "home"
    student.mkdir()
    for step in ("fetch_assignment", "submit"):  # what the tab "Assignments" does
        words = [sys.executable, "-m", "nbgrader", step, STEM, "--course", "gcnn-course"]
        subprocess.run(words, cwd=student, env=os.environ | reader.env, check=True)
    for block in rest:
        reader.follow(block)
    assert list(reader.folder.glob(f"feedback/*/{STEM}/{STEM}.html"))


def test_every_block_of_the_guide_is_followed() -> None:
    """No command stands where it would not be run, and the guide goes through all of a term."""
    text = PAGE.read_text(encoding="utf-8")
    found = blocks(PAGE)
    assert text.count("```") == 2 * len(found)
    run = [command for block in found if block.kind == "console" for command in commands(block)]
    assert len(run) >= 15
    for block in found:
        assert block.kind in ("console", "diff", "python", "toml")


def test_a_guide_that_is_wrong_is_found(tmp_path: Path) -> None:
    here = Reader(tmp_path, {})
    here.follow(Block("console", "", "$ python -c 'print(1)'\n1\n", ""))
    here.follow(Block("console", "", "$ python -c 'print(1, 2, sep=chr(10))'\n…\n2\n", ""))
    for text in ("$ python -c 'print(1)'\n2\n", "$ python -c 'raise SystemExit(1)'\n"):
        with pytest.raises(AssertionError):
            here.follow(Block("console", "", text, ""))
    with pytest.raises(AssertionError):
        here.follow(Block("python", "", "raise ValueError", ""))


def test_a_guide_s_changes(tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_text("a = 1\nb = 2\nc = 3\n", encoding="utf-8")
    change(path, " a = 1\n-b = 2\n+b = 4\n")
    put_line(path, "c = 5\n")
    put_line(path, "d = 6\n")
    assert path.read_text(encoding="utf-8") == "a = 1\nb = 4\nc = 5\n\nd = 6\n"
    with pytest.raises(AssertionError):
        change(path, "-b = 2\n+b = 4\n")


def test_dots_stand_for_anything() -> None:
    assert agrees("a 1 b\nx\ny\nend", "a … b\n…\nend")
    assert agrees("a\nend", "a\n…\nend") and agrees("a\nb\nc", "a\n…") and agrees("a", "…\na")
    assert not agrees("a 1 b\nx\nend", "a … b\nend")
    assert not agrees("a\nb", "a") and not agrees("a", "a\nb")
