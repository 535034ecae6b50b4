"""The first gates (CAPABILITIES 2.4): harm, opt-out, cooldown, episode, expiry. All are asked, also after a refusal."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from stream.domain.reasons import Refusal

REMEMBERED = 8
"""Episodes of one trigger type that a customer's ledger remembers."""
CHANGES = 8
"""Changes of one permission remembered, so that those that take effect later do not hide the present. Beyond it the two
oldest become one, which refuses if either does: forgetting may keep a contact back, never let one through."""
EVERYTHING = ""
"""The topic under which a refusal of all contact is kept."""
VOICES = ("consent", "preference", "suppression")
"""Who may refuse: the legal basis, the customer, the institution. None of them lifts another's refusal."""
GATES = (
    ("harm_arrears", Refusal.HARM_ARREARS),
    ("opt_out_all", Refusal.OPT_OUT_ALL),
    ("opt_out_topic", Refusal.OPT_OUT_TOPIC),
    ("cooldown", Refusal.COOLDOWN),
    ("episode", Refusal.DUPLICATE_EPISODE),
    ("expiry", Refusal.EXPIRED),
)
"""The gates in their order, each with the reason it refuses for."""


class Change(NamedTuple):
    """From this instant on the customer is out, or in again."""

    at: int
    out: bool


class Ledger(msgspec.Struct, array_like=True, gc=False):
    """What the gates know of one customer.

    Attributes:
        past_due: Days past due by product reference, each with the instant of the news.
        outs: Permission changes by voice and topic (``preference:wealth``), ascending.
        fired: By trigger type, (event time, episode key) of what was sent, oldest first.
    """

    past_due: dict[str, tuple[int, int]] = {}
    outs: dict[str, list[Change]] = {}
    fired: dict[str, list[tuple[int, str]]] = {}


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """What the gates ask about a candidate; durations in ms, 0 for none."""

    type: str
    topic: str
    sales: bool
    key: str
    at: int
    cooldown: int
    expires: int


class Verdict(NamedTuple):
    """One gate's answer; no refusal means pass."""

    gate: str
    refusal: Refusal | None


def arrears(ledger: Ledger, product: str, at: int, days: int) -> None:
    """The latest news of a product's arrears counts, the worse of two at one instant; zero days ends them."""
    ledger.past_due[product] = max((at, days), ledger.past_due.get(product, (at, days)))


def permission(ledger: Ledger, voice: str, topic: str, at: int, out: bool) -> None:
    """One of the `VOICES` refuses or allows from an instant on, a topic or `EVERYTHING`."""
    changes = ledger.outs.setdefault(f"{voice}:{topic}", [])
    change = Change(at, out)
    if change not in changes:
        insort(changes, change)
    if len(changes) > CHANGES:
        older, newer = changes[:2]
        changes[:2] = [Change(older.at, older.out or newer.out)]


def verdicts(ledger: Ledger, proposal: Proposal, now: int) -> tuple[Verdict, ...]:
    """Every gate's answer, in the order of `GATES`.

    Asks only; `spend` records what was sent.

    Args:
        now: The instant of the decision on the journal's clock, never the wall clock.

    >>> customer = Ledger(); permission(customer, "preference", "wealth", 10, True)
    >>> proposal = Proposal("tier.upgraded", "wealth", True, "k", at=20, cooldown=0, expires=0)
    >>> [verdict.refusal.value for verdict in verdicts(customer, proposal, 20) if verdict.refusal]
    ['OPT_OUT_TOPIC']
    """
    return _answers(
        (
            proposal.sales and _in_arrears(ledger),
            _out(ledger, EVERYTHING, now),
            _out(ledger, proposal.topic, now),
            _cooling(ledger, proposal),
            _repeated(ledger, proposal),
            proposal.expires > 0 and now >= proposal.at + proposal.expires,
        )
    )


@cache
def _answers(refuses: tuple[bool, ...]) -> tuple[Verdict, ...]:
    """In words what each of the `GATES` says; remembered, for there are 64 such tuples at most."""
    return tuple(Verdict(gate, refusal if no else None) for (gate, refusal), no in zip(GATES, refuses, strict=True))


def spend(ledger: Ledger, proposal: Proposal) -> None:
    """The candidate became a trigger."""
    fired = ledger.fired.setdefault(proposal.type, [])
    insort(fired, (proposal.at, proposal.key))
    del fired[:-REMEMBERED]


def _in_arrears(ledger: Ledger) -> bool:
    return bool(ledger.past_due) and any(days > 0 for _, days in ledger.past_due.values())


def _out(ledger: Ledger, topic: str, now: int) -> bool:
    outs = ledger.outs
    return bool(outs) and any(_refuses(outs.get(f"{voice}:{topic}", ()), now) for voice in VOICES)


def _refuses(changes: Sequence[Change], now: int) -> bool:
    out = False
    for change in changes:
        if change.at <= now:
            out = change.out
    return out


def _cooling(ledger: Ledger, proposal: Proposal) -> bool:
    at, cooldown = proposal.at, proposal.cooldown
    fired = ledger.fired.get(proposal.type, ())
    return cooldown > 0 and min([abs(at - sent) for sent, _ in fired], default=cooldown) < cooldown


def _repeated(ledger: Ledger, proposal: Proposal) -> bool:
    return proposal.key in [key for _, key in ledger.fired.get(proposal.type, ())]
