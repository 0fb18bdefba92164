"""Models on tables that are there already: `Meta.table` is a Table, a mapped class, or the name of a table."""

# ruff: noqa: DTZ001 - columns without a zone hold clocks
from __future__ import annotations

import datetime as dt
import decimal
import enum
import pickle
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

import facade
from facade import models
from facade.exceptions import FieldError, ImproperlyConfigured, UnsupportedFeature, ValidationError
from facade.meta.registry import isolate_apps
from facade.models import Count, Exists, F, Max, OuterRef, Sum, Value
from facade.models.functions import ExtractHour, Now, TruncDay


class Base(orm.DeclarativeBase):
    pass


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Reversed(sa.types.TypeDecorator):
    """Texts that are stored the other way round."""

    impl = sa.String(20)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value if value is None else value[::-1]

    def process_result_value(self, value, dialect):
        return value if value is None else value[::-1]


class UserORM(Base):
    __tablename__ = "users"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    full_name: orm.Mapped[str] = orm.mapped_column("name", sa.String(50))
    age: orm.Mapped[int | None] = orm.mapped_column(sa.SmallInteger)
    visits: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, default=0)
    color: orm.Mapped[Color | None]
    secret: orm.Mapped[str | None] = orm.mapped_column(Reversed)
    price: orm.Mapped[decimal.Decimal | None] = orm.mapped_column(sa.Numeric(8, 2))
    ratio: orm.Mapped[float | None]
    active: orm.Mapped[bool] = orm.mapped_column(default=True)
    born: orm.Mapped[dt.date | None]
    clock: orm.Mapped[dt.datetime | None] = orm.mapped_column(sa.DateTime)
    moment: orm.Mapped[dt.datetime | None] = orm.mapped_column(sa.DateTime(timezone=True))
    wakes: orm.Mapped[dt.time | None]
    patience: orm.Mapped[dt.timedelta | None]
    data: orm.Mapped[dict | None] = orm.mapped_column(sa.JSON)
    blob: orm.Mapped[bytes | None]
    code: orm.Mapped[uuid.UUID] = orm.mapped_column(default=uuid.uuid4)
    label: orm.Mapped[str] = orm.column_property(sa.literal("user ") + full_name)


class User(models.Model):
    class Meta:
        app_label = "existing"
        table = UserORM


NOTES = sa.Table(
    "notes",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("level", sa.Integer, nullable=False, default=lambda: 3),
    sa.Column("made", sa.Integer, default=sa.literal(20) + 2),
    sa.Column("state", sa.String(10), server_default="new", nullable=False),
    sa.Column("changes", sa.Integer, default=0, onupdate=sa.literal_column("changes + 1")),
    sa.Column("touched", sa.String(10), onupdate=lambda: "touched"),
    sa.Column("twice", sa.Integer, sa.Computed("level * 2")),
    sa.Column("odd name", sa.Integer, key="odd"),
)


class Note(models.Model):
    text = models.CharField(max_length=20, verbose_name="what is noted")

    class Meta:
        app_label = "existing"
        table = NOTES


def made(database, *tables):
    """Create tables as the team does, by SQLAlchemy; return an engine beside facade's."""
    url = sa.make_url(database.url)
    drivers = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    engine = sa.create_engine(url.set(drivername=drivers[database.vendor]), poolclass=sa.NullPool)
    for table in tables:
        table.metadata.create_all(
            engine, tables=list(tables) if table.metadata is tables[0].metadata else [table]
        )
    return engine


@pytest.fixture
def users(database):
    engine = made(database, UserORM.__table__)
    yield engine
    engine.dispose()


@pytest.fixture
def notes(database):
    engine = made(database, NOTES)
    yield engine
    engine.dispose()


MOMENT = dt.datetime(2024, 3, 1, 12, 30, tzinfo=dt.UTC)
VALUES = {
    "full_name": "Ada",
    "age": 36,
    "visits": 2**40,
    "color": Color.BLUE,
    "secret": "abc",
    "price": decimal.Decimal("12.50"),
    "ratio": 0.5,
    "active": False,
    "born": dt.date(1815, 12, 10),
    "clock": dt.datetime(2024, 3, 1, 23, 45, 1),
    "moment": MOMENT,
    "wakes": dt.time(7, 15),
    "patience": dt.timedelta(days=1, seconds=5),
    "data": {"a": [1, None, "x"]},
    "blob": b"\x00\xff",
    "code": uuid.UUID(int=7),
}


