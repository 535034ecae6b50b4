"""Law: several workers under one command are as good as one: they end together, and the command says how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.domain.errors import ConfigError
from stream.shell.cli import fleet
from stream.shell.settings import Settings

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from stream.shell.cli import fleet
from stream.shell.settings import Settings
from tests.unit import fleet_workers

if __name__ == "__main__":
    sys.exit(fleet.run(Settings(instance_id="pod"), sys.argv[1], 2, getattr(fleet_workers, sys.argv[2])))
"""


def started(tmp_path: Path, work: str) -> subprocess.Popen[bytes]:
    """Two of a work of `fleet_workers`, under one command; they say what they are in a folder of their own."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    where = tmp_path / "said"
    where.mkdir()
    command = [sys.executable, str(program), str(where), work]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)


def said(tmp_path: Path, number: int, patience: float = 30.0) -> dict[str, str]:
    """What the workers said by name, once there are so many of them."""
    until = time.monotonic() + patience
    while len(found := {each.name: each.read_text() for each in (tmp_path / "said").glob("pod-?")}) < number:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def gone(pid: int, patience: float = 30.0) -> bool:
    """Whether this process has ended, or does soon."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            if (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("each", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_all_end_in_order(tmp_path: Path, each: signal.Signals) -> None:
    with started(tmp_path, "waits") as command:
        workers = said(tmp_path, 2)
        command.send_signal(each)
        code = command.wait(30)

    assert sorted(workers) == ["pod-0", "pod-1"]
    assert code == 0
    assert (tmp_path / "said" / "pod-0").read_text() == (tmp_path / "said" / "pod-1").read_text() == "ended"


def test_one_does_not_go_on_alone(tmp_path: Path) -> None:
    """Its code is that of the command; the other is told to end."""
    with started(tmp_path, "one_fails") as command:
        code = command.wait(30)

    assert code == 70
    assert (tmp_path / "said" / "pod-1").read_text() == "ended"


def test_what_can_be_mended_is_said_as_by_one_worker(tmp_path: Path) -> None:
    """Without a traceback, with the exit code of wrong use; ports that there are not are refused before anybody starts."""
    with started(tmp_path, "refuses") as command:
        assert command.stderr is not None
        told, code = command.stderr.read().decode().splitlines(), command.wait(30)

    assert (set(told), code) == ({"error: no such broker"}, 2)
    with pytest.raises(ConfigError, match="65535"):
        fleet.shares(Settings(metrics_port=65_535), 2)


def test_one_that_was_killed_is_a_fault(tmp_path: Path) -> None:
    with started(tmp_path, "waits") as command:
        os.kill(int(said(tmp_path, 2)["pod-0"]), signal.SIGKILL)
        code = command.wait(30)

    assert code == 128 + signal.SIGKILL
    assert (tmp_path / "said" / "pod-1").read_text() == "ended"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_none_is_left_when_the_command_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, "waits") as command:
        workers = said(tmp_path, 2)
        command.kill()

    assert all(gone(int(pid)) for pid in workers.values())
    assert {each.read_text() for each in (tmp_path / "said").iterdir()} == {"ended"}
