"""Comparisons of several columns at once: of a composite primary key, or of a relation over several columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade.exceptions import EmptyResultSet, UnsupportedFeature
from facade.expressions.base import Expression
from facade.expressions.comparisons import (
    BuiltinLookup,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Lookup,
)
from facade.expressions.freezing import (
    EMPTY,
    Arg,
    BeyondColumn,
    Empty,
    NotAnArgument,
    OutOfRange,
    PreparedNone,
)
from facade.expressions.lookups.objects import compatible
from facade.expressions.references import F, ResolvedOuterRef, RowValue, parts_of
from facade.expressions.sqltext.fragments import template
from facade.expressions.subquery import Embedded, Subquery, references_outside
from facade.fields import CompositePrimaryKey
from facade.fields.relations.reverse import ForeignObjectRel
from facade.types.shared import TRUTH

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Convert, Core, Query
    from facade.fields.contracts import Instance
    from facade.fields.relations.foreign_objects import ForeignObject


class NoRow(NotAnArgument):
    """A list of keys none of which a row can have."""

    mark = EMPTY


class TupleLookup(BuiltinLookup):
    """A comparison of a row of columns with a tuple of as many values, a queryset or the columns of another row.

    Raises ValueError for values that are no tuple of the right length.
    """

    lhs: RowValue
    skips_none = False
    allows_composite_expressions = True
    problems: ClassVar[tuple[str, str, str]] = (
        "must be a tuple or a list",
        "must have {} elements",
        "only supports OuterRef and QuerySet objects",
    )
    """What is said of a value that is no row, of one of another length, and of an expression that is no row."""

    def __init__(self, lhs: object, rhs: object) -> None:
        rhs = rhs.queryset if isinstance(rhs, Subquery) and rhs.is_plain else rhs
        super().__init__(lhs, rhs)
        if isinstance(rhs, (Expression, F)) and not self._takes(rhs):
            title = self._title.replace("lookup", "subquery lookup", 1)
            raise ValueError(f"{title} {self.problems[2]} (received '{type(rhs).__name__}')")

    @staticmethod
    def _takes(rhs: Expression | F) -> bool:
        """Whether an expression can stand on the right side: a queryset, a row, or a name that may be one of a row."""
        return isinstance(rhs, (Embedded, F)) or rhs.is_composite

    @property
    def _title(self) -> str:
        return f"'{self.lookup_name}' lookup of '{getattr(self.lhs.output_field, 'name', None)}'"

    # -- the values ------------------------------------------------------------------------

    @cached_property
    def parts(self) -> tuple[Lookup, ...]:
        """The comparison of each column with the argument, which prepares its part of the value."""
        return tuple(column.get_lookup("exact")(column, self.rhs) for column in self.lhs.items)

    @cached_property
    def _fits(self) -> tuple[Callable[[Any], Any], ...]:
        return tuple(part.preparation for part in self.parts)

    def prepare(self, value: object) -> Any:
        return self._prepared(self._row(value))

    def _row(self, value: object) -> Sequence[Any]:
        """Return a user's value as one for each column; an object is what the relation's columns hold where they refer to it."""
        if hasattr(type(value), "_meta") and self.lhs.output_field.is_relation:
            return self._key_of(value)  # type: ignore[arg-type]
        if not isinstance(value, (tuple, list)):
            raise ValueError(f"{self._title} {self.problems[0]}")
        if len(value) != len(self.lhs):
            raise ValueError(f"{self._title} {self.problems[1].format(len(self.lhs))}")
        return value

    def _key_of(self, instance: Instance) -> Sequence[Any]:
        field = self.lhs.output_field
        if not compatible(type(instance), field):
            name = field.related_model._meta.object_name
            raise ValueError(f'Cannot query "{instance}": Must be "{name}" instance.')
        if not instance._is_pk_set():
            raise ValueError("Model instances passed to related filters must be saved.")
        return [getattr(instance, target.attname) for target in _targets(field)]

    def _prepared(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values as their columns take them. Raises OutOfRange where one is None: no row has such a key."""
        if None in row:
            raise OutOfRange(high=True)
        try:
            return tuple([fit(item) for fit, item in zip(self._fits, row, strict=True)])
        except PreparedNone:
            raise OutOfRange(high=True) from None

    @classmethod
    def arranged(cls, left: RowValue, values: tuple[Any, ...], typed: Callable[[Any, Any], Any]) -> Any:
        """Return values and expressions, as many as columns, as one row."""
        if len(values) != len(left):
            cls(left, OutOfRange(high=True))._row(values)
        if any(value is None or isinstance(value, OutOfRange) for value in values):
            return OutOfRange(high=True)
        return RowValue([typed(value, column) for value, column in zip(values, left.items, strict=True)])

    def adapt_query(self, query: Query) -> None:
        """Make a queryset on the right side select as many columns as there are on the left."""
        query.clear_ordering()
        if not query.has_select_fields and not query.select:
            field = self.lhs.output_field
            if field.is_relation and not compatible(query.model, field):
                names = query.model._meta.object_name, field.related_model._meta.object_name
                raise ValueError(f'Cannot use QuerySet for "{names[0]}": Use a QuerySet for "{names[1]}".')
            query.select_only(*[target.name for target in _targets(field)])
        query.refuse_several(self.lookup_name, len(self.lhs))

    # -- SQL -------------------------------------------------------------------------------

    def _right(self, compiler: Compiler) -> list[Core] | None:
        """Return the Core form of each value on the right side; None where that is a queryset."""
        if isinstance(self.rhs, Arg):
            return [
                compiler.bind(self.rhs, part.bind_type, _taken(position, part.converter(compiler)))
                for position, part in enumerate(self.parts)
            ]
        if isinstance(self.rhs, Embedded):
            return None
        if isinstance(self.rhs, ResolvedOuterRef):
            compiler.process(self.rhs)  # type: ignore[arg-type]  # raises what it has to say
        columns = parts_of(self.rhs)
        if columns is None or len(columns) != len(self.lhs):
            raise ValueError("Composite field lookups only work with composite expressions.")
        return [compiler.process(column) for column in columns]

    def _left(self, compiler: Compiler) -> list[Core]:
        return [compiler.process(column) for column in self.lhs.items]

    def _select(self, compiler: Compiler, embedded: Embedded) -> Any:
        if embedded.query.is_empty:
            raise EmptyResultSet
        embedded.query.refuse_several(self.lookup_name, len(self.lhs))
        compiler.require_database(embedded.query.database)
        return compiler.subquery(embedded)

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, OutOfRange) or compiler.beyond(self.rhs):
            raise EmptyResultSet
        left, right = self._left(compiler), self._right(compiler)
        if right is not None:
            return self.compare_rows(left, right, compiler)
        select = self._select(compiler, self.rhs)
        if not compiler.features.supports_tuple_lookups:
            return self._among(left, select)
        return _rows_compared(self.operator, row_of(left), select.scalar_subquery())

    def _among(self, left: list[Core], select: sa.Select[Any]) -> Any:
        """Return whether one of the rows of a select has these values, for a database that compares column by column."""
        if any(references_outside(self.rhs.query)):
            raise UnsupportedFeature(
                f"This database does not compare rows of columns: the queryset of an {self._title} cannot refer to the query "
                "around it. Use Exists() with a condition for each column."
            )
        rows = select.subquery()
        same = [one == other for one, other in zip(left, rows.c, strict=True)]
        return sa.exists(sa.select(sa.literal_column("1")).select_from(rows).where(*same))

    operator = "="

    def compare_rows(self, left: list[Core], right: list[Core], compiler: Compiler) -> Any:
        """Return the Core condition of as many values on both sides."""
        raise NotImplementedError


