"""What a seed stands for: how many events, which faults and when. Plain data, so that a failing one can be shrunk.

Rule: every fault carries numbers of its own, so that taking one away leaves the others as they are.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

SECONDS = 18.0
"""Virtual seconds in which events come and faults happen; then everything is healed."""
RECORDED = 0.2
"""Share of the seeds that work off an old log."""
LEAST_EVENTS = 200
LEAST_FAULTS = 5
MOST_FAULTS = 9
WEIGHTS = {
    "kill": 6,
    "kill_open": 4,
    "stop": 2,
    "join": 2,
    "leave": 1,
    "pause": 2,
    "zombie": 4,
    "stall": 2,
    "refuse": 4,
    "coordinator": 5,
    "unknown": 4,
    "slow_commits": 2,
    "drop": 2,
    "late": 2,
    "retries": 2,
    "poison": 1,
    "clean": 3,
    "retain": 2,
    "jump": 2,
    "jump_back": 1,
    "swap": 2,
    "blind": 2,
    "old_tick": 2,
    "grow": 1,
}
"""The faults and how often each is drawn; `faults.Faults` has a method of each name."""
UNSURE = {"kill_open", "refuse", "unknown", "slow_commits", "drop", "old_tick"}
"""They strike when their worker next does something, if it still does; each has another one planned beside it."""
SURE = {kind: weight for kind, weight in WEIGHTS.items() if kind not in UNSURE}
QUIET = 1.4
"""The last seconds begin no fault: a worker may have to be started first that it can strike."""


class Fault(NamedTuple):
    """One thing that goes wrong.

    Attributes:
        at: Virtual seconds.
        steps: So many callbacks later, which makes it hit any await.
        draw: 0 to 1; decides whom and how much.
    """

    kind: str
    at: float
    steps: int
    draw: float


class Scenario(NamedTuple):
    """One run.

    Attributes:
        static: Whether workers have instance ids, so that a restart is no rebalance.
        recorded: An old log: time is what its records say, up to their end markers.
    """

    seed: int
    events: int
    static: bool
    workers: int
    faults: tuple[Fault, ...]
    recorded: bool = False


def planned(seed: int) -> Scenario:
    """The scenario of a seed."""
    random = Random(f"plan {seed}")
    kinds = random.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=random.randint(LEAST_FAULTS, MOST_FAULTS))
    kinds += random.choices(tuple(SURE), tuple(SURE.values()), k=sum(kind in UNSURE for kind in kinds[:LEAST_FAULTS]))
    faults = [_fault(kind, random) for kind in kinds]
    events = LEAST_EVENTS + random.randrange(40)
    static, workers, recorded = random.random() < 0.5, random.choice((1, 2, 2, 3)), random.random() < RECORDED
    return Scenario(seed, events, static, workers, tuple(sorted(faults, key=lambda fault: fault.at)), recorded)


def fuller(scenario: Scenario) -> Scenario:
    """The scenario with one more fault, for one of which too few struck."""
    random = Random(f"more {scenario.seed} {len(scenario.faults)}")
    [kind] = random.choices(tuple(SURE), tuple(SURE.values()))
    faults = sorted((*scenario.faults, _fault(kind, random)), key=lambda fault: fault.at)
    return scenario._replace(faults=tuple(faults))


def _fault(kind: str, random: Random) -> Fault:
    return Fault(kind, random.uniform(1.5, SECONDS - QUIET), random.randrange(40), random.random())
