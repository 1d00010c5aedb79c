"""Begin a new lesson, exercise or question from a template.

What comes out builds, passes its tests and can be graded as it is; then put your own in its place.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.texts import write_text

TEMPLATES = Path(__file__).with_name("templates")
LESSON_NAME = re.compile(r"\d\d(?:_[a-z0-9]+)+")
EXERCISE_NAME = re.compile(r"(?=.{1,30}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
VARIANTS_HEAD = '''"""Right and wrong solutions, as students write them."""

from __future__ import annotations

from variants import Variant

VARIANTS = [
'''
EXAMPLES = """examples:
  python -m autograder new lesson 02_steerable --title "Lesson 2 · Steerable convolutions"
  python -m autograder new exercise 02_steerable basis --title "The basis"
  python -m autograder new exercise 02_steerable basis --after first-steps
  python -m autograder new question 02_steerable q-basis --title "Why this basis?"

Then edit notebooks/02_steerable.py, and run python -m autograder build
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLES
    kinds = parser.add_subparsers(metavar="KIND", dest="kind", required=True)
    lesson = kinds.add_parser("lesson", help="a lesson with one exercise and one question")
    lesson.add_argument("lesson", metavar="LESSON", help="its name, such as 02_steerable")
    lesson.add_argument("--title", help="its title (default: made from the name)")
    for kind in ("exercise", "question"):
        exercise = kinds.add_parser(kind, help=f"a {kind} in a lesson that is there")
        exercise.add_argument("lesson", metavar="LESSON", help="the lesson's name")
        exercise.add_argument("name", metavar="NAME", help="its id for good, such as the-basis")
        exercise.add_argument("--title", help="its title (default: made from the name)")
        exercise.add_argument(
            "--after",
            metavar="NAME",
            help=f"the exercise or question that it follows (default: the last {kind})",
        )


def run(args: argparse.Namespace) -> int:
    """Make what is asked for and say what to do next; return the exit code."""
    course = Course.find()
    if args.kind == "lesson":
        written = new_lesson(course, args.lesson, args.title)
    else:
        question = args.kind == "question"
        written = new_exercise(
            course, args.lesson, args.name, args.title, after=args.after, question=question
        )
    for path in written:
        print(f"wrote {path.relative_to(course.root).as_posix()}")
    print(f"Next: edit notebooks/{args.lesson}.py, and run python -m autograder build")
    return 0


def new_lesson(course: Course, stem: str, title: str | None = None) -> list[Path]:
    """Write a lesson with one exercise and one question, and its catalogue of variants.

    Returns the files that were written. Raises CourseError if the name is not of the form 02_name,
    or its number is taken.
    """
    if not LESSON_NAME.fullmatch(stem):
        raise CourseError(
            f"{stem!r} cannot be a lesson's name: write two digits and words of small letters, "
            "joined by _, such as 02_steerable"
        )
    for other in course.lessons():
        if other[:2] == stem[:2]:
            raise CourseError(
                f"notebooks/{other}.py has the number {stem[:2]} already: take another number"
            )
    title = title or f"Lesson {int(stem[:2])} · {_as_title(stem[3:])}"
    text = _template("lesson").replace("LESSON_TITLE", _one_line(title))
    text = text.replace("HELPERS\n", _template("helpers"))
    text = text.replace("EXERCISE\n", _filled("exercise", "first-steps", "First steps") + "\n")
    text = text.replace("QUESTION\n", _filled("question", "q-first-steps", "Why is that so?"))
    path = course.lesson_path(stem)
    write_text(path, text)
    return [path, *_add_variants(course, stem, "first-steps")]


def new_exercise(
    course: Course,
    stem: str,
    name: str,
    title: str | None = None,
    *,
    after: str | None = None,
    question: bool = False,
) -> list[Path]:
    """Put a new exercise or question into a lesson, and the exercise's variants into its catalogue.

    Args:
        name: the id of the new exercise.
        title: its title; made from the name if not given.
        after: the exercise or question that it follows; the last of its kind if not given.

    Returns:
        The files that were written.

    Raises:
        CourseError: there is no such lesson, the id cannot be used or is taken, there is nothing
            that it could follow, or the lesson has a mistake.
    """
    lesson = Lesson.load(course.lesson_path(course.known_lesson(stem)))
    if not EXERCISE_NAME.fullmatch(name):
        raise CourseError(
            f"{name!r} cannot be the id of an exercise: write words of small letters, joined by "
            "hyphens, such as the-basis, 30 letters at most"
        )
    taken = {cell.id for cell in lesson.cells} | {cell.exercise for cell in lesson.cells}
    for id in (name, f"{name}-test"):
        if id in taken:
            raise CourseError(f"{lesson.path.name} has an {id!r} already: take another name")
    title = _one_line(title or _as_title(name.removeprefix("q-")))
    cells = _filled("question" if question else "exercise", name, title)
    lines = lesson.path.read_text(encoding="utf-8").split("\n")
    place = _line_after(lesson, lines, after, question)
    lines[place:place] = ["", *cells.rstrip("\n").split("\n")]
    text = "\n".join(lines)
    Lesson.parse(text, lesson.path)
    write_text(lesson.path, text)
    return [lesson.path, *([] if question else _add_variants(course, stem, name))]


def _line_after(lesson: Lesson, lines: list[str], after: str | None, question: bool) -> int:
    """Return the index of the line behind an exercise's last cell."""
    if after is not None:
        exercise = lesson.exercise(after)
    else:
        same_kind = [item for item in lesson.exercises if item.manual == question]
        if not lesson.exercises:
            raise CourseError(f"{lesson.path.name} has no exercise yet that this could follow")
        exercise = (same_kind or lesson.exercises)[-1]
    last = lesson.cell(exercise.test_cell_id)
    starts = [cell.line for cell in lesson.cells if cell.line > last.line]
    place = starts[0] - 1 if starts else len(lines)
    while not lines[place - 1].strip():
        place -= 1
    return place


def _add_variants(course: Course, stem: str, name: str) -> list[Path]:
    """Put an exercise's right and wrong solutions into the lesson's catalogue, if there are any."""
    folder = course.root / "tests" / "variants"
    if not folder.is_dir():
        return []
    path, variants = folder / f"{stem}.py", _filled("variants", name)
    if path.is_file():
        begin = path.read_text(encoding="utf-8").rstrip() + "\n\nVARIANTS += [\n"
    else:
        begin = VARIANTS_HEAD
    write_text(path, f"{begin}{variants}]\n")
    return [path]


def _template(name: str) -> str:
    return (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")


def _filled(template: str, name: str, title: str = "") -> str:
    text = re.sub(r"\bFUNCTION\b", name.replace("-", "_"), _template(template))
    return re.sub(r"\bNAME\b", name, text).replace("TITLE", title.replace('"', '\\"'))


def _as_title(name: str) -> str:
    words = re.sub("[_-]", " ", name)
    return f"{words[0].upper()}{words[1:]}"


def _one_line(title: str) -> str:
    """Return a title; raise CourseError if it is empty or has several lines."""
    if not title.strip() or len(title.splitlines()) > 1:
        raise CourseError("a title is one line of text")
    return title.strip()
