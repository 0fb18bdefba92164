"""``order_with_respect_to``: objects that keep an order among those of one related object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from facade.bridge import add_with_twin

if TYPE_CHECKING:
    from facade.orm.instances.model import Model


__all__ = ["make_foreign_order_accessors"]


def _ordered(instance: Model, model: type[Model], using: str | None) -> Any:
    field = model._meta.order_with_respect_to
    return model._default_manager.db_manager(using, hints={"instance": instance}).filter(
        **field.get_forward_related_filter(instance)
    )


def make_foreign_order_accessors(model: type[Model], related_model: type[Model]) -> None:
    """Give ``related_model`` the methods ``get_<model>_order``, ``set_<model>_order`` and ``aset_<model>_order``."""

    def get_order(self: Model) -> Any:
        """Return a queryset of the keys of the objects in their order."""
        return _ordered(self, model, None).values_list(model._meta.pk.name, flat=True)

    def set_order(self: Model, id_list: Iterable[Any], using: str | None = None) -> None:
        """Bring the objects into the order of their keys in ``id_list``."""
        rows = _ordered(self, model, using)
        rows.bulk_update([model(pk=key, _order=place) for place, key in enumerate(id_list)], ["_order"])

    name = model.__name__.lower()
    setattr(related_model, f"get_{name}_order", get_order)
    add_with_twin(related_model, f"set_{name}_order", set_order)
