"""Pack a lesson for places that run it themselves: Gradescope, and GitHub Actions.

Gradescope's zip holds the course with hidden tests and solutions, and two scripts of its documented
form: `setup.sh` once makes the machine, `run_autograder` grades one submission. The workflow for
GitHub Actions runs `check`, the visible checks, alone: nothing hidden travels in it.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from autograder.course import PACKAGE, Course
from autograder.errors import CourseError
from autograder.texts import replaced

VISIBILITIES = ("after_due_date", "after_published", "visible", "hidden")
SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, when the autograder is built.
set -e
apt-get update
apt-get install -y python3 python3-pip python3-venv bubblewrap
cd /autograder/source
python3 -m venv .venv
.venv/bin/python -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
.venv/bin/python -m pip install -e .
"""
RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission, and reads results/results.json.
root="${{AUTOGRADER_ROOT:-/autograder}}"
cd "$root/source" || exit 1
python="${{AUTOGRADER_PYTHON:-$root/source/.venv/bin/python}}"
exec "$python" -m autograder.grading.hosted {stem} "$root/submission" \\
  "$root/results/results.json" --visibility {visibility}
"""
WORKFLOW = """# Runs the visible checks on each push; what they say stands in the run's summary.
# Put it into the template of your students' repositories as .github/workflows/check.yml. It holds
# no hidden test: `check` runs what stands in the student's own notebook. The course comes from its
# public address; never give a workflow of students a key to a private copy.
name: check
on: push
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/checkout@v4
        with:
          repository: {repository}
          path: .course
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: |
          pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
          pip install -e .course
      - run: |
          notebook="$PWD/$(git ls-files '*{stem}.ipynb' | head -1)"
          cd .course
          code=0
          python -m autograder check "$notebook" > ../said.txt || code=$?
          {{ echo '```'; cat ../said.txt; echo '```'; }} | tee -a "$GITHUB_STEP_SUMMARY"
          exit $code
        env:
          COURSE_FAST_RUN: "1"
"""


def pack_gradescope(course: Course, stem: str, path: Path, visibility: str) -> Path:
    """Write the zip that Gradescope makes an autograder of, and return where it is.

    Raises CourseError if the lesson is not built.
    """
    if not course.source_notebook(stem).is_file():
        raise CourseError(
            f"{stem} is not built: run `python -m autograder build`, and export again"
        )
    files = {f"autograder/{p.relative_to(PACKAGE).as_posix()}": p for p in _files(PACKAGE)}
    for file in (
        "pyproject.toml",
        "nbgrader_config.py",
        "README.md",
        "LICENSE",
        "LICENSE-text",
        ".grading-seed",
    ):
        if (course.root / file).is_file():
            files[file] = course.root / file
    # All lessons: one stands on another, and a notebook of another is recognised.
    for folder in (course.notebooks, course.source, course.release, course.data / "results"):
        files |= {found.relative_to(course.root).as_posix(): found for found in _files(folder)}
    run = RUN.format(stem=stem, visibility=visibility)
    with replaced(path) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, text in {"setup.sh": SETUP, "run_autograder": run}.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100755 << 16
            pack.writestr(info, text)
        for name, found in files.items():
            pack.write(found, name)
    return path


def workflow(course: Course, stem: str) -> str:
    """Return the workflow for GitHub Actions that runs `check` on a lesson's notebook."""
    repository = "/".join(course.repository_url.split("/")[-2:])
    return WORKFLOW.format(repository=repository, stem=stem)


def _files(folder: Path) -> list[Path]:
    """Return a folder's files, without what Python and Jupyter leave there."""
    left_there = {"__pycache__", ".ipynb_checkpoints"}
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and left_there.isdisjoint(path.parts)
    ]
