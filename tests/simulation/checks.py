"""What must hold after every run, however it went: the invariants, each naming what breaks it.

Rule: the truth is the engine over the journal as it lies in the log, and the sources as they lie in theirs; nothing that
a worker says of itself is believed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from stream.domain.reasons import Filtered, Outcome
from stream.engine.engine import SOURCE, TICK
from stream.engine.partition import LEDGER, Partition
from stream.shell.kafka.stamping import END, SO_FAR
from stream.shell.kafka.topics import DEAD, JOURNAL, OUTPUTS, STATE
from stream.wire.registry import SOURCES
from tests.simulation.broker import Entry, Log, aborted
from tests.simulation.cluster import JOURNALS, Run
from tests.simulation.packs import ENGINES

CHUNK = 1000
MARKERS = {END, SO_FAR}
"""What stands in sources of an old log and is not journaled."""


MET = {
    "a record journaled twice": ("filtered", Filtered.DUPLICATE_DELIVERY.value),
    "an event sent twice": ("filtered", Filtered.DUPLICATE_EVENT.value),
    "an event after the proof of its time": ("late",),
    "a deadline fired": ("timer_fired",),
    "a dead letter": ("outcome", Outcome.DEAD.value),
    "a trigger": ("trigger",),
}
"""What the truth says that the engine met, by the beginning of a count's name; for the coverage."""


