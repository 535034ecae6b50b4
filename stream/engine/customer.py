"""One customer's row while a chunk is worked on: what is known of the customer, and when who has to hear of it."""

from __future__ import annotations

from typing import Any

from stream.domain.days import NEVER
from stream.domain.facts import Fact, Standing
from stream.domain.money import bounded
from stream.engine.binding import Plan
from stream.engine.folding import Reading
from stream.engine.row import BY_TIME, GATES, Codec, Held, Row, deferring, facts_of, facts_raw, held_of, holding, recorded_of
from stream.engine.rules import Bound
from stream.features import balances
from stream.policy.contact import Ledger

RECENT = 16
"""Events by which a producer's own retry is recognised: the stated horizon."""
WIDTH = 8


class States:
    """What features, rules and gates know of one customer: all that mechanisms may ask (`Read`).

    States are decoded when first asked for, and encoded again only if they may have changed.
    """

    __slots__ = ("_changed", "_codec", "_states", "plan", "row", "subject")

    def __init__(self, plan: Plan, codec: Codec, subject: str, row: Row) -> None:
        self.plan, self.subject, self.row = plan, subject, row
        self._codec = codec
        self._states: dict[str, Any] = {}
        self._changed: dict[str, Any] = {}

    def amount(self, feature: str, day: int) -> int:
        """`Read.amount`."""
        bound = self.plan.features[feature]
        state = self.glance(bound.slot)
        return 0 if state is None else bounded(bound.amount(state, day))

    def standing(self, feature: str, amount: int) -> Standing:
        """`Read.standing`."""
        bound = self.plan.features[feature]
        state = self.glance(bound.slot)
        return Standing(0, 0, 0) if state is None else bound.standing(state, amount)

    def reading(self, feature: str, day: int, at: int) -> Reading:
        """A feature as evidence."""
        bound = self.plan.features[feature]
        return bound.reading(self.glance(bound.slot) or self._codec.empty(bound.slot), day, at)

    def state(self, slot: str) -> Any:
        """The state in a slot, to be changed; an empty one is begun."""
        state = self._changed.get(slot)
        if state is None:
            state = self.glance(slot) or self._codec.empty(slot)
            self._states[slot] = self._changed[slot] = state
        return state

    def glance(self, slot: str) -> Any:
        """The state in a slot, only to be read; None while it is empty."""
        states = self._states
        if slot in states:
            return states[slot]
        state = states[slot] = self._codec.state(self.row, slot) if slot in self.row.slots else None
        return state

    def gates(self) -> Ledger:
        """What the contact gates know."""
        ledger: Ledger = self.state(GATES)
        return ledger

    def changes(self) -> dict[str, bytes]:
        """What may have changed, in bytes, by slot."""
        return {slot: self._codec.state_raw(state) for slot, state in self._changed.items()}


