"""Lesson 2: its smooth kernels, its network, and how that is trained and tested."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from conftest import names_with_small_digits

STEM = "02_from_90_to_98"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The lesson's names, with scikit-learn's small digits."""
    folder = tmp_path_factory.mktemp("training")
    with names_with_small_digits(STEM, folder) as result:
        result.train_model.__globals__["RUNS_FOLDER"] = folder / "runs"
        yield result


@pytest.mark.parametrize(("order", "size"), [(4, 5), (8, 3)])
def test_smooth_kernels_are_the_formula(names, order, size):
    """The formula of section 3, position by position, in pixels and angles."""
    sigma = 0.7
    torch.manual_seed(3)
    kernel = names.SmoothGroupKernel(names.CyclicGroup(order), size, 1, 1)
    lifting = names.SmoothLiftingKernel(names.CyclicGroup(order), size, 1, 1)
    with torch.no_grad():
        got, lifted = kernel.sample()[0, :, 0], lifting.sample()[0, :, 0]
    half = (size - 1) / 2
    places = [(row - half, column - half) for row in range(size) for column in range(size)]

    def value(weights, h, place):
        angle = 2 * math.pi * h / order
        cos, sin = math.cos(angle), math.sin(angle)
        r0, r1 = place
        x = (cos * r0 + sin * r1, -sin * r0 + cos * r1)  # turned back, rows down, columns across
        bumps = [math.exp(-(math.dist(x, centre) ** 2) / (2 * sigma**2)) for centre in places]
        disk = min(max(size / 2 - math.hypot(*place), 0), 1)
        return disk * sum(w * b for w, b in zip(weights.flatten().tolist(), bumps, strict=True))

    for h in range(order):
        for index, place in enumerate(places):
            row, column = divmod(index, size)
            expected = value(lifting.weight[0, 0], h, place)
            assert lifted[h, row, column].item() == pytest.approx(expected, abs=1e-5)
            for other in range(order):
                expected = value(kernel.weight[0, 0, (other - h) % order], h, place)
                assert got[h, other, row, column].item() == pytest.approx(expected, abs=1e-5)


def test_turned_poses_are_those_of_a_finer_group(names):
    """Half-way between the elements of C_4 stand the odd ones of C_8; a whole step is one on."""
    coarse = names.SmoothLiftingKernel(names.CyclicGroup(4), 5, 2, 3)
    fine = names.SmoothLiftingKernel(names.CyclicGroup(8), 5, 2, 3)
    fine.weight.data = coarse.weight.data
    before = coarse.sample()
    coarse.angle = math.pi / 4
    torch.testing.assert_close(coarse.sample(), fine.sample()[:, 1::2])
    coarse.angle = math.pi / 2
    torch.testing.assert_close(coarse.sample(), before.roll(-1, dims=1))


def test_a_network_turns_as_a_whole_and_only_in_training(names):
    torch.manual_seed(0)
    network = names.BetterGCNN(names.CyclicGroup(8), 1, 10, 5, 2, 3, any_angle=True)
    images = torch.randn(3, 1, 28, 28)
    drawn = set()
    for _ in range(20):
        network(images)
        (angle,) = {layer.kernel.angle for layer in network.layers}
        drawn.add(angle)
    assert len(drawn) == 20 and min(drawn) >= 0 and max(drawn) <= math.pi / 4
    network.eval()
    with torch.no_grad():
        network(images)
    assert {layer.kernel.angle for layer in network.layers} == {0.0}
    assert network.double()(images.double()).dtype == torch.float64


@pytest.fixture
def built(names):
    """The network of each recipe, untrained."""
    networks = {}
    for name, recipe in names.RECIPES.items():
        torch.manual_seed(0)
        networks[name] = names.make_network(recipe)
    return networks


def test_networks_are_invariant_to_quarter_turns_and_no_larger(built):
    images = torch.randn(4, 1, 28, 28)
    for name, network in built.items():
        assert sum(weight.numel() for weight in network.parameters()) <= 105_000, name
        network(images)  # statistics for the batch norm
        network.eval()
        with torch.no_grad():
            empty = network(torch.zeros(1, 1, 28, 28))
            output, turned = network(images) - empty, network(images.rot90(1, (-2, -1))) - empty
        assert (turned - output).norm() < 1e-3 * output.norm(), name


