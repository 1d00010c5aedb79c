"""How the book's builder sets formulas: as MathML, by `lesson/formulas.py`."""

from __future__ import annotations

import re
from typing import NoReturn

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from autograder.lesson.formulas import mathml

RENDERER = "mathml"
_TAG = re.compile(r"\\tag\{([^{}]*)\}")


def visit_inline(translator: HTML5Translator, node: nodes.math) -> NoReturn:
    """Write a formula in a line of text."""
    start = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    translator.body.append(f"{start}{mathml(node.astext())}</span>")
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> NoReturn:
    """Write a formula of its own, with its number and a link to it where it has one."""
    tex = node.astext()
    tag = _TAG.search(tex)
    number = ""
    if tag:
        name = next((name for name in node["ids"] if name.startswith("eq-")), "")
        link = f'<a class="headerlink" href="#{name}" title="Link to this equation">#</a>'
        number = f'<span class="eqno">({tag[1]}){link if name else ""}</span>'
    start = translator.starttag(node, "div", CLASS="math notranslate nohighlight")
    translator.body.append(f"{start}{mathml(_TAG.sub('', tex), block=True)}{number}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Make it a renderer that `html_math_renderer` can name."""
    app.add_html_math_renderer(RENDERER, (visit_inline, None), (visit_block, None))
