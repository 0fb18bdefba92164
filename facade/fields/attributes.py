"""The attributes of fields on their models: `Author.name`, a column with a type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, overload

import sqlalchemy as sa
from sqlalchemy.sql import operators
from typing_extensions import TypeVar

from facade.exceptions import UnsupportedFeature
from facade.foundation.promises import kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.sql.operators import OperatorType


V = TypeVar("V", default=Any)


class OfColumn(Protocol):
    """A field, as its attribute knows it."""

    is_relation: bool
    model: Any
    name: Any
    attname: Any
    column: Any

    @property
    def column_type(self) -> Any: ...
    def get_prep_value(self, value: object) -> Any: ...
    def prepares_itself(self) -> bool: ...


class Operand:
    """Something that the database computes; expressions derive from it.

    Type checkers let an attribute take one: ``book.price = F("price") * 2``.
    """

    __slots__ = ()


class DeferredAttribute(sa.SQLColumnExpression[V]):
    """The attribute of a field: on the model a column of its table, on an instance the value, which is loaded where it is missing.

    The column goes wherever SQLAlchemy Core takes one, and has Core's operators: ``select(Author.name).where(Author.age >= 18)``,
    and so do querysets: ``filter(Author.age >= 18)``, ``values_list(Author.name, Author.age)``. Values that are compared with it
    are checked by the field, as those of lookups are. `field` is the field itself. As an annotation it tells type checkers of
    an attribute that they cannot infer: ``author_id: models.DeferredAttribute[int]``.

    A field with an attribute of another kind names a subclass in `descriptor_class`, which is made with the field.
    """

    field: Any = None

    def __init__(self, field: OfColumn) -> None:
        self.field = field

    # A descriptor without __set__: a value in the instance's __dict__ is read without coming by here.

    @overload
    def __get__(self, instance: None, owner: type[object] | None) -> DeferredAttribute[V]: ...
    @overload
    def __get__(self, instance: object, owner: type[object] | None = None) -> V: ...
    def __get__(self, instance: object, owner: object = None) -> Any:
        if instance is None:
            return self
        field = self.field
        if not isinstance(instance, field.model):  # in a class that is no model it is a plain attribute
            return self
        if field.attname not in instance.__dict__:
            instance._fetch_deferred(field)
        return instance.__dict__[field.attname]

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: V | Operand) -> None: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.field}>"

    def __reduce__(self) -> Any:
        return getattr, (self.field.model, self.field.attname)

    def __deepcopy__(self, memo: object) -> DeferredAttribute[V]:
        return self

    # -- the column -----------------------------------------------------------------------

    def __clause_element__(self) -> sa.Column[V]:
        """Return the column of the model's table."""
        field = self.field
        if field.model._meta.abstract:
            raise TypeError(f"{field} is of an abstract model, which has no table; its subclasses have.")
        column: sa.Column[V] = field.model._meta.table.c[field.column]
        return column

    def label(self, name: str | None) -> sa.Label[Any]:
        """Return the column under another name."""
        return self.__clause_element__().label(name)

    def operate(self, op: OperatorType, *other: Any, **kwargs: Any) -> Any:
        """Apply one of Core's operators to the column."""
        return op(self.__clause_element__(), *[self._operand(op, item) for item in other], **kwargs)

    def reverse_operate(self, op: OperatorType, other: object, **kwargs: Any) -> Any:
        """Apply one of Core's operators with the column on its right."""
        return op(self._operand(op, other), self.__clause_element__(), **kwargs)

    def _operand(self, op: OperatorType, value: object) -> Any:
        """Return what the column is compared with as the column takes it; refuse facade's own expressions."""
        if isinstance(value, Operand):
            raise TypeError(
                f"{type(value).__name__} is no part of a Core expression, as one with {self.field} is. Say it all in Core, with "
                f"columns like Model.field, or all in the queryset's own words: F({self.field.name!r}) and lookups."
            )
        prepare = _COMPARED.get(op)
        return value if prepare is None else prepare(self.field, value)

    def __getattr__(self, name: str) -> Any:
        """Return what a column has: `type`, and what its type adds to comparisons (`astext`, distances of vectors)."""
        if name in _OF_COLUMNS or (not name.startswith("_") and _is_of_type(self.field, name)):
            return getattr(self.__clause_element__(), name)
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}; the field is its attribute 'field'."
        )


def _is_of_type(field: OfColumn, name: str) -> bool:
    """Return whether the type of a field's column adds an attribute to expressions."""
    return not field.is_relation and hasattr(field.column_type.comparator_factory, name)


# What a column has besides operators.
_OF_COLUMNS = frozenset({"key", "table", "type"})


def _compared(field: OfColumn, value: object) -> Any:
    value = kept(value)
    if value is None or _is_core(value):
        return value
    if field.prepares_itself():
        raise UnsupportedFeature(
            f"{field} prepares its values for each database, in get_db_prep_value(), and Core asks for none: compare it by a "
            f"lookup, filter({field.name}=…)."
        )
    return field.get_prep_value(value)


def _compared_each(field: OfColumn, values: object) -> Any:
    if isinstance(values, (list, tuple, set, frozenset, range)):
        return [_compared(field, value) for value in values]
    return values


def _is_core(value: object) -> bool:
    return isinstance(value, sa.sql.ClauseElement) or hasattr(value, "__clause_element__")


_COMPARED: dict[Any, Callable[[OfColumn, object], Any]] = {
    operators.eq: _compared,
    operators.ne: _compared,
    operators.lt: _compared,
    operators.le: _compared,
    operators.gt: _compared,
    operators.ge: _compared,
    operators.between_op: _compared,
    operators.not_between_op: _compared,
    operators.is_distinct_from: _compared,
    operators.is_not_distinct_from: _compared,
    operators.in_op: _compared_each,
    operators.not_in_op: _compared_each,
}