# -- fields ---------------------------------------------------------------------------------------


def test_each_column_makes_a_field():
    kinds = {field.name: type(field).__name__ for field in User._meta.fields}
    assert kinds == {
        "id": "AutoField",
        "full_name": "CharField",
        "age": "SmallIntegerField",
        "visits": "BigIntegerField",
        "color": "TypedField",
        "secret": "TypedField",
        "price": "DecimalField",
        "ratio": "FloatField",
        "active": "BooleanField",
        "born": "DateField",
        "clock": "DateTimeField",
        "moment": "DateTimeField",
        "wakes": "TimeField",
        "patience": "DurationField",
        "data": "JSONField",
        "blob": "BinaryField",
        "code": "UUIDField",
    }
    name, price = User._meta.get_field("full_name"), User._meta.get_field("price")
    assert (name.column, name.max_length, name.null) == ("name", 50, False)
    assert (price.max_digits, price.decimal_places, price.null) == (8, 2, True)
    assert User._meta.pk.name == "id"


def test_the_table_is_the_given_one(database):
    assert User.__table__ is UserORM.__table__
    assert Note.__table__ is NOTES
    assert User.objects.filter(age=3).statement.get_final_froms() == [UserORM.__table__]


def test_a_declared_field_stands_beside_those_of_columns():
    text = Note._meta.get_field("text")
    assert (type(text).__name__, text.verbose_name) == ("CharField", "what is noted")
    assert [field.name for field in Note._meta.fields] == [column.key for column in NOTES.columns]
    assert Note._meta.get_field("odd").column == "odd name"


# -- values ----------------------------------------------------------------------------------------


def naive_where_no_zones_are(database, values):
    """Return values as SQLAlchemy's ORM reads them: of moments the clock, where the database has no zones."""
    if database.vendor != "postgresql":
        values = {**values, "moment": values["moment"].replace(tzinfo=None)}
    return values


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")
def test_the_orm_reads_what_facade_writes(face, database, users):
    user = face(User.objects.create, **VALUES)
    with orm.Session(users) as session:
        row = session.get(UserORM, user.pk)
        assert {name: getattr(row, name) for name in VALUES} == naive_where_no_zones_are(database, VALUES)


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")
def test_facade_reads_what_the_orm_writes(face, users):
    with orm.Session(users) as session:
        session.add(UserORM(**VALUES))
        session.commit()
    user = face(User.objects.get)
    assert {name: getattr(user, name) for name in VALUES} == VALUES
    assert face.list(User.objects.values(*VALUES)) == [VALUES]


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("name", [name for name in VALUES if name != "data"])
def test_each_value_finds_its_row(face, users, name):
    face(User.objects.create, **VALUES)
    face(User.objects.create, full_name="other")
    value = VALUES[name]
    assert face(User.objects.filter(**{name: value}).count) == 1
    assert face(User.objects.filter(**{f"{name}__in": [value]}).count) == 1
    if name != "code":
        assert face(User.objects.exclude(**{name: value}).count) == 1


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")
def test_rows_are_stored_and_changed_in_bulk(face, users, assert_queries):
    made = [User(**{**VALUES, "full_name": name, "code": uuid.uuid4()}) for name in "abc"]
    with assert_queries(1):
        face(User.objects.bulk_create, made)
    for user in made:
        user.color, user.moment, user.secret, user.data = (
            Color.RED,
            MOMENT + dt.timedelta(days=1),
            "zyx",
            {"b": 1},
        )
        user.clock, user.patience = None, dt.timedelta(3)
    with assert_queries(1):
        names = ["color", "moment", "secret", "data", "clock", "patience"]
        assert face(User.objects.bulk_update, made, names) == 3
    again = face.list(User.objects.order_by("pk"))
    assert [(one.full_name, one.color, one.secret, one.data) for one in again] == [
        (name, Color.RED, "zyx", {"b": 1}) for name in "abc"
    ]
    assert {(one.moment, one.clock, one.patience) for one in again} == {
        (MOMENT + dt.timedelta(days=1), None, dt.timedelta(3))
    }


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")
def test_save_update_and_delete(face, users, assert_queries):
    user = face(User.objects.create, **VALUES)
    user.color, user.data = None, None
    with assert_queries(1):
        face(user.save)
    with assert_queries(1):
        assert face(User.objects.filter(pk=user.pk).update, secret="new", color=Color.RED, moment=MOMENT) == 1
    face(user.refresh_from_db)
    assert (user.secret, user.color, user.data, user.moment) == ("new", Color.RED, None, MOMENT)
    assert face(User.objects.filter(data__isnull=True).count) == 1
    assert face(user.delete) == (1, {"existing.User": 1})


