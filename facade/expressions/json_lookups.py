"""Comparisons of JSON documents and of their parts: `filter(data__owner__name="Ada", data__has_key="tags")`.

Documents are equal when their values are, in whatever order their keys stand. On SQLite a function of facade, FACADE_JSON, writes
equal documents as equal texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade import fields
from facade.exceptions import EmptyResultSet, UnsupportedFeature
from facade.expressions.base import Expression, Value
from facade.expressions.fragments import template
from facade.expressions.freezing import Arg, Empty
from facade.expressions.functions.json import JSONNull
from facade.expressions.functions.vendors import is_mariadb
from facade.expressions.json_paths import (
    KeyTextTransform,
    KeyTransform,
    Place,
    as_document,
    json_part,
    mysql_path,
    postgresql_part,
    sqlite_path,
)
from facade.expressions.lookups import (
    EndsWith,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    IEndsWith,
    IExact,
    In,
    IRegex,
    IsNull,
    IStartsWith,
    LessThan,
    LessThanOrEqual,
    Lookup,
    Regex,
    StartsWith,
)
from facade.expressions.subquery import Embedded
from facade.types.json import json_writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Compiler, Core, CoreType, Valued


def _is_json(expression: Valued) -> bool:
    return isinstance(expression.known_field, fields.JSONField)


def _comparable(compiler: Compiler, core: Core) -> Any:
    """Return JSON in the form in which equal values are equal."""
    if compiler.vendor == "sqlite":
        return template("FACADE_JSON(%s)", core)
    if compiler.vendor != "mysql":
        return as_document(compiler, core)
    return template("JSON_NORMALIZE(%s)" if is_mariadb(compiler) else "JSON_EXTRACT(%s, '$')", core)


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class JSONExact(Exact):
    """Equality of values; None means the null of JSON."""

    can_use_none_as_rhs = True

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Expression) and not _is_json(self.rhs):
            return compiler.process(self.lhs) == compiler.process(self.rhs)
        return _comparable(compiler, json_part(compiler, self.lhs)) == _comparable(
            compiler, self.right(compiler)
        )

    def right(self, compiler: Compiler) -> Any:
        if self.rhs is None or (isinstance(self.rhs, Value) and self.rhs.value is None):
            return JSONNull().as_core(compiler)
        return json_part(compiler, self.rhs) if isinstance(self.rhs, Expression) else super().right(compiler)


class JSONList(sa.types.TypeDecorator[Any]):
    """A list as one JSON array; on SQLite of texts that can be compared."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, item: CoreType, comparable: bool) -> None:
        super().__init__()
        self.item, self.comparable = item, comparable

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        write = json_writer(getattr(self.item, "encoder", None), "A JSON lookup")
        if not self.comparable:
            return lambda values: f"[{', '.join(str(write(value)) for value in values)}]"
        return lambda values: json.dumps([write(value) for value in values])


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class JSONIn(In):
    """Equality with one of several values."""

    def prepare(self, value: Any) -> Any:
        return [self._prepare_item(item) for item in value if item is not None]

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Empty):
            raise EmptyResultSet
        left = as_document(compiler, json_part(compiler, self.lhs))
        if isinstance(self.rhs, Arg):
            return self._in_list(compiler, left, self.rhs)
        if isinstance(self.rhs, Embedded):
            return super().as_core(compiler)
        left = _comparable(compiler, left)
        items = [self._item(compiler, item) for item in self.rhs if item is not None]
        return left.in_(items)

    def _item(self, compiler: Compiler, item: Valued) -> Any:
        """Return one value of a list with expressions in it; constants of other types become JSON."""
        if isinstance(item, Value) and not _is_json(item) and item.value is not None:
            item = item.copy()
            item._output_field = self.lhs.output_field
        return _comparable(compiler, json_part(compiler, item))

    def _in_list(self, compiler: Compiler, left: Core, arg: Arg) -> Any:
        list_type = JSONList(self.bind_type, compiler.vendor == "sqlite")
        values = compiler.bind(arg, list_type, self.converter(compiler))
        if compiler.vendor == "postgresql":
            return template(
                "%s IN (SELECT JSONB_ARRAY_ELEMENTS(CAST(%s AS JSONB)))", left, values, type_=sa.Boolean()
            )
        if compiler.vendor == "sqlite":
            return template(
                "FACADE_JSON(%s) IN (SELECT FACADE_JSON(value) FROM JSON_EACH(%s))",
                left,
                values,
                type_=sa.Boolean(),
            )
        return template("JSON_CONTAINS(%s, %s)", values, left, type_=sa.Boolean())


# -- what a document contains --------------------------------------------------------------------


