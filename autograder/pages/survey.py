"""What a class has done together: points, properties of the hidden tests, times, who needs a look.

Numbers come from the gradebook and the records, the verdicts on single properties from the reports
in the graded notebooks.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.apps import NbGraderAPI

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.cells import Exercise
from autograder.marks.gradebook import read_lateness
from autograder.marks.records import Record, read_records
from autograder.marks.results import Result, collect
from autograder.texts import plural, safe_text

OPEN = "✎"  # begins the message of an answer that was left open
LONGEST = 300  # characters of a message
_LINE = re.compile(r"(?P<sign>[✓✗]) (?P<name>.+) \(\S+ of \S+\)")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


@dataclass
class Property:
    """A property of the hidden tests, and how a class fares with it.

    held, wrong, open: how many submissions have it, do not, or have left the answer open.
    messages: what those were told that do not have it → how often; numbers may differ.
    """

    exercise: Exercise
    name: str
    held: int = 0
    wrong: int = 0
    open: int = 0
    messages: Counter = field(default_factory=Counter)

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
        return self.messages.most_common(1)[0][0] if self.messages else ""


@dataclass(frozen=True)
class Verdict:
    """What one submission's report says of one property; message: "" if it holds."""

    name: str
    holds: bool
    message: str = ""

    @property
    def left_open(self) -> bool:
        """Whether the answer was left as it was."""
        return self.message.startswith(OPEN)


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
    """

    lesson: Lesson
    results: Sequence[Result]
    records: Mapping[str, Record]
    notebooks: Mapping[str, Mapping]
    late: Mapping[str, float]

    @property
    def graded(self) -> list[Result]:
        """The results of what could be graded."""
        return [result for result in self.results if result.graded]

    @property
    def open_answers(self) -> int:
        """How many written answers nobody has marked yet."""
        return sum(result.unread for result in self.graded)

    @property
    def properties(self) -> list[Property]:
        """The properties of all exercises, in the lesson's order; [] if its tests name none."""
        found: dict[tuple[str, str], Property] = {}
        tested = [exercise for exercise in self.lesson.exercises if not exercise.manual]
        for exercise in tested:
            for notebook in self.notebooks.values():
                for verdict in verdicts(notebook, exercise):
                    key = (exercise.id, verdict.name)
                    _count(found.setdefault(key, Property(exercise, verdict.name)), verdict)
        return list(found.values())

    @property
    def slowest(self) -> list[tuple[str, Record]]:
        """Graded submissions with their records, those first that took longest."""
        names = {result.student for result in self.graded}
        timed = [(name, record) for name, record in self.records.items() if name in names]
        return sorted(timed, key=lambda item: (-item[1].seconds, item[0]))

    @property
    def looks(self) -> list[Look]:
        """Who needs a look; written answers to mark are everybody's and do not count."""
        found = []
        for result in self.results:
            reasons = list(result.remarks)
            record = self.records.get(result.student)
            if result.graded and record is not None:
                reasons += [
                    f"A limit was hit: {limit}."
                    for limit in record.limits
                    if not any(limit in reason for reason in reasons)
                    and not (limit.startswith("time of the cell") and _slow(reasons))
                ]
            changed = [ex.label for ex in result.exercises if _changed(result, ex)]
            if changed:
                reasons.append(f"A person has changed the tests' points of {', '.join(changed)}.")
            if result.student in self.late:
                reasons.append(f"Handed in {lateness(self.late[result.student])} late.")
            if reasons:
                found.append(Look(result.student, result.graded, reasons))
        return sorted(found, key=lambda look: look.graded)


def survey(api: NbGraderAPI, course: Course, lesson: Lesson, students: Iterable[str]) -> Survey:
    """Return what is known of these students' submissions of a lesson.

    Raises CourseError if a graded notebook is broken.
    """
    results = collect(api, course, lesson, students)
    notebooks = {}
    for result in results:
        path = course.autograded_notebook(result.student, lesson.stem)
        if result.graded and path.is_file():
            notebooks[result.student] = read_graded(path)
    return Survey(
        lesson,
        results,
        read_records(api, lesson.stem),
        notebooks,
        read_lateness(api, lesson.stem),
    )


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


def verdicts(notebook: Mapping, exercise: Exercise) -> list[Verdict]:
    """Return what the report of an exercise's hidden tests says, property by property.

    The report is the grader's own, and the last thing that is printed: what a submission prints
    before it in the same form does not count.
    """
    heading = f"Hidden tests of {exercise.label}, {exercise.title}:\n"
    text = "".join(
        _text(output.get("text"))
        for output in _outputs(notebook, exercise.test_cell_id)
        if output.get("output_type") == "stream"
    )
    before, found, report = text.rpartition(heading)
    verdicts: list[Verdict] = []
    message: list[str] = []
    for line in (report if found else "").split("\n"):
        match = _LINE.fullmatch(line)
        if match:
            message = []
            verdicts.append(Verdict(match["name"], match["sign"] == "✓"))
        elif verdicts and line.startswith("    ") and not verdicts[-1].holds:
            message.append(line.strip())
            whole = safe_text(" ".join(message), LONGEST)
            verdicts[-1] = Verdict(verdicts[-1].name, False, whole)
    return verdicts


def lateness(seconds: float) -> str:
    """Return a time in the largest unit of which it is at least two, or in minutes."""
    for unit, size in (("day", 86400), ("hour", 3600)):
        if seconds >= 2 * size:
            return plural(int(seconds // size), unit)
    return plural(max(1, round(seconds / 60)), "minute")


def _count(item: Property, verdict: Verdict) -> None:
    if verdict.holds:
        item.held += 1
    elif verdict.left_open:
        item.open += 1
    else:
        item.wrong += 1
        # The same mistake in other numbers is the same mistake: the first one's stand for all.
        same = _NUMBER.sub("0", verdict.message)
        known = {_NUMBER.sub("0", message): message for message in item.messages}
        item.messages[known.get(same, verdict.message)] += 1


def _outputs(notebook: Mapping, cell_id: str) -> list[Mapping]:
    for cell in notebook["cells"]:
        marks = cell.get("metadata", {}).get("nbgrader", {})
        if marks.get("grade_id") == cell_id:
            return cell.get("outputs", [])
    return []


def _text(value: str | list | None) -> str:
    return "".join(value) if isinstance(value, list) else value or ""


def _slow(reasons: Iterable[str]) -> bool:
    return any("took too long" in reason for reason in reasons)


def _changed(result: Result, exercise: Exercise) -> bool:
    mark = result.mark(exercise)
    return (
        mark is not None
        and not exercise.manual
        and mark.auto is not None
        and mark.score != mark.auto
    )
