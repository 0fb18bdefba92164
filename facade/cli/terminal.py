"""What a terminal cannot do: signs that its encoding has not, a pipe that was closed, a disk that is full."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

__all__ = ["bearable", "spell_signs"]

SPELLED = {"…": "...", "→": "->", "°": " deg"}
HANDLER, ESCAPING = "facade.spelled", "facade.spelled-or-escaped"


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start]
    if found not in SPELLED:
        raise error
    return SPELLED[found], error.start + 1


def _spelled_or_escaped(error: UnicodeError) -> tuple[str, int]:
    try:
        return _spelled(error)
    except UnicodeEncodeError:
        written, end = codecs.backslashreplace_errors(error)
        assert isinstance(written, str)
        return written, end


codecs.register_error(HANDLER, _spelled)
codecs.register_error(ESCAPING, _spelled_or_escaped)


def spell_signs(*, on: bool) -> None:
    """Write the signs of our own texts in letters where an encoding has none; code that is printed stays as it is."""
    for stream, as_it_is, spelled in (
        (sys.stdout, "strict", HANDLER),
        (sys.stderr, "backslashreplace", ESCAPING),
    ):
        if isinstance(stream, TextIOWrapper) and stream.errors in {as_it_is, spelled}:
            stream.reconfigure(errors=spelled if on else as_it_is)


@contextmanager
def bearable() -> Iterator[None]:
    """Say in one line what keeps the output from being written, and exit with 1."""
    try:
        spell_signs(on=True)
        yield
        sys.stdout.flush()
    except UnicodeEncodeError as error:
        if error.encoding != sys.stdout.encoding:
            raise
        sign = error.object[error.start]
        sys.exit(f"{sign!a} cannot be written in {error.encoding}: set PYTHONIOENCODING=utf-8")
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EPIPE, errno.EDQUOT}:
            raise
        if error.errno != errno.EPIPE:
            print(f"The output cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    finally:
        _let_go()


def _let_go() -> None:
    """Leave nothing for the interpreter to flush, which would complain once more."""
    with suppress(ValueError):
        try:
            sys.stdout.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