def test_documents_are_asked_about(face, users):
    face(User.objects.create, full_name="a", data={"tags": ["x"], "n": 5, "deep": {"k": None}})
    face(User.objects.create, full_name="b", data={"n": 4})
    for condition in (
        {"data__n": 5},
        {"data__n__gt": 4},
        {"data__tags__0": "x"},
        {"data": {"n": 5, "deep": {"k": None}, "tags": ["x"]}},
        {"data__has_key": "tags"},
        {"data__deep__k": None},
        {"data__in": [{"n": 5, "deep": {"k": None}, "tags": ["x"]}]},
    ):
        assert face(User.objects.filter(**condition).get).full_name == "a", condition
    assert face.list(User.objects.order_by("full_name").values_list("data__n", flat=True)) == [5, 4]
    assert face.list(User.objects.order_by("full_name").values_list("data__tags", flat=True)) == [["x"], None]


# -- clocks ----------------------------------------------------------------------------------------


def test_clocks_have_no_zone(face, users):
    late = dt.datetime(2024, 12, 31, 23, 30)
    face(User.objects.create, full_name="a", clock=late)
    assert face(User.objects.get, clock=late).clock == late
    zoned = User.objects.annotate(
        hour=ExtractHour("clock"), day=TruncDay("clock"), later=F("clock") + Value(dt.timedelta(hours=1))
    )
    for zone in ("UTC", "Asia/Tokyo"):
        with facade.timezone.override(zone):
            found = face(zoned.get)
            assert (found.hour, found.day) == (23, dt.datetime(2024, 12, 31))
            assert found.later == dt.datetime(2025, 1, 1, 0, 30)
            for condition in (
                {"clock__year": 2024},
                {"clock__date": late.date()},
                {"clock__hour": 23},
                {"clock__time": late.time()},
            ):
                assert face(User.objects.filter(**condition).count) == 1, condition
    assert face(User.objects.aggregate, m=Max("clock")) == {"m": late}


def test_a_moment_is_no_clock(users):
    for condition in (
        {"clock__lt": Now()},
        {"clock": F("moment")},
        {"moment__gt": F("clock") + Value(dt.timedelta(1))},
    ):
        with pytest.raises(UnsupportedFeature, match="compares a moment with a clock that has no time zone"):
            User.objects.filter(**condition).count()
    with pytest.raises(FieldError):
        list(User.objects.annotate(x=F("clock") - F("moment")))
    assert User.objects.filter(clock__lte=F("clock")).count() == 0
    with pytest.raises(ValueError, match="'clock' cannot hold .* without a time zone"):
        User.objects.filter(clock=MOMENT)


@pytest.mark.without("postgres", reason="it has a type for durations")
def test_intervals_are_not_computed_with_where_they_are_moments(face, users):
    face(User.objects.create, full_name="a", patience=dt.timedelta(2), visits=3)
    assert face(User.objects.filter(patience__gt=dt.timedelta(1)).count) == 1
    assert face(User.objects.aggregate, m=Max("patience")) == {"m": dt.timedelta(2)}
    day = Value(dt.timedelta(days=1))
    computed = (
        lambda: face.list(User.objects.annotate(x=F("patience") * 2)),
        lambda: face.list(User.objects.annotate(x=F("clock") + F("patience"))),
        lambda: face(User.objects.aggregate, m=Sum("patience")),
        lambda: face(User.objects.filter(patience__gt=F("visits") * day).count),
        lambda: face(User.objects.update, patience=F("visits") * day),
    )
    for compute in computed:
        with pytest.raises(UnsupportedFeature, match="moments after 1970"):
            compute()


# -- defaults --------------------------------------------------------------------------------------


def test_columns_fill_in_what_is_left_out(face, notes):
    note = face(Note.objects.create, text="a")
    assert (note.level, note.made, note.state, note.changes, note.touched, note.twice) == (
        3,
        22,
        "new",
        0,
        None,
        6,
    )
    with notes.connect() as connection:
        assert connection.execute(sa.select(NOTES.c.level, NOTES.c.made, NOTES.c.state)).all() == [
            (3, 22, "new")
        ]


