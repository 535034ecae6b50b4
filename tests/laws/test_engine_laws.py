"""Laws of the engine over logs in canonical order: the same sorted outputs, however the work is cut.

The histories come from hypothesis (late, equal, retried); the larger log is a simulated bank.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, MINUTE
from stream.domain.events import Order, Record
from stream.engine import partition
from stream.engine.clock import EVERY
from stream.engine.engine import Engine
from stream.simulator import Bank, poison
from tests.builders import (
    START,
    Happening,
    Said,
    arrears,
    dormancy,
    journal,
    journaled,
    opt_out,
    pack,
    posting,
    replayed,
    rich_pack,
    run,
    ticked,
    tier,
)
from tests.histories import histories, sequenced

ENGINE = Engine(rich_pack(), "replay")
PROGRAM = """
import hashlib
from tests.laws.test_engine_laws import digest
print(digest())
"""


def bank() -> list[bytes]:
    return [line for _, line in poison(Bank(80, 60, seed=4).events(), 0.01, seed=2)]


def digest() -> str:
    """Of everything a simulated log brings about."""
    out = replayed(Engine(rich_pack(), "replay"), [line for _, line in poison(Bank(25, 40, seed=4).events(), 0.02, seed=2)])
    return hashlib.sha256(repr((out.triggers, out.dead)).encode()).hexdigest()


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return bank()


@pytest.fixture(scope="module")
def whole(lines: list[bytes]) -> Said:
    return replayed(ENGINE, lines)


@pytest.mark.parametrize(("partitions", "chunk"), [(1, 1), (1, 7), (2, 4000), (8, 4000)])
def test_bank_says_the_same_in_any_cut(lines: list[bytes], whole: Said, partitions: int, chunk: int) -> None:
    """Chunks of 1, 7, all; 1, 2, 8 partitions."""
    got = replayed(ENGINE, lines, partitions, chunk)

    assert len(whole.types) > 14
    assert (got.triggers, got.dead) == (whole.triggers, whole.dead)
    assert _outcomes(got) == _outcomes(whole)


def test_hash_seed_does_not_matter() -> None:
    """Two processes with different PYTHONHASHSEED say the same bytes."""
    digests = set()
    for seed in ("1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout.strip())

    assert digests == {digest()}


@settings(max_examples=100)
@given(histories(), st.sampled_from([(1, 1), (1, 7), (2, 3), (8, 40)]))
def test_any_history_says_the_same_in_any_cut(events: list[Happening], cut: tuple[int, int]) -> None:
    """The same for late, equal and retried events."""
    lines, end = [event.line() for event in events], events[-1].seen + 40 * DAY

    got = replayed(ENGINE, lines, *cut, until=end)

    want = replayed(ENGINE, lines, until=end)
    assert (got.triggers, got.dead) == (want.triggers, want.dead)


@settings(max_examples=100)
@given(histories(), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32))
def test_restart_at_any_boundary_and_any_grid_of_ticks(events: list[Happening], chunk: int, every: int, seed: int) -> None:
    """A new owner reads rows and ledger and goes on; ticks may come as often or as rarely as they like."""
    end, chance = events[-1].seen + 40 * DAY, Random(seed)
    records: list[Record] = []
    for place, record in enumerate(sequenced(events)):
        if place and chance.random() < 0.5:
            at = chance.randint(events[place - 1].seen - DAY, events[place].seen - 1)
            records.append(ticked({EVERY: at}))
        records.append(record)
    final = ticked({EVERY: end})

    got = run(ENGINE, journal([*records, final]), chunk, restart_every=every)

    want = run(ENGINE, journal([*sequenced(events), final]))
    assert (got.triggers, got.dead) == (want.triggers, want.dead)


@pytest.mark.parametrize("most", [1, 3])
def test_slices_change_nothing(most: int, lines: list[bytes], whole: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A herd of deadlines worked off few at a time says the same."""
    monkeypatch.setattr(partition, "SLICE", most)

    got = replayed(ENGINE, lines)

    assert got.triggers == whole.triggers


@settings(max_examples=60)
@given(histories(most=25), st.integers(1, 3), st.integers(1, 2))
def test_restart_between_slices(events: list[Happening], most: int, every: int) -> None:
    """A worker that dies in the middle of a tick leaves the rest of it to the next."""
    final = ticked({EVERY: events[-1].seen + 40 * DAY})
    records = journal([*sequenced(events), final])
    want = run(ENGINE, records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "SLICE", most)

        got = run(ENGINE, records, restart_every=every)

    assert got.triggers == want.triggers


# --- duplicates


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

    got = run(ENGINE, journal([*records, end]), chunk=5, restart_every=1)

    want = run(ENGINE, journal([*first, end]))
    assert got.triggers == want.triggers
    assert got.counts["filtered", "DUPLICATE_DELIVERY"] == len(records) - len(first)
    _reconcile(got)


def test_same_offset_of_another_incarnation_is_another_record() -> None:
    """A topic that was recreated begins at offset 0 again."""
    records = [journaled(posting(0, id=f"E{place}").line(), 0, 0, Order.WALL, "in.txn") for place in range(2)]
    recreated = records[1]._replace(headers=[("kairos_src", b"in.txn|0|1|0|0|w")])

    got = run(ENGINE, journal([records[0], recreated, recreated]))

    assert (got.counts["outcome", "processed"], got.counts["outcome", "filtered"]) == (2, 1)


def test_retry_of_a_producer_is_known_within_the_horizon() -> None:
    """The same source and id again, at other coordinates, is one event; of sixteen events one is still remembered."""
    others = [posting(MINUTE * place, id=f"E{place}") for place in range(16)]
    again, older = posting(HOUR, id="E1"), posting(2 * HOUR, id="E0")

    got = run(ENGINE, journal(sequenced([*others, again, older])))

    assert got.counts["filtered", "DUPLICATE_EVENT"] == 2
    assert got.counts["outcome", "processed"] == 16


