"""Function calls, SQL written by hand, and the defaults that the database fills in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import sqlalchemy as sa

from facade import fields
from facade.expressions.base import Expression, Value, as_value
from facade.expressions.freezing import Arg, Frozen, Values
from facade.expressions.references import F
from facade.expressions.sqltext.fragments import RawFragment, template
from facade.expressions.subquery import Subquery
from facade.fields.base import database_default
from facade.types.decimals import sendable

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query
    from facade.expressions.sqltext.written import SQL, Texts
    from facade.expressions.tree import Change
    from facade.fields import Field


class Func(Expression):
    """A database function: `Func(F("name"), function="LOWER")`.

    `function` and `template` are written by developers, never by users of the program: they become SQL. A subclass sets them as
    attributes; `arity` is how many arguments it takes, `output_field` says of what type its value is.

    >>> class Hex(Func):
    ...     function, arity, output_field = "hex", 1, fields.TextField()
    >>> Book.objects.annotate(code=Hex("title")).get(title="Notes").code
    '4E6F746573'
    """

    function: str | None = None
    template = "%(function)s(%(expressions)s)"
    arg_joiner = ", "
    arity: int | None = None
    empty_result_set_value: Any = NotImplemented
    chooses: ClassVar[bool] = False
    """Whether its value is that of one of its arguments."""
    keeps_json: ClassVar[bool] = True
    """Whether it makes JSON of JSON: not where it has to know which part of a document is the larger."""

    def __init__(self, *expressions: Any, output_field: Field[Any] | None = None, **extra: Any) -> None:
        if self.arity is not None and len(expressions) != self.arity:
            raise TypeError(
                f"'{type(self).__name__}' takes exactly {self.arity} "
                f"{'argument' if self.arity == 1 else 'arguments'} ({len(expressions)} given)"
            )
        super().__init__(output_field)
        self.source_expressions: list[Any] = [
            F(item) if type(item) is str else as_expression(item) for item in expressions
        ]
        self.extra = extra

    def __repr__(self) -> str:
        options = "".join(
            f", {name}={value}" for name, value in sorted({**self.extra, **self._repr_options()}.items())
        )
        return (
            f"{type(self).__name__}({', '.join(str(source) for source in self.source_expressions)}{options})"
        )

    def _repr_options(self) -> dict[str, Any]:
        return {}

    def get_source_expressions(self) -> list[Any]:
        return self.source_expressions

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.source_expressions = exprs

    @property
    def allowed_default(self) -> bool:
        return all(source.allowed_default for source in self._sources())

    def as_core(self, compiler: Compiler) -> Any:
        arguments = [compiler.process(source) for source in self._sources()]
        return compiler.words.function(self, arguments, self.column_type)

    def as_sql(
        self,
        compiler: Texts,
        connection: Texts,
        function: str | None = None,
        template: str | None = None,
        arg_joiner: str | None = None,
        **extra_context: Any,
    ) -> SQL:
        given = {"function": function, "template": template, "arg_joiner": arg_joiner}
        changed = self.copy()
        changed.extra = {**self.extra, **extra_context, **{k: v for k, v in given.items() if v is not None}}
        return "%s", [changed.as_core(compiler.core)]


def as_expression(value: object) -> Any:
    """Return `value` as an expression: a string names a field, a queryset is a subquery, anything else a constant."""
    if isinstance(value, Frozen):
        return value if hasattr(value, "resolve_expression") else Subquery(value)
    return F(value) if isinstance(value, str) else as_value(value)


class RawSQL(Expression):
    """SQL text written by a developer, with `%s` for each parameter.

    Values belong into `params`; the text must never come from users. `output_field` says of what type the value is.

    >>> Book.objects.annotate(doubled=RawSQL("pages * %s", [2])).get(title="Trees").doubled
    600
    """

    empty_result_set_value = NotImplemented

    allowed_default = True

    def __init__(self, sql: str, params: Iterable[Any] = (), output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field or fields.Field())
        self.sql, self.params = sql, tuple(params or ())

    def __repr__(self) -> str:
        return f"RawSQL({self.sql}, {self.params})"

    def freeze(self, values: Values) -> Any:
        frozen = self.copy()
        frozen.params = tuple(values.add_constant(sendable(value)) for value in self.params)
        return frozen

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        resolved = self.copy()
        if query is not None:
            resolved.params = tuple(
                query.place(item, None) if isinstance(item, Arg) else item for item in self.params
            )
            self._join_parents(query, lambda name: query.resolve_ref(name, allow_joins, reuse, summarize))
        return resolved

    def with_parts(self, change: Change) -> Self:
        changed = self.copy()
        changed.params = tuple([change(item) for item in self.params])
        return changed

    def _join_parents(self, query: Query, join: Callable[[str], object]) -> None:
        """Join the tables of the model's parents whose columns the text may name."""
        for parent in query.model._meta.all_parents if query.model else ():
            for field in parent._meta.local_fields:
                if re.search(rf"\b{re.escape(field.column)}\b", self.sql, re.IGNORECASE):
                    join(field.name)
                    break

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def as_core(self, compiler: Compiler) -> Any:
        given = [
            compiler.bind(item, None) if isinstance(item, Arg) else sa.literal(item) for item in self.params
        ]
        return RawFragment(template(f"({self.sql})", *given).parts)


class DatabaseDefault(Expression):
    """Stands for a column's `db_default` until the database has filled it in."""

    sources = ("expression",)

    def __init__(self, expression: Expression, output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field)
        self.expression = expression

    def __repr__(self) -> str:
        return f"DatabaseDefault({self.expression!r})"

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.process(self.expression)


@database_default.fill
def stand_in(field: Field[Any]) -> DatabaseDefault:
    """Return what stands for the default that the database applies, in an instance that is not saved."""
    default = field.db_default
    expression: Any = default if isinstance(default, Frozen) else Value(default, output_field=field)
    return DatabaseDefault(expression, output_field=field)
