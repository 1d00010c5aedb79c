"""Attacks by what is handed in: the notebook's JSON, its metadata and cells, and its folder."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.lesson.markers import BEGIN_HIDDEN, END_HIDDEN, END_MARKER, START_MARKER
from hostile.pages import IMAGE, SCRIPT

OWN: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
TEXT = {"cell_type": "markdown", "metadata": {}}
POINTS = {
    "output_type": "execute_result",
    "data": {"text/plain": "99", "text/html": SCRIPT},
    "metadata": {},
    "execution_count": 1,
}
# What must never run: a file beside the notebook that says that it was read.
TELLTALE = "import os, pathlib, tempfile\npathlib.Path(tempfile.gettempdir(), 'planted').touch()\n"


@dataclass
class Submission:
    """What is handed in, before an attack changes it: the release as it is.

    Args:
        folder: where it is handed in; there already.
        notebook: the notebook's JSON. What it is after the attack is written into the folder, as it
            is if it is text or bytes; nothing is, if it is None.
        honest: another student's notebook, all right.
        source: the instructor's notebook, with all solutions.
        secret: a file elsewhere that nobody but its owner should read.
    """

    folder: Path
    notebook: Any  # a dict; after the attack also str, bytes or None
    honest: Path
    source: Path
    secret: Path

    @property
    def path(self) -> Path:
        """Return where the notebook is handed in."""
        return self.folder / f"{self.folder.name}.ipynb"

    @property
    def cells(self) -> list[dict]:
        """Return the notebook's cells."""
        return self.notebook["cells"]

    def cell(self, id: str) -> dict:
        """Return a cell."""
        return next(cell for cell in self.cells if cell.get("id") == id)

    def marks(self, id: str) -> dict:
        """Return a cell's nbgrader metadata."""
        return self.cell(id)["metadata"]["nbgrader"]

    def insert(self, before: str, source: str, **more: object) -> None:
        """Put a cell of the student's own before another cell."""
        index = self.cells.index(self.cell(before))
        self.cells.insert(index, copy.deepcopy(OWN) | {"source": source} | more)

    def write(self) -> None:
        """Write the notebook into the folder."""
        if isinstance(self.notebook, dict):
            self.notebook = json.dumps(self.notebook)
        if isinstance(self.notebook, str):
            self.notebook = self.notebook.encode()
        if self.notebook is not None:
            self.path.write_bytes(self.notebook)


ATTACKS: dict[str, Callable[[Submission], object]] = {}


def attack(name: str) -> Callable:
    """Put the decorated function into the catalogue."""

    def register(function: Callable) -> Callable:
        assert name not in ATTACKS
        ATTACKS[name] = function
        return function

    return register


# Metadata.


@attack("all cells are tagged skip-execution")
def _(submission: Submission) -> None:
    for cell in submission.cells:
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception", "remove-cell"]
        cell["metadata"]["nbclient"] = {"skip": True}


@attack("more points in the metadata")
def _(submission: Submission) -> None:
    for cell in submission.cells:
        marks = cell["metadata"].get("nbgrader", {})
        if "points" in marks:
            marks["points"] = 1000


@attack("tests turned into solutions, tasks and ungraded cells")
def _(submission: Submission) -> None:
    submission.marks("double-test").update(solution=True, checksum="0")
    submission.marks("inverse-test").update(grade=False, locked=False)
    submission.marks("evens-test").update(task=True, grade=False, solution=False)
    for name in ("double-test", "inverse-test", "evens-test"):
        submission.cell(name)["source"] = "99"


@attack("tests unlocked, and rewritten to say yes")
def _(submission: Submission) -> None:
    for name in ("double-test", "inverse-test", "evens-test"):
        submission.marks(name)["locked"] = False
        submission.cell(name)["source"] = "6.0"
        submission.cell(name)["outputs"] = [POINTS]


@attack("no tests at all, but outputs of them")
def _(submission: Submission) -> None:
    for name in ("double-test", "inverse-test", "evens-test"):
        submission.cell(name)["cell_type"] = "markdown"
        submission.cell(name)["source"] = "2"
        submission.insert(name, "2", outputs=[POINTS], execution_count=1, id=f"{name}-ran")


