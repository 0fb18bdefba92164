"""The column that ``order_with_respect_to`` adds."""

from __future__ import annotations

from typing import Any

from facade.fields.kinds.numbers import IntegerField

__all__ = ["OrderWrt"]


class OrderWrt(IntegerField[int]):
    """An instance's place among those of the object that they are ordered with respect to."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.update(name="_order", editable=False)
        super().__init__(*args, **options)

    def get_internal_type(self) -> str:
        return "IntegerField"
