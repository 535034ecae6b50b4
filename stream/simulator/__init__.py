"""A seeded retail bank to test and show with: personas, paydays, spending, app journeys, silence, windfalls.

Rule: no clock, no environment, no unseeded chance; the bank depends on the words of `stream.domain` alone.
"""

from stream.simulator.bank import Bank
from stream.simulator.poison import poison

__all__ = ["Bank", "poison"]
