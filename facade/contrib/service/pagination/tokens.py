"""Signed texts: what a client carries for the service, and cannot change."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import decimal
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from facade.configuration import settings
from facade.exceptions import ImproperlyConfigured

Key = str | bytes

_MAC = 16
_PURPOSE = b"facade.contrib.service.tokens:"
_NO_KEY = (
    "Cursors are signed, and there is no key: facade.configure(SECRET_KEY=…), or key=… for this pagination. It is the same "
    "in all processes of the service, and secret: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
)
_SHORT_KEY = "A key of {length} characters can be guessed: it takes 16 at least."


class BadToken(ValueError):
    """A text that was not signed with this key."""


def keys_of(given: Key | Sequence[Key] | None) -> list[bytes]:
    """Return the keys to sign with: the first one signs, the others are still recognized.

    Raises ImproperlyConfigured where there is none, or a short one.
    """
    found = getattr(settings, "SECRET_KEY", None) if given is None else given
    if not found:
        raise ImproperlyConfigured(_NO_KEY)
    several: Sequence[Key] = [found] if isinstance(found, str | bytes) else found
    keys = [key.encode() if isinstance(key, str) else key for key in several]
    for key in keys:
        if len(key) < 16:
            raise ImproperlyConfigured(_SHORT_KEY.format(length=len(key)))
    return keys


def sign(content: object, about: str, keys: Sequence[bytes]) -> str:
    """Return a text with the content, which is signed for one purpose, `about`, and not encrypted."""
    body = json.dumps(content, separators=(",", ":"), default=_tagged).encode()
    return base64.urlsafe_b64encode(_mac(body, about, keys[0]) + body).rstrip(b"=").decode()


def read(token: str, about: str, keys: Sequence[bytes]) -> Any:
    """Return the content of a text that `sign` has made for the same purpose; raises BadToken."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), b"-_", validate=True)
    except (UnicodeError, binascii.Error, ValueError):
        raise BadToken(token) from None
    mac, body = raw[:_MAC], raw[_MAC:]
    if not any(hmac.compare_digest(mac, _mac(body, about, key)) for key in keys):
        raise BadToken(token)
    return json.loads(body, object_hook=_untagged)


def _mac(body: bytes, about: str, key: bytes) -> bytes:
    purpose = hashlib.sha256(_PURPOSE + about.encode()).digest()
    return hmac.new(key, purpose + body, hashlib.sha256).digest()[:_MAC]


_WRITERS: Final[Mapping[type, tuple[str, Callable[[Any], Any]]]] = {
    dt.datetime: ("datetime", dt.datetime.isoformat),
    dt.date: ("date", dt.date.isoformat),
    dt.time: ("time", dt.time.isoformat),
    dt.timedelta: ("span", lambda value: [value.days, value.seconds, value.microseconds]),
    decimal.Decimal: ("decimal", str),
    uuid.UUID: ("uuid", str),
    bytes: ("bytes", bytes.hex),
}

_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "span": lambda parts: dt.timedelta(*parts),
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
    "bytes": bytes.fromhex,
}


def _tagged(value: object) -> object:
    for kind in type(value).__mro__:
        if kind in _WRITERS:
            tag, write = _WRITERS[kind]
            return {tag: write(value)}
    raise TypeError(f"A {type(value).__name__} cannot be kept in a cursor: order by something else.")


def _untagged(found: dict[str, Any]) -> Any:
    ((tag, value),) = found.items()
    return _READERS[tag](value)
