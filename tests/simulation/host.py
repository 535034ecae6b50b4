"""A worker in a simulated process: the shipped one, with the world and the group's consumer simulated.

Rule: of the product only what meets Faust is replaced (`stream.shell.kafka.transport`, `fetching`, `app`): here
`Member` joins the group, fetches, delivers spans, commits and lets go in the same order.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from faust.types import TP

from stream.shell.kafka.failstop import guarded
from stream.shell.kafka.plan import PartitionFactory, Plan
from stream.shell.kafka.positions import Bounds, Committed, Placement, Span, starts
from stream.shell.kafka.telemetry import Silent
from stream.shell.kafka.worker import Worker
from tests.simulation.clients import STEP, Admin, Idempotent, Reader, Transactional
from tests.simulation.group import UnknownMemberError
from tests.simulation.loop import PROCESS, leave, suspended, threaded
from tests.simulation.network import Network

T = TypeVar("T")
FETCH = 60
"""Records of one partition in one fetch."""
HEARTBEAT = 0.7


class SimulatedWorld:
    """The port of `stream.shell.kafka.world`, driven by the scheduler."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def transactional(self, options: dict[str, Any]) -> Transactional:
        return Transactional(self._network, options)

    def idempotent(self, **options: Any) -> Idempotent:
        return Idempotent(self._network)

    def reader(self, **options: Any) -> Reader:
        return Reader(self._network, options["isolation_level"] == "read_committed")

    def admin(self, **options: Any) -> Admin:
        return Admin(self._network)

    def steady(self) -> float:
        return self._network.broker.loop.time()

    def sleep(self, seconds: float) -> None:
        suspended(asyncio.sleep(seconds))

    async def blocking(self, work: Callable[[], T]) -> T:
        return await threaded(work)

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.ensure_future(work)

    def guard(self, work: Callable[[], None]) -> None:
        """Nothing: it would watch real threads."""


class Told(Silent):
    """Ends the process inside a transaction when that was asked for."""

    def __init__(self, network: Network, seen: Callable[[str], None]) -> None:
        self._network, self._seen = network, seen

    def transaction_open(self, partition: int) -> None:
        if self._network.trouble.take("kill_open"):
            leave(-9)

    def aborted(self, partition: int) -> None:
        self._seen("transaction aborted and sent again")

    def lost(self, topic: str, partition: int, records: int) -> None:
        self._seen("records lost to retention")


class Member:
    """The consumer of one worker: what Faust and aiokafka are to the real one."""

    def __init__(self, network: Network, plan: Plan, worker: Worker, dropped: Callable[[], bool]) -> None:
        self._network, self._plan, self._worker, self._dropped = network, plan, worker, dropped
        self._connection, self._fetches = network.connection(), network.connection()
        self._member: str | None = None
        self._generation = -1
        self._assigned: tuple[TP, ...] = ()
        self._at: dict[TP, int] = {}
        self._epoch = 0
        self._flows = False
        self._between = asyncio.Lock()
        self._ending = False
        self.sent: dict[TP, Committed] = {}

    async def run(self) -> None:
        """Until `end`; returns then."""
        tasks = [asyncio.ensure_future(work) for work in (self._fetch(), self._commit())]
        while not self._ending:
            joined = await self._connection.ask(lambda: self._network.group.join(self._plan.instance_id, self._member))
            self._member, self._generation, self._assigned = joined
            self._worker.assigned(set(self._assigned))
            opening = asyncio.ensure_future(self._open(self._generation))
            await self._stay()
            self._flows = False
            reached = await (self._worker.stop() if self._ending else self._worker.revoke())
            await self._commit_positions(reached)
            await asyncio.wait([opening])
        for task in tasks:
            task.cancel()
        await self._connection.ask(lambda: self._network.group.leave(self._member or ""))

    def end(self) -> None:
        """SIGTERM."""
        self._ending = True

    async def _stay(self) -> None:
        """Return when the group rebalances, does not know us any more, or we go."""
        member, generation = self._member or "", self._generation
        while not self._ending:
            await asyncio.sleep(HEARTBEAT * (0.5 + 0.5 * self._network.broker.random.random()))
            try:
                if await self._connection.ask(lambda: self._network.group.heartbeat(member, generation)):
                    return
            except UnknownMemberError:
                self._member = None
                return

    async def _open(self, generation: int) -> None:
        if await self._worker.open() and generation == self._generation:
            self._flows = True

    async def place(self, journal: Mapping[TP, int]) -> Placement:
        """As `SpanThread.place`."""
        async with self._between:
            self._epoch += 1
            self._at, self.sent = {}, {}
            assigned, network = self._assigned, self._network
            bounds, committed = await self._connection.ask(
                lambda: (
                    {tp: Bounds(network.broker.log(*tp).begin, network.broker.log(*tp).end) for tp in assigned},
                    dict(network.group.offsets),
                )
            )
            placement = starts(bounds, committed, journal)
            placement.epoch = self._epoch
            self._at = {tp: at.offset for tp, at in placement.items()}
        return placement

    async def _fetch(self) -> None:
        network = self._network
        while True:
            news = network.broker.news()
            async with self._between:
                full = self._worker.full()
                wanted = {tp: at for tp, at in self._at.items() if tp not in full} if self._flows else {}
                spans = await self._spans(wanted) if wanted else []
            for tp, span in spans:
                if self._dropped():
                    continue
                await self._worker.put(tp, span)
                if network.broker.random.random() < 0.2:
                    await asyncio.sleep(0)
            if not spans:
                await asyncio.wait([news], timeout=STEP)

    async def _spans(self, wanted: Mapping[TP, int]) -> list[tuple[TP, Span]]:
        broker, epoch = self._network.broker, self._epoch
        # the broker answers a fetch when there is something
        asked = {tp: at for tp, at in wanted.items() if broker.log(*tp).stable > at}
        if not asked:
            return []
        found = await self._fetches.ask(lambda: {tp: broker.log(*tp).read(at, FETCH) for tp, at in asked.items()})
        if epoch != self._epoch or not self._flows:
            return []
        spans = []
        for tp, (records, position) in found.items():
            if position != self._at[tp]:
                spans.append((tp, Span(self._at[tp], position, epoch, records)))
                self._at[tp] = position
        broker.random.shuffle(spans)
        return spans

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(self._plan.commit_interval)
            if self._flows:
                await self._commit_positions(self._worker.progress())

    async def _commit_positions(self, positions: Mapping[TP, Committed]) -> None:
        news = {tp: at for tp, at in positions.items() if self.sent.get(tp) != at and tp in self._assigned}
        if not news:
            return
        member, generation = self._member or "", self._generation
        try:
            await self._connection.ask(lambda: self._network.group.commit(member, generation, news))
        except UnknownMemberError:
            return
        self.sent.update(news)


def spawn(
    network: Network,
    plan: Plan,
    factory: PartitionFactory,
    dropped: Callable[[], bool],
    seen: Callable[[str], None],
) -> Member:
    """Start a worker in this process."""
    PROCESS.set(network.process)
    worker = Worker(SimulatedWorld(network), plan, factory, Told(network, seen))
    member = Member(network, plan, worker, dropped)
    worker.consumer = member

    async def main() -> None:
        await worker.start()
        await member.run()
        network.process.end(0)

    guarded(main(), "worker")
    return member


def apart(work: Callable[[], Member]) -> Member:
    """Run in a context of its own, in which a process can be set."""
    return contextvars.Context().run(work)
