"""Build the instructor and student notebooks from the lessons' texts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from autograder.build.leaks import check_release
from autograder.build.notebooks import source_notebook, write_notebook
from autograder.build.pictures import require_all_named
from autograder.build.readme import update_links
from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError
from autograder.lesson import Lesson


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

    Raises CourseError if there is no lesson, a lesson has a mistake, its release gives something
    away, or no lesson shows one of the pictures.
    """
    lessons = [Lesson.load(course.lesson_path(stem)) for stem in course.lessons()]
    if not lessons:
        raise CourseError(f"no lessons in {course.notebooks}: write one, such as 01_title.py")
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Course(Path(folder).resolve())
        for lesson in lessons:
            source = scratch.source_notebook(lesson.stem)
            release = scratch.release_notebook(lesson.stem)
            write_notebook(source_notebook(lesson), source)
            generate_release(course, scratch, lesson.stem)
            check_release(release, lesson)
            for path in (source, release):
                text = path.read_text(encoding="utf-8")
                files[path.relative_to(scratch.root).as_posix()] = text.encode()
    require_all_named(course, "".join(cell.source for each in lessons for cell in each.cells))
    readme = course.root / "README.md"
    if readme.is_file():
        files["README.md"] = update_links(readme, course, lessons).encode()
    return files


def generate_release(course: Course, scratch: Course, stem: str) -> None:
    """Let nbgrader make a lesson's release in the course `scratch`, with the settings of `course`.

    Raises CourseError with nbgrader's log if it cannot.
    """
    # nbgrader takes a second to import; --help need not wait for it.
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells
    from nbgrader.utils import capture_log
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader(CONFIG_NAME, path=str(course.root)).load_config()
    config.CourseDirectory.root = str(scratch.root)
    # A release is a function of the lesson; nbgrader takes seconds to make a gradebook for it.
    config.GenerateAssignment.no_database = True
    steps = config.GenerateAssignment.preprocessors
    config.GenerateAssignment.preprocessors = [step for step in steps if step is not SaveCells]
    config.CourseDirectory.assignment_id = stem
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    result = capture_log(converter)
    if not result["success"]:
        raise CourseError(f"nbgrader could not make the release of {stem}:\n{result['log']}")
