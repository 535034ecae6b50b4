"""A worker with a toy engine, as a process of its own: `python worker_toy.py SETTINGS_JSON [HOLD_DIR]`.

The toy counts events per key and emits an output with every tenth; rows are counts, the ledger holds the next offset
and the sources' high-waters. What it makes of a journal can be told by a loop of ten lines: the oracle of the tests.

While a file HOLD_DIR/<pid> exists, every transaction stays open for a while before its commit; the log says so.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stream.domain.events import JournalRecord
from stream.shell.kafka.app import run
from stream.shell.kafka.telemetry import Silent
from stream.shell.settings import Settings

LEDGER = b"\x00ledger"
EVERY = 10
HELD = 1.5
"""Seconds."""


class ToyOutput(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


class ToyDecision(NamedTuple):
    consumed: int
    outputs: list[ToyOutput]
    rows: list[tuple[bytes, bytes | None]]
    counts: Counter[tuple[str, ...]]
    times: tuple[int, ...] = ()


class ToyPartition:
    """The engine's interface, and nothing behind it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.next_offset = 0
        self.counts: dict[bytes, int] = {}
        self.high: dict[str, int] = {}
        self.dead_runs: dict[str, int] = {}

    def restore(self, key: bytes, value: bytes | None) -> None:
        if key != LEDGER:
            self.counts[key] = int(value or 0)
        elif value is not None:
            ledger = json.loads(value)
            self.next_offset, self.high = ledger["next"], ledger["high"]

    def deciding(self, records: Sequence[JournalRecord]) -> Iterator[ToyDecision]:
        yield self.decide(records)

    def decide(self, records: Sequence[JournalRecord]) -> ToyDecision:
        outputs: list[ToyOutput] = []
        changed: dict[bytes, int] = {}
        for record in records:
            key = self._fresh(record)
            if key is not None:
                count = changed[key] = changed.get(key, self.counts.get(key, 0)) + 1
                if count % EVERY == 0:
                    outputs.append(ToyOutput("out.trigger.tier", key, b"%b|%d" % (key, count), [("kairosmode", b"live")]))
        self.next_offset = records[-1].offset + 1
        ledger = json.dumps({"next": self.next_offset, "high": self.high}).encode()
        rows: list[tuple[bytes, bytes | None]] = [(key, b"%d" % count) for key, count in changed.items()]
        return ToyDecision(len(records), outputs, [*rows, (LEDGER, ledger)], Counter())

    def _fresh(self, record: JournalRecord) -> bytes | None:
        name, value = record.headers[-1]
        if name != "kairos_src":
            return None
        topic, partition, incarnation, offset, _, _ = value.decode().split("|")
        source = f"{topic}|{partition}|{incarnation}"
        if int(offset) <= self.high.get(source, -1):
            return None
        self.high[source] = int(offset)
        return record.key or b"nobody"

    def accept(self, decision: ToyDecision) -> None:
        for key, value in decision.rows:
            if key != LEDGER:
                self.counts[key] = int(value or 0)


class Holding(Silent):
    """Says when a transaction is open, and holds it open when asked to."""

    def __init__(self, directory: Path) -> None:
        self._asked = directory / str(os.getpid())

    def transaction_open(self, partition: int) -> None:
        if self._asked.exists():
            logging.getLogger("toy").warning("transaction open: journal partition %d", partition)
            time.sleep(HELD)


class Rates(Silent):
    """Prints what a benchmark wants to know: `decided N at T`, once a second of work, and at the end CPU seconds."""

    def __init__(self) -> None:
        self.records = 0

    def decided(self, partition: int, records: int, counts: Counter[tuple[Any, ...]], compute: float) -> None:
        self.records += records
        print(f"decided {self.records} {time.time():.3f} {time.process_time():.3f}", flush=True)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for noisy in ("faust", "mode", "aiokafka"):
        logging.getLogger(noisy).setLevel(os.environ.get("TOY_LEVEL", "WARNING"))
    settings = Settings(**json.loads(sys.argv[1]))
    telemetry = Holding(Path(sys.argv[2])) if len(sys.argv) > 2 else Rates()
    return run(settings, ToyPartition, telemetry)


if __name__ == "__main__":
    sys.exit(main())
