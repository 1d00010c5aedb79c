"""The feedback page: what it says, what it never says, and that it is harmless and readable."""

from __future__ import annotations

import contextlib
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from browser import launch, visit
from bs4 import BeautifulSoup, Tag
from conftest import TINY
from nbformat import NotebookNode, v4
from pages.contrast import contrast
from payloads import ATTACHMENTS, MARKDOWN, OUTPUTS, img, png
from pygments.styles import get_style_by_name

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.grade import grade_lesson
from autograder.grading.schemes import SCHEME_TAG
from autograder.lesson import Lesson
from autograder.lesson.cells import TEXT_STUB
from autograder.lesson.markers import strip_scheme
from autograder.marks.gradebook import Mark, open_api
from autograder.marks.results import Result
from autograder.pages import markup
from autograder.pages.feedback import (
    feedback_page,
    pack_names,
    pack_pages,
    platform_names,
    write_feedback,
)
from autograder.pages.page import graded_page, ungraded_page
from autograder.submissions.cells import known_cell
from autograder.submissions.made import BROKEN_JSON, fill_in, write_submission
from autograder.submissions.reading import read_notebook

SEED = 975341643313
REPORT = """✓ double(1) is 2
✗ double(2) is 4: this does not hold yet.
  Expected 4, got `a < b`.
  Likely cause: the factor.
Something printed
Hidden tests of Exercise 1, Twice:
✓ doubles positive numbers (1 of 1)
✗ doubles negative numbers (0 of 1)
    expected -8, got
    -4
"""
MARKS = {
    "double-test": Mark(1.0, 1.0, False),
    "inverse-test": Mark(1.0, 3.0, False),
    "evens-test": Mark(0.0, 0.0, False),
    "why-answer": Mark(None, 0.0, True),
}


def executed(lesson: Lesson, answers: dict | None = None, outputs: dict | None = None):
    """Return a lesson as a graded notebook: with hidden tests, a mark scheme and the seed."""
    cells = []
    for cell in lesson.cells:
        text = (answers or {}).get(cell.id, strip_scheme(cell.source))
        if cell.kind == "markdown":
            graded = v4.new_markdown_cell(text)
        else:
            graded = v4.new_code_cell(text)
            graded.outputs = (outputs or {}).get(cell.id, [])
        if cell.grade:
            graded.metadata.nbgrader = {"grade_id": cell.id}
        cells.append(graded)
    scheme = v4.new_markdown_cell("2 points: names the group", metadata={"tags": [SCHEME_TAG]})
    metadata = {"course_seed": SEED, "course_notes": []}
    notebook = v4.new_notebook(metadata=metadata)
    notebook.cells = [*cells, scheme]
    return notebook


def result(lesson: Lesson, marks: dict = MARKS, notes: tuple = (), student: str = "ada") -> Result:
    return Result(student, lesson.stem, lesson.exercises, marks, list(notes), None, SEED)


def stream(text: str) -> NotebookNode:
    return v4.new_output("stream", name="stdout", text=text)


def points(value: float) -> NotebookNode:
    return v4.new_output("execute_result", data={"text/plain": str(value)})


def picture(alt: str) -> NotebookNode:
    return v4.new_output(
        "display_data", data={"image/png": png()}, metadata={"image/png": {"alt": alt}}
    )


@pytest.fixture
def html(tiny: Lesson) -> str:
    """The page of a submission that is right here and wrong there."""
    secret = "assert hidden_helper(6) == 12"
    error = v4.new_output(
        "error", ename="AssertionError", evalue="double(1) must be 2", traceback=[secret]
    )
    outputs = {
        "double-test": [stream(REPORT), picture("Yours above, ours below."), points(1.0)],
        "inverse-test": [error],
        "numbers": [v4.new_output("error", ename="NameError", evalue="no b", traceback=["line"])],
    }
    answers = {"why-answer": "Since $a<b$ it **must** be [so](https://a.invalid)."}
    return graded_page(
        tiny,
        executed(tiny, answers, outputs),
        result(tiny, notes=("The cell evens-test had been <changed>.",)),
        comments={"numbers": "See *again*.", "why-answer": " "},
        graded_at=datetime(2025, 3, 9, 14, 5, tzinfo=UTC),
        checksum="0123abcd",
    )


