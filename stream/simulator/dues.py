"""What is due by the calendar or by fate: pay, interest, loans, windfalls, arrears, opting out.

Rule: each kind of task is one function that returns the day's acts and plans what follows from it. Nothing here
touches a balance.
"""

from __future__ import annotations

from collections.abc import Callable

from stream.domain.days import in_month, month, text
from stream.simulator.acts import HOUR, MINUTE, Act, Move, Note, Posting, nature, party
from stream.simulator.customers import YUAN, Customer, Due
from stream.simulator.dice import Roll, between, mix, pick
from stream.simulator.journeys import REGISTRATION, journey
from stream.simulator.season import after_workdays, payday, to_festival
from stream.simulator.spending import BANKS, hand, hour_of

TOPICS = ("tier", "dormancy", "activation", "journey", "payroll", "funds", "points")
CARDS = ("DEBIT", "SOCIAL_SECURITY", "HOUSING_FUND")
ONCE = 1
"""Detail of a `Due.SAVE` that does not come back."""
INTEREST_DAY = 21
"""Demand interest is paid on the 21st of March, June, September and December (结息日 is the 20th)."""
_FEE = 3 * YUAN
_FEE_BELOW = 300 * YUAN
_INTEREST = nature("ACMT/MCOP/INTR", purpose="INTE")
_CHARGE = nature("ACMT/MDOP/CHRG", purpose="CHRG")
_REPAYMENT = nature("LDAS/CSLN/PPAY", purpose="LOAN")
_PENSION = nature("PMNT/RCDT/DMCT", purpose="PENS", counterparty=party(mix(0x5E), "SOCIAL-INSURANCE"))

Fate = Callable[[Customer, int, int, Roll], list[Act]]


def acts_of(customer: Customer, day: int, roll: Roll) -> list[Act]:
    """All that is due on this day."""
    acts: list[Act] = []
    for task in customer.due(day):
        acts += FATES[task.due](customer, day, task.detail, roll)
    return acts


def next_quarter(day: int) -> int:
    """The next interest day after this day."""
    number = month(day) // 3 * 3 + 2
    due = in_month(number, INTEREST_DAY)
    return due if due > day else in_month(number + 3, INTEREST_DAY)


