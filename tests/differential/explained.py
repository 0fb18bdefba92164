"""Differences that stand, each with its reason: Django is wrong there, or facade says more clearly what is wrong."""

from __future__ import annotations

import re

REASONS = {}
CLEAR = {"FieldError", "ValidationError", "ValueError", "TypeError"}
RAW = {
    "TypeError",
    "AttributeError",
    "ProgrammingError",
    "DataError",
    "OperationalError",
    "KeyError",
    "IndexError",
    "ArgumentError",
}
ORDERED_BY_META = re.compile(r"\b(Novel|Review|Tag)\.objects")
TEMPORAL = re.compile(r"fn\.(Trunc|Extract)")


def explanation(case, ours, theirs, found):
    """Return why a difference stands, or None."""
    return next((why for why, holds in REASONS.items() if holds(case, ours, theirs, found)), None)


def because(why):
    """Register a predicate for differences that stand for this reason."""

    def register(holds):
        REASONS[why] = holds
        return holds

    return register


@because("SQLite: Django's StdDev and Variance fail where there is a NULL")
def _(case, ours, theirs, found):
    return "'finalize' method raised error" in theirs.message and not ours.error


@because("a sliced Prefetch without to_attr: Django filters the slice once more and fails")
def _(case, ours, theirs, found):
    return (
        theirs.message.startswith("Cannot filter a query once a slice")
        and "Prefetch(" in case.source
        and not ours.error
    )


@because("both refuse a value of the wrong type: facade by its field, Django by whatever code meets it first")
def _(case, ours, theirs, found):
    return ours.error in CLEAR and theirs.error in RAW


@because("a wrong value beside a condition that nothing can meet: Django never looks at it")
def _(case, ours, theirs, found):
    return ours.error in CLEAR and not ours.sent and not theirs.error and not theirs.sent


@because("SQLite: Django leaves Meta.ordering in the parts of a union")
def _(case, ours, theirs, found):
    return theirs.message.startswith("ORDER BY not allowed in subqueries of compound") and not ours.error


@because("PostgreSQL: Django loses the GROUP BY of rows that are grouped by a constant")
def _(case, ours, theirs, found):
    return (
        "must appear in the GROUP BY clause" in theirs.message and "Value(" in case.source and not ours.error
    )


@because(
    "SQLite: Django takes what a truncation in a time zone gives for UTC when it is computed with further"
)
def _(case, ours, theirs, found):
    temporal = len(TEMPORAL.findall(case.source))
    nested = temporal > 1 or (temporal and "ExpressionWrapper" in case.source)
    return found == ["value"] and nested and "django_datetime" in "".join(theirs.sent)


@because("groups that are made distinct: Django groups by Meta.ordering, too, though it says it does not")
def _(case, ours, theirs, found):
    statement = "".join(theirs.sent)
    return (
        found == ["value"] and ORDERED_BY_META.match(case.source) and "GROUP BY" in statement and "DISTINCT" in statement
        and "order_by" not in case.source
    )  # fmt: skip


@because("an integer that no driver can send: Django lets the driver's OverflowError through")
def _(case, ours, theirs, found):
    return theirs.error == "OverflowError" and (ours.error == "DataError" or not ours.error)


@because("a text with NUL: facade refuses it on every database, Django only where the database does")
def _(case, ours, theirs, found):
    return ours.error == "ValueError" and "NUL (0x00)" in ours.message and "x00" in case.source


@because("a number with decimals for a column of whole numbers: Django cuts them off when it writes")
def _(case, ours, theirs, found):
    return ours.error == "ValueError" and "expected a whole number" in ours.message and not theirs.error


@because("SQLite: Django stores the local time that a truncation gives as if it were UTC")
def _(case, ours, theirs, found):
    written = any("django_datetime" in sql and sql.startswith(("UPDATE", "INSERT")) for sql in theirs.sent)
    return set(found) <= {"value", "tables"} and written and "fn.Trunc" in case.source


@because(
    "a constant of a type that SQLite does not know, written to a column that does: Django does not ask the column"
)
def _(case, ours, theirs, found):
    return "Error binding parameter" in theirs.message and "Value(" in case.source and not ours.error


@because("facade needs fewer statements: it reads no parent of a deleted or changed child again")
def _(case, ours, theirs, found):
    return found == ["statements"] and len(ours.sent) < len(theirs.sent)


