"""What a replay leaves behind: three logs, a summary, and the digest by which two runs are compared.

Rule: the digest is over what was decided, not over how: the attribute `kairosmode` is left out of it, and so is the order
in which the triggers came.

Delivery: lines are written as they are decided; a replay that died leaves its files without a summary.
Memory: a sort key and a place in the file per trigger, about 250 bytes; the lines themselves stay on disk.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Protocol

import msgspec
import orjson

from stream import __version__
from stream.domain.events import Coordinates, Headers, Order, Reject
from stream.domain.reasons import Outcome, RejectCode
from stream.engine.decision import Counts, Output
from stream.engine.engine import SOURCE
from stream.packs.spec import Pack
from stream.wire.decode import origin_text
from stream.wire.encode import ERRORS, dead_line
from stream.wire.lines import to_line
from stream.wire.registry import MAJOR, SOURCES

TRIGGERS, SUPPRESSED, DEAD, SUMMARY = "triggers.jsonl", "suppressed.jsonl", "dead_letters.jsonl", "summary.json"
MODE = "ce_kairosmode"

SortKey = tuple[str, str, str]
"""Subject, event time (RFC 3339 in UTC, so text sorts as time), id."""


class Said(Protocol):
    """A trigger in Kafka's binary mode: the engine's output, a line read back, or a consumed record."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def value(self) -> bytes | None: ...


# The digest


def digest(triggers: Iterable[Said]) -> str:
    """SHA-256 over the canonical lines of the triggers, sorted by subject, event time and id, each ended by a line feed.

    Everything is held in memory: for tests and for records consumed from Kafka. A replay does the same from its file.

    >>> digest([])[:8]
    'e3b0c442'
    """
    return digest_of(line for _, line in sorted((sort_key(each.headers), canonical(each)) for each in triggers))


def digest_of(ordered: Iterable[bytes]) -> str:
    """The same over lines that are canonical and in order."""
    total = hashlib.sha256()
    for line in ordered:
        total.update(line)
        total.update(b"\n")
    return total.hexdigest()


def canonical(trigger: Said) -> bytes:
    """The structured CloudEvent in its fixed order of fields, without saying whether it was live or a replay."""
    return to_line(trigger.key, [header for header in trigger.headers if header[0] != MODE], trigger.value)


def sort_key(headers: Headers) -> SortKey:
    """Where a trigger stands among all."""
    named = dict(headers)
    subject, time, ident = (named.get(f"ce_{name}", b"").decode() for name in ("subject", "time", "id"))
    return subject, time, ident


# The tally


class _Refused(msgspec.Struct):
    trigger_type: str
    reasons: list[str]


_REFUSED = msgspec.json.Decoder(_Refused)


class Tally:
    """What came out, counted by what it says about itself.

    Attributes:
        triggers, suppressed: By trigger type.
        reasons: Suppressed ones by trigger type and reason; one may have several reasons.
        rejects: Dead letters by code.
        examples: The first trigger of each type, as a line.
    """

    def __init__(self) -> None:
        self.triggers: Counter[str] = Counter()
        self.suppressed: Counter[str] = Counter()
        self.reasons: dict[str, Counter[str]] = {}
        self.rejects: Counter[str] = Counter()
        self.examples: dict[str, bytes] = {}

    @property
    def types(self) -> list[str]:
        """Every trigger type that came up, fired or not."""
        return sorted(self.triggers.keys() | self.suppressed.keys())

    def fired(self, headers: Headers, line: bytes) -> None:
        """A trigger."""
        kind = kind_of(headers)
        self.triggers[kind] += 1
        self.examples.setdefault(kind, line)

    def refused(self, value: bytes) -> None:
        """A suppressed one."""
        data = _REFUSED.decode(value)
        self.suppressed[data.trigger_type] += 1
        self.reasons.setdefault(data.trigger_type, Counter()).update(data.reasons)


def kind_of(headers: Headers) -> str:
    """The type of an output, without version and prefix: what the pack and the tables call it.

    >>> kind_of([("ce_type", b"com.bank.tier.upgraded.v1")]), kind_of([("ce_type", b"trigger.suppressed.v1")])
    ('tier.upgraded', 'trigger.suppressed')
    """
    name = dict(headers).get("ce_type", b"").decode().removesuffix(MAJOR)
    return ".".join(name.split(".")[-2:])


# The files


