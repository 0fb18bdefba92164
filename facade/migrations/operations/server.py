"""What a PostgreSQL database has beside tables: extensions, collations, and constraints that are yet to be validated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.operations import MigrateOperation, Operations

from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy.sql.compiler import IdentifierPreparer

__all__ = [
    "CreateCollationOp",
    "CreateExtensionOp",
    "DropCollationOp",
    "DropExtensionOp",
    "ValidateConstraintOp",
]

PROVIDERS = ("libc", "icu", "builtin")


@Operations.register_operation("create_extension")
class CreateExtensionOp(MigrateOperation):
    """Adds an extension to a PostgreSQL database."""

    def __init__(self, name: str, schema: str | None = None, cascade: bool = False) -> None:
        self.name, self.schema, self.cascade = name, schema, cascade

    @classmethod
    def create_extension(
        cls, operations: Operations, name: str, *, schema: str | None = None, cascade: bool = False
    ) -> None:
        """Add an extension such as ``citext``, if it is not there; ``cascade`` adds those that it needs.

        Other databases are left as they are.
        """
        operations.invoke(cls(name, schema, cascade))

    def reverse(self) -> DropExtensionOp:
        """Return what takes the extension away."""
        return DropExtensionOp(self.name)

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return how Alembic tells the difference."""
        return "add_extension", self.name


@Operations.register_operation("drop_extension")
class DropExtensionOp(MigrateOperation):
    """Takes an extension out of a PostgreSQL database."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def drop_extension(cls, operations: Operations, name: str) -> None:
        """Take an extension out, if it is there. It fails while something uses it."""
        operations.invoke(cls(name))

    def reverse(self) -> CreateExtensionOp:
        """Return what adds the extension."""
        return CreateExtensionOp(self.name)

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return how Alembic tells the difference."""
        return "remove_extension", self.name


@Operations.register_operation("create_collation")
class CreateCollationOp(MigrateOperation):
    """Makes a collation of a PostgreSQL database."""

    def __init__(self, name: str, locale: str, provider: str = "libc", deterministic: bool = True) -> None:
        if provider not in PROVIDERS:
            raise ValueError(
                f"The provider of a collation is one of {', '.join(PROVIDERS)}, not {provider!r}."
            )
        if provider != "icu" and not deterministic:
            raise ValueError(
                f"A collation that is not deterministic is one of the provider 'icu', not {provider!r}."
            )
        self.name, self.locale, self.provider, self.deterministic = name, locale, provider, deterministic

    @classmethod
    def create_collation(
        cls,
        operations: Operations,
        name: str,
        locale: str,
        *,
        provider: str = "libc",
        deterministic: bool = True,
    ) -> None:
        """Make a collation for ``db_collation``: ``create_collation("caseless", "und-u-ks-level2", provider="icu", deterministic=False)``.

        Other databases are left as they are.
        """
        operations.invoke(cls(name, locale, provider, deterministic))

    def reverse(self) -> DropCollationOp:
        """Return what drops the collation."""
        return DropCollationOp(self.name, self.locale, self.provider, self.deterministic)

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return how Alembic tells the difference."""
        return "add_collation", self.name


@Operations.register_operation("drop_collation")
class DropCollationOp(MigrateOperation):
    """Drops a collation of a PostgreSQL database."""

    def __init__(
        self, name: str, locale: str | None = None, provider: str = "libc", deterministic: bool = True
    ) -> None:
        self.name, self.locale, self.provider, self.deterministic = name, locale, provider, deterministic

    @classmethod
    def drop_collation(
        cls,
        operations: Operations,
        name: str,
        locale: str | None = None,
        *,
        provider: str = "libc",
        deterministic: bool = True,
    ) -> None:
        """Drop a collation, if it is there; all but the name says only how it was made, for the way back."""
        operations.invoke(cls(name, locale, provider, deterministic))

    def reverse(self) -> CreateCollationOp:
        """Return what makes the collation; ValueError if nobody has said of which locale."""
        if self.locale is None:
            raise ValueError(f"drop_collation({self.name!r}) does not say of which locale to make it again.")
        return CreateCollationOp(self.name, self.locale, self.provider, self.deterministic)

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return how Alembic tells the difference."""
        return "remove_collation", self.name


