"""Pony, which is sync alone; its PostgreSQL driver is psycopg2.

An entity's instance belongs to the ``db_session`` that loaded it, so what others do with loaded drafts is missing:
``save``, ``save_field``, ``delete_instance``; ``update``, ``update_f`` and ``update_many`` load what they set, as its
documentation has no statement for it. It has no savepoints for ``transaction`` and no cursor for ``stream``, and sends
one INSERT for each new object. Moments are naive on SQLite.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pony.orm import (
    Database,
    Optional,
    PrimaryKey,
    Required,
    Set,
    count,
    db_session,
    desc,
    exists,
    flush,
    left_join,
    max,
    select,
    sum,
)

from benchmarks.contenders import Absent, Contender
from benchmarks.contenders.bare import SQLITE_PRAGMAS
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road
from benchmarks.schema import WIDE_COLUMNS

db = Database()


def key() -> Any:
    return PrimaryKey(int, auto=True, size=64)


def text() -> Any:
    return Required(str, 200)


def number() -> Any:
    return Required(int, size=64)


def price() -> Any:
    return Required(Decimal, 10, 2)


class Author(db.Entity):
    id = key()
    name = text()
    email = text()
    born = Required(date)
    active = Required(bool)
    book_set = Set("Book", reverse="author")
    edited = Set("Book", reverse="editor")
    drafts = Set("Draft", reverse="author")
    edited_drafts = Set("Draft", reverse="editor")


class Tag(db.Entity):
    id = key()
    name = text()
    slug = text()
    books = Set("Book", table="book_tags", column="book_id")


class Book(db.Entity):
    id = key()
    title = text()
    isbn = text()
    price = price()
    pages = number()
    published = Required(date)
    created_at = Required(datetime, 6)
    in_print = Required(bool)
    author = Required(Author, reverse="book_set", column="author_id")
    editor = Optional(Author, reverse="edited", column="editor_id")
    tags = Set(Tag, table="book_tags", column="tag_id")
    review_set = Set("Review", reverse="book")

    @property
    def author_id(self) -> Any:
        return self.author.id

    @property
    def editor_id(self) -> Any:
        return self.editor and self.editor.id


class Draft(db.Entity):
    id = key()
    title = text()
    isbn = text()
    price = price()
    pages = number()
    published = Required(date)
    created_at = Required(datetime, 6)
    in_print = Required(bool)
    author = Required(Author, reverse="drafts", column="author_id")
    editor = Optional(Author, reverse="edited_drafts", column="editor_id")


class Review(db.Entity):
    id = key()
    book = Required(Book, reverse="review_set", column="book_id")
    stars = number()
    text = text()

    @property
    def book_id(self) -> Any:
        return self.book.id


FIELDS: dict[str, Callable[[], Any]] = {
    "pk": key,
    "int": number,
    "text": text,
    "bool": lambda: Required(bool),
    "decimal": price,
    "date": lambda: Required(date),
    "datetime": lambda: Required(datetime, 6),
}
Wide: Any = type(db.Entity)(
    "Wide",
    (db.Entity,),
    {name: FIELDS[kind]() for name, kind in WIDE_COLUMNS.items()} | {"__module__": __name__},
)
for entity in db.entities.values():
    entity._table_ = entity.__name__.lower()


@db.on_connect(provider="sqlite")
def set_pragmas(_database: Any, connection: Any) -> None:
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)


def page(author_id: int) -> Any:
    wanted = Book.select(lambda book: book.author.id == author_id and book.in_print)
    return wanted.order_by(lambda book: desc(book.created_at))


def books(count: int, *related: Any) -> Any:
    wanted = Book.select().order_by(Book.id)
    return (wanted.prefetch(*related) if related else wanted).limit(count)


def as_entity(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a draft under the names of its attributes, which the columns of foreign keys do not have."""
    names = {"author_id": "author", "editor_id": "editor"}
    return {names.get(name, name): value for name, value in values.items()}


