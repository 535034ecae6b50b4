"""The wall clock for laws: events and ticks in the order of the journal, and what they bring about.

Tiny packs, list literals; an event's offset is its place in its source topic, `seen` is the broker's stamp.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from stream.domain.days import DAY
from stream.domain.events import Order, Record
from stream.engine.engine import Engine
from stream.wire.registry import SOURCES
from tests.builders import (
    SHANGHAI,
    Happening,
    Said,
    dormancy,
    instant,
    journal,
    journaled,
    journey,
    pack,
    run,
    ticked,
    unfunded,
)

AUM = {"aum": {"kind": "balances"}}
ENGINE = Engine(pack({"unfunded": unfunded(), "journey": journey(), "dormancy": dormancy()}, AUM))
CARD = Engine(pack({"unfunded": unfunded()}, AUM))
FUNNEL = Engine(pack({"journey": journey()}))
LATE_CARD = Engine(pack({"unfunded": unfunded()}, AUM, lateness="30m"))
LATE_FUNNEL = Engine(pack({"journey": journey()}, lateness="30m"))
"""The same with half an hour of lateness."""
DUE = SHANGHAI.close(SHANGHAI.day(instant(0)) + 3)
"""When the card of day 0 has been without money for three dates."""
AGAIN = DUE + 3 * DAY
"""When it has been for six."""


def tick(at: int, **other: int) -> Record:
    """All sources have come to this instant, but for those named with underscores."""
    return ticked({**dict.fromkeys(SOURCES, at), **{name.replace("_", "."): late for name, late in other.items()}})


def written(items: Iterable[Happening | Record]) -> list[Record]:
    """Events and ticks in the order of the journal; each event at the next offset of its own topic."""
    offsets: dict[str, int] = {}
    records: list[Record] = []
    for item in items:
        if isinstance(item, Record):
            records.append(item)
            continue
        offset = offsets[item.topic] = offsets.get(item.topic, -1) + 1
        own = f"{item.topic}-{offset}"
        line = replace(item, id=own).line(stamped=False)
        records.append(journaled(line, offset, item.seen, Order.WALL, item.topic))
    return journal(records)


def told(engine: Engine, *items: Happening | Record, chunk: int = 10**9, restart_every: int = 0) -> Said:
    """What the journal brings about."""
    return run(engine, written(items), chunk, restart_every)


def data(out: Said) -> list[dict[str, Any]]:
    """The data of all that came out, by event time."""
    return sorted((orjson.loads(each[3]) for each in out.triggers), key=lambda each: str(each["context"]["event_time"]))


def times(out: Said) -> list[str]:
    """The event times of all that came out."""
    return [each["context"]["event_time"] for each in data(out)]


def of_type(out: Said, kind: str) -> list[dict[str, Any]]:
    """The data of one type, in the order of the bytes."""
    bodies = [(each[1].split(b"\x1e"), orjson.loads(each[3])) for each in out.triggers]
    return [body for parts, body in bodies if parts[parts.index(b"ce_type") + 1] == f"{kind}.v1".encode()]
