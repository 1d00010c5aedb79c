"""The digit that a reader draws is read in the browser as the lesson's own networks read it."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
from collections.abc import Iterator

import browser as browsers
import numpy as np
import pytest
import torch
from conftest import ROOT, names_with_small_digits

from autograder.book import draw, turn
from autograder.book.weights import packed, weights_file
from autograder.course import Course

COURSE = Course(ROOT)
STATIC = COURSE.solutions / "_static"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Draw</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="book.css">
<link rel="stylesheet" href="draw.css"><script defer src="draw.js"></script><main>{}</main>"""
# Asks the worker one thing after the other.
ASK = """async questions => {
    const worker = new Worker("networks.js");
    const answer = () => new Promise((resolve, reject) => {
        worker.onmessage = event => resolve(event.data);
        worker.onerror = event => reject(event.message);
    });
    await answer();
    const answers = [];
    for (const [pixels, angle] of questions) {
        worker.postMessage([Uint8Array.from(pixels), angle]);
        answers.push(await answer());
    }
    worker.terminate();
    return answers;
}"""
SEVEN = [(60, 60), (200, 60), (120, 230)]


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The lesson's names, and its two networks as the course has trained them."""
    with names_with_small_digits(turn.STEM, tmp_path_factory.mktemp("lesson")) as names:
        yield names, {name: turn.trained(names, COURSE, name) for name in turn.NETWORKS}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[str]:
    """The address of a page with nothing but the box on it, and of its files."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("book.css", "draw.js", "draw.css", "networks.js", "networks.bin"):
        shutil.copy(STATIC / name, folder)
    (folder / "index.html").write_text(PAGE.format(draw.markup(COURSE)), encoding="utf-8")
    (folder / "empty.html").write_text(PAGE.format(""), encoding="utf-8")
    with browsers.serve(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with browsers.launch(browsers.OFFLINE) as opened:
        yield opened


@pytest.fixture
def page(browser, site):
    """The page; in the end nothing went wrong on it."""
    shown = browser.new_page()
    wrong: list[str] = []
    shown.on("console", lambda message: wrong.append(message.text))
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.goto(f"{site}index.html")
    yield shown
    shown.close()
    assert wrong == []


@pytest.mark.slow
def test_the_weights_are_those_of_the_course_s_networks(networks) -> None:
    _, kept = networks
    committed = weights_file(COURSE).read_bytes()
    assert committed == b"".join(packed(network) for network in kept.values()), (
        "the networks are others now: run `python -m autograder.book.turn`, commit what it writes"
    )
    assert len(committed) <= 500_000


def test_a_layer_without_biases_has_zeros_for_them() -> None:
    first = torch.nn.Conv2d(1, 2, 3, bias=False)
    layers = torch.nn.Sequential(first, torch.nn.Flatten(), torch.nn.Linear(2, 1))
    numbers = np.frombuffer(packed(layers), "<f2")
    assert len(numbers) == 18 + 2 + 2 + 1
    assert list(numbers[18:20]) == [0, 0]
    assert np.allclose(numbers[:18], first.weight.detach().flatten(), atol=1e-3)


@pytest.mark.slow
def test_the_browser_reads_digits_as_the_lesson_s_networks_do(browser, site, networks) -> None:
    names, kept = networks
    digits = json.loads(COURSE.turning.read_text(encoding="utf-8"))
    pictures = [list(base64.b64decode(digit["pixels"])) for digit in digits]
    questions = list(itertools.product(pictures, (0, 37, 90, 201)))
    shown = browser.new_page()
    shown.goto(f"{site}empty.html")
    answers = shown.evaluate(ASK, questions)
    shown.close()
    images = torch.tensor([pixels for pixels, _ in questions], dtype=torch.uint8).view(-1, 28, 28)
    angles = torch.tensor([float(angle) for _, angle in questions])
    turned = names.normalize(names.rotate_each(images, angles))
    for name, network in kept.items():
        with torch.no_grad():
            logarithms = network(turned).log_softmax(dim=1)
        answered = torch.tensor([list(answer[name]) for answer in answers])
        assert answered.shape == (40, 10)
        assert (answered - logarithms.exp()).abs().max() < 1e-2
        assert (answered.log() - logarithms).abs().max() < 0.05  # however small a score is
        assert (answered.argmax(1) == logarithms.argmax(1)).float().mean() > 0.95


def start(page) -> None:
    page.locator(".draw-open").click()
    page.locator(".draw-state", has_text="The networks are here").wait_for(timeout=60_000)


def finish(page) -> str:
    """Wait for the whole curve, and return what is said of it."""
    summary = page.locator(".draw-summary", has_text="Read as upright")
    summary.wait_for(timeout=120_000)
    return summary.inner_text()


def draw_line(page, points=SEVEN) -> None:
    paper = page.locator(".draw-paper")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    first, *others = [(box["x"] + x, box["y"] + y) for x, y in points]
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


@pytest.mark.slow
def test_a_seven_drawn_with_the_mouse_is_read_and_turned(page) -> None:
    start(page)
    draw_line(page)
    summary = finish(page)
    ordinary, group = map(int, re.findall(r"network \(7\) at (\d+) of 24 angles", summary))
    assert ordinary < group
    assert all(
        said.startswith("7, ") for said in page.locator(".draw-said output").all_inner_texts()
    )
    curve = page.locator("path.draw-GCNN").get_attribute("d")
    assert curve.count("L") == 23 and curve.endswith("Z")
    page.locator(".draw-dial").fill("90")
    page.wait_for_function("!!document.querySelector('.draw-dial').ariaValueText.includes('group')")
    said = page.locator(".draw-said output").all_inner_texts()
    assert not said[0].startswith("7, ") and said[1].startswith("7, ")
    told = page.locator(".draw-dial").get_attribute("aria-valuetext")
    assert told == f"90°: ordinary network {said[0]}, group network {said[1]}"
    assert page.locator(".draw-seen").evaluate("e => e.style.transform") == "rotate(-90deg)"
    page.locator(".draw-clear").click()
    assert page.locator(".draw-said output").all_inner_texts() == ["", ""]
    assert page.locator("path.draw-GCNN").get_attribute("d") is None
    assert page.locator(".draw-summary").inner_text() == ""


@pytest.mark.slow
def test_what_was_said_of_an_earlier_drawing_is_forgotten(page) -> None:
    start(page)
    bar = [(100, 140), (180, 140)]
    draw_line(page)
    page.locator("path.draw-GCNN[d]").wait_for(state="attached", timeout=60_000)
    draw_line(page, bar)  # while the networks are reading
    overtaken = finish(page), page.locator("path.draw-GCNN").get_attribute("d")
    page.locator(".draw-clear").click()
    draw_line(page)
    finish(page)
    draw_line(page, bar)
    assert overtaken == (finish(page), page.locator("path.draw-GCNN").get_attribute("d"))


# What the networks see of the strokes.
SEEN = """() => {
    const canvas = document.querySelector(".draw-seen");
    const {data} = canvas.getContext("2d").getImageData(0, 0, 28, 28);
    return Array.from({length: 784}, (_, n) => data[4 * n + 3]);
}"""


@pytest.mark.slow
def test_what_is_drawn_is_made_like_a_digit_of_mnist(page) -> None:
    start(page)
    draw_line(page)
    grey = np.array(page.evaluate(SEEN)).reshape(28, 28)
    rows, columns = (np.flatnonzero(grey.any(axis)) for axis in (1, 0))
    sizes = sorted(np.ptp(places) + 1 for places in (rows, columns))
    assert sizes[0] < sizes[1] and 19 <= sizes[1] <= 21
    mass = [(grey.sum(axis) * np.arange(28)).sum() / grey.sum() for axis in (1, 0)]
    assert np.allclose(mass, 14, atol=0.2)
    assert grey.max() == 255
    assert ((grey > 0) & (grey < 255)).sum() > 20, "its edges are not grey"


@pytest.mark.slow
def test_a_digit_is_drawn_with_the_keyboard(page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".draw-state", has_text="The networks are here").wait_for(timeout=60_000)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "draw-paper"
    for key, times in (("ArrowUp", 8), ("Space", 1), ("ArrowDown", 16)):
        for _ in range(times):
            page.keyboard.press(key)
    assert page.locator(".draw-state").inner_text() == "Pen down, column 14 and row 22 of 28"
    page.keyboard.press("Space")
    assert "(1) at" in finish(page)
    assert page.locator(".draw-state").inner_text().startswith("Pen up")


@pytest.mark.slow
def test_it_says_when_the_networks_cannot_be_loaded(browser, site) -> None:
    shown = browser.new_page()
    shown.route("**/networks.bin", lambda route: route.abort())
    shown.goto(f"{site}index.html")
    shown.locator(".draw-open").click()
    shown.locator(".draw-state", has_text="could not be fetched").wait_for()
    assert not shown.locator(".draw-paper").is_visible()
    shown.unroute("**/networks.bin")
    start(shown)
    shown.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_a_finger(browser, site, scheme) -> None:
    shown = browser.new_page(
        viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True
    )
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url.removeprefix(site)))
    shown.goto(f"{site}index.html")
    assert not {"networks.js", "networks.bin"} & set(asked), "loaded before a click"
    start(shown)
    assert {"networks.js", "networks.bin"} <= set(asked)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    paper = shown.locator(".draw-paper")
    assert paper.evaluate("e => getComputedStyle(e).touchAction") == "none", "the page would scroll"
    paper.tap()
    shown.locator(".draw-said output", has_text="% sure").first.wait_for(timeout=60_000)
    shown.close()


@pytest.mark.slow
def test_without_a_script_a_sentence_says_what_is_missing(browser, site) -> None:
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(f"{site}index.html")
    assert shown.locator("main").inner_text().strip().startswith("With JavaScript you can draw")
    assert not shown.locator(".draw-open").is_visible()
    context.close()


def test_there_is_no_box_where_no_weights_are_kept(course) -> None:
    assert draw.markup(course) == ""
