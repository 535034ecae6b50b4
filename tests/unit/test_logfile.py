"""Logs on disk: forms, names and numbers, and when each line counts as recorded."""

from __future__ import annotations

import gzip
import io
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, MINUTE
from stream.domain.errors import ConfigError
from stream.engine.engine import Engine
from stream.shell.logfile import AROUND, Numbered, Recorded, lines, merged, recorded
from tests.builders import START, dormancy, numbered, pack, replayed, session

TEN_YEARS = 3652 * DAY


def log(times: list[int | None], vouched: dict[int, int] | None = None) -> list[Numbered]:
    """Lines with these times, some with a recorded time; None for a line that cannot be read."""
    made = []
    for place, at in enumerate(times):
        if at is None:
            made.append(Numbered("log", place + 1, b"{broken"))
            continue
        given_time = (vouched or {}).get(place)
        event = session(at, recorded=given_time)
        made.append(Numbered("log", place + 1, event.line(stamped=given_time is not None)))
    return made


def seen(times: list[int | None], vouched: dict[int, int] | None = None) -> list[int]:
    return [line.at for line in recorded(log(times, vouched))]


def steady(count: int, step: int = MINUTE) -> list[int | None]:
    return [START + place * step for place in range(count)]


# --- files


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_every_form_gives_the_same_lines(tmp_path: Path, ending: str) -> None:
    """Plain, gzip, Zstandard: name without folder, numbers from one, blank lines counted but left out."""
    content = b'{"a":1}\n\n{"a":2}\r\n{"a":3}'
    packed = {"gz": gzip.compress, "zst": zstandard.compress}.get(ending[-3:].lstrip("."), bytes)(content)
    path = tmp_path / f"events.{ending}"
    path.write_bytes(packed)

    name = path.name
    assert list(lines(str(path))) == [(name, 1, b'{"a":1}'), (name, 3, b'{"a":2}'), (name, 4, b'{"a":3}')]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads it, under a name that can stand in evidence."""

    class Given:
        buffer = io.BytesIO(b"one\ntwo\n")

    monkeypatch.setattr("sys.stdin", Given)

    assert list(lines("-")) == [("stdin", 1, b"one"), ("stdin", 2, b"two")]


@pytest.mark.parametrize("name", ["missing.jsonl", "torn.gz", "torn.zst", "plain.gz"])
def test_log_that_cannot_be_read_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    """Missing, cut off, or of another form than its ending says."""
    content = b"line\n" * 50_000
    torn = {"torn.gz": gzip.compress(content)[:-30], "torn.zst": zstandard.compress(content)[:-3], "plain.gz": b"line\n"}
    if name in torn:
        (tmp_path / name).write_bytes(torn[name])

    with pytest.raises(ConfigError, match=r"expected a readable log, got \w+") as caught:
        list(lines(str(tmp_path / name)))

    assert name in str(caught.value)


def test_several_zstandard_frames_are_one_log(tmp_path: Path) -> None:
    """Logs that were compressed apart and put together are read to the end."""
    path = tmp_path / "two.zst"
    path.write_bytes(zstandard.compress(b"one\n") + zstandard.compress(b"two\n"))

    assert [line.line for line in lines(str(path))] == [b"one", b"two"]


def test_several_logs_are_one_by_recorded_time(tmp_path: Path) -> None:
    """Lines keep their own file's name and number."""
    for name, days in (("a", (0, 3)), ("b", (1, 2))):
        events = numbered(session(START + day * DAY) for day in days)
        (tmp_path / name).write_bytes(b"".join(event.line() + b"\n" for event in events))

    got = [(line.name, line.number) for line in merged([str(tmp_path / "a"), str(tmp_path / "b")])]

    assert got == [("a", 1), ("b", 1), ("b", 2), ("a", 2)]


# --- recorded time


def test_recorded_time_is_believed_and_never_falls() -> None:
    """With `recordedtime` that counts, whatever the event's own time says."""
    times: list[int | None] = [START, START + TEN_YEARS, START - DAY, START]

    assert seen(times, {0: 10, 1: 20, 2: 15, 3: 30}) == [10, 20, 20, 30]


