"""Small logs that hypothesis makes: few customers, coarse times, late and equal records, retries, every kind of event.

Rule: canonical order (recorded, event time, sequence, source, id) is what a history comes in; tests take it apart themselves.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from stream.domain.days import DAY, MINUTE, text
from stream.domain.events import Order, Record
from stream.wire.registry import SOURCES
from tests.builders import (
    DAY_ONE,
    HOUR,
    START,
    Happening,
    action,
    arrears,
    card,
    closing,
    journaled,
    opt_out,
    posting,
    session,
    ticked,
)

DELAYS = (0, 0, 0, MINUTE, 29 * MINUTE, 30 * MINUTE, 31 * MINUTE, 3 * HOUR, DAY, 4 * DAY, 9 * DAY)
"""How late an event may be recorded: in time, at the bound of the lateness, and far beyond."""
AMOUNTS = (1, 9_900, 100_000, 180_000, 200_000, 215_000, 4_900_000, 5_000_000, 5_200_000)
KINDS = ("salary", "credit", "debit", "closing", "card", "step", "complete", "session", "opt", "arrears", "reversed", "noise")


def _event(kind: str, at: int, recorded: int, draw: Any) -> Happening:
    """One event of a kind; `booking_date` is that of the instant, the date before, or absent."""
    about: dict[str, Any] = {"recorded": recorded}
    amount, account = draw(st.sampled_from(AMOUNTS)), draw(st.sampled_from(["A1", "A2"]))
    date = text((at - START) // DAY + DAY_ONE - draw(st.sampled_from([0, 0, 0, 1])))
    if kind in ("salary", "credit", "debit"):
        way = "DBIT" if kind == "debit" else "CRDT"
        code = "SALA" if kind == "salary" else "POSD"
        booked = draw(st.sampled_from([None, date]))
        balance = draw(st.sampled_from([None, *AMOUNTS]))
        channel = draw(st.sampled_from([None, "ONLINE"]))
        return posting(at, amount, balance, way, account, booked, code, channel, **about)
    if kind == "closing":
        return closing(at, amount, date, account, draw(st.sampled_from([None, "DEMAND", "TIME"])), **about)
    if kind == "reversed":
        data = {"original_acct_svcr_ref": "R1", "account_ref": account, "balance_after": {"amount": "7.00", "ccy": "CNY"}}
        return Happening("txn.entry.reversed", at, data, **about)
    if kind in ("step", "complete"):
        step = "complete" if kind == "complete" else draw(st.sampled_from(["one", "two"]))
        return action(at, step, draw(st.sampled_from(["loan", "fund"])), **about)
    if kind == "opt":
        topic, state = draw(st.sampled_from([None, "tier", "dormancy"])), draw(st.sampled_from(["OPT_OUT", "OPT_IN"]))
        return opt_out(at, topic, state, **about)
    if kind == "arrears":
        return arrears(at, draw(st.sampled_from([0, 30])), **about)
    if kind == "noise":
        return Happening("message.sent", at, {"trigger_id": "T1", "channel": "SMS"}, **about)
    return card(at, **about) if kind == "card" else session(at, **about)


def canonical(event: Happening) -> tuple[int, int, str, str, str]:
    """The order in which an old log is applied."""
    return event.seen, event.at, event.sequence or "", event.source, event.id


@st.composite
def histories(draw: Any, most: int = 40, days: int = 25, late: bool = True) -> list[Happening]:
    """Events of two customers in canonical order; some share their instant, some are a producer's retry of another."""
    events: list[Happening] = []
    for place in range(draw(st.integers(1, most))):
        at = START + draw(st.integers(0, days * 6)) * 4 * HOUR + draw(st.sampled_from([0, 0, 20 * MINUTE, 90 * MINUTE]))
        recorded = at + (draw(st.sampled_from(DELAYS)) if late else 0)
        made = _event(draw(st.sampled_from(KINDS)), at, recorded, draw)
        subject = draw(st.sampled_from(["C1", "C1", "C2"]))
        sequence = draw(st.sampled_from([None, None, "1", "2"]))
        events.append(replace(made, subject=subject, id=f"E{place}", sequence=sequence))
        if draw(st.integers(0, 9)) == 0:
            events.append(replace(events[-1], recorded=recorded + draw(st.sampled_from([0, HOUR]))))
    events.sort(key=canonical)
    return [replace(event, extra={"kairosorigin": f"log:{place}"}) for place, event in enumerate(events, 1)]


def sequenced(events: list[Happening]) -> list[Record]:
    """The history as one log in canonical order."""
    return [journaled(event.line(), place, event.seen, Order.SEQUENCED) for place, event in enumerate(events, 1)]


def skewed(log: list[Happening], chance: Random, burst: int, ticks: float, end: int) -> list[Record]:
    """The log's source topics interleaved at random, in bursts, with true proofs between them, as `Order.RECORDED`.

    As `publish` does it, every source says how far it has come, also those of which the log holds nothing.
    """
    topics: dict[str, list[Happening]] = {}
    for event in log:
        topics.setdefault(event.topic, []).append(event)
    names, done = sorted(topics), dict.fromkeys(topics, 0)
    records: list[Record] = []
    while any(done[name] < len(topics[name]) for name in names):
        name = chance.choice([name for name in names if done[name] < len(topics[name])])
        for event in topics[name][done[name] :][: chance.randint(1, burst)]:
            done[name] += 1
            records.append(journaled(event.line(), done[name], event.seen, Order.RECORDED, name))
        if chance.random() < ticks:
            clock = {name: _proof(topics.get(name, []), done.get(name, 0), chance, end) for name in SOURCES}
            records.append(ticked(clock))
    records.append(ticked(dict.fromkeys(SOURCES, end)))
    return records


def _proof(events: list[Happening], done: int, chance: Random, end: int) -> int:
    """A true T of one source: below its next record."""
    following = events[done].seen - 1 if done < len(events) else end
    last = events[done - 1].seen - 1 if done else 0
    return chance.choice([min(last, following), following])
