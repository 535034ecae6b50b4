"""Kairos: `kairos run` with job J as a pack. Keyed, the journal is written directly; with ingest, a source topic is.

The core is that of `make compiled`, but of `Sources`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from math import exp
from typing import Any

import orjson
from confluent_kafka import Message

from stream.engine.engine import SOURCE, Engine
from stream.packs import loader
from stream.shell.kafka import topics
from stream.shell.settings import Settings
from stream.wire.instants import Instants
from tests.bench.jobj import log, wires
from tests.bench.jobj.contenders.contender import ROOT, Contender, Run
from tests.bench.jobj.contenders.faust import Faust
from tests.bench.jobj.wires import Record
from tests.integration.cluster import KAIROS, environment

PACK = log.Path(__file__).parents[1] / "pack"
KEYED = "keyed"
"""Where the journal's records come from: no source of a deployment, or its topic would be held against what was decided."""
FLOWS = {"in30": ("f_in_30", 30), "out30": ("f_out_30", 30), "in90": ("f_in_90", 90), "out90": ("f_out_90", 90)}


class Kairos(Contender):
    """Decide alone: somebody has keyed the input and written it as the journal."""

    once = True
    pace = 20_000
    core = ROOT / "build" / "compiled"

    def __init__(self, name: str, title: str, keyed: bool = True, instance: str | None = "a") -> None:
        super().__init__(name, title, committed=True, keyed=keyed)
        self.instance = instance

    def settings(self, run: Run) -> Settings:
        """One worker, two partitions, all else as it comes."""
        return Settings(
            brokers=run.brokers,
            app_id=run.name,
            instance_id=self.instance,
            topic_prefix=f"{run.name}.",
            pack=str(PACK),
            journal_partitions=log.PARTITIONS,
            source_partitions=log.PARTITIONS,
            metrics_port=0,
        )

    def prepare(self, run: Run) -> None:
        """All topics of a deployment."""
        topics.create(self.settings(run))

    def source(self, run: Run) -> str:
        """The journal."""
        return f"{run.name}.journal"

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """With the source coordinates that ingest would have stamped on them."""
        offsets = [0] * log.PARTITIONS
        parse = Instants().parse
        for record in super().records(lines):
            place, value = record.partition, record.value
            time = value.index(b'"time":"') + 8
            recorded = parse(value[time : value.index(b'"', time)].decode())
            stamp = f"{KEYED}|{place}|0|{offsets[place]}|{recorded}|w"
            offsets[place] += 1
            yield record._replace(headers=[(SOURCE, stamp.encode())])

    def command(self, run: Run) -> list[str]:
        """The product's own command."""
        return list(KAIROS)

    def missing(self) -> str | None:
        """The compiled core."""
        return None if (self.core / "stream").is_dir() else "make compiled comes first"

    def environment(self, run: Run) -> dict[str, str]:
        """Its settings, and where its core is."""
        return environment(self.settings(run)) | {"PYTHONPATH": os.pathsep.join(map(str, dict.fromkeys((self.core, ROOT))))}

    def outputs(self, run: Run) -> list[str]:
        """The two families of the pack."""
        return [f"{run.name}.out.trigger.{family}" for family in ("tier", "funds")]

    def ident(self, message: Message) -> str:
        """From type, subject and episode key."""
        kind = dict(message.headers())["ce_type"].decode().removesuffix(".v1")
        return f"{kind}|{message.key().decode()}|{orjson.loads(message.value())['episode']['key']}"

    def states(self, run: Run, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """Rows of the state topic, decoded."""
        rows = wires.latest(run.brokers, f"{run.name}.state")
        return {subject: figures(raw) for subject in subjects if (raw := rows.get(subject.encode()))}


class Part(Kairos):
    """The same over the part of the log that Faust gets, where triggers are dense."""

    pace = Faust.pace


class Sources(Kairos):
    """The same without a compiled core."""

    pace = 15_000
    core = ROOT


class Ingesting(Kairos):
    """Ingest and decide: the source is keyed by account; Kairos brings each customer's events together."""

    def __init__(self, name: str, title: str) -> None:
        super().__init__(name, title, keyed=False)

    def source(self, run: Run) -> str:
        """The bank's topic."""
        return f"{run.name}.in.txn"

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """As they come."""
        return Contender.records(self, lines)


class Pair(Kairos):
    """Two workers under one command; they share the journal's partitions."""

    def command(self, run: Run) -> list[str]:
        """Two processes in one session, so that both count."""
        return [*super().command(run), "--workers", "2"]

    def settled(self, run: Run) -> bool:
        """The first to come had all of it for a moment."""
        told = (run.where / "contender.log").read_bytes()
        return all(b'"partitions": ["%d"]' % number in told for number in range(log.PARTITIONS))


@lru_cache(1)
def engine() -> Engine:
    """For its codec."""
    return Engine(loader.load(str(PACK)))


def figures(raw: bytes) -> dict[str, Any]:
    """Job J's figures of a row. Each flow stands as of its own last event: it fades on to the last of all."""
    codec = engine().codec
    row = codec.decode(raw)
    flows = {name: (codec.state(row, slot) or codec.empty(slot), days) for name, (slot, days) in FLOWS.items()}
    amounts, ladder = codec.state(row, "f_amounts"), codec.state(row, "r_tier")
    at = amounts.at
    faded = {name: flow.value * exp((flow.at - at) / (days * 86_400_000)) for name, (flow, days) in flows.items()}
    own = {"mean": amounts.mean, "squares": amounts.squares, "count": amounts.count}
    return {**faded, **own, "at": at, "aum": ladder.value, "tier": ladder.band}
