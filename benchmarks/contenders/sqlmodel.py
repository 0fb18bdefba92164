"""SQLModel: pydantic models on SQLAlchemy's ORM, a session for each call.

- No get-or-create of its own: a query, then an insert. ``save`` writes what was changed, as the ORM does; a value that
  is set to itself would not be written, so the attribute is flagged.
- SQLite: moments come naive.
"""

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, delete, insert, update
from sqlalchemy.orm import aliased, contains_eager, selectinload
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import Field, Relationship, Session, SQLModel, col, exists, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from benchmarks.contenders import Contender
from benchmarks.contenders.bare import CHUNK
from benchmarks.contenders.core import async_engine, compiled, sync_engine
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road
from benchmarks.schema import WIDE_COLUMNS

KEY: dict[str, Any] = {"default": None, "primary_key": True, "sa_type": BigInteger}
DECIMAL: dict[str, Any] = {"max_digits": 10, "decimal_places": 2}
MOMENT: dict[str, Any] = {"sa_type": DateTime(timezone=True)}


class Author(SQLModel, table=True):
    __tablename__ = "author"
    id: int | None = Field(**KEY)
    name: str = Field(max_length=200)
    email: str = Field(max_length=200)
    born: date
    active: bool
    book_set: list["Book"] = Relationship(sa_relationship_kwargs={"foreign_keys": "Book.author_id"})


class BookTag(SQLModel, table=True):
    __tablename__ = "book_tags"
    id: int | None = Field(**KEY)
    book_id: int = Field(foreign_key="book.id", sa_type=BigInteger)
    tag_id: int = Field(foreign_key="tag.id", sa_type=BigInteger)


class Tag(SQLModel, table=True):
    __tablename__ = "tag"
    id: int | None = Field(**KEY)
    name: str = Field(max_length=200)
    slug: str = Field(max_length=200)


class Volume(SQLModel):
    """The columns that ``book`` and ``draft`` have in common."""

    title: str = Field(max_length=200)
    isbn: str = Field(max_length=200)
    price: Decimal = Field(**DECIMAL)
    pages: int = Field(sa_type=BigInteger)
    published: date
    created_at: datetime = Field(**MOMENT)
    in_print: bool
    author_id: int = Field(foreign_key="author.id", sa_type=BigInteger)
    editor_id: int | None = Field(default=None, foreign_key="author.id", sa_type=BigInteger)


class Book(Volume, table=True):
    __tablename__ = "book"
    id: int | None = Field(**KEY)
    author: Author = Relationship(
        sa_relationship_kwargs={"foreign_keys": "Book.author_id", "overlaps": "book_set"}
    )
    tags: list[Tag] = Relationship(link_model=BookTag)
    review_set: list["Review"] = Relationship()


class Draft(Volume, table=True):
    __tablename__ = "draft"
    id: int | None = Field(**KEY)


class Review(SQLModel, table=True):
    __tablename__ = "review"
    id: int | None = Field(**KEY)
    book_id: int = Field(foreign_key="book.id", sa_type=BigInteger)
    stars: int = Field(sa_type=BigInteger)
    text: str = Field(max_length=200)


class Event(SQLModel, table=True):
    __tablename__ = "event"
    id: int | None = Field(**KEY)
    kind: str = Field(max_length=200)
    number: int = Field(sa_type=BigInteger)
    happened_at: datetime = Field(**MOMENT)


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "pk": (int | None, KEY),
    "int": (int, {"sa_type": BigInteger}),
    "text": (str, {"max_length": 200}),
    "bool": (bool, {}),
    "decimal": (Decimal, DECIMAL),
    "date": (date, {}),
    "datetime": (datetime, MOMENT),
}
Wide: Any = type(SQLModel)(
    "Wide",
    (SQLModel,),
    {
        "__tablename__": "wide",
        "__module__": __name__,
        "__annotations__": {name: KINDS[kind][0] for name, kind in WIDE_COLUMNS.items()},
        **{name: Field(**KINDS[kind][1]) for name, kind in WIDE_COLUMNS.items()},
    },
    table=True,
)
Editor = aliased(Author)


