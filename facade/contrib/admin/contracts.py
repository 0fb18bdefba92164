"""What the parts of the admin need of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette_admin.fields import BaseField
    from starlette_admin.filters import FilterRegistry
    from starlette_admin.views import BaseModelView

    from facade.contrib.admin.audit import Audit, Change
    from facade.models import Model

__all__ = ["Filtered", "Formed", "Site"]


class Filtered(Protocol):
    """A view as filters know it."""

    def get_filter_registry(self) -> FilterRegistry: ...

    def read_value(self, name: str, value: object) -> object: ...


class Formed(Protocol):
    """A view as the storing of a form knows it."""

    hides_defaults: bool

    def get_fields_list(self, request: Request) -> Sequence[BaseField]: ...

    def model_field(self, name: str) -> Any: ...

    async def related(self, request: Request, name: str, keys: list[str]) -> list[Model]: ...


class Site(Protocol):
    """The admin as views know it."""

    audit: Audit | None

    async def tell(self, change: Change) -> None: ...

    async def ask(self, request: Request, view: BaseModelView, objs: Sequence[Model]) -> Response: ...

    def delete_url(self, request: Request, view: BaseModelView, pk: str) -> str: ...