@because("PostgreSQL: Django stores the local time that a truncation gives as if it were UTC")
def _(case, ours, theirs, found):
    written = any("AT TIME ZONE" in sql and sql.startswith(("UPDATE", "INSERT")) for sql in theirs.sent)
    return set(found) <= {"value", "tables"} and written and "fn.Trunc" in case.source


@because("XOR in an annotation or an aggregate's filter: Django's joins for it are inner, which loses rows")
def _(case, ours, theirs, found):
    left = "".join(ours.sent).count("LEFT OUTER JOIN")
    return (
        found == ["value"] and " ^ " in case.source and left > "".join(theirs.sent).count("LEFT OUTER JOIN")
    )


@because("`NOT EXISTS(…) IS NULL` without parentheses: Django asks whether EXISTS is NULL, and negates that")
def _(case, ours, theirs, found):
    return (
        found == ["value"] and re.search(r"NOT EXISTS\(.*\) IS (NOT )?NULL", "".join(theirs.sent)) is not None
    )


@because("a lookup that the database lacks, on a queryset without rows: facade has nothing to refuse")
def _(case, ours, theirs, found):
    return theirs.error == "NotSupportedError" and not ours.error and not ours.sent


@because("PostgreSQL: rows filtered by a window function: Django's SELECT * forgets what converts values")
def _(case, ours, theirs, found):
    return found == ["value"] and "qualify" in "".join(theirs.sent) and "m.Window(" in case.source


@because("exists() of a union: Django selects 1 in place of the columns, which may be of two kinds")
def _(case, ours, theirs, found):
    return (
        ours.error == "ProgrammingError" and "cannot be matched" in ours.message and "exists()" in case.source
    )


@because("Django asks for a type that nobody needs")
def _(case, ours, theirs, found):
    return (
        theirs.error == "FieldError"
        and "mixed types" in theirs.message
        and ours.error in (None, "IntegrityError")
    )


@because("an empty Q() as a value: Django gives 1, facade True")
def _(case, ours, theirs, found):
    return found == ["value"] and "Q()" in case.source and "e=" in case.source


@because("negated conditions over several relations: Django names a table that the subquery does not have")
def _(case, ours, theirs, found):
    return not ours.error and re.match(
        r'missing FROM-clause entry for table "U|no such column: U', theirs.message
    )


@because(
    "a value that Django passes to the database or to its own parser as it is; facade prepares it by its column"
)
def _(case, ours, theirs, found):
    raw = theirs.message.startswith(("'str' object has no attribute 'days'", "the JSON object must be str"))
    return not ours.error and (raw or "Error binding parameter" in theirs.message)


@because("two mistakes at once: which is told first")
def _(case, ours, theirs, found):
    return ours.error in CLEAR and theirs.error in CLEAR


@because("a year that no date can have: Django fails, facade finds no row")
def _(case, ours, theirs, found):
    return theirs.message == "Year is out of range: 0" and not ours.error


@because(
    "PostgreSQL: Django takes what a truncation in a time zone gives for UTC when it is computed with further"
)
def _(case, ours, theirs, found):
    temporal = len(TEMPORAL.findall(case.source))
    nested = temporal > 1 or (temporal and "ExpressionWrapper" in case.source)
    return (
        found == ["value"]
        and nested
        and ("DATE_TRUNC" in "".join(theirs.sent) or "AT TIME ZONE" in "".join(theirs.sent))
    )


@because("PostgreSQL: what Django's own SQL for dates, texts and keys does not fit, which facade casts")
def _(case, ours, theirs, found):
    unfit = ("interval * interval", "function upper(date)", "function upper(integer)", "jsonb ? integer")
    return not ours.error and any(words in theirs.message for words in unfit)


@because("PostgreSQL: Django leaves a sum of keys over a window a Decimal; facade gives the column's type")
def _(case, ours, theirs, found):
    return found == ["value"] and "m.Window(m.Sum(" in case.source


@because(
    "an integer below all that a column can hold: Django takes the comparison for true where the column is NULL, too"
)
def _(case, ours, theirs, found):
    return (
        found == ["value"]
        and "IS NOT NULL" in "".join(ours.sent)
        and re.search(r"__gte?=-", case.source)
        and " ^ " in case.source
    )


@because("an aggregate whose filter no row can meet is NULL: Django forgets a condition on that")
def _(case, ours, theirs, found):
    return (
        found == ["value"]
        and "k__isnull=True" in case.source
        and "__in=[]" in case.source
        and "filter=" in case.source
    )
