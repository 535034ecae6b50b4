"""Law: the reference consumer acts on every live trigger once, whatever comes again and wherever it dies."""

from __future__ import annotations

import importlib.util
import inspect
import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream.shell.settings import Settings
from stream.wire.examples import triggers
from stream.wire.outputs import TRIGGERS

ROOT = Path(__file__).parents[2]
PROGRAM, CONTRACT = ROOT / "deploy" / "consumer" / "consumer.py", ROOT / "docs" / "campaign-engines.md"
BEGIN, END = "<!-- consumer -->\n", "<!-- /consumer -->"
NOW = 1_767_576_600.0
DAY = 86_400


def loaded() -> Any:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("reference_consumer", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


consumer = loaded()


class Trigger(NamedTuple):
    """A record of a trigger topic, as the client hands it over."""

    ident: str
    kind: str = "tier.approaching.v1"
    mode: str = "live"
    expires: str | None = "2026-01-12T01:30:00.000Z"
    at: float = NOW
    fault: KafkaError | None = None

    def headers(self) -> list[tuple[str, bytes | None]]:
        told = {"ce_id": self.ident, "ce_type": self.kind, "ce_kairosmode": self.mode}
        return [*((name, text.encode()) for name, text in told.items()), ("traceparent", None)]

    def value(self) -> bytes:
        data = triggers("tier.approaching")["examples"][0]["data"]
        return json.dumps({**data, "channel": {"expires_at": self.expires}, "of_a_later_version": 1}).encode()

    def timestamp(self) -> tuple[int, int]:
        return 1, int(self.at * 1000)

    def error(self) -> KafkaError | None:
        return self.fault


class Died(BaseException):
    """The process is gone."""


class Group:
    """The client's commits; dies, or fails, when told to."""

    def __init__(self) -> None:
        self.commits = 0
        self.trouble: BaseException | None = None

    def commit(self, asynchronous: bool) -> None:
        assert not asynchronous
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        self.commits += 1


class Campaigns(NamedTuple):
    """A store file and a group; every call of `see` is a process of its own."""

    path: Path
    group: Group

    def see(self, *records: Trigger, now: float = NOW) -> Counter[str]:
        store = sqlite3.connect(self.path)
        try:
            store.executescript(consumer.TABLES)
            done: Counter[str] = consumer.work(store, self.group, records, now)
            return done
        finally:
            store.close()

    def ask(self, question: str) -> list[Any]:
        store = sqlite3.connect(self.path)
        try:
            return [row[0] for row in store.execute(question)]
        finally:
            store.close()

    @property
    def acted(self) -> list[str]:
        return self.ask("select id from outbox order by rowid")


@pytest.fixture
def campaigns(tmp_path: Path) -> Campaigns:
    return Campaigns(tmp_path / "acted.db", Group())


def test_what_comes_again_in_any_order_is_acted_on_once(campaigns: Campaigns) -> None:
    dice, sent = random.Random(3), [Trigger(f"T{number}") for number in range(60)]
    campaigns.see(*sent[:30])
    for _ in range(10):
        campaigns.see(*dice.choices(sent, k=40))
    campaigns.see(*reversed(sent), *sent)

    assert sorted(campaigns.acted) == sorted(one.ident for one in sent)
    assert campaigns.group.commits == 12


def test_a_crash_between_the_act_and_the_offsets_doubles_nothing(campaigns: Campaigns) -> None:
    campaigns.group.trouble = Died()
    with pytest.raises(Died):
        campaigns.see(Trigger("T1"), Trigger("T2"))

    assert campaigns.see(Trigger("T1"), Trigger("T2"), Trigger("T3")) == {"known": 2, "acted": 1}
    assert campaigns.acted == ["T1", "T2", "T3"]


def test_a_crash_before_the_act_loses_nothing(campaigns: Campaigns, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id is undone together with the act, and so is all that was done in the same batch."""

    def dies(store: Any, ident: str, *_: Any) -> None:
        store.execute("insert into outbox (id) values (?)", (ident,))
        if ident == "T2":
            raise Died

    with monkeypatch.context() as patched:
        patched.setattr(consumer, "act", dies)
        with pytest.raises(Died):
            campaigns.see(Trigger("T1"), Trigger("T2"))
    assert campaigns.acted == []
    assert campaigns.group.commits == 0

    campaigns.see(Trigger("T1"), Trigger("T2"))
    assert campaigns.acted == ["T1", "T2"]


def test_offsets_that_cannot_be_committed_now_are_no_reason_to_stop(campaigns: Campaigns) -> None:
    campaigns.group.trouble = KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
    campaigns.see(Trigger("T1"))
    campaigns.see(Trigger("T1"), Trigger("T2"))

    assert campaigns.acted == ["T1", "T2"]


def test_a_fault_of_the_client_stops_it_before_anything_of_the_batch(campaigns: Campaigns) -> None:
    with pytest.raises(KafkaException):
        campaigns.see(Trigger("T1"), Trigger("", fault=KafkaError(KafkaError._MAX_POLL_EXCEEDED)))

    assert campaigns.acted == []
    assert campaigns.group.commits == 0


def test_replays_unknown_types_and_other_versions_are_passed_over(campaigns: Campaigns) -> None:
    """A retraction is one of the types that may come."""
    others = ("tier.approaching.v2", "tier.approaching.retracted.v1", "arbitration.held.v1", "x")
    seen = campaigns.see(Trigger("T1", mode="replay"), *(Trigger(f"U{n}", kind) for n, kind in enumerate(others)))

    assert seen == {"replayed": 1, "unknown": len(others)}
    assert campaigns.acted == campaigns.ask("select id from acted") == []
    assert campaigns.see(Trigger("T1")) == {"acted": 1}, "what was dropped is not known"


def test_what_has_expired_is_not_sent_and_what_never_expires_is(campaigns: Campaigns) -> None:
    last = Trigger("T1", expires="2026-01-05T01:30:00.000Z")

    assert campaigns.see(last, Trigger("T2", expires=None), now=NOW) == {"expired": 1, "acted": 1}
    assert campaigns.see(last, now=NOW - 1) == {"acted": 1}


def test_ids_are_kept_for_their_time_by_the_time_of_the_records(campaigns: Campaigns) -> None:
    """45 days: the retention of journal and topics together, and a day."""
    campaigns.see(Trigger("T1", expires=None, at=NOW))
    campaigns.see(Trigger("T2", expires=None, at=NOW + 45 * DAY), now=NOW + 45 * DAY)
    assert campaigns.ask("select id from acted order by at") == ["T1", "T2"]
    campaigns.see(Trigger("T3", expires=None, at=NOW + 46 * DAY), now=NOW + 60 * DAY)
    assert campaigns.ask("select id from acted order by at") == ["T2", "T3"]


def test_a_record_from_the_future_makes_nothing_forgotten(campaigns: Campaigns) -> None:
    campaigns.see(Trigger("T1"))
    campaigns.see(Trigger("T2", at=NOW + 400 * DAY))

    assert campaigns.see(Trigger("T1")) == {"known": 1}


def test_it_knows_all_types_of_today() -> None:
    assert {f"{kind}.v1" for kind in TRIGGERS} == consumer.TYPES


def test_it_stays_small_and_needs_nothing_of_ours() -> None:
    text = PROGRAM.read_text()

    assert len(text.splitlines()) < 120
    assert "stream" not in text


def heart() -> str:
    """The part of the program that the contract shows."""
    return "```python\n" + "\n\n".join(inspect.getsource(part) for part in (consumer.take, consumer.work)) + "```\n"


def test_the_contract_shows_the_program_as_it_is() -> None:
    """`make readme` writes it anew. How long ids are kept is said in both."""
    text = CONTRACT.read_text()

    assert text.partition(BEGIN)[2].partition(END)[0] == heart()
    assert f"{consumer.KEEP // DAY} days" in text
    assert f"A program of {len(PROGRAM.read_text().splitlines())} lines" in text


def test_ids_are_kept_as_long_as_the_retentions_of_today_can_bring_them_back() -> None:
    usual = Settings()

    assert usual.journal_retention_days + usual.output_retention_days + 1 == consumer.KEEP // DAY


if __name__ == "__main__":
    before, _, rest = CONTRACT.read_text().partition(BEGIN)
    CONTRACT.write_text(before + BEGIN + heart() + END + rest.partition(END)[2])
