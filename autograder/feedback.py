"""Write a feedback page for each graded submission.

nbgrader makes the pages of graded submissions. A submission that could not be graded gets a plain
page which says why and what to do.
"""

from __future__ import annotations

import argparse
import html
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from nbgrader.utils import rmtree
from rich.console import Console
from rich.progress import track

from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook import last_line, open_api
from autograder.records import read_record, read_records
from autograder.results import sentence, write_text

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{
  font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem;
}}
</style>
</head>
<body>
<h1>{title}</h1>
<p>This submission could not be graded. {reason}</p>
<h2>What to do</h2>
<ol>
<li>Open your notebook in Jupyter or Colab and choose Restart &amp; Run All; it should reach the
last cell.</li>
<li>Check it: <code>python -m autograder check {notebook}</code></li>
<li>Hand it in again under the name <code>{notebook}</code>, or ask your teacher.</li>
</ol>
</body>
</html>
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `feedback`."""
    parser.add_argument(
        "--assignment", metavar="LESSON", help="only this lesson (default: every graded lesson)"
    )
    parser.add_argument(
        "--student",
        metavar="NAME",
        action="append",
        help="only this student; may be given several times",
    )
    parser.add_argument(
        "--db",
        metavar="URL",
        help="gradebook to use (default: gradebook.db in the course folder)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the pages of everything that was graded; return 1 if some could not be written."""
    course = Course.find()
    stems = [course.check_lesson(args.assignment)] if args.assignment else course.lessons()
    api = open_api(course, args.db)
    work = [
        (stem, student)
        for stem in stems
        for student in graded_students(api, course, stem)
        if not args.student or student in args.student
    ]
    if not work:
        raise CourseError("there is nothing to give feedback on: run `python -m autograder grade`")
    console = Console()
    failed = 0
    for stem, student in track(work, "feedback", console=Console(stderr=True)):
        problem = write_feedback(api, course, stem, student)
        if problem:
            failed += 1
            console.print(f"{student}, {stem}: {problem}", markup=False)
    console.print(
        f"{len(work) - failed} of {len(work)} pages written: {course.feedback}", markup=False
    )
    return 1 if failed else 0


def graded_students(api: NbGraderAPI, course: Course, stem: str) -> list[str]:
    """Return the students whose submission was graded, or found impossible to grade."""
    names = set(read_records(api, stem))
    names |= {path.parent.parent.name for path in course.autograded.glob(f"*/{stem}/{stem}.ipynb")}
    return sorted(names)


def feedback_page(course: Course, stem: str, student: str) -> Path:
    """Return where a submission's page is."""
    return course.feedback / student / stem / f"{stem}.html"


def write_feedback(api: NbGraderAPI, course: Course, stem: str, student: str) -> str | None:
    """Write one submission's page; return None, or in one clause why there is none."""
    page = feedback_page(course, stem, student)
    record = read_record(api, stem, student)
    if record is not None and record.problem:
        if page.parent.exists():
            rmtree(page.parent)
        write_text(page, plain_page(stem, record.problem))
        return None
    result = api.generate_feedback(stem, student, force=True)
    if not result["success"]:
        error = last_line(result["error"])
        if error.startswith("KeyboardInterrupt"):
            raise KeyboardInterrupt
        return f"nbgrader could not make the page ({error}): grade the submission again"
    # nbgrader copies along every file that lay or was written beside the notebook.
    for path in page.parent.rglob("*"):
        if path.is_file() and path.suffix != ".html":
            path.unlink()
    return None


def plain_page(stem: str, reason: str) -> str:
    """Return the page for a submission that could not be graded."""
    return PAGE.format(
        title=html.escape(f"{stem}: not graded"),
        reason=html.escape(sentence(reason)),
        notebook=html.escape(f"{stem}.ipynb"),
    )
