"""Settings: where they come from, and how their faults are told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stream.domain.errors import ConfigError
from stream.shell.settings import Clock, Settings, described, load


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No KAIROS_ variable of the machine reaches these tests."""
    for name in list(os.environ):
        if name.startswith("KAIROS_"):
            monkeypatch.delenv(name)


def written(folder: Path, text: str) -> Path:
    """A settings file."""
    path = folder / "kairos.toml"
    path.write_text(text)
    return path


def test_defaults_are_a_local_broker_and_the_wall_clock() -> None:
    """Without any setting Kairos speaks to a broker on this machine."""
    settings = load()

    assert (settings.brokers, settings.clock, settings.topic("journal")) == ("127.0.0.1:9092", Clock.WALL, "journal")


def test_arguments_win_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearer to the person, the stronger."""
    path = written(tmp_path, 'chunk = 10\napp_id = "file"\npack = "file"\n')
    monkeypatch.setenv("KAIROS_CHUNK", "20")
    monkeypatch.setenv("KAIROS_APP_ID", "environment")

    settings = load(path, chunk=30)

    assert (settings.chunk, settings.app_id, settings.pack) == (30, "environment", "file")


def test_file_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KAIROS_CONFIG names the file when the command line does not."""
    monkeypatch.setenv("KAIROS_CONFIG", str(written(tmp_path, "chunk = 10\n")))

    assert load().chunk == 10


def test_all_faults_are_told_at_once_with_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown and bad settings of file and environment come in one message."""
    path = written(tmp_path, 'pack = "x"\n\njournal_partition = 4\nchunk = "many"\n[incarnations]\n"in.tx" = 1\n')
    monkeypatch.setenv("KAIROS_BROKRS", "b:1")
    monkeypatch.setenv("KAIROS_METRICS_PORT", "high")

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value).splitlines() == [
        f"{path}:3 unknown setting 'journal_partition'; did you mean 'journal_partitions'?",
        "environment: unknown variable KAIROS_BROKRS; did you mean 'KAIROS_BROKERS'?",
        f"{path}:5 incarnations: unknown source topic 'in.tx'; did you mean 'in.txn'?",
        f"{path}:4 chunk: Input should be a valid integer, unable to parse string as an integer",
        "KAIROS_METRICS_PORT: Input should be a valid integer, unable to parse string as an integer",
    ]


LINKS = ("KAIROS_SERVICE_HOST", "KAIROS_SERVICE_PORT_METRICS", "KAIROS_PORT", "KAIROS_PORT_9464_TCP_ADDR", "KAIROS_A_B_PORT")


@pytest.mark.parametrize("there", [True, False])
def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_setting(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod it says nothing to us; elsewhere such a variable is somebody's mistake. A misspelled one is told in both."""
    for name in (*LINKS, "KAIROS_PORTS"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:9464")
    if there:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    with pytest.raises(ConfigError) as caught:
        load()

    told = [line.split(";")[0].rpartition(" ")[2] for line in str(caught.value).splitlines()]
    assert told == ["KAIROS_PORTS"] if there else sorted([*LINKS, "KAIROS_PORTS"])


@pytest.mark.parametrize("text", ["in.txn=1, in.app=2", '{"in.txn": 1, "in.app": 2}'])
def test_incarnations_come_as_pairs_or_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both spellings mean the same; a source that is not named is of incarnation 0."""
    monkeypatch.setenv("KAIROS_INCARNATIONS", text)

    settings = load()

    assert [settings.incarnation(name) for name in ("in.txn", "in.app", "in.party")] == [1, 2, 0]


@pytest.mark.parametrize("text", ["in.txn", "in.txn=-1", "in.txn=x", "{"])
def test_bad_incarnations_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but a number from 0 per source topic is a fault."""
    monkeypatch.setenv("KAIROS_INCARNATIONS", text)

    with pytest.raises(ConfigError, match="KAIROS_INCARNATIONS"):
        load()


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As container files write them."""
    monkeypatch.setenv("KAIROS_CHUNK", "")
    monkeypatch.setenv("KAIROS_INSTANCE_ID", "")

    assert (load().chunk, load().instance_id) == (4000, None)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"security_protocol": "SASL_SSL"}, "SASL_SSL needs sasl_username and sasl_password"),
        ({"ssl_certfile": "c.pem"}, "ssl_certfile and ssl_keyfile go together"),
        ({"ssl_cafile": "ca.pem"}, "does not use TLS"),
        ({"transaction_timeout": 1, "commit_interval": 2}, "transaction_timeout"),
        ({"brokers": "kafka"}, "expected host:port, got 'kafka'"),
        ({"brokers": "a:1,,b:2"}, "expected host:port, got ''"),
        ({"topic_prefix": "a/b"}, "topic_prefix"),
        ({"session_timeout": float("nan")}, "session_timeout"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, Any], told: str) -> None:
    """What could only fail later fails at the start."""
    with pytest.raises(ConfigError, match=told):
        load(**given)


def test_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the settings' text nor in a fault."""
    monkeypatch.setenv("KAIROS_SASL_PASSWORD", "hush")
    monkeypatch.setenv("KAIROS_CHUNK", "0")
    with pytest.raises(ConfigError) as caught:
        load()

    shown = repr(load(chunk=1)) + str(caught.value)

    assert "hush" not in shown


def test_settings_are_frozen() -> None:
    """Parsed once, never changed."""
    settings = load()

    with pytest.raises(ValidationError, match="frozen"):
        settings.chunk = 5


@pytest.mark.parametrize("text", ["chunk = \n", "chunk: 4\n"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    """With the parser's word on where."""
    with pytest.raises(ConfigError, match="line 1"):
        load(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A name that leads nowhere is not an empty file."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_every_setting_is_described() -> None:
    """The table that help and docs print leaves out none."""
    rows = described()

    assert [name for name, _, meaning in rows if len(meaning) < 10] == []
    assert len(rows) == len(Settings.model_fields)
