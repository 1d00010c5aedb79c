"""Lesson 1's data and training: what its text says about them."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.functional as TF
from conftest import names_with_small_digits

STEM = "01_regular_group_convolutions"
SETTINGS = dict(in_channels=1, out_channels=10, kernel_size=5, num_hidden=2, hidden_channels=4)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The lesson's names, with scikit-learn's small digits."""
    folder = tmp_path_factory.mktemp("training")
    with names_with_small_digits(STEM, folder) as result:
        result.train_model.__globals__["RUNS_FOLDER"] = folder / "runs"
        yield result


def test_digits_turn_as_torchvision_turns_them(names):
    images, _ = names.load_small_digits(train=False)
    angles = torch.linspace(0, 360, len(images))
    turned = names.rotate_each(images, angles)
    bilinear = TF.InterpolationMode.BILINEAR
    expected = torch.cat(
        [
            TF.rotate(image[None], angle, bilinear)
            for image, angle in zip(images, angles.tolist(), strict=True)
        ]
    )
    assert turned.dtype == expected.dtype == torch.uint8
    assert (turned.int() - expected.int()).abs().max() <= 1
    assert (turned != expected).float().mean() < 0.01


def test_turning_by_quarter_turns_is_exact(names):
    images, _ = names.load_small_digits(train=False)
    for turns in range(4):
        turned = names.rotate_each(images, torch.full((len(images),), 90.0 * turns))
        assert torch.equal(turned, torch.rot90(images, turns, (-2, -1)))


def test_test_angles_are_fixed_and_validation_is_apart(names, monkeypatch):
    images = torch.randint(0, 256, (500, 28, 28), generator=torch.Generator().manual_seed(1))
    digits = images.to(torch.uint8), torch.arange(500)
    monkeypatch.setitem(names.RotatedMNIST.setup.__globals__, "load_digits", lambda train: digits)
    first, second, other = (names.RotatedMNIST(seed=seed) for seed in (1, 1, 2))
    for data in (first, second, other):
        data.setup()
    assert torch.equal(first.test.tensors[0], second.test.tensors[0])
    assert not torch.equal(first.test.tensors[0], other.test.tensors[0])
    train, validation = (set(part.tensors[1].tolist()) for part in (first.train, first.validation))
    assert len(validation) == 50 and len(train) == 450 and not train & validation
    # The same digits upright, to tell what turning costs.
    assert torch.equal(first.upright.tensors[0], digits[0])
    assert torch.equal(first.upright.tensors[1], first.test.tensors[1])
    assert not torch.equal(first.upright.tensors[0], first.test.tensors[0])


def test_every_image_is_seen_once_an_epoch_with_its_label(names):
    data = names.RotatedMNIST(batch_size=7)
    data.setup()
    batches = list(data.train_dataloader())
    assert {len(labels) for _, labels in batches[:-1]} == {7}

    def pairs(images, labels):
        return [
            (image.numpy().tobytes(), int(label))
            for image, label in zip(images, labels, strict=True)
        ]

    seen = [pair for batch in batches for pair in pairs(*batch)]
    assert seen != pairs(*data.train.tensors), "they come in another order"
    assert sorted(seen) == sorted(pairs(*data.train.tensors))


def test_only_training_images_are_turned_and_only_if_asked(names):
    images = torch.arange(28 * 28).view(1, 28, 28).remainder(256).to(torch.uint8).repeat(3, 1, 1)

    def turned(asked: bool, training: bool) -> bool:
        data = names.RotatedMNIST(turn_training=asked)
        data.trainer = type("Trainer", (), {"training": training})()
        got, _ = data.on_after_batch_transfer((images, torch.zeros(3)), 0)
        return not torch.equal(got, names.normalize(images))

    assert turned(True, True)
    assert not turned(True, False) and not turned(False, True)


def train(names, epochs=2, **more):
    """Train a small network on a few digits."""
    data = names.RotatedMNIST(train_images=100)
    return names.train_model("CNN", data, epochs=epochs, **more, **SETTINGS)


def weights(classifier):
    """Return all weights of a network in a row."""
    return torch.cat([weight.flatten() for weight in classifier.state_dict().values()])


@pytest.mark.slow
def test_the_seed_decides_and_an_interrupted_training_goes_on(names, monkeypatch):
    (whole, result), (again, same), (other, _) = (
        train(names, name=name, seed=seed)
        for name, seed in (("whole", 1), ("again", 1), ("other", 2))
    )
    assert same == result and torch.equal(weights(again), weights(whole))
    assert not torch.equal(weights(other), weights(whole))
    assert result["how"] == "2 epochs on 100 images, seed 1"
    assert {"parameters", "test accuracy", "upright accuracy", "how"} == set(result)

    def power_cut(self):
        if self.current_epoch == 1:
            raise OSError("no current")

    with monkeypatch.context() as patch:
        patch.setattr(names.ImageClassifier, "on_train_epoch_start", power_cut)
        with pytest.raises(OSError, match="no current"):
            train(names, name="cut", seed=1)
    _, resumed = train(names, name="cut", seed=1, ckpt_path="last")
    assert resumed["how"] == result["how"]
    cut = torch.load(
        names.train_model.__globals__["RUNS_FOLDER"] / "cut" / "last.ckpt", weights_only=False
    )
    assert cut["epoch"] == 1 and cut["global_step"] == 2 * 2


def test_unknown_model_is_a_clear_error(names):
    with pytest.raises(ValueError, match="unknown model 'RNN'; the known ones are CNN, GCNN"):
        names.create_model("RNN", {})


def test_the_trainer_takes_the_device_of_the_notebook(names):
    trainer = names.make_trainer("device", epochs=3)
    kind = "CUDAAccelerator" if names.device.type == "cuda" else "CPUAccelerator"
    assert type(trainer.accelerator).__name__ == kind
    assert trainer.max_epochs == 3 and trainer.checkpoint_callback.monitor == "validation_accuracy"
