"""One journal partition: rows, alarms and ledger, and the decisions its records lead to.

Rule: `decide` computes, `accept` makes it so; between the two the caller makes the decision durable. A decision that was
not accepted may be made durable again, but must not be computed again: alarms have already been taken off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from stream import __version__
from stream.domain.days import NEVER
from stream.domain.errors import StateError
from stream.domain.events import Coordinates, Event, JournalRecord, Order, Reject, Tick
from stream.domain.reasons import Filtered, Outcome, RejectCode
from stream.engine.clock import RELEASE, Alarms, Clock
from stream.engine.customer import Customer
from stream.engine.decision import Decision
from stream.engine.engine import Engine, Entry
from stream.engine.row import MOST_BYTES, Row
from stream.engine.timeline import advance, hold, sources, take
from stream.engine.work import Work

LEDGER = b"\x00ledger"
"""Key of the ledger in the state topic; no subject can be equal to it."""
SLICE = 2_000
"""Customers that one decision wakes at most: a herd of deadlines is worked off in slices."""
STEP = 64
"""Records that are read in one step of a decision."""
REMEDY = "give the pack another name or start anew under another topic_prefix and app_id"

_SEQUENCED = Order.SEQUENCED

Told = list[tuple[int, Entry, int]]
"""A customer's events: place in the chunk, event, and the recorded time that was complete before it. All are of one order."""


