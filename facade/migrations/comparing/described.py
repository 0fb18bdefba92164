"""What a database says of a table, each thing in a text that is the same for the same thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["ColumnWords", "Item", "TableWords"]


class ColumnWords(NamedTuple):
    """A column as its database describes it."""

    type: str
    """With length, sign and collation."""
    default: str | None = None
    """None where there is none; ``identity`` where the database counts."""
    generated: str | None = None
    """What the column is computed by, and whether it is stored."""


class Item(NamedTuple):
    """An index, or a constraint other than keys and references."""

    kind: str
    """``index``, ``unique`` or ``check``; another word for one that Alembic cannot write."""
    text: str
    columns: tuple[str, ...] = ()
    """Those of a unique constraint, by which one without a name is found; for MySQL what an index is on, and in which order."""


@dataclass
class TableWords:
    """A table as its database describes it."""

    columns: dict[str, ColumnWords] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)
    """How the database writes the texts of items that it is told in its own words: PostgreSQL does so once more in another way."""
    unnamed: list[Item] = field(default_factory=list)
    """Constraints whose names the database does not keep, or never had."""
    unread: set[tuple[str, ...]] = field(default_factory=set)
    """The columns of unique constraints that SQLAlchemy does not see."""

    def ways(self, name: str) -> Iterator[Item]:
        """Yield an item of the table in each way that the database writes it."""
        yield self.items[name]
        if name in self.again:
            yield self.items[name]._replace(text=self.again[name])
