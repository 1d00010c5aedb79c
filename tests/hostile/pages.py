"""Attacks on whoever opens a feedback page: script and markup in outputs, and in text cells."""

SCRIPT = "<script>alert('hostile')</script>"
IMAGE = "<img src=x onerror=\"alert('hostile')\">"

# Code whose outputs hold script.
ATTACKS = {
    "script as HTML": f"""
from IPython.display import HTML, display
display(HTML({SCRIPT!r} + {IMAGE!r} + "<svg onload='alert(1)'></svg><iframe src='javascript:1'>"))
display(HTML("<meta http-equiv=refresh content='0;url=http://hostile'><base href='//hostile'>"))
""",
    "script as JavaScript, Markdown, LaTeX and a link": f"""
from IPython.display import display
for kind in ("application/javascript", "text/markdown", "text/latex", "text/vnd.mermaid"):
    display({{kind: {SCRIPT!r} + {IMAGE!r} + "[x](javascript:alert(1))"}}, raw=True)
""",
    "script in pictures": f"""
from IPython.display import SVG, display
svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>" + {SCRIPT!r} + "</svg>"
display({{"image/svg+xml": svg}}, raw=True)
display({{"image/png": "x'\\">" + {SCRIPT!r}, "image/jpeg": '" onerror="alert(1)'}}, raw=True)
""",
    "script in the metadata of outputs": f"""
from IPython.display import display
pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
for key in ("width", "height", "alt", "unconfined", "needs_background"):
    bad = {{"image/png": {{key: '1" onload="alert(1)">' + {SCRIPT!r}}}}}
    display({{"image/png": pixel + "AABJRU5ErkJggg=="}}, metadata=bad, raw=True)
""",
    "script in errors and printed text": f"""
import sys
print({SCRIPT!r}, "\\x1b[31m", {IMAGE!r}, file=sys.stderr)
print("\\x1b]8;;javascript:alert(1)\\x07link\\x1b]8;;\\x07", {IMAGE!r})
raise type("<b onclick=alert(1)>", (Exception,), {{}})({SCRIPT!r})
""",
    "script by widgets": f"""
from IPython.display import display
display({{"application/vnd.jupyter.widget-view+json": {{"model_id": {SCRIPT!r}}}}}, raw=True)
display({{"application/vnd.plotly.v1+json": {{"x": {SCRIPT!r}}}}}, raw=True)
display({{"text/html": {SCRIPT!r}, "text/plain": 7, "<b>": 1}}, raw=True)
""",
    "errors with markup, formulas and control characters in the table": """
text = "=cmd|'/c calc'!A1 [red]x[/red] \\x1b[2J\\x1b]0;owned\\x07 \\n@SUM(1)\\r"
raise SyntaxError(text + "x" * 200_000)
""",
    "errors of the kinds that are reported, as numbers and lists": """
class CellTimeoutError(Exception):
    def _render_traceback_(self):
        return [self, 7]
class SyntaxError(CellTimeoutError):
    __name__ = 7
raise SyntaxError([])
""",
    "a cell that is no Python, with a formula": """
=cmd|'/c calc'!A1 <script>alert(1)</script>
""",
}
