"""Lookups that look for pieces of texts, and for patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.expressions.comparisons import BuiltinLookup, Lookup, registered
from facade.expressions.freezing import Arg
from facade.fields.kinds.text import is_encodable
from facade.types.shared import TEXT

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Core


def text(value: object) -> Any:
    """Return a LIKE or regex operand as text; raise ValueError for one that no row can hold."""
    value = value if isinstance(value, str) else str(value)
    if "\0" in value:  # it would cut the pattern short
        raise ValueError("A text pattern cannot contain a NUL (0x00) character.")
    if not (value.isascii() or is_encodable(value)):  # as they nearly always are
        raise ValueError(f"One half of a surrogate pair stands alone in the text pattern {value!r}.")
    return value


def escape_like(value: str, more: str = "") -> str:
    """Return `value` with LIKE's own characters escaped, and those that have a meaning on the database alone."""
    value = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    for character in more:
        value = value.replace(character, f"\\{character}")
    return value


class PatternLookup(BuiltinLookup):
    """LIKE with a pattern made of the value."""

    before = after = ""
    ignore_case = False
    prepare_rhs = False

    def prepare(self, value: object) -> Any:
        return text(super().prepare(value))

    @property
    def convert(self) -> Any:  # type: ignore[override]
        before, after = self.before, self.after
        return lambda value: f"{before}{escape_like(value)}{after}"

    def converter(self, compiler: Compiler) -> Any:
        more = "".join(set(compiler.words.like_wildcards) - set("\\%_"))
        if not more:
            return self.convert
        before, after = self.before, self.after
        return lambda value: f"{before}{escape_like(value, more)}{after}"

    @property
    def bind_type(self) -> Any:
        return TEXT

    def right(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Arg):
            return super().right(compiler)
        if hasattr(self.rhs, "as_core"):
            return compiler.words.like_pattern(self.before, compiler.process(self.rhs), self.after)
        return compiler.literal(self.converter(compiler)(self.prepare(self.rhs)), TEXT)

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        return compiler.words.like(left, right, ignore_case=self.ignore_case)


@registered()
class IExact(PatternLookup):
    """Equality that ignores case."""

    lookup_name = "iexact"
    ignore_case = True

    def prepare(self, value: object) -> Any:
        return value if value is None else super().prepare(value)


@registered()
class Contains(PatternLookup):
    """Contains the text; on SQLite whatever the case of ASCII letters."""

    lookup_name = "contains"
    before = after = "%"


@registered()
class IContains(Contains):
    """Contains the text, whatever the case of letters; on SQLite of ASCII letters."""

    lookup_name = "icontains"
    ignore_case = True


@registered()
class StartsWith(PatternLookup):
    """Begins with the text; on SQLite whatever the case of ASCII letters."""

    lookup_name = "startswith"
    after = "%"


@registered()
class IStartsWith(StartsWith):
    """Begins with the text, whatever the case of letters; on SQLite of ASCII letters."""

    lookup_name = "istartswith"
    ignore_case = True


@registered()
class EndsWith(PatternLookup):
    """Ends with the text; on SQLite whatever the case of ASCII letters."""

    lookup_name = "endswith"
    before = "%"


@registered()
class IEndsWith(EndsWith):
    """Ends with the text, whatever the case of letters; on SQLite of ASCII letters."""

    lookup_name = "iendswith"
    ignore_case = True


@registered()
class Regex(BuiltinLookup):
    """A regular expression, in the database's own dialect."""

    lookup_name = "regex"
    ignore_case = False
    prepare_rhs = False

    def prepare(self, value: object) -> Any:
        return text(super().prepare(value))

    @property
    def bind_type(self) -> Any:
        return TEXT

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        return compiler.words.regex(left, right, self.ignore_case)


@registered()
class IRegex(Regex):
    """A regular expression that does not look at the case of letters."""

    lookup_name = "iregex"
    ignore_case = True


__all__ = [
    name for name, item in list(globals().items()) if isinstance(item, type) and issubclass(item, Lookup)
]
