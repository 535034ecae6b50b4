"""What went out, read back and checked: for tests, for explaining, for whoever consumes triggers in Python.

Rule: as strict as what this version writes; an unknown or missing field is an error here, where the published schemas
let readers pass over fields and words of later versions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from stream.wire.outputs import SUPPRESSED, TRIGGERS, payload_type, suppressed_type


class _Kind(msgspec.Struct):
    trigger_type: str


@cache
def _decoder(kind: str, suppressed: bool) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(suppressed_type(kind) if suppressed else payload_type(kind))


def read(kind: str, data: bytes) -> Any:
    """The `Trigger` or `Suppressed` in the data of an output type.

    Raises msgspec.ValidationError for data that does not fit, KeyError for a type that is none of ours.

    >>> from stream.wire.examples import triggers
    >>> data = msgspec.json.encode(triggers("points.double_earned")["examples"][0]["data"])
    >>> read("points.double_earned", data).details.period_end
    '2026-01-31'
    """
    if kind != SUPPRESSED:
        return _decoder(kind, False).decode(data)
    named = msgspec.json.decode(data, type=_Kind).trigger_type
    if named not in TRIGGERS:
        raise KeyError(named)
    return _decoder(named, True).decode(data)
