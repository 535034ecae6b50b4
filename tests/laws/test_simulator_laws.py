"""What holds for every simulated bank: the same bytes, the order, the chain of balances, independence."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import defaultdict
from datetime import date
from itertools import pairwise
from typing import Any

import orjson
import pytest

from stream.domain.events import Coordinates, Event, Order
from stream.domain.money import minor
from stream.simulator import Bank
from stream.wire.decode import Decoder
from stream.wire.instants import Instants

PROGRAM = """
import hashlib
from stream.simulator import Bank, poison
digest = hashlib.sha256()
for _, line in poison(Bank(60, 70, seed=11).events(), 0.05, seed=3):
    digest.update(line)
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return list(Bank(400, 100, seed=5).events())


@pytest.fixture(scope="module")
def events(lines: list[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in lines]


@pytest.fixture(scope="module")
def by_time(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All events in order of their own time: one zone without shifts, so the text compares."""
    return sorted(events, key=lambda event: str(event["time"]))


def _digest_under(hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_same_seed_same_bytes_under_any_hash_seed() -> None:
    """Two processes with different PYTHONHASHSEED write the same bytes."""
    assert _digest_under("1") == _digest_under("4242")


def test_bytes_do_not_change_unnoticed() -> None:
    """Whoever changes what the bank does changes this digest on purpose, and says so in the changelog."""
    digest = hashlib.sha256(b"\n".join(Bank(20, 45, seed=1).events())).hexdigest()

    assert digest[:16] == "69004d594bf5b2b3"


def test_another_seed_is_another_bank() -> None:
    """The seed matters."""
    assert list(Bank(20, 10, seed=1).events()) != list(Bank(20, 10, seed=2).events())


def test_recorded_time_never_falls(events: list[dict[str, Any]]) -> None:
    """The log is in the order of recording, and nothing is recorded before it happened."""
    parse = Instants().parse
    recorded = [parse(event["recordedtime"]) for event in events]
    happened = [parse(event["time"]) for event in events]

    assert all(earlier <= later for earlier, later in pairwise(recorded))
    assert all(0 <= seen - at <= 20 * 60_000 for seen, at in zip(recorded, happened, strict=True))


def test_recorded_time_never_falls_where_the_clock_is_put_forward() -> None:
    """A day of 23 hours and one of 25 keep the order of instants, though not of texts."""
    parse = Instants().parse
    for start in (date(2026, 3, 27), date(2026, 10, 23)):
        log = [orjson.loads(line) for line in Bank(150, 5, seed=2, start=start, zone="Europe/Paris").events()]
        recorded = [parse(event["recordedtime"]) for event in log]
        assert all(earlier <= later for earlier, later in pairwise(recorded))
        assert len({event["time"][-6:] for event in log}) == 2


def test_ids_are_unique(events: list[dict[str, Any]]) -> None:
    """No two events share an id, and no two of one customer an instant."""
    assert len({event["id"] for event in events}) == len(events)
    assert len({(event["subject"], event["time"]) for event in events}) == len(events)


def test_balances_are_a_chain(by_time: list[dict[str, Any]]) -> None:
    """Each balance is the one before plus the amount; none is negative; opening balances start the chain."""
    balances: dict[str, int] = {}
    for event in by_time:
        data = event["data"]
        if event["type"] == "account.balance.closed.v1":
            closing = minor(data["closing_balance"]["amount"], 2)
            assert balances.setdefault(data["account_ref"], closing) == closing
        elif event["type"] == "txn.entry.posted.v1":
            size = minor(data["amount"]["amount"], 2)
            signed = size if data["credit_debit_indicator"] == "CRDT" else -size
            before = balances.get(data["account_ref"], 0)
            after = balances[data["account_ref"]] = minor(data["balance_after"]["amount"], 2)
            assert size > 0
            assert before + signed == after >= 0


def test_each_day_with_movement_is_closed_once(events: list[dict[str, Any]]) -> None:
    """A closing balance per account and booking date with entries, and (but for the opening) no other."""
    moved = {(e["data"]["account_ref"], e["data"]["booking_date"]) for e in events if "balance_after" in e["data"]}
    closed = [
        (e["data"]["account_ref"], e["data"]["business_date"])
        for e in events
        if e["type"] == "account.balance.closed.v1" and e["data"]["business_date"] != "2026-01-04"
    ]

    assert len(closed) == len(set(closed))
    assert set(closed) == moved


def test_more_customers_leave_the_others_alone(lines: list[bytes]) -> None:
    """The events of customers 1 to 100 of a bank of 400 are those of a bank of 100, in the same order."""
    few = list(Bank(100, 100, seed=5).events())

    assert few == [line for line in lines if int(line.split(b'"subject":"C')[1][:7]) <= 100]


def test_more_days_leave_the_others_alone(lines: list[bytes]) -> None:
    """A longer run tells all that a shorter one tells, in the same order."""
    short = list(Bank(400, 30, seed=5).events())
    told = set(short)

    assert short == [line for line in lines if line in told]


def test_every_line_is_an_event(lines: list[bytes]) -> None:
    """The decoder takes every line whole: no reject, no unknown field."""
    decoder, parse = Decoder(), Instants().parse
    for number, line in enumerate(lines, 1):
        recorded = parse(line.split(b'"recordedtime":"')[1][:29].decode())
        event = decoder.from_json(line, Coordinates("log.jsonl", 0, 0, number, recorded, Order.SEQUENCED))
        assert isinstance(event, Event), event
        assert event.unknown == 0


def test_customers_fall_silent_and_some_return(by_time: list[dict[str, Any]]) -> None:
    """Silences of more than 30 days exist, both those that end and those that do not within the run."""
    own: dict[str, list[int]] = defaultdict(list)
    for event in by_time:
        if event["type"].startswith("app.") or "channel" in event["data"]:
            own[event["subject"]].append(date.fromisoformat(event["time"][:10]).toordinal())
    last = date.fromisoformat(by_time[-1]["time"][:10]).toordinal()
    ended = sum(later - earlier > 30 for days in own.values() for earlier, later in pairwise(days))
    open_ended = sum(last - days[-1] > 30 for days in own.values())

    assert ended >= 10
    assert open_ended >= 10
