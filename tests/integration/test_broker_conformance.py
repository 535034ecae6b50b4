"""Law: the simulated broker answers as Apache Kafka does, wherever the worker relies on it: one suite for both.

Each scenario speaks through the port `World` only, so it cannot tell which one it has. Not here: the consumer group,
whose protocol the framework's client speaks (tests/integration/test_worker_assignment.py holds that one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any, Protocol

import pytest
from aiokafka import TopicPartition
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from stream.shell.kafka import clients
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.sink import options
from stream.shell.kafka.world import Real, World
from stream.shell.settings import Settings
from tests.integration import worker_trial as trial
from tests.simulation.broker import Broker
from tests.simulation.group import Group
from tests.simulation.host import SimulatedWorld
from tests.simulation.loop import OUTSIDE, PROCESS, Loop, Process
from tests.simulation.network import Network

OUT, STATE = "out.trigger.tier", "state"
CALL = 20.0
TOO_LARGE = Random(1).randbytes(2_500_000)
"""The client takes it, the broker does not; compression makes it no smaller."""


class Stage(Protocol):
    """A broker to play on."""

    plan: Plan

    def play(self, scene: Callable[[World, Plan], Awaitable[Any]]) -> Any: ...
    def delete_before(self, topic: str, offset: int) -> None: ...


class RealStage:
    """Apache Kafka."""

    def __init__(self, settings: Settings) -> None:
        trial.prepare(settings)
        self._settings = settings
        self.plan = Plan(
            settings.app_id, (), 1, topic_prefix=settings.topic_prefix,
            aiokafka=clients.aiokafka(settings), librdkafka=clients.librdkafka(settings),
        )  # fmt: skip

    def play(self, scene: Callable[[World, Plan], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            return await scene(Real(), self.plan)

        return asyncio.run(run())

    def delete_before(self, topic: str, offset: int) -> None:
        admin = AdminClient({"bootstrap.servers": self._settings.brokers})
        [done] = admin.delete_records([Place(self.plan.topic(topic), 0, offset)]).values()
        done.result()


class SimulatedStage:
    """Ours."""

    def __init__(self) -> None:
        self.plan = Plan("kairos", (), 1)
        random = Random(1)
        self._loop = Loop(random)
        self._broker = Broker(self._loop, random, lambda: int(self._loop.time() * 1000))
        for topic in (OUT, STATE, "journal"):
            self._broker.create(topic, 1, watched=True)
        self._group = Group(self._loop, list, 3.0, 5.0)

    def play(self, scene: Callable[[World, Plan], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            PROCESS.set(Process("tester"))
            world: Any = SimulatedWorld(Network(self._broker, self._group, PROCESS.get()))
            return await asyncio.ensure_future(scene(world, self.plan))

        return OUTSIDE.copy().run(self._loop.run, run(), 1_000_000)

    def delete_before(self, topic: str, offset: int) -> None:
        self._broker.log(topic, 0).delete_before(offset)


@pytest.fixture(params=["apache kafka", "simulated"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "simulated":
        yield SimulatedStage()
    else:
        yield RealStage(request.getfixturevalue("configured")(journal_partitions=1))


# What scenes are made of


def producer(world: World, plan: Plan) -> Any:
    """A transactional producer that has taken its id over. Blocks."""
    made = world.transactional(options(plan, 0))
    made.list_topics(timeout=CALL)
    made.init_transactions(CALL)
    return made


def write(made: Any, plan: Plan, *values: bytes, topic: str = OUT) -> None:
    """Records of the open transaction, at the broker. Blocks."""
    for value in values:
        made.produce(plan.topic(topic), value, b"k", 0)
    assert made.flush(CALL) == 0


def say(world: World, plan: Plan, *values: bytes, commit: bool = True) -> Any:
    """A transaction of these values; its producer. Blocks."""
    made = producer(world, plan)
    made.begin_transaction()
    write(made, plan, *values)
    (made.commit_transaction if commit else made.abort_transaction)(CALL)
    return made


async def look(world: World, plan: Plan, level: str = "read_committed", topic: str = OUT) -> tuple[list[bytes], int, int]:
    """Values up to the end that this reader knows, its position then, and that end."""
    reader = world.reader(**plan.aiokafka, isolation_level=level, enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    tp = TopicPartition(plan.topic(topic), 0)
    reader.assign([tp])
    end = (await reader.end_offsets([tp]))[tp]
    reader.seek(tp, (await reader.beginning_offsets([tp]))[tp])
    values: list[bytes] = []
    while await reader.position(tp) < end:
        for records in (await reader.getmany(tp, timeout_ms=200)).values():
            values += [record.value for record in records]
    position = await reader.position(tp)
    await reader.stop()
    return values, position, end


async def stamps(world: World, plan: Plan, topic: str) -> list[int]:
    """Timestamps of all records."""
    reader = world.reader(**plan.aiokafka, isolation_level="read_committed", enable_auto_commit=False)
    await reader.start()
    tp = TopicPartition(plan.topic(topic), 0)
    reader.assign([tp])
    reader.seek(tp, 0)
    end, found = (await reader.end_offsets([tp]))[tp], list[int]()
    while await reader.position(tp) < end:
        for records in (await reader.getmany(tp, timeout_ms=200)).values():
            found += [record.timestamp for record in records]
    await reader.stop()
    return found


async def settled(world: World, plan: Plan, topic: str = OUT) -> None:
    """Until the markers of ended transactions are in the log: a commit returns before."""
    tp = TopicPartition(plan.topic(topic), 0)
    stable = world.reader(**plan.aiokafka, isolation_level="read_committed")
    high = world.reader(**plan.aiokafka, isolation_level="read_uncommitted")
    await asyncio.gather(stable.start(), high.start())
    while await stable.end_offsets([tp]) != await high.end_offsets([tp]):
        await asyncio.sleep(0.01)
    await asyncio.gather(stable.stop(), high.stop())


# The suite


def test_a_commit_leaves_a_control_record_that_positions_pass(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        await world.blocking(lambda: say(world, plan, b"1", b"2", b"3"))
        await settled(world, plan)
        return await look(world, plan)

    assert stage.play(scene) == ([b"1", b"2", b"3"], 4, 4)


def test_what_was_aborted_is_passed_over_by_readers_of_committed_records(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        await world.blocking(lambda: say(world, plan, b"gone", commit=False))
        await world.blocking(lambda: say(world, plan, b"there"))
        await settled(world, plan)
        return await look(world, plan), await look(world, plan, "read_uncommitted")

    committed, all_of_it = stage.play(scene)
    assert committed == ([b"there"], 4, 4)
    assert all_of_it == ([b"gone", b"there"], 4, 4)


def test_an_open_transaction_holds_the_stable_end_back_and_not_the_high_watermark(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        made = await world.blocking(lambda: say(world, plan, b"before"))
        await world.blocking(made.begin_transaction)
        await world.blocking(lambda: write(made, plan, b"open"))
        while_open = await look(world, plan), (await look(world, plan, "read_uncommitted"))[2]
        await world.blocking(lambda: made.commit_transaction(CALL))
        await settled(world, plan)
        return *while_open, await look(world, plan)

    held, high, after = stage.play(scene)
    assert (held, high) == (([b"before"], 2, 2), 3)
    assert after == ([b"before", b"open"], 4, 4)


def test_who_takes_an_id_over_aborts_and_fences_the_owner_before(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        old = await world.blocking(lambda: producer(world, plan))
        await world.blocking(old.begin_transaction)
        await world.blocking(lambda: write(old, plan, b"zombie"))
        await world.blocking(lambda: say(world, plan, b"owner"))
        with pytest.raises(KafkaException) as caught:
            await world.blocking(lambda: old.commit_transaction(CALL))
        error = caught.value.args[0]
        await settled(world, plan)
        return error.fatal(), error.retriable(), error.txn_requires_abort(), (await look(world, plan))[0]

    assert stage.play(scene) == (True, False, False, [b"owner"])


def test_a_fenced_owner_cannot_write_any_more(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        old = await world.blocking(lambda: say(world, plan, b"1"))
        await world.blocking(lambda: say(world, plan, b"2"))

        def again() -> None:
            old.begin_transaction()
            write(old, plan, b"zombie")
            old.commit_transaction(CALL)

        with pytest.raises(KafkaException) as caught:
            await world.blocking(again)
        await settled(world, plan)
        return caught.value.args[0].fatal(), (await look(world, plan))[0]

    assert stage.play(scene) == (True, [b"1", b"2"])


def test_a_transaction_over_two_topics_is_there_as_a_whole(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        def both() -> int:
            made = producer(world, plan)
            made.begin_transaction()
            made.produce(plan.topic(OUT), b"out", b"k", 0, headers=[("a", b"1")])
            told: list[Any] = []
            rows = [{"key": b"r", "value": b"row", "callback": lambda fault, message: told.append(message.offset())}]
            assert made.produce_batch(plan.topic(STATE), rows, partition=0, on_delivery=lambda *_: None) == 1
            assert made.flush(CALL) == 0
            made.commit_transaction(CALL)
            return int(told[0])

        offset = await world.blocking(both)
        await settled(world, plan)
        await settled(world, plan, STATE)
        return offset, (await look(world, plan))[0], (await look(world, plan, topic=STATE))[0]

    assert stage.play(scene) == (0, [b"out"], [b"row"])


def test_a_commit_of_records_that_failed_is_refused_and_can_only_be_aborted(stage: Stage) -> None:
    """Also when nobody asked for reports: no decision is committed in part."""

    async def scene(world: World, plan: Plan) -> Any:
        def attempt() -> Any:
            made = producer(world, plan)
            made.begin_transaction()
            write(made, plan, b"small", TOO_LARGE)
            with pytest.raises(KafkaException) as caught:
                made.commit_transaction(CALL)
            made.abort_transaction(CALL)
            return caught.value.args[0]

        error = await world.blocking(attempt)
        await settled(world, plan)
        return error.code(), error.txn_requires_abort(), error.fatal(), (await look(world, plan))[0]

    assert stage.play(scene) == (KafkaError.MSG_SIZE_TOO_LARGE, True, False, [])


def test_an_empty_commit_leaves_nothing(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        await world.blocking(lambda: say(world, plan))
        return await look(world, plan)

    assert stage.play(scene) == ([], 0, 0)


def test_batches_of_one_partition_stay_in_order_and_leave_no_holes(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        made = world.idempotent(**plan.aiokafka, enable_idempotence=True, acks="all", linger_ms=0)
        await made.start()
        acknowledgements = []
        for number in range(5):
            batch = made.create_batch()
            for part in range(2):
                assert (
                    batch.append(timestamp=None, key=b"k", value=b"%d.%d" % (number, part), headers=[("h", b"1")]) is not None
                )
            batch.close()
            acknowledgements.append(await made.send_batch(batch, plan.topic("journal"), partition=0))
        appended = [(await acknowledgement).timestamp for acknowledgement in acknowledgements]
        await made.stop()
        return appended, await stamps(world, plan, "journal"), await look(world, plan, topic="journal")

    appended, stamped, there = stage.play(scene)
    assert there == ([b"%d.%d" % (n, part) for n in range(5) for part in range(2)], 10, 10)
    assert appended == stamped[::2], "an acknowledgement tells the broker's time of the append"


def test_retention_moves_the_beginning_and_nothing_else(stage: Stage) -> None:
    async def scene(world: World, plan: Plan) -> Any:
        await world.blocking(lambda: say(world, plan, b"1", b"2", b"3"))
        await settled(world, plan)

    async def after(world: World, plan: Plan) -> Any:
        return await look(world, plan)

    stage.play(scene)
    stage.delete_before(OUT, 2)
    assert stage.play(after) == ([b"3"], 4, 4)
