"""RFC 3339 texts as UTC milliseconds, quickly.

Rule: exact integers; digits below the millisecond are cut off, never rounded up into the next one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

LAST = 7_289_654_400_000
"""The first instant that is too late: 2201-01-01. Nothing before 1970 either: both are typing errors of a source."""
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):([0-5]\d)(?:\.(\d{1,9}))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 100_000


class Instants:
    """Parses stamps, remembering minutes and seconds apart: neighbours in a stream share them.

    A valid stamp is a minute (first 17 characters and the zone) and a second (what stands between); both halves are
    remembered only after a whole stamp was found valid, so two known halves make a valid stamp.

    >>> Instants().parse("2026-01-05T09:30:00.000+08:00")
    1767576600000
    """

    def __init__(self) -> None:
        self.minutes: dict[str, int] = {}
        self.seconds: dict[str, int] = {}

    def parse(self, text: str) -> int:
        """UTC milliseconds. Raises ValueError when it is no RFC 3339 stamp with a zone, or not in 1970..2200."""
        cut = -1 if text[-1:] == "Z" else -6
        minute = text[:17] + text[cut:]
        second = text[17:cut]
        try:
            return self.minutes[minute] + self.seconds[second]
        except KeyError:
            return self._learn(text, minute, second)

    def _learn(self, text: str, minute: str, second: str) -> int:
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError("expected an RFC 3339 stamp with a zone")
        fraction = int((match[7] or "0").ljust(9, "0")[:3])
        within = int(match[6]) * 1000 + fraction
        start = _minute(match)
        if not 0 <= start < LAST:
            raise ValueError("expected a year from 1970 to 2200")
        if len(self.minutes) > _MOST:
            self.minutes.clear()
        if len(self.seconds) > _MOST:
            self.seconds.clear()
        if match[8] not in "z":
            self.minutes[minute] = start
            self.seconds[second] = within
        return start + within


def _minute(match: re.Match[str]) -> int:
    year, month, day, hour, minute = (int(match[part]) for part in range(1, 6))
    moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
    zone = match[8]
    ahead = 0 if zone in "Zz" else (int(zone[1:3]) * 60 + int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    return (moment - _EPOCH) // _MILLISECOND - ahead * 60_000


def millis(moment: datetime) -> int:
    """UTC milliseconds of an aware datetime, exactly: what payload fields such as `effective_at` hold.

    >>> millis(datetime(2026, 1, 5, 1, 30, tzinfo=UTC))
    1767576600000
    """
    return (moment - _EPOCH) // _MILLISECOND
