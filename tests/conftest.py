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
TOGETHER = {
    "tests/real/": "real",
    "tests/integration/test_outage.py": "outage",
    "tests/integration/": "broker",
}
"""What one worker of pytest-xdist takes in turn; larger groups begin first. A test belongs to the first that fits.

Whoever kills workers and loads the broker does so alone; what mostly waits, or counts, may run beside it.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep those together that share costly fixtures, a broker and the machine's patience; before pytest-xdist asks."""
    for item in items:
        fits = [name for folder, name in TOGETHER.items() if item.nodeid.startswith(folder)]
        if fits and ("real" in fits or "broker" in getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(fits[0]))


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
