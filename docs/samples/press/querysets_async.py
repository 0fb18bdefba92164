"""The work of `press.querysets` for `async def` endpoints: the same querysets, awaited."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from facade.models import F
from press import models, querysets, schemas
from press.errors import NotThere
from press.schemas import Filters, NewOrder, NewTitle, Receipt, Statistics, TitleChanges, TitlePage


async def list_titles(session: AsyncSession, filters: Filters) -> TitlePage:
    found = querysets.matching(session, filters)
    return TitlePage(
        total=await found.acount(),
        titles=[querysets.line(row) async for row in querysets.on_page(found, filters)],
    )


async def get_title(session: AsyncSession, key: uuid.UUID) -> schemas.Title:
    try:
        return querysets.whole(await querysets.complete(session).aget(pk=key))
    except models.Title.DoesNotExist:
        raise NotThere("title", key) from None


async def create_title(session: AsyncSession, new: NewTitle) -> schemas.Title:
    authors = [author async for author in models.Author.objects.using(session).filter(pk__in=new.authors)]
    querysets.check_authors(new, authors)
    title = await models.Title.objects.using(session).acreate(
        imprint_code=new.imprint, **querysets.own_values(new)
    )
    await title.authors.aset(authors)
    await title.tags.aset(await _tags(session, new.tags))
    await models.Edition.objects.using(session).abulk_create(querysets.editions(title, new))
    return await get_title(session, title.pk)


async def _tags(session: AsyncSession, labels: list[str]) -> list[models.Tag]:
    tags = models.Tag.objects.using(session)
    return [(await tags.aget_or_create(label=label))[0] for label in labels]


async def change_title(session: AsyncSession, key: uuid.UUID, changes: TitleChanges) -> schemas.Title:
    try:
        title = await models.Title.objects.using(session).select_for_update().aget(pk=key)
    except models.Title.DoesNotExist:
        raise NotThere("title", key) from None
    values = changes.model_dump(exclude_none=True, exclude={"tags"})
    if values:
        for name, value in values.items():
            setattr(title, name, value)
        await title.asave(update_fields=list(values))
    if changes.tags is not None:
        await title.tags.aset(await _tags(session, changes.tags))
    return await get_title(session, key)


async def delete_title(session: AsyncSession, key: uuid.UUID) -> None:
    deleted, _ = await models.Title.objects.using(session).filter(pk=key).adelete()
    if not deleted:
        raise NotThere("title", key)


async def place_order(session: AsyncSession, new: NewOrder) -> Receipt:
    orders: list[models.Order] = []
    for wanted in new.lines:
        edition = models.Edition.objects.using(session).filter(pk=(wanted.title, wanted.number))
        if not await edition.aupdate(sold=F("sold") + wanted.copies):
            raise NotThere("edition", wanted.title, wanted.number)
        title = await models.Title.objects.using(session).aget(pk=wanted.title)
        orders.append(querysets.order(new, wanted, title.price))
    await models.Order.objects.using(session).abulk_create(orders)
    return querysets.receipt(orders)


async def statistics(session: AsyncSession) -> Statistics:
    return querysets.figures(
        [row async for row in querysets.imprints(session)],
        [row async for row in querysets.ranking(session)],
        [row async for row in querysets.days(session)],
    )
