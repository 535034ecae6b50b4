"""An old log through Kafka says what the replay of the log says.

The log is split over its source topics; each comes in its own order, but they run days apart. Ticks are true proofs.
"""

from __future__ import annotations

from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine import partition
from stream.engine.engine import Engine
from stream.simulator import Bank
from stream.wire.instants import Instants
from tests.builders import Happening, Said, journal, replayed, rich_pack, run
from tests.histories import histories, skewed

END = 40 * 86_400_000


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


@pytest.mark.parametrize("most", [1, 3])
def test_slices_of_a_tick_change_nothing(
    engine: Engine, log: list[Happening], from_log: Said, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick worked off one or three customers at a time, with a restart between slices, says the same."""
    records = journal(skewed(log, Random(9), 200, 0.2, log[-1].seen))
    monkeypatch.setattr(partition, "SLICE", most)

    got = run(engine, records, chunk=300, restart_every=97)

    assert got.triggers == from_log.triggers
