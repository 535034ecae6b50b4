"""Events, packs and runs for tests, in one line each. Days are of 2026 in Shanghai; amounts are yuan.

Rule: nothing here decides anything; what a log means is the engine's business.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from jsonschema import Draft202012Validator, FormatChecker

from stream.domain.days import DAY, Calendar, parse, stamp
from stream.domain.events import Coordinates, Order, Record, Tick
from stream.domain.facts import Fact, Read, Role, Standing
from stream.domain.triggers import Signal
from stream.engine.decision import Output
from stream.engine.engine import SOURCE, Engine, tick_header
from stream.engine.partition import Partition
from stream.packs.spec import Pack, PackSpec
from stream.shell import reports
from stream.shell.logfile import Numbered, recorded
from stream.shell.replay import Collected, Replay
from stream.wire.inputs.common import Money
from stream.wire.outputs import Condition as Shown
from stream.wire.reading import read
from stream.wire.registry import SOURCES, topic_of

SCHEMAS = Path(__file__).parents[1] / "schemas"
MOST_HELD = 50
"""Outputs of a type that a process holds against its schema: each costs some milliseconds."""
HELD: Counter[str] = Counter()
SIGNS = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}
SHANGHAI = Calendar("Asia/Shanghai")
DAY_ONE = parse("2026-01-05")
START = SHANGHAI.start(DAY_ONE)
HOUR = 3_600_000
MINUTE = 60_000


# --- events


def instant(day: int, hour: float = 12.0) -> int:
    """UTC ms of an hour (with decimals) of the n-th day; day 0 is 2026-01-05."""
    return START + day * DAY + round(hour * HOUR)


@dataclass(frozen=True)
class Happening:
    """One event before it is written: what, to whom, when, and when it was recorded."""

    kind: str
    at: int
    data: dict[str, Any]
    subject: str = "C1"
    id: str = "E1"
    recorded: int | None = None
    source: str = "core"
    sequence: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        """When it was recorded; at once unless said otherwise."""
        return self.at if self.recorded is None else self.recorded

    @property
    def topic(self) -> str:
        """The source topic it belongs to."""
        return topic_of(f"{self.kind}.v1") or "in.redrive"

    def line(self, stamped: bool = True) -> bytes:
        """A structured CloudEvent; without `recordedtime` when not stamped."""
        fields = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": f"{self.kind}.v1",
            "subject": self.subject,
            "time": stamp(self.at),
            **({"recordedtime": stamp(self.seen)} if stamped else {}),
            **({"sequence": self.sequence} if self.sequence is not None else {}),
            **self.extra,
            "data": self.data,
        }
        return orjson.dumps(fields)


def yuan(minor: int) -> dict[str, str]:
    """Minor units as money on the wire."""
    sign, units = "-" if minor < 0 else "", abs(minor)
    return {"amount": f"{sign}{units // 100}.{units % 100:02d}", "ccy": "CNY"}


def posting(
    at: int,
    minor: int = 10_000,
    balance: int | None = None,
    way: str = "CRDT",
    account: str = "A1",
    booked: str | None = None,
    code: str | None = None,
    channel: str | None = None,
    **about: Any,
) -> Happening:
    """`txn.entry.posted`; `code` is the sub-family of the bank transaction code (SALA, POSD ...)."""
    data: dict[str, Any] = {"account_ref": account, "amount": yuan(minor), "credit_debit_indicator": way}
    if balance is not None:
        data["balance_after"] = yuan(balance)
    if booked is not None:
        data["booking_date"] = booked
    if code is not None:
        data["bank_tx_code"] = {"domain": "PMNT", "family": "RCDT" if way == "CRDT" else "ICDT", "sub_family": code}
    if channel is not None:
        data["channel"] = channel
    return Happening("txn.entry.posted", at, data, **about)


def closing(at: int, minor: int, booked: str, account: str = "A1", product: str | None = None, **about: Any) -> Happening:
    """`account.balance.closed`."""
    data: dict[str, Any] = {"account_ref": account, "business_date": booked, "closing_balance": yuan(minor)}
    if product is not None:
        data["product_class"] = product
    return Happening("account.balance.closed", at, data, **about)


def card(at: int, kind: str = "SOCIAL_SECURITY", **about: Any) -> Happening:
    """`card.issued`."""
    return Happening("card.issued", at, {"card_kind": kind}, **about)


def action(at: int, step: str, funnel: str = "loan", **about: Any) -> Happening:
    """`app.action.performed` in a funnel."""
    data = {"session_id": "S1", "action": "tap", "funnel": funnel, "step": step}
    return Happening("app.action.performed", at, data, **about)


def session(at: int, **about: Any) -> Happening:
    """`app.session.started`."""
    return Happening("app.session.started", at, {"session_id": "S1"}, **about)


def opt_out(at: int, topic: str | None = None, state: str = "OPT_OUT", **about: Any) -> Happening:
    """`preference.changed`, of a topic or of all contact."""
    data = {"scope": "ALL", "state": state} if topic is None else {"scope": "TOPIC", "topic": topic, "state": state}
    return Happening("preference.changed", at, data, **about)


def arrears(at: int, days: int, **about: Any) -> Happening:
    """`credit.arrears.changed`."""
    return Happening("credit.arrears.changed", at, {"days_past_due": days, "product_ref": "L1"}, **about)


def numbered(events: Iterable[Happening]) -> list[Happening]:
    """The same events, each with an id of its own."""
    return [replace(event, id=f"E{place}") for place, event in enumerate(events, 1)]


# --- packs


def pack(rules: dict[str, Any], features: dict[str, Any] | None = None, **more: Any) -> Pack:
    """A pack out of plain data, in CNY and Shanghai."""
    spec = {"name": "tiny", "version": 1, "zone": "Asia/Shanghai", "currency": "CNY", **more}
    return Pack(spec=PackSpec.model_validate({**spec, "features": features or {}, "rules": rules}), digest="d")


def emit(kind: str, details: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """What a moment becomes; contact topic is the family."""
    words = {"topic": kind.partition(".")[0], "purpose": "service", "talk_track": "talk", "zh": "是", "en": "yes"}
    return {"type": kind, **words, "details": details or {}, **more}


UNFUNDED = {"days_since": "silence_days", "card_kind": "label"}
TIER = {"aum": "value", "tier_from": "from", "tier_to": "to"}
SALARY = [{"on": "txn.entry.posted", "where": [{"field": "bank_tx_code.sub_family", "in": ["SALA"]}]}]
CREDIT = [{"on": "txn.entry.posted", "where": [{"field": "credit_debit_indicator", "in": ["CRDT"]}]}]
DEBIT = [{"on": "txn.entry.posted", "where": [{"field": "credit_debit_indicator", "in": ["DBIT"]}]}]
OWN = [
    {"on": "txn.entry.posted", "where": [{"field": "channel", "present": True}]},
    {"on": "app.session.started"},
    {"on": "app.action.performed"},
]


def tier(**words: Any) -> dict[str, Any]:
    """A ladder of two bands, 2,000 and 50,000 yuan, with all moments told."""
    told: dict[str, Any] = {"evidence": ["aum"], **words.pop("told", {})}
    moments = ("approaching", "upgraded", "at_risk", "downgraded")
    return {
        "mechanism": "ladder",
        "value": "aum",
        "bands": [{"name": "low", "at": "2000"}, {"name": "high", "at": "50000"}],
        "emits": {moment: emit(f"tier.{moment}", TIER, **told) for moment in moments},
        **words,
    }


def dormancy(**words: Any) -> dict[str, Any]:
    """A silence of 5, then 9 dates, and its end."""
    told = words.pop("told", {})
    return {
        "mechanism": "absence",
        "after": OWN,
        "stages": [{"moment": "entering", "days": 5}, {"moment": "entered", "days": 9, "phase": "escalated"}],
        "ended": "ended",
        "emits": {moment: emit(f"dormancy.{moment}", **told) for moment in ("entering", "entered", "ended")},
        **words,
    }


def unfunded(**words: Any) -> dict[str, Any]:
    """A card was issued and no credit came for 3, then 6 dates: A and B from two sources."""
    return {
        "mechanism": "absence",
        "after": [{"on": "card.issued"}],
        "until": CREDIT,
        "label": "card_kind",
        "stages": [{"moment": "unfunded", "days": 3}, {"moment": "unfunded", "days": 6, "phase": "escalated"}],
        "given": {"feature": "aum", "at_most": "0"},
        "emits": {"unfunded": emit("activation.zero_asset_new", UNFUNDED, evidence=["aum"])},
        **words,
    }


def journey(**words: Any) -> dict[str, Any]:
    """A funnel that was entered and not completed within two hours, per funnel."""
    action_of = "app.action.performed"
    return {
        "mechanism": "absence",
        "per": "funnel",
        "label": "step",
        "restart": True,
        "after": [{"on": action_of, "where": [{"field": "step", "not_in": ["complete"]}]}],
        "until": [{"on": action_of, "where": [{"field": "step", "in": ["complete"]}]}],
        "stages": [{"moment": "abandoned", "after": "2h"}],
        "emits": {"abandoned": emit("journey.abandoned", {"funnel": "key", "step": "label"}, purpose="sales")},
        **words,
    }


def rich_pack(**more: Any) -> Pack:
    """All six mechanisms over several sources, with gates, evidence and every kind of feature."""
    features = {
        "aum": {"kind": "balances"},
        "flow": {
            "kind": "window",
            "days": 7,
            "inputs": [*CREDIT, {**DEBIT[0], "sign": -1}],
        },
        "sizes": {"kind": "histogram", "inputs": CREDIT, "quantile": 0.5},
        "fading": {"kind": "decayed", "days": 3, "inputs": [*CREDIT, {**DEBIT[0], "sign": -1}]},
        "spread": {"kind": "moments", "inputs": [*CREDIT, *DEBIT]},
    }
    seen = ["aum", "flow", "sizes", "fading", "spread"]
    rules = {
        "tier": tier(
            hysteresis="0.02",
            dwell_days=1,
            approaching={"within": "0.2", "days": 2},
            at_risk={"within": "0.2", "days": 1},
            velocity="flow",
            told={"purpose": "sales", "cooldown": "3d", "expires": "2d", "evidence": seen},
        ),
        "tier_now": {
            **tier(evaluate="event", first="zero"),
            "emits": {"upgraded": emit("tier.upgraded", TIER, evidence=seen)},
        },
        "dormancy": dormancy(told={"evidence": seen, "cooldown": "2d"}),
        "unfunded": unfunded(),
        "journey": journey(),
        "payroll": {
            "mechanism": "rhythm",
            "inputs": SALARY,
            "label": "counterparty.name_hash",
            "grace_days": 2,
            "emits": {
                "started": emit("payroll.started", {"employer_ref": "label"}, evidence=seen),
                "missed": emit("payroll.missed", evidence=seen),
            },
        },
        "leaking": {
            "mechanism": "sequence",
            "first": SALARY,
            "then": DEBIT,
            "within": "24h",
            "share": 0.5,
            "amount": "amount",
            "emits": {"completed": emit("payroll.leaking", {"outflow": "followed", "outflow_share": "share"}, evidence=seen)},
        },
        "inflow": {
            "mechanism": "significance",
            "inputs": CREDIT,
            "history": "sizes",
            "floor": "100",
            "times": 2,
            "least_history": 3,
            "emits": {"extreme": emit("funds.significant_inflow", evidence=seen, purpose="sales")},
        },
        "points": {
            "mechanism": "count",
            "inputs": DEBIT,
            "period": "month",
            "targets": [{"moment": "almost", "number": 3}, {"moment": "earned", "number": 4}],
            "emits": {"almost": emit("points.almost_double"), "earned": emit("points.double_earned")},
        },
    }
    return pack(rules, features, lateness="30m", **more)


# --- mechanisms alone


class Told(Read):
    """Features that a test dictates: amounts by date (the last date at or before counts) and one standing."""

    def __init__(self, amounts: dict[int, int] | None = None, standing: Standing | None = None) -> None:
        self.amounts, self.stands = amounts or {}, standing or Standing(0, 0, 0)

    def amount(self, feature: str, day: int) -> int:
        known = [each for each in self.amounts if each <= day]
        return self.amounts[max(known)] if known else 0

    def standing(self, feature: str, amount: int) -> Standing:
        return self.stands


def fact(at: int, role: int = Role.A, amount: int = 0, key: str = "", label: str = "", day: int | None = None) -> Fact:
    """A fact whose date is that of its instant unless said otherwise; its origin is its instant."""
    return Fact(role, at, SHANGHAI.day(at) if day is None else day, amount, key, label, f"log:{at}")


def driven(
    mechanism: Any, facts: Iterable[Fact], read: Read, until: int, fold: Callable[[Fact], None] = lambda each: None
) -> list[Signal]:
    """All signals of one customer: deadlines and facts in the order of event time, a deadline before a fact at it."""
    state, signals = mechanism.state(), list[Signal]()
    for each in sorted(facts, key=lambda fact: fact.at):
        while mechanism.due(state) <= each.at:
            signals += mechanism.fire(state, read)
        fold(each)
        signals += mechanism.tell(state, each, read)
    while mechanism.due(state) <= until:
        signals += mechanism.fire(state, read)
    return signals


# --- runs


class Said(NamedTuple):
    """What came out, as sorted bytes that two runs can be compared by."""

    triggers: list[tuple[bytes, ...]]
    dead: list[tuple[bytes, ...]]
    counts: Counter[tuple[str, ...]]

    @property
    def types(self) -> Counter[str]:
        """How many triggers of each type; suppressed ones by their own type."""
        headers = [each[1].split(b"\x1e") for each in self.triggers]
        return Counter(parts[parts.index(b"ce_type") + 1].decode().removesuffix(".v1") for parts in headers)


def said(outputs: Sequence[Output], counts: Counter[tuple[str, ...]] | None = None) -> Said:
    """Outputs in an order of their own. Dead letters are compared by value and reason: their coordinates are the run's."""
    sound(outputs)
    spoken = [(out.topic.encode(), _joined(out), out.key or b"", out.value or b"") for out in outputs if out.topic != "dlq"]
    dead = [(out.value or b"", dict(out.headers)["__kairos.errors.code"]) for out in outputs if out.topic == "dlq"]
    return Said(sorted(spoken), sorted(dead), counts if counts is not None else Counter())


