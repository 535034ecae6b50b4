"""What a broker needs from the machine: Java, and Kafka's jars, which Maven fetches once.

Rule: standard library only; the jars lie in `.kafka/libs`, with the pom that says which they are.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[1] / ".kafka"
LIBS = HOME / "libs"


class KafkaError(Exception):
    """What went wrong, and what to do about it."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time; the lock goes with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def program(name: str) -> str:
    """Path of a program, `java` by JAVA_HOME first. Raises KafkaError when there is none."""
    home = os.environ.get("JAVA_HOME")
    if home and name in ("java", "keytool") and (Path(home) / "bin" / name).exists():
        return str(Path(home) / "bin" / name)
    found = shutil.which(name)
    if found is None:
        raise KafkaError(f"expected `{name}` on the PATH, found none: install Java 17 and Maven")
    return found


def missing() -> str | None:
    """Why no broker can be started here; None when one can. Does not look at the network."""
    wanted = ["java"] if complete() else ["java", "mvn"]
    for name in wanted:
        try:
            program(name)
        except KafkaError as error:
            return str(error)
    return None


def complete() -> bool:
    """Whether the jars of this pom are all there."""
    stamp = LIBS / "pom.xml"
    return stamp.exists() and stamp.read_bytes() == (HERE / "pom.xml").read_bytes()


def fetch() -> None:
    """Have the jars in `.kafka/libs`; safe to call from several processes. The pom beside them says which they are."""
    with locked(HOME / "fetch.lock"):
        if complete():
            return
        fresh = HOME / "libs.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [program("mvn"), "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise KafkaError(f"Maven could not fetch Kafka:\n{done.stdout[-2000:]}")
        shutil.copy(HERE / "pom.xml", fresh / "pom.xml")
        shutil.rmtree(LIBS, ignore_errors=True)
        fresh.rename(LIBS)
