"""A scenario that is wrong says every difference, each with its line."""

from __future__ import annotations

from stream.packs.loader import load
from stream.packs.scenario import read_scenarios
from stream.shell.scenarios import run_file

EVENTS = """\
scenarios:
  - name: near
    events:
      - type: account.balance.closed
        at: 2026-01-05 23:50
        data: {account_ref: A1, business_date: 2026-01-05, closing_balance: {amount: "48000.00", ccy: CNY}}
    until: 2026-01-20 00:00
"""


def failures(rest: str) -> list[str]:
    """Differences of the story near 5万 that expects what is given."""
    (result,) = run_file(load(), read_scenarios("tier.yaml", EVENTS + rest))
    return list(result.failures)


def test_a_true_story_has_no_differences() -> None:
    """Whatever it leaves out is not compared."""
    assert failures("    expect: [{type: tier.approaching, at: 2026-01-08 00:00}]\n") == []


def test_what_it_does_not_expect_is_a_difference() -> None:
    """With the reason text, so that the author sees why it came."""
    (said,) = failures("    silent: tier.upgraded\n")

    assert said.startswith("tier.yaml:2 near: unexpected tier.approaching for C1 at 2026-01-08 00:00: Assets of 48,000.00")


def test_all_differences_of_an_expected_trigger_are_told() -> None:
    """Time first; then phase, details by value and kind, texts."""
    late = failures("    expect:\n      - {type: tier.approaching, at: 2026-01-09 00:00}\n")
    assert late[0] == "tier.yaml:9 near: expected tier.approaching for C1 at 2026-01-09 00:00, got 2026-01-08 00:00"

    other = "{type: tier.approaching, at: 2026-01-08 00:00, phase: closed, details: {gap: '1.00', dwell_days: '3'}, zh: 升至}"
    text = "tier.yaml:9 near: tier.approaching for C1 at 2026-01-08 00:00: expected "
    assert failures(f"    expect:\n      - {other}\n")[:3] == [
        text + "phase closed, got opened",
        text + "gap '1.00', got '2000.00'",
        text + "dwell_days '3', got 3",
    ]


def test_refusals_and_dead_letters_are_compared_too() -> None:
    """Those that did not come, those that came for other reasons."""
    said = failures(
        "    silent: tier.approaching\n"
        "    dead: [NOT_JSON]\n"
        "    suppressed: [{type: tier.approaching, at: 2026-01-08 00:00, reasons: [COOLDOWN]}]\n"
    )

    assert [each.split(": ", 1)[1] for each in said if "unexpected" not in each] == [
        "expected tier.approaching of C1 to be refused, but it was not at 2026-01-08 00:00",
        "expected dead letters NOT_JSON, got none",
        "expected tier.approaching to stay silent, but it came",
    ]


def test_other_reasons_are_a_difference() -> None:
    """Reasons are compared as a whole."""
    events = EVENTS.replace(
        "    events:\n",
        "    events:\n      - {type: preference.changed, at: 2026-01-01 00:00, data: {scope: ALL, state: OPT_OUT}}\n",
    )
    story = events + "    suppressed: [{type: tier.approaching, reasons: [COOLDOWN]}]\n"
    (result,) = run_file(load(), read_scenarios("tier.yaml", story))

    said = "tier.yaml:9 near: expected tier.approaching of C1 to be refused for COOLDOWN, got OPT_OUT_ALL"
    assert result.failures == (said,)


def test_a_file_with_faults_is_one_failed_result() -> None:
    """With the faults as its failures."""
    (result,) = run_file(load(), read_scenarios("tier.yaml", "scenarios: 5\n"))

    assert result.failures == ("tier.yaml:1 expected a list, got 5 [BAD_VALUE]",)


def test_evidence_shows_the_lines_of_the_story() -> None:
    """Coordinates are those of the scenario file."""
    (result,) = run_file(load(), read_scenarios("tier.yaml", EVENTS))

    (trigger,) = result.replayed.triggers
    assert trigger["data"]["evidence"]["causes"] == ["tier.yaml:4"]
