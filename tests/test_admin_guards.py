"""Who may do what in the admin, what is told of it, and that nothing is left behind when it fails."""

from __future__ import annotations

import importlib
import sys
import uuid
from functools import cache

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

from facade import atomic, connection, run
from facade.contrib.admin import Admin, InlineModelView, ModelView
from facade.exceptions import ImproperlyConfigured
from tests.cinema import ALL, VISITS, Browser, Chair, Cinema, Door, Film, Tone, application


@pytest.fixture
def cinema(database):
    database.create(*ALL)
    return database


def guarded(**options):
    """Options of an admin with a login."""
    session = Middleware(SessionMiddleware, secret_key="session")
    return {"auth_provider": Door(), "secret_key": "key", "middlewares": [session], **options}


def small(*views, **options):
    """An application with an admin of a few views of its own."""
    admin = Admin(**({"local": True} | options))
    for view in views:
        admin.add_view(view)
    app = Starlette()
    admin.mount_to(app)
    return app


class Tones(ModelView):
    def is_accessible(self, request):
        return "user" in request.headers

    def can_edit(self, request):
        return False


class Looked(ModelView):
    read_only = True

    def can_create(self, request):  # a mistake of whoever wrote it
        return True


@cache
def with_permissions():
    return small(Tones(Tone), Looked(Cinema))


@cache
def with_a_login():
    return small(ModelView(Tone), **guarded())


# -- who comes in ------------------------------------------------------------------------------------------


def test_without_starlette_admin_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette_admin", None)
    monkeypatch.delitem(sys.modules, "starlette_admin.actions")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'sqlalchemy-facade\[admin\]'"):
        importlib.reload(sys.modules["facade.contrib.admin"])


def test_without_a_provider_it_does_not_start():
    with pytest.raises(ImproperlyConfigured, match="Without an auth_provider everybody could write here."):
        Admin()
    with pytest.raises(ImproperlyConfigured, match="The admin signs cookies with a secret_key"):
        Admin(auth_provider=Door())
    with pytest.raises(
        ImproperlyConfigured, match="shows the relation 'cinema', whose rows have no view here"
    ):
        small(ModelView(Film, fields=["cinema"]))
    with pytest.raises(ImproperlyConfigured, match="Two views have the key 'tone'"):
        small(ModelView(Tone), ModelView(Tone))
    with pytest.raises(
        ImproperlyConfigured, match=r"tests.Tone has no field 'wrod' to show. There are: film_set, word."
    ):
        ModelView(Tone, fields=["wrod"])
    with pytest.raises(TypeError, match="no option 'readonly'. Did you mean 'read_only'"):
        ModelView(Tone, readonly=True)
    with pytest.raises(ImproperlyConfigured, match="ModelView needs a model"):
        ModelView()

    class Chairs(InlineModelView):
        model = Chair

    with pytest.raises(ImproperlyConfigured, match="tests.Chair has no foreign key to tests.Film."):
        ModelView(Film, inlines=[Chairs])


@pytest.mark.vendors("sqlite")
async def test_local_means_this_machine(cinema):
    async def status(client="127.0.0.1", host="localhost:8000", **headers):
        site = Browser(client=(client, 5000) if client else None, base_url=f"http://{host}")
        return (await site.get("tone/list", **headers)).status

    assert [
        await status(),
        await status("::1", "[::1]:80"),
        await status("::ffff:127.0.0.1", "127.0.0.1"),
    ] == [200] * 3
    assert await status("10.0.0.7") == 403
    assert await status(None) == 403
    assert await status(host="example.com") == 403  # a foreign page's name that leads here
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert await status(**{header: "10.0.0.7"}) == 403  # a proxy on this machine


