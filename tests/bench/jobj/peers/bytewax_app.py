"""Job J on Bytewax: a stateful step over a Kafka source, snapshots into the recovery store that the command names.

Environment: BROKERS, IN, OUT, FOLLOW.
"""

import os

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow

from tests.bench.jobj import logic

BROKERS = [os.environ["BROKERS"]]


def keyed(message):
    """By customer."""
    return message.key.decode(), message.value


def decide(state, value):
    """One event: the customer's state, on; its triggers."""
    customer = state or logic.fresh()
    return customer, logic.apply(customer, orjson.loads(value))


def encoded(told):
    """A trigger as a record."""
    subject, trigger = told
    return KafkaSinkMessage(subject.encode(), orjson.dumps(trigger))


flow = Dataflow("jobj")
source = KafkaSource(BROKERS, [os.environ["IN"]], tail=os.environ["FOLLOW"] == "1", batch_size=1000)
postings = op.map("key", op.input("postings", flow, source), keyed)
triggers = op.map("encode", op.stateful_flat_map("customers", postings, decide), encoded)
op.output("triggers", triggers, KafkaSink(BROKERS, os.environ["OUT"], {"compression.type": "lz4"}))
