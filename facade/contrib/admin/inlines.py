"""Rows that are edited beside the row that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette_admin.exceptions import ActionFailed, FormValidationError
from starlette_admin.views import InlineModelView as BaseInline

from facade.contrib.admin.converters import default_names
from facade.contrib.admin.keys import key_text
from facade.contrib.admin.views import ModelView
from facade.exceptions import NON_FIELD_ERRORS, ImproperlyConfigured
from facade.models import Q
from facade.models.fields import ForeignKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from facade.contrib.admin.contracts import Site
    from facade.models import Model, QuerySet

__all__ = ["InlineModelView"]


class InlineModelView(ModelView, BaseInline):
    """The children of a row, in the form of that row; all of it is stored in one transaction, or nothing.

    `model` is the children's model, and `fk_attr` the name of the foreign key to the parent; it need not be said where there
    is only one. `extra` empty rows are offered. What `can_create`, `can_edit` and `can_delete` say holds for each child.

        class Books(InlineModelView):
            model = Book
            fields = ["title", "pages"]

        admin.add_view(ModelView(Author, inlines=[Books]))
    """

    extra = 0
    hides_defaults = True

    def __init__(self, parent_view: ModelView | None = None) -> None:
        if parent_view is None:
            raise ImproperlyConfigured(
                f"List the class in `inlines` of the parent's view: inlines = [{type(self).__name__}]."
            )
        self.parent_view = parent_view
        self.fk_attr = self._link(parent_view)
        if not self.fields:
            names = [one for one in default_names(self.model) if one != self.fk_attr]
            self.fields = names  # type: ignore[assignment]
        self.also_checked = frozenset({str(self.fk_attr)})
        ModelView.__init__(self)

    def _link(self, parent: ModelView) -> str:
        """Return the name of the foreign key to the parent."""
        keys = [
            one.name
            for one in self.model._meta.concrete_fields
            if isinstance(one, ForeignKey) and issubclass(parent.model, one.related_model)
        ]
        if self.fk_attr in keys or (not self.fk_attr and len(keys) == 1):
            return str(self.fk_attr or keys[0])
        label, target = self.model._meta.label, parent.model._meta.label
        if self.fk_attr:
            raise ImproperlyConfigured(f"{label} has no foreign key {self.fk_attr!r} to {target}.")
        raise ImproperlyConfigured(
            f"{label} has no foreign key to {target}."
            if not keys
            else f"{label} has several foreign keys to {target}: say one of {', '.join(keys)} as fk_attr."
        )

    def admin(self) -> Site:
        """Return the admin that the parent's view was added to."""
        assert self.parent_view is not None
        return self.parent_view.admin()  # type: ignore[attr-defined, no-any-return]

    def children(self, request: Request, parent: Model) -> QuerySet[Any]:
        """Return the children of a row that the user may see."""
        return self.rows(request).filter(Q((str(self.fk_attr), parent)))

    async def find_by_parent(self, request: Request, parent: Model) -> Sequence[Any]:
        """Return the children of a row."""
        return list(await self._with_relations(request, self._ordered(self.children(request, parent), ())))

    async def check_rows(self, request: Request, parent: Model, rows: Sequence[dict[str, Any]]) -> None:
        """Refuse what the user may not do, and children of other parents. Raises an `HTTPException`."""
        for row in rows:
            if row["pk"] is None:
                allowed = row["delete"] or self.can_create(request)
            elif row["delete"]:
                allowed = self.can_delete(request) and self.allow_delete
            else:
                allowed = self.can_edit(request)
            if not allowed:
                raise HTTPException(403)
        named = {row["pk"] for row in rows if row["pk"] is not None}
        if named and not named <= {key_text(one) for one in await self.children(request, parent)}:
            raise HTTPException(404)

    async def build_fk_value(self, request: Request, parent: Model) -> Model:
        """Return what the foreign key of a new child refers to."""
        return parent

    async def create(self, request: Request, data: dict[str, object]) -> Any:
        """Store a new child of the parent that stands among the values. Raises `FormValidationError`."""
        parent = data.pop(str(self.fk_attr))

        def child() -> Any:
            made = self.new()
            setattr(made, str(self.fk_attr), parent)
            return made

        return await self._store(request, data, None, child)

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        """Delete children. Raises `FormValidationError` where others refer to them that must not be deleted."""
        try:
            return await super().delete(request, pks)
        except ActionFailed as error:
            raise FormValidationError({NON_FIELD_ERRORS: [error.msg]}) from error
