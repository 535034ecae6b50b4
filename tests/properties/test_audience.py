"""Who listens to an event: what is remembered for its codes is what the conditions say of it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.engine.audience import Audience, Listener, Tap
from stream.engine.binding import bind
from stream.engine.filters import Condition, questions
from stream.engine.filters import asked as asked_by
from stream.packs import loader
from stream.packs.spec import Where
from stream.simulator import Bank
from stream.wire.envelope import PARTS, RAW
from stream.wire.inputs.common import BankTxCode, Counterparty, Paid
from stream.wire.inputs.txn import EntryPosted
from stream.wire.registry import REGISTRY

CODED = ("channel", "bank_tx_code.family", "bank_tx_code.sub_family", "counterparty.bank_id")
FIELDS = (*CODED, "bank_tx_code", "counterparty", "counterparty.name_hash")
words = st.lists(st.sampled_from("ABC"), min_size=1, max_size=2, unique=True).map(tuple)
wheres = st.one_of(
    st.builds(lambda field, some: Where(field=field, any_of=some), st.sampled_from(CODED), words),
    st.builds(lambda field, some: Where(field=field, none_of=some), st.sampled_from(CODED), words),
    st.builds(lambda field, there: Where(field=field, present=there), st.sampled_from(FIELDS), st.booleans()),
    st.builds(lambda least: Where(field="amount", at_least=least), st.sampled_from(["1", "50"])),
    st.builds(lambda most: Where(field="amount", at_most=most), st.sampled_from(["1", "50"])),
)
conditions = st.lists(st.lists(wheres, max_size=3).map(Condition), max_size=4)
code = st.sampled_from("ABCD")
maybe = st.none() | code
posted = st.builds(
    EntryPosted,
    account_ref=st.just("A1"),
    amount=st.builds(Paid, amount=st.sampled_from(["0.50", "1", "49.99", "50", "7000"]), ccy=st.just("CNY")),
    credit_debit_indicator=st.just("CRDT"),
    channel=maybe,
    bank_tx_code=st.none() | st.builds(BankTxCode, domain=code, family=code, sub_family=code),
    counterparty=st.none() | st.builds(Counterparty, name_hash=maybe, bank_id=maybe),
)


def fold(state: Any, seen: Any) -> None:
    """Stands for any."""


@given(conditions, st.lists(posted, max_size=12))
def test_what_is_remembered_is_what_the_conditions_say(asked: list[Condition], events: list[EntryPosted]) -> None:
    """Twin: every condition tried on every event."""
    rules: Any = tuple((str(place), (Listener(each, 1 << place), Listener(each, 8))) for place, each in enumerate(asked))
    audience = Audience((("f", tuple(Tap(each, fold) for each in asked)),), rules)

    for event in events:
        met = [place for place, each in enumerate(asked) if each.holds(event)]
        heard = audience.of(event)
        assert heard.rules == tuple((str(place), 1 << place | 8) for place in met)
        assert heard.folds == ((("f", fold),) if met else ())


@given(conditions, posted, posted)
def test_same_answers_same_conditions(asked: list[Condition], one: EntryPosted, other: EntryPosted) -> None:
    """Two events that answer alike cannot be told apart by any condition."""
    ask = questions(*asked_by(asked))

    assert ask(one) != ask(other) or [each.holds(one) for each in asked] == [each.holds(other) for each in asked]


def test_absent_object_is_told_from_an_absent_field_of_it() -> None:
    """One rule asks for the other side of a payment, another only for a code in it."""
    there = Condition([Where(field="counterparty", present=True)])
    own = Condition([Where(field="counterparty.own_name", any_of=("true",))])
    money = Paid(amount="1", ccy="CNY")
    one = EntryPosted(account_ref="A1", amount=money, credit_debit_indicator="CRDT")
    other = EntryPosted(account_ref="A1", amount=money, credit_debit_indicator="CRDT", counterparty=Counterparty(bank_id="B"))
    rules: Any = (("there", (Listener(there, 1),)), ("own", (Listener(own, 1),)))
    audience = Audience((), rules)

    assert [audience.of(each).rules for each in (one, other)] == [(), (("there", 1),)]


def test_default_pack_asks_for_few_values() -> None:
    """A simulated bank's events have few answers: what is remembered stays small, and free text is not asked for."""
    audiences = bind(loader.load("retail_bank")).audiences
    for line in Bank(60, 40, seed=5).events():
        seen = PARTS.decode(line)
        kind = RAW.decode(seen["type"]).removesuffix(".v1")
        if kind in audiences:
            audiences[kind].of(REGISTRY[kind].decoder.decode(seen["data"]))

    assert 0 < max(len(audience) for audience in audiences.values()) < 200