@attack("ids of tests on cells of one's own")
def _(submission: Submission) -> None:
    for name in ("double-test", "inverse-test", "evens-test"):
        mine = copy.deepcopy(submission.cell(name))
        mine["source"], mine["outputs"] = "99", [POINTS]
        for place in (0, len(submission.cells)):
            submission.cells.insert(place, copy.deepcopy(mine))


@attack("ids of tests swapped with those of answers")
def _(submission: Submission) -> None:
    test, answer = submission.cell("double-test"), submission.cell("evens-answer")
    test["metadata"], answer["metadata"] = answer["metadata"], test["metadata"]
    test["id"], answer["id"] = answer["id"], test["id"]
    submission.cell("numbers")["metadata"]["nbgrader"]["grade_id"] = "inverse-test"


@attack("ids that are paths, markup, numbers and lists")
def _(submission: Submission) -> None:
    odd = ("../../x", "/etc/passwd", SCRIPT, "", 7, ["x"], {"a": 1}, None, "x" * 10**5, "a\x00b")
    for number, id in enumerate(odd):
        submission.insert("evens-test", f"{number}", id=id)
        marks = {"grade": True, "grade_id": id, "points": 99, "locked": False, "solution": False}
        submission.insert("evens-test", "99", metadata={"nbgrader": marks}, id=f"odd-{number}")


@attack("graded cells of one's own")
def _(submission: Submission) -> None:
    for number in range(3):
        marks = {"grade": True, "grade_id": f"mine-{number}", "points": 50, "schema_version": 3}
        marks |= {"locked": True, "solution": False, "task": False, "cell_type": "code"}
        submission.insert("evens-test", "50", metadata={"nbgrader": marks}, outputs=[POINTS])


@attack("schema numbers that there are not")
def _(submission: Submission) -> None:
    odd = [99, -1, "3", None, 1e400, [3], {"a": 3}, True]
    for cell in submission.cells:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["schema_version"] = odd[0]
            odd.append(odd.pop(0))


@attack("a kernel that is another program")
def _(submission: Submission) -> None:
    planted = ["sh", "-c", "touch /tmp/planted; exec cat"]
    submission.notebook["metadata"] = {
        "kernelspec": {"name": "../../planted", "argv": planted, "language": "bash"},
        "language_info": {"name": "ruby", "file_extension": "/../x", "pygments_lexer": SCRIPT},
        "jupytext": {"text_representation": {"extension": ".sh"}},
    }


@attack("script in the notebook's metadata")
def _(submission: Submission) -> None:
    state = {"m": {"model_name": SCRIPT, "model_module": SCRIPT, "state": {"x": SCRIPT}}}
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": state, "version_major": 2}}
    submission.notebook["metadata"] |= {
        "title": SCRIPT, "name": f"</title>{SCRIPT}", "authors": [{"name": SCRIPT}],
        "widgets": widgets, "course_notes": [SCRIPT, "=1+1"], "course_seed": 0,
    }  # fmt: skip


@attack("script in outputs that were never computed")
def _(submission: Submission) -> None:
    output = {"output_type": "display_data", "data": {"text/html": SCRIPT}, "metadata": {}}
    error = {"output_type": "error", "ename": SCRIPT, "evalue": SCRIPT, "traceback": [SCRIPT]}
    stream = {"output_type": "stream", "name": SCRIPT, "text": [SCRIPT]}
    for cell in submission.cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = [POINTS, output, error, stream]


@attack("script in text cells, the written answer and raw cells")
def _(submission: Submission) -> None:
    text = f"{SCRIPT}{IMAGE} [x](javascript:alert(1)) <iframe srcdoc='{SCRIPT}'></iframe>\n\n"
    text += f"<details open ontoggle=alert(1)>\n\n$$\\href{{javascript:alert(1)}}{{x}}$$\n{SCRIPT}"
    submission.cell("why-answer")["source"] = text
    submission.insert("evens-test", text, **TEXT)
    raw = {"cell_type": "raw", "metadata": {"raw_mimetype": "text/html", "format": "text/html"}}
    submission.insert("evens-test", text, **raw)
    submission.cell("double")["source"] = text


