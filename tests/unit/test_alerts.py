"""The alerts fire and stay silent as promised, in Prometheus' own words, and name only what exists.

promtool comes with Debian's package `prometheus`. Without it these tests are skipped, loudly, except in CI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from stream.shell.health import Health
from stream.shell.metrics import Metrics, Reports
from stream.shell.metrics.catalogue import BOUNDS

HOME = Path(__file__).parents[2]
PROMETHEUS = HOME / "deploy" / "prometheus"
DASHBOARDS = sorted((HOME / "deploy" / "grafana").glob("*.json"))
RUNBOOK = HOME / "docs" / "sre.md"
RULES = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))
CASES = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8"))
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
RECORDS = {rule["record"]: rule for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
FIRST_FOUR = {"KairosTickStalled", "KairosDeadLetterRatio", "KairosCommitAge", "KairosRestoreStuck"}


@pytest.fixture(scope="module")
def promtool() -> str:
    """Where promtool is."""
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: install Debian's package `prometheus`", pytrace=False)
        warnings.warn("ALERTS NOT TESTED: promtool is missing (Debian: apt-get install prometheus)", stacklevel=1)
        pytest.skip("promtool is missing: install Debian's package `prometheus`")
    return found


def run(promtool: str, *words: str, home: Path = PROMETHEUS, stdin: bytes = b"") -> tuple[int, str]:
    """Exit code and everything it said."""
    done = subprocess.run([promtool, *words], cwd=home, input=stdin, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def exported() -> set[str]:
    """Every sample name of a worker to which everything happened."""
    metrics = Metrics({"tiers": ("tier.upgraded",)}, version="0.1.0", pack="abc")
    reports = Reports(metrics, Health())
    reports.ticked({"in.txn": 1})
    reports.lag("journal", 0, 1)
    return {sample.name for family in metrics.registry.collect() for sample in family.samples}


def named(text: str) -> set[str]:
    """The metrics that an expression names."""
    return set(re.findall(r"\b(?:kairos|process|python)[_:][a-z0-9_:]+", text))


@pytest.mark.parametrize("words", [("config", "prometheus.yml"), ("rules", "rules.yml")])
def test_promtool_accepts_the_files(promtool: str, words: tuple[str, str]) -> None:
    code, said = run(promtool, "check", *words)

    assert code == 0, said
    assert "SUCCESS" in said


def test_every_alert_fires_and_stays_silent_as_promised(promtool: str) -> None:
    code, said = run(promtool, "test", "rules", "rules_test.yml")

    assert code == 0, said


@pytest.mark.parametrize("alert", sorted(ALERTS))
@pytest.mark.parametrize("always", [False, True], ids=["never", "always"])
def test_the_cases_notice_a_broken_alert(promtool: str, tmp_path: Path, alert: str, *, always: bool) -> None:
    """A case that also passes for an alert that never fires, or for one without its guard, tests nothing."""
    broken: dict[str, Any] = json.loads(json.dumps(RULES))
    for group in broken["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == alert:
                # without its guard; one that has none, without its threshold
                first = re.split(r"\n\s*(?:unless|and)\b", rule["expr"])[0]
                first = first if first != rule["expr"] else re.sub(r"> 0\s*$", ">= 0", first)
                rule["expr"] = first if always else "vector(0) > 1"
    own = [one for one in CASES["tests"] if any(case["alertname"] == alert for case in one.get("alert_rule_test", ()))]
    for name, content in (("rules.yml", broken), ("rules_test.yml", {**CASES, "tests": own})):
        (tmp_path / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    code, said = run(promtool, "test", "rules", "rules_test.yml", home=tmp_path)

    assert code == 1
    assert alert in said


def test_promtool_likes_what_a_worker_renders(promtool: str) -> None:
    metrics = Metrics({"tiers": ("tier.upgraded",)}, version="0.1.0", pack="abc")
    code, said = run(promtool, "check", "metrics", stdin=generate_latest(metrics.registry))

    assert (code, said) == (0, "")


def test_the_first_four_alerts_have_a_firing_and_a_silent_case() -> None:
    assert set(ALERTS) >= FIRST_FOUR
    tests = [case for one in CASES["tests"] for case in one.get("alert_rule_test", ())]
    firing = {case["alertname"] for case in tests if case.get("exp_alerts")}
    silent = {case["alertname"] for case in tests if not case.get("exp_alerts")}

    assert firing == set(ALERTS)
    assert silent == set(ALERTS)


def test_every_alert_leads_to_its_page_of_the_runbook() -> None:
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}

    for alert, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"docs/sre.md#{alert.lower()}"
        assert alert.lower() in anchors
        assert rule["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.parametrize("file", [PROMETHEUS / "rules.yml", PROMETHEUS / "rules_test.yml", *DASHBOARDS], ids=lambda f: f.name)
def test_rules_and_dashboards_name_only_metrics_that_exist(file: Path) -> None:
    text = re.sub(r"^\s*#.*$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)

    names = named(text)
    assert names
    assert names - exported() - set(RECORDS) == set()


def test_the_docs_name_only_metrics_that_exist() -> None:
    text = RUNBOOK.read_text(encoding="utf-8").split("<!-- /metrics -->")
    names = {name for part in (text[0].split("<!-- metrics -->")[0], text[1]) for name in named(part)}

    parents = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported()}
    assert names - exported() - parents - set(RECORDS) == set()


def test_bounds_that_rules_ask_for_exist() -> None:
    text = (PROMETHEUS / "rules.yml").read_text(encoding="utf-8")

    asked = {float(bound) for bound in re.findall(r'le="([^"]+)"', text)}
    assert asked
    assert asked <= set(BOUNDS)


def test_dashboards_are_simple_and_complete() -> None:
    assert DASHBOARDS
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)
        for panel in dashboard["panels"]:
            assert panel["title"]
            assert panel["targets"]
            assert all(target["expr"] for target in panel["targets"])
