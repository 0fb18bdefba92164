"""Indexes that a model declares in ``Meta.indexes``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.expressions.q import Q
from facade.meta.constraints import as_expressions, public_path
from facade.meta.naming import names_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from facade.fields.contracts import Instance


__all__ = ["Index"]


class Index:
    """An index on fields (``"-name"`` for descending order) or expressions.

    `condition` restricts it to the rows that meet a Q, `include` adds columns that are only stored; `opclasses` are those of PostgreSQL.
    `name` is derived from the table and the columns, within 30 characters, if it is not given. UnsupportedFeature, when
    the table is made, for what the database has not.

    >>> Index(fields=["author", "-published"], name="book_recent_idx")
    <Index: fields=['author', '-published'] name='book_recent_idx'>
    """

    suffix = "idx"
    max_name_length = 30

    def __init__(
        self,
        *expressions: Any,
        fields: Sequence[str] = (),
        name: str | None = None,
        db_tablespace: str | None = None,
        opclasses: Sequence[Any] = (),
        condition: Q | None = None,
        include: Iterable[Any] | None = None,
    ) -> None:
        self.name = name or ""
        self.db_tablespace = db_tablespace
        self.opclasses = opclasses
        self.condition = condition
        self.include = include
        self.fields = fields
        self.expressions = expressions
        self._check_types()
        self._check_named(opclasses=opclasses, condition=condition)
        self._check_what()
        self._check_named(expressions=expressions)
        self.fields = list(fields)
        #: Pairs of a field's name and its order, ``""`` or ``"DESC"``.
        self.fields_orders = [
            (one.removeprefix("-"), "DESC" if one.startswith("-") else "") for one in self.fields
        ]
        self.include = tuple(include) if include else ()
        self.expressions = as_expressions(expressions)

    def _check_types(self) -> None:
        if not isinstance(self.condition, (Q, type(None))):
            raise ValueError("Index.condition must be a Q instance.")
        if not isinstance(self.fields, (list, tuple)):
            raise ValueError("Index.fields must be a list or tuple.")
        if not isinstance(self.opclasses, (list, tuple)):
            raise ValueError("Index.opclasses must be a list or tuple.")
        if not isinstance(self.include, (list, tuple, type(None))):
            raise ValueError("Index.include must be a list or tuple.")

    def _check_named(self, **parts: Any) -> None:
        for what, value in parts.items():
            if value and not self.name:
                raise ValueError(f"An index must be named to use {what}.")

    def _check_what(self) -> None:
        if not self.expressions and not self.fields:
            raise ValueError("At least one field or expression is required to define an index.")
        if self.expressions and self.fields:
            raise ValueError("Index.fields and expressions are mutually exclusive.")
        if self.expressions and self.opclasses:
            raise ValueError(
                "Index.opclasses cannot be used with expressions. Use "
                "facade.contrib.postgres.indexes.OpClass() instead."
            )
        if self.opclasses and len(self.fields) != len(self.opclasses):
            raise ValueError("Index.fields and Index.opclasses must have the same number of elements.")
        if not all(isinstance(field, str) for field in self.fields):
            raise ValueError("Index.fields must contain only strings with field names.")
        if self.include and not self.name:
            raise ValueError("A covering index must be named.")

    @property
    def contains_expressions(self) -> bool:
        """Whether the index is on expressions instead of fields."""
        return bool(self.expressions)

    def set_name_with_model(self, model: type[Instance]) -> None:
        """Give an unnamed index a name of table, first column and a digest, within 30 characters."""
        table = model._meta.db_table.strip('"').rpartition('"."')[2]
        columns = [(model._meta.get_field(name).column, order) for name, order in self.fields_orders]
        ordered = [f"-{column}" if order else column for column, order in columns]
        digest = names_digest(table, *ordered, self.suffix, length=6)
        self.name = f"{table[:11]}_{columns[0][0][:7]}_{digest}_{self.suffix}"
        if len(self.name) > self.max_name_length:
            raise ValueError(
                "Index too long for multiple database support. Is self.suffix longer than 3 characters?"
            )
        if self.name[0] == "_" or self.name[0].isdigit():
            self.name = f"D{self.name[1:]}"

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return ``(path, args, kwargs)`` from which an equal index can be made."""
        kwargs: dict[str, Any] = {"name": self.name}
        if self.fields:
            kwargs["fields"] = self.fields
        if self.db_tablespace is not None:
            kwargs["db_tablespace"] = self.db_tablespace
        for name in ("opclasses", "condition", "include"):
            value = getattr(self, name)
            if value:
                kwargs[name] = value
        return public_path(type(self)), self.expressions, kwargs

    def clone(self) -> Any:
        """Return an equal index."""
        _, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    def __repr__(self) -> str:
        shown = ("fields", "expressions", "name", "db_tablespace", "condition", "include", "opclasses")
        parts = [
            f" {name}={value if isinstance(value, Q) else repr(value)}"
            for name in shown
            if (value := getattr(self, name)) or (name == "db_tablespace" and value is not None)
        ]
        return f"<{type(self).__qualname__}:{''.join(parts)}>"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash(tuple(self.fields))