def page(author_id: int) -> Any:
    wanted = select(Book).where(Book.author_id == author_id, Book.in_print)
    return wanted.order_by(col(Book.created_at).desc()).limit(PAGE)


def in_100(keys: list[int]) -> Any:
    return select(Book).where(col(Book.id).in_(keys)).order_by(Book.id)


def complex_filter(slug: str) -> Any:
    wanted = select(Book).join(Book.tags).join(Book.author).outerjoin(Editor, Editor.id == Book.editor_id)
    wanted = wanted.where(Tag.slug == slug, or_(col(Author.name).startswith("A"), Editor.active))
    return wanted.where(~(col(Book.pages) < 100)).order_by(Book.id).limit(50)


def books(count: int) -> Any:
    return select(Book).order_by(Book.id).limit(count)


def wides(count: int) -> Any:
    return select(Wide).order_by(Wide.id).limit(count)


def listed(count: int) -> Any:
    return select(*(getattr(Book, name) for name in LISTED)).order_by(Book.id).limit(count)


def events() -> Any:
    return select(Event).order_by(Event.id).execution_options(yield_per=CHUNK)


def with_author(count: int) -> Any:
    return select(Book).join(Book.author).options(contains_eager(Book.author)).order_by(Book.id).limit(count)


def with_reviews(count: int) -> Any:
    return select(Book).options(selectinload(Book.review_set)).order_by(Book.id).limit(count)


def with_tags(count: int) -> Any:
    return select(Book).options(selectinload(Book.tags)).order_by(Book.id).limit(count)


def with_books(count: int) -> Any:
    related = selectinload(Author.book_set).selectinload(Book.tags)
    return select(Author).options(related).order_by(Author.id).limit(count)


def counted(author_id: int) -> Any:
    return select(func.count()).select_from(Book).where(Book.author_id == author_id)


def existing(author_id: int) -> Any:
    return select(exists().where(Book.author_id == author_id, Book.pages > 1_100))


def totals(author_id: int) -> Any:
    found = select(func.count(Book.id), func.sum(Book.pages), func.max(Book.price))
    return found.where(Book.author_id == author_id)


def grouped() -> Any:
    found = select(Book.author_id, func.count(Book.id), func.sum(Book.pages))
    return found.group_by(Book.author_id).order_by(Book.author_id)


def by_isbn(isbn: str) -> Any:
    return select(Draft).where(Draft.isbn == isbn)


def alone(statement: Any) -> Any:
    """A statement for a session that has no instances to bring up to date."""
    return statement.execution_options(synchronize_session=False)


def priced(key: int, price: Decimal) -> Any:
    return alone(update(Draft).where(Draft.id == key).values(price=price))


def page_added(*conditions: Any) -> Any:
    return alone(update(Draft).where(*conditions).values(pages=Draft.pages + 1))


def inserting() -> Any:
    """The bulk insert that gives the instances, in the rows' order; rows with nulls go with the others."""
    wanted = insert(Draft).returning(Draft, sort_by_parameter_order=True)
    return wanted.execution_options(render_nulls=True)


def repriced(draft: Draft, price: Decimal) -> Draft:
    draft.price = price
    flag_modified(draft, "price")
    return draft


def renumbered(drafts: list[Draft]) -> list[dict[str, Any]]:
    """Set the drafts' pages; the keys and pages for the bulk update by primary key."""
    for draft in drafts:
        draft.pages = draft.id + 60
    return [{"id": draft.id, "pages": draft.pages} for draft in drafts]


def by_key(key: int) -> Any:
    return select(Draft).where(Draft.id == key)


