"""What the tests of the admin show: models of all kinds of fields, and their views."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from functools import cache
from html import unescape

import httpx
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette_admin.auth import AdminUser, AuthProvider
from starlette_admin.exceptions import LoginFailed
from starlette_admin.fields import StringField

from facade import models
from facade.contrib.admin import Admin, InlineModelView, ModelView, action, row_action
from facade.db.connection import connections
from facade.exceptions import ValidationError
from facade.testing import CaptureQueriesContext

__all__ = ["Browser", "Chair", "Cinema", "Door", "Film", "Role", "Showing", "Tone", "application"]


class Cinema(models.Model):
    name = models.CharField(max_length=40, unique=True, help_text="As it is written above the door")
    founded = models.DateField(null=True, blank=True)

    class Meta:
        app_label = "tests"
        ordering = ("name",)

    def __str__(self):
        return self.name


class Tone(models.Model):
    word = models.CharField(max_length=20, primary_key=True)

    class Meta:
        app_label = "tests"

    def __str__(self):
        return self.word


class Film(models.Model):
    class Age(models.IntegerChoices):
        ALL = 0, "For all"
        ADULTS = 18, "Adults"

    title = models.CharField("name", max_length=30)
    cinema = models.ForeignKey(Cinema, on_delete=models.PROTECT, related_name="films")
    tones = models.ManyToManyField(Tone, blank=True)
    age = models.IntegerField(choices=Age, default=Age.ALL)
    minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    price = models.DecimalField(max_digits=5, decimal_places=2, default="9.50")
    score = models.FloatField(null=True, blank=True)
    seen = models.BooleanField(default=True)
    liked = models.BooleanField(null=True, blank=True)
    notes = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True)
    token = models.UUIDField(default=uuid.uuid4)
    begins = models.DateTimeField(null=True, blank=True)
    at = models.TimeField(null=True, blank=True)
    lasts = models.DurationField(null=True, blank=True)
    site = models.URLField(blank=True)
    poster = models.BinaryField(null=True, blank=True)
    code = models.SlugField(null=True, blank=True)
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "tests"
        constraints = (
            models.UniqueConstraint(fields=("title", "cinema"), name="film_once_a_cinema"),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="film_price_positive"),
        )

    def __str__(self):
        return f"{self.title} at {self.cinema.name}"

    def clean(self):
        if self.title == "Nothing":
            raise ValidationError("A film is something.")


class Role(models.Model):
    film = models.ForeignKey(Film, on_delete=models.CASCADE, related_name="roles")
    actor = models.CharField(max_length=20)
    fee = models.IntegerField(default=0)

    class Meta:
        app_label = "tests"
        unique_together = (("film", "actor"),)

    def __str__(self):
        return self.actor


class Showing(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    film = models.ForeignKey(
        Film, on_delete=models.CASCADE, related_name="showings", limit_choices_to={"seen": True}
    )

    class Meta:
        app_label = "tests"


class Chair(models.Model):
    pk = models.CompositePrimaryKey("line", "number")
    line = models.CharField(max_length=5)
    number = models.IntegerField()
    color = models.CharField(max_length=10, default="red")

    class Meta:
        app_label = "tests"


VISITS = sa.Table(
    "tests_visits", sa.MetaData(), sa.Column("who", sa.String(20)), sa.Column("times", sa.Integer)
)


class Visit(models.Model):
    class Meta:
        app_label = "cinema"
        table = VISITS


ALL = (Cinema, Tone, Film, Role, Showing, Chair)


class Roles(InlineModelView):
    model = Role
    fields = ["actor", "fee"]

    def can_delete(self, request):
        return "no-firing" not in request.headers


class FilmView(ModelView):
    fields = [
        *(
            "id",
            "title",
            "cinema",
            "tones",
            "age",
            "minutes",
            "price",
            "score",
            "seen",
            "liked",
            "notes",
            "facts",
        ),
        *("token", "begins", "at", "lasts", "site", "poster", "code", "made"),
        StringField(
            "where",
            read_only=True,
            getter=lambda request, obj: obj.cinema.name,
            exclude_from_create=True,
            exclude_from_edit=True,
        ),
    ]
    exclude_fields_from_list = ["notes", "facts", "token", "poster"]
    inlines = [Roles]
    select_related = ["cinema"]
    inline_editable_fields = ["minutes"]
    page_size = 3
    page_size_options = [3, 100]

    def can_create(self, request):
        return "no-creating" not in request.headers and super().can_create(request)

    @action(name="dearer", text="Dearer")
    async def dearer(self, request, selection):
        for film in await selection.rows():
            film.price += 1
            await film.asave()
            if film.title == "Psycho":
                raise ValidationError("Psycho costs what it costs.")

    @row_action(name="forget", text="Forget")
    async def forget(self, request, pk):
        film = await self.find_by_pk(request, pk)
        film.seen = False
        await film.asave()


class CinemaView(ModelView):
    fields = ["id", "name", "founded", "films"]
    search_fields = ["name", "films__title"]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.exclude(name="Secret") if "spy" not in request.headers else rows


class Door(AuthProvider):
    """Lets those in who know the word."""

    async def login(self, username, password, remember_me, request):
        if password != "open sesame":
            raise LoginFailed("Wrong name or password.")
        request.session["user"] = username

    async def authenticate(self, request):
        name = request.session.get("user")
        return AdminUser(name) if name else None

    async def logout(self, request):
        request.session.clear()


@cache
def application(**options):
    """An application with the admin of all models; tests share it, as its templates are compiled once."""
    admin = Admin(**({"local": True} | options))
    admin.add_view(CinemaView(Cinema))
    admin.add_view(FilmView(Film))
    for model in (Tone, Role, Showing, Chair, Visit):
        admin.add_view(ModelView(model))
    app = Starlette()
    admin.mount_to(app)
    return app


class Browser:
    """A client with a token against forged requests, which sees what a page says."""

    def __init__(self, app=None, raises=True, client=("127.0.0.1", 123), **options):
        transport = httpx.ASGITransport(app=app or application(), raise_app_exceptions=raises, client=client)
        self.client = httpx.AsyncClient(**{"transport": transport, "base_url": "http://localhost"} | options)
        self.queries = []

    async def get(self, path, **headers):
        with self._counting():
            return Page(await self.client.get(f"/admin/{path}", headers=headers))

    async def post(self, path, data, headers=None):
        if "starlette_admin_csrftoken" not in self.client.cookies:
            await self.client.get("/admin/tone/list")
        token = self.client.cookies["starlette_admin_csrftoken"]
        with self._counting():
            answer = await self.client.post(
                f"/admin/{path}", data=data, headers={"X-CSRFToken": token, **(headers or {})}
            )
        return Page(answer)

    @contextmanager
    def _counting(self):
        with CaptureQueriesContext(connections["default"]) as captured:
            yield
        self.queries = [query["statement"] for query in captured]

    @property
    def selects(self):
        return [sql for sql in self.queries if sql.lstrip("(").startswith("SELECT")]


class Page:
    """An answer, as a person reads it."""

    def __init__(self, answer):
        self.answer = answer
        self.status = answer.status_code
        self.html = answer.text

    @property
    def rows(self):
        """The keys of the rows of a list."""
        return [unescape(key) for key in re.findall(r'<tr data-sa-pk="([^"]*)"', self.html)]

    @property
    def errors(self):
        """What the form says about its fields, by field, and about the whole under an empty name."""
        found = re.findall(r'class="invalid-feedback" id="([^"]+)-error">([^<]*)<', self.html)
        whole = re.search(r'id="form-errors">(.*?)</div>\s*</div>', self.html, re.DOTALL)
        told = re.sub(r"<[^>]*>|\s+", " ", whole[1]).strip() if whole else ""
        return {"": unescape(told), **{name: unescape(text.strip()) for name, text in found}}

    @property
    def text(self):
        return " ".join(
            unescape(re.sub(r"<script.*?</script>|<[^>]*>", " ", self.html, flags=re.DOTALL)).split()
        )
