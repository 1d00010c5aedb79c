"""What a class has done together: points, properties of the hidden tests, times, who needs a look.

Numbers come from the gradebook and the records, the verdicts on single properties from the reports
in the graded notebooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.apps import NbGraderAPI

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.cells import Exercise
from autograder.marks.dates import Extension
from autograder.marks.gradebook import read_lateness
from autograder.marks.records import Record, read_records
from autograder.marks.results import MARKED, Result, lateness, of_other_tests, read_results
from autograder.pages.ours import may_be_ours
from autograder.submissions.cells import grade_id
from autograder.texts import safe_text

OPEN = "✎"  # begins the message of an answer that was left open
LONGEST = 300  # characters of a message
# A property in a report, and the indented lines below it, which say why it does not hold.
_VERDICT = re.compile(r"^([✓✗]) (.+) \(\S+ of (\S+)\)$((?:\n {4}.*)*)", re.MULTILINE)
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


@dataclass(frozen=True)
class PropertyVerdict:
    """What one submission's report says of one property; message: "" if it holds.

    points: what the property is worth.
    """

    name: str
    holds: bool
    message: str
    points: float = 0


@dataclass
class PropertyCount:
    """A property of the hidden tests, and how a class fares with it.

    held, open: how many submissions have it, and how many have left the answer open.
    mistakes: what the others were told; messages that differ only in their numbers are together.
    """

    exercise: Exercise
    name: str
    held: int = 0
    open: int = 0
    mistakes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, verdict: PropertyVerdict) -> None:
        """Count what one more report says of the property."""
        if verdict.holds:
            self.held += 1
        elif verdict.message.startswith(OPEN):
            self.open += 1
        else:
            same = _NUMBER.sub("0", verdict.message)
            self.mistakes.setdefault(same, []).append(verdict.message)

    @property
    def wrong(self) -> int:
        """How many submissions have an answer without it."""
        return sum(map(len, self.mistakes.values()))

    @property
    def failed(self) -> int:
        """How many submissions do not have it, for whatever reason."""
        return self.wrong + self.open

    @property
    def tried(self) -> int:
        """How many submissions were tested for it."""
        return self.held + self.failed

    @property
    def message(self) -> str:
        """What most of those were told whose answer is wrong; "" if there are none."""
        return max(self.mistakes.values(), key=len)[0] if self.mistakes else ""


@dataclass(frozen=True)
class Look:
    """A student whose submission somebody should look at, and why, in sentences."""

    student: str
    graded: bool
    reasons: Sequence[str]


@dataclass(frozen=True)
class Survey:
    """A class and one lesson.

    results: of everybody who handed in.
    records: student → how the submission was graded.
    notebooks: student → the graded notebook as JSON.
    late: student → seconds after the due date, for those who were late.
    absent: who is in the class list and handed in nothing.
    extended: student → by how much longer they had time.
    present: the version of the lesson's tests now.
    beside: student → the files that lie beside the notebook that was handed in.
    """

    lesson: Lesson
    results: Sequence[Result]
    records: Mapping[str, Record]
    notebooks: Mapping[str, Mapping]
    late: Mapping[str, float]
    absent: Sequence[str] = ()
    extended: Mapping[str, Extension] = field(default_factory=dict)
    present: str = ""
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def remarks(self) -> list[str]:
        """What a person should know of the class as a whole, in sentences."""
        return of_other_tests(self.results, self.present)

    @property
    def graded(self) -> list[Result]:
        """The results of what could be graded."""
        return [result for result in self.results if result.graded]

    @property
    def open_answers(self) -> int:
        """How many written answers nobody has marked yet."""
        return sum(result.unread for result in self.graded)

    @property
    def properties(self) -> list[PropertyCount]:
        """The properties of all exercises, in the lesson's order; [] if its tests name none."""
        counts: list[PropertyCount] = []
        for exercise in self.lesson.tested:
            by_name: dict[str, PropertyCount] = {}
            for notebook in self.notebooks.values():
                for verdict in verdicts(notebook, exercise):
                    count = by_name.setdefault(verdict.name, PropertyCount(exercise, verdict.name))
                    count.add(verdict)
            counts += by_name.values()
        return counts

    @property
    def slowest(self) -> list[tuple[str, Record]]:
        """Graded submissions with their records, those first that took longest."""
        names = {result.student for result in self.graded}
        timed = [(name, record) for name, record in self.records.items() if name in names]
        return sorted(timed, key=lambda item: (-item[1].seconds, item[0]))

    @property
    def looks(self) -> list[Look]:
        """Who needs a look; written answers to mark are everybody's and do not count."""
        looks = [
            Look(result.student, result.graded, self._reasons(result)) for result in self.results
        ]
        return sorted((look for look in looks if look.reasons), key=lambda look: look.graded)

    def _reasons(self, result: Result) -> list[str]:
        """Return in sentences why somebody should look at a submission; [] if nothing is odd."""
        reasons = result.remarks
        if result.graded and result.student in self.records:
            said = "\n".join(reasons)
            reasons += [
                f"A limit was hit: {limit}."
                for limit in self.records[result.student].limits
                if limit not in said
                and not (limit.startswith("time of the cell") and "took too long" in said)
            ]
        changed = [ex.label for ex in result.exercises if changed_from(result, ex) is not None]
        if changed:
            reasons.append(f"A person has changed the tests' points of {', '.join(changed)}.")
        if result.student in self.late:
            reasons.append(f"Handed in {lateness(self.late[result.student])} late.")
        elif result.late == MARKED:
            reasons.append(f"Handed in late, {MARKED}; by how much, it does not say.")
        if result.graded and result.student in self.notebooks:
            notebook, beside = self.notebooks[result.student], self.beside.get(result.student, ())
            reasons += may_be_ours(result, notebook, self.lesson, beside)
        if result.student in self.extended:
            reasons.append(f"Had longer time: {self.extended[result.student]}.")
        return reasons


