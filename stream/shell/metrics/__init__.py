"""What a worker counts and measures. The catalogue is the list, `Metrics` feeds it, `Reports` spreads what is told.

Rule: an own registry, closed labels, series that exist from the start.
"""

from stream.shell.metrics.catalogue import table
from stream.shell.metrics.reports import Reports
from stream.shell.metrics.worker import Metrics

__all__ = ["Metrics", "Reports", "table"]
