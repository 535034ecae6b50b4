"""The toy worker with faults that a test switches on: `python worker_faulty.py SETTINGS_JSON FAULTS_DIR`.

A fault is on while a file of its name lies in FAULTS_DIR. Everything but the faulty place is the shipped worker, with less
patience than settings allow, so that tests are short.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from faust.types import TP

from stream.domain.events import JournalRecord
from stream.shell import logs
from stream.shell.kafka import app
from stream.shell.kafka.positions import Committed
from stream.shell.kafka.telemetry import Silent
from stream.shell.kafka.worker import Worker
from stream.shell.settings import Settings
from tests.integration.worker_toy import ToyDecision, ToyPartition

RAISES, LOOP, COMMIT, AGENT = "engine raises", "loop hangs", "commit hangs", "agent hangs"
DROPS, LEAVES, CLINGS = "span lost", "group left", "partitions kept"
FOR_EVER = 3600.0
STUCK, REBALANCE = 3.0, 6.0
"""Seconds: of the watchdog, and that a group waits for a member that does not answer."""
FAULTS = Path(sys.argv[-1])


def on(fault: str) -> bool:
    """Whether this fault is switched on."""
    return (FAULTS / fault).exists()


class FaultyPartition(ToyPartition):
    """An engine with a bug, or with an endless computation."""

    def decide(self, records: Sequence[JournalRecord]) -> ToyDecision:
        if on(RAISES):
            raise KeyError(records[0].key)
        if on(LOOP):
            time.sleep(FOR_EVER)
        return super().decide(records)


class FaultyTelemetry(Silent):
    """A commit that never returns: all records are at the broker, and the thread hangs before the commit."""

    def transaction_open(self, partition: int) -> None:
        if on(COMMIT):
            time.sleep(FOR_EVER)


class FaultyWorker(Worker):
    """Agents that hang, spans that get lost on their way, a membership that ends in silence, partitions never let go."""

    async def revoke(self) -> Mapping[TP, Committed]:
        clings = on(CLINGS) and self._live
        reached = await super().revoke()
        if clings:
            await asyncio.sleep(FOR_EVER)
        return reached

    async def put(self, tp: TP, span: Any) -> None:
        if on(AGENT):
            await asyncio.sleep(FOR_EVER)
        if on(DROPS) and tp.topic == self.journal and span.records:
            (FAULTS / DROPS).unlink()
            return
        if on(LEAVES):
            (FAULTS / LEAVES).unlink()
            await self.consumer._thread.call_thread(self._leave)
        await super().put(tp, span)

    async def _leave(self) -> None:
        """What keeps the membership ends without a word, as aiokafka 1154 tells it; the fetcher goes on."""
        coordinator = self.consumer._thread._consumer._coordinator
        coordinator._coordination_task.cancel()
        coordinator._heartbeat_task.cancel()


def main() -> int:
    """Run the worker; its exit code."""
    logs.configure()
    plan = replace(app.plan_of(Settings(**json.loads(sys.argv[1]))), stuck_after=STUCK, rebalance_timeout=REBALANCE)
    # the app takes the worker by this name
    app.Worker = FaultyWorker  # type: ignore[misc]
    return app.execute(app.assemble(plan, FaultyPartition, FaultyTelemetry()))


if __name__ == "__main__":
    sys.exit(main())
