"""Every exception Kairos raises. Bad input is never one of them: that is a `Reject`, a value."""

from __future__ import annotations


class StreamError(Exception):
    """The root; catch this to catch all of ours."""


# What the operator wrote


class ConfigError(StreamError):
    """Settings, topics or files that cannot be used as they are."""


class PackError(StreamError):
    """A pack with faults; carries all of them, each with its line."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


# What the world did


class StateError(StreamError):
    """State that cannot be read, or that does not follow on from what was applied."""


class DeliveryError(StreamError):
    """A send or a commit whose outcome is unknown: the worker stops and starts again from the ledger."""
