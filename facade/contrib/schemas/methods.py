"""The methods of schemas of every kind."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from facade.bridge import twin
from facade.contrib.schemas.loading import Node, paths, prefetched, recursion, told
from facade.contrib.schemas.reading import NotLoaded, Reader, read_function
from facade.contrib.schemas.writing import created, updated

if TYPE_CHECKING:
    from facade.contrib.schemas.slots import Annotation, Choice, Slot
    from facade.foundation.generated import FunctionText
    from facade.orm.instances.model import Model
    from facade.orm.querysets.queryset import QuerySet

__all__ = ["Item", "SchemaMethods"]

M = TypeVar("M", bound="Model")
Q = TypeVar("Q", bound="QuerySet[Any, Any]")
_lock = threading.RLock()


@dataclass(frozen=True)
class Item:
    """A slot of a schema, with the schema of the related objects and what converts its values."""

    field: str
    """The attribute of the schema."""
    slot: Slot
    schema: type[SchemaMethods] | None = None
    coerce: Reader | None = None

    @property
    def nested(self) -> Reader | None:
        """What reads a related object."""
        return None if self.schema is None else self.schema._reader_of(self.slot.related)


class SchemaMethods:
    """Reads instances into a schema, and writes rows of what one holds; the schemas of each package derive from it."""

    __slots__ = ()

    if TYPE_CHECKING:
        _model: ClassVar[type[Model] | None]
        _readers: ClassVar[dict[type[Any], Reader]]
        _making: ClassVar[dict[type[Any], Reader]]
        _known: ClassVar[dict[type[Any], Sequence[Item]]]

    @classmethod
    def _begin(cls, model: type[Model] | None) -> None:
        """Set what each schema has for itself."""
        cls._model = model
        cls._readers, cls._making, cls._known = {}, {}, {}

    @classmethod
    def _plain_base(cls) -> type[Self]:
        """Return what schemas of related objects derive from: the nearest class that has no model."""
        return next(kind for kind in cls.__mro__ if issubclass(kind, SchemaMethods) and kind._model is None)  # type: ignore[return-value] # it is above this one

    # -- what a package says ------------------------------------------------------------------------------

    @classmethod
    def _items_of(cls, model: type[Any]) -> Sequence[Item]:
        """Return the slots, as they are for instances of a model."""
        raise NotImplementedError

    @classmethod
    def _items(cls, model: type[Any]) -> Sequence[Item]:
        if (found := cls._known.get(model)) is None:
            found = cls._known[model] = cls._items_of(model)
        return found

    @classmethod
    def _built(
        cls, model: type[Any], choice: Choice, optional: Iterable[str] | bool, name: str, module: str
    ) -> type[Self]:
        """Make the schema `name` of a model, which derives from this one."""
        raise NotImplementedError

    @staticmethod
    def _limited(slot: Slot) -> Annotation:
        """Return the type of a slot's values, with what the package can say of them."""
        raise NotImplementedError

    @staticmethod
    def _coerced(annotation: Annotation) -> Reader:
        """Return what makes a value one of an annotated type."""
        raise NotImplementedError

    @classmethod
    def _made(cls, text: FunctionText, names: dict[str, str]) -> Iterable[str]:
        """Yield the lines that return a schema; `names` are the variables that its attributes are in."""
        raise NotImplementedError

    def _given(self) -> dict[str, Any]:
        """Return the values that were given, by the attributes of the schema."""
        raise NotImplementedError

    @classmethod
    def _needed(cls) -> set[str]:
        """Return the attributes that have no default."""
        raise NotImplementedError

    @classmethod
    def _keys(cls) -> dict[str, str]:
        """Return what the attributes of the schema are called outside."""
        raise NotImplementedError

    # -- reading --------------------------------------------------------------------------------------------

    @classmethod
    def from_instance(cls, instance: Model) -> Self:
        """Return a schema of what is loaded of an instance.

        Raises FieldFetchBlocked, with the query to write, for what is not; TypeError for an instance of another model.
        """
        read = cls._readers.get(type(instance)) or cls._reader_for(instance)
        try:
            return read(instance)  # type: ignore[no-any-return]
        except NotLoaded as error:
            raise cls._told(error, instance) from None
        except RecursionError:
            raise recursion(cls, instance) from None

    @classmethod
    def from_instances(cls, instances: Iterable[Model]) -> list[Self]:
        """Return schemas of many instances; raises what `from_instance` raises."""
        found: list[Self] = []
        readers, add, kept = cls._readers, found.append, [*instances]
        try:
            for instance in kept:
                add((readers.get(type(instance)) or cls._reader_for(instance))(instance))
        except NotLoaded as error:
            raise cls._told(error, kept[len(found)]) from None
        except RecursionError:
            raise recursion(cls, kept[len(found)]) from None
        return found

    @classmethod
    def prefetched(cls, queryset: Q) -> Q:
        """Return a queryset of the same rows that loads what the schema shows, and no more columns than that.

        Raises TypeError for a queryset of another model.
        """
        return prefetched(queryset.all(), cls._nodes(cls._bound_to(queryset.model)))

    @classmethod
    def _relations(cls, model: type[Any]) -> list[str]:
        """Return the paths to the related objects that are shown."""
        return paths(cls._nodes(cls._bound_to(model)))

    @classmethod
    def _told(cls, error: NotLoaded, instance: Model) -> NotLoaded:
        model = cls._model or type(instance)
        return told(error, cls, model, cls._nodes(model))

    @classmethod
    def _nodes(cls, model: type[Any], seen: tuple[type[Any], ...] = ()) -> list[Node]:
        """Return what is shown as a tree; where a schema comes again inside itself, the tree ends."""
        below, found = (*seen, cls), []
        for item in cls._items(model):
            slot = item.slot
            if item.schema is None:
                found.append(Node(slot))
            elif item.schema not in below:
                found.append(Node(slot, item.schema._nodes(slot.related, below)))
            elif slot.source.concrete:  # its key tells whether there is an object
                found.append(Node(replace(slot, name=slot.source.attname, kind="column")))
        return found

    @classmethod
    def _bound_to(cls, model: type[Any]) -> type[Any]:
        """Return the model that the schema reads instances of `model` as; TypeError for another one."""
        own = cls._model
        if own is None:
            return model
        if not issubclass(model, own):
            raise TypeError(f"{cls.__name__} is a schema of {own.__name__}, not of {model.__name__}.")
        return own

    @classmethod
    def _reader_for(cls, instance: Model) -> Reader:
        kind = type(instance)
        if not hasattr(kind, "_meta"):
            raise TypeError(f"{cls.__name__} reads instances of models, not {instance!r}.")
        return cls._reader_of(kind)

    @classmethod
    def _reader_of(cls, model: type[Any]) -> Reader:
        """Return what reads instances of a model; while it is being made, what will find it."""
        if (found := cls._readers.get(model)) is not None:
            return found
        with _lock:
            if (found := cls._readers.get(model) or cls._making.get(model)) is not None:
                return found
            cls._making[model] = lambda instance: cls._readers[model](instance)  # noqa: PLW0108 - it is not there yet
            try:
                items = cls._items(cls._bound_to(model))
                made = read_function(f"reader of {cls.__name__}", items, cls._made)
            finally:
                del cls._making[model]
            cls._readers[model] = made
            return made

    # -- writing --------------------------------------------------------------------------------------------

    def create(self, /, **values: Any) -> Any:
        """Save and return a new instance of the values that were given, and of more `values` that are not the user's.

        Everything is checked by `full_clean()`; many-to-many relations are set. Raises `InvalidData`, whose `errors()` tells
        which value is wrong; nothing is saved then.
        """
        return created(self, values)

    acreate = twin(create)

    def update(self, instance: M, /, **values: Any) -> M:
        """Save the values that were given in an instance, and return it; what was not given stays.

        Only those columns are written. Raises `InvalidData`; then the instance has its old values again.
        """
        return updated(self, instance, values)

    aupdate = twin(update)
