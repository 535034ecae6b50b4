"""Rhythm against a twin that knows all payments at once."""

from __future__ import annotations

from datetime import date
from statistics import median_high

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, month, parse, text
from stream.domain.facts import Fact
from stream.domain.triggers import Date, Money, Phase
from stream.mechanisms.rhythm import Rhythm
from tests.builders import SHANGHAI, START, Told, driven, fact

UNTIL = START + 500 * DAY
RULE = Rhythm(SHANGHAI, grace=3, apart=10, learn=2, give_up=2)
Said = list[tuple[str, str]]


def paid(*days: str) -> list[Fact]:
    """Payments at noon of these dates."""
    return [fact(SHANGHAI.start(parse(day)) + DAY // 2, amount=100 + place) for place, day in enumerate(days)]


def naive(facts: list[Fact], until: int, rule: Rhythm = RULE) -> Said:
    """Twin: walk over the dates one by one; what has been paid by then says which dates are missed."""
    said: Said = []
    habit: list[int] = []
    missed, paying = 0, {each.day for each in facts}
    for day in range(facts[0].day, until):
        if len(habit) >= rule.learn and missed < rule.give_up:
            expected = following(habit, missed)
            if day == expected + rule.grace + 1:
                said.append(("missed", text(expected)))
                missed += 1
        if day in paying and not (habit and day - habit[-1] < rule.apart):
            if not habit or missed >= rule.give_up:
                said.append(("started", text(day)))
                habit = []
            habit, missed = [*habit, day][-6:], 0
    return said


def following(habit: list[int], missed: int) -> int:
    """The usual date of the month that lies nearest to thirty days after the last payment; later months for each miss."""
    usual = median_high([date.fromordinal(day).day for day in habit])
    candidates = []
    for ordinal in range(habit[-1] - 40, habit[-1] + 100):
        there = date.fromordinal(ordinal)
        last = date.fromordinal(ordinal + 1).day == 1
        if there.day == usual or (last and there.day < usual):
            candidates.append(ordinal)
    nearest = min(candidates, key=lambda day: (abs(day - habit[-1] - 30), day))
    for _ in range(missed):
        nearest = next(
            ordinal
            for ordinal in range(nearest + 1, nearest + 70)
            if date.fromordinal(ordinal).day == usual
            or (date.fromordinal(ordinal + 1).day == 1 and date.fromordinal(ordinal).day < usual)
        )
    return nearest


@settings(max_examples=200)
@given(st.lists(st.integers(0, 260), min_size=1, max_size=12, unique=True))
def test_any_payments_are_told_as_a_walk_over_the_dates_says(days: list[int]) -> None:
    """Started, missed, given up, started again: for payments at any dates."""
    facts = [fact(START + day * DAY + DAY // 2) for day in sorted(days)]

    got = driven(RULE, facts, Told(), UNTIL)

    assert [(each.moment, each.key) for each in got] == naive(facts, SHANGHAI.day(UNTIL))


@settings(max_examples=150)
@given(st.lists(st.integers(0, 260), min_size=1, max_size=10, unique=True), *[st.integers(1, 4)] * 2, st.integers(0, 8))
def test_habit_is_learned_and_given_up_as_the_policy_says(days: list[int], learn: int, give_up: int, grace: int) -> None:
    """So many payments make a habit, so many misses end it, whatever the grace."""
    rule = Rhythm(SHANGHAI, grace=grace, apart=10, learn=learn, give_up=give_up)
    facts = [fact(START + day * DAY + DAY // 2) for day in sorted(days)]

    got = driven(rule, facts, Told(), UNTIL)

    assert [(each.moment, each.key) for each in got] == naive(facts, SHANGHAI.day(UNTIL), rule)


def test_habit_of_month_ends_keeps_to_them() -> None:
    """The last date of a short month does not move the habit away from the 31st."""
    facts = paid("2027-12-31", "2028-01-31", "2028-02-29")

    got = driven(Rhythm(SHANGHAI, give_up=4), facts, Told(), UNTIL + 800 * DAY)

    assert [each.key for each in got if each.moment == "missed"] == ["2028-03-31", "2028-04-30", "2028-05-31", "2028-06-30"]


@settings(max_examples=100)
@given(st.integers(1, 31), st.lists(st.integers(-3, 3), min_size=3, max_size=10))
def test_monthly_habit_with_small_shifts_is_never_missed(usual: int, shifts: list[int]) -> None:
    """A salary on about the same date of each month is not missed, short months and leap days included."""
    days, first = [], parse("2027-11-01")
    for place, shift in enumerate(shifts):
        year, index = divmod(month(first) + place, 12)
        length = (date(year + (index == 11), (index + 1) % 12 + 1, 1) - date(year, index + 1, 1)).days
        days.append(text(date(year, index + 1, min(usual, length)).toordinal() + (shift if place > 1 else 0)))
    facts = paid(*days)
    slack = Rhythm(SHANGHAI, grace=7)

    got = driven(slack, facts, Told(), facts[-1].at)

    assert [each.moment for each in got] == ["started"]


def test_missed_carries_the_habit() -> None:
    """Expected on the usual date; the usual amount is the median; the second miss escalates; then it gives up."""
    facts = paid("2026-01-10", "2026-02-10", "2026-03-10")

    started, first, second = driven(RULE, facts, Told(), UNTIL)

    assert (started.moment, started.facts["day"]) == ("started", Date(parse("2026-01-10")))
    assert (first.key, first.phase, first.at) == ("2026-04-10", Phase.OPENED, SHANGHAI.close(parse("2026-04-13")))
    assert (first.facts["usual_amount"], first.facts["last_on"]) == (Money(101), Date(parse("2026-03-10")))
    assert (second.key, second.phase) == ("2026-05-10", Phase.ESCALATED)


def test_bonus_is_no_payment_of_its_own() -> None:
    """Two payments within a few dates are one: the habit keeps the first."""
    facts = paid("2026-01-10", "2026-01-15", "2026-02-10")

    got = driven(RULE, facts, Told(), SHANGHAI.close(parse("2026-03-13")))

    assert [each.key for each in got] == ["2026-01-10", "2026-03-10"]


def test_payment_on_the_last_date_of_grace_is_in_time() -> None:
    """The miss is told when the grace is over, not on its last date."""
    facts = paid("2026-01-10", "2026-02-10", "2026-03-13")

    got = driven(RULE, facts, Told(), SHANGHAI.close(parse("2026-03-20")))

    assert [each.moment for each in got] == ["started"]
