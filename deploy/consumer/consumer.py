"""A campaign engine's side of the trigger contract, as small as it gets: it acts on every trigger once, whatever dies.

It knows nothing of Kairos but docs/campaign-engines.md, and needs confluent-kafka only. Copy it; replace `act`.

    python consumer.py acted.db --brokers 127.0.0.1:9092 --topics '^out\\.trigger\\..*'

Delivery: Kafka brings a record again after a crash, so once is made here: that we have acted, and the act, are one transaction
of one store. What cannot be in that transaction (a push, a letter) is written into an outbox and sent from there with the
trigger's id as the key of idempotency. Several processes of a group share one store.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException

KEEP = 45 * 86_400
"""Seconds that an id is kept: the journal's retention and the trigger topics' (30 and 14 days by default), and a day."""
TYPES = frozenset([
    "activation.zero_asset_new.v1", "dormancy.ended.v1", "dormancy.entered.v1", "dormancy.entering.v1", "journey.abandoned.v1",
    "funds.significant_inflow.v1", "payroll.leaking.v1", "payroll.missed.v1", "payroll.started.v1", "points.almost_double.v1",
    "points.double_earned.v1", "tier.approaching.v1", "tier.at_risk.v1", "tier.downgraded.v1", "tier.upgraded.v1",
])  # fmt: skip
"""What this engine knows to act on, as `ce_type` says it (with the deployment's type prefix, where it has one)."""
TABLES = """
create table if not exists acted (id text primary key, at integer not null);
create index if not exists acted_at on acted (at);
create table if not exists outbox (id text, type text, subject text, text_zh text, text_en text, expires_at text);
"""


def act(store: sqlite3.Connection, ident: str, kind: str, data: dict[str, Any]) -> None:
    """What a trigger is for. Writes through ``store`` only, so that it is undone together with the id."""
    message, expires = data["message"], data["channel"]["expires_at"]
    row = (ident, kind, data["subject"]["ref"], message["reason_text_zh"], message["reason_text_en"], expires)
    store.execute("insert into outbox values (?, ?, ?, ?, ?, ?)", row)


def take(store: sqlite3.Connection, record: Any, now: float) -> str:
    """Act on a record unless there is a reason not to; what became of it. Call it in a transaction of the store.

    Args:
        now: Seconds since 1970, for `expires_at`.
    """
    headers = {name: (text or b"").decode() for name, text in record.headers() or ()}
    if headers.get("ce_kairosmode") != "live":
        return "replayed"
    if headers["ce_type"] not in TYPES:
        # another version, or a type that came later, such as a retraction: nothing for us, and no error
        return "unknown"
    data = json.loads(record.value())
    expires = data["channel"]["expires_at"]
    if expires is not None and datetime.fromisoformat(expires).timestamp() <= now:
        return "expired"
    added = store.execute("insert or ignore into acted values (?, ?)", (headers["ce_id"], record.timestamp()[1] // 1000))
    if not added.rowcount:
        return "known"
    act(store, headers["ce_id"], headers["ce_type"], data)
    return "acted"


def prune(store: sqlite3.Connection, now: float) -> None:
    """Forget ids that cannot come back, by the time of their records; a record's clock that runs ahead forgets nothing."""
    (newest,) = store.execute("select max(at) from acted").fetchone()
    store.execute("delete from acted where at < ?", (min(newest or 0, now) - KEEP,))


def work(store: sqlite3.Connection, consumer: Any, records: Iterable[Any], now: float) -> Counter[str]:
    """A batch: acted on in one transaction of the store, then its offsets. A crash in between brings it again, as known."""
    done: Counter[str] = Counter()
    with store:
        for record in records:
            if (error := record.error()) is not None:
                raise KafkaException(error)
            done[take(store, record, now)] += 1
        prune(store, now)
    if done:
        try:
            consumer.commit(asynchronous=False)
        except KafkaException as error:
            # not lost: the next commit says it, too, and what comes again meanwhile is known
            print(f"offsets not committed: {error}", file=sys.stderr)
    return done


def main(clock: Callable[[], float] = time.time) -> None:
    """Until it is ended, in any way."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("store", help="SQLite file")
    asked.add_argument("--brokers", default="127.0.0.1:9092")
    asked.add_argument("--group", default="campaigns")
    asked.add_argument("--topics", default=r"^out\.trigger\..*", help="regular expression; with the deployment's prefix")
    asked.add_argument("--as-of", type=datetime.fromisoformat, help="judge expires_at by this instant: for an old log")
    asked.add_argument("--set", action="append", default=[], help="name=value of the client, for TLS and logins")
    given = asked.parse_args()
    options = {"bootstrap.servers": given.brokers, "group.id": given.group, "enable.auto.commit": False}
    options |= {"isolation.level": "read_committed", "auto.offset.reset": "earliest"}
    consumer = Consumer(options | dict(pair.split("=", 1) for pair in given.set))
    consumer.subscribe([given.topics])
    with closing(sqlite3.connect(given.store, timeout=30)) as store:
        store.executescript(TABLES)
        while True:
            now = clock() if given.as_of is None else given.as_of.timestamp()
            if done := work(store, consumer, consumer.consume(500, 0.5), now):
                print(dict(done), flush=True)


if __name__ == "__main__":
    main()
