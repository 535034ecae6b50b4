"""Quix Streams, in an environment of its own: `peers/quix_app.py`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from tests.bench.jobj import wires
from tests.bench.jobj.contenders.contender import PEERS, Contender, Run, path, venv


class Quix(Contender):
    """A stateful function over a RocksDB store with a changelog."""

    def missing(self) -> str | None:
        """Make its environment."""
        try:
            self._python = str(venv("quix", PEERS / "quix.txt"))
        except RuntimeError as error:
            return str(error)
        return None

    def command(self, run: Run) -> list[str]:
        """One process."""
        return [self._python, str(PEERS / "quix_app.py")]

    def environment(self, run: Run) -> dict[str, str]:
        """Its guarantee, and where its store is."""
        guarantee = "exactly-once" if self.committed else "at-least-once"
        return {**super().environment(run), "GUARANTEE": guarantee, "WHERE": str(path(run))}

    def states(self, run: Run, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """The store's changelog: its keys begin with the message's key."""
        topic = f"changelog__{run.name}--{self.source(run)}--default"
        rows = {key.partition(b"|")[0].strip(b'"').decode(): value for key, value in wires.latest(run.brokers, topic).items()}
        return {subject: orjson.loads(raw) for subject in subjects if (raw := rows.get(subject))}
