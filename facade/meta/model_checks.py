"""What can be wrong with the declaration of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from facade.checks import CheckMessage, Error, Warning
from facade.exceptions import FieldDoesNotExist
from facade.expressions.calls import RawSQL
from facade.expressions.names import referenced_paths
from facade.fields.declarations import LOOKUP_SEP
from facade.fields.kinds.composite import CompositePrimaryKey
from facade.fields.relations.relation_declarations import by_database
from facade.meta.constraints import CheckConstraint

if TYPE_CHECKING:
    from facade.fields import Field
    from facade.fields.contracts import Instance
    from facade.meta.options import Options


Findings = Iterator[CheckMessage]


def check_model(model: type[Instance], databases: Iterable[str] = (), **options: Any) -> list[CheckMessage]:
    """Return what is wrong with a model's declaration: its fields, their names, and the options of ``class Meta``."""
    opts = model._meta
    found = [*_swapped(opts), *_proxy(model)]
    for manager in opts.managers:
        found += manager.check(**options)
    if opts.swapped:
        return found
    for field in (*opts.local_fields, *opts.local_many_to_many):
        found += field.check(databases=databases, **options)
    found += [*_same_relations(model), *_on_delete_variants(model)]
    clashes = [
        *_id_field(model),
        *_field_names(model),
        *_model_name(model),
        *_properties(model),
        *_primary_keys(model),
    ]
    found += clashes or _column_names(model)
    found += [*_unique_together(model), *_ordering(model)]
    if databases:
        found += [*_indexes(model), *_constraints(model)]
    found += _composite_key(model)
    return found


def _error(model: object, id: str, msg: str, hint: str | None = None) -> Error:
    return Error(msg, hint, model, f"models.{id}")


# -- the model -----------------------------------------------------------------------------------------


def _swapped(opts: Options) -> Findings:
    if not opts.swapped:
        return
    try:
        opts.apps.get_model(opts.swapped)
    except ValueError:
        yield _error(None, "E001", f"'{opts.swappable}' is not of the form 'app_label.app_name'.")
    except LookupError:
        yield _error(
            None,
            "E002",
            f"'{opts.swappable}' references '{opts.swapped}', which has not been installed, or is abstract.",
        )


def _proxy(model: type[Instance]) -> Findings:
    if model._meta.proxy and (model._meta.local_fields or model._meta.local_many_to_many):
        yield _error(None, "E017", f"Proxy model '{model.__name__}' contains model fields.")


def _model_name(model: type[Instance]) -> Findings:
    name = model.__name__
    if name.startswith("_") or name.endswith("_"):
        message = f"The model name '{name}' cannot start or end with an underscore as it collides with the query lookup syntax."
        yield _error(model, "E023", message)
    elif LOOKUP_SEP in name:
        message = f"The model name '{name}' cannot contain double underscores as it collides with the query lookup syntax."
        yield _error(model, "E024", message)


# -- fields --------------------------------------------------------------------------------------------


def _id_field(model: type[Instance]) -> Findings:
    """An ``id`` that is not the key, while the key that was added is called so."""
    opts = model._meta
    own = [field for field in opts.local_fields if field.name == "id" and field != opts.pk]
    if own and not own[0].primary_key and opts.pk.name == "id":
        message = "'id' can only be used as a field name if the field also sets 'primary_key=True'."
        yield _error(model, "E004", message)


def _field_names(model: type[Instance]) -> Findings:
    """Names that two tables of the model's inheritance have in common."""
    known: dict[str, Any] = {}
    yield from _parents_names(model, known)
    for parent in model._meta.all_parents:
        known.update((field.name, field) for field in parent._meta.get_fields())
    for link in filter(None, model._meta.parents.values()):
        if (other := known.get(link.name)) is not None:
            yield _clash(model, link, other)
    for field in model._meta.local_fields:
        other = known.get(field.name) or known.get(field.attname)
        added_key = other is not None and field.name == other.name == "id" and other.model == model
        if other is not None and not added_key:
            yield _clash(field, field, other)
        known[field.name] = known[field.attname] = field


def _parents_names(model: type[Instance], known: dict[str, Any]) -> Findings:
    for parent in model._meta.all_parents:
        for field in parent._meta.local_fields:
            if (other := known.get(field.name) or known.get(field.attname)) is not None:
                yield _error(
                    model,
                    "E005",
                    f"The field '{other.name}' from parent model '{other.model._meta}' clashes with the field "
                    f"'{field.name}' from parent model '{field.model._meta}'.",
                )
            known[field.name] = known[field.attname] = field


