"""What a queryset asks for, with the values left out: the state of which SQL is made.

A Query is changed only while a step is applied to a fresh copy (see `sql/plan/shape.py`); from then on it is shared and never touched.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from facade.exceptions import FieldError
from facade.expressions.base import Expression
from facade.expressions.names import with_names
from facade.expressions.q import AND
from facade.expressions.references import F, Outer, OuterRef, Ref, ResolvedOuterRef, columns
from facade.expressions.subquery import Embedded, columns_read
from facade.expressions.tree import rewritten, unchanged
from facade.sql.query import paths
from facade.sql.query.conditions import Conditions, try_transform
from facade.sql.query.joins import Joins
from facade.sql.query.paths import ManyValues, Path
from facade.sql.query.state import (
    PART_OF,
    Grouping,
    Loading,
    Order,
    Placement,
    RowLock,
    Selection,
    Slice,
    Source,
)
from facade.sql.query.where import Nothing, Where

if TYPE_CHECKING:
    from facade.expressions.comparisons import Lookup
    from facade.expressions.contracts import Resolvable, Valued
    from facade.expressions.freezing import Arg
    from facade.expressions.q import Condition
    from facade.expressions.tree import Change


class Query:
    """One SELECT: tables, conditions, annotations, selection, order and limits."""

    # The parts of the state, which never change; those of `PARTS` are replaced as wholes.
    selection = Selection()
    grouping = Grouping()
    order = Order()
    slice = Slice()
    loading = Loading()
    source = Source()
    placement = Placement()
    lock: RowLock | None = None
    updates: tuple[tuple[Any, Any], ...] = ()
    asks_when_empty = False  # whether only the database can tell the result, even where no row can match
    sticky = 0  # how many more steps may speak of the same rows of a many-valued relation

    def __init__(self, model: type[Any]) -> None:
        self.model = model
        self.arity = 0
        self.base = 0
        self.prepare: dict[int, Callable[[Any], Any] | None] = {}
        self.joins = Joins()
        self.used_aliases: set[str] = set()
        self.where = Where()

    def __repr__(self) -> str:
        return f"<Query on {self.model.__name__}>"

    def clone(self) -> Self:
        clone = copy.copy(self)
        clone.joins = self.joins.copy()
        clone.where = self.where.clone()
        clone.used_aliases = set(self.used_aliases) if self.sticky else set()
        clone.sticky = max(self.sticky - 1, 0)
        clone.prepare = {}
        clone.base = self.arity
        return clone

    @property
    def opts(self) -> Any:
        return self.model._meta

    # -- arguments ---------------------------------------------------------------------

    def place(self, arg: Arg, prepare: Callable[[Any], Any] | None) -> Arg:
        """Give a value of the step that is being applied its number in the query; `prepare` makes it fit its column."""
        placed = arg.moved(self.base)
        self.prepare[arg.index] = prepare
        return placed

    @contextmanager
    def behind(self, base: int) -> Iterator[None]:
        """Resolve what an earlier step has brought, and prepared: its values begin at `base`."""
        kept = self.base, self.prepare
        self.base, self.prepare = base, {}
        try:
            yield
        finally:
            self.base, self.prepare = kept

    def add_condition(self, condition: Condition, reuse_all: bool = False) -> None:
        Conditions(self).add(condition, reuse_all)

    def resolve_condition(self, condition: Resolvable, *args: Any, **options: Any) -> Any:
        return Conditions(self).resolve(condition, *args, **options)

    def build_lookup(self, names: list[str], left: Expression, value: object) -> Any:
        return Conditions(self).build_lookup(names, left, value)

    def place_lookup(self, lookup_class: type[Lookup], left: Valued, value: object) -> Any:
        return Conditions(self).place_lookup(lookup_class, left, value)

    # -- what Django's users look at --------------------------------------------------------

    def shown(self, name: str) -> Any:
        """Return what Django's users know by this name, whichever part holds it."""
        part = PART_OF.get(name)
        return getattr(self if part is None else getattr(self, part), name)

    @property
    def alias_map(self) -> dict[str, Any]:
        """The joins by alias."""
        return {alias: self.joins[alias] for alias in self.joins}

    @property
    def alias_refcount(self) -> dict[str, int]:
        """How many parts of the query need each join; the FROM clause leaves out what nothing needs."""
        counts: dict[str, int] = self.joins.counts
        return counts

    # -- what expressions may ask of it -----------------------------------------------------

    @property
    def annotations(self) -> Mapping[str, Any]:
        return self.selection.annotations

    @property
    def select(self) -> Mapping[str, Any]:
        return self.selection.select

    @property
    def database(self) -> str | None:
        return self.placement.database

    @property
    def one_row(self) -> bool:
        return self.slice.one_row

    @property
    def is_sliced(self) -> bool:
        return self.slice.is_sliced

    @property
    def combined(self) -> tuple[Embedded, ...]:
        return self.source.combined

    @property
    def expressions(self) -> Iterator[Any]:
        """All that is resolved: what the order names is not, and parts of a combined query have expressions of their own."""
        yield self.where
        yield from self.joins.conditions
        yield from self.selection.expressions

    # -- state questions -------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        return self.where.is_nothing

    def set_empty(self) -> None:
        self.where.add(Nothing(), AND)

    @property
    def has_select_fields(self) -> bool:
        return self.selection.selected is not None

    @property
    def annotation_select(self) -> Mapping[str, Any]:
        """The annotations that are part of the result."""
        return self.selection.annotation_select

    @property
    def is_ordered(self) -> bool:
        order = self.order
        return bool(
            order.order_by
            or order.extra_order
            or (order.default_ordering and self.model._meta.ordering and not self.grouping.group_by)
        )

    @property
    def output_field(self) -> Any:
        """The field of the only selected column, None where there are several."""
        selection = self.selection
        if len(selection.select) == 1:
            (column,) = selection.select.values()
            return column.output_field
        if len(computed := selection.annotation_select) == 1 and not selection.default_cols:
            (annotation,) = computed.values()
            return annotation.output_field
        return self.opts.pk if selection.default_cols else None

    # -- joins ---------------------------------------------------------------------------

    def initial_alias(self) -> str:
        alias: str = self.joins.add_base(self.model)
        return alias

    def resolve_path(self, names: list[str], allow_many: bool = True, complete: bool = False) -> Path:
        return paths.resolve(
            names,
            self.opts,
            annotations=self.annotation_select,
            relations=self.source.relations,
            allow_many=allow_many,
            complete=complete,
        )

    def join_path(self, path: Path, reuse: set[str] | None = None) -> list[str]:
        """Add the joins of a path; return the aliases on the way, the base table first."""
        aliases = [self.initial_alias()]
        for position, hop in enumerate(path.hops):
            relation = path.named.get(position)
            known, usable = len(self.joins), reuse if hop.many else None
            alias = self.joins.join(hop, aliases[-1], usable, hop.nullable, relation)
            if relation is not None:
                if len(self.joins) > known:
                    self.joins.restrict(alias, relation.resolve(self, alias, usable))
                if reuse is not None:
                    reuse.add(alias)
            aliases.append(alias)
        return aliases

    def trim(self, path: Path, aliases: list[str]) -> tuple[tuple[Any, ...], list[str]]:
        """Drop joins from the end of a path whose only purpose is a value that the table before them has as well."""
        targets, aliases = path.targets, list(aliases)
        for position in range(len(path.hops) - 1, -1, -1):
            hop = path.hops[position]
            if len(aliases) == 1 or not hop.direct or position in path.named:
                break
            near = {far.column: near for near, far in hop.columns}
            if not all(target.column in near for target in targets):
                break
            targets = tuple(near[target.column] for target in targets)
            self.joins.release(aliases.pop())
        return targets, aliases

    def column_of(
        self, name: str, reuse: set[str] | None = None, allow_joins: bool = True, allow_many: bool = True
    ) -> Any:
        """Return the expression that a field path, with transforms at its end, stands for."""
        names = paths.split(name)
        path = self.resolve_path(names, allow_many)
        aliases = self.join_path(path, reuse)
        targets, aliases = self.trim(path, aliases)
        if not allow_joins and len(aliases) > 1:
            raise FieldError("Joined field references are not permitted in this query")
        if reuse is not None:
            reuse.update(aliases)
        return self._transformed_by(path, names, columns(aliases[-1], targets, path.value_field))

    def _transformed_by(self, path: Path, names: list[str], expression: Expression) -> Any:
        """Apply the transforms at the end of a path."""
        for transform in path.rest:
            if expression.get_transform(transform) is None:
                raise paths.no_join(names, path)
            expression = try_transform(expression, transform)
        return expression

    def refuse_several(self, lookup: str | None, wanted: int = 1) -> None:
        """Raise ValueError where this query, as a lookup's right side, selects another number of columns."""
        count = sum(map(self.width_of, self.selection.selected or self.select))
        if count and count != wanted:
            name = "'in'" if lookup == "in" else lookup
            raise ValueError(
                f"The QuerySet value for the {name} lookup must have {wanted} selected fields (received {count})"
            )

    def width_of(self, name: str) -> int:
        """Return how many columns a value of this name stands for, where it is or would be selected."""
        if (width := self.selection.width_of(name)) is not None:
            return width
        if self.combined:
            width = self.combined[0].query.width_of(name)
        return width or len(self.resolve_path(paths.split(name)).targets)

    def resolve_prefixed(self, expression: object, prefix: str) -> Any:
        """Resolve an expression that was written for the model to which the relations of `prefix` lead."""
        return with_names(expression, lambda name: prefix + name).resolve_expression(self)

    def resolve_ref(
        self, name: str, allow_joins: bool = True, reuse: set[str] | None = None, summarize: bool = False
    ) -> Any:
        """Return what F(name) stands for in this query."""
        if name in self.annotations:
            return self._annotation_ref(name, allow_joins, summarize)
        first, *rest = paths.split(name)
        if (annotation := self.annotations.get(first)) is not None:
            for transform in rest:
                annotation = try_transform(annotation, transform, name)
            return annotation
        return paths.referred(self.column_of(name, reuse, allow_joins))

    def _annotation_ref(self, name: str, allow_joins: bool, summarize: bool) -> Any:
        annotation = self.annotations[name]
        if not allow_joins and any(self.joins[column.alias].parent for column in columns_read(annotation)):
            raise FieldError("Joined field references are not permitted in this query")
        if not summarize:
            return annotation
        if name not in self.annotation_select:
            raise FieldError(f"Cannot aggregate over the '{name}' alias. Use annotate() to promote it.")
        return Ref(name, annotation)

    def given(self, values: dict[str, Any]) -> Facts:
        """Return a query in which names stand for expressions, whose arguments are this one's."""
        facts = Facts()
        facts.base, facts.prepare = self.base, self.prepare
        facts.learn(values)
        return facts

    # -- annotations ---------------------------------------------------------------------

    def add_annotation(
        self, annotation: Expression, alias: str, select: bool = True, summarize: bool = False
    ) -> None:
        """Add an annotation under a name; without `select` it can be used but is not part of the result."""
        resolved = annotation.resolve_expression(self, allow_joins=True, reuse=None, summarize=summarize)
        self.selection = (
            self.selection.annotated(alias, resolved) if select else self.selection.aliased(alias, resolved)
        )

    def set_group_by(self) -> None:
        """Group by everything selected that is not an aggregate, and refer to it where it is selected."""
        self._group_by_columns(self.select, by_name=True)

    def _group_by_columns(self, columns: Mapping[str, Any], by_name: bool) -> None:
        """Group by these columns, and by the annotations that are selected and no aggregates."""
        group_by = list(columns.values())
        for name, annotation in self.annotation_select.items():
            columns_of = annotation.get_group_by_cols()
            named = by_name and columns_of and not annotation.contains_aggregate
            group_by.extend([Ref(name, annotation)] if named else columns_of)
        self.grouping = replace(self.grouping, group_by=tuple(group_by))

    def _group_by_model(self, known: Mapping[str, Any]) -> None:
        """Group by all columns of the model, as annotations with an aggregate do, and by what is known besides."""
        names = (field.attname for field in self.opts.concrete_fields)
        self._group_by_columns({**known, **self._columns(names, allow_many=False)}, by_name=False)

    # -- selection ---------------------------------------------------------------------------

    def clear_select(self) -> None:
        self.selection = self.selection.nothing()
        if self.loading.select_related:
            self.loading = replace(self.loading, select_related=False)

    def add_fields(self, names: Iterable[str], allow_many: bool = True) -> None:
        """Select the fields that the names stand for."""
        select = {**self.select, **self._columns(names, allow_many)}
        default = self.selection.default_cols and not select
        self.selection = replace(self.selection, select=select, default_cols=default)

    def _columns(self, names: Iterable[str], allow_many: bool = True) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for name in names:
            try:
                columns[name] = self.column_of(name, allow_many=allow_many)
            except ManyValues:
                raise FieldError(f"Invalid field name: '{name}'") from None
        return columns

    def select_only(self, *names: str) -> None:
        """Select these fields: what a queryset that is compared with columns must do."""
        if self.source.combinator:  # each of its parts selects them
            self.set_values(names)
            return
        self.clear_select()
        self.add_fields(names)

    def set_values(self, names: tuple[str, ...]) -> None:
        """Turn the rows into the named values; without names all fields and annotations."""
        self.loading = Loading()
        fields = self._split_names(names) if names else [field.attname for field in self.opts.concrete_fields]
        self._keep_groups(names)
        select, default = self._columns(fields), self.selection.default_cols and not names
        self.selection = replace(
            self.selection,
            select=select,
            default_cols=default and not select,
            selected=names or None,
            repeated=None,
        )

    def _keep_groups(self, names: tuple[str, ...]) -> None:
        """Group as before when the rows turn into `names`: by what is selected no more as well."""
        group_by = self.grouping.group_by
        if group_by is True:
            self._group_by_model({})
        elif names and group_by:
            self._group_by_what_stands_for(
                [item.refs for item in group_by if isinstance(item, Ref) and item.refs not in names]
            )

    def _group_by_what_stands_for(self, names: Container[str]) -> None:
        """Group by the annotations themselves where these names refer to what is selected."""

        def written_out(item: object) -> Any:
            return self.annotations[item.refs] if isinstance(item, Ref) and item.refs in names else item

        self.grouping = self.grouping.mapped(written_out)

    def _split_names(self, names: tuple[str, ...]) -> list[str]:
        """Return the names that are fields; the annotations among the names are selected, the others masked."""
        selectable = self.annotation_select
        fields = [name for name in names if name not in selectable]
        for name in fields:
            if name not in self.annotations:
                if self.annotations:
                    self.resolve_path(paths.split(name))  # for an error that names all the choices
            else:
                hint = (
                    f"It was excluded by a previous values() or values_list() call. Include '{name}' in that call to select it."
                    if selectable
                    else "Use annotate() to promote it."
                )
                raise FieldError(f"Cannot select the '{name}' alias. {hint}")
        if self.annotations:
            mask = frozenset(name for name in names if name in selectable)
            self.selection = replace(self.selection, annotation_mask=mask)
        return fields

    # -- order ------------------------------------------------------------------------------------

    def add_ordering(self, *ordering: Any) -> None:
        """Append to the order; names are checked now, and resolved when the SQL is made."""
        errors = []
        for item in ordering:
            if isinstance(item, str):
                self._check_ordering_name(item)
            elif not isinstance(item, (Expression, F)):
                errors.append(item)
            if getattr(item, "contains_aggregate", False):
                raise FieldError(
                    f"Using an aggregate in order_by() without also including it in annotate() is not allowed: {item}"
                )
        if errors:
            raise FieldError(f"Invalid order_by arguments: {errors}")
        if ordering:
            order_by = self.order.order_by + ordering
            self.order = replace(self.order, order_by=order_by, order_base=self.base)
            self._prepare_ordering(ordering)
        else:
            self.order = replace(self.order, default_ordering=False)

    def _prepare_ordering(self, ordering: tuple[Any, ...]) -> None:
        """Find out how the values in expressions have to be prepared; the expressions are resolved with the SQL."""
        expressions = [item for item in ordering if not isinstance(item, str)]
        if not expressions or self.source.combinator:
            return
        probe = self.clone()
        probe.base = self.base
        for item in expressions:
            with suppress(FieldError):  # what it names may be annotated later
                item.resolve_expression(probe)
        self.prepare.update(probe.prepare)

    def _check_ordering_name(self, name: str) -> None:
        if name != "?":
            self.check_path(name.removeprefix("-"))

    def check_path(self, name: str) -> None:
        """Raise FieldError unless `name` leads to an annotation or a column, with transforms at its end or without."""
        if name in self.annotations:
            return
        first, *rest = paths.split(name)
        if (annotation := self.annotations.get(first)) is not None:
            for transform in rest:
                annotation = try_transform(annotation, transform, name)
            return
        names = paths.split(name)
        path = self.resolve_path(names)
        self._transformed_by(path, names, columns("", path.targets, path.value_field))

    def clear_ordering(self, force: bool = False, clear_default: bool = True) -> None:
        """Forget the order where that cannot change the result, or with `force` anyway."""
        if not force and (self.is_sliced or self.grouping.distinct_fields or self.lock):
            return
        self.order = self.order.cleared(clear_default)

    # -- inside other queries -----------------------------------------------------------------------

    def resolve_outer(self, outer: Self, allow_joins: bool = True, reuse: set[str] | None = None) -> None:
        """Resolve the references to the query around this one."""

        def found(reference: F) -> Any:
            return reference.resolve_expression(outer, allow_joins, reuse)

        def further_in(embedded: Embedded) -> Embedded:
            return _resolved_part(embedded, _Through(outer), allow_joins, reuse)

        def resolve(item: object) -> Any:
            return rewritten(item, {F: found, Embedded: further_in})

        def opened(reference: OuterRef) -> Any:
            return resolve(reference.resolve_expression(self))

        # An order is not resolved yet: names of its own query stay as they are.
        in_order: dict[type, Change] = {OuterRef: opened, ResolvedOuterRef: found, F: unchanged}

        def resolve_in_order(item: object) -> Any:
            return rewritten(item, in_order)

        def beside(part: Embedded) -> Embedded:
            return _resolved_part(part, outer, allow_joins, reuse)

        self.change_expressions(resolve, resolve_in_order, beside)

    def change_expressions(
        self, change: Change, in_order: Change, part: Callable[[Embedded], Embedded]
    ) -> None:
        """Change all expressions, those that the order is made of by `in_order`, and by `part` the queries combined in this one."""
        self.where = change(self.where)
        self.joins.map_conditions(change)
        self.selection = self.selection.mapped(change)
        self.grouping = self.grouping.mapped(change)
        self.order = self.order.mapped(in_order)
        self.source = self.source.mapped(part)

    def for_exists(self, sliced: bool = False) -> Self:
        """Return this query reduced to the question whether it has a row, in a slice if `sliced`."""
        query = self.clone()
        sliced = sliced or query.is_sliced
        counts_rows = query.grouping.distinct and sliced  # how many there are, its columns decide
        if not counts_rows and not query.source.combinator:
            if query.grouping.group_by is True:
                query._group_by_model(query.select)
            else:
                query._group_by_what_stands_for(self.annotations)
            query.clear_select()
        query.clear_ordering(force=not sliced)
        query.selection = replace(query.selection, exists_only=not counts_rows)
        if counts_rows and query.slice.high is None:
            query.slice = replace(query.slice, high=1)
        query.lock = None
        return query


