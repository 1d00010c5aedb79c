"""Making a submission whole: what is put back, what is kept, what is left out."""

from __future__ import annotations

from copy import deepcopy

import nbformat
import pytest
from conftest import TINY

from autograder.submissions.restore import restore

ANSWER = "def evens(n):\n    return [i for i in range(n) if i % 2 == 0]"


@pytest.fixture
def release(built_course):
    return nbformat.read(built_course.release_notebook(TINY), as_version=4)


@pytest.fixture
def submission(release):
    """The release with one answer filled in."""
    made = deepcopy(release)
    cell(made, "evens-answer").source = ANSWER
    return made


def cell(notebook, id):
    return next(one for one in notebook.cells if one.id == id)


def position(notebook, id):
    return [one.id for one in notebook.cells].index(id)


def ids(notebook):
    return [one.id for one in notebook.cells]


def notes(notebook):
    return notebook.metadata.course_notes


def test_a_whole_submission_stays_as_it_is(submission, release):
    made = restore(submission, release)
    assert made.cells == submission.cells
    assert notes(made) == []
    nbformat.validate(made)


def test_missing_cells_come_back_after_their_predecessors(submission, release):
    gone = {"numbers", "double-test", "evens-test", "why-answer"}
    submission.cells = [one for one in submission.cells if one.id not in gone]
    made = restore(submission, release)
    assert ids(made) == ids(release)
    assert cell(made, "numbers").source == cell(release, "numbers").source
    assert cell(made, "evens-answer").source == ANSWER
    assert notes(made) == [
        f"The cell {id} was missing; it is back as released."
        for id in ("numbers", "double-test", "evens-test", "why-answer")
    ]


def test_a_given_cell_that_is_not_locked_may_go_or_change(submission, release):
    del submission.cells[position(submission, "evens-2")]
    cell(submission, "a-tiny-lesson-2").source = "import math as m"
    made = restore(submission, release)
    assert "evens-2" not in ids(made)
    assert cell(made, "a-tiny-lesson-2").source == "import math as m"
    assert notes(made) == []


def test_changed_locked_cells_are_put_right(submission, release):
    cell(submission, "double-test").source = "2"
    cell(submission, "given").source = "MODULUS = 1"
    made = restore(submission, release)
    assert cell(made, "double-test") == cell(release, "double-test")
    assert cell(made, "given") == cell(release, "given")
    assert notes(made) == [
        f"The locked cell {id} had been changed; it is back as released."
        for id in ("given", "double-test")
    ]


def test_copies_of_locked_cells_are_dropped(submission, release):
    submission.cells.insert(0, deepcopy(cell(submission, "double-test")))
    made = restore(submission, release)
    assert ids(made) == ids(release)
    assert "double-test was there 2 times" in notes(made)[0]


def test_the_first_filled_copy_of_an_answer_counts_and_others_stay_as_plain_cells(
    submission, release
):
    place = position(submission, "evens-answer")
    second = deepcopy(submission.cells[place])
    second.source = "def evens(n):\n    return []"
    stub = deepcopy(cell(release, "evens-answer"))
    submission.cells[place:place] = [stub]
    submission.cells[place + 2 : place + 2] = [second, deepcopy(stub)]
    made = restore(submission, release)
    assert cell(made, "evens-answer").source == ANSWER
    own = made.cells[position(made, "evens-answer") + 1]
    assert (own.source, own.metadata) == (second.source, {})
    assert len(made.cells) == len(release.cells) + 1
    assert "evens-answer was there 4 times" in notes(made)[0]


@pytest.mark.parametrize("keep_ids", [True, False])
def test_cells_without_metadata_are_known_again(submission, release, keep_ids):
    filled = cell(submission, "numbers")
    filled.source = filled.source.replace("doubled = ...", "doubled = a + a")
    cell(submission, "evens-answer").source = cell(release, "evens-answer").source.replace(
        "            ...", "            result += [i]"
    )
    cell(submission, "why-answer").source = "A group."
    expected = [one.source for one in submission.cells]
    for one in submission.cells:
        one.metadata = {}
        if not keep_ids:
            del one["id"]
    made = restore(submission, release)
    assert ids(made) == ids(release)
    assert [one.source for one in made.cells] == expected
    assert [one.metadata for one in made.cells] == [one.metadata for one in release.cells]


