"""Each line that ends with `# error` is a mistake that mypy and pyright find; with `# error: stubs`, after `facade stubs` only."""

from __future__ import annotations

import datetime as dt

from facade import models
from facade.models import Count
from shop.models import Author, Book, Tag
from shop.schemas import BookLine, BookOut, BookPatch, BookStruct


def attributes(author: Author, book: Book) -> None:
    print(author.nmae)  # error
    print(Author.nmae)  # error
    print(book.autor_id)  # error
    print(book.author.title)  # error
    print(book.translator.name)  # error
    print(book.place.z)  # error
    author.name = None  # error
    author.born = "yesterday"  # error
    book.stock = "many"  # error
    book.author = 3  # error
    book.author_id = "three"  # error
    book.title.nonsense()  # error
    book.get_gerne_display()  # error
    author.books.nonsense()  # error
    book.tags.append(Tag())  # error
    book.save(update_field=["title"])  # error
    year: int = author.born  # error
    name: int = author.name  # error
    book.pages() + year + name  # error


def declarations() -> None:
    models.CharField(max_lenght=3)  # error
    models.IntegerField(null="yes")  # error
    models.ForeignKey(Author, on_delete=3)  # error
    models.ManyToManyField(3)  # error


def constructors(author: Author) -> None:
    Author(nmae="Ada")  # error: stubs
    Author(name=None)  # error: stubs
    Author(name=3)  # error: stubs
    Book(author=Tag())  # error: stubs
    Book(author=None)  # error: stubs
    Book(author_id="three")  # error: stubs
    Author.objects.create(nmae="Ada")  # error: stubs
    Author.objects.create(born=3)  # error: stubs
    Book.objects.create(title="x", price=None)  # error: stubs
    Author.objects.get_or_create(nmae="Ada")  # error: stubs
    Author.objects.get_or_create(name="Ada", defaults={"brn": dt.date(2024, 1, 1)})  # error: stubs
    author.books.create(titel="x")  # error: stubs
    Book.objects.update(stok=3)  # error: stubs


def queries(author: Author) -> None:
    Author.objects.filter(nmae="Ada")  # error: stubs
    Author.objects.filter(name__startwith="A")  # error: stubs
    Author.objects.filter(name=3)  # error: stubs
    Author.objects.filter(born__year="old")  # error: stubs
    Author.objects.filter(born__isnull=3)  # error: stubs
    Author.objects.filter(id__in=3)  # error: stubs
    Author.objects.exclude(books__titel="x")  # error: stubs
    Book.objects.filter(author="Ada")  # error: stubs
    Book.objects.filter(author__nmae="Ada")  # error: stubs
    Book.objects.get(titel="x")  # error: stubs
    Book.objects.filter(stock=0).exclude(stok=1)  # error: stubs
    Book.objects.order_by("titel")  # error: stubs
    Book.objects.order_by("-stok", "title")  # error: stubs
    author.books.filter(titel="x")  # error: stubs
    author.books.order_by("titel")  # error: stubs
    Author.objects.filter(name="Ada").frist()  # error
    Author.objects.first().name  # error
    Book.objects.recent("today")  # error
    Author.objects.annotate(n=Count("books"))[0].n  # error
    Book.objects.in_bulk(field="title")  # error


def columns() -> None:
    name: str = Book.objects.values_list(Book.stock, flat=True)[0]  # error
    for title, price in Book.objects.values_list(Book.title, Book.stock):
        title.upper(), price.upper()  # error
    Author.nam >= "A"  # error
    name.nonsense()  # error


def schemas(book: Book) -> None:
    print(BookLine.from_instance(book).titel)  # error
    print(BookLine.from_instance(book).author.nmae)  # error
    BookLine.from_instance("book")  # error
    BookStruct(title=3)  # error
    BookStruct(titel="x", title="x")  # error
    print(BookOut.from_instance(book).titel)  # error
    print(BookPatch.from_instance(book).titel)  # error


async def awaited() -> None:
    Book.objects.aget(title="x").title  # error
    await Author.objects.aget(nmae="Ada")  # error: stubs
    await Author.objects.acreate(nmae="Ada")  # error: stubs
    await Author.objects.acount(3)  # error
    count: str = await Author.objects.acount()  # error
    print(count)
