"""Handlers of the guides, over HTTP and a uvicorn of its own (S28, S70–S72, and the table of transactions)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.fix_databases import free_port, wait_for

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(url, log) -> Callable[..., httpx.Response]:
    """Run the service; yields what asks it."""
    port = free_port()
    command = ["--factory", "tests.forms.service:create_app", "--port", str(port), "--log-level", "error"]
    environment = {**os.environ, "FORMS_URL": url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "uvicorn", *command]
    with (
        log.open("w") as told,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=told, stderr=told) as server,
    ):
        try:
            wait_for(port, server)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                yield client.request
        finally:
            server.terminate()
    assert server.returncode in (0, -15), "its lifespan ended"


TAGGED = {"id": 1, "title": "Article 0", "author": {"id": 1, "username": "ann"}, "tags": [{"name": "news"}, {"name": "sea"}]}  # fmt: skip
VIEWED = {"title": "Article 0", "author": "ann", "tags": ["news", "sea"]}

ANSWERS = {
    "/people?page=2&page_size=2": {"items": [{"id": 3, "username": "cyd"}], "total": 3, "pages": 2},
    "/people/search?q=B": ["bob"],
    "/stats": {"total": 6, "published": 3, "avg_comments": 2.5},
    "/articles/1": TAGGED,
    "/structs/1": {"id": 1, "title": "Article 0", "author": {"id": 1, "username": "ann"}},
    "/views/1": VIEWED,
}
FIRSTS = {
    "/articles": TAGGED,
    "/articles-in-a-thread": TAGGED,
    "/structs": {"id": 1, "title": "Article 0", "author": {"username": "ann"}},
    "/views": VIEWED,
}


@pytest.mark.vendors("sqlite", "postgres")
def test_handlers_as_they_stand_in_the_guides(database, articles, accounts, tmp_path):
    with serving(database.url, tmp_path / "log") as ask:
        check_answers(ask)
        check_transfers(ask, database)
        assert ask("GET", "/healthz").json()["default"]["pool"]["in_use"] == 0
        # What is not loaded is not asked for behind one's back, article by article.
        assert ask("GET", "/articles-without-tags").status_code == 500
    told = (tmp_path / "log").read_text()
    assert told.count("Traceback") < 4, told
    assert "prefetch_related('tags')" in told.replace('"', "'")


def check_answers(ask):
    health = ask("GET", "/healthz").json()["default"]
    assert (health["ok"], health["pool"]["in_use"]) == (True, 0)
    for path, wanted in ANSWERS.items():
        answer = ask("GET", path)
        assert (answer.status_code, answer.json()) == (200, wanted), path
    for path, wanted in FIRSTS.items():
        found = ask("GET", path).json()
        assert (len(found), found[0]) == (6, wanted), path
    assert ask("GET", "/made?page=2").json() == {
        "items": [
            {"id": 5, "title": "Article 4", "author": {"username": "bob"}, "tags": []},
            {"id": 6, "title": "Article 5", "author": {"username": "cyd"}, "tags": []},
        ],
        "page": 2,
        "size": 4,
        "total": 6,
        "pages": 2,
        "has_next": False,
    }
    assert ask("GET", "/articles/99").status_code == 404
    assert ask("GET", "/views/99").status_code == 404


def check_transfers(ask, database):
    for way in ("block", "decorated", "run", "thread"):
        assert ask("POST", f"/transfer/{way}?payer=1&payee=2&amount=30").json() == {"success": True}, way
        assert ask("POST", f"/transfer/{way}?payer=1&payee=2&amount=80").status_code == 409, way
        balances = database.observe("SELECT balance FROM forms_account ORDER BY id")
        assert [round(Decimal(row[0]), 2) for row in balances] == [Decimal(70), Decimal("30.1")], way
        assert ask("POST", f"/transfer/{way}?payer=2&payee=1&amount=30").status_code == 200
