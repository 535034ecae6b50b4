"""Figures as people read them, for the reason texts."""

from __future__ import annotations

from datetime import datetime

from stream.domain.days import Calendar
from stream.domain.days import text as iso
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
        if isinstance(value, Money):
            return _grouped(value.minor, self._places)
        if value is None:
            return "—"
        if isinstance(value, Date):
            return iso(value.day)
        if isinstance(value, Share):
            return f"{value.ppm // 10_000}.{value.ppm % 10_000 // 1_000}%"
        if isinstance(value, Instant):
            moment = datetime.fromtimestamp(value.at // 1000, self._calendar.zone)
            return moment.strftime("%Y-%m-%d %H:%M")
        return str(value)


def _grouped(value: int, places: int) -> str:
    """Decimal text of minor units, its thousands apart.

    >>> _grouped(-123450, 2), _grouped(-5, 2), _grouped(-1234, 0)
    ('-1,234.50', '-0.05', '-1,234')
    """
    if places == 0:
        return f"{value:,}"
    whole, rest = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole:,}.{rest:0{places}d}"
