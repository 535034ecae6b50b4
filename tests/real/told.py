"""One log through one pack, by replay and by two workers; what was told, in a shape that serves both."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kafka.admin import KafkaAdminClient

from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.packs.spec import Pack
from stream.shell.kafka import topics
from stream.shell.kafka.publish import publish
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.replay import Collected, Replay, plain
from stream.shell.settings import Clock, Settings
from stream.wire.registry import MAJOR
from tests.integration import cluster
from tests.real import berka

Found = tuple[str, str]
"""Subject and event time."""
WORKERS = ("a", "b")


class Told(NamedTuple):
    """Everything that came out, and the triggers among it as plain data."""

    outputs: list[Output]
    triggers: list[dict[str, Any]]

    def of(self, kind: str, **details: Any) -> list[dict[str, Any]]:
        """The triggers of a type whose details have these values."""
        wanted = details.items()
        return [each for each in self.triggers if each["type"] == kind + MAJOR and wanted <= each["data"]["details"].items()]


def told(outputs: list[Output]) -> Told:
    """What came out, read."""
    return Told(outputs, [plain(output) for output in outputs if output.topic in topics.TRIGGERS])


def places(triggers: Iterable[dict[str, Any]]) -> list[Found]:
    """Where and when triggers came, sorted."""
    return sorted((each["subject"], each["data"]["context"]["event_time"]) for each in triggers)


def log(lines: Iterable[bytes]) -> Iterator[Recorded]:
    """The lines as a log with coordinates and recorded times."""
    return recorded(Numbered(berka.NAME, number, line) for number, line in enumerate(lines, 1))


def replayed(pack: Pack, lines: Iterable[bytes]) -> Told:
    """By replay, in memory."""
    sink = Collected()
    Replay(Engine(pack, "replay"), sink).run(log(lines))
    return told(sink.outputs)


def published(broker: str, pack: Path, lines: list[bytes], where: Path) -> Told:
    """Through Kafka: an old log, published while two workers run, until its end is decided."""
    with deployment(broker, pack) as settings:
        topics.create(settings)
        workers = cluster.Workers(settings, where)
        try:
            for name in WORKERS:
                workers.start(name)
            workers.shared()
            lined = [(line.number, line.line, line.at) for line in log(lines)]
            publish(settings, lined, berka.NAME)
            cluster.decided(settings, cluster.end_of_log(lined[-1][2]), workers)
            codes = workers.terminate()
            assert codes == dict.fromkeys(WORKERS, 0), workers.logs()
        finally:
            workers.destroy()
        return told(cluster.said(settings))


@contextmanager
def deployment(broker: str, pack: Path) -> Iterator[Settings]:
    """Topics of its own, that go in the end."""
    name = f"t{uuid.uuid4().hex[:10]}"
    small = {"journal_partitions": 4, "source_partitions": 3}
    try:
        yield Settings(brokers=broker, topic_prefix=f"{name}.", app_id=name, pack=str(pack), clock=Clock.RECORDED, **small)
    finally:
        with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
            admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(f"{name}.")])
