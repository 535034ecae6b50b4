"""Calendar dates of one zone as integers, quickly.

A day is the proleptic ordinal of `datetime.date` (1 = 0001-01-01). Instants are UTC milliseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = 1 << 62
"""Later than any instant; what `due` says when nothing is due."""
EPOCH = date(1970, 1, 1).toordinal()


_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


@cache
def zone(name: str) -> ZoneInfo:
    """A zone of the IANA database, by the rules of the pinned `tzdata`: with those of the machine a log that is replayed
    elsewhere could have other days.

    Raises ZoneInfoNotFoundError (a KeyError), or ValueError for a file of the database that is no zone.

    >>> zone("Asia/Shanghai").key
    'Asia/Shanghai'
    """
    place = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    if _ZONE.fullmatch(name) is None or not place.is_file():
        raise ZoneInfoNotFoundError(f"expected a zone of the IANA database, got {name!r}")
    with place.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


class Calendar:
    """Days of one zone; remembers what it was asked, since neighbours ask the same.

    >>> shanghai = Calendar("Asia/Shanghai")
    >>> day = shanghai.day(1767576600000)
    >>> text(day), stamp(shanghai.start(day))
    ('2026-01-05', '2026-01-04T16:00:00.000Z')
    """

    def __init__(self, name: str) -> None:
        self.zone = zone(name)
        self._offsets: dict[int, int] = {}
        self._starts: dict[int, int] = {}

    def day(self, at: int) -> int:
        """The date at this instant."""
        return (at + self.offset(at)) // DAY + EPOCH

    def offset(self, at: int) -> int:
        """How far the zone is ahead of UTC, ms. Asked once per quarter of an hour: zones change on such bounds."""
        quarter = at // 900_000
        offset = self._offsets.get(quarter)
        if offset is None:
            moment = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self.zone)
            delta = moment.utcoffset()
            assert delta is not None
            if len(self._offsets) > 100_000:
                self._offsets.clear()
            offset = self._offsets[quarter] = int(delta.total_seconds() * 1000)
        return offset

    def start(self, day: int) -> int:
        """The first instant of a day (its midnight; after a gap at midnight, the first instant that exists)."""
        start = self._starts.get(day)
        if start is None:
            if len(self._starts) > 100_000:
                self._starts.clear()
            midnight = datetime.combine(date.fromordinal(day), datetime.min.time(), self.zone)
            start = self._starts[day] = int(midnight.astimezone(UTC).timestamp()) * 1000
        return start

    def close(self, day: int) -> int:
        """The instant at which a day is over: the start of the next."""
        return self.start(day + 1)


def parse(text: str) -> int:
    """The day of an ISO date. Raises ValueError for anything else.

    >>> text(parse("2026-02-28") + 1)
    '2026-03-01'
    """
    return date.fromisoformat(text).toordinal()


def text(day: int) -> str:
    """ISO date of a day."""
    return date.fromordinal(day).isoformat()


_date = lru_cache(4096)(text)


def month(day: int) -> int:
    """Calendar month as one number, year * 12 + month - 1, so that neighbours differ by one.

    >>> month(parse("2026-01-31")) - month(parse("2025-12-01"))
    1
    """
    moment = date.fromordinal(day)
    return moment.year * 12 + moment.month - 1


def in_month(number: int, day_of_month: int) -> int:
    """That day of a month, or the month's last day when it is shorter.

    >>> text(in_month(month(parse("2026-02-01")), 31))
    '2026-02-28'
    """
    year, index = divmod(number, 12)
    first_of_next = date(year + (index == 11), (index + 1) % 12 + 1, 1)
    last = (first_of_next - timedelta(days=1)).day
    return date(year, index + 1, min(day_of_month, last)).toordinal()


def stamp(at: int) -> str:
    """RFC 3339 in UTC with milliseconds.

    >>> stamp(1767576600000)
    '2026-01-05T01:30:00.000Z'
    """
    day, rest = divmod(at, DAY)
    minutes, millis = divmod(rest, MINUTE)
    return f"{_date(day + EPOCH)}T{minutes // 60:02d}:{minutes % 60:02d}:{millis // 1000:02d}.{millis % 1000:03d}Z"
