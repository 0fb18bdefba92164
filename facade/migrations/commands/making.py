"""`makemigrations`: write the revision that brings the database from its history to the models."""

from __future__ import annotations

import ast
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.autogenerate import render_op_text
from alembic.autogenerate.api import AutogenContext, RevisionContext
from alembic.operations import ops
from alembic.util import CommandError

from facade.migrations.commands.applying import check_known
from facade.migrations.operations.concurrent import write_concurrently
from facade.migrations.revisions.calls import operations_of
from facade.migrations.revisions.filling import ONE_WAY, fill
from facade.migrations.revisions.names import descriptions, name_of
from facade.migrations.revisions.renaming import find_renames
from facade.migrations.runs import dialects
from facade.migrations.runs.errands import Errand
from facade.migrations.runs.progress import title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import Script

    from facade.migrations.commands.histories import History
    from facade.migrations.revisions.questions import Questions

__all__ = ["Branch", "Made", "branches", "make", "merge"]


@dataclass
class Made:
    """A revision that was written, or would be: its file, its operations in words, and what was left alone."""

    path: Path | None = None
    more: list[Path] = field(default_factory=list)
    name: str = ""
    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    code: str = ""


def make(
    history: History,
    *,
    name: str | None = None,
    empty: bool = False,
    dry_run: bool = False,
    questions: Questions | None = None,
    schemas: Sequence[str] = (),
    concurrently: bool = False,
    from_nothing: bool = False,
) -> Made:
    """Write a revision for what is different between the database and the models; nothing where that is nothing.

    The database has to stand at the history's end. ``name`` is used instead of one that tells what changed; ``empty``
    writes a revision to fill by hand; with ``dry_run`` nothing is written. ``questions`` decide on renames and on
    values for rows that are there; without them nothing is decided, and what is gone is dropped. ``concurrently`` writes
    indexes of tables that are there into a revision of their own, which blocks nobody; with ``from_nothing`` the database
    is taken for an empty one.

    Raises CommandError where an answer is missing, where the history has several ends or is of another kind of database, and
    where the database is behind.
    """
    history.check_heads()
    author = _Author(history, name, questions, concurrently=concurrently, from_nothing=from_nothing)
    revisions = RevisionContext(
        history.config,
        history.scripts,
        {
            "message": name,
            "autogenerate": not empty,
            "sql": False,
            "head": "head",
            "splice": False,
            "branch_label": None,
            "version_path": None,
            "rev_id": _new_id(history),
            "depends_on": None,
        },
        process_revision_directives=author.write,
    )
    if empty:
        (written,) = revisions.generated_revisions
        author.made.name = written.message = name or "empty"
    else:
        errand = Errand(schemas=tuple(schemas), first_only=True)
        arguments = {"template_args": revisions.template_args, "revision_context": revisions}
        history.visit(author.compare(revisions), errand, **arguments)
    made = author.made
    if (made.changes or empty) and not dry_run:
        made.path, *made.more = [Path(one.path) for one in revisions.generate_scripts() if one is not None]
    return made


@dataclass
class Branch:
    """One end of a history, and the operations since it left the others."""

    title: str
    changes: list[str]


def branches(history: History) -> list[Branch]:
    """Return the ends of a history that has several."""
    behind = {
        one: {each.revision for each in history.scripts.iterate_revisions(one.revision, "base")}
        for one in history.heads()
    }
    found = []
    for head, revisions in behind.items():
        shared = set[str]().union(*(theirs for other, theirs in behind.items() if other is not head))
        own = [history.scripts.get_revision(name) for name in sorted(revisions - shared)]
        found.append(Branch(title(head), [line for one in own for line in operations_of(one, "upgrade")]))
    return found


def merge(history: History, *, name: str | None = None, dry_run: bool = False) -> Made:
    """Join the ends of a history by a revision that changes nothing.

    Raises CommandError where there is one end only, and where they were made on different kinds of databases.
    """
    heads = history.heads()
    if len(heads) < 2:
        raise CommandError(f"There is nothing to merge: the history of {history.alias!r} has one end.")
    dialects.shared(reversed([*history.scripts.walk_revisions()]))
    made = Made(name=name or _merged_name(heads))
    if not dry_run:
        script = history.scripts.generate_revision(
            _new_id(history),
            made.name,
            refresh=True,
            head=[one.revision for one in heads],
            config=history.config,
        )
        made.path = Path(script.path) if script is not None else None
    return made