class SQLModelSync(Contender):
    def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return self._one(by_key(key)), price
        if operation == "delete_instance":
            return self._one(by_key(argument))
        return self._all(select(Draft).order_by(Draft.id)) if operation == "update_many" else argument

    def open(self) -> None:
        self.engine = sync_engine(self.road, self.place)

    def close(self) -> None:
        self.engine.dispose()

    def _session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    def _all(self, statement: Any) -> Any:
        with self._session() as session:
            return list(session.exec(statement).all())

    def _one(self, statement: Any) -> Any:
        with self._session() as session:
            return session.exec(statement).one()

    def _write(self, statement: Any, rows: Any = None) -> Any:
        with self._session() as session:
            session.exec(statement, params=rows)
            session.commit()

    def get(self, key: int) -> Any:
        with self._session() as session:
            return session.get(Book, key)

    def get_wide(self, key: int) -> Any:
        with self._session() as session:
            return session.get(Wide, key)

    def page(self, author_id: int) -> Any:
        return self._all(page(author_id))

    def in_100(self, keys: list[int]) -> Any:
        return self._all(in_100(keys))

    def complex_filter(self, slug: str) -> Any:
        return self._all(complex_filter(slug))

    def list_some(self, count: int) -> Any:
        return self._all(books(count))

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return self._all(wides(count))

    def values(self, count: int) -> Any:
        with self._session() as session:
            return [dict(row) for row in session.exec(listed(count)).mappings()]

    def values_list(self, count: int) -> Any:
        return self._all(listed(count))

    def stream(self, _: None) -> Any:
        count = total = 0
        with self._session() as session:
            for event in session.exec(events()):
                count += 1
                total += event.number
        return count, total

    def select_related(self, count: int) -> Any:
        return self._all(with_author(count))

    def prefetch_foreign(self, count: int) -> Any:
        return self._all(with_reviews(count))

    def prefetch_many(self, count: int) -> Any:
        return self._all(with_tags(count))

    def prefetch_nested(self, count: int) -> Any:
        return self._all(with_books(count))

    def count(self, author_id: int) -> Any:
        return self._one(counted(author_id))

    def exists(self, author_id: int) -> Any:
        return self._one(existing(author_id))

    def aggregate(self, author_id: int) -> Any:
        return self._one(totals(author_id))

    def group_by(self, _: None) -> Any:
        return self._all(grouped())

    def insert(self, values: dict[str, Any]) -> Any:
        with self._session() as session:
            draft = Draft(**values)
            session.add(draft)
            session.commit()
        return draft

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        with self._session() as session:
            drafts = [Draft(**values) for values in rows]
            for draft in drafts:
                session.add(draft)
                session.flush()
            session.commit()
        return drafts

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        with self._session() as session:
            drafts = list(session.exec(inserting(), params=rows).scalars())
            session.commit()
        return drafts

    def save(self, change: tuple[Draft, Decimal]) -> Any:
        with self._session() as session:
            session.add(repriced(*change))
            session.commit()

    save_field = save  # a session writes what has changed, never more

    def update(self, change: tuple[int, Decimal]) -> Any:
        self._write(priced(*change))

    def update_f(self, start: int) -> Any:
        self._write(page_added(Draft.id > start, Draft.id <= start + 20))

    def update_many(self, drafts: list[Draft]) -> Any:
        self._write(update(Draft), renumbered(drafts))

    def get_or_create(self, values: dict[str, Any]) -> Any:
        with self._session() as session:
            draft = session.exec(by_isbn(values["isbn"])).first()
            if draft is None:
                draft = Draft(**values)
                session.add(draft)
                session.commit()
        return draft

    def delete(self, key: int) -> Any:
        self._write(alone(delete(Draft).where(Draft.id == key)))

    def delete_instance(self, draft: Draft) -> Any:
        with self._session() as session:
            session.delete(draft)
            session.commit()

    def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        with self._session() as session:
            session.add(Draft(**values))
            with session.begin_nested():
                session.exec(priced(key, price))
            with session.begin_nested():
                session.exec(page_added(Draft.id == key))
            session.commit()

    def build(self, author_id: int) -> Any:
        return compiled(self.engine, page(author_id))


