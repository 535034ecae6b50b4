"""What all tests share: properties that repeat exactly, and no impatience on a busy machine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

collect_ignore = ["bench"]
"""Programs, not tests: nothing there may fail on a slow machine."""

settings.register_profile(
    "kairos", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("kairos")

OUTCOMES = ("passed", "failed", "error", "skipped")
ONE_AT_A_TIME = ("tests/integration/", "tests/real/")
"""Folders whose tests share a broker and the machine's patience: with pytest-xdist one worker takes them all in turn."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests on a real broker together."""
    for item in items:
        if item.nodeid.startswith(ONE_AT_A_TIME):
            item.add_marker(pytest.mark.xdist_group("broker"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
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
