"""The clients: keep-alive connections that each ask again as soon as they have their answer. Runs in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

try:
    from uvloop import new_event_loop
except ImportError:
    new_event_loop = None

HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds that an answer may take after the end of a measurement, or where nothing is measured."""
LOST = b"the connection was closed"
NO_ANSWER = f"no answer in {PATIENCE:g} seconds".encode()
STRIDE = 7
"""How far apart in the list of targets the clients begin."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TYPE = re.compile(rb"\r\ncontent-type: *([^\r]*)", re.IGNORECASE)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, as far as contenders must agree on it."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """What one load found. Times are seconds."""

    requests: int
    """How many were answered, the last ones after the end."""
    rate: float
    """Answers in a second."""
    p50: float
    p99: float
    errors: int
    cpu: float
    """What the server's process used of its CPU for a request."""
    complaint: str = ""
    """The first answer that was an error."""


class Client(asyncio.Protocol):
    """One connection; ``answered`` is called with the response's head and body, with nothing when it is lost."""

    def __init__(self, answered: Callable[[Client, bytes, bytes], None]) -> None:
        self.answered = answered
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> None:
        self.asked = perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received = received = self.received + data
        head, blank, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if blank and length and len(body) >= int(length[1]):
            self.received = b""
            self.answered(self, head, body)

    def connection_lost(self, error: Exception | None) -> None:
        self.answered(self, b"", b"")

    def close(self) -> None:
        self.answered = _ignored
        self.transport.close()


def _ignored(client: Client, head: bytes, body: bytes) -> None:
    """Nobody waits for this answer."""


def _succeeded(head: bytes) -> bool:
    return head.startswith(b"HTTP/1.1 200 ")


def _request(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode()


class Load:
    """Some clients against one server for some seconds."""

    def __init__(self, targets: Sequence[str], clients: int, seconds: float) -> None:
        self.requests = [_request(target) for target in targets]
        self.seconds = seconds
        self.busy = clients
        self.durations: list[float] = []
        self.in_time = self.errors = 0
        self.complaint = ""

    async def run(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self.done = loop.create_future()
        clients: list[Client] = []
        try:
            for _ in range(self.busy):
                _, client = await loop.create_connection(lambda: Client(self._answered), HOST, port)
                clients.append(client)
            self.upcoming = dict(zip(clients, map(self._requests_of, itertools.count()), strict=False))
            self.end = perf_counter() + self.seconds
            for client, upcoming in self.upcoming.items():
                client.ask(next(upcoming))
            try:
                await asyncio.wait_for(self.done, self.seconds + PATIENCE)
            except TimeoutError:
                self.errors += self.busy
                self.complaint = self.complaint or NO_ANSWER.decode()
        finally:
            for client in clients:
                client.close()

    def _requests_of(self, number: int) -> Iterator[bytes]:
        start = number * STRIDE % len(self.requests)
        return itertools.cycle(self.requests[start:] + self.requests[:start])

    def _answered(self, client: Client, head: bytes, body: bytes) -> None:
        now = perf_counter()
        if _succeeded(head):
            self.durations.append(now - client.asked)
            self.in_time += now <= self.end
            if now < self.end:
                client.ask(next(self.upcoming[client]))
                return
        else:  # the server closes the connection: this client asks no more
            self.errors += 1
            self.complaint = self.complaint or (body or head or LOST).decode(errors="replace")
            client.close()
        self.busy -= 1
        if not self.busy and not self.done.done():
            self.done.set_result(None)


async def _ask(port: int, targets: Sequence[str]) -> list[Answer]:
    loop = asyncio.get_running_loop()
    answers: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
    _, client = await loop.create_connection(
        lambda: Client(lambda _, head, body: answers.put_nowait((head, body))), HOST, port
    )
    found = []
    try:
        for target in targets:
            client.ask(_request(target))
            try:
                head, body = await asyncio.wait_for(answers.get(), PATIENCE)
            except TimeoutError:
                head, body = b"", NO_ANSWER
            kind = _TYPE.search(head)
            found.append(Answer(int(head[9:12] or 0), kind[1].decode() if kind else "", body))
            if not _succeeded(head):
                break
    finally:
        client.close()
    return found


async def _usage(port: int) -> dict[str, Any]:
    (answer,) = await _ask(port, ["/process"])
    usage: dict[str, Any] = json.loads(answer.body)
    return usage


async def _load(port: int, targets: Sequence[str], clients: int, seconds: float) -> Sample:
    run = Load(targets, clients, seconds)
    before = await _usage(port)
    await run.run(port)
    after = await _usage(port)
    durations = sorted(run.durations)
    return Sample(
        requests=len(durations),
        rate=run.in_time / seconds,
        p50=quantile(durations, 0.50),
        p99=quantile(durations, 0.99),
        errors=run.errors,
        cpu=(after["cpu"] - before["cpu"]) / max(1, len(durations)),
        complaint=run.complaint,
    )


def quantile(durations: Sequence[float], share: float) -> float:
    """The smallest of these sorted durations that so large a share of them does not exceed; infinite without any."""
    return durations[math.ceil(share * len(durations)) - 1] if durations else math.inf


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


def ask(port: int, targets: Sequence[str]) -> list[Answer]:
    """The answers to these requests, one after the other, up to the first that is an error."""
    return _run(_ask(port, targets))


def usage(port: int) -> dict[str, Any]:
    """What the server's process has used."""
    return _run(_usage(port))


def load(port: int, targets: Sequence[str], clients: int, seconds: float) -> Sample:
    """Ask for the targets in turn, by so many clients for so long."""
    return _run(_load(port, targets, clients, seconds))