def test_without_recorded_time_the_event_time_counts() -> None:
    """A log in order says when it was recorded; a late line counts with the line above."""
    times = steady(5)
    times[3] = START - DAY

    assert seen(times) == [START, START + MINUTE, START + 2 * MINUTE, START + 2 * MINUTE, START + 4 * MINUTE]


def test_gaps_of_a_sparse_log_are_believed() -> None:
    """Months between lines are no fault: a silence that ends is what such a log is about."""
    times: list[int | None] = [START, START + 40 * DAY, START + 240 * DAY, START + 241 * DAY, START + 400 * DAY]

    assert seen(times) == times


@pytest.mark.parametrize("ahead", [2 * HOUR, DAY, 365 * DAY, TEN_YEARS])
@pytest.mark.parametrize("places", [[0], [100], [100, 101, 102, 103, 104], [0, 1, 2], [50, 60, 61, 90]])
def test_future_stamps_move_nobody(places: list[int], ahead: int) -> None:
    """Single, several in a row, at the start: every other line counts as if they were not there."""
    times = steady(200)
    for place in places:
        times[place] = START + place * MINUTE + ahead

    got = seen(times)

    sound = [at for place, at in enumerate(steady(200)) if place not in places]
    assert [at for place, at in enumerate(got) if place not in places] == sound
    assert all(got[place] < START + 200 * MINUTE for place in places)


@pytest.mark.parametrize("many", [1, 2, 3, 5])
def test_future_stamps_at_the_end_move_nobody(many: int) -> None:
    """The last lines have nobody behind them to contradict: ten years ahead is not believed all the same."""
    times = steady(100)
    times[-many:] = [START + TEN_YEARS] * many

    got = seen(times)

    assert max(got) < START + 100 * MINUTE


def test_future_stamps_of_a_short_log_move_nobody() -> None:
    """Two broken lines before a sound one, and nothing else."""
    got = seen([START + TEN_YEARS, START + TEN_YEARS, START])

    assert got == [START, START, START]


def test_small_disorder_is_believed() -> None:
    """Lines a few minutes out of place are neither moved nor doubted."""
    times: list[int | None] = [START + place * MINUTE + (place % 7) * 5 * MINUTE for place in range(200)]

    got = seen(times)

    assert all(at is not None and at <= late for at, late in zip(times, got, strict=True))


def test_unreadable_lines_count_with_the_line_above() -> None:
    """At the start of a log, with the first that can be read."""
    assert seen([None, START, None, START + 5]) == [START, START, START, START + 5]
    assert seen([None, None]) == [0, 0]


@given(st.lists(st.one_of(st.none(), st.integers(0, 5 * 365 * 24)), max_size=AROUND * 2))
def test_recorded_never_falls_and_loses_no_line(hours: list[int | None]) -> None:
    """Whatever the stamps, lines come out as they went in, in an order of time that never turns back."""
    told = log([None if hour is None else START + hour * HOUR for hour in hours])

    got = list(recorded(told))

    assert [line[1:] for line in got] == told
    assert all(one.at <= other.at for one, other in pairwise(got))
    assert all(isinstance(line, Recorded) for line in got)


def test_future_stamp_in_a_plain_log_fires_nothing_and_is_dead() -> None:
    """End to end: a log without `recordedtime` and one line of next year; nobody goes dormant for it."""
    engine = Engine(pack({"dormancy": dormancy()}), "replay")
    events = numbered([*(session(START + place * HOUR) for place in range(100)), session(START + 300 * DAY, subject="C2")])
    events.insert(50, events.pop())
    clean = [event.line(stamped=False) for event in events if event.subject == "C1"]

    got = replayed(engine, [event.line(stamped=False) for event in events])

    assert [code for _, code in got.dead] == [b"FUTURE_STAMP"]
    assert got.types == replayed(engine, clean).types