def _clash(obj: object, field: Field[Any], other: Field[Any]) -> Error:
    message = (
        f"The field '{field.name}' clashes with the field '{other.name}' from model '{other.model._meta}'."
    )
    return _error(obj, "E006", message)


def _column_names(model: type[Instance]) -> Findings:
    used: set[str] = set()
    for field in model._meta.local_fields:
        if field.column and field.column in used:
            yield _error(
                model,
                "E007",
                f"Field '{field.name}' has column name '{field.column}' that is used by another field.",
                "Specify a 'db_column' for the field.",
            )
        used.add(field.column)


def _properties(model: type[Instance]) -> Findings:
    for field in model._meta._get_fields(reverse=False):
        related = field.is_relation and field.related_model is not None
        if related and field.attname in model._meta._property_names:
            message = f"The property '{field.attname}' clashes with a related field accessor."
            yield _error(model, "E025", message)


def _primary_keys(model: type[Instance]) -> Findings:
    if sum(field.primary_key for field in model._meta.local_fields) > 1:
        message = "The model cannot have more than one field with 'primary_key=True'."
        yield _error(model, "E026", message)


def _composite_key(model: type[Instance]) -> Findings:
    """Names in a composite primary key that cannot be a part of it."""
    key = model._meta.pk
    if model._meta.proxy or not isinstance(key, CompositePrimaryKey):
        return
    by_column: dict[str, list[str]] = {}
    for name in key.field_names:
        field = model._meta._forward_fields_map.get(name)
        if (problem := _unfit_for_key(model._meta, name, field)) is not None:
            yield _error(model, "E042", f"'{name}' cannot be included in the composite primary key.", problem)
        else:
            by_column.setdefault(field.column, []).append(name)
    for first, *others in by_column.values():
        if others:
            names = ", ".join(map(repr, others))
            message = f"{names} cannot be included in the composite primary key."
            yield _error(model, "E042", message, f"{names} and '{first}' are the same fields.")


def _unfit_for_key(opts: Options, name: str, field: Field[Any] | None) -> str | None:
    """Return why a field cannot be a part of a composite primary key, None if it can."""
    if field is None:
        return f"'{name}' is not a valid field."
    if not field.column:
        return f"'{name}' field has no column."
    if field.null:
        return f"'{name}' field may not set 'null=True'."
    if field.generated:
        return f"'{name}' field is a generated field."
    return None if field in opts.local_fields else f"'{name}' field is not a local field."


def _same_relations(model: type[Instance]) -> Findings:
    """Many-to-many fields that would write the same rows of a table between."""
    seen: list[Any] = []
    for field in model._meta.local_many_to_many:
        remote = field.remote_field
        if isinstance(remote.model, str) or isinstance(remote.through, str) or remote.through is None:
            continue
        signature = remote.model, remote.through, remote.through_fields
        if signature in seen:
            message = (
                "The model has two identical many-to-many relations through the intermediate model "
                f"'{remote.through._meta.label}'."
            )
            yield _error(model, "E003", message)
        seen.append(signature)


def _on_delete_variants(model: type[Instance]) -> Findings:
    """Rules of the database and of Python in one model: neither would see what the other deletes."""
    related = (field for field in model._meta.get_fields() if field.related_model)
    rules = {by_database(getattr(field.remote_field, "on_delete", None)) for field in related}
    if {True, False} <= rules:
        message = "The model cannot have related fields with both database-level and Python-level on_delete variants."
        yield _error(model, "E050", message)


# -- class Meta ----------------------------------------------------------------------------------------


def _unique_together(model: type[Instance]) -> Findings:
    together = model._meta.unique_together
    if not isinstance(together, (tuple, list)):
        yield _error(model, "E010", "'unique_together' must be a list or tuple.")
    elif not all(isinstance(names, (tuple, list)) for names in together):
        yield _error(model, "E011", "All 'unique_together' elements must be lists or tuples.")
    else:
        for names in together:
            yield from _local_fields(model, names, "unique_together")


