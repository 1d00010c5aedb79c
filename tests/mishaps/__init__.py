"""Honest mishaps: what programs and people do to notebooks that were answered rightly.

Each is a function that takes the release of the tiny lesson and the lesson, and returns what is
handed in: a notebook, the bytes of a file under its proper name, or files by their names. Its
decorator says what must come out: the points, and what a person is told.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass

import nbformat
from made import mistake, put_after, put_before, without, without_cell
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from autograder.lesson import Lesson
from autograder.lesson.markers import END_MARKER, START_MARKER
from autograder.submissions.cells import known_cell
from autograder.submissions.made import (
    BROKEN_JSON,
    fill_in,
    with_copied_cell,
    with_endless_loop,
    with_helper_cell,
    with_syntax_error,
)

NAME = "00_tiny.ipynb"
Content = NotebookNode | bytes | Mapping[str, bytes]
FULL = {"double": 2, "inverse": 3, "evens": 1}


@dataclass(frozen=True)
class Mishap:
    """A mishap and what must come of it.

    make: returns what is handed in for a release and its lesson.
    points: what the exercises get; None if the submission cannot be graded.
    says: parts of sentences that a person must be told; nothing else is said if there are none.
    written: whether the written answer is there for a person to mark.
    """

    make: Callable[[NotebookNode, Lesson], Content]
    points: Mapping[str, float] | None
    says: tuple[str, ...]
    written: bool

    def files(self, release: NotebookNode, lesson: Lesson) -> dict[str, bytes]:
        """Return the files that are handed in."""
        content = self.make(deepcopy(release), lesson)
        if isinstance(content, NotebookNode):
            content = as_bytes(content)
        return {NAME: content} if isinstance(content, bytes) else dict(content)


MISHAPS: dict[str, Mishap] = {}


def mishap(
    *says: str, lost: Mapping[str, float] | None = None, written: bool = True
) -> Callable[[Callable], Callable]:
    """Put a function into the catalogue; `lost`: exercises that get less, and what they get."""

    def register(make: Callable) -> Callable:
        points = {**FULL, **(lost or {})}
        MISHAPS[make.__name__] = Mishap(make, points, says, written)
        return make

    return register


def refused(*says: str) -> Callable[[Callable], Callable]:
    """Put a function into the catalogue whose file cannot be graded."""

    def register(make: Callable) -> Callable:
        MISHAPS[make.__name__] = Mishap(make, None, says, written=False)
        return make

    return register


def as_bytes(notebook: Mapping[str, object]) -> bytes:
    """Return a notebook as Jupyter writes it, valid or not."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def place(notebook: NotebookNode, name: str) -> int:
    """Return where the cell with that id stands."""
    return [cell.get("id") for cell in notebook.cells].index(name)


def insert(notebook: NotebookNode, name: str, *sources: str, below: bool = False) -> NotebookNode:
    """Put code cells of the student's own above the cell with that id, or below it."""
    index = place(notebook, name) + below
    notebook.cells[index:index] = [new_code_cell(source) for source in sources]
    return notebook


def stripped(notebook: NotebookNode, ids: bool = True) -> NotebookNode:
    """Take all metadata from a notebook, and the cells' ids."""
    notebook.metadata = {}
    for cell in notebook.cells:
        cell.metadata = {}
        if ids:
            cell.pop("id", None)
    return notebook


def merged(notebook: NotebookNode, first: str, last: str) -> NotebookNode:
    """Merge the cells from `first` to `last` into one, which stays the first, as Jupyter does."""
    start, end = place(notebook, first), place(notebook, last) + 1
    notebook.cells[start].source = "\n\n".join(cell.source for cell in notebook.cells[start:end])
    del notebook.cells[start + 1 : end]
    return notebook


