"""Campaign engines beside the fleet: the reference consumer as processes that are killed, too, one reading what is uncommitted.

Rule: they know only what docs/campaign-engines.md says; what they have acted on is read from their stores.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from stream.engine.decision import Output
from stream.shell.kafka.topics import TRIGGERS
from stream.shell.settings import Settings

PROGRAM = Path(__file__).parents[2] / "deploy" / "consumer" / "consumer.py"
AS_OF = "2026-01-08T00:00:00.000Z"
"""The instant by which they judge expiry: some triggers of the bank's first days have expired, most have not."""
LIVES = 2.0, 5.0
"""Seconds between two kills."""
CALM = 3.0
"""Seconds without anything new after which they have read all."""
TOLD = re.compile(r"'(\w+)': (\d+)")


class Campaigns:
    """One campaign engine under a supervisor that kills it.

    Attributes:
        kills: SIGKILLs so far.
    """

    def __init__(self, settings: Settings, where: Path, name: str, isolation: str) -> None:
        self._store, self._log = where / f"{name}.db", where / f"{name}.log"
        own = {"isolation.level": isolation, "group.instance.id": name, "session.timeout.ms": "6000", "log_level": "0"}
        self._command = [
            sys.executable, str(PROGRAM), str(self._store), "--brokers", settings.brokers, "--group", name,
            "--topics", rf"^{re.escape(settings.topic('out.trigger.'))}.*", "--as-of", AS_OF,
            *(word for option, value in own.items() for word in ("--set", f"{option}={value}")),
        ]  # fmt: skip
        self.kills = 0
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, args=(Random(name),), name=name, daemon=True)
        self._start()
        self._supervisor.start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def _supervise(self, dice: Random) -> None:
        """Kill it now and then; start it again, also when it ended by itself, as when the broker was away."""
        while not self._over.wait(dice.uniform(*LIVES)):
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
                self.kills += 1
            self._start()

    def acted(self) -> Counter[str]:
        """How often it acted on each id."""
        with closing(sqlite3.connect(self._store, timeout=30)) as store:
            return Counter(ident for (ident,) in store.execute("select id from outbox"))

    def outcomes(self) -> Counter[str]:
        """What became of the records it has seen, as it says; what it died over is missing."""
        found: Counter[str] = Counter()
        for outcome, count in TOLD.findall(self._log.read_text()):
            found[outcome] += int(count)
        return found

    def finish(self, wanted: int, patience: float = 60.0) -> None:
        """Leave it alone until it has acted so often, or as long as patience lasts, and read on a little; then end it."""
        self._over.set()
        self._supervisor.join()
        until = time.monotonic() + patience
        while self.acted().total() < wanted and time.monotonic() < until:
            time.sleep(0.5)
        time.sleep(CALM)
        self.destroy()

    def destroy(self) -> None:
        """End it."""
        self._over.set()
        self._supervisor.join()
        self._process.kill()
        self._process.wait()


class Acts(NamedTuple):
    """What a campaign engine did.

    Attributes:
        lost, spurious, doubled: Acts against the triggers that were due.
        acted: Acts.
        again: Records that it had acted on before; those of its last moments before a kill are not in it.
        expired: Triggers that came too late for it.
        kills: How often it was killed.
    """

    lost: int
    spurious: int
    doubled: int
    acted: int
    again: int
    expired: int
    kills: int

    @property
    def good(self) -> bool:
        """Whether it acted once on everything that was due, on nothing else, and was put to the test."""
        return not any(self[:3]) and bool(self.acted and self.expired and self.kills)


def acts(campaigns: Campaigns, told: Iterable[Output]) -> Acts:
    """Let it read to the end, and look.

    Args:
        told: What it could read, as the engine says it.
    """
    due = _due(told)
    campaigns.finish(len(due))
    acted, outcomes = campaigns.acted(), campaigns.outcomes()
    return Acts(
        lost=len(due - acted.keys()),
        spurious=len(acted.keys() - due),
        doubled=acted.total() - len(acted),
        acted=acted.total(),
        again=outcomes["known"],
        expired=outcomes["expired"],
        kills=campaigns.kills,
    )


def _due(outputs: Iterable[Output]) -> set[str]:
    """Ids of triggers that have not expired by the campaign engines' clock."""
    triggers = [output for output in outputs if output.topic in TRIGGERS]
    heads = [{name: text.decode() for name, text in output.headers} for output in triggers]
    # stamps of one form: the order of texts is that of instants
    return {head["ce_id"] for head in heads if head.get("ce_expirytime", AS_OF + "x") > AS_OF}
