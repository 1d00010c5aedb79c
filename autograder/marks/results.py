"""What grading found: a result per submission, the table, and grades.csv.

Marks live in nbgrader's gradebook, and beside them a record of what exactly was graded, when, how
long it took, and what a person should know (records.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.lesson.cells import Exercise
from autograder.marks.gradebook import Mark, read_class_marks, read_lateness, read_penalties
from autograder.marks.records import read_records
from autograder.marks.submitted import marked_late
from autograder.texts import csv_text, listed, number, plural, printable, sentence

MOST_REMARKS = 20
MARKED = "by the platform's word"


@dataclass(frozen=True)
class Result:
    """One row of the table: a submission's marks by exercise, and what needs a person.

    earlier: exercise → points that the tests gave when it was graded before; {} if it never was.
    penalty: points taken off because it was late.
    late: by how much it was late, "" if it was not, or nobody knows.
    version, private: of the lesson's tests, and checksum of the instructor's own; "" without any.
    """

    student: str
    assignment: str
    exercises: Sequence[Exercise]
    marks: dict[str, Mark]
    notes: list[str]
    problem: str | None
    seed: int | None = None
    skipped: bool = False
    earlier: Mapping[str, float] = field(default_factory=dict)
    penalty: float = 0.0
    late: str = ""
    version: str = ""
    private: str = ""

    @property
    def graded(self) -> bool:
        """Whether there are marks."""
        return self.problem is None

    def mark(self, exercise: Exercise) -> Mark | None:
        """Return the mark of an exercise, or None if the submission was not graded."""
        return self.marks.get(exercise.test_cell_id) if self.graded else None

    def points(self, exercise: Exercise) -> float | None:
        """Return the points of an exercise: the tests' verdict, or the grader's for an answer.

        None if the submission was not graded, or a person still has to read the answer.
        """
        mark = self.mark(exercise)
        if mark is None:
            return None
        if exercise.manual:
            return None if mark.open else mark.score
        return mark.auto

    @property
    def auto_total(self) -> float | None:
        """Points given by the tests, or None if the submission was not graded."""
        if not self.graded:
            return None
        return sum(self.points(exercise) or 0 for exercise in self.exercises if not exercise.manual)

    @property
    def total(self) -> float | None:
        """Points that count now, with graders' marks and without what being late has cost.

        None if the submission was not graded.
        """
        if not self.graded:
            return None
        points = sum(mark.score for mark in map(self.mark, self.exercises) if mark)
        return max(0.0, points - self.penalty)

    @property
    def remarks(self) -> list[str]:
        """Sentences about what went wrong or was mended; [] if nothing.

        They may quote what a student has written: their number and length are kept within bounds.
        """
        remarks = list(self.notes) if self.problem is None else [sentence(self.problem)]
        kept = [printable(text) for text in remarks[:MOST_REMARKS]]
        more = len(remarks) - len(kept)
        return [*kept, f"There are {more} more such remarks."] if more else kept

    @property
    def changes(self) -> list[str]:
        """What the tests give now and gave before, for each exercise where that differs."""
        tested = [ex for ex in self.exercises if not ex.manual and ex.id in self.earlier]
        return [
            f"{ex.label} {number(self.earlier[ex.id])} → {number(self.points(ex)) or 'none'}"
            for ex in tested
            if self.earlier[ex.id] != self.points(ex)
        ]

    @property
    def unread(self) -> int:
        """How many written answers still have to be marked."""
        marks = [self.mark(exercise) for exercise in self.exercises if exercise.manual]
        return sum(mark is not None and mark.open for mark in marks)

    @property
    def needs_person(self) -> list[str]:
        """Sentences saying what a person has to look at; [] if nothing."""
        if not self.unread:
            return self.remarks
        return [*self.remarks, f"{plural(self.unread, 'written answer')} to mark."]


def maximum(exercises: Iterable[Exercise]) -> float:
    """Return the points of the exercises together."""
    return sum(exercise.points for exercise in exercises)


def read_results(
    api: NbGraderAPI,
    lesson: Lesson,
    students: Iterable[str],
    skipped: frozenset[str] = frozenset(),
) -> list[Result]:
    """Return the results of the students for one lesson, from the gradebook and the records."""
    students = list(students)
    records = read_records(api, lesson.stem, *students)
    class_marks = read_class_marks(api, lesson.stem, students)
    penalties = read_penalties(api, lesson.stem, students)
    late = read_lateness(api, lesson.stem, students)
    marked = marked_late(Course(Path(api.coursedir.root)), lesson.stem)
    results = []
    for student in students:
        record, marks = records.get(student), class_marks.get(student, {})
        problem = record.problem if record else ""
        if not problem and not is_complete(marks, lesson):
            problem = "not graded yet"
        results.append(
            Result(
                student,
                lesson.stem,
                lesson.exercises,
                marks,
                notes=record.notes if record else [],
                problem=problem or None,
                seed=record.seed if record else None,
                skipped=student in skipped,
                penalty=penalties.get(student, 0.0),
                late=lateness(late[student]) if student in late else MARKED * (student in marked),
                version=record.version if record else "",
                private=record.private if record else "",
            )
        )
    return results


def lateness(seconds: float) -> str:
    """Return a time in the largest unit of which it is at least two, or in minutes."""
    for unit, size in (("day", 86400), ("hour", 3600)):
        if seconds >= 2 * size:
            return plural(int(seconds // size), unit)
    return plural(max(1, round(seconds / 60)), "minute")


def of_other_tests(results: Iterable[Result], present: str) -> list[str]:
    """Return what a person should know about marks that come from different tests, as sentences.

    `present` is the version of the lesson's tests now; the instructor's own tests may differ too.
    """
    graded = [result for result in results if result.graded and result.version]
    old = [result.student for result in graded if present and result.version != present]
    said = []
    if old:
        said.append(
            f"Graded with earlier tests than those of now: {listed(old)}. To mark all alike, run "
            "`python -m autograder grade`."
        )
    private = {result.private for result in graded}
    if len(private) > 1:
        named = sorted(name[:8] or "none" for name in private)
        said.append(
            f"Marks come from different private tests ({', '.join(named)}): grades.csv says whose."
        )
    return said


def is_complete(marks: dict[str, Mark], lesson: Lesson) -> bool:
    """Return whether every tested exercise has a mark; an interrupted run leaves some without."""
    given = {name for name, mark in marks.items() if mark.auto is not None}
    return given.issuperset(exercise.test_cell_id for exercise in lesson.tested)


def print_results(console: Console, results: Sequence[Result]) -> None:
    """Print the table of one lesson's results, at least one, and below it what needs a person."""
    console.print(_table(results))
    # Text, not markup: a name or a message may hold square brackets.
    for result in results:
        if result.remarks:
            console.print(Text(printable(result.student)))
        for text in result.remarks:
            console.print(Padding(Text(text), (0, 0, 0, 4), expand=False))
    unread = [result.unread for result in results if result.unread]
    if unread:
        answers = plural(sum(unread), "written answer")
        console.print(f"{answers} to mark in {plural(len(unread), 'submission')}.")


