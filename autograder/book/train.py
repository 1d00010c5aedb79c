"""Train the networks that come with the course, and keep their weights and accuracies.

A lesson names what is to be trained in `RECIPES` and trains with its own `train_model`; both are
used as they stand there. Every training adds a row to `data/results/<lesson>.csv`, from which
tables are made, those that the lesson names in `TABLES`. Accuracies on other digits than turned and
upright ones have columns of their own; those at one angle, such as "15°", are not put
into tables: pictures show them. The first seed's weights go to `data/networks/` if the lesson has
them in `TRAINED`.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import os
import platform
import re
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from autograder.book.names import lesson_names
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.texts import write_text

COLUMNS: tuple[str, ...] = ("network", "seed", "parameters", "turned", "upright")
COLUMNS += ("epochs", "images", "precision", "seconds", "torch", "machine")
ACCURACY = " accuracy"  # so ends the name of an accuracy in what `train_model` returns
ANGLES = range(0, 360, 15)  # degrees
ALL_ANGLES = "all angles"  # the mean accuracy over them, a column of its own
AT_ANGLES = 2_000  # so many of the test digits are read at every angle
TABLE_COLUMNS = ("turned", "upright")  # of a lesson that does not name its own
FIRST_SEED = 12
EXAMPLES = """examples:
  python -m autograder train 01_regular_group_convolutions
                                             every recipe, once
  python -m autograder train 01_regular_group_convolutions --only GCNN --seeds 12 13 14
                                             one recipe, three times