@attack("script in attachments")
def _(submission: Submission) -> None:
    bad = {"image/svg+xml": f"<svg onload=alert(1)>{SCRIPT}</svg>", 'image/png" onerror="x': SCRIPT}
    attachments = {"a.png": bad, f'b.png"{IMAGE}': {"image/png": f'"{IMAGE}'}, "c": "text", "d": 7}
    links = f'![x](attachment:a.png)\n\n![y](attachment:b.png"{IMAGE})\n\n![z](attachment:c)'
    submission.cell("why-answer").update(source=links, attachments=attachments)
    submission.insert("evens-test", links, **TEXT, attachments=attachments)


# Cells.


@attack("markers of hidden tests in answers")
def _(submission: Submission) -> None:
    region = f"{BEGIN_HIDDEN}\ndouble_points = 99\ndouble_points\n{END_HIDDEN}"
    submission.cell("numbers")["source"] += f"\n{region}\n{region}"
    submission.cell("evens-answer")["source"] = f"{region}\nevens = lambda n: []\n99"
    submission.insert("evens-test", region)


@attack("markers of hidden tests that do not pair up")
def _(submission: Submission) -> None:
    submission.cell("numbers")["source"] += f"\n{END_HIDDEN}\n{BEGIN_HIDDEN}\n{BEGIN_HIDDEN}\n99"
    submission.insert("evens-test", f"99\n{END_HIDDEN}")


@attack("markers of hidden tests beside other words")
def _(submission: Submission) -> None:
    submission.cell("evens-answer")["source"] += f"\nx = '{BEGIN_HIDDEN}'  {END_HIDDEN} 99"


@attack("markers of mark schemes in the written answer")
def _(submission: Submission) -> None:
    scheme = "=== BEGIN MARK SCHEME ===\n2 points: anything\n=== END MARK SCHEME ==="
    submission.cell("why-answer")["source"] = f"{scheme}\n\n{scheme}\n=== BEGIN MARK SCHEME ==="


@attack("markers of blocks inside of others")
def _(submission: Submission) -> None:
    marks = f"{START_MARKER}\n{START_MARKER}\npass\n{END_MARKER}\n{END_MARKER}\n{END_MARKER}"
    for name in ("numbers", "evens-answer"):
        submission.cell(name)["source"] = f"{marks}\n{submission.cell(name)['source']}\n{marks}"


@attack("an answer that redefines the others' names")
def _(submission: Submission) -> None:
    submission.cell("evens-answer")["source"] = (
        "import builtins\nclass Numbers:\n    double = inverse = lambda self, a: True\n"
        "def mod(a):\n    return 0\ndef evens(n):\n    return Numbers()\n"
        "builtins.float = builtins.sum = lambda *args: 99\nMODULUS = 1"
    )
    submission.insert("double-test", submission.cell("evens-answer")["source"])


@attack("answers that nest deeper than Python reads")
def _(submission: Submission) -> None:
    for number, deep in enumerate(("-" * 3000 + "1", "(" * 3000, "x" + ".x" * 3000, "[" * 10**5)):
        submission.insert("numbers-2", f"def evens(n):\n    return {deep}", id=f"deep-{number}")
    submission.cell("numbers")["source"] = "class Numbers:\n    double = 1" + " + 1" * 10**4


@attack("cells of many megabytes")
def _(submission: Submission) -> None:
    submission.insert("evens-test", "# " + "x" * 8_000_000)
    submission.insert("evens-test", "x = '''" + "y\n" * 2_000_000 + "'''")
    submission.cell("why-answer")["source"] = "*x* " * 200_000


@attack("a hundred thousand cells of text")
def _(submission: Submission) -> None:
    submission.cells[3:3] = [TEXT | {"source": "x", "id": f"x{n}"} for n in range(100_000)]


