"""Fields whose attributes are of the ORM's own classes, which their layer cannot name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, overload

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from facade.fields.relations import many_to_many
    from facade.orm.instances.model import Model
    from facade.orm.relations.many_to_many_managers import ManyToManyDescriptor
    from facade.orm.relations.related_managers import RelatedManager

    M = TypeVar("M", bound=Model, default=Any)

    class ManyToManyField(many_to_many.ManyToManyField[Any], Generic[M]):
        """A relation to many objects of the model `M`; an instance has their manager."""

        @overload
        def __init__(self, to: type[M], *names: Any, **options: Any) -> None: ...
        @overload
        def __init__(self: ManyToManyField[Any], to: str, *names: Any, **options: Any) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: type[object] | None) -> ManyToManyDescriptor: ...
        @overload
        def __get__(self, instance: object, owner: type[object] | None = None) -> RelatedManager[M]: ...
        def __get__(self, instance: object, owner: object = None) -> Any: ...

else:
    from facade.fields.relations.many_to_many import ManyToManyField

__all__ = ["ManyToManyField"]
