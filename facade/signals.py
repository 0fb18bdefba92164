"""Signals: named events, and the ones that models send while they are built, saved and deleted."""

from __future__ import annotations

import inspect
import logging
import threading
import weakref
from collections.abc import Callable, Hashable, MutableMapping, Sequence
from contextvars import Context, copy_context
from functools import partial
from types import MethodType
from typing import Any, ClassVar, NamedTuple, TypeVar

from facade import bridge
from facade.foundation.seams import Changes, Seam

__all__ = [
    "ModelSignal",
    "Signal",
    "class_prepared",
    "m2m_changed",
    "post_delete",
    "post_init",
    "post_migrate",
    "post_save",
    "pre_delete",
    "pre_init",
    "pre_migrate",
    "pre_save",
    "receiver",
]

F = TypeVar("F", bound=Callable[..., Any])
Response = tuple[Callable[..., Any], Any]

logger = logging.getLogger("facade.dispatch")


class _Connection(NamedTuple):
    key: tuple[Hashable, Hashable]
    receiver: Any
    sender: weakref.ref[Any] | None
    is_async: bool


_NOBODY: list[_Connection] = []


def _make_id(target: object) -> Hashable:
    if isinstance(target, MethodType):
        return (id(target.__self__), id(target.__func__))
    return id(target)


_ANY_SENDER = _make_id(None)


def _require_receiver(receiver: Callable[..., Any]) -> None:
    if not callable(receiver):
        raise TypeError("Signal receivers must be callable.")
    try:
        parameters = inspect.signature(receiver).parameters.values()
    except ValueError:  # some builtins have no signature to look at
        return
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise ValueError("Signal receivers must accept keyword arguments (**kwargs).")


