"""Pictures in a lesson's text: put into the notebooks, drawn by code, fresh."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, TINY
from PIL import Image

from autograder.build import command
from autograder.build.fresh import find_stale
from autograder.build.generate import build
from autograder.build.notebooks import solution_notebook, source_notebook
from autograder.build.pictures import DPI, draw, find_stale_pictures
from autograder.course import Course
from autograder.demo import copy_course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from notebooks.pictures import PICTURES

CODE = '''"""Two pictures."""

from matplotlib.figure import Figure

from .letters import TITLE


def dot():
    fig = Figure(figsize=(1.5, 1))
    fig.text(0.5, 0.5, TITLE)
    return fig


PICTURES = {"dot": dot, "other-dot": dot}
'''
HEADING = "# ## Numbers\n"
TEXT = HEADING + "#\n# ![A dot,\n# twice](picture:dot) and ![a [dot]](picture:other-dot)\n"
COMMITTED = sorted((ROOT / "notebooks" / "pictures").glob("*.png"))


def say(course: Course, text: str) -> None:
    """Put a text below the heading of the tiny lesson's first section."""
    path = course.lesson_path(TINY)
    lesson = path.read_text(encoding="utf-8")
    assert lesson.count(HEADING) == 1
    path.write_text(lesson.replace(HEADING, text), encoding="utf-8")


@pytest.fixture
def drawn(course: Course) -> Course:
    """The small course with two pictures, both drawn and in the lesson's text."""
    course.pictures.mkdir()
    (course.pictures / "__init__.py").write_text(CODE, encoding="utf-8")
    (course.pictures / "letters.py").write_text("TITLE = 'dot'\n", encoding="utf-8")
    assert [path.name for path in draw(course)] == ["dot.png", "other-dot.png"]
    say(course, TEXT)
    return course


def test_each_notebook_holds_the_files(drawn: Course) -> None:
    build(drawn)
    paths = drawn.source_notebook(TINY), drawn.release_notebook(TINY)
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    lesson = Lesson.load(drawn.lesson_path(TINY))
    for notebook in [*notebooks, solution_notebook(lesson), source_notebook(lesson)]:
        [text] = [cell.source for cell in notebook.cells if "data:" in cell.source]
        _, first, second = text.split("(data:image/png;base64,")
        assert "\n\n![A dot,\ntwice](" in text and ") and ![a [dot]](" in text
        for name, data in ("dot", first), ("other-dot", second):
            assert (
                base64.b64decode(data.partition(")")[0], validate=True)
                == (drawn.pictures / f"{name}.png").read_bytes()
            )
        assert all("picture:" not in cell.source for cell in notebook.cells)
    assert drawn.lessons() == [TINY]


def test_only_texts_are_looked_at(course: Course) -> None:
    path = course.lesson_path(TINY)
    code = '\n# %%\n"![a dot](picture:dot)"\n'
    path.write_text(path.read_text(encoding="utf-8") + code, encoding="utf-8")
    assert "picture:dot" in solution_notebook(Lesson.load(path)).cells[-1].source


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("![A cat](picture:cat)", "no picture 'cat': draw it in notebooks/pictures/, then run"),
        ("![](picture:dot)", "say what 'dot' shows"),
        ("![ ](picture:dot)", "say what 'dot' shows"),
        ("[A link](picture:dot)", "say what 'dot' shows"),
        ("![A dot [2](picture:dot)", "say what 'dot' shows"),
        ("![A dot](picture: dot)", "no picture ' dot'"),
    ],
)
def test_a_mistake_is_named_with_its_line(drawn: Course, text: str, error: str) -> None:
    say(drawn, f"{HEADING}#\n# {text}\n")
    lines = drawn.lesson_path(TINY).read_text(encoding="utf-8").splitlines()
    line = lines.index(HEADING.strip())  # counted from 1, that of the cell's header
    with pytest.raises(CourseError) as caught:
        build(drawn)
    assert str(caught.value).startswith(f"notebooks/{TINY}.py:{line}: {error}")
    assert not drawn.source.exists()