@pytest.fixture
def page(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def assert_mathml_is_harmless(page: BeautifulSoup) -> None:
    """Check that formulas hold nothing but elements of MathML that only set signs."""
    for formula in page.find_all("math"):
        for tag in [formula, *formula.find_all(True)]:
            assert re.fullmatch(r"math|m(i|n|o|row|text|su[bp]|subsup|frac|over|space)", tag.name)
            assert set(tag.attrs) <= {"xmlns", "display", "form", "stretchy", "width"}, tag


def only(tag: Tag, selector: str) -> Tag:
    """Return the first element that a CSS selector finds, which must be there."""
    element = tag.select_one(selector)
    assert element is not None, selector
    return element


def attribute(tag: Tag, name: str) -> str:
    """Return an attribute that holds a text, and not a list as `class` does."""
    value = tag[name]
    assert isinstance(value, str)
    return value


# ------------------------------------------------------------------------ what it says


def test_it_begins_with_lesson_student_and_total(page: BeautifulSoup) -> None:
    assert only(page, "title").string == "Feedback · A tiny lesson · ada"
    assert only(page, "h1").string == "A tiny lesson"
    assert (
        words(only(page, "header"))
        == "Feedback for ada · edition 2026.1 A tiny lesson 4 of 8 points"
    )
    assert "Tests: 4 of 6 · written answers: 0 of 2, 1 answer not marked yet" in words(
        only(page, "main")
    )
    assert [item.string for item in page.select(".notes li")] == [
        "The cell evens-test had been <changed>."
    ]


def test_a_table_has_the_points_of_each_exercise(page: BeautifulSoup) -> None:
    assert only(page, "table caption").string == "Points by exercise"
    assert [words(row) for row in page.select("table tr")] == [
        "Exercise Points",
        "◐ Exercise 1 · Twice 1 of 2",
        "✓ Exercise 2 · The inverse 3 of 3",
        "✗ Exercise 3 · Even numbers 0 of 1",
        "… Question 1 · Why modulo? not yet",
        "Total 4 of 8",
    ]
    for link in page.select("table a"):
        assert only(page, attribute(link, "href")).name == "section"


def test_reports_are_lists_with_reasons_and_pictures(page: BeautifulSoup) -> None:
    section = only(page, "#exercise-double")
    assert words(only(section, ".state")) == "◐ 1 of 2"
    items = [(item["class"], words(item)) for item in section.select("ul.report > li")]
    assert items == [
        (["good"], "✓ double(1) is 2"),
        (
            ["bad"],
            "✗ double(2) is 4: this does not hold yet. Expected 4, got a < b . "
            "Likely cause: the factor.",
        ),
        (["good"], "✓ doubles positive numbers (1 of 1)"),
        (["bad"], "✗ doubles negative numbers (0 of 1) expected -8, got -4"),
    ]
    assert section.find("code", string="a < b"), "names of code stand between backticks"
    assert section.find("pre", string="Something printed")
    assert only(section, "h4").string == "Hidden tests"
    image = only(section, "img")
    assert image["alt"] == "Yours above, ours below."
    assert attribute(image, "src").startswith("data:image/png;base64,")
    assert image in section.select("ul + figure > img"), (
        "the picture stands below the reason it belongs to"
    )
    assert "1.0" not in section.get_text(), "the points are not repeated as an output"


def test_the_code_is_shown_once_with_the_students_lines_marked(page: BeautifulSoup) -> None:
    section = only(page, "#exercise-double")
    code = only(section, ".code")
    assert code.get_text().startswith("class Numbers:")
    assert code.find("span", class_="k"), "it is highlighted"
    filled = "".join(span.get_text() for span in code.find_all(class_="hll"))
    assert "doubled = 2 * a" in filled and "inverted = mod(negated)" in filled
    assert "def double" not in filled and "YOUR CODE" not in filled
    assert words(only(section, "pre.error")) == "NameError: no b"
    assert only(section, "details").has_attr("open")
    scroll = only(section, ".scroll")
    assert scroll["tabindex"] == "0" and scroll["aria-label"] == "Your code for Exercise 1"

    other = only(page, "#exercise-inverse")
    assert other.find(class_="code") is None
    assert "shown in Exercise 1" in words(other)
    assert other.find("a", href="#exercise-double")


def test_errors_changes_and_comments_are_shown(page: BeautifulSoup) -> None:
    section = only(page, "#exercise-inverse")
    assert words(only(section, "pre.error")) == "AssertionError: double(1) must be 2"
    assert "The tests gave 1 point; a person has changed that." in words(section)
    comments = page.find_all(class_="comment")
    assert [words(comment) for comment in comments] == ["See again ."]
    assert comments[0].em and comments == page.select("#exercise-double .comment")
    assert "They say no more than this." in words(only(page, "#exercise-evens"))


def test_a_question_stands_with_its_answer(tiny: Lesson, page: BeautifulSoup) -> None:
    section = only(page, "#exercise-why")
    assert words(only(section, ".state")) == "not marked yet"
    assert words(section) == (
        "Question 1 · Why modulo? not marked yet The question Say why the inverse is taken modulo "
        "5. Your answer Since a < b it must be so ."
    )
    answer = only(section, ".text")
    assert words(only(answer, "math")) == "a < b" and answer.strong
    link = only(answer, "a")
    assert link["href"] == "https://a.invalid" and "noreferrer" in link["rel"]

    marks = MARKS | {"why-answer": Mark(None, 1.5, False)}
    notebook = executed(tiny, {"why-answer": TEXT_STUB})
    html = graded_page(tiny, notebook, result(tiny, marks), comments={"why-answer": "Half."})
    section = only(BeautifulSoup(html, "html.parser"), "#exercise-why")
    assert words(only(section, ".state")) == "◐ 1.5 of 2"
    assert "You left this question open." in words(section)
    assert words(only(section, ".comment")) == "Half."


def test_pasted_pictures_are_shown(tiny: Lesson) -> None:
    notebook = executed(tiny, {"why-answer": "![my sketch](attachment:good.png) ![x](y.png)"})
    known_cell(notebook, "why-answer").attachments = nbformat.from_dict(ATTACHMENTS)
    page = BeautifulSoup(graded_page(tiny, notebook, result(tiny)), "html.parser")
    (image,) = page.select("#exercise-why img")
    assert image["alt"] == "my sketch"
    assert attribute(image, "src").startswith("data:image/png;base64,")


def test_it_ends_with_time_and_checksum(tiny: Lesson, page: BeautifulSoup) -> None:
    assert only(page, "footer time")["datetime"] == "2025-03-09T14:05:00+00:00"
    assert words(only(page, "footer")) == (
        "Graded on 9 March 2025, 14:05 UTC . Checksum of what was graded: 0123abcd"
    )
    bare = graded_page(tiny, executed(tiny), result(tiny))
    assert words(only(BeautifulSoup(bare, "html.parser"), "footer")) == ""


def test_it_gives_nothing_away(html: str) -> None:
    for secret in (
        str(SEED),
        "BEGIN HIDDEN",
        "double_points",
        "hidden_helper",
        "names the group",
        "mark scheme",
        "assert isinstance",
    ):
        assert secret not in html, secret


def test_a_page_without_answers_or_outputs_can_be_made(tiny: Lesson) -> None:
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("nothing")])
    html = graded_page(tiny, notebook, result(tiny, marks={}))
    assert (
        html.count("not marked yet") == html.count("not yet</td>") == 4
        and "You left this question open." in html
    )


