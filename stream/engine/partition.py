"""One journal partition: rows, alarms and ledger, and the decisions its records lead to.

Rule: `decide` computes, `accept` makes it so; between the two the caller makes the decision durable. A decision that was
not accepted may be made durable again, but must not be computed again: alarms have already been taken off.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stream import __version__
from stream.domain.days import NEVER
from stream.domain.errors import StateError
from stream.domain.events import Event, JournalRecord, Order, Reject, Tick
from stream.domain.reasons import Filtered, Outcome
from stream.engine.clock import RELEASE, Alarms, Clock
from stream.engine.customer import Customer
from stream.engine.decision import Decision
from stream.engine.engine import Engine, Entry
from stream.engine.row import due_of
from stream.engine.timeline import advance, hold, sources, take
from stream.engine.work import Work

LEDGER = b"\x00ledger"
"""Key of the ledger in the state topic; no subject can be equal to it."""
SLICE = 2_000
"""Customers that one decision wakes at most: a herd of deadlines is worked off in slices."""
HOT = 20_000
"""Customers kept decoded between decisions."""
MOST_BYTES = 262_144
"""A row longer than this is counted, long before the broker would refuse it."""


class Partition:
    """The state of one journal partition."""

    def __init__(self, engine: Engine, number: int) -> None:
        self.number = number
        self.next_offset = 0
        self._engine, self._plan = engine, engine.plan
        self._rows: dict[str, bytes] = {}
        self._overlay: dict[str, Customer] = {}
        self._touched: dict[str, Customer] = {}
        self._hot: dict[str, Customer] = {}
        self._alarms = Alarms()
        self._clock = Clock()
        self._order = Order.WALL
        self._high: dict[str, int] = {}
        self._work = engine.work()

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
        due = due_of(value)
        if due < NEVER:
            self._alarms.arm(subject, due)

    def _restore_ledger(self, value: bytes) -> None:
        pack = self._plan.spec.name
        try:
            ledger = msgspec.json.decode(value)
            owner = ledger["pack"]["name"]
            self.next_offset, self._high = ledger["next"], ledger["high"]
            self._order, self._clock = Order(ledger["order"]), Clock.load(ledger["clock"])
        except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
            raise StateError(f"expected a ledger, got what is none ({type(error).__name__})") from error
        if owner != pack:
            raise StateError(f"expected state of pack {pack}, got state of pack {owner}")

    def _ledger(self) -> bytes:
        pack = {"name": self._plan.spec.name, "digest": self._plan.digest, "engine": __version__}
        data = {"next": self.next_offset, "order": self._order, "clock": self._clock.dump(), "high": self._high, "pack": pack}
        return msgspec.json.encode(data)

    # --- the present

    def decide(self, records: Sequence[JournalRecord]) -> Decision:
        """The consequences of the next records of the journal."""
        read = self._engine.read
        return self.apply([read(record) for record in records])

    def apply(self, entries: Sequence[Entry]) -> Decision:
        """The consequences of records already read; a tick that wakes too many is left to be applied again."""
        self._work = work = self._engine.work()
        self._overlay = {}
        consumed, room = 0, SLICE
        for entry in entries:
            if isinstance(entry.item, Tick):
                room = self._tick(entry.item, room)
                if room <= 0:
                    break
            elif self._fresh(entry):
                self._admit(work, entry)
            consumed += 1
            self.next_offset = entry.record.offset + 1
        rows = self._close()
        return Decision(consumed, work.outputs, [*rows, (LEDGER, self._ledger())], work.counts)

    def accept(self, decision: Decision) -> None:
        """The decision is durable: its rows are the rows."""
        for key, value in decision.rows:
            if key == LEDGER:
                continue
            if value is None:
                self._rows.pop(key.decode(), None)
            else:
                self._rows[key.decode()] = value
        self._hot.update(self._overlay)
        if len(self._hot) > HOT:
            self._hot = dict(self._overlay)
        self._overlay = {}

    def _fresh(self, entry: Entry) -> bool:
        """Whether these source coordinates come for the first time."""
        self._work.counts["read", entry.where.topic if entry.where is not None else ""] += 1
        if entry.where is None or entry.where.order is Order.SEQUENCED:
            return True
        if entry.where.offset <= self._high.get(entry.source, -1):
            self._work.counts["outcome", Outcome.FILTERED.value] += 1
            self._work.counts["filtered", Filtered.DUPLICATE_DELIVERY.value] += 1
            return False
        self._high[entry.source] = entry.where.offset
        return True

    def _admit(self, work: Work, entry: Entry) -> None:
        item, where = entry.item, entry.where
        if where is not None:
            self._order = where.order
            if where.order is Order.SEQUENCED and where.recorded - 1 > self._clock.floor:
                self._clock.floor = where.recorded - 1
        if isinstance(item, Reject):
            work.bury(entry.record, item, where)
        elif isinstance(item, Event):
            if item.unknown:
                work.counts["unknown_fields", item.type] += item.unknown
            if item.type in self._plan.handled:
                self._event(work, item)
            else:
                work.counts["outcome", Outcome.UNHANDLED.value] += 1
                work.counts["unhandled", item.type] += 1

    def _event(self, work: Work, event: Event) -> None:
        customer = self._touched[event.subject] = self._customer(event.subject)
        if self._order is Order.RECORDED:
            hold(customer, event)
            customer.due = min(customer.due, event.recorded)
            if event.recorded <= self._clock.of(RELEASE):
                advance(work, customer, self._clock, self._order)
            return
        if self._order is Order.SEQUENCED and customer.due < event.recorded:
            advance(work, customer, self._clock, self._order)
        take(work, customer, event)

    # --- time

    def _tick(self, tick: Tick, room: int) -> int:
        """Wake whoever is due; the room that is left, none when somebody may still be due."""
        self._clock.advance(tick)
        self._settle()
        for subject in self._alarms.ring(self._clock):
            customer = self._customer(subject)
            advance(self._work, customer, self._clock, self._order)
            self._arm(customer)
            room -= 1
            if room <= 0:
                return 0
        return room

    def _settle(self) -> None:
        """Set the alarms of all customers touched since the last time."""
        for customer in self._touched.values():
            self._arm(customer)
        self._touched = {}

    def _arm(self, customer: Customer) -> None:
        """Set the alarm for the next deadline, or wait for the sources that hold back one that has come."""
        latest = self._clock.latest()
        if customer.next_due() > latest:
            if customer.due < NEVER:
                self._alarms.arm(customer.subject, customer.due)
            return
        if customer.row.inbox:
            self._set(customer.subject, customer.row.inbox[0].recorded, RELEASE, latest)
        for rule, deadline in zip(self._plan.timed, customer.deadlines(), strict=True):
            self._set(customer.subject, deadline, sources(rule, self._order), latest)

    def _set(self, subject: str, due: int, topics: tuple[str, ...], latest: int) -> None:
        if due > latest:
            if due < NEVER:
                self._alarms.arm(subject, due)
        else:
            self._alarms.wait(subject, due, topics)

    # --- rows

    def _customer(self, subject: str) -> Customer:
        customer = self._overlay.get(subject)
        if customer is None:
            customer = self._hot.pop(subject) if subject in self._hot else self._decoded(subject)
            self._overlay[subject] = customer
        return customer

    def _decoded(self, subject: str) -> Customer:
        raw, codec = self._rows.get(subject), self._engine.codec
        row, due = (codec.new(), NEVER) if raw is None else (codec.decode(raw), due_of(raw))
        return Customer(self._plan, subject, row, due)

    def _close(self) -> list[tuple[bytes, bytes | None]]:
        """All rows of the overlay as bytes, with their alarms set."""
        rows: list[tuple[bytes, bytes | None]] = []
        self._settle()
        for subject, customer in self._overlay.items():
            raw = self._engine.codec.encode(customer.row, customer.due)
            if len(raw) > MOST_BYTES:
                self._work.counts["row_oversize",] += 1
            rows.append((subject.encode(), raw))
        return rows
