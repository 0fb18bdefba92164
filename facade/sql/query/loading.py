"""Which columns of which models a row carries: select_related, only() and defer()."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldDoesNotExist, FieldError
from facade.sql.query.paths import split

if TYPE_CHECKING:
    from facade.fields import Field
    from facade.fields.relations.foreign_objects import ForeignObject
    from facade.fields.relations.reverse import ForeignObjectRel
    from facade.meta.options import Options
    from facade.sql.query.query import Query as SQLQuery


MAX_DEPTH = 5


@dataclass(slots=True)
class Part:
    """The columns of one model instance in a row, and of the instances that hang on it."""

    model: type[Any]
    alias: str
    fields: list[Any]
    link: Any = None
    reverse: bool = False
    attribute: str = ""  # of a filtered relation, which has no field
    parent: Part | None = (
        None  # the same object as a row of a parent model, whose columns are not selected twice
    )
    start: int = 0
    parts: list[Part] = field(default_factory=list)
    tables: dict[Any, str] = field(default_factory=dict)

    def alias_of(self, query: SQLQuery, model: type[Any]) -> str:
        """Return the alias of the table of `model`: the part's own model, or an ancestor, joined when it is first needed."""
        concrete = model._meta.concrete_model
        if (alias := self.tables.get(concrete)) is None:
            alias = self.alias
            for hop in self.model._meta.get_path_to_parent(concrete):
                known = self.tables.get(hop.target)
                alias = known or query.joins.join(hop, alias, None, hop.nullable)
                self.tables[hop.target] = alias
            self.tables[concrete] = alias
        return alias

    @property
    def columns(self) -> list[tuple[Any, int]]:
        """The fields the instance is made of and the positions of their columns, in the order of the fields."""
        own = [(item, self.start + index) for index, item in enumerate(self.fields)]
        if self.parent is None:
            return own
        found = dict((*self.parent.columns, *own))
        return [(item, found[item]) for item in self.model._meta.concrete_fields if item in found]

    def by_path(self, path: str = "") -> Iterator[tuple[str, Part]]:
        """Yield this part and all that hang on it by the names that `select_related()` knows them by, itself as "self"."""
        yield path or "self", self
        for child in self.parts:
            name = child.link.field.related_query_name() if child.reverse else child.link.name
            yield from child.by_path(f"{path}__{name}" if path else name)

    @property
    def knows_parent(self) -> bool:
        """Whether the object this one hangs on is the one that this one is related to."""
        return self.link is not None and bool(self.reverse or self.link.unique)

    @property
    def needs_state(self) -> bool:
        """Whether loading the row puts a related object on the instance."""
        return bool(self.parts) or self.knows_parent

    def walk(self) -> Iterator[Part]:
        yield self
        for part in self.parts:
            yield from part.walk()


Mask = dict[str, Any]


def mask_of(names: frozenset[str]) -> Mask:
    """Return dotted names as a tree."""
    tree: Mask = {}
    for name in names:
        node = tree
        for part in split(name):
            node = node.setdefault(part, {})
    return tree


class UnknownField(FieldError, FieldDoesNotExist):
    """A name in only() or defer() that is no field."""


def _field(opts: Options, name: str) -> Any:
    """Return the field or relation `name` of only() or defer()."""
    if name == "pk":
        return opts.pk
    for item in opts.get_fields():
        if name in (item.name, getattr(item, "attname", None)):
            return item
        if getattr(item, "auto_created", False) and not item.concrete and name == item.get_accessor_name():
            return item
    known = ", ".join(sorted(item.name for item in opts.get_fields()))
    raise UnknownField(f"{opts.object_name} has no field named '{name}'. Choices are: {known}")


def check_mask(opts: Options, tree: Mask, filtered: Container[str] = ()) -> None:
    """Raise FieldError for a name in only() or defer() that is no field, and no filtered relation."""
    for name, below in tree.items():
        if name in filtered:
            continue
        found = _field(opts, name)
        if below:
            if not found.is_relation:
                raise FieldError(
                    f"Cannot resolve keyword '{next(iter(below))}' into field. Join on '{name}' not permitted."
                )
            check_mask(found.related_model._meta, below)


def loaded_fields(opts: Options, tree: Mask, deferring: bool) -> list[Any]:
    """Return the concrete fields to load of a model, in their order."""
    fields = list(opts.concrete_fields)
    if not tree:
        return fields
    named = {_field(opts, name): below for name, below in tree.items()}
    version = opts.concrete_model._meta.version
    always = opts.pk_fields if version is None else [*opts.pk_fields, version.field]
    if deferring:
        return [item for item in fields if item in always or item not in named or named[item]]
    return [item for item in fields if item in always or item in named]


def select_parts(query: SQLQuery, start_alias: str) -> Part:
    """Return the instance tree a query loads, its joins added to the query."""
    names, deferring = query.loading.deferred
    tree = {name: below for name, below in mask_of(names).items() if name not in query.source.relations}
    requested = query.loading.select_related if isinstance(query.loading.select_related, dict) else None
    root = _part(query, query.model, start_alias, tree, deferring)
    if query.loading.select_related:
        _related(query, root, requested, tree, deferring, 1)
    position = 0
    for part in root.walk():
        part.start, position = position, position + len(part.fields)
    return root


def _part(
    query: SQLQuery,
    model: type[Any],
    alias: str,
    tree: Mask,
    deferring: bool,
    parent: Part | None = None,
    **link: Any,
) -> Part:
    fields = loaded_fields(model._meta, tree, deferring)
    if parent is not None:
        fields = [item for item in fields if item.model._meta.concrete_model not in parent.tables]
    part = Part(model, alias, fields, parent=parent, **link)
    part.tables.update(parent.tables if parent is not None else {})
    part.tables[model._meta.concrete_model] = alias
    for item in fields:
        part.alias_of(query, item.model)
    return part


