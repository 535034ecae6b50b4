"""TLS and login reach all four clients."""

from __future__ import annotations

import ssl
from typing import Any

import faust
import pytest

from stream.shell.kafka import clients
from stream.shell.settings import Settings

LOGIN = {"sasl_username": "u", "sasl_password": "p"}
PROTOCOLS: list[dict[str, Any]] = [
    {"security_protocol": "PLAINTEXT"},
    {"security_protocol": "SSL"},
    {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", **LOGIN},
    {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256", **LOGIN},
    {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", **LOGIN},
]
cases = pytest.mark.parametrize("given", PROTOCOLS, ids=lambda given: "-".join(list(given.values())[:2]))


def secured(**given: Any) -> Settings:
    """Settings on two brokers."""
    return Settings(brokers="a:1,b:2", app_id="app", **given)


@cases
def test_librdkafka_is_told_protocol_and_login(given: dict[str, Any]) -> None:
    """In its dotted words, and nothing of a login where there is none."""
    options = clients.librdkafka(secured(**given))

    assert options["bootstrap.servers"] == "a:1,b:2"
    assert options["security.protocol"] == given["security_protocol"]
    assert options.get("sasl.mechanism") == given.get("sasl_mechanism")
    assert (options.get("sasl.username"), options.get("sasl.password")) == (
        ("u", "p") if "SASL" in given["security_protocol"] else (None, None)
    )


@cases
@pytest.mark.parametrize("client", [clients.aiokafka, clients.kafka_python])
def test_python_clients_are_told_protocol_and_login(client: Any, given: dict[str, Any]) -> None:
    """aiokafka and kafka-python share their words; TLS comes as a context that checks the broker's name."""
    options = client(secured(**given))

    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["security_protocol"] == given["security_protocol"]
    assert options.get("sasl_mechanism") == given.get("sasl_mechanism")
    assert options.get("sasl_plain_password") == ("p" if "SASL" in given["security_protocol"] else None)
    context = options.get("ssl_context")
    if given["security_protocol"].endswith("SSL"):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    else:
        assert context is None


@cases
def test_faust_is_told_protocol_and_login(given: dict[str, Any]) -> None:
    """As credentials, whose protocol is the one that was asked for."""
    options = clients.faust_options(secured(**given), transport="kafkabatch")

    assert options["broker"] == ["kafkabatch://a:1", "kafkabatch://b:2"]
    credentials = options.get("broker_credentials")
    if given["security_protocol"] == "PLAINTEXT":
        assert credentials is None
        return
    assert credentials is not None
    assert credentials.protocol.value == given["security_protocol"]
    if "SASL" in given["security_protocol"]:
        assert isinstance(credentials, faust.SASLCredentials)
        assert (credentials.username, credentials.password) == ("u", "p")
        assert credentials.mechanism.value == given["sasl_mechanism"]


def test_every_mechanism_is_known_to_faust() -> None:
    """What settings accept, the framework accepts."""
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        given = secured(security_protocol="SASL_PLAINTEXT", sasl_mechanism=mechanism, **LOGIN)

        assert clients.faust_options(given)["broker_credentials"].mechanism.value == mechanism


def test_certificates_reach_librdkafka_as_files() -> None:
    """Trust and own certificate."""
    given = secured(security_protocol="SSL", ssl_cafile="ca.pem", ssl_certfile="own.pem", ssl_keyfile="own.key")

    options = clients.librdkafka(given)

    assert {name: path for name, path in options.items() if name.startswith("ssl.")} == {
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "own.pem",
        "ssl.key.location": "own.key",
    }
