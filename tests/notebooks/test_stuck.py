"""The page for students who are stuck shows the texts that lesson 1 really produces.

Each key of the page is provoked here as a student would, and what comes is compared with the key.
"""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision
from conftest import ROOT, lesson_of, names_with_small_digits
from variants import Variant

from autograder.lesson.markers import stub_blocks

LESSON = lesson_of("01_regular_group_convolutions")
PAGE = (ROOT / "solutions" / "stuck.md").read_text(encoding="utf-8")
KEYS = re.findall(r"^- \*\*`(.+)`\*\*$", PAGE, re.MULTILINE)

# What only happens to a machine cannot be provoked here; these texts are those of the programs.
NOT_PROVOKED = {"The kernel … appears to have died"}

PROVOKED: dict[str, list[Callable[..., str]]] = {}


def key(text: str) -> Callable[[Callable], Callable]:
    """Mark a function that returns what a student sees, to be found on the page under `text`."""

    def register(function: Callable) -> Callable:
        PROVOKED.setdefault(text, []).append(function)
        return function

    return register


class Student:
    """A student's notebook after the setup: lesson 1 with what they wrote in some blocks."""

    def __init__(self, folder: Path) -> None:
        with (
            redirect_stdout(io.StringIO()),
            names_with_small_digits(LESSON.stem, folder) as names,
        ):
            self.names = vars(names)

    def check(self, exercise: str, block: tuple[str, int], answer: str) -> str:
        """Return what the check says when this answer stands in this block, the others right."""
        names = dict(self.names)
        names["checking"].passed.update(item.label for item in LESSON.tested)
        for cell, source in Variant("", "", {block: answer}).answers(LESSON).items():
            if LESSON.cell(cell).kind == "code":
                exec(source, names)
        return self.run(visible(exercise), names)

    def run(self, source: str, names: dict) -> str:
        """Return what a cell prints, and how Jupyter ends it if it stops."""
        with redirect_stdout(io.StringIO()) as printed:
            try:
                exec(compile(source, "<cell>", "exec"), names)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}")
        return printed.getvalue()


def visible(exercise: str) -> str:
    """Return the visible checks of an exercise."""
    return LESSON.cell(LESSON.exercise(exercise).test_cell_id).source.split("### BEGIN")[0]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    return Student(tmp_path_factory.mktemp("student"))


# ---------------------------------------------------------------------------------- starting


@key("SystemExit: PyTorch is missing in …")
def no_torch(case) -> str:
    find = importlib.util.find_spec
    case.patch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    return case.student.run(LESSON.cell("setup").source, {})


@key("SystemExit: Could not install …")
def no_connection(case) -> str:
    find = importlib.util.find_spec
    case.patch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sklearn" else find(name)
    )
    case.patch.setattr(subprocess, "run", lambda command: SimpleNamespace(returncode=1))
    return case.student.run(LESSON.cell("setup").source, {})


@key("ModuleNotFoundError: No module named '…'")
def package_of_their_own(case) -> str:
    return case.student.run("import no_such_package", {})


@key("No module named autograder")
def another_python(case) -> str:
    command = [sys.executable, "-S", "-m", "autograder", "env"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        command, cwd=case.folder, env=environment, capture_output=True, text=True, check=False
    )
    return result.stderr