def _related(
    query: SQLQuery, part: Part, requested: Mask | None, tree: Mask, deferring: bool, depth: int
) -> None:
    if requested is None and depth > MAX_DEPTH:
        return
    opts = part.model._meta
    found = set()
    for relation, name, reverse in _candidates(opts, requested):
        found.add(name)
        if (requested is None and relation.null) or (not reverse and _links_to_parent(relation)):
            continue
        below = _below(opts, relation, name, tree)
        if requested is not None and _left_out(opts, relation, name, reverse, tree, deferring):
            raise FieldError(
                f"Field {opts.object_name}.{name} cannot be both deferred and traversed using select_related at the same time."
            )
        alias = part.alias_of(query, relation.model)
        for hop in relation.hops:
            alias = query.joins.join(hop, alias, None, hop.nullable or reverse)
        child_tree = below if (deferring or below) else {}
        target = relation.related_model if reverse else relation.hops[-1].target
        # A child's row of its parent is this one.
        own = part if reverse and relation.parent_link else None
        child = _part(query, target, alias, child_tree, deferring, own, link=relation, reverse=reverse)
        part.parts.append(child)
        _related(
            query, child, None if requested is None else requested[name], child_tree, deferring, depth + 1
        )
    if requested is not None and depth == 1:
        found.update(_filtered(query, part, requested))
    if requested is not None and (unknown := set(requested) - found):
        raise _invalid(opts, unknown)


def _left_out(
    opts: Options, relation: ForeignObject[Any], name: str, reverse: bool, tree: Mask, deferring: bool
) -> bool:
    """Whether a relation to be followed is one that defer() or only() does not load."""
    if reverse:
        return not deferring and bool(tree) and name not in tree
    loaded = loaded_fields(opts, tree, deferring)
    return not all(item in loaded for item in relation.local_related_fields)


def _filtered(query: SQLQuery, part: Part, requested: Mask) -> list[str]:
    """Add the objects of filtered relations, which become attributes; return the relations' names."""
    names, tree = (
        [name for name in requested if name in query.source.relations],
        mask_of(query.loading.deferred[0]),
    )
    for name in names:
        path = query.resolve_path([name])
        alias, target = query.join_path(path)[-1], path.hops[-1].target
        points_back = len(path.hops) == 1 and not path.hops[0].direct and not path.final_field.many_to_many
        link, deferred = path.final_field if points_back else None, tree.get(name, {})
        child = _part(query, target, alias, deferred, True, attribute=name, link=link, reverse=points_back)
        part.parts.append(child)
        _related(query, child, requested[name], deferred, True, 2)
    return names


def _below(opts: Options, relation: ForeignObjectRel, name: str, tree: Mask) -> Mask:
    return tree.get(name) or tree.get(getattr(relation, "attname", name)) or {}


def _candidates(opts: Options, requested: Mask | None) -> Iterator[tuple[Any, str, bool]]:
    """Yield (relation, name, reverse) for the single-valued relations that are wanted."""
    for item in opts.fields:
        if (
            item.remote_field
            and getattr(item, "hops", None)
            and (requested is None or item.name in requested)
        ):
            yield item, item.name, False
    if requested is not None:
        for relation in opts.related_objects:
            if relation.one_to_one and (name := relation.field.related_query_name()) in requested:
                yield relation, name, True


def _links_to_parent(relation: Field[Any]) -> bool:
    """Whether a relation leads to the object's own row of a parent model, whose columns the object has."""
    return bool(getattr(relation.remote_field, "parent_link", False))


def _invalid(opts: Options, names: set[str]) -> FieldError:
    choices = [item.name for item in opts.fields if item.remote_field]
    choices += [
        relation.field.related_query_name() for relation in opts.related_objects if relation.one_to_one
    ]
    given = ", ".join(sorted(repr(name) for name in names))[1:-1].replace("', '", "', '")
    return FieldError(
        f"Invalid field name(s) given in select_related: '{given}'. Choices are: {', '.join(sorted(choices)) or '(none)'}"
    )


def check_select_related(opts: Options, requested: Mask, filtered: Container[str] = ()) -> None:
    """Raise FieldError for a name in select_related() that is no single-valued relation, and no filtered one."""
    known = {name: relation for relation, name, _ in _candidates(opts, requested)}
    if unknown := {name for name in requested if name not in known and name not in filtered}:
        non_relational = [name for name in sorted(unknown) if any(item.name == name for item in opts.fields)]
        if non_relational:
            raise FieldError(
                f"Non-relational field given in select_related: '{non_relational[0]}'. "
                f"Choices are: {', '.join(sorted(item.name for item in opts.fields if item.remote_field)) or '(none)'}"
            )
        raise _invalid(opts, unknown)
    for name, below in requested.items():
        if below and name in known:
            check_select_related(known[name].hops[-1].target._meta, below)


def named_parts(whole: Part | None, names: tuple[str, ...]) -> list[Part]:
    """Return the parts of a row that select_for_update(of=…) names; raises FieldError for a name of none."""
    known = {} if whole is None or not names else dict(whole.by_path())
    if unknown := [name for name in names if name not in known]:
        raise FieldError(
            f"Invalid field name(s) given in select_for_update(of=(...)): {', '.join(unknown)}. Only relational fields followed in the "
            f"query are allowed. Choices are: {', '.join(known)}."
        )
    return [known[name] for name in names]
