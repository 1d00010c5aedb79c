"""Whether each generated file is what a rebuild gives, the rendered solutions included."""

from __future__ import annotations

from pathlib import Path

import nbformat

from autograder.build.generate import find_extra, generate
from autograder.build.notebooks import digest, solution_notebook
from autograder.build.pictures import find_stale_pictures
from autograder.course import Course
from autograder.lesson import Lesson

COMMITTED = ("none", "full")  # trainings of which solutions may be committed


def find_stale(course: Course) -> list[str]:
    """Return one line for each generated file that is missing, changed or superfluous."""
    generated = generate(course)
    stale = []
    for name, content in generated.items():
        path = course.root / name
        if not path.is_file() or path.read_bytes() != content:
            state = "out of date" if path.is_file() else "missing"
            stale.append(f"{name} is {state}; run: python -m autograder build")
    extra = find_extra(course, generated)
    stale += [f"{name} is not made by the build; delete it" for name in extra]
    return stale + find_stale_solutions(course) + find_stale_pictures(course)


def find_stale_solutions(course: Course) -> list[str]:
    """Return one line for each solutions notebook that is missing, out of date or superfluous."""
    lessons = {course.solutions_notebook(stem): stem for stem in course.lessons()}
    stale = []
    for path, stem in lessons.items():
        if state := _staleness(path, Lesson.load(course.lesson_path(stem))):
            stale.append(f"solutions/{path.name} {state}; run: python -m autograder render {stem}")
    superfluous = sorted(set(course.solutions.glob("*.ipynb")) - set(lessons))
    return stale + [
        f"solutions/{path.name} belongs to no lesson; delete it" for path in superfluous
    ]


def _staleness(path: Path, lesson: Lesson) -> str | None:
    """Return what is wrong with a rendered notebook, None if it is fresh."""
    if not path.is_file():
        return "is missing"
    try:
        notebook = nbformat.read(path, as_version=4)
        about = notebook.metadata.get("course", {})
        fresh = about.get("lesson_sha256") == digest(solution_notebook(lesson)) == digest(notebook)
    except (nbformat.reader.NotJSONError, AttributeError):
        fresh = False
    if not fresh:
        return "is out of date"
    training = about.get("training")
    return None if training in COMMITTED else f"comes from a {training} training"
