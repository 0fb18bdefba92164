"""The admin of models that are not plain: heirs, proxies, keys that refer elsewhere, files, naive time, soft deletion."""

from __future__ import annotations

import datetime as dt
from functools import cache

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from facade import acreate_all, models
from facade.configuration import override
from facade.contrib.admin import Admin, ModelView
from tests.cinema import Browser, Page


class Venue(models.Model):
    name = models.CharField(max_length=20)
    code = models.CharField(max_length=5, unique=True)
    near = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="around")

    class Meta:
        app_label = "tests"

    def __str__(self):
        return self.name


class Stadium(Venue):
    seats = models.IntegerField()

    class Meta:
        app_label = "tests"


class NearVenue(Venue):
    class Meta:
        app_label = "tests"
        proxy = True


class Concert(models.Model):
    venue = models.ForeignKey(
        Venue,
        models.CASCADE,
        to_field="code",
        related_name="concerts",
        limit_choices_to={"name__startswith": "A"},
    )
    seen = models.ManyToManyField(Venue, related_name="seen_at", blank=True)
    poster = models.FileField(upload_to="posters", blank=True)
    begins = models.DateTimeField(null=True, blank=True)
    gone = models.BooleanField(default=False, editable=False)
    hours = models.IntegerField(default=1)
    minutes = models.GeneratedField(
        expression=models.F("hours") * 60, output_field=models.IntegerField(), db_persist=True
    )

    class Meta:
        app_label = "tests"

    def delete(self, *args, **kwargs):
        self.gone = True
        self.save()
        return 1, {"tests.Concert": 1}


class Program(models.Model):
    concert = models.OneToOneField(Concert, models.CASCADE, related_name="program")
    text = models.TextField()

    class Meta:
        app_label = "tests"


class Bench(models.Model):
    pk = models.CompositePrimaryKey("line", "number")
    line = models.CharField(max_length=5)
    number = models.IntegerField()

    class Meta:
        app_label = "tests"


class Stain(models.Model):
    line = models.CharField(max_length=5)
    number = models.IntegerField()
    bench = models.ForeignObject(
        Bench, models.CASCADE, ["line", "number"], ["line", "number"], related_name="stains"
    )

    class Meta:
        app_label = "tests"


@cache
def application():
    admin = Admin(local=True)
    admin.add_view(
        ModelView(Venue, fields=["id", "name", "code", "near", "around", "concerts", "seen_at", "stadium"])
    )
    admin.add_view(ModelView(Stadium))
    admin.add_view(ModelView(NearVenue, fields=["name"]))
    admin.add_view(ModelView(Concert, fields=[*names_of(Concert), "program"]))
    admin.add_view(ModelView(Program))
    admin.add_view(ModelView(Bench, fields=["line", "number", "stains"]))
    admin.add_view(ModelView(Stain, fields=["id", "line", "number", "bench"]))
    app = Starlette()
    admin.mount_to(app)
    return app


def names_of(model):
    return [field.name for field in ModelView(model).fields]


@pytest.fixture
def stage(database):
    database.create(Venue, Stadium, Concert, Program, Bench, Stain)
    return database


async def test_heirs_are_rows_of_both_tables(stage):
    site = Browser(application())
    page = await site.post("stadium/create", {"name": "Arena", "code": "A", "seats": "9"})
    assert (page.status, page.errors) == (303, {"": ""})
    stadium = await Stadium.objects.aget()
    path = f"stadium/edit?pk={stadium.pk}"
    assert 'value="Arena"' in (await site.get(path)).html
    assert (await site.post(path, {"name": "Bowl", "code": "A", "seats": "8"})).status == 303
    assert [(one.name, one.seats) async for one in Stadium.objects.all()] == [("Bowl", 8)]
    assert (await site.get("nearvenue/list")).rows == (await site.get("venue/list")).rows == [str(stadium.pk)]
    assert (await site.post("nearvenue/edit?pk=1", {"name": "Near"})).status == 303
    page = await site.get(f"venue/delete?pk={stadium.pk}")
    assert "1 stadium" in page.text
    assert (await site.get(f"stadium/delete?pk={stadium.pk}")).text.count(
        "Nothing else will be deleted."
    ) == 1
    assert (await site.post("stadium/delete", {"pks": str(stadium.pk)})).status == 303
    assert await Venue.objects.acount() == 0


async def test_relations_of_every_kind_are_shown_and_stored(stage):
    arena, barn = [await Venue.objects.acreate(name=name, code=name[0]) for name in ("Arena", "Barn")]
    site = Browser(application())
    # The key refers to a code; the form speaks of venues by their own keys all the same.
    page = await site.post("concert/create", {"venue": str(arena.pk), "seen": [str(barn.pk)], "hours": "2"})
    assert (page.status, page.errors) == (303, {"": ""})
    concert = await Concert.objects.aget()
    assert (concert.venue_id, concert.minutes) == ("A", 120)
    assert [one.name async for one in concert.seen.all()] == ["Barn"]
    edit = f"concert/edit?pk={concert.pk}"
    page = await site.get(edit)
    assert f'data-initial="[&#34;{arena.pk}&#34;]"' in page.html.replace("&amp;", "&").replace(
        "&quot;", "&#34;"
    )
    assert "minutes" not in page.html.lower().replace("minutes ago", "")
    page = await site.post(edit, {"venue": str(barn.pk), "hours": "2"})
    assert "venue" in page.errors  # not among those that limit_choices_to leaves
    # What refers to it: shown on its page, in lists by one query each, and a one-to-one that is not there by nothing.
    await barn.around.aset([arena])
    page = await site.get("venue/list")
    assert (
        len(site.selects) == 5
    )  # venues with near and stadium, around, concerts, seen_at, the number of all
    assert "Arena" in page.text
    assert (
        (await site.get("concert/list")).status == (await site.get(f"venue/edit?pk={arena.pk}")).status == 200
    )
    await Program.objects.acreate(concert=concert, text="Overture")
    assert "Program object" in (await site.get(f"concert/detail?pk={concert.pk}")).text
    # A many-to-many relation is edited from its other end, too; rows that refer by a key are not.
    page = await site.post(
        f"venue/edit?pk={arena.pk}", {"name": "Arena", "code": "A", "seen_at": [str(concert.pk)]}
    )
    assert page.status == 303
    assert sorted([one.name async for one in concert.seen.all()]) == ["Arena", "Barn"]
    assert [one.name async for one in barn.around.all()] == ["Barn"][1:]  # `near` came back empty


