"""Generated functions that turn an instance into the driver's parameters of one row."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from facade import fields
from facade.expressions.base import Expression
from facade.expressions.freezing import CORE, EXPRESSIONS, Frozen, core_expression
from facade.expressions.references import Col, Ref
from facade.fields import Field
from facade.fields.descriptions import DatabaseReader
from facade.fields.relations.foreign_keys import ForeignKeyAttribute
from facade.foundation import generated
from facade.types.base import written_of
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.db.database import Database
    from facade.expressions.contracts import Valued
    from facade.fields.columns import ColumnType
    from facade.fields.contracts import Instance
    from facade.fields.descriptions import Converter, Plain, Reader

Binder = Callable[[Any, "Database"], tuple[Any, ...]]
RowsBinder = Callable[[Iterable[Any], "Database"], list[tuple[Any, ...]]]


class Constant(NamedTuple):
    """A driver parameter that is the same for every row."""

    value: Any


# Where a parameter comes from: a field, and whether pre_save is asked for an INSERT (True), an UPDATE (False) or not at all.
ParameterSource = tuple[Field[Any] | Constant, bool | None]


class ExpressionFound(Exception):
    """A row holds an expression where a compiled plan needs a value."""


def expression_of(field: Field[Any], value: object) -> Any:
    """Return the expression that a value is, one of SQLAlchemy's as facade's own, else None.

    Raises TypeError for one of SQLAlchemy's as a key: the row is found by it.
    """
    if isinstance(value, Frozen):
        return value
    if not isinstance(value, CORE):
        return None
    if field.primary_key:
        raise TypeError(
            f"{field.model.__name__}.{field.name} is the primary key, and cannot be the SQLAlchemy expression {str(value)!r}: "
            "give a value, or let the database make the key (db_default)."
        )
    return core_expression(value)


def prepared(field: Field[Any], value: Any, database: Database, add: bool | None = True) -> Any:
    """Return `value` as the field stores it, before the column type's own conversion; `add` as in a ParameterSource."""
    if isinstance(value, EXPRESSIONS):
        expression_of(field, value)  # a key is refused
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
    value = getattr(obj, field.attname) if add is None else field.pre_save(obj, add)
    expression = expression_of(field, value)
    return value if expression is None else expression


def bind_processor(field: Field[Any], dialect: Dialect) -> Converter | None:
    """Return the function that makes a driver parameter of a prepared value, None where there is nothing to do."""
    impl = field.column_type.dialect_impl(dialect)
    processor: Converter | None = impl.bind_processor(dialect)
    if processor is None or not takes_none(field.column_type, dialect):
        return processor
    bind = processor
    return lambda value: None if value is None else bind(value)


def takes_none(type_: ColumnType, dialect: Dialect) -> bool:
    """Return whether a type would store None as JSON's null, where None is NULL to a field."""
    return isinstance(type_.dialect_impl(dialect), sa.JSON)


_PLACE = "facade_parameter"


