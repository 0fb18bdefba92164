"""Draws a case, runs it in both worlds, on one face or the other, and compares."""

from __future__ import annotations

import re

from tests.differential.outcomes import comparable, differences, first_difference
from tests.differential.querysets import Querysets
from tests.differential.schema import read_schema
from tests.differential.writes import Writes

EVERY = 10  # one in how many cases runs on the async face


class Runner:
    """Runs cases in two worlds."""

    def __init__(self, ours, django):
        self.ours, self.django = ours, django
        self.schema = read_schema(django.models)

    def one(self, draw, writing=False):
        """Draw a case and run it: the case, both outcomes, and what differs between them."""
        case = Writes(draw, self.schema).case() if writing else Querysets(draw, self.schema).case()
        ours = self._ours(case, draw.randint(1, 2 * EVERY), writing)
        if writing:
            self.django.restart_serials()
        theirs = self.django.write(case) if writing else self.django.read(case)
        return case, ours, theirs, differences(case, ours, theirs)

    def _ours(self, case, number, writing):
        if writing:
            self.django.restart_serials()
        method = self.ours.write if writing else self.ours.read
        if number <= 2 * EVERY - 2:
            return method(case)
        if writing or number == 2 * EVERY:
            return self.ours.on_loop(method, case)
        return self.ours.read_by_twins(case)


def report(case, ours, theirs, found):
    """Tell what differs, and how to see it again."""
    lines = [f"--- {', '.join(found)}", case.source]
    if "value" in found:
        values = first_difference(comparable(case, ours.value), comparable(case, theirs.value))
        lines += [
            f"{name} has {str(value)[:300]}" for name, value in zip(("facade", "Django"), values, strict=True)
        ]
    if "tables" in found:
        values = first_difference(*(tuple((t.tables or {}).items()) for t in (ours, theirs)))
        lines += [
            f"{name} left {str(value)[:600]}"
            for name, value in zip(("facade", "Django"), values, strict=True)
        ]
    for name, outcome in (("facade", ours), ("Django", theirs)):
        if "error" in found:
            lines.append(
                f"{name}: {outcome.error}: {outcome.message[:300]}"
                if outcome.error
                else f"{name}: {str(outcome.value)[:200]}"
            )
        lines += [f"    {name} sent {_without_columns(sql)[:900]}" for sql in outcome.sent]
    return "\n".join(lines) + "\n"


def _without_columns(sql):
    """Shorten a statement: long lists of columns tell nothing."""
    sql = " ".join(re.sub('["`]|differential_', "", sql).split())
    return re.sub(r"(\w+\.\w+(?: AS \w+)?, ){4,}", "…, ", sql)
