"""What else goes when an object is deleted: the collector."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from facade.db.connection import connections
from facade.db.scopes.atomic import atomic, mark_for_rollback_on_error
from facade.exceptions import ProtectedError, RestrictedError
from facade.orm.instances.on_delete import CASCADE, SKIP_COLLECTION
from facade.signals import post_delete, pre_delete
from facade.sql.writes.delete import (
    BATCH_MAX,
    by_primary_key,
    delete_one,
    delete_rows,
    select_rows,
    update_rows,
)
from facade.sql.writes.table_writer import table_writer

if TYPE_CHECKING:
    from facade.db.connection import Database
    from facade.fields import Field
    from facade.fields.contracts import Instance, Objects, OnDelete
    from facade.orm.querysets.writing import Writing
    from facade.signals import Signal

# -- what refers to an object ---------------------------------------------------------------


def _referenced(model: type[Any]) -> set[Any]:
    """Return the fields of `model` that others refer to, which the collector has to know."""
    return {field for relation in model._meta.referring for field in relation.field.foreign_related_fields}


def _stored(field: Field[Any], value: object) -> Any:
    """Return the key that stands for a related object."""
    return value.prepare_database_save(field) if hasattr(value, "prepare_database_save") else value


def _has_listeners(model: type[Any]) -> bool:
    if not (pre_delete.receivers or post_delete.receivers):
        return False
    return pre_delete.has_listeners(model) or post_delete.has_listeners(model)


def goes_alone(model: type[Any], from_field: Field[Any] | None = None) -> bool:
    """Return whether nobody cares about a row of a model that is deleted: no receiver, no other row, no parent's row.

    A cascade through `from_field`, from the parent's table, need not go back there.
    """
    opts = model._meta
    if _has_listeners(model):
        return False
    for link in opts.concrete_model._meta.parents.values():
        if link != from_field:
            return False
    for relation in opts.referring:
        if relation.field.remote_field.on_delete not in SKIP_COLLECTION:
            return False
    return not (
        opts.private_fields and any(hasattr(one, "bulk_related_objects") for one in opts.private_fields)
    )


def delete_alone(obj: Instance, using: str) -> tuple[int, dict[str, int]]:
    """Delete the row of an instance that goes alone: one statement."""
    opts = obj._meta
    try:
        count = delete_one(obj, opts.concrete_model, connections[using])
    except BaseException:
        with mark_for_rollback_on_error(using=using):
            raise  # only now is it marked: what succeeds need not pay for it
    setattr(obj, opts.pk.attname, None)
    return count, {opts.label: count}


def delete_unread(queryset: Writing[Any, Any], using: str) -> tuple[int, dict[str, int]]:
    """Delete the rows of a queryset that go alone: one statement."""
    try:
        count = queryset._raw_delete(using=using)
    except BaseException:
        with mark_for_rollback_on_error(using=using):
            raise
    return count, {queryset.model._meta.label: count} if count else {}


class RelatedRows:
    """The rows of `model` whose `fields` refer to one of `objs`: read when looked at, or changed without being read."""

    def __init__(self, model: type[Any], fields: Sequence[Any], objs: Sequence[Any], using: str) -> None:
        self.model, self.fields, self.objs, self.using = model, fields, objs, using
        self._result_cache: list[Any] | None = None

    @property
    def database(self) -> Database:
        return connections[self.using]

    @property
    def conditions(self) -> list[Any]:
        pairs = []
        for field in self.fields:
            targets = [target.attname for target in field.foreign_related_fields]
            keys = dict.fromkeys(tuple(getattr(obj, name) for name in targets) for obj in self.objs)
            pairs.append((field.local_related_fields, [key for key in keys if None not in key]))
        return [pair for pair in pairs if pair[1]]

    def _load(self) -> list[Any]:
        if self._result_cache is None:
            self._result_cache = list(self._read())
        return self._result_cache

    def _read(self) -> Iterator[Any]:
        model, opts = self.model, self.model._meta
        if opts.parents or opts.base_manager.name != "_base_manager":
            yield from self._read_managed()
        elif conditions := self.conditions:
            fields = opts.concrete_fields
            if not _has_listeners(model):
                needed = {*opts.pk_fields, *_referenced(model)}
                fields = [field for field in fields if field in needed]
            names = [field.attname for field in fields]
            database = self.database
            home = database.home
            for values in select_rows(model, fields, conditions, database):
                yield model.from_db(home, names, values)

    def _read_managed(self) -> Iterator[Any]:
        """Read through the model's manager: it may hide rows, and knows where inherited columns are."""
        found: dict[Any, Any] = {}
        manager = self.model._base_manager.using(self.using)
        for field in self.fields:
            found.update((obj.pk, obj) for obj in manager.filter(**{f"{field.name}__in": list(self.objs)}))
        yield from found.values()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def __bool__(self) -> bool:
        return bool(self._load())

    def __getitem__(self, index: int | slice) -> Any:
        return self._load()[index]

    def _raw_delete(self, using: str) -> int:
        """Delete the rows unread; return how many there were."""
        return (
            delete_rows(self.model, conditions, connections[using]) if (conditions := self.conditions) else 0
        )

    def update(self, **values: Any) -> int:
        """Give the rows the same values, unread; return how many there were."""
        opts = self.model._meta
        if not (conditions := self.conditions):
            return 0
        stored = {(field := opts.get_field(name)): _stored(field, value) for name, value in values.items()}
        return update_rows(self.model, stored, conditions, self.database)


