"""On what something was computed: processor, accelerator and versions, for a table of results."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "numpy", "matplotlib")


def describe_machine() -> dict[str, str | int]:
    """Return processor, number of its cores, accelerator, system and versions, by name.

    Nothing in it names the machine, its user or its folders.
    """
    about: dict[str, str | int] = {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "accelerator": accelerator(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            about[package] = importlib.metadata.version(package).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return about


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name; where the system does not tell it, its architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def accelerator() -> str:
    """Return the name of the GPU that PyTorch computes on, "none" if there is none."""
    import torch  # it takes seconds to import

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
