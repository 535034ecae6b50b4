"""When is it proven that everything a source held at T has been journaled? Pure; `ticks` brings the samples.

Rule: a T is given out only when it is true, and never goes back. Wall clock: T, by the broker's clock, was read before
the ends of the partitions were asked, and committed positions have passed those ends. Recorded clock: commits say how
far each partition's recorded time has come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from stream.shell.kafka.positions import Committed, Mark

MOST_SAMPLES = 600
ASK_AFTER = 10.0
"""Seconds after which the broker's time is asked again when no acknowledgement has told it."""
FRESH = 600.0
"""Seconds that the broker's time is told from one acknowledgement: clocks drift by up to 0.1 ms a second."""
Ends = Mapping[int, int]
"""High watermark per partition."""


class BrokerClock:
    """The broker's time of day, from what its acknowledgements say and a steady clock: never ahead of it.

    A worker's own time of day is not asked: one that is ahead would prove what has not happened yet.

    >>> clock = BrokerClock()
    >>> clock.now(5.0) is None
    True
    >>> clock.heard(1767576600000, steady=7.0)
    >>> clock.now(7.0), clock.now(9.5)
    (1767576600000, 1767576602500)
    >>> clock.stale(16.0), clock.stale(18.0)
    (False, True)
    """

    def __init__(self) -> None:
        self._appended: int | None = None
        self._steady = 0.0

    def heard(self, appended: int, steady: float) -> None:
        """The broker appended a record at this instant (UTC ms); its acknowledgement came at so many steady seconds."""
        self._appended, self._steady = appended, steady

    def now(self, steady: float) -> int | None:
        """The broker's time, UTC ms, less what the last acknowledgement took to come; None before the first, and long after."""
        if self._appended is None or steady - self._steady > FRESH:
            return None
        return self._appended + int((steady - self._steady) * 1000)

    def stale(self, steady: float) -> bool:
        """Whether the broker should be heard again: what it said last may have been wrong, and put right since."""
        return self._appended is None or steady - self._steady > ASK_AFTER


class WallClock:
    """T of one source from samples of its ends.

    >>> clock = WallClock()
    >>> clock.sample(1000, {0: 5, 1: 2})
    >>> clock.sample(2000, {0: 9, 1: 2})
    >>> clock.proven({0: 4, 1: 2}) is None, clock.proven({0: 8, 1: 2}), clock.proven({0: 9, 1: 7})
    (True, 1000, 2000)
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[int, Ends]] = deque()
        self._proven: int | None = None

    def sample(self, at: int, ends: Ends) -> None:
        """At this instant (UTC ms, read first, margin taken off) the partitions ended here or before."""
        self._samples.append((at, ends))
        if len(self._samples) > MOST_SAMPLES:
            # thin, but never lose the oldest: it is what a long backlog will pass first
            kept = list(self._samples)
            self._samples = deque(kept[:1] + kept[1::2])

    def proven(self, positions: Mapping[int, int]) -> int | None:
        """The largest T that these committed positions prove; None when there is none yet."""
        while self._samples and passed(positions, self._samples[0][1]):
            at = self._samples.popleft()[0]
            if self._proven is None or at > self._proven:
                self._proven = at
        return self._proven


def passed(positions: Mapping[int, int], ends: Ends) -> bool:
    """Whether every partition has been journaled to these ends. A partition without position has, if it is empty.

    >>> passed({0: 5}, {0: 5, 1: 0}), passed({0: 5}, {0: 5, 1: 1})
    (True, False)
    """
    return all(positions.get(partition, 0) >= end for partition, end in ends.items())


class RecordedClock:
    """T of one source from what the commits say.

    >>> clock = RecordedClock()
    >>> clock.proven({0: Mark(1000, False), 1: Mark(None, False)}) is None
    True
    >>> clock.proven({0: Mark(1000, False), 1: Mark(800, False)}), clock.proven({0: Mark(1000, True), 1: Mark(800, False)})
    (799, 799)
    >>> clock.proven({0: Mark(1000, True), 1: Mark(1000, True)})
    1000
    """

    def __init__(self) -> None:
        self._proven: int | None = None

    def proven(self, marks: Mapping[int, Mark]) -> int | None:
        """The largest T so far; None while an unmarked partition has brought nothing."""
        now = recorded_proof(list(marks.values()))
        if now is not None and (self._proven is None or now > self._proven):
            self._proven = now
        return self._proven

    def overtaken(self, marks: Mapping[int, Mark]) -> frozenset[int]:
        """Partitions whose records came after the proof of their time: new ones of older records, or an ended log that goes on.

        >>> clock = RecordedClock()
        >>> clock.proven({0: Mark(1000, False)}), clock.overtaken({0: Mark(1000, False), 1: Mark(800, False)})
        (999, frozenset({1}))
        """
        proven = self._proven
        if proven is None:
            return frozenset()
        going = ((number, mark.recorded) for number, mark in marks.items() if not mark.ended)
        return frozenset(number for number, recorded in going if recorded is not None and recorded <= proven)


def recorded_proof(marks: list[Mark]) -> int | None:
    """T of one moment: less than the last time of every partition that may bring more, for more may bring that again."""
    open_ends = [mark.recorded for mark in marks if not mark.ended]
    if not open_ends:
        return max((mark.recorded for mark in marks if mark.recorded is not None), default=None)
    known = [recorded for recorded in open_ends if recorded is not None]
    return min(known) - 1 if len(known) == len(open_ends) else None


class Quiet:
    """Whether a source has neither backlog nor news for a while.

    >>> quiet = Quiet(after=5.0)
    >>> quiet.idle(0.0, {0: 3}, {0: 3}), quiet.idle(5.0, {0: 3}, {0: 3}), quiet.idle(6.0, {0: 3}, {0: 4})
    (False, True, False)
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._ends: Ends | None = None
        self._since = 0.0

    def idle(self, now: float, positions: Mapping[int, int], ends: Ends) -> bool:
        """Ask with every sample; ``now`` in seconds of any steady clock."""
        if ends != self._ends:
            self._ends, self._since = ends, now
        return passed(positions, ends) and now - self._since >= self._after


def journaled(committed: Mapping[int, Committed], begins: Mapping[int, int]) -> dict[int, int]:
    """Position per partition below which nothing can still arrive: the commit, or the begin after retention."""
    return {
        partition: max(committed[partition].offset if partition in committed else 0, begins.get(partition, 0))
        for partition in committed.keys() | begins.keys()
    }
