"""Job J: what one posting does to one customer. The reference, and what the Python peers run.

Rule: standard library only, since peers import it in environments of their own. The state is plain (JSON holds it).

A customer has in- and outflows that fade over 30 and 90 days (to 1/e in that time), mean and variance of log(1 + cents) of
all amounts, and a tier of the balance: reached at its level, left below 98 % of it. A change of tier is a trigger, and so is
a credit that is more than four standard deviations above the mean of at least ten amounts before it.
"""

from __future__ import annotations

from datetime import datetime
from math import exp, log1p, sqrt
from typing import Any

LEVELS = (200_000, 5_000_000, 20_000_000, 1_000_000_000)
"""Cents at which a tier begins."""
HELD = 98
"""Percent of its level below which a tier is left."""
MONTH, QUARTER = 30 * 86_400_000, 90 * 86_400_000
LEAST, DEVIATIONS = 10, 4
FIGURES = ("in30", "out30", "in90", "out90", "mean", "squares", "count", "aum", "tier")
"""What two implementations must agree on."""

State = dict[str, Any]
Trigger = dict[str, Any]


def fresh() -> State:
    """A customer never seen; `at` is the latest event, UTC ms."""
    return {
        "at": 0,
        "in30": 0.0,
        "out30": 0.0,
        "in90": 0.0,
        "out90": 0.0,
        "mean": 0.0,
        "squares": 0.0,
        "count": 0,
        "aum": 0,
        "tier": 0,
    }


def apply(state: State, event: dict[str, Any]) -> list[Trigger]:
    """Change the state by one event; the triggers it brings, none or a few."""
    data = event["data"]
    at = round(datetime.fromisoformat(event["time"]).timestamp() * 1000)
    amount, aum = cents(data["amount"]), cents(data["balance_after"])
    credit = data["credit_debit_indicator"] == "CRDT"
    told = []
    size = log1p(amount)
    if credit and extreme(state, size):
        told.append(trigger("funds.significant_inflow", event, event["time"][:10], {"amount": amount}))
    flow(state, at, amount, "in" if credit else "out")
    count(state, size)
    state["aum"] = aum
    old, new = state["tier"], tier(state["tier"], aum)
    if new != old:
        state["tier"] = new
        kind = "tier.upgraded" if new > old else "tier.downgraded"
        shown = {"from": old, "to": new, "aum": aum, "in30": state["in30"], "out30": state["out30"]}
        told.append(trigger(kind, event, f"{new or '-'}|{old or '-'}|{event['time'][:10]}", shown))
    return told


def cents(money: dict[str, str]) -> int:
    """Amounts of the log have exactly two decimals."""
    return int(money["amount"].replace(".", ""))


def extreme(state: State, size: float) -> bool:
    """Whether an amount is far above all before it."""
    seen = state["count"]
    return seen >= LEAST and size > state["mean"] + DEVIATIONS * sqrt(state["squares"] / seen)


def flow(state: State, at: int, amount: int, way: str) -> None:
    """Let all flows fade to this instant, then add the amount to those of its way."""
    ahead = at - state["at"]
    if ahead > 0:
        month, quarter = exp(-ahead / MONTH), exp(-ahead / QUARTER)
        state["in30"] *= month
        state["out30"] *= month
        state["in90"] *= quarter
        state["out90"] *= quarter
        state["at"] = at
    state[way + "30"] += amount
    state[way + "90"] += amount


def count(state: State, size: float) -> None:
    """Mean and squared distances, one amount further."""
    state["count"] += 1
    distance = size - state["mean"]
    state["mean"] += distance / state["count"]
    state["squares"] += distance * (size - state["mean"])


def tier(now: int, aum: int) -> int:
    """The tier of a balance, for a customer who has this one."""
    while now < len(LEVELS) and aum >= LEVELS[now]:
        now += 1
    while now and aum * 100 < LEVELS[now - 1] * HELD:
        now -= 1
    return now


def trigger(kind: str, event: dict[str, Any], key: str, data: dict[str, Any]) -> Trigger:
    """What goes out. The id says type, customer and episode: twice the same is one trigger to whoever reads."""
    subject = event["subject"]
    return {"id": f"{kind}|{subject}|{key}", "type": kind, "subject": subject, "time": event["time"], "data": data}
