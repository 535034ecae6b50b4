"""Absence: A happened and no B within D; with A equal to B, a silence (CAPABILITIES rows 6, 41, 45, dormancy).

A deadline counted in dates passes when date ``A + D`` is over: a silence of *more than* D dates. A deadline counted in
milliseconds passes at ``A + D``. B at any instant before the deadline prevents it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from stream.domain.days import DAY, NEVER, Calendar, stamp
from stream.domain.facts import Fact, Read, Role
from stream.domain.triggers import Condition, Instant, Money, Phase, Signal, Value
from stream.mechanisms.protocol import SILENT

MOST_KEYS = 16
"""Open episodes of one rule and customer (funnels, cards); beyond it the oldest gives way."""
MOST_MORE = 4
"""Further A's of one key; beyond it the oldest gives way."""


class Stage(NamedTuple):
    """One deadline. `after` is in dates or in milliseconds, as the rule says."""

    moment: str
    phase: Phase
    after: int


class Given(NamedTuple):
    """What must hold at the deadline: a feature's value at that date is at most so much, base minor units."""

    feature: str
    at_most: int


class Episode(msgspec.Struct, array_like=True, gc=False):
    """A waits for B. `stage` counts the deadlines that have passed."""

    at: int
    day: int
    stage: int
    label: str
    origin: str


class State(msgspec.Struct, array_like=True, gc=False):
    """What is open and what was heard, by key: A and B may be read in any order when they come from two sources.

    Attributes:
        open: The A that waits.
        met: The last B.
        more: Further A's that did not move the deadline; when a B from before them ends the open one, the next waits.
    """

    open: dict[str, Episode] = {}
    met: dict[str, int] = {}
    more: dict[str, list[Episode]] = {}


