"""Whoever runs job J. `ALL` names them in the order of the table, `RESTORING` those that are killed and started again."""

from tests.bench.jobj.contenders.bytewax import Bytewax
from tests.bench.jobj.contenders.contender import Contender, Run
from tests.bench.jobj.contenders.faust import Faust
from tests.bench.jobj.contenders.kairos import Ingesting, Kairos, Pair, Part, Sources
from tests.bench.jobj.contenders.quix import Quix
from tests.bench.jobj.contenders.streams import Streams

ALL: tuple[Contender, ...] = (
    Kairos("kairos", "Kairos, exactly once"),
    Sources("kairos-sources", "Kairos, exactly once, from the sources"),
    Pair("kairos-2", "Kairos, exactly once, two workers"),
    Ingesting("kairos-ingest", "Kairos with ingest, exactly once"),
    Streams("streams-eos", "Kafka Streams, exactly_once_v2, RocksDB", committed=True),
    Streams("streams-eos-mem", "Kafka Streams, exactly_once_v2, in memory", committed=True, memory=True),
    Streams("streams-eos-2", "Kafka Streams, exactly_once_v2, RocksDB, two threads", committed=True, threads=2),
    Streams("streams", "Kafka Streams, at least once, RocksDB"),
    Streams("streams-mem", "Kafka Streams, at least once, in memory", memory=True),
    Streams("streams-re", "Kafka Streams with a repartition, exactly_once_v2, RocksDB", committed=True, keyed=False),
    Bytewax("bytewax", "Bytewax with its recovery store"),
    Quix("quix", "Quix Streams, at least once"),
    Quix("quix-eos", "Quix Streams, exactly once", committed=True),
    Faust("faust", "Faust as documented"),
    Part("kairos-part", "Kairos, exactly once, over Faust's part of the log"),
)
RESTORING: tuple[Contender, ...] = (
    Kairos("kairos", "Kairos, static membership"),
    Kairos("kairos-dynamic", "Kairos, dynamic membership", instance=None),
    Streams("streams-eos", "Kafka Streams, exactly_once_v2, RocksDB, dynamic membership", committed=True),
    Streams("streams-eos-static", "Kafka Streams, exactly_once_v2, RocksDB, static membership", committed=True, instance="a"),
)

__all__ = ["ALL", "RESTORING", "Contender", "Run"]
