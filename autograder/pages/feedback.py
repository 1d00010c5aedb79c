"""Write a feedback page for each graded submission, and pack the pages for handing out.

Each page is one file, feedback/<student>/<lesson>/<lesson>.html, that loads nothing. A submission
that could not be graded gets a page which says why and what to do. After marking by hand this
command writes all pages again, from the gradebook.
"""

from __future__ import annotations

import argparse
import itertools
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from nbgrader.utils import rmtree
from rich.console import Console
from rich.progress import track

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.marks.classlist import ClassList
from autograder.marks.dates import apply_class_list
from autograder.marks.gradebook import has_gradebook, open_api, read_class_marks, read_comments
from autograder.marks.options import add_assignment, add_gradebook, add_students
from autograder.marks.records import read_records
from autograder.marks.results import read_results
from autograder.marks.submitted import read_collected, submitted_students
from autograder.pages.page import graded_page, ungraded_page
from autograder.submissions.reading import read_bytes, read_notebook
from autograder.texts import listed, replaced, say, write_text

EXAMPLES = """examples:
  python -m autograder feedback                       write all pages again
  python -m autograder feedback --zip                 and pack them: feedback/<lesson>.zip
  python -m autograder feedback --zip pages.zip       and pack all of them into one file
  python -m autograder feedback --for moodle          and pack them for Moodle, or for canvas
"""
# The names of pages that a platform takes back in bulk.
PACKED = {
    "moodle": "{name}_{id}_assignsubmission_file_/{stem}.html",
    "canvas": "{name}_{id}_{number}_{stem}.html",
}
EXCHANGE_FILES = ("timestamp.txt", "submission_secret.txt")
# What some system takes for a part of a path, or forbids in a name.
_NO_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `feedback`."""
    parser.epilog = EXAMPLES
    add_assignment(parser, "every graded lesson")
    add_students(parser)
    add_gradebook(parser)
    parser.add_argument(
        "--zip",
        metavar="FILE",
        nargs="?",
        const="",
        help="also pack the pages, each as <student>_<lesson>.html, into this file (default: "
        "feedback/<lesson>.zip for each lesson)",
    )
    parser.add_argument(
        "--for",
        dest="platform",
        choices=PACKED,
        help="pack them as this platform takes them back in bulk: Moodle under `Upload multiple "
        "feedback files in a zip`, Canvas under `Upload submissions`",
    )


def run(args: argparse.Namespace) -> int:
    """Write the pages of everything that was graded; return 1 if some could not be written.

    Raises CourseError if nothing was graded or there is no such student.
    """
    course = Course.find()
    stems = [course.known_lesson(args.assignment)] if args.assignment else course.lessons()
    api = open_api(course, args.db)
    if has_gradebook(api):
        apply_class_list(api, ClassList(course))
    work = [
        (stem, student)
        for stem in stems
        for student in graded_students(api, course, stem)
        if not args.student or student in args.student
    ]
    for name in args.student or ():
        if name not in {student for _, student in work}:
            raise CourseError(
                f"nothing of {name!r} was graded: --student takes the name of a folder in "
                f"{course.submitted}"
            )
    if not work:
        raise CourseError("there is nothing to give feedback on: run `python -m autograder grade`")
    console = Console()
    written = []
    lessons = {stem: Lesson.load(course.lesson_path(stem)) for stem, _ in work}
    for stem, student in track(work, "feedback", console=Console(stderr=True)):
        problem = write_feedback(api, course, lessons[stem], student)
        if problem:
            say(console, f"{student}, {stem}: {problem}")
        else:
            written.append((stem, student))
    say(console, f"{len(written)} of {len(work)} pages written: {course.feedback}")
    zipped = "" if args.platform and args.zip is None else args.zip
    named = platform_names(course, written, args.platform)
    for path in pack_pages(course, written, zipped, named):
        say(console, f"packed: {path}")
    unnamed = [student for stem, student in written if named.get((stem, student)) == ""]
    if unnamed:
        say(
            console,
            f"Not packed, for it was not collected from {args.platform.capitalize()}, which has to "
            f"know the name of its own file: {listed(unnamed)}.",
        )
    return 0 if len(written) == len(work) and not unnamed else 1


def graded_students(api: NbGraderAPI, course: Course, stem: str) -> list[str]:
    """Return the students whose submission was graded, or found impossible to grade."""
    classes = ClassList(course)
    records = read_records(api, stem)
    names = set(records)
    names |= {path.parent.parent.name for path in course.autograded.glob(f"*/{stem}/{stem}.ipynb")}
    # Of whom the gradebook knows nothing any more, a person has taken out.
    there = set(submitted_students(course, stem))
    known = set(read_class_marks(api, stem, names))
    known |= {name for name in names & there if name in records and records[name].problem}
    return sorted(name for name in names & known if not classes.has_left(name))


def feedback_page(course: Course, stem: str, student: str) -> Path:
    """Return where a submission's page is."""
    return course.feedback / student / stem / f"{stem}.html"


