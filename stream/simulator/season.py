"""The Chinese year as a retail bank feels it: workdays, paydays, Spring Festival, shopping days.

Rule: dates are the integers of `stream.domain.days`. Make-up working days (调休) are left out: a weekend is a
weekend. Lunar dates are a table (Hong Kong Observatory's conversion), 2024 to 2031; other years have no festival.
"""

from __future__ import annotations

from functools import lru_cache

from stream.domain.days import in_month, month, parse

_NEW_YEAR = "2024-02-10 2025-01-29 2026-02-17 2027-02-06 2028-01-26 2029-02-13 2030-02-03 2031-01-23"
_MID_AUTUMN = "2024-09-17 2025-10-06 2026-09-25 2027-09-15 2028-10-03 2029-09-22 2030-09-12 2031-10-01"
SPRING_FESTIVALS = tuple(parse(text) for text in _NEW_YEAR.split())
MID_AUTUMNS = frozenset(parse(text) for text in _MID_AUTUMN.split())
_SHOPPING = {(6, 18), (11, 11), (12, 12)}


def weekday(day: int) -> int:
    """0 is Monday."""
    return (day + 6) % 7


@lru_cache(maxsize=4096)
def to_festival(day: int) -> int:
    """Days until the nearest Spring Festival's first day; negative after it; 999 when none is near.

    >>> to_festival(parse("2026-02-16")), to_festival(parse("2026-02-20")), to_festival(parse("2026-07-01"))
    (1, -3, 999)
    """
    return next((first - day for first in SPRING_FESTIVALS if -30 <= first - day <= 60), 999)


@lru_cache(maxsize=4096)
def is_workday(day: int) -> bool:
    """Whether banks and employers work: no weekend and no public holiday."""
    if weekday(day) >= 5 or -6 <= to_festival(day) <= 1 or day in MID_AUTUMNS:
        return False
    moment = _month_and_day(day)
    return moment not in {(1, 1), (4, 5), (5, 1), (5, 2)} and not (moment[0] == 10 and moment[1] <= 7)


def payday(number: int, day_of_month: int) -> int:
    """The day an employer pays in that month: its nominal day, or the last workday before it.

    >>> from stream.domain.days import text
    >>> text(payday(month(parse("2026-02-01")), 15))
    '2026-02-13'
    """
    day = in_month(number, day_of_month)
    while not is_workday(day):
        day -= 1
    return day


def after_workdays(day: int, count: int) -> int:
    """The workday that many workdays after this day."""
    while count > 0:
        day += 1
        count -= is_workday(day)
    return day


@lru_cache(maxsize=4096)
def appetite(day: int) -> int:
    """How much people spend on this day, percent of an ordinary weekday."""
    festival = to_festival(day)
    if 2 <= festival <= 18:
        return 170
    if -6 <= festival <= 1:
        return 140
    if -20 <= festival < -6:
        return 75
    if _month_and_day(day) in _SHOPPING:
        return 180
    return 115 if weekday(day) >= 5 else 100


def is_red_packet_time(day: int) -> bool:
    """From the eve of Spring Festival to its fifth day."""
    return -4 <= to_festival(day) <= 1


@lru_cache(maxsize=4096)
def _month_and_day(day: int) -> tuple[int, int]:
    number = month(day)
    return number % 12 + 1, day - in_month(number, 1) + 1
