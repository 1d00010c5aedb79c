"""Whether each generated file is what a rebuild gives, the rendered solutions included."""

from __future__ import annotations

import nbformat

from autograder.build.generate import find_extra, generate
from autograder.build.notebooks import digest, solution_notebook
from autograder.course import Course
from autograder.lesson import Lesson


def find_stale(course: Course) -> list[str]:
    """Return one line for each generated file that is missing, changed or superfluous."""
    # Imported here since render needs this module too.
    from autograder.build.fresh import find_stale_solutions

    generated = generate(course)
    stale = []
    for name, content in generated.items():
        path = course.root / name
        if not path.is_file():
            stale.append(f"{name} is missing; run: python -m autograder build")
        elif path.read_bytes() != content:
            stale.append(f"{name} is out of date; run: python -m autograder build")
    stale.extend(
        f"{name} is not made by the build; delete it" for name in find_extra(course, generated)
    )
    return stale + find_stale_solutions(course)


COMMITTED = ("none", "full")


def find_stale_solutions(course: Course) -> list[str]:
    """Return one line for each solutions notebook that is missing, out of date or superfluous."""
    stale = []
    for stem in course.lessons():
        path = course.solutions_notebook(stem)
        name = path.relative_to(course.root).as_posix()
        command = f"run: python -m autograder render {stem}"
        if not path.is_file():
            stale.append(f"{name} is missing; {command}")
            continue
        wanted = digest(solution_notebook(Lesson.load(course.lesson_path(stem))))
        try:
            notebook = nbformat.read(path, as_version=4)
            recorded = notebook.metadata.get("course", {}).get("lesson_sha256")
            fresh = recorded == wanted == digest(notebook)
            training = notebook.metadata.get("course", {}).get("training")
        except (nbformat.reader.NotJSONError, AttributeError):
            fresh = False
        if fresh and training not in COMMITTED:
            stale.append(f"{name} comes from a {training} training; {command}")
        if not fresh:
            stale.append(f"{name} is out of date; {command}")
    known = {course.solutions_notebook(stem) for stem in course.lessons()}
    for path in sorted(set(course.solutions.glob("*.ipynb")) - known):
        stale.append(f"solutions/{path.name} belongs to no lesson; delete it")
    return stale
