"""What a contender uses: CPU and memory of its whole process tree, from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
SESSION, USER, SYSTEM, CHILD_USER, CHILD_SYSTEM = 3, 11, 12, 13, 14
"""Places in /proc/PID/stat, counted after the name."""


def stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def members(leader: int) -> list[int]:
    """The processes of a session."""
    pids = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    return [pid for pid in pids if (fields := stat(pid)) and int(fields[SESSION]) == leader]


def cpu(leader: int) -> float:
    """CPU seconds of a session so far: those of its live processes, and of children that they have waited for."""
    used = 0
    for pid in members(leader):
        fields = stat(pid)
        if fields:
            used += sum(int(fields[place]) for place in (USER, SYSTEM, CHILD_USER, CHILD_SYSTEM))
    return used / TICK


def peak(leader: int) -> int:
    """Bytes: the largest resident size each live process of a session ever had, summed up."""
    kilobytes = 0
    for pid in members(leader):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return kilobytes * 1024
