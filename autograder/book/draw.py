"""A digit to draw on the book's home page, which the two networks read in the reader's browser.

The script is `solutions/_static/draw.js`. On a click it loads the networks from `networks.js`, and
their weights, which `python -m autograder.book.turn` writes, from `networks.bin`.
"""

from __future__ import annotations

from autograder.book.turn import NETWORKS, RADIUS, polar, said
from autograder.book.weights import weights_file
from autograder.course import Course

HELP = (
    "Draw a digit with a finger or the mouse. With the keyboard, the arrow keys move the pen, "
    "and space puts it down and lifts it."
)
TITLE = "How sure each network is, at every angle, of the digit that it reads upright."


def markup(course: Course) -> str:
    """Return the button, the paper, the dial and the empty curve as HTML; a script shows them.

    Nothing where no weights are kept.
    """
    if not weights_file(course).is_file():
        return ""
    diagram = polar("draw", TITLE, dict.fromkeys(NETWORKS, ""))
    return (
        "<noscript><p>With JavaScript you can draw a digit of your own here, and turn it.</p>"
        f'</noscript><div class="draw" data-radius="{RADIUS}" hidden>'
        '<p><button type="button" class="draw-open" aria-expanded="false">'
        'Draw your own digit</button> <output class="draw-state"></output></p>'
        f'<div class="draw-panel" hidden><p>{HELP}</p><div class="draw-parts">'
        '<div><canvas class="draw-paper" width="280" height="280" tabindex="0" '
        f'role="application" aria-label="Paper. {HELP}"></canvas>'
        '<p><button type="button" class="draw-clear">Clear the paper</button></p></div>'
        '<div class="draw-turn"><canvas class="draw-seen" width="28" height="28" role="img" '
        'aria-label="Your digit as the networks see it, turned"></canvas>'
        '<div><p><label>Turn it: <input type="range" class="draw-dial" min="0" max="359" value="0" '
        f'step="1"></label></p>{said("draw")}</div></div>'
        f'<div class="draw-curve">{diagram}'
        "<p>Sure of what is read upright, from not at all (centre) to quite (outer ring), at "
        'each angle. <output class="draw-summary"></output></p></div></div></div></div>'
    )
