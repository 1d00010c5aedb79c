"""The command `train`, and how a lesson uses what it has written."""

from __future__ import annotations

import csv
import hashlib
import os
import platform
import re
from pathlib import Path

import pytest
import torch

from autograder.book import train
from autograder.book.names import lesson_names
from autograder.cli import main
from autograder.course import Course
from autograder.demo import copy_course
from autograder.lesson import Lesson

COURSE = Course.find(__file__)
STEM = "01_regular_group_convolutions"
SIZES = {"in_channels": 1, "out_channels": 10, "kernel_size": 5, "num_hidden": 1}
TINY = {"model_name": "CNN", "hidden_channels": 3, **SIZES}


def small(names) -> None:
    """Let a lesson train tiny networks for one epoch on a few of scikit-learn's digits."""
    space, digits = names.train_model.__globals__, names.load_small_digits
    space["load_digits"] = lambda train: tuple(part[:128] for part in digits(train))
    space["EPOCHS"] = names.EPOCHS = 1
    space["train_model"].__kwdefaults__["epochs"] = 1
    names.RECIPES = space["RECIPES"] = {
        "Tiny CNN": TINY,
        "Tiny CNN, turned": TINY | {"data": {"turn_training": True}},
    }
    steps = {"Two epochs": TINY | {"epochs": 2}, "Never trained": TINY}
    names.RECIPES |= steps
    names.TABLES = space["TABLES"] = {
        "training": ["Tiny CNN", "Tiny CNN, turned"],
        "steps": list(steps),
    }
    names.TRAINED = space["TRAINED"] = {"Tiny CNN": ""}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A course in which both recipes were trained, one of them twice, and what was said."""
    patch = pytest.MonkeyPatch()
    course = copy_course(COURSE, STEM, tmp_path_factory.mktemp("course"))
    patch.chdir(course.root)
    patch.setenv("COURSE_DATA", str(course.data))
    patch.setenv("COURSE_FAST_RUN", "1")
    for path in course.data.rglob("*.csv"):
        path.unlink()

    def names_of(lesson):
        names = lesson_names(lesson)
        small(names)
        return names

    patch.setattr(train, "lesson_names", names_of)
    assert main(["train", STEM, "--only", "Tiny CNN", "Tiny CNN, turned", "Two epochs"]) == 0
    assert main(["train", STEM, "--only", "Tiny CNN", "--seeds", "13"]) == 0
    yield course
    patch.undo()


def rows(course: Course) -> list[dict]:
    with (course.data / "results" / f"{STEM}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_training_has_a_row(trained):
    found = [(row["network"], row["seed"], row["parameters"]) for row in rows(trained)]
    count = str((25 + 1) * 3 + (3 * 25 + 1) * 3 + 4 * 10)
    assert found == [
        ("Tiny CNN", "12", count),
        ("Tiny CNN, turned", "12", count),
        ("Two epochs", "12", count),
        ("Tiny CNN", "13", count),
    ]
    assert [row["epochs"] for row in rows(trained)] == ["1", "1", "2", "1"]
    assert all(0 <= float(row["turned"]) <= 100 for row in rows(trained))


def test_a_row_tells_the_accuracy_at_every_angle(trained):
    shares = [float(rows(trained)[0][f"{angle}°"]) for angle in range(0, 360, 15)]
    assert all(0 <= share <= 100 for share in shares)
    assert float(rows(trained)[0]["all angles"]) == pytest.approx(sum(shares) / 24, abs=0.01)


def test_at_every_angle_means_each_digit_at_each_angle(lesson):
    """A network that is right as long as there is a bar at the top."""
    images = torch.zeros(300, 28, 28, dtype=torch.uint8)
    images[:, 2, 10:18] = 255  # a bar at the top

    class Reads(torch.nn.Module):
        def forward(self, x):
            return torch.eye(10)[(x[:, 0, 2, 13] < 1).long()]

    shares = train.over_angles(lesson, Reads(), images, torch.zeros(300).long())
    assert (shares["0°"], shares["90°"], shares["180°"]) == ("100.00", "0.00", "0.00")
    assert float(shares["all angles"]) <= 100 / 8


@pytest.mark.parametrize("stem", COURSE.lessons())
def test_the_tables_hold_what_the_rows_say(stem):
    """Each training once, and no table that was left behind by its rows."""
    found = train.read_rows(COURSE.data / "results" / f"{stem}.csv")
    trainings = [(row["network"], row["seed"]) for row in found]
    assert trainings and len(trainings) == len(set(trainings))
    names = lesson_names(Lesson.load(COURSE.lesson_path(stem)))
    tables = train.make_tables(names, found)
    assert tables.keys() == names.TABLES.keys()
    for kind, table in tables.items():
        assert COURSE.results_table(kind).read_text(encoding="utf-8") == table, kind


def test_a_row_names_the_machine_and_older_rows_stay_without(trained, tmp_path):
    name = train.machine()
    assert re.fullmatch(r"\S.*, \d+ processor cores", name)
    assert str(Path.home()) not in name and platform.node() not in name
    assert [row["machine"] for row in rows(trained)] == [name] * 4
    table = tmp_path / "table.csv"
    table.write_text("network,seed,torch,mirrored\nOld,1,2.9,30\n", encoding="utf-8")
    train.write_row(table, {"network": "New", "seed": 2, "machine": "Some GPU, 8 processor cores"})
    old, new = train.read_rows(table)
    assert (old["machine"], old["torch"], old["mirrored"]) == ("", "2.9", "30")
    assert (new["machine"], new["mirrored"]) == ("Some GPU, 8 processor cores", "")


def test_the_processor_has_a_name(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU\n", encoding="utf-8")
    assert train.processor(cpuinfo) == "Some CPU"
    assert train.processor(tmp_path / "missing")


def test_on_a_gpu_its_name_is_recorded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    assert train.machine() == f"Some GPU, {os.cpu_count()} processor cores"


def test_the_table_gives_mean_and_spread(trained):
    text = trained.results_table("training").read_text(encoding="utf-8")
    _, _, first, second = text.splitlines()
    values = [float(row["turned"]) for row in rows(trained) if row["network"] == "Tiny CNN"]
    mean, half = sum(values) / 2, abs(values[0] - values[1]) / 2**0.5
    assert f"{mean:.2f} ± {half:.2f} %" in first and first.endswith("| 2 |")
    assert "±" not in second and second.endswith("| 1 |")


def test_steps_have_a_table_of_their_own(trained):
    lines = trained.results_table("steps").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and lines[2].startswith("| Two epochs |")


def test_only_a_network_that_the_lesson_loads_is_kept(trained):
    kept = {path.name for path in (trained.data / "networks").iterdir()}
    assert "tiny-cnn.pt" in kept and not kept & {"tiny-cnn-turned.pt", "two-epochs.pt"}


def test_what_was_trained_is_not_trained_again(trained, capsys):
    before = rows(trained)
    assert main(["train", STEM, "--only", "Tiny CNN"]) == 0
    assert "stands in" in capsys.readouterr().out
    assert rows(trained) == before


def test_an_unknown_recipe_is_named_with_the_known_ones(trained, capsys):
    assert main(["train", STEM, "--only", "Huge"]) == 1
    error = capsys.readouterr().err
    assert "Huge" in error and "Tiny CNN, turned" in error


def test_an_unknown_lesson_is_named(trained, capsys):
    assert main(["train", "99_nothing"]) == 1
    assert "99_nothing" in capsys.readouterr().err


@pytest.fixture
def lesson(trained):
    """The lesson, which knows the sum of the tiny network's file."""
    names = lesson_names(Lesson.load(trained.lesson_path(STEM)))
    small(names)
    digest = hashlib.sha256(trained.network("tiny-cnn").read_bytes()).hexdigest()
    names.TRAINED["Tiny CNN"] = digest
    return names


