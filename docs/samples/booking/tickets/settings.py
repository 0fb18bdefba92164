"""Where the data is, and what is secret. The commands and the service import this module."""

from __future__ import annotations

import os
import secrets

import facade

# It signs cursors and cookies. All processes of the service need the same.
SECRET_KEY = os.environ.get("TICKETS_SECRET_KEY") or secrets.token_hex(32)

facade.configure(
    DATABASES={"default": os.environ.get("TICKETS_DATABASE", "sqlite:///tickets.sqlite3")},
    SECRET_KEY=SECRET_KEY,
)
