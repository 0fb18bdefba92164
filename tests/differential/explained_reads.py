"""Differences between answers that stand, each with its reason: Django is wrong there, or facade says more clearly what is wrong."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from decimal import Decimal

from tests.differential.outcomes import normal
from tests.differential.reasons import (
    ANSWERS,
    Reasons,
    alike,
    complaint,
    negation_asked_for_null,
    on_mariadb,
    sql,
    truncated_inside,
)

READS = Reasons()
because = READS.because

TRUTH = r"e=(~\()*(m\.ExpressionWrapper\()?(~?\()*(Q\(|Exists)"
CLOCKS = [  # as MariaDB writes them
    (re.compile(r"'(\d{4}-\d\d-\d\d)'"), dt.date.fromisoformat),
    (re.compile(r"'(\d\d:\d\d:\d\d(\.\d{6})?)'"), dt.time.fromisoformat),
    (re.compile(r"'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?)'"), dt.datetime.fromisoformat),
]
NO_ROW = r"HAVING .*(?<![\w.'])(NULL|\d+(::\w+)?|coalesce\(NULL, \S+\)) (=|!=|<|>|<=|>=|IS|IN|NOT IN) "


# -- what Django loses ----------------------------------------------------------------------


@because("an aggregate whose filter no row can meet is a constant: Django forgets a condition on that")
def _(case, ours, theirs, found):
    forgotten = not re.search(NO_ROW, sql(theirs))
    return set(found) <= {"value", "statements"} and re.search(NO_ROW, sql(ours)) and forgotten


@because(
    "PostgreSQL has no sum of NULLs without a type; Django forgets a condition, and then asks for nothing"
)
def _(case, ours, theirs, found):
    untyped = "function sum(text) does not exist" in ours.message and re.search(NO_ROW, sql(ours))
    return untyped and not theirs.error and not theirs.sent


@because(
    "SQLite has no HAVING of constants alone, which is all that is left of these groups; Django forgets it"
)
def _(case, ours, theirs, found):
    refused = re.search('HAVING clause on a non-aggregate query|near "FROM": syntax error', ours.message)
    constant = refused and re.search(NO_ROW, sql(ours))
    return constant and not theirs.error and not re.search(NO_ROW, sql(theirs))


@because("an aggregate whose filter no row can meet, to order by: Django takes it that there are no groups")
def _(case, ours, theirs, found):
    ordered = re.search(r"filter=.*\.order_by\('-?k'", case.source)
    never = re.search(r"__in=\[\]|(__lte?)?=-1|2\*\*", case.source)
    return set(found) <= {"value", "statements"} and ordered and never and ours.sent and not theirs.sent


@because("a sum with an aggregate whose filter no row can meet: Django takes the aggregate for the sum")
def _(case, ours, theirs, found):
    constant = r"\b(0|NULL) AS x\b"
    alone = re.search(constant, sql(theirs)) and not re.search(constant, sql(ours))
    return found == ["value"] and alone and ".annotate(x=F('k') + " in case.source


@because("a condition that holds for every row, compared with something: Django forgets the comparison")
def _(case, ours, theirs, found):
    comparison = r"WHERE (.* )?((true|1) (=|!=|IS)|(THEN|ELSE) (true|1)) "
    forgotten = not re.search(comparison, sql(theirs), re.DOTALL)
    return (
        set(found) <= {"value", "statements"}
        and re.search(rf"{TRUTH}|m\.When\(", case.source)
        and re.search(comparison, sql(ours), re.DOTALL)
        and forgotten
    )


@because("a condition that every row or none fulfils, as a value: Django gives 1 or 0")
def _(case, ours, theirs, found):
    def number(value):
        return ("int", str(int(value[1]))) if value[0] == "bool" else value

    constant = re.search(r"\b[01] AS e\b", sql(theirs))
    return found == ["value"] and constant and alike(case, ours, theirs, number)


@because("an empty Q() as a value cannot be compared in Django")
def _(case, ours, theirs, found):
    told = ("'BooleanField' object has no attribute 'model'", "Cannot resolve keyword 'e' into field")
    return not ours.error and theirs.message.startswith(told) and re.search(r"e=(~\()*Q\(\)", case.source)


@because("`NOT (…) IS NULL` without parentheses: Django asks whether the inner is NULL, and negates that")
def _(case, ours, theirs, found):
    return set(found) <= {"value", "statements"} and negation_asked_for_null(sql(theirs))


@because(
    "a number beyond all that a column can hold: Django takes the comparison for true where the column is NULL, too"
)
def _(case, ours, theirs, found):
    asked = r"IS (NOT )?NULL|> -1\b"
    beyond = re.search(r"__gte?=-|__lte?=2\*\*|__range=\((-|.*2\*\*)", case.source)
    return (
        (set(found) <= {"value", "statements"} or (ours.error and complaint(ours)))
        and beyond
        and len(re.findall(asked, sql(ours))) > len(re.findall(asked, sql(theirs)))
    )


@because(
    "negated conditions over several relations: Django ties the subquery to the join of the same name, whatever it joins"
)
def _(case, ours, theirs, found):
    def ties(outcome):
        return set(re.findall(r"U\d+\.id = \(?([a-tw-zT]\w*)\.id\b", sql(outcome)))

    negated = "~(" in case.source or ".exclude(" in case.source
    return found == ["value"] and negated and ties(ours) != ties(theirs)


@because("XOR in an annotation or an aggregate's filter: Django's joins for it are inner, which loses rows")
def _(case, ours, theirs, found):
    def inner(outcome):
        return Counter(re.findall(r"(?<!OUTER )JOIN (\w+)", sql(outcome)))

    lost = inner(theirs) - inner(ours)
    return found == ["value"] and " ^ " in case.source and bool(lost)


@because("a Prefetch over a table that its filter joins, too: Django reads the key from the filter's join")
def _(case, ours, theirs, found):
    key = re.search(
        r"\((\w+)\.(\w+)\) AS _prefetch_related_val_\2, .* JOIN \1 T\d+ ON .*T\d+\.\2 IN \(", sql(theirs)
    )
    return found == ["value"] and "Prefetch(" in case.source and key is not None


@because("a union or difference of which one part is left: Django orders twice")
def _(case, ours, theirs, found):
    combined = re.search(r"\.(union|difference)\(", case.source)
    return not ours.error and "multiple ORDER BY clauses not allowed" in theirs.message and combined


@because("a union of columns of two types of which one part has no rows: facade leaves that out")
def _(case, ours, theirs, found):
    told = re.match(r"(UNION|EXCEPT|INTERSECT) types .* cannot be matched", theirs.message)
    return told and not ours.error and sql(ours).count("SELECT") < sql(theirs).count("SELECT")


@because(
    "count() of rows that a constant alone groups: Django selects nothing, which counts the rows or is no SQL"
)
def _(case, ours, theirs, found):
    no_sql = ".count()" in case.source and re.match(r"\(1064, .* near 'FROM `", theirs.message)
    return not ours.error and (no_sql or re.search(r"COUNT\(\*\) FROM \(SELECT +FROM ", sql(theirs)))


@because("a constant to order by: Django writes it where databases take it for a position, or refuse it")
def _(case, ours, theirs, found):
    constant = re.search(r"order_by\(.*Value\(|ORDER BY NULL\b", case.source + sql(theirs))
    refused = not ours.error and re.match(
        r"non-integer constant in ORDER BY|ORDER BY position", theirs.message
    )
    position = found == ["value"] and re.search(r"ORDER BY ([^()]*, )?\d+ (ASC|DESC)", sql(theirs))
    return constant and (refused or position)


@because(
    "MariaDB: a spread in HAVING of rows that are grouped by their key alone, or in the order of NULL, as Django's are: "
    "MariaDB takes it for NULL"
)
def _(case, ours, theirs, found):
    spread = r"HAVING .*(STDDEV|VAR)_(POP|SAMP)\(.* IS (NOT )?NULL"
    odd = rf"GROUP BY (\w+\.\w+|\d+) {spread}|{spread}.* ORDER BY NULL"
    return found == ["value"] and re.search(odd, sql(theirs)) and not re.search(odd, sql(ours), re.IGNORECASE)


@because("MariaDB: XOR with a condition that every row fulfils: Django takes it that the whole is fulfilled")
def _(case, ours, theirs, found):
    said = re.search(r"\bXOR\b", sql(ours)) and len(re.findall(r"\bXOR\b", sql(theirs))) < len(
        re.findall(r"\bXOR\b", sql(ours))
    )
    return set(found) <= {"value", "statements", "tables"} and " ^ " in case.source and said


# -- values ---------------------------------------------------------------------------------


@because("MariaDB: a document compared with a column's: Django takes the quotation marks off one of them")
def _(case, ours, theirs, found):
    compared = re.search(r"JSON_UNQUOTE\((\w+\.data)\) = \(\w+\.data\)", sql(theirs))
    return set(found) <= {"value", "statements", "tables"} and compared


@because(
    "a boolean sought in a UUID's text: Django looks for what the driver makes of it, in other texts for its name"
)
def _(case, ours, theirs, found):
    return found == ["value"] and "REPLACE(1, '-', '')" in sql(theirs)


@because("SQLite: a text of a document that looks like JSON: Django parses it once more")
def _(case, ours, theirs, found):
    def parsed(value):
        try:
            return normal(json.loads(value[1][1:-1])) if value[0] == "str" else value
        except (ValueError, TypeError):
            return value

    document = (
        re.search(r"data__\w+'", case.source) and "JSON_EXTRACT" in sql(theirs) and not on_mariadb(theirs)
    )
    return found == ["value"] and document and alike(case, ours, theirs, parsed)


@because("SQLite: null, true and false in documents: Django compares them as texts")
def _(case, ours, theirs, found):
    compared = re.search(
        r"data__\w+?__(gt|gte|lt|lte|i?regex|i?startswith|i?contains|i?endswith|iexact)=", case.source
    )
    return (
        set(found) <= {"value", "statements"}
        and compared
        and re.search(r"IN \('\w+', ?'\w+', ?'\w+'\) THEN JSON_TYPE", sql(theirs))
    )


@because("SQLite: a whole number that is a decimal constant, cast to a text: facade binds it as any decimal")
def _(case, ours, theirs, found):
    constant = re.search(r"fn\.Cast\(Value\(-?\d+, output_field=m\.DecimalField", case.source)
    as_text = re.search(r"CAST\(\(CAST\('-?\d+' AS NUMERIC\)\) AS text\)", sql(theirs))
    return found == ["value"] and constant and as_text


@because("PostgreSQL: Floor() and Ceil() of large integers: Django's go through floats, which lose digits")
def _(case, ours, theirs, found):
    def rounded(value):
        return ("int", f"{int(value[1]):.14e}") if value[0] == "int" else value

    return (
        found == ["value"]
        and not on_mariadb(theirs)
        and re.search(r"fn\.(Floor|Ceil)\(", case.source)
        and alike(case, ours, theirs, rounded)
    )


@because("PostgreSQL: the day of the week without parentheses: Django adds 1 to what it is multiplied with")
def _(case, ours, theirs, found):
    loose = re.search(r"EXTRACT\(DOW FROM .*\) \+ 1 [*/%]|[-*/%] \(?EXTRACT\(DOW FROM", sql(theirs))
    return found == ["value"] and loose and re.search("fn.ExtractWeekDay", case.source)


@because("what a truncation in a time zone gives is computed with further: Django takes it for UTC")
def _(case, ours, theirs, found):
    zoned = re.search(
        r"django_datetime_(trunc|cast)|DATE_TRUNC\(.* AT TIME ZONE|AT TIME ZONE .*\)::(date|time)|CONVERT_TZ\(",
        sql(theirs),
    )
    return found == ["value"] and zoned and truncated_inside(case.source)


@because("MariaDB: a constant day or time of day: Django leaves it the text that the server sends")
def _(case, ours, theirs, found):
    def read(value):
        if value[0] != "str":
            return value
        return next(
            (normal(made(text[1])) for form, made in CLOCKS if (text := form.fullmatch(value[1]))), value
        )

    def texts(outcome):
        return sum(len(re.findall(rf'"{form.pattern}"', str(outcome.value))) for form, _ in CLOCKS)

    constant = re.search(r"Value\(dt\.(date|time)\(", case.source) and on_mariadb(theirs)
    return found == ["value"] and constant and texts(ours) < texts(theirs) and alike(case, ours, theirs, read)


@because("MariaDB converts no moments before 1970: Django takes what is left for local time")
def _(case, ours, theirs, found):
    early = re.search(r"'(19[0-6]\d)-|CAST\(\w+\.(born|day) AS datetime", str(ours.value) + sql(theirs))
    return found == ["value"] and early and "CONVERT_TZ(" in sql(theirs) and "fn.Trunc" in case.source


@because(
    "PostgreSQL: a date that is truncated inside an expression: Django leaves it the moment that DATE_TRUNC gives"
)
def _(case, ours, theirs, found):
    def day(value):
        if value[0] == "str":
            return "str", re.sub(r" 00:00:00(\+00)?", "", value[1])
        if value[0] != "datetime":
            return value
        moment = dt.datetime.fromisoformat(value[1])
        return normal(moment.date()) if moment.time() == dt.time() else value

    return found == ["value"] and "DATE_TRUNC" in sql(theirs) and alike(case, ours, theirs, day)


@because("a sum of whole numbers over a window: on servers, Django leaves it a Decimal")
def _(case, ours, theirs, found):
    def whole(value):
        return normal(int(Decimal(value[1]))) if value[0] == "Decimal" else value

    return found == ["value"] and "m.Window(m.Sum(" in case.source and alike(case, ours, theirs, whole)


@because("PostgreSQL: a float constant is cast: Django writes it as a numeric, which is rounded otherwise")
def _(case, ours, theirs, found):
    return found == ["value"] and re.search(r"\(-?\d+\.5\)::integer", sql(theirs)) is not None


@because(
    "an aggregate over a slice of rows that a join repeats: which of them come first is the database's business"
)
def _(case, ours, theirs, found):
    sliced = re.search(r"\[\d?:\d?\]\.aggregate\(", case.source)
    same = sorted(re.findall(r"JOIN (\w+)", sql(ours))) == sorted(re.findall(r"JOIN (\w+)", sql(theirs)))
    return found == ["value"] and sliced and same and re.search(r"JOIN .* LIMIT \d", sql(theirs))


# -- what is asked --------------------------------------------------------------------------


@because("facade knows that no row can be found, where Django asks")
def _(case, ours, theirs, found):
    def number(value):  # a default, which no column has given its type
        return ("float", value[1]) if value[0] == "int" else value

    never = r"WHERE (0|false)\b|NOT \(NOT \((0|false)\b|\b(AND|OR) (0|false)\b|\((0|false)\)|IN \( ?-1(, -1)*\)|\b9223372036854775808\b|IN \(2147483648\)"
    unfit = not ours.error and theirs.message.startswith("operator does not exist")
    same = "value" not in found or alike(case, ours, theirs, number)
    return (
        (unfit or set(found) <= {"value", "statements"})
        and len(ours.sent) < len(theirs.sent)
        and (unfit or same)
        and re.search(never, sql(theirs))
    )


@because(
    "a lookup that the database lacks, on rows to prefetch of which there are none: facade has nothing to refuse"
)
def _(case, ours, theirs, found):
    lacking = theirs.error == "NotSupportedError" and "lookup is not supported" in theirs.message
    return lacking and not ours.error and "Prefetch(" in case.source and len(ours.sent) <= len(theirs.sent)


@because("USE_TZ=False: an aware moment beside a condition that no row meets: facade has nothing to ask")
def _(case, ours, theirs, found):
    told = complaint(theirs)
    return told is not None and told[0] == "aware" and not (ours.error or ours.sent or theirs.sent)


@because("a slice of nothing: facade does not look at the order it would have")
def _(case, ours, theirs, found):
    told = complaint(theirs)
    return (
        told is not None
        and told[0] in ("lookup", "aware")
        and not (ours.error or ours.sent)
        and "[:0]" in case.source
    )


# -- errors ---------------------------------------------------------------------------------


@because("MariaDB: a moment that is a constant: Django takes the text that the server sends for a moment")
def _(case, ours, theirs, found):
    untyped = "'str' object has no attribute 'utcoffset'" in theirs.message
    return ours.error in ANSWERS and untyped and re.search(r"'\d{4}-\d\d-\d\d [^']*'", sql(theirs))


@because("MariaDB without the names of time zones: Django takes it that what is truncated is never NULL")
def _(case, ours, theirs, found):
    told = theirs.message.startswith("Database returned an invalid datetime value.")
    return told and not ours.error and "fn.Trunc" in case.source and "None" in str(ours.value)


@because("MariaDB: NaN and infinity: Django's driver refuses them, facade compares")
def _(case, ours, theirs, found):
    infinite = re.match(r"(nan|inf) can not be used with MySQL", theirs.message)
    answered = ours.error in {*ANSWERS, "ProtectedError", "IntegrityError"}
    return infinite and answered and f"float('{infinite[1]}')" in case.source


@because("an integer that no driver can send: Django lets the driver's OverflowError through")
def _(case, ours, theirs, found):
    told = ours.error in {*ANSWERS, "DataError"} or complaint(ours)
    return theirs.message.startswith("Python int too large to convert") and told


@because("a year whose first or last moment no date can be: Django fails, facade compares")
def _(case, ours, theirs, found):
    year = theirs.message in ("date value out of range", "Year is out of range: 0", "year 0 is out of range")
    return year and (ours.error in ANSWERS or complaint(ours)) and re.search(r"year(__\w+)?=", case.source)


@because("a generated column of a subquery: Django does not ask of what type it is")
def _(case, ours, theirs, found):
    def number(value):  # a Variance becomes whole as well
        return ("int", str(int(float(value[1])))) if value[0] in ("int", "float") else value

    untold = re.match(
        r"Cannot infer type of .* expression involving these types: .*\bGeneratedField\b", theirs.message
    )
    generated = re.search(r"Subquery\(.*\.values\('twice'\)", case.source)
    return generated and (
        (untold and not ours.error) or (found == ["value"] and alike(case, ours, theirs, number))
    )


@because("a document that is none, of a condition that is left out: facade does not send it")
def _(case, ours, theirs, found):
    told = re.match(r"Object of type \w+ is not JSON serializable", theirs.message)
    return told and ours.error in ANSWERS and not re.search("@>|<@|JSON", sql(ours))


@because("SQLite: a variance of large numbers: Django gives the database what it cannot hold")
def _(case, ours, theirs, found):
    return (
        not ours.error
        and theirs.message == "string or blob too big"
        and re.search("Variance|StdDev", case.source)
    )


@because("two mistakes at once: which is told first")
def _(case, ours, theirs, found):
    told = complaint(ours), complaint(theirs)
    return None not in told and told[0] != told[1]


@because("a value of the wrong type: facade refuses it by its field, Django fails in whatever meets it first")
def _(case, ours, theirs, found):
    told = complaint(ours), complaint(theirs)
    moments = {"moment", "duration"}
    same = told[0] is not None and told[1] is not None and {told[0][0], told[1][0]} <= moments
    return same or (told[0] == told[1] == ("NUL", ""))


@because("a duration that is none, which Django looks at when it sends it, and does not send")
def _(case, ours, theirs, found):
    told = complaint(ours)
    sent = re.search(r"\btook (=|<|>|<=|>=|BETWEEN|IN)", sql(theirs))
    return told is not None and told[0] == "duration" and not ours.sent and not theirs.error and not sent


@because("a wrong value beside a condition that nothing can meet: Django never looks at it")
def _(case, ours, theirs, found):
    told = complaint(ours)
    deferred = "both deferred and traversed using select_related" in ours.message
    seen = deferred or (told is not None and told[0] in ("NUL", "types"))
    return seen and not ours.sent and not theirs.error and not theirs.sent


@because(
    "a wrong value in an order that is not sent (exists(), a Prefetch of nothing): Django never looks at it"
)
def _(case, ours, theirs, found):
    told = complaint(ours)
    ordered = case.source.partition("order_by(")[2]
    return (
        told is not None and told[0] == "number" and not ours.sent and not theirs.error
        and told[1].rpartition(" got ")[2].rstrip(".") in ordered and "CASE" not in sql(theirs).partition("ORDER BY")[2]
    )  # fmt: skip


@because("a wrong value beside what Django itself fails at")
def _(case, ours, theirs, found):
    failing = (
        "ORDER BY not allowed in subqueries of compound",
        "no such column: U",
        "ORDER BY term does not match any column in the result set",
        "user-defined aggregate's 'finalize'",
    )
    return complaint(ours) is not None and theirs.message.startswith(failing)


@because("PostgreSQL: texts, dates, numbers and keys that Django's SQL does not cast")
def _(case, ours, theirs, found):
    unfit = [
        (r"operator does not exist: interval \* interval", r"fn\.Trunc.* - |-.*fn\.Trunc"),
        (r"function upper\((integer|boolean|date|double precision|numeric)\) does not exist", r"__iexact="),
        (
            r"function (round|mod)\(double precision, \w+\) does not exist|operator does not exist: double precision % ",
            r"fn\.(Sign|Floor|Ceil)\(",
        ),
        (r"operator does not exist: jsonb \? integer", r"has_key=0"),
        (r"operator does not exist: jsonb [<>=]+ \w+", r"data(__\w+)?=F\("),
    ]
    return ours.error in ANSWERS and any(
        re.match(words, theirs.message) and re.search(cause, case.source) for words, cause in unfit
    )
