"""A pack whose sixty rules all listen to what a simulated log holds, for measuring: fifteen shapes in four variants each.

Unlike those of `rules`, which have nothing to say, these hear most events, keep state, wait for deadlines, and tell. Inputs and
features are those of the default pack, so that the difference between the two packs is their rules.

Rule: a pack is text that the linter passes without a fault, as a bank's own is. Fifteen rules are one of each shape, so 15,
30 and 60 of them ask the same of an event, only more often.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any, Final

from stream.packs import loader
from stream.packs.loader import DEFAULT, NAMES
from stream.packs.source import read
from stream.packs.spec import Pack

NAME = "sixty.yaml"
Made = dict[str, Any]


def pack(number: int = 60) -> Pack:
    """So many rules, by turns of each shape. Raises PackError if the linter finds what a worker would refuse."""
    return loader.compiled(NAME, text(number))


def text(number: int = 60) -> str:
    """The same as the text of a pack."""
    default = read(NAMES[0], (resources.files("stream.packs") / DEFAULT / NAMES[0]).read_text(encoding="utf-8"))[0].data
    inputs = {**default["inputs"], **INPUTS}
    return json.dumps({**default, "name": "sixty", "inputs": inputs, "rules": rules(number)}, ensure_ascii=False)


def rules(number: int) -> dict[str, Made]:
    """Rules by name; each speaks under a topic of its own name, so that a trigger says whose it is."""
    made = {}
    for place in range(number):
        variant, which = divmod(place, len(SHAPES))
        shape = SHAPES[which]
        name = f"{shape.__name__}_{variant + 1}"
        rule = shape(variant + 1)
        emits = {moment: {**emit, "topic": name, "talk_track": name} for moment, emit in rule["emits"].items()}
        made[name] = {**rule, "emits": emits}
    return made


POSTED, ACTED = "txn.entry.posted", "app.action.performed"
OUT: Final = {"field": "credit_debit_indicator", "in": ["DBIT"]}
FUNNEL: Final = {"field": "funnel", "present": True}
INPUTS: Final = {
    # without the default's events that no simulated customer brings about
    "own_acts": [
        {"on": POSTED, "where": [{"field": "channel", "in": ["COUNTER", "ONLINE", "MOBILE", "SELF_SERVICE", "POS"]}]},
        {"on": "app.session.started"},
        {"on": ACTED},
    ],
    "debit": [{"on": POSTED, "where": [OUT]}],
    "session": [{"on": "app.session.started"}],
    "screen": [{"on": "app.screen.viewed"}],
    "done": [{"on": ACTED, "where": [FUNNEL, {"field": "step", "in": ["complete"]}]}],
}


def _told(kind: str, shown: str, details: dict[str, str] | None = None, days: int = 30) -> Made:
    said = {"type": kind, "purpose": "sales", "cooldown": f"{days}d", "expires": "7d"}
    return {**said, "details": details or {}, "evidence": ["aum"], "zh": f"客户：{shown}。", "en": f"The customer: {shown}."}


# --- ladders


def tier(n: int) -> Made:
    """Assets, at the close of each date, with the zones around the bands."""
    zones = {"approaching": {"within": 0.1, "days": 3}, "at_risk": {"within": 0.05, "days": 2}}
    moments = ("approaching", "upgraded", "at_risk", "downgraded")
    return {**_ladder("aum", [2000 * n, 50_000 * n, 200_000 * n], moments), **zones, "velocity": "net_flow_30d"}


def standing(n: int) -> Made:
    """Assets, at each event."""
    return {**_ladder("aum", [5000 * n, 100_000 * n], ("upgraded", "downgraded")), "evaluate": "event", "first": "zero"}


def flow(n: int) -> Made:
    """What came in, less what went out, at the close of each date."""
    return _ladder("net_flow_30d", [3000 * n, 20_000 * n], ("upgraded", "downgraded"))


def _ladder(value: str, levels: list[int], moments: tuple[str, ...]) -> Made:
    details = {"aum": "value", "tier_from": "from", "tier_to": "to"}
    shown = "{value}, {gap}, {level}, {dwell_days}"
    bands = [{"name": f"band {place}", "at": level} for place, level in enumerate(levels, 1)]
    emits = {moment: _told(f"tier.{moment}", shown, details) for moment in moments}
    return {"mechanism": "ladder", "value": value, "bands": bands, "hysteresis": 0.02, "dwell_days": 1, "emits": emits}


# --- absences


def quiet(n: int) -> Made:
    """Nothing done of one's own accord, and the end of that."""
    return {**_silence("own_acts", 10 * n), "ended": "ended", "emits": {**_gone("entering"), **_gone("ended")}}


