"""Whether this worker lives and whether it is ready, over HTTP from a thread of its own.

Rule: liveness is about us, never about the broker: restarting a worker repairs no broker, and a restore costs time.
A worker is alive while its event loop beats and no partition it watches stands still before records that the broker shows.
It is ready while it runs and restores nothing. The event loop never renders a page: 500 rules would hold it for 50 ms.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from stream.domain.errors import ConfigError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


JOURNAL = "journal"
"""Logical name of the topic whose partitions are restored."""


class WorkerState(StrEnum):
    """What a worker is doing; also the label of `kairos_worker_state`."""

    STARTING = "starting"
    RESTORING = "restoring"
    REBALANCING = "rebalancing"
    RUNNING = "running"
    STOPPING = "stopping"


class Verdict(NamedTuple):
    """An answer with its reasons; `ok` when there are none."""

    ok: bool
    why: tuple[str, ...]


class Limits(NamedTuple):
    """How long is too long, in seconds.

    Attributes:
        silent: Without a heartbeat of the loop.
        stuck: With records ahead and nothing done.
        blind: After which an observation of a partition is too old to judge by (the broker does not answer).
    """

    silent: float = 15.0
    stuck: float = 120.0
    blind: float = 15.0


LIMITS = Limits()


class _Watch(NamedTuple):
    """A partition as last observed: what was done, how much is ahead, since when neither got better."""

    done: int
    lag: int
    since: float
    seen: float


class Health:
    """What the worker tells about itself, and the two verdicts on it.

    Told by the event loop, asked by the server's threads.

    >>> clock = [0.0]
    >>> health = Health(now=lambda: clock[0])
    >>> health.live().ok, health.ready()
    (True, Verdict(ok=False, why=('worker is starting',)))
    >>> clock[0] = 16.0
    >>> health.live()
    Verdict(ok=False, why=('event loop silent for 16 s',))
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, limits: Limits = LIMITS) -> None:
        self._now = now
        self._limits = limits
        self._lock = threading.Lock()
        self._beat = now()
        self._state = WorkerState.STARTING
        self._restoring: frozenset[int] = frozenset()
        self._watched: dict[tuple[str, int], _Watch] = {}

    def beat(self) -> None:
        """The event loop turned."""
        self._beat = self._now()

    def entered(self, state: WorkerState) -> None:
        """The worker's state is now this one."""
        self._state = state

    def restoring(self, partitions: Iterable[int]) -> None:
        """These journal partitions are assigned and not yet restored; they are not stuck meanwhile."""
        with self._lock:
            self._restoring = frozenset(partitions)
            for partition in self._restoring:
                self._watched.pop((JOURNAL, partition), None)

    def observed(self, topic: str, partition: int, done: int, lag: int) -> None:
        """The broker was asked, and showed `lag` records ahead; `done` is any number that grows with progress.

        To be told only when the broker answered. After a silence longer than `Limits.blind` the patience starts anew,
        so that a broker that comes back does not find every worker stuck.
        """
        now = self._now()
        with self._lock:
            if topic == JOURNAL and partition in self._restoring:
                return
            last = self._watched.get((topic, partition))
            if last is None or self._blind(last, now):
                since = now
            else:
                since = last.since if done == last.done and lag >= max(1, last.lag) else now
            self._watched[topic, partition] = _Watch(done, lag, since, now)

    def reassigned(self) -> None:
        """What is watched may no longer be ours; what still is will be observed again."""
        with self._lock:
            self._watched.clear()

    def live(self) -> Verdict:
        """Whether to leave this process alone (`/healthz`)."""
        why = []
        silent = self._now() - self._beat
        if silent > self._limits.silent:
            why.append(f"event loop silent for {silent:.0f} s")
        why += [
            f"{topic}/{partition} stands still for {self._now() - watch.since:.0f} s with {watch.lag} records ahead"
            for topic, partition, watch in self._stuck()
        ]
        return Verdict(not why, tuple(why))

    def ready(self) -> Verdict:
        """Whether it does its work (`/readyz`)."""
        why = [] if self._state is WorkerState.RUNNING else [f"worker is {self._state}"]
        why += [f"{JOURNAL}/{partition} is being restored" for partition in sorted(self._restoring)]
        return Verdict(not why, tuple(why))

    def _blind(self, watch: _Watch, now: float) -> bool:
        return now - watch.seen > self._limits.blind

    def _stuck(self) -> Iterator[tuple[str, int, _Watch]]:
        now = self._now()
        with self._lock:
            watched = sorted(self._watched.items())
        for (topic, partition), watch in watched:
            if not self._blind(watch, now) and watch.lag > 0 and now - watch.since > self._limits.stuck:
                yield topic, partition, watch


class Server:
    """Serves `/metrics`, `/healthz` and `/readyz`.

    Loopback unless told otherwise, since nothing here asks who is calling. Port 0 takes a free one; see `address`.

    Raises ConfigError when the address cannot be had.
    """

    def __init__(self, registry: CollectorRegistry, health: Health, host: str = "127.0.0.1", port: int = 0) -> None:
        kind = _Listener6 if ":" in host else _Listener
        try:
            self._listener = make_server(host, port, _pages(registry, health), kind, _Handler)
        except OSError as error:
            raise ConfigError(f"expected a free address for metrics, got {error.strerror} at {host}:{port}") from error
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.1,), name="metrics", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        host, port = self._listener.socket.getsockname()[:2]
        return host, port

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Closes the socket and waits for the listening thread; requests being answered may finish."""
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()


@contextmanager
def serving(registry: CollectorRegistry, health: Health, host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """A `Server` for the duration of a block."""
    server = Server(registry, health, host, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class _Listener(ThreadingWSGIServer):
    def server_bind(self) -> None:
        """Leaves out the name look-up of the standard server, which blocks for seconds where names do not resolve."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        host, self.server_port = self.socket.getsockname()[:2]
        self.server_name = str(host)
        self.setup_environ()


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10
    """Seconds after which a caller that sends nothing is dropped."""

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a scrape every few seconds is not news."""


def _pages(registry: CollectorRegistry, health: Health) -> WSGIApplication:
    metrics = make_wsgi_app(registry)

    def page(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            rendered: Iterable[bytes] = metrics(environ, start)
            return rendered
        if path == "/healthz":
            return _answer(start, health.live())
        if path == "/readyz":
            return _answer(start, health.ready())
        start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"expected /metrics, /healthz or /readyz\n"]

    return page


def _answer(start: StartResponse, verdict: Verdict) -> Iterable[bytes]:
    body = json.dumps({"ok": verdict.ok, "why": list(verdict.why)}).encode() + b"\n"
    status = "200 OK" if verdict.ok else "503 Service Unavailable"
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
