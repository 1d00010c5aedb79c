"""What a student's notebook holds is harmless in a browser, and still reads right."""

from __future__ import annotations

import base64
import io
import random
import re
from collections.abc import Iterator

import nbformat
import pytest
from browser import launch, visit
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode, v4
from nbgrader.server_extensions.formgrader import handlers
from payloads import (
    ASKS,
    ATTACHMENTS,
    EVIL,
    MARKDOWN,
    OUTPUTS,
    RUNS,
    bomb,
    code_cell,
    encoded,
    hostile_notebook,
    png,
    text_cell,
)
from PIL import Image
from traitlets.config import Config

from autograder.submissions import safe
from autograder.submissions.safe import (
    LEFT_OUT,
    MAX_OUTPUTS,
    MAX_PICTURES,
    MAX_SIDE,
    name_problem,
    safe_cell,
    safe_notebook,
    safe_outputs,
    safe_picture,
)
from autograder.texts import MAX_TEXT, safe_text

BOOTSTRAP = "node_modules/bootstrap/dist/css"  # where nbgrader finds it as well
TEMPLATES = ("lab", "classic", "formgrade", "feedback")
RESOURCES = {
    "nbgrader": {"notebook": "n", "score": 1, "max_score": 2, "late_penalty": 0},
    "base_url": "https://course.invalid/static",
    "submission_id": "s",
    "notebook_id": "n",
    "assignment_id": "a",
    "index": 0,
    "total": 1,
    "notebook_path": "autograded/ann/a/n.ipynb",
}
# What nbconvert's markdown may become; a checkbox is that of a task list.
TAGS = {
    *("p", "br", "hr", "em", "strong", "del", "code", "pre", "span", "div", "a", "img", "input"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
KERNEL = {"name": "python3", "display_name": "Python 3"}
ATTRIBUTES = {
    "href",
    "src",
    "alt",
    "title",
    "class",
    "id",
    "start",
    "style",
    "type",
    "disabled",
    "checked",
}


def rendered(notebook: NotebookNode, template: str, resources: dict = RESOURCES) -> str:
    """Return the notebook as nbconvert's and nbgrader's templates show it."""
    exporter = HTMLExporter(
        config=Config(
            HTMLExporter={
                "template_name": template,
                "extra_template_basedirs": [handlers.template_path],
                "extra_template_paths": [f"{handlers.static_path}/{BOOTSTRAP}"],
            }
        )
    )
    # The address at which formgrader's own files are; see `browser.visit`.
    return exporter.from_notebook_node(notebook, resources)[0]


def rendered_text(source: str, attachments: dict) -> BeautifulSoup:
    """Return a text as nbconvert's markdown makes it, with raw HTML let through."""
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    return BeautifulSoup(MarkdownWithMath(renderer=renderer).render(source), "html.parser")


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A headless browser."""
    with launch() as browser:
        yield browser


# --------------------------------------------------------------------------- in a browser


@pytest.mark.slow
@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_runs_and_nothing_is_asked_for(chromium, template: str) -> None:
    empty = visit(chromium, rendered(v4.new_notebook(), template), handlers.static_path)
    made = safe_notebook(hostile_notebook(), ())
    seen = visit(chromium, rendered(made, template), handlers.static_path)
    assert seen.ran == [] and seen.dialogs == []
    assert set(seen.requests) == set(empty.requests), "only what the template itself asks for"


@pytest.mark.slow
def test_the_payloads_do_run_where_nothing_is_done(chromium) -> None:
    media = {"embed", "media", "stylesheet", "style", "style attribute", "linked image"}
    media |= {name for name in MARKDOWN if name.startswith("remote image")}
    cells = [text_cell(name) for name in MARKDOWN if name in RUNS | media]
    cells += [
        code_cell(name) for name in OUTPUTS if name in RUNS | {"isolated html", "png with a file"}
    ]
    page = rendered(v4.new_notebook(cells=cells), "formgrade")
    seen = visit(chromium, page, handlers.static_path)
    assert RUNS - set(seen.ran) == set()
    evil = {url.rpartition("/")[2] for url in seen.requests if url.startswith(EVIL)}
    assert ASKS - evil == set()


# --------------------------------------------------------------------------------- texts


def problems(html: BeautifulSoup) -> list[str]:
    """Return what in a text's HTML could do harm."""
    found = []
    for tag in html.find_all(True):
        if tag.name not in TAGS:
            found.append(f"<{tag.name}>")
        for name, words in tag.attrs.items():
            value = words if isinstance(words, str) else " ".join(words)
            if name not in ATTRIBUTES:
                found.append(f"{tag.name} {name}={value}")
            if name == "href" and not re.match(r"(https?://|mailto:|#)", value, re.IGNORECASE):
                found.append(f"href={value}")
            if name == "src" and not value.startswith("data:image/png;base64,"):
                found.append(f"src={value}")
            if name == "style" and not re.fullmatch(r"text-align:\s?\w+;?", value):
                found.append(f"style={value}")
            if name == "id" and re.fullmatch(r"[\w-]+", value):
                found.append(f"id={value}")
            if name == "class" and "mermaid" in value:
                found.append(f"class={value}")
    return found


@pytest.mark.parametrize("name", MARKDOWN)
def test_each_text_becomes_harmless_html(name: str) -> None:
    cell = safe_cell(text_cell(name))
    html = rendered_text(cell.source, cell.get("attachments", {}))
    assert problems(html) == []
    assert not re.search(r"\\(href|require|cssId|class|style|mmlToken|bbox)", cell.source)
    assert safe_cell(cell) == cell, "doing it twice changes nothing more"


def test_most_texts_are_harmful_as_they_are() -> None:
    harmful = []
    for name, text in MARKDOWN.items():
        if name != "missing attachment" and problems(rendered_text(text, ATTACHMENTS)):
            harmful.append(name)
    assert len(harmful) > 45, harmful


PIECES = [
    *("<", ">", "!", "[", "]", "(", ")", "#", "`", "```", "~~~", "$", "$$", "\\", "\\\\", "&"),
    *("&lt;", "&#60;", '"', "'", "=", ":", ";", "*", "_", "\n", "\n", "\n\n", " ", "  ", "    "),
    *("\t", "\r", "\x00", "\x1b", "\u200b", "|", "> ", "- ", "1.", "===", "---", "![", "](", "]:"),
    *("](<", "img", "/img", "script", "src=x", "onerror=ran(1)", "a", "x", "mermaid", "q-test"),
    *("# q-test", "javascript:ran(1)", "java", "script:", "https://a.invalid", "data:text/html,"),
    *("</", "/>", "attachment:good.png", "<!--", "-->", "<![CDATA[", "<?", "[x]", "[x]:"),
    *("\\begin{a}", "\\end{a}"),
]


def test_random_mixtures_of_markup_become_harmless_html() -> None:
    chance = random.Random(4)
    for _ in range(3000):
        source = "".join(chance.choices(PIECES, k=chance.randint(2, 25)))
        cell = v4.new_markdown_cell(source)
        made = safe_cell(nbformat.from_dict(cell | {"attachments": ATTACHMENTS}))
        html = rendered_text(made.source, made.get("attachments", {}))
        assert problems(html) == [], (source, made.source)
        assert safe_cell(made) == made, source


def safe_markdown(text: str) -> str:
    return safe_cell(v4.new_markdown_cell(text)).source


READABLE = [
    "The kernel $k_h(x) = \\frac{1}{|h|} k(h^{-1}x)$ with $0 \\le a < 2\\pi$, $h\\cdot h' \\in H$.",
    "$$\\begin{aligned} a &< b \\\\ c &= [0, 1) \\end{aligned}$$",
    "It is **important** and *new*, and `x[0] < y[1]` is code: a <- b, 3 <4, x<1, <3.",
    "- one\n- two\n\n1. first\n2. second\n\n> said, by me",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\nText\n\n---\n\nText",
    "```python\ndef f(x):\n    return x[0] + x[1:]  # ok\n```",
    "[paper](https://a.invalid/x_(y).pdf), https://b.invalid, [me](mailto:a@b.invalid), [up](#top)",
    "[ref][1]\n\n[1]: https://a.invalid",
    "Grüße, 你好, العربية, 😀, C:\\temp, 100 %, a & b, &lt;b&gt;, \\* and \\[ 1 \\].",
    "- [x] done\n- [ ] open",
]


@pytest.mark.parametrize("text", READABLE)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("if $a<b$ then", "if $a< b$ then"),
        ("use `List<int>` here", "use List< int> here"),
        ("&lt;img src=x&gt;", "<img src=x>"),
        ("a <b>bold</b> word", "a < b>bold< /b> word"),
        ("see [notes](notes.md)", "see [notes] (notes.md)"),
        ("![curve](curve.png)", "! [curve] (curve.png)"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("in $\\href{x}{y}$", "in $\\ href{x}{y}$"),
    ],
)
def test_what_is_changed_still_reads_right(text: str, shown: str) -> None:
    assert rendered_text(safe_markdown(text), {}).get_text().strip() == shown


def test_headings_keep_their_text_and_lose_their_id() -> None:
    html = rendered_text(safe_markdown("# q-test\n\n## My way"), {})
    first, second = html.find_all(["h1", "h2"])
    assert first.get_text().strip("\u200b¶") == "q-test" and first["id"] != "q-test"
    assert second.get_text().strip("\u200b¶") == "My way"


def test_long_texts_are_cut_in_the_middle() -> None:
    made = safe_text("a" * 50_000 + "end")
    assert len(made) <= MAX_TEXT and made.endswith("aend")
    assert "characters were left out" in made
    assert safe_text(made) == made


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;javascript:1\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;no end\nnext", "\nnext"),
        (" 10%\r 50%\r100%\nend\r\n", "100%\nend\n"),
        ("a\x00b\x08c\x9b31m", "abc31m"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("\ud800 alone", "? alone"),
        (["two ", "parts\n"], "two parts\n"),
        (3, ""),
        (None, ""),
    ],
)
def test_text_is_plain(text: object, plain: str) -> None:
    assert safe_text(text) == plain


