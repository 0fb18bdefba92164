"""A TCP proxy between a client and its server that cuts, delays and swallows, for tests of faults.

::

    with TcpProxy("127.0.0.1", 5432) as proxy:
        client.connect(port=proxy.port)
        proxy.cut()                      # every connection is reset
        proxy.refuse(2)                  # the next two connections are cut as they come
        proxy.swallow(b"COMMIT")         # lets it through, and cuts instead of handing on the server's answer
        proxy.delay = 0.1                # seconds before each piece of data is handed on
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


class TcpProxy:
    """Listens on a free local port and hands on what it is sent, one thread per direction."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.delay = 0
        self.accepted = 0
        self.sent = 0  # pieces of data from clients
        self._refusing = 0
        self._swallowed = None
        self._doomed = None  # the pair whose next answer is not handed on
        self._pairs = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self._listener.close()
        self.cut()

    def refuse(self, times):
        """Cut the next connections before they reach the server."""
        self._refusing = times

    def swallow(self, text):
        """Hand the next data that contains ``text`` on, wait until the server has answered, and cut."""
        self._swallowed = text

    def cut(self):
        """Reset all connections on both sides."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self._reset(pair)

    def _reset(self, pair):
        for side in pair:
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                side.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._refusing > 0:
                self._refusing -= 1
                self._reset([client])
                continue
            server = socket.create_connection(self.target)
            pair = (client, server)
            self._pairs.append(pair)
            threading.Thread(target=self._forward, args=(client, server, pair, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, pair, False), daemon=True).start()

    def _forward(self, source, sink, pair, to_server):
        while data := self._received(source):
            self.sent += to_server
            time.sleep(self.delay)
            if to_server and self._swallowed and self._swallowed in data:
                self._swallowed = None
                self._doomed = pair
            elif not to_server and self._doomed is pair:
                self._doomed = None
                break
            with suppress(OSError):
                sink.sendall(data)
        self._reset(pair)

    def _received(self, source):
        try:
            return source.recv(65536)
        except OSError:
            return b""