def network(lesson):
    torch.manual_seed(1)
    return lesson.create_model("CNN", {key: TINY[key] for key in TINY if key != "model_name"})


def test_a_lesson_loads_what_was_trained_and_says_so(trained, lesson, capsys):
    model = network(lesson)
    how = lesson.load_trained("Tiny CNN", model)
    said = capsys.readouterr().out
    assert "Loaded tiny-cnn.pt" in said and how in said
    assert how == "1 epochs on 116 images, seed 12"
    kept = torch.load(trained.network("tiny-cnn"), weights_only=True)
    for name, weight in kept["weights"].items():
        assert torch.equal(model.state_dict()[name], weight)


def test_loaded_networks_are_as_accurate_as_the_table_says(trained, lesson, monkeypatch):
    space = lesson.train_model.__globals__
    monkeypatch.setitem(space, "TRAINING", "none")
    monkeypatch.setitem(space, "FAST_RUN", False)
    _, result = lesson.get_model("Tiny CNN", lesson.RotatedMNIST())
    row = rows(trained)[0]
    assert f"{100 * result['test accuracy']:.2f}" == row["turned"]
    assert f"{100 * result['upright accuracy']:.2f}" == row["upright"]
    assert result["parameters"] == int(row["parameters"])


def test_without_the_file_a_network_is_trained_shortly(lesson, monkeypatch, capsys):
    space = lesson.train_model.__globals__
    monkeypatch.setitem(space, "TRAINING", "none")
    monkeypatch.setitem(space, "FAST_RUN", False)
    lesson.TRAINED["Tiny CNN"] = "0" * 64
    _, result = lesson.get_model("Tiny CNN", lesson.RotatedMNIST())
    assert result["how"].startswith("3 epochs on 116 images")
    assert "trained here, but shortly" in capsys.readouterr().out


