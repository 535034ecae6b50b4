"""Kafka Streams: `peers/streams`, built by Maven."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Collection
from typing import Any

from tests.bench.jobj import log, wires
from tests.bench.jobj.contenders.contender import PEERS, Contender, Run, path

PROJECT = PEERS / "streams"
BUILT = log.HOME / "streams"
HEAP = "-Xmx1g"
STATE = struct.Struct(">q6dqqi")
"""`Customer.bytes`."""
NAMES = ("at", "in30", "out30", "in90", "out90", "mean", "squares", "count", "aum", "tier")


class Streams(Contender):
    """The processor API over a key-value store with a changelog."""

    def __init__(
        self,
        name: str,
        title: str,
        committed: bool = False,
        keyed: bool = True,
        memory: bool = False,
        threads: int = 1,
        instance: str = "",
    ) -> None:
        super().__init__(name, title, committed, keyed)
        self.memory, self.threads, self.instance = memory, threads, instance

    def missing(self) -> str | None:
        """Build it."""
        if shutil.which("java") is None or shutil.which("mvn") is None:
            return "Java and Maven are needed"
        stamp = BUILT / "sources"
        sources = b"".join(
            file.read_bytes() for file in sorted(PROJECT.rglob("*")) if file.is_file() and "target" not in file.parts
        )
        if stamp.exists() and stamp.read_bytes() == sources:
            return None
        command = ["mvn", "-q", "-B", "-f", str(PROJECT / "pom.xml"), "process-classes", f"-DbuildDirectory={BUILT}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            return f"Maven could not build it: {done.stdout.strip()[-300:]}"
        stamp.write_bytes(sources)
        return None

    def command(self, run: Run) -> list[str]:
        """One process."""
        classes = os.pathsep.join((f"{BUILT}/classes", f"{BUILT}/libs/*"))
        return ["java", HEAP, "-cp", classes, "kairos.bench.JobJ"]

    def environment(self, run: Run) -> dict[str, str]:
        """Guarantee, store, threads, static membership, and whether the input must be keyed anew."""
        return {
            **super().environment(run),
            "WHERE": str(path(run)),
            "GUARANTEE": "exactly_once_v2" if self.committed else "at_least_once",
            "STORE": "memory" if self.memory else "rocksdb",
            "THREADS": str(self.threads),
            "INSTANCE": self.instance,
            "REPARTITION": str(not self.keyed).lower(),
        }

    def states(self, run: Run, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """The store's changelog."""
        rows = wires.latest(run.brokers, f"{run.name}-customers-changelog")
        return {subject: figures(raw) for subject in subjects if (raw := rows.get(subject.encode()))}


def figures(raw: bytes) -> dict[str, Any]:
    """A customer's state by name."""
    return dict(zip(NAMES, STATE.unpack(raw), strict=True))
