"""Kairos: a bank's event streams, turned into the right marketing moment.

Read `stream.engine.step` first, then `stream.domain`.
"""

__version__ = "0.1.0"
