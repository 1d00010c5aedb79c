"""Imports of what is not there: left out where nothing needs them."""

from __future__ import annotations

import pytest

from autograder.submissions.lacking import without_needless_imports

MOUNT = """from google.colab import drive
drive.mount("/content/drive")  # at first
class A:
    x = 1"""
TWICE = """def f():
    import wandb
    import wandb
    wandb.init(
        name="f")
    return 1"""


@pytest.mark.parametrize(
    ("source", "lean"),
    [
        (
            MOUNT,
            """pass  # left out: from google.colab import drive
pass  # left out: drive.mount("/content/drive")  # at first
class A:
    x = 1""",
        ),
        (
            TWICE,
            """def f():
    pass  # left out: import wandb
    pass  # left out: import wandb
    pass  # left out: wandb.init(
    # name="f")
    return 1""",
        ),
        (
            "try:\n    import wandb\nfinally:\n    y = 2",
            "try:\n    pass  # left out: import wandb\nfinally:\n    y = 2",
        ),
    ],
)
def test_what_is_not_needed_is_left_out(source: str, lean: str) -> None:
    assert without_needless_imports(source) == lean
    compile(lean, "lean", "exec")


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.manual_seed(0)",
        "import wandb\nx = wandb.log",
        "import wandb\nprint(wandb)",
        "import wandb\nwandb.init(); x = 1",
        "import wandb; x = 1",
        "import torch, wandb\nx = 1",
        "from google.colab import *\nx = 1",
        "from .own import f",
        "drive.mount()",
        "import wandb\nx = (",
        "é = 1; import wandb",
        "\n".join(f"import wandb{number}" for number in range(101)),
        "",
    ],
)
def test_all_else_stays(source: str) -> None:
    assert without_needless_imports(source) == source
