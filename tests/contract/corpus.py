"""What a released version published, kept for ever: its schemas, events with what they were read as, triggers, journal records.

Rule: a version's files never change once it is released; `SHA256SUMS` tells. Made from the simulator and from the examples of
the types: no person is in them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stream.domain.days import stamp
from stream.domain.events import Coordinates, Event, Order
from stream.engine.engine import Engine
from stream.packs import loader
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import Mark
from stream.shell.kafka.stamping import Router, Stamper, Tick
from stream.shell.logfile import Numbered, recorded
from stream.shell.replay import Collected, Replay
from stream.simulator import Bank
from stream.wire import examples
from stream.wire.decode import Decoder
from stream.wire.encode import Envelope, Writer
from stream.wire.instants import Instants
from stream.wire.lines import to_binary
from stream.wire.outputs import SUPPRESSED, TRIGGERS
from stream.wire.registry import REGISTRY
from stream.wire.schema import documents

FROZEN = Path(__file__).parent / "frozen"
SUMS = "SHA256SUMS"
SCHEMAS = "schemas/"
IDENT = "6d505b2e-439c-550e-96a0-a128231edca9"
"""Of the examples, which are of no customer."""
EACH = 3
"""Records of the simulator per type, at most."""
CUSTOMERS, DAYS, SEED = 150, 100, 17
WHERE = Coordinates("in.txn", 0, 0, 1, Instants().parse(examples.RECORDED), Order.WALL)
Headers = list[tuple[str, str]]


class Read(msgspec.Struct, frozen=True):
    """An event as the version that published it read it; times in UTC ms, data as JSON."""

    type: str
    subject: str
    at: int
    id: str
    source: str
    sequence: str
    origin: str
    unknown: int
    data: dict[str, Any]


class Published(msgspec.Struct, frozen=True):
    """A record of a source topic: binary mode, or a structured event in the value."""

    headers: Headers
    value: str
    recorded: int
    event: Read


class Told(msgspec.Struct, frozen=True):
    """A record of a trigger topic."""

    type: str
    real: bool
    headers: Headers
    value: str


class Journaled(msgspec.Struct, frozen=True):
    """A journal record: what it is read as is an event's coordinates or a tick."""

    headers: Headers
    value: str
    where: list[Any] | None = None
    clock: dict[str, int] | None = None
    idle: list[str] = []


class Version(NamedTuple):
    """A released version's files."""

    name: str
    where: Path

    def schemas(self) -> dict[str, Any]:
        """By relative path."""
        root = self.where / SCHEMAS
        return {
            path.relative_to(root).as_posix(): msgspec.json.decode(path.read_bytes()) for path in sorted(root.rglob("*.json"))
        }

    def inputs(self) -> list[Published]:
        """Events."""
        return _lines(self.where / "inputs.jsonl", Published)

    def outputs(self) -> list[Told]:
        """Triggers and suppressions."""
        return _lines(self.where / "outputs.jsonl", Told)

    def journal(self) -> list[Journaled]:
        """Journal records."""
        return _lines(self.where / "journal.jsonl", Journaled)


def _lines(path: Path, kind: Any) -> list[Any]:
    return [msgspec.json.decode(line, type=kind) for line in path.read_bytes().splitlines()]


def versions(root: Path = FROZEN) -> list[Version]:
    """All of them, by name."""
    return [Version(path.name, path) for path in sorted(root.iterdir()) if path.is_dir()]


def read(headers: Iterable[tuple[str, str]], value: str, at: int) -> Event:
    """A published record as today's code reads it. Raises AssertionError when it is refused."""
    got = Decoder().from_headers([(name, text.encode()) for name, text in headers], value.encode(), WHERE._replace(recorded=at))
    assert isinstance(got, Event), f"refused: {got}"
    return got


def plain(event: Event) -> Read:
    """An event as it is recorded."""
    return Read(
        event.type, event.subject, event.at, event.id, event.source, event.sequence, event.origin, event.unknown,
        msgspec.to_builtins(event.data),
    )  # fmt: skip


def files() -> dict[str, bytes]:
    """Everything that today's version would freeze, by relative path."""
    made = {SCHEMAS + path: content for path, content in documents().items() if is_schema(path)}
    parts: dict[str, Iterable[msgspec.Struct]] = {"inputs": inputs(), "outputs": outputs(), "journal": journaled()}
    for name, records in parts.items():
        made[f"{name}.jsonl"] = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    return made


