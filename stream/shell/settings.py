"""Where and how Kairos runs: the environment, an optional TOML file, nothing else.

Rule: settings say where and how, packs say what and to whom; both are parsed once, frozen, and refuse unknown keys.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from stream.domain.errors import ConfigError
from stream.shell.written import did_you_mean, line_of, parsed, read
from stream.wire.registry import SOURCES

PREFIX = "KAIROS_"
OTHERS = ("KAIROS_CONFIG", "KAIROS_REAL_DATA", "KAIROS_TEST_BROKER")
ORCHESTRATED = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets it in every pod."""
SERVICE_LINK = re.compile(r"KAIROS(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)")
"""Variables that are ours and no settings: the file's name, and two that tests read."""
TOPIC_PART = r"^[A-Za-z0-9._-]*$"


class Clock(StrEnum):
    """What moves time."""

    WALL = "wall"
    RECORDED = "recorded"


class Protocol(StrEnum):
    """How brokers are spoken to."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class Mechanism(StrEnum):
    """How a login is proven; those that all three clients know without more software."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class Settings(BaseSettings):
    """All settings. Get them from `load`, which says every fault at once; construct directly in tests."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, allow_inf_nan=False
    )

    brokers: str = Field(default="127.0.0.1:9092", min_length=1, description="Brokers to start from: host:port, comma between.")
    app_id: str = Field(
        default="kairos",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Consumer group, first part of transactional ids: two deployments on one cluster differ here.",
    )
    instance_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="This worker's own name, the same after a restart (static membership): short pauses after a kill.",
    )
    pack: str = Field(default="retail_bank", min_length=1, description="Name of a pack that ships with Kairos, or its folder.")
    clock: Clock = Field(
        default=Clock.WALL,
        description="What moves time: wall, or recorded for an old log (its recordedtime, see `publish`).",
    )
    incarnations: Annotated[dict[str, int], NoDecode] = Field(
        default={},
        description="Per source topic, raised when it was recreated or mirrored: in.txn=1,in.app=2; else 0.",
    )

    topic_prefix: str = Field(
        default="", pattern=TOPIC_PART, description="Put in front of every topic name: bank1. for example."
    )
    journal_partitions: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="Partitions of journal, state, dlq and out.*: workers at most. Fixed once data is there.",
    )
    source_partitions: int = Field(
        default=8, ge=1, le=1000, description="Partitions of in.* topics that Kairos creates itself."
    )
    replication_factor: int = Field(default=1, ge=1, le=9, description="Copies of every topic: 3 in production.")
    source_retention_days: int = Field(default=7, ge=1, description="How long in.* topics keep records, days.")
    journal_retention_days: int = Field(
        default=30,
        ge=1,
        description="How long journal and dlq keep records, days: how far back a replay or an explanation reaches.",
    )
    output_retention_days: int = Field(default=14, ge=1, description="How long out.* topics keep records, days.")
    max_event_bytes: int = Field(
        default=262_144,
        ge=1024,
        le=900_000,
        description="An event with a larger value is a dead letter, OVERSIZE; bytes.",
    )
    max_row_bytes: int = Field(
        default=1_048_576,
        ge=262_144,
        le=8_000_000,
        description="A worker ends itself rather than write a larger customer row, and counts those from 262144 on; bytes.",
    )

    chunk: int = Field(default=4000, ge=1, le=100_000, description="Journal records that one transaction covers at most.")
    commit_interval: float = Field(default=0.5, gt=0, le=60, description="Longest wait between two offset commits, s.")
    session_timeout: float = Field(
        default=10.0, ge=1, le=300, description="A worker silent for so long loses its partitions, s."
    )
    transaction_timeout: float = Field(
        default=30.0, ge=1, le=900, description="The broker aborts a transaction open longer, s."
    )
    watchdog: float = Field(default=60.0, ge=5, description="A worker with work and no progress for so long ends itself, s.")
    dead_letter_limit: int = Field(
        default=10_000,
        ge=0,
        description="With more dead letters in a row of one source topic in a journal partition the worker stops; 0: never.",
    )
    tick_interval: float = Field(default=1.0, gt=0, le=60, description="Time between two ticks, s.")
    tick_margin: int = Field(
        default=100,
        ge=0,
        le=60_000,
        description="A record may be stamped this much before it is visible: ticks stay behind it, ms.",
    )
    idle_after: float = Field(default=5.0, gt=0, description="A source without backlog and news for so long counts as idle, s.")

    metrics_host: str = Field(default="127.0.0.1", min_length=1, description="Address that metrics and health listen on.")
    metrics_port: int = Field(default=9464, ge=0, le=65_535, description="Their port; 0 takes a free one.")

    security_protocol: Protocol = Field(default=Protocol.PLAINTEXT, description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.")
    sasl_mechanism: Mechanism = Field(default=Mechanism.SCRAM_SHA_512, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    sasl_username: str | None = Field(default=None, min_length=1, description="Login name.")
    sasl_password: SecretStr | None = Field(default=None, description="Its password; better in the environment than in a file.")
    ssl_cafile: Path | None = Field(default=None, description="Certificates to trust (PEM); the system's when absent.")
    ssl_certfile: Path | None = Field(default=None, description="Own certificate (PEM), where brokers want one.")
    ssl_keyfile: Path | None = Field(default=None, description="Its key (PEM).")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment; `load` adds the file. No hidden sources."""
        return init_settings, env_settings

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, text: str) -> str:
        for address in text.split(","):
            if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:,/]+):\d{1,5}", address.strip()):
                raise ValueError(f"expected host:port, got {address.strip()!r}")
        return ",".join(address.strip() for address in text.split(","))

    @field_validator("incarnations", mode="before")
    @classmethod
    def _pairs(cls, given: object) -> object:
        """Accept `in.txn=1,in.app=2` and a JSON object from the environment, a table from the file."""
        if not isinstance(given, str):
            return given
        if given.lstrip().startswith("{"):
            return json.loads(given)
        pairs = [pair.partition("=") for pair in given.replace(" ", "").split(",") if pair]
        return {name: number for name, _, number in pairs}

    @field_validator("incarnations")
    @classmethod
    def _sources(cls, given: dict[str, int]) -> dict[str, int]:
        for name, number in given.items():
            if name not in SOURCES:
                raise ValueError(f"unknown source topic {name!r}{did_you_mean(name, SOURCES)}")
            if number < 0:
                raise ValueError(f"expected a number from 0 for {name}, got {number}")
        return given

    @model_validator(mode="after")
    def _together(self) -> Self:
        """What only makes sense in company. All faults in one text."""
        faults = []
        if self.security_protocol.startswith("SASL") and (self.sasl_username is None or self.sasl_password is None):
            faults.append(f"{self.security_protocol} needs sasl_username and sasl_password")
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            faults.append("ssl_certfile and ssl_keyfile go together")
        if self.security_protocol.endswith("PLAINTEXT") and self.ssl_cafile is not None:
            faults.append(f"ssl_cafile is given but {self.security_protocol} does not use TLS")
        if self.transaction_timeout < self.commit_interval:
            faults.append("transaction_timeout must not be less than commit_interval")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def incarnation(self, source: str) -> int:
        """The incarnation of a logical source topic."""
        return self.incarnations.get(source, 0)

    def topic(self, logical: str) -> str:
        """The name on the cluster."""
        return self.topic_prefix + logical

    def logical(self, topic: str) -> str:
        """The name in the design, from the name on the cluster."""
        return topic.removeprefix(self.topic_prefix)