# ------------------------------------------------------------------------------ pictures


def picture(
    width: int = 4, height: int = 3, kind: str = "PNG", mode: str = "RGB", **options
) -> str:
    file = io.BytesIO()
    Image.new(mode, (width, height), "blue").save(file, format=kind, **options)
    return base64.b64encode(file.getvalue()).decode()


def decoded(encoded_picture: str | None) -> bytes:
    assert encoded_picture is not None
    return base64.b64decode(encoded_picture)


def opened(encoded_picture: str | None) -> Image.Image:
    return Image.open(io.BytesIO(decoded(encoded_picture)))


def test_pictures_keep_their_pixels_and_nothing_else() -> None:
    for kind, mode in (("PNG", "RGB"), ("PNG", "P"), ("PNG", "L"), ("JPEG", "RGB")):
        made = opened(safe_picture(picture(kind=kind, mode=mode)))
        assert made.format == "PNG" and made.size == (4, 3) and made.mode == "RGB"
    clear = Image.new("RGBA", (2, 1), (10, 20, 30, 40))
    file = io.BytesIO()
    clear.save(file, format="PNG")
    made = opened(safe_picture(base64.b64encode(file.getvalue()).decode()))
    assert made.getpixel((1, 0)) == (10, 20, 30, 40)
    hidden = decoded(safe_picture(png(trailer=b"<script>")))
    assert b"<script>" not in hidden
    profile = decoded(safe_picture(picture(icc_profile=b"<script>profile")))
    assert b"iCCP" not in profile
    # Jupyter may have wrapped the lines.
    assert safe_picture("\n".join(picture())) is not None


