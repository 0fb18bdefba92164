"""Two small applications for servers of their own: ASGI on the async face, WSGI on the sync face.

The database's URL comes by FACADE_SERVED_URL. `POST /visit` stores two rows in one block, `GET /visit` counts them,
`POST /fail` stores one and fails.
"""

from __future__ import annotations

import json
import os

from facade import atomic, configure, models

configure(DATABASES={"default": {"URL": os.environ["FACADE_SERVED_URL"], "POOL_SIZE": 3}})


class Visit(models.Model):
    place = models.CharField(max_length=20)

    class Meta:
        app_label = "served"


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, answer = 200, await _answer(scope["method"], scope["path"])
    if answer is None:
        status, answer = 409, "undone"
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]}
    )
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


async def _answer(method, path):
    if method == "GET":
        return await Visit.objects.acount()
    try:
        async with atomic():
            await Visit.objects.acreate(place="first")
            if path == "/fail":
                raise LookupError
            await Visit.objects.acreate(place="second")
    except LookupError:
        return None
    return "stored"


def wsgi(environ, start_response):
    status, answer = "200 OK", _answer_sync(environ["REQUEST_METHOD"], environ["PATH_INFO"])
    if answer is None:
        status, answer = "409 Conflict", "undone"
    start_response(status, [("Content-Type", "text/plain")])
    return [json.dumps(answer).encode()]


def _answer_sync(method, path):
    if method == "GET":
        return Visit.objects.count()
    try:
        with atomic():
            Visit.objects.create(place="first")
            if path == "/fail":
                raise LookupError
            Visit.objects.create(place="second")
    except LookupError:
        return None
    return "stored"


if os.environ.get("FACADE_SERVED_EARLY"):
    Visit.objects.count()  # a connection that is open when the server forks
