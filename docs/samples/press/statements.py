"""The endpoints' work in SQLAlchemy's way: `select()` and mapped objects in a Session."""

from __future__ import annotations

import decimal
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from press.errors import NotThere
from press.schemas import (
    DayFigures,
    Filters,
    ImprintFigures,
    NewOrder,
    NewTitle,
    RankedTitle,
    Receipt,
    Statistics,
    Title,
    TitleChanges,
    TitleLine,
    TitlePage,
)
from press.tables import AuthorORM, EditionORM, ImprintORM, OrderORM, TagORM, TitleORM, writing


def list_titles(session: Session, filters: Filters) -> TitlePage:
    """Return a page of the titles that meet the filters."""
    conditions = _conditions(filters)
    total = session.scalar(sa.select(sa.func.count()).select_from(TitleORM).where(*conditions))
    authors = (
        sa.select(sa.func.count())
        .select_from(writing)
        .where(writing.c.title_id == TitleORM.id)
        .scalar_subquery()
    )
    left = (
        sa.select(sa.func.coalesce(sa.func.sum(EditionORM.left), 0))
        .where(EditionORM.title_id == TitleORM.id)
        .scalar_subquery()
    )
    page = (
        sa.select(
            TitleORM.id,
            TitleORM.name,
            ImprintORM.name.label("imprint"),
            TitleORM.status,
            TitleORM.price,
            authors.label("authors"),
            left.label("copies_left"),
        )
        .join(TitleORM.imprint)
        .where(*conditions)
        .order_by(_order(filters.order), TitleORM.id)
        .limit(filters.size)
        .offset((filters.page - 1) * filters.size)
    )
    return TitlePage(
        total=total or 0, titles=[TitleLine.model_validate(row) for row in session.execute(page)]
    )


def _conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if filters.status:
        found.append(TitleORM.status.in_(filters.status))
    if filters.imprint is not None:
        found.append(TitleORM.imprint_code == filters.imprint)
    if filters.tag is not None:
        found.append(TitleORM.tags.any(TagORM.label == filters.tag))
    if filters.author is not None:
        found.append(TitleORM.authors.any(AuthorORM.email == filters.author))
    if filters.q is not None:
        found.append(
            TitleORM.name.icontains(filters.q, autoescape=True)
            | TitleORM.authors.any(AuthorORM.full_name.icontains(filters.q, autoescape=True))
        )
    if filters.feature is not None:
        found.append(TitleORM.features.has_key(filters.feature))
    if filters.cheaper_than is not None:
        found.append(TitleORM.price < filters.cheaper_than)
    if filters.announced_until is not None:
        found.append(TitleORM.announced_for <= filters.announced_until)
    return found


def _order(name: str) -> sa.ColumnElement[Any]:
    columns: dict[str, Any] = {
        "name": TitleORM.shelf_name,
        "price": TitleORM.price,
        "changed": TitleORM.changed,
    }
    column: sa.ColumnElement[Any] = columns[name.removeprefix("-")]
    return column.desc() if name.startswith("-") else column.asc()


def get_title(session: Session, key: uuid.UUID) -> Title:
    """Return a title with all that belongs to it."""
    wanted = (
        sa.select(TitleORM)
        .where(TitleORM.id == key)
        .options(
            joinedload(TitleORM.imprint),
            selectinload(TitleORM.authors),
            selectinload(TitleORM.tags),
            selectinload(TitleORM.editions),
        )
        .execution_options(populate_existing=True)
    )
    title = session.scalars(wanted).one_or_none()
    if title is None:
        raise NotThere("title", key)
    return Title.model_validate(title)


def create_title(session: Session, new: NewTitle) -> Title:
    """Store a title with its editions."""
    values = new.model_dump(exclude_none=True, exclude={"imprint", "authors", "tags", "editions"})
    title = TitleORM(
        imprint_code=new.imprint,
        authors=_authors(session, new.authors),
        tags=_tags(session, new.tags),
        editions=[EditionORM(**edition.model_dump(exclude_none=True)) for edition in new.editions],
        **values,
    )
    session.add(title)
    session.flush()
    return get_title(session, title.id)


def _authors(session: Session, keys: list[int]) -> list[AuthorORM]:
    found = session.scalars(sa.select(AuthorORM).where(AuthorORM.id.in_(keys))).all()
    missing = set(keys) - {author.id for author in found}
    if missing:
        raise NotThere("author", *sorted(missing))
    return list(found)


def _tags(session: Session, labels: list[str]) -> list[TagORM]:
    """Return the tags of these labels, in whatever case; make those that are not there."""
    known = session.scalars(sa.select(TagORM).where(TagORM.label.in_(labels)))
    tags = {tag.label.lower(): tag for tag in known}
    for label in labels:
        if label.lower() not in tags:
            tags[label.lower()] = TagORM(label=label)
    return list(tags.values())


