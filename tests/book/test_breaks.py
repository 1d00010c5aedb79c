"""What the reader breaks shows what the lesson's own layer does, and can be used by everyone."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path

import browser as browsers
import numpy as np
import pytest
import torch
from conftest import ROOT, is_proof, names_with_small_digits
from PIL import Image

from autograder.book import breaks
from autograder.course import Course

COURSE = Course(ROOT)
STEM = "03_any_rotation_and_reflections"
STATIC = COURSE.solutions / "_static"
MARKUP = breaks.markup(COURSE)
SEVEN = json.loads(COURSE.turning.read_text(encoding="utf-8"))[7]
# Group, kernel, on a square or disk, the inverse forgotten; each switch in each of its positions.
STATES = [
    (4, 5, "square", False),
    (8, 5, "square", False),
    (8, 5, "disk", False),
    (16, 7, "disk", False),
    (4, 3, "disk", True),
    (8, 7, "square", True),
    (1, 7, "square", False),
    (1, 3, "square", True),
]
ANGLES = (0, 2.5, 22.5, 40, 45, 90, 112.5, 180, 260, 270, 357.5)
SET = """([order, size, support, forget, angle]) => {
    const box = document.querySelector(".breaks");
    for (const [name, value] of Object.entries({order, size, support})) {
        box.querySelector(`[name=${name}][value="${value}"]`).checked = true;
    }
    box.querySelector("[name=forget]").checked = forget;
    box.querySelector("[type=range]").value = angle;
    box.querySelector("[name=forget]").dispatchEvent(new Event("input", {bubbles: true}));
    return Number(box.dataset.error);
}"""
PICTURES = """() => Object.fromEntries([...document.querySelectorAll("[data-row]")]
    .map(image => [image.dataset.row, image.src]))"""


def pixels(address: str) -> np.ndarray:
    """Return the pixels of a data: image, [height, width, 4]."""
    data = base64.b64decode(address.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def test_without_a_script_the_first_state_stands_still() -> None:
    assert MARKUP.count('src="data:image/png;base64,') == 1 + len(breaks.ROWS)
    assert MARKUP.count('alt="') == 1 + len(breaks.ROWS)
    assert "At 90° they differ by 0.0 %" in MARKUP
    assert len(MARKUP) < 20_000


def test_a_quarter_turn_needs_no_interpolation() -> None:
    image = np.random.default_rng(0).random((9, 9))
    kernel = breaks.kernels()[5]
    first = breaks.lift(np.rot90(image), kernel)
    then = np.roll(np.rot90(breaks.lift(image, kernel), axes=(1, 2)), 1, axis=0)
    assert abs(first - then).max() < 1e-12
    assert abs(first[0] - first[1]).max() > 1


def test_a_map_s_colour_says_how_far_it_is_from_zero() -> None:
    shown = pixels(breaks.strip(np.array([[[0.0]], [[2.0]], [[-9.0]]]), 2, framed=1))
    places = [breaks.MARGIN + n * (breaks.SIDE + 2 * breaks.MARGIN) for n in range(3)]
    colours = [tuple(shown[breaks.MARGIN, place, :3]) for place in places]
    assert colours == [breaks.MIDDLE, breaks.RIGHT, breaks.LEFT]
    assert tuple(shown[0, places[1]]) == (*breaks.FRAME, 255)
    assert shown[0, places[0], 3] == shown[0, places[2], 3] == 0


def test_there_is_nothing_where_no_digits_are_kept(tmp_path: Path) -> None:
    assert breaks.markup(Course(tmp_path)) == ""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """What lesson 3 defines: the layers of lesson 1, kernels on disks, and the error."""
    with names_with_small_digits(STEM, tmp_path_factory.mktemp("lesson")) as names:
        return names


@pytest.fixture(scope="module")
def browser():
    """A browser that reaches this machine only."""
    with browsers.launch(browsers.OFFLINE) as opened:
        yield opened


@pytest.fixture
def page(browser):
    """A page with the thing on it, at the size of a phone."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    shown = context.new_page()
    wrong: list[str] = []
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("request", lambda request: wrong.extend(elsewhere(request)))
    show(shown, MARKUP)
    yield shown
    context.close()
    assert wrong == []


def elsewhere(request) -> list[str]:
    """Return the address of what does not stand in the page itself."""
    inside = request.url.startswith(("data:", "about:"))
    return [] if inside else [request.url]


