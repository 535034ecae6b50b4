"""`kairos run --workers N`: several workers of one machine under one command, so that one service uses all of its cores.

Rule: they are one to whoever watches. Told to end, all end in order; when one ends, for whatever reason, so do the others, and
the command with the code of the first that did not end in order. Each is a process of its own, and decides what it is assigned.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import typer

from stream.domain.errors import ConfigError
from stream.shell.cli.screen import BROKEN, plainly
from stream.shell.settings import Settings

Work = Callable[[Settings, str, int], int]
"""Runs one worker under a log level, by its place among them; its exit code. Found by its name in a new process."""
PORTS = 65_535
PATIENCE = 30.0
"""Seconds that a worker has to end in order when the command is gone; one that hangs ends anyhow."""
ENDED_BY_SIGNAL = 128
"""Exit code of who a signal ended, less the signal's number: as a shell has it."""


def shares(settings: Settings, number: int) -> list[Settings]:
    """The settings of each: a name of its own where the deployment names its workers, and a port of its own.

    Raises ConfigError when there are not so many ports.

    >>> [(each.instance_id, each.metrics_port) for each in shares(Settings(instance_id="pod-3", metrics_port=9464), 2)]
    [('pod-3-0', 9464), ('pod-3-1', 9465)]
    >>> [(each.instance_id, each.metrics_port) for each in shares(Settings(metrics_port=0), 2)]
    [(None, 0), (None, 0)]
    """
    name, port = settings.instance_id, settings.metrics_port
    if port and port + number - 1 > PORTS:
        raise ConfigError(f"metrics_port: expected room for {number} ports, got {port}; the last port is {PORTS}")
    return [
        settings.model_copy(update={"instance_id": name and f"{name}-{place}", "metrics_port": port and port + place})
        for place in range(number)
    ]


def run(settings: Settings, level: str, number: int, work: Work) -> int:
    """Start so many workers; when all have ended, 0 if each did in order, else the code of the first that did not."""
    context = multiprocessing.get_context("spawn")
    running: list[BaseProcess] = []
    untold: list[BaseProcess] = []
    told = threading.Event()

    def tell() -> None:
        # each once: a signal may come while this is under way
        while untold:
            with suppress(IndexError):
                untold.pop().terminate()

    def hear(*_: object) -> None:
        told.set()
        tell()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, hear)
    try:
        for place, share in enumerate(shares(settings, number)):
            worker = context.Process(target=_worker, args=(work, share, level, place), name=f"worker-{place}")
            worker.start()
            running.append(worker)
            untold.append(worker)
            if told.is_set():
                break
    except BaseException:
        tell()
        raise
    codes: list[int] = []
    while running:
        if codes or told.is_set():
            tell()
        wait([worker.sentinel for worker in running])
        # each is asked once: one that ends in between has not been counted yet
        seen = [(worker, worker.exitcode) for worker in running]
        codes += [code for _, code in seen if code is not None]
        running = [worker for worker, code in seen if code is None]
    # who is told before it can listen ends by the signal itself
    fine = (0, -signal.SIGTERM) if told.is_set() else (0,)
    return next((code if code > 0 else ENDED_BY_SIGNAL - code for code in codes if code not in fine), 0)


def _worker(work: Work, settings: Settings, level: str, place: int) -> None:
    threading.Thread(target=_follow, name="follow", daemon=True).start()
    try:
        with plainly():
            code = work(settings, level, place)
    except typer.Exit as ended:
        code = ended.exit_code
    except Exception:
        # by the same way as a worker's own: its log, where nothing of a customer is said
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.exit(code)


def _follow() -> None:
    """End in order when the command that started this worker is gone, and soon in any case: nobody else would end it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(BROKEN)