def split(notebook: NotebookNode, name: str, line: str, metadata: bool = True) -> NotebookNode:
    """Split a cell before a line, as Jupyter does, which copies the metadata, or VS Code."""
    cell = known_cell(notebook, name)
    lines = cell.source.split("\n")
    at = next(index for index, text in enumerate(lines) if text.strip() == line)
    lower = new_code_cell("\n".join(lines[at:]), metadata=cell.metadata if metadata else {})
    cell.source = "\n".join(lines[:at]).rstrip()
    notebook.cells.insert(notebook.cells.index(cell) + 1, lower)
    return notebook


# --------------------------------------------------------------- copied, deleted, moved, renamed


@mishap("inverse-test was there 2 times")
def copied_test(release, lesson):
    return with_copied_cell(fill_in(release, lesson), "inverse-test")


@mishap("numbers was there 2 times")
def copied_answer(release, lesson):
    return with_copied_cell(fill_in(release, lesson), "numbers")


@mishap("double-test was missing")
def deleted_test(release, lesson):
    return without_cell(fill_in(release, lesson), "double-test")


@mishap("given was missing")
def deleted_locked_cell(release, lesson):
    return without_cell(fill_in(release, lesson), "given")


@mishap()
def deleted_headings(release, lesson):
    made = fill_in(release, lesson)
    made.cells = [cell for cell in made.cells if "nbgrader" in cell.metadata or cell.id == "why"]
    return made


@mishap("evens-answer was missing", lost={"evens": 0})
def deleted_answer(release, lesson):
    return without_cell(fill_in(release, lesson), "evens-answer")


@mishap("Cells had been moved")
def moved_cells(release, lesson):
    made = fill_in(release, lesson)
    random.Random(3).shuffle(made.cells)
    return made


@mishap("locked cell double-test had been changed")
def edited_test(release, lesson):
    made = fill_in(release, lesson)
    known_cell(made, "double-test").source += "\nprint(Numbers().double(7))"
    return made


@mishap("numbers had been turned into another type", "double-test had been turned into another")
def cells_turned_into_text(release, lesson):
    made = fill_in(release, lesson)
    for name, kind in {"numbers": "markdown", "double-test": "raw"}.items():
        cell = known_cell(made, name)
        cell.cell_type = kind
        cell.pop("outputs")
        cell.pop("execution_count")
    return made


@mishap("numbers had been turned into another type", "double-test had been turned into another")
def cells_turned_into_text_without_metadata(release, lesson):
    return stripped(cells_turned_into_text(release, lesson))


# --------------------------------------------------------------------- merged, split, elsewhere


@mishap("Cells had been merged; taken apart again: numbers, double-test.")
def answer_merged_with_its_test(release, lesson):
    return merged(fill_in(release, lesson), "numbers", "double-test")


@mishap("taken apart again: numbers, double-test, inverse-test, evens-answer, evens-test.")
def everything_merged(release, lesson):
    return merged(fill_in(release, lesson), "numbers", "evens-test")


@mishap("taken apart again: numbers, double-test, inverse-test, evens-answer, evens-test.")
def everything_merged_without_metadata(release, lesson):
    return stripped(merged(fill_in(release, lesson), "numbers", "evens-test"))


@mishap(
    "taken apart again: numbers, double-test, inverse-test, evens-answer, evens-test.",
    "evens-answer is not valid Python",
    lost={"evens": 0},
)
def everything_merged_with_a_syntax_error(release, lesson):
    made = with_syntax_error(fill_in(release, lesson), "evens-answer")
    return merged(made, "numbers", "evens-test")


@mishap("The cell numbers had been split")
def answer_split_in_jupyter(release, lesson):
    return split(fill_in(release, lesson), "numbers", "def inverse(self, a):")


@mishap("The cell numbers had been split")
def answer_split_in_vs_code(release, lesson):
    return split(fill_in(release, lesson), "numbers", "def inverse(self, a):", metadata=False)


@mishap("The cell evens-answer had been split")
def answer_split_inside_its_loop(release, lesson):
    return stripped(split(fill_in(release, lesson), "evens-answer", "if i % 2 == 0:"))


