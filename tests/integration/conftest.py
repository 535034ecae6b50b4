"""One real broker for all tests of this folder, and a topic prefix of its own for each.

Rule: a test that cannot have its broker is skipped with the reason, and fails where CI=true.

KAIROS_TEST_BROKER names a broker that is there already. Otherwise one is started through deploy/kafka in a temporary
directory and shared by all workers of pytest-xdist; it ends with the process that owns the session, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from kafka.admin import KafkaAdminClient

from stream.shell.settings import Settings

PROGRAM = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "kafka.py"
HOLDERS: list[subprocess.Popen[str]] = []
"""Processes that outlive the worker which started them."""


class Secure(NamedTuple):
    """Where the broker speaks SASL_SSL, the certificate to trust, and a login it knows (see deploy/kafka)."""

    bootstrap: str
    cafile: str
    user: str = "kairos"
    password: str = "only-for-development"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that strict markers know it; pass over what kafka-python says of itself."""
    config.addinivalue_line("filterwarnings", "ignore:(read_text|open_text) is deprecated:DeprecationWarning")
    config.addinivalue_line("markers", "kafka: needs a real broker (see tests/integration/conftest.py)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the broker, before marks select tests."""
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


def give_up(reason: str) -> NoReturn:
    """No broker is a failure in CI and a loud skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"no Kafka broker: {reason}")
    pytest.skip(f"no Kafka broker: {reason} (or name one in KAIROS_TEST_BROKER)")


def ask(action: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Run one action of deploy/kafka."""
    command = [sys.executable, str(PROGRAM), action, "--dir", str(where)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def hold(where: Path, owner: int) -> subprocess.Popen[str]:
    """A process that holds a broker on free ports until the owner is gone; returns when the broker answers."""
    command = [sys.executable, str(PROGRAM), "run", "--dir", str(where), "--port", "0", "--secure", "--brief", "--remove"]
    with (where.parent / "broker.err").open("w") as errors:
        holder = subprocess.Popen(
            [*command, "--parent", str(owner)],
            stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
        )  # fmt: skip
    HOLDERS.append(holder)
    assert holder.stdout is not None
    with holder.stdout as said:
        ready = said.readline().strip()
    if not ready:
        holder.wait()
        pytest.fail(f"the broker did not start: {(where.parent / 'broker.err').read_text()}")
    return holder


@pytest.fixture(scope="session")
def broker_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the session's own broker: the same for all workers of one session."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "broker"


@pytest.fixture(scope="session")
def broker(broker_home: Path) -> Iterator[str]:
    """Bootstrap address of a broker that asks nobody for a password."""
    given = os.environ.get("KAIROS_TEST_BROKER")
    if given:
        yield given
        return
    checked = ask("check", broker_home)
    if checked.returncode != 0:
        give_up(checked.stderr.strip())
    shared = "PYTEST_XDIST_WORKER" in os.environ
    holder = None
    with (broker_home.parent / "broker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ask("status", broker_home).returncode != 0:
            holder = hold(broker_home, os.getppid() if shared else os.getpid())
    yield (broker_home / "bootstrap").read_text().strip()
    # with xdist another worker may still need it: the holder sees the session's owner go, and stops it then
    if holder is not None and not shared:
        holder.send_signal(signal.SIGTERM)
        holder.wait(timeout=60)


@pytest.fixture(scope="session")
def secure(broker: str, broker_home: Path) -> Secure:
    """The SASL_SSL listener of the session's own broker; a given broker has none that we know."""
    if os.environ.get("KAIROS_TEST_BROKER"):
        give_up("KAIROS_TEST_BROKER says nothing about a SASL_SSL listener")
    return Secure((broker_home / "secure_bootstrap").read_text().strip(), str(broker_home / "ca.pem"))


@pytest.fixture
def prefix(broker: str) -> Iterator[str]:
    """A topic prefix that no other test has; its topics go when the test is over."""
    own = f"t{uuid.uuid4().hex[:10]}."
    yield own
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        topics = [topic for topic in admin.list_topics() if topic.startswith(own)]
        if topics:
            admin.delete_topics(topics)
    finally:
        admin.close()


@pytest.fixture
def configured(broker: str, prefix: str) -> Callable[..., Settings]:
    """Settings on this test's broker and prefix, small; name what differs."""

    def build(**different: Any) -> Settings:
        usual = {"brokers": broker, "topic_prefix": prefix, "app_id": prefix.rstrip(".")}
        return Settings(**{**usual, "journal_partitions": 2, "source_partitions": 2, **different})

    return build