def show(page, body: str) -> None:
    """Show a page with this body, the script and the styles."""
    styles = "".join((STATIC / name).read_text("utf-8") for name in ("book.css", "breaks.css"))
    page.set_content(
        "<!doctype html><html lang=en><title>Break it</title>"
        '<meta name="viewport" content="width=device-width"><style>body {color-scheme: light dark;'
        f"background: Canvas; color: CanvasText; margin: 0}}{styles}</style>"
        f"<main><h1>Break it</h1><article>{body}</article></main>"
        f"<script>{(STATIC / 'breaks.js').read_text('utf-8')}</script></html>"
    )


def made(lesson, order: int, size: int, support: str, forget: bool):
    """Return the lesson's layer and group for a state of the switches."""

    class Forgetful(lesson.InterpolativeLiftingKernel):
        def create_transformed_grid_R2(self):
            return self.group.left_action_on_R2(self.group.elements(), self.grid_R2)

    class ForgetfulOnDisk(Forgetful):
        def sample(self):
            return super().sample() * lesson.disk_mask(self.grid_R2, self.kernel_size)

    kind = {
        ("square", False): lesson.InterpolativeLiftingKernel,
        ("disk", False): lesson.DiskLiftingKernel,
        ("square", True): Forgetful,
        ("disk", True): ForgetfulOnDisk,
    }[support, forget]
    group = lesson.CyclicGroup(order)
    layer = lesson.LiftingConvolution(group, 1, 1, size, padding=size // 2)
    layer.kernel = kind(group, size, 1, 1)
    layer.double().requires_grad_(False)
    layer.kernel.weight.copy_(torch.from_numpy(breaks.kernels()[size].copy()))
    return layer, group


def digit() -> torch.Tensor:
    """Return the digit that is turned, [1, 1, 28, 28]."""
    values = np.frombuffer(base64.b64decode(SEVEN["pixels"]), np.uint8) / 255
    return torch.from_numpy(values).view(1, 1, breaks.SIDE, breaks.SIDE)


def radians(degrees: float) -> torch.Tensor:
    return torch.tensor(math.radians(degrees), dtype=torch.float64)


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_the_numbers_are_those_of_the_lesson(page, lesson, state) -> None:
    layer, group = made(lesson, *state)
    for angle in ANGLES if is_proof() else ANGLES[::2]:
        if group.order > 1 and angle * group.order / 360 % 1 == 0.5:
            continue  # equally far from two elements, the lesson's `group_index` takes no one shift
        error = lesson.equivariance_error(layer, group, radians(angle), digit()).item()
        assert page.evaluate(SET, [*state, angle]) == pytest.approx(error, abs=1e-9)
        assert f"differ by {100 * error:.1f} %" in page.locator(".breaks output").inner_text()
        assert error <= breaks.TOP


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "angle"), [(STATES[0], 90), (STATES[2], 40), (STATES[5], 90), (STATES[6], 30)]
)
def test_the_pictures_are_those_of_the_lesson(page, lesson, state, angle) -> None:
    layer, group = made(lesson, *state)
    g = radians(angle)
    turned = lesson.act_on_images(group, g, digit())
    first = layer(turned)
    then = lesson.act_on_features(group, g, layer(digit()))
    inside = lesson.disk_mask(lesson.create_grid_R2(breaks.SIDE), breaks.SIDE).to(then)
    limit = max(maps.abs().max().item() for maps in (first, then))
    poses = layer.kernel.sample()[0, :, 0].numpy()
    framed = round(angle * group.order / 360)
    expected = {
        "digit": breaks.strip(turned[0].numpy(), 1),
        "kernel": breaks.strip(poses, abs(poses).max(), framed),
        "first": breaks.strip(first[0, 0].numpy(), limit, framed),
        "then": breaks.strip(then[0, 0].numpy(), limit, framed),
        "difference": breaks.strip(((first - then) * inside)[0, 0].numpy(), limit / 2, framed),
    }
    page.evaluate(SET, [*state, angle])
    shown = page.evaluate(PICTURES)
    assert shown.keys() == expected.keys()
    for row, address in shown.items():
        assert abs(pixels(address) - pixels(expected[row])).max() <= 1, row


