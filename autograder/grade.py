"""Grade everything in submitted/, whatever it holds, and write grades.csv and feedback.

Each submission runs in a sandbox and is judged outside of it. No submission stops the others,
unchanged ones are not graded twice, and whatever a person has to look at is said in one sentence
each, in the table and in grades.csv.
"""

from __future__ import annotations

import argparse
import glob
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import rmtree
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder import executors
from autograder.assess import Assessment, Assignment, How, assess
from autograder.build import source_notebook
from autograder.course import Course
from autograder.errors import CourseError
from autograder.feedback import feedback_page, write_feedback
from autograder.gradebook import (
    course_limits,
    database_name,
    keep_settled,
    open_api,
    prepare_assignment,
    read_marks,
    save_marks,
    withdraw_marks,
)
from autograder.lesson import Lesson
from autograder.nbgrader_plugins import GradingExecute
from autograder.records import Record, read_records, write_record
from autograder.results import (
    Result,
    collect,
    grades_csv,
    is_complete,
    maximum,
    number,
    print_results,
    printable,
    write_text,
)
from autograder.safe import name_problem
from autograder.sandbox import find_bwrap
from autograder.submissions import Submission, read_submission, shown


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
        "--jobs",
        metavar="NUMBER",
        type=positive,
        default=executors.cores(),
        help="how many submissions are graded at once (default: one per processor, %(default)s)",
    )
    parser.add_argument(
        "--executor",
        metavar="WHERE",
        default=executors.LOCAL,
        help="where submissions are graded: 'local' (the default), or the address of a Dask "
        "scheduler, for example tcp://10.0.0.1:8786",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="start a new Python for each submission instead of forking a warm one (slower)",
    )
    parser.add_argument(
        "--no-sandbox",
        dest="sandbox",
        action="store_false",
        help="let submissions do whatever you may do on this machine: only if you trust them all",
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
    """Return a whole number above zero, for argparse; raises ValueError for any other text."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def whole(text: str) -> int:
    """Return a whole number, zero or above, for argparse; raises ValueError otherwise."""
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def run(args: argparse.Namespace) -> int:
    """Grade, print the table and where everything is; return 1 if nothing could be graded."""
    course = Course.find()
    stems = [course.check_lesson(args.assignment)] if args.assignment else submitted_lessons(course)
    chosen = chosen_submissions(course, stems, args.student)
    names = ("force", "timeout", "seed", "sandbox", "jobs", "executor")
    options = {name: getattr(args, name) for name in names}
    results = []
    for stem, students in chosen.items():
        results += grade_with_progress(
            course, stem, students, db_url=args.db, forked=not args.fresh, **options
        )
    return report(course, results, args.db)


def grade_with_progress(
    course: Course, stem: str, students: Sequence[str], **options: object
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
            on_start=lambda student: progress.update(task, student=student),
            on_end=lambda student: progress.advance(task),
            **options,
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
    changed = [result for result in results if result.changes]
    if changed:
        say(console, "Points from tests that are not what they were when graded before:")
    for result in changed:
        say(console, f"    {printable(result.student)}: {', '.join(result.changes)}")
    for folder in sorted(course.submitted.iterdir()):
        if not is_text(folder.name):
            say(console, f"The folder {shown(folder.name)} is left out: rename it, in UTF-8.")
    graded = sum(result.graded for result in results)
    say(console, f"\n{graded} of {len(results)} submissions graded.")
    say(console, f"  marks      {course.root / 'grades.csv'}")
    say(console, f"  feedback   {course.feedback}")
    say(console, f"  gradebook  {database_name(open_api(course, db_url))}")
    say(console, f"  log        {log_path(course)}")
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
    sandbox: bool = True,
    forked: bool = True,
    jobs: int = 1,
    executor: str = executors.LOCAL,
    on_start: Callable[[str], object] = lambda student: None,
    on_end: Callable[[str], object] = lambda student: None,
) -> list[Result]:
    """Grade the submissions of one lesson; return a result for each of the students.

    Marks, feedback page and record of a submission are written as soon as it is graded, so an
    interrupted run goes on where it stopped; grades.csv is written at the end, or when interrupted.
    `on_start` and `on_end` are called with each student's name. Raises CourseError if the lesson
    cannot be graded at all.
    """
    lesson = Lesson.load(course.lesson_path(stem))
    check_built(course, lesson)
    students = chosen_submissions(course, [stem], students)[stem]
    if sandbox and executor == executors.LOCAL:
        find_bwrap()
    api = open_api(course, db_url, timeout, seed)
    seed, private = prepare_hidden_tests(api, course, stem)
    assignment = read_assignment(course, stem, private)
    limits = course_limits(api)
    how = How(sandbox, forked, str(course.data.resolve()))
    prepare_assignment(api, stem)
    earlier = read_records(api, stem)
    writer = Writer(api, course, lesson, assignment, seed, earlier)
    known = {} if force else earlier
    skipped: set[str] = set()

    def tasks() -> Iterator[tuple[str, tuple]]:
        for student in students:
            try:
                submission = read(course, stem, student)
            except CourseError as error:
                writer.give_up(student, str(error))
                on_end(student)
                continue
            if student in known and writer.is_graded(student, known[student], submission.data):
                skipped.add(student)
                if not feedback_page(course, stem, student).is_file():
                    write_feedback(api, course, stem, student)
                on_end(student)
            else:
                yield student, (submission, assignment, seed, limits, how)

    try:
        with executors.open_executor(executor, min(jobs, len(students) or 1)) as where:
            for student, found in executors.results(where, assess, tasks(), on_start):
                writer.write(student, found)
                on_end(student)
    finally:
        write_grades(api, course)
    results = collect(api, course, lesson, students, frozenset(skipped))
    return [
        replace(result, earlier=earlier[result.student].verdicts)
        if result.student in earlier
        else result
        for result in results
    ]


class Writer:
    """Writes down what grading gave, one submission at a time, each file whole or not at all.

    The record comes before the page, which is removed first: a run that is killed in between finds
    what is missing.
    """

    def __init__(
        self,
        api: NbGraderAPI,
        course: Course,
        lesson: Lesson,
        assignment: Assignment,
        seed: int,
        earlier: Mapping[str, Record],
    ) -> None:
        self.earlier = earlier
        self.api, self.course, self.lesson, self.seed = api, course, lesson, seed
        self.stem, self.version = lesson.stem, assignment.version
        self.private = _sum(assignment.private.encode()) if assignment.private is not None else ""

    def is_graded(self, student: str, record: Record, data: bytes) -> bool:
        """Return whether the record's marks are those that `data` would get now."""
        basis = (_sum(data), self.timestamp(student), self.version, self.seed, self.private)
        if record.problem or record.basis != basis:
            return False
        if not autograded_notebook(self.course, self.stem, student).is_file():
            return False
        return is_complete(read_marks(self.api, self.stem, student), self.lesson)

    def timestamp(self, student: str) -> str:
        """Return what the submission's timestamp.txt says, "" if there is none."""
        path = self.course.submitted_notebook(student, self.stem).with_name("timestamp.txt")
        with suppress(OSError, ValueError):
            if path.is_file() and not path.is_symlink():
                return path.read_text(encoding="utf-8").strip()[:100]
        return ""

    def write(self, student: str, found: Assessment | BaseException) -> None:
        """Write down what grading gave; raise what stops all grading."""
        if isinstance(found, executors.Lost):
            self.give_up(student, f"the grader itself was stopped by it ({found})")
        elif isinstance(found, BaseException):
            raise found
        elif found.problem:
            self.give_up(student, found.problem, found)
        else:
            self.accept(student, found)

    def accept(self, student: str, found: Assessment) -> None:
        """Write down marks."""
        self._begin(student)
        write_text(autograded_notebook(self.course, self.stem, student), found.notebook)
        executed = nbformat.reads(found.notebook, as_version=4)
        record = self.earlier.get(student)
        unchanged = record is not None and not record.problem and record.submitted == found.checksum
        before = read_marks(self.api, self.stem, student) if unchanged else {}
        late = save_marks(self.api, self.stem, student, executed, self.timestamp(student))
        if before:
            keep_settled(self.api, self.stem, student, before)
        marks = read_marks(self.api, self.stem, student)
        verdicts = {
            exercise.id: marks[exercise.test_cell_id].auto
            for exercise in self.lesson.exercises
            if not exercise.manual
        }
        self._end(student, found, notes=[*found.notes, *late], verdicts=verdicts)

    def give_up(self, student: str, problem: str, found: Assessment | None = None) -> None:
        """Write down why there are no marks, and take back those of an earlier version."""
        self._begin(student)
        withdraw_marks(self.api, self.stem, student)
        leftover = self.course.autograded / student / self.stem
        if leftover.exists():
            rmtree(leftover)
        if found is None:
            found = Assessment("", self.version, self.seed)
        self._end(student, found, problem=problem)

    def _begin(self, student: str) -> None:
        feedback_page(self.course, self.stem, student).unlink(missing_ok=True)

    def _end(self, student: str, found: Assessment, **rest: object) -> None:
        record = Record(
            submitted=found.checksum,
            submitted_at=self.timestamp(student),
            version=found.version,
            seed=found.seed,
            private=self.private,
            graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=found.seconds.get("in all", 0),
            limits=list(found.limits),
            **rest,
        )
        write_record(self.api, self.stem, student, record)
        self._log(student, record)
        write_feedback(self.api, self.course, self.stem, student)

    def _log(self, student: str, record: Record) -> None:
        path = log_path(self.course)
        path.parent.mkdir(parents=True, exist_ok=True)
        points = number(sum(record.verdicts.values()))
        most = number(maximum(self.lesson.exercises, auto_only=True))
        marks = record.problem or f"{points} of {most} automatic points"
        facts = [f"{record.seconds:.1f} s", f"lesson {record.version}", f"seed {record.seed}"]
        facts += [f"notebook {record.submitted[:12]}"] if record.submitted else []
        facts += [f"limit hit: {limit}" for limit in record.limits]
        line = f"{record.graded_at}  {self.stem}  {student}: {marks} ({', '.join(facts)})"
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(printable(line) + "\n")


def log_path(course: Course) -> Path:
    """Return the log of all grading in a course folder."""
    return course.autograded / "grading.log"


def check_built(course: Course, lesson: Lesson) -> None:
    """Raise CourseError if the lesson's source notebook is not what its text gives now.

    Marks for exercises and tests of another version would be wrong without a sign of it.
    """
    source, release = course.source_notebook(lesson.stem), course.release_notebook(lesson.stem)
    fresh = nbformat.writes(source_notebook(lesson)) + "\n"
    if not source.is_file() or not release.is_file() or source.read_text(encoding="utf-8") != fresh:
        raise CourseError(
            f"the notebooks of {lesson.stem} are not what its text gives now: run "
            "`python -m autograder build` and grade again"
        )


def prepare_hidden_tests(api: NbGraderAPI, course: Course, stem: str) -> tuple[int, str | None]:
    """Return the seed of this run and the text of the lesson's private tests, if it has any.

    Raises CourseError if the private tests hold a mistake.
    """
    execute = GradingExecute(config=api.config)
    folder = execute.checked_private_tests(course, stem)
    path = folder / f"{stem}.py" if folder else None
    private = path.read_text(encoding="utf-8") if path and path.is_file() else None
    return execute.chosen_seed(course), private


def read_assignment(course: Course, stem: str, private: str | None = None) -> Assignment:
    """Return a lesson as the grader needs it."""
    paths = {one: course.release_notebook(one) for one in course.lessons() if one != stem}
    return Assignment(
        Lesson.load(course.lesson_path(stem)),
        source=course.source_notebook(stem).read_text(encoding="utf-8"),
        release=course.release_notebook(stem).read_text(encoding="utf-8"),
        private=private,
        others={
            one: path.read_text(encoding="utf-8") for one, path in paths.items() if path.is_file()
        },
    )


def autograded_notebook(course: Course, stem: str, student: str) -> Path:
    """Return where the executed copy of a submission is, as nbgrader expects it."""
    return course.autograded / student / stem / f"{stem}.ipynb"


def read(course: Course, stem: str, student: str) -> Submission:
    """Return what a student handed in; raise CourseError with one clause if it cannot be read."""
    if glob.has_magic(student):
        raise CourseError("nbgrader cannot find a folder with *, ? or [ in its name: rename it")
    problem = name_problem(student)
    if problem:
        raise CourseError(problem)
    return read_submission(course.submitted_notebook(student, stem).parent, stem)


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
        hidden = folder.name.startswith(".") or not is_text(folder.name)
        if folder.is_symlink() and not hidden:  # not followed, and said so
            names.append(folder.name)
        elif folder.is_dir() and not hidden:
            held: set[str] = set()
            with suppress(OSError):  # reading the submission says why it cannot be read
                held = {entry.name for entry in folder.iterdir() if entry.is_dir()} & lessons
            if stem in held or not held:
                names.append(folder.name)
    return names


def is_text(name: str) -> bool:
    """Return whether a file's name is text; on Linux it can be any bytes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def chosen_submissions(
    course: Course, stems: Sequence[str], students: Sequence[str] | None
) -> dict[str, list[str]]:
    """Return whom to grade in each lesson: everybody, or those of the students who are there.

    Raises CourseError for a student who has submitted nothing for any of the lessons.
    """
    known = {stem: submitted_students(course, stem) for stem in stems}
    if students is None:
        return known
    for student in students:
        if not any(student in names for names in known.values()):
            raise CourseError(
                f"{student!r} has submitted nothing for {' or '.join(stems)}: --student takes the "
                f"name of a folder in {course.submitted}"
            )
    chosen = {stem: [one for one in students if one in names] for stem, names in known.items()}
    return {stem: names for stem, names in chosen.items() if names}


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
