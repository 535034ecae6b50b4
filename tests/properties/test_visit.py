"""A visit in C (`deploy/native/visit.pyx`) is the Python's: the same rows, outputs, counts and alarms, or it is left to it.

Run by `make test-compiled`; from the sources there is nothing to compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.days import DAY
from stream.domain.events import JournalRecord, Order, Record, Tick
from stream.domain.native import visit
from stream.engine.engine import Engine, tick_header
from stream.engine.partition import Partition
from stream.packs.loader import load
from stream.packs.spec import Pack
from stream.wire.registry import SOURCES
from tests.builders import START, Happening, action, emit, journal, journaled, opt_out, pack, posting, rich_pack, ticked
from tests.histories import histories, sequenced, skewed
from tests.laws import bank

pytestmark = pytest.mark.skipif(visit() is None, reason="the core is not compiled: make test-compiled")

JOB_J = Path(__file__).parents[1] / "bench" / "jobj" / "pack" / "pack.yaml"
CONDITIONS: list[list[dict[str, Any]]] = [
    [{"field": "bank_tx_code", "present": False}],
    [{"field": "bank_tx_code", "present": True}, {"field": "bank_tx_code.sub_family", "not_in": ["SALA"]}],
    [{"field": "booking_date", "present": True}],
    [{"field": "balance_after", "at_least": "1000"}],
    [{"field": "amount", "at_most": "1000.00"}, {"field": "balance_after", "present": True}],
    [{"field": "channel", "in": ["ONLINE"]}, {"field": "counterparty", "present": False}],
]
"""Of each kind that there is."""


def asking() -> Pack:
    """Who is told of an event depends on all that a condition may ask."""
    rule = {"mechanism": "count", "period": "month", "emits": {"almost": emit("points.almost_double")}}
    inputs = [{"inputs": [{"on": "txn.entry.posted", "where": each}]} for each in CONDITIONS]
    targets = {"targets": [{"moment": "almost", "number": 2}]}
    return pack({f"asks_{place}": {**rule, **each, **targets} for place, each in enumerate(inputs)})


PACKS = {"retail_bank": load(), "rich": rich_pack(), "job_j": load(JOB_J), "asking": asking()}
ENGINES = {name: Engine(each) for name, each in PACKS.items()}
each_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)


class Counting:
    """A visitor, and how often it did what it was asked to."""

    def __init__(self, visitor: Any) -> None:
        self._visitor = visitor
        self.answers: Counter[tuple[str, bool]] = Counter()

    def __getattr__(self, name: str) -> object:
        return getattr(self._visitor, name)

    def visits(self, told: object, place: int, *about: object) -> int:
        reached: int = self._visitor.visits(told, place, *about)
        refused = self._visitor.row is None
        self.answers["visit", True] += reached - place - refused
        self.answers["visit", False] += refused
        return reached

    def visit(self, *about: object) -> bytes | None:
        return self._counted("visit", *about)

    def wake(self, *about: object) -> bytes | None:
        return self._counted("wake", *about)

    def _counted(self, name: str, *about: object) -> bytes | None:
        row: bytes | None = getattr(self._visitor, name)(*about)
        self.answers[name, row is not None] += 1
        return row


def decided_alike(engine: Engine, records: Sequence[JournalRecord], chunk: int) -> Counter[tuple[str, bool]]:
    """How often C did what it was asked to; fails where a decision or an alarm is another one with it."""
    quick, slow = Partition(engine, 0), Partition(engine, 0)
    counting = quick._native = Counting(quick._native)
    slow._native = None
    place = 0
    while place < len(records):
        part = records[place : place + chunk]
        one, other = quick.decide(part), slow.decide(part)
        assert one == other
        assert (quick._alarms._queued, quick._alarms._known) == (slow._alarms._queued, slow._alarms._known)
        for partition, decision in ((quick, one), (slow, other)):
            partition.accept(decision)
        place += one.consumed
    return counting.answers


def walled(events: list[Happening], chance: Random) -> list[JournalRecord]:
    """The history as ingest writes it live, with true proofs here and there; some sources lag."""
    records: list[JournalRecord] = []
    offsets: Counter[str] = Counter()
    for event in events:
        records.append(journaled(event.line(), offsets[event.topic], event.seen, Order.WALL, event.topic))
        offsets[event.topic] += 1
        if chance.random() < 0.4:
            lag = chance.choice([0, 0, 3_600_000, 5 * 86_400_000])
            records.append(ticked({topic: event.seen - 1 - (lag if topic == "in.app" else 0) for topic in SOURCES}))
    return journal([*records, ticked(dict.fromkeys(SOURCES, events[-1].seen + 200 * 86_400_000))])


@each_engine
@given(histories(), st.sampled_from([1, 3, 1000]))
def test_a_log_of_its_own_order_is_decided_alike(engine: Engine, events: list[Happening], chunk: int) -> None:
    decided_alike(engine, journal([*sequenced(events), ticked({"*": events[-1].seen + 200 * 86_400_000})]), chunk)


@each_engine
@given(histories(), st.integers(0, 10**6), st.sampled_from([1, 3, 1000]))
def test_live_events_are_decided_alike(engine: Engine, events: list[Happening], seed: int, chunk: int) -> None:
    decided_alike(engine, walled(events, Random(seed)), chunk)


@each_engine
@given(histories(), st.integers(0, 10**6), st.sampled_from([1, 3, 1000]), st.sampled_from([(), ("in.account",), ("in.app",)]))
def test_an_old_log_is_decided_alike(
    engine: Engine, events: list[Happening], seed: int, chunk: int, idle: tuple[str, ...]
) -> None:
    """Its sources in step or not, one of them idle or not."""
    end = events[-1].seen + 200 * 86_400_000
    records = [
        record._replace(headers=(tick_header(Tick({**tick.clock, **dict.fromkeys(idle, events[0].seen)}, frozenset(idle))),))
        if isinstance(tick := engine.read(record).item, Tick)
        else record
        for record in skewed(events, Random(seed), 6, 0.4, end)
    ]
    decided_alike(engine, journal(records), chunk)


def test_a_held_event_is_heard_though_an_older_deadline_waits_for_a_source_that_stopped() -> None:
    """Its own alarm is set, also where the one that the row has had is older."""
    engine, later = ENGINES["retail_bank"], START + 6 * DAY
    step, paid = action(START, "one", "loan", recorded=START), posting(later, 1_000, recorded=later)

    def proof(at: int) -> Record:
        return ticked({**dict.fromkeys(SOURCES, at), "in.app": START}, idle=["in.app"])

    records = [
        journaled(replace(step, id="E1").line(), 0, START, Order.RECORDED, "in.app"),
        proof(START + 5 * DAY),
        journaled(replace(paid, id="E2").line(), 0, later, Order.RECORDED, "in.txn"),
        proof(later + DAY),
    ]

    decided_alike(engine, journal(records), 1)


def test_what_was_said_before_a_step_that_is_the_pythons_is_said_once() -> None:
    """The visit is begun anew when it comes to the opt-out, and says no more than the Python would."""
    engine = ENGINES["rich"]
    first, last = (posting(START + later, balance=balance, id=f"E{later}") for later, balance in ((0, 300_000), (2, 10**9)))
    events = [first, opt_out(START + 1, id="E1"), last]
    offsets = Counter[str]()
    records = []
    for event in events:
        records.append(journaled(event.line(), offsets[event.topic], event.seen, Order.WALL, event.topic))
        offsets[event.topic] += 1

    decided_alike(engine, journal(records), 1000)

    said = Partition(engine, 0).decide(journal(records)).outputs
    assert {output.topic for output in said} >= {"out.trigger.tier", "out.suppressed"}
    assert len({dict(output.headers)["ce_id"] for output in said}) == len(said)


@each_engine
@pytest.mark.parametrize("order", [Order.WALL, Order.SEQUENCED])
def test_a_bank_is_decided_alike_and_nearly_all_in_c(engine: Engine, order: Order) -> None:
    """Were next to nothing done in C, the laws above would hold by themselves."""
    log = bank.simulated(60, 90)
    records = bank.walled(log, 50) if order is Order.WALL else bank.sequenced(log)

    answers = decided_alike(engine, records, 500)

    done, left = (sum(times for (_, in_c), times in answers.items() if in_c is which) for which in (True, False))
    assert done > 100 * left, answers
