"""Grade everything in submitted/, whatever it holds, and write grades.csv and feedback.

Each submission runs in a sandbox and is judged outside of it. No submission stops the others,
unchanged ones are not graded twice, and whatever a person has to look at is said in one sentence
each, in the table and in grades.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import executors
from autograder.grading.model import Assessment
from autograder.grading.plan import GradeOptions, Plan, make_plan, require_ready
from autograder.grading.writer import MarksWriter, log_path, write_grades
from autograder.lesson import Lesson
from autograder.lesson.code import modules_imported
from autograder.marks.classlist import ClassList
from autograder.marks.gradebook import database_name, open_api
from autograder.marks.options import add_assignment, add_gradebook, add_students
from autograder.marks.records import present_version, read_records
from autograder.marks.results import (
    MARKED,
    Result,
    of_other_tests,
    print_results,
    read_results,
)
from autograder.marks.submitted import (
    chosen_submissions,
    submitted_lessons,
    submitted_students,
)
from autograder.pages.feedback import feedback_page, write_feedback
from autograder.texts import is_text, listed, printable, say, shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `grade`."""
    add_assignment(parser, "every lesson that has submissions")
    add_students(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="grade again what was graded and has not changed since",
    )
    add_gradebook(parser)
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
        dest="forked",
        action="store_false",
        help="start a new Python for each submission, without forking a warm one: as safe, slower",
    )
    parser.add_argument(
        "--no-sandbox",
        dest="sandbox",
        action="store_false",
        help="let submissions do whatever you may do on this machine: only if you trust them all",
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
    stems = [course.known_lesson(args.assignment)] if args.assignment else submitted_lessons(course)
    names = ("force", "timeout", "seed", "sandbox", "forked", "jobs", "executor")
    options = GradeOptions(db_url=args.db, **{name: getattr(args, name) for name in names})
    results = []
    for stem, students in chosen_submissions(course, stems, args.student).items():
        results += grade_with_progress(course, stem, replace(options, students=students))
    status = report(course, results, args.db)
    for sentence in others_with_other_tests(course, results, args.db):
        say(Console(), sentence)
    return status


def others_with_other_tests(
    course: Course, results: Sequence[Result], db_url: str | None
) -> list[str]:
    """Return in sentences whose marks come from other tests than those of this run."""
    api, said = open_api(course, db_url), []
    for stem in dict.fromkeys(result.assignment for result in results):
        everybody = submitted_students(course, stem)
        if len(everybody) > sum(result.assignment == stem for result in results):
            lesson = Lesson.load(course.lesson_path(stem))
            said += of_other_tests(
                read_results(api, lesson, everybody), present_version(course, stem)
            )
    return said


def grade_with_progress(course: Course, stem: str, options: GradeOptions) -> list[Result]:
    """Grade submissions of one lesson (see `grade_lesson`) and show how far it is."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[student]}", markup=False),
        console=Console(stderr=True),
    ) as progress:
        total = len(options.students) if options.students is not None else None
        task = progress.add_task(f"grading {stem}", total=total, student="")
        results = grade_lesson(
            course,
            stem,
            options,
            on_start=lambda student: progress.update(task, student=student),
            on_end=lambda student: progress.advance(task),
        )
        progress.update(task, student="")
    return results


def report(course: Course, results: Sequence[Result], db_url: str | None = None) -> int:
    """Print a table per lesson and where everything is; return 1 if nothing could be graded."""
    console = Console()
    for stem in dict.fromkeys(result.assignment for result in results):
        print_results(console, [result for result in results if result.assignment == stem])
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
    classes = ClassList(course)
    for stem in dict.fromkeys(result.assignment for result in results):
        students = submitted_students(course, stem)
        if absent := classes.without_work(students):
            say(console, f"In the class list, but without a submission: {listed(absent)} ({stem}).")
        if strangers := classes.strangers(students):
            say(console, f"Not in the class list: {listed(strangers)} ({stem}).")
    for result in results:
        if result.late:
            how = result.late if result.late == MARKED else f"by {result.late}"
            say(console, f"Late, {how}: {printable(result.student)}, {result.assignment}.")
    graded = sum(result.graded for result in results)
    say(console, f"\n{graded} of {len(results)} submissions graded.")
    say(console, f"  marks      {course.root / 'grades.csv'}")
    say(console, f"  feedback   {course.feedback}")
    say(console, f"  gradebook  {database_name(open_api(course, db_url))}")
    say(console, f"  log        {log_path(course)}")
    return 0 if graded else 1


def grade_lesson(
    course: Course,
    stem: str,
    options: GradeOptions | None = None,
    *,
    on_start: Callable[[str], object] = lambda student: None,
    on_end: Callable[[str], object] = lambda student: None,
) -> list[Result]:
    """Grade the submissions of one lesson; return a result for each of the students.

    Marks, feedback page and record of a submission are written as soon as it is graded, so an
    interrupted run goes on where it stopped; grades.csv is written at the end, or when interrupted.
    `on_start` and `on_end` are called with each student's name. Raises CourseError if the lesson
    cannot be graded at all.
    """
    options = options or GradeOptions()
    lesson = Lesson.load(course.lesson_path(stem))
    require_ready(course, lesson, options)
    students = chosen_submissions(course, [stem], options.students)[stem]
    jobs = min(options.jobs, len(students) or 1)
    modules = ("autograder.grading.assess", *modules_imported(lesson))
    with executors.open_executor(options.executor, jobs, modules) as executor:
        if not all(course.autograded_notebook(each, stem).is_file() for each in students):
            executor.begin()
        plan = make_plan(course, lesson, options, students)
        return grade_in(executor, plan, options.force, on_start, on_end)


def grade_in(
    executor: executors.Anywhere,
    plan: Plan,
    force: bool,
    on_start: Callable[[str], object],
    on_end: Callable[[str], object],
) -> list[Result]:
    """Do in an executor what is planned; see `grade_lesson`."""
    course, lesson, stem = plan.course, plan.lesson, plan.lesson.stem
    earlier = read_records(plan.api, stem)
    writer = MarksWriter(plan, earlier)
    skipped: set[str] = set()

    def tasks() -> Iterator[tuple[str, tuple]]:
        for student in plan.students:
            try:
                submission = plan.submission(student)
            except CourseError as error:
                writer.give_up(student, str(error))
                on_end(student)
                continue
            record = None if force else earlier.get(student)
            if record is not None and writer.is_graded(student, record, submission.data):
                skipped.add(student)
                if not feedback_page(course, stem, student).is_file():
                    write_feedback(plan.api, course, lesson, student)
                on_end(student)
            else:
                yield student, (submission, plan.assignment, plan.seed, plan.limits, plan.how)

    try:
        for student, graded in executors.results(executor, assess, tasks(), on_start):
            writer.write(student, graded)
            on_end(student)
    finally:
        write_grades(plan.api, course, lesson)
    results = read_results(plan.api, lesson, plan.students, frozenset(skipped))
    before = {student: record.verdicts for student, record in earlier.items()}
    return [replace(result, earlier=before.get(result.student, {})) for result in results]


def assess(*args: Any) -> Assessment:
    """Grade one submission (see assess.py), in another process perhaps.

    Imported when it is called: where only marks are written down, nobody needs PyTorch.
    """
    from autograder.grading import assess

    return assess.assess(*args)
