"""One customer's past and deadlines in the order of the journal's clock.

Rule: what happens is decided by recorded times and proofs alone, never by how records interleaved on the way here.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from stream.domain.days import DAY, NEVER
from stream.domain.events import Event, Order
from stream.domain.reasons import Filtered, Outcome
from stream.engine.clock import RELEASE, Clock
from stream.engine.customer import Customer
from stream.engine.row import Held
from stream.engine.rules import Bound
from stream.engine.step import fire, step
from stream.engine.work import Work
from stream.wire.registry import REGISTRY

_new: Any = tuple.__new__
_PROCESSED = ("outcome", Outcome.PROCESSED.value)


def take(work: Work, customer: Customer, event: Event) -> None:
    """An event's turn has come; the same `source` and `id` again is filtered."""
    if customer.repeats(_identity(event)):
        work.counts["outcome", Outcome.FILTERED.value] += 1
        work.counts["filtered", Filtered.DUPLICATE_EVENT.value] += 1
        return
    work.counts[_PROCESSED] += 1
    if event.recorded > customer.row.seen:
        if event.recorded // DAY > customer.row.seen // DAY:
            customer.prune()
        customer.row.seen = event.recorded
    step(work, customer, event, event.recorded)


def hold(customer: Customer, event: Event) -> None:
    """An event's turn has not come: it waits in the row, in canonical order."""
    customer.hold(_held(event))


def advance(work: Work, customer: Customer, clock: Clock, order: Order, most: int = NEVER) -> bool:
    """Deadlines and held events in the order of the clock, as far as it has come; so many at most, False if there may be more.

    An event recorded at the very instant a deadline counts as passed still comes before it.
    """
    release, latest, timed = clock.of(RELEASE), clock.furthest(order), work.plan.timed
    while customer.next_due() <= latest:
        if not most:
            return False
        most -= 1
        head = customer.head if customer.head <= release else NEVER
        if head < NEVER and head <= customer.timer:
            take(work, customer, _released(customer))
            continue
        chosen, due = None, head
        for place, deadline in customer.deadlines.items():
            sooner = deadline < due or (deadline == due and chosen is not None and place < chosen.place)
            if sooner and deadline <= clock.of(sources(timed[place], order)):
                chosen, due = timed[place], deadline
        if chosen is not None:
            now = clock.of(chosen.topics) if order is Order.WALL else max(due, customer.row.seen)
            work.counts["timer_fired", chosen.name] += 1
            fire(work, customer, chosen, now)
        elif head < NEVER:
            take(work, customer, _released(customer))
        else:
            # it has come for some source, but not for those it waits for
            break
    return True


def sources(rule: Bound, order: Order) -> tuple[str, ...]:
    """Whose clocks a rule's deadlines wait for. Those of an old log stand in one order with the events it holds, too."""
    return rule.released if order is Order.RECORDED else rule.topics


def _identity(event: Event) -> bytes:
    """Eight bytes that say whether an event is the same: a digest of source and id."""
    return hashlib.blake2b(f"{event.source}\x1f{event.id}".encode(), digest_size=8).digest()


def _held(event: Event) -> Held:
    kind, _, at, recorded, ident, source, sequence, data, topic, origin, unknown = event
    raw = msgspec.json.encode(data)
    return _new(Held, (recorded, at, sequence, source, ident, kind, origin, topic, unknown, raw))  # type: ignore[no-any-return]


def _released(customer: Customer) -> Event:
    recorded, at, sequence, source, ident, kind, origin, topic, unknown, raw = customer.release()
    data = REGISTRY[kind].decoder.decode(raw)
    return _new(  # type: ignore[no-any-return]
        Event, (kind, customer.subject, at, recorded, ident, source, sequence, data, topic, origin, unknown)
    )
