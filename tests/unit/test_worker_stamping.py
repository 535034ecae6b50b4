"""Law: ingest routes and stamps, judges nothing, and stamps the same bytes on the same record."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from aiokafka.partitioner import DefaultPartitioner

from stream.domain.events import Order
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import Mark
from stream.shell.kafka.stamping import END, SO_FAR, JournalRecord, Router, Stamper, Tick

WALL = SourceTopic("in.txn", "bank1.in.txn", incarnation=2)
NOTHING = Mark(None, False)
RECORDED = SourceTopic("in.txn", "bank1.in.txn", order=Order.RECORDED)


class Consumed(NamedTuple):
    """What aiokafka hands over, as far as it is used."""

    offset: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int = 1767576600000
    key: bytes | None = b"any key"


def binary(offset: int, subject: str = "C1", recorded: str | None = None) -> Consumed:
    fields = [("ce_specversion", b"1.0"), ("ce_subject", subject.encode())]
    if recorded is not None:
        fields.append(("ce_recordedtime", recorded.encode()))
    return Consumed(offset, b"{}", tuple(fields))


def stamped(records: list[Consumed], source: SourceTopic = WALL, mark: Mark = NOTHING) -> list[JournalRecord]:
    into: dict[int, list[JournalRecord]] = {}
    Stamper(source, 3, Router(1), mark).stamp(records, into)
    return into.get(0, [])


def coordinates(records: list[JournalRecord]) -> list[bytes]:
    return [headers[-1][1] for _, _, headers in records]


def test_value_and_headers_pass_and_the_key_is_the_subject() -> None:
    [(key, value, headers)] = stamped([binary(1187)])

    assert (key, value) == (b"C1", b"{}")
    assert headers[:-1] == [("ce_specversion", b"1.0"), ("ce_subject", b"C1")]
    assert headers[-1] == ("kairos_src", b"in.txn|3|2|1187|1767576600000|w")


def test_a_source_cannot_forge_our_headers() -> None:
    forged = Consumed(1, b"", (("kairos_tick", b"{}"), ("kairos_src", b"in.txn|0|0|9|9|w"), ("mine", b"1")))
    [(_, _, headers)] = stamped([forged])

    assert [name for name, _ in headers] == ["mine", "kairos_src"]


def test_structured_records_are_routed_by_the_subject_inside() -> None:
    [(key, _, _)] = stamped([Consumed(1, b'{"specversion":"1.0","subject":"C7"}', ())])

    assert key == b"C7"


def test_without_subject_the_source_partition_decides() -> None:
    into: dict[int, list[JournalRecord]] = {}
    broken = [Consumed(1, b"\xff not JSON", ()), Consumed(2, None, ())]
    Stamper(WALL, 6, Router(4), Mark(None, False)).stamp(broken, into)

    assert {partition: [key for key, _, _ in found] for partition, found in into.items()} == {2: [None, None]}


def test_partitions_are_those_of_every_other_kafka_client() -> None:
    router, everybody = Router(7), DefaultPartitioner()
    keys = [b"C%07d" % number for number in range(500)]

    assert [router.of(key) for key in keys] == [everybody(key, list(range(7)), list(range(7))) for key in keys]
    assert len({router.of(key) for key in keys}) == 7


def test_recorded_time_is_made_never_to_go_back() -> None:
    times = ["1970-01-01T00:00:05Z", "1970-01-01T00:00:03Z", None, "no time", "1970-01-01T00:00:06Z"]
    found = stamped([binary(n, recorded=text) for n, text in enumerate(times)], RECORDED)

    assert [text.split(b"|")[4:] for text in coordinates(found)] == [
        [b"5000", b"r"], [b"5000", b"r"], [b"5000", b"r"], [b"5000", b"r"], [b"6000", b"r"],
    ]  # fmt: skip


def test_headers_without_value_are_no_accident() -> None:
    """Kafka has headers that are null."""
    nulls: Any = tuple((name, None) for name in ("ce_specversion", "ce_subject", "ce_recordedtime", "mine"))
    ends: Any = ((END, None),)
    found = stamped([Consumed(1, b"{}", nulls), Consumed(2, None, ends, key=None)], RECORDED)

    assert [text.split(b"|")[3:] for text in coordinates(found)] == [[b"1", b"0", b"r"]]
    assert len(stamped([Consumed(1, b"{}", nulls)])) == 1


def test_recorded_time_goes_on_from_the_commit() -> None:
    [text] = coordinates(stamped([binary(9)], RECORDED, Mark(4000, False)))

    assert text == b"in.txn|3|0|9|4000|r"


def test_recorded_time_of_a_structured_record_is_inside() -> None:
    inside = b'{"specversion":"1.0","subject":"C7","recordedtime":"1970-01-01T00:00:07Z"}'
    [text] = coordinates(stamped([Consumed(1, inside, ())], RECORDED))

    assert text.split(b"|")[4] == b"7000"


def test_how_far_a_log_has_come_is_remembered_and_not_journaled() -> None:
    stamper = Stamper(RECORDED, 0, Router(1), Mark(4000, False))
    into: dict[int, list[JournalRecord]] = {}
    stamper.stamp([Consumed(5, None, ((SO_FAR, b"8000"),), key=None), binary(6)], into)

    assert (coordinates(into[0]), stamper.mark) == ([b"in.txn|0|0|6|8000|r"], Mark(8000, False))


def test_the_end_marker_is_remembered_and_not_journaled() -> None:
    stamper = Stamper(RECORDED, 0, Router(1), Mark(4000, False))
    into: dict[int, list[JournalRecord]] = {}
    stamper.stamp([Consumed(5, None, ((END, b"8000"),), key=None)], into)

    assert (into, stamper.mark) == ({}, Mark(8000, True))
    stamper.stamp([binary(6, recorded="1970-01-01T00:00:09Z")], into)
    assert stamper.mark == Mark(9000, False), "a log that goes on has not ended"


@pytest.mark.parametrize("name", [END, SO_FAR])
def test_an_event_with_a_marker_on_it_is_an_event(name: str) -> None:
    """Else it would be gone without a trace: neither in the journal nor among the dead letters."""
    event = binary(6, recorded="1970-01-01T00:00:09Z")
    stamper = Stamper(RECORDED, 0, Router(1), Mark(4000, False))
    into: dict[int, list[JournalRecord]] = {}
    stamper.stamp([event._replace(headers=(*event.headers, (name, b"8000")))], into)

    [(_, value, headers)] = into[0]
    assert (value, [each for each, _ in headers]) == (event.value, [*dict(event.headers), "kairos_src"])
    assert stamper.mark == Mark(9000, False)


def test_a_name_does_not_end_at_a_nul() -> None:
    """Some clients read it so, and would take the header for another one."""
    forged = Consumed(1, b"{}", (("ce_specversion", b"1.0"), ("ce_subject", b"C1"), ("ce_subject\0x", b"C2")))
    [(key, _, headers)] = stamped([forged])

    assert (key, headers[2]) == (b"C1", ("ce_subject\\x00x", b"C2"))


def test_a_subject_that_can_be_none_routes_nothing() -> None:
    """However long it is: a megabyte of it would be carried twice, and hashed."""
    long = Consumed(1, b"{}", (("ce_specversion", b"1.0"), ("ce_subject", b"C" * 513)))
    [(key, _, _)] = stamped([long])

    assert key is None


def test_a_tick_is_the_same_bytes_however_it_was_put_together() -> None:
    one = Tick({"in.txn": 5, "in.app": 7}, ["in.party", "in.consent"])
    other = Tick({"in.app": 7, "in.txn": 5}, ["in.consent", "in.party"])

    assert one.record() == other.record()
    assert one.record() == (
        None, b"", [("kairos_tick", b'{"clock":{"in.app":7,"in.txn":5},"idle":["in.consent","in.party"]}')]
    )  # fmt: skip


def test_a_recorded_time_without_a_value_is_none() -> None:
    """Kafka headers may be null; the record goes on to the engine's judgement like any other."""
    null: tuple[tuple[str, bytes], ...] = (("ce_specversion", b"1.0"), ("ce_recordedtime", None))  # type: ignore[assignment]
    records = [binary(1, recorded="2026-01-05T09:30:00.000+08:00"), Consumed(2, b"{}", null)]

    assert [where.split(b"|")[4] for where in coordinates(stamped(records, RECORDED))] == [b"1767576600000"] * 2


def test_a_marker_that_says_no_instant_says_nothing() -> None:
    """Null, text, or more digits than an instant has: a marker of no use, not the end of ingest."""
    for said in (None, b"soon", b"9" * 19, b"9" * 5000):
        marker: tuple[tuple[str, bytes], ...] = ((SO_FAR, said),)  # type: ignore[assignment]
        records = [binary(1, recorded="2026-01-05T09:30:00.000+08:00"), Consumed(2, None, marker, key=None), binary(3)]

        assert [where.split(b"|")[3:5] for where in coordinates(stamped(records, RECORDED))] == [
            [b"1", b"1767576600000"],
            [b"3", b"1767576600000"],
        ]
