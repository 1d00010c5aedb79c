"""Formulas as MathML, which browsers set themselves: no script, no waiting, no network.

docutils translates TeX; what its translation lacks is put into words that it knows.
"""

from __future__ import annotations

import re

from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml

from autograder.errors import CourseError

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
    """Return a formula as MathML. Raises CourseError if it has a command that is not known."""
    rewritten = tex.strip().replace("\n", " ")
    for pattern, replacement in _REWRITTEN:
        rewritten = pattern.sub(replacement, rewritten)
    try:
        translated = tex2mathml(rewritten, as_block=block)
    except MathError as error:
        raise CourseError(f"the formula {tex.strip()!r} cannot be set: {error}") from error
    for pattern, replacement in _MENDED:
        translated = pattern.sub(replacement, translated)
    return translated
