"""Planted bugs: what the protocol forbids, put into the shipped code for a run. The checks must notice each.

Rule: a bug is a patch of the live code alone; the truth (`checks`) is worked out by the code as shipped.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from stream.domain.days import HOUR
from stream.domain.events import Order
from stream.engine import partition as engine
from stream.engine import payload
from stream.engine.clock import Alarms, Clock
from stream.engine.customer import Customer
from stream.engine.timeline import advance, take
from stream.features import windows
from stream.shell.kafka.decide import Decide, JournalPartition
from stream.shell.kafka.journal import Journal
from stream.shell.kafka.offsets import Offsets
from stream.shell.kafka.positions import Placement
from stream.shell.kafka.proofs import BrokerClock, WallClock
from stream.shell.kafka.sink import CALL, Sink, options
from stream.shell.kafka.stamping import Router, Stamper
from stream.shell.kafka.worker import Worker
from tests.simulation.loop import PROCESS


class _Rowless:
    """A decision without its rows."""

    def __init__(self, decision: Any) -> None:
        self.consumed, self.outputs, self.counts, self.rows = decision.consumed, decision.outputs, decision.counts, []


def _state_outside_the_transaction() -> Any:
    """Rows and ledger are committed first, outputs after."""
    attempt = Sink._attempt

    def _attempt(self: Any, decision: Any, number: int) -> bool:
        outside = self._world.transactional({**options(self._plan, self._partition), "transactional.id": f"{self._partition}"})
        outside.init_transactions(CALL)
        outside.begin_transaction()
        rows = [{"key": key, "value": value} for key, value in decision.rows]
        outside.produce_batch(self._plan.state, rows, partition=self._partition, on_delivery=self._delivered)
        outside.flush(CALL)
        outside.commit_transaction(CALL)
        return attempt(self, _Rowless(decision), number)

    return patch.object(Sink, "_attempt", _attempt)


def _restored_before_fencing() -> Any:
    """The state is read while the former owner may still commit."""

    async def open_(self: Any, numbers: Sequence[int], goes_on: Callable[[], bool]) -> dict[int, JournalPartition]:
        world, telemetry = self._world, self._telemetry
        sinks = {n: Sink(world, self._plan, n, telemetry.transaction_open, telemetry.aborted) for n in numbers}
        states = await world.aside(self._restore(sinks, goes_on, world.steady()))
        await asyncio.gather(*[world.blocking(sink.fence) for sink in sinks.values()])
        return {number: JournalPartition(world, number, states[number], sink) for number, sink in sinks.items()}

    return patch.object(Decide, "open", open_)


def _resumed_at_the_groups_offset() -> Any:
    """Not where the ledger says, but where the group has committed."""
    place = Worker._place

    async def _place(self: Any, epoch: int, offsets: Mapping[int, int]) -> Placement | None:
        committed = (await self._offsets.committed()).get(self.journal, {})
        at = {n: committed[n].offset if n in committed else applied for n, applied in offsets.items()}
        return await place(self, epoch, at)

    return patch.object(Worker, "_place", _place)


def _overlay_applied_before_the_commit() -> Any:
    """An aborted chunk is decided again on rows that it has changed already."""

    class AgainError(Exception):
        pass

    def commit(self: Any, decision: Any) -> None:
        if not self._attempt(decision, 0):
            raise AgainError
        self.last = self._written

    plain = Decide._commit

    async def _commit(self: Any, one: Any, decision: Any, covered: list[Any], computed: float) -> None:
        one.partition.accept(decision)
        try:
            await plain(self, one, decision, covered, computed)
        except AgainError:
            if covered:
                await _commit(self, one, one.partition.decide(covered), covered, computed)

    return _both(patch.object(Sink, "commit", commit), patch.object(Decide, "_commit", _commit))


@contextmanager
def _both(first: Any, second: Any) -> Iterator[None]:
    with first, second:
        yield


def _failed_batch_skipped() -> Any:
    """Ingest goes on after a write that failed."""
    write = Journal.write

    async def skip(self: Any, parts: Any) -> None:
        try:
            await write(self, parts)
        except Exception:
            return

    return patch.object(Journal, "write", skip)


def _committed_before_the_acknowledgement() -> Any:
    """Source positions move on while the write is still on its way."""
    write = Journal.write

    async def later(self: Any, parts: Any) -> None:
        self.under_way = asyncio.ensure_future(write(self, parts))

    return patch.object(Journal, "write", later)


def _random_id() -> Any:
    """Each time another id for the same trigger."""
    return patch.object(payload, "trigger_id", lambda *_: str(uuid.uuid4()))


def _wall_clock_in_a_feature() -> Any:
    """A window takes the day of its folding, not of the event."""
    add = windows.add

    def _add(state: Any, length: int, day: int, *more: Any) -> None:
        add(state, length, day + int(asyncio.get_running_loop().time()) // 8, *more)

    return patch.object(windows, "add", _add)


def _timer_lost() -> Any:
    """A restore forgets the alarms."""
    restore = engine.Partition.restore

    def _restore(self: Any, key: bytes, value: bytes | None) -> None:
        restore(self, key, value)
        self._alarms = Alarms()

    return patch.object(engine.Partition, "restore", _restore)


def _tick_before_the_backlog() -> Any:
    """A tick is written although what it proves has not been journaled."""

    def proven(self: Any, positions: Mapping[int, int]) -> int | None:
        return self._samples[-1][0] if self._samples else None

    return patch.object(WallClock, "proven", proven)


def _tick_by_a_clock_ahead() -> Any:
    """T is read from a clock that is an hour ahead of the broker's."""
    now = BrokerClock.now

    def _now(self: Any, steady: float) -> int | None:
        true = now(self, steady)
        return None if true is None else true + HOUR

    return patch.object(BrokerClock, "now", _now)


