"""What querysets are called with: conditions, names and expressions, checked and frozen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from facade import fields as model_fields
from facade.exceptions import FieldError
from facade.expressions.aggregates.plain import Aggregate
from facade.expressions.base import CombinedExpression, Expression, Value
from facade.expressions.calls import Func
from facade.expressions.freezing import (
    PLAIN,
    Arg,
    Frozen,
    HashedOnce,
    Values,
    core_expression,
    freeze,
    is_long,
    is_wide,
)
from facade.expressions.q import FilteredRelation, Q, freeze_condition, freeze_pair
from facade.expressions.references import F, Star
from facade.expressions.subquery import Subquery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy as sa

    from facade.expressions.contracts import Resolvable
    from facade.fields.contracts import Instance


def freeze_condition_argument(arg: object, values: Values) -> Any:
    if isinstance(arg, Q):
        return freeze_condition(arg, values)
    if isinstance(arg, dict):
        raise FieldError("Cannot parse keyword query as dict")
    arg = core_expression(arg) or arg
    if not getattr(arg, "conditional", False):
        if isinstance(arg, (tuple, list)) and len(arg) == 2 and isinstance(arg[0], str):
            return freeze_pair(arg[0], arg[1], values)
        raise TypeError("Cannot filter against a non-conditional expression.")
    return freeze(arg, values)


def name_of(item: object, model: type[Instance]) -> Any:
    """Return the name of a field given as `"name"` or as `Model.name`, and anything else as it is.

    FieldError for the field of a model that `model` does not inherit from.
    """
    if not isinstance(item, (model_fields.DeferredAttribute, model_fields.Field)):
        return item
    field: Any = item.field  # type: ignore[union-attr]
    if not issubclass(model._meta.concrete_model, field.model._meta.concrete_model):
        raise FieldError(
            f"{field.model.__name__}.{field.name} is no field of {model.__name__}: name it by its path, 'relation__{field.name}'."
        )
    return field.attname if isinstance(item, model_fields.DeferredAttribute) else field.name


def is_expression(item: object) -> bool:
    """Whether something can be a column of a result: an expression, or a queryset of one column and row."""
    if isinstance(item, str):
        return False
    return (
        hasattr(item, "resolve_expression") or isinstance(item, Frozen) or core_expression(item) is not None
    )


def as_annotation(item: Frozen | Resolvable | sa.ClauseElement) -> Any:
    if hasattr(item, "resolve_expression") or isinstance(item, FilteredRelation):
        return item
    return Subquery(item) if isinstance(item, Frozen) else core_expression(item)


def value_names(
    items: Iterable[Any], model: type[Instance], taken: set[str]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the names of values_list(), its expressions under names of their own."""
    names: list[str] = []
    expressions: dict[str, Any] = {}
    counter = 1
    for item in items:
        if isinstance(item, model_fields.DeferredAttribute) or not is_expression(item):
            names.append(name_of(item, model))
            continue
        prefix = (
            getattr(item, "default_alias", None)
            if hasattr(item, "default_alias")
            else type(item).__name__.lower()
        )
        while (name := f"{prefix}{counter}") in expressions or name in taken:
            counter += 1
        expressions[name] = as_annotation(item)
        names.append(name)
    return tuple(names), expressions


def named_expressions(args: tuple[Any, ...], kwargs: dict[str, Any], method: str) -> dict[str, Any]:
    """Return the expressions of annotate() or aggregate() by name; raises TypeError for what is no expression."""
    items = (*args, *kwargs.values())
    others = [item for item in items if not isinstance(item, Expression)]
    if bad := [str(item) for item in others if not is_expression(item)]:
        raise TypeError(f"QuerySet.{method}() received non-expression(s): {', '.join(bad)}.")
    named: dict[str, Any] = {}
    for item in args:
        try:
            name = item.default_alias
        except (AttributeError, TypeError):
            raise TypeError(
                "Complex annotations require an alias"
                if method != "aggregate"
                else "Complex aggregates require an alias"
            ) from None
        if name in kwargs:
            raise ValueError(
                f"The named annotation '{name}' conflicts with the default name for another annotation."
            )
        named[name] = item
    named.update(kwargs)
    return {name: as_annotation(item) for name, item in named.items()} if others else named


# -- freezing what was frozen before --------------------------------------------------------------

MAX_FROZEN = 1_000
"""How many outlines are kept."""
_frozen: dict[tuple[Any, ...], HashedOnce] = {}


def freeze_named(
    named: Mapping[str, Any], freeze_one: Callable[[Any, Values], Any] = freeze
) -> tuple[HashedOnce, Values]:
    """Return expressions with their names as a part of a key, and the values taken out of them.

    Expressions are written anew for each call, and most often alike: an outline of them, which is compared a lot faster than
    they are, finds what was frozen before. That is one object then, and a key with it is found by its identity.
    """
    outlined = _outline(named)
    if outlined is not None and (found := _frozen.get(outlined[0])) is not None:
        return found, outlined[1]
    values = Values()
    made = HashedOnce((name, freeze_one(item, values)) for name, item in named.items())
    if outlined is not None and [*map(id, outlined[1])] == [*map(id, values)]:
        if len(_frozen) >= MAX_FROZEN:
            _frozen.clear()
        _frozen[outlined[0]] = made
    return made, values


def _outline(named: Mapping[str, Any]) -> tuple[tuple[Any, ...], Values] | None:
    """Write down what `freeze` makes of expressions, and take their constants out; None where that is not known.

    Each part tells how many follow. What classes of one's own freeze, or keep beside what theirs do, is not known.
    """
    parts: list[Any] = []
    values = Values()
    for name, expression in named.items():
        parts.append(name)
        todo = [expression]
        while todo:
            item = todo.pop()
            kind = type(item)
            if kind is F and type(item.name) is str:
                parts.append(item.name)
            elif kind is CombinedExpression and len(item.__dict__) == 3:
                parts += (CombinedExpression, item.connector)
                todo += (item.rhs, item.lhs)
            elif kind is Value and type(item.value) in PLAIN and item._output_field is None:
                wide = is_wide(item.value)
                parts += (Value, type(item.value), wide, wide and is_long(item.value))
                values.append(item.value)
            elif isinstance(item, Func):
                if not (_is_plain_aggregate(item, kind) or _is_plain_call(item, kind)):
                    return None
                parts += (kind, len(item.source_expressions), getattr(item, "distinct", None))
                todo += item.source_expressions[::-1]
            elif kind in PLAIN or kind is bool:
                parts.append(Arg)
                values.append(item)
            elif item is None or (kind is Star and not item.__dict__):
                parts.append(kind)
            else:
                return None
    return tuple(parts), values


def _is_plain_aggregate(item: Func, kind: type[Func]) -> bool:
    """Return whether all there is of an aggregate is its class, its sources and whether they are distinct."""
    state = item.__dict__
    return (
        kind.freeze is Aggregate.freeze
        and len(state) == 5
        and state.get("filter", item) is state.get("default", item) is None
        and not item.extra
    )


def _is_plain_call(item: Func, kind: type[Func]) -> bool:
    """Return whether all there is of a call of a function is its class and its sources."""
    return kind.freeze is Expression.freeze and len(item.__dict__) == 2 and not item.extra


def one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is not on a closed list."""
    if value not in allowed:
        listing = f"{', '.join(map(repr, allowed[:-1]))}, or {allowed[-1]!r}"
        choices = f"either {allowed[0]!r} or {allowed[1]!r}" if len(allowed) == 2 else f"one of {listing}"
        raise ValueError(f"'{what}' must be {choices}.")