@dataclass(frozen=True, slots=True)
class Absence:
    """The policy. `silence`: A is B. `restart`: a further A moves the deadline (always so in a silence)."""

    stages: tuple[Stage, ...]
    in_dates: bool
    calendar: Calendar
    silence: bool = False
    restart: bool = False
    ended: str | None = None
    given: Given | None = None

    state = State

    @property
    def moments(self) -> tuple[str, ...]:
        """Those of the stages, then the end."""
        named = dict.fromkeys(stage.moment for stage in self.stages)
        return (*named, *((self.ended,) if self.ended else ()))

    def tell(self, state: State, fact: Fact, read: Read) -> tuple[Signal, ...]:
        """B ends what is open, A opens or moves."""
        if self.silence:
            return self._heard(state, fact)
        signals = SILENT
        if fact.role & Role.B:
            signals = self._meet(state, fact)
        if fact.role & Role.A:
            self._open(state, fact)
        return signals

    def due(self, state: State) -> int:
        """The earliest deadline of all open episodes."""
        deadline = NEVER
        for episode in state.open.values():
            deadline = min(deadline, self._deadline(episode))
        return deadline

    def fire(self, state: State, read: Read) -> tuple[Signal, ...]:
        """The earliest deadline passed without B."""
        key = min(state.open, key=lambda name: (self._deadline(state.open[name]), name))
        episode = state.open[key]
        stage, deadline = self.stages[episode.stage], self._deadline(episode)
        held = self.given is None or read.amount(self.given.feature, self._date(deadline)) <= self.given.at_most
        signals = (self._passed(key, episode, stage, deadline, read),) if held else SILENT
        episode.stage += 1
        if episode.stage == len(self.stages) and not self.silence and self.ended is None:
            del state.open[key]
            state.more.pop(key, None)
        return signals

    def _heard(self, state: State, fact: Fact) -> tuple[Signal, ...]:
        episode = state.open.get(fact.key)
        if episode is None:
            self._put(state, fact.key, _episode(fact))
            return SILENT
        if fact.at <= episode.at:
            return SILENT
        signals = self._end(fact.key, episode, fact)
        episode.at, episode.day, episode.stage = fact.at, max(fact.day, episode.day), 0
        episode.label, episode.origin = fact.label, fact.origin
        return signals

    def _meet(self, state: State, fact: Fact) -> tuple[Signal, ...]:
        state.met[fact.key] = max(fact.at, state.met.get(fact.key, fact.at))
        _bound(state.met)
        episode = state.open.get(fact.key)
        if episode is None or fact.at < episode.at:
            return SILENT
        del state.open[fact.key]
        later = [each for each in state.more.pop(fact.key, ()) if each.at > fact.at]
        if later:
            state.open[fact.key] = later.pop(0)
        if later:
            state.more[fact.key] = later
        return self._end(fact.key, episode, fact)

    def _open(self, state: State, fact: Fact) -> None:
        if state.met.get(fact.key, -1) >= fact.at:
            return
        episode = state.open.get(fact.key)
        if episode is None or (self.restart and fact.at >= episode.at):
            self._put(state, fact.key, _episode(fact))
        elif not self.restart and fact.at < episode.at and episode.stage == 0:
            state.open[fact.key] = _episode(fact)
            self._queue(state, fact.key, episode)
        elif not self.restart and fact.at > episode.at:
            self._queue(state, fact.key, _episode(fact))

    def _queue(self, state: State, key: str, episode: Episode) -> None:
        waiting = [*state.more.get(key, ()), episode]
        waiting.sort(key=lambda each: (each.at, each.origin))
        state.more[key] = waiting[-MOST_MORE:]

    def _put(self, state: State, key: str, episode: Episode) -> None:
        state.open[key] = episode
        if len(state.open) > MOST_KEYS:
            oldest = min(state.open, key=lambda name: (state.open[name].at, name))
            del state.open[oldest]
            state.more.pop(oldest, None)

    def _deadline(self, episode: Episode) -> int:
        if episode.stage >= len(self.stages):
            return NEVER
        after = self.stages[episode.stage].after
        return self.calendar.close(episode.day + after) if self.in_dates else episode.at + after

    def _date(self, deadline: int) -> int:
        """The last date that is over at the deadline when counted in dates, else the deadline's own."""
        return self.calendar.day(deadline - 1 if self.in_dates else deadline)

    def _end(self, key: str, episode: Episode, fact: Fact) -> tuple[Signal, ...]:
        if self.ended is None or episode.stage == 0:
            return SILENT
        silence = fact.day - episode.day
        facts = self._facts(key, episode, fact.at, silence)
        passed = self.stages[episode.stage - 1].after
        shown = self._condition("silence", silence, fact.at - episode.at, passed)
        if silence <= passed if self.in_dates else fact.at - episode.at < passed:
            # it came late: a deadline had passed, and now it shows that it should not have
            shown = Condition("deadlines_passed >= 1", episode.stage, 1, episode.stage - 1)
        origins = (episode.origin, fact.origin)
        name = self._key(key, episode)
        number, at = f"{name}|{passed}", fact.at
        return (Signal(self.ended, number, Phase.CLOSED, at, episode.at, facts, (shown,), origins, name),)

    def _passed(self, key: str, episode: Episode, stage: Stage, deadline: int, read: Read) -> Signal:
        waited = stage.after if self.in_dates else (deadline - episode.at) // DAY
        facts = self._facts(key, episode, deadline, waited)
        shown = [self._condition("silence", stage.after, deadline - episode.at, stage.after)]
        if self.given is not None:
            value = read.amount(self.given.feature, self._date(deadline))
            limit = self.given.at_most
            name = f"{self.given.feature} <= limit"
            shown.append(Condition(name, Money(value), Money(limit), Money(value - limit)))
        name, origins = self._key(key, episode), (episode.origin,)
        number = f"{name}|{stage.after}"
        return Signal(stage.moment, number, stage.phase, deadline, episode.at, facts, tuple(shown), origins, name)

    def _condition(self, name: str, days: int, elapsed: int, limit: int) -> Condition:
        if self.in_dates:
            return Condition(f"{name}_days >= {limit}", days, limit, days - limit)
        return Condition(f"{name}_ms >= {limit}", elapsed, limit, elapsed - limit)

    def _facts(self, key: str, episode: Episode, at: int, days: int) -> dict[str, Value]:
        return {
            "last_event": Instant(episode.at),
            "silence_days": days,
            "elapsed_s": (at - episode.at) // 1000,
            "key": key or None,
            "label": episode.label or None,
        }

    def _key(self, key: str, episode: Episode) -> str:
        return f"{key}|{stamp(episode.at)}" if key else stamp(episode.at)


def _episode(fact: Fact) -> Episode:
    return Episode(fact.at, fact.day, 0, fact.label, fact.origin)


def _bound(met: dict[str, int]) -> None:
    if len(met) > MOST_KEYS:
        del met[min(met, key=lambda name: (met[name], name))]
