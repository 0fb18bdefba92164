"""Where the data is. The commands and the service import this module."""

from __future__ import annotations

import os

import facade

facade.configure(DATABASES={"default": os.environ.get("TICKETS_DATABASE", "sqlite:///tickets.sqlite3")})
