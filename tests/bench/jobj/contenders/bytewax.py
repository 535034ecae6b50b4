"""Bytewax with its recovery store, in an environment of its own: `peers/bytewax_app.py`."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
from collections.abc import Collection
from contextlib import closing
from typing import Any

from tests.bench.jobj.contenders.contender import PEERS, ROOT, Contender, Run, path, venv

INTERVAL = 10
"""Seconds between snapshots, the default."""


class Bytewax(Contender):
    """A stateful step, snapshots into SQLite. At the end of its input it ends, its last snapshot written."""

    exits = True

    def missing(self) -> str | None:
        """Make its environment."""
        try:
            self._python = str(venv("bytewax", PEERS / "bytewax.txt"))
        except RuntimeError as error:
            return str(error)
        return None

    def prepare(self, run: Run) -> None:
        """An empty recovery store."""
        super().prepare(run)
        subprocess.run([self._python, "-m", "bytewax.recovery", str(path(run)), "1"], check=True, capture_output=True)

    def command(self, run: Run) -> list[str]:
        """One process, one worker."""
        recovery = ["-r", str(path(run)), "-s", str(INTERVAL), "-b", "0"]
        return [self._python, "-m", "bytewax.run", "bytewax_app:flow", *recovery]

    def environment(self, run: Run) -> dict[str, str]:
        """Whether to wait at the end."""
        modules = os.pathsep.join((str(ROOT), str(PEERS)))
        return {**super().environment(run), "FOLLOW": str(int(run.follow)), "PYTHONPATH": modules}

    def states(self, run: Run, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """The newest snapshot of each customer."""
        found: dict[str, Any] = {}
        for file in sorted(path(run).glob("*.sqlite3")):
            with closing(sqlite3.connect(file)) as store:
                query = "SELECT state_key, ser_change FROM snaps WHERE step_id LIKE '%customers%' ORDER BY snap_epoch"
                found |= {subject: raw for subject, raw in store.execute(query) if subject in subjects and raw is not None}
        # written by the contender that we have just started ourselves
        return {subject: pickle.loads(raw) for subject, raw in found.items()}
