"""Many rows at once, and rows that are found or made: what querysets delegate to."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import reduce
from itertools import chain, islice
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar

from facade.bridge import in_worker, wait_for_chunks
from facade.db.connection import connections
from facade.db.scopes.atomic import atomic, whole
from facade.db.scopes.together import check_together
from facade.db.settings.moved import moved
from facade.exceptions import FieldDoesNotExist, FieldError, IntegrityError, UnsupportedFeature
from facade.expressions.aggregates.plain import Max
from facade.expressions.base import Value
from facade.expressions.calls import DatabaseDefault
from facade.expressions.conditional import Case, When
from facade.expressions.functions.comparison import Cast, Stored
from facade.expressions.q import Q
from facade.fields import AutoField, Field
from facade.fields.declarations import LOOKUP_SEP
from facade.orm.instances.many import are_keys_set, mark_stored, prepare_related
from facade.orm.instances.persistence import Persistence, Saved
from facade.orm.instances.state import LOADED_FROM
from facade.signals import post_save, pre_save
from facade.sql.core.conflict import Conflict, check_ignore, check_update
from facade.sql.values import ExpressionFound, expression_of
from facade.sql.writes.insert import BulkInsert
from facade.sql.writes.table_writer import forget, table_writer
from facade.sql.writes.update import update_many
from facade.sql.writes.versions import Changing

if TYPE_CHECKING:
    from facade.meta.options import Options
    from facade.meta.versions import Version
    from facade.orm.instances.model import Model
    from facade.orm.querysets.writing import Writing
    from facade.vendors import Vendor


M = TypeVar("M")

# -- bulk_create ---------------------------------------------------------------------------------------


def bulk_create(
    queryset: Writing[Any, Any],
    objs: Iterable[M] | AsyncIterable[M],
    batch_size: int | None = None,
    ignore_conflicts: bool = False,
    update_conflicts: bool = False,
    update_fields: Iterable[str] | None = None,
    unique_fields: Iterable[str] | None = None,
    returning: bool = True,
) -> Any:
    """Insert `objs` on the queryset's database, one statement per batch, without signals; return them as a list.

    Rows that are there already are skipped with `ignore_conflicts`; with `update_conflicts` they get the values of
    `update_fields`, a conflict being equal values in `unique_fields`. Without `returning` no more than two batches are
    held at once, nothing that the database makes comes back, and the number of rows that were stored is returned.
    """
    model = queryset.model
    _check_batch_size(batch_size)
    for parent in model._meta.all_parents:
        if parent._meta.concrete_model is not model._meta.concrete_model:
            raise ValueError("Can't bulk create a multi-table inherited model")
    _check_face(objs, "bulk_create" if returning else "bulk_insert")
    if not objs:  # type: ignore[truthy-bool]  # most iterables have a length
        return objs if returning else 0
    update = [model._meta.get_field(name) for name in update_fields or ()]
    unique = [model._meta.pk if name == "pk" else model._meta.get_field(name) for name in unique_fields or ()]
    queryset._for_write = True
    alias = queryset.db
    conflict = _conflict(
        model, connections[alias].features, ignore_conflicts, update_conflicts, update, unique
    )
    creation = _Creation(model, alias, batch_size, conflict, returning)
    if returning:
        made = (
            list(objs)
            if isinstance(objs, Iterable)
            else list(chain.from_iterable(_parts(objs, creation.size)))
        )
        creation.store(made)
        return made
    # The block begins before the first row is asked for: what the rows' source reads belongs to it as well.
    with atomic(using=alias, savepoint=False):
        return sum(map(creation.store, _parts(objs, creation.size)))


def _check_face(objs: Iterable[M] | AsyncIterable[M], name: str) -> None:
    """Refuse objects that have to be awaited in code that cannot do so."""
    if isinstance(objs, AsyncIterable) and not isinstance(objs, Iterable) and not in_worker():
        raise TypeError(f"{name}() cannot wait for an asynchronous {type(objs).__name__}: await a{name}().")


def _parts(objs: Iterable[M] | AsyncIterable[M], size: int) -> Iterator[list[M]]:
    """Yield `objs` in lists of up to `size`, taking no more of them than that at once."""
    if not isinstance(objs, Iterable):
        yield from wait_for_chunks(objs, size)
        return
    rest = iter(objs)
    while part := list(islice(rest, size)):
        yield part


def _check_batch_size(batch_size: int | None) -> None:
    if batch_size is not None and batch_size <= 0:
        raise ValueError("Batch size must be a positive integer.")


def _conflict(
    model: type[Model],
    features: Vendor,
    ignore: bool,
    update: bool,
    update_fields: list[Any],
    unique_fields: list[Any],
) -> Conflict | None:
    if ignore and update:
        raise ValueError("ignore_conflicts and update_conflicts are mutually exclusive.")
    if ignore:
        check_ignore(features)
        return Conflict()
    if not update:
        return None
    if not update_fields:
        raise ValueError(
            "Fields that will be updated when a row insertion fails on conflicts must be provided."
        )
    if (version := model._meta.concrete_model._meta.version) is not None:
        raise UnsupportedFeature(
            f"bulk_create(update_conflicts=True) would change rows of {model._meta.label} whose versions ({version.field.name}) it has "
            "not seen. Load those that are there, and save() or bulk_update() them."
        )
    check_update(features, bool(unique_fields))
    if not all(field.concrete for field in update_fields):
        raise ValueError("bulk_create() can only be used with concrete fields in update_fields.")
    if any(field in model._meta.pk_fields for field in update_fields):
        raise ValueError("bulk_create() cannot be used with primary keys in update_fields.")
    if not all(field.concrete for field in unique_fields):
        raise ValueError("bulk_create() can only be used with concrete fields in unique_fields.")
    return Conflict(tuple(update_fields), tuple(unique_fields))


def _by_key(model: type[Model], objs: Sequence[Any], alias: str) -> tuple[list[Any], list[Any]]:
    """Separate the instances that have a primary key, or make one themselves, from those that get it by the database."""
    writer = table_writer(model._meta.concrete_model)
    counted = writer.counts_keys or not writer.pk_fields
    with_key: list[Any] = []
    without_key: list[Any] = []
    prepare_related(objs, "bulk_create", alias)
    for obj, is_set in zip(objs, are_keys_set(objs), strict=True):
        known = is_set
        if not known and not counted and not isinstance(obj.pk, DatabaseDefault):
            obj.pk = obj._meta.pk.get_pk_value_on_save(obj)
            known = obj._is_pk_set()
        (with_key if known else without_key).append(obj)
    return with_key, without_key


class _Creation:
    """The INSERTs of new instances of one model."""

    def __init__(
        self,
        model: type[Model],
        alias: str,
        batch_size: int | None,
        conflict: Conflict | None,
        returning: bool,
    ) -> None:
        self.model, self.alias, self.batch_size = model, alias, batch_size
        database, table = connections[alias], model._meta.concrete_model
        fields = tuple(field for field in table._meta.local_concrete_fields if not field.generated)
        without_auto = tuple(field for field in fields if not isinstance(field, AutoField))
        ignores = conflict is not None and not conflict.update
        returned: tuple[Any, ...] = ()
        if returning and database.can_return_rows_from_insert and not ignores:
            returned = tuple(table._meta.db_returning_fields)
        self._with_key = BulkInsert(table, fields, returned, database, conflict)
        self._without_key = BulkInsert(table, without_auto, returned, database, conflict)

    @property
    def size(self) -> int:
        """How many rows go into one statement."""
        return self._with_key.size(self.batch_size)

    def store(self, objs: Sequence[Any]) -> int:
        """Insert `objs`, all or none, and return how many rows were stored."""
        if not objs:
            return 0
        with_key, without_key = _by_key(self.model, objs, self.alias)
        _set_orders(self.model, self.alias, objs)
        with whole(self.alias, bool(with_key) + bool(without_key)):
            return self._insert(self._with_key, with_key) + self._insert(self._without_key, without_key)

    def _insert(self, insert: BulkInsert, objs: list[Any]) -> int:
        if not objs:
            return 0
        batches = insert.batches(objs, self.batch_size)
        with whole(self.alias, len(batches)):
            count = sum(map(insert.run, batches))
        mark_stored(objs, connections[self.alias].home)
        return count


def _set_orders(model: type[Model], alias: str, objs: Sequence[Any]) -> None:
    """Number the instances of a model with `order_with_respect_to` on behind those that are there."""
    if not (field := model._meta.order_with_respect_to):
        return
    siblings = [field.get_filter_kwargs_for_object(obj) for obj in objs]
    unique = {tuple(one.values()): one for one in siblings}
    names = list(siblings[0])
    found = model._base_manager.using(alias).filter(reduce(or_, (Q(**one) for one in unique.values())))
    following = dict.fromkeys(unique, 0)
    for *key, last in found.order_by().values_list(*names).annotate(facade_last=Max("_order")):
        following[tuple(key)] = last + 1
    for obj, one in zip(objs, siblings, strict=True):
        if getattr(obj, "_order", None) is None:
            group = tuple(one.values())
            obj._order = following[group]
            following[group] += 1


# -- bulk_update ---------------------------------------------------------------------------------------


def bulk_update(
    queryset: Writing[Any, Any], objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None
) -> int:
    """Store the named fields of `objs`, one UPDATE per batch, without signals; return the number of rows found."""
    _check_batch_size(batch_size)
    if not fields:
        raise ValueError("Field names must be given to bulk_update().")
    objs = tuple(objs)
    if not all(are_keys_set(objs)):
        queryset.model._meta.check_writable()
        raise ValueError("All bulk_update() objects must have a primary key set.")
    chosen = _updatable(queryset.model._meta, fields)
    if not objs:
        return 0
    queryset._for_write = True
    if moved.names or moved.blocks:
        home = connections[queryset.db].home
        for obj in objs:
            if obj.__dict__.get(LOADED_FROM) != home:  # as most say without a state of their own
                check_together(obj, queryset.db, "update")
    prepare_related(objs, "bulk_update", queryset.db, chosen)
    if (version := queryset.model._meta.concrete_model._meta.version) is not None:
        return _update_versions(queryset, objs, chosen, version, batch_size)
    remade = _refresh(queryset.model._meta, objs, chosen)
    alias = queryset.db
    if not queryset._has_filters() and not remade:
        with suppress(ExpressionFound):
            return update_many(objs, _by_table(chosen), connections[alias], batch_size)
    with atomic(using=alias, savepoint=False):
        return _update_filtered(queryset.using(alias), objs, chosen, batch_size)


def _update_versions(
    queryset: Writing[Any, Any],
    objs: Sequence[Any],
    chosen: list[Any],
    version: Version,
    batch_size: int | None,
) -> int:
    """Update rows that have versions: all of them, or none if one was changed meanwhile."""
    refused = UnsupportedFeature(
        f"bulk_update() of {queryset.model._meta.label} names the version that each object has ({version.field.name}), which it "
        "cannot beside filters, expressions, or an onupdate that is one. save() each object, or update()."
    )
    if queryset._has_filters():
        raise refused
    alias = queryset.db
    with Changing(objs, version, version.following), atomic(using=alias, savepoint=False):
        if _refresh(queryset.model._meta, objs, chosen):
            raise refused
        fields = [field for field in chosen if field is not version.field]
        if version.following is not None:
            fields.append(version.field)  # MySQL assigns in turn, and finds the rows by what it was
        try:
            found = update_many(objs, _by_table(fields), connections[alias], batch_size)
        except ExpressionFound:
            raise refused from None
        if found != (wanted := len({obj.pk for obj in objs})):
            raise queryset.model.NotUpdated(
                f"Of {wanted} objects of {queryset.model._meta.label}, {wanted - found} were changed or deleted meanwhile: no "
                f"rows have the {version.field.name} that they have. Nothing was written. Load them again to change them."
            )
    return found


def _refresh(opts: Options, objs: Sequence[Any], chosen: list[Any]) -> bool:
    """Give objects what every UPDATE of their existing table changes; return whether the UPDATE itself has to say so, too."""
    others = [field for field in opts.self_updating_fields if field not in chosen]
    for field in others:
        if field.on_update:
            chosen.append(field)
            for obj in objs:
                field.pre_save(obj, False)
        else:
            for obj in objs:
                forget(obj, [field])
    return any(field.existing.onupdate is not None for field in others if not field.on_update)


def _updatable(opts: Options, names: Iterable[str]) -> list[Any]:
    chosen = [opts.get_field(name) for name in names]
    if not all(field.concrete for field in chosen):
        raise ValueError("bulk_update() can only be used with concrete fields.")
    if generated := [str(field) for field in chosen if field.generated]:
        raise FieldError(f"bulk_update() cannot store generated fields: {', '.join(generated)}.")
    keys = {*opts.pk_fields, *(key for parent in opts.all_parents for key in parent._meta.pk_fields)}
    if not keys.isdisjoint(chosen):
        raise ValueError("bulk_update() cannot be used with primary key fields.")
    return chosen


def _by_table(fields: list[Any]) -> dict[type[Model], tuple[Any, ...]]:
    tables = dict.fromkeys(field.model for field in fields)
    return {table: tuple(field for field in fields if field.model is table) for table in tables}


def _update_filtered(
    queryset: Writing[Any, Any], objs: Sequence[Any], fields: list[Any], batch_size: int | None
) -> int:
    """Update through the queryset, for values that are expressions and for querysets that leave rows out."""
    limit = max(1, connections[queryset.db].max_parameters // (2 * (len(fields) + 1)))
    size = min(limit, batch_size) if batch_size else limit
    case = _typed_case if connections[queryset.db].features.infers_types else _case
    found = 0
    for start in range(0, len(objs), size):
        batch = objs[start : start + size]
        values = {field.attname: case(batch, field) for field in fields}
        found += queryset.filter(pk__in=[obj.pk for obj in batch]).update(**values)
    return found


def _typed_case(objs: Sequence[Any], field: Field[Any]) -> Cast:
    """PostgreSQL takes a CASE of nothing but NULLs for text."""
    return Cast(_case(objs, field), output_field=field)


def _case(objs: Sequence[Any], field: Field[Any]) -> Case:
    def value(obj: Model) -> Any:
        current = getattr(obj, field.attname)
        if type(current) is Value and (current.value is None or current.known_field is None):
            current = current.value
        if current is None:
            return Value(None)  # NULL, also of a column of documents
        if (expression := expression_of(field, current)) is not None:
            return Stored(expression, output_field=field)
        return Value(current, output_field=field)

    return Case(*(When(pk=obj.pk, then=value(obj)) for obj in objs), output_field=field)


# -- found or made -----------------------------------------------------------------------------------


def get_or_create(
    queryset: Writing[Any, Any], defaults: Mapping[str, Any] | None = None, **kwargs: Any
) -> tuple[Any, bool]:
    """Return the object that `kwargs` find, or the one made of them and `defaults`; and whether it was made.

    If somebody else makes it in the meantime, theirs is returned, in a transaction as well.
    """
    queryset._for_write = True
    if isinstance(defaults, dict):  # a lazy mapping is not looked at before it is needed
        _check_settable(queryset.model, defaults)
    try:
        return queryset.get(**kwargs), False
    except queryset.model.DoesNotExist:
        params = _params(queryset.model, kwargs, defaults or {})
    try:
        # In a transaction a block is a savepoint: a failed INSERT leaves the rest intact. A lone INSERT needs none.
        with nullcontext() if _is_lone_insert(queryset) else _undoable(queryset):
            return queryset.create(**_called(params)), True
    except IntegrityError:
        try:
            return queryset.get(**kwargs), False
        except queryset.model.DoesNotExist:
            pass
        raise


def _undoable(queryset: Writing[Any, Any]) -> Any:
    """Return a block that can be undone by itself, where the database can do that."""
    return atomic(using=queryset.db, savepoint=connections[queryset.db].features.uses_savepoints)


def _is_lone_insert(queryset: Writing[Any, Any]) -> bool:
    """Return whether saving a new object is one statement outside of any transaction."""
    model = queryset.model
    if model.save is not Persistence.save or model._meta.parents:
        return False
    if pre_save.has_listeners(model) or post_save.has_listeners(model):
        return False
    return not connections[queryset.db].in_atomic_block


def update_or_create(
    queryset: Writing[Any, Any],
    defaults: Mapping[str, Any] | None = None,
    create_defaults: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> tuple[Any, bool]:
    """Give the object that `kwargs` find the values of `defaults`, or make one of `kwargs` and `create_defaults`.

    `create_defaults` is `defaults` unless given. The row is locked while it changes. Returns the object and whether it was
    made.
    """
    values = defaults or {}
    queryset._for_write = True
    queryset.filter(**kwargs)  # bad lookups fail before the block begins
    if isinstance(values, dict):
        _check_settable(queryset.model, values)
    with _undoable(queryset):
        lockable = connections[queryset.db].features.has_select_for_update
        locked = queryset.select_for_update() if lockable else queryset
        obj, created = locked.get_or_create(values if create_defaults is None else create_defaults, **kwargs)
        if not created:
            for name, value in _called(values).items():
                setattr(obj, name, value)
            obj.save(using=queryset.db, update_fields=_changed(queryset.model._meta, values))
    return obj, created


def _changed(opts: Options, names: Iterable[str]) -> set[str] | None:
    """Return the fields to update: those named and those that set themselves on save; None if others are named."""
    changed = set(names)
    if not opts._non_pk_concrete_field_names.issuperset(changed):
        return None
    saved: Saved = opts.derived[Saved]
    return changed | saved.self_setting


def _params(model: type[Model], lookups: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a new object: the plain names among the lookups, and the defaults."""
    params = {name: value for name, value in lookups.items() if LOOKUP_SEP not in name}
    params.update(defaults)
    _check_settable(model, params)
    return params


def _check_settable(model: type[Model], names: Iterable[str]) -> None:
    saved: Saved = model._meta.derived[Saved]
    settable = saved.settable
    if settable.issuperset(names):
        return
    if unknown := sorted(name for name in names if not _settable(model, name)):
        raise FieldError(
            "Invalid field name(s) for model {}: '{}'.".format(model._meta.object_name, "', '".join(unknown))
        )
    settable.update(names)


def _settable(model: type[Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return name in model._meta._property_names and getattr(model, name).fset is not None
    return True


def _called(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with callables replaced by what they return."""
    return {name: value() if callable(value) else value for name, value in values.items()}
