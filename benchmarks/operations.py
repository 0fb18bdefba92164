"""What is measured: the operations, the arguments they are called with, and what they must return."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from benchmarks import schema

Kind = Literal["read", "write", "concurrent", "build", "import"]
"""``write``: leaves rows in ``draft``, which are compared; ``concurrent``: async roads only; ``build``: sync roads only."""

BOOK = tuple(schema.BOOK_COLUMNS)
AUTHOR = tuple(schema.AUTHOR_COLUMNS)
WIDE = tuple(schema.WIDE_COLUMNS)
TAGS = ("tags", tuple(schema.TAG_COLUMNS))
REVIEWS = ("review_set", tuple(schema.REVIEW_COLUMNS))
BOOK_WITH_AUTHOR = BOOK + tuple(f"author.{name}" for name in schema.AUTHOR_COLUMNS)
LISTED = ("id", "title", "price", "published")
PAGE = 20


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that programs do with a database, called with each of ``arguments`` in turn."""

    name: str
    """The name of the contenders' method."""
    title: str
    arguments: Callable[[], Sequence[Any]]
    kind: Kind = "read"
    columns: tuple[str, ...] = BOOK
    """What a returned record holds: a tuple's items in this order, a dict's, or an instance's attributes."""
    related: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The to-many relations that come along, each beyond the one before: its attribute, and the columns there."""
    checked_calls: int = 3
    once: bool = False
    """Each argument can be used once after the table was filled: deletions, and what was made to be new."""

    @property
    def checked_columns(self) -> tuple[str, ...]:
        return self.columns + tuple(f"{name}.{column}" for name, names in self.related for column in names)


def _dice() -> random.Random:
    return random.Random(2013)


def _keys() -> list[int]:
    return _dice().choices(range(1, schema.BOOKS + 1), k=1_000)


def _wide_keys() -> list[int]:
    return _dice().choices(range(1, schema.WIDES + 1), k=1_000)


def _key_lists() -> list[list[int]]:
    dice = _dice()
    return [sorted(dice.sample(range(1, schema.BOOKS + 1), k=100)) for _ in range(50)]


def _concurrent(count: int) -> list[list[int]]:
    dice = _dice()
    return [dice.choices(range(1, schema.BOOKS + 1), k=count) for _ in range(10)]


def _ten_at_once() -> list[list[int]]:
    return _concurrent(10)


def _fifty_at_once() -> list[list[int]]:
    return _concurrent(50)


def _hundred_at_once() -> list[list[int]]:
    return _concurrent(100)


def _authors() -> list[int]:
    return _dice().choices(range(1, schema.AUTHORS + 1), k=200)


def _tag_slugs() -> list[str]:
    return [schema.tag_row(number)["slug"] for number in _dice().sample(range(1, schema.TAGS + 1), k=50)]


def _new_books() -> list[dict[str, Any]]:
    return [schema.book_values(schema.BOOKS + number) for number in range(1, 1_001)]


def _twenty() -> list[int]:
    return [20]


def _hundred() -> list[int]:
    return [100]


def _two_hundred() -> list[int]:
    return [200]


def _thousand() -> list[int]:
    return [1_000]


def _ten_thousand() -> list[int]:
    return [10_000]


def _nothing() -> list[None]:
    return [None]


def _batch() -> list[list[dict[str, Any]]]:
    return [_new_books()]


def _hundreds() -> list[list[dict[str, Any]]]:
    books = _new_books()
    return [books[start : start + 100] for start in range(0, 1_000, 100)]


def _new_prices() -> list[tuple[int, Decimal]]:
    dice = _dice()
    return [(dice.randint(1, schema.DRAFTS), Decimal(dice.randrange(100, 10_000)) / 100) for _ in range(500)]


def _starts() -> list[int]:
    return [_dice().randint(0, schema.DRAFTS - 20) for _ in range(100)]


def _draft_keys() -> list[int]:
    return _dice().sample(range(1, schema.DRAFTS + 1), k=schema.DRAFTS)


def _found_and_new() -> list[dict[str, Any]]:
    """The values of a draft that is there, those of one that is not, and so on."""
    there = [schema.book_values(number) for number in range(1, 201)]
    return [values for pair in zip(there, _new_books(), strict=False) for values in pair]


def _blocks() -> list[tuple[dict[str, Any], int, Decimal]]:
    return [(values, *change) for values, change in zip(_new_books(), _new_prices(), strict=False)]


OPERATIONS = (
    Operation("get", "get by pk", _keys, checked_calls=20),
    Operation("get_wide", "get by pk, 32 columns", _wide_keys, columns=WIDE, checked_calls=20),
    Operation("page", "filter, order, limit 20", _authors, checked_calls=20),
    Operation("in_100", "100 keys in a list", _key_lists),
    Operation("complex_filter", "3 joins, or, exclude", _tag_slugs),
    Operation("list_some", "list 1,000 instances", _thousand),
    Operation("list_all", "list 10,000 instances", _ten_thousand, checked_calls=1),
    Operation("list_wide", "list 1,000 of 32 columns", _thousand, columns=WIDE, checked_calls=1),
    Operation("values", "values 10,000", _ten_thousand, columns=LISTED, checked_calls=1),
    Operation("values_list", "values_list 10,000", _ten_thousand, columns=LISTED, checked_calls=1),
    Operation("stream", "stream 200,000", _nothing, columns=("count", "total"), checked_calls=1),
    Operation("select_related", "join a foreign key, 1,000", _thousand, columns=BOOK_WITH_AUTHOR),
    Operation("prefetch_foreign", "prefetch 100 times 20", _hundred, related=(REVIEWS,)),
    Operation("prefetch_many", "prefetch many-to-many, 200", _two_hundred, related=(TAGS,)),
    Operation(
        "prefetch_nested", "prefetch nested", _twenty, columns=AUTHOR, related=(("book_set", BOOK), TAGS)
    ),
    Operation("count", "count", _authors, columns=("count",), checked_calls=20),
    Operation("exists", "exists", _authors, columns=("exists",), checked_calls=20),
    Operation(
        "aggregate", "count, sum, max", _authors, columns=("count", "total", "price"), checked_calls=20
    ),
    Operation("group_by", "group by", _nothing, columns=("author_id", "count", "total"), checked_calls=1),
    Operation("insert", "insert one", _new_books, "write"),
    Operation("inserts", "100 inserts in a transaction", _hundreds, "write", checked_calls=1),
    Operation("insert_many", "bulk insert 1,000", _batch, "write", checked_calls=1),
    Operation("save", "save", _new_prices, "write"),
    Operation("save_field", "save one column", _new_prices, "write"),
    Operation("update", "update by pk", _new_prices, "write"),
    Operation("update_f", "update 20 by expression", _starts, "write"),
    Operation("update_many", "bulk update 1,000", _thousand, "write", checked_calls=1),
    Operation("get_or_create", "get or create", _found_and_new, "write", checked_calls=10, once=True),
    Operation("delete", "delete by pk", _draft_keys, "write", once=True),
    Operation("delete_instance", "delete an instance", _draft_keys, "write", once=True),
    Operation("transaction", "transaction, 2 savepoints", _blocks, "write"),
    Operation("gets_10", "10 gets at once", _ten_at_once, "concurrent"),
    Operation("gets_50", "50 gets at once", _fifty_at_once, "concurrent"),
    Operation("gets_100", "100 gets at once", _hundred_at_once, "concurrent"),
    Operation("build", "build the query alone", _authors, "build"),
    Operation("imports", "import", _nothing, "import"),
)


def find(names: Iterable[str]) -> tuple[Operation, ...]:
    """The operations with these names; ``ValueError`` names the ones there are."""
    by_name = {operation.name: operation for operation in OPERATIONS}
    wanted = list(names) or list(by_name)
    if unknown := [name for name in wanted if name not in by_name]:
        raise ValueError(f"No operation {unknown[0]!r}. There are: {', '.join(by_name)}")
    return tuple(by_name[name] for name in wanted)
