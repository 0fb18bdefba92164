"""The endpoints' work in facade's way: querysets on the session of the request."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from facade.models import Avg, Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum, Window
from facade.models.functions import Coalesce, Rank, Round, TruncDate
from press import models, schemas, tables
from press.errors import NotThere
from press.schemas import Filters, NewOrder, NewTitle, Receipt, Statistics, TitleChanges, TitlePage

AnySession = Session | AsyncSession

FREE = decimal.Decimal("0.00")


def list_titles(session: Session, filters: Filters) -> TitlePage:
    """Return a page of the titles that meet the filters."""
    found = matching(session, filters)
    return TitlePage(total=found.count(), titles=[line(row) for row in on_page(found, filters)])


def matching(session: AnySession, filters: Filters) -> QuerySet[models.Title]:
    """Return the titles that meet the filters."""
    found = models.Title.objects.using(session)
    if filters.status:
        found = found.filter(status__in=filters.status)
    if filters.imprint is not None:
        found = found.filter(imprint=filters.imprint)
    if filters.tag is not None:
        found = found.filter(tags__label=filters.tag)
    if filters.author is not None:
        found = found.filter(authors__email=filters.author)
    if filters.q is not None:
        called = tables.AuthorORM.full_name.icontains(filters.q, autoescape=True)  # the hybrid's expression
        wrote = models.Author.objects.filter(called, titles=OuterRef("pk"))
        found = found.filter(Q(name__icontains=filters.q) | Exists(wrote))
    if filters.feature is not None:
        found = found.filter(features__has_key=filters.feature)
    if filters.cheaper_than is not None:
        found = found.filter(price__lt=filters.cheaper_than)
    if filters.announced_until is not None:
        found = found.filter(announced_for__lte=filters.announced_until)
    return found


def on_page(found: QuerySet[models.Title], filters: Filters) -> Any:
    """Return the rows of a page."""
    order = filters.order.replace("name", "shelf_name")
    start = (filters.page - 1) * filters.size
    authors = models.Author.objects.filter(titles=OuterRef("pk")).values("titles")
    stock = models.Edition.objects.filter(title=OuterRef("pk")).order_by().values("title")
    rows = found.annotate(
        imprint_name=F("imprint__name"),
        number_of_authors=Coalesce(Subquery(authors.annotate(number=Count("*")).values("number")), 0),
        copies_left=Coalesce(Subquery(stock.annotate(copies=Sum("left")).values("copies")), 0),
    )
    return rows.order_by(order, "id")[start : start + filters.size].values()


def line(row: dict[str, Any]) -> schemas.TitleLine:
    """Return what a list shows of a title."""
    return schemas.TitleLine.model_validate(
        {**row, "imprint": row["imprint_name"], "authors": row["number_of_authors"]}
    )


def get_title(session: Session, key: uuid.UUID) -> schemas.Title:
    """Return a title with all that belongs to it."""
    try:
        return whole(complete(session).get(pk=key))
    except models.Title.DoesNotExist:
        raise NotThere("title", key) from None


def complete(session: AnySession) -> QuerySet[models.Title]:
    """Return titles that bring along what belongs to them."""
    return (
        models.Title.objects.using(session)
        .select_related("imprint")
        .prefetch_related(
            Prefetch("authors", models.Author.objects.order_by("family_name")),
            Prefetch("tags", models.Tag.objects.order_by("label")),
            "editions",
        )
    )


def whole(title: models.Title) -> schemas.Title:
    """Return what is told of a title."""
    lists = {
        "authors": list(title.authors.all()),
        "tags": list(title.tags.all()),
        "editions": list(title.editions.all()),
    }
    own = {name: getattr(title, name) for name in schemas.Title.model_fields if name not in lists}
    return schemas.Title.model_validate({**own, **lists})


def create_title(session: Session, new: NewTitle) -> schemas.Title:
    """Store a title with its editions."""
    authors = models.Author.objects.using(session).filter(pk__in=new.authors)
    check_authors(new, authors)
    title = models.Title.objects.using(session).create(imprint_code=new.imprint, **own_values(new))
    title.authors.set(authors)
    title.tags.set(_tags(session, new.tags))
    models.Edition.objects.using(session).bulk_create(editions(title, new))
    return get_title(session, title.pk)


def own_values(new: NewTitle) -> dict[str, Any]:
    """Return what is stored in the title itself; what is left out has the columns' defaults."""
    return new.model_dump(exclude_none=True, exclude={"imprint", "authors", "tags", "editions"})


def editions(title: models.Title, new: NewTitle) -> list[models.Edition]:
    return [models.Edition(title=title, **edition.model_dump(exclude_none=True)) for edition in new.editions]


