"""Conditions on a query: from frozen Q objects to the WHERE tree, with Django's rules for joins and NULLs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from facade.exceptions import FieldError
from facade.expressions.base import Expression, Value
from facade.expressions.comparisons import Exact, Lookup
from facade.expressions.contracts import Query
from facade.expressions.freezing import (
    EMPTY,
    Arg,
    ArgWithNone,
    ConstantWanted,
    Empty,
    ItemByItem,
    OutOfRange,
    PreparedNone,
    StructuredArg,
    Values,
)
from facade.expressions.given import WrittenValue
from facade.expressions.q import AND, OR, Condition, Q, freeze_condition
from facade.expressions.references import Col, F, Outer, OuterRef, Ref, ResolvedOuterRef, RowValue, columns
from facade.expressions.subquery import Embedded, Exists
from facade.fields.declarations import LOOKUP_SEP
from facade.sql.query import paths
from facade.sql.query.joins import Joins, Promoter
from facade.sql.query.paths import ManyValues, Path
from facade.sql.query.state import Placement, Source
from facade.sql.query.where import Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from facade.expressions.contracts import Resolvable, Resolved, Valued
    from facade.fields import Field


class ConditionScope:
    """How the conditions below one point are to be read."""

    __slots__ = (
        "allow_joins",
        "branch_negated",
        "check_filterable",
        "current_negated",
        "paths",
        "reuse",
        "split",
        "summarize",
        "update_joins",
    )

    def __init__(
        self,
        reuse: set[str] | None,
        *,
        branch_negated: bool = False,
        current_negated: bool = False,
        allow_joins: bool = True,
        split: bool = True,
        summarize: bool = False,
        update_joins: bool = True,
        check_filterable: bool = True,
        paths: dict[str, Path] | None = None,
    ) -> None:
        self.paths: dict[str, Path] = {} if paths is None else paths  # those that stay in the first table
        self.reuse, self.allow_joins, self.split, self.summarize = reuse, allow_joins, split, summarize
        self.branch_negated, self.current_negated = branch_negated, current_negated
        self.update_joins, self.check_filterable = update_joins, check_filterable

    def inside(self, negated: bool) -> ConditionScope:
        if not negated:
            return self
        return ConditionScope(
            self.reuse,
            branch_negated=True,
            current_negated=not self.current_negated,
            allow_joins=self.allow_joins,
            split=self.split,
            summarize=self.summarize,
            update_joins=self.update_joins,
            check_filterable=self.check_filterable,
            paths=self.paths,
        )


class Joining(Query, Protocol):
    """A query as conditions ask it: they join tables, place values and make queries of its kind."""

    base: int
    joins: Joins
    where: Where
    source: Source
    placement: Placement
    used_aliases: set[str]
    prepare: dict[int, Callable[[Any], Any] | None]

    def __init__(self, model: type[Any]) -> None: ...
    def add_condition(self, condition: Condition, reuse_all: bool = False) -> None: ...
    def place(self, arg: Arg, prepare: Callable[[Any], Any] | None) -> Arg: ...
    def initial_alias(self) -> str: ...
    def resolve_path(self, names: list[str], allow_many: bool = True, complete: bool = False) -> Path: ...
    def join_path(self, path: Path, reuse: set[str] | None = None) -> list[str]: ...
    def trim(self, path: Path, aliases: list[str]) -> tuple[tuple[Any, ...], list[str]]: ...
    def clear_ordering(self, force: bool = False, clear_default: bool = True) -> None: ...
    def resolve_outer(self, outer: Self, allow_joins: bool = True, reuse: set[str] | None = None) -> None: ...
    def for_exists(self) -> Any: ...


class Conditions:
    """Builds the conditions of a query, and the joins that they need."""

    __slots__ = ("query",)

    def __init__(self, query: Joining) -> None:
        self.query = query

    def add(self, condition: Condition, reuse_all: bool = False) -> None:
        """AND a condition to the query.

        Joins that were inner stay inner: together with what is there already, a missing row fails anyway.
        """
        inner = self.query.joins.inner_aliases()
        reuse = set(self.query.joins) if reuse_all else self.query.used_aliases
        clause, _ = self.condition(condition, ConditionScope(reuse))
        if clause:
            self.query.where.add(clause, AND)
        self.query.joins.demote(inner)

    def resolve(
        self,
        condition: Resolvable,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        update_joins: bool = False,
    ) -> Any:
        """Return a condition inside an expression (When, an aggregate's filter) as a resolved expression."""
        if isinstance(condition, Q):
            condition = freeze_condition(condition, _Constants())
        if isinstance(condition, Condition):
            scope = ConditionScope(
                reuse,
                allow_joins=allow_joins,
                split=False,
                summarize=summarize,
                update_joins=update_joins,
                check_filterable=False,
            )
            clause, _ = self.condition(condition, scope)
            if len(self.query.joins) > 1:
                self.query.joins.promote(self.query.joins.on_the_way(_joins_of(clause)))
            return clause
        return condition.resolve_expression(self.query, allow_joins, reuse, summarize)

    def condition(self, condition: Condition, scope: ConditionScope) -> tuple[Where, set[str]]:
        inside = scope.inside(condition.negated)
        clause = Where(connector=condition.connector, negated=condition.negated)
        promoter = Promoter(condition.connector, inside.current_negated, len(condition.children))
        for child in condition.children:
            part, needed = self._child(child, inside)
            promoter.add_votes(needed)
            if part:
                clause.add(part, condition.connector)
        return clause, promoter.apply(self.query.joins) if scope.update_joins else set()

    def _child(
        self, child: Condition | Expression | tuple[str, Any], scope: ConditionScope
    ) -> tuple[Where, set[str]]:
        if isinstance(child, Condition):
            return self.condition(child, scope)
        if isinstance(child, tuple):
            return self._pair(child, scope)
        if not getattr(child, "conditional", False):
            raise TypeError("Cannot filter against a non-conditional expression.")
        condition = child.resolve_expression(self.query, scope.allow_joins, scope.reuse, scope.summarize)
        if not isinstance(condition, (Lookup, Where)):
            condition = self.build_lookup(["exact"], condition, True)
        return Where([condition]), set()

    def _pair(self, pair: tuple[str, Any], scope: ConditionScope) -> tuple[Where, set[str]]:
        """Build the condition of one keyword; return it with the joins that it needs to have a row."""
        name, value = pair
        if not name:
            raise FieldError(f"Cannot parse keyword query {name!r}")
        annotation, names = self._leading_annotation(name)
        if scope.check_filterable and annotation is not None:
            _check_filterable(annotation)
        resolved, needed = (value, set[str]()) if type(value) is Arg else self._value(value, scope)
        if annotation is not None:
            if scope.summarize:
                annotation = Ref(
                    name.removesuffix(LOOKUP_SEP.join(["", *names])) if names else name, annotation
                )
            lookup = self.build_lookup(names, annotation, resolved)
            # A column under another name needs its row as the column itself does.
            row = {annotation.alias} if type(annotation) is Col else set()
            return Where([lookup]), set() if _holds_without_row(lookup, scope) else row
        if (path := scope.paths.get(name)) is not None:
            needed.add(alias := self.query.initial_alias())
            return self._compare(path, path.targets, [alias], resolved, needed, scope)
        try:
            path = self.query.resolve_path(names, allow_many=not scope.branch_negated or not scope.split)
        except ManyValues:
            return self._split_exclude(pair, scope)
        if (
            not scope.allow_joins
            and path.hops
            and (len(path.hops) > 1 or not path.hops[0].direct or len(names) - len(path.rest) > 1)
        ):
            return Where([self._of_no_row(path, names, resolved)]), set()
        aliases = self.query.join_path(path, scope.reuse)
        needed.update(aliases)
        targets, aliases = self.query.trim(path, aliases)
        if not scope.allow_joins and aliases[-1] != self.query.initial_alias():  # a column of a parent
            raise FieldError("Joined field references are not permitted in this query")
        if scope.reuse is not None:
            scope.reuse.update(aliases)
        if not path.hops:
            scope.paths[name] = path
        return self._compare(path, targets, aliases, resolved, needed, scope)

    def _value(self, value: object, scope: ConditionScope) -> tuple[Any, set[str]]:
        """Resolve what is compared; return it with the joins that it needs to have a row."""
        before = dict(self.query.joins.counts)
        resolved = self._resolve_value(value, scope)
        if scope.check_filterable:
            _check_filterable(resolved)
        return resolved, {
            alias for alias, count in self.query.joins.counts.items() if count > before.get(alias, 0)
        }

    def _of_no_row(self, path: Path, names: list[str], value: object) -> Any:
        """Return a condition on a relation that no row fulfils, whatever is joined; raise FieldError for all others."""
        listed = path.rest == ["in"] and len(names) == 2
        if listed and isinstance(value, Embedded) and value.query.is_empty:
            value = EMPTY
        if not listed or not (value is EMPTY or (isinstance(value, ArgWithNone) and value.only)):
            raise FieldError("Joined field references are not permitted in this query")
        key = columns(self.query.initial_alias(), self.query.model._meta.pk_fields)
        return self.build_lookup(["in"], key, value)

    def _compare(
        self,
        path: Path,
        targets: Sequence[Field[Any]],
        aliases: list[str],
        value: object,
        needed: set[str],
        scope: ConditionScope,
    ) -> tuple[Where, set[str]]:
        alias, final = aliases[-1], path.final_field
        column: Any = columns(alias, targets, final)
        lookup = self.build_lookup(path.rest, column, value)
        clause = Where([lookup])
        without_row = _holds_without_row(lookup, scope)
        if without_row and lookup.lookup_name != "isnull":
            nullable = self.query.joins[alias].outer or any(target.null for target in targets)
            self._exclude_nulls(clause, columns(alias, targets), nullable, lookup, value)
        return clause, set() if without_row else needed

    def _exclude_nulls(
        self, clause: Where, column: Col | RowValue, nullable: bool, lookup: Lookup, value: object
    ) -> None:
        """Make NOT (column = value) hold where the column is NULL, as Python would have it."""
        if nullable:
            isnull = column.get_lookup("isnull")
            if lookup.lookup_name == "in" and _has_none(value):
                clause.add(isnull(column, True), OR)
            else:
                clause.add(isnull(column, False), AND)
        if isinstance(value, Col) and value.target.null:
            clause.add(value.target.get_lookup("isnull")(value, False), AND)

    def _leading_annotation(self, name: str) -> tuple[Any, list[str]]:
        """Return the annotation a lookup begins with, and the names behind it."""
        names = paths.split(name)
        if self.query.annotations:
            for length in range(len(names), 0, -1):
                if (annotation := self.query.annotations.get(LOOKUP_SEP.join(names[:length]))) is not None:
                    return annotation, names[length:]
        return None, names

    def _resolve_value(self, value: object, scope: ConditionScope) -> Any:
        if isinstance(value, tuple):
            return tuple(self._resolve_value(item, scope) for item in value)
        if not hasattr(value, "resolve_expression"):
            return value
        return value.resolve_expression(self.query, scope.allow_joins, scope.reuse, scope.summarize)

    # -- lookups ---------------------------------------------------------------------------

    def build_lookup(self, names: list[str], left: Expression | ResolvedOuterRef, value: object) -> Any:
        """Return the lookup that `names` (transforms and the lookup's own name) make of an expression and a value."""
        *transforms, last = names or ["exact"]
        if isinstance(left, ResolvedOuterRef):
            raise _untyped_outer_ref(left)
        for name in transforms:
            left = try_transform(left, name, lookups=names)
        lookup_class = left.get_lookup(last)
        if lookup_class is None:
            left = try_transform(left, last)
            last = "exact"
            if (lookup_class := left.get_lookup(last)) is None:
                raise FieldError(f"Unsupported lookup '{last}' for {type(left.output_field).__name__}.")
        value = self._transformed(value, left, last)
        if value is None and not getattr(lookup_class, "can_use_none_as_rhs", False):
            return self._null_test(last, left)
        return self.place_lookup(lookup_class, left, value)

    @staticmethod
    def _null_test(name: str, left: Valued) -> Any:
        """Return what a comparison with None means."""
        if name not in ("exact", "iexact"):
            raise ValueError("Cannot use None as a query value")
        return left.get_lookup("isnull")(left, True)

    def _transformed(self, value: object, left: Expression, lookup: str) -> Any:
        """Apply the transforms of the left side that are for both sides."""
        transforms = left.get_bilateral_transforms() if hasattr(left, "get_bilateral_transforms") else ()
        if not transforms or value is None or isinstance(value, Empty):
            return value
        if isinstance(value, Embedded):
            raise NotImplementedError("Bilateral transformations on nested querysets are not implemented.")
        if isinstance(value, Arg) and lookup in ("in", "range"):
            raise ItemByItem(value)
        items = [
            self._typed(item, left)
            for item in (value if isinstance(value, tuple) else (value,))
            if item is not None
        ]
        for transform in transforms:
            items = [transform(item) for item in items]
        return tuple(items) if isinstance(value, tuple) else items[0]

    def place_lookup(self, lookup_class: type[Lookup], left: Valued, value: object) -> Any:
        """Make a lookup of a frozen value: its constants get their places and their preparation."""
        if isinstance(value, ArgWithNone) and value.only and getattr(lookup_class, "skips_none", False):
            self.query.place(value, None)
            value = EMPTY
        if isinstance(value, Arg):
            asked = getattr(
                lookup_class, "constant_for", None
            )  # what a field gives may be a function that makes lookups
            settled = isinstance(value, StructuredArg)
            if asked is not None and not settled and (prepare := asked(left)) is not None:
                raise ConstantWanted(value, prepare)
            lookup = lookup_class(left, value.moved(self.query.base))
            self.query.place(value, lookup.preparation)
            return lookup
        if type(value) is WrittenValue and lookup_class.prepare_rhs:
            value = _as_compared(value, left, lookup_class)
        if isinstance(value, tuple):
            value = self._items(lookup_class, left, value)
        elif (
            isinstance(value, Expression)
            and value.is_composite
            and not lookup_class.allows_composite_expressions
        ):
            raise ValueError("CompositePrimaryKey cannot be used as a lookup value.")
        if isinstance(value, Embedded):
            value = Embedded(value.query.clone(), value.offset)
        lookup = lookup_class(left, value)
        if isinstance(value, Embedded):
            lookup.adapt_query(value.query) if hasattr(lookup, "adapt_query") else adapt_query(
                lookup, value.query
            )
        elif isinstance(value, Empty) and lookup.lookup_name not in ("in", "range"):
            try:
                lookup.rhs = lookup.prepare([])
            except PreparedNone:
                return self._null_test(str(lookup_class.lookup_name), left)
        return lookup

    def _items(self, lookup_class: type[Lookup], left: Valued, values: tuple[Any, ...]) -> Any:
        """Return the values of a list, or of a row, some of which are expressions, each with its type."""
        arranged = getattr(lookup_class, "arranged", None)
        if arranged is not None:
            return arranged(left, values, self._compared)
        field = left._output_field_or_none
        typed = self._compared if field is not None and field.is_relation else self._typed
        return tuple(typed(item, left) for item in values if not isinstance(item, OutOfRange))

    def _compared(self, item: object, left: Valued) -> Any:
        """Return an item whose value is prepared as one that is compared with `left`: it may be an object."""
        typed = self._typed(item, left)
        if isinstance(item, Arg):
            self.query.place(item, left.get_lookup("exact")(left, item).prepare)
        return typed

    def _typed(self, item: object, left: Valued) -> Any:
        if not isinstance(item, Arg):
            return item
        return Value(item, output_field=left._output_field_or_none).resolve_expression(self.query)

    # -- negation over several rows -------------------------------------------------------------

    def _split_exclude(self, pair: tuple[str, Any], scope: ConditionScope) -> tuple[Where, set[str]]:
        """Turn a negated lookup over several rows into EXISTS: an object is excluded when any of its rows matches."""
        name, value = pair
        inner = type(self.query)(self.query.model)
        inner.source = Source(relations=self.query.source.relations)
        inner.base = self.query.base
        if isinstance(value, F):
            value = OuterRef(OuterRef(value.name) if isinstance(value, OuterRef) else value.name)
        inner.add_condition(Condition(AND, False, ((name, value),)))
        self.query.prepare.update(inner.prepare)
        inner.clear_ordering(force=True)
        inner.resolve_outer(self.query, True, scope.reuse)
        if (shared := self._shared_row(inner, name, scope.reuse)) is not None:
            near, far, key = shared
            for field in key:
                inner.where.add(field.get_lookup("exact")(Col(near, field), Outer(Col(far, field))), AND)
        self._tie(inner)
        inner.placement = Placement(subquery=True)
        exists = Exists(Embedded(inner.for_exists(), 0))
        return Where([self.build_lookup(["exact"], exists, True)]), set()

    def _tie(self, inner: Joining) -> None:
        """Make a subquery on the same model speak of this query's row, with as few tables as can say so."""
        keys = self.query.model._meta.pk_fields
        needed = {*inner.joins} if inner.where.contains_subquery else _joins_of(inner.where)
        same = inner.joins.trim_start(needed) or {key: key for key in keys}
        near, far = inner.joins.base, self.query.initial_alias()
        assert near is not None
        for ours, theirs in same.items():
            inner.where.add(Exact(Col(near, ours), Outer(Col(far, theirs))), AND)

    def _shared_row(
        self, inner: Joining, name: str, reuse: set[str] | None
    ) -> tuple[str, str, list[Any]] | None:
        """Return what ties the related row of a negated lookup to the one that conditions beside it speak of.

        That is its alias in the subquery, its alias here and the fields of its key; None where no other condition speaks of such a row,
        and where the lookup holds for objects without one.
        """
        path = self.query.resolve_path(paths.split(name))
        near, far = inner.initial_alias(), self.query.initial_alias()
        for position, hop in enumerate(path.hops):
            relation = path.named.get(position)
            here = self.query.joins.find(hop, far, reuse if hop.many else None, relation)
            there = inner.joins.find(hop, near, None, relation)
            if here is None or there is None:
                return None
            near, far = there, here
            if hop.many:
                return None if inner.joins[near].outer else (near, far, hop.target._meta.pk_fields)
        return None


def try_transform(left: Expression, name: str, lookups: Iterable[Any] | None = None) -> Expression:
    """Apply the transform `name`; raises FieldError with the names that would be right."""
    if (transform := left.get_transform(name)) is not None:
        transformed: Expression = transform(left)
        return transformed
    field = left.output_field
    rest = LOOKUP_SEP.join(lookups[lookups.index(name) :]) if isinstance(lookups, list) else name
    close = difflib.get_close_matches(name, [*field.get_lookups()])
    hint = f", perhaps you meant {' or '.join(close)}?" if close else "."
    raise FieldError(
        f"Unsupported lookup '{rest}' for {type(field).__name__} or join on the field not permitted{hint}"
    )


class _Constants(Values):
    """Freezes nothing: the constants of a condition outside a step stay where they are."""

    def add(self, value: object) -> Any:
        return WrittenValue(value)


def _as_compared(constant: WrittenValue, left: Valued, lookup_class: type[Lookup]) -> Any:
    """Return a constant, or those in a list, as the field of the left side takes them."""
    if (field := left._output_field_or_none) is None:
        return constant
    if lookup_class.lookup_name in ("in", "range"):
        return tuple(Value(item, field) for item in constant.value)
    return Value(constant.value, field)


def adapt_query(lookup: Lookup, query: Query) -> None:
    """Make a queryset on a lookup's right side select what the left side is compared with."""
    if lookup.lookup_name == "in":
        query.clear_ordering()
        if not query.has_select_fields and not query.select:
            query.select_only("pk")
        query.refuse_several(lookup.lookup_name)
    elif lookup.lookup_name in ("exact", "iexact", "gt", "gte", "lt", "lte"):
        if lookup.lookup_name == "exact" and not query.one_row:
            raise ValueError(
                "The QuerySet value for an exact lookup must be limited to one result using slicing."
            )
        if not query.has_select_fields and not query.select:
            query.select_only("pk")
        query.refuse_several(lookup.lookup_name)


def _holds_without_row(lookup: Lookup, scope: ConditionScope) -> bool:
    """Whether a lookup, negated as its place in the condition wants it, holds where there is no row to look at."""
    if lookup.lookup_name == "isnull":
        return lookup.rhs is not scope.current_negated
    return scope.current_negated and lookup.rhs is not None


def _has_none(value: object) -> bool:
    return isinstance(value, ArgWithNone) or (isinstance(value, tuple) and None in value)


def _check_filterable(expression: object) -> None:
    for part in expression.flatten() if isinstance(expression, Expression) else (expression,):
        if not getattr(part, "filterable", True):
            raise FieldError(f"{type(part).__name__} is disallowed in the filter clause.")


def _untyped_outer_ref(reference: ResolvedOuterRef) -> Exception:
    return FieldError(
        f"OuterRef({reference.name!r}) cannot be compared in the subquery itself: its type is known only to the query around "
        f"it. Annotate ExpressionWrapper(OuterRef({reference.name!r}), output_field=…) instead."
    )


def _joins_of(expression: Resolved) -> set[str]:
    return {item.alias for item in expression.flatten() if isinstance(item, Col)}
