"""Times as people and platforms write them: the instant meant, or one sentence, never another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autograder.errors import CourseError
from autograder.marks.times import find_zone, has_zone, read_length, read_time


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-02 23:59 +0200", "2026-10-02 21:59"),
        ("2026-10-02 23:59 +02:00", "2026-10-02 21:59"),
        ("2026-10-02 23:59+02", "2026-10-02 21:59"),
        ("2026-10-02 23:59 -0500", "2026-10-03 04:59"),
        ("2026-10-02 23:59 \u22120500", "2026-10-03 04:59"),
        ("2026-10-02 23:59 +0530", "2026-10-02 18:29"),
        ("2026-10-02T23:59:00Z", "2026-10-02 23:59"),
        ("20261002T235900Z", "2026-10-02 23:59"),
        ("2026-10-02T23:59:59.999+02:00", "2026-10-02 21:59:59"),
        ("2026-10-02 23:59 UTC", "2026-10-02 23:59"),
        ("2026-10-02 23:59 UTC+2", "2026-10-02 21:59"),
        ("2026-10-02 23:59 GMT+02:00", "2026-10-02 21:59"),
        ("2026-10-02 23:30 CEST", "2026-10-02 21:30"),
        ("2026-12-02 23:30 CET", "2026-12-02 22:30"),
        ("01.10.2026 23:30 MESZ", "2026-10-01 21:30"),
        ("2026-10-02 23:59 EDT", "2026-10-03 03:59"),
        ("2026-10-02 23:59 Europe/Amsterdam", "2026-10-02 21:59"),
        ("2026-12-02 23:59 Europe/Amsterdam", "2026-12-02 22:59"),
        ("2026-10-02 24:00 +0200", "2026-10-02 22:00"),
        ("2026-10-02 11:59 PM +0200", "2026-10-02 21:59"),
        ("2026-10-02 12:05 am +0000", "2026-10-02 00:05"),
        ("25/12/2026 23:59 +0100", "2026-12-25 22:59"),
        # nbgrader's exchange, Blackboard, Sakai, Brightspace, Moodle, browsers, mail, `date`.
        ("2015-02-02 15:58:23.948203 UTC", "2015-02-02 15:58:23"),
        ("2026-10-01-10-00-00 UTC", "2026-10-01 10:00"),
        ("20261001220000123 UTC", "2026-10-01 22:00"),
        ("Oct 1, 2026 1224 PM +0000", "2026-10-01 12:24"),
        ("Oct 1, 2026 124 AM UTC", "2026-10-01 01:24"),
        ("Thursday, 1 October 2026, 10:00 AM UTC", "2026-10-01 10:00"),
        ("Donnerstag, 1. Oktober 2026, 10:15 +0200", "2026-10-01 08:15"),
        ("15. März 2026, 10:00 UTC", "2026-03-15 10:00"),
        ("jeudi 1 octobre 2026, 10:15 +02:00", "2026-10-01 08:15"),
        ("1 de octubre de 2026, 10:15 +0200", "2026-10-01 08:15"),
        ("quinta-feira, 1 de outubro de 2026 às 10:15 +0200", "2026-10-01 08:15"),
        ("Thu Oct 01 2026 23:30:00 GMT+0200 (CEST)", "2026-10-01 21:30"),
        ("Thu, 01 Oct 2026 23:30:00 +0200", "2026-10-01 21:30"),
        ("Thu Oct  1 23:30:00 CEST 2026", "2026-10-01 21:30"),
    ],
)
def test_the_instant_meant(text: str, instant: str) -> None:
    assert read_time(text) == utc(instant)
    assert has_zone(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-10-02 23:59", "no time zone"),
        ("2026-10-02", "no time of day"),
        ("02/10/2026 23:59 +0200", "the day may be 2 or 10"),
        ("2026-10-02 23:59 CST", "means several"),
        ("2026-10-02 23:59 IST", "means several"),
        ("2026-10-02 23:59 BST", "means several"),
        ("2026-07-02 23:59 CET", "no clock shows"),
        ("2026-10-02 23:59 +200", "means several"),
        ("2026-10-02 23:59 +0275", "means several"),
        ("2026-10-02 23:59 +2500", "means several"),
        ("2026-10-02 23:59 Europe/Nowhere", "no time zone 'Europe/Nowhere'"),
        ("2026-02-30 23:59 UTC", "no time that can be read"),
        ("2026-10-02 25:00 UTC", "no time that can be read"),
        ("2026-10-02 13:59 PM UTC", "no time that can be read"),
        ("02/10/26 23:59 +0200", "no time that can be read"),
        ("tomorrow", "no time that can be read"),
        ("", "no time that can be read"),
    ],
)
def test_what_is_not_sure_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(CourseError, match=said):
        read_time(text)


def test_a_zone_of_the_course_is_for_times_that_say_none() -> None:
    zone = find_zone("America/New_York")
    assert read_time("2026-10-02 23:59", zone) == utc("2026-10-03 03:59")
    assert read_time("2026-12-02 23:59", zone) == utc("2026-12-03 04:59")
    assert read_time("2026-10-02 23:59 UTC", zone) == utc("2026-10-02 23:59")
    assert not has_zone("2026-10-02 23:59")
    with pytest.raises(CourseError, match="Europe/Amsterdam"):
        find_zone("Amsterdam")


def test_lengths() -> None:
    assert read_length("+2 days") == timedelta(days=2) == read_length("2d")
    assert read_length("+36 hours") == timedelta(hours=36)
    assert read_length("1,5 days") == timedelta(hours=36)
    assert read_length("2026-10-02 23:59 +0200") is None and read_length("soon") is None
