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
        """Any number of rows of another model, kept as pairs in a table between.

        `to` is a model, its name or ``"self"``. The attribute is a manager with ``add``, ``remove``, ``set``, ``clear`` and
        ``create``; the other model gets one, too, called ``<model>_set`` or as `related_name` says. A relation to ``"self"``
        is mutual unless ``symmetrical=False``. `through` names a model for the table between, with a foreign key to either
        side (`through_fields` chooses, where there are several), or is a SQLAlchemy ``Table`` that is there already;
        else one is made, called after `db_table`. An object has to be saved before it is related (ValueError).

        >>> notes = Book.objects.get(title="Notes")
        >>> notes.tags.add(Tag.objects.get(word="poetry"))
        >>> notes.tags.order_by("word")
        <QuerySet [<Tag: poetry>, <Tag: science>]>
        """

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
