"""The pieces of a feedback page as HTML, made from what a student's notebook holds.

Every function here escapes what it is given; what it returns is `Markup`, which a template takes as
it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from markupsafe import Markup, escape
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from autograder.errors import LOG, CourseError
from autograder.lesson.formulas import mathml
from autograder.lesson.markers import blocks
from autograder.submissions.cells import message
from autograder.submissions.safe import safe_outputs

# A line of a report: it holds, it does not, or the exercise is still open.
SIGNS = {"✓": "good", "✗": "bad", "✎": "open"}
MOST_COLOURED = 20_000  # characters of code that are coloured
MOST_TEX = 1_000  # characters of a formula that is set
NO_TEXT = "A picture from the tests; it has no description."
LIGHT, DARK = "xcode", "monokai"  # both readable: at least 4.5 : 1 on the page's background
# Lines that begin with a sign, with the indented lines below them, or the heading of hidden tests.
_BLOCK = re.compile(r"^((?:[✓✗✎].*(?:\n  .*)*(?:\n|\Z))+|Hidden tests of .+:$)", re.MULTILINE)
_ITEM = re.compile(r"^([✓✗✎])(.*)((?:\n  .*)*)", re.MULTILINE)
_NAME = re.compile(r"`([^`]+)`")
_WEB = re.compile(r"(https?://|mailto:)", re.IGNORECASE)


def code_styles(style: str) -> str:
    """Return the style sheet of `code`, for one of pygments' styles."""
    return HtmlFormatter(style=style).get_style_defs(".code")


def code(source: str, label: str) -> Markup:
    """Return highlighted Python, with the lines of the YOUR CODE blocks marked.

    `label` says to a screen reader what can be scrolled there.
    """
    try:
        filled = [
            line for block in blocks(source) for line in range(block.start + 2, block.end + 1)
        ]
    except CourseError:  # the student has spoilt a marker
        filled = []
    if len(source) > MOST_COLOURED:
        return _text(source)
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    html = highlight(source, lexer, HtmlFormatter(cssclass="code", hl_lines=filled, wrapcode=True))
    # pygments has escaped the source.
    return Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div>').format(
        label, Markup(html)
    )


def findings(outputs: object) -> Markup:
    """Return what a tests cell has put out: the report, pictures, errors; not its points."""
    parts: list[Markup] = []
    for output in safe_outputs(outputs):
        if output.output_type == "stream":
            parts.extend(report(output.text))
        elif output.output_type == "error":
            parts.append(error(output))
        elif "image/png" in output.data:
            parts.append(picture(output))
        elif output.output_type == "display_data":
            parts.append(_text(output.data.get("text/plain", "")))
    return Markup("\n").join(parts)


def error(output: NotebookNode) -> Markup:
    """Return an error in one piece, without the traceback: it would quote hidden tests."""
    return Markup('<pre class="error">{}: {}</pre>').format(output.ename, message(output))


def picture(output: NotebookNode) -> Markup:
    """Return a picture of a safe output with its description."""
    alt = output.metadata.get("image/png", {}).get("alt") or NO_TEXT
    data = output.data["image/png"]
    return Markup('<figure><img alt="{}" src="data:image/png;base64,{}"></figure>').format(
        alt, data
    )


def report(text: str) -> Iterator[Markup]:
    """Yield the parts of a printed report: lists of what holds and what not, and other text.

    A line that begins with a sign is an item, and indented lines below it explain it.
    """
    for number, part in enumerate(_BLOCK.split(text)):
        if number % 2 == 0:
            if part.strip():
                yield _text(part.strip("\n"))
        elif part[0] in SIGNS:
            items = Markup("").join(_item(*item) for item in _ITEM.findall(part))
            yield Markup('<ul class="report">{}</ul>').format(items)
        else:
            yield Markup("<h4>Hidden tests</h4>")


def markdown(text: str, attachments: Mapping | None = None) -> Markup:
    """Return a text as HTML: raw HTML is shown as it was typed.

    Formulas are set; those with a mistake, or with what is not known, are shown as TeX.

    Of pictures only attached ones are shown, of links only those to the web and to e-mail.
    """
    try:
        return Markup(MarkdownWithMath(_Renderer(attachments or {})).render(text))
    except Exception:  # whatever a student's text does to a parser
        LOG.info("a text is shown as it was typed:", exc_info=True)
        return _text(text)


def _formula(tex: str, block: bool = False) -> str:
    """Return a formula as MathML, or as TeX where that cannot be set."""
    try:
        if len(tex) <= MOST_TEX:
            return mathml(tex, block=block)
    except Exception:  # whatever a student's formula does to a parser
        LOG.info("a formula is shown as TeX:", exc_info=True)
    kind = "formula block" if block else "formula"
    return str(Markup('<code class="{}">{}</code>').format(kind, tex.strip()))


class _Renderer(IPythonRenderer):
    """nbconvert's markdown without raw HTML, ids, scripts and anything from elsewhere."""

    def __init__(self, attachments: Mapping) -> None:
        super().__init__(escape=True, exclude_anchor_links=True, attachments=dict(attachments))

    def heading(self, text: str, level: int, **attrs: object) -> str:
        # The page has headings of its own.
        return f"<p><strong>{text}</strong></p>\n"

    def block_code(self, code: str, info: str | None = None) -> str:
        return str(_text(code))

    def inline_math(self, body: str) -> str:
        return _formula(body)

    def block_math(self, body: str) -> str:
        return _formula(body, block=True)

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if not _WEB.match(url):
            return text
        start = Markup('<a href="{}" rel="noopener noreferrer nofollow">').format(url)
        return f"{start}{text}</a>"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        bundle = self.attachments.get(url.removeprefix("attachment:"), {})
        data = bundle.get("image/png") if url.startswith("attachment:") else None
        alt = Markup(text).striptags()
        if data is None:
            return str(escape(f"[picture: {alt}]"))
        return str(Markup('<img alt="{}" src="data:image/png;base64,{}">').format(alt, data))


def _item(sign: str, text: str, reasons: str) -> Markup:
    lines = [line.strip() for line in reasons.split("\n")[1:]]
    why = Markup("<p>{}</p>").format(sentence(" ".join(lines))) if lines else ""
    return Markup('<li class="{}"><span class="sign">{} </span>{}{}</li>').format(
        SIGNS[sign], sign, sentence(text.strip()), why
    )


def sentence(text: str) -> Markup:
    """Return a sentence of a report, in which names of code stand between `…`."""
    return Markup(_NAME.sub(r"<code>\1</code>", str(escape(text))))


def _text(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(text)