def _table(results: Sequence[Result]) -> Table:
    """Return a table narrow enough for 80 columns.

    `needs a person` holds "yes" if there is a sentence below the table, and "written" if only
    written answers wait.
    """
    exercises = results[0].exercises
    tested = [exercise for exercise in exercises if not exercise.manual]
    written = [exercise for exercise in exercises if exercise.manual]
    grid = Table(
        title=f"{results[0].assignment} (points by exercise)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_footer=True,
    )
    grid.add_column("student", "out of", overflow="fold")
    for exercise in tested:
        grid.add_column(str(exercise.number), number(exercise.points), justify="right")
    if written:
        grid.add_column("written", number(maximum(written)), justify="right")
    grid.add_column("total", number(maximum(exercises)), justify="right")
    grid.add_column("needs\na person")
    for result in results:
        cells = [number(result.points(exercise)) or "–" for exercise in tested]
        if written:
            points = number(sum(result.points(question) or 0 for question in written))
            points = f"{result.unread} open" if result.unread else points
            cells.append(points if result.graded else "–")
        total = number(result.total) or "–"
        needed = "yes" if result.remarks else "written" if result.unread else ""
        grid.add_row(Text(printable(result.student)), *cells, total, needed)
    return grid


def grades_csv(results: Sequence[Result]) -> str:
    """Return grades.csv: one row per student and assignment, one column per exercise id.

    A written answer's cell stays empty until it is marked; a submission that could not be graded
    has no points at all, since 0 would be a verdict. The penalty, for being late, is taken off
    in the total. The seed is what `grade --seed` needs to give the same marks elsewhere, and
    private_tests the beginning of the checksum of the instructor's own hidden tests.
    """
    names = list(dict.fromkeys(ex.id for result in results for ex in result.exercises))
    header = ["assignment", "student", *names, "auto_total", "auto_max", "penalty", "total", "max"]
    rows = [[*header, "late", "seed", "private_tests", "needs_a_person"]]
    for result in results:
        points = {ex.id: number(result.points(ex)) for ex in result.exercises}
        rows.append(
            [
                result.assignment,
                result.student,
                *(points.get(name, "") for name in names),
                number(result.auto_total),
                number(maximum(ex for ex in result.exercises if not ex.manual)),
                number(result.penalty or None),
                number(result.total),
                number(maximum(result.exercises)),
                result.late,
                "" if result.seed is None else str(result.seed),
                result.private[:8],
                " ".join(result.needs_person),
            ]
        )
    return csv_text(rows)
