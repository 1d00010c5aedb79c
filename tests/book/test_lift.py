"""The picture to lift answers as lesson 1's own layer does, in its markup and in a browser."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import browser as browsers
import numpy as np
import pytest
import torch
from conftest import ROOT, names_with_small_digits
from torch import Tensor

from autograder.book import lift
from autograder.course import Course

STATIC = Course(ROOT).solutions / "_static"
MARKUP = lift.markup(Course(ROOT))
PAGE = """<!doctype html><html lang="en" data-theme="light"><head><title>Lift it</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{styles}</style></head>
<body><main><h1>Lift it</h1><article>{body}</article></main>
<script>{script}</script></body></html>"""
# What is drawn: of each picture its text, its pixels' values, and where its rings are.
DRAWN = """box => [...box.querySelectorAll("svg")].map(svg => {
    const size = svg.viewBox.baseVal.width;
    const values = Array.from({length: size}, () => Array(size).fill(0));
    for (const path of svg.querySelectorAll("path")) {
        const value = Number(path.querySelector("title").textContent.replace("−", "-"));
        const squares = path.getAttribute("d").matchAll(/M(\\d+) (\\d+)h1v1h-1z/g);
        for (const [, column, row] of squares) values[row][column] = value;
    }
    const rings = [...svg.querySelectorAll("circle")]
        .map(ring => [Math.floor(ring.cy.baseVal.value), Math.floor(ring.cx.baseVal.value)]);
    return {label: svg.getAttribute("aria-label"), values, rings,
            framed: svg.parentElement.matches(".lift-best")};
})"""


def test_the_still_picture_shows_and_says_where_the_peak_is() -> None:
    assert MARKUP.count('role="img"') == MARKUP.count("<svg") == 9
    assert MARKUP.count("lift-best") == MARKUP.count("<circle") == 1
    assert "The largest value, 6, is in the map of 0°, at row 3, column 4." in MARKUP
    assert "An F in the pose 0°, in rows 2 to 6 and columns 3 to 5 of 9 by 9 pixels" in MARKUP
    assert "\n" not in MARKUP  # an empty line would end the block in Markdown


def test_without_a_script_there_is_nothing_to_press() -> None:
    shown = re.sub(r"<(p|div|fieldset)\b[^>]* hidden>.*?</\1>", "", MARKUP)
    assert shown.count("<svg") == 9
    assert not re.search("<(button|select|input)", shown)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """What lesson 1 defines."""
    with names_with_small_digits(
        "01_regular_group_convolutions", tmp_path_factory.mktemp("l")
    ) as n:
        yield n


def layer_of(lesson: SimpleNamespace, kernel: list | np.ndarray) -> Any:
    """Return the lesson's lifting layer for C4 with one kernel [3, 3] and padding 1."""
    layer = lesson.LiftingConvolution(lesson.CyclicGroup(4), 1, 1, kernel_size=3, padding=1)
    layer.kernel.weight.data[0, 0] = torch.as_tensor(np.array(kernel))
    return layer


def signal(values: list | np.ndarray) -> Tensor:
    """Return pixels [9, 9] or maps [4, 9, 9] as the lesson's batches of one channel."""
    return torch.as_tensor(np.array(values)).float()[None, None]


@pytest.mark.slow
def test_the_still_maps_are_those_of_the_lesson(lesson: SimpleNamespace) -> None:
    for seed in range(3):
        kernel = np.random.default_rng(seed).integers(-1, 2, (3, 3)) if seed else lift.KERNEL
        with torch.no_grad():
            right = layer_of(lesson, kernel)(signal(lift.IMAGE))
        torch.testing.assert_close(signal(lift.lift(lift.IMAGE, kernel)), right, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """A browser that reaches nothing."""
    with browsers.launch(browsers.OFFLINE) as opened:
        yield opened


@pytest.fixture
def open_page(browser) -> Iterator:
    """A function that shows a page with some boxes; what went wrong on one fails the test."""
    contexts, wrong = [], []

    def opened(body: str = MARKUP, styles: str = "", **options):
        options = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce", **options}
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url))
        for name in ("book.css", "lift.css"):
            styles += (STATIC / name).read_text(encoding="utf-8")
        script = (STATIC / "lift.js").read_text(encoding="utf-8")
        page.set_content(PAGE.format(styles=styles, body=body, script=script))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(open_page):
    """A page with one box, for a reader who wants no motion."""
    return open_page()


