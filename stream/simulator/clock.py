"""Instants as the wire writes them: RFC 3339 with the zone's offset and milliseconds.

Rule: all instants are UTC milliseconds; local time is looked up once per quarter of an hour.
"""

from __future__ import annotations

from datetime import datetime

from stream.domain.days import DAY, EPOCH, HOUR, MINUTE, Calendar, text

_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_QUARTER = 15 * MINUTE
Place = tuple[int, str, str]
"""Of a quarter of an hour: its local start as milliseconds of the day, the date's text, the offset's text."""


class Clock:
    """Writes instants of one zone.

    >>> Clock("Asia/Shanghai").stamp(1767576600123)
    '2026-01-05T09:30:00.123+08:00'
    """

    def __init__(self, zone: str) -> None:
        self.calendar = Calendar(zone)
        self._places: dict[int, Place] = {}

    def stamp(self, at: int) -> str:
        """The text of an instant."""
        quarter = at // _QUARTER
        place = self._places.get(quarter)
        if place is None:
            place = self._places[quarter] = self._place(quarter)
        start, date, offset = place
        minute, ms = divmod(start + at - quarter * _QUARTER, MINUTE)
        return f"{date}{_MINUTES[minute]}{ms // 1000:02d}.{ms % 1000:03d}{offset}"

    def _place(self, quarter: int) -> Place:
        if len(self._places) > 10_000:
            self._places.clear()
        at = quarter * _QUARTER
        delta = datetime.fromtimestamp(at // 1000, self.calendar.zone).utcoffset()
        offset = int(delta.total_seconds()) * 1000 if delta else 0
        day, start = divmod(at + offset, DAY)
        hours, rest = divmod(abs(offset), HOUR)
        return start, text(day + EPOCH), f"{'-' if offset < 0 else '+'}{hours:02d}:{rest // MINUTE:02d}"
