"""A simulated bank with one bad line in a hundred, and what a run over it says: the logs and ears of the laws.

What is compared is what the product publishes: canonical lines (`stream.shell.reports`), dead letters by value and code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import orjson

from stream.domain.days import MINUTE
from stream.domain.events import Order, Record
from stream.engine.clock import EVERY
from stream.engine.decision import Counts, Output
from stream.engine.engine import Engine
from stream.packs.loader import load
from stream.packs.spec import Pack
from stream.shell import reports
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.replay import Collected, Replay
from stream.simulator import Bank, poison
from stream.wire.instants import Instants
from stream.wire.registry import topic_of
from tests.builders import LOG, Happening, Said, journal, journaled, replayed, rich_pack, said, ticked

FIRST = 2000


class Book:
    """An engine, a bank's log for it, and what the whole of it says in one piece."""

    def __init__(self, pack: Pack, customers: int, days: int) -> None:
        self.engine = Engine(pack, "replay")
        self._bank = customers, days

    @cached_property
    def log(self) -> list[Recorded]:
        return simulated(*self._bank)

    @cached_property
    def lines(self) -> list[bytes]:
        return [line.line for line in self.log]

    @cached_property
    def begun(self) -> Said:
        """What the first of its lines say, likewise."""
        return replayed(self.engine, self.lines[:FIRST])

    @cached_property
    def run(self) -> tuple[list[Output], Counts]:
        sink = Collected()
        counts = Replay(self.engine, sink).run(self.log)
        return sink.outputs, counts

    @cached_property
    def whole(self) -> Said:
        """In bytes that another run can be compared by."""
        return said(*self.run)


BOOKS = {"retail_bank": Book(load(), 80, 100), "rich": Book(rich_pack(), 60, 60)}
"""The default pack, and one of all mechanisms with every kind of feature."""
RETAIL, RICH = BOOKS.values()


# The log


def simulated(customers: int, days: int, share: float = 0.01) -> list[Recorded]:
    """A bank's log, with bad lines."""
    lines = poison(Bank(customers, days, seed=6).events(), share, seed=2)
    return list(recorded(Numbered(LOG, place, line) for place, (_, line) in enumerate(lines, 1)))


def sound(log: Iterable[Recorded]) -> list[bytes]:
    """The lines that are not bad on purpose."""
    return [line.line for line in log if b'"source":"poison"' not in line.line]


def happenings(lines: Iterable[bytes]) -> list[Happening]:
    """A log's lines as happenings; as `publish` stamps it, each line says where it stood."""
    parse, events = Instants().parse, []
    for place, line in enumerate(lines, 1):
        fields = orjson.loads(line)
        kind, at, seen = fields["type"].removesuffix(".v1"), parse(fields["time"]), parse(fields["recordedtime"])
        about = {"recorded": seen, "source": fields["source"], "sequence": fields.get("sequence")}
        about["extra"] = {"kairosorigin": f"log:{place}"}
        events.append(Happening(kind, at, fields["data"], fields["subject"], fields["id"], **about))
    return events


# As a journal


def sequenced(log: Sequence[Recorded]) -> list[Record]:
    """The log as a journal of its own order, with a tick whenever a minute has passed."""
    return journal(_sequenced(log))


def _sequenced(log: Sequence[Recorded]) -> Iterator[Record]:
    grid = 0
    for at, _, number, line in log:
        if at // MINUTE > grid:
            grid = at // MINUTE
            yield ticked({EVERY: at - 1})
        yield journaled(line, number, at, Order.SEQUENCED)
    yield ticked({EVERY: log[-1].at})


def walled(log: Sequence[Recorded], every: int) -> list[Record]:
    """The log as ingest writes it live: per source topic its own offsets, a true tick every so many lines."""
    records: list[Record] = []
    offsets: Counter[str] = Counter()
    for place, (at, _, _, line) in enumerate(log):
        kind = orjson.loads(line)["type"] if line.endswith(b"}") and line.isascii() else ""
        topic = topic_of(kind) or "in.redrive"
        records.append(journaled(line, offsets[topic], at, Order.WALL, topic))
        offsets[topic] += 1
        if place % every == 0:
            records.append(ticked(dict.fromkeys(("in.txn", "in.account", "in.app", "in.consent", "in.contact"), at - 1)))
    topics = ("in.txn", "in.account", "in.app", "in.consent", "in.contact", "in.feedback", "in.party", "in.redrive")
    return journal([*records, ticked(dict.fromkeys(topics, log[-1].at))])


# What was said


class Heard(NamedTuple):
    """What came out, in an order of its own."""

    triggers: list[bytes]
    suppressed: list[bytes]
    dead: list[tuple[bytes, bytes]]
    outcomes: dict[str, int]


def spoken(outputs: Sequence[Output]) -> tuple[list[Output], list[Output], list[Output]]:
    """Triggers, suppressed ones, dead letters."""
    dead = [each for each in outputs if each.topic == "dlq"]
    suppressed = [each for each in outputs if each.topic == "out.suppressed"]
    return [each for each in outputs if each.topic.startswith("out.trigger.")], suppressed, dead


def heard(outputs: Sequence[Output], counts: Counts) -> Heard:
    """The canonical form of a run."""
    triggers, suppressed, dead = spoken(outputs)
    assert len(triggers) + len(suppressed) + len(dead) == len(outputs)
    return Heard(
        sorted(map(reports.canonical, triggers)),
        sorted(map(reports.canonical, suppressed)),
        sorted((each.value or b"", reports.dead_letter(each)[0].value.encode()) for each in dead),
        reports.labelled(counts, "outcome"),
    )


def outcomes(out: Said) -> dict[str, int]:
    """How many records had which outcome."""
    return reports.labelled(out.counts, "outcome")


def reconcile(out: Said) -> None:
    """Everything read has one outcome; every candidate has one end."""
    read = sum(number for key, number in out.counts.items() if key[0] == "read")
    candidates = sum(number for key, number in out.counts.items() if key[0] == "candidate")
    assert sum(outcomes(out).values()) == read
    assert candidates == len(out.triggers)
    assert len(out.dead) == outcomes(out).get("dead", 0)
