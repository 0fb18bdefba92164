"""Pages for the people of the box office."""

from __future__ import annotations

import hmac
import os

from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette_admin.auth import AdminUser, AuthProvider, LoginFailed

from facade.contrib.admin import Admin, ModelView
from tickets.models import Account, Booking, Entry, Event, Tag, Venue
from tickets.settings import SECRET_KEY


class Login(AuthProvider):
    """One user, whose password is that of the variable TICKETS_ADMIN_PASSWORD; nobody, where it is not set."""

    async def login(self, username: str, password: str, remember_me: bool, request: Request) -> None:
        wanted = os.environ.get("TICKETS_ADMIN_PASSWORD", "")
        if not wanted or username != "office" or not hmac.compare_digest(password.encode(), wanted.encode()):
            raise LoginFailed("Invalid username or password")
        request.session["user"] = username

    async def authenticate(self, request: Request) -> AdminUser | None:
        name = request.session.get("user")
        return None if name is None else AdminUser(username=name)

    async def logout(self, request: Request) -> None:
        request.session.clear()


def build() -> Admin:
    """Return the pages. Money is read there, and moved by nobody."""
    admin = Admin(
        title="Box office",
        auth_provider=Login(),
        secret_key=SECRET_KEY,
        middlewares=[Middleware(SessionMiddleware, secret_key=f"{SECRET_KEY} of sessions")],
    )
    admin.add_view(ModelView(Venue, search_fields=["name", "city"]))
    admin.add_view(ModelView(Tag))
    admin.add_view(ModelView(Event, search_fields=["title"]))
    for model in (Account, Booking, Entry):
        admin.add_view(ModelView(model, read_only=True))
    return admin
