"""What the simulated bank contains: payrolls, festivals, tiers, journeys, the bad lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import orjson
import pytest

from stream.domain.days import in_month, month, parse, text
from stream.domain.events import Coordinates, Event, Order, Reject
from stream.domain.money import minor
from stream.domain.reasons import RejectCode
from stream.simulator import Bank, poison
from stream.simulator.acts import Move, Posting
from stream.simulator.births import born
from stream.simulator.dice import between, mix, pick, spread
from stream.simulator.personas import PERSONAS
from stream.simulator.season import after_workdays, appetite, is_workday, payday, to_festival
from stream.simulator.spending import HABITS
from stream.simulator.teller import Teller
from stream.wire.decode import Decoder

START = date(2026, 1, 5)
CUSTOMERS, DAYS = 600, 95


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in Bank(CUSTOMERS, DAYS, seed=9).events()]


def entries(events: list[dict[str, Any]], **members: str) -> list[dict[str, Any]]:
    """Posted entries whose data has these members."""
    posted = (event for event in events if event["type"] == "txn.entry.posted.v1")
    return [event for event in posted if members.items() <= event["data"].items()]


def test_payday_is_a_workday_on_or_before_the_nominal_day() -> None:
    """An employer never pays late because of a weekend."""
    for number in range(month(parse("2026-01-01")), month(parse("2028-01-01"))):
        for nominal in (5, 15, 31):
            day = payday(number, nominal)
            assert is_workday(day)
            assert day <= in_month(number, nominal)


def test_spring_festival_moves_with_the_moon() -> None:
    """The festival of 2026 is on 17 February, that of 2027 on the 6th; people spend before it and rest in it."""
    assert to_festival(parse("2026-02-17")) == to_festival(parse("2027-02-06")) == 0
    assert appetite(parse("2026-02-10")) > appetite(parse("2026-01-12"))
    assert not is_workday(parse("2026-02-18"))
    assert text(after_workdays(parse("2026-02-13"), 1)) == "2026-02-24"


def test_draws_stay_in_their_bounds() -> None:
    """The first and the last number of a roll give the ends of each range."""
    almost = 1 - 2**-53

    assert (between(lambda: 0.0, 3, 5), between(lambda: almost, 3, 5)) == (3, 5)
    assert (pick(lambda: 0.0, "abc"), pick(lambda: almost, "abc")) == ("a", "c")
    assert 0 < spread(lambda: 0.0, 100) < 100 < spread(lambda: almost, 100) <= 520
    assert len({mix(a, b) for a in range(50) for b in range(50)}) == 2500


def test_personas_name_habits_that_exist() -> None:
    """Every habit of a persona is one the bank knows, and the shares make a whole."""
    assert {habit for persona in PERSONAS for habit in persona.habits} <= HABITS.keys()
    assert sum(persona.share for persona in PERSONAS) == 1000


def test_the_night_before_tells_where_everybody_stands(events: list[dict[str, Any]]) -> None:
    """Opening balances come first, for everybody but those who have yet to arrive."""
    opening = {e["subject"] for e in events if e["data"].get("business_date") == "2026-01-04"}
    arrived = {e["subject"] for e in events if e["type"] == "account.opened.v1"}

    assert not opening & arrived
    assert 0.8 * CUSTOMERS < len(opening) < CUSTOMERS


def test_rate_is_that_of_a_bank(events: list[dict[str, Any]]) -> None:
    """About one event per customer and day."""
    assert 0.6 < len(events) / CUSTOMERS / DAYS < 1.2


def test_a_few_percent_are_late(events: list[dict[str, Any]]) -> None:
    """Most events are seen within two seconds; one in thirty comes later."""
    late = sum(event["recordedtime"][:16] > event["time"][:16] for event in events) / len(events)

    assert 0.02 < late < 0.08


def test_salaries_come_monthly_from_one_employer(events: list[dict[str, Any]]) -> None:
    """Who has a salary has about one a month, always from the same name, with bonuses before the festival."""
    salaries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in entries(events, purpose="SALA"):
        assert event["data"]["bank_tx_code"] == {"domain": "PMNT", "family": "RCDT", "sub_family": "SALA"}
        salaries[event["subject"]].append(event["data"])

    assert len(salaries) > CUSTOMERS // 5
    for paid in salaries.values():
        assert len({data["counterparty"]["name_hash"] for data in paid}) == 1
        assert len({data["booking_date"][:7] for data in paid}) >= len(paid) - 1
    assert {e["data"]["booking_date"][:7] for e in entries(events, purpose="BONU")} <= {"2026-01", "2026-02"}


def test_some_salaries_stop_and_some_leak(events: list[dict[str, Any]]) -> None:
    """A few lose their pay within three months; a few send most of it to their own name elsewhere the same day."""
    months: dict[str, set[str]] = defaultdict(set)
    pay: dict[tuple[str, str], int] = {}
    for event in entries(events, purpose="SALA"):
        day = event["data"]["booking_date"]
        months[event["subject"]].add(day[:7])
        pay[event["subject"], day] = minor(event["data"]["amount"]["amount"], 2)
    leaks = 0
    for event in entries(events, credit_debit_indicator="DBIT"):
        amount = pay.get((event["subject"], event["data"]["booking_date"]), 0)
        own = event["data"].get("counterparty", {}).get("own_name")
        leaks += bool(own and 0 < amount < 2 * minor(event["data"]["amount"]["amount"], 2))

    assert any("2026-01" in seen and "2026-03" not in seen for seen in months.values())
    assert leaks >= 5


def test_the_bank_acts_without_a_channel(events: list[dict[str, Any]]) -> None:
    """Interest and fees are of domain ACMT and bear no channel, so that nobody takes them for the customer's doing."""
    own_doing = [e["data"] for e in entries(events) if e["data"]["bank_tx_code"]["domain"] == "ACMT"]

    assert {data["bank_tx_code"]["sub_family"] for data in own_doing} == {"INTR", "CHRG"}
    assert not any("channel" in data for data in own_doing)
    assert {data["booking_date"] for data in own_doing} == {"2026-03-21"}


