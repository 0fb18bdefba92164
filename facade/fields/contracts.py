"""What fields ask of those who stand above them: models and their registry, and who deletes rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol


class Keyed(Protocol):
    """What knows the primary key of a model: its `Options`."""

    @property
    def pk(self) -> Any:
        """The field."""


class Instance(Protocol):
    """An instance of a model; `type[Instance]` is a model class."""

    _meta: ClassVar[Any]
    """The model's `Options`: its fields, relations, table and names."""

    _state: Any
    """Which database it came from, whether it is saved, and the related objects it has loaded (`fields_cache`)."""

    pk: Any
    """The value of the primary key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def _is_pk_set(self, meta: Keyed | None = None) -> bool:
        """Whether the primary key has a value."""

    def _fetch_deferred(self, field: Any) -> Any:
        """Load a field that the query left out; return its value."""

    def _get_field_expression_map(self, meta: Any, exclude: Iterable[str] | None = None) -> dict[str, Any]:
        """Return the values of the fields as expressions, by name."""

    def _get_pk_val(self, meta: Keyed | None = None) -> Any:
        """Return the primary key as a model of the family, whose options these are, has it."""

    def _get_FIELD_display(self, field: Any) -> Any:  # noqa: N802
        """Return what the choices of a field call its value."""

    def _get_next_or_previous_by_FIELD(self, field: Any, is_next: bool, **kwargs: Any) -> Any:  # noqa: N802
        """Return the object that is next to this one by a date."""

    def prepare_database_save(self, field: Any) -> Any:
        """Return the value that a relation's column saves for the instance."""

    def save(self) -> None:
        """Store the instance."""

    def unique_error_message(self, model_class: type[Any], unique_check: Sequence[str]) -> Any:
        """Return the error for another row with the same values."""


class Contributing(Protocol):
    """An attribute of a model's class body that adds itself in its own way: a field, a manager, `Meta`'s options."""

    def contribute_to_class(self, cls: type[Any], name: str) -> None:
        """Become the attribute `name` of the model."""


class Contributed(Protocol):
    """A model class that is being made."""

    def add_to_class(self, name: str, value: object) -> None:
        """Set an attribute; fields, managers and their like add themselves in their own way."""


class RelationAttribute(Protocol):
    """The attribute of a relation on its model: `Book.author`."""

    @property
    def field(self) -> Any:
        """The relation."""


class Relation(Protocol):
    """A field that refers to a model, as the other end of the relation knows it."""

    name: Any
    model: Any
    remote_field: Any

    def related_query_name(self) -> Any:
        """Return the name of the relation in lookups that begin at the other end."""

    def get_internal_type(self) -> str:
        """Return the name of its built-in class."""

    def get_lookup(self, lookup_name: str) -> Any: ...
    def get_lookups(self) -> Any: ...
    def get_transform(self, name: str) -> Any: ...


class Registry(Protocol):
    """Where models are found by name: `apps`."""

    def get_models(self, include_auto_created: bool = False, include_swapped: bool = False) -> list[Any]:
        """Return the models of all applications."""


class Objects(Protocol):
    """Instances of one model: a list, or a queryset that may not be read yet."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __getitem__(self, index: int, /) -> Any: ...


class Collector(Protocol):
    """Gathers what is deleted together; what `on_delete` names is told to it."""

    def collect(
        self,
        objs: Objects,
        source: type[Any] | None = None,
        nullable: bool = False,
        *,
        fail_on_restricted: bool = True,
    ) -> None:
        """Delete these rows, too."""

    def add_field_update(self, field: Any, value: object, objs: Iterable[Any]) -> None:
        """Give these rows a value in the column of `field`."""

    def add_restricted_objects(self, field: Any, objs: Sequence[Any]) -> None:
        """Refuse to delete while these rows are not deleted by another way."""

    def add_dependency(
        self, model: type[Any], dependency: type[Any], reverse_dependency: bool = False
    ) -> None:
        """Delete the rows of one model before those of another."""


# (who collects, the foreign key, the rows that refer to the object, alias of the database)
OnDelete = Callable[[Collector, Any, Any, str], None]
