"""The rows that every case starts from; few, with NULLs, ties, and strings that LIKE and JSON have to escape."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal as D

TITLES = ["Alpha", "beta", "alpha", "100%", "under_score", "it's", "", "Ünïcode", "Alpha"]
DATA = [
    {"x": 1, "y": {"z": [1, 2, "a"]}}, {"x": "1", "k": None}, [1, "x", None], "x", None, 5, {"x": 1.5, "a.b": True},
    {}, {"x": None, "y": {"z": 3}},
]  # fmt: skip
MADE = ["2024-02-29T23:30", "2024-03-31T01:30", "2023-12-31T23:59:59.999999", None, "2020-10-25T00:30",
        "1999-01-01T00:00", "2024-02-29T23:30", None, "2024-07-15T12:00"]  # fmt: skip


def at(text, tz):
    return text and dt.datetime.fromisoformat(text).replace(tzinfo=tz)


def fill(ns, tz):
    """Store the rows with the models of either ORM."""
    ns.Country.objects.bulk_create(
        [
            ns.Country(code=c, name=n, population=p)
            for c, n, p in [("at", "Austria", 9), ("de", "Germany", 84), ("is", "Iceland", 0)]
        ]
    )
    _fill_authors(ns)
    for label, weight in [("sf", 1), ("crime", 2), ("Sff", 2), ("%", -1)]:
        ns.Tag.objects.create(label=label, weight=weight)
    _fill_books(ns, tz)
    _fill_notes(ns, tz)


def _fill_authors(ns):
    for i, (name, age, home, mentor) in enumerate(
        [
            ("Ada", 36, "at", None),
            ("Bob", None, "de", 1),
            ("ada", 36, None, 1),
            ("Cy_", 0, "at", 2),
            ("", 70, "is", None),
        ],
        1,
    ):
        born = None if i == 2 else dt.date(1950 + 13 * i, i, 28)
        ns.Author.objects.create(name=name, age=age, born=born, home_id=home, mentor_id=mentor)
    authors = list(ns.Author.objects.order_by("pk"))
    authors[0].friends.add(authors[1], authors[2])
    authors[0].follows.add(authors[3])
    authors[3].follows.add(authors[0], authors[3])
    ns.Profile.objects.create(author=authors[0], bio="first", score=1.5)
    ns.Profile.objects.create(author=authors[2], bio="", score=None)


def _fill_books(ns, tz):
    authors = list(ns.Author.objects.order_by("pk"))
    tags = list(ns.Tag.objects.order_by("pk"))
    for i, title in enumerate(TITLES):
        model = ns.EBook if i % 4 == 3 else ns.Book
        extra = {"size": i * 10, "format": "pdf" if i > 4 else "epub"} if model is ns.EBook else {}
        odd = i % 3 == 2
        book = model.objects.create(
            title=title, author=authors[i % 3], editor=authors[(i * 2) % 5] if i % 2 else None,
            n=[0, 1, 2, 3, -1, 5, 2, 7, 1][i], small=None if odd else i - 3, big=10**13 * (i % 2) + i, pages=None if i == 4 else i * 100,
            price=None if odd else D("1.10") * i, rating=[1.5, None, 0.1, 4.0, 2.5, None, 3.3, 4.0, -1.0][i],
            note=[None, "", "a note", "x%y", "tab\there", "\\", "note", "ÄÖ", None][i], flag=[True, False, None][i % 3],
            day=None if i == 5 else dt.date(2024, 1 + i % 3, 28), made=at(MADE[i], tz),
            at=None if odd else dt.time(i, 30, i, 5), took=None if i == 3 else dt.timedelta(days=i % 3, seconds=i, microseconds=i),
            code=uuid.UUID(int=i) if i % 2 else None, data=DATA[i], ip=[None, "10.0.0.1", "::1", "192.168.0.7"][i % 4], **extra,
        )  # fmt: skip
        book.tags.set(tags[: i % 4])


def _fill_notes(ns, tz):
    books, authors = list(ns.Book.objects.order_by("pk")), list(ns.Author.objects.order_by("pk"))
    for i in range(7):
        ns.Reading.objects.create(
            book=books[i % 4], author=authors[i % 5], stars=i % 4, finished=at(MADE[i], tz)
        )
    before = None
    for i in range(6):
        before = ns.Review.objects.create(
            book=None if i == 4 else books[i % 3], text=["good", "bad", "", "so so", "good", "it's"][i], stars=i % 4,
            reply_to=before if i % 2 else None,
        )  # fmt: skip
