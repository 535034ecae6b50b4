"""The stories beside a pack, told to the real engine, and every way in which what came out differs.

Rule: a scenario passes only when the triggers, the refusals and the dead letters are exactly those it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from stream.domain.days import stamp, zone
from stream.packs import loader
from stream.packs.scenario import Expected, Given, Refused, Scenario, ScenarioFile, instant
from stream.packs.spec import Pack
from stream.shell.replay import ReplayResult, replay
from stream.wire.registry import MAJOR

Trigger = dict[str, Any]


class Result(NamedTuple):
    """One scenario that was run: what came out, and how that differs from what it says; no failures means it passed."""

    file: str
    line: int
    name: str
    replayed: ReplayResult
    failures: tuple[str, ...]


def run(name_or_path: str | Path = loader.DEFAULT) -> list[Result]:
    """All scenarios of a pack, by file and place. Raises PackError as `loader.load` does, ConfigError for no pack."""
    pack = loader.load(name_or_path)
    return [result for file in loader.scenarios(name_or_path) for result in run_file(pack, file)]


def run_file(pack: Pack, file: ScenarioFile) -> Iterator[Result]:
    """The scenarios of one file; a file with faults of form is one failed result."""
    if file.faults:
        nothing = ReplayResult([], [], [], Counter())
        yield Result(file.source.name, file.faults[0].line, "", nothing, tuple(map(str, file.faults)))
    for number, scenario in enumerate(file.scenarios):
        story = Story(file, number, scenario, zone(pack.spec.zone))
        replayed = replay(pack, story.log(), instant(scenario.until, story.zone))
        yield Result(file.source.name, story.line(), scenario.name, replayed, tuple(story.differences(replayed)))


class Story:
    """One scenario with its place in the file."""

    def __init__(self, file: ScenarioFile, number: int, scenario: Scenario, zone: ZoneInfo) -> None:
        self.zone = zone
        self._source, self._number, self._scenario = file.source, number, scenario

    def line(self, *path: str | int) -> int:
        """The line of a part of this scenario."""
        return self._source.line(("scenarios", self._number, *path))

    def log(self) -> list[tuple[str, int, bytes]]:
        """The events as lines of a log in recorded order; coordinates are those of the scenario file."""
        told: list[tuple[int, int, int, bytes]] = []
        for place, given in enumerate(self._scenario.events):
            for turn in range(given.repeat):
                recorded, line = self._event(given, place, turn)
                told.append((recorded, len(told), self.line("events", place), line))
        return [(self._source.name, number, line) for _, _, number, line in sorted(told)]

    def _event(self, given: Given, place: int, turn: int) -> tuple[int, bytes]:
        at = instant(given.at, self.zone) + turn * given.every
        recorded = at if given.recorded is None else instant(given.recorded, self.zone) + turn * given.every
        event = {
            "specversion": "1.0",
            "id": given.id or f"E{place + 1}-{turn + 1}",
            "source": "scenario",
            "type": given.type + MAJOR,
            "subject": given.subject,
            "time": stamp(at),
            "recordedtime": stamp(recorded),
            **({"sequence": given.sequence} if given.sequence else {}),
            "data": given.data,
        }
        return recorded, orjson.dumps(event)

    def differences(self, replayed: ReplayResult) -> Iterator[str]:
        """All of them, each with its line."""
        yield from self._triggers(replayed.triggers)
        yield from self._refusals(replayed.suppressed)
        wanted, got = sorted(self._scenario.dead), sorted(each["code"] for each in replayed.dead)
        if wanted != got:
            yield self._said(self.line("dead"), f"expected dead letters {_list(wanted)}, got {_list(got)}")
        for name in sorted({_type(each) for each in replayed.triggers} & set(self._scenario.silent)):
            yield self._said(self.line("silent"), f"expected {name} to stay silent, but it came")

    def _triggers(self, triggers: list[Trigger]) -> Iterator[str]:
        left = list(triggers)
        for place, expected in enumerate(self._scenario.expect):
            line, what = self.line("expect", place), f"{expected.type} for {expected.subject} at {expected.at}"
            same = [each for each in left if (_type(each), each["subject"]) == (expected.type, expected.subject)]
            found = next((each for each in same if self._at(each, expected.at)), None)
            if found is None:
                others = ", ".join(self._local(each) for each in same) or "none"
                yield self._said(line, f"expected {what}, got {others}")
                continue
            left.remove(found)
            for text in _unlike(expected, found["data"]):
                yield self._said(line, f"{what}: {text}")
        for each in left:
            what = f"unexpected {_type(each)} for {each['subject']} at {self._local(each)}"
            yield self._said(self.line("expect"), f"{what}: {each['data']['message']['reason_text_en']}")

    def _refusals(self, suppressed: list[Trigger]) -> Iterator[str]:
        left = list(suppressed)
        for place, refused in enumerate(self._scenario.suppressed):
            found = next((each for each in left if self._refused(refused, each)), None)
            line, what = self.line("suppressed", place), f"{refused.type} of {refused.subject} to be refused"
            if found is None:
                yield self._said(line, f"expected {what}, but it was not" + (f" at {refused.at}" if refused.at else ""))
                continue
            left.remove(found)
            wanted, got = sorted(refused.reasons), sorted(found["data"]["reasons"])
            if wanted != got:
                yield self._said(line, f"expected {what} for {_list(wanted)}, got {_list(got)}")
        for each in left:
            data = each["data"]
            text = f"unexpected refusal of {data['trigger_type']} at {self._local(each)}: {_list(data['reasons'])}"
            yield self._said(self.line("suppressed"), text)

    def _refused(self, refused: Refused, each: Trigger) -> bool:
        same = (each["data"]["trigger_type"], each["subject"]) == (refused.type, refused.subject)
        return same and (refused.at is None or self._at(each, refused.at))

    def _at(self, trigger: Trigger, local: str) -> bool:
        return bool(trigger["data"]["context"]["event_time"] == stamp(instant(local, self.zone)))

    def _local(self, trigger: Trigger) -> str:
        moment = datetime.fromisoformat(trigger["data"]["context"]["event_time"]).astimezone(self.zone)
        return moment.strftime("%Y-%m-%d %H:%M" + (":%S" if moment.second else ""))

    def _said(self, line: int, text: str) -> str:
        return f"{self._source.name}:{line} {self._scenario.name}: {text}"


def _unlike(expected: Expected, data: dict[str, Any]) -> Iterator[str]:
    """Where a trigger of the right type and time is not as it should be."""
    if expected.phase is not None and data["episode"]["phase"] != expected.phase:
        yield f"expected phase {expected.phase}, got {data['episode']['phase']}"
    for field, wanted in expected.details.items():
        got = data["details"].get(field)
        got = got["amount"] if isinstance(got, dict) and isinstance(wanted, str) else got
        if got != wanted or type(got) is not type(wanted):
            yield f"expected {field} {wanted!r}, got {got!r}"
    for language in ("zh", "en"):
        wanted, text = getattr(expected, language), data["message"][f"reason_text_{language}"]
        if wanted is not None and wanted not in text:
            yield f"expected a reason with {wanted!r}, got {text!r}"


def _type(trigger: Trigger) -> str:
    return str(trigger["type"]).removesuffix(MAJOR)


def _list(names: list[Any]) -> str:
    return ", ".join(map(str, names)) or "none"
