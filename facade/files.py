"""Files and the storages that keep them, as far as fields need them."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import shutil
from collections.abc import Iterator
from io import BytesIO, StringIO, UnsupportedOperation
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self, runtime_checkable
from urllib.parse import quote, urljoin

from facade.configuration import settings
from facade.exceptions import SuspiciousFileOperation
from facade.foundation.deconstruct import Deconstructible
from facade.foundation.imports import later

if TYPE_CHECKING:
    import secrets
    from os import PathLike
else:
    secrets = later("secrets")

__all__ = ["ContentFile", "File", "FileSystemStorage", "Storage", "default_storage", "validate_file_name"]


def _of_file(name: str) -> Any:
    return property(lambda self: getattr(self.file, name))


class File:
    """A file with a name; reads and writes go to the open `file` behind it."""

    DEFAULT_CHUNK_SIZE = 64 * 2**10

    read, readinto, readline, readlines = map(_of_file, ("read", "readinto", "readline", "readlines"))
    write, writelines, flush, truncate = map(_of_file, ("write", "writelines", "flush", "truncate"))
    seek, tell, fileno, isatty = map(_of_file, ("seek", "tell", "fileno", "isatty"))
    readable, writable, seekable = map(_of_file, ("readable", "writable", "seekable"))
    encoding, newlines = map(_of_file, ("encoding", "newlines"))

    def __init__(self, file: Any, name: str | None = None) -> None:
        self.file = file
        self.name: Any = name if name is not None else getattr(file, "name", None)

    def __str__(self) -> str:
        return self.name or ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self or 'None'}>"

    def __bool__(self) -> bool:
        return bool(self.name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """The length in bytes."""
        here = self.file.tell()
        end: int = self.file.seek(0, os.SEEK_END)
        self.file.seek(here)
        return end

    @property
    def closed(self) -> bool:
        """Whether the file behind it is closed."""
        return not self.file or self.file.closed

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Yield the content from its beginning in pieces of at most `chunk_size` bytes."""
        with contextlib.suppress(AttributeError, UnsupportedOperation):
            self.file.seek(0)
        while piece := self.file.read(chunk_size or self.DEFAULT_CHUNK_SIZE):
            yield piece

    def open(self, mode: str | None = None) -> File:
        """Go back to the beginning, and open the file again if it is closed."""
        if not self.closed:
            self.file.seek(0)
        elif self.name and Path(self.name).exists():
            self.file = Path(self.name).open(mode or self.file.mode)  # noqa: SIM115 - the caller closes it
        else:
            raise ValueError("The file cannot be reopened.")
        return self

    def close(self) -> None:
        """Close the file behind it."""
        self.file.close()


