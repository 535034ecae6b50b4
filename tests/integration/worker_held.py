"""`kairos run` whose restores stand still after their first records while a file is there: `python worker_held.py FILE`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from stream.shell.cli import main
from stream.shell.kafka import restore
from stream.shell.metrics import Reports

HELD = Path(sys.argv[-1])
PAUSE = 0.05


class HeldReports(Reports):
    """Holds the thread that restores, as a broker would that brings the next record late."""

    def restore_progress(self, partition: int, records: int) -> None:
        """As ever; and then wait."""
        super().restore_progress(partition, records)
        while HELD.exists():
            time.sleep(PAUSE)


def run() -> None:
    """The command, with these reports; a restore says in the log how far it is at every look."""
    from stream.shell import metrics

    metrics.Reports = HeldReports  # type: ignore[misc]
    restore.SAY = PAUSE
    sys.argv = ["kairos", "run"]
    main()


if __name__ == "__main__":
    run()