def test_a_photo_stays_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    made = opened(safe_picture(picture(4, 3, "JPEG", exif=exif)))
    assert made.size == (3, 4) and not made.getexif()


def test_what_is_no_picture_is_dropped() -> None:
    for bad in (
        encoded("<svg/>"),
        encoded("<script>"),
        "§",
        "",
        None,
        3,
        ["a", 3],
        picture(kind="GIF"),
    ):
        assert safe_picture(bad) is None
    assert safe_picture(bomb()) is None
    assert safe_picture(picture(5000, 4000, mode="1")) is None
    cut = base64.b64encode(base64.b64decode(picture(50, 50))[:-40]).decode()
    assert safe_picture(cut) is None


def test_large_pictures_are_made_smaller() -> None:
    assert opened(safe_picture(picture(MAX_SIDE + 200, 10))).width == MAX_SIDE


def test_pasted_pictures_stay_in_a_text() -> None:
    pasted = f"data:image/jpeg;base64,{picture(kind='JPEG')}"
    text = "My drawing: ![a cat](attachment:my%20cat.png), again ![a cat](attachment:my%20cat.png) "
    cell = v4.new_markdown_cell(f"{text} and from Colab ![dog.png]({pasted}).")
    files = {"my cat.png": {"image/png": picture()}, "unused": {"image/png": "x"}}
    cell = nbformat.from_dict(cell | {"attachments": files})
    made = safe_cell(cell)
    assert made.source.startswith("My drawing: ![a cat](attachment:picture-1.png), again")
    assert sorted(made.attachments) == ["picture-1.png", "picture-2.png", "picture-3.png"]
    html = rendered_text(made.source, made.attachments)
    assert [image["alt"] for image in html.find_all("img")] == ["a cat", "a cat", "dog.png"]
    assert problems(html) == []
    assert safe_cell(made) == made


