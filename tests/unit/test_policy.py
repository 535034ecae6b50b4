"""The contact gates: what each refuses, that asking changes nothing, that news in any order is the same news."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.domain.days import DAY
from stream.domain.reasons import Refusal
from stream.policy.contact import (
    CHANGES,
    EVERYTHING,
    REMEMBERED,
    VOICES,
    Ledger,
    Proposal,
    arrears,
    permission,
    spend,
    verdicts,
)

PROPOSAL = Proposal("tier.upgraded", "wealth", True, "k1", 20 * DAY, cooldown=0, expires=0)
GATES = ["harm_arrears", "opt_out_all", "opt_out_topic", "cooldown", "episode", "expiry"]


def refused(ledger: Ledger, proposal: Proposal = PROPOSAL, now: int = 20 * DAY) -> list[str]:
    return [verdict.refusal.value for verdict in verdicts(ledger, proposal, now) if verdict.refusal]


def test_customer_of_whom_nothing_is_known_may_be_contacted() -> None:
    """Every gate answers, in its order, and passes."""
    assert [verdict.gate for verdict in verdicts(Ledger(), PROPOSAL, 0)] == GATES
    assert refused(Ledger()) == []


def test_asking_changes_nothing() -> None:
    """Asking twice is harmless."""
    ledger = Ledger()
    arrears(ledger, "L1", 1, 30)
    permission(ledger, "consent", "wealth", 1, True)
    before = deepcopy(ledger)

    assert refused(ledger) == refused(ledger)
    assert ledger == before


# --- harm


def test_arrears_bar_sales_not_service() -> None:
    """A service message to a customer in arrears is sent."""
    ledger = Ledger()
    arrears(ledger, "L1", 1, 30)

    assert refused(ledger) == ["HARM_ARREARS"]
    assert refused(ledger, replace(PROPOSAL, sales=False)) == []


def test_arrears_of_any_product_bar_until_all_are_paid() -> None:
    """Paying one loan does not end the arrears of another."""
    ledger = Ledger()
    arrears(ledger, "L1", 1, 30)
    arrears(ledger, "L2", 2, 5)
    arrears(ledger, "L1", 3, 0)
    still = refused(ledger)
    arrears(ledger, "L2", 4, 0)

    assert (still, refused(ledger)) == (["HARM_ARREARS"], [])


def test_older_news_of_arrears_does_not_undo_newer() -> None:
    """A late report of past arrears says nothing about the present."""
    ledger = Ledger()
    arrears(ledger, "L1", 9, 0)
    arrears(ledger, "L1", 3, 30)

    assert refused(ledger) == []


# --- permissions


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize(("topic", "reason"), [(EVERYTHING, "OPT_OUT_ALL"), ("wealth", "OPT_OUT_TOPIC"), ("points", None)])
def test_each_voice_refuses_all_or_a_topic(voice: str, topic: str, reason: str | None) -> None:
    """Consent, preference and suppression are each enough; another topic's refusal is not."""
    ledger = Ledger()
    permission(ledger, voice, topic, 1, True)

    assert refused(ledger) == ([reason] if reason else [])


def test_no_voice_lifts_the_refusal_of_another() -> None:
    """The institution's lifting does not undo the customer's own wish."""
    ledger = Ledger()
    permission(ledger, "preference", "wealth", 1, True)
    permission(ledger, "suppression", "wealth", 2, False)
    permission(ledger, "consent", EVERYTHING, 2, False)

    assert refused(ledger) == ["OPT_OUT_TOPIC"]


def test_change_takes_effect_at_its_instant() -> None:
    """An opt-out for next week does not bar today, nor hide that it is allowed today."""
    ledger = Ledger()
    permission(ledger, "preference", "wealth", 30 * DAY, True)

    assert refused(ledger, now=30 * DAY - 1) == []
    assert refused(ledger, now=30 * DAY) == ["OPT_OUT_TOPIC"]


changes = st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=14)


def told(ledger: Ledger, news: list[tuple[int, bool]]) -> None:
    """Changes of one permission, in this order."""
    for at, out in news:
        permission(ledger, "preference", "wealth", at, out)


def in_force(news: list[tuple[int, bool]], now: int) -> bool:
    """Twin: the last change at or before now decides; of two at one instant, the refusal."""
    return bool(max((each for each in news if each[0] <= now), default=(0, False))[1])


