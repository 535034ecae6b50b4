"""An old log through Kafka says what the replay of the log says.

The log is split over its source topics; each comes in its own order, but they run days apart. Ticks are true proofs.
"""

from __future__ import annotations

from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import HOUR
from stream.domain.events import Order, Record
from stream.engine import partition
from stream.engine.engine import Engine
from stream.simulator import Bank
from stream.wire.instants import Instants
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

END = 40 * 86_400_000
APP, TXN = "in.app", "in.txn"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(rich_pack(), "replay")


def _read(lines: list[bytes]) -> list[Happening]:
    """A log's lines as happenings; as `publish` stamps it, each line says where it stood."""
    parse, events = Instants().parse, []
    for place, line in enumerate(lines, 1):
        fields = orjson.loads(line)
        kind, at, seen = fields["type"].removesuffix(".v1"), parse(fields["time"]), parse(fields["recordedtime"])
        about = {"recorded": seen, "source": fields["source"], "sequence": fields.get("sequence")}
        about["extra"] = {"kairosorigin": f"log:{place}"}
        events.append(Happening(kind, at, fields["data"], fields["subject"], fields["id"], **about))
    return events


@pytest.fixture(scope="module")
def log() -> list[Happening]:
    return _read(list(Bank(80, 70, seed=3).events()))


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


@settings(derandomize=True, deadline=None, max_examples=150)
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
