"""Comparisons of JSON documents and of their parts: `filter(data__owner__name="Ada", data__has_key="tags")`.

Documents are equal when their values are, in whatever order their keys stand. On SQLite a function of facade, FACADE_JSON, writes
equal documents as equal texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade import fields
from facade.exceptions import EmptyResultSet, UnsupportedFeature
from facade.expressions.base import Expression, Value
from facade.expressions.comparisons import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Lookup,
    Range,
)
from facade.expressions.documents import (
    AS_IT_IS,
    as_document,
    as_part,
    document,
    is_json,
    json_constant,
    read_form,
    unknown_if_null,
)
from facade.expressions.freezing import Arg, Empty
from facade.expressions.functions.json import JSONNull
from facade.expressions.lookups.json_parts import (
    KeyTextTransform,
    KeyTransform,
    Place,
    checked_key,
    mysql_extract,
    mysql_paths,
    postgresql_part,
    sqlite_path,
)
from facade.expressions.lookups.patterns import (
    EndsWith,
    IContains,
    IEndsWith,
    IExact,
    IRegex,
    IStartsWith,
    Regex,
    StartsWith,
)
from facade.expressions.sqltext.fragments import template
from facade.types.base import is_mariadb
from facade.types.deep_json import read_json
from facade.types.json import json_writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Compiler, Core, CoreType, Valued
    from facade.expressions.subquery import Embedded


def _comparable(compiler: Compiler, core: Core) -> Any:
    """Return JSON in the form in which equal values are equal."""
    if isinstance(core, sa.Null):
        return unknown_if_null(core)
    if compiler.vendor == "sqlite":
        return template("FACADE_JSON(%s)", core)
    if compiler.vendor != "mysql":
        return as_document(compiler, core)
    return template("JSON_NORMALIZE(%s)" if is_mariadb(compiler.dialect) else "JSON_EXTRACT(%s, '$')", core)


def _compared(compiler: Compiler, expression: Expression) -> Any:
    """Return the values of an expression in the form in which equal values are equal."""
    return _comparable(compiler, document(compiler, expression))


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class JSONExact(Exact):
    """Equality of values; None means the null of JSON."""

    can_use_none_as_rhs = True

    def as_core(self, compiler: Compiler) -> Any:
        return _compared(compiler, self.lhs) == _comparable(compiler, self.right(compiler))

    def right(self, compiler: Compiler) -> Any:
        if self.rhs is None:
            return JSONNull().as_core(compiler)
        return (
            _as_json(compiler, self.rhs, self.lhs)
            if isinstance(self.rhs, Expression)
            else super().right(compiler)
        )


def _as_json(compiler: Compiler, expression: Expression, left: Valued) -> Any:
    """Return what `left` is compared with as JSON; constants are written as the field of `left` writes them."""
    if type(expression) is Value and not is_json(expression):
        expression = json_constant(expression, left.known_field) or expression
    return document(compiler, expression)


def _writer(type_: object) -> Callable[[Any], str | None]:
    return json_writer(getattr(type_, "encoder", None), getattr(type_, "label", "A JSON lookup"))


class JSONList(sa.types.TypeDecorator[Any]):
    """A list as one JSON array; on SQLite of texts that can be compared."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, item: CoreType, comparable: bool) -> None:
        super().__init__()
        self.item, self.comparable = item, comparable

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        write = _writer(self.item)
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
        left = document(compiler, self.lhs)
        if isinstance(self.rhs, Arg):
            return self._in_list(compiler, left, self.rhs)
        return super().as_core(compiler)

    def left(self, compiler: Compiler) -> Any:
        return _compared(compiler, self.lhs)

    def formed(self, compiler: Compiler, side: Expression) -> Any:
        return _comparable(compiler, _as_json(compiler, side, self.lhs))

    def selected(self, compiler: Compiler, queryset: Embedded) -> Any:
        return compiler.subquery(queryset, _compared)

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
        item = "JSON_NORMALIZE(item)" if is_mariadb(compiler.dialect) else "item"
        return template(
            f"%s IN (SELECT {item} FROM JSON_TABLE(%s, '$[*]' COLUMNS (item JSON PATH '$')) AS items)",
            _comparable(compiler, left),
            values,
            type_=sa.Boolean(),
        )


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
        right = self.rhs
        other = document(compiler, right) if isinstance(right, Expression) else self.right(compiler)
        return document(compiler, self.lhs), as_document(compiler, other)


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

    @property
    def bind_type(self) -> Any:
        return sa.Text()

    def _object(self, compiler: Compiler) -> Place:
        """Return the object that is asked about."""
        return (
            self.lhs.place(compiler)
            if isinstance(self.lhs, KeyTransform)
            else Place(document(compiler, self.lhs), ())
        )

    def as_core(self, compiler: Compiler) -> Any:
        return self._asked(compiler, self._object(compiler), self.right(compiler))

    def _asked(self, compiler: Compiler, place: Place, keys: Iterable[Any]) -> Any:
        if compiler.vendor == "postgresql":
            return template(self._on_postgresql, postgresql_part(place, None), keys, type_=sa.Boolean())
        return template(
            self._on_sqlite, *self._sqlite_arguments(sqlite_path(place), keys), type_=sa.Boolean()
        )

    def _sqlite_arguments(self, pair: tuple[Any, Any], keys: Iterable[Any]) -> tuple[Any, ...]:
        return (*pair, keys)


