"""How often `autograder report --similar` is right, on made-up classes of lesson 1.

Independent students draw each of their blocks from the catalogue of right and wrong solutions in
tests/variants, as if some ways were more popular than others; the reference is the most popular.
Some of them hand a copy to another, who disguises it. All pairs but these are called independent,
also where both have drawn the same way for some blocks. What is listed is compared with what was
copied.

    python benchmarks/similar.py             the table, about a minute
    python benchmarks/similar.py --write     also write it to data/results/similar.md
    python benchmarks/similar.py --size 500  only the time that a large class takes
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.lesson.markers import blocks, fill_blocks
from autograder.pages import similar
from autograder.submissions.made import solutions
from autograder.texts import write_text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from variants import load  # noqa: E402

STEM = "01_regular_group_convolutions"
SEEDS = range(100, 120)  # one made-up class each; the thresholds were chosen with seeds below 100
STUDENTS = 40
COPIES = 4  # in each class
NAMES = ("value", "tmp", "helper", "my_tensor", "data", "res", "foo", "part", "item", "thing")
Answers = dict[str, str]


def pool(lesson: Lesson) -> dict[str, list[list[str]]]:
    """Return, for each answer cell and each of its blocks, the texts that somebody may write."""
    texts = {}
    for cell, source in solutions(lesson).items():
        in_blocks = [textwrap.dedent("\n".join(block.solution)) for block in blocks(source)]
        if in_blocks:
            texts[cell] = [[text] for text in in_blocks]
    for variant in load(lesson.stem):
        for (cell, number), body in variant.blocks.items():
            if body.strip("\n") not in texts[cell][number]:
                texts[cell][number].append(body.strip("\n"))
    return texts


def draw(random_: random.Random, texts: list[str], popularity: list[int]) -> str:
    """Return a text; the first in `popularity` is twice as popular as the second, and so on."""
    weights = [1 / (1 + popularity[place]) for place in range(len(texts))]
    return random_.choices(texts, weights)[0]


def independent(lesson: Lesson, size: int, random_: random.Random) -> list[Answers]:
    """Return the answers of students who worked alone."""
    texts, sources = pool(lesson), solutions(lesson)
    popularity = {}
    for cell, of_blocks in texts.items():
        for number, ways in enumerate(of_blocks):
            ranks = list(range(1, len(ways)))
            random_.shuffle(ranks)
            popularity[cell, number] = [0, *ranks]
    return [
        {
            cell: fill_blocks(
                sources[cell],
                [
                    draw(random_, ways, popularity[cell, number])
                    for number, ways in enumerate(of_blocks)
                ],
            )
            for cell, of_blocks in texts.items()
        }
        for _ in range(size)
    ]


def copied(original: Answers, own: Answers, share: float, random_: random.Random) -> Answers:
    """Return the answers of somebody who took this share of another's cells, and wrote the rest."""
    cells = random_.sample(sorted(original), round(share * len(original)))
    return own | {cell: original[cell] for cell in cells}


def renamed(source: str, random_: random.Random) -> str:
    """Return a cell with other names for its own variables, other layout, and other comments."""
    bodies = []
    for block in blocks(source):
        body = textwrap.dedent("\n".join(block.solution))
        try:
            tree = ast.parse(body)
        except SyntaxError:  # not Python: nothing but a comment can be added
            bodies.append(f"# {random_.choice(NAMES)}\n{body}")
            continue
        chosen = sorted(similar.own_names(body))
        new = random_.sample(NAMES, min(len(chosen), len(NAMES)))
        names = dict(zip(chosen, new, strict=False))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in names:
                node.id = names[node.id]
            elif isinstance(node, ast.arg) and node.arg in names:
                node.arg = names[node.arg]
        lines = [
            line for part in tree.body for line in (f"# {random_.choice(NAMES)}", ast.unparse(part))
        ]
        bodies.append("\n".join(lines))
    return fill_blocks(source, bodies)


