"""The command line: help, exit codes, errors."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from autograder import cli
from autograder.build import command as build
from autograder.cli import COMMANDS, main
from autograder.errors import CourseError
from autograder.marks.gradebook import open_api


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"\n    {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(capsys, name):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert f"python -m autograder {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [[], ["bild"], ["build", "--chek"], ["render", "--training", "x"]]
)
def test_wrong_usage_exits_with_2(words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


def fail_with(monkeypatch, error):
    def run(args):
        raise error

    monkeypatch.setattr(build, "run", run)


def test_a_course_error_is_one_line_and_exits_with_1(monkeypatch, capsys):
    fail_with(monkeypatch, CourseError("do this"))
    assert main(["build"]) == 1
    assert capsys.readouterr() == ("", "error: do this\n")


def test_an_interrupt_exits_with_130(monkeypatch):
    fail_with(monkeypatch, KeyboardInterrupt())
    assert main(["build"]) == 130


def test_the_exit_code_is_the_commands(monkeypatch):
    monkeypatch.setattr(build, "run", lambda args: 1 if args.check else 0)
    assert main(["build", "--check"]) == 1
    assert main(["build"]) == 0


def test_only_the_named_command_is_imported():
    heavy = "import sys; from autograder.cli import _make_parser; _make_parser(['--help']); "
    code = heavy + "print([name for name in sys.modules if name.startswith(('nbgrader', 'rich'))])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


HEAVY = ("torch", "nbgrader", "nbformat", "matplotlib", "sqlalchemy", "distributed")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself_at_once(name):
    """What takes seconds to import is not needed to say which options there are."""
    code = (
        "import sys\nfrom autograder import cli\n"
        f"try:\n    cli.main([{name!r}, '--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT, check=True
    )
    assert done.stderr.strip() == "[]"
    assert f"usage: python -m autograder {name}" in done.stdout


def test_help_says_the_same_as_the_whole_module_would():
    for name in COMMANDS:
        pages = []
        for declare in (cli._declaration(name), cli._import(name).add_arguments):
            parser = argparse.ArgumentParser(prog=name)
            declare(parser)
            pages.append(parser.format_help())
        assert pages[0] == pages[1]


@pytest.mark.parametrize("name", ["class", "collect", "export", "feedback", "report"])
def test_what_needs_no_pytorch_does_not_load_it(built_course, name):
    """The command runs as far as a course without marks lets it: the configuration is read."""
    (built_course.submitted / "ada" / "00_tiny").mkdir(parents=True)
    (built_course.submitted / "ada" / "00_tiny" / "00_tiny.ipynb").write_text("{}")
    with open_api(built_course).gradebook:  # that a new one is made takes longest
        pass
    words = [name, *(["submitted"] if name == "collect" else [])]
    code = (
        "import sys\nfrom autograder import cli\n"
        f"cli.main({words!r})\nprint('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        cwd=built_course.root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert done.stderr.strip().splitlines()[-1] == "False"


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "--help"], capture_output=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0
    assert b"COMMAND" in done.stdout
    assert cli.__doc__


def test_a_missing_package_is_one_line_that_says_what_to_do(monkeypatch, capsys):
    def refuse(name):
        raise ModuleNotFoundError("No module named 'packaging'", name="packaging")

    monkeypatch.setattr(cli.importlib, "import_module", refuse)
    assert main(["env"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: this Python has no package packaging ({sys.executable})")
    assert error.endswith("python tasks.py env\n")
