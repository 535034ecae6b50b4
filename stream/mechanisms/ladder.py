"""Ladder: a value nears, crosses up, is at risk in, or drops out of a band (CAPABILITIES rows 4, 8).

Up when the value reaches a band's threshold, down when it falls below the threshold less the hysteresis, both after
`dwell` dates at the new band. `approaching` and `at_risk` are visits to the zone below and above a threshold, told once a
visit after so many dates; at risk counts only when the zone is entered from above. At the day's close the value is that
of the date, whatever came later; per event it is the value just then, and dates only confirm what must last.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from math import inf

import msgspec

from stream.domain.days import NEVER, Calendar, text
from stream.domain.facts import Fact, Read
from stream.domain.triggers import Condition, Money, Phase, Signal, Value
from stream.mechanisms.protocol import SILENT

PPM = 1_000_000
UNSEEN = -1
VISITS = ("approaching", "at_risk")
"""Moments whose dates are counted from one; those of a change from nought."""


class State(msgspec.Struct, array_like=True, gc=False):
    """Where the customer stands: the confirmed band and what is under way.

    Attributes:
        band: Number of bands reached; `UNSEEN` before the first judgement.
        entered: Date of the last confirmed change.
        target: The band that the value points to while it dwells, else `UNSEEN`.
        since: Date since which it points there.
        near: Date since which the value is in the zone below the next band; 0 when not. Negative once told.
        risk: The same for the zone above the present band's threshold.
        value: Base minor units at the last judgement.
        days: Dates still to be judged at their close, ascending.
        judged: Last date judged.
        origin: Coordinates of the last fact.
    """

    band: int = UNSEEN
    entered: int = 0
    target: int = UNSEEN
    since: int = 0
    near: int = 0
    risk: int = 0
    value: int = 0
    days: list[int] = []
    judged: int = 0
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The policy: thresholds ascending in base minor units, shares in parts per million."""

    value: str
    names: tuple[str, ...]
    thresholds: tuple[int, ...]
    calendar: Calendar
    at_close: bool = True
    observe_first: bool = True
    hysteresis_ppm: int = 0
    dwell: int = 0
    near_ppm: int = 0
    near_days: int = 1
    risk_ppm: int = 0
    risk_days: int = 1
    velocity: str | None = None
    velocity_days: int = 30
    calm: tuple[tuple[float, float], ...] = field(init=False, repr=False, compare=False)

    state = State
    moments = ("approaching", "upgraded", "at_risk", "downgraded")

    def __post_init__(self) -> None:
        object.__setattr__(self, "calm", tuple(self._quiet_range(band) for band in range(len(self.thresholds) + 1)))

    def tell(self, state: State, fact: Fact, read: Read) -> tuple[Signal, ...]:
        """Close: note the date for judgement (a late date joins the next one unjudged). Event: judge now."""
        state.origin = fact.origin
        if not self.at_close:
            # what is booked late for an old date counts now: the value just then is that of the latest date known
            return self._judge(state, max(fact.day, state.judged), fact.at, read)
        self._await(state, max(fact.day, state.judged + 1))
        return SILENT

    def due(self, state: State) -> int:
        """The close of the first date to be judged."""
        return self.calendar.close(state.days[0]) if state.days else NEVER

    def quiet(self, state: State, read: Read) -> bool:
        """Whether every date to be judged will pass in silence, as things stand: nearly always so.

        The value keeps to its band and out of the zones. Such dates are judged all the same, but nobody need wake for them:
        it is enough when the customer is at hand anyway, before its next fact. False is always right.
        """
        band, days = state.band, state.days
        if band == UNSEEN and days:
            band = bisect_right(self.thresholds, read.amount(self.value, days[0])) if self.observe_first else 0
        least, most = self.calm[band]
        return all(least <= read.amount(self.value, day) < most for day in days)

    def fire(self, state: State, read: Read) -> tuple[Signal, ...]:
        """Judge the first waiting date by its own value."""
        day = state.days.pop(0)
        return self._judge(state, day, self.calendar.close(day), read)

    def _await(self, state: State, day: int) -> None:
        days = state.days
        if not days or days[-1] < day:
            days.append(day)
        elif days[bisect_left(days, day)] != day:
            insort(days, day)

    def _judge(self, state: State, day: int, at: int, read: Read) -> tuple[Signal, ...]:
        value, before = read.amount(self.value, day), state.value
        state.value, state.judged = value, max(day, state.judged)
        if state.band == UNSEEN:
            state.band = bisect_right(self.thresholds, value) if self.observe_first else 0
            state.entered = day
        least, most = self.calm[state.band]
        if least <= value < most:
            state.target, state.near, state.risk = UNSEEN, 0, 0
            return SILENT
        moved = self._cross(state, day, at, value, read)
        zones = self._near(state, day, at, value, read) + self._risk(state, day, at, value, before, read)
        return moved + zones

    def _target(self, band: int, value: int) -> int:
        up = bisect_right(self.thresholds, value)
        if up >= band:
            return up
        while band and value * PPM < self.thresholds[band - 1] * (PPM - self.hysteresis_ppm):
            band -= 1
        return band

    def _quiet_range(self, band: int) -> tuple[float, float]:
        """The values that neither point to another band nor lie in a zone of this one: from the first, below the second."""
        least, most = -inf, inf
        if band:
            below = self.thresholds[band - 1]
            least = max(below, -(-below * (PPM + self.risk_ppm) // PPM))
        if band < len(self.thresholds):
            above = self.thresholds[band]
            most = min(above, -(-above * (PPM - self.near_ppm) // PPM))
        return least, most

    def _cross(self, state: State, day: int, at: int, value: int, read: Read) -> tuple[Signal, ...]:
        target = self._target(state.band, value)
        if target == state.band:
            state.target = UNSEEN
            return SILENT
        if target != state.target:
            state.target, state.since = target, day
        if day - state.since < self.dwell:
            self._await(state, state.since + self.dwell)
            return SILENT
        old, since = state.band, state.since
        state.band, state.entered, state.target = target, day, UNSEEN
        state.near = state.risk = 0
        up = target > old
        level = self.thresholds[target - 1 if up else old - 1]
        moment = "upgraded" if up else "downgraded"
        key = f"{self._name(target) or '-'}|{self._name(old) or '-'}|{text(state.since)}"
        side = self._beside(value, ">=", level) if up else self._beside(value, "<", level, -self.hysteresis_ppm)
        shown = (side, _lasted("dates_held >= dwell_days", day - since, self.dwell))
        gap = self._next_gap(target, value) if up else level - value
        return (self._signal(state, moment, key, day, at, value, (old, target), level, shown, gap, since, read),)

    def _near(self, state: State, day: int, at: int, value: int, read: Read) -> tuple[Signal, ...]:
        if not self.near_ppm or state.band >= len(self.thresholds):
            return SILENT
        level = self.thresholds[state.band]
        inside = level * (PPM - self.near_ppm) <= value * PPM and value < level
        state.near = self._visit(state, state.near, inside, day, self.near_days)
        if state.near <= 0 or day - state.near + 1 < self.near_days:
            return SILENT
        since, state.near = state.near, -state.near
        key = f"{self.names[state.band]}|{text(since)}"
        bands = (state.band, state.band + 1)
        zone = (self._beside(value, "<", level), self._beside(value, ">=", level, -self.near_ppm))
        shown = (*zone, _lasted("dates_near >= days", day - since + 1, self.near_days))
        return (self._signal(state, "approaching", key, day, at, value, bands, level, shown, level - value, since, read),)

    def _risk(self, state: State, day: int, at: int, value: int, before: int, read: Read) -> tuple[Signal, ...]:
        if not self.risk_ppm or state.band < 1:
            return SILENT
        level = self.thresholds[state.band - 1]
        ceiling = level * (PPM + self.risk_ppm)
        inside = self._target(state.band, value) == state.band and value * PPM < ceiling
        inside = inside and (state.risk != 0 or before * PPM >= ceiling)
        state.risk = self._visit(state, state.risk, inside, day, self.risk_days)
        if state.risk <= 0 or day - state.risk + 1 < self.risk_days:
            return SILENT
        since, state.risk = state.risk, -state.risk
        key = f"{self.names[state.band - 1]}|{text(since)}"
        bands = (state.band, state.band - 1)
        zone = (self._beside(value, ">=", level, -self.hysteresis_ppm), self._beside(value, "<", level, self.risk_ppm))
        shown = (*zone, _lasted("dates_at_risk >= days", day - since + 1, self.risk_days))
        return (self._signal(state, "at_risk", key, day, at, value, bands, level, shown, value - level, since, read),)

    def _visit(self, state: State, since: int, inside: bool, day: int, wanted: int) -> int:
        """The visit's first date while it lasts (negative once told), 0 outside; its last wanted date will be judged."""
        if not inside:
            return 0
        if since == 0:
            since = day
            if wanted > 1:
                self._await(state, day + wanted - 1)
        return since

    def _name(self, band: int) -> str | None:
        return self.names[band - 1] if band else None

    def _next_gap(self, band: int, value: int) -> int:
        return self.thresholds[band] - value if band < len(self.thresholds) else 0

    def _signal(
        self,
        state: State,
        moment: str,
        key: str,
        day: int,
        at: int,
        value: int,
        bands: tuple[int, int],
        level: int,
        shown: tuple[Condition, ...],
        gap: int,
        since: int,
        read: Read,
    ) -> Signal:
        facts: dict[str, Value] = {
            "value": Money(value),
            "from": self._name(bands[0]),
            "to": self._name(bands[1]),
            "level": Money(level),
            "gap": Money(gap),
            "dwell_days": day - since + (moment in VISITS),
            **self._velocity(day, gap, read),
        }
        phase = Phase.CLOSED if moment == "downgraded" else Phase.OPENED
        return Signal(moment, key, phase, at, self.calendar.start(since), facts, shown, (state.origin,))

    def _beside(self, value: int, sign: str, level: int, ppm: int = 0) -> Condition:
        """On which side of a threshold the value is, or of the edge of its zone, which lies so much above or below it."""
        edge = -(-level * (PPM + ppm) // PPM)
        side = f"{self.value} {sign} {self.names[self.thresholds.index(level)]}"
        return Condition(f"{side} {ppm / 10_000:+g}%" if ppm else side, Money(value), Money(edge), Money(value - edge))

    def _velocity(self, day: int, gap: int, read: Read) -> dict[str, Value]:
        """Mean daily net inflow, and the dates until the gap is closed at that pace (None when it never is)."""
        if self.velocity is None:
            return {"velocity_per_day": None, "eta_days": None}
        flow = read.amount(self.velocity, day)
        eta = -(-gap * self.velocity_days // flow) if flow > 0 and gap > 0 else None
        per_day = flow // self.velocity_days if flow >= 0 else -(-flow // self.velocity_days)
        return {"velocity_per_day": Money(per_day), "eta_days": eta}


def _lasted(said: str, dates: int, wanted: int) -> Condition:
    return Condition(said, dates, wanted, dates - wanted)
