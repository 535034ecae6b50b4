"""Figures as people read them, for the reason texts."""

from __future__ import annotations

from datetime import datetime

from stream.domain.days import Calendar
from stream.domain.days import text as iso
from stream.domain.money import plain
from stream.domain.triggers import Date, Instant, Money, Share, Value


class Figures:
    """How a pack's figures are shown."""

    def __init__(self, calendar: Calendar, places: int) -> None:
        self._calendar, self._places = calendar, places

    def show(self, value: Value) -> str:
        """One figure.

        >>> figures = Figures(Calendar("Asia/Shanghai"), 2)
        >>> [figures.show(x) for x in (Money(4800000), Share(630000), Instant(1767576600000), None, 3)]
        ['48,000.00', '63.0%', '2026-01-05 09:30', '—', '3']
        """
        if value is None:
            return "—"
        if isinstance(value, Money):
            whole, dot, rest = plain(value.minor, self._places).partition(".")
            return f"{int(whole):,}{dot}{rest}" if whole != "-0" else f"-0{dot}{rest}"
        if isinstance(value, Date):
            return iso(value.day)
        if isinstance(value, Share):
            return f"{value.ppm // 10_000}.{value.ppm % 10_000 // 1_000}%"
        if isinstance(value, Instant):
            moment = datetime.fromtimestamp(value.at // 1000, self._calendar.zone)
            return moment.strftime("%Y-%m-%d %H:%M")
        return str(value)
