"""What fields ask of the models they belong to: classes and instances of `facade.orm`, which stands above them."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol


class Instance(Protocol):
    """An instance of a model; `type[Instance]` is a model class."""

    _meta: ClassVar[Any]
    """The model's `Options`: its fields, relations, table and names."""

    _state: Any
    """Which database it came from, whether it is saved, and the related objects it has loaded (`fields_cache`)."""

    pk: Any
    """The value of the primary key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