def _merged_name(heads: Sequence[Script]) -> str:
    return "merge_" + "_".join(sorted(one.revision for one in heads))


def _new_id(history: History) -> str:
    """Return an id that sorts, and that two who work apart do not both take: their number and a few random digits."""
    number = len([*history.scripts.walk_revisions()]) + 1
    return f"{number:04d}_{secrets.token_hex(3)}"


class _Author:
    """Makes what autogenerate found into the revision that a user would have written."""

    def __init__(
        self,
        history: History,
        name: str | None,
        questions: Questions | None,
        *,
        concurrently: bool,
        from_nothing: bool,
    ) -> None:
        self.history = history
        self.name = name
        self.questions = questions
        self.concurrently, self.from_nothing = concurrently, from_nothing
        self.made = Made()

    def compare(
        self, revisions: RevisionContext
    ) -> Callable[[tuple[str, ...], MigrationContext], Iterable[RevisionStep]]:
        def work(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
            dialects.check_history(self.history.scripts, context.dialect)
            check_known(self.history, heads)
            self._check_applied(heads)
            if self.from_nothing:
                context.opts["include_name"] = _is_no_table
            revisions.run_autogenerate(heads, context)
            return []

        return work

    def _check_applied(self, heads: tuple[str, ...]) -> None:
        wanted = {one.revision for one in self.history.heads()}
        if wanted != set(heads):
            behind = ", ".join(title(one) for one in self.history.heads())
            raise CommandError(
                f"The database {self.history.alias!r} is not at the end of its history ({behind}): run `facade migrate` first."
            )

    def write(self, context: MigrationContext, heads: object, directives: list[MigrationScript]) -> None:
        """Ask, rename, fill and name; what Alembic calls ``process_revision_directives``."""
        (script,) = directives
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        operations = self._known(script.upgrade_ops.ops)
        if self.questions is not None:
            operations = find_renames(operations, context, self.questions)
            operations = fill(operations, context, self.questions)
            self.questions.check_used()
        script.upgrade_ops.ops = operations
        script.downgrade_ops.ops = _reversed(operations)
        first = not self.history.heads()
        self.made.name = script.message = self.name or name_of(operations, first=first)
        self.made.changes = descriptions(operations)
        self.made.code = _code(operations, context)
        if self.concurrently:
            write_concurrently(context, heads, directives)
        dialects.mark(context, directives)

    def _known(self, operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
        """Leave out tables that no revision made: others may have tables in the database, too."""
        gone = {one.table_name for one in operations if isinstance(one, ops.DropTableOp)}
        foreign = gone - _tables_of(self.history) if gone else set()
        for name in sorted(foreign):
            self.made.notes.append(
                f"The table {name} is in the database, and no revision made it: it is left alone."
            )
        return [one for one in operations if getattr(one, "table_name", None) not in foreign]


def _is_no_table(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table"


def _tables_of(history: History) -> set[str]:
    """Return the names of the tables that the revisions' files make, or give to one."""
    names: set[str] = set()
    for script in history.scripts.walk_revisions():
        for node in ast.walk(ast.parse(Path(script.path).read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                place = {"create_table": 0, "rename_table": 1}.get(node.func.attr)
                if (
                    place is not None
                    and len(node.args) > place
                    and isinstance(node.args[place], ast.Constant)
                ):
                    names.add(str(node.args[place].value))  # type: ignore[attr-defined]
    return names


def _reversed(operations: Iterable[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Return what undoes the operations; what needs no undoing leaves nothing."""
    undone: list[ops.MigrateOperation] = []
    for one in reversed([*operations]):
        if type(one) is ops.ModifyTableOps:  # others know their own way back
            parts = _reversed(one.ops)
            undone += [ops.ModifyTableOps(one.table_name, parts, schema=one.schema)] if parts else []
        elif not isinstance(one, ONE_WAY):
            undone.append(one.reverse())
    return undone


def _code(operations: list[ops.MigrateOperation], context: MigrationContext) -> str:
    """Return the body of `upgrade()`, as the file would have it."""
    rendering = AutogenContext(context, opts=dict(context.opts), autogenerate=False)
    return "\n".join(render_op_text(rendering, one) for one in operations)