def sound(outputs: Iterable[Output]) -> None:
    """Whatever went out is as strictly read as its type says, and the first of each type are what the published schemas say.

    Raises msgspec.ValidationError, jsonschema.ValidationError.
    """
    for output in outputs:
        if output.topic != "dlq":
            kind = reports.kind_of(output.headers)
            assert all(map(holds, read(kind, output.value or b"").evidence.conditions)), output.value
            if HELD[kind] < MOST_HELD:
                HELD[kind] += 1
                line = orjson.loads(reports.canonical(output))
                schema(f"triggers/{kind}.v1.json").validate(line["data"])
                schema("envelope.v1.json").validate(line)


def holds(shown: Shown) -> bool:
    """Whether a condition that is shown is true of its own figures."""
    actual, threshold, distance = (
        Decimal(figure.amount if isinstance(figure, Money) else str(figure))
        for figure in (shown.actual, shown.threshold, shown.distance)
    )
    sign = next(word for word in shown.text.split() if word in SIGNS)
    return actual - threshold == distance and SIGNS[sign](distance, 0)


@cache
def schema(path: str) -> Draft202012Validator:
    """A schema as it is published."""
    return Draft202012Validator(orjson.loads((SCHEMAS / path).read_bytes()), format_checker=FormatChecker())