def survey_class(
    api: NbGraderAPI, course: Course, lesson: Lesson, students: Iterable[str]
) -> Survey:
    """Return what is known of these students' submissions of a lesson.

    Raises CourseError if a graded notebook is broken.
    """
    results = read_results(api, lesson, students)
    notebooks = {}
    for result in results:
        path = course.autograded_notebook(result.student, lesson.stem)
        if result.graded and path.is_file():
            notebooks[result.student] = read_graded(path)
    records, late = read_records(api, lesson.stem), read_lateness(api, lesson.stem)
    folders = {name: course.submitted_notebook(name, lesson.stem).parent for name in notebooks}
    beside = {
        name: sorted(path.name for path in folder.iterdir())
        for name, folder in folders.items()
        if folder.is_dir()
    }
    return Survey(lesson, results, records, notebooks, late, beside=beside)


def read_graded(path: Path) -> Mapping:
    """Return a graded notebook as JSON; raise CourseError if the file is broken.

    nbformat would check every cell against its schema, which takes seconds for a class.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"][0]["source"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CourseError(
            f"{path} is broken: grade it again with `python -m autograder grade --force`"
        ) from error
    return notebook


def verdicts(notebook: Mapping, exercise: Exercise) -> list[PropertyVerdict]:
    """Return what the report of an exercise's hidden tests says, property by property.

    The report is the grader's own, and the last thing that is printed: what a submission prints
    before it in the same form does not count.
    """
    cells = [cell for cell in notebook["cells"] if grade_id(cell) == exercise.test_cell_id]
    outputs = cells[0].get("outputs", []) if cells else []
    streams = [output for output in outputs if output.get("output_type") == "stream"]
    printed = "".join("".join(output.get("text") or "") for output in streams)  # text, or its lines
    heading = f"Hidden tests of {exercise.label}, {exercise.title}:\n"
    if heading not in printed:
        return []
    verdicts = []
    for sign, name, points, reasons in _VERDICT.findall(printed.rpartition(heading)[2]):
        message = safe_text(" ".join(line.strip() for line in reasons.split("\n") if line), LONGEST)
        worth = float(points) if _NUMBER.fullmatch(points) else 0
        verdicts.append(PropertyVerdict(name, sign == "✓", message, worth))
    return verdicts


def changed_from(result: Result, exercise: Exercise) -> float | None:
    """Return the points that the tests gave where a person has changed them, else None."""
    mark = result.mark(exercise)
    if mark is None or exercise.manual or mark.score == mark.auto:
        return None
    return mark.auto
