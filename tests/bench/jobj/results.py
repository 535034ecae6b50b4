"""What was measured, as a file that several runs may add to: one object a line, each an event of `KINDS`."""

from __future__ import annotations

import json
import os
import platform
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench.jobj.latency import Delays
from tests.bench.jobj.rounds import Figure


class Summary(NamedTuple):
    """A contender's medians.

    Attributes:
        rounds: How many runs they are of.
        slow, half: Delays at a thousand a second, and at half of its own rate; None where not measured.
    """

    contender: str
    rounds: int
    size: int
    seconds: float
    rate: float
    spread: tuple[float, float]
    cpu_us: float
    broker_us: float
    peak: int
    triggers: int
    slow: Delays | None
    half: Delays | None


class Results:
    """Figures and delays of a file, and the machine they come from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.figures: dict[str, list[Figure]] = defaultdict(list)
        self.delays: dict[str, list[Delays]] = defaultdict(list)
        self.skipped: dict[str, str] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._take(json.loads(line))

    def figure(self, figure: Figure) -> None:
        """Keep one run."""
        self._add({"figure": figure._asdict()})

    def delay(self, delays: Delays) -> None:
        """Keep the delays at one pace."""
        self._add({"delays": delays._asdict()})

    def skip(self, contender: str, why: str) -> None:
        """It did not run here, or not rightly."""
        self._add({"skipped": {"contender": contender, "why": why}})

    def _add(self, what: dict[str, dict[str, object]]) -> None:
        self._take(what)
        with self.path.open("a") as file:
            file.write(json.dumps(what) + "\n")

    def _take(self, what: dict[str, dict[str, object]]) -> None:
        for kind, given in what.items():
            if kind == "figure":
                figure = Figure(**given)  # type: ignore[arg-type]
                self.figures[figure.contender].append(figure)
                self.skipped.pop(figure.contender, None)
            elif kind == "delays":
                delays = Delays(**given)  # type: ignore[arg-type]
                self.delays[delays.contender].append(delays)
            else:
                self.skipped[str(given["contender"])] = str(given["why"])

    def rate(self, contender: str) -> float:
        """Its median rate; 0 when it has not run."""
        return median(figure.rate for figure in self.figures[contender]) if self.figures[contender] else 0.0

    def summaries(self) -> list[Summary]:
        """Of all that ran."""
        return [self._summary(name, figures) for name, figures in self.figures.items() if figures]

    def _summary(self, name: str, figures: list[Figure]) -> Summary:
        rates = [figure.rate for figure in figures]
        delays = sorted(self.delays[name], key=lambda each: each.rate)
        return Summary(
            contender=name,
            rounds=len(figures),
            size=figures[-1].size,
            seconds=median(figure.seconds for figure in figures),
            rate=median(rates),
            spread=(min(rates), max(rates)),
            cpu_us=median(figure.cpu / figure.events * 1e6 for figure in figures),
            broker_us=median(figure.broker / figure.events * 1e6 for figure in figures),
            peak=int(median(figure.peak for figure in figures)),
            triggers=figures[-1].triggers,
            slow=delays[0] if delays else None,
            half=delays[-1] if len(delays) > 1 else None,
        )


def machine() -> str:
    """Cores, memory, Python: what figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores shared with the broker, {memory:.0f} GiB, Python {platform.python_version()}"