class Seen:
    """What a box shows: picture [9, 9], four poses [4, 3, 3], four maps [4, 9, 9]."""

    def __init__(self, page, number: int = 0):
        drawn = page.locator(".lift").nth(number).evaluate(DRAWN)
        self.labels = [part["label"] for part in drawn]
        self.picture, self.poses = drawn[0]["values"], [part["values"] for part in drawn[1::2]]
        self.maps = [part["values"] for part in drawn[2::2]]
        self.framed = [part["framed"] for part in drawn[2::2]]
        self.rings = [part["rings"] for part in drawn[2::2]]


def says(page) -> str:
    return page.locator(".lift-says").inner_text()


def verdict(page) -> str:
    return page.locator(".lift-verdict").inner_text()


def press(page, kernel: np.ndarray) -> None:
    """Press the kernel's pixels until they have these values."""
    for button, value in zip(page.locator(".lift-kernel button").all(), kernel.flat, strict=True):
        while button.get_attribute("data-value") != str(value):
            button.click()


def turn(page, quarters: int, guess: int) -> None:
    """Say in which map the peak will be, and begin to turn."""
    page.locator(".lift select").select_option(str(quarters))
    page.locator(".lift input").nth(guess).check()
    page.locator(".lift-turn").click()


def assert_lifted(lesson: SimpleNamespace, seen: Seen) -> None:
    """Check all that is drawn against the lesson's own layer."""
    layer = layer_of(lesson, seen.poses[0])
    with torch.no_grad():
        maps = layer(signal(seen.picture))
        poses = layer.kernel.sample()[0, :, 0]
    torch.testing.assert_close(signal(seen.maps), maps, atol=1e-5, rtol=0)
    torch.testing.assert_close(signal(seen.poses)[0, 0], poses, atol=1e-5, rtol=0)
    largest = maps.max()
    highest = (maps[0, 0] > largest - 1e-5) & (largest > 0.5)
    assert seen.framed == highest.any(dim=2).any(dim=1).tolist()
    assert seen.rings == [one.nonzero().tolist() for one in highest]
    rounded = [f"largest value {one.max().round():.0f}".replace("-", "−") for one in maps[0, 0]]
    assert [label.partition(", ")[2] for label in seen.labels[2::2]] == rounded


@pytest.mark.slow
def test_the_script_draws_and_says_first_what_the_markup_does(browser, page) -> None:
    still = browser.new_page()
    still.set_content(MARKUP)
    outer = "all => all.map(e => e.outerHTML)"
    for part in ("svg", ".lift-map", ".lift-kernel button", "output", ".lift-turn"):
        parts = [one.locator(part).evaluate_all(outer) for one in (still, page)]
        assert parts[0] == parts[1] != []
    still.close()


@pytest.mark.slow
def test_whatever_the_reader_does_the_maps_are_those_of_the_lesson(page, lesson) -> None:
    chosen = random.Random(0)
    poses = set()
    for _ in range(12):
        for _ in range(chosen.randrange(12)):
            page.locator("[data-move]").nth(chosen.randrange(4)).click()
        for _ in range(chosen.randrange(6)):
            page.locator(".lift-kernel button").nth(chosen.randrange(9)).click()
        assert_lifted(lesson, Seen(page))
        turn(page, chosen.randrange(1, 4), 0)
        page.locator(".lift-turn").click()
        seen = Seen(page)
        assert_lifted(lesson, seen)
        assert np.sum(seen.picture) == 8
        poses.add(seen.labels[0].partition(", ")[0])
    assert len(poses) == 4


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turn_is_a_twist_and_then_a_shift(page, lesson, quarters) -> None:
    before = Seen(page)
    turn(page, quarters, 0)
    twisted = Seen(page)
    group = lesson.CyclicGroup(4)
    image = lesson.act_on_image(group, group.elements()[quarters], signal(before.picture)[0])
    torch.testing.assert_close(signal(twisted.picture)[0], image, atol=1e-5, rtol=0)
    maps = signal(before.maps)
    assert torch.equal(signal(twisted.maps), torch.rot90(maps, quarters, (-2, -1)))
    assert twisted.framed == before.framed
    assert (
        verdict(page) == f"First the twist: each map has turned in its place by {90 * quarters}°."
    )
    assert page.locator(".lift-turn").inner_text() == "Now the shift"
    page.locator(".lift-turn").click()
    after = Seen(page)
    assert torch.equal(signal(after.maps), lesson.act_on_lifted(maps, quarters))
    assert after.framed.index(True) == quarters
    assert after.labels[0].startswith(f"An F in the pose {90 * quarters}°, ")
    assert page.locator(".lift-turn").inner_text() == f"Turn by {90 * quarters}°"
    assert_lifted(lesson, after)