def test_journeys_are_finished_and_left(events: list[dict[str, Any]]) -> None:
    """Each journey is entered at its start; some reach the end and some do not."""
    steps: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        if event["type"] == "app.action.performed.v1":
            steps[event["data"]["session_id"], event["data"]["funnel"]].append(event["data"]["step"])
    ends = Counter((funnel, "complete" in seen) for (_, funnel), seen in steps.items())

    assert len(ends) == 6
    assert min(ends.values()) >= 5


def test_cards_are_issued_with_nothing_on_them(events: list[dict[str, Any]]) -> None:
    """Social security and housing fund cards start at zero; money comes to some and not to others."""
    cards = {e["subject"] for e in events if e["data"].get("card_kind") in ("SOCIAL_SECURITY", "HOUSING_FUND")}
    funded = {e["subject"] for e in entries(events)}

    assert cards & funded
    assert cards - funded


def test_tiers_are_crossed_both_ways(events: list[dict[str, Any]]) -> None:
    """The three lower limits are crossed up and down by closing balances."""
    crossed: Counter[tuple[int, bool]] = Counter()
    held: dict[str, dict[str, int]] = defaultdict(dict)
    before: dict[str, int] = {}
    for event in events:
        if event["type"] == "account.balance.closed.v1":
            accounts = held[event["subject"]]
            accounts[event["data"]["account_ref"]] = minor(event["data"]["closing_balance"]["amount"], 2)
            total = sum(accounts.values())
            for limit in (200_000, 5_000_000, 20_000_000):
                was = before.get(event["subject"], total)
                crossed[limit, total >= limit] += (was >= limit) != (total >= limit)
            before[event["subject"]] = total

    assert all(crossed[limit, up] >= 5 for limit in (200_000, 5_000_000, 20_000_000) for up in (True, False))


def test_some_do_enough_for_double_points(events: list[dict[str, Any]]) -> None:
    """Ten transactions a month by oneself: some reach it, most do not."""
    done: Counter[tuple[str, str]] = Counter()
    for event in entries(events):
        if event["data"].get("channel") in ("ONLINE", "MOBILE", "SELF_SERVICE"):
            done[event["subject"], event["data"]["booking_date"][:7]] += 1
    enough = sum(count >= 10 for count in done.values())

    assert CUSTOMERS // 20 < enough < CUSTOMERS


def test_some_want_to_be_left_alone(events: list[dict[str, Any]]) -> None:
    """Wishes about everything and about one topic, taken back by some; arrears that come and are cured."""
    states = Counter(
        (event["data"]["scope"], event["data"]["state"]) for event in events if event["type"].startswith("preference")
    )
    arrears = [event["data"]["days_past_due"] for event in events if event["type"] == "credit.arrears.changed.v1"]

    assert {("ALL", "OPT_OUT"), ("TOPIC", "OPT_OUT"), ("TOPIC", "OPT_IN")} <= states.keys()
    assert 0 in arrears
    assert max(arrears) > 15


def test_what_an_account_cannot_bear_does_not_happen() -> None:
    """A debit above the balance leaves no event and no trace; a move needs both its ends."""
    teller, customer = Teller("Asia/Shanghai"), born(1, 1, START.toordinal())
    teller.turn(START.toordinal())
    account = customer.accounts[0]
    account.balance = 100

    assert teller.tell(customer, [Posting(0, 0, -101, ""), Move(0, 0, 0, 101, "MOBILE")], lambda: 0.5) == []
    assert account.balance == 100


def test_an_empty_bank_is_silent() -> None:
    """No customers, no events; no days, only where everybody stands."""
    assert list(Bank(0, 30, seed=1).events()) == []
    assert all(b'"business_date":"2026-01-04"' in line for line in Bank(30, 0, seed=1).events())
    with pytest.raises(ValueError, match="negative"):
        Bank(-1, 3, seed=1)


def test_poison_leaves_the_good_lines_alone() -> None:
    """The good lines are all there, in order; the bad ones are the wanted share and of all eight kinds."""
    good = list(Bank(100, 30, seed=4).events())
    mixed = list(poison(good, 0.01, seed=1))
    kinds = Counter(reason for reason, _ in mixed if reason is not None)

    assert [line for reason, line in mixed if reason is None] == good
    assert len(kinds) == 8
    assert max(kinds.values()) - min(kinds.values()) <= 1
    assert 0.005 < kinds.total() / len(good) < 0.02


def test_poison_is_refused_for_the_reason_it_bears() -> None:
    """The decoder calls each bad line what the maker called it, and each good one an event."""
    decoder = Decoder()
    recorded = 1_800_000_000_000
    for reason, line in poison(list(Bank(40, 5, seed=4).events()), 0.5, seed=1):
        answer = decoder.from_json(line, Coordinates("log.jsonl", 0, 0, 1, recorded, Order.SEQUENCED))
        assert b"\n" not in line
        assert isinstance(answer, Event if reason is None else Reject)
        assert reason is None or (isinstance(answer, Reject) and answer.code is reason)


def test_poison_wants_a_share() -> None:
    """A share above one is refused, none changes nothing."""
    assert list(poison([b"x"], 0.0, seed=1)) == [(None, b"x")]
    with pytest.raises(ValueError, match="share"):
        list(poison([], 1.5, seed=1))
    assert RejectCode.OVERSIZE in {reason for reason, _ in poison(Bank(30, 0, seed=1).events(), 1.0, seed=1)}