def test_an_ungraded_page_says_why_and_what_to_do(tiny: Lesson) -> None:
    html = ungraded_page(tiny, "<b>", "the file <script>alert(1)</script> & more is broken")
    page = BeautifulSoup(html, "html.parser")
    assert "could not be graded. The file <script>alert(1)</script> & more is broken." in words(
        page
    )
    assert "python -m autograder check 00_tiny.ipynb" in words(only(page, "ol"))
    assert page.find("script") is None and page.find("b") is None


# ------------------------------------------------------------------------------- form


def test_it_is_self_contained_and_accessible(html: str, page: BeautifulSoup) -> None:
    policy = attribute(only(page, 'meta[http-equiv="Content-Security-Policy"]'), "content")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert page.find(["script", "link", "iframe", "form", "base", "object"]) is None
    assert "url(" not in html and "@import" not in html
    for tag in page.find_all(src=True):
        assert attribute(tag, "src").startswith("data:image/png")
    assert only(page, "html")["lang"] == "en" and only(page, "meta[name=viewport]")
    ids = Counter(tag["id"] for tag in page.find_all(id=True))
    assert set(ids.values()) == {1}
    for tag in page.select("[aria-labelledby]"):
        assert tag["aria-labelledby"] in ids
    for tag in page.find_all("a", href=re.compile("^#")):
        assert tag["href"][1:] in ids
    levels = [int(tag.name[1]) for tag in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))
    assert all(attribute(image, "alt").strip() for image in page.find_all("img"))
    assert all(cell.has_attr("scope") for cell in page.select("table th"))


