"""Build the instructor and student notebooks from the lessons' texts."""

from __future__ import annotations

import argparse
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError
from autograder.leaks import check_release
from autograder.lesson import HIDE_TAG, Cell, Lesson
from autograder.watch import watch

LINKS_START = "<!-- links:start -->"
LINKS_END = "<!-- links:end -->"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
EXAMPLES = """examples:
  python -m autograder build            write source/, release/ and the tables in README.md
  python -m autograder build --check    change nothing; exit 1 if a generated file is out of date
  python -m autograder build --watch    build now and whenever a lesson is saved, until Ctrl-C
"""
_GRADES = {
    "readonly": {"grade": False, "locked": True, "solution": False},
    "solution": {"grade": False, "locked": False, "solution": True},
    "tests": {"grade": True, "locked": True, "solution": False},
    "answer": {"grade": True, "locked": False, "solution": True},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLES
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--check",
        action="store_true",
        help="compare with the files that are there instead of writing; exit 1 if any is stale",
    )
    how.add_argument(
        "--watch",
        action="store_true",
        help="go on: build again whenever a lesson is saved, and show its mistakes",
    )


def run(args: argparse.Namespace) -> int:
    """Build, or check; return the exit code."""
    course = Course.find()
    if args.check:
        stale = find_stale(course)
        for line in stale:
            print(line)
        count = len(course.lessons())
        print(f"{len(stale)} stale" if stale else f"all generated files of {count} lesson(s) fresh")
        return 1 if stale else 0
    if args.watch:
        return watch(course, build)
    for path in build(course):
        print(f"wrote {path.relative_to(course.root).as_posix()}")
    for stem in course.lessons():
        print(f"{stem}: source and release are up to date, and the release gives nothing away")
    return 0


def build(course: Course) -> list[Path]:
    """Bring all generated files up to date and return those that were written.

    Solutions are left to `render`. Nothing is written if a lesson or its release has a mistake.
    Raises CourseError for such a mistake, and for files among the generated ones that are not ours.
    """
    generated = generate(course)
    extra = find_extra(course, generated)
    if extra:
        raise CourseError(
            f"{', '.join(extra)}: not made by the build; move it away, for what lies in source/ is "
            "copied to release/ and so to students"
        )
    written = []
    for name, content in generated.items():
        path = course.root / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written.append(path)
    return written


def find_stale(course: Course) -> list[str]:
    """Return one line for each generated file that is missing, changed or superfluous."""
    # Imported here since render needs this module too.
    from autograder.render import find_stale_solutions

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


def find_extra(course: Course, generated: Iterable[str]) -> list[str]:
    """Return the files in source/ and release/ that the build does not make."""
    known = set(generated)
    names = [
        path.relative_to(course.root).as_posix()
        for folder in (course.source, course.release)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    ]
    return [name for name in names if name not in known]


def generate(course: Course) -> dict[str, bytes]:
    """Return all generated files, by their name relative to the course's folder.

    Works in a temporary folder, gradebook included, and checks the release for leaks. Raises
    CourseError if there is no lesson, a lesson has a mistake, or its release gives something away.
    """
    lessons = [Lesson.load(course.lesson_path(stem)) for stem in course.lessons()]
    if not lessons:
        raise CourseError(f"no lessons in {course.notebooks}: write one, such as 01_title.py")
    files = {}
    # Windows cannot delete the gradebook while a connection lingers.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Course(Path(folder).resolve())
        for lesson in lessons:
            write_notebook(source_notebook(lesson), made.source_notebook(lesson.stem))
            generate_release(course, made, lesson.stem)
            check_release(made.release_notebook(lesson.stem), lesson)
            for path in (made.source_notebook(lesson.stem), made.release_notebook(lesson.stem)):
                text = path.read_text(encoding="utf-8")
                files[path.relative_to(made.root).as_posix()] = text.encode()
    readme = course.root / "README.md"
    if readme.is_file():
        files["README.md"] = update_links(readme, course, lessons).encode()
    return files


def generate_release(course: Course, made: Course, stem: str) -> None:
    """Let nbgrader make `made`'s release of one lesson, with the settings of `course`.

    Raises CourseError with nbgrader's log if it cannot.
    """
    # nbgrader takes a second to import; --help need not wait for it.
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.utils import capture_log
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader(CONFIG_NAME, path=str(course.root)).load_config()
    config.CourseDirectory.root = str(made.root)
    config.CourseDirectory.db_url = made.gradebook_url
    config.CourseDirectory.assignment_id = stem
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    result = capture_log(converter)
    if not result["success"]:
        raise CourseError(f"nbgrader could not make the release of {stem}:\n{result['log']}")


def source_notebook(lesson: Lesson) -> NotebookNode:
    """Return the instructor notebook: nbgrader's metadata (schema 3), solutions, hidden tests.

    The notebook's own metadata name the lesson and its version, so that a submission tells which
    release it was made from.
    """
    notebook = new_notebook(lesson.cells, cell_ids(lesson))
    notebook.metadata["course"] = {"lesson": lesson.stem, "version": lesson.version}
    for cell, made in zip(lesson.cells, notebook.cells, strict=True):
        if cell.grade:
            marks = {**_GRADES[cell.grade], "grade_id": cell.id, "schema_version": 3, "task": False}
            if cell.points is not None:
                marks["points"] = cell.points
            made.metadata["nbgrader"] = marks
    return notebook


def new_notebook(cells: Sequence[Cell], ids: Sequence[str]) -> NotebookNode:
    """Return a notebook of `cells` with their tags, for the Python 3 kernel."""
    made = []
    for cell, id in zip(cells, ids, strict=True):
        make = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        one = make(cell.source, id=id)
        if cell.tags:
            one.metadata["tags"] = list(cell.tags)
        if HIDE_TAG in cell.tags:
            # JupyterLab's and Colab's own ways to fold the code away.
            one.metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
        made.append(one)
    metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    return nbformat.v4.new_notebook(cells=made, metadata=metadata, nbformat_minor=5)


def cell_ids(lesson: Lesson) -> list[str]:
    """Return an id for each cell: its own, or one made from the nearest heading and a count."""
    used = {cell.id for cell in lesson.cells if cell.id}
    counts: dict[str, int] = {}
    section = "start"
    ids = []
    for cell in lesson.cells:
        if cell.exercise and not cell.grade:
            section = slug(cell.exercise)
        elif cell.kind == "markdown" and (heading := re.search(r"^#+ (.*)$", cell.source, re.M)):
            section = slug(heading[1]) or section
        id = cell.id
        while id is None or (id in used and id != cell.id):
            counts[section] = counts.get(section, 0) + 1
            id = section if counts[section] == 1 else f"{section}-{counts[section]}"
        used.add(id)
        ids.append(id)
    return ids


def slug(text: str) -> str:
    """Return `text` as a part of an id: lower case, letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-")


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, with the same bytes on every system; raise if it is not valid."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


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
