"""Lazily evaluated values of other libraries, such as translated texts, known without importing them."""

from __future__ import annotations

from typing import Any

_CAST = "_proxy____cast"


def is_promise(value: object) -> bool:
    """Return whether `value` is one of Django's lazy objects (`gettext_lazy("…")` and the like)."""
    return hasattr(type(value), _CAST)


def kept(value: object) -> Any:
    """Return what a lazy object stands for, and any other value as it is."""
    return getattr(value, _CAST)() if is_promise(value) else value
