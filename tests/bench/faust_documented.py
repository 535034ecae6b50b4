"""The default pack the way Faust's documentation teaches it: a Table of JSON values, one event at a time, default settings.

Decoding, features, mechanisms, gates and trigger ids are ours, called for one event; transport, state and sink are stock.
With INPUT ``any`` the source has any key, as Kairos takes it, and `group_by` brings each customer's events together; with
``keyed`` somebody else has done that. With the store ``memory://`` the table holds our row bytes instead of JSON.
Run as ``python -m tests.bench.faust_documented BROKERS IN OUT PARTITIONS GROUP STORE INPUT worker -l warn``.
"""

from __future__ import annotations

import sys
from typing import Any

import faust
import msgspec

from stream.domain.events import Coordinates, Event, Order
from stream.domain.facts import Fact
from stream.engine.clock import Clock
from stream.engine.customer import Customer
from stream.engine.engine import Engine
from stream.engine.row import Row, facts_of, facts_raw
from stream.engine.timeline import advance, take
from stream.packs import loader
from stream.wire.decode import subject_of
from stream.wire.instants import Instants
from stream.wire.lines import stamps

BROKERS, IN, OUT, PARTITIONS, GROUP, STORE, INPUT = sys.argv[1:8]

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


class Whole(Customer):
    """A customer out of a table of JSON: all states are objects, none is kept in bytes."""

    def __init__(self, subject: str, value: Any) -> None:
        row = Row() if value is None else msgspec.convert(value["row"], Row, str_keys=True)
        if value is not None:
            deferred = msgspec.convert(value["deferred"], dict[str, list[Fact]])
            row.deferred = {rule: facts_raw(facts) for rule, facts in deferred.items()}
        super().__init__(engine.plan, engine.codec, subject, row)
        for slot, state in {} if value is None else value["slots"].items():
            self._states[slot] = msgspec.convert(state, engine.plan.slots[slot], str_keys=True)

    def stored(self) -> Any:
        """What JSON can hold."""
        self.settle()
        known = {slot: state for slot, state in self._states.items() if state is not None}
        slots = {slot: msgspec.to_builtins(state, str_keys=True) for slot, state in known.items()}
        row = msgspec.to_builtins(msgspec.structs.replace(self.row, deferred={}), str_keys=True)
        deferred = {rule: msgspec.to_builtins(facts_of(waiting)) for rule, waiting in self.row.deferred.items()}
        return {"row": row, "slots": slots, "deferred": deferred}


class Packed(Customer):
    """A customer out of a table of our row bytes."""

    def __init__(self, subject: str, value: Any) -> None:
        row = Row() if value is None else engine.codec.decode(value)
        super().__init__(engine.plan, engine.codec, subject, row)

    def stored(self) -> Any:
        """The row's bytes."""
        return self.encoded()


@app.agent(source)
async def decide(stream: faust.StreamT) -> None:
    """One event: decode, row from the table, engine, row into the table, triggers out."""
    form = Whole if JSON else Packed
    if INPUT == "any":
        stream = stream.group_by(lambda value: subject_of((), value), name="subject")
    async for event in stream.events():
        recorded = parse(stamps(event.value).recordedtime or "")
        where = Coordinates("log.jsonl", 0, 0, event.message.offset, recorded, Order.SEQUENCED)
        item = engine.decoder.from_json(event.value, where)
        if not isinstance(item, Event) or item.type not in engine.plan.handled:
            continue
        customer, work, clock = form(item.subject, rows.get(event.key)), engine.work(), Clock()
        clock.floor = recorded - 1
        if customer.next_due() < recorded:
            advance(work, customer, clock, Order.SEQUENCED)
        take(work, customer, item)
        rows[event.key] = customer.stored()
        for output in work.outputs:
            await triggers.send(key=output.key, value=output.value, headers=dict(output.headers))


if __name__ == "__main__":
    sys.argv = [sys.argv[0], *sys.argv[8:]]
    app.main()
