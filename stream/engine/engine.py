"""A pack ready to run, and what it reads from a journal record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from stream.domain.events import Coordinates, Event, JournalRecord, Order, Reject, Tick
from stream.domain.native import scan, visit
from stream.domain.reasons import RejectCode
from stream.engine.binding import Plan, bind
from stream.engine.payload import Speaker
from stream.engine.row import Codec
from stream.engine.work import Trace, Work
from stream.packs.spec import Pack
from stream.wire.decode import Decoder
from stream.wire.encode import Mode, Writer
from stream.wire.registry import REGISTRY
from stream.wire.ways import words

SOURCE = "kairos_src"
"""Journal header that ingest adds: ``topic|partition|incarnation|offset|recorded|order``."""
TICK = "kairos_tick"
"""Journal header of a tick: JSON of `Tick`."""


class Entry(NamedTuple):
    """A journal record, read. `source` names the source partition for its high-water; empty for ticks."""

    record: JournalRecord
    item: Event | Reject | Tick
    where: Coordinates | None
    source: str

    @property
    def subject(self) -> str:
        """Whom it is about; nobody where it is no event."""
        return self.item.subject if isinstance(self.item, Event) else ""

    @property
    def canonical(self) -> tuple[int, str, str, str, str, str]:
        """The order of `stream.engine.row.Held`, to the last tie: a producer's retry differs in its origin alone."""
        item = self.item
        if not isinstance(item, Event):
            return 0, "", "", "", "", ""
        return item.at, item.sequence, item.source, item.id, item.type, item.origin


class _TickData(msgspec.Struct):
    clock: dict[str, int]
    idle: list[str] = []


_new: Any = tuple.__new__
_TICK = msgspec.json.Decoder(_TickData)
_ORDERS = {str(order): order for order in Order}


def tick_header(tick: Tick) -> tuple[str, bytes]:
    """A tick as a journal header."""
    return TICK, msgspec.json.encode(_TickData(dict(sorted(tick.clock.items())), sorted(tick.idle)))


class Places:
    """Reads source coordinates; remembers source partitions, which are few.

    >>> Places().read("in.txn|3|0|1187|1767576600000|w")[1].offset
    1187
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int, int]] = {}

    def read(self, text: str) -> tuple[str, Coordinates]:
        """Source partition and coordinates out of the header's text. Raises ValueError for what ingest never wrote."""
        source, offset, recorded, order = text.rsplit("|", 3)
        topic, partition, incarnation = self._known.get(source) or self._learn(source)
        return source, _new(Coordinates, (topic, partition, incarnation, int(offset), int(recorded), _ORDERS[order]))

    def _learn(self, source: str) -> tuple[str, int, int]:
        topic, partition, incarnation = source.split("|")
        known = self._known[source] = (topic, int(partition), int(incarnation))
        return known


class Engine:
    """One pack bound; shared by all partitions of a process. Holds no customer."""

    def __init__(self, pack: Pack, mode: Mode = "live", max_bytes: int = 262_144, traces: list[Trace] | None = None) -> None:
        self.plan = bind(pack)
        self.traces = traces
        prefix = self.plan.spec.type_prefix
        self.decoder = Decoder(prefix, max_bytes)
        self.codec = Codec(self.plan.slots, self.plan.mark)
        self.kinds = kinds(self.plan)
        self._places = Places()
        self._amounts = {kind: [field for field, _ in REGISTRY[kind].money] for kind in self.plan.handled}
        self._currencies = frozenset(self.plan.rates.factors)
        self._quick, self._quick_line = self._accelerated(prefix)
        self._speaker = Speaker(self.plan)
        self._writer = Writer(prefix, f"kairos/{self.plan.spec.name}", mode)

    def _accelerated(self, prefix: str) -> tuple[Callable[..., Entry | None], Callable[..., Entry | None]]:
        native, decoder = scan(), self.decoder
        if native is None:
            return _unread, _unread
        known = words(prefix).ways, self._places, self._currencies
        reader = native.Reader(*known, decoder.max_bytes, decoder.ahead, self._read, self._line)
        return reader.read, reader.line

    def visitor(self) -> Any:
        """Visits rows in C; None from the sources, and where somebody wants to be told."""
        native = visit()
        if native is None or self.traces is not None:
            return None
        try:
            return native.Visitor(self.plan, self.codec)
        except OverflowError:
            # figures of the pack beyond 64 bits
            return None

    def misfits(self, kept: Mapping[str, str]) -> list[str]:
        """What state kept by another pack of this name means otherwise than in this one: each ``name is X, was Y``."""
        return [f"{name} is {self.kinds[name]}, was {was}" for name, was in kept.items() if self.kinds.get(name, was) != was]

    def work(self) -> Work:
        """A fresh collection of consequences."""
        return Work(self.plan, self._speaker, self._writer, self.traces)

    def read(self, record: JournalRecord) -> Entry:
        """What a journal record says."""
        return self._quick(record) or self._read(record)

    def line(self, record: JournalRecord, where: Coordinates, source: str) -> Entry:
        """What a line of a log says, which stands there."""
        return self._quick_line(record, where, source) or self._line(record, where, source)

    def _line(self, record: JournalRecord, where: Coordinates, source: str) -> Entry:
        return self.judged(record, self.decoder.from_json(record.value or b"", where), where, source)

    def _read(self, record: JournalRecord) -> Entry:
        fields = dict(record.headers)
        if (text := fields.get(SOURCE)) is not None:
            source, where = self._places.read(text.decode())
            return self.judged(record, self.decoder.from_headers(fields, record.value, where), where, source)
        if (text := fields.get(TICK)) is not None:
            data = _TICK.decode(text)
            return Entry(record, Tick(data.clock, frozenset(data.idle)), None, "")
        missing = Reject(RejectCode.NOT_CLOUDEVENT, "$", "expected a record that ingest has journaled")
        return Entry(record, missing, None, "")

    def judged(self, record: JournalRecord, item: Event | Reject, where: Coordinates, source: str) -> Entry:
        """The entry of an event read elsewhere; refuses amounts the pack cannot convert."""
        if isinstance(item, Event):
            for field in self._amounts.get(item.type, ()):
                money = getattr(item.data, field)
                if money is not None and money.ccy not in self._currencies:
                    item = _foreign(field)
                    break
        return _new(Entry, (record, item, where, source))  # type: ignore[no-any-return]


def _unread(*_: object) -> Entry | None:
    return None


def kinds(plan: Plan) -> dict[str, str]:
    """By name, what gives kept state its meaning: the zone of its dates, the currency of its sums, the shape of each slot."""
    shapes = {name: f"{kind.__module__.rpartition('.')[2]}.{kind.__qualname__}" for name, kind in plan.slots.items()}
    return {"zone": plan.spec.zone, "currency": plan.spec.currency, **shapes}


def _foreign(field: str) -> Reject:
    return Reject(RejectCode.UNKNOWN_CURRENCY, f"$.data.{field}.ccy", "expected a currency with a declared rate")