@mishap(
    "The answer evens-answer, or a part of it, was taken from another cell",
    "The locked cell evens-test had been changed",
)
def answer_typed_into_the_test(release, lesson):
    made = fill_in(release, lesson, without(lesson, "evens-answer"))
    answer = fill_in(release, lesson).cells[place(release, "evens-answer")]
    return put_before(made, "evens-test", answer.source)


@mishap("The answer evens-answer, or a part of it, was taken from another cell")
def answer_retyped_below_the_test(release, lesson):
    made = fill_in(release, lesson, without(lesson, "evens-answer"))
    retyped = "def evens(n):\n    return [i for i in range(n) if i % 2 == 0]"
    return insert(made, "evens-test", retyped, "evens(10)", below=True)


@mishap("evens-answer was there 2 times", "Cells had been moved")
def stub_left_and_a_copy_filled_in_below(release, lesson):
    made = fill_in(release, lesson)
    stub = deepcopy(known_cell(release, "evens-answer"))
    stub["id"] = "first-one"
    made.cells.insert(place(made, "evens-answer"), stub)
    filled = made.cells.pop(place(made, "evens-answer"))
    made.cells.insert(place(made, "evens-test") + 1, filled)
    return made


@mishap("The answer numbers, or a part of it, was taken from another cell")
def class_opened_again(release, lesson):
    made = fill_in(release, lesson)
    answer = known_cell(made, "numbers")
    answer.source = answer.source.replace("inverted = mod(negated)", "inverted = ...")
    stub = known_cell(release, "numbers").source
    answer.source = answer.source.replace("negated = -a", "negated = ...")
    assert stub.split("def inverse")[1] == answer.source.split("def inverse")[1]
    again = "class Numbers(Numbers):\n    def inverse(self, a):\n        return mod(-a)"
    return insert(made, "inverse-test", again, below=True)


@mishap("The answer numbers, or a part of it, was taken from another cell")
def method_put_into_the_class_from_outside(release, lesson):
    made = class_opened_again(release, lesson)
    outside = "def inverse(self, a):\n    return mod(-a)\n\nNumbers.inverse = inverse"
    made.cells[place(made, "inverse-test") + 1].source = outside
    return made


@mishap()
def markers_deleted(release, lesson):
    made = fill_in(release, lesson)
    for cell in made.cells:
        lines = cell.source.split("\n")
        markers = (START_MARKER, END_MARKER)
        cell.source = "\n".join(line for line in lines if line.strip() not in markers)
    return stripped(made)


@mishap(*(f"{name} was missing" for name in ("given", "double-test", "inverse-test", "evens-test")))
def answers_in_a_notebook_of_their_own(release, lesson):
    made = fill_in(release, lesson)
    kept = [cell for cell in made.cells if cell.id in ("numbers", "evens-answer", "why-answer")]
    kept.insert(2, deepcopy(made.cells[place(made, "why")]))
    made.cells = kept
    return stripped(made)


@mishap("The answer why-answer stood beside its cell")
def written_below_its_cell(release, lesson):
    made = fill_in(release, lesson, without(lesson, "why-answer"))
    made.cells.insert(place(made, "why-answer") + 1, new_markdown_cell("A group, of course."))
    return made


@mishap("The answer why-answer stood beside its cell")
def written_into_the_question(release, lesson):
    made = fill_in(release, lesson, without(lesson, "why-answer"))
    made.cells[place(made, "why")].source += "\n\nBecause it is a group then."
    return made


@mishap()
def written_without_metadata(release, lesson):
    made = fill_in(release, lesson)
    known_cell(made, "why-answer").source = "A group."
    return stripped(made)


@mishap("why-answer was missing", written=False)
def question_not_answered(release, lesson):
    return without_cell(fill_in(release, lesson), "why-answer")


# ------------------------------------------------------------------------------ other programs


@mishap()
def metadata_stripped(release, lesson):
    return stripped(fill_in(release, lesson), ids=False)


@mishap()
def metadata_and_ids_stripped(release, lesson):
    return stripped(fill_in(release, lesson))


@mishap()
def ids_renumbered(release, lesson):
    made = fill_in(release, lesson)
    for number, cell in enumerate(made.cells):
        cell["id"] = f"{number:08x}"
    return made


