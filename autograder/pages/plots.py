"""Figures of a class report, as SVG that stands in a page.

They follow the page's colours in light and dark, hold text as text, load nothing, and have an
alternative text. Nothing that a student wrote goes into them.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autograder.texts import plural

WIDTH = 5.6  # inches: at this size, text is readable on a phone as well
# Colours that stand for the page's own; see templates/report.html.j2.
COLOURS = {
    "#010101": "ink",
    "#020202": "soft",
    "#030303": "line",
    "#040404": "none",
    "#050505": "less",
    "#060606": "more",
    "#070707": "full",
    "#080808": "on-none",
    "#090909": "on-less",
    "#0a0a0a": "on-more",
    "#0b0b0b": "on-full",
}
OF = {name: code for code, name in COLOURS.items()}
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": OF["ink"],
    "axes.labelcolor": OF["ink"],
    "axes.edgecolor": OF["soft"],
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": OF["soft"],
    "ytick.color": OF["soft"],
    "xtick.labelcolor": OF["ink"],
    "ytick.labelcolor": OF["ink"],
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Bar:
    """A row of a chart: a label above a bar of several parts, each a number of submissions."""

    label: str
    parts: Sequence[int]


def histogram(values: Sequence[float], maximum: float, title: str, what: str) -> Markup:
    """Return how many submissions have how many points.

    Args:
        values: the points of each submission, at least one.
        maximum: what can be had.
        what: what the points are, for the axis.
    """
    width = max(1, math.ceil(maximum / 20))  # points are mostly whole numbers
    bins = max(1, math.ceil(maximum / width))
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int(value / width)))] += 1
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "histogram"}):
        figure, axes = _figure(2.6)
        places = [(number + 0.5) * width for number in range(bins)]
        axes.bar(places, counts, width=0.92 * width, color=OF["full"])
        axes.set(title=title, xlabel=f"{what}, of {maximum:g}", ylabel="submissions")
        axes.set(xlim=(0, bins * width), ylim=(0, max(counts) * 1.08))
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        shown = [
            f"{plural(count, 'submission')} from {number * width:g} "
            f"to {min((number + 1) * width, maximum):g}"
            for number, count in enumerate(counts)
            if count
        ]
        return _svg(figure, f"{title}. Points and submissions: {'; '.join(shown)}.")


def bars(
    rows: Sequence[Bar], names: Sequence[str], colours: Sequence[str], title: str, axis: str
) -> Markup:
    """Return a chart with a bar for each row.

    Args:
        rows: at least one.
        names: what the parts of each bar stand for.
        colours: of the parts, by their names in COLOURS.
        axis: what the rows are.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": title}):
        figure, axes = _figure(0.46 * len(rows) + 1.35)
        most = max(1, max(sum(row.parts) for row in rows))
        for place, row in enumerate(rows):
            left = 0
            for number, count in enumerate(row.parts):
                axes.barh(place, count, 0.42, left=left, color=OF[colours[number]])
                if count >= 0.05 * most:
                    ink = OF[f"on-{colours[number]}"]
                    middle = left + count / 2
                    axes.text(middle, place, str(count), ha="center", va="center", color=ink)
                left += count
            axes.text(0, place - 0.28, row.label, va="bottom", clip_on=False)
        axes.set(title=title, xlabel="submissions", ylabel=axis, yticks=[], xlim=(0, most))
        axes.set_ylim(len(rows) - 0.6, -0.75)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        handles = [
            matplotlib.patches.Patch(color=OF[colour], label=name)
            for colour, name in zip(colours, names, strict=True)
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=4, frameon=False)
        shown = [
            f"{row.label}: "
            + ", ".join(f"{count} {name}" for count, name in zip(row.parts, names, strict=True))
            for row in rows
        ]
        return _svg(figure, f"{title}. {'; '.join(shown)}.")


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("none")
    return figure, axes


def _svg(figure: Figure, alt: str) -> Markup:
    """Return a figure as an element of a page, in the page's colours."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # matplotlib names its fonts; the page has its own.
    text = re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font-size: \1px", text)
    for code, name in COLOURS.items():
        text = text.replace(code, f"var(--{name})")
    size = re.search(r'viewBox="[^"]*"', text)[0]
    inside = text[text.index(">") + 1 :]
    head = Markup('<svg class="plot" role="img" aria-label="{}" {}>').format(alt, Markup(size))
    xlinked = inside.replace("xlink:href", "href")
    return Markup("<figure>{}{}</figure>").format(head, Markup(xlinked.strip()))
