"""The worker as a Faust app: two agents, one consumer, no tables, no web server.

Rule: Faust keeps the life cycle, the group membership, the fetcher and the agents; everything about delivery is ours.
Agents only hand spans over; an exception in one would be swallowed by the framework, so `Worker.put` raises none.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery

from stream.domain.events import Order
from stream.shell.kafka import clients, transport
from stream.shell.kafka.failstop import stop
from stream.shell.kafka.fetching import FRAMEWORK
from stream.shell.kafka.plan import PartitionFactory, Plan, SourceTopic
from stream.shell.kafka.telemetry import Silent, Telemetry
from stream.shell.kafka.worker import Worker
from stream.shell.kafka.world import Real
from stream.shell.settings import Clock, Settings
from stream.wire.registry import SOURCES

STREAM_BUFFER = 64
"""Spans between fetcher and agents; agents hand over at once, so they hardly wait."""
POLL_RECORDS = 8000
"""Records of one fetch over all partitions."""
METADATA_AGE = 30.0
"""Seconds until the group notices new partitions of a source."""


GRACE = 25.0
"""Seconds from SIGTERM after which a worker ends as it stands: no broker answers, or something hangs."""


class OpenThenResume(Recovery):
    """Where the framework would restore its tables we open the assignment: its own task, outside the rebalance."""

    logger = FRAMEWORK

    async def _resume_streams(self, generation_id: int = 0) -> None:
        app: Any = self.app
        if generation_id == app.consumer_generation_id and await app.desk.open():
            await super()._resume_streams(generation_id)


class NoTables(TableManager):
    """A manager of no tables; the stock one waits a second for late ones."""

    logger = FRAMEWORK
    _recovery: Recovery | None = None

    async def on_start(self) -> None:
        """Go on at once."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> Recovery:
        """Our hook into the end of a rebalance."""
        if self._recovery is None:
            self._recovery = OpenThenResume(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class ConsumerOnly(BootStrategy):
    """Producers are ours, and there is nothing to serve."""

    enable_kafka_producer = False
    enable_web = False


class App(faust.App):
    """A Faust app with a desk; writes no directories."""

    logger = FRAMEWORK
    BootStrategy = ConsumerOnly
    desk: Worker

    def _new_consumer(self) -> Any:
        consumer = super()._new_consumer()
        self.desk.consumer = consumer
        return consumer

    async def on_stop(self) -> None:
        """SIGTERM comes this way first."""
        late = threading.Timer(GRACE, stop, ("not ended in order",))
        # outlives the event loop, since threads that wait for a broker do, too; a process that is done does not wait for it
        late.daemon = True
        late.start()
        await super().on_stop()

    def _create_directories(self) -> None: ...


def plan_of(settings: Settings) -> Plan:
    """What the settings say, complete and on the cluster's names."""
    order = Order.RECORDED if settings.clock is Clock.RECORDED else Order.WALL
    return Plan(
        app_id=settings.app_id,
        instance_id=settings.instance_id,
        topic_prefix=settings.topic_prefix,
        partitions=settings.journal_partitions,
        sources=tuple(SourceTopic(name, settings.topic(name), settings.incarnation(name), order) for name in SOURCES),
        aiokafka=clients.aiokafka(settings),
        librdkafka=clients.librdkafka(settings),
        faust=clients.faust_options(settings, transport.SCHEME),
        max_record=clients.MESSAGE_BYTES,
        max_row=settings.max_row_bytes,
        max_state=max(clients.MESSAGE_BYTES, clients.row_bytes(settings)),
        chunk=settings.chunk,
        commit_interval=settings.commit_interval,
        session_timeout=settings.session_timeout,
        transaction_timeout=settings.transaction_timeout,
        stuck_after=settings.watchdog,
        tick_interval=settings.tick_interval,
        tick_margin=settings.tick_margin,
        idle_after=settings.idle_after,
        dead_letter_limit=settings.dead_letter_limit,
    )


def build(settings: Settings, factory: PartitionFactory, telemetry: Telemetry | None = None) -> App:
    """The app of one worker, not started.

    Args:
        settings: Where and how.
        factory: Makes the empty engine state of a journal partition: ``functools.partial(Partition, engine)``.
        telemetry: Told what happens; nobody when absent.
    """
    return assemble(plan_of(settings), factory, telemetry)


def run(settings: Settings, factory: PartitionFactory, telemetry: Telemetry | None = None) -> int:
    """Run one worker until SIGTERM or SIGINT; its exit code: 0 when it ended in order. Logging is the caller's."""
    return execute(build(settings, factory, telemetry))


def assemble(plan: Plan, factory: PartitionFactory, telemetry: Telemetry | None = None) -> App:
    """The app of one worker, not started."""
    transport.register()
    app = App(plan.app_id, **conf(plan))
    app.desk = Worker(Real(max(4, min(32, plan.partitions))), plan, factory, telemetry or Silent())
    add_agents(app, plan)
    return app


def conf(plan: Plan) -> dict[str, Any]:
    """Faust's settings."""
    return {
        **plan.faust,
        "TableManager": NoTables,
        "store": "memory://",
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "table_standby_replicas": 0,
        "web_enabled": False,
        "value_serializer": "raw",
        "stream_buffer_maxsize": STREAM_BUFFER,
        "broker_commit_interval": plan.commit_interval,
        "broker_max_poll_records": POLL_RECORDS,
        "broker_session_timeout": plan.session_timeout,
        "broker_heartbeat_interval": min(3.0, plan.session_timeout / 3),
        "broker_rebalance_timeout": plan.rebalance_timeout,
        "broker_request_timeout": max(60.0, plan.session_timeout, plan.rebalance_timeout) + 30.0,
        "consumer_max_fetch_size": plan.fetch_bytes,
        "consumer_metadata_max_age_ms": int(METADATA_AGE * 1000),
        "consumer_group_instance_id": plan.instance_id,
    }


def add_agents(app: App, plan: Plan) -> None:
    """The two agents: both only hand over, `Worker` knows to whom."""
    raw: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}

    async def hand_over(stream: Any) -> None:
        async for event in stream.events():
            await app.desk.put(event.message.tp, event.value)

    app.agent(app.topic(*[source.topic for source in plan.sources], **raw), name="ingest")(hand_over)
    app.agent(app.topic(plan.journal, **raw), name="decide")(hand_over)


def execute(app: App) -> int:
    """Run until SIGTERM or SIGINT; the exit code: 0 when it ended in order."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(app, loop=loop, loglevel="WARN", redirect_stdouts=False, override_logging=False, quiet=True)
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