def test_given_values_go_before_defaults(face, notes):
    note = face(Note.objects.create, text="a", level=1, made=2, state="old", changes=3)
    face(note.refresh_from_db)
    assert (note.level, note.made, note.state, note.changes, note.twice) == (1, 2, "old", 3, 2)


def test_defaults_in_bulk(face, notes):
    face(Note.objects.bulk_create, [Note(text="a"), Note(text="b")])
    face(Note.objects.bulk_create, [Note(text="c", made=1, state="old"), Note(text="d")])
    rows = face.list(Note.objects.order_by("text").values_list("level", "made", "state"))
    assert rows == [(3, 22, "new"), (3, 22, "new"), (3, 1, "old"), (3, 22, "new")]


def changed(face, note):
    row = face(Note.objects.get, pk=note.pk)
    return row.touched, row.changes


def test_every_update_does_what_the_columns_say(face, notes):
    note = face(Note.objects.create, text="a")
    face(note.save)
    assert (note.touched, note.changes) == changed(face, note) == ("touched", 1)
    face(Note.objects.update, touched=None)
    assert changed(face, note) == (None, 2)
    face(note.save, update_fields=["text"])
    assert changed(face, note) == ("touched", 3)
    face(Note.objects.filter(text="a").update, touched="x", changes=0)
    assert changed(face, note) == ("x", 0)
    face(Note.objects.update, text=F("text"))
    assert changed(face, note) == ("touched", 1)
    face(Note.objects.update, touched="x")
    note.text = Value("b")
    face(note.save)
    assert changed(face, note) == ("touched", 3)
    face(Note.objects.update, touched="x")
    note.text = "c"
    assert face(Note.objects.bulk_update, [note], ["text"]) == 1
    assert changed(face, note) == ("touched", 5)
    assert note.touched == "touched"


def test_computed_columns_are_not_written(face, notes):
    note = face(Note.objects.create, text="a", level=4)
    note.level = 5
    face(note.save)
    assert note.twice == 10
    with pytest.raises(FieldError, match="twice cannot be updated"):
        Note.objects.update(twice=3)


def test_an_onupdate_with_a_context_is_refused():
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("n", sa.Integer, onupdate=lambda context: context.get_current_parameters()["id"]),
    )
    with (
        isolate_apps(),
        pytest.raises(ImproperlyConfigured, match=r"the column t\.n has an onupdate .* context"),
    ):
        standing(table)


# -- what is refused -------------------------------------------------------------------------------


def standing(given, **meta):
    return type(
        "Standing",
        (models.Model,),
        {"__module__": __name__, "Meta": type("Meta", (), {"table": given, "app_label": "existing", **meta})},
    )


def small(*columns, **options):
    return sa.Table(
        "small", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns, **options
    )


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"db_table": "x"}, r"Meta\.db_table says what the table tells itself"),
        ({"managed": True}, "facade never creates"),
        ({"indexes": [models.Index(fields=["id"], name="i")]}, r"Meta\.indexes has 'i'"),
        ({"constraints": [models.UniqueConstraint(fields=["id"], name="u")]}, r"Meta\.constraints has 'u'"),
        ({"unique_together": [("id", "n")]}, "not unique"),
        ({"order_with_respect_to": "id"}, "order_with_respect_to"),
    ],
)
def test_options_that_a_table_does_not_follow_are_refused(meta, message):
    with isolate_apps(), pytest.raises(ImproperlyConfigured, match=message):
        standing(small(sa.Column("n", sa.Integer)), **meta)


def test_constraints_that_the_table_has_are_taken():
    table = small(sa.Column("n", sa.Integer), sa.UniqueConstraint("n", "id", name="u"), sa.Index("i", "n"))
    with isolate_apps():
        model = standing(
            table,
            constraints=[models.UniqueConstraint(fields=["n", "id"], name="u")],
            indexes=[models.Index(fields=["n"], name="i")],
        )
    assert model._meta.unique_together == (("n", "id"),)


@pytest.mark.parametrize("given", [3, sa.select(sa.literal(1)).subquery(), int])
def test_other_things_than_tables_are_refused(given):
    with isolate_apps(), pytest.raises(ImproperlyConfigured, match="is neither a Table, nor a mapped class"):
        standing(given)


