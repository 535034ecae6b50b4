"""An old log through Kafka says what the replay of the log says.

The log is split over its source topics; each comes in its own order, but they run days apart. Ticks are true proofs.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, MINUTE
from stream.domain.events import Order, Record, Tick
from stream.engine import partition
from stream.engine.engine import Engine, tick_header
from stream.simulator import Bank
from stream.wire.registry import SOURCES
from tests.builders import (
    CREDIT,
    Happening,
    Said,
    action,
    dormancy,
    instant,
    journal,
    journaled,
    journey,
    numbered,
    pack,
    posting,
    replayed,
    rich_pack,
    run,
    ticked,
)
from tests.histories import histories, skewed
from tests.laws.bank import happenings
from tests.laws.walltime import FUNNEL, LATE_FUNNEL

END = 40 * DAY
APP, TXN = "in.app", "in.txn"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(rich_pack(), "replay")


@pytest.fixture(scope="module")
def log() -> list[Happening]:
    return happenings(Bank(40, 70, seed=3).events())


@pytest.fixture(scope="module")
def from_log(engine: Engine, log: list[Happening]) -> Said:
    return replayed(engine, [event.line() for event in log])


@pytest.mark.parametrize("burst", [3, 60, 900])
def test_skewed_sources_say_what_the_log_says(engine: Engine, log: list[Happening], from_log: Said, burst: int) -> None:
    """Sources that run minutes or weeks apart give the triggers and suppressions of the log, byte for byte."""
    records = journal(skewed(log, Random(burst), burst, 0.5, log[-1].seen))

    got = run(engine, records, chunk=500)

    assert len(from_log.types) >= 14
    assert got.triggers == from_log.triggers


@settings(derandomize=True, deadline=None, max_examples=100)
@given(histories(), st.integers(0, 2**32), st.sampled_from([1, 5, 40]))
def test_any_history_says_what_its_log_says(events: list[Happening], seed: int, burst: int) -> None:
    """Late events, equal instants, retries, idle sources, restarts after every chunk: still the same bytes."""
    engine, end = Engine(rich_pack(), "replay"), events[-1].seen + END
    records = journal(skewed(events, Random(seed), burst, 0.5, end))

    got = run(engine, records, chunk=7, restart_every=1)

    want = replayed(engine, [event.line() for event in events], until=end)
    assert got.triggers == want.triggers


def test_a_source_that_stopped_proves_no_absence_and_stops_no_other() -> None:
    """Without its marker an idle source is passed over by held events and by absences that do not listen to it."""
    engine = Engine(pack({"journey": journey(), "dormancy": dormancy(after=CREDIT)}))
    begun, left, money, done = numbered(
        [
            action(instant(0), "one", subject="C1"),
            action(instant(0), "one", subject="C2"),
            posting(instant(0), subject="C3"),
            action(instant(0) + HOUR, "complete", subject="C1"),
        ]
    )
    before = [*recorded_of(APP, [begun, left]), *recorded_of(TXN, [money])]
    stopped = ticked({TXN: instant(7), APP: instant(0) - 1}, [APP])
    after = [recorded_of(APP, [begun, left, done])[2], ticked(dict.fromkeys(SOURCES, instant(7)))]

    meanwhile = run(engine, journal([*before, stopped]))
    out = run(engine, journal([*before, stopped, *after]))

    assert meanwhile.types == {"dormancy.entering": 1}
    assert out.types == {"dormancy.entering": 1, "journey.abandoned": 1}


def recorded_of(topic: str, events: list[Happening]) -> list[Record]:
    """One source's events as ingest journals those of an old log."""
    return [journaled(each.line(), place, each.seen, Order.RECORDED, topic) for place, each in enumerate(events)]


@pytest.mark.parametrize("most", [1, 3])
def test_slices_of_a_tick_change_nothing(
    engine: Engine, log: list[Happening], from_log: Said, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick worked off one or three customers at a time, with a restart between slices, says the same."""
    records = journal(skewed(log, Random(9), 200, 0.2, log[-1].seen))
    monkeypatch.setattr(partition, "SLICE", most)

    got = run(engine, records, chunk=300, restart_every=97)

    assert got.triggers == from_log.triggers


# --- proofs, and what is none


def test_zombie_tick_does_not_release_an_old_log() -> None:
    """Under the recorded clock a stale idle flag must not meet what newer ticks have proven of the others."""
    others = [name for name in SOURCES if name not in (APP, TXN)]
    begun, answer = numbered([action(instant(0), "one"), action(instant(0) + HOUR, "complete")])
    now = ticked({TXN: instant(5), APP: instant(0) + 1}, others)
    zombie = ticked({TXN: instant(0) - DAY, APP: instant(0) - DAY}, [*others, APP])
    held = [journaled(each.line(), place, each.seen, Order.RECORDED, APP) for place, each in enumerate([begun, answer])]
    end = ticked({TXN: instant(9), APP: instant(9)}, others)

    out = run(FUNNEL, journal([held[0], now, zombie, held[1], end]))

    assert out.triggers == []


def test_held_answer_comes_before_the_deadline_after_it() -> None:
    """Under the recorded clock a source far ahead of the others fires nothing past the events it has itself brought.

    The failing log line of a false abandonment: `in.app` proven to day 5, `in.txn` still at day 0.
    """
    others = [name for name in SOURCES if name not in (APP, TXN)]
    begun, answer = numbered([action(instant(0), "one"), action(instant(0) + HOUR, "complete")])
    held = [journaled(each.line(), place, each.seen, Order.RECORDED, APP) for place, each in enumerate([begun, answer])]
    skewed = ticked({TXN: instant(0) + 1, APP: instant(5)}, others)
    end = ticked({TXN: instant(9), APP: instant(9)}, others)

    out = run(FUNNEL, journal([*held, skewed, end]))

    assert out.triggers == []


def test_idle_sources_hold_nobody_back_and_unknown_ones_do() -> None:
    """Under the recorded clock: a source nobody has spoken of has proven nothing; one called idle passes."""
    held = journaled(action(instant(0), "one").line(), 0, instant(0), Order.RECORDED, APP)
    others = [name for name in SOURCES if name != APP]

    alone = Record(0, None, b"", [tick_header(Tick({APP: instant(9)}, frozenset(others[1:])))])
    unknown = run(FUNNEL, journal([held, alone]))
    idle = run(FUNNEL, journal([held, ticked({APP: instant(9)}, others)]))

    assert (len(unknown.triggers), len(idle.triggers)) == (0, 1)


def test_event_recorded_as_the_deadline_passes_comes_before_it() -> None:
    """In an old log, live and replayed: recorded at the very instant deadline + lateness, it still cancels."""
    start = instant(0)
    answer = action(start + 2 * HOUR - 1, "complete", recorded=start + 2 * HOUR + 30 * MINUTE)
    events = numbered([action(start, "one"), answer])
    held = [journaled(each.line(), place, each.seen, Order.RECORDED, APP) for place, each in enumerate(events)]

    live = run(LATE_FUNNEL, journal([*held, ticked({APP: start + DAY})]))
    log = replayed(LATE_FUNNEL, [each.line() for each in events], until=start + DAY)

    assert (live.triggers, log.triggers) == ([], [])
