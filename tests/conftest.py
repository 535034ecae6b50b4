"""What all tests share: properties that repeat exactly, and no impatience on a busy machine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from stream.engine import step
from stream.shell.cli import collect_rarely
from tests.rig.core import core

collect_ignore = ["bench"]
"""Programs, not tests: nothing there may fail on a slow machine."""

settings.register_profile(
    "kairos", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("kairos")

OUTCOMES = ("passed", "failed", "error", "skipped")
TOGETHER = {
    "tests/real/": "real",
    "tests/integration/test_one_engine.py::test_bad_input": "bad input",
    "tests/integration/test_outage.py": "outage",
    "tests/integration/": "broker",
}
"""What one worker of pytest-xdist takes in turn, by the first beginning that fits; larger groups start first.

Whoever kills workers and loads the broker does so alone; what mostly waits, or counts, may run beside it.
"""


class Groups(LoadScopeScheduling):
    """Scopes are our groups; a test without one is a scope of its own.

    The marks of `--dist loadgroup` are not heard by this version of pytest (pytest-xdist, issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        """The group of a test."""
        return next((name for beginning, name in TOGETHER.items() if nodeid.startswith(beginning)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """Asked by pytest-xdist once, where the workers are started."""
    return Groups(config, log)


def pytest_collection_finish() -> None:
    """Replays of 200,000 events are part of the tests: here, too, as the command does it."""
    collect_rarely()


def pytest_report_header() -> str:
    """Which core is tested: the sources, or what `make compiled` made of them."""
    return f"core: {core()} ({Path(str(step.__file__)).parents[2].name})"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a list of passed tests does not show: whether Berka ran, and what the simulations met."""
    said_of_berka(terminalreporter)
    said_of_simulation(terminalreporter)


def said_of_simulation(terminalreporter: Any) -> None:
    """In how many seeds each fault happened, and which seed caught each planted bug."""
    seeds: Counter[str] = Counter()
    caught: list[tuple[str, int]] = []
    for report in terminalreporter.stats.get("passed", []):
        for name, told in getattr(report, "user_properties", ()):
            if name == "simulated":
                seeds.update(told)
            elif name == "caught":
                caught.append(tuple(told))
    if seeds or caught:
        terminalreporter.section("simulation")
        terminalreporter.write_line("seeds in which: " + ", ".join(f"{what} {n}" for what, n in seeds.most_common()))
        terminalreporter.write_line("planted bugs, caught by seed: " + ", ".join(f"{bug} {n}" for bug, n in sorted(caught)))


def said_of_berka(terminalreporter: Any) -> None:
    """One line on Berka, whenever its tests were asked for."""
    stats = terminalreporter.stats
    counts = {
        outcome: sum("tests/real/" in getattr(report, "nodeid", "") for report in stats.get(outcome, []))
        for outcome in OUTCOMES
    }
    if not any(counts.values()):
        return
    word = "Berka ran" if sum(counts.values()) > counts["skipped"] else "Berka DID NOT RUN"
    terminalreporter.section("real data")
    terminalreporter.write_line(f"real data: {word} ({', '.join(f'{n} {what}' for what, n in counts.items() if n)})")
