"""What has been proven to be recorded, per source; and who wakes when.

Rule: the clock never goes back; a doubled or older tick changes nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from stream.domain.days import NEVER
from stream.domain.events import Order, Tick
from stream.wire.registry import SOURCES

EVERY: Final = "*"
"""In a tick: all sources at once (a plain log's own order proves its recorded time). In a clock: all that are not idle."""
RELEASE: Final = (EVERY,)
"""What an inbox waits for."""
UNKNOWN = -NEVER


class Clock:
    """T per source topic, and under `EVERY` of all that are not idle, UTC ms; `floor` holds for each of them."""

    __slots__ = ("_latest", "_reached", "floor", "idle", "vector")

    def __init__(self) -> None:
        self.floor = UNKNOWN
        self.vector: dict[str, int] = {}
        self.idle: frozenset[str] = frozenset()
        self._latest = UNKNOWN
        self._reached: dict[tuple[str, ...], int] = {}

    def advance(self, tick: Tick) -> None:
        """Take a proof in."""
        for topic, at in tick.clock.items():
            if topic == EVERY:
                self.floor = max(self.floor, at)
            else:
                self.vector[topic] = max(self.vector.get(topic, UNKNOWN), at)
        self.idle = tick.idle
        # by the tick's own figures where it has them: what an old tick calls idle must not meet what a new one has proven
        said = {**self.vector, **tick.clock}
        # a source of which nothing was ever said has proven nothing, so it holds
        awake = [said.get(topic, UNKNOWN) for topic in SOURCES if topic not in tick.idle]
        # what was released stays released, also when an idle source that was passed over comes back
        released = min(awake, default=max(tick.clock.values(), default=UNKNOWN))
        self.vector[EVERY] = max(self.vector.get(EVERY, UNKNOWN), released)
        self._latest, self._reached = max(self.vector.values()), {}

    def of(self, topics: tuple[str, ...]) -> int:
        """The instant up to which all these are complete.

        >>> clock, idle = Clock(), frozenset(SOURCES) - {"in.txn"}
        >>> clock.advance(Tick({"in.txn": 5, "in.app": 3}, idle))
        >>> clock.of(("in.app", "in.txn")), clock.of(RELEASE), clock.latest()
        (3, 5, 5)
        """
        reached = self._reached.get(topics)
        if reached is None:
            reached = self._reached[topics] = min([self.vector.get(topic, UNKNOWN) for topic in topics], default=UNKNOWN)
        return reached if reached > self.floor else self.floor

    def latest(self) -> int:
        """The furthest that any source is."""
        return self._latest if self._latest > self.floor else self.floor

    def furthest(self, order: Order) -> int:
        """No deadline or held event after this can have come: of an old log all stand in one order, and wait for `RELEASE`."""
        return self.of(RELEASE) if order is Order.RECORDED else self.latest()

    def dump(self) -> dict[str, object]:
        """Plain data for the ledger."""
        return {"floor": self.floor, "vector": self.vector, "idle": sorted(self.idle)}

    @classmethod
    def load(cls, data: dict[str, object]) -> Clock:
        """Inverse of `dump`."""
        clock = cls()
        clock.floor = data["floor"]  # type: ignore[assignment]
        clock.vector = dict(data["vector"])  # type: ignore[call-overload]
        clock.idle = frozenset(data["idle"])  # type: ignore[call-overload]
        clock._latest = max(clock.vector.values(), default=UNKNOWN)
        return clock


class Alarms:
    """Which customers to look at when the clock moves. An entry is a hint: too early is harmless, too late never happens.

    One heap holds each customer's earliest deadline; customers whose deadline has come but whose sources lag wait apart,
    by the sources they wait for, so that a stopped source costs nothing at each tick.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._queued: dict[str, int] = {}
        self._waiting: dict[tuple[str, ...], list[tuple[int, str]]] = {}
        self._known: set[tuple[tuple[str, ...], int, str]] = set()

    def __len__(self) -> int:
        return len(self._queued) + len(self._known)

    def arm(self, subject: str, due: int) -> None:
        """Look at this customer once ``due`` may have come."""
        if due < self._queued.get(subject, NEVER):
            self._queued[subject] = due
            heapq.heappush(self._heap, (due, subject))

    def wait(self, subject: str, due: int, topics: tuple[str, ...]) -> None:
        """The deadline has come for some source, but not for these."""
        mark = (topics, due, subject)
        if mark not in self._known:
            self._known.add(mark)
            heapq.heappush(self._waiting.setdefault(topics, []), (due, subject))

    def gather(self) -> None:
        """Nobody waits apart any longer: the next tick looks at them all."""
        for _, due, subject in sorted(self._known):
            self.arm(subject, due)
        self._known.clear()
        self._waiting.clear()

    def ring(self, clock: Clock, furthest: int) -> Iterator[str]:
        """Customers to look at now, earliest deadline first; stop iterating and the rest stays armed."""
        heap, queued = self._heap, self._queued
        while heap and heap[0][0] <= furthest:
            due, subject = heapq.heappop(heap)
            if queued.get(subject) == due:
                del queued[subject]
                yield subject
        for topics in sorted(self._waiting):
            waiting, reached = self._waiting[topics], clock.of(topics)
            while waiting and waiting[0][0] <= reached:
                due, subject = heapq.heappop(waiting)
                self._known.discard((topics, due, subject))
                yield subject
