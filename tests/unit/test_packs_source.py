"""Text into data and lines: YAML 1.2 without surprises, TOML with the lines its library does not keep."""

from __future__ import annotations

import json
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stream.packs.faults import LintCode
from stream.packs.source import read
from stream.packs.tomlines import locate


def test_yaml_words_stay_words() -> None:
    """`on`, `NO`, dates and times are text; only 1.2's own scalars are values."""
    source, faults = read("p.yaml", "on: NO\nat: 2026-01-05 09:30\nday: 2026-01-05\nn: [1, -0.02, 09:30, true, ~]\n")

    expected = {"on": "NO", "at": "2026-01-05 09:30", "day": "2026-01-05", "n": [1, -0.02, "09:30", True, None]}
    assert (source.data, faults) == (expected, ())


def test_every_key_and_item_has_its_line() -> None:
    """Also inside flow collections."""
    source, _ = read("p.yaml", "a:\n  b: 1\n  c:\n    - x\n    - {y: 2,\n       z: 3}\n")

    lines = {path: source.line(path) for path in (("a", "b"), ("a", "c", 0), ("a", "c", 1, "y"), ("a", "c", 1, "z"))}
    assert lines == {("a", "b"): 2, ("a", "c", 0): 4, ("a", "c", 1, "y"): 5, ("a", "c", 1, "z"): 6}
    assert source.line(("a", "c", 7, "nowhere")) == 3


def test_anchors_aliases_and_merges_are_written_out() -> None:
    """What stands there itself wins over what is merged in."""
    source, faults = read("p.yaml", "x: &x {a: 1, b: 2}\ny: *x\nz:\n  <<: *x\n  b: 3\n")

    assert (source.data["y"], source.data["z"], faults) == ({"a": 1, "b": 2}, {"b": 3, "a": 1}, ())
    assert source.line(("z", "a")) == 1


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("p.yaml", "a: 1\nb: 2\na: 3\n", 3, "key 'a' is written twice"),
        ("p.yaml", "a: [1,\n", 2, "did not find"),
        ("p.yaml", "a: 1\nb: x: y\n", 2, "is put in quotes"),
        ("p.yaml", "a: 1\n---\nb: 2\n", 2, "but found another document"),
        ("p.yaml", "a: 1\nb: !!python/name:os.system x\n", 2, "expected plain data"),
        ("p.yaml", "a: 1\n? [x]\n: 2\n", 2, "expected text as a key"),
        ("p.yaml", "a: 1\nb:\n  <<: 5\n", 3, "expected a mapping to merge"),
        ("p.yaml", "a: &a [*a]\n", 1, "too deep or too large"),
        ("p.yaml", "a: \x00\n", 1, "unreadable characters"),
        ("p.toml", "a = 1\nb = 2\na = 3\n", 3, "Cannot overwrite"),
        ("p.toml", "a = 1\nb = \n", 2, "Invalid value"),
        ("p.toml", "a = [1,\n", 2, "Invalid value"),
    ],
)
def test_faults_of_form_have_their_line(name: str, text: str, line: int, words: str) -> None:
    """And nothing is read from such a text."""
    _, faults = read(name, text)

    assert [(fault.line, fault.code) for fault in faults] == [(line, LintCode.SYNTAX)]
    assert words in faults[0].text


def test_aliases_cannot_grow_without_end() -> None:
    """Ten to the sixth items from seven lines are one fault."""
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7)]

    _, faults = read("p.yaml", "\n".join(lines))

    assert ["too deep or too large" in fault.text for fault in faults] == [True]


TOML = '''# a pack
name = "x"
[rules."ti.er".emits]
a = { b = 1, c = "}]" } # ]
[[bands]]
text = """
two "lines"
"""
y.z = 4
[[bands]]
l = [
  1, # one
  { q = '#' },
]
[bands.w]
"k\\u0065y" = 2026-01-05 09:30:00
'''


def test_toml_has_lines_too() -> None:
    """Tables, arrays of tables, dotted and quoted keys, items over several lines."""
    source, faults = read("p.toml", TOML)
    places = {
        ("name",): 2,
        ("rules", "ti.er", "emits"): 3,
        ("rules", "ti.er", "emits", "a", "c"): 4,
        ("bands", 0, "text"): 6,
        ("bands", 0, "y", "z"): 9,
        ("bands", 1): 10,
        ("bands", 1, "l", 0): 12,
        ("bands", 1, "l", 1, "q"): 13,
        ("bands", 1, "w", "key"): 16,
    }

    assert faults == ()
    assert source.data["bands"][1]["w"]["key"] == "2026-01-05 09:30"
    assert {path: source.line(path) for path in places} == places


_keys = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=6)
_values = st.recursive(
    st.booleans() | st.integers(-99, 99) | _keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_keys, _values, max_size=4))
def test_the_locator_finds_every_path_of_any_toml(data: dict[str, object]) -> None:
    """One key a line: the line of each top key is its number, and all paths inside are there."""
    text = "".join(f"{_text(key)} = {_inline(value)}\n" for key, value in data.items())
    assert tomllib.loads(text) == data

    lines = locate(text)

    assert set(lines) == {()} | {path for key, value in data.items() for path in _paths((key,), value)}
    assert [lines[(key,)] for key in data] == list(range(1, len(data) + 1))


@given(st.dictionaries(_keys, _values, max_size=4))
def test_yaml_reads_what_yaml_writes(data: dict[str, object]) -> None:
    """The C reader with 1.2 scalars agrees with JSON, which is YAML."""
    source, faults = read("p.yaml", json.dumps(data, ensure_ascii=False))

    assert (source.data, faults) == (data, ())


def test_the_reader_agrees_with_pyyaml_on_the_default_pack() -> None:
    """Where 1.1 and 1.2 mean the same."""
    text = "rules:\n  tier: {bands: [{name: 5万, at: 50000}], share: 0.02}\n"

    assert read("p.yaml", text)[0].data == yaml.safe_load(text)


def _text(text: str) -> str:
    return '"' + "".join(c if c not in '"\\' and c.isprintable() else f"\\U{ord(c):08x}" for c in text) + '"'


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)} = {_inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _text(value) if isinstance(value, str) else str(value).lower()


def _paths(path: tuple[str | int, ...], value: object) -> list[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, inner in children for deeper in _paths((*path, key), inner))]
