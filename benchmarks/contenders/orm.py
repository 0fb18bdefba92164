"""SQLAlchemy's ORM: declarative classes and a session per call; what was loaded before is added to the session."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Numeric,
    String,
    Table,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    contains_eager,
    declared_attr,
    mapped_column,
    relationship,
    selectinload,
    sessionmaker,
)
from sqlalchemy.orm.attributes import flag_modified

from benchmarks import schema
from benchmarks.contenders import Contender
from benchmarks.contenders.bare import CHUNK
from benchmarks.contenders.core import async_engine, compiled, sync_engine
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[Any] = {
        int: BigInteger,
        str: String(200),
        Decimal: Numeric(10, 2),
        datetime: DateTime(timezone=True),
    }


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    born: Mapped[date]
    active: Mapped[bool]
    book_set: Mapped[list[Book]] = relationship(foreign_keys="Book.author_id", overlaps="author")


class Volume:
    """The columns that ``book`` and ``draft`` have in common."""

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    isbn: Mapped[str]
    price: Mapped[Decimal]
    pages: Mapped[int]
    published: Mapped[date]
    created_at: Mapped[datetime]
    in_print: Mapped[bool]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    editor_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))

    @declared_attr
    def author(cls: Any) -> Mapped[Author]:  # noqa: N805
        return relationship(Author, foreign_keys=f"{cls.__name__}.author_id")

    @declared_attr
    def editor(cls: Any) -> Mapped[Author | None]:  # noqa: N805
        return relationship(Author, foreign_keys=f"{cls.__name__}.editor_id")


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    slug: Mapped[str]


book_tags = Table(
    "book_tags",
    Base.metadata,
    Column("id", BigInteger, primary_key=True),
    Column("book_id", ForeignKey("book.id"), nullable=False),
    Column("tag_id", ForeignKey("tag.id"), nullable=False),
)


class Book(Volume, Base):
    __tablename__ = "book"
    tags: Mapped[list[Tag]] = relationship(secondary=book_tags)
    review_set: Mapped[list[Review]] = relationship()


class Draft(Volume, Base):
    __tablename__ = "draft"


class Review(Base):
    __tablename__ = "review"
    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    stars: Mapped[int]
    text: Mapped[str]


class Event(Base):
    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    number: Mapped[int]
    happened_at: Mapped[datetime]


KINDS: dict[str, Any] = {
    "pk": int,
    "int": int,
    "text": str,
    "bool": bool,
    "decimal": Decimal,
    "date": date,
    "datetime": datetime,
}
Wide: Any = type(
    "Wide",
    (Base,),
    {
        "__tablename__": "wide",
        "__annotations__": {name: Mapped[KINDS[kind]] for name, kind in schema.WIDE_COLUMNS.items()},
        "id": mapped_column(primary_key=True),
    },
)
Editor = aliased(Author)


def page_statement(author_id: int) -> Any:
    wanted = select(Book).where(Book.author_id == author_id, Book.in_print)
    return wanted.order_by(Book.created_at.desc()).limit(PAGE)


def keys_statement(keys: list[int]) -> Any:
    return select(Book).where(Book.id.in_(keys)).order_by(Book.id)


def complex_statement(slug: str) -> Any:
    wanted = select(Book).join(Book.tags).join(Book.author).outerjoin(Book.editor.of_type(Editor))
    wanted = wanted.where(Tag.slug == slug, or_(Author.name.startswith("A"), Editor.active))
    return wanted.where(~(Book.pages < 100)).order_by(Book.id).limit(50)


def books_statement(count: int) -> Any:
    return select(Book).order_by(Book.id).limit(count)


def wides_statement(count: int) -> Any:
    return select(Wide).order_by(Wide.id).limit(count)


def listed_statement(count: int) -> Any:
    return select(*(getattr(Book, name) for name in LISTED)).order_by(Book.id).limit(count)


def events_statement() -> Any:
    return select(Event).order_by(Event.id).execution_options(yield_per=CHUNK)


def related_statement(count: int) -> Any:
    return select(Book).join(Book.author).options(contains_eager(Book.author)).order_by(Book.id).limit(count)


def reviewed_statement(count: int) -> Any:
    return select(Book).options(selectinload(Book.review_set)).order_by(Book.id).limit(count)


def tagged_statement(count: int) -> Any:
    return select(Book).options(selectinload(Book.tags)).order_by(Book.id).limit(count)


def authors_statement(count: int) -> Any:
    related = selectinload(Author.book_set).selectinload(Book.tags)
    return select(Author).options(related).order_by(Author.id).limit(count)


def count_statement(author_id: int) -> Any:
    return select(func.count()).select_from(Book).where(Book.author_id == author_id)


def exists_statement(author_id: int) -> Any:
    return select(exists().where(Book.author_id == author_id, Book.pages > 1100))


def aggregate_statement(author_id: int) -> Any:
    totals = func.count(Book.id), func.sum(Book.pages), func.max(Book.price)
    return select(*totals).where(Book.author_id == author_id)


def group_statement() -> Any:
    wanted = select(Book.author_id, func.count(Book.id), func.sum(Book.pages))
    return wanted.group_by(Book.author_id).order_by(Book.author_id)


def inserting() -> Any:
    """The bulk insert that gives the instances, in the rows' order; rows with nulls go with the others."""
    wanted = insert(Draft).returning(Draft, sort_by_parameter_order=True)
    return wanted.execution_options(render_nulls=True)