def _open(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """A new customer at the counter: account, card, and for most the app's registration journey."""
    account, branch = customer.accounts[0], f"B{mix(customer.index) % 60:03d}"
    ms = 9 * HOUR + int(roll() * 7 * HOUR)
    opened = (
        f'{{"account_ref":"{account.ref}","kind":"CURRENT","product_class":"{account.product}",'
        f'"branch_ref":"{branch}","status":"ACTIVE"}}'
    )
    card = (
        f'{{"card_kind":"{CARDS[detail]}","card_ref":"K{customer.index:07d}","account_ref":"{account.ref}",'
        f'"branch_ref":"{branch}"}}'
    )
    acts: list[Act] = [Note(ms, "account.opened", opened), Note(ms + 4 * MINUTE, "card.issued", card)]
    if roll() < 0.7:
        session = f"S{customer.index:07d}-{day}-0"
        acts.append(Note(ms + 10 * MINUTE, "app.session.started", f'{{"session_id":"{session}","network_class":"PUBLIC"}}'))
        acts += journey(customer, REGISTRATION, session, ms + 11 * MINUTE, roll)
    if roll() < 0.5:
        acts.append(Note(ms + 6 * MINUTE, "ebank.channel.enrolled", '{"channels":["ONLINE","MOBILE"]}'))
    return acts


def _first_credit(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """The first money on a new account; from then on the customer is an ordinary one."""
    customer.open_since = day
    ms = 17 * HOUR + int(roll() * HOUR)
    if roll() < 0.5:
        return [Posting(ms, 0, detail, nature("PMNT/CNTR/CDPT", "COUNTER"))]
    own = party(mix(customer.index, 3), pick(roll, BANKS), own_name=True)
    return [Posting(ms, 0, detail, nature("PMNT/RCDT/DMCT", counterparty=own))]


def _income(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """The month's pay, unless the job is gone (then never again) or the employer is late (then some workdays on)."""
    profile = customer.profile
    if detail >= profile.quits:
        return []
    customer.plan(payday(detail + 1, profile.payday), Due.INCOME, detail + 1)
    chance = mix(profile.employer, detail) % 1000
    if profile.employer and chance < 25:
        customer.plan(after_workdays(day, 3 + chance % 5), Due.INCOME_LATE, detail)
        return []
    return _paid(customer, day, detail, roll)


def _paid(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    profile = customer.profile
    ms = (9 + profile.employer % 3) * HOUR + int(roll() * 40 * MINUTE)
    if profile.persona.name == "pensioner":
        return [Posting(ms, 0, profile.income, _PENSION)]
    if profile.persona.name == "student":
        parent = party(mix(customer.index, 5), BANKS[customer.index % 8])
        return [Posting(ms + 9 * HOUR, 0, profile.income, nature("PMNT/RCDT/DMCT", purpose="ALLW", counterparty=parent))]
    pay = profile.income * between(roll, 970, 1030) // 1000
    employer = party(profile.employer, BANKS[profile.employer % 8])
    acts: list[Act] = [Posting(ms, 0, pay, nature("PMNT/RCDT/SALA", purpose="SALA", counterparty=employer))]
    if profile.festive and 8 <= to_festival(day) <= 38:
        bonus = pay * profile.festive // 100
        acts.append(Posting(ms + 2 * MINUTE, 0, bonus, nature("PMNT/RCDT/SALA", purpose="BONU", counterparty=employer)))
    return acts + _leak(customer, ms, pay, roll)


def _leak(customer: Customer, ms: int, pay: int, roll: Roll) -> list[Act]:
    """Most of the salary goes to the same person's account elsewhere, in one to ten hours."""
    if not customer.profile.leaks or roll() > 0.9:
        return []
    own = party(mix(customer.index, 3), BANKS[customer.index % 8], own_name=True)
    text = nature("PMNT/ICDT/DMCT", hand(customer, roll), counterparty=own)
    return [Posting(ms + between(roll, 1 * HOUR, 10 * HOUR), 0, -pay * customer.profile.leaks // 100, text)]


def _new_job(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """From this month on there is a salary here."""
    customer.plan(payday(detail, customer.profile.payday), Due.INCOME, detail)
    return []


def _loan(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """The monthly instalment, drawn by the bank on the 20th; what cannot be drawn becomes arrears."""
    customer.plan(in_month(month(day) + 1, 20), Due.LOAN, detail)
    if customer.accounts[0].balance < detail:
        customer.plan(day + 1, Due.ARREARS, 1)
        return []
    return [Posting(6 * HOUR + int(roll() * 20 * MINUTE), 0, -detail, _REPAYMENT)]


def _arrears(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """Days past due at the next step (1, 16, 31, 61 ...), or zero when cured; most are cured soon."""
    if 0 < detail <= 120:
        cured = roll() < 0.45
        wait = between(roll, 3, 14) if cured else (15 if detail < 31 else 30)
        customer.plan(day + wait, Due.ARREARS, 0 if cured else detail + wait)
    data = f'{{"days_past_due":{detail},"product_ref":"L{customer.index:07d}"}}'
    return [Note(6 * HOUR + 30 * MINUTE + int(roll() * 20 * MINUTE), "credit.arrears.changed", data)]


def _interest(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """What the bank does by itself each quarter: interest (0.05 % a year), and a fee on a small balance."""
    customer.plan(next_quarter(day), Due.INTEREST)
    account = customer.accounts[0]
    ms = 3 * HOUR + int(roll() * HOUR)
    acts: list[Act] = []
    if account.balance >= 8000:
        acts.append(Posting(ms, 0, account.balance // 8000, _INTEREST))
    if 0 < account.balance < _FEE_BELOW:
        fee = min(_FEE, account.balance)
        data = (
            f'{{"fee_kind":"MANAGEMENT","amount":{{"amount":"{fee // 100}.{fee % 100:02d}","ccy":"CNY"}},'
            f'"account_ref":"{account.ref}","waived_by_points":false,"booking_date":"{text(day)}"}}'
        )
        acts += [Posting(ms + HOUR, 0, -fee, _CHARGE), Note(ms + HOUR + 1, "account.fee.charged", data)]
    return acts


def _windfall(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """A credit far beyond the customer's own history; half of it is put away, or leaves, within days."""
    own = party(mix(customer.index, 3), pick(roll, BANKS), own_name=roll() < 0.5)
    if roll() < 0.5:
        customer.plan(day + between(roll, 1, 6), pick(roll, (Due.SAVE, Due.SAVE, Due.DRAIN)), ONCE)
    return [Posting(hour_of(roll), 0, detail, nature("PMNT/RCDT/DMCT", counterparty=own))]


def _drain(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """Most of the account goes to the own name elsewhere."""
    if customer.is_asleep(day):
        return []
    amount = customer.accounts[0].balance * between(roll, 50, 92) // 100
    own = party(mix(customer.index, 3), pick(roll, BANKS), own_name=True)
    return [Posting(hour_of(roll), 0, -amount, nature("PMNT/ICDT/DMCT", hand(customer, roll), counterparty=own))]


def _tide(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """Money that comes and goes, month by month, between this bank and another: 5 to 25 % of all that is here."""
    customer.plan(day + between(roll, 18, 45), Due.TIDE)
    total = sum(account.balance for account in customer.accounts)
    thousands = total * between(roll, 5, 25) // 100 // (100 * YUAN) * (100 * YUAN)
    if thousands == 0 or customer.is_asleep(day):
        return []
    own = party(mix(customer.index, 3), BANKS[customer.index % 8], own_name=True)
    if roll() < 0.52:
        return [Posting(hour_of(roll), 0, thousands, nature("PMNT/RCDT/DMCT", counterparty=own))]
    text = nature("PMNT/ICDT/DMCT", hand(customer, roll), counterparty=own)
    return [Posting(hour_of(roll), 0, -min(thousands, customer.accounts[0].balance), text)]


def _save(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    """Between the demand account and a time deposit or fund, either way; again in a month or two unless `ONCE`."""
    if detail != ONCE:
        customer.plan(day + between(roll, 25, 60), Due.SAVE)
    if len(customer.accounts) == 1 or customer.is_asleep(day):
        return []
    other = between(roll, 1, len(customer.accounts) - 1)
    source, target = (0, other) if roll() < 0.6 else (other, 0)
    amount = customer.accounts[source].balance * between(roll, 10, 45) // 100 // (100 * YUAN) * (100 * YUAN)
    return [Move(hour_of(roll), source, target, amount, hand(customer, roll))] if amount else []


def _opt_out(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    if roll() < 0.5:
        customer.plan(day + between(roll, 20, 60), Due.OPT_IN, detail)
    return [_wish(detail, "OPT_OUT", "SUPPRESSED", hour_of(roll))]


def _opt_in(customer: Customer, day: int, detail: int, roll: Roll) -> list[Act]:
    return [_wish(detail, "OPT_IN", "LIFTED", hour_of(roll))]


def _wish(detail: int, preference: str, suppression: str, ms: int) -> Act:
    """Detail 0: the customer about everything; 1: the bank's own list; 2 and up: the customer about a topic."""
    if detail == 0:
        return Note(ms, "preference.changed", f'{{"scope":"ALL","state":"{preference}"}}')
    if detail == 1:
        return Note(ms, "suppression.changed", f'{{"scope":"ALL","state":"{suppression}","reason_code":"BRANCH_REQUEST"}}')
    topic = TOPICS[(detail - 2) % len(TOPICS)]
    return Note(ms, "preference.changed", f'{{"scope":"TOPIC","topic":"{topic}","state":"{preference}"}}')


FATES: dict[Due, Fate] = {
    Due.OPEN: _open,
    Due.FIRST_CREDIT: _first_credit,
    Due.INCOME: _income,
    Due.INCOME_LATE: _paid,
    Due.NEW_JOB: _new_job,
    Due.LOAN: _loan,
    Due.INTEREST: _interest,
    Due.WINDFALL: _windfall,
    Due.DRAIN: _drain,
    Due.SAVE: _save,
    Due.TIDE: _tide,
    Due.ARREARS: _arrears,
    Due.OPT_OUT: _opt_out,
    Due.OPT_IN: _opt_in,
}