def test_a_text_has_room_for_so_many_pictures() -> None:
    pasted = f"![x](data:image/png;base64,{picture()}) "
    made = safe_cell(v4.new_markdown_cell(pasted * (MAX_PICTURES + 2)))
    assert len(made.attachments) == MAX_PICTURES
    assert made.source.count("![x](") == MAX_PICTURES and made.source.count("[x: left out]") == 2


# ------------------------------------------------------------------------------- outputs


def test_outputs_are_text_and_pictures() -> None:
    made = safe_outputs(list(OUTPUTS.values()))
    assert len(made) == len(OUTPUTS)
    notebook = v4.new_notebook(cells=[v4.new_code_cell("1", outputs=made)])
    nbformat.validate(notebook)
    kinds = {mime for output in made for mime in output.get("data", {})}
    assert kinds == {"text/plain", "image/png"}
    assert "\x1b" not in nbformat.writes(notebook) and "\\u001b" not in nbformat.writes(notebook)
    assert safe_outputs(made) == made


def test_outputs_that_graders_need_are_kept() -> None:
    kept = [
        v4.new_output("stream", name="stderr", text="✗ wrong (0 of 1)\n    expected 3\n"),
        v4.new_output("execute_result", data={"text/plain": "2.5"}, execution_count=7),
        v4.new_output(
            "error", ename="CellTimeoutError", evalue="too long", traceback=["too", "long"]
        ),
    ]
    assert safe_outputs(kept) == kept
    shown = v4.new_output(
        "display_data",
        data={"image/png": picture(), "text/plain": "<Figure>", "text/html": "<b>"},
        metadata={"image/png": {"alt": "Two curves.", "width": 300, "height": -1}, "more": 1},
    )
    (made,) = safe_outputs([shown])
    assert made.data["text/plain"] == "<Figure>" and opened(made.data["image/png"]).size == (4, 3)
    assert made.metadata == {"image/png": {"alt": "Two curves.", "width": 300}}
    (made,) = safe_outputs([v4.new_output("display_data", data={"text/html": "<b>"})])
    assert made.data == {"text/plain": LEFT_OUT}