def _alone(statement: Any) -> Any:
    """A statement for a session that has no instances to bring up to date."""
    return statement.execution_options(synchronize_session=False)


def price_statement(key: int, price: Decimal) -> Any:
    return _alone(update(Draft).where(Draft.id == key).values(price=price))


def page_added_statement(key: int) -> Any:
    return _alone(update(Draft).where(Draft.id == key).values(pages=Draft.pages + 1))


def pages_added_statement(start: int) -> Any:
    some = update(Draft).where(Draft.id > start, Draft.id <= start + 20)
    return _alone(some.values(pages=Draft.pages + 1))


def renumbered(drafts: list[Draft]) -> list[dict[str, int]]:
    """Set the drafts' pages; the keys and pages for the bulk update by primary key."""
    for draft in drafts:
        draft.pages = draft.id + 60
    return [{"id": draft.id, "pages": draft.pages} for draft in drafts]


def repriced(draft: Draft, price: Decimal) -> Draft:
    """The draft with its price set, and written even if it had that price already, as the others write it."""
    draft.price = price
    flag_modified(draft, "price")
    return draft


def delete_statement(key: int) -> Any:
    return _alone(delete(Draft).where(Draft.id == key))


def isbn_statement(isbn: str) -> Any:
    return select(Draft).where(Draft.isbn == isbn)


class OrmSync(Contender):
    def open(self) -> None:
        self.engine = sync_engine(self.road, self.place)
        self.session = sessionmaker(self.engine, expire_on_commit=False)

    def close(self) -> None:
        self.engine.dispose()

    def _all(self, statement: Any) -> Any:
        with self.session() as session:
            return list((session.scalars(statement)).all())

    def _rows(self, statement: Any) -> Any:
        with self.session() as session:
            return list((session.execute(statement)).all())

    def _write(self, statement: Any, values: Any = None) -> Any:
        with self.session.begin() as session:
            session.execute(statement, values)

    def _one(self, model: Any, key: int) -> Any:
        with self.session() as session:
            return session.get_one(model, key)

    def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return self._one(Draft, argument[0]), argument[1]
            case "delete_instance":
                return self._one(Draft, argument)
            case "update_many":
                return self._all(select(Draft).order_by(Draft.id))
        return argument

    def get(self, key: int) -> Any:
        return self._one(Book, key)

    def get_wide(self, key: int) -> Any:
        return self._one(Wide, key)

    def page(self, author_id: int) -> Any:
        return self._all(page_statement(author_id))

    def in_100(self, keys: list[int]) -> Any:
        return self._all(keys_statement(keys))

    def complex_filter(self, slug: str) -> Any:
        return self._all(complex_statement(slug))

    def list_some(self, count: int) -> Any:
        return self._all(books_statement(count))

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return self._all(wides_statement(count))

    def values(self, count: int) -> Any:
        with self.session() as session:
            return [dict(row) for row in (session.execute(listed_statement(count))).mappings()]

    def values_list(self, count: int) -> Any:
        return self._rows(listed_statement(count))

    def stream(self, _: None) -> Any:
        count = total = 0
        with self.session() as session:
            for event in session.scalars(events_statement()):
                count += 1
                total += event.number
        return count, total

    def select_related(self, count: int) -> Any:
        return self._all(related_statement(count))

    def prefetch_foreign(self, count: int) -> Any:
        return self._all(reviewed_statement(count))

    def prefetch_many(self, count: int) -> Any:
        return self._all(tagged_statement(count))

    def prefetch_nested(self, count: int) -> Any:
        return self._all(authors_statement(count))

    def count(self, author_id: int) -> Any:
        with self.session() as session:
            return session.scalar(count_statement(author_id))

    def exists(self, author_id: int) -> Any:
        with self.session() as session:
            return session.scalar(exists_statement(author_id))

    def aggregate(self, author_id: int) -> Any:
        return self._rows(aggregate_statement(author_id))

    def group_by(self, _: None) -> Any:
        return self._rows(group_statement())

    def insert(self, values: dict[str, Any]) -> Any:
        with self.session.begin() as session:
            draft = Draft(**values)
            session.add(draft)
        return draft

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        with self.session.begin() as session:
            for values in rows:
                session.add(Draft(**values))
                session.flush()

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        with self.session.begin() as session:
            return (session.scalars(inserting(), rows)).all()

    def save(self, change: tuple[Draft, Decimal]) -> Any:
        with self.session.begin() as session:
            session.add(repriced(*change))

    save_field = save  # a session writes what has changed, never more

    def update(self, change: tuple[int, Decimal]) -> Any:
        self._write(price_statement(*change))

    def update_f(self, start: int) -> Any:
        self._write(pages_added_statement(start))

    def update_many(self, drafts: list[Draft]) -> Any:
        self._write(update(Draft), renumbered(drafts))

    def get_or_create(self, values: dict[str, Any]) -> Any:
        with self.session.begin() as session:
            draft = session.scalar(isbn_statement(values["isbn"]))
            if draft is None:
                draft = Draft(**values)
                session.add(draft)
        return draft

    def delete(self, key: int) -> Any:
        self._write(delete_statement(key))

    def delete_instance(self, draft: Draft) -> Any:
        with self.session.begin() as session:
            session.delete(draft)

    def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        with self.session.begin() as session:
            session.add(Draft(**values))
            with session.begin_nested():
                session.execute(price_statement(key, price))
            with session.begin_nested():
                session.execute(page_added_statement(key))

    def build(self, author_id: int) -> Any:
        return compiled(self.engine, page_statement(author_id))