@pytest.mark.vendors("sqlite")
async def test_nobody_comes_in_without_a_login(cinema):
    site = Browser(with_a_login())
    for path in (
        "",
        "tone/list",
        "tone/create",
        "tone/delete?pk=x",
        "_api/tone/relation-lookup",
        "tone/detail?pk=x",
    ):
        page = await site.get(path)
        assert (page.status, page.answer.headers["location"].partition("?")[0]) == (
            303,
            "http://localhost/admin/login",
        )
    await site.get("login")
    for path in (
        "tone/create",
        "tone/delete",
        "_api/tone/action?name=delete&all=1",
        "_api/tone/inline-edit?pk=x&field=word",
    ):
        page = await site.post(path, {"word": "dark"})
        assert page.status == 303
        assert "/login?next=" in page.answer.headers["location"]
    assert await Tone.objects.acount() == 0
    assert "Wrong name or password." in (await site.post("login", {"username": "ada", "password": "x"})).text
    assert (await site.post("login", {"username": "ada", "password": "open sesame"})).status == 303
    assert (await site.get("tone/list")).status == 200
    assert (await site.post("tone/create", {"word": "dark"})).status == 303
    # A page of another origin knows no token, and has no cookie of ours to read one from.
    for headers in ({}, {"X-CSRFToken": "made-up"}):
        answer = await site.client.post("/admin/tone/create", data={"word": "forged"}, headers=headers)
        assert answer.status_code == 403
    assert await Tone.objects.acount() == 1


async def test_views_say_who_may_do_what(cinema):
    film = await Film.objects.acreate(title="Alien", cinema=await Cinema.objects.acreate(name="Apollo"))

    await Tone.objects.acreate(word="dark")
    site = Browser(with_permissions())
    assert "Tones" not in (await site.get("")).text
    for path in ("list", "create", "edit?pk=dark", "delete?pk=dark", "detail?pk=dark"):
        assert (await site.get(f"tone/{path}")).status == 403
    assert (await site.get("_api/tone/relation-lookup")).status == 403
    user = {"user": "ada"}
    assert (await site.get("tone/list", **user)).status == 200
    assert (await site.get("tone/edit?pk=dark", **user)).status == 403
    assert (await site.post("tone/edit?pk=dark", {"word": "x"}, user)).status == 403
    assert (await site.post("tone/delete", {"pks": "dark"})).status == 403
    assert (await site.post("tone/delete", {"pks": "dark"}, user)).status == 303
    # What is read only stays so, whatever else is said.
    page = await site.get("cinema/list")
    assert "Apollo" in page.text
    assert "cinema/delete" not in page.html
    for path in ("create", "edit?pk=1", "delete"):
        assert (await site.post(f"cinema/{path}", {"name": "Rex", "pks": "1"})).status == 403
    page = await site.post("_api/cinema/action?name=export&all=1", {"scope": "page", "format": "csv"})
    assert page.html.splitlines()[1].split(",")[1:] == ["Apollo", ""]
    whole = Browser(application(read_only=True))
    page = await whole.get("film/list")
    assert page.status == 200
    assert "film/create" not in page.html
    assert (
        (await whole.get("film/create")).status == (await whole.get(f"film/edit?pk={film.pk}")).status == 403
    )
    assert (await whole.post(f"film/delete?pk={film.pk}", {"pks": str(film.pk)})).status == 403
    assert (await whole.post("_api/film/action?name=dearer&all=1", {})).status == 403
    assert await Film.objects.acount() == 1


# -- keys --------------------------------------------------------------------------------------------------


