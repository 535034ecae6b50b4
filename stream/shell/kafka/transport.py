"""Faust's consumer, made to deliver spans instead of records, and to start where we say.

Rule: framework internals are overridden here, in `fetching` and in `app` only; the versions are pinned, and tests on a
real broker hold each hook by its effect. What the hooks call is the `Desk`, which knows no Faust.

Why not the stock one: it handles every record by itself (64 us of CPU each), commits past records in flight, drops
acknowledged positions at a rebalance, and reads uncommitted records. All of that is replaced here by chains of
positions (`positions`), by which nothing can be dropped unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream.shell.kafka.failstop import stop
from stream.shell.kafka.fetching import FRAMEWORK, Desk, SpanThread
from stream.shell.kafka.positions import Committed, Placement
from stream.shell.logs import logger

SCHEME = "kairos"
COMMIT_PATIENCE = 10.0
"""Seconds."""
log = logger(__name__)


class Unread(dict[TP, None]):
    """Read offsets that are never known: the framework would drop or pad by them what the chains account for."""

    def __missing__(self, key: TP) -> None:
        return None

    def __setitem__(self, key: TP, value: Any) -> None: ...


class SpanConsumer(driver.Consumer):
    """Delivers one message per partition and fetch, whose value is a `Span`."""

    logger = FRAMEWORK
    _thread: SpanThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.desk: Desk = cast(Any, self.app).desk
        self._read_offset = cast(Any, Unread())
        self._sent: dict[TP, Committed] = {}

    def _new_consumer_thread(self) -> SpanThread:
        return SpanThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        last = record.next - 1
        generation = self.app.consumer_generation_id
        return ConsumerMessage(
            tp.topic, tp.partition, last, 0.0, 0, None, None, record, None, 0, 0, tp, generation_id=generation
        )

    def ack(self, message: Any) -> bool:
        """Only says that the agent has taken the span over; what is done is said by the desk."""
        self._unacked_messages.discard(message)
        message.acked = True
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None: ...

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: a full partition is left out of the next fetch, without the stock pause of a second."""

    async def verify_all_partitions_active(self) -> None:
        """Nothing: our own watchdog looks at positions, the stock one logs false alarms."""

    async def perform_seek(self) -> None:
        """Nothing: positions are set by `place`, once per assignment, before the flow resumes."""

    async def place(self, journal: Mapping[TP, int]) -> Placement:
        """Set the position of every assigned partition; see `SpanThread.place`."""
        self._sent = {}
        return cast(Placement, await self._thread.call_thread(self._thread.place, journal))

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what the desk says is done and was not committed yet."""
        return await self._commit_positions(self.desk.progress())

    async def _commit_positions(self, positions: Mapping[TP, Committed]) -> bool:
        news = {tp: position for tp, position in positions.items() if self._sent.get(tp) != position}
        if not news:
            return False
        try:
            # the client would try for ever; a position that is not committed only costs repeated work
            done = await asyncio.wait_for(self._thread.call_thread(self._thread.commit_marked, news), COMMIT_PATIENCE)
        except TimeoutError:
            log.warning("positions not committed", error="TimeoutError", count=len(news))
            return False
        if not done:
            return False
        self._sent.update(news)
        return True

    @property
    def sent(self) -> Mapping[TP, Committed]:
        """Positions committed since the last assignment."""
        return self._sent

    async def on_start(self) -> None:
        """The worker's own connections come up with the consumer's."""
        await super().on_start()
        await self.desk.start()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """The coordinator waits for this, so it must be quick: opening happens in `restore_hook`."""
        self.desk.assigned(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """The coordinator waits for this before it joins again: finish what is in flight, commit it, let go.

        Ends the worker when that takes too long: whatever hangs would hang for ever, and nothing live is left to watch.
        """
        self.stop_flow()
        try:
            async with asyncio.timeout(self.desk.patience):
                await self._commit_positions(await self.desk.revoke())
                await super().on_partitions_revoked(revoked)
        except TimeoutError as error:
            stop("partitions were not let go", error, seconds=int(self.desk.patience))

    async def on_stop(self) -> None:
        """SIGTERM comes this way; `on_partitions_revoked` is not called."""
        self.stop_flow()
        await self._commit_positions(await self.desk.stop())
        await super().on_stop()


class SpanTransport(driver.Transport):
    """Registered under the URL scheme ``kairos``."""

    Consumer = SpanConsumer


def register() -> None:
    """Let Faust find the transport by its scheme."""
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:{SpanTransport.__name__}"
