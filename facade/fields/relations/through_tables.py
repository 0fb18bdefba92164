"""What can be wrong with the declaration of a many-to-many field and the table between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.configuration import settings
from facade.exceptions import FieldDoesNotExist
from facade.fields.relations.relation_declarations import RelationChecks, refused_composite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from facade.checks import CheckMessage
    from facade.fields.contracts import Instance, Registry


class ManyToManyChecks(RelationChecks):
    """The part of a many-to-many field that judges its declaration."""

    unique: bool
    has_null_arg: bool
    _validators: Any
    _related_name: str | None
    db_comment: Any

    def _check_relation(self) -> Iterator[CheckMessage]:
        yield from super()._check_relation()
        if self.unique:
            yield self._error("ManyToManyFields cannot be unique.", "E330")
        yield from self._check_through()
        yield from self._check_ignored_options()

    def _check_ignored_options(self) -> Iterator[CheckMessage]:
        if self.has_null_arg:
            yield self._warning("null has no effect on ManyToManyField.", "W340")
        if self._validators:
            yield self._warning("ManyToManyField does not support validators.", "W341")
        if self.remote_field.symmetrical and self._related_name:
            yield self._warning(
                'related_name has no effect on ManyToManyField with a symmetrical relationship, e.g. to "self".',
                "W345",
            )
        if self.db_comment:
            yield self._warning("db_comment has no effect on ManyToManyField.", "W346")

    # -- the model between ------------------------------------------------------------------------------

    def _check_through(self) -> Iterator[CheckMessage]:
        remote = self.remote_field
        through = remote.through
        if through not in self.opts.apps.get_models(include_auto_created=True):
            label = through if isinstance(through, str) else through._meta.label
            yield self._error(
                f"Field specifies a many-to-many relation through model '{label}', which has not been installed.",
                "E331",
            )
            return
        names = remote.through_fields
        if not isinstance(remote.model, str):
            if names is None:
                yield from self._check_composite_keys(remote.model)
            yield from self._check_foreign_keys(through, remote.model, bool(names))
        if names is not None:
            yield from self._check_through_fields(through, names)
        yield from self._check_table(through)

    def _check_composite_keys(self, target: type[Instance]) -> Iterator[CheckMessage]:
        for side in (target, self.model):
            if side._meta.is_composite_pk:
                yield self._error(*refused_composite(_name(side)))
                return

    def _check_foreign_keys(
        self, through: type[Instance], target: type[Instance], named: bool
    ) -> Iterator[CheckMessage]:
        """Without `through_fields`, the model between has to have one foreign key to each side."""
        near, far = self.model, target
        to_near, to_far = len(_links(through, near)), len(_links(through, far))
        used = f"The model is used as an intermediate model by '{self}', but it"
        if near == far:
            if to_near > 2 and not named:
                yield self._about(
                    through,
                    f"{used} has more than two foreign keys to '{_name(near)}', which is ambiguous. You must specify which "
                    "two foreign keys to use via the through_fields keyword argument.",
                    "E333",
                    "Use through_fields to specify which two foreign keys to use.",
                )
            return
        hint = (
            "If you want to create a recursive relationship, "
            f'use ManyToManyField("self", through="{_name(through)}").'
        )
        for count, side, word, id in ((to_near, near, "from", "E334"), (to_far, far, "to", "E335")):
            if count > 1 and not named:
                yield self._error(
                    f"{used} has more than one foreign key {word} '{_name(side)}', which is ambiguous. You must specify "
                    "which foreign key to use via the through_fields keyword argument.",
                    id,
                    hint,
                )
        if not to_near or not to_far:
            message = f"{used} does not have a foreign key to '{_name(near)}' or '{_name(far)}'."
            yield self._about(through, message, "E336")

    def _about(self, obj: object, msg: str, id: str, hint: str | None = None) -> CheckMessage:
        message = self._error(msg, id, hint)
        message.obj = obj
        return message

    def _check_through_fields(self, through: type[Instance], names: Sequence[Any]) -> Iterator[CheckMessage]:
        if len(names) < 2 or not all(names[:2]):
            yield self._error(
                "Field specifies 'through_fields' but does not provide the names of the two link fields that should be "
                f"used for the relation through model '{through._meta.label}'.",
                "E337",
                "Make sure you specify 'through_fields' as through_fields=('field1', 'field2')",
            )
            return
        for name, side in zip(names[:2], (self.model, self.remote_field.model), strict=True):
            links = _links(through, side)
            hint = (
                f"Did you mean one of the following foreign keys to '{_name(side)}': {', '.join(links)}?"
                if links
                else None
            )
            try:
                through._meta.get_field(name)
            except FieldDoesNotExist:
                message = f"The intermediary model '{through._meta.label}' has no field '{name}'."
                yield self._error(message, "E338", hint)
                continue
            if name not in links:
                message = f"'{_name(through)}.{name}' is not a foreign key to '{_name(side)}'."
                yield self._error(message, "E339", hint)

    def _check_table(self, through: type[Instance]) -> Iterator[CheckMessage]:
        """Look for another model with the table between."""
        table = through._meta.db_table
        other = next((one for one in _managed(self.opts.apps) if _shares_table(one, through)), None)
        if other is None or not through._meta.managed:
            return
        owner = _described(other)
        message = f"The field's intermediary table '{table}' clashes with the table name of '{owner}'."
        if settings.DATABASE_ROUTERS:
            hint = (
                f"You have configured settings.DATABASE_ROUTERS. Verify that the table of {owner!r} is correctly routed to "
                "a separate database."
            )
            yield self._warning(message, "W344", hint)
        else:
            yield self._error(message, "E340")


def _name(model: type[Instance] | str) -> str:
    return model if isinstance(model, str) else str(model._meta.object_name)


def _links(through: type[Instance], model: type[Instance]) -> list[str]:
    """Return the names of the relations from the model between to `model`."""
    return [
        field.name
        for field in through._meta.fields
        if getattr(getattr(field, "remote_field", None), "model", None) == model
    ]


def _managed(apps: Registry) -> list[Any]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def _shares_table(model: type[Instance], through: type[Instance]) -> bool:
    mine, other = through._meta, model._meta
    return bool(mine.db_table == other.db_table and mine.concrete_model != other.concrete_model)


def _described(model: type[Instance]) -> str:
    """Return the label of a model, or, of one that was made for a many-to-many field, of that field."""
    if not model._meta.auto_created:
        return str(model._meta.label)
    opts = model._meta.auto_created._meta
    names = (field.name for field in opts.many_to_many if field.remote_field.through is model)
    return f"{opts.label}.{next(names, None)}"