def reordered(source: str, random_: random.Random) -> str:
    """Return a cell with neighbouring statements exchanged where neither needs the other."""
    bodies = []
    for block in blocks(source):
        body = textwrap.dedent("\n".join(block.solution))
        try:
            parts = ast.parse(body).body
        except SyntaxError:
            bodies.append(body)
            continue
        for place in range(len(parts) - 1):
            first, second = map(ast.unparse, parts[place : place + 2])
            written = similar.own_names(first), similar.own_names(second)
            used = [
                {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
                for text in (first, second)
            ]
            if not written[0] & used[1] and not written[1] & used[0]:
                parts[place : place + 2] = reversed(parts[place : place + 2])
        bodies.append("\n".join(map(ast.unparse, parts)))
    return fill_blocks(source, bodies)


def disguised(answers: Answers, random_: random.Random) -> Answers:
    """Return answers with other names, comments, layout and order of statements."""
    return {cell: renamed(reordered(source, random_), random_) for cell, source in answers.items()}


def named(students: list[Answers]) -> dict[str, Answers]:
    """Return the answers by names of students: their numbers."""
    return {str(number): answers for number, answers in enumerate(students)}


def measure(lesson: Lesson, share: float, disguise: bool) -> tuple[int, int, int]:
    """Return how many pairs were listed, how many of them were copies, and how many copies are."""
    listed = right = 0
    for seed in SEEDS:
        random_ = random.Random(seed)
        students = independent(lesson, STUDENTS, random_)
        copies = set()
        for number in range(COPIES):
            own, original = students[number], students[number + COPIES]
            copy = copied(original, own, share, random_)
            students[number] = disguised(copy, random_) if disguise else copy
            copies.add((str(number), str(number + COPIES)))
        pairs = {
            (pair.first, pair.second) for pair in similar.places_to_look(named(students), lesson)
        }
        listed += len(pairs)
        right += len(pairs & copies)
    return listed, right, len(SEEDS) * COPIES


def rows(lesson: Lesson) -> Iterator[str]:
    """Yield the table."""
    pairs = STUDENTS * (STUDENTS - 1) // 2
    yield (
        f"{len(SEEDS)} made-up classes of {STUDENTS} ({pairs} pairs each), {COPIES} copies in each "
        "class:\n"
    )
    yield "| what was copied | disguise | copies | listed | of these copies | precision | recall |"
    yield "|---|---|---|---|---|---|---|"
    listed, _, _ = measure(lesson, 0, False)
    yield f"| nothing | | 0 | {listed} | 0 | | |"
    for share, what in ((1, "all answers"), (0.75, "three quarters"), (0.5, "half")):
        for disguise in (False, True):
            listed, right, copies = measure(lesson, share, disguise)
            how = "names, comments, layout, order" if disguise else "none"
            precision = f"{right / listed:.2f}" if listed else ""
            yield (
                f"| {what} | {how} | {copies} | {listed} | {right} | {precision} | "
                f"{right / copies:.2f} |"
            )


def seconds(lesson: Lesson, size: int) -> float:
    """Return the processor's seconds for comparing a class of this size."""
    students = independent(lesson, size, random.Random(0))
    similar.fragments_of.cache_clear()
    similar.given_fragments.cache_clear()
    started = time.process_time()
    similar.places_to_look(named(students), lesson)
    return time.process_time() - started


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write data/results/similar.md")
    parser.add_argument("--size", type=int, help="only time a class of this size")
    args = parser.parse_args()
    course = Course(ROOT)
    lesson = Lesson.load(course.lesson_path(STEM))
    if args.size:
        print(f"{args.size} submissions compared in {seconds(lesson, args.size):.1f} s (processor)")
        return
    lines = []
    for line in rows(lesson):
        print(line, flush=True)
        lines.append(line)
    if args.write:
        write_text(course.results_table("similar"), "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
