"""Times as people and platforms write them; what can be read in two ways is refused.

nbgrader takes `+0200` for 200 seconds, and what it cannot read for UTC. So every time that comes
in, a due date, an extension, a time of submission, comes through here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from autograder.errors import CourseError

HOW = "write it as 2026-10-02 23:59 +0200"
# Each language's months, as far as their beginnings tell them apart: one line a language.
MONTHS = (
    "jan feb mar apr may jun jul aug sep oct nov dec",  # English
    "jan feb mär apr mai jun jul aug sep okt nov dez",  # German
    "janv févr mars avr mai juin juil août sept oct nov déc",  # French
    "ene feb mar abr may jun jul ago sep oct nov dic",  # Spanish
    "gen feb mar apr mag giu lug ago set ott nov dic",  # Italian
    "jan fev mar abr mai jun jul ago set out nov dez",  # Portuguese
    "jan feb mrt apr mei jun jul aug sep okt nov dec",  # Dutch
    "jan feb maart apr mei juni juli aug sept okt nov dec",  # Dutch, in full
    "jan feb mar apr maj jun jul aug sep okt nov dec",  # Swedish, Danish
)
# Names of zones that mean one offset, and a place where clocks show them. CST, IST, BST, EST and
# others mean several and are refused.
ZONES = {"CET": "Europe/Berlin", "CEST": "Europe/Berlin", "MEZ": "Europe/Berlin"}
ZONES |= {"MESZ": "Europe/Berlin", "WET": "Europe/Lisbon", "WEST": "Europe/Lisbon"}
ZONES |= {"EET": "Europe/Athens", "EEST": "Europe/Athens", "MSK": "Europe/Moscow"}
ZONES |= {"EDT": "America/New_York", "PDT": "America/Los_Angeles", "MDT": "America/Denver"}
ZONES |= {"AKDT": "America/Anchorage", "AKST": "America/Anchorage", "HST": "Pacific/Honolulu"}
ZONES |= {"AEST": "Australia/Sydney", "AEDT": "Australia/Sydney", "NZST": "Pacific/Auckland"}
ZONES |= {"NZDT": "Pacific/Auckland", "JST": "Asia/Tokyo", "KST": "Asia/Seoul"}
ZONES |= {"HKT": "Asia/Hong_Kong", "SAST": "Africa/Johannesburg"}
ALSO = {"MEZ": "CET", "MESZ": "CEST"}

_YEAR_FIRST = re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?!\d)")
_TOGETHER = re.compile(r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?=T|[\s_]*\d|$)")
_DOTTED = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})(?!\d)")
_SLASHED = re.compile(r"(?P<first>\d{1,2})([/-])(?P<second>\d{1,2})\2(?P<year>\d{4})(?!\d)")
_WORD = r"(?P<word>[^\W\d_]{3,})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|\.|º)?"
_NAMED = re.compile(
    rf"(?:{_WORD}\s+{_DAY}|{_DAY.replace('day', 'day2')}(?:\s+de)?[\s-]+"
    rf"{_WORD.replace('word', 'word2')}(?:\s+de)?)(?:,|-|\s)\s*(?P<year>\d{{4}})(?!\d)"
)
_WEEKDAY = re.compile(r"[^\W\d_]{2,}(?:-feira)?\.?(?:,\s*|\s+)")
# As ctime and the command `date` write it: Thu Oct 1 23:30:00 CEST 2026.
_CTIME = re.compile(r"\w{3} (\w{3} \d\d?) (\d\d?:\d\d:\d\d) (?:([A-Z]+) )?(\d{4})")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:(?P<sign>[:.h-])(?P<minute>\d\d)(?:(?P=sign)(?P<second>\d\d))?"
    r"|(?P<minute2>\d\d)(?P<second2>\d\d)?(?:\d{3})?)"
    r"(?:[.,](?P<fraction>\d{1,9}))?(?!\d)(?:\s*(?P<half>[AaPp])\.?[Mm]\b\.?)?"
)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s?([+\u2212-])(\d\d?(?=$|:)|\d\d)(?::?(\d\d))?(?::00)?")
_LENGTH = re.compile(r"\+?\s*(\d+(?:[.,]\d+)?)\s*(d|days?|h|hours?|w|weeks?)", re.IGNORECASE)


def read_time(text: str, zone: tzinfo | None = None) -> datetime:
    """Return the instant that a text means, in UTC; `zone` is where it names none.

    Raises CourseError, with a clause, for what holds no time, or could be read in two ways.
    """
    words = " ".join(text.split())
    named, when = _moment(words)
    rest = named.strip()
    offset = zone if not rest else _zone(rest, when, words)
    if offset is None:
        raise CourseError(f"{words!r} says no time zone: {HOW}, or name yours in pyproject.toml")
    return when.replace(tzinfo=offset).astimezone(UTC)


def has_zone(text: str) -> bool:
    """Return whether a time that can be read says its zone."""
    return bool(_moment(" ".join(text.split()))[0].strip())


def read_length(text: str) -> timedelta | None:
    """Return a length of time, such as "+2 days" or "36 hours"; None for anything else."""
    match = _LENGTH.fullmatch(text.strip())
    if not match:
        return None
    unit = {"d": "days", "h": "hours", "w": "weeks"}[match[2][0].lower()]
    return timedelta(**{unit: float(match[1].replace(",", "."))})


def find_zone(name: str) -> tzinfo:
    """Return a zone by its name, such as Europe/Amsterdam; raise CourseError if there is none."""
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CourseError(
            f"there is no time zone {name!r}: name it as Europe/Amsterdam or America/New_York"
        ) from None


def naive(when: datetime) -> datetime:
    """Return an instant as nbgrader keeps it: in UTC, without a zone."""
    return when.astimezone(UTC).replace(tzinfo=None)


def _moment(words: str) -> tuple[str, datetime]:
    """Return what a text says behind its time, and what a clock there shows."""
    try:
        date, after = _date(words)
        clock = re.compile(r"(?:T|[\s,_-]|\b(?:at|um|à|às|a las|alle|om|kl)\b\.?)*").match(after)
        assert clock is not None
        match = _CLOCK.match(after, clock.end())
        if match is None:
            raise CourseError(f"{words!r} holds no time of day: {HOW}")
        hour, half = int(match["hour"]), (match["half"] or "").lower()
        if half:
            if not 1 <= hour <= 12:
                raise ValueError
            hour = hour % 12 + (12 if half == "p" else 0)
        minute = int(match["minute"] or match["minute2"])
        second = int(match["second"] or match["second2"] or 0)
        # 24:00 is the end of the day.
        extra = timedelta(days=1) if (hour, minute, second) == (24, 0, 0) else timedelta()
        when = datetime(*date, 0 if extra else hour, minute, second) + extra
    except (ValueError, OverflowError):
        raise CourseError(f"{words!r} is no time that can be read: {HOW}") from None
    rest = after[match.end() :].strip()
    return re.sub(r"^(o'clock|o’clock|Uhr|hs?)\b", "", rest), when


def _date(words: str) -> tuple[tuple[int, int, int], str]:
    """Return year, month and day, and what follows them; raise ValueError if there are none."""
    if match := _CTIME.fullmatch(words):
        words = f"{match[1]} {match[4]} {match[2]} {match[3] or ''}".strip()
    if weekday := _WEEKDAY.match(words):
        with suppress(ValueError):
            return _date_at(words, words)
        return _date_at(words[weekday.end() :], words)
    return _date_at(words, words)


def _date_at(text: str, words: str) -> tuple[tuple[int, int, int], str]:
    for pattern in (_YEAR_FIRST, _TOGETHER, _DOTTED):
        if match := pattern.match(text):
            date = (int(match["year"]), int(match["month"]), int(match["day"]))
            return date, text[match.end() :]
    if match := _SLASHED.match(text):
        first, second = int(match["first"]), int(match["second"])
        if first <= 12 and second <= 12 and first != second:
            raise CourseError(f"in {words!r} the day may be {first} or {second}: {HOW}")
        day, month = (first, second) if first > 12 or first == second else (second, first)
        return (int(match["year"]), month, day), text[match.end() :]
    if match := _NAMED.match(text):
        month = _month(match["word"] or match["word2"])
        day = int(match["day"] or match["day2"])
        return (int(match["year"]), month, day), text[match.end() :]
    raise ValueError


def _month(word: str) -> int:
    word = word.casefold()
    found = {
        number
        for names in MONTHS
        for number, name in enumerate(names.split(), 1)
        if word.startswith(name)
    }
    if len(found) != 1:
        raise ValueError
    return found.pop()


def _zone(text: str, when: datetime, words: str) -> tzinfo:
    """Return the zone that stands behind a time; raise CourseError if it is not one for sure."""
    text, _, note = text.partition("(")  # as browsers write it: GMT+0200 (CEST)
    text = text.strip().strip("[]") or note.rstrip(") ")
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    if match := _OFFSET.fullmatch(text):
        hours, minutes = int(match[2]), int(match[3] or 0)
        if hours <= 14 and minutes < 60:
            size = timedelta(hours=hours, minutes=minutes)
            return timezone(size if match[1] == "+" else -size)
    name = ALSO.get(text.upper(), text.upper())
    if text.upper() in ZONES:
        zone = find_zone(ZONES[text.upper()])
        for fold in (0, 1):
            there = when.replace(tzinfo=zone, fold=fold)
            if there.tzname() == name:
                return timezone(there.utcoffset() or timedelta())
        raise CourseError(f"{words!r} names {text}, which no clock shows on that day: {HOW}")
    if "/" in text:
        return find_zone(text)
    raise CourseError(f"{words!r} names a time zone that is not known or means several: {HOW}")