def test_two_models_on_one_table_are_refused():
    table = small()
    with (
        isolate_apps(),
        pytest.raises(ImproperlyConfigured, match=r"existing\.Standing stands on 'small' already"),
    ):
        standing(table)
        type(
            "Second",
            (models.Model,),
            {"__module__": __name__, "Meta": type("Meta", (), {"table": table, "app_label": "existing"})},
        )


def test_fields_without_a_column_are_refused():
    with (
        isolate_apps(),
        pytest.raises(
            ImproperlyConfigured,
            match=r"'small' has no column 'nmae' for the field 'nmae'.*Columns: id, name",
        ),
    ):

        class Small(models.Model):
            nmae = models.CharField(max_length=3)

            class Meta:
                app_label = "existing"
                table = small(sa.Column("name", sa.String(3)))


def test_fields_of_other_values_are_refused():
    with (
        isolate_apps(),
        pytest.raises(
            ImproperlyConfigured, match="'n' is a UUIDField, and the column 'n' of the type Integer"
        ),
    ):

        class Small(models.Model):
            n = models.UUIDField()

            class Meta:
                app_label = "existing"
                table = small(sa.Column("n", sa.Integer))


def test_a_column_that_the_class_has_an_attribute_for_is_refused():
    with (
        isolate_apps(),
        pytest.raises(ImproperlyConfigured, match="would be the field 'n', and the class has an attribute"),
    ):

        class Small(models.Model):
            def n(self):
                return 1

            class Meta:
                app_label = "existing"
                table = small(sa.Column("n", sa.Integer))


def test_columns_that_python_or_models_call_otherwise_get_another_name():
    with isolate_apps():
        model = standing(
            small(
                *(
                    sa.Column(name, sa.Integer)
                    for name in ("class", "save", "a__b", "2nd", "pk", "objects", "x y_")
                )
            )
        )
    assert [field.name for field in model._meta.fields][1:] == [
        "class_field",
        "save_field",
        "a_b",
        "number_2nd",
        "pk_field",
        "objects_field",
        "x_y",
    ]


def test_subclasses_that_share_a_table_are_refused():
    class Registry(orm.DeclarativeBase):
        pass

    class Animal(Registry):
        __tablename__ = "animals"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        kind: orm.Mapped[str] = orm.mapped_column(sa.String(10))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    class Dog(Animal):
        __mapper_args__ = {"polymorphic_identity": "dog"}

    with isolate_apps():
        with pytest.raises(ImproperlyConfigured, match="Dog is one of several classes that share tables"):
            standing(Dog)
        assert standing(Animal)().kind == "animal"


def test_facade_neither_creates_nor_drops_the_table(face, database):
    face(facade.create_all, [Note])
    with pytest.raises(sa.exc.DBAPIError):
        face(Note.objects.count)
    assert "notes" not in facade.sql.tables.definitions.metadata().tables


# -- with everything else ----------------------------------------------------------------------------


def test_attributes_of_the_mapped_class_mean_the_models_columns(face, users):
    face(
        User.objects.bulk_create, [User(full_name=name, age=age) for name, age in (("Ada", 36), ("Bob", 20))]
    )
    older = User.objects.filter(UserORM.full_name.like("A%"), UserORM.age > 30).order_by(UserORM.age.desc())
    assert face(older.get).full_name == "Ada"
    assert face.list(User.objects.order_by(UserORM.full_name.desc()).values_list("full_name", flat=True)) == [
        "Bob",
        "Ada",
    ]
    with orm.Session(users) as session:
        found = session.execute(User.objects.filter(age=20).statement).all()
        assert [row.name for row in found] == ["Bob"]


