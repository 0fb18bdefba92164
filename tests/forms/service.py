"""The service of the guides: endpoints as they stand there, for a uvicorn of its own.

FORMS_URL=sqlite:///… uvicorn --factory tests.forms.service:create_app
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel, ConfigDict

import facade
from facade import aatomic, atomic, transaction
from facade.contrib import msgspec as structs
from facade.contrib.fastapi import (
    NumberedPage,
    PageByNumber,
    PageNumberPagination,
    QuerySetRoute,
    ViewSet,
    exception_handlers,
    query,
    viewset_router,
)
from facade.contrib.pydantic import Prefetched, schema_for
from facade.models import Avg, Count, F, Q
from tests.forms.models import Account, Article, Person

# -- schemas by hand, and those that are made of models ------------------------------------------------------------


class PersonOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str


class TagOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str


class ArticleOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    author: PersonOut
    tags: Prefetched[TagOut]


MadeOut = schema_for(Article, fields=["id", "title", "author__username", "tags__name"], name="MadeOut")
StructOut = structs.schema_for(Article, fields=["id", "title", "author__username"], name="StructOut")


class AuthorStruct(msgspec.Struct):
    id: int
    username: str


class ArticleStruct(msgspec.Struct):
    id: int
    title: str
    author: AuthorStruct


router = APIRouter(route_class=QuerySetRoute)


@asynccontextmanager
async def lifespan(app: FastAPI):
    facade.configure(DATABASES={"default": os.environ["FORMS_URL"]})
    yield
    await facade.close_all_async()


@router.get("/healthz")
async def healthz() -> dict[str, Any]:
    return await facade.ahealth_check()


# -- lists ----------------------------------------------------------------------------------------------------------


@router.get("/people")
async def list_people(page: int = 1, page_size: int = 20) -> dict[str, Any]:
    offset = (page - 1) * page_size
    total = await Person.objects.acount()
    people = []
    async for person in Person.objects.order_by("id")[offset : offset + page_size]:
        people.append({"id": person.id, "username": person.username})  # noqa: PERF401 - as the guides have it
    return {"items": people, "total": total, "pages": (total + page_size - 1) // page_size}


@router.get("/people/search")
async def search_people(q: str) -> list[str]:
    found = Person.objects.filter(Q(username__icontains=q) | Q(email__icontains=q))[:20]
    return [person.username async for person in found]


@router.get("/articles", response_model=list[ArticleOut])
async def list_articles() -> Any:
    return Article.objects.select_related("author").prefetch_related("tags").order_by("id")[:20]


@router.get("/articles-in-a-thread", response_model=list[ArticleOut])
def list_articles_in_a_thread() -> Any:
    return Article.objects.select_related("author").prefetch_related("tags").order_by("id")[:20]


@router.get("/articles-without-tags", response_model=list[ArticleOut])
async def list_too_little() -> Any:
    return Article.objects.select_related("author")[:20]


@router.get("/made", response_model=NumberedPage[MadeOut])
async def list_made(page: Annotated[PageByNumber, Depends(query(PageNumberPagination(size=4)))]) -> Any:
    return await page.apage(MadeOut.prefetched(Article.objects.order_by("id")))


@router.get("/articles/{key}", response_model=ArticleOut)
async def get_article(key: int) -> Any:
    return await Article.objects.select_related("author").prefetch_related("tags").aget(id=key)


# -- msgspec ----------------------------------------------------------------------------------------------------------


@router.get("/structs")
async def list_structs() -> Response:
    articles = await Article.objects.select_related("author").order_by("id")
    return Response(msgspec.json.encode(StructOut.from_instances(articles)), media_type="application/json")


@router.get("/structs/{key}")
async def get_struct(key: int) -> Response:
    article = await Article.objects.select_related("author").aget(id=key)
    found = msgspec.convert(article, ArticleStruct, from_attributes=True)
    return Response(msgspec.json.encode(found), media_type="application/json")


# -- figures and money ---------------------------------------------------------------------------------------------


@router.get("/stats")
async def article_stats() -> dict[str, Any]:
    return await Article.objects.aaggregate(
        total=Count("id"), published=Count("id", filter=Q(published=True)), avg_comments=Avg("comment_count")
    )


async def moved(payer: int, payee: int, amount: int) -> dict[str, bool]:
    await Account.objects.filter(id=payer).aupdate(balance=F("balance") - amount)
    await Account.objects.filter(id=payee).aupdate(balance=F("balance") + amount)
    if await Account.objects.filter(balance__lt=0).aexists():
        raise HTTPException(409, "Not enough.")
    return {"success": True}


def moved_in_sync_code(payer: int, payee: int, amount: int) -> dict[str, bool]:
    with transaction.atomic():
        source = Account.objects.select_for_update().get(id=payer)
        target = Account.objects.select_for_update().get(id=payee)
        source.balance -= amount
        target.balance += amount
        source.save()
        target.save()
        if source.balance < 0:
            raise HTTPException(409, "Not enough.")
    return {"success": True}


@router.post("/transfer/block")
async def transfer_in_a_block(payer: int, payee: int, amount: int) -> dict[str, bool]:
    async with aatomic():
        return await moved(payer, payee, amount)


@router.post("/transfer/decorated")
@atomic
async def transfer_decorated(payer: int, payee: int, amount: int) -> dict[str, bool]:
    return await moved(payer, payee, amount)


@router.post("/transfer/run")
async def transfer_run(payer: int, payee: int, amount: int) -> dict[str, bool]:
    return await facade.run(moved_in_sync_code, payer, payee, amount)


@router.post("/transfer/thread")
def transfer_in_a_thread(payer: int, payee: int, amount: int) -> dict[str, bool]:
    return moved_in_sync_code(payer, payee, amount)


# -- a queryset of the class ------------------------------------------------------------------------------------------


class ArticleViewSet(ViewSet):
    queryset = Article.objects.select_related("author").prefetch_related("tags").order_by("id")

    async def list(self):
        return [self.serialize(article) async for article in await self.get_queryset()]

    async def retrieve(self, pk: int):
        return self.serialize(await self.get_object(pk))

    def serialize(self, article):
        return {
            "title": article.title,
            "author": article.author.username,
            "tags": [tag.name for tag in article.tags.all()],
        }


def create_app() -> FastAPI:
    app = FastAPI(lifespan=lifespan, exception_handlers=exception_handlers())
    app.include_router(router)
    app.include_router(viewset_router(ArticleViewSet, "/views"))
    return app
