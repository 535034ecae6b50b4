"""From a name, a file or a folder to a pack; the same pack in YAML and TOML is the same."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from stream.domain.errors import ConfigError, PackError
from stream.packs.faults import LintCode
from stream.packs.loader import bundled, compiled, digest, lint, load, scenarios
from stream.packs.source import read
from stream.packs.spec import LadderRule

SMALL = Path(__file__).with_name("small_pack.yaml").read_text(encoding="utf-8")
DEFAULT = resources.files("stream.packs").joinpath("retail_bank/pack.yaml").read_text(encoding="utf-8")


def toml(value: object) -> str:
    """A value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {toml(inner)}' for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def as_toml(text: str) -> str:
    """A YAML pack as TOML, a table of rules as TOML people write it."""
    data = read("pack.yaml", text)[0].data
    rules = data.pop("rules")
    head = "".join(f"{key} = {toml(value)}\n" for key, value in data.items())
    return head + "".join(f"[rules.{name}]\n{_pairs(rule)}" for name, rule in rules.items())


def _pairs(rule: dict[str, object]) -> str:
    return "".join(f"{key} = {toml(value)}\n" for key, value in rule.items())


@pytest.mark.parametrize("text", [SMALL, DEFAULT], ids=["small", "retail_bank"])
def test_yaml_and_toml_of_one_pack_have_one_digest(text: str) -> None:
    """And are equal in every other way."""
    assert compiled("pack.yaml", text) == compiled("pack.toml", as_toml(text))


def test_a_fault_in_toml_has_its_line_too() -> None:
    """The same words as for YAML."""
    text = as_toml(SMALL).replace('"rhythm"', '"rythm"')
    line = text[: text.index("rythm")].count("\n") + 1

    with pytest.raises(PackError) as caught:
        compiled("pack.toml", text)

    expected = f"pack.toml:{line} unknown mechanism 'rythm'; did you mean 'rhythm'? [BAD_VALUE]"
    assert caught.value.faults == (expected,)


def test_the_digest_is_of_what_the_pack_says() -> None:
    """Comments, order and spelling do not count; every figure does."""
    pack = compiled("pack.yaml", SMALL)
    head, rules = SMALL.split("features:\n")
    turned = "features:\n" + rules + "\n# a comment\n" + head

    assert compiled("pack.yaml", turned).digest == pack.digest == digest(pack.spec)
    assert compiled("pack.yaml", turned) == pack
    assert compiled("pack.yaml", SMALL.replace("within: 1d", "within: 24h")).digest == pack.digest
    assert compiled("pack.yaml", SMALL.replace("within: 1d", "within: 25h")).digest != pack.digest


def test_rules_come_in_the_order_of_their_names() -> None:
    """So that no order of output hangs on how a pack is written."""
    pack = compiled("pack.yaml", SMALL)

    assert list(pack.spec.rules) == sorted(pack.spec.rules)
    rule = pack.spec.rules["tier"]
    assert isinstance(rule, LadderRule)
    assert [band.name for band in rule.bands] == ["low", "high"]


def test_the_default_pack_comes_by_name() -> None:
    """The name and the folder it lies in are the same pack."""
    folder = Path(str(resources.files("stream.packs"))) / "retail_bank"

    assert load("retail_bank") == load() == load(folder) == load(folder / "pack.yaml")
    assert "retail_bank" in bundled()
    assert len(scenarios()) == len(scenarios(folder)) > 0


def test_a_pack_that_is_not_there() -> None:
    """Says what there is."""
    with pytest.raises(ConfigError, match="no pack at 'no_such_pack'; packs that come with the product: retail_bank"):
        load("no_such_pack")


def test_a_pack_that_is_not_text(tmp_path: Path) -> None:
    """Is a fault, not an error of a codec."""
    (tmp_path / "pack.yaml").write_bytes(b"name: \xff\xfe\n")

    with pytest.raises(PackError, match=r"pack\.yaml:1 expected UTF-8 \[SYNTAX\]"):
        load(tmp_path)


def test_what_is_merely_unused_does_not_keep_a_worker_from_starting() -> None:
    """Hard faults do, all of them at once."""
    compiled("pack.yaml", SMALL.replace("ended: back", "ended: gone").replace("      back:\n", "      gone:\n"))
    compiled("pack.yaml", SMALL.replace("features:\n", "features:\n  idle: {kind: balances}\n"))

    with pytest.raises(PackError) as caught:
        compiled("pack.yaml", SMALL.replace("value: aum", "value: aun").replace("Shanghai", "Shangai"))
    assert [fault.split()[0] for fault in caught.value.faults] == ["pack.yaml:4", "pack.yaml:23"]


STORY = """\
scenarios:
  - name: a story
    events: [{type: card.issued, at: 2026-01-05 09:30, data: {card_kind: DEBIT}}]
    until: 2026-02-01 00:00
    silent: [tier.upgraded]
    expect: [{type: tier.approaching, at: 2026-01-08 00:00}]
"""


def test_every_trigger_type_wants_a_story_that_fires_and_one_that_does_not(tmp_path: Path) -> None:
    """At the line where the pack first names the type."""
    (tmp_path / "pack.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.yaml").write_text(STORY, encoding="utf-8")

    faults = lint(tmp_path)

    assert {fault.code for fault in faults} == {LintCode.NO_SCENARIO}
    tier = [str(fault) for fault in faults if "tier" in fault.text]
    assert tier == [
        "pack.yaml:32 no scenario in which tier.upgraded fires [NO_SCENARIO]",
        "pack.yaml:41 no scenario in which tier.approaching stays silent [NO_SCENARIO]",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "type: card.issued",
            "type: card.isued",
            "a.yaml:3 unknown event type 'card.isued'; did you mean 'card.issued'? [UNKNOWN_TYPE]",
        ),
        (
            "[tier.upgraded]",
            "[tier.upgrade]",
            "a.yaml:5 unknown trigger type 'tier.upgrade'; did you mean 'tier.upgraded'? [UNKNOWN_TRIGGER]",
        ),
        (
            "silent: [tier.upgraded]",
            "silent: tier.approaching",
            "a.yaml:5 tier.approaching is expected to stay silent and to come [BAD_VALUE]",
        ),
        (
            "until: 2026-02-01 00:00",
            "until: 2026-02-30 00:00",
            "a.yaml:4 day is out of range for month, got '2026-02-30 00:00' [BAD_VALUE]",
        ),
        (
            "until: 2026-02-01 00:00",
            "until: tomorrow",
            "a.yaml:4 expected a local time such as 2026-01-05 09:30, got 'tomorrow' [BAD_VALUE]",
        ),
        ("expect:", "expects:", "a.yaml:6 unknown field 'expects'; did you mean 'expect'? [UNKNOWN_FIELD]"),
        ("name: a story", "name: *nobody", "a.yaml:2 found undefined alias [SYNTAX]"),
    ],
)
def test_faults_of_stories_are_found_at_their_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Beside those of the pack."""
    (tmp_path / "pack.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.yaml").write_text(STORY.replace(old, new), encoding="utf-8")

    assert said in map(str, lint(tmp_path))
