"""Journal to outputs: each owned partition has its inbox, its engine state, its sink and its own task.

Rule: the state is changed (`accept`) only after the transaction committed; the next chunk is computed only after
that. Computing happens in the event loop in slices, one partition at a time, and committing in a thread, so that one
partition computes while another commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from faust.types import TP

from stream.domain.errors import StateError
from stream.shell.kafka import restore
from stream.shell.kafka.failstop import guarded, stop
from stream.shell.kafka.plan import Decision, Partition, PartitionFactory, Plan
from stream.shell.kafka.positions import Committed, Inbox, rest
from stream.shell.kafka.rows import key_hash
from stream.shell.kafka.sink import Sink
from stream.shell.kafka.telemetry import Telemetry
from stream.shell.kafka.world import World
from stream.shell.logs import logger

AHEAD = 4
"""Chunks of one partition that may wait."""
TURN = 0.25
"""Seconds of computing after which another partition gets its turn."""
STRETCH = 0.02
"""Seconds of computing after which the event loop gets its turn: acknowledgements, ticks, ingest."""
LEAST = 50
"""Records of a chunk that may always be computed together."""
TAKEN = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
"""What the broker answers to an owner that is none any more."""
RAISE = "kairos rows shows the largest, raise KAIROS_MAX_ROW_BYTES and max.message.bytes of the state topic to go on"
CHECK = "kairos topics check says which topic takes less than it must"
log = logger(__name__)


class Kept(NamedTuple):
    """State of a partition that was revoked, in case it comes back unchanged.

    Attributes:
        last: Offset of our last committed record in its state partition.
    """

    partition: Partition
    last: int


class JournalPartition:
    """One assigned journal partition, fenced and restored.

    Attributes:
        applied: Offset of the next record to decide, as the committed ledger says; the engine's own may be ahead.
        decided: Number of decisions committed since it was assigned; says whether there is progress.
    """

    def __init__(self, world: World, number: int, partition: Partition, sink: Sink) -> None:
        self._world = world
        self.number = number
        self.partition = partition
        self.sink = sink
        self.inbox: Inbox | None = None
        self.closing = False
        self.applied = partition.next_offset
        self.decided = 0
        self._cost = 0.0
        self._task: asyncio.Task[None] | None = None

    def begin(self, inbox: Inbox, work: Callable[[JournalPartition, list[Any]], Any]) -> None:
        """Start to work off the inbox."""
        self.inbox = inbox
        self._task = guarded(self._run(inbox, work), f"decide-{self.number}")

    async def _run(self, inbox: Inbox, work: Callable[[JournalPartition, list[Any]], Any]) -> None:
        while not self.closing:
            await inbox.ready.wait()
            if not inbox.waiting:
                inbox.ready.clear()
                continue
            chunk = self.turn(inbox.most // AHEAD)
            began = self._world.steady()
            await work(self, inbox.take(chunk).records)
            await asyncio.sleep(rest(self._world.steady() - began, len(inbox), chunk))

    def turn(self, most: int) -> int:
        """How many records to compute together, by what a record has cost lately."""
        return most if not self._cost else max(min(LEAST, most), min(most, int(TURN / self._cost)))

    def spent(self, records: int, seconds: float) -> None:
        """Computing these records took so long."""
        if records:
            self._cost += 0.2 * (seconds / records - self._cost) if self._cost else seconds / records

    async def end(self) -> None:
        """Return when the chunk in flight is committed; the rest is abandoned."""
        self.closing = True
        if self.inbox is not None:
            self.inbox.ready.set()
        if self._task is not None:
            await self._task


class Decide:
    """All journal partitions of this worker."""

    def __init__(self, world: World, plan: Plan, factory: PartitionFactory, telemetry: Telemetry) -> None:
        self._world = world
        self._plan = plan
        self._factory = factory
        self._telemetry = telemetry
        self._kept: dict[int, Kept] = {}
        self._computing = asyncio.Lock()
        self.partitions: dict[int, JournalPartition] = {}

    async def open(self, numbers: Sequence[int], goes_on: Callable[[], bool]) -> dict[int, JournalPartition]:
        """Fence and restore these partitions. They are not ours yet: `begin` or `abandon` them."""
        world = self._world
        began = world.steady()
        fenced = await asyncio.gather(*[world.blocking(partial(self._fence, number)) for number in numbers])
        sinks = dict(zip(numbers, fenced, strict=True))
        states = await world.aside(self._restore(sinks, goes_on, began))
        return {number: JournalPartition(world, number, states[number], sink) for number, sink in sinks.items()}

    def begin(self, opened: Mapping[int, JournalPartition], starts: Mapping[TP, Committed], epoch: int) -> None:
        """Make them ours: decide what comes from these positions on."""
        self.partitions = dict(opened)
        for number, partition in opened.items():
            start = starts[TP(self._plan.journal, number)].offset
            inbox = Inbox(start, epoch, self._plan.chunk * AHEAD, asyncio.Event())
            partition.begin(inbox, self._work)

    async def abandon(self, opened: Mapping[int, JournalPartition]) -> None:
        """Let partitions go that were opened in vain."""
        await asyncio.gather(*[self._world.blocking(one.sink.close) for one in opened.values()])

    def progress(self) -> dict[TP, Committed]:
        """The ledger's positions: what the group's offsets show, nobody starts from them."""
        return {TP(self._plan.journal, n): Committed(one.applied) for n, one in self.partitions.items()}

    async def revoke(self) -> dict[TP, Committed]:
        """Give all partitions up, each after the chunk in flight; their positions then."""
        for one in self.partitions.values():
            one.closing = True
        await asyncio.gather(*[one.end() for one in self.partitions.values()])
        reached, gone, self.partitions = self.progress(), self.partitions, {}
        self._kept = {n: Kept(one.partition, one.sink.last) for n, one in gone.items() if one.sink.last is not None}
        await self.abandon(gone)
        return reached

    def _fence(self, number: int) -> Sink:
        sink = Sink(self._world, self._plan, number, self._telemetry.transaction_open, self._telemetry.aborted)
        sink.fence()
        return sink

    async def _restore(self, sinks: Mapping[int, Sink], goes_on: Callable[[], bool], began: float) -> dict[int, Partition]:
        """The state of each partition: kept when nobody wrote since, else read. In a thread."""
        kept, self._kept = {n: one for n, one in self._kept.items() if n in sinks}, {}
        changed = await self._changed(kept, goes_on)
        states: dict[int, Partition] = {}
        for number, sink in sinks.items():
            if number in kept and number not in changed:
                states[number], sink.last = kept[number].partition, kept[number].last
            else:
                states[number] = self._factory(number)
        fresh = [number for number in sinks if number not in kept or number in changed]
        await self._read(fresh, states, goes_on, began)
        return states

    async def _changed(self, kept: Mapping[int, Kept], goes_on: Callable[[], bool]) -> set[int]:
        """Which of them have state records after our last one: somebody else owned them in between."""
        if not kept:
            return set()
        seen: set[int] = set()
        readings = {n: restore.Reading(one.last + 1, _into(seen, n)) for n, one in kept.items()}
        await restore.read(self._world, self._plan, readings, goes_on, lambda *_: None)
        return seen

    async def _read(self, fresh: list[int], states: Mapping[int, Partition], goes_on: Callable[[], bool], began: float) -> None:
        telemetry = self._telemetry
        if not fresh:
            return
        for number in fresh:
            telemetry.restore_started(number, 0)
        readings = {number: restore.Reading(0, states[number].restore) for number in fresh}
        counts = await restore.read(
            self._world, self._plan, readings, goes_on, lambda n, count, _: telemetry.restore_progress(n, count)
        )
        seconds = self._world.steady() - began
        for number, records in counts.items():
            telemetry.restore_ended(number, records, seconds)
            at = {"topic": self._plan.journal, "partition": number, "offset": states[number].next_offset}
            log.info("partition restored", **at, records=records, seconds=round(seconds, 3))

    async def _work(self, one: JournalPartition, records: list[Any]) -> None:
        """Decide all of these, slice by slice; leave the rest when closing."""
        partition = one.partition
        while records and not one.closing:
            if records[0].offset < one.applied:
                raise StateError(f"expected journal offset {one.applied} or later, got {records[0].offset}")
            async with self._computing:
                if one.closing:
                    return
                decision, computed = await self._compute(partition, records)
            await self._commit(one, decision, records[: decision.consumed], computed)
            records = records[decision.consumed :]

    async def _compute(self, partition: Partition, records: list[Any]) -> tuple[Decision, float]:
        """The decision, and how many seconds it took: in slices, between which the event loop serves everything else."""
        steady, computed = self._world.steady, 0.0
        began = steady()
        for decision in partition.deciding(records):
            seconds = steady() - began
            if decision is not None:
                return decision, computed + seconds
            if seconds > STRETCH:
                computed += seconds
                await asyncio.sleep(0)
                began = steady()
        raise StateError("expected a decision, got none")

    async def _commit(self, one: JournalPartition, decision: Decision, covered: list[Any], computed: float) -> None:
        if not decision.consumed and not decision.rows:
            raise StateError(f"expected progress in journal partition {one.number}, got an empty decision")
        self._break(one)
        self._refuse(one, decision)
        began = self._world.steady()
        try:
            await self._world.blocking(partial(one.sink.commit, decision))
        except KafkaException as error:
            code, name = error.args[0].code(), error.args[0].name()
            if code in TAKEN:
                # paused for longer than its session, or two workers with one instance_id
                stop("partition taken over by another worker", error, **self._at(one), code=name)
            if code == KafkaError.MSG_SIZE_TOO_LARGE:
                stop("the broker refused a record as too large", error, **self._at(one), code=name, reason=CHECK)
            raise
        seconds = self._world.steady() - began
        one.partition.accept(decision)
        one.applied = one.partition.next_offset
        one.decided += 1
        one.spent(len(covered), computed)
        oldest = covered[0].timestamp if covered else None
        self._telemetry.decided(one.number, len(covered), decision.counts, computed)
        self._telemetry.committed(one.number, seconds, oldest, len(decision.outputs), decision.times)

    def _break(self, one: JournalPartition) -> None:
        """Stop rather than bury a whole topic: nothing of this chunk is committed, so the next start stops here, too."""
        limit = self._plan.dead_letter_limit
        for topic, run in one.partition.dead_runs.items():
            if limit and run > limit:
                stop("nothing but dead letters", topic=topic, partition=one.number, records=run)

    def _refuse(self, one: JournalPartition, decision: Decision) -> None:
        """Stop before the broker would refuse a row; as above, the next start stops here, too."""
        limit = self._plan.max_row
        for key, value in decision.rows:
            if value is not None and len(value) > limit:
                about: dict[str, Any] = {"key_hash": key_hash(key), "bytes": len(value), "limit": limit}
                stop("a customer's row is too large", **self._at(one), reason=RAISE, **about)

    def _at(self, one: JournalPartition) -> dict[str, Any]:
        """Where deciding stands, for the log: the first record of the journal that is not committed."""
        return {"topic": self._plan.journal, "partition": one.number, "offset": one.applied}


def _into(seen: set[int], number: int) -> Callable[[bytes, bytes | None], None]:
    return lambda key, value: seen.add(number)
