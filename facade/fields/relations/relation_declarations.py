"""What can be wrong with the declaration of a relation."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldDoesNotExist
from facade.fields.declarations import LOOKUP_SEP, FieldChecks

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.checks import CheckMessage

RENAME_REVERSE = "Add or change a related_name or related_query_name argument for this field."


class RelationChecks(FieldChecks):
    """The part of a relation that judges its declaration."""

    model: Any
    opts: Any
    remote_field: Any

    if TYPE_CHECKING:

        def related_query_name(self) -> str: ...

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Return what is wrong with the declaration."""
        found = super().check(**kwargs)
        if hasattr(self, "model"):
            found += self._check_relation()
        return found

    def _check_relation(self) -> Iterator[CheckMessage]:
        yield from self._check_related_name()
        yield from self._check_related_query_name()
        yield from self._check_related_model()
        if not isinstance(self.remote_field.model, str):
            yield from self._check_clashes()

    def _check_related_name(self) -> Iterator[CheckMessage]:
        name = self.remote_field.related_name
        if name is None or name.endswith("+") or (name.isidentifier() and not keyword.iskeyword(name)):
            return
        owner = f"{self.opts.object_name}.{self.name}"
        hint = "Related name must be a valid Python identifier or end with a '+'"
        yield self._error(f"The name '{name}' is invalid related_name for field {owner}", "E306", hint)

    def _check_related_query_name(self) -> Iterator[CheckMessage]:
        if self.remote_field.hidden:
            return
        name = self.related_query_name()
        if name.endswith("_"):
            message = f"Reverse query name '{name}' must not end with an underscore."
            yield self._error(message, "E308", RENAME_REVERSE)
        if LOOKUP_SEP in name:
            message = f"Reverse query name '{name}' must not contain '{LOOKUP_SEP}'."
            yield self._error(message, "E309", RENAME_REVERSE)

    def _check_related_model(self) -> Iterator[CheckMessage]:
        target = self.remote_field.model
        if target in self.opts.apps.get_models(include_auto_created=True):
            return
        if isinstance(target, str) or not target._meta.swapped:
            name = target if isinstance(target, str) else target._meta.object_name
            yield self._error(
                f"Field defines a relation with model '{name}', which is either not installed, or is abstract.",
                "E300",
            )
        else:
            yield self._error(
                f"Field defines a relation with the model '{target._meta.label}', which has been swapped out.",
                "E301",
                f"Update the relation to point at 'settings.{target._meta.swappable}'.",
            )

    # -- names at the other end ---------------------------------------------------------------------

    def _check_clashes(self) -> Iterator[CheckMessage]:
        """Look for other fields and relations of the model pointed at that have one of the names from this side."""
        remote, target = self.remote_field, self.remote_field.model._meta
        accessor = None if remote.hidden else remote.accessor_name
        own, query_name = f"{self.opts.label}.{self.name}", self.related_query_name()
        described = f"Reverse accessor '{target.object_name}.{accessor}' for '{own}'"
        for field in (*target.fields, *target.many_to_many):
            other = f"{target.label}.{field.name}"
            hint = f"Rename field '{other}', or add/change a related_name argument to the definition for field '{own}'."
            if field.name == accessor:
                yield self._error(f"{described} clashes with field name '{other}'.", "E302", hint)
            if field.name == query_name:
                message = f"Reverse query name for '{own}' clashes with field name '{other}'."
                yield self._error(message, "E303", hint)
        for relation in target.related_objects:
            if relation.field is self:
                continue
            other = f"{relation.related_model._meta.label}.{relation.field.name}"
            hint = f"Add or change a related_name argument to the definition for '{own}' or '{other}'."
            if accessor is not None and relation.accessor_name == accessor:
                yield self._error(f"{described} clashes with reverse accessor for '{other}'.", "E304", hint)
            if relation.accessor_name == query_name:
                message = f"Reverse query name for '{own}' clashes with reverse query name for '{other}'."
                yield self._error(message, "E305", hint)
        if accessor is not None and any(manager.name == accessor for manager in target.managers):
            yield self._error(
                f"Related name '{accessor}' for '{own}' clashes with the name of a model manager.",
                "E348",
                f"Rename the model manager or change the related_name argument in the definition for field '{own}'.",
            )


