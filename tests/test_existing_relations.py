"""Relations of models on existing tables: foreign keys, association tables, and what mapped classes call them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from facade import models
from facade.exceptions import ImproperlyConfigured
from facade.meta.registry import isolate_apps
from facade.models import DB_CASCADE, DB_SET_NULL, DO_NOTHING, Count
from tests.test_existing_tables import made


class Base(orm.DeclarativeBase):
    pass


book_tags = sa.Table(
    "book_tags",
    Base.metadata,
    sa.Column("book_id", sa.ForeignKey("books.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tags.id"), primary_key=True),
)


class AuthorORM(Base):
    __tablename__ = "authors"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(50), unique=True)
    books: orm.Mapped[list[BookORM]] = orm.relationship(
        back_populates="writer", foreign_keys="BookORM.author_id"
    )


class BookORM(Base):
    __tablename__ = "books"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(50))
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("authors.id", ondelete="CASCADE"))
    editor_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("authors.id", ondelete="SET NULL"))
    reviewer_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("authors.id"))
    sequel_of: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("books.id"))
    writer: orm.Mapped[AuthorORM] = orm.relationship(back_populates="books", foreign_keys=author_id)
    prequel: orm.Mapped[BookORM | None] = orm.relationship(remote_side=id, backref="sequels")
    tags: orm.Mapped[list[TagORM]] = orm.relationship(secondary=book_tags, back_populates="books")


class TagORM(Base):
    __tablename__ = "tags"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    word: orm.Mapped[str] = orm.mapped_column(sa.String(50))
    books: orm.Mapped[list[BookORM]] = orm.relationship(secondary=book_tags, back_populates="tags")


class CoverORM(Base):
    __tablename__ = "covers"
    book_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("books.id"), primary_key=True)
    colour: orm.Mapped[str] = orm.mapped_column(sa.String(50))


class Book(models.Model):  # before the models that it refers to
    class Meta:
        app_label = "shelf"
        table = BookORM


class Author(models.Model):
    class Meta:
        app_label = "shelf"
        table = AuthorORM


class Tag(models.Model):
    class Meta:
        app_label = "shelf"
        table = TagORM


class Cover(models.Model):
    class Meta:
        app_label = "shelf"
        table = CoverORM


@pytest.fixture
def shelf(database):
    engine = made(database, *Base.metadata.sorted_tables)
    yield engine
    engine.dispose()


def test_foreign_keys_are_relations_as_the_mapped_classes_call_them():
    found = {
        field.name: (type(field).__name__, field.attname, field.remote_field.on_delete, field.null)
        for field in Book._meta.fields
        if field.is_relation
    }
    assert found == {
        "writer": ("ForeignKey", "author_id", DB_CASCADE, False),
        "editor": ("ForeignKey", "editor_id", DB_SET_NULL, True),
        "reviewer": ("ForeignKey", "reviewer_id", DO_NOTHING, True),
        "prequel": ("ForeignKey", "sequel_of", DO_NOTHING, True),
    }
    cover = Cover._meta.pk
    assert (type(cover).__name__, cover.name, cover.attname) == ("OneToOneField", "book", "book_id")
    assert [field.name for field in Book._meta.fields] == [
        "id",
        "title",
        "writer",
        "editor",
        "reviewer",
        "prequel",
    ]


def test_relations_lead_both_ways(face, shelf):
    ada = face(Author.objects.create, name="Ada")
    first = face(Book.objects.create, title="One", writer=ada)
    second = face(Book.objects.create, title="Two", author_id=ada.pk, prequel=first, editor=ada)
    assert face(Book.objects.select_related("writer", "prequel").get, pk=second.pk).prequel.title == "One"
    assert face(Book.objects.filter(writer__name="Ada", prequel__title="One").get) == second
    assert face.list(ada.books.order_by("pk")) == [first, second]
    assert face.list(first.sequels.all()) == [second]
    assert face(Author.objects.filter(books__title="Two").get) == ada
    assert face.list(Author.objects.annotate(n=Count("books")).values_list("name", "n")) == [("Ada", 2)]
    face(Cover.objects.create, book=first, colour="red")
    found = face(Book.objects.select_related("cover").get, pk=first.pk)
    assert (found.cover.colour, found.cover.pk) == ("red", first.pk)
    with orm.Session(shelf) as session:
        assert session.get(BookORM, second.pk).prequel.writer.name == "Ada"


def test_prefetching(face, shelf, assert_queries):
    ada = face(Author.objects.create, name="Ada")
    for title in ("One", "Two"):
        face(Book.objects.create, title=title, writer=ada)
    with assert_queries(2):
        (author,) = face.list(Author.objects.prefetch_related("books"))
        assert sorted(book.title for book in author.books.all()) == ["One", "Two"]


def test_the_database_deletes_what_its_constraints_say(face, shelf):
    ada, eve = (face(Author.objects.create, name=name) for name in ("Ada", "Eve"))
    face(Book.objects.create, title="One", writer=ada)
    book = face(Book.objects.create, title="Two", writer=eve, editor=ada)
    face(ada.delete)
    assert face.list(Book.objects.all()) == [book]
    face(book.refresh_from_db)
    assert book.editor_id is None


def test_association_tables_are_many_to_many(face, shelf):
    ada = face(Author.objects.create, name="Ada")
    book = face(Book.objects.create, title="One", writer=ada)
    red, blue = (face(Tag.objects.create, word=word) for word in ("red", "blue"))
    face(book.tags.add, red, blue)
    face(book.tags.add, red)
    assert {tag.word for tag in face.list(book.tags.all())} == {"red", "blue"}
    assert face(Book.objects.filter(tags__word="red").get) == book
    assert face(Tag.objects.filter(books__writer__name="Ada").count) == 2
    with orm.Session(shelf) as session:
        row = session.get(BookORM, book.pk)
        assert {tag.word for tag in row.tags} == {"red", "blue"}
        row.tags.append(TagORM(word="green"))
        session.commit()
    assert face(book.tags.count) == 3
    face(book.tags.set, [red])
    assert face.list(red.books.all()) == [book]
    (found,) = face.list(Book.objects.prefetch_related("tags"))
    assert [tag.word for tag in found.tags.all()] == ["red"]
    face(book.tags.clear)
    assert face(book.tags.exists) is False
    face(red.books.add, book)
    face(red.delete)
    face(book.delete)
    assert face(Tag.objects.count) == 2


def plain_tables():
    metadata = sa.MetaData()
    people = sa.Table(
        "people", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20))
    )
    cities = sa.Table(
        "cities",
        metadata,
        sa.Column("code", sa.String(3), primary_key=True),
        sa.Column("mayor_id", sa.ForeignKey("people.id")),
        sa.Column("founder", sa.ForeignKey("people.id")),
    )
    friends = sa.Table(
        "friends",
        metadata,
        sa.Column("one", sa.ForeignKey("people.id")),
        sa.Column("other", sa.ForeignKey("people.id")),
    )
    visits = sa.Table(
        "visits",
        metadata,
        sa.Column("person", sa.ForeignKey("people.id")),
        sa.Column("city", sa.ForeignKey("cities.code")),
    )
    return people, cities, friends, visits


def model(name, table, /, **attributes):
    meta = type("Meta", (), {"app_label": "plain", "table": table})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **attributes})


def test_tables_without_mapped_classes(face, database):
    people, cities, friends, visits = tables = plain_tables()
    made(database, *tables).dispose()
    with isolate_apps():
        city = model("City", cities)
        assert [field.name for field in city._meta.fields] == ["code", "mayor_id", "founder"]
        person = model(
            "Person",
            people,
            friends=models.ManyToManyField(
                "self", through=friends, through_fields=("one", "other"), symmetrical=True
            ),
            visited=models.ManyToManyField("City", through=visits, related_name="visitors"),
        )
        assert [field.name for field in city._meta.fields] == ["code", "mayor", "founder"]
        assert city._meta.get_field("founder").is_relation is False
        assert city.mayor.field.related_model is person
        ada, eve = (face(person.objects.create, name=name) for name in ("Ada", "Eve"))
        rome = face(city.objects.create, code="rom", mayor=ada, founder=eve.pk)
        for _ in range(2):
            face(ada.friends.add, eve)
            face(ada.visited.add, rome)
        assert database.count("friends") == 2
        assert database.count("visits") == 1
        assert face.list(eve.friends.all()) == [ada]
        assert face.list(rome.visitors.all()) == [ada]
        assert face.list(ada.city_set.all()) == [rome]


def test_a_declared_relation_stands_on_its_column(face, database):
    people, cities, *_ = tables = plain_tables()
    made(database, *tables).dispose()
    with isolate_apps():
        person = model("Person", people)
        city = model(
            "City",
            cities,
            founded_by=models.ForeignKey(
                "Person", models.CASCADE, db_column="founder", related_name="founded"
            ),
        )
        ada = face(person.objects.create, name="Ada")
        rome = face(city.objects.create, code="rom", founded_by=ada)
        assert (rome.founded_by_id, rome.founded_by) == (ada.pk, ada)
        assert face.list(ada.founded.all()) == [rome]
        assert {field.name for field in city._meta.fields} == {"code", "mayor", "founded_by"}
        face(ada.delete)
        assert face(city.objects.count) == 0


def test_an_association_table_that_does_not_fit_is_refused():
    people, cities, friends, _ = plain_tables()
    with isolate_apps():
        city = model("City", cities)
        with pytest.raises(
            ImproperlyConfigured, match="has 2 foreign keys to Person and 0 to City. Name the two columns"
        ):
            model("Person", people, visited=models.ManyToManyField(city, through=friends))
    with (
        isolate_apps(),
        pytest.raises(ImproperlyConfigured, match="no column 'nowhere'. Columns: one, other"),
    ):
        model(
            "Person",
            people,
            friends=models.ManyToManyField("self", through=friends, through_fields=("one", "nowhere")),
        )


def test_of_several_keys_to_one_model_only_those_with_a_name_are_seen_from_there():
    names = {field.name: field.remote_field.related_name for field in Book._meta.fields if field.is_relation}
    assert names == {"writer": "books", "editor": "+", "reviewer": "+", "prequel": "sequels"}
    assert not hasattr(Author, "book_set")


def test_a_model_of_ones_own_on_the_association_table(face, database):
    class Registry(orm.DeclarativeBase):
        pass

    between = sa.Table(
        "enrolments",
        Registry.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pupil_id", sa.ForeignKey("pupils.id")),
        sa.Column("course_id", sa.ForeignKey("courses.id")),
        sa.Column("grade", sa.Integer),
    )

    class PupilORM(Registry):
        __tablename__ = "pupils"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        courses = orm.relationship("CourseORM", secondary=between, back_populates="pupils")

    class CourseORM(Registry):
        __tablename__ = "courses"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        pupils = orm.relationship("PupilORM", secondary=between, back_populates="courses")

    made(database, *Registry.metadata.sorted_tables).dispose()
    with isolate_apps():
        pupil, course, enrolment = (
            model("Pupil", PupilORM),
            model("Course", CourseORM),
            model("Enrolment", between),
        )
        ada, logic = face(pupil.objects.create), face(course.objects.create)
        face(ada.courses.add, logic, through_defaults={"grade": 1})
        assert face(enrolment.objects.get, pupil=ada).grade == 1
        assert face.list(logic.pupils.all()) == [ada]
        assert face(pupil.objects.filter(courses=logic, enrolment__grade=1).get) == ada


ABOUT_BOOKS = {
    "has": lambda word: BookORM.writer.has(AuthorORM.name == word),
    "has_by_keyword": lambda word: BookORM.writer.has(name=word),
    "any_over_an_association": lambda word: BookORM.tags.any(TagORM.word == word),
    "none_over_an_association": lambda word: ~BookORM.tags.any(TagORM.word == word),
    "any_of_the_same_table": lambda word: BookORM.sequels.any(BookORM.title == word),
    "has_one_of_the_same_table": lambda word: BookORM.prequel.has(title=word),
    "any_within_has": lambda word: BookORM.writer.has(AuthorORM.books.any(BookORM.title == word)),
    "none_at_all": lambda word: BookORM.prequel == None,  # noqa: E711
    "a_select": lambda word: sa.exists().where(AuthorORM.id == BookORM.editor_id, AuthorORM.name == word),
}


@pytest.mark.parametrize("condition", ABOUT_BOOKS.values(), ids=ABOUT_BOOKS)
def test_conditions_of_relationships_find_what_sessions_find(face, shelf, condition):
    with orm.Session(shelf) as session:
        ada, bob = AuthorORM(name="Ada"), AuthorORM(name="Bob")
        one = BookORM(title="One", writer=ada, tags=[TagORM(word="Ada"), TagORM(word="Two")])
        session.add_all(
            [one, BookORM(title="Two", writer=bob, prequel=one), BookORM(title="Bob", writer=ada)]
        )
        session.flush()
        one.editor_id = bob.id
        session.commit()
        for word in ("Ada", "Bob", "One", "Two", "nobody"):
            wanted = session.scalars(sa.select(BookORM.id).where(condition(word)).order_by(BookORM.id)).all()
            found = Book.objects.filter(condition(word)).order_by("id").values_list("id", flat=True)
            assert face.list(found) == wanted, word
            inside = Book.objects.filter(pk__in=Book.objects.filter(condition(word))).order_by("id")
            assert face.list(inside.values_list("id", flat=True)) == wanted, word
            assert face(Book.objects.exclude(condition(word)).count) == 3 - len(wanted), word
