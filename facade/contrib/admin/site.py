"""The admin itself: who may enter, and one transaction for whatever a request writes."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from jinja2 import DictLoader, PackageLoader
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route
from starlette_admin.base import BaseAdmin
from starlette_admin.exceptions import ActionFailed
from starlette_admin.fields import RelationField
from starlette_admin.flash import flash
from starlette_admin.helpers import run_on_commit_callbacks, safe_redirect_url
from starlette_admin.i18n import TimezoneConfig, gettext, ngettext
from starlette_admin.routing import route
from starlette_admin.types import RequestAction

from facade.bridge import run
from facade.configuration import settings
from facade.contrib.admin.inlines import InlineModelView
from facade.contrib.admin.keys import key_text
from facade.contrib.admin.local import LocalOnly
from facade.contrib.admin.rows import FARTHEST, READING
from facade.contrib.admin.views import ModelView
from facade.contrib.service.errors import answer_to
from facade.exceptions import (
    DataError,
    ImproperlyConfigured,
    IntegrityError,
    OperationalError,
    PermissionDenied,
    PoolTimeoutError,
    SuspiciousOperation,
)
from facade.transaction import atomic, detached, set_rollback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import BaseLoader
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette_admin.auth import BaseAuthProvider
    from starlette_admin.export import ExportConfig
    from starlette_admin.i18n import I18nConfig
    from starlette_admin.plugins import BasePlugin
    from starlette_admin.theme import BaseTheme
    from starlette_admin.views import BaseModelView, CustomView

    from facade.contrib.admin.audit import Audit, Change
    from facade.models import Model

__all__ = ["Admin"]

ANSWERED = (
    PermissionDenied,
    SuspiciousOperation,
    IntegrityError,
    DataError,
    PoolTimeoutError,
    OperationalError,
)
WITHOUT_FOREIGN_FONT = '{% extends "@core/base.html" %}{% block fonts %}{% endblock %}'

Link = str | Callable[["Request"], "str | None"] | None
Endpoint = Callable[["Request"], Awaitable["Response"]]


class Options(TypedDict, total=False):
    """What else starlette-admin takes."""

    title: str
    base_url: str
    route_name: str
    logo_url: Link
    login_logo_url: Link
    favicon_url: Link
    templates_dir: str
    static_dir: str | None
    index_view: CustomView | None
    theme: BaseTheme | None
    i18n_config: I18nConfig | None
    timezone_config: TimezoneConfig | None
    export_config: ExportConfig | None
    plugins: Sequence[BasePlugin] | None
    debug: bool


class Admin(BaseAdmin):
    """Pages for the rows of models, which any Starlette or FastAPI application can mount.

        admin = Admin(auth_provider=Login(), secret_key=os.environ["ADMIN_KEY"])
        admin.add_view(ModelView(Author))
        admin.mount_to(app)

    `auth_provider` is one of starlette-admin's, which says who somebody is; `secret_key` signs its cookies, the one against
    forged requests among them. Without a provider everybody could write, so that one is required; `local=True` does
    without both, and answers this machine only, from one process. `read_only=True` refuses all that would write. `audit` is called with a
    `Change` for each row that is created, changed or deleted, inside its transaction: what it raises undoes the change.
    The other keywords are those of starlette-admin's `BaseAdmin`.

    Raises `ImproperlyConfigured` without a provider or a key.

    >>> Admin()
    Traceback (most recent call last):
    facade.exceptions.ImproperlyConfigured: Without an auth_provider everybody could write here. Give one, or say local=True to answer this machine only.
    """

    def __init__(
        self,
        *,
        auth_provider: BaseAuthProvider | None = None,
        secret_key: str | None = None,
        local: bool = False,
        read_only: bool = False,
        audit: Audit | None = None,
        middlewares: Sequence[Middleware] = (),
        additional_loaders: Sequence[BaseLoader] = (),
        **options: Unpack[Options],
    ) -> None:
        if auth_provider is None and not local:
            raise ImproperlyConfigured(
                "Without an auth_provider everybody could write here. Give one, or say local=True to answer this machine only."
            )
        if secret_key is None and not local:
            raise ImproperlyConfigured(
                "The admin signs cookies with a secret_key: give a long random text, the same to all processes."
            )
        self.local, self.read_only, self.audit = local, read_only, audit
        options.setdefault("timezone_config", _time_zone())
        super().__init__(
            auth_provider=auth_provider,
            secret_key=secret_key or secrets.token_hex(32),
            middlewares=[*([Middleware(LocalOnly)] if local else ()), *middlewares],
            additional_loaders=[*additional_loaders, *_loaders(options.get("theme"))],
            **options,
        )
        self.templates.env.auto_reload = (
            self.debug
        )  # else each cell of a list asks the disk for changes of its template

    # -- what is mounted ------------------------------------------------------------------------------------

    def mount_to(self, app: Starlette) -> None:
        """Mount the admin into an application. Raises `ImproperlyConfigured` for views that do not fit together."""
        known: dict[str | None, BaseModelView] = {}
        for view in self._model_views:
            if view.key in known:
                raise ImproperlyConfigured(
                    f"Two views have the key {view.key!r}: give one of them another key."
                )
            known[view.key] = view
        for view in self._model_views:
            for part in (view, *view._inline_instances):
                _check_relations(part, known)
        super().mount_to(app)

    def _collect_core_routes(self) -> list[Route]:
        """Return the routes of starlette-admin, with a transaction around those that write."""
        return [
            Route(
                one.path, self._in_transaction(one.endpoint), methods=list(one.methods or ()), name=one.name
            )
            for one in super()._collect_core_routes()
        ]

    def _in_transaction(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            with telling_statuses(), detached():  # whoever calls the admin may be in a block
                if request.method in READING:
                    return await endpoint(request)
                view = self._find_view_by_key(request.path_params.get("key"))
                self._check_writing(request, view)
                async with request.form():  # a slow client is waited for before a connection is taken
                    if not isinstance(view, ModelView):
                        return await endpoint(request)
                    return await _atomically(endpoint, request, view.write_alias())

        return answer

    def _check_writing(self, request: Request, view: BaseModelView) -> None:
        """Refuse requests that would write what can only be read, whatever the view's permissions say."""
        is_export = request.query_params.get("name") == "export" and request.url.path.endswith("/action")
        writable = view.is_writable() if isinstance(view, ModelView) else not self.read_only
        if not (writable or is_export):
            raise HTTPException(403)

    async def _save_inlines(
        self,
        request: Request,
        view: BaseModelView,
        parent: Model,
        inline_data: dict[str, list[dict[str, Any]]],
    ) -> None:
        for inline in view._inline_instances:
            rows = inline_data.get(str(inline.key), [])
            if isinstance(inline, InlineModelView):
                await inline.check_rows(request, parent, rows)
            rows.sort(key=lambda row: not row["delete"])  # a new row may have what a deleted one had
        await super()._save_inlines(request, view, parent, inline_data)

    @route("/_api/{key}/choices/{field}", methods=["GET"], name="choices")
    async def _render_choices(self, request: Request) -> Response:
        """Answer the box of a relation: with what may be chosen and was searched for, or with what is chosen already."""
        request.state.action = RequestAction.RELATION_LOOKUP
        view, name = self._chooser(request)
        related = view.view_of(name)
        if not related.is_accessible(request):
            raise HTTPException(403)
        asked = request.query_params
        if pks := asked.getlist("pks"):
            objs = list(await related.find_by_pks(request, pks))
            total = len(objs)
        else:
            skip, limit = _number(asked.get("skip"), 0), min(100, _number(asked.get("limit"), 20))
            objs, total = await view.found_choices(request, name, asked.get("q") or "", skip, limit)
        shown = [(key_text(obj), await related.select2_result(obj, request)) for obj in objs]
        items = [
            {"pk": key, "_meta": {"select2": {"result": html, "selection": html}}} for key, html in shown
        ]
        return JSONResponse({"items": items, "total": total})

    def _chooser(self, request: Request) -> tuple[ModelView, str]:
        """Return the view whose form asks, which may be an inline, and the name of the relation."""
        view: BaseModelView = self._find_view_by_key(request.path_params["key"])
        inline, dot, name = request.path_params["field"].rpartition(".")
        if not view.is_accessible(request):
            raise HTTPException(403)
        parts = [one for one in view._inline_instances if one.key == inline] if dot else [view]
        if len(parts) != 1 or not isinstance(parts[0], ModelView) or not parts[0].has_relation(request, name):
            raise HTTPException(404)
        if not (parts[0].can_create(request) or parts[0].can_edit(request)):
            raise HTTPException(403)
        return parts[0], name

    # -- the audit ------------------------------------------------------------------------------------------

    async def tell(self, change: Change) -> None:
        """Tell the audit hook, if there is one."""
        if self.audit is None:
            return
        if inspect.iscoroutinefunction(self.audit):
            await self.audit(change)
        else:
            told = await run(self.audit, change)
            if inspect.isawaitable(told):
                await told

    # -- deleting -------------------------------------------------------------------------------------------

    def delete_url(self, request: Request, view: ModelView, pk: str) -> str:
        """Return the page that asks whether a row shall be deleted."""
        url = request.url_for(f"{self.route_name}:delete", key=view.key)
        origin = request.query_params.get("_origin")
        if request.state.action == RequestAction.LIST:
            origin = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        url = url.include_query_params(pk=pk)
        return str(url.include_query_params(_origin=origin) if origin else url)

    @route("/{key}/delete", methods=["GET", "POST"], name="delete")
    async def _render_delete(self, request: Request) -> Response:
        request.state.action = RequestAction.ROW_ACTION
        view = self._find_view_by_key(request.path_params.get("key"))
        if not isinstance(view, ModelView):
            raise HTTPException(404)
        if not view.is_accessible(request):
            raise HTTPException(403)
        posted = request.method == "POST"
        pks = (await request.form()).getlist("pks") if posted else request.query_params.getlist("pk")
        objs = await view.find_by_pks(request, [str(pk) for pk in pks])
        if not objs:
            raise HTTPException(404)
        if not posted:
            return await self.ask(request, view, objs)
        await self._check_deletable(request, view, objs)
        try:
            count = await view.delete(request, [key_text(obj) for obj in objs])
        except ActionFailed as error:
            return await self.ask(request, view, objs, error.msg)
        said = ngettext(
            "1 item was successfully deleted.", "%(count)d items were successfully deleted.", count or 0
        )
        flash(request, said % {"count": count}, "success")
        return RedirectResponse(self._origin(request, view), status_code=303)

    async def ask(
        self, request: Request, view: ModelView, objs: Sequence[Model], refused: str = ""
    ) -> Response:
        """Return the page that shows what would be deleted along with rows, or what forbids it."""
        await self._check_deletable(request, view, objs)
        company = await view.company(request, objs)
        context = {
            "view": view,
            "title": view.title(request),
            "named": [(key_text(obj), await view.repr(obj, request)) for obj in objs],
            "company": company,
            "refused": refused,
            "url": str(request.url_for(f"{self.route_name}:delete", key=view.key)),
            "origin": self._origin(request, view),
            "question": gettext("Delete %(name)s?") % {"name": view.display_name},
        }
        status = 409 if refused else 200
        return self._template_response(request, "facade/delete.html", context, status)

    async def _check_deletable(self, request: Request, view: ModelView, objs: Sequence[Model]) -> None:
        if not objs:
            raise HTTPException(404)
        for obj in objs:
            if not await view.is_row_action_allowed_for_obj(request, "delete", obj):
                raise HTTPException(403)
        if not view.can_delete(request):
            raise HTTPException(403)

    def _origin(self, request: Request, view: ModelView) -> str:
        """Return the list that the user came from."""
        fallback = str(request.url_for(f"{self.route_name}:list", key=view.key))
        return safe_redirect_url(request.query_params.get("_origin") or fallback, request, fallback)


