"""What a statement takes and gives: its parameters, and the columns of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.sql.core.constants import same_type

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.expressions.contracts import Convert, CoreType
    from facade.expressions.freezing import OutOfRange
    from facade.sql.query.loading import Part
    from facade.sql.query.query import Query


_OTHER_OPTIONS = (
    "A query inside another one is run with it, under the outer query's options, and not under its own ({}): give them "
    "to the outer one, too, or to a block around them (atomic(execution_options=..., timeout=...))."
)


class Binds:
    """The parameters of a statement: which argument each takes, and how it is converted."""

    varies = True
    """Whether arguments that no column can hold ask for another plan."""

    def __init__(self, beyond: dict[int, OutOfRange] | None = None) -> None:
        self.beyond = beyond or {}
        self.limited = False  # whether a parameter may turn out to lie beyond its column
        self.compares = False  # whether the database compares expressions, down to their parameters
        self.sources: dict[str, tuple[int | None, Convert | None]] = {}
        self.databases: set[str] = set()
        self.options: set[str] = set()  # of queries inside the statement
        self._known: dict[Any, Any] = {}

    def check_database(self, database: Database) -> None:
        """Raise ValueError where a query inside the statement belongs to another database, or has other options."""
        if self.options - {database.options}:
            raise ValueError(_OTHER_OPTIONS.format(", ".join(sorted(self.options))))
        if self.databases - {database.alias, database.home}:
            raise ValueError(
                "Subqueries aren't allowed across different databases. Force the inner query to be evaluated using "
                "`list(inner_query)`."
            )

    def note_options(self, query: Query) -> None:
        """Note under which options a query inside the statement is to be run."""
        if query.placement.options is not None:
            self.options.add(query.placement.options)

    def add(self, index: int | None, type_: CoreType | None, convert: Convert | None, **options: Any) -> Any:
        """Return the parameter of an argument: one for all places that take it with the same type and conversion."""
        key = index, same_type(type_), convert, *options
        if (known := self._known.get(key)) is None:
            name = f"p{len(self.sources) + 1}"
            self.sources[name] = (index, convert)
            known = self._known[key] = sa.bindparam(name, type_=type_, required=False, **options)
        return known


def given_value(args: tuple[Any, ...], index: int | None, convert: Convert | None) -> Any:
    """Return the value of a parameter: its argument, converted; without one the converter makes the value."""
    value = None if index is None else args[index]
    return value if convert is None else convert(value)


class Layout:
    """What the columns of a row are: an instance (with related ones) or named values."""

    __slots__ = ("annotations", "columns", "part", "repeated", "width")

    def __init__(
        self, part: Part | None, annotations: list[tuple[str, Any]], columns: list[tuple[str, Any]]
    ) -> None:
        self.part, self.annotations, self.columns = part, annotations, columns
        self.width = 0
        self.repeated: tuple[int, ...] | None = None

    def check_types(self) -> None:
        """Raise FieldError where the type of a value that is selected cannot be told."""
        for _, expression in (*self.annotations, *self.columns):
            getattr(expression, "_output_field_or_none", None)
