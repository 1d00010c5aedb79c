"""Formulas of the book as MathML, which browsers set themselves: no script, no waiting.

docutils translates TeX; what its translation lacks is put into words that it knows.
"""

from __future__ import annotations

import re
from typing import NoReturn

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

RENDERER = "mathml"
_TAG = re.compile(r"\\tag\{([^{}]*)\}")
_REWRITTEN = (
    (re.compile(r"\\(?:big|Big|bigg|Bigg)[lr]?(?![a-zA-Z])"), ""),
    (re.compile(r"\\cr(?![a-z])"), r"\\\\"),
    (re.compile(r"\\dots(?![a-z])"), r"\\ldots"),
    (re.compile("°"), r"^\\circ"),
    # \tilde h_m is a letter with a tilde that has an index; the empty group keeps the two apart.
    (re.compile(r"\\(tilde|hat|bar) ?(\w|\{[^{}]*\})(?=[_^])"), r"{\\\1 \2{}}"),
)
# What docutils' MathML lacks: real primes, a sign after a comma, a space in "det h".
_MENDED = (
    (re.compile(">'<"), ">′<"),
    (re.compile(r"(<mo>,</mo>\s*<mo)>−"), r'\1 form="prefix">−'),
    (re.compile(r"(&ApplyFunction;</mo>\s*)<mi>"), r'\1<mspace width="0.17em"/><mi>'),
)


def mathml(tex: str, block: bool = False) -> str:
    """Return a formula as MathML. Raises ExtensionError if it has a command that is not known."""
    rewritten = tex.strip().replace("\n", " ")
    for pattern, replacement in _REWRITTEN:
        rewritten = pattern.sub(replacement, rewritten)
    try:
        translated = tex2mathml(rewritten, as_block=block)
    except MathError as error:
        raise ExtensionError(f"the formula {tex.strip()!r} cannot be set: {error}") from error
    for pattern, replacement in _MENDED:
        translated = pattern.sub(replacement, translated)
    return translated


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
