"""Constraints that a model declares in ``Meta.constraints``."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any

from facade.exceptions import ValidationError
from facade.expressions.base import Expression
from facade.expressions.comparisons import Exact, IsNull
from facade.expressions.given import Given
from facade.expressions.names import referenced_names
from facade.expressions.q import Q, condition_holds
from facade.expressions.references import F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.expressions.freezing import Frozen
    from facade.fields.contracts import Instance


__all__ = ["BaseConstraint", "CheckConstraint", "Deferrable", "UniqueConstraint", "as_expressions"]


def as_expressions(expressions: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return expressions with plain names turned into ``F()``."""
    return tuple(F(one) if isinstance(one, str) else one for one in expressions)


def refers_to(expression: object, model: type[Instance], names: Iterable[str] | None) -> bool:
    """Return whether an expression reads one of the named fields, be it by way of a generated one."""
    if not names:
        return False
    for name in referenced_names(expression):
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        if name in names or field.name in names:
            return True
        if field.generated and field.existing is None and refers_to(field.expression, model, names):
            return True
    return False


class BaseConstraint:
    """What constraints have in common: a name and what to say when they are violated."""

    default_violation_error_message = "Constraint “%(name)s” is violated."
    violation_error_code: str | None = None
    violation_error_message: str | None = None
    non_db_attrs = ("violation_error_code", "violation_error_message")

    def __init__(
        self,
        *,
        name: str,
        violation_error_code: str | None = None,
        violation_error_message: str | None = None,
    ) -> None:
        self.name = name
        if violation_error_code is not None:
            self.violation_error_code = violation_error_code
        self.violation_error_message = (
            self.default_violation_error_message
            if violation_error_message is None
            else violation_error_message
        )

    @property
    def contains_expressions(self) -> bool:
        """Whether the constraint is on expressions instead of fields."""
        return False

    def validate(
        self,
        model: type[Instance],
        instance: Instance,
        exclude: Collection[str] | None = None,
        using: str = "default",
    ) -> None:
        """Raise ``ValidationError`` if saving ``instance`` would violate the constraint."""
        raise NotImplementedError("This method must be implemented by a subclass.")

    def __hash__(self) -> int:
        return hash(self.name)

    def get_violation_error_message(self) -> str:
        return str(self.violation_error_message) % {"name": self.name}

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return ``(path, args, kwargs)`` from which an equal constraint can be made."""
        kwargs: dict[str, Any] = {"name": self.name}
        if self._has_own_message:
            kwargs["violation_error_message"] = self.violation_error_message
        if self.violation_error_code is not None:
            kwargs["violation_error_code"] = self.violation_error_code
        return public_path(type(self)), (), kwargs

    def clone(self) -> Any:
        """Return an equal constraint."""
        _, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    @property
    def _has_own_message(self) -> bool:
        return self.violation_error_message not in (None, self.default_violation_error_message)

    def _described(self, **parts: Any) -> str:
        if self.violation_error_code is not None:
            parts["violation_error_code"] = repr(self.violation_error_code)
        if self._has_own_message:
            parts["violation_error_message"] = repr(self.violation_error_message)
        inner = " ".join(f"{name}={value}" for name, value in parts.items())
        return f"<{type(self).__qualname__}: {inner}>"


def public_path(cls: type[Any]) -> str:
    """Return the dotted path under which users import a class of this package."""
    module = "facade.models" if cls.__module__.startswith("facade.meta.") else cls.__module__
    return f"{module}.{cls.__name__}"


class CheckConstraint(BaseConstraint):
    """A condition that the database checks for each row.

    >>> CheckConstraint(condition=Q(age__gte=18), name="grown_up")
    <CheckConstraint: condition=(AND: ('age__gte', 18)) name='grown_up'>
    """

    def __init__(
        self,
        *,
        condition: Frozen,
        name: str,
        violation_error_code: str | None = None,
        violation_error_message: str | None = None,
    ) -> None:
        if not (isinstance(condition, (Q, Expression)) and condition.conditional):
            raise TypeError("CheckConstraint.condition must be a Q instance or boolean expression.")
        self.condition = condition
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    def validate(
        self,
        model: type[Instance],
        instance: Instance,
        exclude: Collection[str] | None = None,
        using: str = "default",
    ) -> None:
        """Raise ``ValidationError`` if the condition is false for the instance's values.

        A condition that involves fields of ``exclude`` is left to the database.
        """
        if refers_to(self.condition, model, exclude):
            return
        values = instance._get_field_expression_map(meta=model._meta, exclude=exclude)
        if condition_holds(self.condition, values, using) is False:
            raise ValidationError(self.get_violation_error_message(), code=self.violation_error_code)

    def __repr__(self) -> str:
        return self._described(condition=self.condition, name=repr(self.name))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CheckConstraint):
            return NotImplemented
        return self.deconstruct()[2] == other.deconstruct()[2]

    __hash__ = BaseConstraint.__hash__

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "condition": self.condition}


class Deferrable(Enum):
    """When a unique constraint is checked: at the end of the transaction, or at once unless told otherwise."""

    DEFERRED = "deferred"
    IMMEDIATE = "immediate"

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}.{self._name_}"


class UniqueConstraint(BaseConstraint):
    """Rows that may not have equal values in some fields, or of some expressions.

    `condition` restricts it to the rows that meet a Q; `deferrable` says when it is checked; `include` adds columns that are only
    stored, `opclasses` are those of PostgreSQL, `nulls_distinct=False` takes two NULLs for equal. `violation_error_message` and
    `violation_error_code` are what `full_clean()` says. UnsupportedFeature, when the table is made, for what the database has not.

    >>> UniqueConstraint(fields=["author", "title"], name="one_title_per_author")
    <UniqueConstraint: fields=('author', 'title') name='one_title_per_author'>
    """

    def __init__(
        self,
        *expressions: Any,
        fields: Iterable[str] = (),
        name: str,
        condition: Q | None = None,
        deferrable: Deferrable | None = None,
        include: Sequence[Any] | None = None,
        opclasses: Sequence[Any] = (),
        nulls_distinct: bool | None = None,
        violation_error_code: str | None = None,
        violation_error_message: str | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.condition = condition
        self.deferrable = deferrable
        self.include = tuple(include) if isinstance(include, (list, tuple)) else include
        self.opclasses = opclasses
        self.nulls_distinct = nulls_distinct
        self.expressions = expressions
        self._check_what(name)
        self._check_types()
        self._check_deferrable()
        self.include = self.include or ()
        self.expressions = as_expressions(expressions)
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    def _check_what(self, name: str) -> None:
        if not name:
            raise ValueError("A unique constraint must be named.")
        if not self.expressions and not self.fields:
            raise ValueError("At least one field or expression is required to define a unique constraint.")
        if self.expressions and self.fields:
            raise ValueError("UniqueConstraint.fields and expressions are mutually exclusive.")

    def _check_deferrable(self) -> None:
        if self.deferrable:
            for value, what in (
                (self.condition, "conditions"),
                (self.include, "include fields"),
                (self.opclasses, "opclasses"),
                (self.expressions, "expressions"),
            ):
                if value:
                    raise ValueError(f"UniqueConstraint with {what} cannot be deferred.")
        if self.expressions and self.opclasses:
            raise ValueError(
                "UniqueConstraint.opclasses cannot be used with expressions. Use "
                "facade.contrib.postgres.indexes.OpClass() instead."
            )
        if self.opclasses and len(self.fields) != len(self.opclasses):
            raise ValueError(
                "UniqueConstraint.fields and UniqueConstraint.opclasses must have the same number of elements."
            )

    def _check_types(self) -> None:
        if not isinstance(self.condition, (Q, type(None))):
            raise ValueError("UniqueConstraint.condition must be a Q instance.")
        if not isinstance(self.deferrable, (Deferrable, type(None))):
            raise TypeError("UniqueConstraint.deferrable must be a Deferrable instance.")
        if not isinstance(self.include, (tuple, type(None))):
            raise TypeError("UniqueConstraint.include must be a list or tuple.")
        if not isinstance(self.opclasses, (list, tuple)):
            raise TypeError("UniqueConstraint.opclasses must be a list or tuple.")
        if not isinstance(self.nulls_distinct, (bool, type(None))):
            raise TypeError("UniqueConstraint.nulls_distinct must be a bool.")

    @property
    def contains_expressions(self) -> bool:
        return bool(self.expressions)

    @property
    def is_total(self) -> bool:
        """Whether the constraint is on plain fields and holds for all rows."""
        return self.condition is None and not self.expressions

    def __repr__(self) -> str:
        parts: dict[str, Any] = {}
        if self.fields:
            parts["fields"] = repr(self.fields)
        if self.expressions:
            parts["expressions"] = repr(self.expressions)
        parts["name"] = repr(self.name)
        if self.condition is not None:
            parts["condition"] = self.condition
        if self.deferrable is not None:
            parts["deferrable"] = self.deferrable
        if self.include:
            parts["include"] = repr(self.include)
        if self.opclasses:
            parts["opclasses"] = repr(self.opclasses)
        if self.nulls_distinct is not None:
            parts["nulls_distinct"] = repr(self.nulls_distinct)
        return self._described(**parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UniqueConstraint):
            return NotImplemented
        return self.deconstruct()[1:] == other.deconstruct()[1:]

    __hash__ = BaseConstraint.__hash__

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, _, kwargs = super().deconstruct()
        for name in ("fields", "condition", "deferrable", "include", "opclasses"):
            value = getattr(self, name)
            if value:
                kwargs[name] = value
        if self.nulls_distinct is not None:
            kwargs["nulls_distinct"] = self.nulls_distinct
        return path, self.expressions, kwargs

    def validate(
        self,
        model: type[Instance],
        instance: Instance,
        exclude: Collection[str] | None = None,
        using: str = "default",
    ) -> None:
        """Raise ``ValidationError`` if another row has the instance's values.

        A constraint that involves fields of ``exclude`` is left to the database.
        """
        parts = (*self.expressions, *([self.condition] if self.condition else ()), *map(F, self.fields))
        if any(refers_to(part, model, exclude) for part in parts):
            return
        values = instance._get_field_expression_map(meta=model._meta, exclude=exclude)
        conditions = self._conditions(model, instance, values)
        if conditions is None or (self.condition and not self.condition.check(values, using)):
            return
        others = model._meta.default_manager.using(using).filter(*conditions)
        if not instance._state.adding and instance._is_pk_set(model._meta):
            others = others.exclude(pk=instance._get_pk_val(model._meta))
        if others.exists():
            raise self._violation(model, instance)

    def _conditions(
        self, model: type[Instance], instance: Instance, values: dict[str, Any]
    ) -> list[Any] | None:
        """Return what rows with the instance's values meet, None where a NULL makes that impossible."""
        conditions = [self.condition] if self.condition else []
        for name in self.fields:
            field = model._meta.get_field(name)
            if field.generated and field.name not in values:  # only the database knows what it will be
                return None
            if field.generated:
                conditions.append(self._same(F(name), values[field.name]))
                continue
            value = getattr(instance, field.attname)
            if value is None and self.nulls_distinct is not False:
                return None
            conditions.append(Q((field.name, value)))
        for one in self.expressions:
            expression = one.get_expression_for_validation() if isinstance(one, Expression) else one
            conditions.append(self._same(expression, Given(expression, values)))
        return conditions

    def _same(self, column: object, value: object) -> Any:
        same = Exact(column, value)
        if self.nulls_distinct is not False:
            return same
        return Q(same) | Q(IsNull(column, True), IsNull(value, True))

    def _violation(self, model: type[Instance], instance: Instance) -> ValidationError:
        if not self.is_total or self._has_own_message:
            return ValidationError(self.get_violation_error_message(), code=self.violation_error_code)
        error = instance.unique_error_message(model, self.fields)
        return ValidationError(error, code=error.code)