@mishap()
def one_id_for_all_cells(release, lesson):
    made = fill_in(release, lesson)
    for cell in made.cells:
        cell["id"] = "cell"
    return made


@mishap()
def saved_by_colab(release, lesson):
    """Ids in the metadata, outputs with links to Google's machines, another kernel."""
    made = fill_in(release, lesson)
    made.metadata = {
        "accelerator": "GPU",
        "colab": {"provenance": [], "gpuType": "T4", "toc_visible": True},
        "kernelspec": {"display_name": "Python 3", "name": "python3"},
        "language_info": {"name": "python"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"abc": {"model_name": "X"}}},
    }
    made.nbformat_minor = 0
    for number, cell in enumerate(made.cells):
        cell.metadata = {"id": cell.pop("id")}
        if cell.cell_type == "code":
            cell.metadata |= {
                "colab": {"base_uri": "https://localhost:8080/", "height": 75},
                "outputId": f"5f7d8a6e-0000-4d3c-c0fc-{number:012x}",
                "executionInfo": {"status": "ok", "user": {"displayName": "Ann", "userId": "01"}},
            }
            cell.execution_count = number
            cell.outputs = [new_output("stream", name="stdout", text="hello\n")]
    return made


@mishap()
def saved_by_vs_code(release, lesson):
    """A virtual environment's kernel, no ids for cells, the language in each cell's metadata."""
    made = fill_in(release, lesson)
    made.metadata["kernelspec"] = {"display_name": ".venv", "language": "python", "name": ".venv"}
    made.metadata["language_info"] |= {"version": "3.9.1", "file_extension": ".py"}
    made.metadata["vscode"] = {"interpreter": {"hash": "31f2aee4e71d21fbe5cf8b01ff0e069b"}}
    made.nbformat_minor = 2
    for cell in made.cells:
        cell.pop("id")
        cell.metadata["vscode"] = {"languageId": "python"}
    return made


@mishap()
def no_ids_in_nbformat_4_2(release, lesson):
    made = fill_in(release, lesson)
    made.nbformat_minor = 2
    for cell in made.cells:
        cell.pop("id")
    return made


@mishap()
def odd_schema_numbers(release, lesson):
    made = fill_in(release, lesson)
    made.nbformat_minor = 99
    for cell, version in zip(made.cells, [99, None, 1, "3"] * 9, strict=False):
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader["schema_version"] = version
    return made


@mishap()
def unknown_nbformat(release, lesson):
    made = fill_in(release, lesson)
    made.nbformat, made.nbformat_minor = 5, "x"
    return made


@mishap("in an old format (nbformat 3)")
def nbformat_3(release, lesson):
    return as_bytes(nbformat.convert(fill_in(release, lesson), 3))


@mishap()
def sources_as_lists_and_keys_missing(release, lesson):
    made = fill_in(release, lesson)
    for cell in made.cells:
        cell["source"] = cell.source.splitlines(keepends=True)
        for key in ("outputs", "execution_count"):
            cell.pop(key, None)
        if "nbgrader" not in cell.metadata:
            cell["metadata"] = None
    return made


@mishap()
def kernel_of_another_language(release, lesson):
    made = fill_in(release, lesson)
    made.metadata["kernelspec"] = {"display_name": "Julia", "language": "julia", "name": "julia-1"}
    made.metadata["language_info"] = {"name": "julia", "file_extension": ".jl"}
    return made


@mishap()
def cells_tagged_not_to_run(release, lesson):
    made = fill_in(release, lesson)
    for cell in made.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "remove-cell"]
    return made


@mishap()
def windows_line_ends(release, lesson):
    made = fill_in(release, lesson)
    for cell in made.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    return as_bytes(made).replace(b"\n", b"\r\n")


@mishap("numbers held spaces that Python does not read")
def spaces_from_a_web_page(release, lesson):
    odd = 4 * "\u00a0 " + "doubled =\u00a02"
    return fill_in(release, lesson, mistake(lesson, "numbers", "        doubled = 2", odd))