def _resolved_part(part: Embedded, outer: Any, allow_joins: bool, reuse: set[str] | None) -> Embedded:
    inner = part.query.clone()
    inner.resolve_outer(outer, allow_joins, reuse)
    return Embedded(inner, part.offset)


class _Through:
    """Stands, for a query two levels down, for the middle query: references stay open by one level."""

    def __init__(self, outer: Query) -> None:
        self.outer = outer

    def resolve_ref(self, name: str, *args: Any) -> Any:
        return Outer(self.outer.resolve_ref(name, *args))


class Facts(Query):
    """A query without a table: the names in its expressions stand for other expressions."""

    selection = Selection(default_cols=False)
    order = Order(default_ordering=False)

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"<Facts: {', '.join(self.annotations)}>"

    @property
    def opts(self) -> Any:
        return None

    def learn(self, values: dict[str, Any]) -> None:
        """Let names stand for unresolved expressions."""
        for name, value in values.items():
            self.selection = self.selection.known(name, value.resolve_expression(self))
        self.selection = replace(self.selection, annotation_mask=frozenset())

    def initial_alias(self) -> str:
        return ""

    def resolve_path(self, names: list[str], allow_many: bool = True, complete: bool = False) -> Path:
        raise paths.unknown_name(names[0], self.annotations)
