"""Differences that are facade's faults, to be mended: the ordinary suite passes over them, FACADE_DIFFERENTIAL_STRICT does not."""

from __future__ import annotations

FAULTS = {}


def fault(case, ours, theirs, found):
    """Return which fault a difference shows, or None."""
    return next((name for name, holds in FAULTS.items() if holds(case, ours, theirs, found)), None)


def named(name):
    """Register a predicate for differences that this fault makes."""

    def register(holds):
        FAULTS[name] = holds
        return holds

    return register


@named("types are asked for too early")
def _(case, ours, theirs, found):
    return ours.error == "FieldError" and (
        "mixed types" in ours.message or "Cannot infer type" in ours.message
    )


@named("statements that can have no rows are sent")
def _(case, ours, theirs, found):
    return found == ["statements"] and len(ours.sent) == len(theirs.sent) + 1


@named("a column's range is checked where the database's CHECK would be")
def _(case, ours, theirs, found):
    return ours.error == "NumericValueOutOfRange" and theirs.error == "IntegrityError"


@named("integers out of range reach the driver")
def _(case, ours, theirs, found):
    return (
        ours.error == "DataError"
        and not theirs.error
        and any(words in ours.message for words in ("too large", "out of range", "out of int"))
    )


@named("a name twice in values_list()")
def _(case, ours, theirs, found):
    return "duplicate field name" in ours.message or (
        "value" in found and "values_list(" in case.source and _repeats(case.source)
    )


def _repeats(source):
    names = source.split("values_list(", 1)[1].split(")", 1)[0].split(", ")
    return len(set(names)) < len(names)


@named("combined querysets and Meta.ordering")
def _(case, ours, theirs, found):
    return ours.error in {"UnsupportedFeature", "NotImplementedError"} and "ORDER BY" in ours.message


@named("select_related() to a child of multi-table inheritance, to a parent, or beside only() and defer()")
def _(case, ours, theirs, found):
    return "select_related(" in case.source and (
        found == ["value"] or theirs.error == "FieldError" or ours.error == "FieldError"
    )


@named("a list for a column that takes none")
def _(case, ours, theirs, found):
    return ours.error in {"AttributeError", "UnboundLocalError"} and "[]" in case.source


@named("bulk_update() writes JSON null for None beside expressions")
def _(case, ours, theirs, found):
    return found == ["tables"] and "bulk_update" in case.source and "data" in case.source


@named("time zones are lost in INSERT and save()")
def _(case, ours, theirs, found):
    lost = any("NULL" in sql and ("TRUNC(" in sql or "EXTRACT(" in sql.upper()) for sql in ours.sent)
    return set(found) <= {"value", "tables"} and lost
