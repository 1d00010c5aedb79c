"""Say whether everything is here that the course needs.

One line per item, each `ok`, `note` (the course works, something could be better) or `missing`
(with what to do about it). The packages and their bounds are read from pyproject.toml.
"""

import argparse
import hashlib
import importlib.metadata
import platform
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from autograder.course import Course

# What holds students' work and marks.
STUDENTS = ("submitted", "autograded", "feedback", "reports", "terms", ".grading-seed")
DISK_GB = 1.0
"""Free space (in GB) that data, checkpoints and a graded class need."""


@dataclass(frozen=True)
class Item:
    """One line of the report: its state ("ok", "note" or "missing"), what was found, what to do."""

    state: str
    text: str
    advice: str = ""

    def __str__(self) -> str:
        advice = f"\n           -> {self.advice}" if self.advice else ""
        return f"{self.state:<8} {self.text}{advice}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`env` takes no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print the report; return 0 if nothing is missing, else 1."""
    missing = 0
    for item in items(Course.find()):
        print(item, flush=True)
        missing += item.state == "missing"
    everything = "Everything the course needs is here."
    print(f"\n{missing} of the items above must be mended first." if missing else f"\n{everything}")
    return 1 if missing else 0


def items(course: Course) -> Iterator[Item]:
    """Yield the items of the report, one after the other."""
    project = tomllib.loads((course.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield python_item(platform.python_version(), project["requires-python"])
    for requirement in project["dependencies"]:
        yield package_item(requirement)
    for extra in ("book", "test"):
        yield extra_item(extra, project["optional-dependencies"][extra])
    yield device_item()
    yield data_item(course.data_folder(), course.root / "data" / "checksums.txt")
    yield disk_item(shutil.disk_usage(course.root).free / 1e9)
    yield from git_items(course.root)


def python_item(version: str, bounds: str) -> Item:
    """Compare the running Python with pyproject's `requires-python`."""
    text = f"Python {version} (needs {bounds})"
    if SpecifierSet(bounds).contains(version, prereleases=True):
        return Item("ok", text)
    return Item("missing", text, "install a newer Python and make the environment again with it")


def package_item(requirement: str) -> Item:
    """Compare one installed package with its requirement, for example "torch>=2.4,<3"."""
    needed = Requirement(requirement)
    install = f'run: python -m pip install "{requirement}"'
    try:
        version = importlib.metadata.version(needed.name)
    except importlib.metadata.PackageNotFoundError:
        return Item("missing", f"{needed.name} (needs {needed.specifier})", install)
    # A local build, such as 2.8.0+cpu, counts as the version it was built from.
    if needed.specifier.contains(version, prereleases=True):
        return Item("ok", f"{needed.name} {version}")
    return Item("missing", f"{needed.name} {version} (needs {needed.specifier})", install)


def extra_item(extra: str, requirements: list[str]) -> Item:
    """Say whether the packages of an optional part are there: of "book" (build it), of "test"."""
    absent = [
        Requirement(requirement).name
        for requirement in requirements
        if package_item(requirement).state == "missing"
    ]
    if not absent:
        return Item("ok", f"optional part [{extra}]")
    return Item(
        "note",
        f"optional part [{extra}]: {', '.join(absent)} absent or of another version",
        f'only needed by some: python -m pip install -e ".[{extra}]"',
    )


def device_item() -> Item:
    """Say on what the networks will be trained."""
    try:
        import torch
    except ImportError as error:
        return Item("missing", f"torch cannot be imported: {error}", "install torch again")
    if torch.cuda.is_available():
        return Item("ok", f"device: cuda ({torch.cuda.get_device_name()}), lessons train in full")
    if torch.backends.mps.is_available():
        return Item("ok", "device: mps (Apple GPU), lessons train in full")
    return Item(
        "ok", f"device: cpu ({torch.get_num_threads()} threads), lessons train less and say so"
    )


def data_item(folder: Path, checksums: Path) -> Item:
    """Compare the MNIST files below `folder` with the SHA-256 sums in `checksums`."""
    lines = checksums.read_text(encoding="utf-8").splitlines()
    entries = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    absent = [name for _, name in entries if not (folder / name).is_file()]
    if absent:
        return Item(
            "note",
            f"data: {len(absent)} of the {len(entries)} MNIST files are not in {folder}",
            "lesson 1 downloads them (11 MB), or uses scikit-learn's digits if it cannot",
        )
    damaged = [name for sha256, name in entries if _sha256(folder / name) != sha256]
    if damaged:
        return Item(
            "missing",
            f"data: damaged in {folder}: {', '.join(damaged)}",
            "delete these files; lesson 1 downloads them again",
        )
    return Item("ok", f"data: MNIST in {folder}, {len(entries)} files with the right checksums")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git_items(root: Path) -> Iterator[Item]:
    """Name students' data in the folder that could be committed, or are; nothing if all is well."""
    looked = [*STUDENTS, *(f":(glob)*.{end}" for end in ("zip", "csv", "tsv", "xls", "xlsx", "db"))]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *looked]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, encoding="utf-8", errors="replace", check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return  # no git, or no checkout
    found = sorted({name.partition("/")[0] for name in done.stdout.splitlines()})
    if found:
        yield Item(
            "missing",
            f"git: students' data can be committed, or are already: {', '.join(found)}",
            "name them in .gitignore, or move them; what is committed goes with git rm --cached",
        )


def disk_item(free_gb: float) -> Item:
    """Say whether the free disk space is enough."""
    text = f"disk: {free_gb:.0f} GB free (needs {DISK_GB:.0f})"
    if free_gb >= DISK_GB:
        return Item("ok", text)
    return Item("missing", text, "free some space before training or grading")