def is_schema(path: str) -> bool:
    return not path.startswith("examples/") and path != "asyncapi.json"


def sums(contents: dict[str, bytes]) -> bytes:
    """As `sha256sum` writes them."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(contents.items())).encode()


@cache
def bank() -> tuple[bytes, ...]:
    """A simulated bank's log."""
    return tuple(Bank(CUSTOMERS, DAYS, SEED).events())


def inputs() -> Iterator[Published]:
    """The examples of every event type in both modes, and some of the simulator's."""
    for entry in REGISTRY.values():
        for one in examples.events(entry)["examples"]:
            yield from _published(msgspec.json.encode(one["event"]), WHERE.recorded)
    seen: Counter[str] = Counter()
    for line in bank():
        event = msgspec.json.decode(line)
        seen[event["type"]] += 1
        if seen[event["type"]] <= EACH:
            yield from _published(line, Instants().parse(event["recordedtime"]))


def _published(line: bytes, at: int) -> Iterator[Published]:
    _, headers, value = to_binary(line)
    texts = [(name, content.decode()) for name, content in headers]
    for head, body in (([], line.decode()), (texts, (value or b"").decode())):
        yield Published(head, body, at, plain(read(head, body, at)))


def outputs() -> Iterator[Told]:
    """Triggers of a replay of the simulated bank, and the examples of every type."""
    yield from said()
    writer = Writer()
    for kind in (*TRIGGERS, SUPPRESSED):
        for one in examples.triggers(kind)["examples"]:
            data = one["data"]
            at = parse_stamp(data["context"]["event_time"])
            envelope = Envelope(IDENT, kind, data["subject"]["ref"], at, data["episode"]["id"], "in.txn/0@1", at)
            yield Told(kind, False, _texts(writer.headers(envelope)), msgspec.json.encode(data).decode())


@cache
def said() -> tuple[Told, ...]:
    """What today's engine says of the simulated bank: some of each type."""
    sink = Collected()
    log = (Numbered("bank.jsonl", number, line) for number, line in enumerate(bank(), 1))
    Replay(Engine(loader.load("retail_bank"), "replay"), sink).run(recorded(log))
    seen: Counter[str] = Counter()
    found = []
    for output in sink.outputs:
        kind = dict(output.headers).get("ce_type", b"").decode().removesuffix(".v1")
        seen[kind] += 1
        if output.topic.startswith("out.") and seen[kind] <= EACH:
            found.append(Told(kind, True, _texts(output.headers), (output.value or b"").decode()))
    return tuple(found)


def journaled() -> Iterator[Journaled]:
    """What ingest writes: events of both clocks, a tick."""
    line = bank()[0]
    _, headers, value = to_binary(line)
    for order in (Order.WALL, Order.RECORDED):
        into: dict[int, list[Any]] = {}
        consumed = _Consumed(1187, value, headers, WHERE.recorded)
        Stamper(SourceTopic("in.txn", "x.in.txn", 2, order), 3, Router(1), Mark(None, False)).stamp([consumed], into)
        yield _journaled(into[0][0])
    yield _journaled(Tick({"in.txn": WHERE.recorded, "in.app": parse_stamp("2026-01-05T00:00:00.000Z")}, ["in.party"]).record())


class _Consumed(NamedTuple):
    offset: int
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp: int
    key: bytes | None = None


def _journaled(record: Any) -> Journaled:
    _, value, headers = record
    entry = heard(_texts(headers), (value or b"").decode())
    where = None if entry.where is None else list(entry.where)
    if where is None:
        return Journaled(_texts(headers), value.decode(), None, entry.item.clock, sorted(entry.item.idle))
    return Journaled(_texts(headers), value.decode(), where)


class _Record(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def heard(headers: Headers, value: str) -> Any:
    """A journal record as today's engine reads it."""
    record = _Record(0, None, value.encode(), [(name, text.encode()) for name, text in headers])
    return Engine(loader.load("retail_bank")).read(record)


def _texts(headers: Iterable[tuple[str, bytes]]) -> Headers:
    return [(name, content.decode()) for name, content in headers]


def parse_stamp(text: str) -> int:
    """RFC 3339 to UTC ms."""
    at = Instants().parse(text)
    assert stamp(at) == text
    return at
