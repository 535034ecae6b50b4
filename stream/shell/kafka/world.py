"""The port between a worker and everything outside of it: Kafka's clients, clocks, threads. One real, one simulated.

Rule: ingest, decide, restore and ticks meet the broker, time and threads through `World` only, so that a simulation can
stand in for all three. The clients keep their own interfaces: what they answer is part of what must hold, and one
suite (tests/integration/test_broker_conformance.py) asks the real and the simulated ones the same.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer

from stream.domain.native import batches

T = TypeVar("T")


def _not_critical(record: logging.LogRecord) -> bool:
    """What a client calls critical is at most an error of ours: a worker's critical line is its last one, and says why."""
    if record.levelno > logging.ERROR:
        record.levelno, record.levelname = logging.ERROR, logging.getLevelName(logging.ERROR)
    return True


CLIENT = logging.getLogger("librdkafka")
CLIENT.addFilter(_not_critical)


class Batching(AIOKafkaProducer):
    """Fills its batches in C, where the core is compiled."""

    def create_batch(self) -> Any:
        """An empty batch, of the producer's size and compression."""
        native, own = batches(), self._message_accumulator
        return super().create_batch() if native is None else native.Builder(own._batch_size, own._compression_type)


class World(Protocol):
    """What a worker needs from outside."""

    def transactional(self, options: dict[str, Any]) -> Any:
        """A librdkafka producer with a transactional id. Its calls block: call them through `blocking`."""

    def idempotent(self, **options: Any) -> Any:
        """An aiokafka producer, not started."""

    def reader(self, **options: Any) -> Any:
        """An aiokafka consumer without a group, not started."""

    def admin(self, **options: Any) -> Any:
        """An aiokafka admin client, not started."""

    def steady(self) -> float:
        """Seconds of a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""

    async def blocking(self, work: Callable[[], T]) -> T:
        """Run what blocks in a thread."""

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        """Run what would keep the event loop too long in a thread with an event loop of its own."""

    def guard(self, work: Callable[[], None]) -> None:
        """Run a thread that watches the others, and ends with the process."""


class Real:
    """The world as it is.

    Args:
        threads: How many blocking calls may wait at the same time.
    """

    def __init__(self, threads: int = 4) -> None:
        self._threads = ThreadPoolExecutor(threads, "commit")

    def transactional(self, options: dict[str, Any]) -> Producer:
        return Producer(options, logger=CLIENT)

    def idempotent(self, **options: Any) -> AIOKafkaProducer:
        return Batching(**options)

    def reader(self, **options: Any) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(**options)

    def admin(self, **options: Any) -> AIOKafkaAdminClient:
        return AIOKafkaAdminClient(**options)

    def steady(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def blocking(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, asyncio.run, work)

    def guard(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="heartbeat-guard", daemon=True).start()
