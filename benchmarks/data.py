"""How fast pictures reach a network: batches of one tensor, beside one PIL image at a time.

Both hand out MNIST's training images in batches of 64, turned by random angles and normalised. The
lesson's data module turns a whole batch at once, on the GPU if there is one; the other way is
torchvision's: a PIL image, its rotation, a tensor, one after the other.

    COURSE_DATA=folder python benchmarks/data.py            the two ways, in turn
    COURSE_DATA=folder python benchmarks/data.py --train    and lesson 1's three trainings, in turn
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torchvision
from torchvision import transforms

from autograder.book.names import lesson_names
from autograder.course import Course
from autograder.lesson import Lesson

STEM = "01_regular_group_convolutions"
COURSE = Course(Path(__file__).resolve().parent.parent)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def ours(data: Any) -> Iterator[torch.Tensor]:
    """Yield the lesson's batches, turned on the device."""
    for batch in data.train_dataloader():
        yield data.on_after_batch_transfer([part.to(DEVICE) for part in batch], 0)[0]


def one_by_one(folder: str) -> Iterator[torch.Tensor]:
    """Yield batches made from PIL images."""
    steps = [
        transforms.RandomRotation(180, transforms.InterpolationMode.BILINEAR),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
    digits = torchvision.datasets.MNIST(folder, transform=transforms.Compose(steps))
    for images, _ in torch.utils.data.DataLoader(digits, batch_size=64, shuffle=True):
        yield images.to(DEVICE)


def images_per_second(batches: Iterator[torch.Tensor], seconds: float) -> float:
    """Take batches for about this long; return how many images came in a second."""
    next(batches)  # the first one opens files
    started, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch)
        if time.perf_counter() - started > seconds:
            break
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return count / (time.perf_counter() - started)


def training_seconds(lesson: SimpleNamespace, name: str, batches: int) -> float:
    """Train a recipe of the lesson on so many batches; return the seconds of an epoch of that."""
    recipe = lesson.RECIPES[name]
    data = lesson.RotatedMNIST(**recipe.get("data", {}))
    classifier = lesson.ImageClassifier(lesson.make_network(recipe))
    trainer = lesson.pl.Trainer(
        max_epochs=1,
        limit_train_batches=batches,
        limit_val_batches=0,
        accelerator=DEVICE.type,
        precision=lesson.PRECISION,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data.setup()
    started = time.perf_counter()
    trainer.fit(classifier, datamodule=data)
    return (time.perf_counter() - started) * len(data.train_dataloader()) / batches


def train(lesson: SimpleNamespace, rounds: int) -> None:
    """Train the three networks of lesson 1's first table for a while, in turn; print the times."""
    taken: dict[str, list[float]] = {name: [] for name in lesson.TABLES["rotated"]}
    for _ in range(rounds):
        for name, seconds in taken.items():
            seconds.append(training_seconds(lesson, name, batches=100))
    print(f"\n| training, {lesson.PRECISION} | seconds an epoch | ratio |\n|---|---|---|")
    first, *_ = [statistics.median(seconds) for seconds in taken.values()]
    for name, seconds in taken.items():
        second = statistics.median(seconds)
        print(f"| {name} | {second:.0f} | {second / first:.2f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each way in a round")
    parser.add_argument("--train", action="store_true", help="time the trainings as well")
    args = parser.parse_args()
    folder = os.environ.setdefault("COURSE_DATA", str(COURSE.data))
    lesson = lesson_names(Lesson.load(COURSE.lesson_path(STEM)))
    data = lesson.RotatedMNIST(train_images=54_000, turn_training=True)
    data.setup()
    data.trainer = SimpleNamespace(training=True, world_size=1, global_rank=0)
    ways: dict[str, Callable[[], Iterator[torch.Tensor]]] = {
        "one tensor, in batches": lambda: ours(data),
        "PIL, one by one": lambda: one_by_one(folder),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            rates[name].append(images_per_second(way(), args.seconds))
    print(f"torch {torch.__version__}, {DEVICE}, {torch.get_num_threads()} threads\n")
    print("| data | images a second | ratio |\n|---|---|---|")
    slow = statistics.median(rates["PIL, one by one"])
    for name, values in rates.items():
        rate = statistics.median(values)
        print(f"| {name} | {rate:,.0f} | {rate / slow:.1f} |")
    if args.train:
        train(lesson, args.rounds)


if __name__ == "__main__":
    main()
