"""The book in a real browser: pages on phone, laptop and wide screen, in light and dark.

One page of each kind is looked at in every size, by axe, which takes by far the longest, in the
laptop's; of the others every third in one size, and its links and pictures in all of them. The
proof looks at all pages in every size, with axe.
"""

from __future__ import annotations

import ast
import functools
import gzip
import re
import time
import zlib
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import browser as browsers
import nbformat
import pytest
from conftest import ROOT, is_proof

from autograder.book.pages import BY_HAND
from autograder.book.sections import split
from autograder.book.website import build_book
from autograder.course import Course

pytestmark = pytest.mark.slow

COURSE = Course(ROOT)
STEM = COURSE.lessons()[0]
OVERVIEW, WHOLE = f"{STEM}.html", f"{STEM}/one-page.html"
SIZES = {"phone": (390, 844), "laptop": (1280, 800), "wide": (1920, 1080)}
TEXTS = [path.relative_to(COURSE.solutions) for path in COURSE.solutions.rglob("*.md")]
PARTS = {
    f"{stem}/{section.name}.html": {cell.id for cell in section.cells}
    for stem in COURSE.lessons()
    for section in split(nbformat.read(COURSE.solutions_notebook(stem), as_version=4).cells)[1]
}
SECTIONS = {
    stem: [name for name in PARTS if name.startswith(f"{stem}/")] for stem in COURSE.lessons()
}
LIFTING = next(name for name in SECTIONS[STEM] if "lifting" in name)
IN_ORDER = [path.with_suffix(".html").as_posix() for path in TEXTS if path.stem != "404"]
IN_ORDER += [page for stem, pages in SECTIONS.items() for page in (f"{stem}.html", *pages)]
PAGES = sorted([*IN_ORDER, *(f"{stem}/one-page.html" for stem in SECTIONS), "search.html"])
SCHEMES = ("light", "dark")


def number_of(name: str) -> int:
    """Return a number that depends on a page's name alone."""
    return zlib.crc32(name.encode())


def kind(name: str) -> str:
    """Return of what kind a page is; one with something for the reader's hands is its own."""
    folder, _, page = name.rpartition("/")
    if PARTS.get(name, set()) & set(BY_HAND) or name in ("index.html", "search.html"):
        return name
    if folder in SECTIONS:
        return page if page == "one-page.html" else "section"
    return "overview" if page.removesuffix(".html") in SECTIONS else folder


# The page of each kind whose number is the smallest; which pages are looked at in which sizes.
SAMPLE = set({kind(name): name for name in sorted(PAGES, key=number_of, reverse=True)}.values())
LOOKS = [
    (name, size)
    for name in PAGES
    for index, size in enumerate(SIZES)
    if is_proof() or name in SAMPLE or index == number_of(name) % 9
]
INSIDE = "https://book.invalid/"
A4 = (718, 1000)  # what a browser's default margins leave of the paper, in pixels

# What is looked at on a page, once it is there.
FACTS = """() => ({
    theme: document.documentElement.dataset.theme,
    width: document.documentElement.scrollWidth,
    screen: document.documentElement.clientWidth,
    broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src),
    nameless: [...document.images].filter(i => !i.alt.trim()).map(i => i.src.slice(0, 80)),
    formulas: document.querySelectorAll(".math").length,
    plain: [...document.querySelectorAll(".math")]
        .filter(e => !e.querySelector("math")).map(e => e.textContent),
    cut: [...document.querySelectorAll("article math")]
        .filter(e => e.getBoundingClientRect().left < 0).map(e => e.textContent),
    links: [...document.querySelectorAll("a[href]")].map(a => a.href),
})"""
# Without "preload", with which axe itself looks for style sheets where there are none.
AXE = {"resultTypes": ["violations"], "preload": False}
# Thousands of words of code have the colours of a few kinds; of each kind, one is left for axe.
ONE_OF_A_KIND = """() => {
    const seen = new Set();
    for (const word of document.querySelectorAll("pre span")) {
        const code = word.closest("pre").parentElement.parentElement;
        const fold = word.closest("details")?.className;
        const kind = [fold, code.parentElement.className, code.className, word.className].join("/");
        if (seen.has(kind)) word.replaceWith(...word.childNodes);
        seen.add(kind);
    }
}"""
# Pictures that come late are looked at as well.
READY = """async () => {
    document.querySelectorAll("img").forEach(e => e.loading = "eager");
    await document.fonts.ready;
    await Promise.all([...document.images].map(e => e.decode().catch(() => null)));
}"""
HEAVIEST = 1_200_000  # bytes of a lesson's page, as they come over the wire
WIDEST = 42 * 16  # pixels of a line of text, about 75 characters