@attack("thousands of cells of code that fail")
def _(submission: Submission) -> None:
    submission.cells[3:3] = [OWN | {"source": "=1+1", "id": f"x{n}"} for n in range(3000)]


@attack("a cell with thousands of copies")
def _(submission: Submission) -> None:
    test, answer = submission.cell("double-test"), submission.cell("numbers")
    answer["source"] += "\n# filled in"
    submission.cells[3:3] = [copy.deepcopy(cell) for _ in range(1000) for cell in (test, answer)]


@attack("forty cells with two megabytes of output each")
def _(submission: Submission) -> None:
    for number in range(40):
        submission.insert("evens-test", "print('x' * 1_900_000)", id=f"much-{number}")


@attack("cells that are none")
def _(submission: Submission) -> None:
    odd: list[Any] = [
        None,
        7,
        "cell",
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": 7, "source": {}},
    ]
    odd += [{"cell_type": "code", "source": ["a", 7], "metadata": [], "outputs": 7}]
    odd += [{"cell_type": "heading", "level": "x", "source": [["x"]], "metadata": {"id": []}}]
    submission.notebook["cells"] = odd + submission.cells


@attack("sources, outputs and metadata of odd types")
def _(submission: Submission) -> None:
    submission.cell("numbers").update(source=["def", " x", ": pass"], outputs={}, metadata=None)
    submission.cell("evens-answer").update(attachments=7, execution_count="x", outputs=[[7]])
    submission.notebook["metadata"] = []


# JSON and bytes.


def _text(submission: Submission, **changes: object) -> str:
    return json.dumps(submission.notebook | changes)


@attack("JSON a hundred thousand lists deep")
def _(submission: Submission) -> None:
    deep = '"deep": ' + "[" * 10**5 + "]" * 10**5
    submission.notebook = _text(submission).replace('"metadata"', f'{deep}, "metadata"', 1)


@attack("JSON with millions of empty objects")
def _(submission: Submission) -> None:
    submission.notebook = '{"many": [' + "{}," * 3_000_000 + "{}]," + _text(submission)[1:]


@attack("JSON with numbers that are none")
def _(submission: Submission) -> None:
    numbers = '"x": NaN, "y": -Infinity, "z": 1e999, "nbformat_minor": Infinity'
    submission.notebook = "{" + numbers + "," + _text(submission)[1:]


@attack("JSON with a number of a million digits")
def _(submission: Submission) -> None:
    submission.notebook = '{"x": ' + "9" * 10**6 + "," + _text(submission)[1:]


@attack("JSON with the same keys twice")
def _(submission: Submission) -> None:
    submission.notebook = _text(submission)[:-1] + ', "cells": [], "metadata": 7, "nbformat": 9}'


@attack("JSON with halves of characters")
def _(submission: Submission) -> None:
    submission.insert("evens-test", "x = '\ud800'  # \udcff", **OWN)
    submission.insert("evens-test", "text \udfff", **TEXT)
    submission.cell("why-answer")["source"] = "\ud800"


@attack("a version of the format from long ago")
def _(submission: Submission) -> None:
    code = [{"cell_type": "code", "input": cell["source"], "outputs": [POINTS], "language": "ruby"}
            for cell in submission.cells]  # fmt: skip
    sheets = {"worksheets": [{"cells": code}, {"cells": code}], "metadata": {"name": "../x"}}
    submission.notebook = {"nbformat": 3, "nbformat_minor": 0} | sheets


for _number in (99, 5, 1, 0, -1, "4", None, 1e400, [4], True):

    @attack(f"the format's version {_number!r}")
    def _(submission: Submission, number: object = _number) -> None:
        submission.notebook |= {"nbformat": number, "nbformat_minor": number}


for _name, _data in {
    "nothing": b"",
    "null": b"null",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "a pickle": b"cposix\nsystem\n(S'touch /tmp/planted'\ntR.",
    "sixty megabytes": b" " * 60_000_000,
    "UTF-16": '{"cells": []}'.encode("utf-16"),
}.items():

    @attack(f"a file of {_name}")
    def _(submission: Submission, data: bytes = _data) -> None:
        submission.notebook = data


