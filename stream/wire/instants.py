"""RFC 3339 texts as UTC milliseconds, quickly.

Rule: exact integers; digits below the millisecond are cut off, never rounded up into the next one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

LAST = 7_289_654_400_000
"""The first instant that is too late: 2201-01-01. Nothing before 1970 either: both are typing errors of a source."""
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 100_000


class Instants:
    """Parses stamps, remembering dates with their zone, minutes of the day, seconds and fractions apart: each are few.

    A part is remembered only after a whole stamp was found valid, and only of dates all of whose instants are in range;
    so four known parts make a valid stamp.

    >>> Instants().parse("2026-01-05T09:30:00.000+08:00")
    1767576600000
    """

    def __init__(self) -> None:
        self._dates: dict[str, int] = {}
        self._minutes: dict[str, int] = {}
        self._seconds: dict[str, int] = {}
        self._fractions: dict[str, int] = {}

    def parse(self, text: str) -> int:
        """UTC milliseconds. Raises ValueError when it is no RFC 3339 stamp with a zone, or not in 1970..2200."""
        cut = -1 if text[-1:] == "Z" else -6
        try:
            whole = self._dates[text[:11] + text[cut:]] + self._minutes[text[11:17]] + self._seconds[text[17:19]]
            return whole + self._fractions[text[19:cut]]
        except KeyError:
            return self._learn(text, cut)

    def _learn(self, text: str, cut: int) -> int:
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError("expected an RFC 3339 stamp with a zone")
        date = _date(match)
        minute = (int(match[4]) * 60 + int(match[5])) * 60_000
        second, fraction = int(match[6]) * 1000, int((match[7] or "0").ljust(9, "0")[:3])
        if int(match[4]) > 23:
            raise ValueError("expected an hour from 00 to 23")
        at = date + minute + second + fraction
        if not 0 <= at < LAST:
            raise ValueError("expected a year from 1970 to 2200")
        if match[8] != "z" and 0 <= date < LAST - 86_400_000:
            for parts, part, value in (
                (self._dates, text[:11] + text[cut:], date),
                (self._minutes, text[11:17], minute),
                (self._seconds, text[17:19], second),
                (self._fractions, text[19:cut], fraction),
            ):
                if len(parts) > _MOST:
                    parts.clear()
                parts[part] = value
        return at


def _date(match: re.Match[str]) -> int:
    """The first millisecond of a stamp's date in its zone. Raises ValueError for a date that does not exist."""
    year, month, day = (int(match[part]) for part in range(1, 4))
    zone = match[8]
    ahead = 0 if zone in "Zz" else (int(zone[1:3]) * 60 + int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    return (datetime(year, month, day, tzinfo=UTC) - _EPOCH) // _MILLISECOND - ahead * 60_000


def millis(moment: datetime) -> int:
    """UTC milliseconds of an aware datetime, exactly: what payload fields such as `effective_at` hold.

    >>> millis(datetime(2026, 1, 5, 1, 30, tzinfo=UTC))
    1767576600000
    """
    return (moment - _EPOCH) // _MILLISECOND
