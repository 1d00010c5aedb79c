"""Which changes of code cannot change what it shows, and which can."""

from __future__ import annotations

import pytest

from autograder.book.unchanged import same_outputs

CELL = '''%matplotlib inline
def double(number):
    """Return twice the number."""
    return 2 * number  # as said


double(3)'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # as said", ""),
        ("double(3)", "# Six.\n\ndouble( 3 )"),
        ("double(3)", "double(\n    3,\n)"),
        ("twice the number", "two times the number"),
        ('    """Return twice the number."""\n', ""),
        ("    return", "    # Here.\n    return"),
        ('"""', "'''"),
    ],
)
def test_comments_layout_and_docstrings_change_nothing(old, new):
    assert old in CELL
    assert same_outputs([CELL, "1"], [CELL.replace(old, new), "1"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 *", "3 *"),
        ("double(3)", "double(4)"),
        ("double(3)", "double(3);"),  # it is no longer shown
        ("double(3)", "double(3);  # as before"),
        ("inline", "notebook"),
        ("%matplotlib inline", "# %matplotlib inline"),
        ("%matplotlib inline", "%matplotlib inline  # here"),
        ("double(3)", "assert double(3)"),
        ("double(3)", "double(number=3)"),
        ("return 2 * number", "if number:\n        return 2 * number"),
    ],
)
def test_other_changes_may_change_it(old, new):
    assert old in CELL
    assert not same_outputs([CELL, "1"], [CELL.replace(old, new), "1"])
    assert not same_outputs([CELL.replace(old, new), "1"], [CELL, "1"])


def test_a_text_that_a_cell_shows_is_no_docstring():
    assert not same_outputs(['"A text."'], ['"Another."'])
    assert same_outputs(["'A text.'"], ['"A text."'])


def test_a_cell_for_another_program_is_compared_letter_by_letter():
    assert same_outputs(["%%bash\nls"], ["%%bash\nls"])
    assert not same_outputs(["%%bash\nls"], ["%%bash\nls  # all"])
    assert not same_outputs(["%%time\n1"], ["1"])


def test_cells_that_are_no_python_are_compared_letter_by_letter():
    assert same_outputs(["1 +", "2"], ["1 +", "2  # two"])
    assert not same_outputs(["1 +"], ["1 +  # one"])


def test_cells_more_fewer_or_in_another_order_are_not_the_same():
    assert not same_outputs(["1", "2"], ["1"])
    assert not same_outputs(["1"], ["1", "2"])
    assert not same_outputs(["1", "2"], ["2", "1"])


@pytest.mark.parametrize(
    "cell",
    [
        "import inspect\nprint(inspect.getsource(double))",
        "from inspect import getsource",
        "help(double)",
        "double?",
        "double??",
        "%psource double",
        "print(double.__doc__)",
        "getattr(double, '__doc__')",
        "import traceback",
        "double.__code__.co_firstlineno",
    ],
)
def test_where_a_lesson_looks_at_its_own_text_comments_count(cell):
    changed = CELL.replace("  # as said", "")
    assert same_outputs([CELL, cell], [CELL, cell])
    assert not same_outputs([CELL, cell], [changed, cell])
    assert same_outputs([CELL, "print('look for help')"], [changed, "print('look for help')"])
