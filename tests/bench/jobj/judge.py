"""Whether a contender did the job: the triggers of the reference, each as often, and the state of sampled customers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isclose

from confluent_kafka import Message

from tests.bench.jobj import logic
from tests.bench.jobj.contenders import Contender, Run
from tests.bench.jobj.log import Reference

CLOSE = 1e-9


def faults(contender: Contender, run: Run, told: Iterable[Message], wanted: Reference) -> list[str]:
    """Everything that is not as the reference has it; the first few of a kind."""
    return [*triggers(contender, told, wanted), *list(states(contender, run, wanted))[:3]]


def triggers(contender: Contender, told: Iterable[Message], wanted: Reference) -> Iterator[str]:
    """Ids and records."""
    all_told = [contender.ident(message) for message in told]
    ids = frozenset(all_told)
    if ids != wanted.ids:
        lost, more = sorted(wanted.ids - ids), sorted(ids - wanted.ids)
        yield f"{len(lost)} triggers of {len(wanted.ids)} are missing {lost[:3]}, {len(more)} are wrong {more[:3]}"
    records = len(wanted.ids) if contender.once else wanted.told
    if len(all_told) != records:
        yield f"expected {records} records of triggers, got {len(all_told)}"


def states(contender: Contender, run: Run, wanted: Reference) -> Iterator[str]:
    """All figures of the sampled customers."""
    found = contender.states(run, wanted.states.keys())
    for subject, state in wanted.states.items():
        own = found.get(subject)
        if own is None:
            yield f"{subject} has no state"
            continue
        for name in ("at", *logic.FIGURES):
            if not isclose(own[name], state[name], rel_tol=CLOSE, abs_tol=CLOSE):
                yield f"{subject}: expected {name} {state[name]}, got {own[name]}"
