"""Law: whatever dies, whenever: what is committed is what the journal says, once. 1,000 seeds, and planted bugs.

`make simulate SEEDS=20000` runs more, `python -m tests.simulation --seed N` shows one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.simulation import trial
from tests.simulation.__main__ import WITHIN, described
from tests.simulation.bugs import BUGS
from tests.simulation.kept import KEPT, Kept
from tests.simulation.scenario import LEAST_EVENTS, LEAST_FAULTS, planned
from tests.simulation.trial import apart, shrunk, sown, tried, verdicts

SEEDS = 1000
PIECE = 100
EXPECTED = {
    "kill -9", "kill -9 while a transaction is open", "killed with its transaction open", "clean stop", "worker joined",
    "worker left for good", "pause", "zombie: paused beyond the session", "produce stall", "produce error, to be aborted",
    "transaction aborted and sent again", "commit of unknown outcome", "journal batch of unknown outcome",
    "commit asked again", "commit delivered late", "a span lost by the framework", "burst of late events",
    "burst of retries, out of order", "burst of poison", "log cleaner", "retention", "clock jumps ahead",
    "clock jumps back", "pack swapped", "ticks held back", "tick doubled", "new source partition", "an old log",
    "rebalance", "write of a zombie refused", "a record journaled twice", "an event sent twice",
    "an event after the proof of its time", "a deadline fired", "a dead letter", "a trigger", "ended with -9",
    "ended with 0", "ended with 70",
}  # fmt: skip
"""What must have happened in every hundred seeds: a fault that is planned and never hits tests nothing."""


@pytest.mark.parametrize("first", range(0, SEEDS, PIECE))
def test_whatever_dies_what_is_committed_is_what_the_journal_says(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    """State, outputs, ids, order, completeness, proofs: see `checks`."""
    seen: Counter[str] = Counter()
    for verdict in verdicts(range(first, first + PIECE)):
        seen.update(verdict.seen.keys())
        assert verdict.hits >= LEAST_FAULTS
        assert verdict.scenario.events >= LEAST_EVENTS
        assert verdict.faults == [], f"seed {verdict.scenario.seed}; least: {described(shrunk(verdict.scenario))}"
    record_property("simulated", dict(seen))
    assert seen.keys() >= EXPECTED


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: f"seed-{kept.scenario.seed}")
def test_what_once_failed_holds(kept: Kept) -> None:
    """Shrunk to what it needed."""
    with apart():
        verdict = tried(kept.scenario)

    assert verdict.faults == [], kept.reason


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: str, record_property: Callable[[str, object], None]) -> None:
    """Or the harness would prove nothing."""
    found = next((verdict for verdict in verdicts(range(WITHIN), bug) if verdict.faults), None)

    assert found is not None, f"{bug}: not caught within {WITHIN} seeds"
    record_property("caught", [bug, found.scenario.seed])


def test_a_seed_is_the_same_run_each_time() -> None:
    """A failure can be looked at again."""
    with apart():
        first, second = tried(planned(5), "failed batch skipped"), tried(planned(5), "failed batch skipped")

    assert first == second


def test_a_seed_whose_faults_strike_too_seldom_gets_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in which hardly anything goes wrong shows hardly anything."""
    few = planned(5)._replace(faults=planned(5).faults[:2])
    monkeypatch.setattr(trial, "planned", lambda _: few)
    with apart():
        verdict = sown(5)

    assert verdict.hits >= LEAST_FAULTS
    assert set(verdict.scenario.faults) > set(few.faults)
    assert verdict.faults == []


def test_a_failure_is_shrunk_to_what_it_needs() -> None:
    """A bug that every run shows needs no fault and hardly an event."""
    least = shrunk(planned(0), "random trigger id")

    assert least.faults == ()
    assert least.events < LEAST_EVENTS / 2
