"""The examples in CONTRIBUTING.md work as they stand there."""

from __future__ import annotations

import functools
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from variants import Variant
from variants.judging import difference, points_inside

from autograder.checks import private, reference
from autograder.checks.judge import Judge, failure_of
from autograder.checks.places import here
from autograder.checks.rehearsal import rehearse
from autograder.course import Course
from autograder.lesson import Lesson

LESSON = "01_regular_group_convolutions"


def examples(heading: str) -> list[str]:
    """Return the Python examples of one section."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^ *```python\n.*?^ *```$", section, re.DOTALL | re.MULTILINE)
    return ["\n".join(textwrap.dedent(block).splitlines()[1:-1]) + "\n" for block in found]


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lesson:
    """The first chapter of lesson 1 with the exercise of the example at its end."""
    text = Course(ROOT).lesson_path(LESSON).read_text(encoding="utf-8")
    chapter = text[: text.index("# %% [markdown]\n# ## 2 ")]
    path = tmp_path / "notebooks" / "example_lesson.py"
    path.parent.mkdir()
    path.write_text("\n\n".join([chapter, *examples("Add an exercise")[:3]]), encoding="utf-8")
    (tmp_path / "data" / "results").mkdir(parents=True)
    for name in ("nbgrader_config.py", "pyproject.toml", "data/results/rotated.md"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_FAST_RUN", "1")
    monkeypatch.setenv("COURSE_GRADING", "1")
    return Lesson.load(path)


@pytest.mark.slow
def test_the_exercise_s_variants_get_their_points(lesson: Lesson) -> None:
    names: dict[str, Any] = {"Variant": Variant}
    exec(examples("Add an exercise")[3], names)
    assert lesson.exercise("difference").points == 2 and len(lesson.tested) > 1
    for variant in [Variant("solution", ""), *names["VARIANTS"]]:
        points = points_inside(lesson, variant)
        assert len(points) == len(lesson.tested)
        assert difference(lesson, variant, points) == {}, variant.name
    assert sum(variant.right for variant in names["VARIANTS"]) >= 3


@pytest.mark.slow
def test_the_private_test_rejects_a_wrong_product(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = examples("Private hidden tests")
    (tmp_path / f"{LESSON}.py").write_text(example, encoding="utf-8")
    monkeypatch.chdir(ROOT)
    lesson = Lesson.load(Course(ROOT).lesson_path(LESSON))
    rehearse(tmp_path, lesson, seed=3)
    monkeypatch.setenv(private.VARIABLE, str(tmp_path))
    (item,) = private.for_exercise(lesson, "product")
    answer = lesson.cell("cyclic-group").source
    wrong = reference.namespace(
        lesson, {"cyclic-group": answer.replace("h + h_prime", "h + 2 * h_prime")}
    )
    judge = Judge(lesson.stem, "product", wrong, seed=3)
    judge.property(item.name, points=2)(item.test)
    place = functools.partial(here, lambda: wrong)
    assert "expected" in str(failure_of("product", judge.properties[0], place, 3))
