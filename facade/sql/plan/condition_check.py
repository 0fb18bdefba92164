"""Asking the database whether a condition holds for given values."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from facade.db.connection import connections
from facade.db.scopes.atomic import atomic
from facade.exceptions import DatabaseError
from facade.expressions import q
from facade.expressions.freezing import Values
from facade.expressions.given import Given
from facade.sql.plan.plan import select_plan
from facade.sql.plan.shape import Shape
from facade.sql.query.query import Facts

if TYPE_CHECKING:
    from facade.expressions.contracts import Valued


logger = logging.getLogger("facade.models")
_root = Shape(Facts())


def holds(condition: Valued, values: dict[str, Any], using: str) -> bool | None:
    """Return whether `condition` holds when its names stand for `values`, None where NULL makes that unknown.

    What the database refuses to evaluate holds: it will have its say when the row is written.
    """
    arguments = Values()
    frozen = Given(condition, values).freeze(arguments)
    shape, args = _root.advance(("annotate", (("holds", frozen),), True), arguments, arguments.keyed)
    database = connections[using]
    plan = select_plan(shape, database, "flat")
    try:
        with atomic(using=using) if database.in_atomic_block else nullcontext():
            (found,) = plan.fetch(database, args)
    except DatabaseError as error:
        logger.warning("The database could not check %r: %s", condition, error)
        return True
    return None if found is None else bool(found)


q.condition_holds.fill(holds)
