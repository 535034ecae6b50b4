"""Law: more than a worker likes makes it late, never wrong and never large; the short `make soak`, on its own broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.shell.kafka import topics
from stream.shell.kafka.publish import publish
from stream.shell.settings import Settings
from tests.builders import START
from tests.integration import cluster
from tests.pressure.probe import MIB, Probe
from tests.pressure.proxy import Proxy
from tests.pressure.run import SHORT, press

LARGE = 262_000
"""Bytes of a record that is no event, though not oversize."""
MANY = 2_500
MOST = 400.0
"""MiB; what was sent is half as much again, and once in memory it would be there several times."""


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_a_burst_over_a_slow_broker_that_stands_still_loses_nothing(broker: str, tmp_path: Path) -> None:
    """Ten times the usual through half a megabyte a second, the broker stopped for 3 s: no rebalance, memory bounded, exact."""
    outcome = press(SHORT, tmp_path, print)

    assert outcome.wrong == []
    assert outcome.verdict.good
    assert outcome.ended == []
    assert outcome.stretches["slow broker"].lag_most > 0, "it was slow"


def test_what_is_large_in_memory_is_held_by_bytes(configured: Callable[..., Settings], tmp_path: Path) -> None:
    """Records that compress to next to nothing: a few fetches of them would fill the memory."""
    settings = configured(dead_letter_limit=0)
    topics.create(settings)
    publish(settings, ((number, b"x" * LARGE, START) for number in range(1, MANY + 1)), "large.jsonl")
    workers = cluster.Workers(settings, tmp_path / "workers")
    try:
        workers.start("a")
        probe = Probe(workers.log("a"))
        probe.start()
        until = time.monotonic() + 200
        while not probe.looks or probe.looks[-1].processed < MANY:
            workers.alive()
            assert time.monotonic() < until, workers.logs()
            time.sleep(0.2)
        probe.over.set()
        assert workers.terminate() == {"a": 0}, workers.logs()
    finally:
        workers.destroy()

    assert MANY * LARGE / MIB > 1.5 * MOST
    assert max(one.rss for one in probe.looks) / MIB < MOST


def test_the_proxy_passes_everything_on_in_order_and_no_faster_than_it_should() -> None:
    """Both ways at once; ends are passed on, too."""
    sent = bytes(range(256)) * 2000

    async def scene() -> tuple[bytes, float]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while chunk := await reader.read(1000):
                writer.write(chunk)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        proxy = Proxy(lambda: int(server.sockets[0].getsockname()[1]))
        await asyncio.to_thread(proxy.start)
        proxy.speed.rate, proxy.speed.latency = 1e6, 0.05
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(sent)
        got = await reader.readexactly(len(sent))
        took = time.monotonic() - began
        writer.close()
        await asyncio.to_thread(proxy.stop)
        server.close()
        return got, took

    got, took = asyncio.run(scene())

    assert got == sent
    assert took > len(sent) / 1e6
