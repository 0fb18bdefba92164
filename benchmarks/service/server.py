"""One contender's server: the application under uvicorn, in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import socket
import threading
import traceback
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.roads import Place
from benchmarks.service.contenders import Absent, Entry
from benchmarks.service.load import HOST

WAITING = 512
"""How many connections may wait to be accepted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer for the runner: what went wrong in here."""

    reason: str
    absent: bool = False


class Server:
    """A server's process, seen from the runner: it listens on ``port``, or there is a ``refusal``."""

    def __init__(self, entry: Entry, place: Place, pool_size: int, cores: AbstractSet[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self.entry, self.place = entry, place
        self.channel, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, entry, place, pool_size, cores), daemon=True
        )
        self.process.start()
        theirs.close()
        self.port = 0
        self.refusal: Failure | None = None

    def wait(self) -> None:
        """Until the server listens, or cannot."""
        try:
            told = self.channel.recv()
        except EOFError:
            told = Failure("its process ended")
        if isinstance(told, Failure):
            self.refusal = told
        else:
            self.port = told

    def stop(self) -> None:
        self.channel.close()
        self.process.join(timeout=10)
        if self.process.is_alive():
            self.process.terminate()


def serve(channel: Connection, entry: Entry, place: Place, pool_size: int, cores: AbstractSet[int]) -> None:
    """The process's main function: serve until the runner hangs up."""
    try:
        _serve(channel, entry, place, pool_size, cores)
    except (Absent, ImportError) as error:
        channel.send(Failure(str(error), absent=True))
    except Exception:
        channel.send(Failure(traceback.format_exc()))


def _serve(channel: Connection, entry: Entry, place: Place, pool_size: int, cores: AbstractSet[int]) -> None:
    uvicorn: Any = importlib.import_module("uvicorn")
    pages: Any = importlib.import_module("benchmarks.service.application")
    service = entry.make(place, pool_size)
    with socket.create_server((HOST, 0), backlog=WAITING) as listener:
        port = listener.getsockname()[1]

        def opened(reason: str) -> None:
            if cores:
                os.sched_setaffinity(0, cores)
            channel.send(Failure(reason) if reason else port)

        app = pages.application(service, opened)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="on"))
        threading.Thread(target=_stop_at_the_end, args=(channel, server), daemon=True).start()
        server.run(sockets=[listener])


def _stop_at_the_end(channel: Connection, server: Any) -> None:
    try:
        channel.recv()
    except (EOFError, OSError):
        server.should_exit = True
