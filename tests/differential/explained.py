"""Differences that stand, each with its reason: Django is wrong there, or facade says more clearly what is wrong."""

from __future__ import annotations

import re

from tests.differential.cases import Case
from tests.differential.explained_reads import READS
from tests.differential.reasons import ANSWERS, Reasons, alike

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


BOTH, WRITES = Reasons(), Reasons()
because, written = BOTH.because, WRITES.because


def explanation(case, ours, theirs, found):
    """Return why a difference stands, or None."""
    registers = (READS, BOTH) if isinstance(case, Case) else (WRITES, BOTH, READS)
    whys = (reasons.find(case, ours, theirs, found) for reasons in registers)
    return next(filter(None, whys), None)


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


@written("both refuse a value of the wrong type: facade by its field, Django by whatever code meets it first")
def _(case, ours, theirs, found):
    return ours.error in CLEAR and theirs.error in RAW


@written("a wrong value beside a condition that nothing can meet: Django never looks at it")
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


@because("groups that are made distinct: Django groups by Meta.ordering, too, though it says it does not")
def _(case, ours, theirs, found):
    statement = "".join(theirs.sent)
    return (
        found == ["value"] and ORDERED_BY_META.match(case.source) and "GROUP BY" in statement and "DISTINCT" in statement
        and "order_by" not in case.source
    )  # fmt: skip


@written("an integer that no driver can send: Django lets the driver's OverflowError through")
def _(case, ours, theirs, found):
    return theirs.error == "OverflowError" and (ours.error == "DataError" or not ours.error)


@because("a text with NUL: facade refuses it on every database, Django only where the database does")
def _(case, ours, theirs, found):
    refused = ours.error == "ValueError" and "NUL (0x00)" in ours.message and "x00" in case.source
    return refused and theirs.error in {None, "DataError", "DoesNotExist", "IntegrityError"}


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


@written("facade needs fewer statements: it reads no parent of a deleted or changed child again")
def _(case, ours, theirs, found):
    return found == ["statements"] and len(ours.sent) < len(theirs.sent)


@because("PostgreSQL: Django stores the local time that a truncation gives as if it were UTC")
def _(case, ours, theirs, found):
    written = any("AT TIME ZONE" in sql and sql.startswith(("UPDATE", "INSERT")) for sql in theirs.sent)
    return set(found) <= {"value", "tables"} and written and "fn.Trunc" in case.source


@because("a lookup that the database lacks, on a queryset without rows: facade has nothing to refuse")
def _(case, ours, theirs, found):
    return theirs.error == "NotSupportedError" and not ours.error and not ours.sent


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


@written("an empty Q() as a value: Django gives 1, facade True")
def _(case, ours, theirs, found):
    wrapped = "e=m.ExpressionWrapper(Q()," in case.source or "e=Q()" in case.source
    return (set(found) <= {"value", "statements"} and wrapped) or theirs.error == "FullResultSet"


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
    return ours.error in ANSWERS and (raw or "Error binding parameter" in theirs.message)


@written("two mistakes at once: which is told first")
def _(case, ours, theirs, found):
    fields = "FieldError" in (
        ours.error,
        theirs.error,
    )  # one of them is about a name or a type, not about a value
    return ours.error in CLEAR and theirs.error in CLEAR and (fields or ours.error == "ValidationError")


@written("a year that no date can have: Django fails, facade finds no row")
def _(case, ours, theirs, found):
    year = theirs.message in ("Year is out of range: 0", "year 0 is out of range")
    return year and ours.error in {None, "DoesNotExist", "MultipleObjectsReturned"}


@written("PostgreSQL: what Django's own SQL for dates, texts and keys does not fit, which facade casts")
def _(case, ours, theirs, found):
    unfit = ("interval * interval", "function upper(", "jsonb ? integer")
    return not ours.error and any(words in theirs.message for words in unfit)


@written(
    "an integer below all that a column can hold: Django takes the comparison for true where the column is NULL, too"
)
def _(case, ours, theirs, found):
    return (
        found == ["value"]
        and "".join(ours.sent).count("IS NOT NULL") > "".join(theirs.sent).count("IS NOT NULL")
        and re.search(r"__gte?=-", case.source)
    )


