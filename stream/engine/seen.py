"""An event as it passes the stages: what several of them need is worked out once."""

from __future__ import annotations

from typing import Any

from stream.domain.days import Calendar
from stream.domain.events import Event
from stream.domain.money import Rates
from stream.wire.registry import REGISTRY


class Seen:
    """One event, the date it belongs to, and its amounts in base minor units."""

    __slots__ = ("_amounts", "_rates", "data", "day", "event")

    def __init__(self, event: Event, calendar: Calendar, rates: Rates) -> None:
        self.event = event
        self.data: Any = event.data
        self._rates = rates
        self._amounts: dict[str, int] = {}
        self.day = date_of(event, calendar)

    def amount(self, field: str) -> int:
        """Base minor units of a money field; 0 when it is absent."""
        known = self._amounts.get(field)
        if known is None:
            money = getattr(self.data, field, None)
            known = 0 if money is None else self._rates.to_base(money.amount, money.ccy)
            self._amounts[field] = known
        return known


def date_of(event: Event, calendar: Calendar) -> int:
    """The date an event belongs to: the bank's own where it names one, else that of its instant in the pack's zone."""
    field = REGISTRY[event.type].booked
    if field:
        booked = getattr(event.data, field)
        if booked is not None:
            return int(booked.toordinal())
    return calendar.day(event.at)