What stands in the table already is not trained again; delete its row for that. An interrupted
training goes on where it stopped. COURSE_DATA names the folder of the data sets, COURSE_PRECISION
the precision (default: 32-true). Afterwards run build and render.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLES
    parser.add_argument("lesson", metavar="LESSON", help="the lesson")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="recipes (default: all)")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[FIRST_SEED],
        help="one training for each (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code. Raises CourseError for an unknown recipe."""
    course = Course.find()
    lesson = Lesson.load(course.lesson_path(course.known_lesson(args.lesson)))
    in_full = {"COURSE_TRAINING": "full", "COURSE_FAST_RUN": "0"}
    in_full["COURSE_DATA"] = str(course.data_folder())
    with mock.patch.dict(os.environ, in_full):
        names = lesson_names(lesson)
        recipes = getattr(names, "RECIPES", {})
        unknown = sorted(set(args.only or ()) - set(recipes))
        if unknown or not recipes:
            known = ", ".join(recipes) or "none"
            raise CourseError(
                f"{args.lesson} has no recipe {', '.join(unknown)}; its recipes are: {known}"
            )
        table = course.data / "results" / f"{lesson.stem}.csv"
        for seed, name in itertools.product(args.seeds, args.only or recipes):
            if (name, str(seed)) in {(row["network"], row["seed"]) for row in read_rows(table)}:
                print(f"{name}, seed {seed}: stands in {table.name} already")
                continue
            row, weights = train_one(names, name, dict(recipes[name]), seed, course.root / "runs")
            # Before the row, which says that nothing is left to do.
            if seed == FIRST_SEED and name in names.TRAINED:
                path = course.network(names.file_name(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                names.torch.save(weights, path)
            write_row(table, row)
            write_tables(course, names, read_rows(table))
            print(f"{name}, seed {seed}: {row['turned']} % turned, {row['upright']} % upright")
        write_tables(course, names, read_rows(table))
    return 0


def train_one(
    names: SimpleNamespace, name: str, recipe: dict, seed: int, folder: Path
) -> tuple[dict, dict]:
    """Train one recipe with one seed, its logs going into `folder`.

    Return its row in the table, and what the file of the network holds.
    """
    data = names.RotatedMNIST(**recipe.pop("data", {}))
    epochs = recipe.setdefault("epochs", names.EPOCHS)
    names.train_model.__globals__["RUNS_FOLDER"] = folder
    started = time.perf_counter()
    classifier, result = names.train_model(
        data=data, name=f"{names.file_name(name)}-{seed}", seed=seed, ckpt_path="last", **recipe
    )
    row = {
        "network": name,
        "seed": seed,
        "parameters": result["parameters"],
        "epochs": epochs,
        "images": len(data.train),
        "precision": names.PRECISION,
        "seconds": round(time.perf_counter() - started),
        "torch": names.torch.__version__.partition("+")[0],
        "machine": machine(),
    }
    for key, value in result.items():
        if key.endswith(ACCURACY):
            kind = key.removesuffix(ACCURACY)
            row["turned" if kind == "test" else kind] = f"{100 * value:.2f}"
    row |= over_angles(names, classifier, *data.upright[:AT_ANGLES])
    with names.torch.no_grad():
        outputs = classifier.model(names.noise(2, 1, 28, 28))
    weights = {key: value.float() for key, value in classifier.model.state_dict().items()}
    return row, {"weights": weights, "outputs": outputs, "how": result["how"]}


def over_angles(names: SimpleNamespace, network: Any, images: Any, labels: Any) -> dict[str, str]:
    """Return the accuracy on images [N, X, X] at every angle, and the mean of these, in percent."""
    angles = names.torch.tensor([float(angle) for angle in ANGLES])
    parts = list(zip(images.split(250), labels.split(250), strict=True))
    network = network.eval().cpu()
    read = [len(part[1]) * names.accuracy_over_angles(network, *part, angles) for part in parts]
    shares = (100 * sum(read) / len(labels)).tolist()
    told = {f"{angle}°": f"{share:.2f}" for angle, share in zip(ANGLES, shares, strict=True)}
    return {ALL_ANGLES: f"{statistics.mean(shares):.2f}", **told}


def machine() -> str:
    """Return what a training here runs on: the GPU or else the processor, and how many cores."""
    import torch  # it takes seconds

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else processor()
    return f"{name}, {os.cpu_count()} processor cores"


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name; where the system does not tell it, its architecture."""
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.is_file() else ""
    name = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    return name[1] if name else platform.processor() or platform.machine()


def read_rows(path: Path) -> list[dict]:
    """Return what was trained so far."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_row(path: Path, row: dict) -> None:
    """Add a row to the table, at once or not at all; what an older row lacks stays empty."""
    text, rows = io.StringIO(), [*read_rows(path), row]
    columns = dict.fromkeys([*COLUMNS, *(name for each in rows for name in each)])
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_tables(course: Course, names: SimpleNamespace, rows: list[dict]) -> None:
    """Write the tables that the lesson's text shows, from what was trained so far."""
    for kind, table in make_tables(names, rows).items():
        write_text(course.results_table(kind), table)


def make_tables(names: SimpleNamespace, rows: list[dict]) -> dict[str, str]:
    """Return a lesson's tables by their names."""
    columns = getattr(names, "TABLE_COLUMNS", TABLE_COLUMNS)
    tables = getattr(names, "TABLES", {})
    return {kind: make_table(rows, recipes, columns) for kind, recipes in tables.items()}


def make_table(rows: list[dict], recipes: Iterable[str], kinds: Sequence[str]) -> str:
    """Return the accuracies by recipe as a Markdown table, mean ± deviation of several seeds."""
    trained = {name: [row for row in rows if row["network"] == name] for name in recipes}
    trained = {name: group for name, group in trained.items() if group}
    heads = ["at all angles" if kind == ALL_ANGLES else f"on {kind} digits" for kind in kinds]
    lines = [["network", "parameters", *heads, "trainings"]]
    for name, group in trained.items():
        numbers = [spread([float(row[kind]) for row in group]) for kind in kinds]
        lines.append([name, f"{int(group[0]['parameters']):,}", *numbers, str(len(group))])
    return markdown_table(lines)


def spread(values: list[float]) -> str:
    """Return the mean, with the standard deviation if there are several values, in percent."""
    mean = statistics.mean(values)
    return f"{mean:.2f} ± {statistics.stdev(values):.2f} %" if values[1:] else f"{mean:.2f} %"


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first line of which are the heads."""
    head, *rows = [f"| {' | '.join(line)} |\n" for line in lines]
    return head + "|---" * len(lines[0]) + "|\n" + "".join(rows)
