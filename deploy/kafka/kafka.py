"""Apache Kafka for development and tests: one node, started and stopped by process id.

Rule: standard library only, loopback only, nothing outside the chosen directory and `.kafka/libs`.

    python deploy/kafka/kafka.py start [--port 9092] [--dir .kafka/broker]     prints the bootstrap address
    python deploy/kafka/kafka.py status | stop [--dir D]
    python deploy/kafka/kafka.py run                                           in the foreground
    python deploy/kafka/kafka.py check                                         says what is missing to start one

Needs Java 17 or later, and Maven once, to fetch the jars.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
from pathlib import Path
from string import Template

from jars import HERE, HOME, LIBS, KafkaError, fetch, locked, missing, program
from listeners import PASSWORD, USER, More, free_port, proxied_lines, secure_lines

PATIENCE = 90.0
"""Seconds a start may take: three are usual, a busy machine takes longer."""
JVM = ("-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
"""A serial collector: on two cores, parallel collector threads only take turns with the tests."""
BRIEF = "-XX:TieredStopAtLevel=1"
"""The compiler's first stage only: a broker that lives for minutes spends a third of its time in the second."""


def java(*arguments: str, level: str = "warn") -> list[str]:
    """Command line of a Java program on Kafka's jars."""
    return [program("java"), *JVM, f"-Dorg.slf4j.simpleLogger.defaultLogLevel={level}",
            "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{LIBS}/*", *arguments]  # fmt: skip


def prepare(where: Path, port: int, more: More) -> int:
    """Write the properties and format a fresh data directory; the port that clients use (chosen when 0).

    A directory that was used before keeps its data, whatever the port.
    """
    where.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    text = (HERE / "server.properties").read_text()
    if more.proxied:
        text += proxied_lines(where, more.proxied)
    if more.secure:
        secure_port = free_port()
        text += secure_lines(where, secure_port)
        (where / "secure_bootstrap").write_text(f"127.0.0.1:{secure_port}\n")
    data = where / "data"
    text = Template(text).substitute(port=port, controller_port=free_port(), data=data)
    properties = where / "server.properties"
    properties.write_text(text)
    if not (data / "meta.properties").exists():
        format_storage(properties, where / "broker.log", more.secure)
    (where / "bootstrap").write_text(f"127.0.0.1:{port}\n")
    return port


def format_storage(properties: Path, log: Path, secure: bool) -> None:
    """Give the empty data directory its cluster id (and the SCRAM login)."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # in one word with its option, since an id may start with a dash
    command = java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties))
    if secure:
        command += ["--add-scram", f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"]
    with log.open("ab") as out:
        if subprocess.run(command, stdout=out, stderr=out, check=False).returncode != 0:
            raise KafkaError(f"the storage could not be formatted, see {log}:\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of a log, for an error message."""
    return log.read_bytes()[-2000:].decode(errors="replace") if log.exists() else ""


def answers(port: int) -> bool:
    """Whether a broker answers there: an ApiVersions request (version 0) gets its correlation id back."""
    request = struct.pack(">hhih", 18, 0, 7, -1)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as wire:
            wire.sendall(struct.pack(">i", len(request)) + request)
            head = wire.recv(10)
    except OSError:
        return False
    return len(head) == 10 and struct.unpack(">ih", head[4:]) == (7, 0)


