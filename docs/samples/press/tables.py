"""The tables as the team has them: classes of SQLAlchemy's ORM, in a schema of their own, on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import CITEXT, ENUM, JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Status(enum.StrEnum):
    """How far a title has come."""

    DRAFT = "draft"
    ANNOUNCED = "announced"
    OUT = "out"
    OUT_OF_PRINT = "out of print"


class Binding(enum.StrEnum):
    """What an edition is like."""

    HARDBACK = "hardback"
    PAPERBACK = "paperback"
    EBOOK = "ebook"


def _values(kind: type[enum.StrEnum]) -> list[str]:
    return [member.value for member in kind]


def utcnow() -> dt.datetime:
    """Return the present."""
    return dt.datetime.now(dt.UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = sa.MetaData(schema="press", naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own
        dict[str, Any]: JSONB,
        dt.datetime: sa.DateTime(timezone=True),
        decimal.Decimal: sa.Numeric(10, 2),
    }


writing = sa.Table(
    "writing",
    Base.metadata,
    sa.Column("title_id", sa.ForeignKey("press.title.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("author_id", sa.ForeignKey("press.author.id"), primary_key=True),
)

labelling = sa.Table(
    "labelling",
    Base.metadata,
    sa.Column("title_id", sa.ForeignKey("press.title.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("press.tag.id"), primary_key=True),
)


class ImprintORM(Base):
    """A name that titles come out under."""

    __tablename__ = "imprint"

    code: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80), unique=True)

    titles: Mapped[list[TitleORM]] = relationship(back_populates="imprint")


class AuthorORM(Base):
    """Who writes."""

    __tablename__ = "author"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(CITEXT, unique=True)
    given_name: Mapped[str] = mapped_column(sa.String(80))
    family_name: Mapped[str] = mapped_column(sa.String(80), index=True)
    born: Mapped[dt.date | None]
    profile: Mapped[dict[str, Any]] = mapped_column(default=dict)
    joined: Mapped[dt.datetime] = mapped_column(server_default=sa.func.now())

    titles: Mapped[list[TitleORM]] = relationship(secondary=writing, back_populates="authors")

    @hybrid_property
    def full_name(self) -> str:
        """The name as it stands on covers."""
        return f"{self.given_name} {self.family_name}"

    @full_name.inplace.expression
    @classmethod
    def _full_name(cls) -> sa.ColumnElement[str]:
        return cls.given_name + " " + cls.family_name


class TagORM(Base):
    """What a title is about."""

    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(sa.SmallInteger, sa.Identity(), primary_key=True)
    label: Mapped[str] = mapped_column(CITEXT, unique=True)

    titles: Mapped[list[TitleORM]] = relationship(secondary=labelling, back_populates="tags")


class TitleORM(Base):
    """A book, whatever its editions."""

    __tablename__ = "title"
    __table_args__ = (
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sa.UniqueConstraint("imprint_code", "name"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    imprint_code: Mapped[str] = mapped_column(sa.ForeignKey("press.imprint.code"), index=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    status: Mapped[Status] = mapped_column(
        ENUM(Status, name="title_status", schema="press", values_callable=_values), default=Status.DRAFT
    )
    price: Mapped[decimal.Decimal] = mapped_column(default=decimal.Decimal("0.00"))
    pages: Mapped[int] = mapped_column(server_default=sa.text("0"))
    features: Mapped[dict[str, Any]] = mapped_column(default=dict)
    announced_for: Mapped[dt.datetime | None] = mapped_column(sa.DateTime())  # the clock of the fair's town
    created: Mapped[dt.datetime] = mapped_column(server_default=sa.func.now())
    changed: Mapped[dt.datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    shelf_name: Mapped[str] = mapped_column(
        sa.String(200), sa.Computed("lower(regexp_replace(name, '^(The|A|An) ', ''))", persisted=True)
    )

    imprint: Mapped[ImprintORM] = relationship(back_populates="titles")
    authors: Mapped[list[AuthorORM]] = relationship(
        secondary=writing, back_populates="titles", order_by=AuthorORM.family_name
    )
    tags: Mapped[list[TagORM]] = relationship(
        secondary=labelling, back_populates="titles", order_by=TagORM.label
    )
    editions: Mapped[list[EditionORM]] = relationship(
        back_populates="title", cascade="all, delete-orphan", order_by="EditionORM.number"
    )

    @hybrid_property
    def is_for_sale(self) -> bool:
        """Whether shops can order it."""
        return self.status == Status.OUT


class EditionORM(Base):
    """An edition, the number so and so of its title."""

    __tablename__ = "edition"
    __table_args__ = (sa.CheckConstraint("sold <= printed", name="no_more_than_printed"),)

    title_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("press.title.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    binding: Mapped[Binding] = mapped_column(
        ENUM(Binding, name="binding", schema="press", values_callable=_values)
    )
    isbn: Mapped[str] = mapped_column(sa.String(13), unique=True)
    printed: Mapped[int] = mapped_column(default=0)
    sold: Mapped[int] = mapped_column(default=0)
    left: Mapped[int] = mapped_column(sa.Computed("printed - sold", persisted=True))
    released: Mapped[dt.date | None]

    title: Mapped[TitleORM] = relationship(back_populates="editions")


class OrderORM(Base):
    """What a shop has ordered of one edition."""

    __tablename__ = "order"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["title_id", "number"], ["press.edition.title_id", "press.edition.number"], ondelete="CASCADE"
        ),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    title_id: Mapped[uuid.UUID]
    number: Mapped[int] = mapped_column(sa.SmallInteger)
    shop: Mapped[str] = mapped_column(sa.String(80))
    copies: Mapped[int]
    amount: Mapped[decimal.Decimal]
    placed: Mapped[dt.datetime] = mapped_column(server_default=sa.func.clock_timestamp())


def create(engine: sa.Engine) -> None:
    """Make the schema and its tables."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS citext"))
        connection.execute(sa.schema.CreateSchema("press", if_not_exists=True))
        Base.metadata.create_all(connection)
