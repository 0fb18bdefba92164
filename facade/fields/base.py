"""Field: what all fields share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partialmethod, total_ordering
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, overload

from facade.choices import BlankChoiceIterator, CallableChoiceIterator, flatten_choices, normalize_choices
from facade.configuration import settings
from facade.exceptions import UnsupportedFeature
from facade.fields.cleaning import Cleaning
from facade.fields.columns import ColumnDescription, DialectView
from facade.fields.declarations import FieldChecks
from facade.fields.descriptions import ValueDescription
from facade.fields.keywords import NOT_PROVIDED, AnyValue
from facade.fields.lookup_registry import RegisterLookupMixin
from facade.foundation.promises import kept
from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.fields.contracts import Instance
    from facade.fields.relations.reverse import ForeignObjectRel


__all__ = ["BLANK_CHOICE_DASH", "BLANK_CHOICE_LABEL", "NOT_PROVIDED", "DeferredAttribute", "Field", "Operand"]

# (field) -> what stands for its `db_default` in an instance that is not saved.
database_default: Seam[[Any], Any] = Seam(
    "what stands for a default of the database", filled_by="facade.expressions.calls"
)

BLANK_CHOICE_LABEL = "- Select an option -"
BLANK_CHOICE_DASH = [("", "---------")]


class Operand:
    """Something that the database computes; expressions derive from it.

    Type checkers let an attribute take one: ``book.price = F("price") * 2``.
    """

    __slots__ = ()


class DeferredAttribute:
    """The attribute of a field on its model, for a field that needs another than itself.

    Such a field names a subclass in `descriptor_class`, which is made with the field.
    """

    def __init__(self, field: Field[Any]) -> None:
        self.field: Any = field

    def __get__(self, instance: Instance | None, owner: type[object] | None = None) -> Any:
        return self if instance is None else self.field.__get__(instance, owner)


# Attribute, keyword of the constructor, default: what deconstruct() tells, in this order.
_KEYWORDS: tuple[tuple[str, str, Any], ...] = (
    ("_verbose_name", "verbose_name", None),
    ("primary_key", "primary_key", False),
    ("max_length", "max_length", None),
    ("_unique", "unique", False),
    ("blank", "blank", False),
    ("null", "null", False),
    ("db_index", "db_index", False),
    ("default", "default", NOT_PROVIDED),
    ("db_default", "db_default", NOT_PROVIDED),
    ("editable", "editable", True),
    ("serialize", "serialize", True),
    ("unique_for_date", "unique_for_date", None),
    ("unique_for_month", "unique_for_month", None),
    ("unique_for_year", "unique_for_year", None),
    ("choices", "choices", None),
    ("help_text", "help_text", ""),
    ("db_column", "db_column", None),
    ("db_comment", "db_comment", None),
    ("_db_tablespace", "db_tablespace", None),
    ("auto_created", "auto_created", False),
    ("_validators", "validators", []),
    ("_error_messages", "error_messages", None),
)


def _is_default(value: object, default: object) -> bool:
    return value is default or (isinstance(default, (str, list)) and value == default)


@total_ordering
class Field(
    FieldChecks, Cleaning, ColumnDescription, ValueDescription, RegisterLookupMixin, Generic[AnyValue]
):
    """A column of a model, and the rules for its values.

    On a class the attribute is the field itself, on an instance its value. A subclass overrides
    `to_python` and `get_prep_value` for the values, and `get_internal_type`, `column_type` or `db_type` for the column.
    What else it may tell, of the values that the database computes among others, is in `ValueDescription`.
    """

    empty_strings_allowed = True
    creation_counter: int = 0
    auto_creation_counter: int = -1
    non_db_attrs: ClassVar[tuple[str, ...]] = (
        "blank",
        "choices",
        "db_column",
        "editable",
        "error_messages",
        "help_text",
        "limit_choices_to",
        "related_name",
        "related_query_name",
        "validators",
        "verbose_name",
    )
    """Options that do not change the column."""

    hidden = False
    generated = False
    concrete: bool
    many_to_many: bool | None = None
    many_to_one: bool | None = None
    one_to_many: bool | None = None
    one_to_one: bool | None = None
    related_model: Any = None

    name: Any
    attname: Any
    column: Any
    model: Any

    descriptor_class: Any = None
    """Makes the class attribute, where it is not the field itself."""

    description: Any = property(lambda self: f"Field of type: {type(self).__name__}")

    def __init__(
        self,
        verbose_name: str | None = None,
        name: str | None = None,
        *,
        primary_key: bool = False,
        max_length: int | None = None,
        unique: bool = False,
        blank: bool = False,
        null: bool = False,
        db_index: bool = False,
        rel: ForeignObjectRel | None = None,
        default: object = NOT_PROVIDED,
        editable: bool = True,
        serialize: bool = True,
        unique_for_date: str | None = None,
        unique_for_month: str | None = None,
        unique_for_year: str | None = None,
        choices: object = None,
        help_text: str = "",
        db_column: str | None = None,
        db_tablespace: str | None = None,
        auto_created: bool = False,
        validators: Iterable[Callable[[Any], object]] = (),
        error_messages: Mapping[str, Any] | None = None,
        db_comment: str | None = None,
        db_default: object = NOT_PROVIDED,
    ) -> None:
        self.name = name
        self.verbose_name = self._verbose_name = verbose_name
        self.primary_key = primary_key
        self.max_length = max_length
        self._unique = unique
        self.blank, self.null = blank, null
        self.db_index = db_index
        self.remote_field: Any = rel
        self.is_relation = rel is not None
        self.default = default
        self.db_default = db_default
        self.editable = editable
        self.serialize = serialize
        self.unique_for_date = unique_for_date
        self.unique_for_month = unique_for_month
        self.unique_for_year = unique_for_year
        self.choices = choices
        self.help_text = help_text
        self.db_column = db_column
        self.db_comment = db_comment
        self._db_tablespace = db_tablespace
        self.auto_created = auto_created
        self._validators = list(validators)
        self._error_messages = error_messages
        self._take_number()

    def _take_number(self) -> None:
        """Take the next place in the order of definition; what facade adds itself comes first."""
        if self.auto_created:
            self.creation_counter = Field.auto_creation_counter
            Field.auto_creation_counter -= 1
        else:
            self.creation_counter = Field.creation_counter
            Field.creation_counter += 1

    # The attribute of a class and of its instances: a descriptor without __set__, so that a value in the
    # instance's __dict__ is read without coming by here.

    @overload
    def __get__(self, instance: None, owner: type[object] | None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[object] | None = None) -> AnyValue: ...
    def __get__(self, instance: object, owner: object = None) -> Any:
        # In a class that is no model a field is a plain attribute: `output_field = DateTimeField()`.
        if not isinstance(instance, self.__dict__.get("model", ())):
            return self
        if self.attname not in instance.__dict__:
            instance._fetch_deferred(self)
        return instance.__dict__[self.attname]

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: AnyValue | Operand) -> None: ...

    else:

        def __class_getitem__(cls, value: object) -> Any:
            return cls  # the type of the attribute is for type checkers only

    @property
    def field(self) -> Self:
        """The field itself."""
        return self

    def slice_expression(self, expression: object, start: int, length: int | None) -> Any:
        """Return the expression of the part from position `start`, counted from 1. Texts have parts."""
        raise UnsupportedFeature("This field does not support slicing.")

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        """Become the field `name` of a model; `private_only`: of each of its subclasses anew."""
        self.set_attributes_from_name(name)
        self.model = cls
        self.__dict__.pop("column_type", None)
        cls._meta.add_field(self, private=private_only)
        if self.column:
            setattr(cls, self.attname, self.descriptor_class(self) if self.descriptor_class else self)
        # A method that the class itself defines wins over this one, and this one over an inherited one.
        if self.choices is not None and f"get_{self.name}_display" not in cls.__dict__:
            display = partialmethod(cls._get_FIELD_display, field=self)
            setattr(cls, f"get_{self.name}_display", display)

    def set_attributes_from_name(self, name: str) -> None:
        """Derive attribute, column and verbose name from the name in the class body."""
        self.name = self.name or name
        self.attname, self.column = self.get_attname_column()
        self.concrete = self.column is not None
        if self.verbose_name is None and self.name:
            self.verbose_name = self.name.replace("_", " ")

    def get_attname(self) -> str:
        """Return the name of the attribute that holds the column's value."""
        return str(self.name)

    def get_attname_column(self) -> tuple[str, str | None]:
        """Return the attribute's name and the column's; a field without a column has None."""
        attname = self.get_attname()
        return attname, self.db_column or attname

    # What it is.

    @property
    def unique(self) -> bool:
        """Whether no two rows have the same value."""
        return self._unique or self.primary_key

    @property
    def db_tablespace(self) -> str:
        """The tablespace of the column's index."""
        return self._db_tablespace or settings.DEFAULT_INDEX_TABLESPACE

    @property
    def db_returning(self) -> bool:
        """Whether the database makes values that an INSERT has to return."""
        return self.generated or self.has_db_default()

    @property
    def choices(self) -> Any:
        """The choices as pairs of value and label, None without any."""
        return self._choices

    @choices.setter
    def choices(self, value: object) -> None:
        self._choices = normalize_choices(value)

    @property
    def flatchoices(self) -> list[tuple[Any, Any]]:
        """The choices without their groups."""
        return list(flatten_choices(self.choices))

    def get_choices(
        self,
        include_blank: bool = True,
        blank_choice: list[Any] | None = None,
        limit_choices_to: object = None,
        ordering: Sequence[str] = (),
    ) -> Any:
        """Return the choices for a list to select from; those of a relation are the related objects."""
        blank = [("", BLANK_CHOICE_LABEL)] if blank_choice is None else blank_choice
        if self.choices is not None:
            return BlankChoiceIterator(self.choices, blank) if include_blank else self.choices
        limits = limit_choices_to or self.get_limit_choices_to()  # type: ignore[attr-defined]
        related = self.remote_field.model._default_manager.complex_filter(limits)
        target = self.remote_field.get_related_field().attname
        rows = related.order_by(*ordering) if ordering else related
        return [*(blank if include_blank else ()), *((getattr(row, target), str(row)) for row in rows)]

    def __str__(self) -> str:
        model = getattr(self, "model", None)
        return repr(self) if model is None else f"{model._meta.label}.{self.name}"

    def __repr__(self) -> str:
        path = f"{public_module(type(self), '.fields')}.{type(self).__qualname__}"
        return f"<{path}: {self.name}>" if self.name is not None else f"<{path}>"

    # Order, identity, copies.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Field):
            return NotImplemented
        return self._identity() == other._identity()

    def _identity(self) -> tuple[int, Any]:
        return self.creation_counter, getattr(self, "model", None)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Field):
            return NotImplemented
        return self._place() < other._place()

    def _place(self) -> tuple[int, bool, str, str]:
        model = getattr(self, "model", None)
        if model is None:
            return self.creation_counter, False, "", ""
        return self.creation_counter, True, model._meta.app_label, model._meta.model_name

    def __hash__(self) -> int:
        return hash(self.creation_counter)

    def __copy__(self) -> Self:
        made: Self = _empty(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = copy.copy(self)
        if self.remote_field:
            made.remote_field = copy.copy(self.remote_field)
            if getattr(self.remote_field, "field", None) is self:
                made.remote_field.field = made
        memo[id(self)] = made
        return made

    def __reduce__(self) -> Any:
        if (model := getattr(self, "model", None)) is not None:
            return _field_of, (model, self.name)
        state = {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("_get_default", "column_type")
        }
        return _empty, (type(self),), state

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        """Return (name, import path, positional and keyword arguments): what it takes to make an equal field."""
        told = ((name, getattr(self, attribute), default) for attribute, name, default in _KEYWORDS)
        options = {name: value for name, value, default in told if not _is_default(value, default)}
        if isinstance(self.choices, CallableChoiceIterator):
            options["choices"] = self.choices.func
        return self.name, f"{public_module(type(self))}.{type(self).__qualname__}", [], options

    def clone(self) -> Self:
        """Return a new field with the same options, of no model."""
        _, _, args, options = self.deconstruct()
        return type(self)(*args, **options)

    # Defaults.

    def has_default(self) -> bool:
        """Return whether there is a Python default."""
        return self.default is not NOT_PROVIDED

    def has_db_default(self) -> bool:
        """Return whether there is a default that the database applies."""
        return self.db_default is not NOT_PROVIDED

    def get_default(self) -> Any:
        """Return the value of an attribute that is not given."""
        return self._get_default()

    @cached_property
    def _get_default(self) -> Callable[[], Any]:
        if self.has_default():
            default = self.default
            return default if callable(default) else lambda: default
        if self.has_db_default():
            stand_in = database_default(self)
            return lambda: stand_in
        return str if self.empty_strings_allowed and not self.null else _nothing

    def get_pk_value_on_save(self, instance: Instance) -> Any:
        """Return a primary key for an instance that is saved without one, None for the database to make it."""
        return self.get_default() if self.default else None

    # Values on their way from users to the database.

    def get_prep_value(self, value: object) -> Any:
        """Return `value` as the column's type takes it. Raises ValueError, TypeError or ValidationError."""
        return kept(value)

    def get_db_prep_value(self, value: object, connection: Database, prepared: bool = False) -> Any:
        """Return `value` as the column's type takes it on this database."""
        return value if prepared else self.get_prep_value(value)

    def get_db_prep_save(self, value: object, connection: Database) -> Any:
        """Return `value` as it is to be stored. Raises DataError where the column cannot hold it."""
        if isinstance(value, Operand):
            return value
        found = self.get_db_prep_value(value, connection=connection, prepared=False)
        return self.storable(value, found, connection)

    @classmethod
    def prepares_itself(cls, for_save: bool = False) -> bool:
        """Return whether a class of one's own says how its values are compared or, `for_save`, stored."""
        if not cls.get_db_prep_value.__module__.startswith("facade.fields."):
            return True
        return for_save and not cls.get_db_prep_save.__module__.startswith("facade.fields.")

    def db_preparation(
        self, connection: Database | DialectView, for_save: bool = False
    ) -> Callable[[Any], Any] | None:
        """Return what a class of one's own does to the values of expressions: its `get_db_prep_value` or `…_save`."""
        if not self.prepares_itself(for_save):
            return None
        if for_save:
            return lambda value: self.stored(value, connection)
        return lambda value: self.get_db_prep_value(value, connection=connection, prepared=True)  # type: ignore[arg-type]

    def stored(self, value: object, connection: Database | DialectView) -> Any:
        """Return what a write hands to the column's type: what `get_db_prep_save` returns."""
        return self.get_db_prep_save(value, connection=connection)  # type: ignore[arg-type]

    def storable(self, given: object, prepared: object, connection: Database | DialectView | None) -> Any:
        """Return `prepared` as the column holds it; refuse what a comparison may hold and the column cannot.

        Where no database is given, what no database holds is refused.
        """
        return prepared

    def pre_save(self, model_instance: Instance, add: bool) -> Any:
        """Return the value to store, on INSERT (`add`) or UPDATE; may set it on the instance."""
        if self.on_update is not None and not add:
            setattr(model_instance, self.attname, self.on_update())
        return getattr(model_instance, self.attname)

    @property
    def sets_itself(self) -> bool:
        """Whether `pre_save` may do anything but read the attribute."""
        return self.on_update is not None or type(self).pre_save is not Field.pre_save

    def value_from_object(self, obj: Instance) -> Any:
        """Return the value of this field in an instance."""
        return getattr(obj, self.attname)

    def value_to_string(self, obj: Instance) -> Any:
        """Return the value of this field in an instance as text, for serializers."""
        return str(self.value_from_object(obj))

    def save_form_data(self, instance: Instance, data: object) -> None:
        """Set what a form has for this field."""
        setattr(instance, self.name, data)

    def get_filter_kwargs_for_object(self, obj: Instance) -> dict[str, Any]:
        """Return the keywords with which `filter()` finds the rows with the same value as `obj`."""
        return {self.name: getattr(obj, self.attname)}


def _nothing() -> None:
    return None


def _empty(kind: type[object]) -> Any:
    return kind.__new__(kind)


def _field_of(model: type[Instance], name: str) -> Any:
    return model._meta.get_field(name)


def public_module(kind: type[Any], below: str = "") -> str:
    """Return the module that users import a class from: fields are exported by `facade.models`."""
    module = kind.__module__
    return f"facade.models{below}" if module.startswith("facade.fields.") else module
