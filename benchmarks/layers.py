"""How fast the layers are: against their floor, and beside escnn and e2cnn.

The floor is the same network with ordinary convolutions of as many channels as the folded kernels
have: all that is left when making the kernels costs nothing. Everything is timed in turn in one
run, one step of each after the other, and compared by medians.

    python benchmarks/layers.py                   print the table
    python benchmarks/layers.py --orders 4 --rounds 5
    python benchmarks/layers.py --write           also write it to data/results/layers.md
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.book.names import lesson_names
from autograder.course import Course
from autograder.lesson import Lesson
from autograder.texts import write_text

STEM = "02_from_90_to_98"  # it holds lesson 1's layers, too
CHANNELS = {4: 16, 8: 11, 16: 8}  # about the same number of weights for each order
BATCH, SIZE, HIDDEN = 64, 5, 4
FLOOR, KEPT = "floor: convolutions only", "bumps, made once and kept (lesson 2, section 7)"
COURSE = Course(Path(__file__).resolve().parent.parent)
LESSON = lesson_names(Lesson.load(COURSE.lesson_path(STEM)))


class Floor(nn.Module):
    """A layer that has its kernels already, as the weights of an ordinary convolution."""

    def __init__(self, kernel: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(folded(kernel).detach())
        self.order = kernel.group.order

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x.reshape(len(x), -1, *x.shape[-2:]), self.weight)
        return x.reshape(len(x), -1, self.order, *x.shape[-2:])


def folded(kernel: Any) -> Tensor:
    """Return a kernel's samples as weights of an ordinary convolution."""
    sampled = kernel.sample()
    return sampled.reshape(
        kernel.out_channels * kernel.group.order, -1, kernel.kernel_size, kernel.kernel_size
    )


class Permuted(nn.Module):
    """A layer of C4 whose kernels are the weights in another order: one gather, exact."""

    places: Tensor

    def __init__(self, kernel: Any) -> None:
        super().__init__()
        self.weight, self.order = kernel.weight, kernel.group.order
        size = kernel.weight[0, 0].numel()
        unit = type(kernel)(kernel.group, kernel.kernel_size, 1, 1)
        unit.weight.data = 1.0 + torch.arange(size).view_as(unit.weight)
        places = unit.sample()[0, :, 0].round().long() - 1  # [n, (n,) k, k]
        self.register_buffer("places", places.flatten())
        self.shape = places.shape

    def forward(self, x: Tensor) -> Tensor:
        outputs, inputs = self.weight.shape[:2]
        kernels = self.weight.flatten(2)[:, :, self.places].unflatten(2, self.shape).movedim(2, 1)
        size = self.shape[-1]
        kernels = kernels.reshape(outputs * self.order, -1, size, size)
        x = F.conv2d(x.reshape(len(x), -1, *x.shape[-2:]), kernels)
        return x.reshape(len(x), outputs, self.order, *x.shape[-2:])


class Theirs(nn.Module):
    """The regular convolution of escnn or e2cnn, of the same type and size."""

    def __init__(self, library: SimpleNamespace, space: Any, kernel: Any) -> None:
        super().__init__()
        regular, trivial = space.regular_repr, space.trivial_repr
        lifting = kernel.weight.dim() == 4
        fields = kernel.in_channels * [trivial if lifting else regular]
        self.inputs = library.nn.FieldType(space, fields)
        outputs = library.nn.FieldType(space, kernel.out_channels * [regular])
        self.conv = library.nn.R2Conv(self.inputs, outputs, kernel.kernel_size, bias=False)
        self.tensor, self.order = library.nn.GeometricTensor, kernel.group.order

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.tensor(x.reshape(len(x), -1, *x.shape[-2:]), self.inputs)).tensor
        return x.reshape(len(x), -1, self.order, *x.shape[-2:])