async def test_keys_of_every_kind_have_pages(cinema):
    site = Browser()
    page = await site.post("chair/create", {"line": "a,b.c", "number": "7", "color": "blue"})
    assert (page.status, page.errors) == (303, {"": ""})
    (key,) = (await site.get("chair/list")).rows
    assert key == "a.,b..c,7"
    chair = {"pk": key}
    assert (await site.client.get("/admin/chair/detail", params=chair)).status_code == 200
    path = f"chair/edit?{httpx.QueryParams(chair)}"
    assert (await site.post(path, {"color": "green"})).status == 303
    assert [(one.pk, one.color) async for one in Chair.objects.all()] == [(("a,b.c", 7), "green")]
    page = await site.post("chair/create", {"line": "a,b.c", "number": "7"})
    assert page.errors[""] == "Chair with this Line and Number already exists."
    assert (await site.post("chair/delete", {"pks": key})).status == 303
    assert await Chair.objects.acount() == 0

    await Tone.objects.acreate(word="50% & more/less")
    (key,) = (await site.get("tone/list")).rows
    assert (await site.client.get("/admin/tone/edit", params={"pk": key})).status_code == 200
    # A key of one's own cannot be taken twice, nor can a row be moved to another one.
    assert "already exists" in (await site.post("tone/create", {"word": key})).errors["word"]

    film = await Film.objects.acreate(title="Alien", cinema=await Cinema.objects.acreate(name="Apollo"))
    page = await site.post("showing/create", {"id": str(uuid.uuid4()), "film": str(film.pk)})
    assert (page.status, page.errors) == (303, {"": ""})
    (key,) = (await site.get("showing/list")).rows
    assert (await site.get(f"showing/edit?pk={key}")).status == 200
    await Film.objects.aupdate(seen=False)  # the showing's film has to be one that was seen
    other = await Film.objects.acreate(title="Other", cinema_id=film.cinema_id, seen=False)
    page = await site.post(f"showing/edit?pk={key}", {"film": str(other.pk)})
    assert page.errors["film"].startswith("Select a valid choice")


async def test_rows_without_a_key_can_be_looked_at(cinema):
    columns = "who varchar(20), times integer"
    async with atomic():
        await execute(f"CREATE TABLE {VISITS.name} ({columns})")
        await execute(f"INSERT INTO {VISITS.name} VALUES ('Ada', 2), ('Bob', 1)")
    site = Browser()
    page = await site.get("visit/list?sort=times__asc")
    assert page.text.index("Bob") < page.text.index("Ada")
    assert len((await site.get("visit/list?q=ada")).rows) == 1
    assert "visit/create" not in page.html
    assert "With selected" not in page.text
    for path in ("create", "edit?pk=", "detail?pk=", "delete?pk=1"):
        assert (await site.get(f"visit/{path}")).status in (403, 404)
        assert (await site.post(f"visit/{path}", {"who": "Eve"})).status in (403, 405)
    page = await site.post("_api/visit/action?name=export&all=1", {"scope": "page", "format": "csv"})
    assert page.html.split() == ["Who,Times", "Ada,2", "Bob,1"]


async def execute(sql):
    def statement():
        with connection.cursor() as cursor:
            cursor.execute(sql)

    await run(statement)


HOSTILE = (
    *(
        "\0",
        "x" * 5000,
        "-1",
        str(2**63),
        "1" + "0" * 400,
        "NaN",
        "1e400",
        "²",
        "'; DROP TABLE x;--",
        "<b>",
        "(((",
    ),
    *("0001-01-01T00:00:00-14:00", "9999-12-31T23:59:59+14:00", "a,b.c,7", "[" * 3000, "😀" * 300),
)


async def test_hostile_values_are_refused(cinema):
    film = await Film.objects.acreate(title="Alien", cinema=await Cinema.objects.acreate(name="Apollo"))
    site = Browser()
    names = (
        "title",
        "cinema",
        "tones",
        "age",
        "minutes",
        "price",
        "score",
        "liked",
        "notes",
        "facts",
        "begins",
        "at",
        "lasts",
    )
    for value in HOSTILE:
        page = await site.post(
            f"film/edit?pk={film.pk}", {**dict.fromkeys(names, value), "inlines.role.0.fee": value}
        )
        assert page.status == 422
        assert 'value="<b>"' not in page.html
        query = str(
            httpx.QueryParams(
                {"pk": value, "pks": value, "q": value, "filter": f"minutes__gt={value}", "page": value}
            )
        )
        for path in (
            "film/list",
            "film/detail",
            "chair/detail",
            "_api/film/choices/cinema",
            "_api/cinema/relation-lookup",
        ):
            assert (await site.get(f"{path}?{query}")).status in (200, 400, 404)
        assert (await site.post(f"_api/film/action?name=dearer&{query}", {})).status in (200, 400)
    assert (await Film.objects.aget()).title == "Alien"
