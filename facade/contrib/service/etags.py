"""Tags of the states of objects: what a client has seen already, and whether it is still so when it writes.

See https://www.rfc-editor.org/rfc/rfc9110#section-13
"""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from facade.contrib.service.errors import ServiceError
from facade.exceptions import ImproperlyConfigured
from facade.fields import Field
from facade.models import Model

READING: Final = frozenset({"GET", "HEAD"})

_TAG: Final = re.compile(r'\s*(W/)?("[^"]*")\s*(?:,|$)')
_DEFERRED = (
    "{model} has no ETag while {names} are not loaded: a change of them would not be seen. Load them: by defer(None) behind "
    "only(), defer() or a schema's prefetched()."
)
_EXPRESSION = (
    "{model}.{name} is an expression, whose value only the database knows: refresh_from_db() before the ETag."
)


class NotModified(ServiceError):
    """The client has this state already: 304, without a body."""

    status = 304


class PreconditionFailed(ServiceError):
    """The object is not in the state that the client has seen: 412."""

    status = 412


class PreconditionRequired(ServiceError):
    """A client that writes has to say which state it has seen: 428."""

    status = 428


def etag(instance: Model, *also: object) -> str:
    """Return a tag of the state of an object: another one as soon as one of its columns has another value.

        seen = etag(Book(title="Emma"), "en")

    Where the model has a version (`version_id_col`), that decides. ``also``: what else the answer depends on, as
    related objects or a language. Raises ImproperlyConfigured where columns are not loaded.
    """
    opts = instance._meta
    if deferred := instance.get_deferred_fields():
        names = ", ".join(sorted(deferred))
        raise ImproperlyConfigured(_DEFERRED.format(model=opts.label, names=names))
    columns = opts.concrete_fields if opts.version is None else [*opts.pk_fields, opts.version.field]
    state = [f"{column.attname}={_told(instance, column)}" for column in columns]
    text = "\0".join([opts.label, *state, *map(_plain, also)])
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _told(instance: Model, column: Field[Any]) -> str:
    """Return a value as text, the same for an object that was made and one that was read."""
    value = getattr(instance, column.attname)
    if hasattr(value, "resolve_expression"):
        raise ImproperlyConfigured(_EXPRESSION.format(model=instance._meta.label, name=column.name))
    return _plain(column.to_python(value))


def _plain(value: object) -> str:
    """Return a text that no other value has: None is not "None", and what is alike to databases has one text."""
    if isinstance(value, decimal.Decimal):
        return str(value.normalize() + 0)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, default=_plain)
    if isinstance(value, str):
        return repr(str(value))
    return repr(value) if value is None or isinstance(value, bool | float | bytes) else str(value)


@dataclass(frozen=True)
class Preconditions:
    """What a client says of the state that it has seen: ``If-Match`` and ``If-None-Match``.

    >>> Preconditions("PUT", if_match='"a", "b"').check('"b"')
    >>> Preconditions("GET", if_none_match='W/"a"').check('"a"')
    Traceback (most recent call last):
    facade.contrib.service.etags.NotModified: The state has not changed.
    """

    method: str
    if_match: str | None = None
    if_none_match: str | None = None

    @classmethod
    def of(cls, method: str, headers: Mapping[str, str]) -> Preconditions:
        """Return those of a request."""
        return cls(method, headers.get("if-match"), headers.get("if-none-match"))

    def check(self, tag: str | None, *, required: bool = False) -> None:
        """Go on only if the conditions hold for the state with this tag; None: there is no such object.

        ``required``: refuse to change what is there without ``If-Match``. Raises NotModified, PreconditionFailed and PreconditionRequired, which
        `answer_to` knows.
        """
        headers = {} if tag is None else {"ETag": tag}
        if self.if_match is not None:
            if tag is None or not _names(self.if_match, tag, weakly=False):
                raise PreconditionFailed("The state is not the one that If-Match names.", headers)
        elif required and tag is not None and self.method not in READING and self.if_none_match != "*":
            raise PreconditionRequired("If-Match has to name the state that is changed.", headers)
        if (
            self.if_none_match is not None
            and tag is not None
            and _names(self.if_none_match, tag, weakly=True)
        ):
            if self.method in READING:
                raise NotModified("The state has not changed.", headers)
            raise PreconditionFailed("There is such a state already.", headers)


def _names(header: str, tag: str, *, weakly: bool) -> bool:
    """Tell whether a header names a tag, or any: "*". Weak tags count where weak comparison does."""
    if header.strip() == "*":
        return True
    return any(found[2] == tag and (weakly or not found[1]) for found in _TAG.finditer(header))