@pytest.mark.parametrize("reason", ["sum", "missing", "arranged", "shapes"])
def test_what_cannot_be_used_is_not_and_the_network_stays(
    trained, lesson, capsys, monkeypatch, tmp_path, reason
):
    model = network(lesson)
    space = lesson.load_trained.__globals__
    if reason == "sum":
        lesson.TRAINED["Tiny CNN"] = "0" * 64
    elif reason == "missing":
        monkeypatch.setitem(space, "DATA_FOLDER", tmp_path)
        monkeypatch.setitem(space, "FAST_RUN", False)

        def no_network(*_, **__):
            raise OSError("no route")

        monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    elif reason == "arranged":
        model.convs[0].register_forward_hook(lambda _, inputs, output: output.flip(1))
    else:
        model.final_linear = torch.nn.Linear(3, 11)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert lesson.load_trained("Tiny CNN", model) is None
    said = capsys.readouterr().out
    assert "NOTICE" in said and "Loaded" not in said
    assert {"sum": "not the file", "missing": "no route"}.get(reason, "another way") in said
    for name, value in before.items():
        assert torch.equal(model.state_dict()[name], value)


def test_a_file_is_fetched_by_its_sum(trained, lesson, monkeypatch, tmp_path, capsys):
    fetched = []
    original = trained.network("tiny-cnn").read_bytes()

    def fetch(url, path, hash_prefix, progress):
        fetched.append((url, hash_prefix))
        path.write_bytes(original)

    monkeypatch.setitem(lesson.load_trained.__globals__, "DATA_FOLDER", tmp_path)
    monkeypatch.setitem(lesson.load_trained.__globals__, "FAST_RUN", False)
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert lesson.load_trained("Tiny CNN", network(lesson)) is not None
    assert lesson.load_trained("Tiny CNN", network(lesson)) is not None
    ((url, digest),) = fetched
    assert url == f"{trained.edition_url}/data/networks/tiny-cnn.pt"
    assert url.startswith(trained.repository_url)
    assert digest == hashlib.sha256(original).hexdigest()


def test_a_file_that_runs_code_is_refused(trained, lesson, monkeypatch, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (exec, ("raise SystemExit('code has run')",))

    path = tmp_path / "networks" / "tiny-cnn.pt"
    path.parent.mkdir()
    torch.save({"weights": Harmful()}, path)
    lesson.TRAINED["Tiny CNN"] = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(lesson.load_trained.__globals__, "DATA_FOLDER", tmp_path)
    with pytest.raises(Exception, match="[Ww]eights"):
        lesson.load_trained("Tiny CNN", network(lesson))
