"""The topics: which there are, how they are kept, and whether the cluster has them so.

Rule: the plan is data made from settings; creating never changes a topic that exists, checking never changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stream.domain.days import DAY, HOUR, MINUTE
from stream.domain.errors import ConfigError
from stream.shell.kafka.clients import MESSAGE_BYTES, OVERHEAD, kafka_python, row_bytes
from stream.shell.settings import Settings
from stream.wire.outputs import FAMILIES, topic_of
from stream.wire.registry import SOURCES

JOURNAL, STATE, DEAD, SUPPRESSED = "journal", "state", "dlq", "out.suppressed"
TRIGGERS = tuple(map(topic_of, FAMILIES))
OUTPUTS = (*TRIGGERS, SUPPRESSED)
SOURCE_BYTES = 1024 * 1024
"""Largest record batch of a source topic."""
SAFE = 2
"""Copies in sync with which a broker may be lost and nothing with it: who asks for fewer than we would, but these, is right."""
UNCLEANED = 10 * MINUTE
"""The cleaner leaves so much of the state's recent past alone: how far back a snapshot is exact."""
ANSWER_MS, CONNECT_MS = 30_000, 10_000
"""Longest wait for an answer, and for the first broker to answer at all."""


class Topic(NamedTuple):
    """One topic as it should be.

    Attributes:
        name: Logical, without the deployment's prefix.
        partitions: How many.
        fixed: Whether another count is a fault: source topics may have any.
        configs: Kafka's topic settings, as text.
    """

    name: str
    partitions: int
    fixed: bool
    configs: dict[str, str]


def plan(settings: Settings) -> tuple[Topic, ...]:
    """Every topic of a deployment.

    Sources, journal and state are stamped by the broker (LogAppendTime): a tick proves what was *appended* before T,
    and retention counts from arrival, so that an old log is not deleted for its old stamps.
    """
    arrival = {"message.timestamp.type": "LogAppendTime"}
    safe = {"min.insync.replicas": str(in_sync(settings))}
    large = {**safe, "max.message.bytes": str(MESSAGE_BYTES)}
    kept = {**deleted_after(settings.journal_retention_days), **large}
    source = {**deleted_after(settings.source_retention_days), **arrival, **safe, "max.message.bytes": str(SOURCE_BYTES)}
    output = {**deleted_after(settings.output_retention_days), **large}
    rows = {**safe, "max.message.bytes": str(max(MESSAGE_BYTES, row_bytes(settings)))}
    count = settings.journal_partitions
    return (
        *(Topic(name, settings.source_partitions, False, source) for name in SOURCES),
        Topic(JOURNAL, count, True, {**kept, **arrival}),
        Topic(STATE, count, True, {**compacted(), **rows, **arrival}),
        Topic(DEAD, count, True, kept),
        *(Topic(name, count, True, output) for name in OUTPUTS),
    )


def deleted_after(days: int) -> dict[str, str]:
    """Records go after some days."""
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY)}


def compacted() -> dict[str, str]:
    """The newest row of each key stays for ever; what is older or erased is gone from disk a day or two later.

    Small segments and an early cleaner keep a restore short: it reads what the cleaner has left.
    """
    return {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.3",
        "min.compaction.lag.ms": str(UNCLEANED),
        "max.compaction.lag.ms": str(DAY),
        "delete.retention.ms": str(DAY),
        "segment.ms": str(6 * HOUR),
        "segment.bytes": str(64 * 1024 * 1024),
    }


def in_sync(settings: Settings) -> int:
    """Copies that must have a record before it counts: one may be missing where there are three or more."""
    return max(1, settings.replication_factor - 1)


