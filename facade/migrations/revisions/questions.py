"""What `makemigrations` has to know and cannot see: whether a name is new or a column is, and what old rows get."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from alembic.util import CommandError

__all__ = ["Ask", "Questions", "agrees", "pairs"]

#: Shows a question and returns what the user types.
Ask = Callable[[str], str]

_YES = {"y", "yes"}
_NO = {"", "n", "no"}


@dataclass
class Questions:
    """Answers from the command's options, or else from the terminal.

    ``renames`` maps ``table.column`` to the column's new name and ``table`` to the table's; ``defaults`` maps
    ``table.column`` to the value of the rows that are there. ``ask(question)`` returns what the user types: None where
    nobody can be asked. ``no_renames`` says that what is gone is gone.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    ask: Ask | None = None
    no_renames: bool = False
    used: set[str] = field(default_factory=set)
    declined: set[tuple[str, str]] = field(default_factory=set)

    def renamed(self, old: str, candidates: Mapping[str, str], what: str) -> str | None:
        """Return the new name of ``old``, or None where it is gone.

        ``candidates`` are the new names that could be its own, each with how a question calls it.
        Raises CommandError where nobody can be asked.
        """
        named = self.renames.get(old)
        if named is not None:
            self.used.add(old)
            return self._checked(old, named, candidates)
        taken = {new for one, new in self.renames.items() if one.rpartition(".")[0] == old.rpartition(".")[0]}
        free = {
            new: called
            for new, called in candidates.items()
            if new not in taken and (old, new) not in self.declined
        }
        if self.no_renames or not free:
            return None
        if self.ask is None:
            new = next(iter(free))
            raise CommandError(
                f"{what} {old} is gone and {new} is new, and they are alike: say --rename {old}={new} if its rows' values "
                "stay, or --no-renames if they go."
            )
        for new, called in free.items():
            if agrees(self.ask, f"Was {old} renamed to {called}?"):
                return new
            self.declined.add((old, new))
        return None

    @staticmethod
    def _checked(old: str, new: str, candidates: Mapping[str, str]) -> str:
        if new not in candidates:
            raise CommandError(
                f"--rename {old}={new}: {new!r} is not new, or not like {old}. What could be: {', '.join(candidates) or 'nothing'}."
            )
        return new

    def default(self, column: str) -> str:
        """Return what the user types for the rows that are there, of a new column that is NOT NULL.

        Raises CommandError where nobody can be asked, and where the user would rather change the model.
        """
        if column in self.defaults:
            self.used.add(column)
            return self.defaults[column]
        if self.ask is None:
            raise CommandError(
                f"{column} is new and NOT NULL, and has no default for the rows that are there: say --default "
                f"{column}=VALUE, or give the field a default, or null=True."
            )
        answer = self._choose(
            f"{column} is new and NOT NULL, and has no default for the rows that are there.",
            ["Provide a value for them now", "Quit, and give the field a default in its model"],
        )
        if answer == 1:
            return self.ask("Value: ")
        raise CommandError(f"Nothing was written: give {column} a default, or null=True.")

    def value_for_null(self, column: str) -> str | None:
        """Return what rows get that hold NULL in a column that becomes NOT NULL; None leaves them to the user."""
        if column in self.defaults:
            self.used.add(column)
            return self.defaults[column]
        if self.ask is None:
            return None
        answer = self._choose(
            f"{column} becomes NOT NULL, and rows may hold NULL in it.",
            [
                "Provide a value for them now",
                "Leave them: there are none, or the revision will deal with them",
                "Quit",
            ],
        )
        if answer == 3:
            raise CommandError(f"Nothing was written: give {column} null=True.")
        return self.ask("Value: ") if answer == 1 else None

    def _choose(self, text: str, choices: list[str]) -> int:
        assert self.ask is not None
        lines = [text, *(f" {number}) {choice}" for number, choice in enumerate(choices, 1)), "Choose: "]
        while True:
            answer = self.ask("\n".join(lines)).strip()
            if answer.isdecimal() and 1 <= int(answer) <= len(choices):
                return int(answer)

    def check_used(self) -> None:
        """Raise CommandError for an option that nothing asked for."""
        for option, given in (("--rename", self.renames), ("--default", self.defaults)):
            for name in given:
                if name not in self.used:
                    raise CommandError(
                        f"{option} {name}={given[name]}: there is no such change. Look with --dry-run."
                    )


def agrees(ask: Ask, question: str) -> bool:
    """Ask for yes or no; no is what an empty answer means."""
    while True:
        answer = ask(f"{question} [y/N] ").strip().lower()
        if answer in _YES or answer in _NO:
            return answer in _YES


def pairs(option: str, given: Iterable[str] | None) -> dict[str, str]:
    """Return what an option maps: `--rename library_author.name=full_name`.

    >>> pairs("--rename", ["library_author.name=full_name"])
    {'library_author.name': 'full_name'}
    """
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise CommandError(
                f"{option} {text!r}: it takes a name, = and a value, such as library_author.name=full_name."
            )
        found[name] = value
    return found