class SQLModelAsync(Contender):
    async def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return await self._one(by_key(key)), price
        if operation == "delete_instance":
            return await self._one(by_key(argument))
        return await self._all(select(Draft).order_by(Draft.id)) if operation == "update_many" else argument

    async def open(self) -> None:
        self.engine = async_engine(self.road, self.place)

    async def close(self) -> None:
        await self.engine.dispose()

    def _session(self) -> AsyncSession:
        return AsyncSession(self.engine, expire_on_commit=False)

    async def _all(self, statement: Any) -> Any:
        async with self._session() as session:
            return list((await session.exec(statement)).all())

    async def _one(self, statement: Any) -> Any:
        async with self._session() as session:
            return (await session.exec(statement)).one()

    async def _write(self, statement: Any, rows: Any = None) -> Any:
        async with self._session() as session:
            await session.exec(statement, params=rows)
            await session.commit()

    async def get(self, key: int) -> Any:
        async with self._session() as session:
            return await session.get(Book, key)

    async def get_wide(self, key: int) -> Any:
        async with self._session() as session:
            return await session.get(Wide, key)

    async def page(self, author_id: int) -> Any:
        return await self._all(page(author_id))

    async def in_100(self, keys: list[int]) -> Any:
        return await self._all(in_100(keys))

    async def complex_filter(self, slug: str) -> Any:
        return await self._all(complex_filter(slug))

    async def list_some(self, count: int) -> Any:
        return await self._all(books(count))

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await self._all(wides(count))

    async def values(self, count: int) -> Any:
        async with self._session() as session:
            return [dict(row) for row in (await session.exec(listed(count))).mappings()]

    async def values_list(self, count: int) -> Any:
        return await self._all(listed(count))

    async def stream(self, _: None) -> Any:
        count = total = 0
        async with self._session() as session:
            async for event in await session.stream_scalars(events()):
                count += 1
                total += event.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return await self._all(with_author(count))

    async def prefetch_foreign(self, count: int) -> Any:
        return await self._all(with_reviews(count))

    async def prefetch_many(self, count: int) -> Any:
        return await self._all(with_tags(count))

    async def prefetch_nested(self, count: int) -> Any:
        return await self._all(with_books(count))

    async def count(self, author_id: int) -> Any:
        return await self._one(counted(author_id))

    async def exists(self, author_id: int) -> Any:
        return await self._one(existing(author_id))

    async def aggregate(self, author_id: int) -> Any:
        return await self._one(totals(author_id))

    async def group_by(self, _: None) -> Any:
        return await self._all(grouped())

    async def insert(self, values: dict[str, Any]) -> Any:
        async with self._session() as session:
            draft = Draft(**values)
            session.add(draft)
            await session.commit()
        return draft

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with self._session() as session:
            drafts = [Draft(**values) for values in rows]
            for draft in drafts:
                session.add(draft)
                await session.flush()
            await session.commit()
        return drafts

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        async with self._session() as session:
            drafts = list((await session.exec(inserting(), params=rows)).scalars())
            await session.commit()
        return drafts

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        async with self._session() as session:
            session.add(repriced(*change))
            await session.commit()

    save_field = save  # a session writes what has changed, never more

    async def update(self, change: tuple[int, Decimal]) -> Any:
        await self._write(priced(*change))

    async def update_f(self, start: int) -> Any:
        await self._write(page_added(Draft.id > start, Draft.id <= start + 20))

    async def update_many(self, drafts: list[Draft]) -> Any:
        await self._write(update(Draft), renumbered(drafts))

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        async with self._session() as session:
            draft = (await session.exec(by_isbn(values["isbn"]))).first()
            if draft is None:
                draft = Draft(**values)
                session.add(draft)
                await session.commit()
        return draft

    async def delete(self, key: int) -> Any:
        await self._write(alone(delete(Draft).where(Draft.id == key)))

    async def delete_instance(self, draft: Draft) -> Any:
        async with self._session() as session:
            await session.delete(draft)
            await session.commit()

    async def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        async with self._session() as session:
            session.add(Draft(**values))
            async with session.begin_nested():
                await session.exec(priced(key, price))
            async with session.begin_nested():
                await session.exec(page_added(Draft.id == key))
            await session.commit()

    async def gets_10(self, keys: list[int]) -> Any:
        return list(await asyncio.gather(*map(self.get, keys)))

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    return SQLModelSync(road, place) if road.face == "sync" else SQLModelAsync(road, place)
