"""Job J as Faust's documentation teaches it: an agent over a topic, a Table, one event at a time, default settings.

Environment: BROKERS, GROUP, IN, OUT, PARTITIONS, WHERE.
"""

import os

import faust

from tests.bench.jobj import logic

app = faust.App(
    os.environ["GROUP"],
    broker="kafka://" + os.environ["BROKERS"],
    store="rocksdb://",
    datadir=os.environ["WHERE"],
    topic_partitions=int(os.environ["PARTITIONS"]),
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
postings = app.topic(os.environ["IN"], key_type=str, value_serializer="json")
triggers = app.topic(os.environ["OUT"], key_type=str, key_serializer="raw", value_serializer="json")
customers = app.Table("customers")


@app.agent(postings)
async def decide(events):
    """One event: the customer's state out of the table, on, and back."""
    async for event in events:
        subject = event["subject"]
        state = customers.get(subject) or logic.fresh()
        told = logic.apply(state, event)
        customers[subject] = state
        for trigger in told:
            await triggers.send(key=subject, value=trigger)


if __name__ == "__main__":
    app.main()