@pytest.mark.slow
def test_the_guess_is_judged_and_the_answer_explained(page) -> None:
    turn(page, 3, 3)
    page.locator(".lift-turn").click()
    assert verdict(page).startswith("Right. The largest value is now in the map of 270°")
    assert "0° + 270° = 270°" in verdict(page)
    assert verdict(page).endswith("and the shift moved it on by 3 places.")
    assert page.locator(".lift input:checked").count() == 0
    turn(page, 2, 3)
    page.locator(".lift-turn").click()
    assert verdict(page).startswith(
        "Not this time: you said 270°. The largest value is now in the map"
    )
    assert "270° + 180° = 450°, which is 90°" in verdict(page)
    assert says(page) == "The largest value, 6, is in the map of 90°, at row 6, column 3."
    page.get_by_text("Start again").click()
    page.wait_for_function("document.querySelector('.lift-verdict').textContent === ''")
    assert Seen(page).picture == lift.IMAGE.tolist()


@pytest.mark.slow
def test_without_a_guess_nothing_turns(page) -> None:
    before = Seen(page)
    page.locator(".lift-turn").click()
    assert Seen(page).maps == before.maps
    assert page.evaluate("document.activeElement.name") == "guess"  # where the browser says why


@pytest.mark.slow
def test_several_peaks_and_none_are_told(page) -> None:
    press(page, np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    text = "The largest value, 1, is in the maps of 0°, 90°, 180° and 270°, at 32 places."
    assert says(page) == text
    turn(page, 1, 2)
    page.locator(".lift-turn").click()
    assert verdict(page) == "Right. Any answer would be: all four maps have a peak."
    press(page, np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]]))
    assert verdict(page) == ""
    assert says(page).startswith("The largest value, 3, is in the maps of ")
    press(page, -np.eye(3, dtype=int))
    assert says(page) == "No value is above 0: this kernel finds nothing in the picture."
    assert not any(Seen(page).framed)
    turn(page, 1, 2)
    page.locator(".lift-turn").click()
    assert verdict(page) == "There is no peak to follow: give the kernel more pixels of 1."


@pytest.mark.slow
def test_two_maps_with_a_peak_move_on_together(page, lesson) -> None:
    press(page, np.array([[0, 1, 0], [0, -1, 0], [0, 1, 0]]))  # the same when turned by 180°
    assert says(page) == "The largest value, 2, is in the maps of 0° and 180°, at 2 places."
    assert_lifted(lesson, Seen(page))
    turn(page, 3, 0)
    page.locator(".lift-turn").click()
    assert Seen(page).framed == [False, True, False, True]
    assert verdict(page).startswith("Not this time: you said 0°. ")
    assert "0° + 270° = 270° and 180° + 270° = 450°, which is 90°" in verdict(page)


def middle(page) -> tuple[float, float, float]:
    """Return the middle of the picture, and how wide one of its pixels is."""
    box = page.locator(".lift-picture svg").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"] / 9


@pytest.mark.slow
def test_the_f_is_dragged_by_whole_pixels_and_stays_inside(page, lesson) -> None:
    x, y, pixel = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 2.4 * pixel, y + 0.6 * pixel)
    assert Seen(page).picture == np.roll(lift.IMAGE, (1, 2), (0, 1)).tolist()
    page.mouse.move(x + 20 * pixel, y - 20 * pixel)
    page.mouse.up()
    seen = Seen(page)
    assert seen.picture == np.roll(lift.IMAGE, (-1, 4), (0, 1)).tolist()
    assert_lifted(lesson, seen)
    page.mouse.move(x, y)
    assert Seen(page).picture == seen.picture


@pytest.mark.slow
def test_a_finger_drags_the_f_and_does_not_scroll(open_page) -> None:
    page = open_page(MARKUP * 3, has_touch=True, is_mobile=True)
    x, y, pixel = middle(page)
    session = page.context.new_cdp_session(page)
    for kind, down in (("Start", 0), ("Move", 1), ("Move", 2), ("Move", 3), ("End", None)):
        points = [] if down is None else [{"x": x, "y": y + down * pixel}]
        event = {"type": f"touch{kind}", "touchPoints": points}
        session.send("Input.dispatchTouchEvent", event)
    assert Seen(page).picture == np.roll(lift.IMAGE, 3, 0).tolist()
    assert page.evaluate("scrollY") == 0