@given(changes, st.integers(0, 2**32), st.integers(0, 10))
def test_permissions_are_the_same_in_any_order(news: list[tuple[int, bool]], seed: int, now: int) -> None:
    """As long as all are remembered."""
    ledger = Ledger()
    news = list(dict.fromkeys(news))[:CHANGES]
    told(ledger, Random(seed).sample(news, len(news)))

    assert bool(refused(ledger, now=now)) == in_force(news, now)


@given(changes, st.integers(0, 10))
def test_a_refusal_in_force_is_never_forgotten(news: list[tuple[int, bool]], now: int) -> None:
    """However many changes follow it, and whenever they take effect."""
    ledger = Ledger()
    told(ledger, news)

    assert refused(ledger, now=now) or not in_force(news, now)
    assert len(ledger.outs.get("preference:wealth", ())) <= CHANGES


def test_an_old_refusal_does_not_outlast_its_end() -> None:
    """The present is exact, however long the past."""
    ledger = Ledger()
    told(ledger, [(at, at % 2 == 0) for at in range(4 * CHANGES)])

    assert refused(ledger, now=4 * CHANGES - 2) == ["OPT_OUT_TOPIC"]
    assert refused(ledger, now=4 * CHANGES - 1) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=6), st.integers(0, 2**32))
def test_arrears_are_the_same_in_any_order(news: list[tuple[int, int]], seed: int) -> None:
    """Twin: the greatest of instant and days."""
    ledger = Ledger()
    for at, days in Random(seed).sample(news, len(news)):
        arrears(ledger, "L1", at, days)

    assert (refused(ledger) == ["HARM_ARREARS"]) == (max(news, default=(0, 0))[1] > 0)


# --- cooldown, episode, expiry


@pytest.mark.parametrize(("apart", "cooling"), [(-5 * DAY, False), (-5 * DAY + 1, True), (5 * DAY - 1, True), (5 * DAY, False)])
def test_cooldown_holds_before_and_after_what_was_sent(apart: int, cooling: bool) -> None:
    """By event time, in both directions: a late one may not come closer either."""
    ledger = Ledger()
    spend(ledger, replace(PROPOSAL, at=20 * DAY + apart, key="k0"))

    assert refused(ledger, replace(PROPOSAL, cooldown=5 * DAY)) == (["COOLDOWN"] if cooling else [])


def test_cooldown_is_per_type() -> None:
    """Another type's trigger does not cool this one."""
    ledger = Ledger()
    spend(ledger, replace(PROPOSAL, type="tier.downgraded", key="k0"))

    assert refused(ledger, replace(PROPOSAL, cooldown=5 * DAY)) == []


def test_episode_is_told_once() -> None:
    """The same key of the same type again is refused, however long after."""
    ledger = Ledger()
    spend(ledger, PROPOSAL)

    assert refused(ledger, replace(PROPOSAL, at=400 * DAY), 400 * DAY) == ["DUPLICATE_EPISODE"]
    assert refused(ledger, replace(PROPOSAL, key="k2")) == []
    assert refused(ledger, replace(PROPOSAL, type="tier.downgraded")) == []


@pytest.mark.parametrize(("late", "expired"), [(DAY - 1, False), (DAY, True), (0, False)])
def test_expiry_is_measured_to_the_decision(late: int, expired: bool) -> None:
    """What is decided at or after its expiry is not sent."""
    asked = refused(Ledger(), replace(PROPOSAL, expires=DAY), PROPOSAL.at + late)

    assert asked == (["EXPIRED"] if expired else [])


def test_every_refusal_is_reported() -> None:
    """One refusal does not hide another."""
    ledger = Ledger()
    arrears(ledger, "L1", 1, 30)
    permission(ledger, "consent", EVERYTHING, 1, True)
    permission(ledger, "consent", "wealth", 1, True)
    spend(ledger, PROPOSAL)
    proposal = replace(PROPOSAL, cooldown=DAY, expires=DAY)

    assert refused(ledger, proposal, PROPOSAL.at + DAY) == [each.value for each in Refusal]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=25), st.integers(1, 9))
def test_cooldown_is_never_broken_in_any_window(times: list[int], cooldown: int) -> None:
    """Whatever is proposed in whatever order, two triggers that are both remembered are a cooldown apart."""
    ledger = Ledger()
    for place, day in enumerate(times):
        proposal = replace(PROPOSAL, at=day * DAY, key=f"k{place}", cooldown=cooldown * DAY)
        if not refused(ledger, proposal):
            spend(ledger, proposal)

    sent = [at for at, _ in ledger.fired[PROPOSAL.type]]
    assert all(later - earlier >= cooldown * DAY for earlier, later in pairwise(sent))
    assert len(sent) <= REMEMBERED
