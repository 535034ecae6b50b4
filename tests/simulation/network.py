"""Between clients and broker: delays, order per connection, answers that nobody waits for any more, planned trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.simulation.broker import Broker
from tests.simulation.group import Group
from tests.simulation.loop import OUTSIDE, Process

SLOWEST = 0.003
"""Seconds one way."""


class Trouble:
    """What is wrong with the cluster just now, as seen by one process; the faults set it.

    Attributes:
        stalled: Until this moment the broker acknowledges no write.
        blind: Until this moment nobody hears what partitions and commits there are, so there are no new ticks.
        refuse: So many of the next transactional writes fail, to be sent again.
        unknown: So many of the next commits have an outcome that nobody learns.
        unsure: The same of the next batches of the journal.
        slow_commits: So many of the next commits answer that they took too long, done or not.
        kill_open: End the process when its next transaction is written and not committed.
    """

    def __init__(self) -> None:
        self.stalled = 0.0
        self.blind = 0.0
        self.refuse = 0
        self.unknown = 0
        self.unsure = 0
        self.slow_commits = 0
        self.kill_open = False

    def take(self, what: str) -> bool:
        """Whether this happens now; then once less."""
        left = getattr(self, what)
        if left:
            setattr(self, what, left - 1)
        return bool(left)


class Network:
    """One process's way to the broker."""

    def __init__(self, broker: Broker, group: Group, process: Process) -> None:
        self.broker, self.group, self.process = broker, group, process
        self.trouble = Trouble()

    def connection(self) -> Connection:
        """A new connection: its requests arrive in order."""
        return Connection(self)


class Connection:
    """Requests of one client to one node."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._last = 0.0
        self._cut = False

    def cut(self) -> None:
        """Nothing arrives any more, not even what is on its way."""
        self._cut = True

    async def ask(self, work: Callable[[], Any], acknowledged: bool = False, coordinator: bool = False) -> Any:
        """Let the broker do this; its answer.

        Args:
            acknowledged: A write, which the broker may be slow to confirm.
            coordinator: The transaction coordinator's work, which may wait in its queue.
        """
        broker = self._network.broker
        loop, random = broker.loop, broker.random
        answer = loop.create_future()
        self._last = max(self._last, loop.time() + random.random() * SLOWEST)
        loop.call_at(self._last, self._arrived, work, answer, acknowledged, coordinator, context=OUTSIDE)
        return await answer

    def _arrived(self, work: Callable[[], Any], answer: asyncio.Future[Any], acknowledged: bool, coordinator: bool) -> None:
        network, broker = self._network, self._network.broker
        if network.process.code is not None and broker.random.random() < 0.5:
            self._cut = True  # it had not left the host when the process died, nor had what came after it
        if self._cut:
            return
        if coordinator and broker.coordinating > broker.loop.time():
            broker.loop.call_at(broker.coordinating, self._done, work, answer, acknowledged)
        else:
            self._done(work, answer, acknowledged)

    def _done(self, work: Callable[[], Any], answer: asyncio.Future[Any], acknowledged: bool) -> None:
        loop = self._network.broker.loop
        try:
            came, error = work(), None
        except Exception as fault:
            came, error = None, fault
        back = self._network.broker.random.random() * SLOWEST
        if acknowledged:
            back += max(0.0, self._network.trouble.stalled - loop.time())
        if isinstance(came, asyncio.Future):
            came.add_done_callback(lambda done: loop.call_later(back, _settle, answer, done.result(), None))
        else:
            loop.call_later(back, _settle, answer, came, error)


def _settle(answer: asyncio.Future[Any], came: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(came)
