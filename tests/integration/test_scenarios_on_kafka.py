"""Law: a story of the default pack comes true through Kafka as it does in a replay. All of them at once, in one deployment,
each with customers of its own; the whole log lies there before two workers start.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
import pytest

from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.packs import loader
from stream.packs.scenario import Scenario, instant
from stream.packs.spec import Pack
from stream.shell import reports
from stream.shell.kafka import topics
from stream.shell.kafka.publish import publish
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.replay import Collected, Replay, ReplayResult, plain
from stream.shell.scenarios import Story
from stream.shell.settings import Clock, Settings
from stream.wire.instants import Instants
from tests.builders import session
from tests.integration import cluster

NAME = "stories.jsonl"
WORKERS = ("a", "b")
parse = Instants().parse


class Told(NamedTuple):
    """A story and the mark that its customers and its events bear."""

    mark: str
    scenario: Scenario
    story: Story

    @property
    def until(self) -> int:
        """When it ends, UTC ms."""
        return instant(self.scenario.until, self.story.zone)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Its log: recorded time, UTC ms, and line."""
        for _, _, line in self.story.log():
            event = orjson.loads(line)
            marked = {"id": f"{self.mark}{event['id']}", "subject": f"{self.mark}{event['subject']}"}
            yield parse(event["recordedtime"]), orjson.dumps({**event, **marked})


def stories(pack: Pack) -> Iterator[Told]:
    """All of the pack's."""
    zone = ZoneInfo(pack.spec.zone)
    for file in loader.scenarios():
        for number, scenario in enumerate(file.scenarios):
            mark = f"{Path(file.source.name).stem}-{number}."
            yield Told(mark, scenario, Story(file, number, scenario, zone))


@pytest.fixture(scope="module")
def pack() -> Pack:
    return loader.load()


@pytest.fixture(scope="module")
def library(pack: Pack) -> list[Told]:
    return list(stories(pack))


@pytest.fixture(scope="module")
def log(library: list[Told]) -> list[Recorded]:
    """All stories in one log by recorded time, and somebody else's last word when the longest has ended."""
    merged = heapq.merge(*(told.lines() for told in library), key=lambda line: line[0])
    last = session(max(told.until for told in library), subject="bystander", id="last").line()
    lines = [*(line for _, line in merged), last]
    return list(recorded(Numbered(NAME, number, line) for number, line in enumerate(lines, 1)))


def through_kafka(settings: Settings, log: list[Recorded], where: Path) -> list[Output]:
    topics.create(settings)
    publish(settings, [(line.number, line.line, line.at) for line in log], NAME)
    workers = cluster.Workers(settings, where)
    try:
        for name in WORKERS:
            workers.start(name)
        cluster.decided(settings, cluster.end_of_log(log[-1].at), workers)
        workers.shared()
        assert set(workers.terminate().values()) == {0}, workers.logs()
    finally:
        workers.destroy()
    return cluster.said(settings)


@pytest.mark.timeout(120)
def test_all_stories_come_true_through_kafka(
    configured: Callable[..., Settings], pack: Pack, library: list[Told], log: list[Recorded], tmp_path: Path
) -> None:
    """Each has exactly what it names until its end, and everything equals the replay of the same log, byte for byte."""
    settings = configured(clock=Clock.RECORDED, journal_partitions=4, source_partitions=3, session_timeout=6.0)
    outputs = through_kafka(settings, log, tmp_path / "workers")
    replayed = Collected()
    Replay(Engine(pack, "replay"), replayed).run(log)

    assert len(library) >= 50
    assert said(outputs) == said(replayed.outputs)
    assert dead(outputs) == dead(replayed.outputs)
    assert list(differences(pack, library, outputs)) == []


def said(outputs: list[Output]) -> list[bytes]:
    """Triggers and suppressions, sorted; the mode apart."""
    return sorted(reports.canonical(output) for output in outputs if output.topic != topics.DEAD)


def dead(outputs: list[Output]) -> list[tuple[str, str]]:
    """Whose records are dead, and why, sorted; a line of a log names its subject itself."""
    found = []
    for output in outputs:
        if output.topic == topics.DEAD:
            headers = dict(output.headers)
            subject = (
                headers["ce_subject"].decode() if "ce_subject" in headers else orjson.loads(output.value or b"")["subject"]
            )
            found.append((subject, headers["__kairos.errors.code"].decode()))
    return sorted(found)


def differences(pack: Pack, library: list[Told], outputs: list[Output]) -> Iterator[str]:
    """Every way in which a story did not come true."""
    spoken = [plain(output) for output in outputs if output.topic != topics.DEAD]
    for told in library:
        # what is due at the very end is known only after the lateness, when the story is over
        over = told.until - pack.spec.lateness
        mine = [each for each in unmarked(told.mark, spoken) if parse(each["data"]["context"]["event_time"]) <= over]
        triggers = [each for each in mine if "trigger_type" not in each["data"]]
        suppressed = [each for each in mine if "trigger_type" in each["data"]]
        buried = [{"code": code} for subject, code in dead(outputs) if subject.startswith(told.mark)]
        yield from told.story.differences(ReplayResult(triggers, suppressed, buried, Counter()))


def unmarked(mark: str, spoken: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What was said of the customers of one story, under their own names."""
    return ({**each, "subject": each["subject"].removeprefix(mark)} for each in spoken if each["subject"].startswith(mark))
