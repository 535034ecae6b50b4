"""From a name or a path to a pack, or to all that is wrong with it.

Rule: the only module of this room that opens files, and only for reading. What a pack means does not depend on how it is
written: tables are put in the order of their names, so YAML and TOML of the same pack have the same digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from stream.domain.errors import ConfigError, PackError
from stream.packs.faults import SOFT, Fault, LintCode
from stream.packs.lint import checked
from stream.packs.scenario import ScenarioFile, checked_scenarios, read_scenarios
from stream.packs.shape import remaining, shaped
from stream.packs.source import Source, read
from stream.packs.spec import Pack, PackSpec

DEFAULT = "retail_bank"
NAMES = ("pack.yaml", "pack.yml", "pack.toml")
"""What the pack's own file is called inside its folder."""
ENDINGS = (".yaml", ".yml", ".toml")
FOLDER = "scenarios"


class Reading(NamedTuple):
    """A pack as far as it could be read: `spec` is None when its form has faults."""

    source: Source
    spec: PackSpec | None
    faults: tuple[Fault, ...]


def load(name_or_path: str | Path = DEFAULT) -> Pack:
    """The pack, ready to be bound.

    Args:
        name_or_path: A pack that comes with the product, by name; else a pack file, or a folder that holds one.

    Raises ConfigError when there is no such file, PackError with every fault when it cannot be used as it is.
    """
    return compiled(*_text(_pack_file(name_or_path)))


def compiled(name: str, text: str) -> Pack:
    """The pack a text says. Raises PackError with every fault.

    Args:
        name: What messages call the text; its ending decides between YAML and TOML.
    """
    reading = understood(name, text)
    hard = tuple(str(fault) for fault in reading.faults if fault.code not in SOFT)
    if hard or reading.spec is None:
        raise PackError(hard)
    return Pack(spec=reading.spec, digest=digest(reading.spec))


def lint(name_or_path: str | Path = DEFAULT) -> list[Fault]:
    """All faults of a pack and of the scenarios beside it, by file and line. Raises ConfigError as `load` does."""
    reading = understood(*_text(_pack_file(name_or_path)))
    faults = list(reading.faults)
    files = scenarios(name_or_path)
    if reading.spec is not None:
        faults += checked_scenarios(reading.spec, reading.source, files)
    else:
        faults += [fault for each in files for fault in each.faults]
    return sorted(set(faults), key=lambda fault: (not fault.file.startswith("pack."), *fault))


def understood(name: str, text: str) -> Reading:
    """What a text says as a pack, and every fault in it."""
    source, faults = read(name, text)
    if faults:
        return Reading(source, None, faults)
    ordered = source._replace(data=_sorted(source.data))
    spec, faults = shaped(PackSpec, ordered)
    if spec is None:
        return Reading(source, None, faults + _beyond(ordered, source))
    return Reading(source, spec, checked(spec, source))


def _beyond(ordered: Source, source: Source) -> tuple[Fault, ...]:
    """The faults of meaning in what a pack says soundly beside its faults of form; not those that come of taking these out."""
    rest, gone = remaining(PackSpec, ordered)
    if rest is None:
        return ()
    missed = tuple(f"unknown {what} {path[1]!r}" for path in gone for what in ("input", "feature") if len(path) > 1)
    found = checked(rest, source)
    return tuple(fault for fault in found if fault.code not in SOFT and not fault.text.startswith(missed))


def digest(spec: PackSpec) -> str:
    """SHA-256 of the pack's canonical JSON: what it says, not how it is written."""
    plain = spec.model_dump(mode="json", by_alias=True)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def scenarios(name_or_path: str | Path = DEFAULT) -> tuple[ScenarioFile, ...]:
    """The stories beside a pack, by file name; those with faults of form carry them."""
    file = _pack_file(name_or_path)
    folder = file.parent / FOLDER if isinstance(file, Path) else _bundled(str(name_or_path)) / FOLDER
    if not folder.is_dir():
        return ()
    files = sorted((each for each in folder.iterdir() if each.name.endswith(ENDINGS)), key=lambda each: each.name)
    return tuple(read_scenarios(*_text(each)) for each in files)


def bundled() -> list[str]:
    """Names of the packs that come with the product."""
    return sorted(each.name for each in resources.files("stream.packs").iterdir() if (each / NAMES[0]).is_file())


def _bundled(name: str) -> Traversable:
    return resources.files("stream.packs") / name


def _pack_file(name_or_path: str | Path) -> Traversable:
    """The file of a pack. A name wins over a folder of that name in the working directory; write ./name for that."""
    if isinstance(name_or_path, str) and re.fullmatch("[a-z][a-z0-9_]*", name_or_path):
        file = _bundled(name_or_path) / NAMES[0]
        if file.is_file():
            return file if not isinstance(file, Path) else Path(file)
    path = Path(name_or_path)
    places = [path / name for name in NAMES] if path.is_dir() else [path]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(f"no pack at {str(name_or_path)!r}; packs that come with the product: {', '.join(bundled())}")
    return found


def _text(file: Traversable) -> tuple[str, str]:
    try:
        return file.name, file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PackError((str(Fault(file.name, 1, LintCode.SYNTAX, "expected UTF-8")),)) from None


def _sorted(value: Any) -> Any:
    """The same data with the keys of every table in order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
