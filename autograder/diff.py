"""Say what changes for students between two editions of the course.

The student notebooks in `release/` of two git revisions (or of the working folder) are compared
cell by cell: what was added, removed or changed, and which points are others.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode

from autograder.course import Course
from autograder.errors import CourseError
from autograder.outline import plural
from autograder.submissions import grade_id

ALIKE = 0.6
"""Two texts are versions of one cell if difflib's ratio (0 to 1) is at least this."""
EXAMPLES = """examples:
  python -m autograder diff HEAD              what a commit would change for students
  python -m autograder diff v2025             since the edition with the tag v2025
  python -m autograder diff v2025 v2026       between two editions

Run `python -m autograder build` first, since the built notebooks are compared.
"""


@dataclass
class Change:
    """A cell that is not the same in both editions; `old` or `new` is None where it is absent."""

    old: NotebookNode | None
    new: NotebookNode | None

    def lines(self) -> list[str]:
        """Return the change as it is printed: a heading, then the text, indented."""
        cell = self.new or self.old
        head = "added" if self.old is None else "removed" if self.new is None else "changed"
        kind = "text" if cell.cell_type == "markdown" else "code"
        points = [_points(one) for one in (self.old, self.new)]
        worth = f", points {points[0]:g} → {points[1]:g}" if points[0] != points[1] else ""
        before, after = (_text(one) for one in (self.old, self.new))
        changed = list(difflib.unified_diff(before, after, n=2, lineterm=""))[2:]
        if head != "changed":
            changed = changed[1:]  # the place in an empty text says nothing
        return [
            f"{head} {kind} cell {cell.get('id', '?')}{worth}",
            *(f"    {line}" for line in changed),
        ]


@dataclass
class Comparison:
    """What is different in one lesson; versions and points: first of the old, then of the new."""

    stem: str
    changes: list[Change] = field(default_factory=list)
    versions: tuple[str | None, str | None] = (None, None)
    points: tuple[float, float] = (0, 0)

    def lines(self) -> list[str]:
        """Return the comparison as it is printed."""
        if not self.changes:
            return [f"{self.stem}: the same for students"]
        added = sum(change.old is None for change in self.changes)
        removed = sum(change.new is None for change in self.changes)
        changed = len(self.changes) - added - removed
        counts = [f"{plural(added, 'cell')} added", f"{removed} removed", f"{changed} changed"]
        old, new = self.points
        counts.append(f"points {old:g} → {new:g}" if old != new else f"{plural(new, 'point')}")
        lines = [f"{self.stem}: {', '.join(counts)}"]
        if self.versions[0] != self.versions[1] and None not in self.versions:
            lines.append(
                "Answers, checks or locked cells differ: notebooks made from the old edition are "
                "graded as the new one, with a note."
            )
        for change in self.changes:
            lines += ["", *change.lines()]
        return lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLES
    parser.add_argument("old", metavar="REVISION", help="git revision of the old edition")
    parser.add_argument(
        "new",
        nargs="?",
        metavar="REVISION",
        help="git revision of the new edition (default: the folder as it is)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the differences of all lessons; return 0."""
    course = Course.find()
    old = releases(course, args.old)
    new = releases(course, args.new)
    for stem in sorted(old | new):
        print("\n".join(compare(stem, old.get(stem), new.get(stem)).lines()))
    return 0


def releases(course: Course, revision: str | None) -> dict[str, NotebookNode]:
    """Return the student notebooks by lesson: of a git revision, or with None of the folder.

    Raises:
        CourseError: git is not there, or knows no such revision.
    """
    if revision is None:
        paths = [course.release_notebook(stem) for stem in course.lessons()]
        found = [path for path in paths if path.is_file()]
        return {path.stem: nbformat.read(path, as_version=4) for path in found}
    tree = f"{revision}^{{tree}}"
    _git(course, revision, "rev-parse", "--quiet", "--verify", "--end-of-options", tree)
    listed = _git(course, revision, "ls-tree", "-r", "-z", "--name-only", tree, "release/")
    found = {}
    for name in listed.split("\0"):
        stem = name.rpartition("/")[2].removesuffix(".ipynb")
        if name == f"release/{stem}/{stem}.ipynb":
            text = _git(course, revision, "show", f"{revision}:./{name}")
            found[stem] = nbformat.reads(text, as_version=4)
    return found


def _git(course: Course, revision: str, *arguments: str) -> str:
    """Return what git prints in the course's folder; raise CourseError if it fails."""
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=course.root,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except OSError as error:
        raise CourseError(f"git cannot be started: {error}") from error
    if result.returncode:
        raise CourseError(
            f"git knows no revision {revision!r} here: name a commit, branch or tag "
            "(`git tag` lists the tags)"
        )
    return result.stdout


def compare(stem: str, old: NotebookNode | None, new: NotebookNode | None) -> Comparison:
    """Compare two editions of a lesson's student notebook; None where there is none."""
    before, after = (notebook.cells if notebook else [] for notebook in (old, new))
    pairs = match(before, after)
    changes = [
        Change(one, other)
        for one, other in pairs
        if (_text(one), _points(one)) != (_text(other), _points(other))
    ]
    return Comparison(
        stem,
        changes,
        versions=(_version(old), _version(new)),
        points=(sum(map(_points, before)), sum(map(_points, after))),
    )


def match(
    before: list[NotebookNode], after: list[NotebookNode]
) -> list[tuple[NotebookNode | None, NotebookNode | None]]:
    """Pair the cells of two notebooks, in the order of the new one; what was removed comes last.

    Cells with a grader's id go by it. Others have ids that count on from a heading and so move when
    a cell comes in between: they go by equal text first, then by the most similar one.
    """
    partners: dict[int, int] = {}  # index in `after` → index in `before`
    rest = set(range(len(before)))

    def pair(new: int, candidates: Iterable[int]) -> None:
        best = next(iter(candidates), None)
        if best is not None:
            partners[new] = best
            rest.discard(best)

    for index, cell in enumerate(after):
        if grade_id(cell):
            pair(index, (i for i in sorted(rest) if grade_id(before[i]) == grade_id(cell)))
    free = [index for index, cell in enumerate(after) if not grade_id(cell)]
    rest -= {index for index in rest if grade_id(before[index])}
    for index in free:
        pair(index, (i for i in sorted(rest) if before[i].source == after[index].source))
    for index in free:
        if index not in partners:
            ranked = sorted((-_alike(before[i], after[index]), i) for i in rest)
            pair(index, (i for ratio, i in ranked if -ratio >= ALIKE))
    pairs = [(before[partners[i]] if i in partners else None, cell) for i, cell in enumerate(after)]
    kept = set(partners.values())
    return pairs + [(cell, None) for i, cell in enumerate(before) if i not in kept]


def _alike(one: NotebookNode, other: NotebookNode) -> float:
    if one.cell_type != other.cell_type:
        return 0
    return difflib.SequenceMatcher(None, one.source, other.source, autojunk=False).ratio()


def _text(cell: NotebookNode | None) -> list[str]:
    return cell.source.split("\n") if cell is not None else []


def _points(cell: NotebookNode | None) -> float:
    return cell.metadata.get("nbgrader", {}).get("points", 0) if cell is not None else 0


def _version(notebook: NotebookNode | None) -> str | None:
    return notebook.metadata.get("course", {}).get("version") if notebook else None
