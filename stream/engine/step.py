"""One event through all stages. Read this page first.

    fold -> known features -> mechanisms -> candidates -> contact gates -> trigger or suppressed

Rule: data goes down this page; a stage never calls the next. Nothing here knows a clock, a file or a topic client.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream.domain.days import NEVER
from stream.domain.events import Event
from stream.domain.facts import Fact
from stream.domain.triggers import Signal
from stream.engine.audience import Fold
from stream.engine.binding import ARREARS, PERMISSIONS
from stream.engine.customer import Customer, States
from stream.engine.payload import Candidate, candidate
from stream.engine.rules import Bound
from stream.engine.seen import Seen
from stream.engine.work import Work
from stream.policy import contact
from stream.wire.instants import millis


def step(work: Work, customer: Customer, event: Event, now: int) -> None:
    """Everything one event brings about for its customer, decided at ``now``."""
    plan = work.plan
    seen = Seen(event, plan.calendar, plan.rates)
    heard = plan.audiences[event.type].of(event.data)
    fold(customer, seen, heard.folds)
    for rule, role in heard.rules:
        tell(work, customer, rule, rule.fact(seen, role), now)


def fold(customer: Customer, seen: Seen, folds: Iterable[tuple[str, Fold]]) -> None:
    """Features and gates take the event in."""
    kind = seen.event.type
    for slot, take in folds:
        take(customer.state(slot), seen)
    if kind == ARREARS:
        product = seen.data.product_ref or ""
        contact.arrears(customer.gates(), product, seen.event.at, seen.data.days_past_due)
    elif kind in PERMISSIONS:
        permit(customer, seen)


def tell(work: Work, customer: Customer, rule: Bound, fact: Fact, now: int) -> None:
    """One rule hears of the event, unless an unproven deadline lies before it."""
    if not rule.waits:
        hear(work, customer, rule, fact, now)
        return
    proven = fact.at + work.plan.lateness
    if proven >= customer.deadlines.get(rule.place, NEVER):
        work.trace(customer, rule.name, "deferred", fact.origin)
        customer.defer(rule, fact)
        return
    customer.renew(rule, hear(work, customer, rule, fact, now))
    if now > proven:
        work.counts["late", rule.name] += 1
    if rule.name in customer.row.deferred:
        catch_up(work, customer, rule, now)


def fire(work: Work, customer: Customer, rule: Bound, now: int) -> None:
    """A deadline is proven to have passed: what it brings about, then the facts that waited for it."""
    work.trace(customer, rule.name, "deadline", "")
    state = wake(work, customer, rule, now)
    if rule.name in customer.row.deferred:
        catch_up(work, customer, rule, now)
    else:
        customer.renew(rule, state)


def catch_up(work: Work, customer: Customer, rule: Bound, now: int) -> None:
    """Facts that waited for a deadline, once it has passed or a late fact has moved it behind them."""
    state, mechanism = customer.state(rule.slot), rule.mechanism
    facts = customer.waiting(rule)
    heard = 0
    while heard < len(facts) and facts[heard].at < mechanism.due(state):
        hear(work, customer, rule, facts[heard], now)
        heard += 1
    customer.forget(rule, heard)
    customer.renew(rule, state)


def hear(work: Work, customer: States, rule: Bound, fact: Fact, now: int) -> Any:
    """A rule takes a fact in, and what it has to say is decided. Its state."""
    state = customer.state(rule.slot) if rule.keeps else None
    signals = rule.mechanism.tell(state, fact, customer)
    if signals:
        decide(work, customer, rule, signals, now)
    return state


def wake(work: Work, customer: States, rule: Bound, now: int) -> Any:
    """The same where its deadline has passed."""
    state = customer.state(rule.slot)
    signals = rule.mechanism.fire(state, customer)
    if signals:
        decide(work, customer, rule, signals, now)
    return state


def decide(work: Work, customer: States, rule: Bound, signals: tuple[Signal, ...], now: int) -> None:
    """Each signal the pack speaks of becomes a candidate; the gates make it a trigger or a suppressed one."""
    for signal in signals:
        proposed = candidate(work.plan, rule, customer, signal)
        if proposed is not None:
            judge(work, customer, proposed, now)


def judge(work: Work, customer: States, proposed: Candidate, now: int) -> None:
    """All gates are asked, also after a refusal; a trigger spends."""
    ledger = customer.gates()
    verdicts = contact.verdicts(ledger, proposed.proposal, now)
    if any(verdict.refusal for verdict in verdicts):
        work.suppress(customer, proposed, verdicts)
    else:
        contact.spend(ledger, proposed.proposal)
        work.emit(customer, proposed, verdicts)


def permit(customer: Customer, seen: Seen) -> None:
    """Opt-outs of all contact and of topics; other scopes belong to gates that do not exist yet."""
    data = seen.data
    out = data.state in ("WITHDRAWN", "OPT_OUT", "SUPPRESSED")
    topic = contact.EVERYTHING if data.scope == "ALL" else data.topic if data.scope == "TOPIC" else None
    if topic is not None:
        voice = seen.event.type.partition(".")[0]
        since = seen.event.at if data.effective_at is None else millis(data.effective_at)
        contact.permission(customer.gates(), voice, topic, since, out)
