"""Smoke: `make demo-kafka` shows its table on a given broker, and leaves nothing on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from stream.shell.settings import PREFIX

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(150)
def test_the_demo_shows_triggers_of_two_workers_and_cleans_up(broker: str) -> None:
    """Triggers by type, three with reasons, both workers with partitions and triggers; its topics are gone afterwards."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    environment = {**others, "PYTHONPATH": str(ROOT), f"{PREFIX}BROKERS": broker}
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "kafka" / "demo.py")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    prefix = re.search(r"created \d+ topics (\S+)\*", done.stdout)
    all_row = re.search(r"^\s*all\s+([\d,]+)", done.stdout, re.MULTILINE)
    shares = re.findall(r"^worker \w+ owned journal partitions ([\d, ]+): ([\d,]+) triggers", done.stdout, re.MULTILINE)
    assert prefix
    assert all_row
    assert sorted(", ".join(numbers for numbers, _ in shares).split(", ")) == ["0", "1", "2", "3"]
    told = [int(number.replace(",", "")) for _, number in shares]
    assert min(told) > 0
    assert sum(told) == int(all_row[1].replace(",", ""))
    # each trigger that is shown has its reason in Chinese and English
    assert len(re.findall(r"^  \S*[一-鿿]", done.stdout, re.MULTILINE)) == 3
    assert "exit codes a 0, b 0" in done.stdout
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        assert not [topic for topic in admin.list_topics() if topic.startswith(prefix[1])]
