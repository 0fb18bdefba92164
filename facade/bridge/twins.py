"""Twins: the async face of sync methods."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from facade.bridge.workers import TWIN_OF, creator, named

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

if TYPE_CHECKING:

    class twin(Generic[S, P, R]):  # noqa: N801 - reads as the function that it is at run time
        """``aget = twin(get)``: the awaitable twin of a method, with its signature."""

        def __init__(self, method: Callable[Concatenate[S, P], R]) -> None: ...
        @overload
        def __get__(self, obj: None, owner: type) -> Self: ...
        @overload
        def __get__(self, obj: S, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
        def __get__(self, obj: object, owner: type) -> Any: ...
        def __call__(self, obj: S, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]: ...

else:

    def twin(method):  # noqa: ANN001, ANN201 - typed above
        """Make the awaitable twin of a method: ``aget = twin(get)``.

        It runs whatever ``get`` is on the object, so overriding ``get`` is enough. It is a plain function: calling
        it notes the running task as the operation's owner, awaiting its result may happen elsewhere.
        """
        name = method.__name__
        drive = _twin_drive(method)

        def awaitable(self, /, *args, **kwargs):  # noqa: ANN001, ANN002, ANN003, ANN202 - typed above
            return drive(creator(), getattr(self, name), args, kwargs)

        return _as_twin(awaitable, method)


def function_twin(fn: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make the awaitable twin of a module's function: ``ahealth_check = function_twin(health_check)``."""
    drive = _twin_drive(fn)

    def awaitable(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        return drive(creator(), fn, args, kwargs)

    return _as_twin(awaitable, fn)  # type: ignore[no-any-return]


def add_with_twin(cls: type, name: str, method: Callable[..., Any]) -> None:
    """Give a class a method that is made for it, under this name, and its twin."""
    method.__name__, method.__qualname__ = name, f"{cls.__qualname__}.{name}"
    setattr(cls, name, method)
    setattr(cls, f"a{name}", twin(method))


def _twin_drive(fn: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    return named(f"a{fn.__name__}", _twin_qualname(fn))


def _twin_qualname(fn: Callable[..., Any]) -> str:
    return f"{fn.__qualname__.removesuffix(fn.__name__)}a{fn.__name__}"


def _as_twin(awaitable: Any, fn: Callable[..., Any]) -> Any:
    functools.update_wrapper(awaitable, fn)
    awaitable.__name__, awaitable.__qualname__ = f"a{fn.__name__}", _twin_qualname(fn)
    setattr(awaitable, TWIN_OF, fn.__name__)
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(awaitable)
    awaitable._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return awaitable


def check_twins(cls: type, base: type) -> None:
    """Refuse a subclass of ``base`` that overrides ``asave`` but not ``save``: only half the callers would notice.

    Raises TypeError naming both methods.
    """
    for owner in cls.__mro__:
        if issubclass(base, owner):
            continue
        for name, value in vars(owner).items():
            sync = _overridden(base, name)
            if sync and sync not in vars(owner) and not hasattr(value, TWIN_OF):
                raise TypeError(
                    f"{owner.__name__} overrides {name}() but not {sync}(). {name}() runs {sync}() without blocking "
                    f"the event loop, and sync code calls {sync}() alone: override {sync}(), which serves both."
                )


def _overridden(base: type, name: str) -> str | None:
    return getattr(getattr(base, name, None), TWIN_OF, None) if name.startswith("a") else None