# -- the collector ---------------------------------------------------------------------------


class Collector:
    """Finds everything that a deletion takes with it, then deletes it in an order that foreign keys allow.

    `origin` is the instance or queryset whose `delete()` was called; the signals tell it. With `force_collection` every
    object is read, even where one DELETE would do.
    """

    def __init__(self, using: str, origin: object = None, force_collection: bool = False) -> None:
        self.using, self.origin, self.force_collection = using, origin, force_collection
        #: The instances to delete, by model.
        self.data: dict[type[Any], Any] = {}
        #: ``{(field, value): [instances, ...]}``
        self.field_updates: dict[tuple[Any, Any], list[Any]] = defaultdict(list)
        #: ``{model: {field: {instances}}}``
        self.restricted_objects: dict[type[Any], dict[Any, set[Any]]] = {}
        #: Querysets and the like to delete unread.
        self.fast_deletes: list[Any] = []
        #: Concrete models and those whose rows have to be deleted before.
        self.dependencies: dict[type[Any], set[type[Any]]] = defaultdict(set)

    # collecting

    def add(
        self,
        objs: Objects,
        source: type[Any] | None = None,
        nullable: bool = False,
        reverse_dependency: bool = False,
    ) -> list[Any]:
        """Note `objs` for deletion; return those that were not noted yet.

        `source` is the model whose deletion led here. Where the key is nullable, or the database sets it to NULL first,
        the order does not matter.
        """
        if not objs:
            return []
        model = type(objs[0])
        known = self.data.setdefault(model, set())
        new = [obj for obj in objs if obj not in known]
        known.update(new)
        if source is not None and not nullable:
            self.add_dependency(source, model, reverse_dependency=reverse_dependency)
        return new

    def add_dependency(
        self, model: type[Any], dependency: type[Any], reverse_dependency: bool = False
    ) -> None:
        """Note that rows of `dependency` refer to rows of `model`; `reverse_dependency` turns this round."""
        if reverse_dependency:
            model, dependency = dependency, model
        self.dependencies[model._meta.concrete_model].add(dependency._meta.concrete_model)
        self.data.setdefault(dependency, set())

    def add_field_update(self, field: Field[Any], value: object, objs: Iterable[Any]) -> None:
        """Note that `field` of `objs`, which are of one model, gets a value."""
        self.field_updates[field, value].append(objs)

    def add_restricted_objects(self, field: Field[Any], objs: Sequence[Any]) -> None:
        """Note objects that forbid the deletion unless they are deleted, too."""
        if objs:
            fields = self.restricted_objects.setdefault(type(objs[0]), {})
            fields.setdefault(field, set()).update(objs)

    def can_fast_delete(self, objs: Iterable[Any], from_field: Field[Any] | None = None) -> bool:
        """Return whether `objs` (an instance, a model or a queryset) need not be read to be deleted.

        `from_field` is the foreign key that led here.
        """
        if self.force_collection or (from_field and from_field.remote_field.on_delete is not CASCADE):
            return False
        if hasattr(objs, "_meta"):
            model = objs._meta.model
        elif hasattr(objs, "model") and hasattr(objs, "_raw_delete"):
            model = objs.model
        else:
            return False
        return goes_alone(model, from_field)

    def get_del_batches(self, objs: Sequence[Any], fields: Sequence[Any]) -> list[Sequence[Any]]:
        """Return `objs` in parts small enough for one statement with a condition on each of `fields`."""
        size = min(BATCH_MAX, max(1, connections[self.using].max_parameters // max(1, len(fields))))
        return [objs[start : start + size] for start in range(0, len(objs), size)]

    def related_objects(
        self, related_model: type[Any], related_fields: Sequence[Any], objs: Sequence[Any]
    ) -> Any:
        """Return the rows of `related_model` that refer to one of `objs`, not read yet."""
        return RelatedRows(related_model, related_fields, objs, self.using)

    def collect(
        self,
        objs: Objects,
        source: type[Any] | None = None,
        nullable: bool = False,
        collect_related: bool = True,
        source_attr: str | None = None,
        reverse_dependency: bool = False,
        keep_parents: bool = False,
        fail_on_restricted: bool = True,
    ) -> None:
        """Note `objs` (of one model: instances or a queryset), their parents' rows and all that depends on them.

        `source` is the model whose deletion led here, `nullable` whether the foreign key that did may be NULL.
        `reverse_dependency` says that `source` has to be deleted first, as a child before its parent.
        `fail_on_restricted` False leaves the check of RESTRICT to the call around this one, which may yet collect more.
        """
        if self.can_fast_delete(objs):
            self.fast_deletes.append(objs)
            return
        new = self.add(objs, source, nullable, reverse_dependency=reverse_dependency)
        if not new:
            return
        model = type(new[0])
        if not keep_parents:
            self._collect_parents(model, new)
        if not collect_related:
            return
        self._collect_related(model, new, keep_parents)
        for field in model._meta.private_fields:
            if hasattr(field, "bulk_related_objects"):
                found = field.bulk_related_objects(new, self.using)
                self.collect(found, source=model, nullable=True, fail_on_restricted=False)
        if fail_on_restricted:
            self._check_restricted(model)

    def _collect_parents(self, model: type[Any], objs: list[Any]) -> None:
        for link in model._meta.concrete_model._meta.parents.values():
            if link:
                self.collect(
                    [getattr(obj, link.name) for obj in objs],
                    source=model,
                    collect_related=False,
                    reverse_dependency=True,
                    fail_on_restricted=False,
                )

    def _collect_related(self, model: type[Any], objs: list[Any], keep_parents: bool) -> None:
        unread: dict[type[Any], list[Any]] = defaultdict(list)
        protected: dict[str, list[Any]] = defaultdict(list)
        for relation in model._meta.referring:
            if keep_parents and relation.model._meta.concrete_model in model._meta.all_parents:
                continue
            field = relation.field
            if (on_delete := self._on_delete(field)) is None:
                continue
            if self.can_fast_delete(relation.related_model, from_field=field):
                unread[relation.related_model].append(field)
                continue
            for batch in self.get_del_batches(objs, [field]):
                found = self.related_objects(relation.related_model, [field], batch)
                if getattr(on_delete, "lazy_sub_objs", False) or found:
                    try:
                        on_delete(self, field, found, self.using)
                    except ProtectedError as error:
                        protected[f"'{field.model.__name__}.{field.name}'"] += error.protected_objects
        if protected:
            raise ProtectedError(
                f"Cannot delete some instances of model {model.__name__!r} because they are referenced through "
                f"protected foreign keys: {', '.join(protected)}.",
                set(chain.from_iterable(protected.values())),
            )
        for related_model, fields in unread.items():
            for batch in self.get_del_batches(objs, fields):
                self.fast_deletes.append(self.related_objects(related_model, fields, batch))

    def _on_delete(self, field: Field[Any]) -> OnDelete | None:
        """Return what to do about the rows that refer through `field`, None for nothing."""
        on_delete = field.remote_field.on_delete
        if on_delete not in SKIP_COLLECTION:
            return on_delete  # type: ignore[no-any-return]
        return getattr(on_delete, "forced_collector", None) if self.force_collection else None

    def _check_restricted(self, model: type[Any]) -> None:
        """Raise `RestrictedError` unless all restricted objects are deleted along other ways."""
        if not self.restricted_objects:
            return
        for related_model, instances in self.data.items():
            self._release_restricted(related_model, instances)
        for rows in self.fast_deletes:
            if rows.model in self.restricted_objects:
                self._release_restricted(rows.model, set(rows))
        left: dict[str, list[Any]] = defaultdict(list)
        for related_model, fields in self.restricted_objects.items():
            for field, objs in fields.items():
                if objs:
                    left[f"'{related_model.__name__}.{field.name}'"] += objs
        if left:
            raise RestrictedError(
                f"Cannot delete some instances of model {model.__name__!r} because they are referenced through "
                f"restricted foreign keys: {', '.join(left)}.",
                set(chain.from_iterable(left.values())),
            )

    def _release_restricted(self, model: type[Any], objs: Iterable[Any]) -> None:
        for restricted in self.restricted_objects.get(model, {}).values():
            restricted.difference_update(objs)

    # deleting

    def instances_with_model(self) -> Iterator[tuple[type[Any], Any]]:
        """Yield each collected instance with its model."""
        for model, instances in self.data.items():
            for obj in instances:
                yield model, obj

    def sort(self) -> None:
        """Bring the models in an order in which rows go before those they refer to, if there is one."""
        waiting, ordered = list(self.data), list[type[Any]]()
        done: set[type[Any]] = set()
        while waiting:
            before, waiting = waiting, []
            for model in before:
                if self.dependencies.get(model._meta.concrete_model, set()) <= done:
                    ordered.append(model)
                    done.add(model._meta.concrete_model)
                else:
                    waiting.append(model)
            if waiting == before:
                return
        self.data = {model: self.data[model] for model in ordered}

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete what was collected; return how many rows, in all and by model label."""
        self.data = {model: sorted(instances, key=attrgetter("pk")) for model, instances in self.data.items()}
        self.sort()
        if (alone := self._single_instance()) is not None:
            return delete_alone(alone, self.using)
        deleted: Counter[str] = Counter()
        lone = len(self.fast_deletes) == 1 and not self.data and not self.field_updates
        block = (
            mark_for_rollback_on_error(using=self.using)
            if lone
            else atomic(using=self.using, savepoint=False)
        )
        with block:
            self._delete_all(deleted)
        for model, obj in self.instances_with_model():
            setattr(obj, model._meta.pk.attname, None)
        return deleted.total(), dict(deleted)

    def _delete_all(self, deleted: Counter[str]) -> None:
        """Run the statements and count the rows."""
        self._announce(pre_delete, self.instances_with_model())
        for rows in self.fast_deletes:
            if count := rows._raw_delete(using=self.using):
                deleted[rows.model._meta.label] += count
        for (field, value), groups in self.field_updates.items():
            self._update_field(field, value, groups)
        for model, instances in self.data.items():
            if count := self._delete_instances(model, instances[::-1]):
                deleted[model._meta.label] += count

    def _single_instance(self) -> Any:
        """Return the only thing to delete, if it is an instance that nobody else cares about."""
        if len(self.data) != 1 or self.fast_deletes or self.field_updates:
            return None
        (instances,) = self.data.values()
        return instances[0] if len(instances) == 1 and self.can_fast_delete(instances[0]) else None

    def _announce(self, signal: Signal, instances: Iterable[tuple[type[Any], Any]]) -> None:
        for model, obj in instances:
            if not model._meta.auto_created and signal.receivers:
                signal.send(sender=model, instance=obj, using=self.using, origin=self.origin)

    def _update_field(self, field: Field[Any], value: object, groups: list[Any]) -> None:
        read: dict[Any, Any] = {}
        for objs in groups:
            if getattr(objs, "_result_cache", objs) is None:
                objs.update(**{field.name: value})
            else:
                read.update((obj.pk, obj) for obj in objs)
        for batch in self.get_del_batches(list(read.values()), [field]):
            stored = {field: _stored(field, value)}
            update_rows(field.model, stored, by_primary_key(field.model, batch), connections[self.using])

    def _delete_instances(self, model: type[Any], instances: Sequence[Any]) -> int:
        table = model._meta.concrete_model
        writer, database = table_writer(table), connections[self.using]
        # The versions that others have were read just now.
        checked: list[Any] = [obj for obj in instances if obj is self.origin] if writer.version else []
        count: int = sum(delete_one(obj, table, database) for obj in checked)
        unchecked = [obj for obj in instances if obj not in checked] if checked else instances
        count += sum(
            delete_rows(table, by_primary_key(table, batch), database)
            for batch in self.get_del_batches(unchecked, writer.pk_fields)
        )
        self._announce(post_delete, ((model, obj) for obj in instances))
        return count