@pytest.mark.slow
def test_everything_is_done_with_the_keyboard(page) -> None:
    names = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate(
            """() => { const e = document.activeElement;
                return e.ariaLabel ?? e.labels[0]?.textContent ?? e.textContent; }"""
        )
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", f"the focus is not seen on {name}"
        names.append(name)
        if name in ("Move the F down", "Row 3, column 3: −1"):
            page.keyboard.press("Enter")
        elif name.strip() == "0°":
            page.keyboard.press("ArrowRight")
        elif name == "Turn by 90°":
            break
    assert names[:4] == [f"Move the F {name}" for name in lift.MOVES]
    assert Seen(page).picture == np.roll(lift.IMAGE, 1, 0).tolist()
    assert Seen(page).poses[0][2][2] == 0
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert verdict(page).startswith("Right. ")


@pytest.mark.slow
def test_what_moves_shows_the_twist_then_the_shift_by_itself(open_page, lesson) -> None:
    page = open_page(reduced_motion="no-preference")
    frames = "() => document.getAnimations().map(a => a.effect.getKeyframes()[0])"
    turn(page, 1, 1)
    assert [frame["rotate"] for frame in page.evaluate(frames)] == ["90deg"] * 5  # with the picture
    twisted = Seen(page)
    page.locator(".lift-verdict", has_text="Right").wait_for()
    ways = [frame["translate"] for frame in page.evaluate(frames)]
    assert [way.startswith("-") for way in ways] == [False, True, True, True]
    after = Seen(page)
    assert after.maps == np.roll(twisted.maps, 1, 0).tolist()
    assert_lifted(lesson, after)


@pytest.mark.slow
def test_a_phone_does_not_scroll_sideways_while_maps_turn(open_page) -> None:
    page = open_page(
        "<style>body { margin: 1rem }</style>" + MARKUP, reduced_motion="no-preference"
    )
    turn(page, 3, 1)
    widths = page.evaluate(
        """() => Array.from({length: 30}, (_, n) => {
            for (const moving of document.getAnimations()) moving.currentTime = 30 * n;
            return document.documentElement.scrollWidth;
        })"""
    )
    assert set(widths) == {390}


@pytest.mark.slow
def test_what_the_reader_does_in_between_ends_the_turn(open_page, lesson) -> None:
    page = open_page(reduced_motion="no-preference")
    turn(page, 1, 1)
    page.get_by_label("Move the F right").click()
    assert page.evaluate("document.getAnimations().length") == 0
    assert verdict(page) == ""
    page.wait_for_timeout(1000)  # longer than the second step would wait
    assert verdict(page) == ""
    assert page.locator(".lift-turn").inner_text() == "Turn by 90°"
    assert_lifted(lesson, Seen(page))


@pytest.mark.slow
def test_there_may_be_several_boxes_or_none(open_page) -> None:
    assert open_page("").locator(".lift").count() == 0
    page = open_page(MARKUP * 2)
    page.locator(".lift").nth(1).get_by_label("Move the F down").click()
    assert Seen(page, 0).picture == lift.IMAGE.tolist()
    assert Seen(page, 1).picture == np.roll(lift.IMAGE, 1, 0).tolist()
    for box in page.locator(".lift").all():
        box.locator("input").first.check()
    assert page.locator(".lift input:checked").count() == 2


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_axe_finds_nothing(open_page, scheme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(styles=theme(), color_scheme=scheme)
    page.evaluate("scheme => document.documentElement.dataset.theme = scheme", scheme)
    turn(page, 1, 2)
    page.locator(".lift-turn").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    found = axe.run(page, options={"resultTypes": ["violations"], "preload": False}).response
    assert [
        (rule["id"], [n["target"] for n in rule["nodes"]]) for rule in found["violations"]
    ] == []


def theme() -> str:
    """Return the book's theme's styles, without which colours are not those of the book."""
    styles = ""
    for package in ("pydata_sphinx_theme", "sphinx_book_theme"):
        spec = find_spec(package)
        if spec is None:
            pytest.skip(f"needs {package}")
        static = Path(spec.origin).parent / "theme" / package / "static" / "styles"
        styles += (static / f"{package.replace('_', '-')}.css").read_text(encoding="utf-8")
    return styles