def _targets(field: CompositePrimaryKey | ForeignObject[Any] | ForeignObjectRel) -> Sequence[Any]:
    """Return the fields whose values a composite key, or a relation over several columns, has."""
    if isinstance(field, CompositePrimaryKey):
        return field.fields
    return field.path_targets if isinstance(field, ForeignObjectRel) else field.foreign_related_fields


def row_of(values: Sequence[Core]) -> Core:
    """Return several Core expressions as a row value."""
    return template(f"({', '.join(['%s'] * len(values))})", *values)


def _rows_compared(operator: str, left: Core, right: Core) -> Any:
    return template(f"%s {operator} %s", left, right, type_=TRUTH)


def _taken(position: int, convert: Convert | None) -> Callable[[Any], Any]:
    """Return what takes one value out of a tuple, and converts it."""
    take = itemgetter(position)
    return take if convert is None else lambda row: convert(take(row))


@CompositePrimaryKey.register_lookup
class TupleExact(TupleLookup, Exact):
    """Equality of all columns."""

    @classmethod
    def constant_for(cls, left: object) -> None:
        return None

    def adapt_query(self, query: Query) -> None:
        if not query.one_row:
            raise ValueError(
                "The QuerySet value for an exact lookup must be limited to one result using slicing."
            )
        super().adapt_query(query)

    def compare_rows(self, left: list[Core], right: list[Core], compiler: Compiler) -> Any:
        return sa.and_(*[one == other for one, other in zip(left, right, strict=True)])