class Signal:
    """An event that code can announce with ``send`` and other code can follow with ``connect``.

    ``use_caching=True`` remembers which receivers each sender has; it suits signals that are sent
    often for few senders, such as those of models.

    >>> ready = Signal()
    >>> def greet(sender, name, **kwargs):
    ...     return f"hello {name}"
    >>> ready.connect(greet)
    >>> [answer for _, answer in ready.send(sender=None, name="world")]
    ['hello world']
    """

    def __init__(self, use_caching: bool = False) -> None:
        self.receivers: list[_Connection] = []
        self.lock = threading.Lock()
        self.use_caching = use_caching
        self.sender_receivers_cache: MutableMapping[Any, list[_Connection]] = (
            weakref.WeakKeyDictionary() if use_caching else {}
        )
        self._dead_receivers = False
        self.on_change: Changes[[]] = Changes("receivers")

    def connect(
        self,
        receiver: Callable[..., Any],
        sender: object = None,
        weak: bool = True,
        dispatch_uid: Hashable | None = None,
    ) -> None:
        """Call ``receiver`` whenever ``sender`` (``None``: anybody) sends this signal.

        With ``weak`` only a weak reference is kept, so a local function must be held by the caller.
        A second connection with the same ``dispatch_uid`` and sender is ignored.
        """
        _require_receiver(receiver)
        key = self._key(receiver, sender, dispatch_uid)
        is_async = inspect.iscoroutinefunction(receiver)
        held = self._weakly(receiver) if weak else receiver
        with self.lock:
            self._clear_dead_receivers()
            if all(known.key != key for known in self.receivers):
                self.receivers.append(_Connection(key, held, self._sender_ref(sender), is_async))
            self.sender_receivers_cache.clear()
        self.on_change.tell()

    def disconnect(
        self,
        receiver: Callable[..., Any] | None = None,
        sender: object = None,
        dispatch_uid: Hashable | None = None,
    ) -> bool | None:
        """Undo ``connect`` with the same arguments; return whether there was such a connection."""
        key = self._key(receiver, sender, dispatch_uid)
        with self.lock:
            self._clear_dead_receivers()
            kept = [known for known in self.receivers if known.key != key]
            found = len(kept) < len(self.receivers)
            self.receivers = kept
            self.sender_receivers_cache.clear()
        self.on_change.tell()
        return found

    def has_listeners(self, sender: object = None) -> bool:
        """Return whether a ``send`` by ``sender`` would call anybody."""
        return bool(self.receivers) and any(self._live_receivers(sender))

    def send(self, sender: object, **named: Any) -> list[Response]:
        """Call the receivers one after the other and return ``[(receiver, answer), ...]``.

        The first error ends the round and reaches the caller. Coroutine functions come after the plain
        ones; they are awaited through the running worker, or in a loop of their own where none runs.
        """
        return self._round(sender, named, robust=False)

    async def asend(self, sender: object, **named: Any) -> list[Response]:
        """The awaitable twin of ``send``; coroutine receivers are awaited in turn, in the same task.

        They share the sender's task because a transaction belongs to the task that opened it.
        """
        if not self._may_have_listeners(sender):
            return []
        return await bridge.spawn(self.send, sender, **named)

    def send_robust(self, sender: object, **named: Any) -> list[Response]:
        """Like ``send``, but an ``Exception`` becomes its receiver's answer and is logged."""
        return self._round(sender, named, robust=True)

    async def asend_robust(self, sender: object, **named: Any) -> list[Response]:
        """The awaitable twin of ``send_robust``."""
        if not self._may_have_listeners(sender):
            return []
        return await bridge.spawn(self.send_robust, sender, **named)

    def _round(self, sender: object, named: dict[str, Any], robust: bool) -> list[Response]:
        if not self._may_have_listeners(sender):
            return []
        plain, coroutines = self._live_receivers(sender)
        named.update(signal=self, sender=sender)
        responses: list[Response] = []
        for one in plain:
            try:
                responses.append((one, one(**named)))
            except Exception as error:
                if not robust:
                    raise
                self._note_failure(one, error, responses)
        if coroutines:
            context = bridge.complete(self._await_in_turn(coroutines, named, robust, responses))
            # A loop of its own ran in a copy of the context: what was set there is to be seen here.
            for variable, value in context.items():
                if variable.get(None) is not value:
                    variable.set(value)
        return responses

    async def _await_in_turn(
        self,
        receivers: list[Callable[..., Any]],
        named: dict[str, Any],
        robust: bool,
        responses: list[Response],
    ) -> Context:
        for one in receivers:
            try:
                responses.append((one, await one(**named)))
            except Exception as error:
                if not robust:
                    raise
                self._note_failure(one, error, responses)
        return copy_context()

    def _note_failure(
        self, receiver: Callable[..., Any], error: Exception, responses: list[Response]
    ) -> None:
        name = getattr(receiver, "__qualname__", repr(receiver))
        logger.error("Error calling %s in Signal.send_robust() (%s)", name, error, exc_info=error)
        responses.append((receiver, error))

    def _may_have_listeners(self, sender: object) -> bool:
        if not self.receivers:
            return False
        return not self._caches(sender) or self.sender_receivers_cache.get(sender) is not _NOBODY

    def _caches(self, sender: object) -> bool:
        return self.use_caching and sender is not None

    def _key(
        self, receiver: Callable[..., Any] | None, sender: object, dispatch_uid: Hashable | None
    ) -> tuple[Hashable, Hashable]:
        return (dispatch_uid or _make_id(receiver), _make_id(sender))

    def _weakly(self, receiver: Callable[..., Any]) -> weakref.ref[Any]:
        bound = hasattr(receiver, "__self__") and hasattr(receiver, "__func__")
        ref: type[weakref.ref[Any]] = weakref.WeakMethod if bound else weakref.ref
        return ref(receiver, self._flag_dead_receivers)

    def _sender_ref(self, sender: object) -> weakref.ref[Any] | None:
        # A collected sender's id may be given to another object: its connections must end with it.
        if sender is None:
            return None
        try:
            return weakref.ref(sender, self._flag_dead_receivers)
        except TypeError:
            return None

    def _clear_dead_receivers(self) -> None:
        """Drop connections whose receiver or sender is gone. The caller holds the lock."""
        if self._dead_receivers:
            self._dead_receivers = False
            self.receivers = [one for one in self.receivers if not _is_dead(one)]

    def _flag_dead_receivers(self, reference: object = None) -> None:
        # Runs in garbage collection, perhaps while this thread holds the lock: only leave a note.
        self._dead_receivers = True

    def _live_receivers(self, sender: object) -> tuple[list[Callable[..., Any]], list[Callable[..., Any]]]:
        """The plain and the coroutine receivers of ``sender``."""
        plain: list[Callable[..., Any]] = []
        coroutines: list[Callable[..., Any]] = []
        for one in self._connections(sender):
            receiver = one.receiver() if isinstance(one.receiver, weakref.ref) else one.receiver
            if receiver is None or (one.sender is not None and one.sender() is None):
                continue
            (coroutines if one.is_async else plain).append(receiver)
        return plain, coroutines

    def _connections(self, sender: object) -> Sequence[_Connection]:
        caches = self._caches(sender)
        if caches and not self._dead_receivers:
            known = self.sender_receivers_cache.get(sender)
            if known is not None:
                return known
        with self.lock:
            self._clear_dead_receivers()
            wanted = (_ANY_SENDER, _make_id(sender))
            found = [one for one in self.receivers if one.key[1] in wanted]
            if caches:
                self.sender_receivers_cache[sender] = found or _NOBODY
        return found


