"""Reasons for differences that statements show which write."""

from __future__ import annotations

import re

from tests.differential.reasons import Reasons, on_mariadb, reads_what_it_assigned

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
EARLY = {"CheckViolation", "NumericValueOutOfRange"}

WRITES = Reasons()
because = WRITES.because


def _on_postgresql(ours):
    """Return whether tables were dumped as PostgreSQL writes rows: as one text each."""
    return any(len(row) == 1 for rows in (ours.tables or {}).values() for row in rows)


@because("both refuse a value of the wrong type: facade by its field, Django by whatever code meets it first")
def _(case, ours, theirs, found):
    return ours.error in CLEAR and theirs.error in RAW


@because("a wrong value beside a condition that nothing can meet: Django never looks at it")
def _(case, ours, theirs, found):
    return ours.error in CLEAR and not ours.sent and not theirs.error and not theirs.sent


@because("facade needs fewer statements: it reads no parent of a deleted or changed child again")
def _(case, ours, theirs, found):
    return found == ["statements"] and len(ours.sent) < len(theirs.sent)


@because("an empty Q() as a value: Django gives 1, facade True")
def _(case, ours, theirs, found):
    wrapped = "e=m.ExpressionWrapper(Q()," in case.source or "e=Q()" in case.source
    return (set(found) <= {"value", "statements"} and wrapped) or theirs.error == "FullResultSet"


@because("PostgreSQL: what Django's own SQL for dates, texts and keys does not fit, which facade casts")
def _(case, ours, theirs, found):
    unfit = ("interval * interval", "function upper(", "jsonb ? integer", "function mod(double precision")
    return ours.error in {None, "ProtectedError", "IntegrityError"} and any(
        words in theirs.message for words in unfit
    )


@because("an integer that no driver can send: Django lets the driver's OverflowError through")
def _(case, ours, theirs, found):
    return theirs.error == "OverflowError" and ours.error in {
        None,
        "FieldError",
        "DataError",
        "IntegrityError",
        "ProtectedError",
    }


@because("two mistakes at once: which is told first")
def _(case, ours, theirs, found):
    fields = "FieldError" in (
        ours.error,
        theirs.error,
    )  # one of them is about a name or a type, not about a value
    named = [re.match(r"Field '(\w+)' expected", outcome.message) for outcome in (ours, theirs)]
    others = all(named) and named[0][1] != named[1][1]
    return (
        ours.error in CLEAR
        and theirs.error in CLEAR
        and (fields or others or ours.error == "ValidationError")
    )


@because("a year that no date can have: Django fails, facade finds no row")
def _(case, ours, theirs, found):
    year = theirs.message in ("Year is out of range: 0", "year 0 is out of range")
    return year and ours.error in {
        None,
        "DoesNotExist",
        "MultipleObjectsReturned",
        "DataError",
        "IntegrityError",
        "ProtectedError",
    }


@because(
    "a number beyond all that a column can hold: Django takes the comparison for true where the column is NULL, too"
)
def _(case, ours, theirs, found):
    asked = [len(re.findall(r"IS (NOT )?NULL", "".join(outcome.sent))) for outcome in (ours, theirs)]
    stored = {ours.error, theirs.error} <= {None, "ProtectedError", "IntegrityError"}
    return stored and asked[0] > asked[1] and re.search(r"__gte?=-|__lte?=2\*\*", case.source)


@because(
    "negated conditions over several relations: Django ties the subquery to the table of another relation"
)
def _(case, ours, theirs, found):
    negated = "~(" in case.source or ".exclude(" in case.source
    tied = re.search(
        r'EXISTS\(SELECT 1 AS "a" FROM "(\w+)" "?U\d.*?= \("?([TV]\d+|\1)"?\."\w+"\)', "".join(theirs.sent)
    )
    return {"value", "tables"} & set(found) and negated and tied is not None


