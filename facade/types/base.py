"""What the column types have in common."""

from __future__ import annotations

import decimal
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

T = TypeVar("T")
Processor = Callable[[Any], Any] | None
F = TypeVar("F", bound=Callable[[Any], Any])

_WRITTEN = "__facade_written__"


class Written(NamedTuple):
    """What a bind processor does for values of its type, None excepted, as source text about `v` for generated code."""

    bind: Callable[[Any], Any]
    text: str
    names: Mapping[str, object]
    """What the text calls `{name}`; `{bind}` is the processor itself."""


def written(text: str, **names: object) -> Callable[[F], F]:
    """Tell of a bind processor what it does in most cases: one call less for each value."""

    def note(bind: F) -> F:
        setattr(bind, _WRITTEN, Written(bind, text, {"bind": bind, **names}))
        return bind

    return note


def written_of(bind: Callable[[Any], Any] | None) -> Written | None:
    """Return what was told of a bind processor, itself: a wrapper may have taken over its attributes."""
    found: Written | None = getattr(bind, _WRITTEN, None)
    return found if found is not None and found.bind is bind else None


class Base(TypeDecorator[T]):
    """Base of the types: what the driver takes and gives is right as it is, unless a subclass says otherwise."""

    cache_ok = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.cache_ok = True  # SQLAlchemy wants each class to say so itself

    def bind_processor(self, dialect: Dialect) -> Processor:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return None

    def survives_json(self, dialect: Dialect) -> bool:
        """Return whether values, as SQLite's columns store them, are the same after a trip through JSON.

        A list of them is one parameter there, then, else one for each. Types that are stored as numbers or texts survive.
        """
        return isinstance(storage(self, dialect), _IN_JSON)

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Return the function that writes a value into DDL, where nothing can be bound."""
        bind = self.bind_processor(dialect)
        own = self.impl_instance.literal_processor(dialect)
        text: Callable[[str], str] = sa.String().literal_processor(dialect)  # type: ignore[no-untyped-call]

        def process(value: object) -> str:
            value = value if bind is None else bind(value)
            if value is None:
                return "NULL"
            if isinstance(value, _NUMBERS) and not isinstance(value, bool):
                return str(value)
            return text(str(value)) if isinstance(value, str) or own is None else str(own(value))

        return process


_IN_JSON = (
    sa.Integer,
    sa.String,
    sa.Float,
    sa.Date,
    sa.DateTime,
    sa.Time,
    sa.Uuid,
    sa.Boolean,
    sa.Numeric,
    sa.Interval,
)


@functools.lru_cache(maxsize=256)  # every expression may bring a type of its own
def storage(type_: TypeEngine[Any], dialect: Dialect) -> Any:
    """Return the type that a column has on a database, without what converts its values."""
    found = type_.dialect_impl(dialect)
    while isinstance(found, TypeDecorator):
        found = found.impl_instance.dialect_impl(dialect)
    return found


def type_key(type_: TypeEngine[Any]) -> Any:
    """Return what a type has in common with all that bind and read alike: itself alone where that cannot be told."""
    key = type_._static_cache_key
    return key if isinstance(key, tuple) else type_


def is_own(type_: TypeEngine[Any]) -> bool:
    """Return whether a type comes with SQLAlchemy or facade: what it derives from says what it is."""
    return type(type_).__module__.startswith(("sqlalchemy.", "facade."))


def survives_json(type_: TypeEngine[Any], dialect: Dialect) -> bool:
    """Return what a type says of its values, one of SQLAlchemy's by what it is stored as."""
    if isinstance(type_, Base):
        return type_.survives_json(dialect)
    if type_.dialect_impl(dialect)._has_bind_expression:
        return False
    return isinstance(storage(type_, dialect), _IN_JSON)


_NUMBERS = (int, float, decimal.Decimal)


def cast_where_bound(dialect: Dialect, kind: type[TypeEngine[Any]], **options: Any) -> TypeEngine[Any]:
    """Return the dialect's own type for `kind`, with parameters written ``$1::type``.

    A text that is bound is taken for what it is, then.
    """
    own: Any = type(dialect.type_descriptor(kind(**options)))
    made: TypeEngine[Any] = _with_cast(own)(**options)
    return made


@functools.cache
def _with_cast(kind: type[object]) -> Any:
    return type(kind.__name__, (kind,), {"render_bind_cast": True})