def _local_fields(model: type[Instance], names: Iterable[str], option: str) -> Findings:
    """Names in an option that are no columns of the model's own table."""
    opts = model._meta
    known = opts._forward_fields_map
    for name in names:
        if (field := known.get(name)) is None:
            yield _error(model, "E012", f"'{option}' refers to the nonexistent field '{name}'.")
        elif field.is_relation and field.many_to_many:
            message = f"'{option}' refers to a ManyToManyField '{name}', but ManyToManyFields are not permitted in '{option}'."
            yield _error(model, "E013", message)
        elif isinstance(field, CompositePrimaryKey):
            message = f"'{option}' refers to a CompositePrimaryKey '{name}', but CompositePrimaryKeys are not permitted in '{option}'."
            yield _error(model, "E048", message)
        elif field.is_relation and not field.concrete and len(field.from_fields) > 1:
            message = (
                f"'{option}' refers to a ForeignObject '{name}' with multiple 'from_fields', which is not supported for "
                "that option."
            )
            yield _error(model, "E049", message)
        elif field not in opts.local_fields:
            message = f"'{option}' refers to field '{name}' which is not local to model '{opts.object_name}'."
            yield _error(model, "E016", message, "This issue may be caused by multi-table inheritance.")


def _ordering(model: type[Instance]) -> Findings:
    opts = model._meta
    if opts._ordering_clash:
        message = "'ordering' and 'order_with_respect_to' cannot be used together."
        yield _error(model, "E021", message)
    elif opts.ordering and not opts.order_with_respect_to:
        if not isinstance(opts.ordering, (list, tuple)):
            message = "'ordering' must be a tuple or list (even if you want to order by only one field)."
            yield _error(model, "E014", message)
            return
        names = [item.removeprefix("-") for item in opts.ordering if isinstance(item, str) and item != "?"]
        # Paths over relations before the model's own names.
        for name in sorted(names, key=lambda name: LOOKUP_SEP not in name):
            if not _can_order(opts, name):
                message = f"'ordering' refers to the nonexistent field, related field, or lookup '{name}'."
                yield _error(model, "E015", message)


def _can_order(opts: Options, name: str) -> bool:
    """Return whether a name, or a path of names with a transform at its end, leads to something to sort by."""
    if LOOKUP_SEP not in name:
        return name == "pk" or name in _orderable_names(opts)
    field = None
    known: Any = opts
    for part in name.split(LOOKUP_SEP):
        try:
            found = known.pk if part == "pk" else known.get_field(part)
        except (FieldDoesNotExist, AttributeError):
            if field is None or not (field.get_transform(part) or field.get_lookup(part)):
                return False
            known = None
        else:
            field = found
            known = field.related_model._meta if field.is_relation else None
    return True


def _orderable_names(opts: Options) -> set[str]:
    names = {relation.field.related_query_name() for relation in opts.related_objects}
    return names.union(*((field.name, field.attname) for field in opts.fields))


def _indexes(model: type[Instance]) -> Findings:
    for index in model._meta.indexes:
        names = [name for name, _ in index.fields_orders]
        paths = [path[0] for part in index.expressions for path in referenced_paths(part)]
        yield from _local_fields(model, [*names, *index.include, *paths], "indexes")


def _constraints(model: type[Instance]) -> Findings:
    for constraint in model._meta.constraints:
        condition: Any = getattr(constraint, "condition", None)
        expressions = getattr(constraint, "expressions", ())
        names = [*getattr(constraint, "fields", ()), *(getattr(constraint, "include", ()) or ())]
        yield from _local_fields(model, names, "constraints")
        if isinstance(constraint, CheckConstraint) and any(
            isinstance(part, RawSQL) for part in condition.flatten()
        ):
            yield Warning(
                f"Check constraint {constraint.name!r} contains RawSQL() expression and won't be validated during the model "
                "full_clean().",
                "Silence this warning if you don't care about it.",
                model,
                "models.W045",
            )
        yield from _references(model, [condition, *expressions])


def _references(model: type[Instance], expressions: list[Any]) -> Findings:
    """Names in the expressions of a constraint that are no columns of the model's own table."""
    paths = {path: None for one in expressions for path in referenced_paths(one)}
    known = model._meta._forward_fields_map
    for first, *rest in paths:
        field = known.get(first)
        joined = rest and field is not None and field.is_relation and not field.many_to_many
        if joined and not (field.get_transform(rest[0]) or field.get_lookup(rest[0])):
            name = LOOKUP_SEP.join((first, *rest))
            yield _error(model, "E041", f"'constraints' refers to the joined field '{name}'.")
    composite = model._meta.is_composite_pk
    names = {first: None for first, *_ in paths if composite or first != "pk"}
    yield from _local_fields(model, names, "constraints")
