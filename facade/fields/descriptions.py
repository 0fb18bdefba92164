"""What a field tells of its values, to those who write them, read them and compute with them.

All of it may be left unsaid: the defaults look at each value, convert it, and ask users for an `output_field`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

Converter = Callable[[Any], Any]


class DatabaseReader:
    """What makes a Python value by a field's own `from_db_value`, which is told the database."""

    __slots__ = ("read",)

    def __init__(self, custom: Callable[[Any, Any, Any], Any], process: Converter | None) -> None:
        self.read: Callable[[Any, Any], Any]
        if process is None:
            self.read = lambda value, database: custom(value, None, database)
        else:
            self.read = lambda value, database: custom(process(value), None, database)

    def of(self, database: object) -> Converter:
        """Return the function that does so with values of one database."""
        read = self.read
        return lambda value: read(value, database)


Reader = Converter | DatabaseReader | None

Kind = Literal[
    "address",
    "bytes",
    "day",
    "decimal",
    "document",
    "duration",
    "float",
    "integer",
    "moment",
    "text",
    "time",
    "truth",
    "uuid",
]


class Plain(NamedTuple):
    """Values that are stored as they are: those of exactly one type for which the condition holds."""

    kind: type
    condition: str | None = None
    """Source text about the value `v`."""
    names: Mapping[str, object] = {}
    """What the condition calls `{name}`."""


# What prepares a value. Who says that a value needs none of it must have all of it.
_PREPARING = ("to_python", "get_prep_value", "get_db_prep_value", "get_db_prep_save", "storable", "stored")


class ValueDescription:
    """The part of a field that describes its values."""

    describes: ClassVar[tuple[type, ...]] = ()
    """The Python types of constants, as in `Value(…)` or `F("price") * 2`, that a plain field of this class describes.

    The first class that names a type has it. Not inherited.
    """

    value_kind: ClassVar[Kind | None] = None
    """What the database's operators and functions take the values for; None: for something of its own.

    It decides how values become JSON, how they are cast, and what SQL lengths of time are added with.
    """

    @property
    def is_zoned(self) -> bool:
        """Whether the values are moments, which each time zone shows as another clock."""
        return self.value_kind == "moment"

    counts_as: ClassVar[type[Any] | None] = None
    """The class for which this one may stand beside others in Case or Coalesce, where that is not itself."""

    @property
    def reads_as_stored(self) -> bool:
        """Whether the database's own JSON of a value says what Python's value is; else JSON with such values is refused."""
        return True

    cast_in_choices: ClassVar[bool] = False
    """Whether PostgreSQL must be told the type of a value that Case chose, because it was sent as a text."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for kind in vars(cls).get("describes", ()):
            _describing.setdefault(kind, cls)

    # What is written.

    def plain_values(self, vendor: str) -> Plain | None:
        """Return the values that a write hands to the column's type as they are; None if each must be prepared.

        It saves the field's own road, `get_db_prep_save`, which anything doubtful takes. It does not hold
        for a subclass that prepares values in another way, unless that one says so itself.
        """
        return None

    def unprepared(self, vendor: str) -> Plain | None:
        """Return the values that need no preparation, as far as the class that says so prepares them.

        Of a `vendor` that nobody knows, those that need none on any as long as it is not said which it is.
        """
        kind = type(self)
        teller = next(parent for parent in kind.__mro__ if "plain_values" in vars(parent))
        if any(getattr(kind, name) is not getattr(teller, name, None) for name in _PREPARING):
            return None
        return self.plain_values(vendor)

    # What a column holds.

    bounded_when_computed: ClassVar[bool] = False
    """Whether `range_on` holds for computed values, too; those of integers are as large as the database counts."""

    def range_on(self, vendor: str | None) -> tuple[Any, Any] | None:
        """Return the smallest and the largest value that the column holds on a kind of database, None where that is any.

        A comparison with a value beyond them is answered without asking the database, which might refuse the value.
        """
        return None

    # What is read.

    def computed_reader(self, convert: Reader, dialect: Dialect) -> Reader:
        """Return what makes the Python value of one that the database has computed, None if what the driver gives is right.

        `convert` is what does that for the value of a column: right here, too, where drivers give the same for both.
        """
        return convert

    # What is computed.

    def stands_beside(self, first: ValueDescription) -> bool:
        """Return whether values of this field may be beside those of `first`, by which all are read, in Case or Coalesce."""
        return isinstance(first, self.counts_as or type(self))

    def combined(self, connector: str, right: ValueDescription) -> Any:
        """Return the field of `self connector right`, None where this class has no rule for the pair.

        The operators are those of `Combinable`: ``+ - * / %% ^ & | << >> #``. Without a rule users give an `output_field`.
        """
        return None

    def combined_behind(self, connector: str, left: ValueDescription) -> Any:
        """Return the field of `left connector self`, None where there is no rule; asked when `left` has none."""
        return None

    def of_mean(self) -> Any:
        """Return the field of the mean of several values: not this one, if a mean has more digits than a value."""
        return self

    def of_total(self) -> Any:
        """Return the field of the sum of several values."""
        return self


_describing: dict[type, type[ValueDescription]] = {}
_of_constants: dict[type, ValueDescription] = {}


def field_of_constant(value: object) -> Any:
    """Return the field that describes a constant, None where no class names its type.

    Constants share it, so that equal ones have one and the same.
    """
    for kind in value.__class__.__mro__:
        if (field := _of_constants.get(kind)) is not None:
            return field
        if (field_class := _describing.get(kind)) is not None:
            return _of_constants.setdefault(kind, field_class())
    return None