class TupleOrder(TupleLookup):
    """A comparison by the first column in which the two sides differ."""

    def _prepared(self, row: Sequence[Any]) -> tuple[Any, ...]:
        try:
            return super()._prepared(row)
        except OutOfRange as error:
            if None in row:
                raise
            raise ValueError(
                f"{self._title}: {row!r} holds a value that no row of its column can have."
            ) from error

    def _right(self, compiler: Compiler) -> list[Core] | None:
        # A value beyond a narrow column has its place in the order, and the parameter is wide enough for it.
        if not isinstance(self.rhs, Arg):
            return super()._right(compiler)
        return [
            compiler.bind(self.rhs, part.bind_type, _taken(position, part.of_field(compiler)))
            for position, part in enumerate(self.parts)
        ]

    def _select(self, compiler: Compiler, embedded: Embedded) -> Any:
        if not compiler.features.supports_tuple_comparison_against_subquery:
            raise UnsupportedFeature(
                f'"{self.lookup_name}" cannot be used to target composite fields through subqueries on this backend'
            )
        return super()._select(compiler, embedded)

    def compare_rows(self, left: list[Core], right: list[Core], compiler: Compiler) -> Any:
        if compiler.features.supports_tuple_lookups:
            return _rows_compared(self.operator, row_of(left), row_of(right))
        return self._written_out(left, right)

    def _written_out(self, left: list[Core], right: list[Core]) -> Any:
        """Return `a > x OR (a = x AND (b > y OR …))`."""
        (one, *others), (value, *values) = left, right
        if not others:
            return _OPERATIONS[self.operator](one, value)
        further = _OPERATIONS[self.operator.rstrip("=")](one, value)
        return sa.or_(further, sa.and_(one == value, self._written_out(others, values)))


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
}


@CompositePrimaryKey.register_lookup
class TupleGreaterThan(TupleOrder, GreaterThan):
    """Greater, column by column."""

    operator = ">"


@CompositePrimaryKey.register_lookup
class TupleGreaterThanOrEqual(TupleOrder, GreaterThanOrEqual):
    """Greater or equal, column by column."""

    operator = ">="


@CompositePrimaryKey.register_lookup
class TupleLessThan(TupleOrder, LessThan):
    """Less, column by column."""

    operator = "<"


@CompositePrimaryKey.register_lookup
class TupleLessThanOrEqual(TupleOrder, LessThanOrEqual):
    """Less or equal, column by column."""

    operator = "<="


@CompositePrimaryKey.register_lookup
class TupleIn(TupleLookup, In):
    """Membership: in a list of tuples, which is one argument however long, or in a queryset."""

    problems = (
        "must be a collection of tuples or lists",
        "must have {} elements each",
        "must be a Query object",
    )

    def prepare(self, value: object) -> Any:
        if not hasattr(value, "__iter__") or isinstance(value, (str, bytes)):
            raise ValueError(f"{self._title} {TupleLookup.problems[0]}")
        rows = dict[Any, None]()
        for item in value:
            try:
                rows[self._prepared(self._row(item))] = None
            except OutOfRange:
                continue
        if not rows:
            raise NoRow
        return [*rows]

    @staticmethod
    def _takes(rhs: Expression | F) -> bool:
        return isinstance(rhs, Embedded)

    @classmethod
    def arranged(cls, left: RowValue, values: tuple[Any, ...], typed: Callable[[Any, Any], Any]) -> Any:
        """Return tuples of values and expressions as rows."""
        blank = cls(left, EMPTY)
        rows = [super(TupleIn, cls).arranged(left, tuple(blank._row(item)), typed) for item in values]
        return tuple(row for row in rows if isinstance(row, RowValue)) or EMPTY

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Empty) or compiler.beyond(self.rhs):
            raise EmptyResultSet
        left = self._left(compiler)
        if isinstance(self.rhs, Arg):
            converters = [part.converter(compiler) for part in self.parts]
            types = [part.bind_type for part in self.parts]
            convert = partial(_converted, converters) if any(converters) else list
            return compiler.in_rows(left, self.rhs, types, convert)
        if isinstance(self.rhs, tuple):
            rows = [[compiler.process(item) for item in row.items] for row in self.rhs]
            return sa.or_(*[sa.and_(*[a == b for a, b in zip(left, row, strict=True)]) for row in rows])
        select = compiler.words.listed(self._select(compiler, self.rhs), self.rhs.query.is_sliced)
        if not compiler.features.supports_tuple_lookups:
            return self._among(left, select)
        return sa.tuple_(*left).in_(select)


def _converted(converters: Sequence[Convert | None], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the keys that rows can have, as the driver takes them; raise BeyondColumn where there are none."""
    found = []
    beyond = None
    for row in rows:
        try:
            found.append(
                tuple(
                    [
                        item if convert is None else convert(item)
                        for convert, item in zip(converters, row, strict=True)
                    ]
                )
            )
        except BeyondColumn as error:
            beyond = error
    if beyond is not None and not found:
        raise beyond
    return found


@CompositePrimaryKey.register_lookup
class TupleIsNull(TupleLookup, IsNull):
    """Whether one of the columns has no value."""

    def __init__(self, lhs: object, rhs: object) -> None:
        IsNull.__init__(self, lhs, rhs)

    def as_core(self, compiler: Compiler) -> Any:
        tests = [compiler.null_test(column, self.rhs) for column in self._left(compiler)]
        return sa.or_(*tests) if self.rhs else sa.and_(*tests)


__all__ = [
    "TupleExact",
    "TupleGreaterThan",
    "TupleGreaterThanOrEqual",
    "TupleIn",
    "TupleIsNull",
    "TupleLessThan",
    "TupleLessThanOrEqual",
]
