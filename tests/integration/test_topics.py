"""Topics on a real broker: made once, checked for every difference; and the secured listener, by every client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka.admin import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from stream.domain.errors import ConfigError
from stream.shell.kafka import clients, topics
from stream.shell.settings import Mechanism, Protocol, Settings

Configured = Callable[..., Settings]


def altered(settings: Settings, topic: str, **configs: str) -> None:
    """Change a topic behind Kairos' back; underscores stand for dots. Returns when the broker tells it so."""
    given = {name.replace("_", "."): value for name, value in configs.items()}
    name = settings.topic(topic)
    until = time.monotonic() + 20
    with topics.admin(settings) as client:
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=given)])
        while not given.items() <= topics.found(client, [name])[name].configs.items():
            assert time.monotonic() < until
            time.sleep(0.05)


def test_created_topics_are_as_planned(configured: Configured) -> None:
    """What create makes, check finds in order."""
    settings = configured()

    created = topics.create(settings)

    assert len(created.made) == len(topics.plan(settings)) == 19
    assert created.there == ()
    assert topics.check(settings) == []


def test_creating_again_changes_nothing(configured: Configured) -> None:
    """Idempotent; topics of other settings are reported as there, not altered."""
    topics.create(configured())

    again = topics.create(configured(journal_partitions=5))

    assert again.made == ()
    assert len(again.there) == 19


def test_source_topics_may_have_any_partition_count(configured: Configured) -> None:
    """Only journal, state, dlq and outputs must agree."""
    settings = configured()
    topics.create(settings, {"in.txn": 3, "in.app": 5})

    with topics.admin(settings) as client:
        actual = topics.found(client, [settings.topic(name) for name in ("in.txn", "in.app", "in.party")])

    assert sorted(one.partitions for one in actual.values()) == [2, 3, 5]
    assert topics.check(settings) == []


def test_check_tells_every_missing_topic(configured: Configured) -> None:
    """All at once, with the way out."""
    faults = topics.check(configured())

    assert len(faults) == 19
    assert all("missing; `kairos topics create`" in fault for fault in faults)


def test_check_tells_every_difference_at_once(configured: Configured, prefix: str) -> None:
    """Partition counts, copies, policies, retention, sizes and time stamps."""
    topics.create(configured())
    settings = configured(journal_partitions=4, journal_retention_days=60, replication_factor=3)
    altered(settings, "state", cleanup_policy="delete")
    altered(settings, "journal", max_message_bytes="1048576", message_timestamp_type="CreateTime")
    altered(settings, "in.app", max_message_bytes="3000000")
    altered(settings, "out.trigger.tier", max_message_bytes="1048576")

    faults = [fault.removeprefix(prefix) for fault in topics.check(settings)]

    assert "state: expected cleanup.policy compact, found delete" in faults
    assert "journal: expected message.timestamp.type LogAppendTime, found CreateTime" in faults
    assert "journal: expected retention.ms of at least 5184000000, found 2592000000" in faults
    for topic in ("journal", "out.trigger.tier"):
        assert f"{topic}: expected max.message.bytes of at least 2097152, found 1048576" in faults
    assert "out.suppressed: expected min.insync.replicas of at least 2, found 1" in faults
    assert "state: expected 3 copies (replication_factor), found 1" in faults
    assert sum("expected 4 partitions (journal_partitions), found 2" in fault for fault in faults) == 11
    assert [fault for fault in faults if fault.startswith("dlq: max.message.bytes") and "in.app" in fault]


def test_harmless_differences_are_no_faults(configured: Configured) -> None:
    """Kept for ever and larger records hurt nobody."""
    settings = configured()
    topics.create(settings)
    altered(settings, "journal", retention_ms="-1", max_message_bytes="9000000")

    assert topics.check(settings) == []


def test_no_broker_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address is the operator's fault, not a stack trace."""
    monkeypatch.setattr(topics, "CONNECT_MS", 1000)
    with pytest.raises(ConfigError, match=r"no broker answers at 127\.0\.0\.1:1"):
        topics.check(Settings(brokers="127.0.0.1:1"))


@pytest.fixture
def secured(secure: Any, prefix: str) -> Settings:
    """Settings on the broker's SASL_SSL listener."""
    return Settings(
        brokers=secure.bootstrap, topic_prefix=prefix, journal_partitions=1, source_partitions=1,
        security_protocol=Protocol.SASL_SSL, sasl_mechanism=Mechanism.SCRAM_SHA_256,
        sasl_username=secure.user, sasl_password=secure.password, ssl_cafile=secure.cafile,
    )  # fmt: skip


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_every_client_speaks_to_a_secured_broker(secured: Settings, mechanism: str) -> None:
    """kafka-python makes topics, librdkafka sees them, aiokafka writes to them, by itself and as Faust would use it."""
    settings = secured.model_copy(update={"sasl_mechanism": Mechanism(mechanism)})
    topics.create(settings)

    seen = AdminClient(clients.librdkafka(settings)).list_topics(timeout=20).topics
    written = asyncio.run(one_record(settings, clients.aiokafka(settings)))
    credentials = clients.faust_options(settings)["broker_credentials"]
    through = credentials_to_aiokafka_auth(credentials, None)
    again = asyncio.run(one_record(settings, {"bootstrap_servers": settings.brokers, **through}))

    assert settings.topic("journal") in seen
    assert (written.offset, again.offset) == (0, 1)


async def one_record(settings: Settings, options: dict[str, Any]) -> Any:
    """Write a record to the journal with aiokafka."""
    producer = AIOKafkaProducer(**options)
    await producer.start()
    try:
        return await producer.send_and_wait(settings.topic("journal"), b"x", partition=0)
    finally:
        await producer.stop()


def test_a_wrong_password_is_refused(secured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secured listener is no open door."""
    monkeypatch.setattr(topics, "CONNECT_MS", 1000)
    wrong = secured.model_copy(update={"sasl_password": SecretStr("wrong")})

    with pytest.raises(ConfigError, match="no broker answers") as caught:
        topics.check(wrong)

    assert "wrong" not in str(caught.value)
