"""`tasks.py` sets up the environment once and then runs a job's commands."""

import os
import re
import shutil
import subprocess
import sys

import pytest

import tasks


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """Let tasks.py work in an empty folder; record the commands that it would run.

    Making the environment makes an empty file as its Python; `runs.fail` names a word that lets a
    command holding it fail.
    """

    class Runs(list):
        fail = None

    calls = Runs()

    def run(command, **options):
        calls.append([str(part) for part in command[1:]])
        failed = calls.fail in calls[-1]
        if "venv" in command and not failed:
            tasks.PYTHON.parent.mkdir(parents=True)
            tasks.PYTHON.touch()
        return subprocess.CompletedProcess(command, int(failed))

    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    bin_folder = tmp_path / ".venv" / tasks.BIN.name
    monkeypatch.setattr(tasks, "ROOT", tmp_path)
    monkeypatch.setattr(tasks, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(tasks, "PYTHON", bin_folder / tasks.PYTHON.name)
    monkeypatch.setattr(tasks, "STAMP", tmp_path / ".venv" / "installed")
    monkeypatch.setattr(tasks, "ESCNN", tmp_path / "escnn")
    monkeypatch.setattr(tasks.subprocess, "run", run)
    return calls


PIP = ["-m", "pip", "install", "-e", ".[dev]"]
DEMO = ["-m", "autograder", "demo"]


def test_set_up_once(runs):
    assert tasks.main(["demo"]) == 0
    assert [call[1] for call in runs] == ["venv", "pip", "autograder"]
    assert runs[1:] == [PIP, DEMO]
    runs.clear()
    assert tasks.main(["demo"]) == 0
    assert runs == [DEMO]


def test_changed_dependencies_are_installed(runs):
    tasks.main(["demo"])
    (tasks.ROOT / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    runs.clear()
    assert tasks.main(["demo"]) == 0
    assert runs == [PIP, DEMO]


@pytest.mark.parametrize(("word", "advice"), [("venv", "python3-venv"), ("pip", "delete .* .venv")])
def test_failed_set_up(runs, capsys, word, advice):
    runs.fail = word
    assert tasks.main(["demo"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert re.search(advice, error)
    assert DEMO not in runs
    # The next run tries again.
    runs.clear()
    runs.fail = None
    assert tasks.main(["demo"]) == 0
    assert PIP in runs


def test_test_job(runs, capsys):
    tasks.install()
    runs.clear()
    assert tasks.main(["test", "-m", "not slow", "tests/test_env.py"]) == 0
    assert runs == [
        ["-m", "ruff", "check"],
        ["-m", "ruff", "format", "--check"],
        ["-m", "mypy"],
        ["-m", "autograder", "build", "--check"],
        [*tasks.TESTS, "-m", "not slow", "tests/test_env.py"],
    ]
    assert "python -m ruff check: exit code 0 after" in capsys.readouterr().out


def test_proof_runs_everything_and_compares_with_escnn(runs, capsys):
    tasks.install()
    runs.clear()
    assert tasks.main(["proof"]) == 0
    assert runs == [
        *tasks.ESCNN_RECIPE,
        tasks.ESCNN_TESTS,
        ["-m", "ruff", "check"],
        ["-m", "ruff", "format", "--check"],
        ["-m", "mypy"],
        ["-m", "autograder", "build", "--check"],
        [*tasks.TESTS, "--proof"],
    ]
    runs.clear()
    runs.fail = "lie-learn"
    assert tasks.main(["proof"]) == 0
    assert "note: escnn cannot be installed here" in capsys.readouterr().out
    assert tasks.ESCNN_TESTS not in runs


def test_first_failure_ends_the_job(runs, capsys):
    tasks.install()
    runs.clear()
    runs.fail = "ruff"
    assert tasks.main(["test"]) == 1
    assert runs == [["-m", "ruff", "check"]]
    assert "error: ruff check failed" in capsys.readouterr().err


def test_learners_copy_is_kept(runs):
    for name in ("01_a", "02_b"):
        folder = tasks.ROOT / "release" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.ipynb").write_text("released", encoding="utf-8")
    work = tasks.ROOT / "my-work"
    work.mkdir()
    (work / "01_a.ipynb").write_text("mine", encoding="utf-8")
    assert tasks.main(["learn"]) == 0
    assert runs[-1] == ["-m", "jupyter", "lab", "my-work"]
    assert (work / "01_a.ipynb").read_text(encoding="utf-8") == "mine"
    assert (work / "02_b.ipynb").read_text(encoding="utf-8") == "released"


def test_python_too_old():
    tasks.check_python((3, 11))
    with pytest.raises(tasks.TaskError, match=r"needs Python 3\.11 or newer and this is 3\.9"):
        tasks.check_python((3, 9))


@pytest.mark.parametrize("arguments", [[], ["no-such-job"]])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ending:
        tasks.main(arguments)
    assert ending.value.code == 2


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_forwards(tmp_path):
    result = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", *tasks.JOBS, "PYTHON=python3.99"],
        cwd=tasks.ROOT,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    expected = [f"python3.99 tasks.py {job}" for job in tasks.JOBS]
    assert result.stdout.splitlines() == expected


def test_help_lists_every_job():
    result = subprocess.run(
        [sys.executable, str(tasks.ROOT / "tasks.py"), "--help"],
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    for job in tasks.JOBS:
        assert f"\n  {job} " in result.stdout