class Customer(States):
    """The overlay of one row, with its time.

    Attributes:
        due: Not later than the next deadline (lateness included) or held event; exact after `next_due`.
        timer: The next deadline alone, as of `next_due`.
        head: When the first held event was recorded.
        alarm: When somebody has to look at the row although no event comes: the next deadline that may not be quiet.
        deadlines: When the next deadline of a waiting rule counts as passed (lateness after it), by its place, if it has one.
        stale: Whether another plan worked out the deadlines that the row came with.
    """

    __slots__ = ("_waiting", "alarm", "deadlines", "due", "head", "stale", "timer")

    def __init__(self, plan: Plan, codec: Codec, subject: str, row: Row) -> None:
        super().__init__(plan, codec, subject, row)
        self._waiting: dict[str, list[Fact]] = {}
        self.due = self.timer = self.alarm = NEVER
        self.head = recorded_of(row.inbox[0]) if row.inbox else NEVER
        deadlines = row.deadlines
        self.stale = deadlines is None
        if deadlines is None:
            deadlines = row.deadlines = {}
        self.deadlines: dict[int, int] = deadlines
        if self.stale:
            for rule in plan.timed:
                self.renew(rule, self.glance(rule.slot))
        self.next_due()

    def encoded(self) -> bytes:
        """The row's bytes, with its alarm."""
        if self._changed:
            self._codec.put(self.row, self._changed)
            self._changed.clear()
        self.settle()
        return self._codec.encode(self.row, self.alarm)

    def repeats(self, digest: bytes) -> bool:
        """Whether this event was among the last `RECENT`; remembers it if not."""
        recent = self.row.recent
        place = recent.find(digest)
        while place >= 0 and place % WIDTH:
            place = recent.find(digest, place + 1)
        if place >= 0:
            return True
        self.row.recent = recent[-WIDTH * (RECENT - 1) :] + digest
        return False

    def hold(self, held: Held) -> None:
        """Keep an event until its recorded time is proven complete."""
        holding(self.row.inbox, held)
        if held.recorded < self.head:
            self.head = held.recorded

    def release(self) -> Held:
        """The first held event, which is held no longer."""
        inbox = self.row.inbox
        held = held_of(inbox.pop(0))
        self.head = recorded_of(inbox[0]) if inbox else NEVER
        return held

    def defer(self, rule: Bound, fact: Fact) -> None:
        """Keep a fact until the deadline before it is proven."""
        read = self._waiting.get(rule.name)
        if read is None:
            deferred = self.row.deferred
            deferred[rule.name] = deferring(deferred.get(rule.name), fact)
        else:
            read.append(fact)

    def waiting(self, rule: Bound) -> list[Fact]:
        """The facts that were deferred, in the order of their times; `forget` those that were heard."""
        facts = self._waiting.get(rule.name)
        if facts is None:
            facts = self._waiting[rule.name] = facts_of(self.row.deferred[rule.name])
        else:
            facts.sort(key=BY_TIME)
        return facts

    def settle(self) -> None:
        """What still waits goes back into the row."""
        if self._waiting:
            self.row.deferred.update((name, facts_raw(facts)) for name, facts in self._waiting.items())
            self._waiting.clear()

    def forget(self, rule: Bound, heard: int) -> None:
        """So many of the first `waiting` wait no longer."""
        facts = self._waiting[rule.name]
        del facts[:heard]
        if not facts:
            del self._waiting[rule.name], self.row.deferred[rule.name]

    def renew(self, rule: Bound, state: Any) -> None:
        """A waiting rule's state has changed: its next deadline, worked out anew."""
        due = NEVER if state is None else rule.mechanism.due(state)
        if due == NEVER:
            self.deadlines.pop(rule.place, None)
            return
        due += self.plan.lateness
        self.deadlines[rule.place] = due
        if due < self.due:
            self.due = due

    def next_due(self) -> int:
        """The earliest of all deadlines and held events, exactly."""
        deadlines = self.deadlines
        self.due = self.timer = min(deadlines.values()) if deadlines else NEVER
        if self.head < self.due:
            self.due = self.head
        return self.due

    def loud(self) -> dict[int, int]:
        """The `deadlines` that may bring a signal, or let a fact go that waits for them."""
        deadlines, deferred = self.deadlines, self.row.deferred
        for rule in self.plan.hushed:
            place, quiet = rule.place, rule.quiet
            if place in deadlines and rule.name not in deferred and quiet is not None and quiet(self.glance(rule.slot), self):
                deadlines = {**deadlines}
                del deadlines[place]
        return deadlines

    def prune(self) -> None:
        """Forget balances of dates that no rule can still ask for.

        Asked when an event opens a new day, never at the end of a chunk: what a very late event can still be shown must
        not depend on chunks.
        """
        for slot in self.plan.balances:
            state = self.glance(slot)
            if state is not None and balances.prunable(state):
                balances.prune(self.state(slot), self._floor())

    def _floor(self) -> int:
        """The first date that a ladder, an open deadline or the last event can still mean, less one for late postings."""
        floors = [self.plan.calendar.day(self.row.seen)]
        ladders = (self.glance(slot) for slot in self.plan.ladders)
        floors += [ladder.judged for ladder in ladders if ladder is not None]
        floors += [self.plan.calendar.day(deadline - self.plan.lateness - 1) for deadline in self.deadlines.values()]
        return min(floors) - 1