def _time_zone() -> TimezoneConfig | None:
    """Return the zone of all pages: a browser's own might change between a form and its answer. Naive values are as they are stored."""
    if not settings.USE_TZ:
        return None
    return TimezoneConfig(
        default_timezone=settings.TIME_ZONE, timezone_cookie_name=None, use_user_locale_timezone=False
    )


def _loaders(theme: BaseTheme | None) -> list[BaseLoader]:
    """Return where the pages of this package are. The usual theme gets its font from another host: here it does without."""
    own: list[BaseLoader] = [PackageLoader("facade.contrib.admin", "templates")]
    return own if theme is not None else [DictLoader({"base.html": WITHOUT_FOREIGN_FONT}), *own]


def _number(text: str | None, default: int) -> int:
    """Return a number of a URL that has one."""
    return min(int(text), FARTHEST) if text and text.isascii() and text.isdecimal() else default


async def _atomically(endpoint: Endpoint, request: Request, alias: str) -> Response:
    """Answer in a transaction, which an answer of an error undoes."""
    async with atomic(using=alias):
        response = await endpoint(request)
        if response.status_code >= 400:
            set_rollback(True, using=alias)
    if response.status_code < 400:
        await run_on_commit_callbacks(request)
    return response


@contextmanager
def telling_statuses() -> Iterator[None]:
    """Answer what a database could not do by the status that services give it."""
    try:
        yield
    except ANSWERED as error:
        answer = answer_to(error)
        if answer is None or not isinstance(answer.detail, str):
            raise
        said = str(error) if isinstance(error, PermissionDenied) else ""
        raise HTTPException(answer.status, said or answer.detail) from error


def _check_relations(view: BaseModelView, known: dict[str | None, BaseModelView]) -> None:
    for field in view._all_fields:
        if isinstance(field, RelationField) and not isinstance(known.get(field.key), ModelView):
            raise ImproperlyConfigured(
                f"{type(view).__name__} {view.key!r} shows the relation {field.name!r}, whose rows have no view here: add_view() one "
                f"with the key {field.key!r}, or leave {field.name!r} out of its fields."
            )