def _joined(output: Output) -> bytes:
    return b"\x1e".join(part for name, value in output.headers for part in (name.encode(), value))


LOG = "log"


def replayed(engine: Engine, lines: Iterable[bytes], partitions: int = 1, chunk: int = 4000, until: int | None = None) -> Said:
    """A source log through the replay driver."""
    sink = Collected()
    driver = Replay(engine, sink, partitions, chunk)
    counts = driver.run(recorded(Numbered(LOG, place, line) for place, line in enumerate(lines, 1)), until=until)
    return said(sink.outputs, counts)


def journaled(
    event_line: bytes, offset: int, seen: int, order: Order, topic: str = LOG, partition: int = 0, key: bytes | None = None
) -> Record:
    """A journal record as ingest writes it; the offset in the source is given, that in the journal is set by `run`."""
    text = f"{topic}|{partition}|0|{offset}|{seen}|{order}"
    return Record(0, key, event_line, [(SOURCE, text.encode())])


def ticked(clock: dict[str, int], idle: Iterable[str] = ()) -> Record:
    """A tick as a journal record; sources that it does not name have nothing and never had: idle."""
    others = set(SOURCES) - set(clock)
    return Record(0, None, b"", [tick_header(Tick(clock, frozenset({*idle, *others})))])


def journal(records: Iterable[Record]) -> list[Record]:
    """The records with the offsets of one journal partition."""
    return [record._replace(offset=offset) for offset, record in enumerate(records)]


