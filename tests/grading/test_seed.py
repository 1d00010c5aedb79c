"""The seed of a course folder."""

import pytest

from autograder.errors import CourseError
from autograder.grading.hidden_tests import LIMIT, SEED_FILE, course_seed


def test_a_seed_is_drawn_once_and_kept(tmp_path):
    seed = course_seed(tmp_path)
    assert 0 <= seed < LIMIT
    assert (tmp_path / SEED_FILE).read_bytes() == f"{seed}\n".encode()
    assert course_seed(tmp_path) == seed


def test_two_folders_have_two_seeds(tmp_path):
    seeds = set()
    for name in "abc":
        (tmp_path / name).mkdir()
        seeds.add(course_seed(tmp_path / name))
    assert len(seeds) == 3


@pytest.mark.parametrize("text", ["", "twelve", "1.5"])
def test_a_damaged_file_is_one_clear_error(tmp_path, text):
    (tmp_path / SEED_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match="holds no whole number: delete it"):
        course_seed(tmp_path)


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(CourseError, match=r"cannot be written .* c\.GradingExecute\.seed"):
        course_seed(tmp_path / "nowhere")
