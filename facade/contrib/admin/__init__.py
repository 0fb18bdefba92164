"""Admin pages for models, by starlette-admin: lists, forms, actions. It needs the extra `admin`."""

from __future__ import annotations

try:
    from starlette_admin.actions import action, row_action
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("starlette_admin", "starlette", "jinja2", "itsdangerous"):
        raise
    raise ModuleNotFoundError(
        "facade.contrib.admin needs starlette-admin: pip install 'sqlalchemy-facade[admin]'", name=error.name
    ) from error

from facade.contrib.admin.audit import Change
from facade.contrib.admin.filters import Filters
from facade.contrib.admin.inlines import InlineModelView
from facade.contrib.admin.site import Admin
from facade.contrib.admin.views import ModelView

__all__ = ["Admin", "Change", "Filters", "InlineModelView", "ModelView", "action", "row_action"]
