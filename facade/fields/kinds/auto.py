"""Primary keys that the database counts up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import sqlalchemy as sa

from facade.fields.columns import counting
from facade.fields.keywords import FieldOptions, IntegerValue, Name
from facade.fields.kinds.numbers import BigIntegerField, IntegerField, SmallIntegerField

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

    from facade.checks import CheckMessage
    from facade.fields.columns import ColumnType, Declared
    from facade.fields.contracts import Instance


class AutoFieldMixin:
    """What counting fields share: the database makes their values when a row is inserted without one."""

    primary_key: bool
    counts = True

    def __init__(self, *names: Any, **options: Any) -> None:
        options["blank"] = True
        super().__init__(*names, **options)

    @property
    def db_returning(self) -> bool:
        return True

    def validate(self, value: object, model_instance: Instance | None) -> None:
        """Accept anything: what is missing, the database makes."""

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        if cls._meta.auto_field:
            raise ValueError(f"Model {cls._meta.label} can't have more than one auto-generated field.")
        super().contribute_to_class(cls, name, private_only)  # type: ignore[misc]
        cls._meta.auto_field = self

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()  # type: ignore[misc]
        del options["blank"]
        options["primary_key"] = True
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found: list[CheckMessage] = super().check(**kwargs)  # type: ignore[misc]
        if not self.primary_key:
            found.append(self._error("AutoFields must set primary_key=True.", "E100"))  # type: ignore[attr-defined]
        return found


class AutoFieldMeta(type):
    """Lets `isinstance(field, AutoField)` hold for counting fields of every size."""

    def __instancecheck__(cls, instance: object) -> bool:
        return cls.__subclasscheck__(type(instance))

    def __subclasscheck__(cls, subclass: type) -> bool:
        if cls is AutoField and AutoFieldMixin in getattr(subclass, "__mro__", ()):
            return True
        return super().__subclasscheck__(subclass)


class AutoField(AutoFieldMixin, IntegerField[IntegerValue], metaclass=AutoFieldMeta):
    """A counting primary key of 32 bits."""

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: AutoField[int], *names: Name, null: Literal[False] = ..., **options: Unpack[FieldOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: AutoField[int | None], *names: Name, null: Literal[True], **options: Unpack[FieldOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "AutoField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return sa.Integer()

    @property
    def rel_column_type(self) -> TypeEngine[Any]:
        return sa.Integer()


class BigAutoField(AutoFieldMixin, BigIntegerField[IntegerValue]):
    """A counting primary key of 64 bits."""

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: BigAutoField[int], *names: Name, null: Literal[False] = ..., **options: Unpack[FieldOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: BigAutoField[int | None], *names: Name, null: Literal[True], **options: Unpack[FieldOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "BigAutoField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return counting(sa.BigInteger)

    @property
    def rel_column_type(self) -> TypeEngine[Any]:
        return sa.BigInteger()


class SmallAutoField(AutoFieldMixin, SmallIntegerField[IntegerValue]):
    """A counting primary key of 16 bits."""

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: SmallAutoField[int],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: SmallAutoField[int | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "SmallAutoField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return counting(sa.SmallInteger)

    @property
    def rel_column_type(self) -> TypeEngine[Any]:
        return sa.SmallInteger()