@key("error: this Python has no package …")
def no_environment(case) -> str:
    command = [sys.executable, "-S", "-m", "autograder", "check", "mine.ipynb"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stderr


# ----------------------------------------------------------------------------- running cells


@key("NameError: name '…' is not defined")
def after_a_restart(case) -> str:
    return case.student.run(visible("product"), {})


@key("NameError: name '…' is not defined")
def without_self(case) -> str:
    return case.student.check("inverse", ("cyclic-group", 1), "inverse = product(h, h)")


@key("✎ Exercise … is waiting for you")
def ellipsis_left(case) -> str:
    return case.student.check("product", ("cyclic-group", 0), "product = ...")


@key("✎ Exercise … is waiting for you")
def earlier_exercise_open(case) -> str:
    names = dict(case.student.names)
    names["checking"].passed.clear()
    exec(stub_blocks(LESSON.cell("cyclic-group").source), names)
    shown = case.student.run(visible("third-power"), names)
    assert f"✎ {LESSON.exercise('product').label} is waiting for you" in shown
    return shown


@key("✎ Exercise … is waiting for you")
def ellipsis_in_a_formula(case) -> str:
    answer = "product = ... % (2 * math.pi)"
    return case.student.check("product", ("cyclic-group", 0), answer)


@key("✗ Exercise … builds on Exercise …")
def earlier_exercise_wrong(case) -> str:
    names = dict(case.student.names)
    names["checking"].passed.clear()
    source = LESSON.cell("cyclic-group").source
    exec(source.replace("torch.remainder(h + h_prime, 2 * math.pi)", "h - h_prime"), names)
    return case.student.run(visible("third-power"), names)


@key("SyntaxError: …")
def bracket_left_open(case) -> str:
    source = LESSON.cell("third-power").source.replace("product(g2, g)", "product(g2, g")
    return case.student.run(source, {})


@key("IndentationError: …")
def not_indented(case) -> str:
    source = LESSON.cell("third-power").source.replace("    g3 = group", "g3 = group")
    return case.student.run(source, {})


# --------------------------------------------------------------------------------- your code


@key("the shape … this does not hold yet")
def stacked_first(case) -> str:
    elements = "self.group.left_action_on_R2(self.group.inverse(h), self.grid_R2)"
    answer = f"transformed_grid_R2 = torch.stack([{elements} for h in group_elements])"
    shown = case.student.check("lifting-grid", ("lifting-kernel-base", 1), answer)
    assert "Expected the shape (2, 4, 5, 5), got (4, 2, 5, 5)." in shown
    return shown


@key("shape '…' is invalid for input of size …")
def input_channels_forgotten(case) -> str:
    answer = "weight = self.weight.reshape(self.out_channels, self.kernel_size, self.kernel_size)"
    return case.student.check("lifting-fold", ("lifting-kernel", 0), answer)


@key("don't multiply up to the size of dim …")
def not_kept_in_x(case) -> str:
    answer = "y = F.conv2d(x, conv_kernels, padding=self.padding)"
    return case.student.check("lifting-layer", ("lifting-convolution", 1), answer)


@key("only one element tensors can be converted to Python scalars")
def matrix_of_tensors(case) -> str:
    answer = "c, s = torch.cos(h), torch.sin(h)\nrepresentation = torch.tensor([[c, -s], [s, c]])"
    return case.student.check("matrix", ("cyclic-group", 2), answer)


@key("too many indices for tensor of dimension …")
def not_all_pairs(case) -> str:
    answer = (
        "transformed_grid_H = self.group.product(self.group.inverse(group_elements), self.grid_H)"
    )
    return case.student.check("group-grid", ("group-kernel-base", 0), answer)


@key("Dimension out of range")
def arguments_exchanged(case) -> str:
    inverse = "self.group.inverse(group_elements)"
    answer = f"transformed_grid_R2 = self.group.left_action_on_R2(self.grid_R2, {inverse})"
    return case.student.check("lifting-grid", ("lifting-kernel-base", 1), answer)


@key("to conv2d, but got input of size: …")
def input_not_folded(case) -> str:
    return case.student.check("group-layer", ("group-convolution", 0), "x = x")


@key("expected stride to be a single integer value or a list of …")
def kernels_not_folded(case) -> str:
    answer = "conv_kernels = self.kernel.sample()"
    return case.student.check("lifting-layer", ("lifting-convolution", 0), answer)


@key("to have … channels, but got … channels instead")
def folded_the_wrong_way(case) -> str:
    answer = "conv_kernels = self.kernel.sample().reshape(-1, self.kernel.out_channels, 3, 3)"
    return case.student.check("lifting-layer", ("lifting-convolution", 0), answer)


@key("conv2d() received an invalid combination of arguments")
def kernel_without_sample(case) -> str:
    answer = "conv_kernels = self.kernel"
    return case.student.check("lifting-layer", ("lifting-convolution", 0), answer)


@key("object has no attribute '…'")
def group_of_the_layer(case) -> str:
    answer = "conv_kernels = self.kernel.sample().reshape(2 * self.group.order, -1, 3, 3)"
    return case.student.check("lifting-layer", ("lifting-convolution", 0), answer)


@key("object has no attribute '…'")
def weight_not_kept(case) -> str:
    answer = "weight = nn.Parameter(torch.zeros(out_channels, in_channels, group.order, 5, 5))"
    return case.student.check("group-kernel", ("group-kernel", 0), answer)


@key("the projection leaves one number per channel: this does not hold yet")
def projection_over_space_only(case) -> str:
    answer = "self.projection_layer = nn.AdaptiveAvgPool3d((None, 1, 1))"
    return case.student.check("network", ("network", 2), answer)


LAYER = "GroupConvolution(group, hidden_channels, hidden_channels, kernel_size)"


@key("the network has 102,970 parameters: this does not hold yet")
def layers_in_a_list(case) -> str:
    answer = f"self.gconvs = [{LAYER} for _ in range(num_hidden)]"
    return case.student.check("network", ("network", 1), answer)


@key("the network has 102,970 parameters: this does not hold yet")
def one_layer_four_times(case) -> str:
    answer = f"self.gconvs = nn.ModuleList([{LAYER}] * num_hidden)"
    return case.student.check("network", ("network", 1), answer)


@key("optimizer got an empty parameter list")
def nothing_to_train(case) -> str:
    names = {**case.student.names, "layers": torch.nn.Module()}
    names["layers"].all = [torch.nn.Linear(1, 1)]
    return case.student.run("ImageClassifier(layers).configure_optimizers()", names)


@key("Expected all tensors to be on the same device")
def tensor_left_on_the_cpu(case) -> str:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    source = "CyclicGroup(4).product(torch.ones(4, device='cuda'), torch.ones(4))"
    return case.student.run(source, dict(case.student.names))


# ------------------------------------------------------------------------- data and training


def load_digits(case, mirror: str) -> str:
    """Let the lesson fetch MNIST from this address."""
    case.patch.setattr(torchvision.datasets.MNIST, "mirrors", [mirror])
    names = {**case.student.names, "DATA_FOLDER": case.folder}
    exec(next(c.source for c in LESSON.cells if "def load_digits" in c.source), names)
    names["FAST_RUN"] = False
    return case.student.run("images, labels = load_digits(train=True)", names)


@key("NOTICE: MNIST is not in … and cannot be fetched")
def mirrors_not_reached(case) -> str:
    return load_digits(case, "http://127.0.0.1:9/")  # nothing answers there


@key("certificate verify failed")
def unknown_certificate(case) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate that nobody knows")
    certificate, secret = case.folder / "certificate", case.folder / "key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += ["-keyout", str(secret), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = HTTPServer(("localhost", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        return load_digits(case, f"https://localhost:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()


@key('TRAINING is "full", "short" or "none", not …')
def another_training(case) -> str:
    case.patch.setenv("COURSE_TRAINING", "quick")
    source = next(cell.source for cell in LESSON.cells if "TRAINING not in" in cell.source)
    return case.student.run(source, dict(case.student.names))


@key("arranges its weights in another way than those in …")
def other_weights(case) -> str:
    names = {**case.student.names, "DATA_FOLDER": ROOT / "data"}
    for cell in LESSON.cells:
        if "def load_trained" in cell.source:
            exec(cell.source, names)
    return case.student.run('load_trained("GCNN", nn.Linear(2, 2))', names)


@key("CUDA out of memory")
def no_memory_on_the_gpu(case) -> str:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return case.student.run("torch.zeros(1 << 45, device='cuda')", dict(case.student.names))


# ------------------------------------------------------------------------------- comparing


def pattern(text: str) -> str:
    """Return a key as a regular expression; `…` stands for anything, also several lines."""
    return "(?s)" + ".*?".join(re.escape(part) for part in re.split("…", text))


def test_every_key_is_provoked() -> None:
    assert len(KEYS) == len(set(KEYS))
    assert set(KEYS) == set(PROVOKED) | NOT_PROVOKED


@pytest.mark.parametrize(
    ("text", "provoke"),
    [
        pytest.param(text, provoke, id=provoke.__name__)
        for text, some in PROVOKED.items()
        for provoke in some
    ],
)
def test_the_text_is_that_on_the_page(text, provoke, student, monkeypatch, tmp_path) -> None:
    shown = provoke(SimpleNamespace(student=student, patch=monkeypatch, folder=tmp_path))
    assert re.search(pattern(text), shown), shown