@mishap("numbers held signs that are not Python's")
def minus_sign_from_a_formula(release, lesson):
    return fill_in(release, lesson, mistake(lesson, "numbers", "negated = -a", "negated = \u2212a"))


@mishap("evens-answer held signs that are not Python's")
def quotes_and_brackets_of_a_word_processor(release, lesson):
    odd = "about = \u201cit\u2019s even \u2212\u201d\n            result.append\uff08i\uff09"
    return fill_in(release, lesson, mistake(lesson, "evens-answer", "result.append(i)", odd))


@mishap("evens-answer held signs that are not Python's")
def copied_from_a_chat_with_its_fence(release, lesson):
    made = fill_in(release, lesson)
    cell = known_cell(made, "evens-answer")
    cell.source = f"```python\n{cell.source}\n```\n"
    return made


@mishap("A block of numbers stood alone in a cell below; it is filled in.")
def block_alone_in_a_cell_below(release, lesson):
    made = fill_in(release, lesson)
    answer = known_cell(made, "numbers")
    answer.source = answer.source.replace("doubled = 2 * a", "doubled = ...")
    return insert(made, "numbers", "    if True:\n        doubled = 2 * a", below=True)


@mishap("Names of the lesson were gone", lost={"double": 0, "inverse": 0})
def names_reset(release, lesson):
    return insert(fill_in(release, lesson), "double-test", "%reset -f")


@mishap("another meaning where points were lost (Numbers, mod)", lost={"double": 0, "inverse": 0})
def names_deleted(release, lesson):
    return insert(fill_in(release, lesson), "double-test", "del Numbers\ndel mod")


@mishap("another meaning where points were lost (mod, sum)", lost={"inverse": 0})
def names_of_the_lesson_used_for_something_else(release, lesson):
    own = "mod = lambda a: 'odd'\nsum = 3\nimport random as math"
    return insert(fill_in(release, lesson), "inverse-test", own)


@mishap("exchanges what belongs to a library (math.sqrt)")
def a_library_exchanged(release, lesson):
    return insert(fill_in(release, lesson), "double-test", "math.sqrt = None")


@mishap("evens-test asks for a graphics card", lost={"evens": 0})
def needs_a_graphics_card(release, lesson):
    return with_line_in_evens(release, lesson, "import torch; n = int(torch.tensor(n).cuda())")


@mishap("evens-test waits for somebody's input", lost={"evens": 0})
def asks_for_input_in_an_answer(release, lesson):
    return with_line_in_evens(release, lesson, "n = int(input('How many? '))")


@mishap("evens-test waits for somebody's input", lost={"evens": 0})
def asks_for_a_password_in_an_answer(release, lesson):
    return with_line_in_evens(release, lesson, "import getpass; getpass.getpass()")


@mishap("own-1 needs a file that is not there", lost={"evens": 0})
def reads_a_file_of_its_own(release, lesson):
    made = with_line_in_evens(release, lesson, "n = max(n, least)")
    return insert(made, "evens-answer", "least = int(open('drive/least.txt').read())")


@mishap("evens-test imports a package that grading has not", lost={"evens": 0})
def needs_what_only_colab_has(release, lesson):
    line = "from google.colab import userdata; n = int(userdata.get('n'))"
    return with_line_in_evens(release, lesson, line)


@mishap("evens-answer imports what is neither there nor needed; left out")
def imports_what_only_colab_has(release, lesson):
    made = with_line_in_evens(release, lesson, "import wandb")
    cell = known_cell(made, "evens-answer")
    cell.source = f'from google.colab import drive\ndrive.mount("/content")\n{cell.source}'
    return made


@mishap()
def compiles_its_functions(release, lesson):
    made = put_after(fill_in(release, lesson), "evens-answer", "evens = torch.compile(evens)")
    return insert(made, "evens-answer", "import torch\ntorch.jit.script(lambda x: x)")


