"""Places where a lower layer calls a higher one, which fills them or listens: imports point down only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from facade.exceptions import ImproperlyConfigured

P = ParamSpec("P")
R = TypeVar("R")
Filling = TypeVar("Filling", bound=Callable[..., Any])
Listener = TypeVar("Listener", bound=Callable[..., object])


class Seam(Generic[P, R]):
    """A function that another module gives: ``holds: Seam[[Q], bool] = Seam("whether a Q holds", filled_by="facade.sql")``."""

    known: ClassVar[list[Seam[..., Any]]] = []

    def __init__(self, does: str, *, filled_by: str) -> None:
        self.does, self.filled_by = does, filled_by
        self.filling: Callable[P, R] | None = None
        Seam.known.append(cast("Seam[..., Any]", self))

    def __repr__(self) -> str:
        return f"<Seam: {self.does}, filled by {self.filled_by}>"

    def fill(self, filling: Filling) -> Filling:
        """Give the function, once; usable as a decorator."""
        if self.filling is not None:
            raise ImproperlyConfigured(f"{self.filled_by} has said {self.does} already.")
        self.filling = filling
        return filling

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.filling is None:
            raise ImproperlyConfigured(
                f"Nobody has said yet {self.does}: that is the part of {self.filled_by}. Import facade.models first."
            )
        return self.filling(*args, **kwargs)


class Changes(Generic[P]):
    """Whom to tell of a change: `changes(function)` listens, also as a decorator, and `tell()` calls all who do."""

    def __init__(self, of: str) -> None:
        self.of = of
        self.listeners: list[Callable[P, object]] = []

    def __repr__(self) -> str:
        return f"<Changes of {self.of}: {len(self.listeners)} listen>"

    def __call__(self, listener: Listener) -> Listener:
        self.listeners.append(listener)
        return listener

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call everybody who listens, in the order in which they came."""
        for listener in tuple(self.listeners):
            listener(*args, **kwargs)
