"""Operations that Alembic has not, which write themselves into scripts as Alembic's own do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alembic.operations import ops

if TYPE_CHECKING:
    from alembic.operations.ops import MigrateOperation

__all__ = ["TableGone", "TableMade"]


def _reversed(operations: Sequence[MigrateOperation]) -> list[MigrateOperation]:
    return [one.reverse() for one in reversed(operations)]


class TableMade(ops.ModifyTableOps):
    """What a new table gets once it is there. Back, all that goes with the table."""

    def reverse(self) -> TableGone:
        return TableGone(self.table_name, _reversed(self.ops), schema=self.schema)


class TableGone(ops.ModifyTableOps):
    """What goes with a table that is dropped, and comes back with it: nothing is done for it but the drop.

    MySQL does not let go of an index first that a reference needs.
    """

    def __init__(
        self, table_name: str, gone: Sequence[MigrateOperation], *, schema: str | None = None
    ) -> None:
        super().__init__(table_name, [], schema=schema)
        self.gone = gone

    def reverse(self) -> TableMade:
        return TableMade(self.table_name, _reversed(self.gone), schema=self.schema)