def with_line_in_evens(release: NotebookNode, lesson: Lesson, line: str) -> NotebookNode:
    """Return the answers with a line at the beginning of the function `evens`."""
    return fill_in(
        release,
        lesson,
        mistake(lesson, "evens-answer", "    result = []", f"    {line}\n    result = []"),
    )


@mishap()
def indented_with_tabs(release, lesson):
    made = fill_in(release, lesson)
    for name in ("numbers", "evens-answer"):
        answer = known_cell(made, name)
        answer.source = answer.source.replace("    ", "\t")
    return made


@mishap()
def outputs_of_20_megabytes(release, lesson):
    made = fill_in(release, lesson)
    output = new_output("stream", name="stdout", text="0.123 0.456\n" * 1_700_000)
    known_cell(made, "evens-test").outputs = [output]
    return made


@mishap("made from another version", "3 of its 3 answer cells were found")
def older_version(release, lesson):
    return older(fill_in(release, lesson))


@mishap("made from another version", "3 of its 3 answer cells were found")
def older_version_without_a_number(release, lesson):
    made = older(fill_in(release, lesson))
    del made.metadata["course"]
    return made


def older(made: NotebookNode) -> NotebookNode:
    """Return a notebook as if from an earlier release: other ids, texts, locked cells and tests."""
    made.metadata["course"]["version"] = "0123456789ab"
    made.cells[0].source = "# An early draft"
    known_cell(made, "given").source = "MODULUS = 7\n\n\ndef mod(a):\n    return a % MODULUS"
    known_cell(made, "double-test").source = "assert Numbers().double(1) == 3"
    old = known_cell(made, "evens-test")
    old["id"] = old.metadata.nbgrader.grade_id = "even-numbers-test"
    old.source = "raise RuntimeError('an early test')"
    answer = known_cell(made, "evens-answer")
    answer["id"] = answer.metadata.nbgrader.grade_id = "even-numbers"
    return made


# ------------------------------------------------------------------------- what students' code does


@mishap()
def helper_above_its_use(release, lesson):
    return with_helper_cell(fill_in(release, lesson), "evens-answer")


@mishap("What defines is_even stood below evens-answer; it is run first.")
def helper_below_its_use(release, lesson):
    made = fill_in(release, lesson)
    answer = known_cell(made, "evens-answer")
    answer.source = answer.source.replace("i % 2 == 0", "is_even(i)")
    return insert(made, "why-answer", "def is_even(n):\n    return n % 2 == 0", below=True)


@mishap()
def warning_on_stderr(release, lesson):
    warns = "import warnings\n        warnings.warn('slow')\n        doubled ="
    return fill_in(release, lesson, mistake(lesson, "numbers", "doubled =", warns))


@mishap()
def prints_a_lot(release, lesson):
    made = fill_in(release, lesson)
    answer = known_cell(made, "evens-answer")
    answer.source = answer.source.replace("result.append(i)", "result.append(i); print('x' * 9000)")
    return insert(made, "evens-test", "for i in range(40_000):\n    print('step', i, 'of many')")


@mishap("own-1 took too long")
def endless_loop_in_an_own_cell(release, lesson):
    return insert(fill_in(release, lesson), "evens-answer", "while True:\n    pass")


@mishap("evens-answer took too long", lost={"evens": 0})
def endless_loop_in_an_answer(release, lesson):
    return with_endless_loop(fill_in(release, lesson), "evens-answer")


@mishap("double-test took too long")
def slow_in_the_visible_check_alone(release, lesson):
    slow = "import time\n\n        time.sleep(60 * (a == 1))\n        doubled ="
    return fill_in(release, lesson, mistake(lesson, "numbers", "doubled =", slow))


@mishap("own-1")
def own_cell_swallows_interrupts(release, lesson):
    stubborn = (
        "import time\nwhile True:\n    try:\n        time.sleep(1)\n    except BaseException:\n"
        "        pass"
    )
    return insert(fill_in(release, lesson), "evens-answer", stubborn)


@mishap()
def asks_for_input(release, lesson):
    return insert(fill_in(release, lesson), "numbers", 'name = input("Your name? ")')


