"""A story beside a pack: what happens to a customer, and exactly which triggers come of it.

Rule: a scenario says all that comes out; a trigger it does not expect is a difference, as is one that fails to come.
Times are local to the pack's zone: ``2026-01-05 09:30``, with seconds where they matter.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from stream.domain.reasons import Refusal, RejectCode
from stream.packs.faults import Fault, LintCode, unknown
from stream.packs.shape import shaped
from stream.packs.source import Source, read
from stream.packs.spec import PackSpec, Part
from stream.packs.units import Duration
from stream.packs.vocabulary import event_types


def _local(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", value):
        datetime.fromisoformat(value)
        return value
    raise ValueError("expected a local time such as 2026-01-05 09:30")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Local = Annotated[str, BeforeValidator(_local)]
Names = Annotated[list[str], BeforeValidator(_listed)]


class Given(Part):
    """An event, in short. `repeat` times, `every` so long apart; `recorded` is later than `at` only where it says so."""

    type: str
    at: Local
    subject: str = "C1"
    recorded: Local | None = None
    id: str | None = None
    sequence: str | None = None
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    every: Duration = 0
    data: dict[str, Any]


class Expected(Part):
    """A trigger: what is written here is compared, the rest is not. Texts need only be contained."""

    type: str
    at: Local
    subject: str = "C1"
    phase: Literal["opened", "escalated", "closed"] | None = None
    details: dict[str, Any] = {}
    zh: str | None = None
    en: str | None = None


class Refused(Part):
    """A candidate that the gates refused, with all their reasons."""

    type: str
    reasons: Annotated[list[Annotated[Refusal, Field(strict=False)]], Field(min_length=1)]
    at: Local | None = None
    subject: str = "C1"


class Scenario(Part):
    """One story. `silent` names the trigger types that it shows not coming."""

    name: str
    events: Annotated[list[Given], Field(min_length=1)]
    until: Local
    silent: Names = []
    expect: list[Expected] = []
    suppressed: list[Refused] = []
    dead: list[Annotated[RejectCode, Field(strict=False)]] = []


class Scenarios(Part):
    """A file of them. `shared` is for anchors only: whatever stands there is not read."""

    shared: Any = None
    scenarios: Annotated[list[Scenario], Field(min_length=1)]


class ScenarioFile(NamedTuple):
    """A read file; no stories when it has faults of form."""

    source: Source
    scenarios: tuple[Scenario, ...]
    faults: tuple[Fault, ...]


def read_scenarios(name: str, text: str) -> ScenarioFile:
    """The stories of one text, or its faults."""
    source, faults = read(name, text)
    if faults:
        return ScenarioFile(source, (), faults)
    found, faults = shaped(Scenarios, source)
    return ScenarioFile(source, tuple(found.scenarios) if found else (), faults)


def instant(local: str, zone: ZoneInfo) -> int:
    """UTC milliseconds of a local time; the earlier one when the clock shows it twice.

    >>> instant("2026-01-05 09:30", ZoneInfo("Asia/Shanghai"))
    1767576600000
    """
    return int(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp()) * 1000


def told_types(spec: PackSpec) -> dict[str, tuple[str | int, ...]]:
    """The trigger types that a pack can emit, and the first place that says so."""
    found: dict[str, tuple[str | int, ...]] = {}
    for rule, each in spec.rules.items():
        for moment, emit in each.emits.items():
            found.setdefault(emit.type, ("rules", rule, "emits", moment, "type"))
    return found


def checked_scenarios(spec: PackSpec, source: Source, files: tuple[ScenarioFile, ...]) -> list[Fault]:
    """Names that do not exist in stories, and trigger types that no story shows firing, or silent."""
    types = told_types(spec)
    faults = [fault for each in files for fault in (*each.faults, *_named(each, types))]
    stories = [story for each in files for story in each.scenarios]
    fired = {expected.type for story in stories for expected in story.expect}
    silent = {name for story in stories for name in story.silent}
    for name, path in types.items():
        for shown, what in ((fired, "fires"), (silent, "stays silent")):
            if name not in shown:
                faults.append(source.fault(path, LintCode.NO_SCENARIO, f"no scenario in which {name} {what}"))
    return faults


def _named(file: ScenarioFile, types: dict[str, tuple[str | int, ...]]) -> list[Fault]:
    source, faults, known = file.source, [], event_types()
    for number, story in enumerate(file.scenarios):
        path: tuple[str | int, ...] = ("scenarios", number)
        for place, event in enumerate(story.events):
            if event.type not in known and not story.dead:
                text = unknown("event type", event.type, known)
                faults.append(source.fault((*path, "events", place, "type"), LintCode.UNKNOWN_TYPE, text))
        for part, names in (
            ("expect", [each.type for each in story.expect]),
            ("suppressed", [each.type for each in story.suppressed]),
            ("silent", story.silent),
        ):
            for place, name in enumerate(names):
                if name not in types:
                    text = unknown("trigger type", name, types)
                    faults.append(source.fault((*path, part, place, "type"), LintCode.UNKNOWN_TRIGGER, text))
        for name in sorted({each.type for each in story.expect} & set(story.silent)):
            text = f"{name} is expected to stay silent and to come"
            faults.append(source.fault((*path, "silent"), LintCode.BAD_VALUE, text))
    return faults
