"""What every pressure run stands on: a broker and a slow way to it, a bank of any pace, one worker under a probe.

with Stand(where, say, BANK, Clock.WALL) as stand:
    stand.worker(slow=True)
    stand.stretch("burst", rate=3000, seconds=8)
    print(stand.verdict())
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Self

from stream.shell.kafka import topics
from stream.shell.settings import Clock, Settings
from stream.wire.registry import SOURCES
from tests.integration import cluster
from tests.pressure.probe import Probe, Seen, seen
from tests.pressure.proxy import Proxy
from tests.rig import load
from tests.rig.broker import Broker
from tests.rig.oracle import Verdict, judge

LONGEST = 8192
"""Bytes from which on an event is oversize here: the many that are bad on purpose shall not fill the disk."""
START = date(2024, 1, 8)
"""First day of the log: all of it has been, whatever today is."""
WORKER = "a"
IDLE = 50.0
"""Lines a second that the bank sends when nothing is asked of it."""
BACKOFF = 1.0
"""Seconds after which a worker that ended by itself is started again."""
PATIENCE = 900.0
"""Seconds within which everything is decided that was sent."""


class Stand:
    """One deployment from its first record to its verdict.

    Args:
        bank: Customers and days.
        clock: What moves time; by the wall clock the log itself is no witness.

    Attributes:
        ended: Exit codes of workers that ended by themselves.
        stretches: What was seen, in order.
        pace: Lines a second that the bank came to in each stretch.
    """

    def __init__(self, where: Path, say: Callable[[str], None], bank: tuple[int, int], clock: Clock) -> None:
        self._where, self.say, self._clock = where, say, clock
        self._log = load.Log(*bank, LONGEST, START)
        self.proxy = Proxy(lambda: self.broker.behind_proxy)
        self.stretches: dict[str, Seen] = {}
        self.pace: dict[str, float] = {}
        self.ended: list[int] = []

    def __enter__(self) -> Self:
        self.proxy.start()
        self.broker = Broker(self._where / "broker", self.proxy.port)
        self.broker.start()
        self.settings = Settings(
            brokers=self.broker.bootstrap,
            clock=self._clock,
            journal_partitions=4,
            replication_factor=1,
            max_event_bytes=LONGEST,
        )
        topics.create(self.settings, load.PARTITIONS)
        self.workers = cluster.Workers(self.settings, self._where)
        self.bank = load.Load(self.settings, self._log.lines(), IDLE)
        self.bank.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.workers.destroy()
        self.broker.stop()
        self.proxy.stop()

    def worker(self, slow: bool = False) -> None:
        """A fresh worker in the place of the one there is, if any; a slow one meets the broker through the proxy."""
        if WORKER in self.workers.processes:
            codes = self.workers.terminate()
            assert codes == {WORKER: 0}, f"expected an end in order, got {codes}\n{self.workers.logs()}"
            self.probe.over.set()
        brokers = f"127.0.0.1:{self.proxy.port}" if slow else self.broker.bootstrap
        self.workers.settings = self.settings.model_copy(update={"brokers": brokers})
        opened = self.workers.log(WORKER).read_bytes().count(cluster.OPENED) if self.workers.log(WORKER).exists() else 0
        self.workers.start(WORKER)
        self.probe = Probe(self.workers.log(WORKER))
        self.probe.start()
        self.workers.opened(WORKER, times=opened + 1)

    def stretch(self, name: str, rate: float, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> Seen:
        """Have the bank send so many lines a second for so long; what was seen of the worker."""
        sent, start = self.bank.count, time.monotonic()
        self.bank.rate = rate
        meanwhile()
        self.watch(start + seconds - time.monotonic())
        self.bank.rate = IDLE
        lasted = time.monotonic() - start
        self.pace[name] = round((self.bank.count - sent) / lasted)
        found = self.stretches[name] = seen(self.probe.since(start))
        self.say(
            f"{name}: {self.pace[name]:,.0f} sent a second for {lasted:.0f} s, {found.rate:,.0f} applied, "
            f"lag {found.lag_usual:,} (most {found.lag_most:,}), buffered {found.buffered_most:,}, "
            f"RSS {found.rss_end:.0f} MiB ({found.growth:+} a minute), rebalances {found.rebalances}"
        )
        return found

    def watch(self, seconds: float) -> None:
        """Wait, and start the worker again whenever it ends by itself."""
        until = time.monotonic() + seconds
        while True:
            assert self.bank.is_alive(), f"the bank's log is over too early: {self.bank.failed}"
            process = self.workers.processes[WORKER]
            if (code := process.poll()) is not None:
                self.ended.append(code)
                time.sleep(BACKOFF)
                self.workers.start(WORKER)
            if time.monotonic() >= until:
                return
            time.sleep(0.2)

    def drained(self, most: int, patience: float = 300.0) -> None:
        """Return when no more than so many records wait."""
        until = time.monotonic() + patience
        while self.probe.latest(after=time.monotonic() - 5.0).lag > most:
            assert time.monotonic() < until, f"still {self.probe.latest().lag} records wait\n{self.workers.logs()}"
            self.watch(1.0)

    def verdict(self) -> Verdict:
        """End the log, have everything decided, end the worker in order, and judge."""
        last = self.bank.end()
        self.say(f"the bank has sent {self.bank.count:,} lines; waiting until all is decided")
        recorded = self._clock is Clock.RECORDED
        now = int(time.time() * 1000)
        reached = cluster.end_of_log(last.at) if recorded else cluster.proven(now, *SOURCES)
        cluster.decided(self.settings, reached, self.workers, PATIENCE)
        codes = self.workers.terminate()
        assert codes == {WORKER: 0}, f"expected an end in order, got {codes}\n{self.workers.logs()}"
        self.probe.over.set()
        self.say("judging")
        return judge(self.settings, self._log if recorded else None, self.bank.count)[0]
