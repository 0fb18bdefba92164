"""What a case came to, in terms that two ORMs can be compared in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass
class Outcome:
    """A normalized value, or the name of an error's class; the statements sent; the tables afterwards."""

    value: object = None
    error: str | None = None
    classes: frozenset[str] = frozenset()  # the error's, and those that it inherits from
    message: str = ""
    sent: tuple[str, ...] = ()
    tables: dict | None = None


def outcome_of(act, sent):
    """Run `act`; what it gives back is read in full, what it raises is an outcome as well."""
    try:
        value = normal(as_read(act()))
    except Exception as error:
        classes = frozenset(c.__name__ for c in type(error).__mro__[:-2])
        return Outcome(
            error=type(error).__name__, classes=classes, message=str(error)[:2000], sent=tuple(sent())
        )
    return Outcome(value=value, sent=tuple(sent()))


def as_read(value):
    return list(value) if hasattr(value, "query") and hasattr(value, "_result_cache") else value


def normal(value, depth=0):
    """Return a value as nested tuples of plain text, with its Python type; instances with what they have loaded."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return ("float", f"{value + 0:.10g}")  # -0.0 is 0, which PostgreSQL's numeric has not
    if isinstance(value, (dt.datetime, dt.time)):
        return (type(value).__name__, value.isoformat(), str(value.utcoffset()))
    if isinstance(value, Decimal):
        # SQLite stores binary floats: how many zeros follow, or a zero's sign, is nothing that either ORM promises.
        return ("Decimal", str(Decimal(f"{value:.14g}").normalize() + 0) if value.is_finite() else str(value))
    if isinstance(value, (list, tuple)):
        return (_sequence(value), *[normal(item, depth) for item in value])
    if isinstance(value, (set, frozenset)):
        return ("set", *sorted((normal(item, depth) for item in value), key=repr))
    if isinstance(value, Mapping):
        return ("dict", *[(normal(key, depth), normal(item, depth)) for key, item in value.items()])
    if hasattr(value, "resolve_expression") and not hasattr(value, "_result_cache"):
        return "an expression"
    if hasattr(value, "_meta"):
        return _instance(value, depth)
    if hasattr(value, "_result_cache"):
        return normal(list(value), depth)
    return (type(value).__name__, repr(value))


def _sequence(value):
    return "row" if hasattr(value, "_fields") else type(value).__name__


def _instance(instance, depth):
    if depth > 2:
        return (type(instance).__name__, normal(instance.pk))
    loaded = {name: value for name, value in vars(instance).items() if not name.startswith("_")}
    names = {field.attname for field in instance._meta.concrete_fields}
    fields = sorted((name, normal(loaded[name], depth + 1)) for name in names & loaded.keys())
    extra = sorted((name, normal(value, depth + 1)) for name, value in loaded.items() if name not in names)
    return (type(instance).__name__, *fields, *extra, *_related(instance, depth))


def _related(instance, depth):
    """Return what select_related and prefetch_related have put aside."""
    for name, value in sorted(dict(getattr(instance._state, "fields_cache", None) or {}).items()):
        yield (f"cached {name}", normal(value, depth + 1))
    for name, value in sorted(getattr(instance, "_prefetched_objects_cache", {}).items()):
        yield (f"prefetched {name}", normal(list(value), depth + 1))


def differences(case, ours, theirs):
    """Return the names of what differs between two outcomes of a case."""
    if ours.error or theirs.error:
        return (
            [] if ours.error and (theirs.error in ours.classes or ours.error in theirs.classes) else ["error"]
        )
    found = []
    if comparable(case, ours.value) != comparable(case, theirs.value):
        found.append("value")
    if len(ours.sent) != len(theirs.sent):
        found.append("statements")
    if ours.tables != theirs.tables:
        found.append("tables")
    return found


def comparable(case, value):
    """Return the value; rows in no particular order are sorted."""
    if case.ordered or not isinstance(value, tuple):
        return value
    return (value[0], *sorted(value[1:], key=repr))


def first_difference(ours, theirs):
    """Return the smallest part in which two normalized values differ."""
    if isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs):
        differing = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
        if len(differing) == 1 or (differing and isinstance(differing[0][0], tuple)):
            return first_difference(*differing[0])
    return ours, theirs
