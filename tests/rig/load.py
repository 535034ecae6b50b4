"""A bank's systems: one log, paced, into three sources; in.account by transactions, some of them aborted.

Rule: whatever was aborted, or ended nobody knows how, is sent again in its order; the engine knows events it has seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, Producer

from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.publish import Sender
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.settings import Settings
from stream.simulator import Bank, poison
from stream.simulator.bank import FIRST_DAY
from stream.simulator.poison import LONGEST
from stream.wire.registry import topic_of

NAME = "bank.jsonl"
PARTITIONS = {"in.txn": 3, "in.account": 5, "in.app": 4}
"""Different counts, as sources have; all keyed by customer."""
SHARE = 0.01
"""Of lines that are bad on purpose."""
LASTS = 0.3
"""Seconds that a transaction of the account system lasts."""
ABORTED = 10
"""Every so manieth is aborted, and sent again."""
PATIENCE = 60.0
DEBT = 1.0
"""Seconds of sending that are made up for at most, when it could not keep its pace."""

Queued = tuple[str, bytes | None, bytes | None, int, Any]


class Log(NamedTuple):
    """A bank's log of three sources with bad lines, in recorded order; the same lines every time.

    Attributes:
        longest: Bytes of data that an oversize line exceeds: the deployment's `max_event_bytes`.
        start: First day.
    """

    customers: int
    days: int
    longest: int = LONGEST
    start: date = FIRST_DAY

    def lines(self, most: int | None = None) -> Iterator[Recorded]:
        """All lines, or the first so many."""
        bank = Bank(self.customers, self.days, seed=11, start=self.start)
        found = recorded(Numbered(NAME, number, line) for number, line in enumerate(_lines(bank, self.longest), 1))
        return islice(found, most)


def _lines(bank: Bank, longest: int) -> Iterator[bytes]:
    events = (line for line in bank.events() if topic_of(_type(line)) in PARTITIONS)
    return (line for _, line in poison(events, SHARE, seed=3, longest=longest))


def _type(line: bytes) -> str:
    return line.partition(b'"type":"')[2].partition(b'"')[0].decode()


class BankSender(Sender):
    """A sender whose account system writes by transactions."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._account = settings.topic("in.account")
        self._queued: list[Queued] = []
        self._began = time.monotonic()
        self._number = 0
        self._transactional = self._taken_over()
        self.aborted = 0

    def _taken_over(self) -> Producer:
        made = Producer(
            {
                **librdkafka(self.settings),
                "transactional.id": f"{self.settings.app_id}-account-system",
                "transaction.timeout.ms": int(PATIENCE * 1000),
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        _until(lambda: made.init_transactions(PATIENCE))
        return made

    def _produce(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Any) -> None:
        if self.settings.topic(topic) != self._account:
            super()._produce(topic, partition, key, value, headers)
            return
        self._queued.append((self._account, value, key, partition, headers))
        if time.monotonic() - self._began > LASTS:
            self._number += 1
            if self._number % ABORTED == 0:
                self._try(abort=True)
                self.aborted += 1
            self._commit()

    def _commit(self) -> None:
        """Until it is committed; a producer that has failed for good is replaced."""
        until = time.monotonic() + 2 * PATIENCE
        while not self._try(abort=False):
            assert time.monotonic() < until, "the account system could not commit"
        self._queued = []
        self._began = time.monotonic()

    def _try(self, abort: bool) -> bool:
        """One transaction of what is queued; False when it has to be sent again."""
        made = self._transactional
        try:
            made.begin_transaction()
            for topic, value, key, partition, headers in self._queued:
                made.produce(topic, value, key, partition, headers=headers)
            made.flush(PATIENCE)
            if abort:
                made.abort_transaction(PATIENCE)
                return False
            _until(lambda: made.commit_transaction(PATIENCE))
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                _until(lambda: made.abort_transaction(PATIENCE))
            else:
                self._transactional = self._taken_over()
            return False
        return True

    def finish(self, end: bool = True) -> None:
        """All of it, the account system's last transaction included."""
        super().finish(end)
        self._commit()

    def serve(self, seconds: float) -> None:
        """As ever, and the transactional client's callbacks."""
        super().serve(seconds)
        self._transactional.poll(0)


def _until(call: Any) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            call()
            return
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > until:
                raise
            time.sleep(0.1)


class Load(threading.Thread):
    """Sends at an even pace until it is enough, and ends the log there.

    Attributes:
        rate: Lines a second; may be changed at any time.
        count: Lines sent so far: the first so many of the log.
        last: The last of them.
        failed: What ended it early.
    """

    def __init__(self, settings: Settings, log: Iterator[Recorded], rate: float, least: int = 0) -> None:
        super().__init__(name="load", daemon=True)
        self._settings, self._log, self._least = settings, log, least
        self.rate = rate
        self.enough = threading.Event()
        self.count = 0
        self.last: Recorded | None = None
        self.aborted = 0
        self.failed: BaseException | None = None

    def run(self) -> None:
        """The thread."""
        try:
            self._send()
        except BaseException as error:
            self.failed = error

    def end(self) -> Recorded:
        """Have it end the log, wait for that, and return the log's last line. Raises what ended it early."""
        self.enough.set()
        self.join()
        if self.failed is not None:
            raise self.failed
        assert self.last is not None, "expected a log with lines"
        return self.last

    def _send(self) -> None:
        sender = BankSender(self._settings)
        try:
            due = time.monotonic()
            for line in self._log:
                if self.enough.is_set() and self.count >= self._least:
                    break
                sender.take(line.number, line.line, f"{NAME}:{line.number}", line.at)
                self.count, self.last = self.count + 1, line
                due = max(due, time.monotonic() - DEBT) + 1 / self.rate
                # the client may return early; short waits are saved up, since a timer is not that exact
                while (ahead := due - time.monotonic()) > 0.005:
                    sender.serve(ahead)
            sender.finish()
        finally:
            self.aborted = sender.aborted
            sender.close()