def run(engine: Engine, records: Sequence[Record], chunk: int = 10**9, restart_every: int = 0) -> Said:
    """Journal records through one partition; restarts it from its state topic after every so many decisions."""
    outputs, counts, _ = worked_off(engine, records, chunk, restart_every)
    return said(outputs, counts)


def worked_off(
    engine: Engine, records: Sequence[Record], chunk: int = 10**9, restart_every: int = 0
) -> tuple[list[Output], Counter[tuple[str, ...]], dict[bytes, bytes | None]]:
    """The same, with the state topic as it then is."""
    partition, state = Partition(engine, 0), dict[bytes, bytes | None]()
    outputs: list[Output] = []
    counts: Counter[tuple[str, ...]] = Counter()
    done, number = 0, 0
    while done < len(records):
        decision = partition.decide(records[done : done + chunk])
        partition.accept(decision)
        outputs += decision.outputs
        counts.update(decision.counts)
        for key, value in decision.rows:
            state.pop(key, None)
            state[key] = value
        done, number = done + decision.consumed, number + 1
        if restart_every and number % restart_every == 0:
            partition = restored(engine, state)
            assert partition.next_offset == done
    return outputs, counts, state


def restored(engine: Engine, state: dict[bytes, bytes | None]) -> Partition:
    """A partition as a new owner reads it from the compacted state topic."""
    partition = Partition(engine, 0)
    for key, value in state.items():
        partition.restore(key, value)
    return partition


def sources(events: Iterable[Happening]) -> dict[str, list[Happening]]:
    """The log split over the source topics, each in its recorded order."""
    split: dict[str, list[Happening]] = {}
    for event in events:
        split.setdefault(event.topic, []).append(event)
    return split


def where(topic: str, offset: int, seen: int, order: Order = Order.WALL) -> Coordinates:
    """Coordinates on partition 0."""
    return Coordinates(topic, 0, 0, offset, seen, order)