@fields.JSONField.register_lookup
class DataContains(Lookup):
    """Whether the document contains all that the other one has. Not on SQLite."""

    lookup_name = "contains"
    _on_postgresql = "%s @> %s"
    _on_mysql = "JSON_CONTAINS(%s, %s)"

    def as_core(self, compiler: Compiler) -> Any:
        if compiler.vendor == "sqlite":
            raise UnsupportedFeature(f"{self.lookup_name} lookup is not supported on this database backend.")
        text = self._on_postgresql if compiler.vendor == "postgresql" else self._on_mysql
        return template(text, *self._sides(compiler), type_=sa.Boolean())

    def _sides(self, compiler: Compiler) -> tuple[Any, Any]:
        return as_document(compiler, self.left(compiler)), as_document(compiler, self.right(compiler))


@fields.JSONField.register_lookup
class ContainedBy(DataContains):
    """Whether the other document contains all that this one has. Not on SQLite."""

    lookup_name = "contained_by"
    _on_postgresql = "%s <@ %s"

    def _sides(self, compiler: Compiler) -> tuple[Any, Any]:
        left, right = super()._sides(compiler)
        return (left, right) if compiler.vendor == "postgresql" else (right, left)


class _KeyLookup(Lookup):
    """A question about the keys of an object."""

    _on_postgresql: ClassVar[str]
    _on_sqlite: ClassVar[str]
    _on_mysql: ClassVar[str]

    @property
    def bind_type(self) -> Any:
        return sa.Text()

    def _object(self, compiler: Compiler) -> Place:
        """Return the object that is asked about."""
        return (
            self.lhs.place(compiler)
            if isinstance(self.lhs, KeyTransform)
            else Place(as_document(compiler, compiler.process(self.lhs)), ())
        )

    def as_core(self, compiler: Compiler) -> Any:
        return self._asked(compiler, self._object(compiler), self.right(compiler))

    def _asked(self, compiler: Compiler, place: Place, keys: Iterable[Any]) -> Any:
        if compiler.vendor == "postgresql":
            return template(self._on_postgresql, postgresql_part(place, None), keys, type_=sa.Boolean())
        if compiler.vendor == "sqlite":
            return template(
                self._on_sqlite, *self._sqlite_arguments(sqlite_path(place), keys), type_=sa.Boolean()
            )
        document = template("JSON_KEYS(%s, %s)", place.document, mysql_path(place.keys))
        return template(self._on_mysql, document, keys, type_=sa.Boolean())

    def _sqlite_arguments(self, pair: tuple[Any, Any], keys: Iterable[Any]) -> tuple[Any, ...]:
        return (*pair, keys)


@fields.JSONField.register_lookup
class HasKey(_KeyLookup):
    """Whether the object has a key."""

    lookup_name = "has_key"
    _on_postgresql = "%s ? %s"
    _on_sqlite = "EXISTS (SELECT 1 FROM JSON_EACH(%s, %s) WHERE key = %s)"
    _on_mysql = "JSON_CONTAINS(%s, JSON_QUOTE(%s))"

    def prepare(self, value: object) -> Any:
        return str(value)

    def as_core(self, compiler: Compiler) -> Any:
        if not isinstance(self.rhs, KeyTransform):
            return super().as_core(compiler)
        place, (*path, key) = self._object(compiler), self.rhs.keys()
        inner = Place(place.document, (*place.keys, *path))
        return self._asked(compiler, inner, sa.literal(key, sa.Text()))


class KeyList(sa.types.TypeDecorator[Any]):
    """A list of keys as one parameter."""

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return json.dumps


class _SeveralKeys(_KeyLookup):
    """A question about several keys of an object."""

    def prepare(self, value: Any) -> Any:
        return [str(item) for item in value]

    def right(self, compiler: Compiler) -> Any:
        type_ = sa.ARRAY(sa.Text()) if compiler.vendor == "postgresql" else KeyList()
        if isinstance(self.rhs, Arg):
            return compiler.bind(self.rhs, type_)
        keys = [item.key_name if isinstance(item, KeyTransform) else str(item) for item in self.rhs]
        return compiler.literal(keys, type_)


@fields.JSONField.register_lookup
class HasKeys(_SeveralKeys):
    """Whether the object has all of the keys."""

    lookup_name = "has_keys"
    _on_postgresql = "%s ?& %s"
    _on_sqlite = (
        "NOT EXISTS (SELECT 1 FROM JSON_EACH(%s) AS wanted WHERE wanted.value NOT IN "
        "(SELECT key FROM JSON_EACH(%s, %s) WHERE key IS NOT NULL))"
    )
    _on_mysql = "JSON_CONTAINS(%s, %s)"

    def _sqlite_arguments(self, pair: tuple[Any, Any], keys: Iterable[Any]) -> tuple[Any, ...]:
        return (keys, *pair)


@fields.JSONField.register_lookup
class HasAnyKeys(_SeveralKeys):
    """Whether the object has one of the keys."""

    lookup_name = "has_any_keys"
    _on_postgresql = "%s ?| %s"
    _on_sqlite = "EXISTS (SELECT 1 FROM JSON_EACH(%s, %s) WHERE key IN (SELECT value FROM JSON_EACH(%s)))"
    _on_mysql = "JSON_OVERLAPS(%s, %s)"


