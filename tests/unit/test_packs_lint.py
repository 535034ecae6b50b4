"""Every lint code has a pack that earns it, at the line that does."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.packs.faults import SOFT, LintCode
from stream.packs.loader import understood

SMALL = Path(__file__).with_name("small_pack.yaml").read_text(encoding="utf-8")

CASES = [
    # the form
    ("SYNTAX", "version: 1\n", "version: 1\nversion: 1 #!\n", "key 'version' is written twice"),
    (
        "UNKNOWN_FIELD",
        "    value: aum\n",
        "    value: aum\n    dwel_days: 1 #!\n",
        "unknown field 'dwel_days'; did you mean 'dwell_days'?",
    ),
    ("UNKNOWN_FIELD", "{kind: balances}", "{kind: balances, days: 3} #!", "unknown field 'days'; expected one of kind"),
    ("UNKNOWN_FIELD", "{moment: left, after: 2h}", "{moment: left, after: 2h, fase: opened} #!", "did you mean 'phase'?"),
    ("UNKNOWN_FIELD", "present: true}", "present: true, inn: [x]} #!", "unknown field 'inn'; did you mean 'in'?"),
    ("MISSING_FIELD", "    value: aum\n    velocity", "    velocity", "missing field 'value'"),
    ("MISSING_FIELD", "    mechanism: sequence\n", "", "missing field 'mechanism'"),
    ("BAD_VALUE", "mechanism: rhythm", "mechanism: rythm #!", "unknown mechanism 'rythm'; did you mean 'rhythm'?"),
    ("BAD_VALUE", "version: 1", "version: one #!", "expected a whole number, got 'one'"),
    ("BAD_VALUE", "version: 1", "version: 0 #!", "expected at least 1, got 0"),
    ("BAD_VALUE", "within: 1d", "within: soon #!", "expected a duration such as 30m, 2h or 7d, got 'soon'"),
    ("BAD_VALUE", "share: 0.5", "share: 0.0000001 #!", "expected a decimal with at most six places"),
    ("BAD_VALUE", "at: 2000}", "at: 2000.5} #!", "expected a decimal as text"),
    ("BAD_VALUE", "first: credit", "first: 5 #!", "expected a list, got 5"),
    ("BAD_VALUE", "    first: credit\n", "    first: [] #!\n", "expected at least 1 item"),
    ("BAD_VALUE", "period: month", "period: rolling", "expected rolling_days with period rolling"),
    ("BAD_VALUE", "in: [CRDT]}", "in: [CRDT], present: true} #!", "expected exactly one of in, not_in"),
    ("BAD_VALUE", "after: 2h}", "after: 2h, days: 3} #!", "expected exactly one of days, after"),
    ("BAD_VALUE", "  leak:\n", "  Leak: #!\n", "expected small letters, digits and _, got 'Leak'"),
    ("BAD_VALUE", "hysteresis: 0.02", "hysteresis: -0.02 #!", "expected at least 0, got -0.02"),
    (
        "BAD_VALUE",
        "{moment: almost, number: 9}",
        "{moment: almost, number: 9}\n      - {moment: almost, number: 8}",
        "expected targets in ascending order",
    ),
    # what is listened to
    ("BAD_VALUE", "past: {kind: histogram,", "past: {kind: histogram, quantile: 1.5, #!\n   ", "above 0 and at most 1"),
    ("UNKNOWN_TYPE", "on: app.action.performed", "on: app.action.perform #!", "did you mean 'app.action.performed'?"),
    ("UNKNOWN_TYPE", "on: app.action.performed", "on: party.merged #!", "unknown event type 'party.merged'"),
    (
        "UNKNOWN_FIELD",
        "{field: funnel,",
        "{field: funel, #!\n ",
        "unknown field of app.action.performed 'funel'; did you mean 'funnel'?",
    ),
    ("UNKNOWN_FIELD", "    label: purpose", "    label: counterparty.nam_hash #!", "did you mean 'counterparty.name_hash'?"),
    ("BAD_VALUE", "in: [CRDT]", "in: [CREDIT] #!\n ", "unknown value of credit_debit_indicator 'CREDIT'; did you mean 'CRDT'?"),
    ("BAD_VALUE", "in: [CRDT]", "in: [] #!\n ", "expected at least 1 item"),
    ("BAD_VALUE", "in: [CRDT]", "at_least: 5 #!\n ", "is a word of a closed list and cannot be compared with a number"),
    ("BAD_VALUE", "in: [CRDT]", "present: false #!\n ", "'credit_debit_indicator' is always there"),
    (
        "BAD_VALUE",
        "{field: credit_debit_indicator, in: [CRDT]}",
        "{field: amount, in: [x]} #!",
        "'amount' is an amount of money",
    ),
    (
        "BAD_VALUE",
        "{field: credit_debit_indicator, in: [CRDT]}",
        "{field: counterparty.own_name, in: [yes]} #!",
        "expected one of false, true",
    ),
    (
        "BAD_VALUE",
        "    amount: amount",
        "    amount: purpose #!",
        "expected an amount of money, but 'purpose' of txn.entry.posted is text",
    ),
    (
        "BAD_VALUE",
        "    label: purpose",
        "    label: amount #!",
        "expected text, but 'amount' of txn.entry.posted is an amount of money",
    ),
    ("BAD_VALUE", "    share: 0.5\n    amount: amount\n", "    share: 0.5 #!\n", "expected `amount` beside it"),
    ("BAD_VALUE", "    stages:\n", "    per: screen #!\n    stages:\n", "'screen' may be absent from app.action.performed"),
    (
        "BAD_VALUE",
        "    inputs: credit\n    history",
        "    inputs: unfinished #!\n    history",
        "expected the inputs and the amount of its history",
    ),
    (
        "BAD_VALUE",
        "past: {kind: histogram, inputs: credit}",
        "past: {kind: moments, inputs: [{on: txn.card.authorised}]}",
        "expected inputs that its history 'past' counts",
    ),
    ("BAD_VALUE", "floor: 10000", "floor: '0.005' #!", "expected at most 2 decimals"),
    ("BAD_VALUE", "floor: 10000", "floor: 10000000000000 #!", "expected fewer than 10^15 minor units"),
    ("UNKNOWN_INPUT", "    then: credit", "    then: credits #!", "unknown input 'credits'; did you mean 'credit'?"),
    ("UNKNOWN_FEATURE", "    value: aum", "    value: aun #!", "unknown feature 'aun'; did you mean 'aum'?"),
    ("UNKNOWN_FEATURE", "    velocity: flow", "    velocity: aum #!", "expected a feature of kind window, 'aum' is balances"),
    ("UNKNOWN_FEATURE", "    history: past", "    history: flow #!", "expected a feature of kind histogram"),
    ("UNKNOWN_FEATURE", "{feature: aum,", "{feature: past, #!\n ", "expected a feature of kind balances or window"),
    ("UNKNOWN_FEATURE", "evidence: [aum]", "evidence: [aum, flo] #!", "did you mean 'flow'?"),
    # what moments become
    (
        "UNKNOWN_TRIGGER",
        "type: tier.upgraded",
        "type: tier.upgrade #!",
        "unknown trigger type 'tier.upgrade'; did you mean 'tier.upgraded'?",
    ),
    ("UNKNOWN_MOMENT", "      upgraded:\n", "      upgrade: #!\n", "unknown moment 'upgrade'; did you mean 'upgraded'?"),
    ("UNKNOWN_MOMENT", "    approaching: {within: 0.1, days: 3}\n", "", "'approaching' never comes: the rule has no zone"),
    ("UNKNOWN_FACT", "zh: 升至 {value} 元", "zh: 升至 {valu} 元 #!", "unknown fact 'valu'; did you mean 'value'?"),
    ("UNKNOWN_FACT", "{outflow: followed,", "{outflow: flowed, #!\n ", "unknown fact 'flowed'; did you mean 'followed'?"),
    ("UNKNOWN_FACT", "en: for {silence_days} days", "en: for {key} days #!", "unknown fact 'key'"),
    ("UNKNOWN_DETAIL", "{outflow: followed,", "{outflows: followed, #!\n ", "did you mean 'outflow'?"),
    (
        "UNKNOWN_DETAIL",
        "{outflow: followed,",
        "{outflow: window_hours, #!\n ",
        "detail 'outflow' holds money, but the fact 'window_hours' is number",
    ),
    ("UNKNOWN_DETAIL", "        type: payroll.missed", "        type: payroll.started #!", "nothing fills the detail 'amount'"),
    (
        "UNKNOWN_DETAIL",
        "{aum: value, tier_from: from, tier_to: to}\n        evidence",
        "{aum: velocity_per_day, #!\n          tier_from: from, tier_to: to}\n        evidence",
        "detail 'aum' must be there, but the fact 'velocity_per_day' may be absent",
    ),
    ("MESSAGE", "zh: 升至 {value} 元", "zh: 升至 {value 元 #!", "expected every { to have its }"),
    ("MESSAGE", "en: rose to {value}", "en: rose #!", "expected at least one fact in braces"),
    ("MESSAGE", "en: rose to {value}", "en: 'rose to {value:>10}' #!", "expected {value} without a format"),
    # figures
    ("BAD_ZONE", "zone: Asia/Shanghai", "zone: Asia/Shangai #!", "expected a zone of the IANA database"),
    ("BAD_ZONE", "zone: Asia/Shanghai", "zone: /etc/passwd #!", "expected a zone of the IANA database"),
    ("BAD_CURRENCY", "currency: CNY", "currency: yuan #!", "expected text like ^[A-Z]{3}$, got 'yuan'"),
    ("BAD_CURRENCY", "USD: ", "CNY: ", "CNY is the pack's own currency"),
    ("BAD_CURRENCY", "USD: ", "US: ", "expected three capital letters, got 'US'"),
    ("BAD_CURRENCY", '"7.10"', '"0"', "expected a rate above zero"),
    (
        "BAD_BANDS",
        "{name: high, at: 50000}",
        "{name: high, at: 2000} #!",
        "expected bands to ascend from above 0, got 2000 after 2000",
    ),
    ("BAD_BANDS", "{name: low, at: 2000}", "{name: low, at: 0} #!", "expected bands to ascend"),
    ("BAD_BANDS", "{name: high, at: 50000}", "{name: low, at: 50000} #!", "band 'low' is named twice"),
    ("BAD_BANDS", "{name: high, at: 50000}", "{name: high, at: 2100} #!", "the zones of 'low' and 'high' overlap"),
    ("BAD_BANDS", "hysteresis: 0.02", "hysteresis: 1 #!", "expected a share below 1"),
    ("BAD_BANDS", "{within: 0.1, days: 3}", "{within: 0.01, days: 3} #!", "expected a share above the hysteresis"),
    # what nothing uses
    ("UNUSED", "features:\n", "  idle: #!\n    - on: card.issued\nfeatures:\n", "nothing listens to 'idle'"),
    ("UNUSED", "features:\n", "features:\n  idle: {kind: balances} #!\n", "nothing uses the feature 'idle'"),
    ("UNUSED", "    ended: back\n", "    ended: gone #!\n", "nothing tells the moment 'gone'"),
    (
        "UNUSED",
        "{moment: almost, number: 9}\n",
        "{moment: almost, number: 9}\n      - {moment: full, number: 10} #!\n",
        "nothing tells the moment 'full'",
    ),
]


def test_the_small_pack_has_no_fault() -> None:
    """So that every fault below comes from its own change."""
    assert understood("pack.yaml", SMALL).faults == ()


@pytest.mark.parametrize("inputs", ["credit", "[{on: txn.entry.posted}]"])
def test_an_amount_may_be_judged_among_more_than_its_own_kind(inputs: str) -> None:
    """Moments may count more than the rule judges: credits among all movements."""
    text = SMALL.replace("past: {kind: histogram, inputs: credit}", f"past: {{kind: moments, inputs: {inputs}}}")

    assert understood("pack.yaml", text).faults == ()


@pytest.mark.parametrize(("code", "old", "new", "words"), CASES, ids=lambda value: value[:30] if value.isupper() else "")
def test_each_fault_is_found_at_its_line(code: str, old: str, new: str, words: str) -> None:
    """The marked line where the change has a mark."""
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    line = text[: text.index("#!")].count("\n") + 1 if "#!" in new else None

    faults = understood("pack.yaml", text).faults

    found = [fault for fault in faults if fault.code == code and words in fault.text]
    assert len(found) == 1, [str(fault) for fault in faults]
    assert line in (None, found[0].line)
    assert str(found[0]).startswith(f"pack.yaml:{found[0].line} ")


def test_every_code_has_a_case() -> None:
    """NO_SCENARIO needs files and is tested with the loader."""
    assert {case[0] for case in CASES} == set(LintCode) - {LintCode.NO_SCENARIO}
    assert set(LintCode) >= SOFT


def test_all_faults_are_reported_at_once() -> None:
    """In the order of their lines."""
    text = (
        SMALL.replace("zone: Asia/Shanghai", "zone: Mars")
        .replace("value: aum", "value: aun")
        .replace("rose to {value}", "rose")
    )

    faults = understood("pack.yaml", text).faults

    assert [fault.code for fault in faults] == [LintCode.BAD_ZONE, LintCode.UNKNOWN_FEATURE, LintCode.MESSAGE]


def test_all_faults_of_form_are_reported_at_once() -> None:
    """Each with its line."""
    text = SMALL.replace("version: 1", "version: one").replace("within: 1d", "within: soon").replace("learn", "x")

    assert [fault.line for fault in understood("pack.yaml", text).faults] == [3, text[: text.index("soon")].count("\n") + 1]


def test_a_fault_of_form_hides_none_of_meaning() -> None:
    """An unknown field, a rule without its value, and elsewhere a feature and a message that are wrong."""
    text = (
        SMALL.replace("    value: aum\n", "    value: aum\n    dwel_days: 1\n")
        .replace("within: 1d", "within: soon")
        .replace("value: aum", "value: aun")
        .replace("rose to {value}", "rose")
    )

    found = {fault.code for fault in understood("pack.yaml", text).faults}

    assert found == {LintCode.UNKNOWN_FIELD, LintCode.BAD_VALUE, LintCode.UNKNOWN_FEATURE, LintCode.MESSAGE}


def test_what_was_not_read_is_missed_by_nobody() -> None:
    """A feature whose form is wrong is there all the same: who uses it has no fault."""
    text = SMALL.replace("aum: {kind: balances}", "aum: {kind: balance}")

    assert [fault.code for fault in understood("pack.yaml", text).faults] == [LintCode.BAD_VALUE]


@pytest.mark.parametrize("text", ["", "[]", "5", "name: x", "rules: {a: 5}", "rules: {a: {mechanism: ladder, bands: 3}}"])
def test_anything_else_is_faults_and_never_an_error(text: str) -> None:
    """Whatever shape the data have."""
    assert understood("pack.yaml", text).faults
