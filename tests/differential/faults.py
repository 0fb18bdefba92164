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


@named("select_related() to a child of multi-table inheritance, to a parent, or beside only() and defer()")
def _(case, ours, theirs, found):
    return "select_related(" in case.source and (
        found == ["value"] or theirs.error == "FieldError" or ours.error == "FieldError"
    )


@named("time zones are lost in INSERT and save()")
def _(case, ours, theirs, found):
    lost = any("NULL" in sql and ("TRUNC(" in sql or "EXTRACT(" in sql.upper()) for sql in ours.sent)
    return set(found) <= {"value", "tables"} and lost
