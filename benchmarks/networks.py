"""What a step of each network of lessons 3 and 4 costs, beside the same with escnn's layers.

    python benchmarks/networks.py                 print the table
    python benchmarks/networks.py --rounds 5
    python benchmarks/networks.py --write         also write it to data/results/networks.md

All are timed in turn in one run, one step of each after the other, and compared by medians.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import torch
from layers import BATCH, CHANNELS, COURSE, train_and_evaluate
from torch import nn

from autograder.book.names import lesson_names
from autograder.lesson import Lesson
from autograder.texts import write_text

THIRD, FOURTH = (
    lesson_names(Lesson.load(COURSE.lesson_path(stem)))
    for stem in ("03_any_rotation_and_reflections", "04_scale_continuous_steerable")
)


def networks() -> dict[str, nn.Module]:
    """Return the untrained networks of all recipes, and larger groups in place of p4's."""
    recipes = dict(THIRD.RECIPES)
    for order in (8, 16):
        group = dict(group=THIRD.CyclicGroup(order), hidden_channels=CHANNELS[order])
        recipes[f"C{order}, interpolated"] = recipes["p4"] | group
    models = {}
    for lesson, its_own in ((THIRD, recipes), (FOURTH, FOURTH.RECIPES)):
        for name, recipe in its_own.items():
            torch.manual_seed(0)
            models[name] = lesson.make_network(recipe)
    return models


def compare(rounds: int) -> list[str]:
    """Time training and evaluation of all networks; return the table."""
    images, labels = torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    models = networks()
    if find_spec("escnn") is None:
        print("escnn's networks are left out: it cannot be imported here; see README.md")
    training, evaluation = train_and_evaluate(models, images, labels, rounds)
    rows = [
        "| network | parameters | training, ms a step | against p4 | evaluation, ms | against p4 |",
        "|---|---|---|---|---|---|",
    ]
    for name, model in models.items():
        parameters = sum(parameter.numel() for parameter in model.parameters())
        rows.append(
            f"| {name} | {parameters:,} | {1e3 * training[name]:.0f} | "
            f"{training[name] / training['p4']:.2f} | {1e3 * evaluation[name]:.0f} | "
            f"{evaluation[name] / evaluation['p4']:.2f} |"
        )
    return rows


def main() -> None:
    """Measure, print, and write if so wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="how often each is timed")
    parser.add_argument("--write", action="store_true", help="write to data/results/networks.md")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batch {BATCH}")
    rows = compare(args.rounds)
    print("\n".join(rows))
    if args.write:
        write_text(COURSE.results_table("networks"), "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
