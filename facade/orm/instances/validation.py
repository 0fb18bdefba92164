"""What an instance checks before it is saved, when asked to: ``full_clean()`` and its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from facade.bridge import twin
from facade.db.connection import connections
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.db.settings.aliases import in_schemas
from facade.exceptions import NON_FIELD_ERRORS, ValidationError
from facade.expressions.calls import DatabaseDefault
from facade.expressions.freezing import CORE
from facade.expressions.given import Given, field_value
from facade.expressions.names import referenced_names
from facade.expressions.references import RowValue
from facade.fields.kinds.numbers import default_vendor
from facade.foundation.texts import capfirst

if TYPE_CHECKING:
    from facade.fields.contracts import Instance
    from facade.meta.options import Options
    from facade.orm.instances.model import Model
    from facade.orm.instances.state import ModelState

    Whole = Instance
else:
    Whole = object

# (model whose table is looked at, names of the fields that have to be unique together)
UniqueCheck = tuple[type[Any], tuple[str, ...]]
# (model, "date", "year" or "month", name of the field, name of the date field)
DateCheck = tuple[type[Any], str, str, str]

UNIQUE_FOR = ("date", "year", "month")


@default_vendor.fill
def _default_vendor() -> str | None:
    return connections[DEFAULT_DB_ALIAS].vendor if DEFAULT_DB_ALIAS in connections.databases else None


class Validation(Whole):
    """The part of a model that validates; mixed into :class:`~facade.orm.instances.model.Model`."""

    if TYPE_CHECKING:
        _meta: ClassVar[Options]
        _state: ModelState
        pk: Any

    def full_clean(
        self,
        exclude: Iterable[str] | None = None,
        validate_unique: bool = True,
        validate_constraints: bool = True,
    ) -> None:
        """Check the fields, the instance as a whole, uniqueness and constraints; attributes become Python values.

        `exclude` names fields to leave out. Raises one ValidationError with the errors of all checks, by field. `save()` does not call it.

        >>> Author(name="", age="x").full_clean()
        Traceback (most recent call last):
        facade.exceptions.ValidationError: {'name': ['This field cannot be blank.'], 'age': ['“x” value must be an integer.']}
        """
        errors: dict[str, list[ValidationError]] = {}
        left_out = _names(exclude)

        def run(check: Callable[..., None], **options: Any) -> None:
            try:
                check(**options)
            except ValidationError as error:
                error.update_error_dict(errors)

        run(self.clean_fields, exclude=left_out)
        run(self.clean)
        # What compares with other rows makes sense for fields that passed only.
        if validate_unique:
            left_out.update(name for name in errors if name != NON_FIELD_ERRORS)
            run(self.validate_unique, exclude=left_out)
        if validate_constraints:
            left_out.update(name for name in errors if name != NON_FIELD_ERRORS)
            run(self.validate_constraints, exclude=left_out)
        if errors:
            raise ValidationError(errors)

    afull_clean = twin(full_clean)

    def clean_fields(self, exclude: Iterable[str] | None = None) -> None:
        """Let each field clean its value; raises ``ValidationError`` with a dict of the errors by field."""
        left_out, errors = _names(exclude), dict[str, list[ValidationError]]()
        for field in self._meta.fields:
            made = field.inferred and not field.concrete  # of columns that have fields of their own
            if field.name in left_out or field.generated or made:
                continue
            value = getattr(self, field.attname)
            if isinstance(value, CORE):
                raise TypeError(
                    f"{type(self).__name__}.{field.name} holds the SQLAlchemy expression {str(value)!r}, which has no value before "
                    f"it is saved: full_clean(exclude=[{field.name!r}]) leaves it out."
                )
            if isinstance(value, DatabaseDefault) or (field.blank and value in field.empty_values):
                continue
            try:
                setattr(self, field.attname, field.clean(value, self))
            except ValidationError as error:
                errors[field.name] = error.error_list
        if errors:
            raise ValidationError(errors)

    aclean_fields = twin(clean_fields)

    def clean(self) -> None:
        """Check the instance as a whole; for subclasses to override.

        A ``ValidationError`` raised here belongs to no field, unless it is made of a dict.
        """

    # -- uniqueness ----------------------------------------------------------------------------------

    def validate_unique(self, exclude: Iterable[str] | None = None) -> None:
        """Ask the database whether another row has this one's values in fields that have to be unique."""
        unique_checks, date_checks = self._get_unique_checks(exclude)
        errors = self._perform_unique_checks(unique_checks)
        for name, found in self._perform_date_checks(date_checks).items():
            errors.setdefault(name, []).extend(found)
        if errors:
            raise ValidationError(errors)

    avalidate_unique = twin(validate_unique)

    def _get_unique_checks(
        self, exclude: Iterable[str] | None = None, include_meta_constraints: bool = False
    ) -> tuple[list[UniqueCheck], list[DateCheck]]:
        """Return what has to be looked up, leaving out what involves the fields of `exclude`."""
        left_out = _names(exclude)
        unique_checks: list[UniqueCheck] = []
        date_checks: list[DateCheck] = []
        models = [type(self), *self._meta.all_parents]
        for model in models:
            together = list(model._meta.unique_together)
            if include_meta_constraints:
                together += [one.fields for one in model._meta.total_unique_constraints]
            unique_checks += [(model, tuple(names)) for names in together if left_out.isdisjoint(names)]
        for model in models:
            for field in model._meta.local_fields:
                if field.name in left_out:
                    continue
                if (names := _unique_names(field)) and left_out.isdisjoint(names):
                    unique_checks.append((model, names))
                for kind in UNIQUE_FOR:
                    day = getattr(field, f"unique_for_{kind}")
                    if day and day not in left_out:
                        date_checks.append((model, kind, field.name, day))
        return unique_checks, date_checks

    def _perform_unique_checks(
        self, unique_checks: Iterable[UniqueCheck]
    ) -> dict[str, list[ValidationError]]:
        errors: dict[str, list[ValidationError]] = {}
        for model, names in unique_checks:
            wanted = self._unique_lookups(model, names)
            if wanted is not None and self._others(model, wanted).exists():
                key = names[0] if len(names) == 1 else NON_FIELD_ERRORS
                errors.setdefault(key, []).append(self.unique_error_message(model, names))
        return errors

    def _unique_lookups(self, model: type[Model], names: Sequence[str]) -> dict[str, Any] | None:
        """Return the values to look for, None where there is nothing to check: a NULL, or a key that is the row's own."""
        wanted = {}
        for name in names:
            field = self._meta.get_field(name)
            value = getattr(self, field.attname)
            if value is None or (field in model._meta.pk_fields and not self._state.adding):
                return None
            wanted[str(name)] = value
        return wanted

    def _others(self, model: type[Model], wanted: dict[str, Any]) -> Any:
        """Return the rows with these values, but for the instance's own."""
        manager = model._default_manager
        if in_schemas(home := router.home_of(self)):
            manager = manager.db_manager(home)
        rows = manager.filter(**wanted)
        if not self._state.adding and self._is_pk_set(model._meta):
            rows = rows.exclude(pk=self._get_pk_val(model._meta))
        return rows

    def _perform_date_checks(self, date_checks: Iterable[DateCheck]) -> dict[str, list[ValidationError]]:
        errors: dict[str, list[ValidationError]] = {}
        for model, kind, name, day_name in date_checks:
            if (day := getattr(self, day_name)) is None:
                continue
            parts = ("day", "month", "year") if kind == "date" else (kind,)
            wanted = {f"{day_name}__{part}": getattr(day, part) for part in parts}
            if self._others(model, {**wanted, name: getattr(self, name)}).exists():
                errors.setdefault(name, []).append(self.date_error_message(kind, name, day_name))
        return errors

    def date_error_message(self, lookup_type: str, field_name: str, unique_for: str) -> ValidationError:
        """Return the error for a value that another row has for the same date, month or year."""
        opts = self._meta
        field = opts.get_field(field_name)
        return ValidationError(
            field.error_messages["unique_for_date"],
            code="unique_for_date",
            params={
                "model": self,
                "model_name": capfirst(opts.verbose_name),
                "lookup_type": lookup_type,
                "field": field_name,
                "field_label": capfirst(field.verbose_name),
                "date_field": unique_for,
                "date_field_label": capfirst(opts.get_field(unique_for).verbose_name),
            },
        )

    def unique_error_message(self, model_class: type[Any], unique_check: Sequence[str]) -> ValidationError:
        """Return the error for values that another row of `model_class` has."""
        opts = model_class._meta
        params = {
            "model": self,
            "model_class": model_class,
            "model_name": capfirst(opts.verbose_name),
            "unique_check": unique_check,
        }
        labels = [capfirst(opts.get_field(name).verbose_name) for name in unique_check]
        if len(unique_check) == 1:
            message = opts.get_field(unique_check[0]).error_messages["unique"]
            return ValidationError(message, code="unique", params={**params, "field_label": labels[0]})
        return ValidationError(
            "%(model_name)s with this %(field_labels)s already exists.",
            code="unique_together",
            params={**params, "field_labels": f"{', '.join(labels[:-1])} and {labels[-1]}"},
        )

    # -- constraints -----------------------------------------------------------------------------------

    def get_constraints(self) -> list[tuple[type[Any], list[Any]]]:
        """Return the models whose tables hold the instance, each with the constraints it declares."""
        own = [(type(self), self._meta.constraints)]
        parents = [(parent, parent._meta.constraints) for parent in self._meta.all_parents]
        return own + [(parent, constraints) for parent, constraints in parents if constraints]

    def validate_constraints(self, exclude: Iterable[str] | None = None) -> None:
        """Check the constraints of ``Meta.constraints``, leaving out those that involve fields of ``exclude``."""
        using = router.db_for_write(type(self), instance=self)
        errors: dict[str, list[ValidationError]] = {}
        for model, constraints in self.get_constraints():
            for constraint in constraints:
                try:
                    constraint.validate(model, self, exclude=exclude, using=using)
                except ValidationError as error:
                    if getattr(error, "code", None) == "unique" and len(constraint.fields) == 1:
                        errors.setdefault(constraint.fields[0], []).append(error)
                    else:
                        error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    avalidate_constraints = twin(validate_constraints)

    def _get_field_expression_map(
        self, meta: Options, exclude: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Return an expression for the value of each field, by field name, for constraints to be evaluated with."""
        left_out, found = _names(exclude), dict[str, Any]()
        fields = [field for field in meta.local_concrete_fields if field.name not in left_out]
        for field in fields:
            if not field.generated:
                value = field_value(getattr(self, field.attname), field)
                found[field.name] = found[field.attname] = value
        if "pk" not in left_out:
            parts = [field_value(getattr(self, field.attname), field) for field in meta.pk_fields]
            found["pk"] = RowValue(parts, meta.pk) if meta.is_composite_pk else parts[0]
        given = dict(found)
        for field in fields:
            if (
                field.generated
                and field.existing is None
                and left_out.isdisjoint(referenced_names(field.expression))
            ):
                found[field.name] = Given(field.expression, given, field.output_field)
        return found


def _unique_names(field: Any) -> tuple[str, ...]:
    """Return the fields that have to be unique because of `field`: itself, or the parts of a composite key."""
    if not field.concrete and field.primary_key:
        return tuple(part.name for part in field.fields)
    return (field.name,) if field.unique else ()


def _names(exclude: Iterable[str] | None) -> set[str]:
    """Return the names of fields to leave out; one may be given as a string."""
    return {exclude} if isinstance(exclude, str) else set(exclude or ())