class Said(NamedTuple):
    """A record for the world, as a reader gets it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def broken(run: Run) -> list[str]:
    """Every invariant that does not hold; empty when all do."""
    if run.stuck:
        return [f"stuck: {run.stuck}"]
    return [f"{check.__name__.removeprefix('_')}: {fault}" for check in CHECKS for fault in check(run)]


def readable(log: Log) -> list[Entry]:
    """Everything that readers of committed records ever saw."""
    return [entry for entry in log.history if not entry.control and not aborted(entry)]


# The journal and the engine


class Truth(NamedTuple):
    """What the engine makes of one journal partition."""

    said: list[Said]
    rows: dict[bytes, bytes]
    ledger: dict[str, Any]
    counts: Counter[tuple[str, ...]]


def truth(run: Run, number: int) -> Truth:
    """The fold of the journal, with each pack in force where the ledgers say so."""
    journal = run.broker.log(JOURNAL, number).history
    said: list[Said] = []
    state: dict[bytes, bytes | None] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    at = 0
    for digest, until in _in_force(run, number):
        partition = Partition(ENGINES[digest], number)
        for key, value in state.items():
            partition.restore(key, value)
        records = [entry for entry in journal if at <= entry.offset < until]
        while records:
            decision = partition.decide(records[:CHUNK])
            partition.accept(decision)
            said += [Said(each.topic, each.key, each.value, tuple(each.headers)) for each in decision.outputs]
            for key, value in decision.rows:
                state.pop(key, None)
                state[key] = value
            counts.update(decision.counts)
            records = records[decision.consumed :]
        at = until
    ledger = msgspec.json.decode(state.pop(LEDGER, None) or b"{}")
    return Truth(said, {key: value for key, value in state.items() if value is not None}, ledger, counts)


def _in_force(run: Run, number: int) -> list[tuple[str, int]]:
    """Which pack decided up to which offset, in order."""
    ledgers = [msgspec.json.decode(e.value or b"") for e in readable(run.broker.log(STATE, number)) if e.key == LEDGER]
    runs = groupby(ledgers, key=lambda ledger: ledger["pack"]["digest"])
    return [(digest, list(some)[-1]["next"]) for digest, some in runs]


def _state_is_the_fold_and_outputs_are_its(run: Run) -> Iterator[str]:
    for number in range(JOURNALS):
        true = truth(run, number)
        said = [
            Said(topic, entry.key, entry.value, tuple(entry.headers))
            for topic in (*OUTPUTS, DEAD)
            for entry in readable(run.broker.log(topic, number))
        ]
        yield from _compared(number, true, said)
        rows: dict[bytes, bytes | None] = {e.key or b"": e.value for e in run.broker.log(STATE, number).read(0, 10**9)[0]}
        ledger = msgspec.json.decode(rows.pop(LEDGER, None) or b"{}")
        present = {key: value for key, value in rows.items() if value is not None}
        if present != true.rows:
            wrong = sorted(k for k in present.keys() | true.rows.keys() if present.get(k) != true.rows.get(k))
            yield f"partition {number}: rows of {wrong} are not what the journal says"
        if ledger != true.ledger:
            yield f"partition {number}: the ledger is {ledger}, the journal says {true.ledger}"
        for what, key in MET.items():
            if any(count and met[: len(key)] == key for met, count in true.counts.items()):
                run.saw(what)
        read = sum(count for key, count in true.counts.items() if key[0] == "read")
        outcomes = sum(count for key, count in true.counts.items() if key[0] == "outcome")
        if read != outcomes:
            yield f"partition {number}: {read} records read, {outcomes} have an outcome"


def _compared(number: int, true: Truth, said: list[Said]) -> Iterator[str]:
    lost, spurious = Counter(true.said) - Counter(said), Counter(said) - Counter(true.said)
    if lost:
        yield f"partition {number}: lost {_names(lost)}"
    if spurious:
        yield f"partition {number}: spurious or doubled {_names(spurious)}"
    if not lost and not spurious and _by_key(said) != _by_key(true.said):
        yield f"partition {number}: outputs of a customer came in another order"


def _names(some: Counter[Said]) -> str:
    return f"{sum(some.values())} outputs, the first {next(iter(some))}"


def _by_key(said: list[Said]) -> dict[tuple[str, bytes | None], list[Said]]:
    ordered: dict[tuple[str, bytes | None], list[Said]] = defaultdict(list)
    for each in said:
        ordered[each.topic, each.key].append(each)
    return ordered


def _every_trigger_has_its_id_once(run: Run) -> Iterator[str]:
    """Among committed records; and readers of uncommitted ones meet no id that is never committed."""
    committed: Counter[bytes] = Counter()
    met: set[bytes] = set()
    for topic in OUTPUTS:
        for log in run.broker.topics[topic]:
            committed.update(_id(entry) for entry in readable(log))
            met |= {_id(entry) for entry in log.history if not entry.control}
    doubled = [name for name, times in committed.items() if times > 1]
    if doubled:
        yield f"{len(doubled)} ids more than once, the first {doubled[0]!r}"
    if met - committed.keys() and not run.swapped:
        yield f"{len(met - committed.keys())} ids in aborted transactions only"


def _id(entry: Entry) -> bytes:
    return dict(entry.headers)["ce_id"]


# The sources and the journal


def _accepted(log: Log) -> tuple[set[tuple[str, int, int]], set[tuple[str, int, int]]]:
    """Source coordinates in a journal partition: all of them, and those that the high-waters let in."""
    there, let_in = set(), set()
    high: dict[tuple[str, int], int] = {}
    for entry in log.history:
        place = dict(entry.headers).get(SOURCE)
        if place is not None:
            topic, partition, _, offset, _, _ = place.decode().split("|")
            source = topic, int(partition)
            there.add((*source, int(offset)))
            if int(offset) > high.get(source, -1):
                high[source] = int(offset)
                let_in.add((*source, int(offset)))
    return there, let_in


def _every_source_record_is_journaled(run: Run) -> Iterator[str]:
    """In order, once as far as the high-waters are concerned, and nothing that was aborted."""
    sent = {
        (topic, number, entry.offset)
        for topic in SOURCES
        for number, log in enumerate(run.broker.topics[topic])
        for entry in readable(log)
        if not MARKERS & dict(entry.headers).keys()
    }
    journaled: list[tuple[str, int, int]] = []
    for number, log in enumerate(run.broker.topics[JOURNAL]):
        there, let_in = _accepted(log)
        if there != let_in:
            yield f"journal partition {number}: out of order, so filtered: {sorted(there - let_in)[:3]}"
        journaled += let_in
    if sent != set(journaled) or len(journaled) != len(set(journaled)):
        yield f"missing {sorted(sent - set(journaled))[:3]}, not sent {sorted(set(journaled) - sent)[:3]}"


def _what_is_journaled_is_what_was_sent(run: Run) -> Iterator[str]:
    """The same bytes under the same stamp, and all of a customer in one partition."""
    recorded, homes = run.scenario.recorded, defaultdict[bytes, set[int]](set)
    for number, log in enumerate(run.broker.topics[JOURNAL]):
        for entry in log.history:
            place = dict(entry.headers).get(SOURCE)
            if place is None:
                continue
            topic, partition, _, offset, stamp, _ = place.decode().split("|")
            sent = run.broker.log(topic, int(partition)).history[int(offset)]
            if entry.value != sent.value or (int(stamp) != sent.timestamp and not recorded):
                yield f"journal partition {number}: {topic}/{partition}@{offset} is not what was sent"
            if entry.key is not None:
                homes[entry.key].add(number)
    if moved := [key for key, numbers in homes.items() if len(numbers) > 1]:
        yield f"records of {sorted(moved)} in several journal partitions"


def _ticks_are_proofs(run: Run) -> Iterator[str]:
    """After a tick of T no record of that source comes that was recorded at or before T: as the broker, or the log, says."""
    if run.backwards:
        return  # the stamps lie
    for number, log in enumerate(run.broker.topics[JOURNAL]):
        met: set[tuple[str, int, int]] = set()
        proven: dict[str, int] = {}
        for entry in log.history:
            headers = dict(entry.headers)
            if TICK in headers:
                for topic, at in msgspec.json.decode(headers[TICK])["clock"].items():
                    proven[topic] = max(at, proven.get(topic, at))
            elif SOURCE in headers:
                topic, partition, _, offset, recorded, _ = headers[SOURCE].decode().split("|")
                place = topic, int(partition), int(offset)
                # 0: a bad line before any that says when it was recorded
                if place not in met and 0 < int(recorded) <= proven.get(topic, -1):
                    yield f"journal partition {number}: {place} came {proven[topic] - int(recorded)} ms after its proof"
                met.add(place)


CHECKS = (
    _state_is_the_fold_and_outputs_are_its,
    _every_trigger_has_its_id_once,
    _every_source_record_is_journaled,
    _what_is_journaled_is_what_was_sent,
    _ticks_are_proofs,
)
