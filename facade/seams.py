"""Places where a lower layer calls what a higher one knows: imports point down, so the higher one fills them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from facade.exceptions import ImproperlyConfigured

P = ParamSpec("P")
R = TypeVar("R")
Filling = TypeVar("Filling", bound=Callable[..., Any])


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
        """Give the function; usable as a decorator."""
        self.filling = filling
        return filling

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.filling is None:
            raise ImproperlyConfigured(
                f"Nobody has said yet {self.does}: that is the part of {self.filled_by}. Import facade.models first."
            )
        return self.filling(*args, **kwargs)