@pytest.mark.slow
def test_the_script_begins_with_what_stands_there_without_it(page, browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    show(still, MARKUP)
    shown = page.evaluate(PICTURES)
    for row, address in shown.items():
        before = still.locator(f"[data-row={row}]").get_attribute("src")
        assert abs(pixels(before) - pixels(address)).max() <= 1
    words = [each.locator(".breaks output").inner_text() for each in (still, page)]
    assert words[0] == words[1]
    notes = [each.locator(".breaks-note").first.inner_text() for each in (still, page)]
    assert notes[0] == notes[1]
    assert page.locator(".breaks-controls").is_visible()
    assert not still.locator(".breaks-controls").is_visible()
    context.close()


@pytest.mark.slow
def test_the_curve_shows_where_the_two_are_the_same(page) -> None:
    def points(name: str) -> dict[float, float]:
        drawn = page.locator(f".breaks-{name}").get_attribute("d").removeprefix("M").split("L")
        pairs = [map(float, point.split()) for point in drawn]
        return {angle: (1 - y / breaks.HEIGHT) * breaks.TOP for angle, y in pairs}

    title = page.locator(".breaks-curve title")
    page.wait_for_function("() => document.querySelector('.breaks-now').getAttribute('d')")
    square = points("now")
    assert len(square) == 145
    assert [angle for angle, error in square.items() if error < 1e-3] == [0, 90, 180, 270, 360]
    assert "90° 0.0 %" in title.text_content()
    before = title.text_content()
    page.get_by_label("disk").check()
    page.wait_for_function(
        "before => document.querySelector('.breaks-curve title').textContent !== before", arg=before
    )
    assert points("before") == square
    assert sum(points("now").values()) < sum(square.values())


@pytest.mark.slow
def test_all_is_done_with_the_keyboard_and_said_in_words(page) -> None:
    dial, said = page.get_by_role("slider"), page.get_by_role("status")
    page.keyboard.press("Tab")
    assert dial.evaluate("e => e === document.activeElement")
    page.keyboard.press("ArrowRight")
    assert "between 90° and 180°" in said.inner_text()
    assert page.locator(".breaks-angle").inner_text() == "92.5°"
    assert dial.get_attribute("aria-valuetext").startswith("92.5°: ")
    page.keyboard.press("ArrowLeft")
    assert said.inner_text() == "At 90° they differ by 0.0 %: the two are the same."
    for _ in range(4):  # the three groups of buttons, then the box
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert "without the inverse" in said.inner_text()
    page.keyboard.press("Enter")  # sends no form
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", checked=True).first.get_attribute("value") == "8"
    assert page.locator(".breaks-note span").inner_text() == (
        "0°, 45°, 90°, 135°, 180°, 225°, 270°, 315°"
    )
    assert page.get_by_role("group").count() == 3
    names = page.get_by_role("radio").evaluate_all("all => all.map(e => e.labels[0].innerText)")
    assert [name.strip() for name in names[-2:]] == ["square", "disk"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "angle", "words"),
    [
        ((4, 5, "square", False), 0, "nothing is turned"),
        ((4, 5, "square", False), 45, "no shift fits exactly between 0° and 90°"),
        ((16, 5, "square", False), 350, "no shift fits exactly between 337.5° and 360°"),
        ((8, 5, "square", False), 45, "a shift fits, but interpolation blurs, and a square"),
        ((8, 5, "disk", False), 45, "a shift fits, but interpolation blurs."),
        ((8, 5, "disk", False), 270, "the two are the same"),
        ((8, 5, "disk", True), 180, "0.0 %: half a turn is its own inverse"),
        ((8, 5, "disk", True), 90, "without the inverse the poses run the wrong way"),
        ((1, 5, "square", False), 180, "there is one pose only"),
    ],
)
def test_the_words_say_why(page, state, angle, words) -> None:
    page.evaluate(SET, [*state, angle])
    assert words in page.locator(".breaks output").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_axe_finds_nothing(page, scheme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.evaluate(SET, [16, 7, "disk", True, 357.5])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    found = axe.run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found] == []


@pytest.mark.slow
def test_there_may_be_several_on_a_page_or_none(page) -> None:
    show(page, "")
    show(page, MARKUP + MARKUP)
    boxes = page.locator(".breaks")
    boxes.nth(1).get_by_label("disk").check()
    boxes.nth(1).get_by_role("slider").fill("45")
    assert boxes.nth(0).get_by_label("square").is_checked()
    assert "At 90°" in boxes.nth(0).locator("output").inner_text()
    assert "At 45°" in boxes.nth(1).locator("output").inner_text()