# -- parts of documents -----------------------------------------------------------------------------


@KeyTransform.register_lookup
class KeyTransformIsNull(IsNull):
    """Whether there is no such part; one that is the null of JSON is there."""

    def left(self, compiler: Compiler) -> Any:
        if compiler.vendor != "sqlite":
            return super().left(compiler)
        return template("JSON_TYPE(%s, %s)", *sqlite_path(self.lhs.place(compiler)))


class _KeyOrder(Lookup):
    """A comparison of size."""

    def as_core(self, compiler: Compiler) -> Any:
        if compiler.vendor == "postgresql":
            left, right = (
                as_document(compiler, self.left(compiler)),
                as_document(compiler, self.right(compiler)),
            )
            return self.compare(left, right, compiler)
        return self.compare(self._plain_left(compiler), self._plain_right(compiler), compiler)

    def _plain_left(self, compiler: Compiler) -> Any:
        """Return the part as a number or a text."""
        if compiler.vendor == "sqlite":
            return template("JSON_EXTRACT(%s, %s)", *sqlite_path(self.lhs.place(compiler)), type_=_AS_IT_IS)
        return template("JSON_UNQUOTE(%s)", compiler.process(self.lhs), type_=_AS_IT_IS)

    def _plain_right(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Expression):
            return compiler.process(self.rhs)
        write = json_writer(getattr(self.bind_type, "encoder", None), "A JSON lookup")
        if isinstance(self.rhs, Arg):
            return compiler.bind(self.rhs, _AS_IT_IS, lambda value: _plain(write(value)))
        return compiler.literal(_plain(write(self.rhs)), _AS_IT_IS)


_AS_IT_IS = sa.Integer()  # a parameter of this type goes to the drivers of SQLite and MySQL unchanged


def _plain(text: str | None) -> Any:
    """Return what SQLite makes of a JSON value."""
    value = None if text is None else json.loads(text)
    return text if isinstance(value, (dict, list)) else value


@KeyTransform.register_lookup
class KeyTransformLt(_KeyOrder, LessThan):
    """Smaller."""


@KeyTransform.register_lookup
class KeyTransformLte(_KeyOrder, LessThanOrEqual):
    """Smaller or equal."""


@KeyTransform.register_lookup
class KeyTransformGt(_KeyOrder, GreaterThan):
    """Larger."""


@KeyTransform.register_lookup
class KeyTransformGte(_KeyOrder, GreaterThanOrEqual):
    """Larger or equal."""


class KeyTransformTextLookupMixin(Lookup):
    """A comparison of the text of a part."""

    def __init__(self, lhs: object, rhs: object = None) -> None:
        if not isinstance(lhs, KeyTransform):
            raise TypeError("Transform should be an instance of KeyTransform in order to use this lookup.")
        super().__init__(KeyTextTransform(lhs.key_name, *lhs.source_expressions, **lhs.extra), rhs)

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        if compiler.vendor == "mysql" and (isinstance(self, IExact) or getattr(self, "ignore_case", False)):
            left, right = sa.func.lower(left), sa.func.lower(right)  # text of JSON compares letter by letter
        return super().compare(left, right, compiler)


@KeyTransform.register_lookup
class KeyTransformIExact(KeyTransformTextLookupMixin, IExact):
    """Equality of texts, ignoring case."""

    can_use_none_as_rhs = True

    def as_core(self, compiler: Compiler) -> Any:
        if self.rhs is None:
            return JSONExact(KeyTransform(self.lhs.key_name, self.lhs.lhs), None).as_core(compiler)
        return super().as_core(compiler)


@KeyTransform.register_lookup
class KeyTransformIContains(KeyTransformTextLookupMixin, IContains):
    """Contains a text, ignoring case."""


@KeyTransform.register_lookup
class KeyTransformStartsWith(KeyTransformTextLookupMixin, StartsWith):
    """Begins with a text."""


@KeyTransform.register_lookup
class KeyTransformIStartsWith(KeyTransformTextLookupMixin, IStartsWith):
    """Begins with a text, ignoring case."""


@KeyTransform.register_lookup
class KeyTransformEndsWith(KeyTransformTextLookupMixin, EndsWith):
    """Ends with a text."""


@KeyTransform.register_lookup
class KeyTransformIEndsWith(KeyTransformTextLookupMixin, IEndsWith):
    """Ends with a text, ignoring case."""


@KeyTransform.register_lookup
class KeyTransformRegex(KeyTransformTextLookupMixin, Regex):
    """Matches a regular expression."""


@KeyTransform.register_lookup
class KeyTransformIRegex(KeyTransformTextLookupMixin, IRegex):
    """Matches a regular expression, ignoring case."""


__all__ = [
    "ContainedBy",
    "DataContains",
    "HasAnyKeys",
    "HasKey",
    "HasKeys",
    "JSONExact",
    "JSONIn",
    "KeyTransformTextLookupMixin",
]