@fields.JSONField.register_lookup
class HasKey(_KeyLookup):
    """Whether the object has a key."""

    lookup_name = "has_key"
    _on_postgresql = "%s ? %s"
    _on_sqlite = "EXISTS (SELECT 1 FROM JSON_EACH(%s, %s) WHERE key = %s)"

    def prepare(self, value: object) -> Any:
        return checked_key(value)

    def as_core(self, compiler: Compiler) -> Any:
        place = self._object(compiler)
        if isinstance(self.rhs, KeyTransform):
            *path, key = self.rhs.keys()
            place = Place(place.document, (*place.keys, *path))
            if compiler.vendor == "mysql":
                return _has_path(place, *map(sa.literal, mysql_paths(place.keys, key)))
            return self._asked(compiler, place, sa.literal(key, sa.Text()))
        if compiler.vendor == "mysql":
            forms = [partial(_path_to, place.keys, form) for form in (0, -1)]
            return _has_path(place, *[compiler.bind(self.rhs, sa.Text(), form) for form in forms])
        return self._asked(compiler, place, self.right(compiler))


def _path_to(keys: tuple[str, ...], form: int, key: str) -> str:
    return mysql_paths(keys, key)[form]


def _has_path(place: Place, *paths: Core) -> Any:
    text = f"JSON_CONTAINS_PATH(%s, 'one', {', '.join(['%s'] * len(paths))})"
    return template(text, place.document, *paths, type_=sa.Boolean())


