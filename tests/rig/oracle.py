"""The verdict on a run: what readers got, against the engine's own replays of the journal and of the bank's log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from io import BytesIO
from multiprocessing import get_context
from tempfile import TemporaryFile
from typing import NamedTuple

from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.engine.partition import LEDGER
from stream.packs import loader
from stream.shell import reports
from stream.shell.kafka import record as records
from stream.shell.kafka.topics import DEAD, JOURNAL, STATE, TRIGGERS
from stream.shell.logfile import Numbered
from stream.shell.replay import Collected, Replay
from stream.shell.settings import Settings
from tests.integration import cluster
from tests.integration import worker_trial as trial
from tests.rig.load import Log


class Verdict(NamedTuple):
    """Counts of what is wrong, all 0 in a good run, and of what there was.

    Attributes:
        lost, spurious: Outputs (triggers, suppressions, dead letters), byte for byte, against the journal's replay.
        doubled: Committed triggers beyond one of each id.
        uncommitted: Ids that only readers of uncommitted records meet.
        ids_lost, ids_spurious: Trigger ids against the replay of the bank's log, where time is recorded.
        rows_wrong: Customer rows that differ from the journal's replay.
        disordered: Customers whose outputs came in another order.
    """

    lost: int
    spurious: int
    doubled: int
    uncommitted: int
    ids_lost: int
    ids_spurious: int
    rows_wrong: int
    disordered: int
    triggers: int
    dead: int

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self[:8])


def judge(settings: Settings, log: Log | None, sent: int) -> tuple[Verdict, list[Output]]:
    """All of it, when the fleet has ended in order; and what the engine says of the journal.

    Args:
        log: What the bank sent from; None by the wall clock, where a log says nothing of time.
        sent: Lines of it.
    """
    # the two replays side by side: each takes minutes for millions of lines
    with ProcessPoolExecutor(1, get_context("spawn")) as aside:
        told = aside.submit(_log_ids, settings, log, sent) if log else None
        got, replay, sink = cluster.said(settings), *journal_replay(settings)
        log_ids = told.result() if told else None
    want = sink.outputs
    lost, spurious = _difference(want, got), _difference(got, want)
    ids = Counter(_ids(got))
    met = {dict(m.headers() or ())["ce_id"] for topic in TRIGGERS for m in trial.read(settings, topic, "read_uncommitted")}
    true_ids = set(ids) if log_ids is None else log_ids
    rows = _rows(settings)
    true_rows = {key: value for partition in replay.partitions for key, value in partition.dump()}
    verdict = Verdict(
        lost=lost,
        spurious=spurious,
        doubled=sum(ids.values()) - len(ids),
        uncommitted=len(met - ids.keys()),
        ids_lost=len(true_ids - ids.keys()),
        ids_spurious=len(ids.keys() - true_ids),
        rows_wrong=sum(rows.get(key) != true_rows.get(key) for key in rows.keys() | true_rows.keys()),
        disordered=0 if lost + spurious else _disordered(want, got),
        triggers=sum(ids.values()),
        dead=sum(output.topic == DEAD for output in got),
    )
    return verdict, want


def journal_replay(settings: Settings) -> tuple[Replay, Collected]:
    """The engine over the recorded journal, as far as it was decided: after a worker's last chunk come ticks at most."""
    sink = Collected()
    replay = Replay(engine(settings), sink)
    with closing(cluster.ledgers(settings)) as looks:
        ledgers = next(looks)
    decided = {number: records.Range(end=ledger.next) for number, ledger in ledgers.items()}
    rest = {number: records.Range() for number in range(settings.journal_partitions)}
    rest |= {number: records.Range(ledger.next) for number, ledger in ledgers.items()}
    behind = BytesIO()
    records.record(settings, JOURNAL, behind, rest)
    assert all(b'"kairostick":' in line for line in behind.getvalue().splitlines()), "more than ticks was not decided"
    with TemporaryFile() as journal:
        records.record(settings, JOURNAL, journal, decided)
        journal.seek(0)
        replay.journal(Numbered("journal.jsonl", number, line.rstrip(b"\n")) for number, line in enumerate(journal, 1))
    return replay, sink


def _log_ids(settings: Settings, log: Log, sent: int) -> set[bytes]:
    """The ids of all triggers that the engine says of what the bank sent."""
    sink = Collected()
    Replay(engine(settings), sink).run(log.lines(sent))
    return set(_ids(sink.outputs))


def engine(settings: Settings) -> Engine:
    """As the workers have it, for replays."""
    return Engine(loader.load(settings.pack), "replay", settings.max_event_bytes)


def _plain(output: Output) -> bytes:
    if output.topic == DEAD:
        return repr((output.key, output.value, sorted(output.headers))).encode()
    return reports.canonical(output)


def _difference(first: Iterable[Output], second: Iterable[Output]) -> int:
    left = Counter(map(_plain, first)) - Counter(map(_plain, second))
    return sum(left.values())


def _ids(outputs: Iterable[Output]) -> list[bytes]:
    return [dict(output.headers)["ce_id"] for output in outputs if output.topic in TRIGGERS]


def _disordered(want: Iterable[Output], got: Iterable[Output]) -> int:
    true = _by_key(want)
    return sum(some != true[key] for key, some in _by_key(got).items())


def _by_key(outputs: Iterable[Output]) -> dict[tuple[str, bytes | None], list[bytes]]:
    ordered: dict[tuple[str, bytes | None], list[bytes]] = defaultdict(list)
    for output in outputs:
        if output.topic != DEAD:
            ordered[output.topic, output.key].append(_plain(output))
    return ordered


def _rows(settings: Settings) -> dict[bytes, bytes]:
    """The newest committed row of each customer."""
    rows: dict[bytes, bytes | None] = {}
    name = settings.topic(STATE)
    with records.consumer(settings) as reader:
        for partition in range(settings.journal_partitions):
            first, end = records.bounds(reader, name, partition, records.Range())
            for message in records.messages(reader, name, partition, first, end):
                rows[message.key() or b""] = message.value()
    rows.pop(LEDGER, None)
    return {key: value for key, value in rows.items() if value is not None}
