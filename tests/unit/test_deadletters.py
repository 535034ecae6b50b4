"""Law: letters are sent back in transactions that a client can hold, none left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.shell.kafka import deadletters
from stream.shell.kafka.deadletters import Letter, batches, size


def letter(number: int, length: int) -> Letter:
    return Letter((0, number), 0, None, b"x" * length, (), {})


@given(st.lists(st.sampled_from([10, 3_000_000, 9_000_000]), max_size=12))
def test_a_batch_is_bounded_by_bytes_and_no_letter_is_left_out(lengths: list[int]) -> None:
    """One more than is enough at most: a letter may be large by itself."""
    found = [letter(number, length) for number, length in enumerate(lengths)]
    made = list(batches(iter(found)))

    assert [one for batch in made for one in batch] == found
    assert all(sum(map(size, batch[:-1])) < deadletters.BATCH_BYTES for batch in made)


def test_a_batch_is_bounded_by_number() -> None:
    made = list(batches(letter(number, 1) for number in range(2 * deadletters.BATCH + 1)))

    assert [len(batch) for batch in made] == [deadletters.BATCH, deadletters.BATCH, 1]