class KeyList(sa.types.TypeDecorator[Any]):
    """A list of keys as one parameter; other letters than those of ASCII are escaped, or not."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, ascii_only: bool = True) -> None:
        super().__init__()
        self.ascii_only = ascii_only

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return partial(json.dumps, ensure_ascii=self.ascii_only)


class _SeveralKeys(_KeyLookup):
    """A question about several keys of an object."""

    _on_mysql: ClassVar[str]  # of the keys that there are, and of those asked for in two forms

    def prepare(self, value: Any) -> Any:
        return [checked_key(item) for item in value]

    def as_core(self, compiler: Compiler) -> Any:
        if compiler.vendor != "mysql":
            return super().as_core(compiler)
        place = self._object(compiler)
        keys = mysql_extract("JSON_KEYS", place)
        found = template("IF(%s IS NULL, NULL, COALESCE(%s, '[]'))", place.document, keys)
        forms = [self._list(compiler, KeyList(ascii_only)) for ascii_only in (True, False)]
        return template(self._on_mysql, found, forms[0], found, forms[1], type_=sa.Boolean())

    def right(self, compiler: Compiler) -> Any:
        return self._list(compiler, sa.ARRAY(sa.Text()) if compiler.vendor == "postgresql" else KeyList())

    def _list(self, compiler: Compiler, type_: sa.types.TypeEngine[Any]) -> Any:
        if isinstance(self.rhs, Arg):
            return compiler.bind(self.rhs, type_)
        keys = [item.key_name if isinstance(item, KeyTransform) else checked_key(item) for item in self.rhs]
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
    _on_mysql = "(JSON_CONTAINS(%s, %s) OR JSON_CONTAINS(%s, %s))"

    def _sqlite_arguments(self, pair: tuple[Any, Any], keys: Iterable[Any]) -> tuple[Any, ...]:
        return (keys, *pair)


@fields.JSONField.register_lookup
class HasAnyKeys(_SeveralKeys):
    """Whether the object has one of the keys."""

    lookup_name = "has_any_keys"
    _on_postgresql = "%s ?| %s"
    _on_sqlite = "EXISTS (SELECT 1 FROM JSON_EACH(%s, %s) WHERE key IN (SELECT value FROM JSON_EACH(%s)))"
    _on_mysql = "(JSON_OVERLAPS(%s, %s) OR JSON_OVERLAPS(%s, %s))"


# -- parts of documents -----------------------------------------------------------------------------


@KeyTransform.register_lookup
class KeyTransformIsNull(IsNull):
    """Whether there is no such part; one that is the null of JSON is there."""

    def left(self, compiler: Compiler) -> Any:
        if compiler.vendor != "sqlite":
            return super().left(compiler)
        return template("JSON_TYPE(%s, %s)", *sqlite_path(self.lhs.place(compiler)))


@fields.JSONField.register_lookup
class JSONIsNull(IsNull):
    """Whether there is no document, which one that is the null of JSON is."""

    def left(self, compiler: Compiler) -> Any:
        made = read_form(compiler, self.lhs)
        return super().left(compiler) if made is None else made


class _KeyOrder(Lookup):
    """A comparison of size."""

    def left(self, compiler: Compiler) -> Any:
        return as_part(compiler, self.lhs)

    def right(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Expression):
            return unknown_if_null(as_part(compiler, self.rhs))
        return self._constant(compiler, lambda value: value)

    def _constant(self, compiler: Compiler, take: Callable[[Any], Any]) -> Any:
        """Return the parameter for what `take` finds in the value on the right."""
        type_, convert = self.bind_type, take
        if compiler.vendor != "postgresql":
            write = _writer(type_)
            type_, convert = AS_IT_IS, lambda value: _plain(write(take(value)))
        if isinstance(self.rhs, Arg):
            return as_document(compiler, compiler.bind(self.rhs, type_, convert))
        return as_document(compiler, compiler.literal(convert(self.rhs), type_))


def _plain(text: str | None) -> Any:
    """Return what SQLite makes of a JSON value."""
    value = None if text is None else read_json(text)
    return text if isinstance(value, (dict, list)) else value


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformLt(_KeyOrder, LessThan):
    """Smaller."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformLte(_KeyOrder, LessThanOrEqual):
    """Smaller or equal."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformGt(_KeyOrder, GreaterThan):
    """Larger."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformGte(_KeyOrder, GreaterThanOrEqual):
    """Larger or equal."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformRange(_KeyOrder, Range):
    """Between two others, or equal to one of them."""

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Arg):
            ends = [self._constant(compiler, itemgetter(position)) for position in (0, 1)]
        else:
            ends = [unknown_if_null(as_part(compiler, end)) for end in self.rhs]
        return self.left(compiler).between(*ends)


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
