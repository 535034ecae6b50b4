"""A pack that changed under its rows: what is due by the new pack is due, whoever was waiting by the old one."""

from __future__ import annotations

from typing import Any

import pytest

from stream.domain.days import DAY, HOUR
from stream.domain.events import Order
from stream.engine import partition as room
from stream.engine.engine import Engine
from stream.engine.partition import LEDGER, Partition
from tests.builders import dormancy, instant, journal, journaled, pack, restored, session, ticked


def silent_for(days: int, **more: Any) -> Engine:
    """One deadline, so many dates after the last session."""
    stages = [{"moment": "entering", "days": days}]
    return Engine(pack({"dormancy": dormancy(stages=stages, ended=None)}, **more))


def told_at(first: Engine, second: Engine, at: int, customers: int = 1) -> int:
    """A session each is heard by the first pack, a tick by the second; how many triggers come of it."""
    begun = [session(instant(0), subject=f"C{number}") for number in range(customers)]
    heard = [journaled(each.line(), place, each.seen, Order.WALL, "in.app") for place, each in enumerate(begun)]
    sources = ("in.app", "in.txn")
    records = journal([*heard, ticked(dict.fromkeys(sources, instant(0, 13))), ticked(dict.fromkeys(sources, at))])
    decision = Partition(first, 0).decide(records[:-1])
    state, outputs, consumed = dict(decision.rows), 0, 0
    while not consumed:
        later = restored(second, state)
        decision = later.decide(records[-1:])
        consumed, outputs = decision.consumed, outputs + len(decision.outputs)
        state |= dict(decision.rows)
    marks = {raw[9:13] for key, raw in state.items() if key != LEDGER and raw is not None}
    assert marks == {second.plan.mark}
    return outputs


@pytest.mark.parametrize(("hours", "fired"), [(11, 0), (12, 1)])
def test_shorter_deadline_counts_for_those_who_waited_for_a_longer_one(hours: int, fired: int) -> None:
    """The session was at noon of day 0; five dates later the silence is over at midnight."""
    close = instant(5, 12) + hours * HOUR

    assert told_at(silent_for(20), silent_for(5), close) == fired


def test_shorter_lateness_counts_at_once() -> None:
    """Deadlines that waited for a day of lateness wait no longer."""
    assert told_at(silent_for(5, lateness="24h"), silent_for(5, lateness="0m"), instant(6, 0)) == 1


def test_longer_deadline_is_waited_for() -> None:
    """What was due by the old pack only is not due."""
    assert told_at(silent_for(5), silent_for(20), instant(0) + 19 * DAY) == 0


def test_new_owner_between_slices_finds_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """All customers are looked at once, also when the worker that began it dies after every decision."""
    monkeypatch.setattr(room, "SLICE", 2)

    assert told_at(silent_for(20), silent_for(5), instant(6), customers=7) == 7
