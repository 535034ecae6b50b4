"""Faust as its documentation teaches it: `peers/faust_app.py`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Collection
from typing import Any

import orjson

from tests.bench.jobj import log, wires
from tests.bench.jobj.contenders.contender import PEERS, Contender, Run, path


class Faust(Contender):
    """A Table of JSON in RocksDB, one event at a time, default settings."""

    pace = 2_500

    def missing(self) -> str | None:
        """Faust comes with Kairos, its store with the development environment."""
        return None if importlib.util.find_spec("rocksdict") else "rocksdict is not installed"

    def prepare(self, run: Run) -> None:
        """Its changelog, too: Faust would make it, but not wait for it."""
        super().prepare(run)
        wires.create(run.brokers, [f"{run.name}-customers-changelog"], **{"cleanup.policy": "compact"})

    def command(self, run: Run) -> list[str]:
        """A worker, as `faust worker` starts it."""
        return [sys.executable, str(PEERS / "faust_app.py"), "worker", "-l", "warn", "--without-web"]

    def environment(self, run: Run) -> dict[str, str]:
        """Where its store is."""
        return {**super().environment(run), "PARTITIONS": str(log.PARTITIONS), "WHERE": str(path(run))}

    def states(self, run: Run, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """The table's changelog."""
        rows = wires.latest(run.brokers, f"{run.name}-customers-changelog")
        return {subject: orjson.loads(raw) for subject in subjects if (raw := rows.get(b'"%b"' % subject.encode()))}
