"""What is told of the changes that the admin makes, inside their transactions, and what comes to a bad end."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest
from starlette.applications import Starlette
from starlette_admin.actions import action
from starlette_admin.auth import AdminUser, AuthProvider
from starlette_admin.exceptions import FormValidationError

from facade import atomic, models, pool_stats, run
from facade.contrib.admin import Admin, InlineModelView, ModelView
from facade.exceptions import PermissionDenied
from facade.signals import pre_save
from tests.cinema import ALL, Browser, Cinema, Film, Role, Tone


class AuditEntry(models.Model):
    """A line of a journal that is kept in the database itself."""

    who = models.CharField(max_length=20)
    what = models.CharField(max_length=100)

    class Meta:
        app_label = "tests"


class Ada(AuthProvider):
    async def authenticate(self, request):
        return AdminUser("ada")


class Roles(InlineModelView):
    model = Role


class Films(ModelView):
    fields = ("title", "cinema", "tones")
    inlines = (Roles,)
    committed = []

    async def validate(self, request, data):
        if data["title"] == str(data["tones"]):
            raise FormValidationError({"title": "Not the same as the tones."})

    async def before_edit(self, request, data, obj):
        obj.notes = f"{data['title']} in {data['cinema']}"

    async def after_edit_committed(self, request, obj):
        self.committed.append(obj.title)

    @action(name="unseen", text="Unseen")
    async def unseen(self, request, selection):
        await Film.objects.filter(pk__in=[film.pk for film in await selection.rows()]).aupdate(seen=False)


@pytest.fixture
def cinema(database):
    Films.committed.clear()
    database.create(*ALL, AuditEntry)
    return database


@cache
def site_and_application():
    admin = Admin(auth_provider=Ada(), secret_key="key")
    for view in (Films(Film), ModelView(Cinema), ModelView(Tone)):
        admin.add_view(view)
    app = Starlette()
    admin.mount_to(app)
    return admin, app


def told_to(audit):
    """The application, whose changes are told to this hook; the templates are compiled once for all tests."""
    admin, app = site_and_application()
    admin.audit = audit
    return app


def form(film, **values):
    return {"title": film.title, "cinema": str(film.cinema_id), **values}


async def one_film(**values):
    house = await Cinema.objects.acreate(name="Apollo")
    return await Film.objects.acreate(**({"title": "Alien", "cinema": house} | values))


async def test_each_change_is_told_with_what_was_before_and_after(cinema):
    told = []
    film, site = await one_film(), Browser(told_to(told.append))
    await Tone.objects.acreate(word="dark")
    path = f"film/edit?pk={film.pk}"
    child = {"inlines.role.0.actor": "Ripley"}
    assert (await site.post(path, form(film, title="Aliens", tones="dark", **child))).status == 303
    change, inner = told
    assert (change.user.username, change.action, change.model, change.key) == ("ada", "edit", Film, film.pk)
    assert change.changed == ("title", "notes", "tones")
    assert (change.before["title"], change.after["title"]) == ("Alien", "Aliens")
    assert (change.before["tones"], change.after["tones"]) == ([], ["dark"])
    assert (inner.action, inner.model, inner.before, inner.after["actor"]) == ("create", Role, None, "Ripley")
    # The hooks of starlette-admin: a relation that stays as it was is told by its key.
    assert (Films.committed, (await Film.objects.aget()).notes) == (["Aliens"], f"Aliens in {film.cinema_id}")
    page = await site.post(path, form(film, title="['dark']", tones="dark"))
    assert page.errors["title"] == "Not the same as the tones."
    told.clear()
    assert (await site.post("_api/film/action?name=unseen&all=1", {})).status == 200
    assert [(one.action, one.changed) for one in told] == [("unseen", ("seen",))]
    told.clear()
    assert (await site.post("film/delete", {"pks": str(film.pk)})).status == 303
    (change,) = told
    assert (change.action, change.key, change.before["title"], change.after) == (
        "delete",
        film.pk,
        "Aliens",
        None,
    )
    assert change.along == {"tests.Role": 1, "tests.Film_tones": 1}


async def test_the_journal_is_written_in_the_transaction_of_the_change(cinema):
    def sync(change):
        AuditEntry.objects.create(
            who=change.user.username, what=f"{change.action} {','.join(change.changed)}"
        )
        if change.after and change.after.get("title") == "Forbidden":
            raise PermissionDenied("Not this one.")

    async def asynchronous(change):
        await run(sync, change)

    film = await one_film()
    for audit in (sync, asynchronous):
        site = Browser(told_to(audit))
        path = f"film/edit?pk={film.pk}"
        page = await site.post(path, form(film, title="Forbidden"))
        assert (page.status, await AuditEntry.objects.acount()) == (403, 0)
        assert (await Film.objects.aget()).title == "Alien"
        assert (await site.post(path, form(film, title=f"By {audit.__name__}"))).status == 303
        assert [entry.what async for entry in AuditEntry.objects.all()] == ["edit title,notes"]
        await Film.objects.aupdate(title="Alien")
        await AuditEntry.objects.all().adelete()


async def test_a_hook_that_fails_undoes_the_change_and_gives_the_connection_back(cinema):
    def broken(change):
        raise ZeroDivisionError

    film, site = await one_film(), Browser(told_to(broken), raises=False)
    for path, values in (
        (f"film/edit?pk={film.pk}", form(film, title="Changed")),
        ("film/create", form(film, title="New")),
        ("film/delete", {"pks": str(film.pk)}),
        ("_api/film/action?name=unseen&all=1", {}),
    ):
        assert (await site.post(path, values)).status == 500
        assert [(one.title, one.seen) async for one in Film.objects.all()] == [("Alien", True)]
        all_is_given_back()
    assert Films.committed == []


async def test_what_another_request_has_stored_first_is_said_at_its_field(cinema):
    """The check finds nothing, and then the row is there."""
    site = Browser(told_to(None))
    await site.get("tone/list")

    def faster(sender, instance, **kwargs):
        pre_save.disconnect(faster, sender=Cinema)
        Cinema(name=instance.name).save_base(raw=True, force_insert=True)

    pre_save.connect(faster, sender=Cinema)
    page = await site.post("cinema/create", {"name": "Apollo"})
    assert page.status == 422
    # The other row went with the savepoint here; where it stays, the check says it.
    assert "refused this" in page.errors[""] or "already exists" in page.errors["name"]
    assert await Cinema.objects.acount() == 0


async def test_two_requests_at_once_store_a_name_once(cinema):
    sites = [Browser(told_to(None)) for _ in range(2)]
    for site in sites:
        await site.get("tone/list")
    pages = await asyncio.gather(*(site.post("cinema/create", {"name": "Apollo"}) for site in sites))
    assert sorted(page.status for page in pages) == [303, 422]
    (refused,) = [page for page in pages if page.status == 422]
    assert refused.errors["name"] == "Cinema with this Name already exists."
    assert await Cinema.objects.acount() == 1
    all_is_given_back()


async def test_a_request_that_is_cut_off_leaves_nothing(cinema):
    started = asyncio.Event()

    async def slow(change):
        started.set()
        await asyncio.sleep(60)

    film, site = await one_film(), Browser(told_to(slow))
    await site.get("tone/list")
    waiting = asyncio.ensure_future(started.wait())
    task = asyncio.ensure_future(site.post(f"film/edit?pk={film.pk}", form(film, title="Changed")))
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    all_is_given_back()
    assert (await Film.objects.aget()).title == "Alien"


def all_is_given_back():
    for alias, faces in pool_stats().items():
        assert [face for face, figures in faces.items() if figures["in_use"]] == [], alias


@pytest.mark.vendors("postgres")
async def test_a_block_around_the_application_is_left_alone(cinema):
    film, site = await one_film(), Browser(told_to(None))
    with pytest.raises(ZeroDivisionError):
        async with atomic():
            await Film.objects.acreate(title="Undone", cinema_id=film.cinema_id)
            assert (await site.get("film/list")).status == 200
            assert (await site.post(f"film/edit?pk={film.pk}", form(film, title="Stored"))).status == 303
            raise ZeroDivisionError
    assert [one.title async for one in Film.objects.all()] == ["Stored"]
