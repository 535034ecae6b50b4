"""Closed lists of reasons. A metric label or a ledger entry is always a member of one of these."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """Why a candidate did not become a trigger (CAPABILITIES 2.4; those that a gate of today can give)."""

    HARM_ARREARS = "HARM_ARREARS"
    OPT_OUT_ALL = "OPT_OUT_ALL"
    OPT_OUT_TOPIC = "OPT_OUT_TOPIC"
    COOLDOWN = "COOLDOWN"
    DUPLICATE_EPISODE = "DUPLICATE_EPISODE"
    EXPIRED = "EXPIRED"


class RejectCode(StrEnum):
    """Why a record went to the dead letters."""

    NOT_UTF8 = "NOT_UTF8"
    NOT_JSON = "NOT_JSON"
    NOT_CLOUDEVENT = "NOT_CLOUDEVENT"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    UNSUPPORTED = "UNSUPPORTED"
    MISSING_FIELD = "MISSING_FIELD"
    WRONG_TYPE = "WRONG_TYPE"
    BAD_VALUE = "BAD_VALUE"
    AMOUNT_OUT_OF_RANGE = "AMOUNT_OUT_OF_RANGE"
    UNKNOWN_CURRENCY = "UNKNOWN_CURRENCY"
    FUTURE_STAMP = "FUTURE_STAMP"
    OVERSIZE = "OVERSIZE"


class Filtered(StrEnum):
    """Why a record was read and rightly not processed: it had been before."""

    DUPLICATE_DELIVERY = "DUPLICATE_DELIVERY"
    """The same source coordinates again (a zombie ingest, a rebalance)."""
    DUPLICATE_EVENT = "DUPLICATE_EVENT"
    """The same `source` and `id` again (a producer's own retry)."""


class Outcome(StrEnum):
    """What became of a record; the counts reconcile: processed + unhandled + dead + filtered = read."""

    PROCESSED = "processed"
    UNHANDLED = "unhandled"
    DEAD = "dead"
    FILTERED = "filtered"
