"""Law: a customer's row that grows without end is seen early, and refused by us before the broker refuses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream.shell.kafka import topics
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.kafka.publish import publish
from stream.shell.kafka.rows import key_hash, largest
from stream.shell.settings import Settings
from tests.builders import START, posting
from tests.integration import cluster
from tests.integration.test_topics import altered
from tests.integration.worker_trial import read

LIMIT = 300_000
RICH, OTHER = "C-RICH", "C-OTHER"


@pytest.fixture
def settings(configured: Callable[..., Settings]) -> Settings:
    made = configured(journal_partitions=1, source_partitions=1, max_row_bytes=LIMIT, chunk=200)
    topics.create(made)
    return made


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[cluster.Workers]:
    made = cluster.Workers(settings, tmp_path / "workers")
    yield made
    made.destroy()


def account(number: int, subject: str = RICH) -> bytes:
    """A posting that says the balance of an account of its own, which the row has to remember."""
    event = posting(START, id=f"{subject}-{number}", subject=subject)
    name = f"{number:06d}" + "A" * 54
    return replace(event, data={**event.data, "account_ref": name, "balance_after": {"amount": "5.00", "ccy": "CNY"}}).line()


def lines(texts: list[bytes]) -> list[tuple[int, bytes, int]]:
    return [(number, text, START) for number, text in enumerate(texts, 1)]


def rows(settings: Settings) -> dict[bytes, int]:
    return {message.key() or b"": len(message.value() or b"") for message in read(settings, topics.STATE)}


def last_words(workers: cluster.Workers) -> dict[str, Any]:
    found = [line for line in workers.log("a").read_bytes().splitlines() if b'"critical"' in line]
    said: dict[str, Any] = msgspec.json.decode(found[-1])
    return said


def test_a_row_beyond_the_limit_ends_the_worker_with_what_to_do_and_nothing_of_it_is_written(
    settings: Settings, workers: cluster.Workers
) -> None:
    """Counted from a quarter megabyte on, refused at the limit, again after a restart; a larger limit lets it go on."""
    texts = [account(number) for number in range(4500)]
    publish(settings, lines([*texts, account(1, OTHER)]), "bank.jsonl")
    workers.start("a")
    assert workers.processes["a"].wait(90) == EXIT_CODE, workers.logs()

    said = last_words(workers)
    assert said["event"] == "a customer's row is too large"
    assert said["key_hash"] == key_hash(RICH.encode())
    assert said["bytes"] > LIMIT == said["limit"]
    assert "KAIROS_MAX_ROW_BYTES" in said["reason"]
    assert RICH not in workers.log("a").read_text()
    written = rows(settings)
    assert 262_144 < written[RICH.encode()] <= LIMIT, "counted before it is refused"
    assert OTHER.encode() not in written
    workers.start("a")
    assert workers.processes["a"].wait(90) == EXIT_CODE, "a restart is no way around"
    assert rows(settings) == written
    shown = cluster.kairos(settings, "rows")
    assert key_hash(RICH.encode()) in shown
    assert RICH not in shown

    workers.settings = settings.model_copy(update={"max_row_bytes": 600_000})
    workers.start("a")
    cluster.decided(settings, lambda ledger: ledger.high.get("in.txn|0|0", 0) >= len(texts), workers)
    [rich, other] = largest(settings, 2)
    assert (rich.key, other.key) == (RICH.encode(), OTHER.encode())
    assert rich.size > said["bytes"]
    assert workers.counted("a", "kairos_rows_oversize_total") > 0
    assert workers.terminate() == {"a": 0}, workers.logs()


def test_a_state_topic_without_room_for_the_largest_row_is_told_before_anything_is_lost(
    configured: Callable[..., Settings],
) -> None:
    """Of a topic that was narrowed, and of a limit that was raised; room for the rows alone is enough."""
    settings = configured()
    topics.create(settings)
    altered(settings, "state", max_message_bytes=str(1_048_576 + 64 * 1024))
    assert topics.check(settings) == []

    altered(settings, "state", max_message_bytes="1048576")
    [fault] = topics.check(settings)
    assert "state: max.message.bytes 1048576 has no room for a row of 1048576 (max_row_bytes)" in fault
    altered(settings, "state", max_message_bytes="2097152")
    [fault] = topics.check(settings.model_copy(update={"max_row_bytes": 4_000_000}))
    assert "no room for a row of 4000000" in fault


def test_topics_are_made_with_room_for_larger_rows(configured: Callable[..., Settings]) -> None:
    settings = configured(max_row_bytes=6_000_000)
    topics.create(settings)

    assert topics.check(settings) == []
