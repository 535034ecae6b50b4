"""The default pack the way Faust's documentation teaches it: a Table of JSON values, one event at a time, default settings.

Decoding, features, mechanisms, gates and trigger ids are ours, called for one event; transport, state and sink are stock.
With the store ``memory://`` the table holds our row bytes instead: the kindest form that is still stock.
Run as ``python -m tests.bench.faust_documented BROKERS IN OUT PARTITIONS GROUP STORE worker -l warn``.
"""

from __future__ import annotations

import sys
from typing import Any

import faust
import msgspec

from stream.domain.days import NEVER
from stream.domain.events import Coordinates, Event, Order
from stream.engine.clock import Clock
from stream.engine.customer import Customer
from stream.engine.engine import Engine
from stream.engine.row import due_of
from stream.engine.timeline import advance, take
from stream.packs import loader
from stream.wire.instants import Instants
from stream.wire.lines import stamps

BROKERS, IN, OUT, PARTITIONS, GROUP, STORE = sys.argv[1:7]

app = faust.App(
    GROUP,
    broker=f"kafka://{BROKERS}",
    store=STORE,
    topic_partitions=int(PARTITIONS),
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    key_serializer="raw",
    value_serializer="json" if STORE != "memory://" else "raw",
    web_enabled=False,
    datadir=f".kafka/{GROUP}",
)
source = app.topic(IN, key_type=bytes, value_type=bytes, value_serializer="raw")
triggers = app.topic(OUT, key_type=bytes, value_type=bytes, value_serializer="raw")
JSON = STORE != "memory://"
rows = app.Table("customers", key_type=bytes, **({"value_type": None} if JSON else {"value_type": bytes}))
engine = Engine(loader.load("retail_bank"))
parse = Instants().parse


def loaded(value: Any) -> tuple[Any, int]:
    """A row out of the table, and its next deadline."""
    if value is None:
        return engine.codec.new(), NEVER
    if JSON:
        return msgspec.convert(value["row"], engine.plan.row, str_keys=True), value["due"]
    return engine.codec.decode(value), due_of(value)


def stored(row: Any, due: int) -> Any:
    """A row as the table holds it."""
    if JSON:
        return {"due": due, "row": msgspec.to_builtins(row, str_keys=True)}
    return engine.codec.encode(row, due)


@app.agent(source)
async def decide(stream: faust.StreamT) -> None:
    """One event: decode, row from the table, engine, row into the table, triggers out."""
    async for event in stream.events():
        recorded = parse(stamps(event.value).recordedtime or "")
        where = Coordinates("log.jsonl", 0, 0, event.message.offset, recorded, Order.SEQUENCED)
        item = engine.decoder.from_json(event.value, where)
        if not isinstance(item, Event) or item.type not in engine.plan.handled:
            continue
        row, due = loaded(rows.get(event.key))
        customer, work, clock = Customer(engine.plan, item.subject, row, due), engine.work(), Clock()
        clock.floor = recorded - 1
        if due < recorded:
            advance(work, customer, clock, Order.SEQUENCED)
        take(work, customer, item)
        rows[event.key] = stored(row, customer.next_due())
        for output in work.outputs:
            await triggers.send(key=output.key, value=output.value, headers=dict(output.headers))


if __name__ == "__main__":
    sys.argv = [sys.argv[0], *sys.argv[7:]]
    app.main()