def _ends_sampled_at_the_stable_end() -> Any:
    """What an open transaction hides is not waited for."""
    return patch.object(Offsets, "ends", Offsets.stable_ends)


def _timer_fired_by_an_event() -> Any:
    """An event past a deadline fires it, proven or not."""

    def _event(self: Any, work: Any, customer: Customer, event: Any, floor: int) -> None:
        if self._order is Order.WALL:
            now = Clock()
            now.floor = event.at
            advance(work, customer, now, self._order)
        take(work, customer, event)

    return patch.object(engine.Partition, "_event", _event)


def _slice_taken_for_the_whole() -> Any:
    """A tick that wakes too many counts as done after its first slice."""
    tick = engine.Partition._tick

    def _tick(self: Any, what: Any, room: int) -> int:
        return max(1, tick(self, what, room))

    return patch.object(engine.Partition, "_tick", _tick)


def _home_by_worker() -> Any:
    """Where a customer's records go depends on who sends them there."""
    of = Router.of

    def _of(self: Any, subject: bytes) -> int:
        return (of(self, subject) + int(PROCESS.get().name[1:])) % self.partitions

    return patch.object(Router, "of", _of)


def _bytes_mixed_up() -> Any:
    """Of records stamped together the last but one goes out with the value of the last."""
    stamp = Stamper.stamp

    def _stamp(self: Any, records: Any, into: Any) -> None:
        mixed = list(records)
        if len(mixed) > 1:
            mixed[-2] = mixed[-2]._replace(value=mixed[-1].value)
        stamp(self, mixed, into)

    return patch.object(Stamper, "stamp", _stamp)


BUGS: dict[str, Callable[[], Any]] = {
    "state outside the transaction": _state_outside_the_transaction,
    "restored before fencing": _restored_before_fencing,
    "resumed at the group's offset": _resumed_at_the_groups_offset,
    "overlay applied before the commit": _overlay_applied_before_the_commit,
    "failed batch skipped": _failed_batch_skipped,
    "committed before the acknowledgement": _committed_before_the_acknowledgement,
    "random trigger id": _random_id,
    "wall clock in a feature": _wall_clock_in_a_feature,
    "timer lost": _timer_lost,
    "tick before the backlog is read": _tick_before_the_backlog,
    "tick by a clock that is ahead": _tick_by_a_clock_ahead,
    "ends sampled at the stable end": _ends_sampled_at_the_stable_end,
    "timer fired by an event": _timer_fired_by_an_event,
    "slice of a tick taken for the whole": _slice_taken_for_the_whole,
    "home of a customer by worker": _home_by_worker,
    "bytes of a batch mixed up": _bytes_mixed_up,
}
"""By name: each makes a context in which the shipped code has it."""
