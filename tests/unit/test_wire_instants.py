"""Stamps: exact milliseconds, zones, and nothing that is no RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream.domain.days import stamp
from stream.wire.instants import LAST, Instants, millis


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-01-05T09:30:00.000+08:00", "2026-01-05T01:30:00.000Z"),
        ("2026-01-05T09:30:00+08:00", "2026-01-05T01:30:00.000Z"),
        ("2026-01-05T01:30:00Z", "2026-01-05T01:30:00.000Z"),
        ("2026-01-05t01:30:00z", "2026-01-05T01:30:00.000Z"),
        ("2026-01-05T01:30:00.1Z", "2026-01-05T01:30:00.100Z"),
        ("2026-01-05T01:30:00.9999999Z", "2026-01-05T01:30:00.999Z"),
        ("2026-01-04T20:00:00.000-05:30", "2026-01-05T01:30:00.000Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("2200-12-31T23:59:59.999Z", "2200-12-31T23:59:59.999Z"),
    ],
)
def test_stamps_are_exact(text: str, same: str) -> None:
    """First when learned, then when remembered."""
    instants = Instants()
    assert [same, same] == [stamp(instants.parse(text)) for _ in range(2)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "now",
        "2026-01-05",
        "2026-01-05T09:30:00",
        "2026-01-05 09:30:00Z",
        "2026-01-05T09:30Z",
        "2026-01-05T09:30:60Z",
        "2026-01-05T09:60:00Z",
        "2026-01-05T09:99:00+08:00",
        "2026-01-05T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-05T09:30:00.Z",
        "2026-01-05T09:30:00.0000000001Z",
        "2026-01-05T09:30:00+24:00",
        "2026-01-05T09:30:00+0800",
        "2026-01-05T09:30:00Z\n",
        "\u0662026-01-05T09:30:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+08:00",
        "2201-01-01T00:00:00Z",
        "2200-12-31T23:59:59-01:00",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """Also when its halves were learned from sound stamps."""
    instants = Instants()
    for sound in ("2026-01-05T09:30:00Z", "2026-01-05T09:30:00.000+08:00", "2026-01-05T09:30:59.1Z"):
        instants.parse(sound)
    with pytest.raises(ValueError, match=r"expected|range|must be"):
        instants.parse(text)


def test_last_is_the_first_instant_of_2201() -> None:
    """A constant is checked by the calendar."""
    assert millis(datetime(2201, 1, 1, tzinfo=UTC)) == LAST


def test_memory_is_bounded() -> None:
    """More parts than it keeps, and still right."""
    instants = Instants()
    for number in range(120_000):
        text = f"2026-01-05T00:00:00.{number:09d}Z"
        assert instants.parse(text) == 1_767_571_200_000
    assert len(instants._fractions) <= 100_001
