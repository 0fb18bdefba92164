"""What a channel asks of the lender that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from facade.db.channels.place import Place


class Origin(Protocol):
    """Where a channel's connection is from, and goes back to. A ``token`` is what it is known by there."""

    database: Place
    hides_parameters: bool
    owns_connections: bool
    """Whether they are connections of facade's own pools."""

    isolation_level: str | None
    """The isolation level of transactions that ask for none."""

    def schema_map(self) -> Mapping[str | None, str | None]:
        """Return the ``schema_translate_map`` of the engine's execution options; empty without one."""

    def give_back(self, token: object) -> None:
        """Take a connection back, ready for the next statement."""

    def throw_away(self, token: object, error: BaseException | None) -> None:
        """Close a connection hard and free its place."""

    def retire(self) -> None:
        """Replace the idle connections, too: the server has gone."""
