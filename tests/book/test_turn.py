"""The digit to turn on the home page says what the lesson's own networks say."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, names_with_small_digits

from autograder.book import turn
from autograder.course import Course

DIGITS = json.loads(Course(ROOT).turning.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_scores_are_those_of_the_course_s_networks(tmp_path: Path) -> None:
    with names_with_small_digits(turn.STEM, tmp_path) as names:
        networks = {name: turn.trained(names, Course(ROOT), name) for name in turn.NETWORKS}
        for digit in DIGITS[::4]:
            for name, network in networks.items():
                texts = (digit["scores"][name], turn.scores(names, network, digit))
                kept, made = (
                    np.frombuffer(base64.b64decode(text), np.uint8).astype(int) for text in texts
                )
                assert kept.shape == (10 * 72,)
                assert abs(kept - made).max() <= 2  # machines round differently


def test_there_is_one_digit_of_each_kind() -> None:
    assert [digit["label"] for digit in DIGITS] == list(range(10))
    assert all(len(base64.b64decode(digit["pixels"])) == 28 * 28 for digit in DIGITS)


def test_the_group_network_says_the_same_after_a_quarter_turn() -> None:
    for digit in DIGITS:
        given = np.frombuffer(base64.b64decode(digit["scores"]["GCNN"]), np.uint8).reshape(72, 10)
        quarters = given.astype(int).reshape(4, 18, 10)
        assert abs(quarters - quarters[0]).max() <= 2


def test_the_picture_stands_still_without_a_script() -> None:
    page = turn.markup(Course(ROOT))
    assert "data:image/png;base64," in page
    assert 'alt="A handwritten 7, upright"' in page
    seven = DIGITS[7]
    for name, words in turn.NETWORKS.items():
        assert f"{words} {turn.sure(seven, name)} of 72 angles" in page
        assert turn.path(seven, name) in page