def test_colab_keeps_the_ids_in_the_metadata(submission, release):
    for one in submission.cells:
        one.metadata = {"id": one.pop("id")}
    assert restore(submission, release).cells == restore(deepcopy(submission), release).cells
    assert cell(restore(submission, release), "evens-answer").source == ANSWER


def test_changed_metadata_is_replaced(submission, release):
    for one in submission.cells:
        one.metadata["tags"] = ["skip-execution"]
        if "nbgrader" in one.metadata:
            one.metadata.nbgrader.update(schema_version=99, points=1000, locked=False)
    made = restore(submission, release)
    assert [one.metadata for one in made.cells] == [one.metadata for one in release.cells]


def test_a_wrong_type_of_cell_is_put_right(submission, release):
    for id, kind in {
        "evens-answer": "markdown",
        "double-test": "raw",
        "why-answer": "code",
    }.items():
        cell(submission, id).cell_type = kind
    made = restore(submission, release)
    assert [one.cell_type for one in made.cells] == [one.cell_type for one in release.cells]
    assert cell(made, "evens-answer").source == ANSWER
    assert sum("another type of cell" in note for note in notes(made)) == 3
    nbformat.validate(made)


def test_own_cells_stay_where_they_are_without_metadata(submission, release):
    marks = {"nbgrader": {"grade": True, "grade_id": "mine", "points": 100}}
    own = nbformat.v4.new_code_cell("x = 1", metadata=marks)
    submission.cells.insert(position(submission, "double-test"), own)
    submission.cells.insert(0, nbformat.v4.new_raw_cell("top"))
    made = restore(submission, release)
    assert [one.source for one in made.cells[:1]] == ["top"]
    kept = made.cells[position(made, "numbers") + 1]
    assert (kept.cell_type, kept.source, kept.metadata) == ("code", "x = 1", {})
    nbformat.validate(made)


def test_moved_cells_go_back_with_their_followers(submission, release):
    follower = nbformat.v4.new_markdown_cell("note on evens")
    submission.cells.insert(position(submission, "evens-test") + 1, follower)
    start = position(submission, "evens")
    submission.cells = submission.cells[start:] + submission.cells[:start]
    made = restore(submission, release)
    assert [id for id in ids(made) if not id.startswith("own")] == ids(release)
    assert made.cells[position(made, "evens-test") + 1].source == "note on evens"
    assert notes(made) == ["Cells had been moved; they are back in the order of the release."]


def test_an_emptied_answer_counts_as_untouched(submission, release):
    cell(submission, "why-answer").source = " \n"
    made = restore(submission, release)
    assert cell(made, "why-answer") == cell(release, "why-answer")


def test_attachments_of_a_written_answer_are_kept(submission, release):
    written = cell(submission, "why-answer")
    written.source = "![](attachment:a.png)"
    written.attachments = {"a.png": {"image/png": "AA=="}}
    assert cell(restore(submission, release), "why-answer").attachments == written.attachments


def test_the_kernel_comes_from_the_release(submission, release):
    submission.metadata = {"kernelspec": {"name": "no-such", "display_name": "?"}, "widgets": {}}
    made = restore(submission, release)
    assert made.metadata.kernelspec == release.metadata.kernelspec
    assert "widgets" not in made.metadata
    del submission["metadata"]
    assert restore(submission, release).metadata.kernelspec == release.metadata.kernelspec


def test_malformed_cells_do_no_harm(submission, release):
    broken = [
        nbformat.from_dict(one)
        for one in (
            {"cell_type": "code"},
            {"cell_type": "heading", "source": ["a", "b"], "metadata": None},
            {"cell_type": "code", "source": "x", "metadata": {"nbgrader": "y"}},
            {"cell_type": "code", "source": None, "metadata": {"nbgrader": {"grade_id": 3}}},
        )
    ]
    submission.cells = [*broken, *submission.cells, "not a cell"]
    made = restore(submission, release)
    nbformat.validate(made)
    assert [one.source for one in made.cells[:4]] == ["", "ab", "x", ""]
    assert ids(made)[4:] == ids(release)


