"""`pre_migrate` and `post_migrate`, around the revisions of one run on one database, or on one tenant's schema."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic.runtime.migration import RevisionStep

from facade.meta.registry import apps
from facade.signals import post_migrate, pre_migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alembic.runtime.migration import StampStep

    from facade.meta.registry import AppConfig
    from facade.signals import Signal

__all__ = ["announce", "announced"]


@contextmanager
def announced(alias: str, steps: Sequence[RevisionStep | StampStep], schema: str | None) -> Iterator[None]:
    """Send the one before the block and the other one behind it; neither where a database is only stamped."""
    runs = not steps or isinstance(steps[0], RevisionStep)
    if runs:
        announce(pre_migrate, alias, steps, schema)
    yield
    if runs:
        announce(post_migrate, alias, steps, schema)


def announce(
    signal: Signal, alias: str, steps: Sequence[RevisionStep | StampStep], schema: str | None = None
) -> None:
    """Send a signal, for each installed application, or once where none is installed."""
    plan = [(step.revision, not step.is_upgrade) for step in steps if isinstance(step, RevisionStep)]
    installed: list[AppConfig | None] = [*apps.get_app_configs()]
    for config in installed or [None]:
        signal.send(
            sender=config,
            app_config=config,
            verbosity=1,
            interactive=False,
            using=alias,
            apps=apps,
            plan=plan,
            schema=schema,
        )
