"""Grade everything in submitted/, whatever it holds, and write grades.csv and feedback.

nbgrader does the marking, in the gradebook it always uses. What is added here: no submission stops
the others, unchanged ones are not graded twice, and whatever a person has to look at is said in
one sentence each, in the table and in grades.csv.
"""

from __future__ import annotations

import argparse
import glob
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import rmtree
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.build import source_notebook
from autograder.course import Course
from autograder.errors import CourseError
from autograder.feedback import feedback_page, write_feedback
from autograder.gradebook import (
    autograde,
    database_name,
    last_line,
    open_api,
    prepare_assignment,
    read_marks,
    withdraw_marks,
)
from autograder.lesson import Lesson
from autograder.nbgrader_plugins import GradingExecute
from autograder.results import (
    Record,
    Result,
    collect,
    grades_csv,
    is_complete,
    print_results,
    read_record,
    write_record,
    write_text,
)
from autograder.sandbox import find_bwrap
from autograder.submissions import message, read_notebook, shared_cells

SYNTAX_ERRORS = {"SyntaxError", "IndentationError", "TabError"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `grade`."""
    parser.add_argument(
        "--assignment",
        metavar="LESSON",
        help="grade only this lesson (default: every lesson that has submissions)",
    )
    parser.add_argument(
        "--student",
        metavar="NAME",
        action="append",
        help="grade only this student's folder in submitted/; may be given several times",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="grade again what was graded and has not changed since",
    )
    add_gradebook_argument(parser)
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=positive,
        help="time one cell may take (default: as in nbgrader_config.py)",
    )
    parser.add_argument(
        "--seed",
        metavar="NUMBER",
        type=whole,
        help="decides the inputs of the hidden tests; grades.csv says which one earlier marks come "
        "from (default: as in nbgrader_config.py, else the course folder's own)",
    )
    parser.add_argument(
        "--sandbox",
        action="store_true",
        help="run submissions in a sandbox and judge them outside their process (Linux only; needs "
        "the package bubblewrap); feedback then has no pictures yet",
    )


def add_gradebook_argument(parser: argparse.ArgumentParser) -> None:
    """Declare --db."""
    parser.add_argument(
        "--db",
        metavar="URL",
        help="gradebook to use, for example sqlite:////home/me/gradebook.db "
        "(default: gradebook.db in the course folder)",
    )


def positive(text: str) -> int:
    """Return a whole number above zero, for argparse."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def whole(text: str) -> int:
    """Return a whole number, zero or above, for argparse."""
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def run(args: argparse.Namespace) -> int:
    """Grade, print the table and where everything is; return 1 if nothing could be graded."""
    course = Course.find()
    stems = [course.check_lesson(args.assignment)] if args.assignment else submitted_lessons(course)
    results = []
    for stem in stems:
        names = chosen_students(course, stem, args.student)
        results += grade_with_progress(
            course,
            stem,
            names,
            force=args.force,
            db_url=args.db,
            timeout=args.timeout,
            seed=args.seed,
            sandbox=args.sandbox,
        )
    return report(course, results, args.db)


def grade_with_progress(
    course: Course,
    stem: str,
    students: Sequence[str],
    *,
    force: bool = False,
    db_url: str | None = None,
    timeout: int | None = None,
    seed: int | None = None,
    sandbox: bool = False,
) -> list[Result]:
    """Grade submissions of one lesson (see `grade_lesson`) and show how far it is."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[student]}", markup=False),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task(f"grading {stem}", total=len(students), student="")
        results = grade_lesson(
            course,
            stem,
            students=students,
            force=force,
            db_url=db_url,
            timeout=timeout,
            seed=seed,
            sandbox=sandbox,
            on_start=lambda student: progress.update(task, student=student),
            on_end=lambda student: progress.advance(task),
        )
        progress.update(task, student="")
    return results


def report(course: Course, results: Sequence[Result], db_url: str | None = None) -> int:
    """Print a table per lesson and where everything is; return 1 if nothing could be graded."""
    console = Console()
    for stem in dict.fromkeys(result.assignment for result in results):
        rows = [result for result in results if result.assignment == stem]
        print_results(console, rows, Lesson.load(course.lesson_path(stem)))
    skipped = [result.student for result in results if result.skipped]
    if skipped:
        names = ", ".join(dict.fromkeys(skipped))
        say(console, f"Not graded again, because nothing changed: {names} (--force grades again).")
    graded = sum(result.graded for result in results)
    say(console, f"\n{graded} of {len(results)} submissions graded.")
    say(console, f"  marks      {course.root / 'grades.csv'}")
    say(console, f"  feedback   {course.feedback}")
    say(console, f"  gradebook  {database_name(open_api(course, db_url))}")
    return 0 if graded else 1


def say(console: Console, text: str) -> None:
    """Print a line that may hold paths and names as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def grade_lesson(
    course: Course,
    stem: str,
    *,
    students: Sequence[str] | None = None,
    force: bool = False,
    db_url: str | None = None,
    timeout: int | None = None,
    seed: int | None = None,
    sandbox: bool = False,
    on_start: Callable[[str], object] = lambda student: None,
    on_end: Callable[[str], object] = lambda student: None,
) -> list[Result]:
    """Grade the submissions of one lesson; return a result for each of the students.

    Marks, record and feedback page of a submission are written before the next one is begun, so an
    interrupted run goes on where it stopped; grades.csv is written at the end, or when interrupted.
    `on_start` and `on_end` are called with each student's name. Raises CourseError if the lesson
    cannot be graded at all.
    """
    lesson = Lesson.load(course.lesson_path(stem))
    source_sum = check_built(course, lesson)
    release = read_notebook(course.release_notebook(stem))
    students = chosen_students(course, stem, students)
    if sandbox:
        find_bwrap()
    api = open_api(course, db_url, timeout, seed, sandbox)
    seed, private_sum = prepare_hidden_tests(api, course, stem)
    prepare_assignment(api, stem)
    skipped = set()
    try:
        for student in students:
            on_start(student)
            submitted_sum = checksum(course.submitted_notebook(student, stem).parent)
            basis = (submitted_sum, source_sum, seed, private_sum)
            if not force and _is_graded(api, course, lesson, student, basis):
                skipped.add(student)
                if not feedback_page(course, stem, student).is_file():
                    write_feedback(api, course, stem, student)
            else:
                started = time.monotonic()
                problem, notes, log = grade_one(api, course, release, stem, student)
                record = Record(
                    submitted=submitted_sum,
                    source=source_sum,
                    seed=seed,
                    private=private_sum,
                    graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
                    seconds=round(time.monotonic() - started, 1),
                    problem=problem,
                    notes=notes,
                    log=log,
                )
                write_record(course, stem, student, record)
                write_feedback(api, course, stem, student)
            on_end(student)
    finally:
        write_grades(api, course)
    return collect(api, course, lesson, students, frozenset(skipped))


def grade_one(
    api: NbGraderAPI, course: Course, release: NotebookNode, stem: str, student: str
) -> tuple[str | None, list[str], str | None]:
    """Grade one submission of the lesson with that release.

    Returns why it could not be graded (or None), what a person should know about it, and nbgrader's
    log if nbgrader gave it up.
    """
    log = None
    problem = unreadable(course, release, stem, student)
    if problem is None:
        log = autograde(api, stem, student)
        problem = _explain(log) if log else None
    if problem is not None:
        # What an earlier version of this submission earned must not be taken for its marks.
        withdraw_marks(api, stem, student)
        leftover = course.autograded / student / stem
        if leftover.exists():
            rmtree(leftover)
        return problem, [], log
    executed = read_notebook(autograded_notebook(course, stem, student))
    return None, remarks(executed), None


def check_built(course: Course, lesson: Lesson) -> str:
    """Return the checksum of the lesson's source notebook.

    Raises CourseError if it is not what the lesson's text gives now: marks for exercises and tests
    of another version would be wrong without a sign of it.
    """
    source, release = course.source_notebook(lesson.stem), course.release_notebook(lesson.stem)
    fresh = nbformat.writes(source_notebook(lesson)) + "\n"
    if not source.is_file() or not release.is_file() or source.read_text(encoding="utf-8") != fresh:
        raise CourseError(
            f"the notebooks of {lesson.stem} are not what its text gives now: run "
            "`python -m autograder build` and grade again"
        )
    return hashlib.sha256(source.read_bytes()).hexdigest()


def prepare_hidden_tests(api: NbGraderAPI, course: Course, stem: str) -> tuple[int, str | None]:
    """Return the seed of this run and the checksum of the lesson's private tests, if it has any.

    Raises CourseError if the private tests hold a mistake.
    """
    execute = GradingExecute(config=api.config)
    folder = execute.checked_private_tests(course, stem)
    path = folder / f"{stem}.py" if folder else None
    private_sum = hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else None
    return execute.chosen_seed(course), private_sum


def autograded_notebook(course: Course, stem: str, student: str) -> Path:
    """Return where nbgrader puts the executed copy of a submission."""
    return course.autograded / student / stem / f"{stem}.ipynb"


def unreadable(course: Course, release: NotebookNode, stem: str, student: str) -> str | None:
    """Return why a submission cannot even be opened, in one clause, or None if it can."""
    path = course.submitted_notebook(student, stem)
    if glob.has_magic(student):
        return "nbgrader cannot find a folder with *, ? or [ in its name: rename the folder"
    if not path.parent.is_dir():
        return f"the folder holds no folder {stem}: put {path.name} into one"
    if not path.is_file():
        others = sorted(other.name for other in path.parent.glob("*.ipynb"))
        if not others:
            return f"no notebook was handed in: {path.name} is missing"
        return f"there is no {path.name}, but there is {others[0]}: rename it if it is the one"
    try:
        notebook = read_notebook(path)
    except CourseError as error:
        return str(error)
    if not shared_cells(notebook, release):
        return f"the file {path.name} holds no cell of this lesson: it may belong to another one"
    return None


def remarks(executed: NotebookNode) -> list[str]:
    """Return what a person should know about a graded submission, one sentence each.

    That is what was mended before grading (`course_notes`), cells that took too long, cells that
    are not valid Python, and where Python itself was lost.
    """
    found = [str(note) for note in executed.metadata.get("course_notes", [])]
    lost = False
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.output_type != "error":
                continue
            if output.ename == "CellTimeoutError":
                found.append(f"The cell {cell.id} took too long and was stopped.")
            elif output.ename in SYNTAX_ERRORS:
                found.append(f"The cell {cell.id} is not valid Python: {message(output)}.")
            elif output.ename == "KernelLost" and not lost:
                lost = True
                found.append(f"Nothing after the cell {cell.id} was run: {output.evalue}")
    return found


def write_grades(api: NbGraderAPI, course: Course) -> None:
    """Write grades.csv for everything in submitted/, graded in this run or before."""
    results = []
    for stem in submitted_lessons(course):
        lesson = Lesson.load(course.lesson_path(stem))
        results += collect(api, course, lesson, submitted_students(course, stem))
    write_text(course.root / "grades.csv", grades_csv(results))


def submitted_lessons(course: Course) -> list[str]:
    """Return the lessons that have submissions; raise CourseError if there are none."""
    stems = [stem for stem in course.lessons() if submitted_students(course, stem)]
    if not stems:
        raise CourseError(
            f"there is nothing to grade: put notebooks into {course.submitted} as "
            "<student>/<lesson>/<lesson>.ipynb"
        )
    return stems


def submitted_students(course: Course, stem: str) -> list[str]:
    """Return the names of the folders in submitted/ that stand for a submission of the lesson.

    A student's folder without a folder of any lesson counts as well: something went wrong there
    that somebody must hear about.
    """
    if not course.submitted.is_dir():
        return []
    lessons = set(course.lessons())
    names = []
    for folder in sorted(course.submitted.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            held = {entry.name for entry in folder.iterdir() if entry.is_dir()} & lessons
            if stem in held or not held:
                names.append(folder.name)
    return names


def chosen_students(course: Course, stem: str, students: Iterable[str] | None) -> list[str]:
    """Return the students to grade; raise CourseError for one who has no folder."""
    known = submitted_students(course, stem)
    if students is None:
        return known
    for student in students:
        if student not in known:
            raise CourseError(
                f"{student!r} has submitted nothing for {stem}: --student takes the name of a "
                f"folder in {course.submitted}"
            )
    return list(students)


def checksum(folder: Path) -> str:
    """Return a checksum of all files in a folder, their names included."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
            digest.update(path.relative_to(folder).as_posix().encode())
    return digest.hexdigest()


def _is_graded(
    api: NbGraderAPI, course: Course, lesson: Lesson, student: str, basis: tuple
) -> bool:
    record = read_record(course, lesson.stem, student)
    if record is None or record.problem:
        return False
    if (record.submitted, record.source, record.seed, record.private) != basis:
        return False
    if not autograded_notebook(course, lesson.stem, student).is_file():
        return False
    return is_complete(read_marks(api, lesson.stem, student), lesson)


def _explain(log: str) -> str:
    """Return in one clause why nbgrader gave a submission up."""
    errors = [line for line in log.splitlines() if "Error" in line or "Exception" in line]
    # nbgrader's own closing words name no cause; the exception it met before them does.
    cause = next((line for line in errors if "[ERROR]" not in line), last_line(log))
    return f"nbgrader could not grade it ({cause.strip()}): see its log in autograded/.records"