class ContentFile(File):
    """A file whose content is given as bytes or text."""

    def __init__(self, content: bytes | str, name: str | None = None) -> None:
        super().__init__(StringIO(content) if isinstance(content, str) else BytesIO(content), name)
        self._size = len(content)

    @property
    def size(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return True

    def open(self, mode: str | None = None) -> File:
        self.file.seek(0)
        return self

    def close(self) -> None:
        """Keep the content: there is no file to release."""


@runtime_checkable
class Storage(Protocol):
    """Where files are kept, under names with forward slashes; what a FileField's `storage` must do."""

    def generate_filename(self, filename: str) -> str: ...
    def save(self, name: str | None, content: object, max_length: int | None = None) -> str: ...
    def open(self, name: str, mode: str = "rb") -> Any: ...
    def delete(self, name: str) -> None: ...
    def size(self, name: str) -> int: ...
    def path(self, name: str) -> str: ...
    def url(self, name: str | None) -> str: ...


class FileSystemStorage(Deconstructible):
    """Keeps files below a folder: `location`, by default the setting ``MEDIA_ROOT``.

    `base_url`, by default ``MEDIA_URL``, is where a web server shows that folder.
    """

    def __init__(self, location: str | PathLike[str] | None = None, base_url: str | None = None) -> None:
        self._location, self._base_url = location, base_url

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileSystemStorage):
            return NotImplemented
        return (self.location, self.base_url) == (other.location, other.base_url)

    def __hash__(self) -> int:
        return hash((self.location, self.base_url))

    @property
    def location(self) -> str:
        """The folder, as an absolute path."""
        folder = settings.MEDIA_ROOT if self._location is None else self._location
        return os.path.abspath(folder)  # noqa: PTH100 - links stay links

    @property
    def base_url(self) -> str:
        """The URL of the folder, with a slash at its end."""
        url = settings.MEDIA_URL if self._base_url is None else self._base_url
        return url if not url or url.endswith("/") else f"{url}/"

    def path(self, name: str) -> str:
        """Return the absolute path of a file. Raises SuspiciousFileOperation for one outside the folder."""
        found = os.path.abspath(f"{self.location}/{name}")  # noqa: PTH100 - links stay links
        if os.path.commonpath([self.location, found]) != self.location:
            raise SuspiciousFileOperation(f"The file name {name!r} leads out of {self.location}.")
        return found

    def url(self, name: str | None) -> str:
        """Return the URL of a file. Raises ValueError where there is no base URL."""
        if not self.base_url:
            raise ValueError("This file is not accessible via a URL.")
        relative = quote((name or "").replace("\\", "/"), safe="/~!*()'")
        return urljoin(self.base_url, relative.lstrip("/"))

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        return os.path.lexists(self.path(name))

    def size(self, name: str) -> int:
        """Return the length of a file in bytes."""
        return Path(self.path(name)).stat().st_size

    def open(self, name: str, mode: str = "rb") -> File:
        """Open a file."""
        return File(Path(self.path(name)).open(mode), name)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        if not name:
            raise ValueError("The name must be given to delete().")
        Path(self.path(name)).unlink(missing_ok=True)

    def generate_filename(self, filename: str) -> str:
        """Return `filename` without the characters that make trouble in file names."""
        folder, name = posixpath.split(filename.replace("\\", "/"))
        validate_file_name(filename, allow_relative_path=True)
        return posixpath.normpath(posixpath.join(folder, valid_name(name)))

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return `name`, or with some letters added one that is free; no longer than `max_length`."""
        root, extension = posixpath.splitext(name)
        found = name
        while self.exists(found) or (max_length is not None and len(found) > max_length):
            tail = f"_{secrets.token_hex(4)[:7]}{extension}"
            kept = root if max_length is None else root[: max(0, max_length - len(tail))]
            if not posixpath.basename(kept):
                raise SuspiciousFileOperation(
                    f"No free name of at most {max_length} characters for {name!r}."
                )
            found = kept + tail
        return found

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Store the content under `name` or a similar free one; return the name."""
        wanted = str(content.name if name is None else name)
        validate_file_name(wanted, allow_relative_path=True)
        while True:
            free = self.get_available_name(wanted.replace("\\", "/"), max_length)
            try:
                self._write(Path(self.path(free)), content)
            except FileExistsError:
                continue  # somebody was faster
            return free

    def _write(self, path: Path, content: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(source := getattr(content, "temporary_file_path", None)):
            self._take_over(source(), path)
            return
        pieces = content.chunks() if hasattr(content, "chunks") else iter([content.read()])
        first = next(pieces, b"")
        with open(path, "x" if isinstance(first, str) else "xb", opener=_private) as target:
            self._copy(target, first, pieces)
        path.chmod(_MODE)

    def _take_over(self, source: str, path: Path) -> None:
        """Give a temporary file its name; raises FileExistsError where somebody else has made a file of that name."""
        os.close(
            _private(str(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        )  # the name is taken before anything moves
        shutil.move(source, path)
        path.chmod(_MODE)

    def _copy(self, target: IO[Any], first: object, rest: Iterator[Any]) -> None:
        target.write(first)
        for piece in rest:
            target.write(piece)


_MODE = 0o644  # others may read, whatever the process or the temporary file was allowed


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else sees before it is complete."""
    return os.open(path, flags, 0o600)


def valid_name(name: str) -> str:
    """Return `name` with underscores for spaces and without what is no letter, digit, dash, underscore or dot."""
    found = re.sub(r"(?u)[^-\w.]", "", name.strip().replace(" ", "_"))
    if found in {"", ".", ".."}:
        raise SuspiciousFileOperation(f"Could not derive file name from '{name}'")
    return found


def validate_file_name(name: str, allow_relative_path: bool = False) -> str:
    """Return `name`; raise SuspiciousFileOperation for one that leads elsewhere."""
    if posixpath.basename(name) in {"", ".", ".."}:
        raise SuspiciousFileOperation(f"Could not derive file name from '{name}'")
    path = name.replace("\\", "/")
    leads_out = path.startswith("/") or ".." in path.split("/")
    if leads_out if allow_relative_path else "/" in path:
        raise SuspiciousFileOperation(f"Detected path traversal attempt in '{name}'")
    return name


default_storage = FileSystemStorage()
"""The storage of a FileField that names none: the folder ``MEDIA_ROOT``."""
