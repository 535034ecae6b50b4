"""The default pack the way Faust's documentation teaches it: a Table, one event at a time, default settings.

Decoding, features, mechanisms, gates and trigger ids are ours, called for one event; transport, state and sink are stock.
Run as ``python -m tests.bench.faust_documented BROKERS IN OUT PARTITIONS GROUP STORE worker -l warn``.
"""

from __future__ import annotations

import sys

import faust

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
    value_serializer="raw",
    web_enabled=False,
    datadir=f".kafka/{GROUP}",
)
source = app.topic(IN, key_type=bytes, value_type=bytes)
triggers = app.topic(OUT, key_type=bytes, value_type=bytes)
rows = app.Table("customers", key_type=bytes, value_type=bytes)
engine = Engine(loader.load("retail_bank"))
parse = Instants().parse


@app.agent(source)
async def decide(stream: faust.StreamT) -> None:
    """One event: decode, row from the table, engine, row into the table, triggers out."""
    async for event in stream.events():
        recorded = parse(stamps(event.value).recordedtime or "")
        where = Coordinates("log.jsonl", 0, 0, event.message.offset, recorded, Order.SEQUENCED)
        item = engine.decoder.from_json(event.value, where)
        if not isinstance(item, Event) or item.type not in engine.plan.handled:
            continue
        raw = rows.get(event.key)
        row, due = (engine.codec.new(), NEVER) if raw is None else (engine.codec.decode(raw), due_of(raw))
        customer, work, clock = Customer(engine.plan, item.subject, row, due), engine.work(), Clock()
        clock.floor = recorded - 1
        if due < recorded:
            advance(work, customer, clock, Order.SEQUENCED)
        take(work, customer, item)
        rows[event.key] = engine.codec.encode(row, customer.next_due())
        for output in work.outputs:
            await triggers.send(key=output.key, value=output.value, headers=dict(output.headers))


if __name__ == "__main__":
    sys.argv = [sys.argv[0], *sys.argv[7:]]
    app.main()