def test_an_answer_with_changed_markers_and_no_metadata_is_known_by_its_place(submission, release):
    for one in submission.cells:
        one.metadata = {}
        one.pop("id")
    answer = submission.cells[position(release, "numbers")]
    answer.source = answer.source.replace("## AND ENDS HERE ##", "## ENDS ##")
    made = restore(submission, release)
    assert ids(made) == ids(release)
    assert cell(made, "numbers").source == answer.source


# ------------------------------------------------------------- nothing but texts and pictures


def test_attachments_that_are_no_pictures_are_left_out(submission, release):
    written = cell(submission, "why-answer")
    written.source = "![](attachment:a.png)"
    written.attachments = {
        "a.png": {"image/png": "iVBO\nRw0="},
        "b.svg": {"image/svg+xml": "PHN2Zz4="},
        "c.png": {"image/png": "not base64!"},
        "d.png": {"text/html": "<script>"},
        '"><script>.png': {"image/png": "AA=="},
        "e.png": {"image/png": ["AA", "=="], "text/html": "<script>"},
    }
    made = restore(submission, release)
    kept = {"a.png": {"image/png": "iVBORw0="}, "e.png": {"image/png": "AA=="}}
    assert cell(made, "why-answer").attachments == kept
    assert notes(made) == ["An attachment of the cell why-answer that is no picture was left out."]


def test_own_cells_get_ids_that_no_cell_of_the_release_has(submission, release):
    for notebook in (submission, release):
        cell(notebook, "lists")["id"] = "own-1"
    submission.cells.append(nbformat.v4.new_code_cell("x = 1", id="double-test-2"))
    made = restore(submission, release)
    assert ids(made) == [*ids(release), "own-2"]


def test_texts_are_of_letters_that_a_file_can_hold(submission, release):
    cell(submission, "evens-answer").source = "x = '\ud800'\0\r\n"
    nbformat.writes(restore(submission, release)).encode()


def test_notes_so_far_come_first(submission, release):
    submission.metadata["course_notes"] = ["The file was called a.ipynb.", 3]
    submission.cells.pop(position(submission, "given"))
    made = restore(submission, release)
    assert notes(made) == [
        "The file was called a.ipynb.",
        "The cell given was missing; it is back as released.",
    ]


# --------------------------------------------------------------------------- another version


def test_the_version_in_the_metadata_decides(submission, release):
    cell(submission, "given").source = "MODULUS = 7"
    assert "locked cell given had been changed" in notes(restore(submission, release))[0]
    submission.metadata.course.version = "0" * 12
    (note,) = notes(restore(submission, release))
    assert "another version of this lesson" in note
    assert "3 of its 3 answer cells were found" in note


def test_without_a_version_foreign_cells_tell(submission, release):
    del submission.metadata["course"]
    assert notes(restore(submission, release)) == []
    marks = {"nbgrader": {"grade": True, "locked": True, "solution": False, "grade_id": "old"}}
    old = nbformat.v4.new_code_cell("raise RuntimeError", metadata=marks)
    submission.cells.insert(position(submission, "double-test"), old)
    submission.cells.pop(position(submission, "evens-answer"))
    made = restore(submission, release)
    assert "2 of its 3 answer cells were found, but not evens-answer." in notes(made)[-1]
    assert ids(made) == ids(release), "the other version's tests are not run"


def test_given_code_of_another_version_runs_before_that_of_the_release(submission, release):
    submission.metadata.course.version = "0" * 12
    cell(submission, "a-tiny-lesson-2").source = "import os"
    made = restore(submission, release)
    place = position(made, "a-tiny-lesson-2")
    assert made.cells[place - 1].source == "import os"
    assert made.cells[place].source == cell(release, "a-tiny-lesson-2").source


def test_most_locked_cells_changed_means_another_version(submission, release):
    del submission.metadata["course"]
    for id in ("given", "double-test", "inverse-test"):
        cell(submission, id).source += "\n# formatted"
    assert "another version" in notes(restore(submission, release))[0]


# ----------------------------------------------------------------- answers in other places


def test_a_complete_answer_is_left_alone(submission, release):
    """What is tried out later does not count, even if it defines the same."""
    trial = nbformat.v4.new_code_cell("def evens(n):\n    return []")
    submission.cells.append(trial)
    made = restore(submission, release)
    assert cell(made, "evens-answer").source == ANSWER
    assert made.cells[-1].source == trial.source
    assert notes(made) == []


