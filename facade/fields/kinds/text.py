"""Texts, and what is written as text: slugs, email addresses, URLs, paths."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack, overload

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement

from facade.fields.base import Field
from facade.fields.columns import text_column
from facade.fields.descriptions import Plain
from facade.fields.keywords import FilePathOptions, Name, SlugOptions, TextOptions, TextValue
from facade.foundation.imports import later
from facade.foundation.promises import kept
from facade.foundation.seams import Seam
from facade.validators import (
    MaxLengthValidator,
    URLValidator,
    validate_comma_separated_integer_list,
    validate_email,
    validate_slug,
    validate_unicode_slug,
)

if TYPE_CHECKING:
    from os import PathLike

    from sqlalchemy.dialects import mysql

    from facade.checks import CheckMessage
    from facade.fields.columns import ColumnType, Declared
else:
    mysql = later("sqlalchemy.dialects.mysql")


# (expression, first position counted from 1, length) -> the expression of that part.
part_of_text: Seam[[Any, int, int | None], Any] = Seam(
    "how a text is sliced", filled_by="facade.expressions.functions.text"
)


def storable_text(field: Field[Any], value: str) -> str:
    """Return `value`; raise ValueError for what some database refuses, or would cut short."""
    if "\x00" in value:
        raise ValueError(
            f"Field '{field.name}' got {value!r}: A string literal cannot contain NUL (0x00) characters."
        )
    if not is_encodable(value):
        raise ValueError(
            f"Field '{field.name}' got {value!r}, in which one half of a surrogate pair stands alone."
        )
    return value


def is_encodable(value: str) -> bool:
    """Return whether a text has no half of a surrogate pair that stands alone."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_of(field: Field[Any], value: object) -> str:
    """Return a value as text; raise TypeError for an expression of SQLAlchemy's, whose text is no value."""
    if isinstance(value, ClauseElement):
        raise TypeError(
            f"Field '{field.name}' got the SQLAlchemy expression {str(value)!r}, where only a value can stand."
        )
    return str(value)


class _Text(Field[TextValue]):
    """What all kinds of text share."""

    value_kind = "text"
    default_max_length: ClassVar[int | None] = None

    def __init__(self, *names: Any, db_collation: str | None = None, **options: Any) -> None:
        options.setdefault("max_length", self.default_max_length)
        super().__init__(*names, **options)
        self.db_collation = db_collation

    def slice_expression(self, expression: object, start: int, length: int | None) -> Any:
        return part_of_text(expression, start, length)

    def to_python(self, value: object) -> Any:
        return value if value is None or isinstance(value, str) else text_of(self, value)

    def get_prep_value(self, value: object) -> Any:
        if value is None:
            return None
        if type(value) is not str:
            value = kept(value)
            # Of a member of a TextChoices, the text alone: drivers know exact types best.
            value = str.__str__(value) if isinstance(value, str) else self.to_python(value)
        return value if value is None else storable_text(self, value)

    def plain_values(self, vendor: str) -> Plain:
        return Plain(str, "v.isascii() and '\\0' not in v")

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.db_collation:
            options["db_collation"] = self.db_collation
        return name, path, args, options


