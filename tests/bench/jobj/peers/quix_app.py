"""Job J on Quix Streams: a stateful function over a keyed topic, a RocksDB store with its changelog.

Environment: BROKERS, GROUP, IN, OUT, WHERE, GUARANTEE.
"""

import os

from quixstreams import Application

from tests.bench.jobj import logic

app = Application(
    broker_address=os.environ["BROKERS"],
    consumer_group=os.environ["GROUP"],
    auto_offset_reset="earliest",
    processing_guarantee=os.environ["GUARANTEE"],
    state_dir=os.environ["WHERE"],
    producer_extra_config={"compression.type": "lz4"},
    loglevel="WARNING",
)


def decide(event, state):
    """One event: the customer's state out of the store, on, and back; its triggers."""
    customer = state.get("customer") or logic.fresh()
    told = logic.apply(customer, event)
    state.set("customer", customer)
    return told


postings = app.topic(os.environ["IN"], key_deserializer="str", value_deserializer="json")
triggers = app.topic(os.environ["OUT"], key_serializer="str", value_serializer="json")
app.dataframe(postings).apply(decide, stateful=True, expand=True).to_topic(triggers)

if __name__ == "__main__":
    app.run()
