"""The README's links and tables, made from the lessons and the repository's one address."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson

LINKS_START = "<!-- links:start -->"
LINKS_END = "<!-- links:end -->"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


def update_links(readme: Path, course: Course, lessons: Sequence[Lesson]) -> str:
    """Return the README's text with the links between its two markers made anew.

    Raises CourseError if it does not hold each marker once.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(LINKS_START) != 1 or text.count(LINKS_END) != 1:
        raise CourseError(
            f"README.md needs one line `{LINKS_START}` and one `{LINKS_END}` below it"
        )
    before, rest = text.split(LINKS_START)
    after = rest.split(LINKS_END)[1]
    return f"{before}{LINKS_START}\n{links(course, lessons)}{LINKS_END}{after}"


def links(course: Course, lessons: Sequence[Lesson]) -> str:
    """Return the README's links, all from the repository's one address, and each lesson's table."""
    rows = [
        f"| {lesson.title} | [![Open in Colab]({BADGE})]({course.colab_url(lesson.stem)}) "
        f"| [solutions](solutions/{lesson.stem}.ipynb) |\n"
        for lesson in lessons
    ]
    return (
        f"[The course as a book]({course.book_url}) · [The repository]({course.repository_url}), "
        f"`git clone {course.repository_url}`\n\n"
        "| Lesson | Student notebook | Worked out |\n"
        "|---|---|---|\n"
        f"{''.join(rows)}"
        "\n" + "\n".join(map(contents, lessons))
    )


def contents(lesson: Lesson) -> str:
    """Return a table of a lesson's chapters: what there is to do, how long it takes, its points."""
    name = lesson.title.partition(" · ")[0].lower()
    rows = [f"| What is in {name} | To do | Points |\n|---|---|---|\n"]
    for chapter in lesson.chapters:
        points = sum(exercise.points for exercise in chapter.exercises)
        to_do = chapter.summary if chapter.exercises else "to read"
        rows.append(f"| {chapter.title} | {to_do} | {points:g} |\n")
    return "".join(rows)
