"""A broker of its own that can be bounced: ended gently or not, and started again on its data and port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "deploy" / "kafka" / "kafka.py"


class Broker:
    """One node in a directory of its own; it ends with this process at the latest.

    Args:
        where: Its directory.
        proxied: One more listener, which sends its clients to this port: that of a proxy.
    """

    def __init__(self, where: Path, proxied: int = 0) -> None:
        self._where = where
        self._port = 0
        self._more = ["--proxied", str(proxied)] if proxied else []
        self._holder: subprocess.Popen[str] | None = None

    @property
    def bootstrap(self) -> str:
        """Address that clients start from; the same after every bounce."""
        return f"127.0.0.1:{self._port}"

    @property
    def behind_proxy(self) -> int:
        """Port that the proxy has to lead to; another one after every bounce."""
        return int((self._where / "proxied").read_text())

    def start(self) -> None:
        """Return when it answers."""
        command = [sys.executable, str(PROGRAM), "run", "--dir", str(self._where), "--port", str(self._port), *self._more]
        self._holder = subprocess.Popen(
            [*command, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline().strip()
        assert said, f"the broker did not start, see {self._where / 'broker.log'}"
        self._port = int(said.rpartition(":")[2])

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def pulse(self, seconds: float) -> None:
        """Stop its process for a while."""
        pid = self._pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    def _pid(self) -> int:
        return int((self._where / "pid").read_text())

    def _end(self, how: signal.Signals) -> None:
        holder, self._holder = self._holder, None
        if holder is not None:
            os.kill(self._pid(), how)
            holder.wait(60)
