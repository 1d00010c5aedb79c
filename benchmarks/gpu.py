"""What a GPU gives: the lessons' networks trained in full on it, and what surrounds the training.

    python benchmarks/gpu.py                 everything, at most 8 minutes; into data/results/gpu.md
    python benchmarks/gpu.py --folder here   keep what was measured in another folder than runs/gpu
    python benchmarks/gpu.py --try-out       every part with next to nothing, also without a GPU

For a bare machine: it needs a GPU, PyTorch, torchvision and Lightning, and MNIST's four files in
data/MNIST/raw (or in $COURSE_DATA); none of the course's other packages, and no connection. What
was measured is kept part by part, so a run that was cut goes on where it stopped.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

ROOT = Path(__file__).resolve().parent.parent
FIRST, SECOND = "01_regular_group_convolutions", "02_from_90_to_98"
# After this cell a lesson defines nothing that is needed here.
LAST_CELL = "recipes"
TRAINED = {"CNN": FIRST, "GCNN": FIRST, "steps 1 to 5": SECOND}  # by the lesson that trains it
PERHAPS_ABSENT = ["IPython", "IPython.display", "matplotlib", "matplotlib.animation"]
PERHAPS_ABSENT += ["matplotlib.pyplot", "sklearn"]
BATCH = 64
Row = dict[str, Any]


def definitions(stem: str) -> str:
    """Return the defining code of a lesson's worked-out notebook, up to its recipes."""
    path = ROOT / "source" / stem / f"{stem}.ipynb"
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        is_definition = cell["metadata"].get("nbgrader", {}).get("grade") is not True
        if cell["cell_type"] == "code" and is_definition and named(cell):
            parts.append("".join(cell["source"]))
        if cell["id"] == LAST_CELL:
            break
    return "\n\n".join(parts)


def named(cell: dict) -> bool:
    """Return whether a cell has a name of its own, as all have that others build upon."""
    return not cell["id"][-1].isdigit()


@functools.cache
def lesson(stem: str, small: bool = False) -> SimpleNamespace:
    """Return what a lesson defines, with few digits if `small`; what draws may be missing."""
    import pytorch_lightning  # noqa: F401  before it could take a stand-in for the real thing

    absent = {
        top for top in {name.partition(".")[0] for name in PERHAPS_ABSENT} if not find_spec(top)
    }
    for name in PERHAPS_ABSENT:
        if name.partition(".")[0] in absent:
            sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None))
    names: dict[str, Any] = {"__name__": f"lesson {stem}"}
    exec(compile(definitions(stem), stem, "exec"), names)
    if small:
        load_digits = names["load_digits"]
        names["load_digits"] = lambda train: tuple(part[:720] for part in load_digits(train))
    return SimpleNamespace(**names)


# ------------------------------------------------------------------------------ the parts


def training(name: str, small: bool, folder: Path) -> Row:
    """Train a network in full, as its lesson does; return accuracy and speed."""
    import pytorch_lightning as pl
    import torch

    names = lesson(TRAINED[name], small)
    space = names.train_model.__globals__
    space["RUNS_FOLDER"] = folder
    timer, make_trainer = pl.callbacks.Timer(), names.make_trainer

    def timed(*args: Any) -> Any:
        trainer = make_trainer(*args)
        trainer.callbacks.append(timer)
        return trainer

    recipe = dict(names.RECIPES[name])
    data = names.RotatedMNIST(**recipe.pop("data", {}))
    recipe |= dict(epochs=1) if small else {}
    epochs = recipe.setdefault("epochs", names.EPOCHS)
    space["make_trainer"] = timed
    try:
        classifier, result = names.train_model(data=data, name=name, ckpt_path="last", **recipe)
    finally:
        space["make_trainer"] = make_trainer
    seconds = timer.time_elapsed("train")
    busy = share_busy(names, classifier, data) if torch.cuda.is_available() else float("nan")
    return {
        "network": name,
        "parameters": f"{result['parameters']:,}",
        "turned": f"{100 * result['test accuracy']:.2f} %",
        "upright": f"{100 * result['upright accuracy']:.2f} %",
        "seconds an epoch": f"{seconds / epochs:.1f}",
        "images a second": f"{len(data.train) * epochs / seconds:,.0f}",
        "the GPU waits": f"{100 * (1 - busy):.0f} %",
    }


