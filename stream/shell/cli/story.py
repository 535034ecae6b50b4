"""What is known about one trigger: its payload, the customer's story up to it, and the lines that caused it.

Rule: found by replaying, never by searching reports: what is explained is what the engine decides now.
Memory: the traces of all customers until the trigger comes; whose they must be is known only then.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson

from stream.domain.events import Coordinates, Order
from stream.engine.decision import Output
from stream.engine.engine import Places
from stream.engine.work import Trace
from stream.shell.cli.logs import STDIN
from stream.shell.logfile import Numbered, lines
from stream.shell.replay import plain
from stream.wire.decode import origin_text
from stream.wire.instants import Instants
from stream.wire.lines import from_line, texts
from stream.wire.registry import MAJOR

T = TypeVar("T")
SHORTEST = 8
"""Characters of an id that are enough."""


class Moment(NamedTuple):
    """One line of the story.

    Attributes:
        what: `event waits`, `deadline`, `trigger` or `suppressed`.
        times: How often in a row, where nothing else tells the times apart.
    """

    rule: str
    what: str
    when: str
    detail: str
    times: int


class Found(NamedTuple):
    """The trigger, or the refusal, that was asked for."""

    event: dict[str, Any]
    story: list[Moment]

    @property
    def suppressed(self) -> bool:
        """Whether the gates refused it."""
        return "trigger_type" in self.event["data"]

    @property
    def kind(self) -> str:
        """Its trigger type."""
        return str(self.event["data"].get("trigger_type", self.event["type"].removesuffix(MAJOR)))


class Seeker:
    """A sink that waits for one id and keeps just enough of the others to tell a story.

    An id may be shortened to eight characters; a refusal is found by its own id and by that of the trigger it was not.
    """

    def __init__(self, ident: str, traces: list[Trace]) -> None:
        self._ident, self._traces = ident.lower(), traces
        self._told: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.found: dict[str, Any] | None = None

    def take(self, outputs: Sequence[Output]) -> None:
        """Look at what was decided; nothing after the one that was sought."""
        for output in outputs:
            if self.found is None and output.topic != "dlq":
                self._look(plain(output))

    def _look(self, event: dict[str, Any]) -> None:
        data = event["data"]
        refused = "trigger_type" in data
        ident = data["trigger_id"] if refused else event["id"]
        text = f"{data['trigger_type']}: {', '.join(data['reasons'])}" if refused else f"{event['type'].removesuffix(MAJOR)}: "
        text += "" if refused else data["message"]["reason_text_en"]
        self._told.setdefault(("suppressed" if refused else "trigger", ident), []).append((event["time"], text))
        if self._asked(event["id"]) or self._asked(ident):
            self.found = event

    def _asked(self, ident: str) -> bool:
        return ident == self._ident or (len(self._ident) >= SHORTEST and ident.startswith(self._ident))

    def until_found(self, log: Iterable[T]) -> Iterator[T]:
        """The log, as far as it is needed."""
        for line in log:
            if self.found is not None:
                return
            yield line

    def answer(self) -> Found | None:
        """The trigger with its story; None when it never came."""
        if self.found is None:
            return None
        return Found(self.found, list(self._story(self.found)))

    def _story(self, found: dict[str, Any]) -> Iterator[Moment]:
        last = found["data"].get("trigger_id", found["id"])
        before: Moment | None = None
        for trace in self._traces:
            if trace.subject != found["subject"]:
                continue
            moment = self._moment(trace)
            if before is not None and before._replace(times=1) == moment:
                before = before._replace(times=before.times + 1)
                continue
            if before is not None:
                yield before
            before = moment
            if trace.detail == last and not self._told.get((trace.what, last)):
                break
        if before is not None:
            yield before

    def _moment(self, trace: Trace) -> Moment:
        told = self._told.get((trace.what, trace.detail))
        if told:
            return Moment(trace.rule, trace.what, *told.pop(0), 1)
        if trace.what == "deferred":
            return Moment(trace.rule, "event waits", "", f"{trace.detail} waits for a deadline that is not proven yet", 1)
        return Moment(trace.rule, trace.what, "", trace.detail, 1)


# The source lines


class Deed(NamedTuple):
    """An event of the customer."""

    at: str
    type: str
    origin: str


def deeds(paths: Iterable[str], subject: str, before: str, most: int) -> list[Deed]:
    """The customer's last events up to an instant (RFC 3339, UTC), in the order of the logs; nothing from standard input."""
    mine, found, parse = b'"subject":' + orjson.dumps(subject), deque[Deed](maxlen=most), Instants().parse
    for path in paths:
        for line in lines(path) if path != STDIN else ():
            if mine in line.line and (deed := _deed(line)) is not None and parse(deed.at) <= parse(before):
                found.append(deed)
    return list(found)


def _deed(line: Numbered) -> Deed | None:
    named = texts(line.line)
    at, kind = named.get("ce_time"), named.get("ce_type")
    if at is None or kind is None:
        return None
    return Deed(at, kind.removesuffix(MAJOR), origin_of(line, marked=True))


def causes(paths: Iterable[str], wanted: Sequence[str]) -> dict[str, bytes]:
    """The lines that bear these coordinates, by coordinates. Standard input cannot be read again and is left out."""
    left: set[str] = set(wanted)
    found: dict[str, bytes] = {}
    marks = re.compile("|".join(map(re.escape, sorted(map(mark, left))))).search if left else None
    for path in paths:
        if path == STDIN:
            continue
        for line in lines(path):
            if not left or marks is None:
                return found
            origin = origin_of(line, marks(line.line.decode(errors="replace")) is not None)
            if origin in left:
                left.discard(origin)
                found[origin] = line.line
    return found


def mark(origin: str) -> str:
    """What a line must hold to be worth reading, when its number alone does not say it: its topic and partition.

    >>> mark("in.txn/3@1187"), mark("log.jsonl:17")
    ('in.txn|3|', 'log.jsonl:17')
    """
    place, at, _ = origin.rpartition("@")
    return f"{place.replace('/', '|')}|" if at and "/" in place else origin


def origin_of(line: Numbered, marked: bool) -> str:
    """The coordinates evidence would show for a line."""
    if not marked:
        return f"{line.name}:{line.number}"
    read = from_line(line.line)
    given = dict(read.headers).get("ce_kairosorigin")
    if given is not None:
        return given.decode(errors="replace")
    if "kairossource" in read.extra:
        return origin_text(Places().read(read.extra["kairossource"])[1])
    return origin_text(Coordinates(line.name, 0, 0, line.number, 0, Order.SEQUENCED))
