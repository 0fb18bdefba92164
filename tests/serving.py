"""A server for an application, in a thread."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import uvicorn

from tests.fix_databases import free_port


@contextmanager
def serving(app, log_level="warning", **options):
    """Have a server of uvicorn's for an ASGI application, and get its port on 127.0.0.1."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level=log_level, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield port
    finally:
        server.should_exit = True
        thread.join()