def check_authors(new: NewTitle, found: Iterable[models.Author]) -> None:
    missing = set(new.authors) - {author.pk for author in found}
    if missing:
        raise NotThere("author", *sorted(missing))


def _tags(session: Session, labels: list[str]) -> list[models.Tag]:
    """Return the tags of these labels, in whatever case; make those that are not there."""
    tags = models.Tag.objects.using(session)
    return [tags.get_or_create(label=label)[0] for label in labels]


def change_title(session: Session, key: uuid.UUID, changes: TitleChanges) -> schemas.Title:
    """Change what is given of a title."""
    try:
        title = models.Title.objects.using(session).select_for_update().get(pk=key)
    except models.Title.DoesNotExist:
        raise NotThere("title", key) from None
    values = changes.model_dump(exclude_none=True, exclude={"tags"})
    if values:
        for name, value in values.items():
            setattr(title, name, value)
        title.save(update_fields=list(values))
    if changes.tags is not None:
        title.tags.set(_tags(session, changes.tags))
    return get_title(session, key)


def delete_title(session: Session, key: uuid.UUID) -> None:
    """Delete a title with its editions and their orders."""
    deleted, _ = models.Title.objects.using(session).filter(pk=key).delete()
    if not deleted:
        raise NotThere("title", key)


def place_order(session: Session, new: NewOrder) -> Receipt:
    """Sell copies of several editions. More than were printed is an `IntegrityError`, told by the database."""
    orders: list[models.Order] = []
    for wanted in new.lines:
        edition = models.Edition.objects.using(session).filter(pk=(wanted.title, wanted.number))
        if not edition.update(sold=F("sold") + wanted.copies):
            raise NotThere("edition", wanted.title, wanted.number)
        title = models.Title.objects.using(session).get(pk=wanted.title)
        orders.append(order(new, wanted, title.price))
    models.Order.objects.using(session).bulk_create(orders)
    return receipt(orders)


def order(new: NewOrder, wanted: schemas.OrderLine, price: decimal.Decimal) -> models.Order:
    return models.Order(
        title_id=wanted.title,
        number=wanted.number,
        shop=new.shop,
        copies=wanted.copies,
        amount=price * wanted.copies,
    )


def receipt(orders: list[models.Order]) -> Receipt:
    return Receipt(orders=len(orders), amount=sum((one.amount for one in orders), start=decimal.Decimal()))


def statistics(session: Session) -> Statistics:
    """Return what was sold: by imprint, by title, and day by day."""
    return figures(imprints(session), ranking(session), days(session))


def figures(
    of_imprints: Iterable[dict[str, Any]],
    of_titles: Iterable[dict[str, Any]],
    of_days: Iterable[dict[str, Any]],
) -> Statistics:
    """Return the rows of the three querysets as they are told."""
    return Statistics.model_validate(
        {
            "imprints": [
                {**row, "imprint": row["name"], "titles": row["number_of_titles"]} for row in of_imprints
            ],
            "ranking": [{**row, "imprint": row["imprint__name"]} for row in of_titles],
            "days": [{**row, "copies": row["copies_that_day"]} for row in of_days],
        }
    )


def imprints(session: AnySession) -> Any:
    """Return what each imprint has sold."""
    orders = models.Order.objects.filter(title__imprint=OuterRef("pk")).values("title__imprint")
    return (
        models.Imprint.objects.using(session)
        .annotate(
            number_of_titles=Count("titles"),
            mean_price=Round(Avg("titles__price"), 2),
            copies=Coalesce(Subquery(orders.annotate(sum=Sum("copies")).values("sum")), 0),
            revenue=Coalesce(Subquery(orders.annotate(sum=Sum("amount")).values("sum")), FREE),
        )
        .order_by("-revenue", "name")
        .values("name", "number_of_titles", "mean_price", "copies", "revenue")
    )


def ranking(session: AnySession) -> Any:
    """Return the titles' places among those of their imprints."""
    return (
        models.Title.objects.using(session)
        .annotate(revenue=Sum("orders__amount"))
        .filter(revenue__isnull=False)
        .annotate(place=Window(Rank(), partition_by="imprint", order_by="-revenue"))
        .order_by("imprint__name", "place", "name")
        .values("name", "imprint__name", "revenue", "place")
    )


def days(session: AnySession) -> Any:
    """Return what was sold each day, and until its end."""
    return (
        models.Order.objects.using(session)
        .annotate(
            day=TruncDate("placed", tzinfo=dt.UTC),
            copies_that_day=Window(Sum("copies"), partition_by="day"),
            copies_so_far=Window(Sum("copies"), order_by="day"),
        )
        .order_by("day")
        .values("day", "copies_that_day", "copies_so_far")
        .distinct()
    )