@mishap()
def leaves_with_sys_exit(release, lesson):
    return insert(fill_in(release, lesson), "numbers", "import sys\nsys.exit()")


@mishap()
def leaves_with_exit(release, lesson):
    return insert(fill_in(release, lesson), "numbers", "exit()", "quit")


@mishap()
def own_cell_raises(release, lesson):
    return insert(fill_in(release, lesson), "numbers", "1 / 0", "undefined_name")


@mishap("own-1 is not valid Python")
def own_cell_is_no_python(release, lesson):
    return insert(fill_in(release, lesson), "numbers", "this is a remark, not code")


@mishap("evens-answer is not valid Python", lost={"evens": 0})
def syntax_error_in_an_answer(release, lesson):
    return with_syntax_error(fill_in(release, lesson), "evens-answer")


@mishap("numbers is not valid Python", lost={"double": 0, "inverse": 0})
def tabs_and_spaces_mixed(release, lesson):
    return fill_in(release, lesson, mistake(lesson, "numbers", "        inverted", "\tinverted"))


@mishap()
def magics(release, lesson):
    made = put_before(fill_in(release, lesson), "evens-answer", "%%time")
    lines = ("%matplotlib inline", "!pip install numpy", "%pip list", "%%bash\nls", "%who")
    return insert(made, "numbers", *lines)


@mishap()
def names_of_python_used_for_variables(release, lesson):
    made = fill_in(release, lesson)
    return insert(made, "double-test", "sum = 3\nmax = float = [1, 2]")


@mishap()
def works_in_another_folder(release, lesson):
    made = fill_in(release, lesson)
    return insert(made, "numbers", "import os, tempfile\nos.chdir(tempfile.mkdtemp())")


@mishap()
def shows_a_picture(release, lesson):
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()"
    return insert(fill_in(release, lesson), "evens-test", plot)


@mishap("numbers is not valid Python", lost={"double": 0, "inverse": 0})
def merge_conflict_inside_a_cell(release, lesson):
    conflict = "<<<<<<< local\nx = 1\n=======\nx = 2\n>>>>>>> remote"
    return put_before(fill_in(release, lesson), "numbers", conflict)


# ------------------------------------------------------------------------------------ odd files


@mishap("byte order mark")
def byte_order_mark(release, lesson):
    return b"\xef\xbb\xbf" + as_bytes(fill_in(release, lesson))


@mishap("UTF-16")
def utf_16(release, lesson):
    return as_bytes(fill_in(release, lesson)).decode().encode("utf-16")


@mishap("Windows-1252")
def windows_1252(release, lesson):
    made = put_before(fill_in(release, lesson), "numbers", "# une idée")
    return as_bytes(made).decode().encode("cp1252")


@mishap("was called 00_tiny (1).ipynb")
def downloaded_twice(release, lesson):
    return {"00_tiny (1).ipynb": as_bytes(fill_in(release, lesson))}


@mishap("was called Copy of 00_Tiny.ipynb.txt")
def named_by_colab_and_a_browser(release, lesson):
    return {"Copy of 00_Tiny.ipynb.txt": as_bytes(fill_in(release, lesson))}


@mishap()
def other_files_beside_it(release, lesson):
    files = {NAME: as_bytes(fill_in(release, lesson)), "draft.ipynb": b"{}", "data.bin": b"\0" * 99}
    return files | {".DS_Store": b"\0", "00_tiny (1).ipynb": as_bytes(release)}


@mishap("was called 00_tiny/00_tiny.ipynb; it was taken for")
def folder_in_the_folder(release, lesson):
    return {"00_tiny/00_tiny.ipynb": as_bytes(fill_in(release, lesson))}


@mishap("was called release/deep/Tiny (2).ipynb; it was taken for")
def unpacked_with_all_its_folders(release, lesson):
    data = as_bytes(fill_in(release, lesson))
    others = {"release/.ipynb_checkpoints/x.ipynb": b"", "__MACOSX/._Tiny.ipynb": b"\0"}
    return {"release/deep/Tiny (2).ipynb": data, "release/notes.txt": b"x"} | others