def test_every_step_changes_what_it_says_and_only_the_oracle_sees_turned_digits(names):
    steps = list(names.STEPS.values())
    assert len(steps) == 6
    for step in steps:
        assert step["epochs"] == 3 and step["data"] == dict(train_images=20_000)
    changed = [
        {key for key in after if before.get(key) != after[key]}
        for before, after in itertools.pairwise(steps)
    ]
    assert changed == [
        {"model_name", "smooth", "round_maps"},
        {"kind"},
        {"smooth", "group", "hidden_channels"},
        {"round_maps"},
        {"any_angle"},
    ]
    turned = [name for name, recipe in names.RECIPES.items() if "turn" in repr(recipe["data"])]
    assert turned == ["steps 1 to 4, turned training digits"]
    for name in ("steps 1 to 4", "steps 1 to 5"):
        assert names.RECIPES[name]["epochs"] == 10 and names.RECIPES[name]["data"] == {}


@pytest.mark.parametrize("shape", [(8, 8), (9, 9), (8, 11)])
def test_the_window_is_a_disk(names, shape):
    window = names.round_window(torch.ones(shape))
    assert torch.equal(window, window.flip(0)) and torch.equal(window, window.flip(1))
    if shape[0] == shape[1]:
        assert torch.equal(window, window.rot90())
    row, column = (torch.arange(n) - (n - 1) / 2 for n in shape)
    away = torch.hypot(*torch.meshgrid(row, column, indexing="ij"))
    assert (window[away <= min(shape) / 2 - 0.5] == 1).all()
    assert (window[away >= min(shape) / 2 + 0.5] == 0).all()
    assert window[0, 0] == 0 and (window.amax(dim=1) > 0).all()


def test_a_round_window_hides_the_corners_from_the_network(names):
    torch.manual_seed(0)
    network = names.BetterGCNN(names.CyclicGroup(8), 1, 10, 5, 2, 2)
    seen = []
    for layer in network.layers[1:]:
        layer.register_forward_pre_hook(lambda layer, args: seen.append(args[0]))
    network(torch.randn(2, 1, 28, 28))
    assert [maps.shape[-1] for maps in seen] == [14, 7]
    for maps in seen:
        assert (maps[..., 0, 0] == 0).all() and maps[..., 3, 3].std() > 0.01


def train(names, **more):
    """Train a small network of this lesson on a few digits."""
    sizes = dict(in_channels=1, out_channels=10, kernel_size=3, num_hidden=1, hidden_channels=2)
    return names.train_model(
        "BetterGCNN",
        names.RotatedMNIST(train_images=64, batch_size=8),
        group=names.CyclicGroup(4),
        **{"epochs": 2, "kind": names.OneCycle, **more},
        **sizes,
    )


@pytest.mark.slow
def test_the_learning_rate_rises_and_falls(names, monkeypatch):
    rates = []
    monkeypatch.setattr(
        names.ImageClassifier,
        "on_train_batch_start",
        lambda self, *_: rates.append(self.optimizers().param_groups[0]["lr"]),
        raising=False,
    )
    classifier, _ = train(names, name="rates")
    top, steps = classifier.hparams.learning_rate, len(rates)
    assert steps == 16
    expected = [names.learning_rate(step, steps, top) for step in range(steps)]
    assert rates == pytest.approx(expected, abs=1e-12)


def test_kept_kernels_give_the_same_and_are_not_made_again(names):
    torch.manual_seed(0)
    network = names.BetterGCNN(names.CyclicGroup(8), 1, 10, 5, 1, 2)
    images = torch.randn(2, 1, 28, 28)
    network(images)
    kept = names.keep_kernels(network)
    assert network.training and not kept.training
    with torch.no_grad():
        before = kept(images)
        assert torch.equal(before, network.eval()(images))
        for kernel in (*network.layers, *kept.layers):
            kernel.kernel.weight.add_(1)
        assert torch.equal(kept(images), before)
        assert not torch.allclose(network(images), before)
