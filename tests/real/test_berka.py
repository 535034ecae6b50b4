"""What the engine counts in Berka is what others counted in it, and what a plain loop finds there, account by account."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream.domain.days import stamp
from stream.packs import loader
from stream.packs.spec import Pack, PackSpec
from stream.shell import reports
from stream.wire.outputs import payload_type
from stream.wire.registry import MAJOR
from tests.real import berka, told
from tests.real.berka import PRAGUE, Row
from tests.real.told import Found, Told, places

pytestmark = pytest.mark.real
PACK = Path(__file__).with_name("berka.yaml")
ROWS = 46_997
CROSSINGS = {50_000: ((2549, 581), (2392, 562)), 100_000: ((133, 94), (128, 91))}
"""Threshold: upward crossings and in how many accounts, downward the same. Counted by others (see the data's README)."""
SILENCES = {30: 501, 45: 246, 60: 196, 90: 165}
"""Ended silences of more than so many dates."""
PENSIONS = {1: 213, 2: 205, 3: 203}
"""Accounts with at least so many pension credits."""

Accounts = dict[str, list[Row]]
"""The bookings of each account in their order."""


@pytest.fixture(scope="module")
def by_replay(lines: list[bytes]) -> Told:
    """The whole log through the pack of this folder."""
    return told.replayed(loader.load(PACK), lines)


@pytest.fixture(scope="module")
def by_kafka(lines: list[bytes], broker: str, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The same through Kafka with two workers."""
    return told.published(broker, PACK, lines, tmp_path_factory.mktemp("workers"))


@pytest.fixture(scope="module", params=["by_replay", pytest.param("by_kafka", marks=pytest.mark.kafka)])
def found(request: pytest.FixtureRequest, bookings: list[Row]) -> Told:
    """What was told, either way."""
    result: Told = request.getfixturevalue(request.param)
    return result


@pytest.fixture(scope="module")
def accounts(bookings: list[Row]) -> Accounts:
    """For plain loops."""
    return berka.booked(bookings)


# What others counted


@pytest.mark.parametrize("level", CROSSINGS)
def test_crossings_are_those_that_others_counted(found: Told, level: int) -> None:
    """A ladder of one band at each date's close, from zero, without hysteresis or dwell."""
    ups, downs = found.of("tier.upgraded", tier_to=str(level)), found.of("tier.downgraded", tier_from=str(level))

    counted = tuple((len(each), len({one["subject"] for one in each})) for each in (ups, downs))

    assert counted == CROSSINGS[level]


@pytest.mark.parametrize("days", SILENCES)
def test_ended_silences_are_those_that_others_counted(found: Told, days: int) -> None:
    """More than so many dates without anything that the customer started, and then something."""
    assert len(ended(found, days)) == SILENCES[days]


def ended(found: Told, days: int) -> list[Found]:
    """Ends of silences, told by the rule that waits so many dates."""
    return places(each for each in found.of("dormancy.ended") if each["data"]["episode"]["key"].endswith(f"|{days}"))


def test_pensions_start_in_the_accounts_that_others_counted(found: Told) -> None:
    """A rhythm starts once in each; a sequence of two completes with every pension but the first."""
    first, again = (Counter(each["subject"] for each in found.of(f"payroll.{kind}")) for kind in ("started", "leaking"))

    counted = {1: len(first), 2: len(again), 3: sum(count >= 2 for count in again.values())}

    assert counted == PENSIONS


def test_first_second_and_third_pension_are_counted_once(lines: list[bytes]) -> None:
    """A count over the account's life passes each number once."""
    found = told.replayed(counting_pensions(), (line for line in lines if b'"PENS"' in line))

    counted = Counter(each["data"]["details"]["count"] for each in found.triggers)

    assert (counted, len(found.outputs)) == (PENSIONS, len(found.triggers))


def counting_pensions() -> Pack:
    """A pack of one rule. Made here, since no trigger type of today can say a count that has no end."""
    telling = {"topic": "t", "purpose": "service", "talk_track": "t", "zh": "{count}", "en": "{count}"}
    rule = {
        "mechanism": "count",
        "inputs": [{"on": "txn.entry.posted", "where": [{"field": "purpose", "in": ["PENS"]}]}],
        "period": "lifetime",
        "targets": [{"moment": "nth", "number": number} for number in PENSIONS],
        "emits": {"nth": {"type": "points.double_earned", **telling}},
    }
    whole = {"name": "pensions", "version": 1, "zone": "Europe/Prague", "currency": "CZK", "rules": {"pensions": rule}}
    spec = PackSpec.model_validate(whole)
    return Pack(spec=spec, digest=loader.digest(spec))


# What else must hold


def test_every_candidate_is_a_trigger_of_its_type(found: Told) -> None:
    """Nothing is refused, nothing is dead."""
    assert len(found.outputs) == len(found.triggers) > 0
    for each in found.triggers:
        msgspec.convert(each["data"], shape(each["type"]))


@cache
def shape(wire_type: str) -> Any:
    """The type of a trigger's data."""
    return payload_type(wire_type.removesuffix(MAJOR))


@pytest.mark.kafka
def test_two_workers_and_the_replay_tell_the_same_bytes(by_kafka: Told, by_replay: Told) -> None:
    """Byte for byte in sorted order, and so the same digest; only the mode differs."""
    live, again = (sorted(map(reports.canonical, each.outputs)) for each in (by_kafka, by_replay))

    assert live == again
    assert reports.digest(by_kafka.outputs) == reports.digest(by_replay.outputs)
    assert {each["kairosmode"] for each in by_kafka.triggers} == {"live"}


# What a plain loop finds


def crossings(accounts: Accounts, level: int) -> tuple[list[Found], list[Found]]:
    """Upward and downward crossings of a threshold from one date's close to the next; the first comes from zero."""
    ups: list[Found] = []
    downs: list[Found] = []
    for account, own in accounts.items():
        above = False
        for day, balance in {row.day: row.balance for row in own}.items():
            if (balance >= level * 100) is not above:
                above = not above
                (ups if above else downs).append((f"A{account}", stamp(PRAGUE.close(day))))
    return sorted(ups), sorted(downs)


@pytest.mark.parametrize("level", CROSSINGS)
def test_crossings_are_those_of_a_plain_loop(by_replay: Told, accounts: Accounts, level: int) -> None:
    """The same accounts at the same closes."""
    ups, downs = crossings(accounts, level)

    assert places(by_replay.of("tier.upgraded", tier_to=str(level))) == ups
    assert places(by_replay.of("tier.downgraded", tier_from=str(level))) == downs


@pytest.mark.parametrize("days", SILENCES)
def test_silences_are_those_of_a_plain_loop(by_replay: Told, accounts: Accounts, days: int) -> None:
    """The same accounts, ended on the same dates, and told when the last silent date was over."""
    silent: list[Found] = []
    over: list[Found] = []
    for account, own in accounts.items():
        acts = sorted({row.day for row in own if row.label not in berka.NOT_OWN})
        for last, following in zip(acts, [*acts[1:], None], strict=True):
            until = following or berka.LAST + 1
            if until - last > days:
                silent.append((f"A{account}", stamp(PRAGUE.close(last + days))))
                over += [(f"A{account}", stamp(PRAGUE.start(following)))] if following else []

    assert ended(by_replay, days) == sorted(over)
    assert places(by_replay.of("dormancy.entered", silence_days=days)) == sorted(silent)


def test_the_log_holds_every_row_to_the_last_whole_date(bookings: list[Row], lines: list[bytes]) -> None:
    """As many as the data's README says, and no more than one line each."""
    assert (len(bookings), len(lines), max(row.day for row in bookings)) == (ROWS, ROWS, berka.LAST)


def test_without_its_sequence_the_log_crosses_falsely(bookings: list[Row]) -> None:
    """The trap of the data: as filed, a date does not end with its last booking. A tenth of the accounts shows it."""
    few = [row for row in bookings if row.account.endswith("7")]
    pack = loader.load(PACK)
    ups, _ = crossings(berka.booked(few), 50_000)

    ordered = told.replayed(pack, berka.log(few))
    unordered = told.replayed(pack, berka.log(few, numbered=lambda place: 0))

    assert places(ordered.of("tier.upgraded", tier_to="50000")) == ups
    assert places(unordered.of("tier.upgraded", tier_to="50000")) != ups
