"""A broker in memory: logs with offsets and holes, transactions with fencing and control records, a cleaner, one group.

Rule: synchronous and without delays; who asks (`clients`) brings the network. What it answers is held against Apache
Kafka by tests/integration/test_broker_conformance.py.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

from tests.simulation.loop import Loop

MARKER_DELAY = 0.004
"""Seconds that a transaction's markers may take until they are in all of its partitions."""


class FencedError(Exception):
    """The producer's epoch is not the newest of its transactional id."""


class Entry(NamedTuple):
    """A record as readers get it, and what only the log knows of it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    transaction: Transaction | None = None
    control: bool = False


class Transaction:
    """What one producer wrote between begin and end; `state` is None while it is open."""

    def __init__(self) -> None:
        self.committed: bool | None = None
        self.logs: dict[Log, None] = {}


class Log:
    """One partition.

    Attributes:
        history: Everything that was ever appended, which neither cleaner nor retention touches; for the checks.
    """

    def __init__(self, utc: Callable[[], int], changed: Callable[[], None]) -> None:
        self._utc, self._changed = utc, changed
        self.entries: list[Entry] = []
        self.history: list[Entry] = []
        self.begin = 0
        self.end = 0
        self.open: dict[Transaction, int] = {}

    @property
    def stable(self) -> int:
        """Where readers of committed records stop."""
        return min(self.open.values(), default=self.end)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        transaction: Transaction | None = None,
        control: bool = False,
    ) -> int:
        """Add a record with the present as its time; its offset."""
        entry = Entry(self.end, self._utc(), key, value, headers, transaction, control)
        if transaction is not None and not control and transaction not in self.open:
            self.open[transaction] = self.end
            transaction.logs[self] = None
        self.entries.append(entry)
        self.history.append(entry)
        self.end += 1
        self._changed()
        return entry.offset

    def finish(self, transaction: Transaction) -> None:
        """Write the marker of an ended transaction."""
        self.append(None, None, (), transaction, control=True)
        del self.open[transaction]

    def read(self, position: int, most: int, committed: bool = True) -> tuple[list[Entry], int]:
        """Records from a position on, and the position after: past control records and what was aborted."""
        limit = self.stable if committed else self.end
        found: list[Entry] = []
        for entry in self.entries[bisect_left(self.entries, position, key=_offset) :]:
            if entry.offset >= limit:
                return found, limit
            if len(found) >= most:
                return found, entry.offset
            if not entry.control and not (committed and aborted(entry)):
                found.append(entry)
        return found, max(position, limit)

    def delete_before(self, offset: int) -> None:
        """What retention does."""
        self.begin = max(self.begin, min(offset, self.end))
        self.entries = [entry for entry in self.entries if entry.offset >= self.begin]

    def clean(self) -> None:
        """What the log cleaner does below the stable end: the newest record of each key stays, aborted ones go."""
        limit = self.stable
        newest = {entry.key: entry.offset for entry in self.entries if entry.offset < limit and not _gone(entry)}
        kept = [e for e in self.entries if e.offset >= limit or (not _gone(e) and newest[e.key] == e.offset)]
        self.entries = kept


def _nobody() -> None: ...


def aborted(entry: Entry) -> bool:
    """Whether a record belongs to an aborted transaction."""
    return entry.transaction is not None and entry.transaction.committed is False


def _gone(entry: Entry) -> bool:
    return entry.control or aborted(entry)


def _offset(entry: Entry) -> int:
    return entry.offset


class Coordinator:
    """The state of one transactional id.

    Attributes:
        ending: Ends when the markers of the last transaction are written; nothing can begin before.
        refused: How often a producer of an older epoch was turned away.
    """

    def __init__(self, loop: Loop, random: Random) -> None:
        self._loop, self._random = loop, random
        self.epoch = -1
        self.open: Transaction | None = None
        self.last: Transaction | None = None
        self.ending: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.refused = 0

    def init(self) -> int:
        """A new epoch: older producers of this id are fenced, what they left open is aborted."""
        if self.open is not None:
            self._end(committed=False)
        self.epoch += 1
        self.last = None
        return self.epoch

    def write(self, epoch: int, timeout: float, log: Log, records: Iterable[tuple[Any, ...]]) -> list[int]:
        """Append (key, value, headers) within the transaction, which begins with its first record."""
        self._check(epoch)
        if self.open is None:
            self.open = Transaction()
            self._timer = self._loop.call_later(timeout, self._expire, self.open)
        return [log.append(*record, transaction=self.open) for record in records]

    def end(self, epoch: int, committed: bool) -> None:
        """Decide the transaction; asking the same again changes nothing."""
        self._check(epoch)
        if self.open is not None:
            self._end(committed)

    def _check(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.refused += 1
            raise FencedError

    def _expire(self, transaction: Transaction) -> None:
        if self.open is transaction:
            self._end(committed=False)
            self.epoch += 1

    def _end(self, committed: bool) -> None:
        transaction, self.open = self.open, None
        assert transaction is not None
        if self._timer is not None:
            self._timer.cancel()
        transaction.committed = committed
        self.last = transaction
        self.ending = self._loop.create_future()
        left = list(transaction.logs)
        for log in left:
            # committed in each partition at a moment of its own, as readers see it
            self._loop.call_later(self._random.random() * MARKER_DELAY, self._mark, log, transaction, left)
        if not left:
            self.ending.set_result(None)

    def _mark(self, log: Log, transaction: Transaction, left: list[Log]) -> None:
        log.finish(transaction)
        left.remove(log)
        if not left and self.ending is not None:
            self.ending.set_result(None)


class Broker:
    """All topics and transactions.

    Attributes:
        coordinating: Until this moment the transaction coordinator lets everything wait, in the order it comes.
    """

    def __init__(self, loop: Loop, random: Random, utc: Callable[[], int]) -> None:
        self.loop, self.random, self.utc = loop, random, utc
        self.topics: dict[str, list[Log]] = {}
        self.coordinators: dict[str, Coordinator] = {}
        self.coordinating = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    def create(self, topic: str, partitions: int, watched: bool = False) -> None:
        """A new topic; `news` tells of appends to watched ones."""
        self.topics[topic] = [Log(self.utc, self._changed if watched else _nobody) for _ in range(partitions)]

    def log(self, topic: str, partition: int) -> Log:
        """One partition."""
        return self.topics[topic][partition]

    def coordinator(self, transactional_id: str) -> Coordinator:
        """The state of a transactional id."""
        found = self.coordinators.get(transactional_id)
        if found is None:
            found = self.coordinators[transactional_id] = Coordinator(self.loop, self.random)
        return found

    def news(self) -> asyncio.Future[None]:
        """Done when anything was appended to a watched topic."""
        waiting: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(waiting)
        return waiting

    def _changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
