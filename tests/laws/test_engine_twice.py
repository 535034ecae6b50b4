"""What comes twice counts once: a zombie's journal records, a producer's retries; and a recreated topic is another."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, MINUTE
from stream.domain.events import Order, Record
from stream.shell.logfile import Recorded
from stream.shell.replay import Collected, Replay
from tests.builders import Happening, journal, journaled, posting, run, ticked
from tests.histories import histories, sequenced, skewed
from tests.laws.bank import RETAIL, RICH, happenings, heard, outcomes, reconcile, sound, walled


@settings(max_examples=100)
@given(histories(), st.data())
def test_second_delivery_of_the_same_coordinates_changes_nothing(events: list[Happening], data: st.DataObject) -> None:
    """A zombie ingest journals a stretch again: it is filtered and counted, also after a restart."""
    first = [journaled(event.line(), place, event.seen, Order.WALL, "in.txn") for place, event in enumerate(events)]
    records = list(first)
    for _ in range(3):
        cut = data.draw(st.integers(1, len(records)))
        seen = [record for record in records[:cut] if record in first]
        start = data.draw(st.integers(0, len(seen) - 1))
        records[cut:cut] = seen[start:]
    end = ticked(dict.fromkeys({event.topic for event in events}, events[-1].seen + 40 * DAY))

    got = run(RICH.engine, journal([*records, end]), chunk=5, restart_every=1)

    want = run(RICH.engine, journal([*first, end]))
    assert got.triggers == want.triggers
    assert got.counts["filtered", "DUPLICATE_DELIVERY"] == len(records) - len(first)
    reconcile(got)


def test_same_offset_of_another_incarnation_is_another_record() -> None:
    """A topic that was recreated begins at offset 0 again."""
    records = [journaled(posting(0, id=f"E{place}").line(), 0, 0, Order.WALL, "in.txn") for place in range(2)]
    recreated = records[1]._replace(headers=[("kairos_src", b"in.txn|0|1|0|0|w")])

    got = run(RICH.engine, journal([records[0], recreated, recreated]))

    assert (got.counts["outcome", "processed"], got.counts["outcome", "filtered"]) == (2, 1)


def test_retry_of_a_producer_is_known_within_the_horizon() -> None:
    """The same source and id again, at other coordinates, is one event; of sixteen events one is still remembered."""
    others = [posting(MINUTE * place, id=f"E{place}") for place in range(16)]
    again, older = posting(HOUR, id="E1"), posting(2 * HOUR, id="E0")

    got = run(RICH.engine, journal(sequenced([*others, again, older])))

    assert got.counts["filtered", "DUPLICATE_EVENT"] == 2
    assert got.counts["outcome", "processed"] == 16


def test_retries_of_a_producer_change_nothing() -> None:
    """The same source and id again, recorded a little later at another line: filtered, or unhandled again."""
    log, whole = RETAIL.log, heard(*RETAIL.run)
    chance, again = Random(5), list[tuple[int, Recorded]]()
    for place, line in enumerate(log):
        behind = min(place + chance.randint(1, 9), len(log) - 1)
        is_sound = b'"source":"poison"' not in line.line
        if chance.random() < 0.1 and is_sound and log[behind].at > line.at:
            again.append((behind, line._replace(at=log[behind].at, number=10**6 + place)))
    retried = sorted([*enumerate(log), *again], key=lambda placed: placed[0])

    sink = Collected()
    counts = Replay(RETAIL.engine, sink).run([line for _, line in retried])
    got = heard(sink.outputs, counts)

    more = {name: got.outcomes.get(name, 0) - whole.outcomes.get(name, 0) for name in got.outcomes}
    assert len(again) > 500
    assert got[:3] == whole[:3]
    assert more == {"processed": 0, "dead": 0, "unhandled": more.get("unhandled", 0), "filtered": more["filtered"]}
    assert more["filtered"] + more["unhandled"] == len(again)
    assert more["filtered"] > 400


@pytest.mark.parametrize("order", [Order.WALL, Order.RECORDED])
@pytest.mark.parametrize("restart", [0, 1])
def test_same_coordinates_again_are_filtered(order: Order, restart: int) -> None:
    """A zombie ingest journals stretches again, ticks and all, bad lines and all: filtered, counted, without effect."""
    log = RETAIL.log
    if order is Order.WALL:
        records = walled(log[:4000], 40)
    else:
        records = journal(skewed(happenings(sound(log[:4000])), Random(1), 60, 0.3, log[4000].at))
    chance, doubled, extra = Random(8), list[Record](), 0
    for place, record in enumerate(records):
        doubled.append(record)
        if chance.random() < 0.02:
            stretch = records[max(0, place - chance.randint(0, 80)) : place + 1]
            doubled += stretch
            extra += sum(each.value != b"" for each in stretch)

    got, want = run(RETAIL.engine, journal(doubled), 300, restart), run(RETAIL.engine, records)

    assert extra > 1000
    assert (got.triggers, got.dead) == (want.triggers, want.dead)
    assert got.counts["filtered", "DUPLICATE_DELIVERY"] == extra
    assert sum(outcomes(got).values()) == sum(outcomes(want).values()) + extra
    assert outcomes(got)["processed"] == outcomes(want)["processed"]