@Operations.register_operation("validate_constraint")
class ValidateConstraintOp(MigrateOperation):
    """Checks the rows that were there before a constraint."""

    def __init__(self, name: str, table: str, schema: str | None = None) -> None:
        self.name, self.table, self.schema = name, table, schema

    @classmethod
    def validate_constraint(
        cls, operations: Operations, name: str, table: str, *, schema: str | None = None
    ) -> None:
        """Check the rows that were there before a constraint that was added with ``postgresql_not_valid=True``.

        Rows can be written meanwhile. Other databases have checked them already.
        """
        operations.invoke(cls(name, table, schema))


@Operations.implementation_for(CreateExtensionOp)
def _create_extension(operations: Operations, operation: CreateExtensionOp) -> None:
    quote = _preparer(operations).quote
    schema = "" if operation.schema is None else f" SCHEMA {quote(operation.schema)}"
    cascade = " CASCADE" if operation.cascade else ""
    _on_postgresql(operations, f"CREATE EXTENSION IF NOT EXISTS {quote(operation.name)}{schema}{cascade}")


@Operations.implementation_for(DropExtensionOp)
def _drop_extension(operations: Operations, operation: DropExtensionOp) -> None:
    _on_postgresql(operations, f"DROP EXTENSION IF EXISTS {_preparer(operations).quote(operation.name)}")


@Operations.implementation_for(CreateCollationOp)
def _create_collation(operations: Operations, operation: CreateCollationOp) -> None:
    name = _preparer(operations).quote(operation.name)
    locale = sa.literal(operation.locale).compile(
        dialect=operations.get_context().dialect, compile_kwargs={"literal_binds": True}
    )
    rest = "" if operation.deterministic else ", deterministic = false"
    _on_postgresql(
        operations, f"CREATE COLLATION {name} (provider = {operation.provider}, locale = {locale}{rest})"
    )


@Operations.implementation_for(DropCollationOp)
def _drop_collation(operations: Operations, operation: DropCollationOp) -> None:
    _on_postgresql(operations, f"DROP COLLATION IF EXISTS {_preparer(operations).quote(operation.name)}")


@Operations.implementation_for(ValidateConstraintOp)
def _validate_constraint(operations: Operations, operation: ValidateConstraintOp) -> None:
    preparer = _preparer(operations)
    table = preparer.format_table(sa.Table(operation.table, sa.MetaData(), schema=operation.schema))
    _on_postgresql(operations, f"ALTER TABLE {table} VALIDATE CONSTRAINT {preparer.quote(operation.name)}")


def _preparer(operations: Operations) -> IdentifierPreparer:
    return operations.get_context().dialect.identifier_preparer


def _on_postgresql(operations: Operations, sql: str) -> None:
    if vendor_of(operations.get_context().dialect).has_extensions:
        operations.execute(sa.text(sql.replace(":", "\\:")))


# -- how they stand in scripts ------------------------------------------------------------------------


@renderers.dispatch_for(CreateExtensionOp)
def _write_create_extension(context: AutogenContext, operation: CreateExtensionOp) -> str:
    given = {"schema": operation.schema, "cascade": operation.cascade or None}
    return _call("create_extension", operation.name, **given)


@renderers.dispatch_for(DropExtensionOp)
def _write_drop_extension(context: AutogenContext, operation: DropExtensionOp) -> str:
    return _call("drop_extension", operation.name)


@renderers.dispatch_for(CreateCollationOp)
@renderers.dispatch_for(DropCollationOp)
def _write_collation(context: AutogenContext, operation: CreateCollationOp | DropCollationOp) -> str:
    word = "create_collation" if isinstance(operation, CreateCollationOp) else "drop_collation"
    provider = None if operation.provider == "libc" else operation.provider
    deterministic = None if operation.deterministic else False
    return _call(word, operation.name, operation.locale, provider=provider, deterministic=deterministic)


@renderers.dispatch_for(ValidateConstraintOp)
def _write_validate_constraint(context: AutogenContext, operation: ValidateConstraintOp) -> str:
    return _call("validate_constraint", operation.name, operation.table, schema=operation.schema)


def _call(word: str, *args: Any, **options: Any) -> str:
    given = [repr(one) for one in args if one is not None]
    given += [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"op.{word}({', '.join(given)})"
