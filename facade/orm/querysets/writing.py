"""The part of QuerySet that writes: it creates, changes and deletes rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeVar

from facade.bridge import twin
from facade.db.connection import connections
from facade.db.scopes.atomic import atomic, mark_for_rollback_on_error
from facade.expressions.freezing import PLAIN, freeze_stored
from facade.orm.instances.deletion import Collector, delete_unread, goes_alone
from facade.orm.instances.persistence import Saved
from facade.orm.querysets import bulk
from facade.orm.querysets.arguments import freeze_named
from facade.orm.querysets.reading import Reading
from facade.sql.plan.mass_writes import delete_plan, update_plan
from facade.sql.query.assignments import check_sources, tables_of, with_refreshed

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from facade.meta.options import Options
    from facade.sql.plan.shape import Shape

M = TypeVar("M")
R = TypeVar("R", covariant=True, default=M)  # as in Reading


class Writing(Reading[M, R]):
    """The methods of a queryset that change the database."""

    def create(self, /, **kwargs: Any) -> R:
        """Make an object, save it and return it.

        TypeError for keywords that the model does not have, ValueError for values of the wrong kind, IntegrityError for what the
        database refuses.

        >>> Author.objects.create(name="Fay", age=50).pk is not None
        True
        """
        names = self.model._meta.derived[Saved].reverse_names
        if names and (reverse := names & kwargs.keys()):
            known = ", ".join(sorted(repr(name) for name in reverse))
            raise ValueError(f"The following fields do not exist in this model: {known[1:-1]}")
        obj = self.model(**kwargs)
        self._for_write = True
        if self._fetch_mode is not None:
            obj._state.fetch_mode = self._fetch_mode
        obj.save(force_insert=True, using=self.db)
        return obj  # type: ignore[no-any-return]

    acreate = twin(create)

    def bulk_create(
        self,
        objs: Iterable[M] | AsyncIterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Iterable[str] | None = None,
        unique_fields: Iterable[str] | None = None,
    ) -> list[M]:
        """Insert the objects, one statement per batch, and return them with their primary keys.

        `batch_size` is how many rows a statement has, by default as many as the database takes. `ignore_conflicts` passes over rows
        that break a constraint, and sets no keys; `update_conflicts` writes the `update_fields` of the rows that are there
        already, by the `unique_fields`. `save()` is not called, and no signals are sent. All batches are one transaction.

        >>> len(Tag.objects.bulk_create([Tag(word="drama"), Tag(word="travel")]))
        2
        """
        created: list[M] = bulk.bulk_create(
            self, objs, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
        )
        return created

    abulk_create = twin(bulk_create)

    def bulk_insert(
        self,
        objs: Iterable[M] | AsyncIterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Iterable[str] | None = None,
        unique_fields: Iterable[str] | None = None,
    ) -> int:
        """Insert what an iterator makes, holding no more than two batches of it; return the number of rows that were stored.

        The objects get nothing from the database. `abulk_insert` takes async iterators, too. Parameters are those of `bulk_create`.

        >>> Tag.objects.bulk_insert(Tag(word=f"word {number}") for number in range(1000))
        1000
        """
        stored: int = bulk.bulk_create(
            self,
            objs,
            batch_size,
            ignore_conflicts,
            update_conflicts,
            update_fields,
            unique_fields,
            returning=False,
        )
        return stored

    abulk_insert = twin(bulk_insert)

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Write the named fields of the objects, one statement per batch; return how many rows were found.

        Values may be expressions. `save()` is not called, and no signals are sent. ValueError for objects without a key, for a
        primary key among `fields`, and for no fields at all.

        >>> books = list(Book.objects.all())
        >>> for book in books:
        ...     book.pages += 1
        >>> Book.objects.bulk_update(books, ["pages"])
        3
        """
        return bulk.bulk_update(self, objs, fields, batch_size)

    abulk_update = twin(bulk_update)

    def get_or_create(self, /, defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> tuple[R, bool]:
        """Return (object, whether it was created).

        Keywords find it; where there is none, one is made of them and of `defaults`, whose values may be functions. Where
        somebody else makes it meanwhile and a unique constraint says so, theirs is returned. Raises
        `Model.MultipleObjectsReturned`.

        >>> Author.objects.get_or_create(name="Ada", defaults={"age": 20})
        (<Author: Ada>, False)
        """
        return bulk.get_or_create(self, defaults, **kwargs)

    aget_or_create = twin(get_or_create)

    def update_or_create(
        self,
        /,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> tuple[R, bool]:
        """Update the object that meets the conditions, or create it; return (object, whether it was created).

        `defaults` are the values that it gets; `create_defaults`, if given, those of a new one. The row is locked meanwhile, where
        the database has such locks. Raises `Model.MultipleObjectsReturned`.

        >>> author, created = Author.objects.update_or_create(name="Ada", defaults={"age": 37})
        >>> author.age, created
        (37, False)
        """
        return bulk.update_or_create(self, defaults, create_defaults, **kwargs)

    aupdate_or_create = twin(update_or_create)

    def _has_filters(self) -> bool:
        return bool(self._shape.query.where)

    def update(self, /, **kwargs: Any) -> int:
        """Assign values or expressions in the database; return the number of rows found.

        One statement: no object is loaded, `save()` is not called, no signals are sent. FieldDoesNotExist for names that the
        model does not have, FieldError for those that are no columns, TypeError for a slice.

        >>> from facade.models import F
        >>> Book.objects.filter(author__name="Ada").update(pages=F("pages") + 10)
        2
        """
        self._check_update()
        if not kwargs:
            return 0
        self._for_write = True
        opts = self.model._meta
        if opts.parents:
            tables = tables_of(opts, kwargs)
            if tables.keys() != {opts.concrete_model}:
                return self._update_tables(tables, kwargs)
        if opts.concrete_model._meta.stands_on is not None:
            kwargs = with_refreshed(opts, kwargs)
        return self._run_update(kwargs)

    aupdate = twin(update)

    def _update_tables(self, tables: dict[type[Any], list[str]], kwargs: dict[str, Any]) -> int:
        """Update columns of several tables, the model's own and its parents', of the same objects."""
        opts = self.model._meta
        for model, assigned in tables.items():
            for name in assigned:
                check_sources(opts, model, name, kwargs[name])
        parts = {model: {name: kwargs[name] for name in assigned} for model, assigned in tables.items()}
        for model, part in parts.items():  # what cannot be assigned is refused before anything is sent
            self._plain(model)._assigned_shape(part)
        keys = {model: _key_from(opts, model) for model in tables}
        names = tuple(dict.fromkeys(keys.values()))
        with atomic(using=self.db, savepoint=False):
            rows = self._plain_keys().values_list(*names)._results()
            for model, part in parts.items():
                position = names.index(keys[model])
                self._plain(model).filter(pk__in=[row[position] for row in rows]).update(**part)
        self._result_cache = None
        return len(rows)

    def _plain(self, model: type[Any]) -> Any:
        """Return the queryset of all objects of a model, on the same database."""
        raise NotImplementedError

    def _plain_keys(self) -> Any:
        return self._plain(self.model).filter(pk__in=self.order_by().values("pk"))

    def _check_update(self) -> None:
        query = self._shape.query
        if query.source.combinator:
            self._refuse_combined("update")
        if self._low or self._high is not None:
            raise TypeError("Cannot update a query once a slice has been taken.")
        if query.grouping.distinct_fields:
            raise TypeError("Cannot call update() after .distinct(*fields).")

    def _assigned_shape(self, assigned: dict[str, Any]) -> tuple[Shape, tuple[Any, ...]]:
        """Return the shape and the arguments of the UPDATE with these assignments."""
        for value in assigned.values():
            if type(value) not in PLAIN and type(value) is not bool:
                return self._expressions_shape("update", *freeze_named(assigned, freeze_stored))
        shape, bound = self._shape.advance(("update_plain", *assigned), tuple(assigned.values()))
        return shape, self._args + bound

    def _run_update(self, assigned: dict[str, Any]) -> int:
        shape, args = self._assigned_shape(assigned)
        database = connections[self.db]
        plan = update_plan(shape, database)
        try:
            count = plan.execute(database, args)
        except BaseException:
            with mark_for_rollback_on_error(using=database.alias):
                raise  # only now is it marked: what succeeds need not pay for it
        self._result_cache = None
        return count

    def _update(self, values: Iterable[tuple[Any, Any, Any]]) -> int:
        """Assign `(field, model, value)` triples, without the checks that save() has made already."""
        return self._run_update({field.name: value for field, _, value in values})

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the objects and what depends on them as `on_delete` says; return how many, in all and by model.

        Objects are loaded where signals or relations need them. Raises ProtectedError and RestrictedError before anything is
        deleted, TypeError for a slice.

        >>> Author.objects.filter(name="Ben").delete()
        (2, {'library.Book': 1, 'library.Author': 1})
        """
        self._check_delete()
        queryset = self._chain()
        queryset._for_write = True
        if goes_alone(self.model):
            result = delete_unread(queryset, queryset.db)
        else:
            if not self._shape.query.lock:
                queryset = queryset.select_related(None).order_by()
            collector = Collector(using=queryset.db, origin=self)
            collector.collect(queryset)
            result = collector.delete()
        self._result_cache = None
        return result

    adelete = twin(delete)

    def _check_delete(self) -> None:
        query = self._shape.query
        if query.source.combinator:
            self._refuse_combined("delete")
        if self._low or self._high is not None:
            raise TypeError("Cannot use 'limit' or 'offset' with delete().")
        if query.grouping.distinct_fields:
            raise TypeError("Cannot call delete() after .distinct(*fields).")
        if self._fields is not None:
            raise TypeError("Cannot call delete() after .values() or .values_list()")

    def _raw_delete(self, using: str) -> int:
        """Delete the rows with one statement: no signals, nothing else."""
        database = connections[using]
        return delete_plan(self._shape, database).execute(database, self._args)

    delete.queryset_only = True  # type: ignore[attr-defined]
    adelete.queryset_only = True  # type: ignore[attr-defined]


def _key_from(opts: Options, model: type[Any]) -> str:
    """Return the name of the field of a model that holds the key of its row in the table of an ancestor."""
    path = opts.get_path_to_parent(model)
    return "pk" if all(hop.join_field.primary_key for hop in path) else str(model._meta.pk.name)
