"""Foreign keys of existing tables as relations, and association tables as many-to-many relations.

A relation needs models on both tables, and SQLAlchemy's mappers know the names of theirs when all classes are defined: so they are
made when somebody looks at the fields of a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from facade.fields.relations.foreign_keys import ForeignKey, OneToOneField
from facade.fields.relations.foreign_objects import ForeignObject
from facade.fields.relations.many_to_many import ManyToManyField
from facade.foundation.imports import later
from facade.meta import registry
from facade.meta.options import Options
from facade.meta.reflected import Unsettled
from facade.orm.existing.tables import table_of
from facade.orm.instances.on_delete import DB_CASCADE, DB_SET_DEFAULT, DB_SET_NULL, DO_NOTHING

if TYPE_CHECKING:
    from sqlalchemy import orm

    from facade.fields import Field
    from facade.meta.registry import Apps
else:
    orm = later("sqlalchemy.orm")

__all__ = ["expect_relations", "settle"]

_ON_DELETE: dict[str | None, Any] = {
    "CASCADE": DB_CASCADE,
    "SET NULL": DB_SET_NULL,
    "SET DEFAULT": DB_SET_DEFAULT,
}
_KEPT = (
    "default",
    "db_default",
    "default_in_context",
    "on_update",
    "made_on_update",
    "creation_counter",
    "editable",
    "generated",
    "inferred",
)


class _Key(NamedTuple):
    """A foreign key that becomes a relation."""

    field: Field[Any]
    constraint: sa.ForeignKey
    name: str
    target: type[Any]
    far: sa.Column[Any]
    backward: str | None


def expect_relations(apps: Apps) -> None:
    """Look for relations again: a model has come to stand on a table that others may refer to."""
    with apps.standing(()):
        for model in dict.fromkeys(apps.on_tables.values()):
            opts = model._meta
            if type(opts) is Options:
                apps.unsettled.append(model)  # before anybody can ask
                opts.__class__ = Unsettled
                opts._expire_cache()


@registry.settle_relations.fill
def settle(apps: Apps) -> None:
    """Make the relations of all models that stand on tables, and of those that are made for association tables meanwhile."""
    changed = False
    for model in apps.unsettled:  # which may grow
        changed = _Relations(model).make() or changed
    for model in apps.unsettled:
        model._meta.__class__ = Options
    apps.unsettled.clear()
    if changed:
        apps.clear_cache()


class _Relations:
    """The relations of one model."""

    def __init__(self, model: type[Any]) -> None:
        self.model = model
        self.opts: Options = model._meta
        self.models = self.opts.apps.on_tables
        self.table = table_of(self.opts)

    def make(self) -> bool:
        """Make those whose other model is known; return whether there are new ones."""
        keys = [key for field, one in self._plain_keys() if (key := self._known_key(field, one)) is not None]
        unnamed = Counter(key.target for key in keys if key.backward is None)
        for key in keys:
            # Of several that nobody has named, none can have the name that a single one has.
            self._replace(key, "+" if unnamed[key.target] > 1 and key.backward is None else key.backward)
        pairs = [self._make_pairs(relationship) for relationship in self._relationships()]
        composite = [self._make_composite(relationship) for relationship in self._relationships()]
        return bool(keys) or any(pairs) or any(composite)

    def _relationships(self) -> list[orm.RelationshipProperty[Any]]:
        return [] if self.table.mapper is None else list(self.table.mapper.relationships)

    # -- foreign keys ---------------------------------------------------------------------------------

    def _plain_keys(self) -> Iterator[tuple[Field[Any], sa.ForeignKey]]:
        """Yield the fields of foreign keys of one column that are no relations, with the keys, in the order of the columns."""
        single = {
            one.elements[0].parent: one.elements[0]
            for one in self.table.table.foreign_key_constraints
            if len(one.elements) == 1
        }
        for field in list(self.opts.local_fields):
            if field.inferred and not field.is_relation and field.existing in single:
                yield field, single[field.existing]

    def _known_key(self, field: Field[Any], key: sa.ForeignKey) -> _Key | None:
        """Return a foreign key as a relation; None where its other model is not known, or there is no name for it."""
        far = self._column_referred_to(key)
        target = None if far is None else self.models.get(far.table)
        if far is None or target is None:
            return None
        forward, backward = self._named(field, target)
        name = forward or field.attname.removesuffix("_id")
        if name == field.attname or _has_attribute(self.model, name):
            return None  # a declared field can have one
        return _Key(field, key, name, target, far, backward)

    def _column_referred_to(self, key: sa.ForeignKey) -> sa.Column[Any] | None:
        """Return the column that a foreign key refers to; None where its table is not known."""
        try:
            return key.column
        except (sa.exc.NoReferencedTableError, sa.exc.NoReferencedColumnError):
            name, _, column = key.target_fullname.rpartition(".")
            table = self.opts.apps.reflected.get(name)
            return None if table is None else table.columns.get(column)

    def _replace(self, key: _Key, backward: str | None) -> None:
        """Put a relation in the place of the plain field."""
        opts, field, column = self.opts, key.field, key.constraint.parent
        relation = self._relation(key, backward)
        opts.local_fields.remove(field)
        if opts.pk is field:
            opts.pk = None
        delattr(self.model, field.attname)
        self.model.add_to_class(key.name, relation)
        relation.stand_on(column)

    def _relation(self, key: _Key, backward: str | None) -> ForeignKey[Any]:
        field, target = key.field, key.target
        kind: Any = OneToOneField if field.unique else ForeignKey
        referred = next(one for one in target._meta.local_fields if one.existing is key.far)
        made: ForeignKey[Any] = kind(
            target,
            on_delete=_ON_DELETE.get((key.constraint.ondelete or "").upper(), DO_NOTHING),
            to_field=None if referred is target._meta.pk else referred.attname,
            related_name=_related_name(target, self.opts, backward, kind is OneToOneField),
            null=field.null,
            blank=field.blank,
            primary_key=field.primary_key,
            db_index=field.db_index,
            db_column=field.db_column,
            db_comment=field.db_comment,
            help_text=field.help_text,
        )
        for option in _KEPT:
            setattr(made, option, getattr(field, option))
        made.existing_attname = field.attname
        return made

    def _named(self, field: Field[Any], target: type[Any]) -> tuple[str | None, str | None]:
        """Return what mapped classes call a relation, from here and from the other side."""
        columns, forward, backward = {field.existing}, None, None
        for one in self._relationships():
            if (
                one.direction is orm.RelationshipDirection.MANYTOONE
                and one.local_columns == columns
                and not one.viewonly
            ):
                forward, backward = one.key, one.back_populates
                break
        mapper = table_of(target._meta).mapper
        for one in [] if mapper is None or backward else mapper.relationships:
            if (
                one.direction is orm.RelationshipDirection.ONETOMANY
                and one.remote_side == columns
                and not one.viewonly
            ):
                backward = one.key
                break
        return forward, backward

    # -- foreign keys of several columns ----------------------------------------------------------------

    def _make_composite(self, relationship: orm.RelationshipProperty[Any]) -> bool:
        """Make the relation of a `relationship()` over a foreign key of several columns, which keep fields of their own."""
        constraint = self._composite_key(relationship)
        if constraint is None or _has_attribute(self.model, relationship.key):
            return False
        far: list[Any] = [self._column_referred_to(key) for key in constraint.elements]
        if (target := self.models.get(far[0].table)) is None:
            return False
        near = [key.parent for key in constraint.elements]
        own, others = _by_column(self.opts), _by_column(target._meta)
        nullable = any(column.nullable for column in near)
        field: Any = ForeignObject(
            target,
            on_delete=_ON_DELETE.get((constraint.ondelete or "").upper(), DO_NOTHING),
            from_fields=[own[column].attname for column in near],
            to_fields=[others[column].attname for column in far],
            related_name=_related_name(target, self.opts, self._backward(relationship), False),
            null=nullable,
            blank=nullable,
            editable=False,  # the fields of its columns are
            serialize=False,
        )
        field.inferred = True
        self.model.add_to_class(relationship.key, field)
        return True

    def _composite_key(self, relationship: orm.RelationshipProperty[Any]) -> sa.ForeignKeyConstraint | None:
        """Return the foreign key of several columns that a relationship follows, and nothing besides."""
        if relationship.direction is not orm.RelationshipDirection.MANYTOONE or relationship.viewonly:
            return None
        condition = relationship.primaryjoin
        parts = list(condition.clauses) if isinstance(condition, sa.BooleanClauseList) else [condition]
        pairs = {frozenset(pair) for pair in relationship.local_remote_pairs or ()}
        if len(parts) != len(pairs) or len(pairs) < 2:
            return None
        for constraint in self.table.table.foreign_key_constraints:
            if pairs == {
                frozenset((key.parent, self._column_referred_to(key))) for key in constraint.elements
            }:
                return constraint
        return None

    def _backward(self, relationship: orm.RelationshipProperty[Any]) -> str:
        """Return what the other side calls its list of the objects that refer to it; "+" where it has none."""
        pairs = {(far, near) for near, far in relationship.local_remote_pairs or ()}
        for one in relationship.mapper.relationships:
            is_list = (
                one.direction is orm.RelationshipDirection.ONETOMANY and one.uselist and not one.viewonly
            )
            if is_list and one.mapper is relationship.parent and pairs == set(one.local_remote_pairs or ()):
                return one.key
        return "+"

    # -- association tables ----------------------------------------------------------------------------

    def _make_pairs(self, relationship: orm.RelationshipProperty[Any]) -> bool:
        """Make the many-to-many relation of `relationship(secondary=…)`, unless the other side has made it."""
        between, far = relationship.secondary, relationship.mapper.local_table
        target = self.models.get(far) if isinstance(far, sa.Table) else None
        if not isinstance(between, sa.Table) or target is None or relationship.viewonly:
            return False
        if _has_attribute(self.model, relationship.key) or _is_made(target, between):
            return False
        own = self.models.get(between)  # a model of the user's own on the table between
        if own is not None and target is self.model:
            return False  # which of its keys is which, a declared field can say
        names = (relationship.synchronize_pairs, relationship.secondary_synchronize_pairs)
        field: Any = ManyToManyField(
            target,
            related_name=_related_name(target, self.opts, relationship.back_populates, False),
            symmetrical=False,
            through=between if own is None else own,
            through_fields=[*map(_column_of, names)] if own is None else None,
        )
        field.inferred, field.blank = True, True
        self.model.add_to_class(relationship.key, field)
        return True


def _is_made(target: type[Any], between: sa.Table) -> bool:
    """Return whether the other side has made the relation over a table."""
    fields = target._meta.local_many_to_many
    return any(getattr(field.remote_field.through, "__table__", None) is between for field in fields)


def _by_column(opts: Options) -> dict[Any, Field[Any]]:
    return {field.existing: field for field in opts.local_fields if field.existing is not None}


def _column_of(pairs: Sequence[tuple[Any, Any]] | None) -> str:
    """Return what a column of an association table is called that one side's key is copied to."""
    return str((pairs or ())[0][1].key)


def _has_attribute(model: type[Any], name: str) -> bool:
    return any(name in vars(base) for base in model.__mro__)


def _related_name(target: type[Any], opts: Options, named: str | None, single: bool) -> str:
    """Return the name of the other side's attribute; "+", which is none, where that is taken."""
    default = opts.model_name if single else f"{opts.model_name}_set"
    name = named or opts.default_related_name or default
    queried = named or opts.default_related_name or opts.model_name
    if name == "+":
        return name
    taken = _has_attribute(target, name) or any(
        queried in (one.name, getattr(one, "attname", None)) for one in target._meta.local_fields
    )
    if taken:
        return "+"
    return named or ""
