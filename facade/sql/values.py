"""Generated functions that turn an instance into the driver's parameters of one row."""

from __future__ import annotations

import datetime as dt
import decimal
import keyword
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from facade.expressions.freezing import Frozen
from facade.fields import (
    BooleanField,
    CharField,
    DateField,
    DateTimeField,
    DecimalField,
    Field,
    FloatField,
    IntegerField,
    UUIDField,
)
from facade.fields.relations.foreign_keys import ForeignKey
from facade.foundation import generated

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.db.database import Database
    from facade.fields.contracts import Instance

Binder = Callable[[Any], tuple[Any, ...]]
Converter = Callable[[Any], Any]

# Where a parameter comes from: a field, and whether pre_save is asked for an INSERT (True), an UPDATE (False) or not at all.
Source = tuple[Field[Any], bool | None]


class ExpressionFound(Exception):
    """A row holds an expression where a compiled plan needs a value."""


def prepared(field: Field[Any], value: Any, database: Database, add: bool | None = True) -> Any:
    """Return `value` as the field stores it, before the column type's own conversion; `add` as in a Source."""
    if isinstance(value, Frozen):
        raise ExpressionFound
    if hasattr(value, "prepare_database_save"):
        value = _key_of(field, value, add)
    return field.stored(value, database)


def _key_of(field: Field[Any], instance: Instance, add: bool | None) -> Any:
    """Return the value by which a relation refers to an instance. Raises TypeError where an UPDATE would store its text."""
    if field.remote_field:
        return instance.prepare_database_save(field)
    if add is False:
        raise no_value(field, instance)
    return instance


def no_value(field: Field[Any], instance: object) -> TypeError:
    return TypeError(
        f"Tried to update field {field} with a model instance, {instance!r}. Use a value compatible with "
        f"{type(field).__name__}."
    )


def current_value(obj: Instance, field: Field[Any], add: bool | None) -> Any:
    """Return the value of `field` that a write of `obj` has to store."""
    return getattr(obj, field.attname) if add is None else field.pre_save(obj, add)


def bind_processor(field: Field[Any], dialect: Dialect) -> Converter | None:
    """Return the function that makes a driver parameter of a prepared value, None where there is nothing to do."""
    processor: Converter | None = field.column_type.dialect_impl(dialect).bind_processor(dialect)
    return processor


def _integers(field: IntegerField, vendor: str) -> tuple[type, str]:
    low, high = field.range_on(vendor)
    return int, f"{'v and ' if vendor == 'mysql' and field.counts else ''}{low} <= v <= {high}"


_DECIMALS = {"sqlite": "{field}.fits(v)"}  # the others round, and refuse, what has a size that can be sent

# Values that need no preparation, by the class whose methods would prepare them: their exact type and a further
# condition on `v`, which may name the `{field}`. A subclass of the type, or anything doubtful, takes the field's own road.
_EASY: list[tuple[type[Field[Any]], Callable[[Any, str], tuple[type, str | None]]]] = [
    (IntegerField, _integers),
    (CharField, lambda field, vendor: (str, "v.isascii() and '\\0' not in v")),
    (BooleanField, lambda field, vendor: (bool, None)),
    (FloatField, lambda field, vendor: (float, "v - v == 0.0" if field.range_on(vendor) else None)),
    (
        DecimalField,
        lambda field, vendor: (
            decimal.Decimal,
            _DECIMALS.get(vendor, "v.is_finite() and -400 < v.adjusted() < 300"),
        ),
    ),
    (DateTimeField, lambda field, vendor: (dt.datetime, "v.tzinfo is not None and 1 < v.year < 9999")),
    (DateField, lambda field, vendor: (dt.date, None)),
    (UUIDField, lambda field, vendor: (uuid.UUID, None)),
]
_PREPARING = ("get_prep_value", "to_python", "storable")


def exact(field: Field[Any], vendor: str) -> tuple[type, str | None] | None:
    """Return the type, and the condition, of values that pass unprepared; None for fields that must look at each value."""
    kind = type(field)
    if kind.get_db_prep_save is ForeignKey.get_db_prep_save:
        return exact(field.target_field, vendor)  # type: ignore[attr-defined]
    if (
        kind.get_db_prep_save is not Field.get_db_prep_save
        or kind.get_db_prep_value is not Field.get_db_prep_value
    ):
        return None
    for known, make in _EASY:
        if all(getattr(kind, name) is getattr(known, name) for name in _PREPARING):
            return make(field, vendor)
    return None


def sets_itself(field: Field[Any]) -> bool:
    """Return whether `pre_save` may do anything but read the attribute."""
    pre_save = type(field).pre_save
    if pre_save is DateField.pre_save:
        return field.auto_now or field.auto_now_add  # type: ignore[attr-defined,no-any-return]
    return pre_save is not Field.pre_save


class _Text(generated.Source):
    """The source text of a binder and the names it uses."""

    def __init__(self, dialect: Dialect, database: Database) -> None:
        super().__init__(prepared=prepared, database=database)
        self.dialect, self.vendor = dialect, database.vendor

    def value(self, field: Field[Any], add: bool | None) -> str:
        """Return the source that reads one value off `obj`."""
        if add is not None and sets_itself(field):
            return f"{self.name('save', field.pre_save)}(obj, {add})"
        attname = field.attname
        if attname.isidentifier() and not keyword.iskeyword(attname):
            return f"obj.{attname}"
        return f"getattr(obj, {attname!r})"

    def parameter(self, field: Field[Any], add: bool | None) -> str:
        """Return the source that makes a driver parameter of one value."""
        value, known = self.value(field, add), self.name("field", field)
        if (easy := exact(field, self.vendor)) is None:
            text = f"prepared({known}, {value}, database, {add})"
        else:
            kind, condition = easy
            test = f"type(v) is {self.name('kind', kind)}"
            if condition:
                test += f" and {condition.format(field=known)}"
            text = f"(v if (v := {value}) is None or {test} else prepared({known}, v, database, {add}))"
        bind = bind_processor(field, self.dialect)
        return text if bind is None else f"{self.name('bind', bind)}({text})"


def row_binder(sources: Iterable[Source], dialect: Dialect, database: Database) -> Binder:
    """Return a function from an instance to the parameters that `sources` name, in their order.

    The function raises :class:`ExpressionFound` when a value is an expression.
    """
    text = _Text(dialect, database)
    sources = list(sources)
    body = "".join(f"{text.parameter(field, add)}, " for field, add in sources)
    text.lines = ["def bind(obj):", f"    return ({body})"]
    binder: Binder = text.build(f"row binder of {sources[0][0].model.__name__ if sources else 'nothing'}")
    return binder


def value_binder(field: Field[Any], dialect: Dialect, database: Database) -> Converter:
    """Return a function from one value of `field` to its driver parameter."""
    bind = bind_processor(field, dialect)

    def convert(value: object) -> Any:
        value = prepared(field, value, database)
        return value if bind is None else bind(value)

    return convert


def reader(field: Field[Any], dialect: Dialect, database: Database) -> Converter | None:
    """Return the function that makes a Python value of what the driver returned for `field`, None where it is right as it is."""
    process: Converter | None = field.column_type.dialect_impl(dialect).result_processor(dialect, None)
    custom = getattr(field, "from_db_value", None)
    if custom is None:
        return process
    if process is None:
        return lambda value: custom(value, None, database)
    return lambda value: custom(process(value), None, database)