@because(
    "a wrong number beside a conflict, a wrong type or a row that is not there: facade looks at the number first"
)
def _(case, ours, theirs, found):
    number = ours.error in EARLY or "expected a whole number" in ours.message
    wrong = {"IntegrityError", "NotUpdated", "FieldError", *RAW, *CLEAR}
    return number and (theirs.error in wrong or theirs.value == ("int", "0"))


@because("SQLite: a number with more digits than its field has: Django stores it, and its converter fails")
def _(case, ours, theirs, found):
    refused = ours.error == "NumericValueOutOfRange" and "its numbers have up to" in ours.message
    return (refused or not ours.error) and theirs.error == "InvalidOperation"


@because("SQLite: a number with more digits than its field has: Django stores it")
def _(case, ours, theirs, found):
    refused = ours.error == "NumericValueOutOfRange" and "its numbers have up to" in ours.message
    rounded = set(found) <= {"value", "tables"} and "D('1.004')" in case.source and not on_mariadb(theirs)
    return not theirs.error and (refused or rounded)


@because(
    "a constant without a field for a column of documents: Django binds it as it is, facade as the column does"
)
def _(case, ours, theirs, found):
    document = re.search(r"data'?(?: =|[=:]) ?Value\(", case.source) is not None
    told = theirs.message.startswith(
        (
            "cannot dump lists of mixed types",
            "cannot adapt type 'dict'",
            "dict can not be used as parameter",
            'column "data" is of',
            "(1064, ",
            "(1241, ",
            "(4025, 'CONSTRAINT `differential_book.data`",
        )
    )
    return document and (told if theirs.error else set(found) <= {"value", "tables"} and not ours.error)


@because(
    "PostgreSQL: Django writes a float out as a number with decimals, which rounds and computes otherwise"
)
def _(case, ours, theirs, found):
    is_float = re.search(r"Value\(-?\d+\.\d+[,)]", case.source) is not None
    return set(found) <= {"value", "tables"} and is_float and _on_postgresql(ours)


@because(
    "PostgreSQL: Django leaves what EXTRACT gives a number with decimals, and a sum with it without parentheses"
)
def _(case, ours, theirs, found):
    used_further = "fn.Cast(fn.Extract" in case.source or "fn.ExtractWeekDay" in case.source
    return set(found) <= {"value", "tables"} and used_further and "EXTRACT(" in "".join(theirs.sent)


@because(
    "a condition that no row can meet, as a value that is stored: Django fails, stores nothing, or takes NULL for it"
)
def _(case, ours, theirs, found):
    assigned = re.search(r"flag'?(?: =|[=:]) ?(m\.ExpressionWrapper\()?Q\(.*__in=\[\]", case.source)
    nothing = theirs.error == "EmptyResultSet" or theirs.value == ("int", "0")
    return assigned and (nothing or (found == ["tables"] and "bulk_update" in case.source))


@because("a lookup that SQLite lacks beside a name that cannot be resolved: which is told first")
def _(case, ours, theirs, found):
    return ours.error == "FieldError" and theirs.error == "NotSupportedError"


@because("SQLite: Django stores what a part of a document says, not the part: the text 1 becomes the number")
def _(case, ours, theirs, found):
    stored = any("JSON_EXTRACT(" in sql and sql.startswith("UPDATE") for sql in theirs.sent)
    if on_mariadb(theirs):
        return False
    return set(found) <= {"value", "tables"} and stored and "F('data__" in case.source


@because(
    "bulk_update() that moves unique values between rows: which row comes first is the database's business"
)
def _(case, ours, theirs, found):
    moved = "bulk_update" in case.source and re.search(r"\.(label|code|name) = ", case.source) is not None
    return moved and {ours.error, theirs.error} == {None, "IntegrityError"}


@because("a relation in a value that is stored: Django does not see it in a branch that no row can meet")
def _(case, ours, theirs, found):
    return (
        ours.message.startswith("Joined field references")
        and not theirs.error
        and ("m.When(" in case.source or theirs.value == ("int", "0"))
    )


