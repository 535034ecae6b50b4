"""Law: only an answer that says "aborted" is followed by another attempt, with the same records."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream.domain.errors import DeliveryError
from stream.shell.kafka import sink as sinks
from stream.shell.kafka import world
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.sink import Sink

ABORTABLE = KafkaError(KafkaError.CONCURRENT_TRANSACTIONS, "try again", False, False, True)
RETRIABLE = KafkaError(KafkaError._TIMED_OUT, "slow", False, True, False)
FATAL = KafkaError(KafkaError._FENCED, "another owner", True, False, False)
OVERSIZE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "a record was refused", False, False, True)
FULL = KafkaError(KafkaError._QUEUE_FULL, "wait", False, False, False)
UNKNOWN = KafkaError(KafkaError._STATE, "what now", False, False, False)


class Deciding:
    """A decision with one output and one row."""

    consumed = 1
    counts: Counter[tuple[str, ...]] = Counter()

    class Trigger:
        topic, key, value, headers = "out.trigger.tier", b"C1", b"{}", [("kairosmode", b"live")]

    outputs = [Trigger()]
    rows = [(b"C1", b"row"), (b"\x00ledger", b"7")]


class Written:
    """A delivered message."""

    def offset(self) -> int:
        return 41


class FakeProducer:
    """Librdkafka's transactional producer, answering from a script; writes down every call."""

    script: list[KafkaError | None]
    calls: list[Any]

    def __init__(self, options: dict[str, Any], **_: Any) -> None:
        self.calls = []
        self.trouble: list[Any] = []
        self.full = self.reported = 0
        self.options = options

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, on_delivery: Any, **_: Any) -> None:
        if self.full:
            raise BufferError("queue full")
        self.calls.append((topic, key, value))
        if on_delivery is not None:
            self.reported += 1
            on_delivery(None, Written())

    def produce_batch(self, topic: str, rows: list[dict[str, Any]], on_delivery: Any, **_: Any) -> int:
        if self.trouble:
            trouble = self.trouble.pop()
            rows[0]["_error"] = trouble
            return len(rows) - 1
        if self.full:
            for row in rows:
                row["_error"] = FULL
            return 0
        self.calls += [(topic, row["key"], row["value"]) for row in rows]
        self.reported += len(rows) if on_delivery is not None else 0
        return len(rows)

    def poll(self, _: float) -> None:
        self.calls.append("poll")
        self.full -= 1

    def flush(self, _: float) -> int:
        return 0

    def commit_transaction(self, _: float) -> None:
        self.calls.append("commit")
        fault = self.script.pop(0)
        if fault is not None:
            raise KafkaException(fault)

    def abort_transaction(self, _: float) -> None:
        self.calls.append("abort")


SENT = ["begin", ("b.out.trigger.tier", b"C1", b"{}"), ("b.state", b"C1", b"row"), ("b.state", b"\x00ledger", b"7")]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(world, "Producer", FakeProducer)
    monkeypatch.setattr(world.Real, "sleep", lambda *_: None)
    return []


def scripted(seen: list[str], *answers: KafkaError | None) -> tuple[Sink, FakeProducer]:
    plan = Plan("app", (), 4, topic_prefix="b.")
    sink = Sink(world.Real(), plan, 3, lambda p: seen.append(f"open {p}"), lambda p: seen.append(f"aborted {p}"))
    fake: Any = sink._producer
    fake.script = list(answers)
    return sink, fake


def test_one_transaction_holds_outputs_rows_and_ledger(seen: list[str]) -> None:
    sink, fake = scripted(seen, None)
    sink.commit(Deciding())

    assert (fake.calls, seen, sink.last) == ([*SENT, "commit"], ["open 3"], 41)
    assert fake.options["transactional.id"] == "app-decide-3"


def test_an_aborted_transaction_is_sent_again_as_it_was(seen: list[str]) -> None:
    sink, fake = scripted(seen, ABORTABLE, None)
    sink.commit(Deciding())

    assert fake.calls == [*SENT, "commit", "abort", *SENT, "commit"]
    assert seen == ["open 3", "aborted 3", "open 3"]


def test_only_what_is_sent_again_is_reported_record_by_record(seen: list[str]) -> None:
    """The ledger always is: its offset is asked for."""
    sink, fake = scripted(seen, ABORTABLE, None, None)
    sink.commit(Deciding())
    assert fake.reported == 1 + 3

    sink.commit(Deciding())
    assert fake.reported == 1 + 3 + 1


