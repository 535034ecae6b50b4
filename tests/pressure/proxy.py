"""A TCP proxy in front of a broker that makes it slow: so many bytes a second each way, and every byte late.

Rule: in order and unchanged. What waits here is bounded by chunks, so a slow side holds the other one back as TCP would.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

CHUNK = 64 * 1024
WAITING = 16
"""Chunks of one connection and direction that may be on their way."""


class Speed:
    """How slow; may be changed at any time from any thread.

    Attributes:
        rate: Bytes a second of each direction, all connections together; None for no limit.
        latency: Seconds that every byte is late.
    """

    def __init__(self, rate: float | None = None, latency: float = 0.0) -> None:
        self.rate = rate
        self.latency = latency


class Lane:
    """One direction of all connections: they take turns for its bytes."""

    def __init__(self, speed: Speed) -> None:
        self._speed = speed
        self._free = 0.0
        self.passed = 0

    async def take(self, count: int) -> None:
        """Return when so many bytes may pass."""
        self.passed += count
        now = asyncio.get_running_loop().time()
        if self._speed.rate is None:
            self._free = now
            return
        self._free = max(self._free, now) + count / self._speed.rate
        await asyncio.sleep(self._free - now)

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on until the end, each chunk as late as the speed says."""
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING)
        delivery = asyncio.create_task(deliver(late, writer))
        loop = asyncio.get_running_loop()
        try:
            while chunk := await reader.read(CHUNK):
                await self.take(len(chunk))
                await late.put((loop.time() + self._speed.latency, chunk))
            await late.put((0.0, b""))
            await delivery
        finally:
            delivery.cancel()
            writer.close()


async def deliver(late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    """Write each chunk when it is due; an empty one is the end."""
    loop = asyncio.get_running_loop()
    while True:
        due, chunk = await late.get()
        if not chunk:
            return
        await asyncio.sleep(max(0.0, due - loop.time()))
        writer.write(chunk)
        await writer.drain()


class Proxy:
    """Listens at a port of its own, in a thread of its own.

    Args:
        target: Asked for the port behind at every connection, since a broker may come back at another one.

    Attributes:
        speed: How slow it is now.
        port: Where it listens; known after `start`.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self.speed = Speed()
        self.up, self.down = Lane(self.speed), Lane(self.speed)
        self.port = 0
        self._ready = threading.Event()
        self._over: asyncio.Event | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Close every connection."""
        if self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._over.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, onward = await asyncio.open_connection("127.0.0.1", self._target())
        except OSError:
            writer.close()
            return
        ways = self.up.pump(reader, onward), self.down.pump(behind, writer)
        # an end of either side is the end of both, as it is for a client of the broker
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
