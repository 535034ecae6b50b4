"""What the simulated bank sends: events of a few customers in all sources, late ones, retries, bad lines, transactions.

Rule: drawn from the seed alone; an event's time is the broker's time when it is sent, or before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from stream.domain.days import DAY, HOUR, MINUTE
from stream.shell.kafka.stamping import END
from stream.wire.registry import SOURCES
from tests.builders import Happening, action, arrears, card, closing, opt_out, posting, session
from tests.simulation.broker import Broker, Coordinator

PARTITIONS = {"in.txn": 2, "in.account": 1, "in.app": 2, "in.contact": 1}
"""Those that are written; the other sources exist and stay empty."""
CUSTOMERS = 12
STEPS = ("enter", "form", "confirm", "complete")
BAD = (
    b"not json",
    b"\xff\xfe\x00",
    b"{}",
    b"",
    b'{"specversion":"1.0","id":"X","source":"core","type":"no.such.thing.v1","subject":"C3","time":"2026-01-05T00:00:00Z","data":{}}',
    b'{"specversion":"1.0","id":"Y","source":"core","type":"app.session.started.v1","subject":"C4","time":"yesterday","data":{}}',
    b'{"specversion":"1.0","id":"Z","source":"core","type":"txn.entry.posted.v1","subject":"C5","time":"2026-01-05T00:00:00Z",'
    b'"data":{"account_ref":"A1","amount":{"amount":"1e99","ccy":"CNY"},"credit_debit_indicator":"CRDT"}}',
)
RETRIED = 40
"""A retry is of one of the last so many: some three of each customer, of which the engine knows more."""
OPEN = (0.3, 2.5)
"""Seconds that a transaction of the account system lasts."""


def _posting(random: Random, at: int, subject: str) -> Happening:
    way = random.choice(("CRDT", "DBIT"))
    code = random.choice(("SALA", None, None, "POSD"))
    minor = random.choice((20_000, 900_000, 180_000, 6_000_000, 50))
    balance = random.choice((None, 10_000, 190_000, 4_800_000, 5_200_000))
    channel = random.choice((None, "ONLINE"))
    account = f"A{random.randrange(2)}-{subject}"
    return posting(at, minor, balance, way, account, code=code, channel=channel)


def _card(random: Random, at: int, subject: str) -> Happening:
    return card(at)


def _closing(random: Random, at: int, subject: str) -> Happening:
    booked = f"2026-01-{random.randrange(4, 9):02d}"
    return closing(at, random.choice((0, 180_000, 210_000, 4_900_000, 5_100_000)), booked, f"A0-{subject}")


def _action(random: Random, at: int, subject: str) -> Happening:
    return action(at, random.choice(STEPS), random.choice(("loan", "fund")))


def _session(random: Random, at: int, subject: str) -> Happening:
    return session(at)


def _opt_out(random: Random, at: int, subject: str) -> Happening:
    return opt_out(at, random.choice((None, "tier", "journey")), random.choice(("OPT_OUT", "OPT_IN")))


def _arrears(random: Random, at: int, subject: str) -> Happening:
    return arrears(at, random.choice((0, 0, 45)))


KINDS: list[Callable[[Random, int, str], Happening]] = [
    *[_posting] * 9, *[_action] * 4, *[_session] * 2, *[_closing] * 2, _card, _opt_out, _arrears,
]  # fmt: skip


class Bank:
    """Writes to the sources.

    Attributes:
        sent: Number of records written, aborted ones not counted.
    """

    def __init__(self, broker: Broker, random: Random, recorded: bool) -> None:
        self._broker, self._random, self._recorded = broker, random, recorded
        self._number = self._latest = 0
        self._lines: list[tuple[str, bytes, bytes, int]] = []
        self._account: Coordinator = broker.coordinator("account-system")
        self._epoch = self._account.init()
        self.late = self.retried = self.bad = self.aborted = 0

    def send(self) -> None:
        """One record."""
        draw = self._random.random()
        if draw < 0.04 and self._lines:
            self.retry()
        elif draw < 0.07:
            self.poison()
        else:
            self.event(self._random.randrange(2 * MINUTE) if draw < 0.9 else self._random.randrange(30 * HOUR))

    def event(self, ago: int) -> None:
        """An event that happened so long ago, ms."""
        random = self._random
        self._number += 1
        subject = f"C{random.randrange(CUSTOMERS)}"
        made = replace(random.choice(KINDS)(random, self._broker.utc() - ago, subject), subject=subject, id=f"E{self._number}")
        self.late += ago > HOUR
        # a log is in the order of its recorded times, whatever the clocks do
        self._latest = max(self._latest, self._broker.utc())
        line = replace(made, recorded=self._latest).line(stamped=self._recorded)
        self._lines.append((made.topic, subject.encode(), line, len(self._broker.topics.get(made.topic, ()))))
        self._write(made.topic, subject.encode(), line)

    def retry(self) -> None:
        """A record once more, as a producer does that has heard no acknowledgement; within the engine's horizon.

        To a partition that was there when it was sent first: a producer's retry goes to the same one, and what an old log
        brings in a new partition was recorded after that was made.
        """
        self.retried += 1
        self._write(*self._random.choice(self._lines[-RETRIED:]))

    def poison(self) -> None:
        """A bad line, or an event from the future."""
        self.bad += 1
        line = self._random.choice((*BAD, None))
        if line is None:
            self._number += 1
            line = session(self._broker.utc() + 2 * DAY, subject="C1", id=f"F{self._number}").line(stamped=False)
        self._write(self._random.choice(tuple(PARTITIONS)), b"C1", line)

    def _write(self, topic: str, key: bytes, line: bytes, partitions: int = 0) -> None:
        """To any partition, or one of the first so many."""
        logs = self._broker.topics.get(topic) or self._broker.topics["in.redrive"]
        log = logs[self._random.randrange(partitions or len(logs))]
        if topic != "in.account":
            log.append(key, line)
            return
        if self._account.open is None:
            lasts = self._random.uniform(*OPEN)
            self._broker.loop.call_later(lasts, self._finish)
        self._account.write(self._epoch, 60.0, log, [(key, line, [])])

    def _finish(self) -> None:
        committed = self._random.random() < 0.8
        self.aborted += not committed
        self._account.end(self._epoch, committed)

    def mark(self, name: str) -> None:
        """How far an old log has come (`SO_FAR`), or that it has ended (`END`), in every source partition."""
        if self._recorded:
            self._latest = max(self._latest, self._broker.utc())
            now = b"%d" % self._latest
            for topic in SOURCES:
                for log in self._broker.topics[topic]:
                    log.append(None, b"", [(name, now)])

    def end(self) -> None:
        """Nothing more comes; what is open is committed."""
        self._account.end(self._epoch, True)
        self.mark(END)