@because("an empty Q() beside values in bulk_update(): Django gives every row what it stands for")
def _(case, ours, theirs, found):
    return found == ["tables"] and "bulk_update" in case.source and ".flag = Q()" in case.source


@because("bulk_update() in batches: facade looks at every value before it sends the first")
def _(case, ours, theirs, found):
    batches = "bulk_update" in case.source and "batch_size=" in case.source
    return batches and ours.error in CLEAR and theirs.error == "IntegrityError"


@because("SQLite: a decimal that is cast to a text: Django writes whole numbers with a point")
def _(case, ours, theirs, found):
    cast = re.search(r"fn\.Cast\(.*price.*m\.TextField", case.source) is not None
    return set(found) <= {"value", "tables"} and cast and "AS NUMERIC" in "".join(theirs.sent)


@because("a text with NUL in what is deleted or changed: Django finds the rows, which cannot be")
def _(case, ours, theirs, found):
    return ours.error == "ValueError" and "NUL (0x00)" in ours.message and theirs.error == "ProtectedError"


@because(
    "PostgreSQL: no address beside a condition that no row meets: facade has nothing to write, and does not look at it"
)
def _(case, ours, theirs, found):
    return "does not appear to be an IPv4 or IPv6 address" in theirs.message and ours.value == ("int", "0")


@because("SQLite: a whole number that is a decimal constant, cast to a text: facade binds it as any decimal")
def _(case, ours, theirs, found):
    constant = re.search(r"fn\.Cast\(Value\(\d+, output_field=m\.DecimalField", case.source) is not None
    return set(found) <= {"value", "tables"} and constant and "AS NUMERIC" in "".join(theirs.sent)


@because(
    "MariaDB refuses a table that is changed inside the condition as well: Django names it there, facade a copy"
)
def _(case, ours, theirs, found):
    return re.match(r"\(1093, ", theirs.message) and not ours.error and "anon_" in "".join(ours.sent)


@because(
    "MariaDB: update() of a parent's columns in an order: Django writes it behind a list of keys, where it is no SQL"
)
def _(case, ours, theirs, found):
    told = re.match(r"\(1064, .* near 'ORDER BY `differential_ebook`", theirs.message)
    return (
        told
        and ours.error in {None, "IntegrityError"}
        and re.match(r"told = EBook\..*\.order_by\(.*\.update\(", case.source)
    )


@because("MariaDB assigns one column after the other: Django's later ones read what the first have become")
def _(case, ours, theirs, found):
    outcomes = {ours.error, theirs.error}
    same = set(found) <= {"value", "tables"} or outcomes <= {None, "IntegrityError", "DataError"}
    return same and on_mariadb(theirs) and any(reads_what_it_assigned(text) for text in theirs.sent)


@because("MariaDB: two values that it refuses: facade assigns in another order, and it tells of the first")
def _(case, ours, theirs, found):
    refused = r"\((1048|1264|1365|1406), .(?:.* column '(\w+)'|Column '(\w+)'|Division)"
    told = [re.search(refused, outcome.message) for outcome in (ours, theirs)]
    return all(told) and told[0].groups() != told[1].groups() and ".update(" in case.source


@because(
    "a parent's column takes a name that the child alone knows: Django refuses it after the child is written"
)
def _(case, ours, theirs, found):
    unknown = (
        ours.error == "FieldError" and ours.message.startswith("Cannot resolve keyword") and not ours.sent
    )
    child = re.match(r"told = EBook\..*\.annotate\(.*\.update\(", case.source)
    return unknown and child and theirs.error in {"IntegrityError", "DataError"}


@because("USE_TZ=False: an aware moment beside a condition that no row meets: facade has nothing to write")
def _(case, ours, theirs, found):
    return "does not support timezone-aware datetimes" in theirs.message and ours.value == ("int", "0")
