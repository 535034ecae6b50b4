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


NAMES = {
    "refuse": "produce error, to be aborted",
    "unknown": "commit of unknown outcome",
    "unsure": "journal batch of unknown outcome",
    "slow_commits": "commit asked again",
    "kill_open": "killed with its transaction open",
}
"""What a planned trouble is called when it strikes."""


class Trouble:
    """What is wrong with the cluster just now, as seen by one process; the faults set it.

    Args:
        hit: Told the name of a planned trouble when it strikes.

    Attributes:
        stalled: Until this moment the broker acknowledges no write.
        blind: Until this moment nobody hears what partitions and commits there are, so there are no new ticks.
    """

    def __init__(self, hit: Callable[[str], None]) -> None:
        self._hit = hit
        self.stalled = 0.0
        self.blind = 0.0
        self._left: dict[str, int] = {}
        self._fresh: set[str] = set()

    def plan(self, what: str, times: int = 1) -> None:
        """Let this happen to so many of the next operations.

        ``refuse``: transactional writes fail, to be sent again; ``unknown``: nobody learns what became of a commit;
        ``unsure``: the same of a batch of the journal; ``slow_commits``: a commit takes too long, done or not;
        ``kill_open``: the process ends with its transaction written and not committed.
        """
        self._left[what] = times
        self._fresh.add(what)

    def take(self, what: str) -> bool:
        """Whether this happens now; then once less."""
        left = self._left.get(what, 0)
        if not left:
            return False
        self._left[what] = left - 1
        if what in self._fresh:
            self._fresh.discard(what)
            self._hit(NAMES[what])
        return True


def _nobody(_: str) -> None:
    """Hears nothing."""


class Network:
    """One process's way to the broker; ``hit`` is told what strikes it."""

    def __init__(self, broker: Broker, group: Group, process: Process, hit: Callable[[str], None] = _nobody) -> None:
        self.broker, self.group, self.process = broker, group, process
        self.trouble = Trouble(hit)

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
