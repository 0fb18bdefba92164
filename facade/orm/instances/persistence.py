"""How an instance is saved, reloaded and deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from facade.bridge import twin
from facade.db.connection import connections
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.db.scopes.atomic import atomic, mark_block
from facade.db.scopes.binding import Using, alias_of
from facade.db.scopes.together import check_together
from facade.db.settings.moved import moved
from facade.expressions.calls import DatabaseDefault
from facade.fields import Field
from facade.fields.declarations import LOOKUP_SEP
from facade.orm.instances.deletion import Collector, delete_alone, goes_alone
from facade.orm.querysets.prefetched import PREFETCHED
from facade.signals import post_save, pre_save
from facade.sql.writes.insert import insert_completed, insert_one
from facade.sql.writes.table_writer import Columns, TableWriter
from facade.sql.writes.update import row_exists, update_one
from facade.sql.writes.versions import lost_update

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.fields.contracts import Instance
    from facade.fields.relations.foreign_objects import ForeignObject
    from facade.meta.options import Options
    from facade.meta.versions import Version
    from facade.orm.instances.state import ModelState
    from facade.orm.querysets.queryset import QuerySet

    Whole = Instance
else:
    Whole = object

M = TypeVar("M", bound="Persistence")

_NO_FIELDS = "The following fields do not exist in this model, are m2m fields, primary keys, or are non-concrete fields: {}"


class Saved:
    """What saving needs to know about the fields of a model, worked out once."""

    __slots__ = (
        "attnames",
        "generic",
        "has_relations",
        "relations",
        "reverse_names",
        "self_setting",
        "settable",
    )

    def __init__(self, opts: Options) -> None:
        self.attnames = frozenset(field.attname for field in opts.concrete_fields if not field.generated)
        self.relations = tuple(field for field in opts.concrete_fields if field.is_relation)
        self.generic = tuple(
            field for field in opts.private_fields if field.is_relation and hasattr(field, "fk_field")
        )
        self.has_relations = bool(self.relations or self.generic)
        # Relations to one object that stand on the other side: `create()` takes none of them.
        self.reverse_names = frozenset(field.name for field in opts.related_objects if field.one_to_one)
        keys = opts.pk_fields
        own = (field for field in opts.local_concrete_fields if field not in keys)
        self.self_setting = frozenset(
            field.name for field in own if type(field).pre_save is not Field.pre_save
        )
        # Names that were found to be those of fields, or of properties that can be set.
        self.settable: set[str] = set()


class Persistence(Whole):
    """The part of a model that writes; mixed into :class:`~facade.orm.instances.model.Model`."""

    if TYPE_CHECKING:
        _meta: ClassVar[Options]
        _base_manager: ClassVar[Any]
        _state: ModelState
        _prefetched_objects_cache: dict[str, Any]
        NotUpdated: ClassVar[type[Exception]]
        pk: Any

        def get_deferred_fields(self) -> set[str]: ...

    # -- save ----------------------------------------------------------------------------------------

    def save(
        self,
        *,
        force_insert: bool | tuple[type[Any], ...] = False,
        force_update: bool = False,
        using: Using | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Store the instance: an UPDATE if its row exists, else an INSERT.

        `force_insert` (or a tuple of ancestors whose rows are new) and `force_update` insist on one of the two.
        `update_fields` names the only fields to update; with none at all nothing happens. Deferred fields are
        never written. `using` names the database, by default the one the instance came from. Values may be expressions.

        Raises ValueError for names that are no fields of the model and for related objects that are not
        saved yet, `Model.NotUpdated` if an update was insisted on and there is no such row, or if the rows have versions
        (``version_id_col``) and somebody else has changed or deleted this one meanwhile, and IntegrityError for what the database
        refuses.

        >>> ada = Author.objects.get(name="Ada")
        >>> ada.age += 1
        >>> ada.save(update_fields=["age"])
        >>> Author.objects.get(name="Ada").age
        37
        """
        saved: Saved = self._meta.derived[Saved]
        data = self.__dict__
        # An instance whose state nobody has looked at remembers no objects.
        if saved.has_relations and "_state" in data and data["_state"].fields_cache:
            self._prepare_related_fields_for_save(operation_name="save")
        using = (type(using) is str and using) or self._written_to(using)
        if (moved.names or moved.blocks) and "_state" in data and data["_state"].fields_cache:
            self._check_related_places(using)
        if force_insert and (force_update or update_fields):
            raise ValueError("Cannot force both insert and updating in model saving.")
        names: frozenset[str] | None = None
        if update_fields is not None:
            if not (names := frozenset(update_fields)):
                return
            if unknown := names - self._meta._non_pk_concrete_field_names:
                raise ValueError(_NO_FIELDS.format(", ".join(sorted(unknown))))
        elif not force_insert and not data.keys() >= saved.attnames:
            names = self._loaded_fields(using)
        self.save_base(using=using, force_insert=force_insert, force_update=force_update, update_fields=names)

    asave = twin(save)

    def _written_to(self, using: Using | None) -> str:
        """Return the name of the database that a write goes to: of what was given, or of where the instance belongs."""
        if not (using or router.routers or moved.blocks):  # what `db_for_write` says then, as each save asks
            return self._state.db or DEFAULT_DB_ALIAS
        return (using and alias_of(using)) or router.db_for_write(type(self), instance=self)

    def _loaded_fields(self, using: str) -> frozenset[str] | None:
        """Return the fields to update where some are deferred: all the others. None stands for all there are."""
        if using != self._state.db or not self._is_pk_set():
            return None
        saved: Saved = self._meta.derived[Saved]
        loaded = saved.attnames & self.__dict__.keys()
        return loaded.difference(field.attname for field in self._meta.pk_fields) or None

    def save_base(
        self,
        raw: bool = False,
        force_insert: bool | tuple[type[Any], ...] = False,
        force_update: bool = False,
        using: Using | None = None,
        update_fields: Collection[str] | None = None,
    ) -> None:
        """Do what `save` does once its arguments are checked: signals, the parents' rows, the instance's own row.

        ``raw`` (for loading fixtures) saves no parents and stores the attributes as they are.
        """
        origin = cls = type(self)
        using = (type(using) is str and using) or self._written_to(using)
        meta = cls._meta
        if meta.proxy:
            cls = meta.concrete_model
            meta = cls._meta
        announced = not meta.auto_created
        if announced and pre_save.receivers:
            pre_save.send(sender=origin, instance=self, raw=raw, using=using, update_fields=update_fields)
        database = connections[using]
        if meta.parents:
            with atomic(using=using, savepoint=False):
                created = self._save_tables(
                    cls, raw, force_insert, force_update, using, update_fields, database
                )
        else:
            try:
                if type(force_insert) is not bool:
                    force_insert = bool(self._validate_force_insert(force_insert))
                created = self._save_table(
                    cls, using, raw, force_insert, force_update, update_fields, database
                )
            except BaseException as error:
                mark_block(using, error)
                raise
        state = self._state
        state.db, state.adding = database.home, False
        if announced and post_save.receivers:
            facts = {"created": created, "update_fields": update_fields, "raw": raw, "using": using}
            post_save.send(sender=origin, instance=self, **facts)

    asave_base = twin(save_base)

    def _save_tables(
        self,
        cls: type[Any],
        raw: bool,
        force_insert: bool | tuple[type[Any], ...],
        force_update: bool,
        using: str,
        update_fields: Collection[str] | None,
        database: Database,
    ) -> bool:
        """Save the rows of the parents and of `cls`; return whether the latter was inserted."""
        new = bool(force_insert)
        if not raw:
            fresh = self._validate_force_insert(force_insert)
            new = self._save_parents(cls, using, update_fields, fresh, {}, database) or new
        return self._save_table(cls, using, raw, new, force_update, update_fields, database)

    @classmethod
    def _validate_force_insert(cls, force_insert: bool | tuple[type[Any], ...]) -> tuple[type[Any], ...]:
        """Return the classes whose rows have to be inserted."""
        if force_insert is False:
            return ()
        if force_insert is True:
            return (cls,)
        if not isinstance(force_insert, tuple):
            raise TypeError("force_insert must be a bool or tuple.")
        members: tuple[Any, ...] = force_insert
        for member in members:
            if not (isinstance(member, type) and issubclass(member, Persistence)):
                raise TypeError(f"Invalid force_insert member. {member!r} must be a model subclass.")
            if not issubclass(cls, member):
                raise TypeError(
                    f"Invalid force_insert member. {member.__qualname__} must be a base of {cls.__qualname__}."
                )
        return force_insert

    def _save_parents(
        self,
        cls: type[Any],
        using: str,
        update_fields: Collection[str] | None,
        fresh: tuple[type[Any], ...],
        done: dict[type[Any], bool],
        database: Database,
    ) -> bool:
        """Save the rows of the ancestors of `cls`, each once; return whether one of them was inserted.

        `done` tells of each ancestor that was saved whether it was inserted.
        """
        inserted = False
        for parent, link in cls._meta.parents.items():
            key = parent._meta.pk.attname
            if link and getattr(self, key) is None and getattr(self, link.attname) is not None:
                setattr(self, key, getattr(self, link.attname))
            if parent not in done:
                new = self._save_parents(parent, using, update_fields, fresh, done, database) or issubclass(
                    parent, fresh
                )
                done[parent] = self._save_table(parent, using, False, new, False, update_fields, database)
            inserted = inserted or done[parent]
            if link:
                setattr(self, link.attname, self._get_pk_val(parent._meta))
                # The link was set past its descriptor: an object remembered for it may be another one.
                if link.is_cached(self):
                    link.delete_cached_value(self)
        return inserted

    def _save_table(
        self,
        cls: type[Any],
        using: str,
        raw: bool,
        force_insert: bool,
        force_update: bool,
        update_fields: Collection[str] | None,
        database: Database,
    ) -> bool:
        """Update or insert the row in the table of `cls`; return whether it was inserted."""
        meta = cls._meta
        writer: TableWriter = meta.derived[TableWriter]
        pk_set = self._is_pk_set(meta)
        if not pk_set and not writer.counts_keys:
            pk_set = self._make_key(meta)
        if not pk_set and (force_update or update_fields):
            raise ValueError("Cannot force an update in save() with no primary key.")
        # A key that was made just now can have no row yet.
        made = writer.makes_keys and not raw and not force_update and self._state.adding
        if pk_set and not force_insert and not made:
            fields = writer.updatable
            if update_fields:
                fields = writer.named(update_fields)
            forced = bool(force_update or update_fields)
            if fields and (forced or not self._meta.select_on_save):
                found = update_one(self, writer, database, fields, raw)
            else:
                found = self._look_and_update(writer, database, fields, raw, update_fields is not None)
            if found:
                return False
            if writer.version is not None and not raw:
                self._check_unchanged(writer, database, writer.version)
            if force_update:
                raise self.NotUpdated("Forced update did not affect any rows.")
            if update_fields:
                raise self.NotUpdated("Save with update_fields did not affect any rows.")
        if meta.order_with_respect_to:
            self._set_next_order(cls, using)
        if raw or writer.inserts_plainly:
            insert_one(self, writer, database, pk_set, None if raw else True)
        else:
            insert_completed(self, writer, database, pk_set)
        return True

    def _make_key(self, meta: Options) -> bool:
        """Set the primary key's default; return whether there is a key now."""
        if isinstance(self._get_pk_val(meta), DatabaseDefault):
            return False
        if (key := meta.pk.get_pk_value_on_save(self)) is not None:
            setattr(self, meta.pk.attname, key)
        return self._is_pk_set(meta)

    def _look_and_update(
        self, writer: TableWriter, database: Database, fields: Columns, raw: bool, named: bool
    ) -> bool:
        """Update the row in one table where an UPDATE alone does not tell; return whether there is one."""
        if not fields:
            # The table holds nothing but the key, or `update_fields` names fields of other tables only.
            return named or row_exists(self, writer, database)
        # Triggers may make an UPDATE report no row though there is one.
        if not row_exists(self, writer, database):
            return False
        found = update_one(self, writer, database, fields, raw)
        return found or (writer.version is None and row_exists(self, writer, database))

    def _check_unchanged(self, writer: TableWriter, database: Database, version: Version) -> None:
        """Raise `NotUpdated` if an UPDATE has found no row because somebody else has changed or deleted it."""
        state = self._state
        loaded = not state.adding and state.db == database.home
        if loaded or row_exists(self, writer, database):
            raise lost_update(self, version)

    def _set_next_order(self, cls: type[Any], using: str) -> None:
        field = cls._meta.order_with_respect_to
        siblings = cls._base_manager.using(using).filter(**field.get_filter_kwargs_for_object(self))
        last = siblings.order_by("-_order").values_list("_order", flat=True).first()
        self._order = 0 if last is None else last + 1

    def _prepare_related_fields_for_save(
        self, operation_name: str, fields: Iterable[Any] | None = None
    ) -> None:
        """Take over the keys of related objects saved since they were assigned; refuse those that are not saved."""
        saved: Saved = self._meta.derived[Saved]
        if not saved.has_relations or not (cache := self._state.fields_cache):
            return
        for field in saved.relations:
            if field.cache_name in cache and (not fields or field in fields):
                self._prepare_related_field(field, operation_name)
        for field in saved.generic:
            if (
                (obj := cache.get(field.cache_name))
                and not obj._is_pk_set()
                and (not fields or field in fields)
            ):
                raise ValueError(_unsaved(operation_name, field))

    def _check_related_places(self, using: str, fields: Iterable[Any] | None = None) -> None:
        """Refuse to store the key of an object that is a row of other schemas than those where this instance is stored."""
        saved: Saved = self._meta.derived[Saved]
        cache = self._state.fields_cache
        for field in saved.relations:
            if (obj := cache.get(field.cache_name)) is not None and (not fields or field in fields):
                check_together(obj, using, "store a reference to")

    def _prepare_related_field(self, field: ForeignObject[Any], operation_name: str) -> None:
        obj = getattr(self, field.name, None)
        if not obj:
            return
        if not obj._is_pk_set():
            if not field.remote_field.multiple:
                field.remote_field.delete_cached_value(obj)
            raise ValueError(_unsaved(operation_name, field))
        known = getattr(self, field.attname)
        if isinstance(known, DatabaseDefault) or known in field.empty_values:
            setattr(self, field.name, obj)
        if getattr(obj, field.target_field.attname) != getattr(self, field.attname):
            field.delete_cached_value(self)

    # -- reload ----------------------------------------------------------------------------------------

    def refresh_from_db(
        self,
        using: Using | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: QuerySet[Any, Any] | None = None,
    ) -> None:
        """Load the values of the fields again: of those named, or of all that are not deferred.

        `using` names the database, by default the one the instance came from. `from_queryset` is the queryset
        to look in, which may be one that locks the row. Relations that were loaded are forgotten.

        Raises `Model.DoesNotExist` if the row is gone, ValueError for names that lead across relations.

        >>> ada = Author.objects.get(name="Ada")
        >>> Author.objects.filter(name="Ada").update(age=50)
        1
        >>> ada.refresh_from_db()
        >>> ada.age
        50
        """
        names = self._forget_prefetched(fields)
        if names is not None and not names:
            return
        if from_queryset is None:
            from_queryset = type(self)._base_manager.db_manager(using, hints={"instance": self})
        elif using is not None:
            from_queryset = from_queryset.using(using)
        found = from_queryset.filter(pk=self.pk)
        if names is not None:
            found = found.only(*names)
        elif deferred := self.get_deferred_fields():
            loaded = (field.attname for field in self._meta.concrete_fields if field.attname not in deferred)
            found = found.only(*loaded)
        self._take_over(found.get(), names)

    arefresh_from_db = twin(refresh_from_db)

    def _forget_prefetched(self, fields: Iterable[str] | None) -> set[str] | None:
        """Forget prefetched relations among `fields` and return the others; None stands for everything."""
        if fields is None:
            self._prefetched_objects_cache = {}
            return None
        names = set(fields)
        prefetched = self.__dict__.get(PREFETCHED, {})
        for name in names & prefetched.keys():
            del prefetched[name]
            names.remove(name)
        for name in names:
            if LOOKUP_SEP in name:
                raise ValueError(
                    f'Found "{LOOKUP_SEP}" in fields argument. Relations and transforms are not allowed in fields.'
                )
        return names

    def _take_over(self, fresh: Persistence, names: set[str] | None) -> None:
        """Copy what `fresh`, the same row just loaded, has."""
        missing = fresh.get_deferred_fields()
        version = self._meta.concrete_model._meta.version
        if (
            version is not None
            and names is not None
            and names.isdisjoint((version.field.name, version.field.attname))
        ):
            missing.add(version.field.attname)  # the other values are of the state that was seen before
        for field in self._meta.fields:
            if field.attname in missing:
                continue
            if field.concrete:
                setattr(self, field.attname, getattr(fresh, field.attname))
            if field.is_relation:
                if field.is_cached(fresh):
                    field.set_cached_value(self, field.get_cached_value(fresh))
                elif field.is_cached(self):
                    field.delete_cached_value(self)
        for relation in (*self._meta.related_objects, *self._meta.private_fields):
            if (
                relation.is_relation
                and (names is None or relation.name in names)
                and relation.is_cached(self)
            ):
                relation.delete_cached_value(self)
        self._state.db = fresh._state.db

    # -- delete ----------------------------------------------------------------------------------------

    def delete(self, using: Using | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Delete the instance's row, and what depends on it as ``on_delete`` says.

        `keep_parents` leaves the rows of the parent models. Returns how many rows were deleted, in all and by
        model label. Raises ProtectedError or RestrictedError if rows forbid it, ValueError for an object without a primary key.

        >>> Author.objects.get(name="Ben").delete()
        (2, {'library.Book': 1, 'library.Author': 1})
        """
        if not self._is_pk_set():
            self._meta.check_writable()
            raise ValueError(
                f"{self._meta.object_name} object can't be deleted because its {self._meta.pk.attname} attribute is set "
                "to None."
            )
        using = (type(using) is str and using) or self._written_to(using)
        if goes_alone(self._meta.model):
            return delete_alone(self, using)
        collector = Collector(using=using, origin=self)
        collector.collect([self], keep_parents=keep_parents)
        return collector.delete()

    adelete = twin(delete)


def _unsaved(operation_name: str, field: Field[Any]) -> str:
    return f"{operation_name}() prohibited to prevent data loss due to unsaved related object '{field.name}'."