def test_a_picture_that_no_lesson_shows_is_an_error(drawn: Course) -> None:
    path = drawn.lesson_path(TINY)
    path.write_text(
        path.read_text(encoding="utf-8").replace(":other-dot", ":dot"), encoding="utf-8"
    )
    message = "notebooks/pictures/other-dot.png: no lesson shows this picture; write "
    for what in (build, find_stale):
        with pytest.raises(CourseError, match=message):
            what(drawn)


def test_a_course_without_pictures_has_nothing_to_draw(course: Course) -> None:
    assert draw(course) == [] == find_stale_pictures(course)
    with pytest.raises(CourseError, match="no picture 'dot'"):
        say(course, TEXT)
        build(course)


def test_changed_code_is_found_and_draws_anew(drawn: Course, monkeypatch, capsys) -> None:
    monkeypatch.chdir(drawn.root)
    assert draw(drawn) == [] == find_stale_pictures(drawn)
    letters = drawn.pictures / "letters.py"
    letters.write_bytes(letters.read_bytes().replace(b"\n", b"\r\n"))
    assert find_stale_pictures(drawn) == [], "only the line ends are others"
    before = (drawn.pictures / "dot.png").read_bytes()
    letters.write_text("TITLE = 'a point'\n", encoding="utf-8")
    command_line = "python -m autograder build --draw"
    expected = [
        f"notebooks/pictures/{name}.png was drawn by other code; run: {command_line}"
        for name in ("dot", "other-dot")
    ]
    assert [line for line in find_stale(drawn) if "pictures" in line] == expected
    assert run("--check") == 1
    assert run("--draw") == 0
    assert "wrote notebooks/pictures/dot.png\n" in capsys.readouterr().out
    assert (drawn.pictures / "dot.png").read_bytes() != before
    assert [line for line in find_stale(drawn) if "pictures" in line] == []
    (drawn.pictures / "dot.png").unlink()
    assert [path.name for path in draw(drawn)] == ["dot.png"]


def run(option: str) -> int:
    """Run `python -m autograder build` with an option; return its exit code."""
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([option]))


def test_a_file_that_nothing_draws_is_refused(drawn: Course) -> None:
    (drawn.pictures / "pasted.png").write_bytes((drawn.pictures / "dot.png").read_bytes())
    with pytest.raises(CourseError, match="pasted.png: no function in pictures/ draws it"):
        draw(drawn)


def test_the_demonstration_gets_the_pictures(drawn: Course, tmp_path: Path) -> None:
    (drawn.pictures / "later.png").touch()  # that of a later lesson
    demo = copy_course(drawn, TINY, tmp_path / "demo")
    build(demo)
    assert find_stale_pictures(demo) == []


def test_matplotlib_is_imported_only_to_draw(drawn: Course) -> None:
    code = (
        "import sys; from autograder.build import command; from autograder.build.fresh import *; "
        "course = Course.find(); command.build(course); find_stale(course); "
        "sys.exit('matplotlib' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=drawn.root, env=environment, check=True)


def test_the_course_s_pictures_are_small_and_all_of_them_are_drawn() -> None:
    sizes = {path.stem: path.stat().st_size for path in COMMITTED}
    assert set(sizes) == set(PICTURES)
    assert max(sizes.values()) <= 45_000
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.py")}
    shown = [re.findall(r"\(picture:([a-z-]+)\)", text) for text in texts.values()]
    assert {name for names in shown for name in names} == set(sizes)
    assert all(sum(sizes[name] for name in names) <= 250_000 for names in shown)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_the_code_draws_what_is_committed(path: Path) -> None:
    """In its size: letters and edges may be others with another version of matplotlib."""
    assert PICTURES[path.stem].__doc__
    drawn = io.BytesIO()
    PICTURES[path.stem]().savefig(drawn, format="png", dpi=DPI)
    with Image.open(path) as old, Image.open(drawn) as new:
        assert old.mode == "P" and len(old.getcolors()) <= 128
        assert new.size == pytest.approx(old.size, rel=0.02)
        corner = old.convert("RGB").getpixel((0, 0))
    assert corner == (255, 255, 255)