class PonySync(Contender):
    def open(self) -> None:
        if self.road.vendor == "sqlite":
            db.bind(provider="sqlite", filename=self.place.name)
        else:
            db.bind(provider="postgres", **self.place.keywords())
        db.generate_mapping(create_tables=False)

    def close(self) -> None:
        db.disconnect()

    def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "insert" | "get_or_create":
                return as_entity(argument)
            case "inserts" | "insert_many":
                return [as_entity(values) for values in argument]
        return argument

    @db_session
    def get(self, key: int) -> Any:
        return Book[key]

    @db_session
    def get_wide(self, key: int) -> Any:
        return Wide[key]

    @db_session
    def page(self, author_id: int) -> Any:
        return list(page(author_id).limit(PAGE))

    @db_session
    def in_100(self, keys: list[int]) -> Any:
        return list(Book.select(lambda book: book.id in keys).order_by(Book.id))

    @db_session
    def complex_filter(self, slug: str) -> Any:
        wanted = left_join(
            book
            for book in Book
            for tag in book.tags
            if tag.slug == slug
            and (book.author.name.startswith("A") or book.editor.active)
            and not book.pages < 100
        )
        return list(wanted.order_by(Book.id).limit(50))

    @db_session
    def list_some(self, count: int) -> Any:
        return list(books(count))

    list_all = list_some

    @db_session
    def list_wide(self, count: int) -> Any:
        return list(Wide.select().order_by(Wide.id).limit(count))

    @db_session
    def values(self, count: int) -> Any:
        return [book.to_dict(only=LISTED) for book in books(count)]

    @db_session
    def values_list(self, count: int) -> Any:
        listed = select((book.id, book.title, book.price, book.published) for book in Book)
        return list(listed.order_by(1).limit(count))

    @db_session
    def select_related(self, count: int) -> Any:
        return list(books(count, Book.author))

    @db_session
    def prefetch_foreign(self, count: int) -> Any:
        return list(books(count, Book.review_set))

    @db_session
    def prefetch_many(self, count: int) -> Any:
        return list(books(count, Book.tags))

    @db_session
    def prefetch_nested(self, count: int) -> Any:
        return list(Author.select().order_by(Author.id).prefetch(Author.book_set, Book.tags).limit(count))

    @db_session
    def count(self, author_id: int) -> Any:
        return count(book for book in Book if book.author.id == author_id)

    @db_session
    def exists(self, author_id: int) -> Any:
        return exists(book for book in Book if book.author.id == author_id and book.pages > 1100)

    @db_session
    def aggregate(self, author_id: int) -> Any:
        wanted = ((count(b.id), sum(b.pages), max(b.price)) for b in Book if b.author.id == author_id)
        return select(wanted).first()

    @db_session
    def group_by(self, _: None) -> Any:
        return list(select((b.author.id, count(b.id), sum(b.pages)) for b in Book).order_by(1))

    @db_session
    def insert(self, values: dict[str, Any]) -> Any:
        return Draft(**values)

    @db_session
    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        for values in rows:
            Draft(**values)
            flush()

    @db_session
    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return [Draft(**values) for values in rows]

    @db_session
    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        Draft[key].price = price

    @db_session
    def update_f(self, start: int) -> Any:
        for draft in Draft.select(lambda draft: draft.id > start and draft.id <= start + 20):
            draft.pages += 1

    @db_session
    def update_many(self, _: int) -> Any:
        for draft in Draft.select():
            draft.pages = draft.id + 60

    @db_session
    def get_or_create(self, values: dict[str, Any]) -> Any:
        return Draft.get(isbn=values["isbn"]) or Draft(**values)

    @db_session
    def delete(self, key: int) -> Any:
        return Draft.select(lambda draft: draft.id == key).delete(bulk=True)

    @db_session
    def build(self, author_id: int) -> Any:
        return page(author_id)._construct_sql_and_arguments(limit=PAGE)[:2]


def contender(road: Road, place: Place) -> Contender:
    if road.face == "async":
        raise Absent("it has no async face")
    if road.vendor == "mariadb":
        raise Absent("written for SQLite and PostgreSQL")
    return PonySync(road, place)
