"""One command per job: `python tasks.py demo`, `python tasks.py test`, … (`--help` lists them).

On a fresh machine the first job makes the environment `.venv` and installs the course into it;
after that a job starts at once. Only the standard library is used here, since this file runs
before anything is installed. It must also start on a Python that is too old, to say so.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "course-installed"
WORK = "my-work"
MINIMUM = (3, 11)
# A library of equivariant layers by others, which cannot be an ordinary dependency; see "The oracle
# and escnn" in CONTRIBUTING.md. It is installed beside .venv, and only the tests about it see it.
ESCNN = ROOT / "_build" / "escnn"
INTO_ESCNN = ["-m", "pip", "install", "--target", "_build/escnn"]
ESCNN_RECIPE = (
    [*INTO_ESCNN, "--only-binary", ":all:"]
    + ["numpy<2", "scipy<1.14", "scikit-learn<1.2", "lie-learn"],
    [*INTO_ESCNN, "--no-deps", "escnn==1.0.11"],
)
ESCNN_TESTS = ["-m", "pytest", "-k", "escnn", "tests/checks/test_oracle.py"]
ESCNN_TESTS += [f"tests/notebooks/test_lesson_0{number}.py" for number in (3, 4)]

LINT = (
    ["-m", "ruff", "check"],
    ["-m", "ruff", "format", "--check"],
    ["-m", "mypy"],
)
CHECK = (["-m", "autograder", "build", "--check"],)
# A module's tests stay together on one worker, for what they share, and modules come in order, so
# that a long one does not come last. Four workers, since tests of limits and kernels wait a lot.
TESTS = ["-m", "pytest", "-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
# What each job runs, every line with the environment's Python; arguments after the job's name go to
# the last line.
JOBS = {
    "demo": (["-m", "autograder", "demo"],),
    "test": (*LINT, *CHECK, TESTS),
    "proof": (*LINT, *CHECK, [*TESTS, "--proof"]),
    "check": CHECK,
    "lint": LINT,
    "book": (["-m", "autograder", "book"],),
    "learn": (["-m", "jupyter", "lab", WORK],),
    "env": (["-m", "autograder", "env"],),
}
HELP = """jobs:
  demo    build the course, grade a small made-up class, say where to look next
  test    lint, freshness of the generated files, and the tests
  proof   the same with everything that the tests take samples of; half an hour and more
  check   only the freshness of the generated files and the leak check
  lint    only ruff and mypy: rules, formatting, types
  book    build the book of rendered solutions into _build/book
  learn   copy the student notebooks to my-work and open them in JupyterLab
  env     say whether everything is there, and what to do where something is missing

Anything after the job goes to its last command:  python tasks.py test -k lesson
"""


class TaskError(Exception):
    """A job cannot go on; the message says what to do next."""


def main(arguments: list[str] | None = None) -> int:
    """Run one job and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python tasks.py",
        usage="%(prog)s [-h] job [arguments of the job's last command]",
        description="Run a job of the course; the first one sets up the environment .venv.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", choices=JOBS, metavar="job", help="one of: " + ", ".join(JOBS))
    options, extra = parser.parse_known_args(arguments)
    try:
        check_python()
        install()
        if options.job == "learn":
            copy_student_notebooks()
        if options.job == "proof":
            compare_with_escnn()
        run_job(options.job, extra)
    except TaskError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> None:
    """Raise TaskError if this Python is too old for the course."""
    if version < MINIMUM:
        raise TaskError(
            f"the course needs Python {dotted(MINIMUM)} or newer and this is {dotted(version)}: "
            "start tasks.py with a newer one (with make: make demo PYTHON=python3.12)."
        )


def install() -> None:
    """Make .venv and install the course with its tools, unless that was done for this pyproject."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    if not PYTHON.exists():
        print("The first run sets up the environment .venv; this takes a few minutes.", flush=True)
        # --clear: what an interrupted run or a removed Python has left there is of no use.
        step(
            [sys.executable, "-m", "venv", "--clear", str(VENV)],
            "the environment .venv could not be made: install Python's venv module "
            "(on Debian and Ubuntu: sudo apt install python3-venv) and run this again.",
        )
    step(
        [str(PYTHON), "-m", "pip", "install", "-e", ".[dev]"],
        "pip could not install the course (its message is above): check the connection and the "
        "free disk space and run this again; if it goes on failing, delete the folder .venv first.",
    )
    STAMP.write_text(wanted, encoding="utf-8")


def copy_student_notebooks() -> None:
    """Copy the release notebooks to my-work; a copy that is there already is the learner's own."""
    work = ROOT / WORK
    work.mkdir(exist_ok=True)
    for notebook in sorted((ROOT / "release").glob("*/*.ipynb")):
        if not (work / notebook.name).exists():
            shutil.copyfile(notebook, work / notebook.name)
            print(f"copied {notebook.name} to {WORK}", flush=True)


def compare_with_escnn() -> None:
    """Run the tests that need escnn, installed beside .venv; say so where it cannot be."""
    try:
        if not (ESCNN / "escnn").is_dir():
            for command in ESCNN_RECIPE:
                step([str(PYTHON), *command], "escnn cannot be installed here")
    except TaskError as error:
        print(f"note: {error}; the tests that need it are skipped.", flush=True)
        return
    failure = "our layers and escnn's differ; the message is above."
    step([str(PYTHON), *ESCNN_TESTS], failure, {"PYTHONPATH": str(ESCNN)})


def run_job(job: str, extra: list[str]) -> None:
    """Run the commands of a job one after the other, up to the first that fails."""
    *first, last = JOBS[job]
    for command in (*first, [*last, *extra]):
        step([str(PYTHON), *command], f"{' '.join(command[1:])} failed; its message is above.")


def step(command: list[str], failure: str, env: dict[str, str] | None = None) -> None:
    """Run one command, showing it and its time; raise TaskError(failure) if it does not succeed."""
    shown = " ".join(["python", *command[1:]])
    print(f"==> {shown}", flush=True)
    start = time.monotonic()
    # UTF-8 mode: on Windows, output to a pipe would otherwise be in a code page without "·" or "→".
    environment = os.environ | {"PYTHONUTF8": "1"} | (env or {})
    # Tests and grading start hundreds of Pythons, each of which would compile the course anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except OSError as error:
        raise TaskError(f"{failure} ({error})") from error
    print(f"<== {shown}: exit code {code} after {time.monotonic() - start:.1f} s", flush=True)
    if code != 0:
        raise TaskError(failure)


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as text: (3, 11) → "3.11"."""
    return ".".join(str(part) for part in version)


if __name__ == "__main__":
    sys.exit(main())
