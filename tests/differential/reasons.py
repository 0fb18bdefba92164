"""A register of reasons, and what reasons look for in a case's source, in statements and in values."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

from tests.differential.outcomes import comparable

# What an answer may be, once something could be asked at all.
ANSWERS = {None, "DoesNotExist", "MultipleObjectsReturned"}

COMPLAINTS = [
    ("lookup", r"Unsupported lookup '\w+' for (ForeignKey|OneToOneField)"),
    ("address", r"argument of type 'int' is not iterable"),
    ("number", r"Field '\w+' expected a number but got .*"),
    ("bool", r"value must be either True or False|value must be either True, False, or None"),
    ("uuid", r"is not a valid UUID"),
    ("decimal", r"value must be a decimal number"),
    ("address", r"that is neither an IPv4 nor an IPv6 address|does not appear to be an IPv4 or IPv6 address"),
    ("moment", r"“.*” value has an invalid (date )?format|fromisoformat: argument must be str"),
    ("duration", r"“.*” value has an invalid format. It must be in \[DD\]|object has no attribute 'days'"),
    ("duration", r"invalid input syntax for type interval|operator does not exist: interval [<>=]+ integer"),
    ("NUL", r"NUL \(0x00\)"),
    ("prefetch", r"lookup was already seen with a different queryset"),
    ("slice", r"Cannot filter a query once a slice"),
    ("None", r"Cannot use None as a query value"),
    ("types", r"contains mixed types|Cannot infer type of"),
    ("year", r"year 0 is out of range|Year is out of range: 0|^date value out of range"),
    ("aware", r"does not support timezone-aware datetimes"),
    ("zero", r"division by zero"),
    ("sum", r"function sum\((text|character varying)\) does not exist"),
    ("deferred", r"both deferred and traversed using select_related"),
    ("lacking", r"lookup is not supported on this database"),
    ("When", r"An empty Q\(\) can't be used as a When\(\) condition"),
    ("union", r"after \w+\(\) is not supported"),
]  # in the order in which they are looked for, the more particular ones last


class Reasons(dict):
    """Predicates by the reasons that they find."""

    def because(self, why):
        """Register a predicate for differences that stand for this reason."""

        def register(holds):
            self[why] = holds
            return holds

        return register

    def find(self, case, ours, theirs, found):
        """Return the first reason that holds, or None."""
        return next((why for why, holds in self.items() if holds(case, ours, theirs, found)), None)


# -- statements ---------------------------------------------------------------------------


def sql(outcome):
    """Return an outcome's statements as one text, without quotation marks."""
    text = re.sub('["`]|differential_', "", "\n".join(outcome.sent))
    return re.sub(r"CAST\(NULL AS [\w ]+(\(\d+(, \d+)?\))?\)", "NULL", text)  # its type is no matter


def on_mariadb(outcome):
    """Return whether an outcome's statements are MariaDB's."""
    return any("`" in statement for statement in outcome.sent)


def enclosed(text, start):
    """Return where the parenthesis that opens at `start` is closed."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return len(text)


def negation_asked_for_null(text):
    """Return whether a statement has ``NOT (…) IS NULL`` or ``NOT EXISTS(…) IS NULL``, which negates the question."""
    opened = re.finditer(r"NOT (EXISTS)?(?=\()", text)
    return any(re.match(r" IS (NOT )?NULL", text[enclosed(text, m.end()) :]) for m in opened)


def reads_what_it_assigned(statement):
    """Return whether an UPDATE of Django's on MariaDB reads a column that it has assigned before."""
    update = re.match(r"UPDATE (`\w+`) SET (.*)", statement, re.DOTALL)
    if update is None:
        return False
    table, text = update.groups()
    outside = _outside(text)
    starts = list(re.finditer(r"(?:^|, )(`\w+`) = ", outside))
    return any(
        f"{table}.{first[1]}" in text[second.end() : len(outside)] for first, second in pairwise(starts)
    )


def _outside(text):
    """Return a SET clause with blanks for what parentheses hold in it."""
    depth, kept = 0, []
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        kept.append(" " if depth else letter)
    return "".join(kept).partition(" WHERE ")[0]


# -- values -------------------------------------------------------------------------------


def changed(value, change):
    """Return a normalized value with `change` applied to its parts that have a type, such as ``("int", "1")``, from the outside in."""
    if isinstance(value, bool):
        return change(("bool", value))
    if not isinstance(value, tuple):
        return value
    new = change(value) if len(value) > 1 and isinstance(value[0], str) else value
    return tuple(changed(item, change) for item in value) if new is value else new


def alike(case, ours, theirs, change):
    """Return whether two answers are the same but for what `change` makes the same."""
    if ours.error or theirs.error:
        return False
    return comparable(case, changed(ours.value, change)) == comparable(case, changed(theirs.value, change))


# -- errors -------------------------------------------------------------------------------


def complaint(outcome):
    """Return what an error is about, and its words where these name what is wrong; None for others."""
    kinds = [(kind, re.search(words, outcome.message)) for kind, words in COMPLAINTS if outcome.error]
    told = [(kind, match.group() if kind == "number" else "") for kind, match in kinds if match]
    return told[-1] if told else None


# -- the source ---------------------------------------------------------------------------


def calls(source):
    """Return a source without arguments: the methods that are called one after the other."""
    shorter = re.sub(r"\([^()]*\)", "", source)
    return source if shorter == source else calls(shorter)


def truncated_inside(source):
    """Return whether what a truncation gives is computed or compared with further."""
    compared = re.search(r"\(e=fn\.Trunc", source) and re.search(
        r"\.(filter|exclude)\(e(__(gt|lte))?=", source
    )
    return bool(compared) or _visit(ast.parse(source), inside=False)


def _visit(node, inside):
    if isinstance(node, ast.Call) and (name := _expression_name(node)):
        if inside and name.startswith("Trunc"):
            return True
        inside = True
    elif isinstance(node, ast.BinOp) and not isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
        inside = True
    return any(_visit(child, inside) for child in ast.iter_child_nodes(node))


def _expression_name(call):
    """Return the name of what is called, where it belongs to an ORM's functions and expressions."""
    function = call.func
    of_orm = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
    return function.attr if of_orm and function.value.id in ("fn", "m") else None