class OrmAsync(Contender):
    async def open(self) -> None:
        self.engine = async_engine(self.road, self.place)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False)

    async def close(self) -> None:
        await self.engine.dispose()

    async def _all(self, statement: Any) -> Any:
        async with self.session() as session:
            return list((await session.scalars(statement)).all())

    async def _rows(self, statement: Any) -> Any:
        async with self.session() as session:
            return list((await session.execute(statement)).all())

    async def _write(self, statement: Any, values: Any = None) -> Any:
        async with self.session.begin() as session:
            await session.execute(statement, values)

    async def _one(self, model: Any, key: int) -> Any:
        async with self.session() as session:
            return await session.get_one(model, key)

    async def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return await self._one(Draft, argument[0]), argument[1]
            case "delete_instance":
                return await self._one(Draft, argument)
            case "update_many":
                return await self._all(select(Draft).order_by(Draft.id))
        return argument

    async def get(self, key: int) -> Any:
        return await self._one(Book, key)

    async def get_wide(self, key: int) -> Any:
        return await self._one(Wide, key)

    async def page(self, author_id: int) -> Any:
        return await self._all(page_statement(author_id))

    async def in_100(self, keys: list[int]) -> Any:
        return await self._all(keys_statement(keys))

    async def complex_filter(self, slug: str) -> Any:
        return await self._all(complex_statement(slug))

    async def list_some(self, count: int) -> Any:
        return await self._all(books_statement(count))

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await self._all(wides_statement(count))

    async def values(self, count: int) -> Any:
        async with self.session() as session:
            return [dict(row) for row in (await session.execute(listed_statement(count))).mappings()]

    async def values_list(self, count: int) -> Any:
        return await self._rows(listed_statement(count))

    async def stream(self, _: None) -> Any:
        count = total = 0
        async with self.session() as session:
            async for event in await session.stream_scalars(events_statement()):
                count += 1
                total += event.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return await self._all(related_statement(count))

    async def prefetch_foreign(self, count: int) -> Any:
        return await self._all(reviewed_statement(count))

    async def prefetch_many(self, count: int) -> Any:
        return await self._all(tagged_statement(count))

    async def prefetch_nested(self, count: int) -> Any:
        return await self._all(authors_statement(count))

    async def count(self, author_id: int) -> Any:
        async with self.session() as session:
            return await session.scalar(count_statement(author_id))

    async def exists(self, author_id: int) -> Any:
        async with self.session() as session:
            return await session.scalar(exists_statement(author_id))

    async def aggregate(self, author_id: int) -> Any:
        return await self._rows(aggregate_statement(author_id))

    async def group_by(self, _: None) -> Any:
        return await self._rows(group_statement())

    async def insert(self, values: dict[str, Any]) -> Any:
        async with self.session.begin() as session:
            draft = Draft(**values)
            session.add(draft)
        return draft

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with self.session.begin() as session:
            for values in rows:
                session.add(Draft(**values))
                await session.flush()

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        async with self.session.begin() as session:
            return (await session.scalars(inserting(), rows)).all()

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        async with self.session.begin() as session:
            session.add(repriced(*change))

    save_field = save  # a session writes what has changed, never more

    async def update(self, change: tuple[int, Decimal]) -> Any:
        await self._write(price_statement(*change))

    async def update_f(self, start: int) -> Any:
        await self._write(pages_added_statement(start))

    async def update_many(self, drafts: list[Draft]) -> Any:
        await self._write(update(Draft), renumbered(drafts))

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        async with self.session.begin() as session:
            draft = await session.scalar(isbn_statement(values["isbn"]))
            if draft is None:
                draft = Draft(**values)
                session.add(draft)
        return draft

    async def delete(self, key: int) -> Any:
        await self._write(delete_statement(key))

    async def delete_instance(self, draft: Draft) -> Any:
        async with self.session.begin() as session:
            await session.delete(draft)

    async def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        async with self.session.begin() as session:
            session.add(Draft(**values))
            async with session.begin_nested():
                await session.execute(price_statement(key, price))
            async with session.begin_nested():
                await session.execute(page_added_statement(key))

    async def gets_10(self, keys: list[int]) -> Any:
        return await asyncio.gather(*[self.get(key) for key in keys])

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    return OrmSync(road, place) if road.face == "sync" else OrmAsync(road, place)