def _is_dead(one: _Connection) -> bool:
    if isinstance(one.receiver, weakref.ref) and one.receiver() is None:
        return True
    return one.sender is not None and one.sender() is None


def receiver(signal: Signal | Sequence[Signal], **kwargs: Any) -> Callable[[F], F]:
    """Decorate a function to connect it to one signal or to each of a list of them.

    >>> started = Signal()
    >>> @receiver(started)
    ... def note(sender, **kwargs):
    ...     return "noted"
    >>> started.has_listeners()
    True
    """

    def decorate(function: F) -> F:
        for one in [signal] if isinstance(signal, Signal) else signal:
            one.connect(function, **kwargs)
        return function

    return decorate


class ModelSignal(Signal):
    """A signal whose sender is a model class, or its name ``"app_label.ModelName"`` until it is defined."""

    #: Calls a function with the model of a given name, now or when that model is defined. The model
    #: registry lies above this module and puts itself here.
    when_defined: ClassVar[Seam[[Callable[[Any], Any], str, Any], Any]] = Seam(
        "how one waits for a model that is not defined yet", filled_by="facade.meta.registry"
    )

    def connect(
        self,
        receiver: Callable[..., Any],
        sender: object = None,
        weak: bool = True,
        dispatch_uid: Hashable | None = None,
        apps: object = None,
    ) -> None:
        """Like :meth:`Signal.connect`; ``apps`` is the registry in which a named sender is looked up."""
        connect = partial(super().connect, receiver, weak=weak, dispatch_uid=dispatch_uid)
        self._with_sender(connect, sender, apps)

    def disconnect(
        self,
        receiver: Callable[..., Any] | None = None,
        sender: object = None,
        dispatch_uid: Hashable | None = None,
        apps: object = None,
    ) -> bool | None:
        """Like :meth:`Signal.disconnect`; ``None`` for a sender given by name, which may not exist yet."""
        disconnect = partial(super().disconnect, receiver, dispatch_uid=dispatch_uid)
        return self._with_sender(disconnect, sender, apps)  # type: ignore[no-any-return]

    def _with_sender(self, method: Callable[[Any], Any], sender: object, apps: object) -> Any:
        if isinstance(sender, str):
            return type(self).when_defined(method, sender, apps)
        return method(sender)


class_prepared = Signal()
"""A model's class is complete: ``sender`` is the model."""

pre_init = ModelSignal(use_caching=True)
"""An object is about to be made: ``sender`` is its model; ``args`` and ``kwargs`` are what it is made of."""

post_init = ModelSignal(use_caching=True)
"""An object has been made, by a program or of a row: ``sender``, ``instance``."""

pre_save = ModelSignal(use_caching=True)
"""An object is about to be stored: ``sender``, ``instance``, ``raw`` (loading a fixture), ``using`` (the alias), ``update_fields``."""

post_save = ModelSignal(use_caching=True)
"""An object has been stored: what `pre_save` has, and ``created``. Bulk methods and `QuerySet.update` send nothing."""

pre_delete = ModelSignal(use_caching=True)
"""An object is about to be deleted: ``sender``, ``instance``, ``using``, ``origin`` (the object or queryset that the deletion began with)."""

post_delete = ModelSignal(use_caching=True)
"""An object has been deleted: what `pre_delete` has. Rows that the database deletes itself are not told."""

m2m_changed = ModelSignal(use_caching=True)
"""The pairs of a many-to-many relation change: ``sender`` is the model of the pairs.

``action`` is ``"pre_add"``, ``"post_add"``, ``"pre_remove"``, ``"post_remove"``, ``"pre_clear"`` or ``"post_clear"``; ``instance`` is the object whose
relation it is, ``reverse`` whether it is looked at from the other side, ``model`` the class of the objects that are added or removed, ``pk_set`` their keys,
``using`` the alias, ``raw`` whether a fixture is loaded.
"""

pre_migrate = Signal()
"""A database is about to be migrated, by `facade migrate` or Alembic's own command under ``environment.run()``, be there revisions to run or not.

It is sent for each installed application: ``sender`` and ``app_config`` are its `AppConfig`; once, with None, where none is installed.
``using`` is the alias, ``schema`` the tenant's schema or None, ``plan`` a list of pairs: Alembic's ``Script`` of a revision, and whether it
is undone; ``apps`` the models as they are now, ``verbosity`` 1 and ``interactive`` False. Connect to it where env.py imports it.
"""

post_migrate = Signal()
"""A database has been migrated, and all is committed: what `pre_migrate` has."""
