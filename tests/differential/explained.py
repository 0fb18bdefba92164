"""Differences that stand, each with its reason: Django is wrong there, or facade says more clearly what is wrong."""

from __future__ import annotations

import re

from tests.differential.cases import Case
from tests.differential.explained_reads import READS
from tests.differential.explained_writes import CLEAR, WRITES
from tests.differential.reasons import ANSWERS, Reasons, alike, calls, on_mariadb, sql

CLOCKS = {"time", "datetime"}
ORDERED_BY_META = re.compile(r"\b(Novel|Review|Tag)\.objects")


BOTH = Reasons()
because = BOTH.because


def explanation(case, ours, theirs, found):
    """Return why a difference stands, or None."""
    if found == ["error"] and {ours.error, theirs.error} <= ANSWERS:
        found = ["value"]  # get() says by an error that it found none or several
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
        and "order_by" not in calls(case.source)
    )  # fmt: skip


@because("a text with NUL: facade refuses it on every database, Django only where the database does")
def _(case, ours, theirs, found):
    refused = ours.error == "ValueError" and "NUL (0x00)" in ours.message and "x00" in case.source
    return refused and theirs.error in {*ANSWERS, "DataError", "IntegrityError", "NotUpdated"}


@because("a number with decimals for a column of whole numbers: Django cuts them off when it writes")
def _(case, ours, theirs, found):
    return ours.error == "ValueError" and "expected a whole number" in ours.message and not theirs.error


@because("SQLite: Django stores the local time that a truncation gives as if it were UTC")
def _(case, ours, theirs, found):
    written = any("django_datetime" in sql and sql.startswith(("UPDATE", "INSERT")) for sql in theirs.sent)
    return set(found) <= {"value", "tables"} and written and "fn.Trunc" in case.source


@because("PostgreSQL: Django stores the local time that a truncation gives as if it were UTC")
def _(case, ours, theirs, found):
    written = any("AT TIME ZONE" in sql and sql.startswith(("UPDATE", "INSERT")) for sql in theirs.sent)
    return set(found) <= {"value", "tables"} and written and "fn.Trunc" in case.source


@because("MariaDB: Django stores the local time that a truncation gives as if it were UTC")
def _(case, ours, theirs, found):
    written = any("CONVERT_TZ(" in sql and sql.startswith(("UPDATE", "INSERT")) for sql in theirs.sent)
    return set(found) <= {"value", "tables"} and written and "fn.Trunc" in case.source


@because("a lookup that the database lacks, on a queryset without rows: facade has nothing to refuse")
def _(case, ours, theirs, found):
    return theirs.error == "NotSupportedError" and not ours.error and not ours.sent


@because(
    "MariaDB: a number out of range is a DataError, as PEP 249 has it: Django takes it for a broken rule"
)
def _(case, ours, theirs, found):
    beyond = all("(1690, " in outcome.message for outcome in (ours, theirs))
    return beyond and (ours.error, theirs.error) == ("DataError", "IntegrityError")


@because(
    "MariaDB: an unsigned number that gets negative: for which rows it computes that is the database's business"
)
def _(case, ours, theirs, found):
    beyond = [re.search(r"\(1690, .*UNSIGNED value is out of range", o.message) for o in (ours, theirs)]
    others = {ours.error, theirs.error} <= {*ANSWERS, "DataError", "IntegrityError", "ProtectedError"}
    return any(beyond) and others


@because("exists() of a union: Django selects 1 in place of the columns, which may be of two kinds")
def _(case, ours, theirs, found):
    return (
        ours.error == "ProgrammingError"
        and "cannot be matched" in ours.message
        and ".union(" in case.source
        and case.source.endswith(".exists()")
        and not theirs.error
    )


@because("Django asks for a type that nobody needs")
def _(case, ours, theirs, found):
    return (
        theirs.error == "FieldError"
        and "mixed types" in theirs.message
        and ours.error in {None, "IntegrityError", "DataError"}
    )


