"""What type checkers know of querysets: their rows, and both faces of their methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from facade import models

if TYPE_CHECKING:
    from facade.models import QuerySet


class Reader(models.Model):
    name = models.CharField(max_length=20)
    age = models.IntegerField(null=True)


def rows() -> None:
    readers = Reader.objects.filter(age__gte=18)
    assert_type(readers.get(), Reader)
    assert_type(readers.first(), Reader | None)
    assert_type(readers.order_by("name")[0], Reader)
    assert_type(list(readers[:3]), list[Reader])
    for reader in readers.exclude(name="x"):
        assert_type(reader, Reader)
    assert_type(readers.count(), int)
    assert_type(readers.exists(), bool)
    assert_type(readers.in_bulk([1]), dict[Any, Reader])
    assert_type(readers.get_or_create(name="x"), tuple[Reader, bool])
    assert_type(readers.aggregate(), dict[str, Any])
    assert_type(readers.bulk_create([Reader()]), list[Reader])
    assert_type(readers.bulk_insert(iter([Reader()]), 100), int)
    assert_type(readers.delete(), tuple[int, dict[str, int]])


def values() -> None:
    assert_type(Reader.objects.values("name").get(), dict[str, Any])
    assert_type(Reader.objects.values_list(Reader.name, flat=True).get(), str)
    assert_type(Reader.objects.values_list(Reader.name).get(), tuple[str])
    assert_type(Reader.objects.values_list(Reader.name, Reader.age).get(), tuple[str, int | None])
    assert_type(list(Reader.objects.values_list(Reader.age, flat=True)), list[int | None])


async def awaited(readers: QuerySet[Reader]) -> None:
    assert_type(await readers, list[Reader])
    assert_type(await readers.aget(pk=1), Reader)
    assert_type(await readers.alast(), Reader | None)
    assert_type(await readers.acount(), int)
    assert_type(await readers.values_list(Reader.name, flat=True), list[str])
    assert_type([reader async for reader in readers], list[Reader])
    assert_type([reader async for reader in readers.aiterator()], list[Reader])
    assert_type(await readers.aget_or_create(name="x"), tuple[Reader, bool])
    assert_type(await readers.abulk_create([Reader()]), list[Reader])
    assert_type(await readers.abulk_insert(readers.aiterator(), 100), int)


def mistakes(readers: QuerySet[Reader]) -> None:
    readers.count(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    readers.in_bulk(field="name")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    name: int = readers.get().name  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    del name
