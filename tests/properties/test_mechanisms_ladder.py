"""The ladder against a twin that looks at every single date."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY
from stream.domain.facts import Fact
from stream.domain.triggers import Money
from stream.mechanisms.ladder import Ladder
from tests.builders import DAY_ONE, SHANGHAI, START, Told, driven, fact

BANDS = (1000, 5000)
VALUES = (0, 500, 899, 900, 999, 1000, 1001, 1099, 1100, 1200, 4000, 4499, 4500, 4899, 4900, 5000, 5499, 5500, 9000)
PPM = 1_000_000
LAST = 60


class Twin:
    """Judges value after value; remembers where it stands in the plainest way."""

    def __init__(self, policy: Ladder) -> None:
        self.policy = policy
        self.band: int | None = None
        self.pointing: tuple[int, int] | None = None
        self.near: list[int] = []
        self.risk: list[int] = []
        self.before = 0
        self.said: list[tuple[str, int, int, int]] = []

    def judge(self, day: int, at: int, value: int) -> None:
        if self.band is None:
            self.band = self._reached(value) if self.policy.observe_first else 0
        target = self._target(value)
        if target == self.band:
            self.pointing = None
        elif self.pointing is None or self.pointing[0] != target:
            self.pointing = (target, day)
        if self.pointing is not None and day - self.pointing[1] >= self.policy.dwell:
            self._say("upgraded" if target > self.band else "downgraded", at, value, self.pointing[1])
            self.band, self.pointing, self.near, self.risk = target, None, [], []
        self._zones(day, at, value)
        self.before = value

    def _zones(self, day: int, at: int, value: int) -> None:
        policy, band = self.policy, self.band or 0
        above = BANDS[band] if band < len(BANDS) else None
        in_near = policy.near_ppm and above is not None and above * (1 - policy.near_ppm / PPM) <= value < above
        self.near = self._visit("approaching", self.near, bool(in_near), day, at, value, policy.near_days)
        below = BANDS[band - 1] if band else None
        ceiling = below * (1 + policy.risk_ppm / PPM) if below else 0
        in_risk = policy.risk_ppm and below and self._target(value) == band and value < ceiling
        in_risk = in_risk and (self.risk or self.before >= ceiling)
        self.risk = self._visit("at_risk", self.risk, bool(in_risk), day, at, value, policy.risk_days)

    def _visit(self, name: str, dates: list[int], inside: bool, day: int, at: int, value: int, wanted: int) -> list[int]:
        """The dates of a visit so far; it is told on the date that makes them enough, and only then."""
        if not inside:
            return []
        longer = dates if day in dates else [*dates, day]
        if len(longer) == wanted and longer != dates:
            self._say(name, at, value, longer[0])
        return longer

    def _reached(self, value: int) -> int:
        return sum(value >= level for level in BANDS)

    def _target(self, value: int) -> int:
        band = self.band or 0
        while band and value < BANDS[band - 1] * (1 - self.policy.hysteresis_ppm / PPM):
            band -= 1
        return max(band, self._reached(value))

    def _say(self, name: str, at: int, value: int, since: int) -> None:
        self.said.append((name, at, value, since))


def moments(signals: list[Any]) -> list[tuple[str, int, int, int]]:
    """What the mechanism said, in the twin's words."""
    return [(each.moment, each.at, each.facts["value"].minor, SHANGHAI.day(each.opened)) for each in signals]


policies = st.builds(
    Ladder,
    value=st.just("aum"),
    names=st.just(("low", "high")),
    thresholds=st.just(BANDS),
    calendar=st.just(SHANGHAI),
    at_close=st.booleans(),
    observe_first=st.booleans(),
    hysteresis_ppm=st.sampled_from([0, 20_000, 100_000]),
    dwell=st.sampled_from([0, 1, 3]),
    near_ppm=st.sampled_from([0, 100_000]),
    near_days=st.sampled_from([1, 3]),
    risk_ppm=st.sampled_from([0, 100_000]),
    risk_days=st.sampled_from([1, 2]),
)
"""Facts: date and hour, and the value from then on."""
changes = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 22), st.sampled_from(VALUES)), min_size=1, max_size=25)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(policies, changes)
def test_ladder_says_what_a_look_at_every_date_says(policy: Ladder, moves: list[tuple[int, int, int]]) -> None:
    """Hysteresis, dwell, zones, at the close and per event: judging only where something can change loses nothing."""
    lived = sorted({(day, hour): value for day, hour, value in moves}.items())
    read, told = Told(), list[Fact]()
    points: list[tuple[int, int, int]] = []
    for (day, hour), value in lived:
        told.append(fact(START + day * DAY + hour * 3_600_000, amount=value))
        points.append((told[-1].at, told[-1].day, value))

    def fold(each: Fact) -> None:
        read.amounts[each.day] = each.amount

    got = driven(policy, told, read, START + (LAST + 1) * DAY, fold)

    twin = Twin(policy)
    values = {day: value for _, day, value in points}
    first = points[0][1]
    for day in range(first, DAY_ONE + LAST):
        for at, date, value in points:
            if date == day and not policy.at_close:
                twin.judge(day, at, value)
        known = values[max(each for each in values if each <= day)]
        twin.judge(day, SHANGHAI.close(day), known)
    assert moments(got) == twin.said


def test_risk_of_one_band_is_not_that_of_the_next() -> None:
    """A visit to the zone above the lower threshold ends when the customer moves up, also into the zone of the upper."""
    policy = Ladder("aum", ("low", "high"), BANDS, SHANGHAI, risk_ppm=100_000, risk_days=2)
    days = {DAY_ONE: 2000, DAY_ONE + 1: 1050, DAY_ONE + 2: 5100}

    got = driven(policy, [fact(SHANGHAI.start(day)) for day in days], Told(days), START + 30 * DAY)

    assert [each.moment for each in got] == ["upgraded"]


def test_value_at_the_close_is_that_of_the_date() -> None:
    """A later date's value is not shown at an earlier close, even when both are known."""
    policy = Ladder("aum", ("low", "high"), BANDS, SHANGHAI, observe_first=False)
    read = Told({DAY_ONE: 1000, DAY_ONE + 1: 0})
    state = policy.state()
    policy.tell(state, fact(START + DAY), read)
    policy.tell(state, fact(START), read)

    first, second = policy.fire(state, read), policy.fire(state, read)

    assert [each.moment for each in (*first, *second)] == ["upgraded", "downgraded"]
    assert (first[0].facts["value"], first[0].at) == (Money(1000), SHANGHAI.close(DAY_ONE))


def test_late_event_is_judged_by_what_is_known_now() -> None:
    """Per event, a late booking of an old date does not bring the old date's value back."""
    policy = Ladder("aum", ("low", "high"), BANDS, SHANGHAI, at_close=False, observe_first=False)
    read = Told({DAY_ONE + 5: 1000})
    state = policy.state()

    up = policy.tell(state, fact(START + 5 * DAY), read)
    late = policy.tell(state, fact(START), read)

    assert [each.moment for each in up] == ["upgraded"]
    assert late == ()


def test_late_date_joins_the_next_one_not_yet_judged() -> None:
    """A date that has been judged is not judged again."""
    policy = Ladder("aum", ("low", "high"), BANDS, SHANGHAI)
    read, state = Told({DAY_ONE: 1000}), policy.state()
    policy.tell(state, fact(START + DAY), read)
    policy.fire(state, read)

    policy.tell(state, fact(START), read)

    assert policy.due(state) == SHANGHAI.close(DAY_ONE + 2)