def test_the_last_definition_before_the_test_counts(release):
    submission = deepcopy(release)
    tries = [f"def evens(n):\n    return [{k}]" for k in range(3)]
    place = position(submission, "evens-test")
    submission.cells[place:place] = [nbformat.v4.new_code_cell(one) for one in tries[:2]]
    submission.cells.append(nbformat.v4.new_code_cell(tries[2]))
    assert cell(restore(submission, release), "evens-answer").source == tries[1]
    del submission.cells[place : place + 2]
    assert cell(restore(submission, release), "evens-answer").source == tries[2]


def test_a_class_written_again_in_part_does_not_cost_the_rest(release):
    submission = deepcopy(release)
    answer = cell(submission, "numbers")
    answer.source = answer.source.replace("doubled = ...", "doubled = a + a")
    part = "class Numbers:\n    def inverse(self, a):\n        return mod(-a)"
    submission.cells.append(nbformat.v4.new_code_cell(part))
    made = restore(submission, release)
    assert cell(made, "numbers").source == answer.source
    assert made.cells[-1].source == part


def test_a_cell_that_was_taken_over_whole_is_gone(release):
    submission = deepcopy(release)
    submission.cells.append(nbformat.v4.new_code_cell(f"# mine\n{ANSWER}\n"))
    made = restore(submission, release)
    assert cell(made, "evens-answer").source == f"# mine\n{ANSWER}"
    assert ids(made) == ids(release)


def test_a_method_is_put_into_its_class_together_with_its_function(release):
    submission = deepcopy(release)
    outside = "def twice(self, a):\n    return a + a\n\n\nNumbers.double = twice"
    submission.cells.append(nbformat.v4.new_code_cell(outside))
    answer = cell(restore(submission, release), "numbers").source
    names: dict = {}
    exec(answer, names)
    assert names["Numbers"]().double(4) == 8
    assert answer.startswith(cell(release, "numbers").source)


def test_what_stands_beside_a_moved_answer_stays(release):
    submission = deepcopy(release)
    own = nbformat.v4.new_code_cell(f"{ANSWER}\n\n\nprint(evens(5))")
    submission.cells.append(own)
    made = restore(submission, release)
    assert cell(made, "evens-answer").source == ANSWER
    assert made.cells[-1].source == own.source


def test_helpers_of_helpers_come_along_and_cells_that_do_more_stay(submission, release):
    cell(submission, "evens-answer").source = "def evens(n):\n    return first(n)"
    late = [
        "def second(n):\n    return [i for i in range(n) if i % 2 == 0]",
        "import itertools as first_tools\n\n\ndef first(n):\n    return second(n)",
        "def third(n):\n    return n\n\n\nprint(third(3))",
    ]
    submission.cells += [nbformat.v4.new_code_cell(one) for one in late]
    made = restore(submission, release)
    place = position(made, "evens-answer")
    assert {one.source for one in made.cells[place - 2 : place]} == set(late[:2])
    assert made.cells[-1].source == late[2]
    assert notes(made) == [
        "What defines first, first_tools, second stood below evens-answer; it is run first."
    ]
    names: dict = {}
    for one in made.cells[place - 2 : place + 1]:
        exec(one.source, names)
    assert names["evens"](5) == [0, 2, 4]


def test_a_question_is_known_by_its_heading_when_its_text_was_changed(submission, release):
    question = submission.cells[position(submission, "why-answer") - 1]
    question.source = question.source.replace("Say why", "Tell me why")
    cell(submission, "why-answer").source = "A group."
    for one in submission.cells:
        one.metadata = {}
        one.pop("id")
    made = restore(submission, release)
    assert ids(made) == ids(release)
    assert cell(made, "why-answer").source == "A group."
    assert cell(made, "why").source == question.source


def test_comments_below_a_question_are_its_answer_and_code_is_not(release):
    submission = deepcopy(release)
    place = position(submission, "why-answer") + 1
    own = ["print(3)", "# Because of\n# the group."]
    submission.cells[place:place] = [nbformat.v4.new_code_cell(one) for one in own]
    made = restore(submission, release)
    assert cell(made, "why-answer").source == "Because of\nthe group."
    assert [one.source for one in made.cells if one.id.startswith("own")] == ["print(3)"]
