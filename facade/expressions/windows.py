"""Window expressions: a function over the rows around each row."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.base import Expression
from facade.expressions.calls import as_expression
from facade.expressions.functions.vendors import Fixed
from facade.expressions.lists import ExpressionList, OrderByList
from facade.expressions.sqltext.fragments import Whole, template

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler
    from facade.fields import Field
    from facade.vendors import Vendor


class Window(Expression):
    """A function or an aggregate over a window of rows.

    `partition_by` are the expressions whose values the rows of a window share, `order_by` is their order, `frame` says which of them
    count. See https://docs.djangoproject.com/en/6.1/ref/models/expressions/#window-functions

    >>> from facade.models import Sum
    >>> Window(Sum("pages"), partition_by="author", frame=RowRange(-1, 0))
    <Window: Sum(F(pages)) OVER (PARTITION BY F(author)ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)>
    """

    sources = ("source_expression", "partition_by", "order_by", "frame")
    contains_aggregate = False
    contains_over_clause = True
    keeps_json = True

    def __init__(
        self,
        expression: object,
        partition_by: object = None,
        order_by: object = None,
        frame: WindowFrame | None = None,
        output_field: Field[Any] | None = None,
    ) -> None:
        if not getattr(expression, "window_compatible", False):
            raise ValueError(f"Expression '{type(expression).__name__}' isn't compatible with OVER clauses.")
        super().__init__(output_field)
        self.source_expression = as_expression(expression)
        self.partition_by = _partition(partition_by)
        self.order_by = OrderByList.from_param("Window.order_by", order_by)
        self.frame = frame

    def __str__(self) -> str:
        parts = (
            f"PARTITION BY {self.partition_by}" if self.partition_by else "",
            str(self.order_by or ""),
            str(self.frame or ""),
        )
        return f"{self.source_expression} OVER ({''.join(parts)})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def _resolve_output_field(self) -> Field[Any] | None:
        field: Field[Any] = self.source_expression.output_field
        return field

    def get_group_by_cols(self) -> list[Any]:
        lists = (self.partition_by, self.order_by)
        return [column for item in lists if item is not None for column in item.get_group_by_cols()]

    def as_core(self, compiler: Compiler) -> Any:
        clauses = [("PARTITION BY %s", self.partition_by), ("ORDER BY %s", self.order_by), ("%s", self.frame)]
        used = [(text, compiler.process(part)) for text, part in clauses if part is not None]
        window = " ".join(text for text, _ in used)
        call = compiler.process(self.source_expression)
        rounded = isinstance(call, Whole)
        arguments = [call.computed if rounded else call, *(part for _, part in used)]
        over = template(f"%s OVER ({window})", *arguments, type_=self.column_type)
        return Whole(over, self.column_type) if rounded else over


def _partition(given: object) -> ExpressionList | None:
    if given is None:
        return None
    return ExpressionList(*(given if isinstance(given, (tuple, list)) else [given]))


class WindowFrameExclusion(Enum):
    """Which rows near the current one a frame leaves out."""

    CURRENT_ROW = "CURRENT ROW"
    GROUP = "GROUP"
    TIES = "TIES"
    NO_OTHERS = "NO OTHERS"

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}.{self._name_}"


class WindowFrame(Expression):
    """The rows of a window that a function looks at: from `start` to `end`, None for the first and the last row."""

    frame_type: ClassVar[str]

    def __init__(
        self, start: int | None = None, end: int | None = None, exclusion: WindowFrameExclusion | None = None
    ) -> None:
        if exclusion is not None and not isinstance(exclusion, WindowFrameExclusion):
            raise TypeError(f"{type(self).__qualname__}.exclusion must be a WindowFrameExclusion instance.")
        super().__init__(fields.Field())
        self.start, self.end = Fixed(start), Fixed(end)
        self.exclusion = exclusion

    def __str__(self) -> str:
        start, end = (
            _bound(self.start.value, "UNBOUNDED PRECEDING"),
            _bound(self.end.value, "UNBOUNDED FOLLOWING"),
        )
        excluded = "" if self.exclusion is None else f" EXCLUDE {self.exclusion.value}"
        return f"{self.frame_type} BETWEEN {start} AND {end}{excluded}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    @property
    def identity(self) -> Any:
        return type(self), self.start.value, self.end.value, self.exclusion

    def get_group_by_cols(self) -> list[Any]:
        return []

    def window_frame_start_end(self, features: Vendor, start: object, end: object) -> None:
        """Raise ValueError for bounds that are no rows of a frame, UnsupportedFeature for those the database does not know."""
        raise NotImplementedError("Subclasses must implement window_frame_start_end().")

    def as_core(self, compiler: Compiler) -> Any:
        self.window_frame_start_end(compiler.features, self.start.value, self.end.value)
        if self.exclusion is not None and not compiler.features.supports_frame_exclusion:
            raise UnsupportedFeature(
                f"This backend does not support window frame exclusions. It is {compiler.features.called}."
            )
        return template(str(self))


def _bound(value: int | None, unbounded: str) -> str:
    if value is None:
        return unbounded
    if value == 0:
        return "CURRENT ROW"
    return f"{abs(value)} {'PRECEDING' if value < 0 else 'FOLLOWING'}"


class RowRange(WindowFrame):
    """A frame of rows, counted from the current one."""

    frame_type = "ROWS"

    def window_frame_start_end(self, features: Vendor, start: object, end: object) -> None:
        if isinstance(start, int) and isinstance(end, int) and start > end:
            raise ValueError("start cannot be greater than end.")
        for name, value in (("start", start), ("end", end)):
            if value is not None and not isinstance(value, int):
                raise ValueError(f"{name} argument must be an integer, zero, or None, but got '{value}'.")


class ValueRange(WindowFrame):
    """A frame of rows by the distance of their values from that of the current one."""

    frame_type = "RANGE"

    def window_frame_start_end(self, features: Vendor, start: object, end: object) -> None:
        if start is not None and (not isinstance(start, int) or start > 0):
            raise ValueError(f"start argument must be a negative integer, zero, or None, but got '{start}'.")
        if end is not None and (not isinstance(end, int) or end < 0):
            raise ValueError(f"end argument must be a positive integer, zero, or None, but got '{end}'.")
        if features.only_supports_unbounded_with_preceding_and_following and (start or end):
            raise UnsupportedFeature(
                "PostgreSQL only supports UNBOUNDED together with PRECEDING and FOLLOWING."
            )


__all__ = ["RowRange", "ValueRange", "Window", "WindowFrame", "WindowFrameExclusion"]
