"""What people do in the app: a session, some screens, now and then a journey that is finished or left.

Rule: a journey's steps are in order, each at least seconds after the one before; leaving is simply the absence of
the rest. A finished purchase moves the money it was about.
"""

from __future__ import annotations

from typing import NamedTuple

from stream.simulator.acts import HOUR, MINUTE, Act, Move, Note
from stream.simulator.customers import YUAN, Customer
from stream.simulator.dice import Roll, between, pick


class Funnel(NamedTuple):
    """A journey of the app; the first step is always ``start`` and the last ``complete``."""

    name: str
    product_ref: str
    steps: tuple[str, ...]


LOAN = Funnel("loan_application", "LOAN-QUICK", ("start", "identity", "income", "review", "complete"))
WEALTH = Funnel("wealth_purchase", "FUND-STEADY", ("start", "risk_profile", "amount", "confirm", "complete"))
REGISTRATION = Funnel("registration", "EBANK", ("start", "identity", "password", "complete"))
_SCREENS = ("home", "account_detail", "transfer", "wealth_list", "bills", "points", "loan_list", "messages")
_NETWORKS = ("HOME", "HOME", "WORK", "PUBLIC")
_ERRORS = ("ID_MISMATCH", "TIMEOUT", "SMS_EXPIRED")


def visit(customer: Customer, day: int, ms: int, roll: Roll) -> list[Act]:
    """One session: opened, one to three screens, and in one of seven a journey."""
    session = f"S{customer.index:07d}-{day}-{ms // 1000}"
    network = pick(roll, _NETWORKS)
    acts: list[Act] = [Note(ms, "app.session.started", f'{{"session_id":"{session}","network_class":"{network}"}}')]
    for _ in range(between(roll, 1, 3)):
        ms += between(roll, 2_000, 40_000)
        acts.append(_screen(session, ms, roll))
    if roll() < 0.14:
        acts += journey(customer, _choice(customer, roll), session, ms + 5_000, roll)
    return acts


def _choice(customer: Customer, roll: Roll) -> Funnel:
    likes_wealth = customer.account("FUND") is not None
    return WEALTH if roll() < (0.75 if likes_wealth else 0.35) else LOAN


def _screen(session: str, ms: int, roll: Roll) -> Note:
    stay = between(roll, 800, 30_000)
    screen = pick(roll, _SCREENS)
    return Note(ms, "app.screen.viewed", f'{{"session_id":"{session}","screen":"{screen}","duration_ms":{stay}}}')


def journey(customer: Customer, funnel: Funnel, session: str, ms: int, roll: Roll) -> list[Act]:
    """The steps as far as this customer goes; a few meet an error on the way, some come back an hour later."""
    last = len(funnel.steps)
    reached = between(roll, 1, last - 1) if roll() * 1000 < customer.profile.fickle else last
    acts = _steps(funnel, session, 0, reached, ms, roll)
    ms = acts[-1].ms
    if reached < last and roll() < 0.4:
        acts.append(_failure(funnel, session, funnel.steps[reached], ms + 9_000, roll))
    if reached < last and roll() < 0.25 and ms < 20 * HOUR:
        back = ms + between(roll, 20 * MINUTE, 2 * HOUR)
        acts += _steps(funnel, session, reached, last, back, roll)
        reached = last
    if reached == last and funnel is WEALTH:
        acts += _purchase(customer, acts[-1].ms + 1_500, roll)
    return acts


def _steps(funnel: Funnel, session: str, first: int, end: int, ms: int, roll: Roll) -> list[Act]:
    acts: list[Act] = []
    for step in funnel.steps[first:end]:
        data = (
            f'{{"session_id":"{session}","action":"submit","screen":"{funnel.name}","funnel":"{funnel.name}",'
            f'"step":"{step}","product_ref":"{funnel.product_ref}"}}'
        )
        acts.append(Note(ms, "app.action.performed", data))
        ms += between(roll, 8_000, 90_000)
    return acts


def _failure(funnel: Funnel, session: str, step: str, ms: int, roll: Roll) -> Note:
    data = (
        f'{{"session_id":"{session}","error_code":"{pick(roll, _ERRORS)}","funnel":"{funnel.name}",'
        f'"step":"{step}","product_ref":"{funnel.product_ref}"}}'
    )
    return Note(ms, "app.step.failed", data)


def _purchase(customer: Customer, ms: int, roll: Roll) -> list[Act]:
    """From the demand account into the fund, in thousands, at most two fifths of what is there."""
    fund = customer.account("FUND")
    thousands = int(customer.accounts[0].balance * (10 + int(roll() * 30)) // 100 // (1_000 * YUAN))
    if fund is None or thousands == 0:
        return []
    return [Move(ms, 0, fund, thousands * 1_000 * YUAN, "MOBILE")]