def test_its_colours_can_be_read(html: str) -> None:
    schemes = re.findall(r"--ink: #.*?--mark: #\w+;", html, re.DOTALL)
    assert len(schemes) == 2
    for scheme, style in zip(schemes, (markup.LIGHT, markup.DARK), strict=True):
        colours = dict(re.findall(r"--(\w+): #(\w{6})", scheme))
        grounds = [colours[name] for name in ("paper", "panel", "mark")]
        inks = [colours[name] for name in ("ink", "soft", "link", "good", "some", "bad")]
        tokens = [token for _, token in get_style_by_name(style) if not token["bgcolor"]]
        inks += [token["color"] for token in tokens if token["color"]]
        assert min(contrast(ink, ground) for ink in inks for ground in grounds) >= 4.5


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A headless browser."""
    with launch() as browser:
        yield browser


@pytest.mark.slow
def test_it_fits_a_phone_and_a_wide_screen_in_light_and_dark(chromium, html: str) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        for width in (320, 768, 1920):
            page = chromium.new_page(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,
                java_script_enabled=True,
            )
            page.set_content(html)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.close()
    assert len(grounds) == 2


# ---------------------------------------------------------------------------- harmless


def hostile_page(lesson: Lesson) -> str:
    """Return the page of a submission that is hostile wherever it can be."""
    shown = nbformat.from_dict(list(OUTPUTS.values()))
    code = f"## YOUR CODE STARTS HERE ##\n{img('code')}</code></pre>\n## AND ENDS HERE ##"
    answers = {"numbers": code, "evens-answer": "%%html\n" + img("magic")}
    answers["why-answer"] = "\n\n".join(MARKDOWN.values())
    outputs = dict.fromkeys(("double-test", "inverse-test", "evens-test", "numbers"), shown)
    notebook = executed(lesson, answers, outputs)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.attachments = ATTACHMENTS
    name = f'"><script>ran("student")</script>{img("student")}'
    return graded_page(
        lesson,
        notebook,
        result(lesson, notes=(f"It <b>says</b> {img('note')}.",), student=name),
        comments={"numbers": img("comment"), "why-answer": "\n\n".join(MARKDOWN.values())},
        checksum=img("checksum"),
    )


def test_a_hostile_submission_adds_no_tag_and_no_attribute(tiny: Lesson) -> None:
    page = BeautifulSoup(hostile_page(tiny), "html.parser")
    tags = {tag.name for tag in page.find_all(True)}
    assert not tags & {"script", "svg", "iframe", "style ", "link", "form", "video", "base"}
    assert_mathml_is_harmless(page)
    assert len(page.find_all("style")) == 1 and len(page.find_all("meta")) == 4
    names = {name for tag in page.find_all(True) for name in tag.attrs}
    assert not [name for name in names if name.startswith("on")]
    for tag in page.find_all(href=True):
        assert re.match(r"(https?://|mailto:|#exercise-)", attribute(tag, "href")), tag
    for tag in page.find_all(src=True):
        assert re.fullmatch(r"data:image/png;base64,[\w+/=]+", attribute(tag, "src")), tag
    assert {tag["style"] for tag in page.find_all(style=True)} <= {
        "width: 50%",
        "text-align:left",
    }
    assert set(Counter(tag["id"] for tag in page.find_all(id=True)).values()) == {1}


@pytest.mark.slow
def test_nothing_runs_and_nothing_is_asked_for(chromium, tiny: Lesson) -> None:
    html = hostile_page(tiny)
    # The policy is a second wall: without it, the page is as harmless.
    without = re.sub(r"<meta http-equiv[^>]*>", "", html)
    assert without != html
    for text in (html, without, ungraded_page(tiny, img("student"), img("problem"))):
        seen = visit(chromium, text)
        assert (seen.ran, seen.requests, seen.dialogs) == ([], [], [])


@pytest.mark.slow
def test_its_policy_alone_stops_scripts_and_requests(chromium, html: str) -> None:
    evil = f"{img('img')}<script>ran('script')</script><link rel=stylesheet href=//evil.invalid/s>"
    assert visit(chromium, html).requests == []
    seen = visit(chromium, html.replace("<footer>", evil + "<footer>"))
    assert (seen.ran, seen.requests) == ([], [])
    without = re.sub(r"<meta http-equiv[^>]*>", "", html).replace("<footer>", evil + "<footer>")
    seen = visit(chromium, without)
    assert set(seen.ran) == {"img", "script"} and seen.requests


@pytest.mark.parametrize("text", MARKDOWN.values(), ids=list(MARKDOWN))
def test_markdown_is_harmless(text: str) -> None:
    page = BeautifulSoup(markup.markdown(text, ATTACHMENTS), "html.parser")
    assert_mathml_is_harmless(page)
    tags = {tag.name for tag in page.find_all(True) if not tag.find_parent("math")} - {"math"}
    known = {"p", "strong", "em", "code", "pre", "a", "ul", "ol", "li", "blockquote", "hr", "br"}
    assert tags <= known | {"table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "img"}
    names = {name for tag in page.find_all(True) if tag.name in tags for name in tag.attrs}
    assert names <= {"href", "rel", "class", "alt", "src", "style"}
    for tag in page.find_all("a"):
        assert re.match(r"(https?://|mailto:)", attribute(tag, "href"))


def test_formulas_are_set_and_those_that_cannot_be_are_shown_as_tex() -> None:
    text = markup.markdown("With $a_1 < b_2$:\n\n$$x^2$$\n\n\\begin{align} y \\end{align}")
    page = BeautifulSoup(text, "html.parser")
    inline, block = page.find_all("math")
    assert words(inline) == "a 1 < b 2" and block["display"] == "block"
    assert [tag.string for tag in page.find_all("code")] == ["\\begin{align} y \\end{align}"]


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r'\color{red" onload="alert(1)}{x}',
        r'\begin{array}{c" onload="alert(1)} 1 \end{array}',
        "{" * 480 + "}" * 480,
        "x" * 2_000,
    ],
)
def test_nothing_in_a_formula_gets_out_of_it(tex: str) -> None:
    page = BeautifulSoup(markup.markdown(f"${tex}$"), "html.parser")
    for tag in page.find_all(True):
        assert tag.name not in ("script", "a") and not set(tag.attrs) & {"onload", "href"}


def test_a_text_that_breaks_the_parser_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self, text: str) -> str:
        raise RecursionError

    monkeypatch.setattr(markup.MarkdownWithMath, "render", fail)
    assert markup.markdown("> <b>") == "<pre>&gt; &lt;b&gt;</pre>"


# -------------------------------------------------------------------- files and command


@pytest.fixture
def pages(course: Course) -> Course:
    """A course with a few pages that are only text."""
    for student in ("ada", "bob"):
        page = feedback_page(course, TINY, student)
        page.parent.mkdir(parents=True)
        page.write_text(f"page of {student}", encoding="utf-8")
    return course


def test_packs_hold_one_page_per_student(pages: Course, tmp_path: Path) -> None:
    work = [(TINY, "ada"), (TINY, "bob")]
    assert pack_pages(pages, work, None) == pack_pages(pages, [], "x.zip") == []
    (path,) = pack_pages(pages, work, "")
    assert path == pages.feedback / "00_tiny.zip"
    for file in (path, *pack_pages(pages, work, str(tmp_path / "new" / "all.zip"))):
        with zipfile.ZipFile(file) as pack:
            held = {name: pack.read(name).decode() for name in pack.namelist()}
        assert held == {"ada_00_tiny.html": "page of ada", "bob_00_tiny.html": "page of bob"}
    (pages.root / "folder").mkdir()
    with pytest.raises(CourseError, match="choose another file with --zip"):
        pack_pages(pages, work, str(pages.root / "folder"))
    with zipfile.ZipFile(path) as pack:
        assert len(pack.namelist()) == 2


def test_packs_as_platforms_take_them_back(pages: Course) -> None:
    """Named as Moodle and Canvas named what was handed in: by that they know whose a file is."""
    course, work = pages, [(TINY, "ada"), (TINY, "bob")]
    (course.submitted).mkdir()
    record: dict[str, object] = {"checksum": "", "timestamp": None, "modified": None}
    records: dict[str, dict[str, object]] = {
        f"ada/{TINY}": {"who": "Ada Lovelace_1234567", "platform": "moodle", "number": None},
        f"bob/{TINY}": {"who": "student_1_4567", "platform": "canvas", "number": 9001},
    }
    text = json.dumps({key: record | value for key, value in records.items()})
    (course.submitted / ".collected.json").write_text(text, encoding="utf-8")
    wanted = {
        "moodle": {f"Ada Lovelace_1234567_assignsubmission_file_/{TINY}.html": "page of ada"},
        "canvas": {f"student-1_4567_9001_{TINY}.html": "page of bob"},
    }
    for platform, held in wanted.items():
        named = platform_names(course, work, platform)
        assert [key for key, name in named.items() if not name] == [
            (TINY, "bob" if platform == "moodle" else "ada")
        ]
        (path,) = pack_pages(course, work, "", named)
        with zipfile.ZipFile(path) as pack:
            assert {name: pack.read(name).decode() for name in pack.namelist()} == held
    # As Canvas looks for the student and the file: the first two numbers between _.
    (name,) = wanted["canvas"]
    assert [part for part in name.split("_") if part.isdigit()][:2] == ["4567", "9001"]
    assert platform_names(course, work, None) == {}


def test_names_in_a_pack_are_for_every_system_and_no_two_alike() -> None:
    students = ("ada", "../bob", "..\\Bob", 'eve: "x"\n', "Zoë O'Hara_123_assignsubmission_file")
    assert pack_names([("01_a", student) for student in students]) == [
        "ada_01_a.html",
        ".._bob_01_a.html",
        ".._Bob_01_a (2).html",
        "eve_ _x___01_a.html",
        "Zoë O'Hara_123_assignsubmission_file_01_a.html",
    ]


@pytest.mark.slow
def test_the_command_writes_what_graders_gave(
    built_course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    course = built_course
    monkeypatch.chdir(course.root)
    lesson = Lesson.load(course.lesson_path(TINY))
    release = read_notebook(course.release_notebook(TINY))
    write_submission(course, "ada", TINY, fill_in(release, lesson))
    write_submission(course, "bob", TINY, BROKEN_JSON)
    grade_lesson(course, TINY)
    api = open_api(course)
    page = feedback_page(course, TINY, "ada")
    first = page.read_text(encoding="utf-8")
    assert "6</strong> of 8 points" in first and "not marked yet" in first
    assert "Because the numbers then form a group." in first
    seed = (course.root / ".grading-seed").read_text(encoding="utf-8").strip()
    assert seed not in first and "double_points" not in first

    with api.gradebook as gradebook:
        given = gradebook.find_grade("why-answer", TINY, TINY, "ada")
        given.manual_score, given.needs_manual_grade = 1.5, False
        gradebook.find_comment("why-answer", TINY, TINY, "ada").manual_comment = "Say *why*."
        gradebook.db.commit()
    # As nbgrader's own feedback leaves it.
    (page.parent / "data.csv").write_text("copied", encoding="utf-8")
    (page.parent / "more").mkdir()
    assert cli.main(["feedback", "--zip"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "7.5</strong> of 8 points" in text and "Say <em>why</em>." in text
    assert [path.name for path in page.parent.iterdir()] == [page.name]
    assert "2 of 2 pages written" in capsys.readouterr().out
    with zipfile.ZipFile(course.feedback / "00_tiny.zip") as pack:
        assert pack.namelist() == ["ada_00_tiny.html", "bob_00_tiny.html"]
        assert pack.read("ada_00_tiny.html").decode() == text
        assert "is not valid JSON" in pack.read("bob_00_tiny.html").decode()

    (course.autograded / "ada" / TINY / f"{TINY}.ipynb").write_text("{", encoding="utf-8")
    assert cli.main(["feedback"]) == 1
    out = capsys.readouterr().out
    assert "ada, 00_tiny: its graded notebook is missing or broken: grade the submission" in out
    assert page.read_text(encoding="utf-8") == text, "the page from before is kept"
    problem = write_feedback(api, course, lesson, "carol")
    assert problem == "it is not graded yet: run `python -m autograder grade`"


def test_what_release_feedback_needs_lies_beside_the_page(
    built_course: Course, tmp_path: Path
) -> None:
    """nbgrader's exchange finds a student's page by the time and the secret of the submission."""
    lesson = Lesson.load(built_course.lesson_path(TINY))
    release = read_notebook(built_course.release_notebook(TINY))
    for student in ("ada", "ben"):
        write_submission(built_course, student, TINY, fill_in(release, lesson))
    folder = built_course.submitted / "ada" / TINY
    (folder / "timestamp.txt").write_text("2026-10-01 12:00:00.000000 UTC", encoding="utf-8")
    (folder / "submission_secret.txt").write_text("s3cret", encoding="utf-8")
    (tmp_path / "private").write_text("private", encoding="utf-8")
    with contextlib.suppress(OSError):  # Windows may not permit it
        (built_course.submitted / "ben" / TINY / "submission_secret.txt").symlink_to(
            tmp_path / "private"
        )
    grade_lesson(built_course, TINY)
    page = feedback_page(built_course, TINY, "ada")
    assert (page.parent / "submission_secret.txt").read_text(encoding="utf-8") == "s3cret"
    assert (page.parent / "timestamp.txt").read_text(encoding="utf-8").startswith("2026-10-01")
    other = feedback_page(built_course, TINY, "ben")
    assert [path.name for path in other.parent.iterdir()] == [other.name]
    (pack,) = pack_pages(built_course, [(TINY, "ada")], "")
    with zipfile.ZipFile(pack) as opened:
        assert [Path(name).suffix for name in opened.namelist()] == [".html"]
