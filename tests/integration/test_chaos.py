"""Law: a fleet on a real broker is exact whatever dies; the short form of `make chaos`, on a broker of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import SHORT, chaos


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_fleet_that_is_killed_with_its_broker_loses_and_doubles_nothing(broker: str, tmp_path: Path) -> None:
    """4 kills, half of them with a transaction open, the broker killed, bad input, a transactional producer upstream; and
    the reference consumers beside it, killed more often, have acted once on what was due, also the one that reads what is
    not committed."""
    outcome = chaos(SHORT, tmp_path, 1, print)

    assert outcome.wrong == []
    assert outcome.verdict.good
    assert set(outcome.acts) == {"committed", "uncommitted"}
    assert all(acts.good and acts.kills >= 3 for acts in outcome.acts.values())
    assert {one.kind for one in outcome.happened} == {"SIGKILL", "broker killed"}