def change_title(session: Session, key: uuid.UUID, changes: TitleChanges) -> Title:
    """Change what is given of a title."""
    title = session.get(TitleORM, key, with_for_update=True)
    if title is None:
        raise NotThere("title", key)
    for name, value in changes.model_dump(exclude_none=True, exclude={"tags"}).items():
        setattr(title, name, value)
    if changes.tags is not None:
        title.tags = _tags(session, changes.tags)
    session.flush()
    return get_title(session, key)


def delete_title(session: Session, key: uuid.UUID) -> None:
    """Delete a title with its editions and their orders."""
    title = session.get(TitleORM, key)
    if title is None:
        raise NotThere("title", key)
    session.delete(title)
    session.flush()


def place_order(session: Session, new: NewOrder) -> Receipt:
    """Sell copies of several editions. More than were printed is an `IntegrityError`, told by the database."""
    orders: list[OrderORM] = []
    for line in new.lines:
        sale = (
            sa.update(EditionORM)
            .where(EditionORM.title_id == line.title, EditionORM.number == line.number)
            .values(sold=EditionORM.sold + line.copies)
            .returning(EditionORM.number)
            .execution_options(synchronize_session=False)
        )
        if session.scalar(sale) is None:
            raise NotThere("edition", line.title, line.number)
        price = session.scalars(sa.select(TitleORM.price).where(TitleORM.id == line.title)).one()
        orders.append(
            OrderORM(
                title_id=line.title,
                number=line.number,
                shop=new.shop,
                copies=line.copies,
                amount=price * line.copies,
            )
        )
    session.add_all(orders)
    session.flush()
    return Receipt(
        orders=len(orders), amount=sum((order.amount for order in orders), start=decimal.Decimal())
    )


def statistics(session: Session) -> Statistics:
    """Return what was sold: by imprint, by title, and day by day."""
    return Statistics(imprints=_imprints(session), ranking=_ranking(session), days=_days(session))


def _imprints(session: Session) -> list[ImprintFigures]:
    titles = (
        sa.select(
            TitleORM.imprint_code,
            sa.func.count().label("titles"),
            sa.func.round(sa.func.avg(TitleORM.price), 2).label("mean_price"),
        )
        .group_by(TitleORM.imprint_code)
        .subquery()
    )
    sales = (
        sa.select(
            TitleORM.imprint_code,
            sa.func.sum(OrderORM.copies).label("copies"),
            sa.func.sum(OrderORM.amount).label("revenue"),
        )
        .join(OrderORM, OrderORM.title_id == TitleORM.id)
        .group_by(TitleORM.imprint_code)
        .subquery()
    )
    figures = (
        sa.select(
            ImprintORM.name.label("imprint"),
            sa.func.coalesce(titles.c.titles, 0).label("titles"),
            sa.func.coalesce(sales.c.copies, 0).label("copies"),
            sa.func.coalesce(sales.c.revenue, sa.literal_column("0.00", sa.Numeric())).label("revenue"),
            titles.c.mean_price,
        )
        .outerjoin(titles, titles.c.imprint_code == ImprintORM.code)
        .outerjoin(sales, sales.c.imprint_code == ImprintORM.code)
        .order_by(sa.desc("revenue"), ImprintORM.name)
    )
    return [ImprintFigures.model_validate(row) for row in session.execute(figures)]


def _ranking(session: Session) -> list[RankedTitle]:
    revenue = sa.func.sum(OrderORM.amount)
    place = sa.func.rank().over(partition_by=TitleORM.imprint_code, order_by=revenue.desc())
    ranking = (
        sa.select(
            TitleORM.name, ImprintORM.name.label("imprint"), revenue.label("revenue"), place.label("place")
        )
        .join(TitleORM.imprint)
        .join(OrderORM, OrderORM.title_id == TitleORM.id)
        .group_by(TitleORM.id, ImprintORM.code)
        .order_by(ImprintORM.name, "place", TitleORM.name)
    )
    return [RankedTitle.model_validate(row) for row in session.execute(ranking)]


def _days(session: Session) -> list[DayFigures]:
    day = sa.cast(sa.func.timezone("UTC", OrderORM.placed), sa.Date)
    daily = sa.select(day.label("day"), sa.func.sum(OrderORM.copies).label("copies")).group_by(day).subquery()
    days = sa.select(
        daily.c.day,
        daily.c.copies,
        sa.func.sum(daily.c.copies).over(order_by=daily.c.day).label("copies_so_far"),
    ).order_by(daily.c.day)
    return [DayFigures.model_validate(row) for row in session.execute(days)]
