"""The one listener more that a development broker may have: secured, or behind a proxy.

Rule: standard library only; what a listener needs lies in the broker's directory.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

from jars import KafkaError, program

USER, PASSWORD = "kairos", "only-for-development"
"""Login of the optional SASL_SSL listener; loopback and throw-away data, so no secret."""


class More(NamedTuple):
    """The one listener more that a broker may have: a secured one, or one behind a proxy at this port."""

    secure: bool = False
    proxied: int = 0


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def silently(*command: str) -> None:
    """Run a program whose output nobody needs. Raises KafkaError with that output when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise KafkaError(f"{Path(command[0]).name} failed:\n{done.stdout[-2000:]}")


def secure_lines(where: Path, port: int) -> str:
    """Properties of a SASL_SSL listener (SCRAM-SHA-256 and PLAIN) with a certificate made on the spot as `ca.pem`."""
    store = where / "keystore.p12"
    store.unlink(missing_ok=True)
    tool = (program("keytool"), "-keystore", str(store), "-storetype", "PKCS12", "-storepass", PASSWORD)
    name = ("-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1,dns:localhost", "-ext", "BC:critical=ca:true")
    kind = ("-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30")
    silently(*tool, "-alias", "broker", "-genkeypair", *kind, *name)
    silently(*tool, "-alias", "broker", "-exportcert", "-rfc", "-file", str(where / "ca.pem"))
    login = "org.apache.kafka.common.security"
    return f"""
listeners=PLAINTEXT://127.0.0.1:${{port}},CONTROLLER://127.0.0.1:${{controller_port}},SECURE://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.secure.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
listener.name.secure.scram-sha-256.sasl.jaas.config={login}.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location={store}
ssl.keystore.password={PASSWORD}
"""


def proxied_lines(where: Path, advertised: int) -> str:
    """Properties of a listener whose clients are sent to another port of this machine: a proxy's. It leads to `proxied`."""
    port = free_port()
    (where / "proxied").write_text(f"{port}\n")
    return f"""
listeners=PLAINTEXT://127.0.0.1:${{port}},CONTROLLER://127.0.0.1:${{controller_port}},PROXIED://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:${{port}},PROXIED://127.0.0.1:{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
"""