def load(config: Path | None = None, **given: Any) -> Settings:
    """The settings of this process. Arguments win over the environment, the environment over the file.

    Args:
        config: A TOML file; without it the one named by KAIROS_CONFIG, if any.
        given: Settings from the command line.

    Raises ConfigError with every fault, each with its place and the nearest known word.
    """
    named = os.environ.get("KAIROS_CONFIG")
    path = config or (Path(named) if named else None)
    text = read(path) if path else ""
    table = parsed(text, path) if path else {}
    faults = unknown(table, text, path)
    values = {name: value for name, value in table.items() if name in Settings.model_fields and not spoken(name)}
    try:
        settings = Settings(**{**values, **given})
    except ValidationError as error:
        faults += [wording(fault, place(fault, text, path, given)) for fault in error.errors()]
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def variable(name: str) -> str:
    """The environment's name of a setting."""
    return PREFIX + name.upper()


def spoken(name: str) -> bool:
    """Whether the environment sets it; an empty variable sets nothing."""
    return bool(os.environ.get(variable(name)))


def unknown(table: Mapping[str, Any], text: str, path: Path | None) -> list[str]:
    """Keys and variables that nobody reads: most likely misspelled, so never ignored."""
    known = {variable(name) for name in Settings.model_fields} | set(OTHERS)
    faults = [
        f"{path}:{line_of(key, text)} unknown setting {key!r}{did_you_mean(key, Settings.model_fields)}"
        for key in table
        if key not in Settings.model_fields
    ]
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name not in known and not linked(name):
            faults.append(f"environment: unknown variable {name}{did_you_mean(name.upper(), known)}")
    return faults


def linked(name: str) -> bool:
    """Whether Kubernetes set it, for a service whose name begins like ours: all pods of a namespace get such variables."""
    return ORCHESTRATED in os.environ and SERVICE_LINK.fullmatch(name) is not None


def place(fault: ErrorDetails, text: str, path: Path | None, given: Mapping[str, Any]) -> str:
    """Where the faulty value was written."""
    name = str(fault["loc"][0]) if fault["loc"] else ""
    if not name or name in given:
        return name or "settings"
    return variable(name) if spoken(name) else f"{path}:{line_of(name, text)} {name}"


def wording(fault: ErrorDetails, where: str) -> str:
    """One fault in one line. Never shows the value: it may be a password."""
    inner = "".join(f".{part}" for part in fault["loc"][1:])
    return f"{where}{inner}: {fault['msg'].removeprefix('Value error, ')}"


def described() -> list[tuple[str, str, str]]:
    """Variable, default and meaning of every setting: what `kairos settings` and the docs print."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, "", {}) else str(default)
        rows.append((variable(name), shown, field.description or ""))
    return rows
