"""SQLAlchemy's ORM: declarative classes and a session per call."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Numeric, String, Table, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    contains_eager,
    declared_attr,
    mapped_column,
    relationship,
    selectinload,
    sessionmaker,
)

from benchmarks.contenders import Contender
from benchmarks.contenders.core import async_engine, sync_engine
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


class Draft(Volume, Base):
    __tablename__ = "draft"


def page_statement(author_id: int) -> Any:
    wanted = select(Book).where(Book.author_id == author_id, Book.in_print)
    return wanted.order_by(Book.created_at.desc()).limit(PAGE)


def books_statement(count: int) -> Any:
    return select(Book).order_by(Book.id).limit(count)


def listed_statement(count: int) -> Any:
    return select(*(getattr(Book, name) for name in LISTED)).order_by(Book.id).limit(count)


def related_statement(count: int) -> Any:
    return select(Book).join(Book.author).options(contains_eager(Book.author)).order_by(Book.id).limit(count)


def tagged_statement(count: int) -> Any:
    return select(Book).options(selectinload(Book.tags)).order_by(Book.id).limit(count)


def authors_statement(count: int) -> Any:
    related = selectinload(Author.book_set).selectinload(Book.tags)
    return select(Author).options(related).order_by(Author.id).limit(count)


class OrmSync(Contender):
    def open(self) -> None:
        self.engine = sync_engine(self.road, self.place)
        self.session = sessionmaker(self.engine, expire_on_commit=False)

    def close(self) -> None:
        self.engine.dispose()

    def _all(self, statement: Any) -> Any:
        with self.session() as session:
            return list(session.scalars(statement).all())

    def get(self, key: int) -> Any:
        with self.session() as session:
            return session.get_one(Book, key)

    def page(self, author_id: int) -> Any:
        return self._all(page_statement(author_id))

    def list_some(self, count: int) -> Any:
        return self._all(books_statement(count))

    list_all = list_some

    def values_list(self, count: int) -> Any:
        with self.session() as session:
            return list(session.execute(listed_statement(count)).all())

    def select_related(self, count: int) -> Any:
        return self._all(related_statement(count))

    def prefetch_many(self, count: int) -> Any:
        return self._all(tagged_statement(count))

    def prefetch_nested(self, count: int) -> Any:
        return self._all(authors_statement(count))

    def insert(self, values: dict[str, Any]) -> Any:
        with self.session.begin() as session:
            draft = Draft(**values)
            session.add(draft)
        return draft

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        with self.session.begin() as session:
            drafts = [Draft(**values) for values in rows]
            session.add_all(drafts)
        return drafts

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        with self.session.begin() as session:
            session.execute(update(Draft).where(Draft.id == key).values(price=price))


class OrmAsync(Contender):
    async def open(self) -> None:
        self.engine = async_engine(self.road, self.place)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False)

    async def close(self) -> None:
        await self.engine.dispose()

    async def _all(self, statement: Any) -> Any:
        async with self.session() as session:
            return list((await session.scalars(statement)).all())

    async def get(self, key: int) -> Any:
        async with self.session() as session:
            return await session.get_one(Book, key)

    async def page(self, author_id: int) -> Any:
        return await self._all(page_statement(author_id))

    async def list_some(self, count: int) -> Any:
        return await self._all(books_statement(count))

    list_all = list_some

    async def values_list(self, count: int) -> Any:
        async with self.session() as session:
            return list((await session.execute(listed_statement(count))).all())

    async def select_related(self, count: int) -> Any:
        return await self._all(related_statement(count))

    async def prefetch_many(self, count: int) -> Any:
        return await self._all(tagged_statement(count))

    async def prefetch_nested(self, count: int) -> Any:
        return await self._all(authors_statement(count))

    async def insert(self, values: dict[str, Any]) -> Any:
        async with self.session.begin() as session:
            draft = Draft(**values)
            session.add(draft)
        return draft

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        async with self.session.begin() as session:
            drafts = [Draft(**values) for values in rows]
            session.add_all(drafts)
        return drafts

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        async with self.session.begin() as session:
            await session.execute(update(Draft).where(Draft.id == key).values(price=price))


def contender(road: Road, place: Place) -> Contender:
    return OrmSync(road, place) if road.face == "sync" else OrmAsync(road, place)
