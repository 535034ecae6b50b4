"""The tables of docs/packs.md, printed from what the code itself uses, so that the page cannot drift."""

from __future__ import annotations

from collections.abc import Iterable

from stream.packs.faults import MEANINGS, SOFT
from stream.packs.vocabulary import ANY, MECHANISMS, Facts


def facts() -> str:
    """Facts per mechanism and moment."""
    rows = []
    for mechanism, by_moment in MECHANISMS.items():
        for moments, found in _alike(by_moment):
            for name, fact in found.items():
                kind = fact.kind + (", may be none" if fact.optional else "")
                rows.append((mechanism, moments, f"`{name}`", kind, fact.says))
    return _table(("mechanism", "moments", "fact", "kind", "what it says"), rows)


def codes() -> str:
    """Lint codes and whether a worker starts in spite of them."""
    rows = [(f"`{code}`", said, "yes" if code in SOFT else "no") for code, said in MEANINGS.items()]
    return _table(("code", "meaning", "a worker starts"), rows)


def _alike(by_moment: dict[str, Facts]) -> Iterable[tuple[str, Facts]]:
    """Moments with the same facts share their rows."""
    groups: list[tuple[list[str], Facts]] = []
    for moment, found in by_moment.items():
        if groups and groups[-1][1] == found:
            groups[-1][0].append(moment)
        else:
            groups.append(([moment], found))
    return (("those it names" if names == [ANY] else ", ".join(names), found) for names, found in groups)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table.

    >>> print(_table(("a", "b"), [("1", "2")]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows))
