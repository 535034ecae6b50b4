"""Dead letters held against the records that died: each once, with its bytes, its headers, its coordinates and no more.

Rule: what lies in the source topics is the truth; letters are read as a campaign engine would read them, committed ones only.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stream.shell.kafka import record as records
from stream.shell.kafka.stamping import RESERVED, is_marker
from stream.shell.kafka.topics import DEAD
from stream.shell.settings import Settings
from stream.wire.encode import ERRORS

ORIGIN = "ce_kairosorigin"
WORDS = {"code", "path", "text", "stage", "topic", "partition", "offset", "timestamp"}
Place = tuple[str, str, str]
"""Topic, partition, offset, as a letter says them."""


class Letter(NamedTuple):
    """One of them, its value as a digest.

    Attributes:
        about: What Kairos says of it, all words.
        origin: What the headers say where the line came from.
    """

    digest: bytes
    about: dict[str, str]
    origin: str

    @property
    def place(self) -> Place:
        """Where the record lay that died."""
        return self.about["topic"], self.about["partition"], self.about["offset"]


def letters(settings: Settings) -> Iterator[Letter]:
    """All of them."""
    for message in _read(settings, DEAD):
        headers = message.headers() or []
        about = {name.removeprefix(ERRORS): text.decode() for name, text in headers if name.startswith(ERRORS)}
        kept = [header for header in headers if not header[0].startswith((ERRORS, RESERVED))]
        yield Letter(_digest(kept, message.value()), about, dict(kept).get(ORIGIN, b"").decode())


def sources(settings: Settings, *topics: str) -> dict[Place, bytes]:
    """Digests of what was sent to these topics, by place; markers of the log left out, and headers that are ours to write."""
    found = {}
    for topic in topics:
        for message in _read(settings, topic):
            headers = message.headers() or []
            if not is_marker(message.key(), message.value(), dict(headers)):
                kept = [header for header in headers if not header[0].startswith(RESERVED)]
                found[topic, str(message.partition()), str(message.offset())] = _digest(kept, message.value())
    return found


def faults(found: list[Letter], sent: Mapping[Place, bytes], codes: Mapping[str, str], personal: list[str]) -> list[str]:
    """What is wrong with these letters: nothing when each record that was to die has exactly one, as it was.

    Args:
        sent: Digests by place.
        codes: By origin (``name:line``), why the line was to die.
        personal: What no word about a letter may hold.
    """
    wrong = [f"{place}: {times} letters" for place, times in Counter(one.place for one in found).items() if times > 1]
    wrong += [f"{one.place}: other bytes or headers than were sent" for one in found if sent.get(one.place) != one.digest]
    died = {one.origin: one.about["code"] for one in found}
    wrong += [f"{origin}: {died.get(origin)}, expected {code}" for origin, code in codes.items() if died.get(origin) != code]
    wrong += [f"{origin}: died and should not" for origin in died.keys() - codes.keys()]
    wrong += [f"{one.place}: words {sorted(one.about)}" for one in found if one.about.keys() != WORDS]
    texts = {text for one in found for word, text in one.about.items() if word in ("text", "path", "code")}
    wrong += [f"personal data in {text!r}" for text in texts if any(each in text for each in personal)]
    return wrong


def _read(settings: Settings, topic: str) -> Iterator[records.Message]:
    name = settings.topic(topic)
    with records.consumer(settings) as reader:
        for partition in range(records.partitions(reader, name)):
            first, end = records.bounds(reader, name, partition, records.Range())
            yield from records.messages(reader, name, partition, first, end)


def _digest(headers: list[tuple[str, bytes]], value: bytes | None) -> bytes:
    made = hashlib.blake2b(repr(sorted(headers)).encode(), digest_size=16)
    made.update(b"\x00" if value is None else value)
    return made.digest()
