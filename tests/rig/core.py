"""Which core is at work."""

from __future__ import annotations

from stream.engine import step


def core() -> str:
    """What the engine of this process is: ``sources``, or ``compiled`` (`make compiled`)."""
    return "sources" if str(step.__file__).endswith(".py") else "compiled"
