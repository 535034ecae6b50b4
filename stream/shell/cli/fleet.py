"""`kairos run --workers N`: several workers of one machine under one command, so that one service uses all of its cores.

Rule: they are as good as one worker to whoever watches: told to end, all end in order; when one ends, for whatever reason,
so do the others, with its exit code. Each is a process of its own, and reads and decides what it is assigned.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from stream.shell.settings import Settings

Work = Callable[[Settings, str], int]
"""Runs one worker under a log level; its exit code. Found by its name in a new process."""
ENDED_BY_SIGNAL = 128
"""Exit code of who a signal ended, less the signal's number: as a shell has it."""


def shares(settings: Settings, number: int) -> list[Settings]:
    """The settings of each: a name of its own where the deployment names its workers, and a port of its own.

    >>> [(each.instance_id, each.metrics_port) for each in shares(Settings(instance_id="pod-3", metrics_port=9464), 2)]
    [('pod-3-0', 9464), ('pod-3-1', 9465)]
    >>> [(each.instance_id, each.metrics_port) for each in shares(Settings(metrics_port=0), 2)]
    [(None, 0), (None, 0)]
    """
    name, port = settings.instance_id, settings.metrics_port
    return [
        settings.model_copy(update={"instance_id": name and f"{name}-{place}", "metrics_port": port and port + place})
        for place in range(number)
    ]


def run(settings: Settings, level: str, number: int, work: Work) -> int:
    """Start so many workers; when all have ended, 0 if each did in order, else the code of the first that did not."""
    context = multiprocessing.get_context("spawn")
    running: list[BaseProcess] = []
    untold: list[BaseProcess] = []
    ending = threading.Event()

    def end(*_: object) -> None:
        ending.set()
        while untold:
            untold.pop().terminate()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    for place, share in enumerate(shares(settings, number)):
        worker = context.Process(target=_worker, args=(work, share, level), name=f"worker-{place}")
        worker.start()
        running.append(worker)
        untold.append(worker)
        if ending.is_set():
            end()
            break
    codes: list[int] = []
    while running:
        wait([worker.sentinel for worker in running])
        codes += [worker.exitcode for worker in running if worker.exitcode is not None]
        running = [worker for worker in running if worker.exitcode is None]
        if codes:
            end()
    return next((code if code > 0 else ENDED_BY_SIGNAL - code for code in codes if code), 0)


def _worker(work: Work, settings: Settings, level: str) -> None:
    threading.Thread(target=_follow, name="follow", daemon=True).start()
    raise SystemExit(work(settings, level))


def _follow() -> None:
    """End in order when the command that started this worker is gone: nobody would end it otherwise."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