class ForeignObjectChecks(RelationChecks):
    """The part of a relation over columns that judges its declaration."""

    to_fields: Any
    requires_unique_target: bool

    if TYPE_CHECKING:

        @property
        def foreign_related_fields(self) -> tuple[Any, ...]: ...

    def _check_relation(self) -> Iterator[CheckMessage]:
        yield from super()._check_relation()
        if isinstance(self.remote_field.model, str):
            return
        missing = [*self._check_to_fields(), *self._check_composite_target()]
        yield from missing
        if self.requires_unique_target and not missing:
            yield from self._check_unique_target()

    def _check_to_fields(self) -> Iterator[CheckMessage]:
        opts = self.remote_field.model._meta
        for name in filter(None, self.to_fields):
            try:
                opts.get_field(name)
            except FieldDoesNotExist:
                message = f"The to_field '{name}' doesn't exist on the related model '{opts.label}'."
                yield self._error(message, "E312")

    def _check_composite_target(self) -> Iterator[CheckMessage]:
        opts = self.remote_field.model._meta
        for name in self.to_fields:
            target = opts.pk if name is None else opts._forward_fields_map.get(name)
            if target is opts.pk and opts.is_composite_pk:
                yield self._error(*refused_composite(opts.object_name))

    def _check_unique_target(self) -> Iterator[CheckMessage]:
        targets, opts = self.foreign_related_fields, self.remote_field.model._meta
        if not targets or any(field.unique for field in targets):
            return
        names = {field.name for field in targets}
        unique = [*opts.unique_together, *(one.fields for one in opts.total_unique_constraints)]
        if any(names.issuperset(one) for one in unique) or {one.name for one in opts.pk_fields} == names:
            return
        model = self.remote_field.model.__name__
        if len(targets) == 1:
            yield self._error(
                f"'{model}.{targets[0].name}' must be unique because it is referenced by a foreign key.",
                "E311",
                "Add unique=True to this field or add a UniqueConstraint (without condition) in the model Meta.constraints.",
            )
            return
        listed = ", ".join(f"'{field.name}'" for field in targets)
        yield self._error(
            f"No subset of the fields {listed} on model '{model}' is unique.",
            "E310",
            "Mark a single field as unique=True or add a set of fields to a unique constraint (via unique_together or a "
            "UniqueConstraint (without condition) in the model Meta.constraints).",
        )


class ForeignKeyChecks(ForeignObjectChecks):
    """The part of a foreign key that judges its declaration."""

    null: bool
    unique: bool
    one_to_one: bool | None

    if TYPE_CHECKING:

        def has_default(self) -> bool: ...
        def has_db_default(self) -> bool: ...

    def _check_relation(self) -> Iterator[CheckMessage]:
        yield from super()._check_relation()
        yield from self._check_on_delete()
        if not isinstance(self.remote_field.model, str):
            yield from self._check_on_delete_chain()
        if self.unique and not self.one_to_one:
            yield self._warning(
                "Setting unique=True on a ForeignKey has the same effect as using a OneToOneField.",
                "W342",
                "ForeignKey(unique=True) is usually better served by a OneToOneField.",
            )

    def _check_on_delete(self) -> Iterator[CheckMessage]:
        rule = getattr(self.remote_field.on_delete, "__name__", "")
        if rule in ("SET_NULL", "DB_SET_NULL") and not self.null:
            yield self._error(
                f"Field specifies on_delete={rule}, but cannot be null.",
                "E320",
                "Set null=True argument on the field, or change the on_delete rule.",
            )
        elif rule == "SET_DEFAULT" and not self.has_default():
            yield self._error(
                "Field specifies on_delete=SET_DEFAULT, but has no default value.",
                "E321",
                "Set a default value, or change the on_delete rule.",
            )
        elif rule == "DB_SET_DEFAULT" and not self.has_db_default():
            yield self._error(
                "Field specifies on_delete=DB_SET_DEFAULT, but has no db_default value.",
                "E322",
                "Set a db_default value, or change the on_delete rule.",
            )

    def _check_on_delete_chain(self) -> Iterator[CheckMessage]:
        """Look for rules of the database behind one of Python, or the other way round: neither sees what the other deletes."""
        kinds = {True: "database", False: "Python"}
        own = by_database(self.remote_field.on_delete)
        related = (one for one in self.remote_field.model._meta.get_fields() if one.related_model)
        others = {by_database(getattr(one.remote_field, "on_delete", None)) for one in related}
        if own is not None and (not own) in others:
            yield self._error(
                f"Field specifies {kinds[own]}-level on_delete variant, but referenced model uses {kinds[not own]}-level "
                "variant.",
                "E323",
                "Use either database or Python on_delete variants uniformly in the references chain.",
            )


def refused_composite(model_name: str) -> tuple[str, str]:
    """Return the text and the number of the error for a relation that needs a key of one column, and finds one of several."""
    message = (
        f"Field defines a relation involving model '{model_name}' which has a CompositePrimaryKey and such relations are not "
        "supported."
    )
    return message, "E347"


def by_database(on_delete: Callable[..., Any] | None) -> bool | None:
    """Return whether the database itself carries out a rule for deletions; None where nothing is done."""
    if on_delete is None or getattr(on_delete, "__name__", "") == "DO_NOTHING":
        return None
    return hasattr(on_delete, "operation")
