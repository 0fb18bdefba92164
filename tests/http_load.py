"""A small client for many requests at once: raw sockets that are kept open, so that it costs little beside the server."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


class Left(Exception):
    """The client left before the answer."""


class Cut(Exception):
    """The server closed the connection instead of answering."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection after the other to a server."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def ask(self, method, path, body=None, *, leave=None):
        """Send a request and return the answer; with `leave`, go away after so many seconds and raise Left."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self.writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        if leave is not None:
            await self.writer.drain()
            await asyncio.sleep(leave)
            self.close()
            raise Left
        try:
            return await self._answer()
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            raise Cut from error

    async def _answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if status >= 500 or headers.get("connection") == "close":
            self.close()  # uvicorn closes after an error of the application, without a word
        return Answer(status, headers, body)

    async def _chunks(self):
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return body

    def close(self):
        if self.writer is not None:
            with suppress(RuntimeError):
                self.writer.close()
        self.reader = self.writer = None


async def drive(port, works, clients):
    """Have so many clients at once do the pieces of work, which are coroutine functions of a client."""
    remaining = iter(works)

    async def run():
        client = Client(port)
        try:
            for work in remaining:
                await work(client)
        finally:
            client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(run())
