"""What the fleet suffers, one after the other; each is written down with what was true at that moment.

Rule: a fault ends when the fleet has it behind: every journal partition is owned and has decided something newer.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stream.shell.settings import Settings
from tests.chaos.watcher import lag
from tests.integration import cluster
from tests.rig.broker import Broker

BACKOFF = 1.0
"""Seconds after which the supervisor starts a worker that has ended by itself."""
RECOVERY = 90.0
"""Seconds within which the fleet has any fault behind it."""
SETTLED = 1.5
"""Seconds of quiet between two faults."""


class Happened(NamedTuple):
    """A fault as it was.

    Attributes:
        lag: Journal records of the victim's partitions not decided then; None where that is not the point.
        held: Whether a transaction of the victim was open, as its log said.
        start, end: Steady seconds: when it began, and when all partitions decided again.
    """

    kind: str
    victim: str
    lag: int | None
    held: bool
    start: float
    end: float


class Fleet(cluster.Workers):
    """Workers under a supervisor.

    Attributes:
        ended: Workers that ended by themselves: name, exit code, their last critical line.
    """

    def __init__(self, settings: Settings, where: Path) -> None:
        super().__init__(settings, where, holding=True)
        self.ended: list[tuple[str, int, str]] = []
        self._lock = threading.RLock()
        self._meant: set[str] = set()
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._supervisor.start()

    def start(self, name: str) -> None:
        """A worker under this name, kept up from now on."""
        with self._lock:
            self._meant.add(name)
            super().start(name)

    def alive(self) -> None:
        """Nobody has to be: the supervisor sees to that."""

    def kill(self, name: str) -> None:
        """SIGKILL; it stays down."""
        with self._lock:
            self._meant.discard(name)
            super().kill(name)

    def leave(self, name: str) -> None:
        """SIGTERM; it stays down."""
        with self._lock:
            self._meant.discard(name)
            self.processes[name].terminate()
        try:
            code = self.processes[name].wait(40)
        except subprocess.TimeoutExpired:
            code = -1
        if code != 0:
            self.ended.append((name, code, "asked to end"))

    def forget(self, name: str) -> None:
        """This worker is no more."""
        with self._lock:
            self.processes.pop(name)

    def calm(self) -> None:
        """The supervisor has done its work."""
        self._over.set()
        self._supervisor.join()

    def _supervise(self) -> None:
        while not self._over.wait(0.2):
            with self._lock:
                gone = [name for name in self._meant if self.processes[name].poll() is not None]
            for name in gone:
                self.ended.append((name, self.processes[name].returncode, self._last_words(name)))
                time.sleep(BACKOFF)
                with self._lock:
                    if name in self._meant:
                        super().start(name)

    def _last_words(self, name: str) -> str:
        lines = [line for line in self.log(name).read_bytes().splitlines() if b'"critical"' in line]
        return lines[-1].decode(errors="replace")[:1500] if lines else ""


class Faults:
    """Makes them happen.

    Attributes:
        happened: All of them, in order.
    """

    def __init__(self, settings: Settings, fleet: Fleet, broker: Broker, say: Callable[[str], None]) -> None:
        self._settings, self._fleet, self._broker, self._say = settings, fleet, broker, say
        self.happened: list[Happened] = []

    def kill(self, name: str, held: bool) -> None:
        """SIGKILL, with a transaction open if so wished; and a new start."""
        fleet = self._fleet
        # who was started again a moment ago has no transaction yet
        fleet.up()
        start = time.monotonic()
        held = fleet.hold(name, patience=30.0) if held else False
        # what others journal for it meanwhile is lag at its death, which counts only when there is some
        fleet.freeze(name)
        behind = lag(self._settings, fleet.owned(name))
        fleet.kill(name)
        time.sleep(0.3)
        fleet.start(name)
        self._over("SIGKILL", name, behind, held, start)

    def roll(self) -> None:
        """Every worker once: SIGTERM, and a new start."""
        start = time.monotonic()
        for name in list(self._fleet.processes):
            self._fleet.leave(name)
            self._fleet.start(name)
            self._fleet.shared(RECOVERY)
        self._over("rolling restart", "all", None, False, start)

    def scale(self, names: tuple[str, ...]) -> None:
        """So many workers from now on."""
        start = time.monotonic()
        before = set(self._fleet.processes)
        for name in sorted(set(names) - before):
            self._fleet.start(name)
        for name in sorted(before - set(names)):
            self._fleet.leave(name)
            self._fleet.forget(name)
        self._fleet.shared(RECOVERY)
        self._over(f"rescale {len(before)} -> {len(names)}", "all", None, False, start)

    def zombie(self, name: str, seconds: float) -> None:
        """SIGSTOP for longer than the session, with a transaction open, and SIGCONT."""
        start = time.monotonic()
        held = self._fleet.hold(name)
        self._fleet.freeze(name)
        time.sleep(seconds)
        self._fleet.thaw(name)
        self._over("zombie", name, None, held, start)

    def bounce(self, gently: bool) -> None:
        """The broker ends and comes back."""
        start = time.monotonic()
        (self._broker.stop if gently else self._broker.kill)()
        time.sleep(1.0)
        self._broker.start()
        self._over("broker stopped" if gently else "broker killed", "broker", None, False, start)

    def _over(self, kind: str, victim: str, behind: int | None, held: bool, start: float) -> None:
        """Wait until every partition decides again, and write it down."""
        self._recovered()
        one = Happened(kind, victim, behind, held, start, time.monotonic())
        self.happened.append(one)
        told = "" if behind is None else f", lag {behind}, transaction {'open' if held else 'not held'}"
        self._say(f"{kind} of {victim}{told}: decided again after {one.end - start:.1f} s")
        time.sleep(SETTLED)

    def _recovered(self) -> None:
        """Return when each partition has decided past where its journal ended now. A broker may be coming up."""
        until = time.monotonic() + RECOVERY
        ends: dict[int, int] | None = None
        while True:
            try:
                ends = ends or cluster.journal_ends(self._settings)
                for ledgers in cluster.ledgers(self._settings):
                    if all(number in ledgers and ledgers[number].next > end for number, end in ends.items()):
                        return
                    assert time.monotonic() < until, f"not recovered: {ledgers}, journal {ends}\n{self._fleet.logs()}"
                    time.sleep(0.1)
            except Exception as error:
                if isinstance(error, AssertionError) or time.monotonic() > until:
                    raise
                time.sleep(0.3)
