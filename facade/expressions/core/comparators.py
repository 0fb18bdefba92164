"""The methods of types' comparators in querysets: as expressions, and as the lookups that a `TypedField` names.

A method is called with the values themselves, as in Core, and with a column in the place of each expression. What it
returns is taken apart: SQLAlchemy's own cache key tells which calls have the same SQL, and the values in it are arguments of the queryset.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.sql.elements import Grouping

from facade.exceptions import FieldError
from facade.expressions.base import Expression
from facade.expressions.calls import as_expression
from facade.expressions.comparisons import Lookup
from facade.expressions.core.clauses import (
    field_of,
    is_condition,
    placed,
    replaced_throughout,
    without_values,
)
from facade.expressions.freezing import (
    Arg,
    ConstantWanted,
    Frozen,
    Structured,
    StructuredArg,
    Values,
    core_expression,
)
from facade.expressions.given import WrittenValue
from facade.fields.kinds.typed import check_method, comparator_lookup

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.expressions.contracts import Compiler, Core, CoreType, Query, Valued
    from facade.expressions.tree import Change
    from facade.fields import Field
    from facade.fields.kinds.typed import Method


class Call:
    """What a method has returned: columns called `place(0)`, `place(1)`, … stand in it for expressions.

    Two are equal whose SQL is, whatever the values.
    """

    __slots__ = ("element", "key", "names")

    def __init__(self, element: Core) -> None:
        self.element = element
        self.key: Any = None
        self.names: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Call and self.key is not None and self.key == other.key)

    def __hash__(self) -> int:
        return id(self) if self.key is None else hash(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            f"A comparator's method cannot be pickled, nor a queryset with one: {self.element}. "
            "Pickle the results, list(queryset)."
        )

    def structured(self) -> Structured:
        """Return the call, its values apart; one that SQLAlchemy cannot compare with others keeps them."""
        if (key := self.element._generate_cache_key()) is None:
            return Structured(self, ())
        given = {item.key: item.effective_value for item in key.bindparams}
        self.key, self.names = key.key, tuple(given)
        return Structured(self, tuple(given.values()))

    def without_values(self) -> Call:
        """Return the call as a query may keep it."""
        if self.names:
            self.element = without_values(self.element)
        return self

    def as_core(self, compiler: Compiler, operands: Sequence[Core], arg: Arg | None) -> Any:
        """Return it with these operands in the places; `arg` is where its values are, None where they are in it."""
        known = {place(number): _grouped(operand) for number, operand in enumerate(operands)}
        values = {name: position for position, name in enumerate(self.names)} if arg is not None else {}

        def replaced(item: object) -> Any:
            if isinstance(item, sa.BindParameter) and item.key in values:
                assert arg is not None
                return placed(compiler, item, arg, _item(values[item.key]))
            named = isinstance(item, sa.ColumnClause) and item.table is None
            return known.get(item.key) if named else None  # type: ignore[attr-defined]

        return replaced_throughout(self.element, replaced)


_item = functools.cache(itemgetter)  # one for a position, so that equal parameters are one


def place(number: int) -> str:
    return f"facade place {number}"


def _grouped(core: Core) -> Any:
    whole = (sa.ColumnClause, sa.BindParameter, sa.ScalarSelect, sa.sql.functions.FunctionElement, Grouping)
    return core if isinstance(core, whole) else Grouping(core)


def call(method: Method, types: Sequence[CoreType | None], operands: Sequence[object]) -> Call:
    """Call a method of the first type's comparator; an operand that is an int of class `Place` is an expression's."""
    left: Any = sa.column(place(0), types[0])
    given = [
        sa.column(place(item), types[item] or types[0]) if type(item) is Place else item for item in operands
    ]
    made = _method(left, method)(*given)
    if isinstance(made, sa.ColumnElement):
        return Call(made)
    raise FieldError(
        f"The comparator's method {_name(method)} of {types[0]!r} makes no expression of its operands, but {made!r}."
    )


def _method(left: Core, method: Method) -> Callable[..., Any]:
    if not isinstance(method, str):
        return functools.partial(method, left)
    try:
        check_method(left.type, method)
    except TypeError as error:
        raise FieldError(str(error)) from None
    found: Callable[..., Any] = getattr(left.comparator, method)
    return found


def _name(method: Method) -> str:
    return repr(method) if isinstance(method, str) else repr(getattr(method, "__qualname__", method))


class Place(int):
    """The number of an expression among the operands."""


class Comparator(Expression):
    """What a method of a type's comparator returns: `Comparator("embedding", "l2_distance", [1, 2, 3])`.

    The first argument is the name of a field, or an expression; the second the method's name, which is written by developers. The others are
    its operands: values, which are bound as the type binds them, texts among them, and expressions, as `F("other")`, querysets and
    those of SQLAlchemy Core. `output_field` says what the values are, where the type of what the method returns does not.

    Raises FieldError where the type has no such method, or where it returns no expression.

    >>> Comparator("embedding", "l2_distance", [1, 2, 3])
    Comparator(F(embedding), 'l2_distance', [1, 2, 3])
    """

    call: Call | None = None

    def __init__(
        self, expression: object, method: str, *operands: object, output_field: Field[Any] | None = None
    ) -> None:
        super().__init__(output_field)
        if not isinstance(method, str):
            raise TypeError(f"The method of a Comparator is named by a text, not by {method!r}.")
        self.method = method
        self.expressions = [as_expression(expression)]
        self.operands: tuple[Any, ...] = tuple(map(self._operand, operands))
        self.arg: Arg | None = None

    def _operand(self, given: object) -> Any:
        if not (isinstance(given, Frozen) or hasattr(given, "resolve_expression")):
            given = core_expression(given) or given
        if not (isinstance(given, Frozen) or hasattr(given, "resolve_expression")):
            return given
        self.expressions.append(as_expression(given))
        return Place(len(self.expressions) - 1)

    def __repr__(self) -> str:
        given = [
            repr(self.expressions[item] if type(item) is Place else item)
            for item in (Place(0), *self.operands)
        ]
        given.insert(1, repr(self.method))
        return f"{type(self).__name__}({', '.join(given)})"

    # -- the tree -------------------------------------------------------------------------

    def get_source_expressions(self) -> list[Any]:
        return self.expressions

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.expressions = exprs

    def with_parts(self, change: Change) -> Any:
        changed = self.with_sources(change)
        changed.arg = None if self.arg is None else change(self.arg)
        return changed

    def freeze(self, values: Values) -> Any:
        frozen = super().freeze(values)
        given = tuple(item for item in self.operands if type(item) is not Place)
        if given:  # one argument: what the method makes of them is known when it is called
            frozen.operands = tuple(item if type(item) is Place else None for item in self.operands)
            frozen.arg = values.add(given)
        return frozen

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        resolved = super().resolve_expression(query, allow_joins, reuse, summarize, for_save)
        if query is None:
            return resolved
        types = [_type(source) for source in resolved.expressions]
        if isinstance(self.arg, StructuredArg):
            resolved.arg, resolved.call = query.place(self.arg, None), self.arg.structure.without_values()
        elif self.arg is not None:
            raise ConstantWanted(self.arg, lambda given: self._structured(types, given))
        else:
            resolved.call = call(self.method, types, self.operands)
        return resolved

    def _structured(self, types: Sequence[CoreType], given: tuple[Any, ...]) -> Structured:
        values = iter(given)
        operands = [item if type(item) is Place else next(values) for item in self.operands]
        return call(self.method, types, operands).structured()

    # -- what it is -----------------------------------------------------------------------

    def _resolve_output_field(self) -> Field[Any] | None:
        return None if self.call is None else field_of(self.call.element, self.expressions)

    def as_core(self, compiler: Compiler) -> Any:
        assert self.call is not None
        operands = [compiler.process(source) for source in self.expressions]
        return self.call.as_core(compiler, operands, self.arg)


def _type(source: Valued) -> CoreType:
    found: CoreType | None = source.column_type
    if found is None:
        raise FieldError(f"The type of {source!r} is not known: give it an output_field.")
    return found


class ComparatorLookup(Lookup):
    """A condition that a method of the type's comparator makes of a column and a value."""

    method: ClassVar[Method]
    prepare_rhs = False

    def __init__(self, lhs: object, rhs: object) -> None:
        if isinstance(rhs, StructuredArg):
            rhs.structure.without_values()
        super().__init__(lhs, rhs)

    @classmethod
    def constant_for(cls, left: Valued) -> Callable[[Any], Any] | None:
        return lambda value: cls._call(_type(left), value).structured()

    @classmethod
    def _call(cls, type_: CoreType, operand: object, other: CoreType | None = None) -> Call:
        made = call(cls.method, [type_, other], [operand])
        if is_condition(made.element):
            return made
        raise FieldError(
            f"The lookup {cls.lookup_name!r} of {type_!r} is no condition: its method {_name(cls.method)} gives {made.element.type!r}. "
            f"Annotate models.Comparator(…, {_name(cls.method)}, …), and filter by that."
        )

    def as_core(self, compiler: Compiler) -> Any:
        left, rhs = compiler.process(self.lhs), self.rhs
        if isinstance(rhs, StructuredArg):
            return rhs.structure.as_core(compiler, [left], rhs)
        if isinstance(rhs, tuple):
            raise TypeError(
                f"The lookup {self.lookup_name!r} takes a value or an expression, not a list with expressions in it: {rhs!r}."
            )
        type_ = _type(self.lhs)
        if type(rhs) is WrittenValue or not isinstance(rhs, Expression):
            given = rhs.value if type(rhs) is WrittenValue else rhs
            return self._call(type_, given).as_core(compiler, [left], None)
        made = self._call(type_, Place(1), rhs.column_type)
        return made.as_core(compiler, [left, self.right(compiler)], None)


@comparator_lookup.fill
@functools.cache
def lookup_class(name: str, method: Method) -> type[ComparatorLookup]:
    """Return the lookup of a name that calls a method."""
    return type(
        f"ComparatorLookup_{name}",
        (ComparatorLookup,),
        {"lookup_name": name, "method": staticmethod(method) if callable(method) else method},
    )


__all__ = ["Comparator"]