class Report:
    """A sink of `stream.shell.replay` that writes a folder; files of an earlier report there are replaced."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.tally = folder, Tally()
        (folder / SUMMARY).unlink(missing_ok=True)
        self._triggers, self._suppressed, self._dead = ((folder / name).open("wb") for name in (TRIGGERS, SUPPRESSED, DEAD))
        self._places: list[tuple[SortKey, int, int]] = []
        self._end = 0

    def __enter__(self) -> Report:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in (self._triggers, self._suppressed, self._dead):
            file.close()

    def take(self, outputs: Sequence[Output]) -> None:
        """Write, and count."""
        for output in outputs:
            if output.topic == "dlq":
                self._take_dead(output)
            elif output.topic == "out.suppressed":
                self._suppressed.write(to_line(output.key, output.headers, output.value) + b"\n")
                self.tally.refused(output.value or b"")
            else:
                self._take_trigger(output)

    def _take_trigger(self, output: Output) -> None:
        line = to_line(output.key, output.headers, output.value)
        self._triggers.write(line + b"\n")
        self._places.append((sort_key(output.headers), self._end, len(line)))
        self._end += len(line) + 1
        self.tally.fired(output.headers, line)

    def _take_dead(self, output: Output) -> None:
        code, line = dead_letter(output)
        self._dead.write(line + b"\n")
        self.tally.rejects[code.value] += 1

    def digest(self) -> str:
        """See `digest`; reads the triggers again, in order."""
        self._triggers.flush()
        with (self.folder / TRIGGERS).open("rb") as file:
            return digest_of(self._ordered(file))

    def _ordered(self, file: BinaryIO) -> Iterator[bytes]:
        for _, start, length in sorted(self._places):
            file.seek(start)
            # quotes are escaped inside strings, so this can only be the attribute
            yield file.read(length).replace(b'"kairosmode":"replay",', b"", 1)

    def close(self, summary: dict[str, Any]) -> None:
        """Write the summary: the last thing, so that its presence says the report is whole."""
        text = orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (self.folder / SUMMARY).write_bytes(text)


def dead_letter(output: Output) -> tuple[RejectCode, bytes]:
    """Why a record is dead, and its line: its bytes and headers as they came, without what ingest and engine added."""
    headers, added = [], {}
    for name, value in output.headers:
        if name.startswith(ERRORS):
            # one of the sender's own may lack content; ours come last
            added[name.removeprefix(ERRORS)] = (value or b"").decode(errors="replace")
        elif name != SOURCE:
            headers.append((name, value))
    why = Reject(RejectCode(added["code"]), added["path"], added["text"])
    return why.code, dead_line(output.key, headers, output.value, why, added["stage"], _origin(added))


def _origin(added: dict[str, str]) -> str:
    if "topic" not in added:
        return ""
    order = Order.WALL if added["topic"] in SOURCES else Order.SEQUENCED
    where = Coordinates(added["topic"], int(added["partition"]), 0, int(added["offset"]), int(added["timestamp"]), order)
    return origin_text(where)


# The summary


class Totals(NamedTuple):
    """A finished replay in figures.

    Attributes:
        seconds: Wall time of reading, deciding and writing.
    """

    pack: Pack
    counts: Counts
    customers: int
    seconds: float


def summary(totals: Totals, tally: Tally, fingerprint: str) -> dict[str, Any]:
    """What `summary.json` holds. Only `seconds` and `events_per_second` differ between two runs over the same log."""
    events, spec = events_of(totals.counts), totals.pack.spec
    return {
        "pack": spec.name,
        "pack_version": spec.version,
        "pack_digest": totals.pack.digest,
        "engine": __version__,
        "events": events,
        "customers": totals.customers,
        "seconds": round(totals.seconds, 3),
        "events_per_second": round(events / totals.seconds) if totals.seconds else 0,
        **read(totals.counts, events),
        **brought_about(tally),
        "digest": fingerprint,
    }


def read(counts: Counts, events: int) -> dict[str, Any]:
    """What became of the records, one outcome each."""
    outcomes = {outcome.value: counts["outcome", outcome.value] for outcome in Outcome}
    # held events of an old log whose recorded time no tick has proven complete: a journal range that ends early
    waiting = events - sum(outcomes.values())
    return {
        "outcomes": {**outcomes, "waiting": waiting},
        "reconciled": waiting == 0,
        "filtered": labelled(counts, "filtered"),
        "unhandled": labelled(counts, "unhandled"),
        "unknown_fields": labelled(counts, "unknown_fields"),
        "candidates": sum(labelled(counts, "candidate").values()),
    }


def brought_about(tally: Tally) -> dict[str, Any]:
    """What came out: triggers, refusals, dead letters."""
    return {
        "triggers": sum(tally.triggers.values()),
        "triggers_by_type": dict(sorted(tally.triggers.items())),
        "suppressed": sum(tally.suppressed.values()),
        "suppressed_by_type": {
            kind: {"count": tally.suppressed[kind], "reasons": dict(sorted(reasons.items()))}
            for kind, reasons in sorted(tally.reasons.items())
        },
        "dead_letters": sum(tally.rejects.values()),
        "rejects": dict(sorted(tally.rejects.items())),
    }


def events_of(counts: Counts) -> int:
    """How many records were read, those that came twice included."""
    return sum(labelled(counts, "read").values())


def labelled(counts: Counts, name: str) -> dict[str, int]:
    """The counts of one name by their label, sorted."""
    return {key[1]: number for key, number in sorted(counts.items()) if key[0] == name and len(key) == 2}