@because(
    "two dates, moments or times cannot be added: Django says that it does not know of what type that would be"
)
def _(case, ours, theirs, found):
    added = "Cannot infer type of '+' expression involving these types: "
    return ours.error == "UnsupportedFeature" and " + " in ours.message and theirs.message.startswith(added)


@because(
    "an aggregate that no row can have, over a slice or distinct rows: Django takes the others to have none, too"
)
def _(case, ours, theirs, found):
    return (
        set(found) <= {"value", "statements"} and ours.sent and not theirs.sent
        and "__in=[]" in case.source.partition(".aggregate(")[2]
    )  # fmt: skip


@because("a key compared with a number with decimals: Django cuts them off")
def _(case, ours, theirs, found):
    return found == ["value"] and re.search(r"__(lt|gte)=1\.5", case.source)


@written(
    "negated conditions over several relations: Django ties the subquery to the table of another relation"
)
def _(case, ours, theirs, found):
    negated = "~(" in case.source or ".exclude(" in case.source
    tied = re.search(
        r'EXISTS\(SELECT 1 AS "a" FROM "(\w+)" "?U\d.*?= \("?([TV]\d+|\1)"?\."\w+"\)', "".join(theirs.sent)
    )
    return "value" in found and negated and tied is not None


@because(
    "an aggregate over a subquery of distinct rows: Django leaves the subquery outside, where its columns are unknown"
)
def _(case, ours, theirs, found):
    unknown = theirs.message.startswith(
        ("no such column: differential_", "missing FROM-clause entry", "invalid reference to")
    )
    return not ours.error and unknown and "Subquery(" in case.source.partition(".aggregate(")[2]


@because("a lookup that SQLite lacks is refused before anything else that is wrong")
def _(case, ours, theirs, found):
    return (
        ours.error == "UnsupportedFeature"
        and "lookup is not supported" in ours.message
        and theirs.error in CLEAR
    )


@because("SQLite: INSERT OR IGNORE passes over a CHECK as well; facade judges numbers before it sends them")
def _(case, ours, theirs, found):
    return (
        ours.error == "CheckViolation"
        and "ignore_conflicts=True" in case.source
        and "OR IGNORE" in "".join(theirs.sent)
    )


@written("a wrong number beside a conflict or a wrong type: facade looks at the number first")
def _(case, ours, theirs, found):
    number = ours.error == "CheckViolation" or "expected a whole number" in ours.message
    return number and theirs.error in {"IntegrityError", "FieldError", "DataError"}


@written("SQLite: a number with more digits than its field has: Django's converter fails")
def _(case, ours, theirs, found):
    return not ours.error and theirs.error == "InvalidOperation"


@because("defer() of a foreign key by its column, and of fields beyond it: Django forgets the first")
def _(case, ours, theirs, found):
    deferred = set(re.findall(r"'(\w+)'", case.source.partition(".defer(")[2]))
    keys = {name.partition("__")[0] + "_id" for name in deferred if "__" in name}
    return bool(keys & deferred) and (found == ["value"] or "both deferred and traversed" in ours.message)


@because(
    "select_related() of a child from a proxy: Django does not see that the proxy's row is the child's, too"
)
def _(case, ours, theirs, found):
    def bare(value):
        return value[0] if value[0] == "EBook" else value

    child = case.source.startswith("Novel.") and ".select_related('ebook" in case.source
    return found == ["value"] and child and alike(case, ours, theirs, bare)


@because("SQLite: Django casts times to milliseconds")
def _(case, ours, theirs, found):
    return found == ["value"] and "strftime('%H:%M:%f'" in "".join(theirs.sent)


@because("PostgreSQL: a list as a constant without a field: Django sends an array for a document")
def _(case, ours, theirs, found):
    array = re.search(r"'?data'?[=:] ?Value\(\[[^]]*\]\)", case.source) is not None
    told = theirs.message.startswith("cannot dump lists of mixed types") or set(found) <= {"value", "tables"}
    return array and not ours.error and told
