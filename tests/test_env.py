"""`env` says for each item whether it is there, and what to do about it if not."""

import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from autograder import env
from autograder.course import Course

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def mnist(tmp_path):
    """A data folder with two small files in the place of MNIST's, and their checksums."""
    lines = ["# a comment"]
    for name in ("MNIST/raw/a.gz", "MNIST/raw/b.gz"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}", encoding="utf-8")
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}")
    checksums = tmp_path / "checksums.txt"
    checksums.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path, checksums


@pytest.mark.parametrize(
    ("version", "state"), [("3.10.14", "missing"), ("3.11.0", "ok"), ("3.14.0rc1", "ok")]
)
def test_python(version, state):
    assert env.python_item(version, ">=3.11").state == state


@pytest.mark.parametrize(
    ("installed", "state"),
    [("2.3.1", "missing"), ("2.4.0", "ok"), ("2.8.0+cpu", "ok"), ("3.0.0", "missing")],
)
def test_package_version(monkeypatch, installed, state):
    monkeypatch.setattr(env.importlib.metadata, "version", lambda name: installed)
    item = env.package_item("torch>=2.4,<3")
    assert item.state == state
    assert installed in item.text
    if state == "missing":
        assert item.advice == 'run: python -m pip install "torch>=2.4,<3"'


def test_absent_package():
    item = env.package_item("no-such-distribution>=1,<2")
    assert (item.state, item.text) == ("missing", "no-such-distribution (needs <2,>=1)")


def test_absent_extra_is_only_a_note():
    item = env.extra_item("book", ["pytest>=1", "no-such-distribution>=1"])
    assert item.state == "note"
    assert "no-such-distribution absent" in item.text
    assert "pytest" not in item.text
    assert env.extra_item("test", ["pytest>=1"]).state == "ok"


def test_data_present(mnist):
    assert env.data_item(*mnist).state == "ok"


def test_data_absent_is_only_a_note(mnist):
    folder, checksums = mnist
    (folder / "MNIST/raw/b.gz").unlink()
    item = env.data_item(folder, checksums)
    assert item.state == "note"
    assert "1 of the 2" in item.text


def test_damaged_data(mnist):
    folder, checksums = mnist
    (folder / "MNIST/raw/a.gz").write_text("cut off", encoding="utf-8")
    item = env.data_item(folder, checksums)
    assert item.state == "missing"
    assert "MNIST/raw/a.gz" in item.text
    assert "b.gz" not in item.text


def test_data_folder(monkeypatch, tmp_path):
    course = Course(ROOT)
    monkeypatch.delenv("COURSE_DATA", raising=False)
    assert course.data_folder() == ROOT / "data"
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert course.data_folder() == tmp_path


def test_checksums_name_torchvisions_files():
    from torchvision.datasets import MNIST

    lines = (ROOT / "data" / "checksums.txt").read_text(encoding="utf-8").splitlines()
    named = {line.split()[1] for line in lines if not line.startswith("#")}
    assert named == {f"MNIST/raw/{name}" for name, _ in MNIST.resources}


def test_disk():
    assert env.disk_item(env.DISK_GB + 1).state == "ok"
    assert env.disk_item(env.DISK_GB / 2).state == "missing"


def test_students_data_that_git_would_take(tmp_path):
    assert list(env.git_items(tmp_path)) == [], "no checkout"
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("/*.zip\n/submitted/\n", encoding="utf-8")
    (tmp_path / "submitted" / "ada").mkdir(parents=True)
    for name in ("submissions.zip", "submitted/ada/x.ipynb", "README.md"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert list(env.git_items(tmp_path)) == []
    (tmp_path / "gradebook.csv").write_text("x", encoding="utf-8")
    (tmp_path / "feedback").mkdir()
    (tmp_path / "feedback" / "x.html").write_text("x", encoding="utf-8")
    (item,) = env.git_items(tmp_path)
    assert item.state == "missing" and item.text.endswith(": feedback, gradebook.csv")


@pytest.mark.parametrize(("states", "code"), [(["ok", "note"], 0), (["ok", "missing"], 1)])
def test_exit_code(monkeypatch, capsys, states, code):
    monkeypatch.setattr(env.Course, "find", lambda: Course(ROOT))
    monkeypatch.setattr(env, "items", lambda course: [env.Item(s, "x", "y") for s in states])
    assert env.run(None) == code
    assert ("must be mended" in capsys.readouterr().out) == bool(code)


def test_every_dependency_has_a_line():
    """Of the report, and of its example in the README, which has to be brought up to date."""
    report = [str(item) for item in env.items(Course(ROOT))]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.findall(r"^    ((?:ok|note|missing) +\S.*)$", readme, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = ["Python", *(re.split("[><=]", line)[0] for line in project["dependencies"])]
    names += ["optional part [book]", "optional part [test]", "device:", "data:", "disk:"]
    for lines in (report, example):
        assert [name for name in names if not any(f" {name}" in line for line in lines)] == []
        assert len(lines) == len(names)