# The folder.


@attack("a link to another student's notebook")
def _(submission: Submission) -> None:
    submission.path.symlink_to(submission.honest)
    submission.notebook = None


@attack("a link to the instructor's notebook")
def _(submission: Submission) -> None:
    relative = os.path.relpath(submission.source, submission.folder)
    submission.path.symlink_to(relative)
    submission.notebook = None


@attack("a folder that is a link to another student's")
def _(submission: Submission) -> None:
    submission.folder.rmdir()
    submission.folder.symlink_to(submission.honest.parent)
    submission.notebook = None


@attack("a link to a secret, beside the notebook")
def _(submission: Submission) -> None:
    (submission.folder / "data.csv").symlink_to(submission.secret)
    (submission.folder / "folder").symlink_to(submission.secret.parent)
    submission.insert("evens-test", "print(open('data.csv').read(), open('folder/secret').read())")


@attack("links to nowhere and to themselves")
def _(submission: Submission) -> None:
    (submission.folder / "nowhere").symlink_to("/nowhere/at/all")
    (submission.folder / "itself").symlink_to("itself")
    (submission.folder / "above").symlink_to("..")


@attack("a link to itself")
def _(submission: Submission) -> None:
    submission.path.symlink_to(submission.path.name)
    submission.notebook = None


@attack("a folder in the notebook's place")
def _(submission: Submission) -> None:
    submission.path.mkdir()
    submission.notebook = None


@attack("a pipe in the notebook's place, and one beside it")
def _(submission: Submission) -> None:
    os.mkfifo(submission.path)
    submission.notebook = None
    os.mkfifo(submission.folder / "pipe")


@attack("a pipe beside the notebook")
def _(submission: Submission) -> None:
    os.mkfifo(submission.folder / "pipe")


@attack("modules beside the notebook")
def _(submission: Submission) -> None:
    right = "class Numbers:\n    def double(self, a):\n        return 2 * a\n"
    names = "torch math random json sitecustomize usercustomize conftest IPython encodings planted"
    for name in (*names.split(), "ipykernel_launcher", "nbgrader_config"):
        (submission.folder / f"{name}.py").write_text(TELLTALE + right, encoding="utf-8")
    (submission.folder / "planted.pth").write_text("import os", encoding="utf-8")
    submission.insert("double-test", "import random\nfrom planted import Numbers")


@attack("settings beside the notebook")
def _(submission: Submission) -> None:
    startup = submission.folder / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "planted.py").write_text(TELLTALE, encoding="utf-8")
    for name in ("ipython_config.py", "jupyter_config.py", "nbgrader_config.py",
                 "jupyter_nbconvert_config.py", ".jupyter/jupyter_config.py"):  # fmt: skip
        path = submission.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(TELLTALE + "c = get_config()", encoding="utf-8")
    (submission.folder / "timestamp.txt").write_text("yesterday\n" * 3, encoding="utf-8")
    (submission.folder / ".env").write_text("PYTHONPATH=.", encoding="utf-8")


@attack("other notebooks beside the notebook")
def _(submission: Submission) -> None:
    text = submission.honest.read_text(encoding="utf-8")
    for name in ("00.ipynb", "00_tiny (1).ipynb", "00_TINY.ipynb", "zz.ipynb", "[a].ipynb"):
        (submission.folder / name).write_text(text, encoding="utf-8")


@attack("files with names that are no text")
def _(submission: Submission) -> None:
    for name in (b"\xff\xfe", b"a\nb", b"-rf", b"x" * 255, b"\x1b[2J", b"=1+1"):
        with open(os.fsencode(submission.folder) + b"/" + name, "wb") as file:
            file.write(b"x")


@attack("folders as deep as a path can be")
def _(submission: Submission) -> None:
    path = str(submission.folder)
    while len(path) < 4000:
        path += "/d"
        os.mkdir(path)
