"""Packs of many rules, for measuring: the default pack and so many more that never tell anything.

What a rule costs that has nothing to say is what a bank pays for each of its campaigns at each event. The mechanisms take
turns; thresholds are out of reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stream.packs import loader
from stream.packs.spec import Pack, PackSpec

SAYS: Final = {
    "other": "rules on other event types",
    "own": "rules on the same event type whose conditions do not hold",
    "same": "rules that hear every credit",
}
"""Kind of pack to what it measures."""
FAR = "1000000000.00"
Inputs = list[dict[str, Any]]


def pack(number: int, kind: str) -> Pack:
    """The default pack with so many rules in all, at least its own. Not linted: its rules are never to tell anything."""
    spec = loader.load("retail_bank").spec
    more = {f"more_{n}": RULES[n % len(RULES)](inputs(kind, n)) for n in range(max(number - len(spec.rules), 0))}
    head = {name: getattr(spec, name) for name in ("name", "version", "zone", "currency")}
    made = PackSpec.model_validate({**head, "rules": more})
    whole = spec.model_copy(update={"rules": dict(sorted({**spec.rules, **made.rules}.items()))})
    return Pack(spec=whole, digest=loader.digest(whole))


def inputs(kind: str, place: int) -> Inputs:
    """What the rule at this place listens to."""
    if kind == "other":
        return [{"on": "credit.application.decided"}]
    where = [{"field": "credit_debit_indicator", "in": ["CRDT"]}]
    if kind == "own":
        where.append({"field": "market_id", "in": [f"M{place:05d}"]})
    return [{"on": "txn.entry.posted", "where": where}]


def _emit(kind: str, facts: dict[str, str], shown: str) -> dict[str, Any]:
    said = {"type": kind, "topic": "more", "purpose": "sales", "talk_track": "more", "details": facts}
    return {**said, "zh": shown, "en": shown}


def _count(given: Inputs) -> dict[str, Any]:
    told = {"nth": _emit("points.almost_double", {}, "{count}")}
    return {
        "mechanism": "count",
        "inputs": given,
        "period": "month",
        "targets": [{"moment": "nth", "number": 10**9}],
        "emits": told,
    }


def _silence(given: Inputs) -> dict[str, Any]:
    told = {"quiet": _emit("dormancy.entering", {}, "{silence_days}")}
    return {
        "mechanism": "absence",
        "after": given,
        "restart": True,
        "stages": [{"moment": "quiet", "days": 3000}],
        "emits": told,
    }


def _pair(given: Inputs) -> dict[str, Any]:
    told = {"completed": _emit("payroll.leaking", {"outflow": "followed", "outflow_share": "share"}, "{share}")}
    return {
        "mechanism": "sequence",
        "first": [{**given[0], "where": [*given[0].get("where", []), {"field": _amount(given), "at_least": FAR}]}],
        "then": given,
        "within": "1d",
        "share": "0.5",
        "amount": _amount(given),
        "emits": told,
    }


def _extreme(given: Inputs) -> dict[str, Any]:
    return {
        "mechanism": "significance",
        "inputs": given,
        "history": "inflow_history",
        "amount": _amount(given),
        "floor": FAR,
        "times": "3",
        "emits": {"extreme": _emit("funds.significant_inflow", {}, "{amount}")},
    }


def _amount(given: Inputs) -> str:
    return "limit" if given[0]["on"].startswith("credit.") else "amount"


RULES: tuple[Callable[[Inputs], dict[str, Any]], ...] = (_count, _silence, _pair, _extreme)
