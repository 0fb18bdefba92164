"""The four kinds of requests, and what the clients ask for."""

from __future__ import annotations

import random
from dataclasses import dataclass

MOST_QUERIES = 20


def _counts(path: str) -> tuple[str, ...]:
    """The path with each number of queries, in an order that has no trend."""
    counts = random.Random(2).sample(range(1, MOST_QUERIES + 1), MOST_QUERIES)
    return tuple(f"{path}?queries={count}" for count in counts)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of TechEmpower's tests of databases; clients ask for its targets in turn."""

    name: str
    title: str
    targets: tuple[str, ...]
    writes: bool = False


KINDS = (
    Kind("db", "one query", ("/db",)),
    Kind("queries", f"1-{MOST_QUERIES} queries", _counts("/queries")),
    Kind("fortunes", "fortunes", ("/fortunes",)),
    Kind("updates", f"1-{MOST_QUERIES} updates", _counts("/updates"), writes=True),
)
CHECKED = ("/queries?queries=0", "/queries?queries=many", "/updates?queries=")
"""Further targets whose answers are compared before anything is measured."""


def checked_targets(kind: Kind) -> tuple[str, ...]:
    return kind.targets + tuple(target for target in CHECKED if target.startswith(f"/{kind.name}?"))


def find(names: list[str]) -> tuple[Kind, ...]:
    """The kinds with these names, all of them without names; ``ValueError`` names the ones there are."""
    by_name = {kind.name: kind for kind in KINDS}
    if unknown := [name for name in names if name not in by_name]:
        raise ValueError(f"No kind of request {unknown[0]!r}. There are: {', '.join(by_name)}")
    return tuple(by_name[name] for name in names) or KINDS