def test_columns_with_another_name_than_their_attribute(face, notes):
    face(Note.objects.bulk_create, [Note(text=text, odd=odd) for text, odd in (("a", 1), ("b", 2), ("c", 2))])
    assert face.list(Note.objects.values("odd").annotate(n=Count("pk")).order_by("odd")) == [
        {"odd": 1, "n": 1},
        {"odd": 2, "n": 2},
    ]
    same = Note.objects.filter(odd=OuterRef("odd")).exclude(pk=OuterRef("pk"))
    assert face.list(Note.objects.filter(Exists(same)).order_by("text").values_list("text", flat=True)) == [
        "b",
        "c",
    ]
    both = Note.objects.filter(odd=1).union(Note.objects.filter(text="c")).order_by("odd")
    assert [note.text for note in face.list(both)] == ["a", "c"]
    assert face(Note.objects.filter(odd__in=[2]).update, odd=F("odd") + 1) == 2
    assert face(Note.objects.aggregate, m=Max("odd")) == {"m": 3}
    (note,) = face.list(Note.objects.filter(odd=1).only("text"))
    assert "odd" not in vars(note)
    face(note.fetch, "odd")
    assert note.odd == 1
    raw = Note.objects.raw("SELECT id, text FROM notes WHERE text = %s", ["a"])
    assert [one.text for one in face.list(raw)] == ["a"]
    assert (
        face.list(Note.objects.filter(odd=3).order_by("text").values_list("odd", "text", named=True))[0].odd
        == 3
    )


def test_instances_are_validated(face, notes):
    note = Note(text="x" * 30)
    with pytest.raises(ValidationError) as caught:
        face(note.full_clean)
    assert set(caught.value.message_dict) == {"text"}
    note.text = "x"
    face(note.full_clean)
    face(note.save)
    face(note.full_clean)


def test_declarations_are_without_fault():
    assert [message for model in (User, Note) for message in model.check()] == []


def test_instances_are_pickled(face, users):
    user = face(User.objects.create, full_name="Ada", color=Color.RED)
    again = pickle.loads(pickle.dumps(user))
    assert (again, again.color) == (user, Color.RED)


def test_ordinary_models_refer_to_existing_tables(face, users):
    with isolate_apps():

        class Member(models.Model):
            user = models.ForeignKey(User, models.CASCADE, related_name="+")

            class Meta:
                app_label = "existing"

        face(facade.create_all, [Member])
        user = face(User.objects.create, full_name="Ada")
        member = face(Member.objects.create, user=user)
        assert face(Member.objects.filter(user__full_name="Ada").get) == member
        with pytest.raises(sa.exc.IntegrityError):
            face(Member.objects.create, user_id=77)


def test_a_proxy_stands_on_the_same_table(face, users):
    with isolate_apps():

        class Adult(User):
            class Meta:
                app_label = "existing"
                proxy = True

        assert face(Adult.objects.create, full_name="Ada").full_name == "Ada"
        assert Adult.__table__ is UserORM.__table__
        assert face(User.objects.count) == 1
        with pytest.raises(ImproperlyConfigured, match="cannot inherit the columns of existing.User"):

            class Child(User):
                class Meta:
                    app_label = "existing"


def test_an_abstract_class_gives_each_child_its_own_table():
    with isolate_apps():

        class Stamped(models.Model):
            n = models.IntegerField(verbose_name="a number")

            class Meta:
                app_label = "existing"
                abstract = True

        found = []
        for name in ("First", "Second"):
            meta = type("Meta", (), {"app_label": "existing", "table": small(sa.Column("n", sa.Integer))})
            found.append(type(name, (Stamped,), {"__module__": __name__, "Meta": meta}))
        first, second = found
        assert first.__table__ is not second.__table__
        assert (
            first._meta.get_field("n").verbose_name == second._meta.get_field("n").verbose_name == "a number"
        )


def test_a_proxy_updates_and_refuses_as_its_model(face, notes):
    with isolate_apps():

        class Draft(Note):
            class Meta:
                app_label = "existing"
                proxy = True

        note = face(Draft.objects.create, text="a")
        face(Draft.objects.update, text="b")
        assert changed(face, note) == ("touched", 1)


def test_a_sequence_counts_the_key(face, database):
    metadata = sa.MetaData()
    table = sa.Table(
        "counted",
        metadata,
        sa.Column("id", sa.Integer, sa.Sequence("counted_seq", metadata=metadata), primary_key=True),
        sa.Column("n", sa.Integer),
    )
    engine = made(database, table)
    metadata.create_all(engine)
    with isolate_apps():
        model = standing(table)
        first, second = face(model.objects.create, n=1), face(model.objects.create, n=2)
        assert (first.pk, second.pk) == (1, 2)
        face(model.objects.bulk_create, [model(n=3), model(n=4)])
        assert sorted(face.list(model.objects.values_list("pk", flat=True))) == [1, 2, 3, 4]
    metadata.drop_all(engine)
