"""Lesson 1 itself: its public names, the mathematics of its solution, and its student notebook."""

from __future__ import annotations

import ast
import inspect
import re
import statistics

import nbformat
import pytest
import torch
from conftest import lesson_of, names_with_small_digits

from autograder.course import Course
from autograder.lesson.markers import END_MARKER, START_MARKER, blocks

STEM = "01_regular_group_convolutions"
COURSE = Course.find(__file__)
LESSON = lesson_of(STEM)
ORDERS = (4, 8, 12, 16)

# The course's public names, as its specification gives them.
SIGNATURES = {
    "GroupBase": "dimension identity",
    "CyclicGroup": "order",
    "bilinear_interpolation": "signal grid",
    "trilinear_interpolation": "signal grid",
    "LiftingKernelBase": "group kernel_size in_channels out_channels",
    "InterpolativeLiftingKernel": "group kernel_size in_channels out_channels",
    "LiftingConvolution": "group in_channels out_channels kernel_size padding",
    "GroupKernelBase": "group kernel_size in_channels out_channels",
    "InterpolativeGroupKernel": "group kernel_size in_channels out_channels",
    "GroupConvolution": "group in_channels out_channels kernel_size padding",
    "act_on_lifted": "x quarter_turns",
    "GroupEquivariantCNN": (
        "group in_channels out_channels kernel_size num_hidden hidden_channels"
    ),
    "CNN": "in_channels out_channels kernel_size num_hidden hidden_channels",
    "create_model": "model_name model_hparams",
}


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The names of the worked-out lesson, after running the cells that define or set them."""
    with names_with_small_digits(STEM, tmp_path_factory.mktemp("lesson")) as result:
        yield result


@pytest.mark.parametrize("name", SIGNATURES)
def test_public_signatures(names, name):
    wanted = SIGNATURES[name].split()
    assert list(inspect.signature(getattr(names, name)).parameters)[: len(wanted)] == wanted


def test_there_are_17_blocks_with_both_markers():
    answers = [cell for cell in LESSON.cells if cell.grade == "solution"]
    assert sum(len(blocks(cell.source)) for cell in answers) == 17


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 9, 11])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_quarter_turns_of_kernels_are_turns_and_shifts(names, order, size, dtype, tolerance):
    torch.manual_seed(0)
    group, quarter = names.CyclicGroup(order), order // 4
    lifting = names.InterpolativeLiftingKernel(group, size, 2, 3).to(dtype)
    conv = names.InterpolativeGroupKernel(group, size, 2, 3).to(dtype)
    kernels, group_kernels = lifting.sample(), conv.sample()
    for turns in range(4):
        expected = torch.rot90(lifting.weight, turns, (-2, -1))
        torch.testing.assert_close(kernels[:, turns * quarter], expected, rtol=0, atol=tolerance)
        expected = torch.rot90(conv.weight, turns, (-2, -1)).roll(turns * quarter, dims=2)
        got = group_kernels[:, turns * quarter]
        torch.testing.assert_close(got, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_networks_are_invariant_to_quarter_turns(names, order, dtype, tolerance):
    torch.manual_seed(0)
    network = names.GroupEquivariantCNN(names.CyclicGroup(order), 2, 5, 5, 2, 4).to(dtype)
    for height, width in ((20, 20), (23, 18)):
        images = torch.randn(3, 2, height, width).to(dtype)
        with torch.no_grad():
            outputs = network(images)
            for turns in (1, 2, 3):
                turned = network(torch.rot90(images, turns, (-2, -1)))
                assert (turned - outputs).norm() <= tolerance * outputs.norm()


@pytest.mark.parametrize("order", ORDERS)
def test_layers_are_equivariant_also_for_odd_shapes(names, order):
    torch.manual_seed(0)
    group = names.CyclicGroup(order)
    lifting = names.LiftingConvolution(group, 2, 3, 5, padding=2)
    conv = names.GroupConvolution(group, 3, 2, 3, padding=0)
    image = torch.randn(1, 2, 9, 7)
    for turns in (1, 2, 3):
        lifted = lifting(torch.rot90(image, turns, (-2, -1)))
        torch.testing.assert_close(lifted, names.act_on_lifted(lifting(image), turns))
        result = names.act_on_lifted(conv(lifting(image)), turns)
        torch.testing.assert_close(conv(lifted), result, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 16, 24])
def test_group_axioms_hold_for_every_order(names, order):
    group = names.CyclicGroup(order)
    h = group.elements()
    index = torch.round(h * order / (2 * torch.pi)).long()
    normal = group.normalize_group_elements
    products = group.product(h[:, None], h[None, :])
    expected = normal(h)[(index[:, None] + index[None, :]) % order]
    assert torch.equal(normal(products), expected)
    assert torch.equal(normal(group.product(h, group.inverse(h))), normal(torch.zeros_like(h)))


def test_identity_of_the_trilinear_kernel_has_full_rank(names):
    kernel = names.InterpolativeGroupKernel(names.CyclicGroup(4), 5, 1, 1)
    rows = []
    for index in range(kernel.weight.numel()):
        kernel.weight.data.zero_().view(-1)[index] = 1
        rows.append(kernel.sample()[0, 0].detach().flatten())
    assert torch.linalg.matrix_rank(torch.stack(rows)) == 100


def test_determinant_divides_the_kernels(names):
    class Doubling(names.CyclicGroup):  # type: ignore[name-defined]
        """Claims that its elements double areas."""

        def determinant(self, h):
            return 2 * torch.ones_like(h)

    for kernel in (names.InterpolativeLiftingKernel, names.InterpolativeGroupKernel):
        doubled = kernel(Doubling(4), 3, 2, 2)
        torch.testing.assert_close(doubled.sample()[:, 0], doubled.weight / 2)


def test_precision_and_device_carry_everything_along(names):
    network = names.GroupEquivariantCNN(names.CyclicGroup(8), 1, 2, 3, 1, 2).double()
    tensors = [*network.parameters(), *network.buffers()]
    assert {tensor.dtype for tensor in tensors} == {torch.float64}
    fresh = names.LiftingKernelBase(names.CyclicGroup(8), 3, 1, 1).double().transformed_grid_R2
    # Computed in float64, not converted from float32: cos 45° is right to 1e-15.
    assert abs(fresh[0, 1, 1, 0].item() - (-(0.5**0.5))) < 1e-15
    moved = network.to("meta")
    assert {tensor.device.type for tensor in [*moved.parameters(), *moved.buffers()]} == {"meta"}


@pytest.mark.parametrize(
    ("name", "hparams", "parameters"),
    [("CNN", {"hidden_channels": 32}, 103_690), ("GCNN", {"hidden_channels": 16}, 102_970)],
)
def test_networks_have_the_size_of_the_specification(names, name, hparams, parameters):
    if name == "GCNN":
        hparams = hparams | {"group": names.CyclicGroup(4)}
    settings = {"in_channels": 1, "out_channels": 10, "kernel_size": 5, "num_hidden": 4}
    network = names.create_model(name, settings | hparams)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network(torch.randn(1, 1, 28, 28)).shape == (1, 10)


DRAWS = {"show": 1, "show_images": 2}  # where each takes the alternative text


def test_text_holds_no_pictures_and_figures_have_alternative_texts():
    text = COURSE.lesson_path(STEM).read_text(encoding="utf-8")
    assert not re.search(r"base64,[A-Za-z0-9+/]{20}", text)
    calls = [
        node
        for cell in LESSON.cells
        if cell.kind == "code" and cell.id != "setup"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in DRAWS
    ]
    assert len(calls) >= 10
    for call in calls:
        assert len(ast.unparse(call.args[DRAWS[ast.unparse(call.func)]])) > 40, ast.unparse(call)


def test_student_notebook_is_small_and_keeps_its_markers():
    path = COURSE.release_notebook(STEM)
    assert path.stat().st_size < 600_000  # with its pictures
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert code.count(START_MARKER) == code.count(END_MARKER) == 17
    assert len(re.findall(rf"{START_MARKER}\n\s+[\w.]+ = \.\.\.\n\s+{END_MARKER}", code)) == 17


def test_student_notebook_is_short():
    """What was cut stays cut: machinery in one folded cell, checks folded, few lines of code."""
    notebook = nbformat.read(COURSE.release_notebook(STEM), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = {cell.id: len(cell.source.splitlines()) for cell in code}
    assert len(notebook.cells) <= 130
    assert sum(lines.values()) <= 1270
    assert statistics.median(lines.values()) <= 10
    assert {id: count for id, count in lines.items() if count > 40 and id != "setup"} == {}
    for cell in code:
        folded = "hide-input" in cell.metadata.get("tags", [])
        machinery = cell.id == "setup" or re.search(r"^with checking\(", cell.source, re.M)
        assert folded or not machinery, cell.source[:80]
        if folded:
            assert cell.source.startswith("# @title "), cell.source[:80]