def test_a_commit_that_fails_for_what_cannot_change_is_not_tried_again(seen: list[str]) -> None:
    sink, fake = scripted(seen, OVERSIZE, None)
    with pytest.raises(KafkaException) as caught:
        sink.commit(Deciding())

    assert caught.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert fake.calls == [*SENT, "commit"]
    assert sink.last is None


def test_a_slow_commit_is_asked_again_not_sent_again(seen: list[str]) -> None:
    sink, fake = scripted(seen, RETRIABLE, RETRIABLE, None)
    sink.commit(Deciding())

    assert fake.calls == [*SENT, "commit", "commit", "commit"]


def test_rows_that_the_client_does_not_take_abort_the_transaction(seen: list[str]) -> None:
    """Seen when a broker is killed under a transaction: the worker sends it again, and lives."""
    sink, fake = scripted(seen, None)
    fake.trouble = [UNKNOWN]
    sink.commit(Deciding())

    assert fake.calls == [*SENT[:2], "abort", *SENT, "commit"]
    assert seen == ["aborted 3", "open 3"]


@pytest.mark.parametrize("full_from", [0, 1], ids=["outputs", "rows"])
def test_a_full_queue_is_waited_for(seen: list[str], monkeypatch: pytest.MonkeyPatch, full_from: int) -> None:
    """A decision of more bytes than the client holds costs time, not the worker; the ledger still comes last."""
    sink, fake = scripted(seen, None)
    monkeypatch.setattr(Deciding, "outputs", Deciding.outputs[full_from:])
    fake.full = 2
    sink.commit(Deciding())

    assert fake.calls == ["begin", "poll", "poll", *SENT[1 + full_from :], "commit"]
    assert seen == ["open 3"]


def test_a_queue_full_of_failures_aborts(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for room behind records that the broker did not take would never end."""
    sink, fake = scripted(seen, None)
    fake.full = 1

    def fail(_: float) -> None:
        fake.full = 0
        sink._delivered(UNKNOWN, Written())

    monkeypatch.setattr(fake, "poll", fail)
    sink.commit(Deciding())

    assert fake.calls == ["begin", "abort", *SENT, "commit"]


def test_a_client_that_slips_is_understood(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It has set a fatal error and returns a number all the same, which Python calls a SystemError."""
    sink, fake = scripted(seen, None)

    def slip(_: float) -> int:
        raise SystemError("returned a result with an exception set") from FATAL

    monkeypatch.setattr(fake, "flush", slip)
    with pytest.raises(KafkaException) as caught:
        sink.commit(Deciding())

    assert caught.value.args[0].fatal()


@pytest.mark.parametrize(("again", "end"), [(FATAL, KafkaException), (None, SystemError)], ids=["fenced", "nobody knows"])
def test_a_client_that_slips_and_forgets_why_is_asked(
    seen: list[str], monkeypatch: pytest.MonkeyPatch, again: KafkaError | None, end: type[Exception]
) -> None:
    """Seen under load when it was fenced: nothing is behind the SystemError. Either way this owner ends."""
    sink, fake = scripted(seen, None)

    def slip(_: float) -> int:
        raise SystemError("returned a result with an exception set")

    def abort(_: float) -> None:
        if again is not None:
            raise KafkaException(again)

    monkeypatch.setattr(fake, "flush", slip)
    monkeypatch.setattr(fake, "abort_transaction", abort)
    with pytest.raises(end):
        sink.commit(Deciding())

    assert sink.last is None
    assert "commit" not in fake.calls


@pytest.mark.parametrize("answer", [FATAL, UNKNOWN], ids=["fenced", "unknown outcome"])
def test_anything_else_is_the_end(seen: list[str], answer: KafkaError) -> None:
    sink, fake = scripted(seen, answer)
    with pytest.raises(KafkaException):
        sink.commit(Deciding())

    assert "abort" not in fake.calls
    assert sink.last is None


def test_patience_ends(seen: list[str]) -> None:
    sink, _ = scripted(seen, *[ABORTABLE] * sinks.ATTEMPTS)
    with pytest.raises(DeliveryError, match="journal partition 3 was aborted"):
        sink.commit(Deciding())
