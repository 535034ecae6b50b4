"""The same brokers, TLS and login, in the words of each client.

Rule: no client is made without these, so that a secured cluster is secured for all of them.
"""

from __future__ import annotations

import ssl
from typing import Any

import faust

from stream.shell.settings import Protocol, Settings

MESSAGE_BYTES = 2 * 1024 * 1024
"""Largest record that goes through journal, state and dlq; librdkafka refuses above 1,000,000 bytes unless told."""

OVERHEAD = 64 * 1024
"""Room for the headers that Kairos adds and a batch's own fields."""


def row_bytes(settings: Settings) -> int:
    """The record of the largest row that a worker writes."""
    return settings.max_row_bytes + OVERHEAD


def librdkafka(settings: Settings) -> dict[str, Any]:
    """Options of confluent-kafka's consumers, producers and admin clients."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.brokers,
        "client.id": settings.app_id,
        "security.protocol": str(settings.security_protocol),
        "message.max.bytes": MESSAGE_BYTES,
    }
    if uses_sasl(settings):
        user, password = login(settings)
        options |= {"sasl.mechanism": str(settings.sasl_mechanism), "sasl.username": user, "sasl.password": password}
    if uses_tls(settings):
        files = {
            "ssl.ca.location": settings.ssl_cafile,
            "ssl.certificate.location": settings.ssl_certfile,
            "ssl.key.location": settings.ssl_keyfile,
        }
        options |= {name: str(path) for name, path in files.items() if path is not None}
    return options


def aiokafka(settings: Settings) -> dict[str, Any]:
    """Arguments of aiokafka's consumers and producers."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.brokers.split(","),
        "client_id": settings.app_id,
        "security_protocol": str(settings.security_protocol),
    }
    if uses_tls(settings):
        options["ssl_context"] = tls(settings)
    if uses_sasl(settings):
        options |= python_login(settings)
    return options


def kafka_python(settings: Settings) -> dict[str, Any]:
    """Arguments of kafka-python's admin clients, consumers and producers."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.brokers.split(","),
        "client_id": settings.app_id,
        "security_protocol": str(settings.security_protocol),
    }
    if uses_tls(settings):
        options["ssl_context"] = tls(settings)
    if uses_sasl(settings):
        options |= python_login(settings)
    return options


def faust_options(settings: Settings, transport: str = "kafka") -> dict[str, Any]:
    """Arguments of `faust.App`.

    Args:
        settings: Where the brokers are.
        transport: The URL scheme under which the transport is registered.
    """
    options: dict[str, Any] = {"broker": [f"{transport}://{address}" for address in settings.brokers.split(",")]}
    if uses_sasl(settings):
        user, password = login(settings)
        options["broker_credentials"] = faust.SASLCredentials(
            username=user,
            password=password,
            mechanism=str(settings.sasl_mechanism),
            ssl_context=tls(settings) if uses_tls(settings) else None,
        )
    elif uses_tls(settings):
        options["broker_credentials"] = faust.SSLCredentials(context=tls(settings))
    return options


def uses_sasl(settings: Settings) -> bool:
    """Whether there is a login."""
    return settings.security_protocol in (Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL)


def uses_tls(settings: Settings) -> bool:
    """Whether the wire is encrypted."""
    return settings.security_protocol in (Protocol.SSL, Protocol.SASL_SSL)


def login(settings: Settings) -> tuple[str, str]:
    """Name and password; `Settings` has checked that they are there."""
    assert settings.sasl_username is not None
    assert settings.sasl_password is not None
    return settings.sasl_username, settings.sasl_password.get_secret_value()


def python_login(settings: Settings) -> dict[str, str]:
    """The login in the words that aiokafka and kafka-python share."""
    user, password = login(settings)
    return {
        "sasl_mechanism": str(settings.sasl_mechanism),
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }


def tls(settings: Settings) -> ssl.SSLContext:
    """Trust, own certificate, and the check that the broker is who it says: as librdkafka does by itself."""
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile is not None and settings.ssl_keyfile is not None:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    return context