@refused("2 other notebooks (a/00_tiny.ipynb, b/00_tiny.ipynb): keep the one that counts")
def two_folders_in_the_folder(release, lesson):
    return {f"{name}/00_tiny.ipynb": as_bytes(fill_in(release, lesson)) for name in "ab"}


@refused("2 other notebooks (a.ipynb, b.ipynb): keep the one that counts")
def two_notebooks_of_other_names(release, lesson):
    return {"a.ipynb": as_bytes(release), "b.ipynb": as_bytes(fill_in(release, lesson))}


@refused("is not valid JSON")
def cut_off(release, lesson):
    return as_bytes(fill_in(release, lesson))[:4000]


@refused("is not valid JSON")
def broken_json(release, lesson):
    return BROKEN_JSON.encode()


@refused("marks of a merge conflict")
def merge_conflict(release, lesson):
    data = as_bytes(fill_in(release, lesson))
    ours, theirs = b'   "source": "1"\n', b'   "source": "2"\n'
    conflict = b"<<<<<<< HEAD\n" + ours + b"=======\n" + theirs + b">>>>>>> main\n"
    return data[:500] + b"\n" + conflict + data[500:]


@refused("is empty")
def empty_file(release, lesson):
    return b""


@refused("is empty")
def file_of_zeros(release, lesson):
    return bytes(5000)


@refused("is a zip archive: unpack it")
def zipped_under_the_notebook_s_name(release, lesson):
    return archive(as_bytes(fill_in(release, lesson)))


@refused("notebook was handed in", "00_tiny.zip is there, which is a zip archive: unpack it")
def zipped(release, lesson):
    return {"00_tiny.zip": archive(as_bytes(fill_in(release, lesson)))}


@refused("00_tiny.py is there, which is a Python script")
def exported_as_python(release, lesson):
    cells = fill_in(release, lesson).cells
    code = "\n\n\n# In[ ]:\n\n\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return {"00_tiny.py": f"#!/usr/bin/env python\n# coding: utf-8\n\n{code}\n".encode()}


@refused("is a Python script")
def python_under_the_notebook_s_name(release, lesson):
    return exported_as_python(release, lesson)["00_tiny.py"]


@refused("is a web page")
def exported_as_web_page(release, lesson):
    return b"<!DOCTYPE html>\n<html><head></head><body>00_tiny</body></html>"


@refused("is not a Jupyter notebook")
def json_but_no_notebook(release, lesson):
    return b'{"name": "a list of something", "entries": [1, 2, 3]}'


@refused("is not text in UTF-8, perhaps damaged")
def damaged_on_its_way(release, lesson):
    data = as_bytes(put_before(fill_in(release, lesson), "numbers", "# π, ·, é"))
    return data.replace("é".encode(), b"\xe9")


@refused("seems to be of another lesson, 01_other")
def another_lesson(release, lesson):
    cells = [new_markdown_cell("# Another lesson"), new_code_cell("def other():\n    return 1")]
    about = {"lesson": "01_other", "version": "abc"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"course": about})


@refused("holds no cell of this lesson")
def a_notebook_of_something_else(release, lesson):
    return nbformat.v4.new_notebook(cells=[new_code_cell("print('hello')")])


@refused("larger than 50 MB")
def too_large(release, lesson):
    return b" " * 50_000_001


@refused("holds more than 1 MB of code in its cells")
def data_pasted_into_the_code(release, lesson):
    return insert(fill_in(release, lesson), "numbers", "x = [" + "0.125, " * 150_000 + "]")


@refused("has 3000 cells")
def too_many_cells(release, lesson):
    return as_bytes({"cells": [{"cell_type": "code", "source": ""}] * 3000, "nbformat": 4})


@refused("is not valid JSON")
def nested_too_deeply(release, lesson):
    return b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def archive(data: bytes) -> bytes:
    """Return a zip archive of one notebook."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(NAME, data)
    return buffer.getvalue()
