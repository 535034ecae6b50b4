"""The two packs that a simulated fleet may change between, bound once."""

from __future__ import annotations

from stream.engine.engine import Engine
from stream.packs.spec import Pack
from tests.builders import rich_pack


def second() -> Pack:
    """The same pack one version on: one rule gone, one new."""
    pack = rich_pack()
    rules = {name: rule for name, rule in pack.spec.rules.items() if name != "tier_now"}
    rules["points_ever"] = rules["points"].model_copy(update={"period": "lifetime"})
    return pack.model_copy(update={"spec": pack.spec.model_copy(update={"version": 2, "rules": rules}), "digest": "e"})


ENGINES = {"d": Engine(rich_pack()), "e": Engine(second())}
"""By digest of the pack, as ledgers name it."""