@pytest.fixture(scope="module")
def browser():
    """A browser that reaches this machine only."""
    with browsers.launch(browsers.OFFLINE) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The book, built once."""
    return build_book(COURSE.solutions, tmp_path_factory.mktemp("book") / "html").parent


@pytest.fixture(scope="module")
def site(folder):
    """The address of the book."""
    with browsers.serve(folder) as address:
        yield address


def open_context(browser, size: str = "laptop", **options):
    """Return a reader who has seen nothing yet; the reader's pages keep what they have loaded."""
    width, height = SIZES[size]
    # Colours that change slowly would be seen half way.
    options = {"reduced_motion": "reduce", **options}
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(300_000)  # a busy machine is slow, and nothing else
    return context


def open_page(browser, address: str, size: str = "laptop", **options):
    """Return a page that a new reader is shown, and the list of what went wrong."""
    return show(open_context(browser, size, **options), address)


def show(context, address: str):
    """Return a page that is shown with its pictures, and the list of what went wrong."""
    page = context.new_page()
    wrong: list[str] = []
    page.on(
        "console",
        lambda message: (
            wrong.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    home = "/".join(address.split("/")[:3])
    page.on(
        "request",
        lambda request: (
            wrong.append(f"leaves the machine: {request.url}")
            if not request.url.startswith((home, "data:", "blob:"))
            else None
        ),
    )
    page.goto(address)
    page.evaluate(READY)
    return page, wrong


def violations(page, scheme: str) -> list[str]:
    """Return what axe finds on a page in one of the two colour schemes, a line for each place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.evaluate(ONE_OF_A_KIND)
    # The order of headings, names of links and the like are not another in the dark.
    rules = {} if scheme == "light" else {"runOnly": ["color-contrast", "link-in-text-block"]}
    return [
        f"{rule['id']}: {node['target']} {node['html'][:120]}"
        for rule in axe.run(page, options={**AXE, **rules}).response["violations"]
        for node in rule["nodes"]
    ]


@functools.cache
def anchors(path: Path) -> set[str]:
    """Return the ids of a page's elements."""
    return set(re.findall(r'\bid="([^"]*)"', path.read_text(encoding="utf-8")))


def leads_somewhere(link: str, site: str, folder: Path) -> bool:
    """Say whether a link inside the book leads to a page, and to a place on it."""
    address, anchor = urldefrag(link)
    path = folder / unquote(address.removeprefix(site).partition("?")[0] or "index.html")
    return path.is_file() and (not anchor or unquote(anchor) in anchors(path))


def weight(page, site: str, folder: Path) -> dict[str, int]:
    """Return the bytes of each file that a page has loaded, packed if packing makes it smaller."""
    loaded = {page.url, *page.evaluate("performance.getEntriesByType('resource').map(e => e.name)")}
    paths = {urldefrag(url)[0].partition("?")[0].removeprefix(site) for url in loaded}
    files = {path: (folder / unquote(path)).read_bytes() for path in paths if path}
    return {path: min(len(body), len(gzip.compress(body))) for path, body in files.items()}


@pytest.fixture(scope="module")
def readers(browser):
    """A reader for each size of screen."""
    found = {size: open_context(browser, size, color_scheme="light") for size in SIZES}
    yield found
    for context in found.values():
        context.close()


@pytest.mark.parametrize(("name", "size"), LOOKS)
def test_the_page_is_whole(readers, site, folder, name, size):
    page, wrong = show(readers[size], site + name)
    heavy = weight(page, site, folder) if size == "laptop" else {}
    if size == "laptop":  # once with all that is folded
        page.evaluate("document.querySelectorAll('article details').forEach(e => e.open = true)")
    seen, problems = {}, {}
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            "theme => document.documentElement.dataset.theme == theme", arg=scheme
        )
        facts = seen[scheme] = page.evaluate(FACTS)
        problems[f"pictures that are not there, {scheme}"] = facts["broken"]
        problems[f"pictures without alternative text, {scheme}"] = facts["nameless"]
        if is_proof() or (name in SAMPLE and size == "laptop"):
            problems[f"axe, {scheme}"] = violations(page, scheme)
    page.close()
    problems["errors, and what left the machine"] = wrong
    problems["formulas that are not set"] = seen["light"]["plain"]
    problems["formulas to whose start nobody can scroll"] = seen["light"]["cut"]
    inside = {link for link in seen["light"]["links"] if link.startswith(site)}
    problems["links that lead nowhere"] = [
        link for link in inside if not leads_somewhere(link, site, folder)
    ]
    assert {kind: places for kind, places in problems.items() if places} == {}
    assert inside
    for scheme in SCHEMES:
        assert seen[scheme]["theme"] == scheme
        assert seen[scheme]["width"] <= seen[scheme]["screen"], "it scrolls sideways"
    if name == WHOLE:
        assert seen["light"]["formulas"] > 100
    elif not name.endswith("one-page.html"):
        assert not heavy or 100_000 < sum(heavy.values()) < HEAVIEST, heavy


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere_and_every_picture_has_words(folder, name):
    page = (folder / name).read_text(encoding="utf-8")
    links = {urljoin(INSIDE + name, link) for link in re.findall(r'<a [^>]*href="([^"]+)"', page)}
    inside = {link for link in links if link.startswith(INSIDE)}
    assert len(inside) > 10
    assert [link for link in inside if not leads_somewhere(link, INSIDE, folder)] == []
    pictures = re.findall(r"<img\s[^>]*>", page)
    assert [tag[:80] for tag in pictures if not re.search(r'alt="[^"]*\S[^"]*"', tag)] == []


def test_axe_finds_words_of_code_that_cannot_be_read(browser, site):
    page, _ = open_page(browser, site + "take-the-course.html", color_scheme="light")
    assert violations(page, "light") == []
    page.reload()
    page.add_style_tag(content=".highlight .c1 { color: #f0f0f0 !important; }")
    assert any(line.startswith("color-contrast") for line in violations(page, "light"))
    page.context.close()


def test_every_module_stands_in_the_reference_with_its_public_names(folder):
    missing = set()
    for path in set(ROOT.glob("autograder/**/*.py")) - {ROOT / "autograder" / "__main__.py"}:
        package, *parts = path.relative_to(ROOT).with_suffix("").parts
        page = parts[0] if len(parts) > 1 else package
        module = ".".join([package, *parts]).removesuffix(".__init__")
        wanted = {f"module-{module}"} | {
            f"{module}.{node.name}"
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        }
        missing |= wanted - anchors(folder / "reference" / f"{page}.html")
    assert missing == set()


@pytest.fixture
def lesson(browser, site):
    """The first lesson on one page."""
    page, wrong = open_page(browser, site + WHOLE)
    yield page
    assert wrong == []
    page.context.close()


def student_answers() -> dict[str, int]:
    """Return how many code cells and how many texts a student has to write."""
    cells = nbformat.read(COURSE.release_notebook(STEM), as_version=4).cells
    answers = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {kind: sum(cell.cell_type == kind for cell in answers) for kind in ("code", "markdown")}


def folds(page, prompt: str):
    """Return the folds with this prompt."""
    return page.locator("article details").filter(
        has=page.locator("summary").filter(has_text=re.compile(f"^\\s*{prompt}"))
    )


def test_solutions_and_model_answers_are_folded_and_open(lesson):
    wanted = student_answers()
    for prompt, kind in (("Show the solution", "code"), ("A model answer", "markdown")):
        found = folds(lesson, prompt)
        assert found.count() == wanted[kind] > 0
        assert all(fold.get_attribute("open") is None for fold in found.all())
    solution = folds(lesson, "Show the solution").first
    assert not solution.locator("pre").is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").is_visible()
    assert "Hide the solution" in solution.locator("summary").inner_text()
    assert "YOUR CODE STARTS HERE" in solution.locator("pre").inner_text()
    assert "= ..." not in solution.locator("pre").inner_text()
    # Above it stands what the student finds.
    assert lesson.get_by_text("Where you start").count() == wanted["code"]
    assert folds(lesson, "Check: ").count() > 10
    check = folds(lesson, "Check: ").first
    assert not check.locator("pre").is_visible()
    assert lesson.get_by_text("All visible checks of Exercise 1 passed").is_visible()
    assert lesson.get_by_text("toggle", exact=False).count() == 0


def test_the_student_notebook_can_be_opened_and_downloaded(lesson):
    links = lesson.locator(".lesson-links a")
    assert links.first.get_attribute("href") == COURSE.colab_url(STEM)
    with lesson.expect_download() as download:
        links.nth(1).click()
    assert download.value.suggested_filename == f"{STEM}.ipynb"
    path = COURSE.release_notebook(STEM)
    assert Path(download.value.path()).read_bytes() == path.read_bytes()


def test_numbered_equations_are_linked(browser, site):
    page, wrong = open_page(browser, site + LIFTING)
    links = page.locator("article a[href*='#eq-']").filter(has_text="(")
    assert links.count() > 2
    for link in links.all():
        address, _, name = link.evaluate("e => e.href").partition("#")
        target = page if address == page.url.partition("#")[0] else page.context.new_page()
        if target is not page:
            target.goto(address)
        number = target.locator(f"[id='{name}'] .eqno, [id='{name}'] ~ .math .eqno").first
        assert number.text_content().startswith(link.text_content())
        permalink = number.locator("a.headerlink").get_attribute("href")
        assert target.locator(f"[id='{permalink[1:]}']").count() == 1
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize(
    ("words", "page"), [("lifting convolution", LIFTING), ("bubblewrap", "instructors.html")]
)
def test_search_finds_pages(browser, site, words, page):
    shown, wrong = open_page(browser, site + "index.html")
    shown.keyboard.press("Control+k")
    shown.keyboard.type(words)
    shown.keyboard.press("Enter")
    shown.wait_for_url("**/search.html?**")
    results = shown.locator("#search-results ul.search li a")
    results.first.wait_for()
    shown.locator("#search-results", has_text="matching").wait_for()
    targets = [link.evaluate("a => a.pathname") for link in results.all()]
    assert f"/{page}" in targets
    assert "/one-page.html" not in "".join(targets)
    ranks = [name.startswith("/0") - name.startswith("/reference/") for name in targets]
    assert ranks == sorted(ranks, reverse=True), "lessons first, and the reference last"
    results.nth(targets.index(f"/{page}")).click()
    shown.wait_for_url(f"**/{page}**")
    assert wrong == []
    shown.context.close()


def test_the_book_can_be_read_without_a_mouse(browser, site):
    page, _ = open_page(browser, site + LIFTING)
    focus = """() => {
        const e = document.activeElement;
        const box = (e.querySelector(".toctree-toggle") ?? e).getBoundingClientRect();
        return [e.tagName, e.textContent.trim().slice(0, 60), box.width > 0 && box.height > 0];
    }"""
    page.keyboard.press("Tab")
    assert page.evaluate(focus)[1] == "Skip to main content"
    stops = []
    for _ in range(400):
        page.keyboard.press("Tab")
        stop = page.evaluate(focus)
        stops.append(stop)
        if stop[0] == "SUMMARY" and stop[1]:
            break
    names = [stop[1] for stop in stops]
    assert any(name.startswith("Search") for name in names)
    assert "For instructors" in names
    assert stops[-1][0] == "SUMMARY"
    assert [stop for stop in stops if not stop[2]] == [], "the focus went to what is not shown"
    # Formulas are text: a reader does not have to tab through hundreds of them.
    assert not any(stop[0].lower() == "math" for stop in stops)
    fold = "() => document.activeElement.parentElement.open"
    assert not page.evaluate(fold)
    page.keyboard.press("Enter")
    assert page.evaluate(fold)
    page.context.close()


def test_the_digit_on_the_home_page_is_turned_with_the_keyboard(browser, site):
    page, wrong = open_page(browser, site + "index.html")
    dial, image = page.locator(".turn input"), page.locator(".turn img")
    said = page.locator(".turn-said output")
    assert said.all_inner_texts()[0].startswith("7, ")
    dial.focus()
    page.keyboard.press("End")
    for _ in range(269):
        page.keyboard.press("ArrowLeft")
    assert dial.input_value() == "90"
    assert image.evaluate("e => e.style.transform") == "rotate(-90deg)"
    ordinary, group = said.all_inner_texts()
    assert "wrong" in ordinary
    assert group.startswith("7, ")
    assert dial.get_attribute("aria-valuetext").endswith(f"group network {group}")
    page.locator(".turn select").select_option("0")
    assert image.get_attribute("alt") == "A handwritten 0"
    assert wrong == []
    page.context.close()


def test_the_home_page_begins_with_the_result_and_where_to_start(browser, site):
    for width, height in ((390, 844), (1366, 768)):
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        page.goto(site + "index.html")
        for words in ("Start in Colab", "Read", "group network"):
            shown = page.locator("article").get_by_text(words, exact=True).first
            assert shown.bounding_box()["y"] < height, (words, width)
        context.close()


def test_the_skip_link_leads_to_the_text(browser, site):
    page, _ = open_page(browser, site + OVERVIEW)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => !!document.activeElement.closest('main')")
    page.context.close()


def neighbour(folder: Path, name: str, kind: str) -> str:
    """Return the page that a page's link to the one before or after it leads to, "" for none."""
    page = (folder / name).read_text(encoding="utf-8")
    link = re.search(rf'<a class="{kind}"[^>]*href="([^"]+)"', page)
    return urljoin(name, link[1]) if link else ""


def test_next_leads_through_the_book_and_previous_back(folder):
    seen = ["index.html"]
    while after := neighbour(folder, seen[-1], "right-next"):
        assert neighbour(folder, after, "left-prev") == seen[-1]
        seen.append(after)
        assert len(seen) <= len(PAGES)
    assert sorted(seen) == sorted(IN_ORDER)


def test_without_a_script_formulas_links_and_colours_are_right(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site + LIFTING)
    assert page.locator("article .math math").first.is_visible()
    assert page.locator("article .math").first.inner_text().find("\\") == -1
    colours = "all => new Set(all.map(e => getComputedStyle(e).color)).size"
    assert page.locator("article div.highlight pre span").evaluate_all(colours) > 3
    solution = folds(page, "Show the solution").first
    solution.locator("summary").click()
    assert solution.locator("pre").is_visible()
    page.locator("a.right-next").click()
    assert page.url.endswith(SECTIONS[STEM][SECTIONS[STEM].index(LIFTING) + 1].partition("/")[2])
    context.close()


def test_lines_are_as_wide_as_is_good_to_read(browser, site):
    page, _ = open_page(browser, site + LIFTING, "wide")
    widths = "all => all.map(e => e.getBoundingClientRect().width)"
    assert max(page.locator("article section > p").evaluate_all(widths)) <= WIDEST
    assert max(page.locator("article div.highlight").evaluate_all(widths)) > 1.2 * WIDEST
    page.context.close()


def test_on_a_phone_wide_figures_and_formulas_scroll_in_their_boxes(browser, site):
    page, _ = open_page(browser, site + LIFTING, "phone")
    wide = page.locator("article img[data-wide]").first
    assert wide.bounding_box()["width"] > SIZES["phone"][0]
    scrolls = "e => { e.scrollLeft = 50; return e.scrollLeft; }"
    assert wide.evaluate_handle("e => e.parentElement").evaluate(scrolls) == 50
    page.context.close()


def test_the_reference_has_a_sidebar_of_its_own(browser, site):
    page, _ = open_page(browser, site + "reference/book.html")
    names = page.locator("#pst-primary-sidebar nav.bd-links a").all_inner_texts()
    assert "Grading" in names and "Lesson 1 · Regular group convolutions" not in names
    page.goto(site + LIFTING)
    lessons = page.locator("#pst-primary-sidebar nav.bd-links a")
    assert "2.1 The lifting convolution" in lessons.all_inner_texts()
    assert not page.get_by_role("link", name="Grading", exact=True).is_visible()
    page.context.close()


def test_the_moving_picture_is_there_without_a_script(lesson):
    picture = lesson.locator('article img[alt^="A digit turns."]')
    assert picture.evaluate("e => e.decode().then(() => e.naturalWidth)") > 500
    assert picture.get_attribute("src").endswith(".webp")


def test_the_lesson_prints(lesson):
    lesson.evaluate(
        """() => window.addEventListener("beforeprint", () => {
            window.printed = [...document.querySelectorAll("article details")]
                .filter(e => e.open).map(e => e.querySelector("summary").textContent.trim());
        })"""
    )
    started = time.monotonic()
    pdf = lesson.pdf(format="A4", print_background=True)
    assert pdf.startswith(b"%PDF") and time.monotonic() - started < 120
    printed = "\n".join(lesson.evaluate("() => window.printed"))
    for prompt in ("Show the solution", "A model answer", "Hint"):
        assert prompt in printed
    assert "Show the code" not in printed
    # Afterwards all is as it was.
    assert lesson.locator("article details[open]").count() == 0
    lesson.emulate_media(media="print")
    lesson.set_viewport_size({"width": A4[0], "height": A4[1]})
    for part in (
        "#pst-primary-sidebar",
        ".bd-sidebar-secondary",
        ".bd-header-article",
        "#pst-header",
    ):
        assert not lesson.locator(part).first.is_visible(), part
    facts = lesson.evaluate(FACTS)
    assert facts["width"] <= facts["screen"]
    too_large = lesson.evaluate(
        """([width, height]) => [...document.querySelectorAll("article img")]
            .filter(e => e.offsetWidth > width || e.offsetHeight > height).map(e => e.alt)""",
        A4,
    )
    assert too_large == []


def test_paper_is_white_for_who_reads_in_the_dark(browser, site):
    page, wrong = open_page(browser, site + "take-the-course.html", color_scheme="dark")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.evaluate(f"window.addEventListener('beforeprint', () => {{ window.printed = {theme}; }})")
    page.pdf(format="A4", print_background=True)
    assert page.evaluate("window.printed") == "light"
    assert page.evaluate(theme) == "dark"
    assert wrong == []
    page.context.close()
