"""The options of models on existing tables before anybody looks at their fields."""

from __future__ import annotations

from typing import Any

from facade.meta.options import Options
from facade.meta.structure import FieldList

__all__ = ["Unsettled"]


class Unsettled(Options):
    """Options of a model whose foreign keys become relations when the fields are asked for.

    Only then are all the models known that they may refer to, and SQLAlchemy's mappers complete. After that they are plain
    `Options`: nobody asks twice.
    """

    def _get_fields(self, *args: Any, **options: Any) -> FieldList:
        self.apps.settle()
        return Options._get_fields(self, *args, **options)  # which it may be by now
