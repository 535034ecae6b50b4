"""Chains of positions: nothing may lie between what came last and what comes next.

Rule: offsets have holes (control records, compaction), positions have not. Every fetch says from which position to
which it led; a chain that breaks means records were dropped on the way, and is an error, never a warning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from faust.types import TP

from stream.domain.errors import StateError
from stream.shell.kafka.plan import SourceTopic

METADATA_RECORDED = "r="
METADATA_END = ";end"
LONGEST_REST = 0.05
ANEW = "the topic was recreated, raise its incarnation"
USUAL = 2048
"""Bytes that a record has at most where records are counted; of larger ones fewer are held."""


class Span(NamedTuple):
    """What one fetch brought of one partition.

    Attributes:
        start: Position before.
        next: Position after; more than the last offset + 1 when control records follow.
        epoch: Which seek it follows; spans of an earlier one are void.
        records: The client's records; may be empty.
        size: Bytes of them, about.
    """

    start: int
    next: int
    epoch: int
    records: Sequence[Any]
    size: int = 0


class Taken(NamedTuple):
    """Records to work on, and the position that is reached when they are done."""

    records: list[Any]
    next: int


class Inbox:
    """Records of one partition that wait. What arrives while others wait joins them, so no queue of crumbs forms.

    Args:
        start: Position of the first record to come.
        epoch: The seek that this inbox follows.
        most: Records from which on it asks the fetcher to leave the partition alone; also so many of `USUAL` bytes.
        ready: Set whenever something can be taken; may be shared.

    >>> inbox = Inbox(start=5, epoch=1, most=100, ready=asyncio.Event())
    >>> inbox.put(Span(5, 8, 1, ["five", "six"]))
    True
    >>> inbox.put(Span(5, 9, 0, ["five again, from before the seek"]))
    False
    >>> inbox.put(Span(9, 10, 1, ["nine"]))
    Traceback (most recent call last):
    stream.domain.errors.StateError: expected position 8, got 9: records in between were dropped
    """

    def __init__(self, start: int, epoch: int, most: int, ready: asyncio.Event) -> None:
        self.expected = start
        self.epoch = epoch
        self.most = most
        self.ready = ready
        self._records: list[Any] = []
        self._size = 0
        self._taken = start

    def __len__(self) -> int:
        return len(self._records)

    @property
    def full(self) -> bool:
        """Whether the fetcher should wait; read from its thread."""
        return self.fill >= 1

    @property
    def fill(self) -> float:
        """How much waits, as a share of what may: by number or by bytes, whichever is more."""
        return max(len(self._records), self._size / USUAL) / self.most

    @property
    def waiting(self) -> bool:
        """Whether `take` would bring anything, a mere position included."""
        return self._taken != self.expected

    def put(self, span: Span) -> bool:
        """Add a span; False when it is void. Raises StateError when the chain breaks."""
        if span.epoch != self.epoch:
            return False
        if span.start != self.expected:
            raise StateError(f"expected position {self.expected}, got {span.start}: records in between were dropped")
        self._records += span.records
        self._size += span.size
        self.expected = span.next
        self.ready.set()
        return True

    def take(self, most: int) -> Taken:
        """The next records: at most so many, fewer where they are large, so that about as many of `USUAL` bytes are not
        exceeded; none and a position when only control records came."""
        waiting = len(self._records)
        if self._size > most * USUAL:
            most = max(1, min(most, most * USUAL * waiting // self._size))
        if waiting <= most:
            records, self._records = self._records, []
            self._size = 0
            self._taken = self.expected
        else:
            records, self._records = self._records[:most], self._records[most:]
            # each weighs as much as the others: what matters is the sum, which is 0 again when all are taken
            self._size -= self._size * most // waiting
            self._taken = records[-1].offset + 1
        return Taken(records, self._taken)


def rest(took: float, waiting: int, chunk: int) -> float:
    """Seconds to wait before the next write, so that writes stay large enough to be cheap.

    As long as the last one took: a slow broker or a busy machine gets fewer and larger writes by itself, a quick one
    loses next to nothing. No rest when there is enough to write.

    >>> rest(0.004, waiting=3, chunk=4000), rest(0.004, waiting=2000, chunk=4000), rest(3.0, waiting=0, chunk=4000)
    (0.004, 0.0, 0.05)
    """
    return 0.0 if waiting * 4 >= chunk else min(took, LONGEST_REST)


def decided(sources: Iterable[SourceTopic], highs: Iterable[Mapping[str, int]]) -> dict[TP, int]:
    """Per source partition the first offset that no ledger knows.

    Raises StateError when a ledger knows a later incarnation than is configured: its offsets are of another topic.

    >>> decided([SourceTopic("in.txn", "b.in.txn", 1)], [{"in.txn|0|0": 70, "in.txn|0|1": 5}, {"in.txn|0|1": 9}])
    {TP(topic='b.in.txn', partition=0): 10}
    """
    named = {source.logical: source for source in sources}
    found: dict[TP, int] = {}
    for high in highs:
        for place, offset in high.items():
            logical, partition, incarnation = place.split("|")
            source = named.get(logical)
            if source is None or int(incarnation) < source.incarnation:
                continue
            tp = TP(source.topic, int(partition))
            if int(incarnation) > source.incarnation:
                raise StateError(
                    f"{tp.topic}/{tp.partition}: expected incarnation {incarnation} or a later one, got {source.incarnation}: "
                    "KAIROS_INCARNATIONS says less than before"
                )
            found[tp] = max(found.get(tp, 0), offset + 1)
    return found


def demand_decided(decided: Mapping[TP, int], ends: Mapping[TP, int]) -> None:
    """Raises StateError when a source ends before the first offset that is not decided: the topic was recreated.

    A broker forgets what a group has committed of a topic that is deleted; ledgers do not.
    """
    faults = [
        f"{tp.topic}/{tp.partition}: expected an end at or after {at}, up to which it was decided, got {ends[tp]}: {ANEW}"
        for tp, at in sorted(decided.items())
        if at > ends.get(tp, at)
    ]
    if faults:
        raise StateError(", ".join(faults))


def source_start(committed: int | None, begin: int, end: int) -> tuple[int, int]:
    """Where to read on in a source partition, and how many records its retention took before they were read.

    Raises StateError when the committed position lies beyond the end: the topic was recreated.

    >>> source_start(None, 0, 10), source_start(7, 0, 10), source_start(3, 5, 10)
    ((0, 0), (7, 0), (5, 2))
    """
    if committed is None or committed < 0:
        return begin, 0
    if committed > end:
        raise StateError(
            f"expected an end at or after the committed position {committed}, got {end}: "
            f"{ANEW} and delete what the group has committed of it"
        )
    return max(committed, begin), max(0, begin - committed)


def journal_start(applied: int, begin: int, end: int) -> int:
    """Where to read on in a journal partition. Raises StateError when that record does not exist any more or yet."""
    if begin > applied:
        raise StateError(
            f"expected the journal from offset {applied}, got it from {begin}: its retention took what was not decided"
        )
    if applied > end:
        raise StateError(
            f"expected a journal of at least {applied} records, got {end}: it was recreated, the state is of another"
        )
    return applied


class Mark(NamedTuple):
    """What a commit of a recorded source says beside the position.

    Attributes:
        recorded: Recorded time of the last journaled record, UTC ms; None when there was none.
        ended: Whether that was the end-of-log marker.

    >>> Mark.parse("r=1767576600000;end")
    Mark(recorded=1767576600000, ended=True)
    >>> str(Mark(5, False)), str(Mark(None, False)), Mark.parse("")
    ('r=5', '', Mark(recorded=None, ended=False))
    """

    recorded: int | None
    ended: bool

    def __str__(self) -> str:
        return "" if self.recorded is None else f"{METADATA_RECORDED}{self.recorded}{METADATA_END if self.ended else ''}"

    @classmethod
    def parse(cls, metadata: str) -> Mark:
        """The inverse of `str`; anything that is not ours says nothing."""
        text = metadata.removesuffix(METADATA_END)
        number = text.removeprefix(METADATA_RECORDED)
        if number == text or not number.lstrip("-").isdecimal():
            return cls(None, False)
        return cls(int(number), text != metadata)


class Committed(NamedTuple):
    """A committed position and what stands beside it."""

    offset: int
    metadata: str = ""


class Bounds(NamedTuple):
    """First offset that there is, and the next one to be written."""

    begin: int
    end: int


class Placement(dict[TP, Committed]):
    """Where every assigned partition was put, and the number that spans of these positions carry.

    Attributes:
        lost: Records that retention took before they were read.
    """

    epoch: int = 0
    lost: Mapping[TP, int] = {}


def starts(bounds: Mapping[TP, Bounds], committed: Mapping[TP, Committed], journal: Mapping[TP, int]) -> Placement:
    """Where to read on: the journal at its ledgers' positions, sources at the group's commits.

    Raises StateError when a position does not exist in its topic.

    >>> placement = starts({TP("j", 0): Bounds(0, 9), TP("s", 0): Bounds(3, 9)}, {TP("s", 0): Committed(1)}, {TP("j", 0): 7})
    >>> placement[TP("j", 0)].offset, placement[TP("s", 0)].offset, placement.lost[TP("s", 0)]
    (7, 3, 2)
    """
    placement, lost = Placement(), {}
    for tp, (begin, end) in bounds.items():
        try:
            if tp in journal:
                placement[tp] = Committed(journal_start(journal[tp], begin, end))
                continue
            known = committed.get(tp)
            start, lost[tp] = source_start(known.offset if known else None, begin, end)
            placement[tp] = Committed(start, known.metadata if known else "")
        except StateError as error:
            raise StateError(f"{tp.topic}/{tp.partition}: {error}") from error
    placement.lost = lost
    return placement
