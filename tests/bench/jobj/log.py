"""The log of job J: seeded postings of many customers, one structured CloudEvent a line, and what must come of them.

Rule: made once for a number of events, of customers and a seed, kept under `.bench`; all contenders get the same bytes. A run
over a part of the log takes its first lines; every run ends with `closing` lines, each the last of its partition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, count, islice, product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
from aiokafka.partitioner import murmur2

from tests.bench.jobj import logic

HOME = Path(__file__).parents[3] / ".bench"
PARTITIONS = 2
START = 1_735_689_600_000
"""2025-01-01T00:00Z."""
SPAN, EACH = 90 * 86_400_000, 15
"""Customers have fifteen events in ninety days."""
SEED = 7
SAMPLE = 1000
SUBJECT = slice(103, 111)
"""Where a line names its customer."""


class Reference(NamedTuple):
    """What must come of a run.

    Attributes:
        told: How many triggers are told, those of one id as often as they come about.
        ids: The different ids.
        states: The state of sampled customers at the end.
    """

    told: int
    ids: frozenset[str]
    states: dict[str, logic.State]

    @property
    def digest(self) -> str:
        """Of the ids in order."""
        return digest(self.ids)


class Log(NamedTuple):
    """A log on disk. `path` holds the lines, `path.triggers` the number of a line and the id of a trigger it brings.

    With `everyone`, each customer has come once before anyone comes twice.
    """

    path: Path
    events: int
    customers: int
    everyone: bool = False

    def lines(self, first: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Lines by number, without line end."""
        with self.path.open("rb") as file:
            for line in islice(file, first, self.events if end is None else end):
                yield line[:-1]

    def run(self, events: int) -> Iterator[bytes]:
        """The lines of a run over the first so many."""
        last = b""
        for line in self.lines(0, events):
            yield line
            last = line
        yield from closing(orjson.loads(last)["time"])

    def triggers(self, first: int, end: int) -> list[tuple[int, str]]:
        """Line number and id of all triggers of these lines, in order."""
        with self.path.with_suffix(".triggers").open() as file:
            pairs = (line.rstrip("\n").split("\t") for line in file)
            return [(int(number), ident) for number, ident in pairs if first <= int(number) < end]

    def begun(self, events: int, early: int, seen: int) -> int:
        """How many of the first so many lines were worked off when ``early`` of the ``seen`` triggers were told.

        Customers come for the first time at the log's beginning, so triggers are dense there.
        """
        told = self.triggers(0, events)
        return told[early * len(told) // seen][0] if early < seen else events

    def reference(self, events: int, more: Iterable[bytes] = ()) -> Reference:
        """What must come of a run over the first so many lines; ``more`` are lines after it, the log's next and `last` ones."""
        more = list(more)
        own = sum(not line[SUBJECT].startswith(b"Z") for line in more)
        told = [ident for _, ident in self.triggers(0, events + own)]
        seen = sorted({line[SUBJECT] for line in self.lines(0, events)})
        sample = set(Random(SEED).sample(seen, min(SAMPLE, len(seen))))
        states: dict[str, logic.State] = {}
        for line in chain(self.run(events), more):
            subject = line[SUBJECT]
            if subject in sample or subject.startswith(b"Z"):
                event = orjson.loads(line)
                state = states.setdefault(event["subject"], logic.fresh())
                brought = logic.apply(state, event)
                told += [each["id"] for each in brought if subject.startswith(b"Z")]
        return Reference(len(told), frozenset(told), states)


def digest(ids: frozenset[str]) -> str:
    """Sixteen digits over the sorted ids."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]


def have(events: int, customers: int, everyone: bool = False) -> Log:
    """The log, made if it is not there yet."""
    HOME.mkdir(exist_ok=True)
    path = HOME / f"jobj-{events}-{customers}-{SEED}{'-everyone' if everyone else ''}.jsonl"
    log = Log(path, events, customers, everyone)
    if not path.exists():
        write(log)
    return log


def write(log: Log) -> None:
    """Lines and triggers in one pass; the names appear when both are whole."""
    states: dict[str, logic.State] = {}
    fresh = log.path.with_suffix(".new")
    brought = log.path.with_suffix(".triggers")
    with fresh.open("wb") as lines, brought.open("w") as triggers:
        for number, event in enumerate(events(log.events, log.customers, log.everyone)):
            lines.write(orjson.dumps(event) + b"\n")
            state = states.setdefault(event["subject"], logic.fresh())
            for each in logic.apply(state, event):
                triggers.write(f"{number}\t{each['id']}\n")
    fresh.rename(log.path)


def events(number: int, customers: int, everyone: bool = False) -> Iterator[dict[str, Any]]:
    """Postings in the order of time. A third are credits, a few of these fifty times as large; nobody overdraws."""
    dice = Random(SEED)
    order = Random(SEED).sample(range(customers), customers) if everyone else []
    balances: dict[int, int] = {}
    gap, at = 2 * SPAN / (customers * EACH), float(START)
    for place in range(number):
        at += 1 + dice.random() * gap
        customer = order[place] if place < len(order) else dice.randrange(customers)
        balance = balances.get(customer)
        if balance is None:
            balance = int(dice.lognormvariate(13.5, 2.0))
        credit, amount = dice.random() < 0.35, int(dice.lognormvariate(9.5, 1.3)) + 1
        if credit and dice.random() < 0.02:
            amount *= 50
        if not credit and amount > balance:
            credit = True
        balances[customer] = balance = balance + (amount if credit else -amount)
        channel, mcc = dice.choice(("MOBILE", "ONLINE", "POS", "COUNTER")), dice.choice(("5411", "5812", "4111", "5999"))
        yield posting(f"E{place:09d}", f"C{customer:07d}", stamp(int(at)), amount, credit, balance, channel, mcc)


def stamp(at: int) -> str:
    """RFC 3339 of UTC ms."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def posting(
    ident: str, subject: str, time: str, amount: int, credit: bool, balance: int, channel: str, mcc: str
) -> dict[str, Any]:
    """One event; amounts in cents."""
    return {
        "specversion": "1.0",
        "id": ident,
        "source": "core-banking",
        "type": "txn.entry.posted.v1",
        "subject": subject,
        "time": time,
        "data": {
            "account_ref": account(subject.encode()).decode(),
            "amount": money(amount),
            "credit_debit_indicator": "CRDT" if credit else "DBIT",
            "bank_tx_code": {
                "domain": "PMNT",
                "family": "RCDT" if credit else "CCRD",
                "sub_family": "OTHR" if credit else "POSD",
            },
            "channel": channel,
            "mcc": mcc,
            "balance_after": money(balance),
        },
    }


