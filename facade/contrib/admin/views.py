"""The pages of a model: its list, its forms, and what can be done with its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette_admin.actions import ActionSelection, action, link_row_action
from starlette_admin.exceptions import ActionFailed
from starlette_admin.helpers import on_commit
from starlette_admin.i18n import lazy_gettext as _

from facade.bridge import run
from facade.contrib.admin.audit import Change, values_of
from facade.contrib.admin.deleting import Company, Kind, company_of, kept_by
from facade.contrib.admin.keys import key_text, read_key
from facade.contrib.admin.rows import Rows
from facade.contrib.admin.saving import Filled, check, filled, said_by_database, telling_fields
from facade.db.connection import connections
from facade.exceptions import (
    DataError,
    IntegrityError,
    ObjectNotUpdated,
    PermissionDenied,
    ProtectedError,
    RestrictedError,
    UnsupportedFeature,
    ValidationError,
)
from facade.models import Model, QuerySet
from facade.transaction import atomic

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from facade.contrib.admin.contracts import Site

__all__ = ["ModelView"]

Values = dict[str, object]


class ModelView(Rows):
    """The list, the forms and the actions of a model's rows.

    Everything that a view of starlette-admin may say is said here as well, as an attribute of a subclass or as a keyword:
    `fields` (names of the model's fields and relations, or fields of starlette-admin), `exclude_fields_from_list` and its like,
    `sortable_fields`, `page_size`, `inlines`, … See https://jowilf.github.io/starlette-admin/.

    >>> from facade.cli.flights.models import Airline
    >>> view = ModelView(Airline, search_fields=["name"], read_only=True)
    >>> view.key, [field.name for field in view.fields]
    ('airline', ['carrier', 'name'])

    Raises `ImproperlyConfigured` for fields that the model does not have, `TypeError` for keywords that do not exist.
    """

    def admin(self) -> Site:
        """Return the admin that the view was added to."""
        assert self._admin is not None, "add_view() the view first"
        return self._admin  # type: ignore[return-value]

    hides_defaults = False
    """Whether an empty form does not show the fields' defaults, so that what is left empty takes them."""
    also_checked: frozenset[str] = frozenset()
    """Fields that forms do not have and that are checked with each change all the same."""

    def is_writable(self) -> bool:
        """Return whether rows can be written at all: not where the admin as a whole, or the view, is for reading."""
        home = getattr(self, "parent_view", None) or self
        return super().is_writable() and not getattr(home._admin, "read_only", False)

    # -- writing ------------------------------------------------------------------------------------------

    def new(self) -> Any:
        """Return the object that a form is to fill; override it to set what the form does not have."""
        return self.model()

    async def create(self, request: Request, data: Values) -> Any:
        """Store a new row. Raises `FormValidationError` with what is wrong, by field."""
        return await self._store(request, data, None, self.new)

    async def edit(self, request: Request, pk: object, data: Values) -> Any:
        """Store what a form has changed. Raises `FormValidationError`, and `HTTPException` for a row that is gone."""
        return await self._store(request, data, pk, self.new)

    async def _store(self, request: Request, data: Values, pk: object, new: Callable[[], Any]) -> Any:
        form = Filled()
        obj: Any = None
        shown = {one.name for one in self.get_fields_list(request)}
        with telling_fields(self.model, shown):
            try:
                async with atomic(using=self.write_alias()):
                    obj = await run(new) if pk is None else await self._locked(request, pk)
                    before = None if pk is None else await self._values(request, obj)
                    form = await filled(self, request, obj, data)
                    await self._check(request, obj, form)
                    await self._save(request, obj, form, before)
            except IntegrityError:
                # Another request was faster: what it has stored can be seen now, and told at its field.
                if obj is not None:
                    await self._check(request, obj, form)
                raise
        return obj

    async def _locked(self, request: Request, pk: object) -> Any:
        """Read a row that nobody else changes until the transaction ends."""
        key, alias = read_key(self.model, pk), self.write_alias()
        if key is not None and connections[alias].features.has_select_for_update:
            rows = self.model._base_manager.using(alias).select_for_update()
            await rows.filter(pk=key).values_list("pk").afirst()
        obj = await self.find_by_pk(request, pk)
        if obj is None:
            raise HTTPException(404)
        return obj

    async def _check(self, request: Request, obj: Model, form: Filled) -> None:
        known = form.shown | self.also_checked
        others = () if obj._state.adding else {one.name for one in obj._meta.fields} - known
        await run(check, obj, form, others)

    async def _save(self, request: Request, obj: Model, form: Filled, before: Values | None) -> None:
        plain = {name: getattr(obj, name, None) for name in form.shown if name not in form.relations}
        data = {**plain, **form.relations}
        await self.validate(request, data)
        if before is None:
            await self._emit_before_create(request, data, obj)
        else:
            await self._emit_before_edit(request, data, obj, pk=key_text(obj), old_data=before)
        await obj.asave(using=self.write_alias(), force_insert=before is None)
        for name, others in form.links.items():
            await getattr(obj, name).aset(others)
        if before is None:
            await self._emit_after_create(request, obj)
            on_commit(request, lambda: self._emit_after_create_committed(request, obj))
        else:
            await self._emit_after_edit(request, obj, pk=key_text(obj), old_data=before)
            on_commit(request, lambda: self._emit_after_edit_committed(request, obj, old_data=before))
        if self.admin().audit is not None:
            await self._tell(
                request, "create" if before is None else "edit", obj, before, await self._values(request, obj)
            )

    async def _values(self, request: Request, obj: Model) -> Values:
        """Return what the audit hook is told of an object, with the keys of the relations that the form has."""
        found = await run(values_of, obj)
        if self.admin().audit is not None:
            for name in self._many(request):
                keys = [other.pk async for other in getattr(obj, name).all()]
                found[name] = sorted(keys, key=str)
        return found

    def _many(self, request: Request) -> list[str]:
        """Return the many-to-many fields that the page has."""
        many = {one.name for one in self.model._meta.many_to_many}
        return [one.name for one in self.get_fields_list(request) if one.name in many]

    async def _tell(
        self,
        request: Request,
        name: str,
        obj: Model,
        before: Values | None,
        after: Values | None,
        key: object = None,
        along: dict[str, int] | None = None,
    ) -> None:
        user = getattr(request.state, "admin_user", None)
        row = obj.pk if key is None else key
        await self.admin().tell(Change(user, name, self.model, row, before, after, request, along or {}))

    # -- deleting -----------------------------------------------------------------------------------------

    async def company(self, request: Request, objs: Sequence[Model]) -> Company:
        """Return what would be deleted along with objects, or what forbids it."""
        if self.deletes_in_its_own_way(request):
            return Company(in_its_own_way=True)
        return await run(company_of, objs, self.write_alias())

    def deletes_in_its_own_way(self, request: Request) -> bool:
        """Return whether the model, or its queryset, has a `delete()` of its own, as for soft deletion."""
        return _is_overridden(self.model, Model) or _is_overridden(type(self.get_queryset(request)), QuerySet)

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        """Delete rows and what depends on them, and return how many of the view's rows these were.

        Raises `ActionFailed` where others refer to them that must not be deleted.
        """
        wanted = [key for key in (read_key(self.model, pk) for pk in pks) if key is not None]
        if not wanted:
            return 0
        rows = self.rows(request).filter(pk__in=wanted)
        if self.admin().audit is not None:
            rows = rows.prefetch_related(*self._many(request))
        objs = list(await rows)
        keys = [obj.pk for obj in objs]
        if not objs:
            return 0
        alias = self.write_alias()
        async with telling_users(alias), atomic(using=alias):
            values = [await self._values(request, obj) for obj in objs]
            for obj in objs:
                await self._emit_before_delete(request, key_text(obj), obj)
            along = await self._deleted(request, objs)
            for obj, key, before in zip(objs, keys, values, strict=True):
                await self._emit_after_delete(request, key, obj)
                if self.admin().audit is not None:
                    await self._tell(request, "delete", obj, before, None, key, along)
        for obj, key in zip(objs, keys, strict=True):
            on_commit(request, partial(self._emit_after_delete_committed, request, key, obj))
        return len(objs)

    async def _deleted(self, request: Request, objs: Sequence[Any]) -> dict[str, int]:
        """Delete, by the model's own way if it has one; return how many rows of other models went along."""
        alias, keys = self.write_alias(), [obj.pk for obj in objs]
        counted: dict[str, int] = {}
        if _is_overridden(self.model, Model):
            for obj in objs:
                told: Any = await obj.adelete(using=alias)
                for label, number in (told or (0, {}))[1].items():
                    counted[label] = counted.get(label, 0) + number
        elif self.deletes_in_its_own_way(request):
            rows = self.get_queryset(request).using(alias).filter(pk__in=keys)
            _, counted = await rows.adelete()
        else:
            _, counted = await self.model._base_manager.using(alias).filter(pk__in=keys).adelete()
        return {label: number for label, number in counted.items() if label != self.model._meta.label}

    # -- actions ------------------------------------------------------------------------------------------

    async def handle_action(self, request: Request, selection: ActionSelection, name: str) -> Response | None:
        """Run an action on the rows that were chosen. Raises `ActionFailed` with what the user is told."""
        async with telling_users(self.write_alias()):
            if self.admin().audit is None or name in ("delete", "export"):
                return await super().handle_action(request, selection, name)
            before = {obj.pk: await run(values_of, obj) for obj in await selection.rows()}
            answer = await super().handle_action(request, selection, name)
            await self._tell_differences(request, name, before)
            return answer

    async def handle_row_action(self, request: Request, pk: object, name: str) -> Response | None:
        """Run an action on one row. Raises `ActionFailed` with what the user is told."""
        if self._row_actions.get(name, {}).get("is_link"):
            raise ActionFailed("This action is a page of its own.")
        async with telling_users(self.write_alias()):
            obj = await self.find_by_pk(request, pk)
            if obj is None:
                raise ActionFailed("There is no such row any more.")
            before = {obj.pk: await run(values_of, obj)}
            answer = await super().handle_row_action(request, pk, name)
            if self.admin().audit is not None:
                await self._tell_differences(request, name, before)
            return answer

    async def _tell_differences(self, request: Request, name: str, before: dict[Any, Values]) -> None:
        rows = self.model._base_manager.using(self.write_alias()).filter(pk__in=list(before))
        after = {obj.pk: obj async for obj in rows}
        for key, values in before.items():
            obj = after.get(key)
            now = None if obj is None else values_of(obj)
            if now != values:
                await self._tell(request, name, obj or self.model, values, now, key)

    @action(name="delete", text=_("Delete"), icon_class="default_actions.delete", custom_response=True)
    async def delete_action(self, request: Request, selection: ActionSelection) -> Response:
        """Ask whether the chosen rows shall be deleted, and show what would go along."""
        return await self.admin().ask(request, self, await selection.rows())

    @link_row_action(
        name="delete",
        text=_("Delete"),
        icon_class="default_actions.delete",
        action_btn_class="action.row_item_delete",
    )
    def row_action_3_delete(self, request: Request, pk: object) -> str:
        """Return where it is asked whether a row shall be deleted."""
        return self.admin().delete_url(request, self, str(pk))


def _is_overridden(kind: type[Any], base: type[Any]) -> bool:
    return kind.delete is not base.delete or kind.adelete is not base.adelete


@asynccontextmanager
async def telling_users(using: str) -> AsyncIterator[None]:
    """Have an action that fails say why."""
    try:
        yield
    except (ProtectedError, RestrictedError) as error:
        raise ActionFailed(in_the_way(await run(kept_by, error, using))) from error
    except ValidationError as error:
        raise ActionFailed(" ".join(error.messages)) from error
    except ObjectNotUpdated as error:
        raise ActionFailed("Somebody else has changed or deleted this meanwhile.") from error
    except (IntegrityError, DataError) as error:
        raise ActionFailed(said_by_database(error)) from error
    except (PermissionDenied, UnsupportedFeature) as error:
        raise ActionFailed(str(error) or "You may not do that.") from error


def in_the_way(kinds: Sequence[Kind]) -> str:
    """Return what the user is told of the rows that forbid a deletion."""
    told = []
    for kind in kinds:
        names = ", ".join(kind.named)
        more = f" and {kind.more} more" if kind.more and names else ""
        told.append(f"{kind.count} {kind.name}" + (f" ({names}{more})" if names else ""))
    return f"This cannot be deleted: it is still referred to by {'; '.join(told)}."