def test_too_many_outputs_are_left_out_in_the_middle() -> None:
    made = safe_outputs([v4.new_output("stream", text=f"{i}") for i in range(1000)])
    assert len(made) == MAX_OUTPUTS
    assert made[0].text == "0" and made[-1].text == "999"
    assert made[MAX_OUTPUTS // 2].text == "[901 outputs were left out.]\n"
    assert safe_outputs(made) == made
    assert safe_outputs({"no": "list"}) == safe_outputs(None) == []


# ----------------------------------------------------------------------------- notebooks


def test_texts_of_the_course_stay_as_they_are() -> None:
    hint = "<details><summary>Hint</summary>Look.</details>\n\n# q-test"
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(hint), v4.new_markdown_cell(f"{hint}!")])
    made = safe_notebook(notebook, {hint})
    assert made.cells[0].source == hint
    assert "<details>" not in made.cells[1].source


def test_a_hostile_notebook_becomes_a_valid_one() -> None:
    hostile = hostile_notebook()
    hostile.metadata |= {"course_notes": ["mended"], "kernelspec": KERNEL}
    before = nbformat.from_dict(hostile)
    made = safe_notebook(hostile, ())
    nbformat.validate(made)
    assert hostile == before, "the original is left alone"
    assert made.metadata == {
        "course_notes": ["mended"],
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
    }
    assert [cell.id for cell in made.cells] == [cell.id for cell in hostile.cells]
    assert made.cells[-2].execution_count is None
    code = [cell.source for cell in hostile.cells if cell.cell_type == "code"]
    assert [cell.source for cell in made.cells if cell.cell_type == "code"] == code
    assert safe_notebook(made, ()) == made


def test_all_pictures_of_a_notebook_share_an_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is small as a file, and takes a second to decode."""
    monkeypatch.setattr(safe, "MAX_ALL_PIXELS", 30)
    output = v4.new_output("display_data", data={"image/png": picture(4, 3)})
    text = v4.new_markdown_cell(f"![a](data:image/png;base64,{picture(4, 3)})")
    cells = [v4.new_code_cell(outputs=[output]), text, v4.new_code_cell(outputs=[output, output])]
    made = safe_notebook(v4.new_notebook(cells=cells), ())
    assert "image/png" in made.cells[0].outputs[0].data and "attachment" in made.cells[1].source
    assert [out.data for out in made.cells[2].outputs] == [{"text/plain": safe.LEFT_OUT}] * 2
    assert safe_notebook(made, ()) == made


def test_names_that_formgrader_would_take_for_html_are_refused() -> None:
    for name in ("ada", "Zoë O'Hara (2)", "李-雷", "a.b@c_1", "x; y=1"):
        assert name_problem(name) is None
    assert name_problem("<b>") == (
        "a name with <, > could act as a program in formgrader: rename the folder"
    )
    for bad in ('x" onclick="', "a&lt;", "a\u202eb", "a\nb"):
        assert "rename the folder" in str(name_problem(bad))


@pytest.mark.slow
def test_a_name_without_a_problem_runs_nothing_in_formgrader(chromium) -> None:
    def shown(student: str):
        resources = {**RESOURCES, "student": student, "notebook_path": f"autograded/{student}/n"}
        html = rendered(v4.new_notebook(), "formgrade", resources)
        return visit(chromium, html, handlers.static_path)

    hostile = 'x"><img src=x onerror=ran(7)>'
    assert name_problem(hostile) and shown(hostile).ran
    harmless = "O'Hara; ran(1) (2) javascript:ran(3) {{ 7 }}"
    assert name_problem(harmless) is None and shown(harmless).ran == []