class CharField(_Text[TextValue]):
    """Texts of up to `max_length` characters.

    `full_clean()` checks the length, as do PostgreSQL and MariaDB; SQLite does not. `db_collation` names a collation of the
    database. A text with NUL is a ValueError. Without `null`, an empty value is `""`.

    >>> CharField(max_length=3).clean("Adam", None)
    Traceback (most recent call last):
    facade.exceptions.ValidationError: ['Ensure this value has at most 3 characters (it has 4).']
    """

    describes = (str,)

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: CharField[str], *names: Name, null: Literal[False] = ..., **options: Unpack[TextOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: CharField[str | None], *names: Name, null: Literal[True], **options: Unpack[TextOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    description = property(
        lambda self: f"String ({'unlimited' if self.max_length is None else f'up to {self.max_length}'})"
    )

    def get_internal_type(self) -> str:
        return "CharField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return text_column(field)

    @cached_property
    def validators(self) -> list[Callable[[Any], object]]:
        limit = [] if self.max_length is None else [MaxLengthValidator(self.max_length)]
        return [*super().validators, *limit]

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        limit = self.max_length
        if limit is not None and (type(limit) is not int or limit <= 0):
            found.append(self._error("'max_length' must be a positive integer.", "E121"))
        return found


class TextField(_Text[TextValue]):
    """Texts of any length; `max_length` is for `full_clean()` alone, `db_collation` names a collation of the database."""

    description = "Text"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: TextField[str], *names: Name, null: Literal[False] = ..., **options: Unpack[TextOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: TextField[str | None], *names: Name, null: Literal[True], **options: Unpack[TextOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "TextField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        collation = getattr(field, "db_collation", None)
        return sa.Text(collation=collation).with_variant(
            mysql.LONGTEXT(collation=collation), "mysql", "mariadb"
        )


class CommaSeparatedIntegerField(CharField[TextValue]):
    """Integers joined by commas."""

    default_validators = (validate_comma_separated_integer_list,)
    description = "Comma-separated integers"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: CommaSeparatedIntegerField[str],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[TextOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: CommaSeparatedIntegerField[str | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[TextOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...


class EmailField(CharField[TextValue]):
    """Email addresses of up to 254 characters, which `full_clean()` checks."""

    default_validators = (validate_email,)
    description = "Email address"
    default_max_length = 254

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: EmailField[str], *names: Name, null: Literal[False] = ..., **options: Unpack[TextOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: EmailField[str | None], *names: Name, null: Literal[True], **options: Unpack[TextOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...


class SlugField(CharField[TextValue]):
    """Names for use in URLs: letters, digits, underscores and hyphens, 50 at most unless `max_length` says so, with an index.

    `allow_unicode` takes letters of any script.
    """

    default_validators = (validate_slug,)
    description = "Slug (up to %(max_length)s)"
    default_max_length = 50

    @overload
    def __init__(
        self: SlugField[str], *names: Name, null: Literal[False] = ..., **options: Unpack[SlugOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: SlugField[str | None], *names: Name, null: Literal[True], **options: Unpack[SlugOptions]
    ) -> None: ...

    def __init__(
        self, *names: Any, db_index: bool = True, allow_unicode: bool = False, **options: Any
    ) -> None:
        self.allow_unicode = allow_unicode
        if allow_unicode:
            self.default_validators = (validate_unicode_slug,)
        super().__init__(*names, db_index=db_index, **options)  # type: ignore[misc]

    def get_internal_type(self) -> str:
        return "SlugField"

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.max_length == self.default_max_length:
            del options["max_length"]
        options.pop("db_index", None)
        if self.db_index is False:
            options["db_index"] = False
        if self.allow_unicode:
            options["allow_unicode"] = self.allow_unicode
        return name, path, args, options


class URLField(CharField[TextValue]):
    """Absolute URLs of up to 200 characters, which `full_clean()` checks."""

    default_validators = (URLValidator(),)
    description = "URL"
    default_max_length = 200

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: URLField[str], *names: Name, null: Literal[False] = ..., **options: Unpack[TextOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: URLField[str | None], *names: Name, null: Literal[True], **options: Unpack[TextOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.max_length == self.default_max_length:
            del options["max_length"]
        return name, path, args, options


class FilePathField(Field[TextValue]):
    """The name of a file or folder below `path`."""

    description = "File path"

    @overload
    def __init__(
        self: FilePathField[str], *names: Name, null: Literal[False] = ..., **options: Unpack[FilePathOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: FilePathField[str | None], *names: Name, null: Literal[True], **options: Unpack[FilePathOptions]
    ) -> None: ...

    def __init__(
        self,
        *names: Any,
        path: str | PathLike[str] | Callable[[], str | PathLike[str]] = "",
        match: str | None = None,
        recursive: bool = False,
        allow_files: bool = True,
        allow_folders: bool = False,
        **options: Any,
    ) -> None:
        self.path, self.match, self.recursive = path, match, recursive
        self.allow_files, self.allow_folders = allow_files, allow_folders
        options.setdefault("max_length", 100)
        super().__init__(*names, **options)

    def get_internal_type(self) -> str:
        return "FilePathField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return text_column(field)

    def get_prep_value(self, value: object) -> Any:
        value = kept(value)
        return None if value is None else storable_text(self, text_of(self, value))

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        own = {"path": "", "match": None, "recursive": False, "allow_files": True, "allow_folders": False}
        options |= {key: value for key in own if (value := getattr(self, key)) != own[key]}
        if options.get("max_length") == 100:
            del options["max_length"]
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        if not self.allow_files and not self.allow_folders:
            msg = "FilePathFields must have either 'allow_files' or 'allow_folders' set to True."
            found.append(self._error(msg, "E140"))
        return found
