"""One customer's row while a chunk is worked on: decoded, with what mechanisms may read of it."""

from __future__ import annotations

from bisect import insort
from operator import attrgetter
from typing import Any

from stream.domain.days import NEVER
from stream.domain.facts import Fact, Standing
from stream.engine.binding import Plan
from stream.engine.folding import Feature, Reading
from stream.engine.row import Row
from stream.engine.rules import Bound
from stream.features import balances
from stream.policy.contact import Ledger

RECENT = 16
"""Events by which a producer's own retry is recognised: the stated horizon."""
WIDTH = 8
_BY_TIME = attrgetter("at", "origin")


class Customer:
    """The overlay of one row.

    Attributes:
        due: Not later than the next deadline (lateness included) or held event; exact after `next_due`.
    """

    __slots__ = ("_deadlines", "due", "plan", "row", "subject")

    def __init__(self, plan: Plan, subject: str, row: Row, due: int) -> None:
        self.plan, self.subject, self.row, self.due = plan, subject, row, due
        self._deadlines: list[int] = []

    def amount(self, feature: str, day: int) -> int:
        """`Read.amount`."""
        bound = self.plan.features[feature]
        state = getattr(self.row, bound.slot)
        return 0 if state is None else bound.amount(state, day)

    def standing(self, feature: str, amount: int) -> Standing:
        """`Read.standing`."""
        bound = self.plan.features[feature]
        state = getattr(self.row, bound.slot)
        return Standing(0, 0, 0) if state is None else bound.standing(state, amount)

    def reading(self, feature: str, day: int, at: int) -> Reading:
        """A feature as evidence."""
        bound = self.plan.features[feature]
        return bound.reading(self.state_of(bound), day, at)

    def state_of(self, owner: Feature | Bound) -> Any:
        """The slot of a feature, or of a rule's mechanism; created when first touched."""
        state = getattr(self.row, owner.slot)
        if state is None:
            kind = owner.mechanism.state if isinstance(owner, Bound) else owner.state
            state = kind()
            setattr(self.row, owner.slot, state)
        return state

    def gates(self) -> Ledger:
        """What the contact gates know."""
        if self.row.gates is None:
            self.row.gates = Ledger()
        return self.row.gates

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

    def defer(self, rule: Bound, fact: Fact) -> None:
        """Keep a fact until the deadline before it is proven."""
        facts = self.row.deferred.setdefault(rule.name, [])
        insort(facts, fact, key=_BY_TIME)

    def deadlines(self) -> list[int]:
        """By place, when each waiting rule's next deadline counts as passed: lateness after it."""
        if not self._deadlines:
            self._deadlines = [self._deadline(rule) for rule in self.plan.timed]
        return self._deadlines

    def renew(self, rule: Bound) -> int:
        """A waiting rule's state has changed: its next deadline, worked out anew."""
        deadline = self.deadlines()[rule.place] = self._deadline(rule)
        if deadline < self.due:
            self.due = deadline
        return deadline

    def _deadline(self, rule: Bound) -> int:
        state = getattr(self.row, rule.slot)
        if state is None:
            return NEVER
        due = rule.mechanism.due(state)
        return due + self.plan.lateness if due < NEVER else NEVER

    def next_due(self) -> int:
        """The earliest of all deadlines and held events, exactly."""
        self.due = min(self.deadlines(), default=NEVER)
        if self.row.inbox and self.row.inbox[0].recorded < self.due:
            self.due = self.row.inbox[0].recorded
        return self.due

    def prune(self) -> None:
        """Forget balances of dates that no rule can still ask for.

        Asked when an event opens a new day, never at the end of a chunk: what a very late event can still be shown must
        not depend on chunks.
        """
        for slot in self.plan.balances:
            state = getattr(self.row, slot)
            if state is not None and balances.prunable(state):
                balances.prune(state, self._floor())

    def _floor(self) -> int:
        """The first date that a ladder, an open deadline or the last event can still mean, less one for late postings."""
        floors = [self.plan.calendar.day(self.row.seen)]
        for rule in self.plan.rules:
            state = getattr(self.row, rule.slot)
            if state is not None and hasattr(state, "judged"):
                floors.append(state.judged)
        open_ones = (deadline for deadline in self.deadlines() if deadline < NEVER)
        floors += [self.plan.calendar.day(deadline - self.plan.lateness - 1) for deadline in open_ones]
        return min(floors) - 1