@because("negated conditions over several relations: Django names a table that the subquery does not have")
def _(case, ours, theirs, found):
    unknown = r"missing FROM-clause entry for table \"U|no such column: U|\(1054, \"Unknown column 'U\d+\.\w+' in 'ON'"
    answered = ours.error in {*ANSWERS, "ProtectedError"} or "(1690, " in ours.message
    return answered and re.match(unknown, theirs.message)


@because(
    "two dates, moments or times cannot be added: Django says that it does not know of what type that would be"
)
def _(case, ours, theirs, found):
    told = ("Cannot infer type of '+' expression involving these types: ", "Expression contains mixed types")
    refused = ours.error == "UnsupportedFeature" and re.search(
        r" by '\+', which has no meaning", ours.message
    )
    return refused and theirs.message.startswith(told)


@because(
    "an aggregate that no row can have, over a slice or distinct rows: Django takes the others to have none, too"
)
def _(case, ours, theirs, found):
    return (
        set(found) <= {"value", "statements"} and ours.sent and not theirs.sent
        and re.search(r"__in=\[(None(, )?)*\]|(__lte?)?=-|2\*\*", case.source.partition(".aggregate(")[2])
    )  # fmt: skip


@because(
    "an aggregate over a subquery of distinct rows: Django leaves the subquery outside, where its columns are unknown"
)
def _(case, ours, theirs, found):
    unknown = theirs.message.startswith(
        (
            "(1054, \"Unknown column 'differential_",
            "no such column: differential_",
            "no such column: T",
            "missing FROM-clause entry",
            "invalid reference to",
        )
    )
    return not ours.error and unknown and "Subquery(" in case.source.partition(".aggregate(")[2]


@because("a lookup that SQLite lacks is refused before anything else that is wrong")
def _(case, ours, theirs, found):
    return (
        ours.error == "UnsupportedFeature"
        and "lookup is not supported" in ours.message
        and theirs.error in CLEAR
    )


@because(
    "SQLite, MariaDB: INSERT IGNORE passes over a CHECK and a range as well; facade judges numbers before it sends them"
)
def _(case, ours, theirs, found):
    ignoring = re.search(r"INSERT (OR )?IGNORE", "".join(theirs.sent))
    passed = ours.error == "CheckViolation" or (ours.error == "NumericValueOutOfRange" and on_mariadb(theirs))
    return passed and "ignore_conflicts=True" in case.source and ignoring


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


@because(
    "a constant of a type that SQLite does not know, written to a column that does: Django does not ask the column"
)
def _(case, ours, theirs, found):
    bound = "Error binding parameter" in theirs.message and "Value(" in case.source
    return bound and ours.error in {None, "IntegrityError"}


@because(
    "a value that Django passes to the database or to its own parser as it is; facade prepares it by its column"
)
def _(case, ours, theirs, found):
    raw = theirs.message.startswith(("'str' object has no attribute 'days'", "the JSON object must be str"))
    return ours.error in {*ANSWERS, "IntegrityError"} and (raw or "Error binding parameter" in theirs.message)


@because("SQLite: Django casts times and moments to milliseconds")
def _(case, ours, theirs, found):
    def cut(value):
        return (
            (value[0], re.sub(r"(\.\d{3})\d{3}|\.000", r"\1", value[1]).replace(".000", ""), value[2])
            if value[0] in CLOCKS
            else value
        )

    cast = "fn.Cast(" in case.source and "%H:%M:%f'" in sql(theirs)
    compared = "tables" in found or re.search(r"\.(filter|exclude)\(e|order_by\('e'", case.source)
    return set(found) <= {"value", "tables"} and cast and (compared or alike(case, ours, theirs, cut))


@because("a key compared with a number with decimals: Django cuts them off")
def _(case, ours, theirs, found):
    compared = re.search(r"__(lt|gte)=1\.5", case.source) and re.search(
        r"((\b|_)id|__col\d+) (<|>=) 1\b", sql(theirs)
    )
    return set(found) <= {"value", "tables", "statements"} and compared