def write_feedback(api: NbGraderAPI, course: Course, lesson: Lesson, student: str) -> str | None:
    """Write one submission's page; return None, or in one clause why there is none."""
    stem = lesson.stem
    record = read_records(api, stem, student).get(student)
    (result,) = read_results(api, lesson, [student])
    if record is not None and record.problem:
        text = ungraded_page(lesson, student, record.problem)
    elif not result.graded:
        return "it is not graded yet: run `python -m autograder grade`"
    else:
        try:
            notebook = read_notebook(course.autograded_notebook(student, stem))
        except CourseError:
            return "its graded notebook is missing or broken: grade the submission again"
        text = graded_page(
            lesson,
            notebook,
            result,
            comments=read_comments(api, stem, student),
            graded_at=datetime.fromisoformat(record.graded_at) if record else None,
            checksum=record.submitted if record else None,
        )
    page = feedback_page(course, stem, student)
    write_text(page, text)
    # What nbgrader's own feedback has copied there is not for handing out.
    for other in page.parent.iterdir():
        if other.is_dir():
            rmtree(other)
        elif other != page:
            other.unlink()
    copy_exchange_files(course.submitted_notebook(student, stem).parent, page.parent)
    return None


def copy_exchange_files(submission: Path, folder: Path) -> None:
    """Copy what `nbgrader release_feedback` needs beside a page, if nbgrader collected it."""
    for name in EXCHANGE_FILES:
        path = submission / name
        if path.is_symlink() or not path.is_file():
            continue
        with suppress(CourseError, UnicodeDecodeError):
            write_text(folder / name, read_bytes(path).decode("utf-8"))


def platform_names(
    course: Course, pages: Iterable[tuple[str, str]], platform: str | None
) -> dict[tuple[str, str], str]:
    """Return what a platform that takes pages back in bulk wants each of them to be called.

    It knows a page by what its own file was called, as collecting noted it: "" where that is not
    known. {} without a platform.
    """
    if platform is None:
        return {}
    records = read_collected(course)
    named: dict[tuple[str, str], str] = {}
    for stem, student in pages:
        record = records.get(f"{student}/{stem}", {})
        fits = record.get("platform") == platform
        match = re.fullmatch(r"(.+)_(\d+)", record["who"]) if fits else None
        if match is None or (platform == "canvas" and not record["number"]):
            named[stem, student] = ""
            continue
        # Canvas takes the first two numbers between _ for the student's and the file's.
        name = re.sub(r"_(?=\d+(_|$))", "-", match[1]) if platform == "canvas" else match[1]
        parts = {"name": name, "id": match[2], "number": record["number"], "stem": stem}
        named[stem, student] = PACKED[platform].format(**parts)
    return named


def pack_pages(
    course: Course,
    pages: Iterable[tuple[str, str]],
    file: str | None,
    named: Mapping[tuple[str, str], str] | None = None,
) -> list[Path]:
    """Pack written pages, given as lesson and student, and return the files made.

    `file` names one file for all of them, "" stands for one per lesson in feedback/, None for none.
    `named`: see platform_names. Raises CourseError if a file cannot be written.
    """
    if file is None:
        return []
    packs: dict[Path, list[tuple[str, str]]] = defaultdict(list)
    for stem, student in pages:
        if named and not named[stem, student]:
            continue
        packs[Path(file) if file else course.feedback / f"{stem}.zip"].append((stem, student))
    for path, chosen in packs.items():
        try:
            with replaced(path) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as pack:
                for name, (stem, student) in zip(pack_names(chosen), chosen, strict=True):
                    called = named[stem, student] if named else name
                    pack.write(feedback_page(course, stem, student), called)
        except OSError as error:
            raise CourseError(
                f"{path} cannot be written ({error.strerror}): choose another file with --zip"
            ) from error
    return list(packs)


def pack_names(pages: Iterable[tuple[str, str]]) -> list[str]:
    """Return a name in a pack for each page that every system can unpack, no two alike."""
    names: dict[str, str] = {}
    for stem, student in pages:
        plain = name = f"{_NO_NAME.sub('_', student)}_{stem}"
        numbers = itertools.count(2)
        while name.lower() in names:
            name = f"{plain} ({next(numbers)})"
        names[name.lower()] = f"{name}.html"
    return list(names.values())