# --- counts


def _outcomes(out: Said) -> dict[str, int]:
    return {key[1]: number for key, number in out.counts.items() if key[0] == "outcome"}


def _reconcile(out: Said) -> None:
    """Everything read has one outcome; every candidate has one end."""
    counts = out.counts
    read = sum(number for key, number in counts.items() if key[0] == "read")
    assert sum(_outcomes(out).values()) == read
    candidates = sum(number for key, number in counts.items() if key[0] == "candidate")
    assert candidates == len(out.triggers)
    assert len(out.dead) == _outcomes(out).get("dead", 0)


@settings(max_examples=60)
@given(histories(), st.floats(0, 0.3), st.integers(0, 99))
def test_counts_reconcile_whatever_comes(events: list[Happening], share: float, seed: int) -> None:
    """processed + unhandled + dead + filtered = read, and every candidate is a trigger or suppressed."""
    spoiled = list(poison([event.line() for event in events], share, seed))

    got = replayed(ENGINE, [line for _, line in spoiled])

    _reconcile(got)
    assert Counter(code for _, code in got.dead) == Counter(why.value.encode() for why, _ in spoiled if why)


def test_bank_counts_reconcile(whole: Said, lines: list[bytes]) -> None:
    """The same for a whole bank with one line in a hundred bad."""
    _reconcile(whole)
    assert sum(_outcomes(whole).values()) == len(lines)


def test_bad_lines_do_not_touch_the_rest(whole: Said) -> None:
    """The triggers are those of the log without its bad lines, but for the line numbers they show."""
    clean = replayed(ENGINE, list(Bank(80, 60, seed=4).events()))

    assert clean.types == whole.types
    assert len(whole.dead) > 20


def test_record_that_ingest_did_not_journal_is_dead() -> None:
    """A record without source coordinates is a dead letter, counted as read."""
    got = run(ENGINE, journal([Record(0, b"C1", posting(0).line())]))

    assert [code for _, code in got.dead] == [b"NOT_CLOUDEVENT"]
    _reconcile(got)


# --- gates


SOLD = {"mechanism": "sequence", "first": [{"on": "card.issued"}], "then": [{"on": "txn.entry.posted"}], "within": "30d"}


def _pushed(**words: Any) -> Engine:
    """An engine whose every posting after a card is a sale to propose."""
    told = {"type": "payroll.leaking", "topic": "wealth", "purpose": "sales", "talk_track": "t", "zh": "是", "en": "yes"}
    details = {"outflow": "followed", "outflow_share": "share"}
    return Engine(pack({"sold": {**SOLD, "emits": {"completed": {**told, "details": details, **words}}}}))


def _reasons(engine: Engine, events: list[Happening]) -> list[list[str]]:
    out = run(engine, journal(sequenced(events)))
    return sorted(orjson.loads(each[3])["reasons"] for each in out.triggers if each[0] == b"out.suppressed")


def _card(at: int, **about: Any) -> Happening:
    return Happening("card.issued", at, {"card_kind": "DEBIT"}, id=f"K{at}", **about)


@pytest.mark.parametrize(
    ("before", "reasons"),
    [
        (arrears(DAY, 30), ["HARM_ARREARS"]),
        (opt_out(DAY), ["OPT_OUT_ALL"]),
        (opt_out(DAY, "wealth"), ["OPT_OUT_TOPIC"]),
    ],
)
def test_gate_refuses_and_says_why(before: Happening, reasons: list[str]) -> None:
    """Each gate's reason reaches the suppressed stream."""
    assert _reasons(_pushed(), [_card(0), before, posting(2 * DAY, id="P")]) == [reasons]


def test_all_gates_are_asked_after_a_refusal() -> None:
    """Every reason is recorded, in the gates' order."""
    events = [_card(0), arrears(DAY, 1, id="a"), opt_out(DAY, id="b"), opt_out(DAY, "wealth", id="c"), posting(2 * DAY, id="P")]

    assert _reasons(_pushed(), events) == [["HARM_ARREARS", "OPT_OUT_ALL", "OPT_OUT_TOPIC"]]


def test_cooldown_and_expiry_end_what_would_repeat_or_come_too_late() -> None:
    """The second within the cooldown is refused; an event recorded long after its time is expired."""
    events = [
        _card(0),
        posting(DAY, id="P1"),
        _card(2 * DAY),
        posting(3 * DAY, id="P2"),
        _card(20 * DAY),
        posting(21 * DAY, id="P3", recorded=25 * DAY),
    ]

    assert _reasons(_pushed(cooldown="5d", expires="3d"), events) == [["COOLDOWN"], ["EXPIRED"]]


# --- rows


@pytest.mark.parametrize("words", [{"evaluate": "close"}, {"evaluate": "event"}])
def test_row_of_an_active_customer_does_not_grow(words: dict[str, str]) -> None:
    """Two years of daily bookings take no more than two weeks of them, judged at the close or per event."""
    rules = {"tier": tier(**words), "dormancy": dormancy()}
    engine = Engine(pack(rules, {"aum": {"kind": "balances"}}))

    def row_bytes(days: int) -> int:
        daily = [posting(START + day * DAY, 1, 250_000 + day, channel="ONLINE", id=f"E{day}") for day in range(days)]
        last = partition.Partition(engine, 0)
        last.accept(last.decide(journal(sequenced(daily))))
        return last.row_bytes

    assert row_bytes(730) <= row_bytes(20) + 50
