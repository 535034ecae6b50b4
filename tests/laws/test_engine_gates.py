"""Gates: each refusal reaches the suppressed stream with all its reasons."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stream.domain.days import DAY
from stream.engine.engine import Engine
from tests.builders import Happening, arrears, journal, opt_out, pack, posting, run, worked_off
from tests.histories import sequenced

SOLD = {"mechanism": "sequence", "first": [{"on": "card.issued"}], "then": [{"on": "txn.entry.posted"}], "within": "30d"}


def _pushed(**words: Any) -> Engine:
    """An engine whose every posting after a card is a sale to propose."""
    told = {"type": "payroll.leaking", "topic": "wealth", "purpose": "sales", "talk_track": "t", "zh": "是", "en": "yes"}
    details = {"outflow": "followed", "outflow_share": "share"}
    return Engine(pack({"sold": {**SOLD, "emits": {"completed": {**told, "details": details, **words}}}}))


def _reasons(engine: Engine, events: list[Happening]) -> list[list[str]]:
    out = run(engine, journal(sequenced(events)))
    return sorted(orjson.loads(each[3])["reasons"] for each in out.triggers if each[0] == b"out.suppressed")


def _card(at: int, **about: Any) -> Happening:
    return Happening("card.issued", at, {"card_kind": "DEBIT"}, id=f"K{at}", **about)


@pytest.mark.parametrize(
    ("before", "reasons"),
    [
        (arrears(DAY, 30), ["HARM_ARREARS"]),
        (opt_out(DAY), ["OPT_OUT_ALL"]),
        (opt_out(DAY, "wealth"), ["OPT_OUT_TOPIC"]),
    ],
)
def test_gate_refuses_and_says_why(before: Happening, reasons: list[str]) -> None:
    """Each gate's reason reaches the suppressed stream."""
    assert _reasons(_pushed(), [_card(0), before, posting(2 * DAY, id="P")]) == [reasons]


def test_all_gates_are_asked_after_a_refusal() -> None:
    """Every reason is recorded, in the gates' order."""
    events = [_card(0), arrears(DAY, 1, id="a"), opt_out(DAY, id="b"), opt_out(DAY, "wealth", id="c"), posting(2 * DAY, id="P")]

    assert _reasons(_pushed(), events) == [["HARM_ARREARS", "OPT_OUT_ALL", "OPT_OUT_TOPIC"]]


def test_cooldown_and_expiry_end_what_would_repeat_or_come_too_late() -> None:
    """The second within the cooldown is refused; an event recorded long after its time is expired."""
    events = [
        _card(0),
        posting(DAY, id="P1"),
        _card(2 * DAY),
        posting(3 * DAY, id="P2"),
        _card(20 * DAY),
        posting(21 * DAY, id="P3", recorded=25 * DAY),
    ]

    assert _reasons(_pushed(cooldown="5d", expires="3d"), events) == [["COOLDOWN"], ["EXPIRED"]]


def test_two_that_one_record_completes_are_suppressed_under_an_id_each() -> None:
    """For a trigger the second repeats the episode of the first; but each was proposed: none may hide behind the other."""
    firsts = [_card(0), Happening("card.issued", 0, {"card_kind": "CREDIT"}, id="K-credit")]
    events = [*firsts, opt_out(DAY), posting(2 * DAY, id="P")]
    outputs, _, _ = worked_off(_pushed(), journal(sequenced(events)))

    assert [output.topic for output in outputs] == ["out.suppressed"] * 2
    assert len({dict(output.headers)["ce_id"] for output in outputs}) == 2
