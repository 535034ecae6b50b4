"""Law: no sums that events can make keep a row from being written."""

from __future__ import annotations

import pytest

from stream.engine.engine import Engine
from stream.packs import loader
from tests.builders import MINUTE, instant, posting, replayed

HUGE = b"9999999999999.99"


@pytest.mark.parametrize("way", ["CRDT", "DBIT"])
def test_a_date_of_the_largest_amounts_can_be_kept(way: str) -> None:
    """Their sum in base units leaves 64 bits; the window stops there."""
    events = [posting(instant(0) + number, way=way, id=f"E{number}") for number in range(2_600)]
    lines = [
        event.line().replace(b'{"amount":"100.00","ccy":"CNY"}', b'{"amount":"%b","ccy":"GBP"}' % HUGE) for event in events
    ]
    assert HUGE in lines[0]

    assert replayed(Engine(loader.load("retail_bank")), lines).dead == []


@pytest.mark.parametrize("sign", [b"", b"-"])
def test_the_largest_balances_of_many_accounts_can_be_judged(sign: bytes) -> None:
    """Each of them fits, their sum does not."""
    events = [posting(instant(0) + number, balance=5, id=f"E{number}", account=f"A{number}") for number in range(1_100)]
    huge = b'{"amount":"%b%b","ccy":"GBP"}' % (sign, HUGE)
    lines = [event.line().replace(b'{"amount":"0.05","ccy":"CNY"}', huge) for event in events]
    lines.append(posting(instant(3) + MINUTE, balance=5, id="last", account="A0").line())
    assert HUGE in lines[0]

    assert replayed(Engine(loader.load("retail_bank")), lines, until=instant(5)).dead == []