def money(minor: int) -> dict[str, str]:
    """Cents on the wire."""
    return {"amount": f"{minor // 100}.{minor % 100:02d}", "ccy": "CNY"}


def account(subject: bytes) -> bytes:
    """Each customer has one account."""
    return b"A" + subject


def partition(key: bytes) -> int:
    """As every Kafka client has it by default."""
    return int(murmur2(key) & 0x7FFFFFFF) % PARTITIONS


def closers(first: int = 0) -> list[str]:
    """Customers of whom there is one in each pair of a source partition (by account) and a partition by customer.

    Args:
        first: The least number that one of them has: others, for another end.
    """
    wanted, found = set(product(range(PARTITIONS), repeat=2)), []
    for number in count(first):
        subject = f"Z{number:07d}"
        where = partition(account(subject.encode())), partition(subject.encode())
        if where in wanted:
            wanted.remove(where)
            found.append(subject)
        if not wanted:
            return found
    raise AssertionError


def closing(time: str, first: int = 0) -> list[bytes]:
    """The last lines of a run: each customer of `closers` reaches the highest tier, a trigger that says all is done."""
    return [last(subject, time, first + place) for place, subject in enumerate(closers(first))]


def last(subject: str, time: str, number: int) -> bytes:
    """A line that surely brings a trigger: a customer never seen reaches the highest tier. ``number`` makes its id."""
    return orjson.dumps(posting(f"E9{number:08d}", subject, time, 100, True, 2 * logic.LEVELS[-1], "COUNTER", "5411"))