def unpaid(n: int) -> Made:
    """No electronic payment."""
    return {**_silence("electronic_payment", 10 * n), "emits": _gone("entering")}


def idle(n: int) -> Made:
    """Money came in and none went out."""
    return {**_silence("credit", 4 * n), "until": "debit", "restart": True, "emits": _gone("entering")}


def journey(n: int) -> Made:
    """Begun in the app and not completed."""
    emit = _told("journey.abandoned", "{key}, {label}, {elapsed_s}", {"funnel": "key", "step": "label"}, 1)
    stages = [{"moment": "left", "after": f"{2 * n}h"}]
    begun = {"on": ACTED, "where": [FUNNEL, {"field": "step", "not_in": ["complete"]}]}
    made = {"mechanism": "absence", "after": [begun], "until": "done", "per": "funnel", "label": "step", "stages": stages}
    return {**made, "emits": {"left": emit}}


def _silence(inputs: str, days: int) -> Made:
    return {"mechanism": "absence", "after": inputs, "stages": [{"moment": "entering", "days": days}]}


def _gone(moment: str) -> Made:
    return {moment: _told(f"dormancy.{moment}", "{silence_days}, {last_event}")}


# --- sequences


def spent(n: int) -> Made:
    """Most of what came from outside spent within a day."""
    return _pair("external_credit", "debit", "24h", 0.5 + n / 10)


def leaving(n: int) -> Made:
    """A part of the salary gone to another bank."""
    return _pair("salary", "leaving", f"{24 * n}h", 0.3)


def _pair(first: str, then: str, within: str, share: float) -> Made:
    emit = _told("payroll.leaking", "{amount}, {followed}, {share}", {"outflow": "followed", "outflow_share": "share"}, 20)
    made = {"mechanism": "sequence", "first": first, "then": then, "within": within, "share": share, "amount": "amount"}
    return {**made, "emits": {"completed": emit}}


# --- rhythms


def payday(n: int) -> Made:
    """The salary."""
    return _habit("salary", n, 2)


def bills(n: int) -> Made:
    """Larger payments."""
    larger = [{"on": POSTED, "where": [OUT, {"field": "amount", "at_least": 500 * n}]}]
    return _habit(larger, 3, 3)


def _habit(inputs: Any, grace: int, learn: int) -> Made:
    started = _told("payroll.started", "{amount}, {day}", {"employer_ref": "label"})
    missed = _told("payroll.missed", "{expected_on}, {usual_amount}, {last_on}")
    made = {"mechanism": "rhythm", "inputs": inputs, "label": "counterparty.name_hash", "grace_days": grace, "learn": learn}
    return {**made, "emits": {"started": started, "missed": missed}}


# --- significance and counts


def inflow(n: int) -> Made:
    """Far more than what usually comes from outside."""
    emit = _told("funds.significant_inflow", "{amount}, {usual_amount}, {own_quantile}")
    made = {"mechanism": "significance", "inputs": "external_credit", "history": "inflow_history", "least_history": 3}
    return {**made, "floor": 500 * n, "times": 1 + n / 2, "emits": {"extreme": emit}}


def payments(n: int) -> Made:
    """Electronic payments of a month."""
    return _count("electronic_payment", 5 * n, {"period": "month"})


def visits(n: int) -> Made:
    """Sessions within two weeks."""
    return _count("session", 2 + n, {"period": "rolling", "rolling_days": 14})


def screens(n: int) -> Made:
    """Screens, ever."""
    return _count("screen", 5 * n, {"period": "lifetime"})


def _count(inputs: str, number: int, period: Made) -> Made:
    emit = _told("points.double_earned", "{count}, {target}")
    targets = [{"moment": "reached", "number": number}]
    return {"mechanism": "count", "inputs": inputs, **period, "targets": targets, "emits": {"reached": emit}}


SHAPES: tuple[Callable[[int], Made], ...] = (
    tier, standing, flow, quiet, unpaid, idle, journey, spent, leaving, payday, bills, inflow, payments, visits, screens,
)  # fmt: skip
"""A function a shape: its variants differ in their figures."""