def network(order: int, smooth: bool, replace: Callable[[Any], nn.Module] | None = None) -> Any:
    """Return lesson 2's network without pooling, or one with other layers in place of its own."""
    torch.manual_seed(0)
    sizes = dict(kernel_size=SIZE, num_hidden=HIDDEN, hidden_channels=CHANNELS[order])
    model = LESSON.BetterGCNN(
        LESSON.CyclicGroup(order), 1, 10, **sizes, smooth=smooth, round_maps=False
    )
    if replace is not None:
        model.layers = nn.ModuleList(replace(layer.kernel) for layer in model.layers)
        for layer in model.layers:
            layer.kernel = SimpleNamespace()  # the network gives it the angle of its kernels
    return model


def find_libraries() -> dict[str, SimpleNamespace]:
    """Import escnn and e2cnn if they are there; say so if not."""
    libraries = {}
    for name in ("escnn", "e2cnn"):
        try:
            library = __import__(f"{name}.nn", fromlist=["nn"])
            spaces = __import__(f"{name}.gspaces", fromlist=["gspaces"])
            libraries[name] = SimpleNamespace(nn=library, gspaces=spaces)
        except Exception as error:  # whatever an old library stumbles over
            print(f"{name} is left out: it cannot be imported here ({error}); see README.md")
    return libraries


def competitors(order: int, libraries: dict[str, SimpleNamespace]) -> dict[str, nn.Module]:
    """Return the networks to be timed."""
    models = {
        FLOOR: network(order, False, Floor),
        "interpolated in every step (lesson 1)": network(order, False),
        "bumps, summed in every step (lesson 2)": network(order, True),
        KEPT: LESSON.keep_kernels(network(order, True)),
    }
    if order == 4:
        models["exact permutation"] = network(order, False, Permuted)
    for name, library in libraries.items():
        rotations = "rot2dOnR2" if hasattr(library.gspaces, "rot2dOnR2") else "Rot2dOnR2"
        space = getattr(library.gspaces, rotations)(order)
        models[name] = network(order, False, functools.partial(Theirs, library, space))
    return models


def step(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the seconds of one forward and backward pass."""
    started = time.perf_counter()
    F.cross_entropy(model(images), labels).backward()
    seconds = time.perf_counter() - started
    model.zero_grad()
    return seconds


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the seconds of one forward pass in evaluation."""
    started = time.perf_counter()
    model(images)
    return time.perf_counter() - started


def in_turn(calls: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Time each once a round, in an order that changes; return the medians of the seconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()  # the first time is not counted
    for number in range(rounds):
        names = list(calls)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            times[name].append(calls[name]())
    return {name: statistics.median(values) for name, values in times.items()}


def train_and_evaluate(
    models: dict[str, nn.Module], images: Tensor, labels: Tensor, rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Time a step in training and one in evaluation; return the medians of the seconds of each."""
    medians = []
    for training, call in ((True, step), (False, evaluate)):
        for model in models.values():
            model.train(training)
        calls: dict[str, Callable[[], float]] = {
            name: functools.partial(call, model, images, labels) for name, model in models.items()
        }
        medians.append(in_turn(calls, rounds))
    return medians[0], medians[1]


def compare(orders: list[int], rounds: int) -> list[str]:
    """Time training and evaluation of all networks."""
    libraries = find_libraries()
    images, labels = torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    rows = [
        "| group | layers | training, ms a step | against the floor | evaluation, ms | "
        "against the floor |",
        "|---|---|---|---|---|---|",
    ]
    for order in orders:
        models = competitors(order, libraries)
        training, evaluation = train_and_evaluate(models, images, labels, rounds)
        for name in models:
            took = [
                f"{1e3 * seconds[name]:.0f} | {seconds[name] / seconds[FLOOR]:.2f}"
                for seconds in (training, evaluation)
            ]
            took[0] = " | " if name == KEPT else took[0]  # in training the weights change
            rows.append(f"| C{order} | {name} | {' | '.join(took)} |")
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, print, and write if so wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, nargs="+", default=sorted(CHANNELS))
    parser.add_argument("--rounds", type=int, default=15, help="how often each is timed")
    parser.add_argument("--write", action="store_true", help="write to data/results/layers.md")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batch {BATCH}")
    rows = compare(args.orders, args.rounds)
    if args.write:
        write_text(COURSE.results_table("layers"), "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