async def test_relations_over_several_columns_are_shown(stage):
    await Bench.objects.acreate(line="A", number=7)
    site = Browser(application())
    assert (await site.post("stain/create", {"line": "A", "number": "7"})).status == 303
    page = await site.get("stain/list")
    assert "/admin/bench/detail?pk=A%2C7" in page.html
    assert len(site.selects) == 2
    assert "Stain object" in (await site.get("bench/list")).text
    assert len(site.selects) == 3
    assert "1 stain" in (await site.get("bench/delete?pk=A%2C7")).text
    assert (await site.post("bench/delete", {"pks": "A,7"})).status == 303
    assert await Stain.objects.acount() == 0


class Elsewhere:
    def db_for_read(self, model, **hints):
        return "other"

    db_for_write = db_for_read


async def test_rows_are_where_routers_say(stage):
    app = FastAPI()  # any application will do
    admin = Admin(local=True)
    admin.add_view(ModelView(Venue, fields=["name", "code"]))
    admin.mount_to(app)
    await acreate_all(models=[Venue, Stadium, Concert, Program], using="other")
    with override(DATABASE_ROUTERS=[Elsewhere()]):
        site = Browser(app)
        assert (await site.post("venue/create", {"name": "Arena", "code": "A"})).status == 303
        page = await site.post("venue/create", {"name": "Arena", "code": "A"})
        assert page.errors["code"] == "Venue with this Code already exists."
        assert (await site.get("venue/list")).rows == ["1"]
        assert (stage.count("tests_venue"), stage.count("tests_venue", "other")) == (0, 1)
        assert (await site.post("venue/delete", {"pks": "1"})).status == 303
        assert stage.count("tests_venue", "other") == 0


async def test_files_are_kept_where_their_field_keeps_them(stage, tmp_path):
    await Venue.objects.acreate(name="Arena", code="A")
    site = Browser(application())
    await site.get("venue/list")
    headers = {"X-CSRFToken": site.client.cookies["starlette_admin_csrftoken"]}

    async def send(path, content=None, **data):
        files = {"poster": ("a b.txt", content)} if content else {"other": ("", b"")}
        whole = {"venue": "1", "hours": "1", **data}
        return Page(await site.client.post(f"/admin/{path}", data=whole, files=files, headers=headers))

    with override(MEDIA_ROOT=str(tmp_path), MEDIA_URL="/media/"):
        assert (await send("concert/create", b"loud")).status == 303
        concert = await Concert.objects.aget()
        assert (tmp_path / concert.poster.name).read_bytes() == b"loud"
        assert f'href="/media/{concert.poster.name}"' in (await site.get("concert/list")).html
        edit = f"concert/edit?pk={concert.pk}"
        assert (await send(edit, hours="3")).status == 303  # no upload: the file stays
        assert (await Concert.objects.aget()).poster.name == concert.poster.name
        assert (await send(edit, **{"_poster-delete": "on"})).status == 303
        assert not (await Concert.objects.aget()).poster
        assert (await send(edit, poster="not a file")).status == 303


async def test_what_a_model_does_when_it_is_deleted_is_done(stage):
    venue = await Venue.objects.acreate(name="Arena", code="A")
    concerts = [await Concert.objects.acreate(venue=venue) for _ in range(2)]
    site = Browser(application())
    assert (await site.post("concert/delete", {"pks": [str(one.pk) for one in concerts]})).status == 303
    assert [one.gone async for one in Concert.objects.all()] == [True, True]
    assert "it deletes in its own way" in (await site.get(f"concert/delete?pk={concerts[0].pk}")).text


async def test_moments_without_a_zone_stay_as_they_are(stage):
    await Venue.objects.acreate(name="Arena", code="A")
    with override(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
        admin = Admin(local=True)
        admin.add_view(ModelView(Concert, fields=["begins", "hours", "venue"]))
        admin.add_view(ModelView(Venue, fields=["name"]))
        app = Starlette()
        admin.mount_to(app)
        site = Browser(app)
        page = await site.post(
            "concert/create", {"venue": "1", "hours": "1", "begins": "2013-01-02T20:15:00"}
        )
        assert (page.status, page.errors) == (303, {"": ""})
        concert = await Concert.objects.aget()
        assert concert.begins == dt.datetime(2013, 1, 2, 20, 15)  # noqa: DTZ001
        assert 'value="2013-01-02T20:15:00"' in (await site.get(f"concert/edit?pk={concert.pk}")).html
        found = await site.get("concert/list?filter=begins__eq=2013-01-02T20:15:00")
        assert len(found.rows) == 1