def parameter_text(field: Field[Any], dialect: Dialect) -> Callable[[str], str]:
    """Return what makes of a placeholder the text of a parameter of the field: types may put a function around it."""
    impl = field.column_type.dialect_impl(dialect)
    if not impl._has_bind_expression:
        return str
    around: Any = impl.bind_expression(sa.literal_column(_PLACE, field.column_type))  # type: ignore[arg-type]
    text = str(around.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    return lambda placeholder: text.replace(_PLACE, placeholder)


class _Text(generated.FunctionText):
    """The source text of a binder and the names it uses."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(prepared=prepared)
        self.dialect, self.vendor = dialect, vendor_of(dialect).name
        self.model: type[Any] | None = None
        self.looks = False  # whether it reads values past their attributes

    @property
    def title(self) -> str:
        return "nothing" if self.model is None else self.model.__name__

    def row(self, sources: Iterable[ParameterSource]) -> str:
        """Return the source of the items of a tuple: a row's parameters."""
        items = []
        for field, add in sources:
            if isinstance(field, Field) and self.model is None:
                self.model = field.model
            items.append(f"{self.parameter(field, add)}, ")
        return "".join(items)

    def value(self, field: Field[Any], add: bool | None) -> str:
        """Return the source that reads one value off `obj`."""
        if add is not None and field.sets_itself:
            return f"{self.name('save', field.pre_save)}(obj, {add})"
        attname = field.attname
        plain = attname.isidentifier() and not keyword.iskeyword(attname)
        value = f"obj.{attname}" if plain else f"getattr(obj, {attname!r})"
        if isinstance(vars(field.model).get(attname), ForeignKeyAttribute):  # reading that is a call
            self.looks = True
            return f"(d[{attname!r}] if {attname!r} in d else {value})"
        return value

    def looked_at(self) -> str:
        """Return the source of where values are looked for: a class below the model may have other attributes."""
        return f"obj.__dict__ if type(obj) is {self.name('model', self.model)} else ()"

    def parameter(self, field: Field[Any] | Constant, add: bool | None) -> str:
        """Return the source that makes a driver parameter of one value."""
        if isinstance(field, Constant):
            return self.name("constant", field.value)
        value, known = self.value(field, add), self.name("field", field)
        plain, bind = field.unprepared(self.vendor), bind_processor(field, self.dialect)
        if plain is not None:
            return plain_or(self, value, plain, f"prepared({known}, v, database, {add})", bind)
        text = f"prepared({known}, {value}, database, {add})"
        return text if bind is None else f"{self.name('bind', bind)}({text})"


def plain_or(
    text: generated.FunctionText, value: str, plain: Plain, prepare: str, bind: Converter | None = None
) -> str:
    """Return the source of a driver parameter: of a plain value as it is, of any other what the source `prepare` makes of `v`."""
    test = f"type(v) is {text.name('kind', plain.kind)}"
    if plain.condition is not None:
        test = f"{test} and {_filled(text, plain.condition, plain.names)}"
    if bind is None:
        return f"(v if (v := {value}) is None or {test} else {prepare})"
    called, written = text.name("bind", bind), written_of(bind)
    if written is None:
        return f"{called}(v if (v := {value}) is None or {test} else {prepare})"
    quick = _filled(text, written.text, written.names)
    return f"(None if (v := {value}) is None else ({quick}) if {test} else {called}({prepare}))"


def _filled(text: generated.FunctionText, source: str, names: Mapping[str, object]) -> str:
    """Return source text with names for what stands in braces."""
    return source.format(**{name: text.name(name, value) for name, value in names.items()})


class Fitting:
    """What fits values to their column where the database is known: all but the plain ones."""

    __slots__ = ("fit", "plain")

    def __init__(self, fit: Converter, plain: Plain) -> None:
        self.fit, self.plain = fit, plain

    def __call__(self, value: object) -> Any:
        return self.fit(value)


def preparing(plain: Plain, prepare: Converter, of: str) -> Converter:
    """Return a function that does what `prepare` does, and calls nothing for a plain value."""
    text = generated.FunctionText(prepare=prepare)
    text.lines = ["def prepared(v):", f"    return {plain_or(text, 'v', plain, 'prepare(v)')}"]
    made: Converter = text.build(f"preparation of {of}")
    return made


def row_binder(sources: Iterable[ParameterSource], dialect: Dialect) -> Binder:
    """Return a function from an instance and its database to the parameters that `sources` name, in their order.

    The function raises :class:`ExpressionFound` when a value is an expression.
    """
    text = _Text(dialect)
    row = text.row(sources)
    looking = [f"    d = {text.looked_at()}"] if text.looks else []
    text.lines = ["def bind(obj, database):", *looking, f"    return ({row})"]
    binder: Binder = text.build(f"row binder of {text.title}")
    return binder


def rows_binder(sources: Iterable[ParameterSource], dialect: Dialect) -> RowsBinder:
    """Return a function from many instances and their database to what `row_binder`'s makes of each, without a call for each."""
    text = _Text(dialect)
    row = text.row(sources)
    looking = f" for d in [{text.looked_at()}]" if text.looks else ""
    text.lines = ["def bind(objs, database):", f"    return [({row}) for obj in objs{looking}]"]
    binder: RowsBinder = text.build(f"rows binder of {text.title}")
    return binder


def value_binder(field: Field[Any], dialect: Dialect, database: Database) -> Converter:
    """Return a function from one value of `field` to its driver parameter."""
    bind = bind_processor(field, dialect)

    def convert(value: object) -> Any:
        value = prepared(field, value, database)
        return value if bind is None else bind(value)

    return convert


_DECIMAL = 1700  # what PostgreSQL calls its decimals, as which its dialects then take all numbers


def type_reader(type_: ColumnType, dialect: Dialect) -> Converter | None:
    """Return the function that makes the Python value of what the driver returned for a column of a type."""
    reading: Converter | None = type_.dialect_impl(dialect).result_processor(dialect, _DECIMAL)
    return reading


def reader(field: Field[Any], dialect: Dialect) -> Reader:
    """Return what makes a Python value of what the driver returned for `field`, None where it is right as it is."""
    process = type_reader(field.column_type, dialect)
    custom = getattr(field, "from_db_value", None)
    return process if custom is None else DatabaseReader(custom, process)


def reader_there(read: Reader, database: Database) -> Converter | None:
    """Return the function that a reader is where rows of one database are read."""
    return read.of(database) if isinstance(read, DatabaseReader) else read


def converter(expression: Field[Any] | Valued, dialect: Dialect) -> Reader:
    """Return what makes the Python value of a selected expression, None where the driver's value is right."""
    while isinstance(expression, Ref):
        expression = expression.source
    field = expression if isinstance(expression, fields.Field) else expression._output_field_or_none
    if field is None or type(field) is fields.Field:
        return None
    if field.is_relation and field.existing is None:
        field = getattr(field, "target_field", field)
    convert = reader(field, dialect)
    if isinstance(expression, Expression) and not isinstance(expression, Col):
        return field.computed_reader(convert, dialect)
    return convert
