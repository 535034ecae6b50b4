"""Law: a record that the broker would refuse is refused before it is sent, by its compressed size."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiokafka import AIOKafkaProducer

from stream.domain.errors import DeliveryError
from stream.shell.kafka.journal import Journal
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.world import Real

LIMIT = 10_000


def begin(value: bytes) -> int:
    """How many records a batch has that begins with this value; the producer is never connected."""

    async def run() -> int:
        plan = Plan("a", (), 4, max_record=LIMIT)
        producer = AIOKafkaProducer(max_batch_size=LIMIT, compression_type="zstd", enable_idempotence=True)
        journal = Journal(Real(), plan)
        journal._producer = producer
        try:
            return int(journal._begin((b"C1", value, [("kairos_src", b"in.txn|0|0|1|1|w")]), 2).record_count())
        finally:
            await producer.stop()

    return asyncio.run(run())


@pytest.mark.parametrize("value", [b"", b"x" * 100, b"x" * 50 * LIMIT], ids=["empty", "small", "large but compressible"])
def test_what_fits_begins_a_batch(value: bytes) -> None:
    assert begin(value) == 1


def test_what_cannot_fit_is_refused_with_the_way_out() -> None:
    noise = random.Random(1).randbytes(LIMIT + 1)

    with pytest.raises(DeliveryError, match=r"at most 10000 bytes, got one of \d+ for journal partition 2: raise max.message"):
        begin(noise)
