"""Lesson 2's fast kernels, better networks and training: what its text says about them."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from conftest import names_with_small_digits

STEM = "02_beyond_c4"
KINDS = ("Lifting", "Group")


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The lesson's names, with scikit-learn's small digits."""
    folder = tmp_path_factory.mktemp("training")
    with names_with_small_digits(STEM, folder) as result:
        yield result


@pytest.fixture
def in_full(names, tmp_path, monkeypatch):
    """Training is not cut to two steps, and writes to a folder of its own."""
    space = names.train_model.__globals__
    monkeypatch.setitem(space, "RUNS_FOLDER", tmp_path)
    digits = names.load_small_digits
    monkeypatch.setitem(space, "load_digits", lambda train: tuple(x[:200] for x in digits(train)))
    monkeypatch.setitem(space, "FAST_RUN", False)
    return names


def kernels(names, kind, order=4, size=5):
    """Return a plain and a fast kernel with the same weights."""
    group = names.CyclicGroup(order)
    plain = getattr(names, f"Interpolative{kind}Kernel")(group, size, 3, 2)
    fast = getattr(names, f"Fast{kind}Kernel")(group, size, 3, 2)
    fast.weight = plain.weight
    return plain, fast


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_the_matrix_samples_what_interpolation_samples(names, kind, order, dtype, tolerance):
    plain, fast = (kernel.to(dtype) for kernel in kernels(names, kind, order, order + 1))
    expected, got = plain.sample(), fast.sample()
    assert got.shape == expected.shape and got.dtype == dtype
    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance)
    sides = [
        torch.autograd.grad(kernel.sample().square().sum(), kernel.weight)
        for kernel in (plain, fast)
    ]
    torch.testing.assert_close(*(side[0] for side in sides), rtol=1e-4, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", ["step", "load", "in place", "data", "double"])
def test_kept_kernels_follow_the_weights(names, kind, change):
    plain, fast = kernels(names, kind)
    with torch.no_grad():
        before = fast.sample()
        assert fast.sample() is before
    if change == "step":
        optimizer = torch.optim.SGD(fast.parameters(), lr=1.0)
        fast.sample().sum().backward()
        optimizer.step()
    elif change == "load":
        fast.load_state_dict({**fast.state_dict(), "weight": fast.weight + 1})
    elif change == "in place":
        with torch.no_grad():
            fast.weight.mul_(2)
    elif change == "data":
        fast.weight.data = fast.weight.data + 1
    else:
        plain, fast = plain.double(), fast.double()
    with torch.no_grad():
        after = fast.sample()
        assert after.dtype == fast.weight.dtype and not torch.equal(
            before.double(), after.double() if change != "double" else -after
        )
        torch.testing.assert_close(after, plain.sample(), rtol=0, atol=1e-6)


def test_gradients_reach_the_weights_after_a_look_in_inference_mode(names):
    _, fast = kernels(names, "Group")
    with torch.inference_mode():
        fast.sample()
    fast.sample().sum().backward()
    assert fast.weight.grad.abs().sum() > 0


def test_speeding_up_changes_neither_outputs_nor_weights(names):
    network = names.GroupEquivariantCNN(names.CyclicGroup(8), 1, 10, 5, 2, 4).eval()
    fast = names.speed_up(copy.deepcopy(network))
    images = names.noise(2, 1, 20, 17)
    torch.testing.assert_close(fast(images), network(images), rtol=0, atol=1e-5)
    assert [type(layer.kernel).__name__ for layer in (fast.lifting_conv, *fast.gconvs)] == [
        "FastLiftingKernel",
        *2 * ["FastGroupKernel"],
    ]
    assert fast.state_dict().keys() == network.state_dict().keys()
    for name, weight in network.state_dict().items():
        assert torch.equal(fast.state_dict()[name], weight), name


def test_moving_by_whole_pixels_moves_and_by_halves_takes_means(in_full):
    rotate_each = in_full.rotate_each
    images = torch.randint(0, 256, (2, 28, 28), generator=torch.Generator().manual_seed(2))
    images = images.to(torch.uint8)
    moves = torch.tensor([[1.0, 0.5], [-2.0, 0.0]])  # across and down; the second by half a pixel
    moved = rotate_each(images, torch.zeros(2), moves)
    assert torch.equal(moved[0, 2:, :-1], images[0, :-2, 1:])
    means = (images[1, :, :-1].float() + images[1, :, 1:].float()) / 2
    assert (moved[1, :, :-1].float() - means).abs().max() <= 0.5


def test_a_training_image_is_moved_by_at_most_what_was_asked(in_full):
    data = in_full.RotatedMNIST(move_training=1.0)
    data.trainer = type("Trainer", (), {"training": True})()
    images = torch.zeros(500, 28, 28, dtype=torch.uint8)
    images[:, 14, 14] = 255
    got, _ = data.on_after_batch_transfer((images, torch.zeros(500)), 0)
    light = got[:, 0] - got.amin()
    axis = torch.arange(28.0)
    for sums in (light.sum(1), light.sum(2)):
        centre = (sums * axis).sum(1) / sums.sum(1) - 14
        assert centre.abs().max() < 1.05 and centre.std() > 0.5  # uniform in ±1: 0.58


SETTINGS = {
    "in_channels": 1,
    "out_channels": 10,
    "kernel_size": 5,
    "num_hidden": 2,
    "hidden_channels": 4,
}


def train(names, **more):
    """Train a small network on a few digits."""
    data = names.RotatedMNIST(batch_size=more.pop("batch_size", 64))
    return names.train_model("CNN", data, **{"epochs": 2, **more}, **SETTINGS)


def test_the_same_seed_gives_the_same_curve(in_full):
    first, second, other = (train(in_full, seed=seed)[1] for seed in (1, 1, 2))
    assert first == second != other
    assert len(first["curves"]["train_loss"]) == len(first["curves"]["validation_accuracy"]) == 2


def test_an_interrupted_training_goes_on_where_it_stopped(in_full, monkeypatch):
    whole_model, whole = train(in_full, name="whole", epochs=3, schedule=True)

    curves = in_full.Curves

    class Interrupted(in_full.Curves):  # type: ignore[name-defined]
        """Stands for a power cut in the second epoch."""

        def on_train_batch_start(self, trainer, *_):
            if trainer.current_epoch == 1:
                raise OSError("no current")

    space = in_full.train_model.__globals__
    monkeypatch.setitem(space, "Curves", Interrupted)
    with pytest.raises(OSError, match="no current"):
        train(in_full, name="cut", epochs=3, schedule=True)
    monkeypatch.setitem(space, "Curves", curves)
    model, resumed = train(in_full, name="cut", epochs=3, schedule=True, ckpt_path="last")
    assert len(resumed["curves"]["train_loss"]) == 3
    assert resumed == whole
    for name, weight in whole_model.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


def test_the_learning_rate_rises_and_falls(in_full, monkeypatch):
    rates = []
    monkeypatch.setattr(
        in_full.ImageClassifier,
        "on_train_batch_end",
        lambda self, *_: rates.append(self.optimizers().param_groups[0]["lr"]),
        raising=False,
    )
    train(in_full, schedule=True, batch_size=8)
    highest = rates.index(max(rates))
    assert max(rates) == pytest.approx(1e-2, rel=0.05)
    assert 0.1 < highest / len(rates) < 0.3
    assert rates[:highest] == sorted(rates[:highest])
    assert rates[highest:-1] == sorted(rates[highest:-1], reverse=True)
    assert rates[0] < 2e-3 and rates[-2] < 1e-5


@pytest.mark.parametrize(("order", "size"), [(4, 5), (8, 3)])
def test_smooth_kernels_are_the_formula(in_full, order, size):
    """The formula of section 6.2, position by position, in pixels and angles."""
    names, sigma = in_full, 0.7
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


def test_turned_poses_are_those_of_a_finer_group(in_full):
    """Half-way between the elements of C_4 stand the odd ones of C_8; a whole step is one on."""
    names = in_full
    coarse = names.SmoothLiftingKernel(names.CyclicGroup(4), 5, 2, 3)
    fine = names.SmoothLiftingKernel(names.CyclicGroup(8), 5, 2, 3)
    fine.weight.data = coarse.weight.data
    before = coarse.sample()
    coarse.turn(0.5)
    assert torch.allclose(coarse.sample(), fine.sample()[:, 1::2], atol=1e-6)
    coarse.turn(1.0)
    assert torch.allclose(coarse.sample(), before.roll(-1, dims=1), atol=1e-6)
    coarse.turn(0.0)
    assert torch.equal(coarse.sample(), before)


def test_a_network_turns_as_a_whole_and_only_in_training(in_full):
    names = in_full
    torch.manual_seed(0)
    group = names.CyclicGroup(4)
    network = names.BetterGCNN(group, 1, 10, 5, 2, 3, strongest=True, parts=8)
    images = torch.randn(3, 1, 28, 28)
    drawn = set()
    for _ in range(40):
        network(images)
        (part,) = {layer.kernel.part for layer in network.layers}
        drawn.add(part)
    assert drawn == {part / 8 for part in range(8)}
    network.eval()
    with torch.no_grad():
        network(images)
        assert {layer.kernel.part for layer in network.layers} == {0.0}
        for layer in network.layers:
            layer.kernel.turn(0.5)
            sampled = layer.kernel.sample()
            layer.kernel.turn(0.0)
            assert not torch.allclose(layer.kernel.sample(), sampled)  # nothing old is kept
    assert network.double()(images.double()).dtype == torch.float64


OF_TRAINING = ("data", "schedule", "epochs", "looks")


def test_better_networks_are_invariant_and_no_larger(in_full):
    names = in_full
    plain = names.PLAIN
    for name, recipe in names.RECIPES.items():
        recipe = {key: recipe[key] for key in recipe if key not in OF_TRAINING}
        model = names.create_model(recipe.pop("model_name"), recipe)
        assert sum(weight.numel() for weight in model.parameters()) <= 105_000, name
        assert recipe["kernel_size"] == plain["kernel_size"]
        if "group" not in recipe:
            continue
        images = torch.randn(4, 1, 28, 28)
        model(images)  # statistics for the batch norm
        model.eval()
        with torch.no_grad():
            output = model(images) - model(torch.zeros(1, 1, 28, 28))
            turned = model(images.rot90(1, (-2, -1))) - model(torch.zeros(1, 1, 28, 28))
        assert torch.allclose(turned, output, rtol=1e-3, atol=1e-5 * output.norm().item()), name


def test_every_step_changes_what_it_says_and_only_upright_digits_are_seen(in_full):
    names = in_full
    assert list(names.STEPS)[10] == "all steps, C8"
    for step in names.STEPS.values():
        assert step["epochs"] == 3 and step["data"]["train_images"] == 20_000
    first = list(names.STEPS.values())[:11]
    for before, after in itertools.pairwise(first):
        assert {key for key in after if before.get(key) != after[key]} - {"group"}
    for kind in ("GCNN, C8", "CNN"):
        full, short = (
            names.RECIPES[f"Better {kind}"],
            names.STEPS["all steps, " + kind[-3:].strip()],
        )
        assert {key for key in full if full[key] != short[key]} == {"epochs", "data"}
        assert full["epochs"] == 10 and full["data"] == {"move_training": 1.0}
    turned = [name for name, recipe in names.RECIPES.items() if "turn" in repr(recipe.get("data"))]
    assert turned == ["all steps, oracle C8"]


@pytest.mark.parametrize("shape", [(8, 8), (9, 9), (8, 11)])
def test_the_window_is_a_disk(names, shape):
    window = names.disk_window(torch.zeros(1, 2, *shape))
    assert window.shape == shape
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
    network = names.BetterGCNN(names.CyclicGroup(8), 1, 10, 5, 1, 2, pooled=(), round_window=True)
    seen = []
    for layer in network.layers[1:]:
        layer.register_forward_pre_hook(lambda layer, args: seen.append(args[0]))
    network(torch.randn(2, 1, 28, 28))
    corner, middle = seen[0][..., :3, :3], seen[0][..., 12:16, 12:16]
    assert (corner == 0).all() and middle.std() > 0.01


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_all_images_turn_counter_clockwise(names, degrees):
    images = torch.randn(2, 1, 9, 9)
    turned = names.rotate(images, torch.full((2,), float(degrees)))
    torch.testing.assert_close(turned, images.rot90(degrees // 90, (-2, -1)), rtol=0, atol=1e-5)


def test_beyond_the_border_there_are_zeros_or_the_border_goes_on(names):
    images, angles = torch.full((1, 2, 9, 9), 5.0), torch.tensor([45.0])
    border = names.rotate(images, angles, outside="border")
    torch.testing.assert_close(border, images)
    zeros = names.rotate(images, angles)
    assert (zeros[..., 0, 0] == 0).all() and (zeros[..., 4, 4] == 5).all()


def test_two_looks_are_a_mean_and_for_tests_only(names):
    torch.manual_seed(0)
    network = names.create_model("CNN", dict(hidden_channels=2, **names.SIZES)).eval()
    images = torch.randn(3, 1, 28, 28)
    turned = names.rotate(images, torch.full((3,), 45.0), outside="border")
    one, two = (names.ImageClassifier(network, looks=looks) for looks in (1, 2))
    with torch.no_grad():
        first, second = network(images), network(turned)
        torch.testing.assert_close(one(images), first)
        torch.testing.assert_close(two(images), (first + second) / 2)
    assert not torch.allclose(first, second)
    given = []
    network.register_forward_hook(lambda *_: given.append(1))
    two.log_dict = lambda *args, **settings: None
    batch = (images, torch.tensor([0, 1, 2]))
    for step, looks in ((two.training_step, 1), (two.validation_step, 1), (two.test_step, 2)):
        given.clear()
        step(batch, 0)
        assert len(given) == looks
