"""Writes to the journal: one idempotent producer per worker, batches in order per partition, acknowledged.

Delivery: at least once and in order. A crash doubles what was acknowledged but not yet committed at the source; the
ledger's high-waters skip it. Any error is an unknown outcome, so the worker ends: nothing is sent again by us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder

from stream.domain.errors import DeliveryError
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.stamping import JournalRecord
from stream.shell.kafka.world import World

BATCH = 1_000_000
"""Bytes a batch aims at. Batches of one partition go one after the other, each with several turns of the event loop."""
COMPRESSION = "zstd"
"""This client's lz4 is of the slow, thorough kind: seven times the time of zstd for more bytes."""
REQUEST_TIMEOUT_MS = 30_000


class Journal:
    """The journal as seen by ingest: `write` returns when everything is acknowledged by all in-sync replicas."""

    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._producer: Any = None

    async def open(self) -> None:
        """Connect."""
        producer = self._world.idempotent(
            **self._plan.aiokafka,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            compression_type=COMPRESSION,
            max_batch_size=min(BATCH, self._plan.max_record),
            max_request_size=self._plan.max_record,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        await producer.start()
        self._producer = producer

    async def close(self) -> None:
        """Disconnect; what is in flight is waited for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def write(self, parts: Mapping[int, Sequence[JournalRecord]]) -> int:
        """Append to these partitions, each in order; the broker's time of the last to be acknowledged, UTC ms.

        The caller writes one such round at a time: the next only after this one returned.
        Raises DeliveryError for a record that can never fit; any other exception means an unknown outcome.
        """
        return max(await asyncio.gather(*[self._append(partition, records) for partition, records in parts.items()]))

    async def _append(self, partition: int, records: Sequence[JournalRecord]) -> int:
        producer = self._producer
        assert producer is not None, "the journal is not open"
        topic = self._plan.journal
        acknowledgements = []
        batch = self._begin(records[0], partition)
        for record in records[1:]:
            key, value, headers = record
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
                batch = self._begin(record, partition)
        batch.close()
        acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
        appended = [(await acknowledgement).timestamp for acknowledgement in acknowledgements]
        return int(appended[-1])

    def _begin(self, record: JournalRecord, partition: int) -> BatchBuilder:
        """A batch that begins with this record. Only a batch's first record can be larger than the batch."""
        batch = self._with(record)
        if batch.size() <= self._plan.max_record:
            return batch
        # what the broker counts is the compressed size; a batch that was built cannot be sent any more, so try a twin
        size = len(self._with(record)._build())
        if size > self._plan.max_record:
            raise DeliveryError(
                f"expected records of at most {self._plan.max_record} bytes, got one of {size} for journal partition "
                f"{partition}: raise max.message.bytes of the journal above that of every source topic"
            )
        return batch

    def _with(self, record: JournalRecord) -> BatchBuilder:
        assert self._producer is not None
        batch: BatchBuilder = self._producer.create_batch()
        key, value, headers = record
        batch.append(timestamp=None, key=key, value=value, headers=headers)
        return batch