def share_busy(names: SimpleNamespace, classifier: Any, data: Any, steps: int = 60) -> float:
    """Return the share of the time of some training steps in which the GPU computes."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    network = classifier.model.cuda().train()
    optimizer, batches = torch.optim.AdamW(network.parameters()), iter(data.train_dataloader())

    def step() -> None:
        images, labels = (part.cuda() for part in next(batches))
        loss = torch.nn.functional.cross_entropy(network(names.normalize(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(10):
        step()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        started = time.perf_counter()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    busy = sum(event.self_device_time_total for event in profiled.key_averages()) / 1e6
    return busy / seconds


def data(small: bool) -> list[Row]:
    """Return the images a second, turned and normalised, from one tensor and from PIL images."""
    import torch
    import torchvision
    from torchvision.transforms import Compose, Normalize, RandomRotation, ToTensor

    names = lesson(FIRST, small)
    count, device = 720 if small else 20_000, names.device
    images, labels = (part[:count] for part in names.load_digits(train=True))
    from_tensor = torch.utils.data.DataLoader(
        names.Digits(images, labels), BATCH, shuffle=True, collate_fn=tuple
    )
    steps = Compose([RandomRotation((0, 360)), ToTensor(), Normalize((0.1307,), (0.3081,))])
    by_pil = torchvision.datasets.MNIST(names.DATA_FOLDER, train=True, transform=steps)
    one_by_one = torch.utils.data.DataLoader(
        torch.utils.data.Subset(by_pil, range(count)), BATCH, shuffle=True
    )

    def turned(batch: Any) -> Any:
        batch = batch.to(device)
        angles = 360 * torch.rand(len(batch), device=device)
        return names.normalize(names.rotate_each(batch, angles))

    ways: dict[str, tuple[Any, Callable]] = {
        "one tensor, turned a batch at a time": (from_tensor, turned),
        "PIL, image by image": (one_by_one, lambda batch: batch.to(device)),
    }
    speeds = {}
    for way, (loader, prepare) in ways.items():
        started = time.perf_counter()
        for batch, _ in loader:
            prepare(batch)
        wait_for_gpu()
        speeds[way] = count / (time.perf_counter() - started)
    slowest = min(speeds.values())
    return [
        {"data": way, "images a second": f"{speed:,.0f}", "ratio": f"{speed / slowest:.1f}"}
        for way, speed in speeds.items()
    ]


def layers(small: bool) -> list[Row]:
    """Return the milliseconds of a training step with each kind of kernels, timed in turn."""
    import torch
    from torch import nn

    names = lesson(FIRST, small)

    class Permuted(nn.Module):
        """The kernels of C4 by `rot90` and `roll`: exact, and nothing is interpolated."""

        def __init__(self, kernel: Any) -> None:
            super().__init__()
            self.weight, self.group = kernel.weight, kernel.group
            self.kernel_size, self.in_channels = kernel.kernel_size, kernel.in_channels
            self.out_channels = kernel.out_channels

        def sample(self) -> Any:
            poses = [torch.rot90(self.weight, h, (-2, -1)) for h in range(4)]
            if self.weight.dim() == 5:
                poses = [pose.roll(h, dims=2) for h, pose in enumerate(poses)]
            return torch.stack(poses, dim=1)

    class Floor(Permuted):
        """Kernels that are there already, as plain weights."""

        def __init__(self, kernel: Any) -> None:
            super().__init__(kernel)
            self.weight = nn.Parameter(kernel.sample().detach())

        def sample(self) -> Any:
            return self.weight

    def network(kind: Callable | None) -> nn.Module:
        torch.manual_seed(0)
        sizes = dict(in_channels=1, out_channels=10, kernel_size=5, num_hidden=4)
        made = names.GroupEquivariantCNN(names.CyclicGroup(4), **sizes, hidden_channels=16)
        for layer in (made.lifting_conv, *made.gconvs) if kind else ():
            layer.kernel = kind(layer.kernel)
        return made.to(names.device)

    kinds = {"plain weights (the floor)": Floor, "exact permutation": Permuted}
    networks = {name: network(kind) for name, kind in {**kinds, "interpolated": None}.items()}
    images = torch.randn(BATCH, 1, 28, 28, device=names.device)
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(3 if small else 40):
        for name, each in networks.items():
            wait_for_gpu()
            started = time.perf_counter()
            each(images).sum().backward()
            wait_for_gpu()
            if turn:  # the first warms up
                times[name].append(1e3 * (time.perf_counter() - started))
    medians = {name: statistics.median(values) for name, values in times.items()}
    floor = medians["plain weights (the floor)"]
    return [
        {
            "kernels": name,
            "ms a step": f"{median:.2f}",
            "against the floor": f"{median / floor:.2f}",
        }
        for name, median in medians.items()
    ]


def errors(small: bool) -> list[Row]:
    """Return how far a group network's output is moved by a quarter turn, in each precision."""
    import torch

    names = lesson(FIRST, small)
    torch.manual_seed(0)
    sizes = dict(in_channels=1, out_channels=10, kernel_size=5, num_hidden=1 if small else 4)
    network = names.GroupEquivariantCNN(names.CyclicGroup(4), **sizes, hidden_channels=16)
    network, images = network.to(names.device).eval(), names.noise(BATCH, 1, 28, 28)
    images = images.to(names.device)
    rows = []
    for name, tf32, type in (
        ("float32", False, torch.float32),
        ("TF32", True, torch.float32),
        ("bfloat16", False, torch.bfloat16),
    ):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        with torch.no_grad(), torch.autocast(names.device.type, type, type != torch.float32):
            before, after = network(images), network(torch.rot90(images, 1, (-2, -1)))
        error = ((after - before).float().norm() / before.float().norm()).item()
        rows.append({"precision": name, "relative change by a quarter turn": f"{error:.1e}"})
    return rows