class Partition:
    """The state of one journal partition."""

    def __init__(self, engine: Engine, number: int) -> None:
        self.number = number
        self.next_offset = 0
        self._engine, self._plan = engine, engine.plan
        self._rows: dict[str, bytes] = {}
        self._overlay: dict[str, bytes] = {}
        self._alarms = Alarms()
        self._clock, self._behind = Clock(), Clock()
        self._order = Order.WALL
        self._high: dict[str, int] = {}
        self._dead: dict[str, int] = {}
        self._work = engine.work()
        self._native = engine.visitor()

    @property
    def rows(self) -> int:
        """Number of customers."""
        return len(self._rows)

    @property
    def row_bytes(self) -> int:
        """Bytes of all rows, keys not counted."""
        return sum(map(len, self._rows.values()))

    @property
    def timers(self) -> int:
        """Customers with something due."""
        return len(self._alarms)

    @property
    def high(self) -> Mapping[str, int]:
        """Per source partition (``topic|partition|incarnation``) the offset of the last record decided."""
        return self._high

    @property
    def dead_runs(self) -> Mapping[str, int]:
        """By source topic, how many of its last records here were dead letters, without a sound one since; those of types
        that this version does not support left out."""
        return self._dead

    # --- the past

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take in one record of the state topic, in order. Raises StateError for what this engine cannot read."""
        if key == LEDGER:
            if value is not None:
                self._restore_ledger(value)
            return
        subject = key.decode()
        if value is None:
            self._rows.pop(subject, None)
            return
        self._rows[subject] = value
        due = self._engine.codec.due(value)
        if due < NEVER:
            self._alarms.arm(subject, due)

    def _restore_ledger(self, value: bytes) -> None:
        pack = self._plan.spec.name
        try:
            ledger = msgspec.json.decode(value)
            owner = ledger["pack"]["name"]
            self.next_offset, self._high = ledger["next"], ledger["high"]
            self._order, self._clock = Order(ledger["order"]), Clock.load(ledger["clock"])
            self._dead = ledger.get("dead", {})
        except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
            raise StateError(f"expected a ledger, got what is none ({type(error).__name__})") from error
        if owner != pack:
            remedy = f"run pack {owner}, or start anew under another topic_prefix and app_id"
            raise StateError(f"expected state of pack {pack}, got state of pack {owner}: {remedy}")
        if faults := self._engine.misfits(ledger["pack"].get("state", {})):
            raise StateError(f"state of another kind, {REMEDY}: {', '.join(faults)}")

    def _ledger(self) -> bytes:
        plan, kinds = self._plan, self._engine.kinds
        pack = {"name": plan.spec.name, "digest": plan.digest, "engine": __version__, "state": kinds}
        data = {"next": self.next_offset, "order": self._order, "clock": self._clock.dump(), "high": self._high, "pack": pack}
        return msgspec.json.encode({**data, "dead": self._dead} if self._dead else data)

    def dump(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows as they stand in the state topic."""
        return ((subject.encode(), raw) for subject, raw in self._rows.items())

    # --- the present

    def decide(self, records: Sequence[JournalRecord]) -> Decision:
        """The consequences of the next records of the journal."""
        return _last(self.deciding(records))

    def apply(self, entries: Sequence[Entry]) -> Decision:
        """The consequences of records already read."""
        return _last(self._applying(entries))

    def deciding(self, records: Sequence[JournalRecord]) -> Iterator[Decision | None]:
        """`decide` in small steps: None after each, at last the decision. Between them other partitions may work."""
        return self._applying(map(self._engine.read, records))

    def _applying(self, entries: Iterable[Entry]) -> Iterator[Decision | None]:
        """A tick that wakes too many is left to be applied again."""
        self._work = work = self._engine.work()
        self._overlay = {}
        told: dict[str, Told] = defaultdict(list)
        consumed, room, native = 0, SLICE, self._native
        for entry in entries:
            work.place = consumed
            if native is not None and native.admit(entry, told, self._high, self._dead, consumed, self._clock, self._order):
                pass
            elif isinstance(entry.item, Tick):
                yield from self._tell(work, told)
                room = yield from self._tick(entry.item, room)
                if room <= 0:
                    break
            else:
                if entry.where is not None and entry.where.order is not self._order:
                    # what is told together stands in one order
                    yield from self._tell(work, told)
                self._admit(work, entry, told)
            consumed += 1
            self.next_offset = entry.record.offset + 1
            if not consumed % STEP:
                yield None
        yield from self._tell(work, told)
        rows: list[tuple[bytes, bytes | None]] = [(subject.encode(), raw) for subject, raw in self._overlay.items()]
        yield Decision(consumed, work.outputs, [*rows, (LEDGER, self._ledger())], work.counts, work.times)

    def accept(self, decision: Decision) -> None:
        """The last decision is durable: its rows are the rows."""
        self._rows.update(self._overlay)
        self._overlay = {}

    def _fresh(self, where: Coordinates | None, source: str) -> bool:
        """Whether these source coordinates come for the first time."""
        if where is None or where.order is _SEQUENCED:
            return True
        offset = where.offset
        if offset <= self._high.get(source, -1):
            self._work.counts["outcome", Outcome.FILTERED.value] += 1
            self._work.counts["filtered", Filtered.DUPLICATE_DELIVERY.value] += 1
            return False
        self._high[source] = offset
        return True

    def _admit(self, work: Work, entry: Entry, told: dict[str, Told]) -> None:
        """An event is put aside for its customer; anything else is a dead letter."""
        item, where = entry.item, entry.where
        topic = "" if where is None else where.topic
        work.counts["read", topic] += 1
        if not self._fresh(where, entry.source):
            return
        if where is not None:
            order = where.order
            if order is not self._order:
                # whoever waits may now wait for other sources
                self._alarms.gather()
                self._order = order
            if order is _SEQUENCED and where.recorded - 1 > self._clock.floor:
                self._clock.floor = where.recorded - 1
        if isinstance(item, Reject):
            work.bury(entry.record, item, where)
            # that this version does not support a type is no fault of the source
            if item.code is not RejectCode.UNSUPPORTED:
                self._dead[topic] = self._dead.get(topic, 0) + 1
            return
        if self._dead:
            self._dead.pop(topic, None)
        if isinstance(item, Event):
            if item.unknown:
                work.counts["unknown_fields", item.type] += item.unknown
            if item.type in self._plan.handled:
                told[item.subject].append((work.place, entry, self._clock.floor))
            else:
                work.counts["outcome", Outcome.UNHANDLED.value] += 1
                work.counts["unhandled", item.type] += 1

    def _tell(self, work: Work, told: dict[str, Told]) -> Iterator[None]:
        """All events of a customer together, while its row is at hand: nobody else hears of them."""
        here = work.place
        if self._quickly():
            yield from self._visits(work, list(told.items()))
            self._native.reckon(work.counts)
        else:
            for subject, events in told.items():
                customer = self._customer(subject)
                for work.place, entry, floor in events:
                    self._event(work, customer, entry.item, floor)
                self._keep(customer)
                yield None
        told.clear()
        work.place = here

    def _quickly(self) -> bool:
        """Whether the visits that come may be made in C: then it knows now how far the clock is."""
        if self._native is None:
            return False
        clock = self._clock
        reached = [clock.of(sources(rule, self._order)) for rule in self._plan.timed]
        self._native.begin(self._work, self._order, reached, clock.furthest(self._order), clock.of(RELEASE))
        return True

    def _visits(self, work: Work, told: list[tuple[str, Told]]) -> Iterator[None]:
        """The visits in C; here what is left of one."""
        native, place = self._native, 0
        while place < len(told):
            place = native.visits(told, place, self._overlay, self._rows)
            if native.left:
                self._visit(work, *told[place - 1])
            yield None

    def _visit(self, work: Work, subject: str, events: Told) -> None:
        """A visit that was begun in C, to its end: events that are out of the ordinary one after the other here."""
        native, overlay, moved, refused = self._native, self._overlay, False, 0
        place, raw = native.reached, native.row
        while place < len(events):
            moved = True
            refused = refused + 1 if raw is None else 0
            customer = self._customer(subject)
            # refused twice running it may be refused for ever, for the length of the row
            until = len(events) if refused > 1 else place + 1
            for work.place, entry, floor in events[place:until]:
                self._event(work, customer, entry.item, floor)
            if until == len(events):
                self._keep(customer)
                return
            before = customer.encoded()
            raw = native.visit(subject, before, events, until)
            overlay[subject] = before if raw is None else raw
            place = native.reached
        if moved or native.moved:
            self._alarmed(subject, native.alarm, native.head, native.loud)
        self._count_oversize(overlay[subject])

    def _event(self, work: Work, customer: Customer, event: Any, floor: int) -> None:
        if self._order is Order.RECORDED:
            hold(customer, event)
            if event.recorded <= self._clock.of(RELEASE):
                advance(work, customer, self._clock, self._order)
            return
        if self._order is _SEQUENCED:
            self._behind.floor = floor
            clock = self._behind
        else:
            clock = self._clock
        # who would have woken to no purpose was left asleep: first what has passed quietly meanwhile
        if customer.due <= clock.latest():
            advance(work, customer, clock, self._order)
        take(work, customer, event)

    # --- time

    def _tick(self, tick: Tick, room: int) -> Generator[None, None, int]:
        """Wake whoever is due; the room that is left, none when somebody may still be due."""
        clock, codec = self._clock, self._engine.codec
        clock.advance(tick)
        furthest = clock.furthest(self._order)
        quickly = self._quickly()
        for subject in self._alarms.ring(clock, furthest):
            raw = self._raw(subject)
            due = NEVER if raw is None else codec.due(raw)
            if due > furthest:
                self._set(subject, due, RELEASE, furthest)
            elif quickly:
                self._rouse(subject)
            else:
                self._wake(self._customer(subject))
            room -= 1
            if room <= 0:
                break
            yield None
        if quickly:
            self._native.reckon(self._work.counts)
        return room

    def _wake(self, customer: Customer) -> None:
        """Fire what has come; nothing when no deadline that may be heard has, whatever woke the customer.

        An alarm may be a memory of one that has moved since, which a restart forgets: by it alone no row may change.
        """
        if customer.stale or self._awaited(customer):
            advance(self._work, customer, self._clock, self._order)
            self._keep(customer)
        else:
            self._arm(customer)

    def _awaited(self, customer: Customer) -> bool:
        """Whether a held event may go, or a deadline that is not quiet has passed."""
        clock, timed = self._clock, self._plan.timed
        if customer.head <= clock.of(RELEASE):
            return True
        loud = customer.loud()
        return any(due <= clock.of(sources(timed[place], self._order)) for place, due in loud.items())

    def _rouse(self, subject: str) -> None:
        """`_wake` in C; here the steps that are out of the ordinary."""
        native, begun, refused = self._native, False, 0
        while True:
            before = self._raw(subject)
            raw = native.wake(subject, before, begun)
            if raw is not None and raw is not before:
                self._overlay[subject] = raw
            if not native.stuck:
                self._alarmed(subject, native.alarm, native.head, native.loud)
                if raw is not before:
                    self._count_oversize(raw)
                return
            customer = self._customer(subject)
            begun = begun or raw is not None
            if not (begun or customer.stale or self._awaited(customer)):
                self._arm(customer)
                return
            begun = True
            refused = refused + 1 if raw is None else 0
            if advance(self._work, customer, self._clock, self._order, 1 if refused < 2 else NEVER):
                self._keep(customer)
                return
            self._overlay[subject] = customer.encoded()

    def _keep(self, customer: Customer) -> None:
        """The row as it is now, and the alarm for what is due in it."""
        self._arm(customer)
        raw = self._overlay[customer.subject] = customer.encoded()
        self._count_oversize(raw)

    def _count_oversize(self, raw: bytes) -> None:
        if len(raw) > MOST_BYTES:
            self._work.counts["row_oversize",] += 1

    def _arm(self, customer: Customer) -> None:
        """Set the alarm for the next deadline, or wait for the sources that hold back one that has come."""
        loud = customer.loud()
        customer.alarm = min(customer.head, min(loud.values())) if loud else customer.head
        self._alarmed(customer.subject, customer.alarm, customer.head, lambda: loud)

    def _alarmed(self, subject: str, alarm: int, head: int, loud: Callable[[], dict[int, int]]) -> None:
        furthest = self._clock.furthest(self._order)
        if alarm > furthest:
            if alarm < NEVER:
                self._alarms.arm(subject, alarm)
            return
        self._set(subject, head, RELEASE, furthest)
        for place, deadline in loud().items():
            self._set(subject, deadline, sources(self._plan.timed[place], self._order), furthest)

    def _set(self, subject: str, due: int, topics: tuple[str, ...], furthest: int) -> None:
        if due > furthest:
            if due < NEVER:
                self._alarms.arm(subject, due)
        else:
            self._alarms.wait(subject, due, topics)

    def _customer(self, subject: str) -> Customer:
        raw, codec = self._raw(subject), self._engine.codec
        return Customer(self._plan, codec, subject, Row() if raw is None else codec.decode(raw))

    def _raw(self, subject: str) -> bytes | None:
        return self._overlay.get(subject) or self._rows.get(subject)


def _last(steps: Iterator[Decision | None]) -> Decision:
    decision = None
    for decision in steps:  # noqa: B007
        pass
    assert decision is not None, "the last step of a decision is the decision"
    return decision