def owned(where: Path) -> int | None:
    """Process id of the broker of this directory; None when it does not run.

    A process that merely got the same id later is not taken for it.
    """
    try:
        pid = int((where / "pid").read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return pid if not Path("/proc/self").exists() else None
    return pid if str(where) in command else None


def wait_ready(port: int, where: Path, broker: subprocess.Popen[bytes]) -> None:
    """Return when the broker answers. Raises KafkaError when it ends first or takes longer than PATIENCE."""
    until = time.monotonic() + PATIENCE
    while not answers(port):
        if broker.poll() is not None:
            raise KafkaError(f"the broker ended with code {broker.returncode}:\n{tail(where / 'broker.log')}")
        if time.monotonic() > until:
            raise KafkaError(f"no answer within {PATIENCE:.0f} s:\n{tail(where / 'broker.log')}")
        time.sleep(0.1)


def launch(where: Path, brief: bool) -> subprocess.Popen[bytes]:
    """The broker's process, in a session of its own, so that an interrupt meant for others does not reach it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "JAVA_TOOL_OPTIONS"))}
    with (where / "broker.log").open("ab") as log:
        command = java(*[BRIEF] * brief, "kafka.Kafka", str(where / "server.properties"))
        broker = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
            cwd=where,
        )
    (where / "pid").write_text(f"{broker.pid}\n")
    return broker


def start(where: Path, port: int, more: More, brief: bool) -> subprocess.Popen[bytes] | None:
    """Have a broker that answers; None when one of this directory already runs."""
    fetch()
    with locked(where / "lock"):
        if owned(where) is not None:
            return None
        if port and answers(port):
            raise KafkaError(f"port {port} is taken by another broker: choose one with --port")
        port = prepare(where, port, more)
        broker = launch(where, brief)
        try:
            wait_ready(port, where, broker)
        except BaseException:
            broker.kill()
            broker.wait()
            raise
        return broker


def stop(where: Path) -> bool:
    """End the broker of this directory, gently and then not; False when none ran."""
    pid = owned(where)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + 20
    while owned(where) is not None:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.1)
    (where / "pid").unlink(missing_ok=True)
    return True


def run(where: Path, port: int, more: More, brief: bool, parent: int, remove: bool) -> None:
    """Hold a broker in the foreground until it ends, a signal comes, or the process ``parent`` is gone."""
    leave: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: leave.append(got))
    broker = start(where, port, more, brief)
    if broker is None:
        raise KafkaError(f"a broker of {where} already runs")
    print(bootstrap(where), flush=True)
    while broker.poll() is None and not leave and (not parent or alive(parent)):
        time.sleep(0.5)
    stop(where)
    if remove:
        shutil.rmtree(where, ignore_errors=True)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def bootstrap(where: Path) -> str:
    """Address that clients start from."""
    return (where / "bootstrap").read_text().strip()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["check", "fetch", "start", "stop", "status", "run"])
    parser.add_argument("--port", type=int, default=9092, help="client port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--dir", type=Path, default=HOME / "broker", help="data, log, pid and bootstrap files")
    more = parser.add_mutually_exclusive_group()
    more.add_argument("--secure", action="store_true", help="one more listener, SASL_SSL: see secure_bootstrap, ca.pem")
    more.add_argument("--proxied", type=int, default=0, help="one more listener, advertised at this port: see proxied")
    parser.add_argument("--brief", action="store_true", help="start, run: at its best at once, not after minutes")
    parser.add_argument("--parent", type=int, default=0, help="run: end when the process with this id is gone")
    parser.add_argument("--remove", action="store_true", help="run, stop: delete the directory afterwards")
    return parser.parse_args()


def act(asked: argparse.Namespace, where: Path) -> None:
    """Do what was asked for, all but `status`, which only tells. Raises KafkaError when it cannot be done."""
    if asked.action == "check" and (reason := missing()):
        raise KafkaError(reason)
    if asked.action == "fetch":
        fetch()
    more = More(asked.secure, asked.proxied)
    if asked.action == "start":
        start(where, asked.port, more, asked.brief)
        print(bootstrap(where))
    if asked.action == "run":
        run(where, asked.port, more, asked.brief, asked.parent, asked.remove)
    if asked.action == "stop":
        print("stopped" if stop(where) else "not running")
        if asked.remove:
            shutil.rmtree(where, ignore_errors=True)


def main() -> int:
    """Exit codes: 0 done or running, 1 failed or not running, 2 wrong use."""
    asked = arguments()
    where = asked.dir.resolve()
    try:
        act(asked, where)
    except (KafkaError, OSError) as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1
    if asked.action != "status":
        return 0
    running = owned(where) is not None
    print(bootstrap(where) if running else "not running")
    return 0 if running else 1


if __name__ == "__main__":
    sys.exit(main())