def determinism(small: bool, folder: Path) -> list[Row]:
    """Return by how much two short trainings with the same seed differ."""
    import torch

    names = lesson(FIRST, small)
    names.train_model.__globals__["RUNS_FOLDER"] = folder / "twice"
    rows = []
    for name in ("CNN", "GCNN"):
        weights = []
        for _ in range(2):
            short = names.RotatedMNIST(train_images=6_400)
            trained = names.train_model(data=short, **names.RECIPES[name] | dict(epochs=1))[0]
            weights.append(torch.cat([w.flatten() for w in trained.parameters()]))
        apart = (weights[0] - weights[1]).abs().max().item()
        rows.append({"network": name, "largest difference of two runs": f"{apart:.1e}"})
    return rows


def wait_for_gpu() -> None:
    """Wait until all that was begun on the GPU is done."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


# ------------------------------------------------------------------------------ all together

Part = Callable[[], "Row | list[Row]"]


def parts(small: bool, folder: Path) -> dict[str, Part]:
    """Return what there is to measure, by its title, in the order in which it is done."""
    made: dict[str, Part] = {
        "Data": lambda: data(small),
        "Layers": lambda: layers(small),
        "Equivariance": lambda: errors(small),
        "Determinism": lambda: determinism(small, folder),
    }
    for name, stem in TRAINED.items():
        if (ROOT / "source" / stem).is_dir():
            made[f"Training: {name}"] = functools.partial(training, name, small, folder)
    return made


def measure(small: bool, folder: Path) -> dict[str, list[Row]]:
    """Measure what is not in the folder yet; return the rows of each table."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "measured.json"
    found = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for title, part in parts(small, folder).items():
        if title in found:
            print(f"{title}: measured already", flush=True)
            continue
        started = time.perf_counter()
        rows = part()
        found[title] = rows if isinstance(rows, list) else [rows]
        kept.with_suffix(".new").write_text(json.dumps(found), encoding="utf-8")
        kept.with_suffix(".new").replace(kept)
        print(f"{title}: {time.perf_counter() - started:.0f} s", flush=True)
    tables: dict[str, list[Row]] = {}
    for title, rows in found.items():
        tables.setdefault(title.partition(":")[0], []).extend(rows)
    return tables


def as_text(tables: dict[str, list[Row]]) -> str:
    """Return the tables as Markdown, with the machine named once."""
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    text = f"{name}, torch {torch.__version__}, batches of {BATCH}.\n"
    for title in ("Training", "Data", "Layers", "Equivariance", "Determinism"):
        rows = tables[title]
        lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
        text += f"\n**{title}**\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text


def main() -> int:
    """Measure and write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "gpu")
    parser.add_argument(
        "--try-out", action="store_true", help="measure next to nothing, write nothing"
    )
    parser.add_argument("--write-to", type=Path, default=ROOT / "data" / "results" / "gpu.md")
    args = parser.parse_args()
    os.environ.setdefault("COURSE_DATA", str(ROOT / "data"))
    import torch

    if not (torch.cuda.is_available() or args.try_out):
        print("no GPU: PyTorch finds none here, so there is nothing to measure")
        return 1
    text = as_text(measure(args.try_out, args.folder))
    print(text)
    if not args.try_out:
        args.write_to.parent.mkdir(parents=True, exist_ok=True)
        args.write_to.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