@contextmanager
def admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An admin client. Raises ConfigError when no broker answers or refuses the login."""
    try:
        client = KafkaAdminClient(**kafka_python(settings), request_timeout_ms=ANSWER_MS, bootstrap_timeout_ms=CONNECT_MS)
    except KafkaError as error:
        raise ConfigError(f"no broker answers at {settings.brokers}: {type(error).__name__} {error}") from error
    try:
        yield client
    finally:
        client.close()


class Created(NamedTuple):
    """What `create` did, by names on the cluster."""

    made: tuple[str, ...]
    there: tuple[str, ...]


def create(settings: Settings, partitions: Mapping[str, int] | None = None) -> Created:
    """Make the topics that are missing; leave the others as they are (`check` says how they differ).

    Args:
        settings: The deployment.
        partitions: Counts of single source topics, by logical name, instead of `source_partitions`.
    """
    counts = partitions or {}
    wanted = {settings.topic(topic.name): topic for topic in plan(settings)}
    with admin(settings) as client:
        there = set(client.list_topics())
        missing = {
            name: {
                "num_partitions": counts.get(topic.name, topic.partitions),
                "replication_factor": settings.replication_factor,
                "configs": topic.configs,
            }
            for name, topic in wanted.items()
            if name not in there
        }
        if missing:
            _make(client, missing)
    return Created(tuple(missing), tuple(name for name in wanted if name in there))


def _make(client: KafkaAdminClient, missing: dict[str, dict[str, Any]]) -> None:
    try:
        client.create_topics(missing, timeout_ms=ANSWER_MS)
    except TopicAlreadyExistsError:
        pass  # another process made some of them just now; the others are made all the same
    except KafkaError as error:
        raise ConfigError(f"topics could not be created: {type(error).__name__} {error}") from error
    client.wait_for_topics(list(missing), timeout_ms=ANSWER_MS)


class Found(NamedTuple):
    """One topic as it is."""

    partitions: int
    copies: int
    configs: dict[str, str]


def found(client: KafkaAdminClient, names: list[str]) -> dict[str, Found]:
    """Those of the topics that exist."""
    there = sorted(set(names) & set(client.list_topics()))
    if not there:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
    configs = next(iter(client.describe_configs(resources, config_filter="all").values()))
    return {
        topic["name"]: Found(
            len(topic["partitions"]),
            min(len(partition["replica_nodes"]) for partition in topic["partitions"]),
            {key: str(config["value"]) for key, config in configs[topic["name"]].items()},
        )
        for topic in client.describe_topics(there)
    }


def check(settings: Settings) -> list[str]:
    """Every difference between plan and cluster that would lose or distort something; empty when there is none.

    A longer retention, larger records and other tuning are nobody's fault. Partition counts of sources are free.
    """
    wanted = plan(settings)
    with admin(settings) as client:
        actual = found(client, [settings.topic(topic.name) for topic in wanted])
    faults: list[str] = []
    for topic in wanted:
        name = settings.topic(topic.name)
        if name not in actual:
            faults.append(f"{name}: missing; `kairos topics create` makes it")
        else:
            faults += [f"{name}: {fault}" for fault in differences(topic, actual[name], settings.replication_factor)]
    return [*faults, *too_large(settings, actual), *rows_too_large(settings, actual)]


def differences(topic: Topic, actual: Found, copies: int) -> Iterator[str]:
    """What is wrong with one topic."""
    if topic.fixed and actual.partitions != topic.partitions:
        yield f"expected {topic.partitions} partitions (journal_partitions), found {actual.partitions}"
    if actual.copies < copies:
        yield f"expected {copies} copies (replication_factor), found {actual.copies}"
    for key in ("cleanup.policy", "message.timestamp.type"):
        wanted = topic.configs.get(key)
        if wanted is not None and actual.configs[key] != wanted:
            yield f"expected {key} {wanted}, found {actual.configs[key]}"
    for key in ("retention.ms", "max.message.bytes", "min.compaction.lag.ms", "min.insync.replicas"):
        least = SAFE if key == "min.insync.replicas" and copies > SAFE else topic.configs.get(key)
        # a source may hold smaller records, the state needs room for its rows only; -1 keeps for ever
        if least is None or (key == "max.message.bytes" and topic.name not in (JOURNAL, DEAD, *OUTPUTS)):
            continue
        if 0 <= int(actual.configs.get(key, -1)) < int(least):
            yield f"expected {key} of at least {least}, found {actual.configs[key]}"


def too_large(settings: Settings, actual: Mapping[str, Found]) -> list[str]:
    """Sources whose largest record would not fit the journal, or the dead letters, with its added headers."""
    faults = []
    for target in (JOURNAL, DEAD):
        name = settings.topic(target)
        room = int(actual[name].configs["max.message.bytes"]) if name in actual else MESSAGE_BYTES
        for source in SOURCES:
            given = actual.get(settings.topic(source))
            size = int(given.configs["max.message.bytes"]) if given else 0
            if size + OVERHEAD > room:
                faults.append(
                    f"{name}: max.message.bytes {room} has no room for a record of {settings.topic(source)} "
                    f"({size}) and {OVERHEAD} bytes of headers"
                )
    return faults


def rows_too_large(settings: Settings, actual: Mapping[str, Found]) -> Iterator[str]:
    """Whether the broker would refuse a row that a worker still writes."""
    name, needed = settings.topic(STATE), row_bytes(settings)
    room = int(actual[name].configs["max.message.bytes"]) if name in actual else needed
    if room < needed:
        yield (
            f"{name}: max.message.bytes {room} has no room for a row of {settings.max_row_bytes} (max_row_bytes) "
            f"and {OVERHEAD} bytes around it"
        )
