"""A corpus of querysets over models of its own, which every database should answer alike.

`QUERYSETS` has each as a function of `of`, which returns the queryset of all objects of a model: `of = lambda model: model.objects.all()`, or
one that says `using()` as well. Names begin with what they are about ("json: …"), so that a test may leave out what a database has not. All
orders are total, hence the rows of two databases, or of facade and Core, may be compared as they come.
"""

from __future__ import annotations

import datetime as dt
import decimal

from facade import models
from facade.models import (
    Avg,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    Max,
    Min,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from facade.models.functions import (
    Abs,
    Cast,
    Coalesce,
    Concat,
    ExtractMonth,
    ExtractYear,
    Greatest,
    Lag,
    Length,
    Lower,
    Mod,
    NullIf,
    Rank,
    Round,
    RowNumber,
    StrIndex,
    Substr,
    Trim,
    TruncMonth,
    Upper,
)


class Studio(models.Model):
    name = models.CharField(max_length=40)
    city = models.CharField(max_length=40, blank=True)


class Genre(models.Model):
    name = models.CharField(max_length=20, unique=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")


class Artist(models.Model):
    name = models.CharField(max_length=40)
    born = models.DateField(null=True)
    active = models.BooleanField(default=True)
    rating = models.FloatField(null=True)
    mentor = models.ForeignKey("self", models.SET_NULL, null=True, related_name="pupils")


class Album(models.Model):
    title = models.CharField(max_length=60)
    artist = models.ForeignKey(Artist, models.CASCADE, related_name="albums")
    studio = models.ForeignKey(Studio, models.SET_NULL, null=True, related_name="albums")
    genres = models.ManyToManyField(Genre, related_name="albums")
    released = models.DateField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    copies = models.IntegerField(default=0)
    notes = models.JSONField(null=True)


class Track(models.Model):
    album = models.ForeignKey(Album, models.CASCADE, related_name="tracks")
    number = models.SmallIntegerField()
    title = models.CharField(max_length=60)
    seconds = models.IntegerField(null=True)
    length = models.DurationField(null=True)
    recorded = models.DateTimeField(null=True)
    text = models.TextField(blank=True)


MODELS = (Studio, Genre, Artist, Album, Track, Album.genres.through)


def fill(using="default"):
    """Store the objects that the querysets are about; the tables of `MODELS` are there, and empty."""
    Studio.objects.using(using).bulk_create(
        [
            Studio(pk=1, name="Abbey", city="London"),
            Studio(pk=2, name="Hansa", city="Berlin"),
            Studio(pk=3, name="Shed"),
        ]
    )
    for level in ([("Rock", None), ("Folk", None)], [("Prog", 1), ("Punk", 1)], [("Art Punk", 4)]):
        first = Genre.objects.using(using).count() + 1
        Genre.objects.using(using).bulk_create(
            [
                Genre(pk=number, name=name, parent_id=parent)
                for number, (name, parent) in enumerate(level, first)
            ]
        )
    born = dt.date(1950, 2, 28), dt.date(1960, 2, 29), None, dt.date(1971, 12, 31)
    for number, name in enumerate(("Ada", "bob", "Cid", "Dée"), 1):
        Artist(
            pk=number,
            name=name,
            born=born[number - 1],
            active=number != 3,
            rating=None if number == 4 else number * 1.5,
            mentor_id=number - 1 or None,
        ).save(using=using, force_insert=True)
    notes = (
        {"label": "Odd", "sides": 2, "guests": ["Eve", "Max"], "tour": {"year": 1999, "sold": True}},
        {"label": "Even", "sides": 1, "guests": []},
        None,
        {"label": None, "tour": {"year": 2001, "sold": False}},
    )
    Album.objects.using(using).bulk_create(
        [
            Album(
                pk=number,
                title=f"{'Live ' if number % 3 == 0 else ''}Album {number}%",
                artist_id=1 + number % 3,
                studio_id=number % 4 or None,
                released=None if number % 5 == 0 else dt.date(1990 + number, 1 + number, number),
                price=decimal.Decimal(number * 25) / 10,
                copies=(number * 37) % 50,
                notes=notes[number % 4],
            )
            for number in range(1, 10)
        ]
    )
    Track.objects.using(using).bulk_create(
        [
            Track(
                pk=album * 10 + number,
                album_id=album,
                number=number,
                title=f"Track {number} of {album}" if number < 3 else " Coda ",
                seconds=None if number == 3 else album * 20 + number,
                length=None if number == 3 else dt.timedelta(minutes=album, milliseconds=number * 500),
                recorded=dt.datetime(2000 + album, number, 28, 23, 30, number, tzinfo=dt.UTC)
                if number < 3
                else None,
                text="la la" if number == 2 else "",
            )
            for album in range(1, 9)
            for number in range(1, 2 + album % 3)
        ]
    )
    Through = Album.genres.through
    Through.objects.using(using).bulk_create(
        [
            Through(pk=album * 10 + genre, album_id=album, genre_id=genre)
            for album in range(1, 9)
            for genre in range(1, 6)
            if (album + genre) % 3 == 0
        ]
    )


def _albums(of):
    return of(Album).order_by("id")


def _tracks_of(of):
    return of(Track).filter(album=OuterRef("pk")).order_by("number")


QUERYSETS = {
    # -- conditions
    "filter: all": _albums,
    "filter: exact and comparison": lambda of: _albums(of).filter(copies__gte=10, title="Album 2%"),
    "filter: range": lambda of: _albums(of).filter(
        price__range=(decimal.Decimal("5.00"), decimal.Decimal("15.00"))
    ),
    "filter: list": lambda of: _albums(of).filter(pk__in=[1, 3, 9, 77]),
    "filter: list of texts": lambda of: of(Artist).order_by("id").filter(name__in=["Ada", "Dée", "no"]),
    "filter: empty list": lambda of: _albums(of).filter(pk__in=[]),
    "filter: null": lambda of: _albums(of).filter(released__isnull=True),
    "filter: not null": lambda of: _albums(of).exclude(studio=None),
    "filter: boolean": lambda of: of(Artist).order_by("id").filter(active=True),
    "filter: contains a wildcard": lambda of: _albums(of).filter(title__contains="%"),
    "filter: startswith": lambda of: _albums(of).filter(title__startswith="Live"),
    "filter: iexact": lambda of: of(Artist).order_by("id").filter(name__iexact="BOB"),
    "filter: icontains": lambda of: _albums(of).filter(title__icontains="ALBUM"),
    "filter: two columns": lambda of: _albums(of).filter(copies__gt=F("id") * 3),
    "filter: decimals": lambda of: _albums(of).filter(price__gt=decimal.Decimal("12.5")),
    "filter: floats": lambda of: of(Artist).order_by("id").filter(rating__lt=4.0),
    "filter: over a relation": lambda of: _albums(of).filter(artist__name="Ada"),
    "filter: over two relations": lambda of: (
        of(Track).order_by("id").filter(album__artist__mentor__name="Ada")
    ),
    "filter: over a nullable relation": lambda of: _albums(of).filter(studio__city="London"),
    "filter: backwards": lambda of: of(Artist).order_by("id").filter(albums__price__gt=15).distinct(),
    "filter: many to many": lambda of: _albums(of).filter(genres__name="Punk"),
    "filter: two objects of a relation": lambda of: _albums(of).filter(genres__name="Rock", tracks__number=1),
    "filter: twice over a relation": lambda of: (
        _albums(of).filter(genres__name="Rock").filter(genres__name="Prog").distinct()
    ),
    "filter: to itself": lambda of: of(Genre).order_by("id").filter(parent__parent__name="Rock"),
    "filter: an object": lambda of: _albums(of).filter(artist=Artist(pk=2)),
    "q: or": lambda of: _albums(of).filter(Q(copies__lt=10) | Q(price__gt=20)),
    "q: or over a relation": lambda of: _albums(of).filter(Q(studio__name="Abbey") | Q(released=None)),
    "q: not": lambda of: _albums(of).filter(~Q(studio__name="Abbey")),
    "q: xor": lambda of: _albums(of).filter(Q(copies__lt=20) ^ Q(price__lt=10)),
    "q: nested": lambda of: _albums(of).filter(
        (Q(copies__lt=20) | ~Q(price__lt=10)) & ~(Q(released=None) | Q(artist__active=False))
    ),
    "exclude: comparison": lambda of: _albums(of).exclude(released__year__lt=1995),
    "exclude: nullable relation": lambda of: _albums(of).exclude(studio__city="London"),
    "exclude: backwards": lambda of: of(Artist).order_by("id").exclude(albums__price__gt=20),
    "exclude: many to many": lambda of: _albums(of).exclude(genres__name="Rock"),
    # -- values
    "annotate: arithmetic": lambda of: _albums(of).annotate(income=F("price") * F("copies")),
    "annotate: texts": lambda of: _albums(of).annotate(
        loud=Upper("title"),
        part=Substr("title", 1, 4),
        size=Length("title"),
        at=StrIndex("title", Value("um")),
    ),
    "annotate: concat": lambda of: _albums(of).annotate(
        by=Concat(F("title"), Value(" by "), F("artist__name"))
    ),
    "annotate: trim and lower": lambda of: (
        of(Track).order_by("id").annotate(bare=Lower(Trim("title"))).filter(bare="coda")
    ),
    "annotate: numbers": lambda of: _albums(of).annotate(
        rest=Mod("copies", 7), far=Abs(F("copies") - 25), whole=Round("price")
    ),
    "annotate: coalesce": lambda of: (
        of(Track).order_by("id").annotate(s=Coalesce("seconds", 0), n=NullIf("number", Value(1)))
    ),
    "annotate: greatest": lambda of: _albums(of).annotate(most=Greatest("copies", Length("title"))),
    "annotate: case": lambda of: _albums(of).annotate(
        kind=Case(
            When(price__lt=5, then=Value("cheap")), When(copies=0, then=Value("gone")), default=Value("other")
        )
    ),
    "annotate: cast": lambda of: _albums(of).annotate(words=Cast("copies", models.CharField(max_length=10))),
    "annotate: condition": lambda of: _albums(of).annotate(
        cheap=ExpressionWrapper(Q(price__lt=10), output_field=models.BooleanField())
    ),
    "annotate: over relations": lambda of: (
        of(Track).order_by("id").annotate(by=F("album__artist__name"), where=F("album__studio__city"))
    ),
    "annotate: filtered relation": lambda of: (
        of(Artist)
        .annotate(dear=FilteredRelation("albums", condition=Q(albums__price__gt=10)))
        .annotate(what=F("dear__title"))
        .order_by("id", "what")
    ),
    "annotate: then filter": lambda of: (
        _albums(of).annotate(income=F("price") * F("copies")).filter(income__gt=100)
    ),
    "values: some": lambda of: _albums(of).values_list("title", "price", "released"),
    "values: over relations": lambda of: _albums(of).values_list("title", "artist__name", "studio__name"),
    "values: dicts": lambda of: _albums(of).values("title", "copies"),
    "values: expressions": lambda of: _albums(of).values_list("id", Lower("title"), F("copies") + 1),
    # -- aggregates
    "aggregates: count": lambda of: of(Artist).order_by("id").annotate(n=Count("albums")),
    "aggregates: several": lambda of: (
        of(Artist)
        .order_by("id")
        .annotate(n=Count("albums"), cheapest=Min("albums__price"), sold=Sum("albums__copies"))
        .values_list("name", "n", "cheapest", "sold")
    ),
    "aggregates: distinct": lambda of: (
        of(Artist).order_by("id").annotate(n=Count("albums__studio", distinct=True)).values_list("name", "n")
    ),
    "aggregates: filtered": lambda of: (
        of(Artist)
        .order_by("id")
        .annotate(n=Count("albums", filter=Q(albums__price__gt=10)))
        .values_list("name", "n")
    ),
    "aggregates: groups": lambda of: (
        of(Album)
        .values("artist__name")
        .annotate(n=Count("id"), mean=Avg("copies"))
        .order_by("artist__name")
        .values_list("artist__name", "n", "mean")
    ),
    "aggregates: having": lambda of: (
        of(Artist).annotate(n=Count("albums")).filter(n__gte=3).order_by("-n", "id").values_list("name", "n")
    ),
    "aggregates: groups of a computed value": lambda of: (
        of(Album)
        .filter(released__isnull=False)
        .values(year=ExtractYear("released"))
        .annotate(n=Count("id"), last=Max("released"))
        .order_by("year")
    ),
    "aggregates: many to many": lambda of: (
        of(Genre)
        .annotate(n=Count("albums"), s=Sum("albums__copies"))
        .order_by("id")
        .values_list("name", "n", "s")
    ),
    "aggregates: of a computed value": lambda of: (
        of(Artist)
        .annotate(income=Sum(F("albums__price") * F("albums__copies")))
        .order_by("id")
        .values_list("id", "income")
    ),
    # -- queries in queries
    "subquery: in": lambda of: _albums(of).filter(artist__in=of(Artist).filter(active=False)),
    "subquery: in values": lambda of: _albums(of).filter(
        pk__in=of(Track).filter(seconds__gt=100).values("album")
    ),
    "subquery: exists": lambda of: _albums(of).filter(Exists(_tracks_of(of).filter(number=3))),
    "subquery: not exists": lambda of: _albums(of).filter(~Exists(_tracks_of(of))),
    "subquery: annotated exists": lambda of: (
        _albums(of).annotate(long=Exists(_tracks_of(of).filter(seconds__gt=100))).values_list("id", "long")
    ),
    "subquery: first": lambda of: (
        _albums(of).annotate(opener=Subquery(_tracks_of(of).values("title")[:1])).values_list("id", "opener")
    ),
    "subquery: aggregate": lambda of: (
        _albums(of)
        .annotate(
            total=Subquery(_tracks_of(of).order_by().values("album").annotate(s=Sum("seconds")).values("s"))
        )
        .values_list("id", "total")
    ),
    "subquery: compared": lambda of: _albums(of).filter(
        price__gt=Subquery(of(Album).filter(pk=4).values("price"))
    ),
    # -- windows
    "windows: row number": lambda of: (
        _albums(of)
        .annotate(place=Window(RowNumber(), partition_by="artist", order_by="-price"))
        .values_list("id", "place")
    ),
    "windows: running sum": lambda of: (
        _albums(of)
        .annotate(so_far=Window(Sum("copies"), partition_by="artist", order_by="id"))
        .values_list("id", "so_far")
    ),
    "windows: lag": lambda of: (
        _albums(of).annotate(before=Window(Lag("title"), order_by="id")).values_list("id", "before")
    ),
    "windows: filtered": lambda of: (
        _albums(of)
        .annotate(place=Window(Rank(), partition_by="artist", order_by="-price"))
        .filter(place=1)
        .values_list("id", "place")
    ),
    # -- sets
    "sets: union": lambda of: (
        of(Artist)
        .values_list("name")
        .union(of(Studio).values_list("name"), of(Genre).values_list("name"))
        .order_by("name")
    ),
    "sets: union all": lambda of: (
        of(Album)
        .filter(copies__lt=25)
        .values_list("id", "title")
        .union(of(Album).filter(price__lt=10).values_list("id", "title"), all=True)
        .order_by("id")
    ),
    "sets: intersection": lambda of: (
        of(Album)
        .filter(copies__lt=30)
        .values_list("id")
        .intersection(of(Album).filter(price__lt=15).values_list("id"))
        .order_by("id")
    ),
    "sets: difference": lambda of: (
        of(Album)
        .values_list("id")
        .difference(of(Album).filter(price__lt=15).values_list("id"))
        .order_by("id")
    ),
    "sets: sliced": lambda of: (
        of(Artist).values_list("name").union(of(Studio).values_list("name")).order_by("-name")[1:4]
    ),
    "sets: merged": lambda of: (
        of(Album).filter(copies__lt=10).order_by("id") | of(Album).filter(price__gt=20)
    ),
    # -- which rows, in which order
    "distinct: values": lambda of: of(Album).values_list("artist__name").distinct().order_by("artist__name"),
    "distinct: objects": lambda of: of(Album).filter(tracks__number__lt=3).distinct().order_by("id"),
    "slices: the first": lambda of: _albums(of)[:3],
    "slices: the middle": lambda of: of(Album).order_by("-price")[2:5],
    "slices: the rest": lambda of: _albums(of)[6:],
    "slices: in a list": lambda of: of(Track).filter(pk__in=of(Track).order_by("-id")[:50]).order_by("id"),
    "slices: none": lambda of: of(Album).none(),
    "order: relation": lambda of: of(Album).order_by("artist__name", "-copies", "id"),
    "order: nulls first": lambda of: of(Album).order_by(F("released").asc(nulls_first=True), "id"),
    "order: nulls last": lambda of: of(Album).order_by(F("released").desc(nulls_last=True), "-id"),
    "order: expression": lambda of: of(Album).order_by(Lower("title").desc()),
    "order: reversed": lambda of: of(Album).order_by("artist_id", "-id").reverse(),
    # -- which columns
    "columns: select related": lambda of: _albums(of).select_related("artist", "studio"),
    "columns: only": lambda of: _albums(of).only("title"),
    "columns: defer": lambda of: _albums(of).defer("notes", "price"),
    # -- dates and times
    "dates: year": lambda of: _albums(of).filter(released__year=1994),
    "dates: month range": lambda of: _albums(of).filter(released__month__gte=5, released__day__lt=9),
    "dates: comparison": lambda of: _albums(of).filter(released__gt=dt.date(1994, 1, 1)),
    "dates: truncated": lambda of: (
        _albums(of)
        .filter(released__isnull=False)
        .annotate(month=TruncMonth("released"), m=ExtractMonth("released"))
        .values_list("id", "month", "m")
    ),
    "dates: moments": lambda of: (
        of(Track)
        .order_by("id")
        .filter(recorded__gte=dt.datetime(2003, 1, 28, 23, 30, 1, tzinfo=dt.UTC))
        .values_list("id", "recorded")
    ),
    "dates: the day of a moment": lambda of: (
        of(Track).order_by("id").filter(recorded__date=dt.date(2002, 2, 28)).values_list("id", "recorded")
    ),
    "dates: hours": lambda of: (
        of(Track).order_by("id").filter(recorded__hour=23, recorded__second=2).values_list("id")
    ),
    "dates: lengths of time": lambda of: (
        of(Track).order_by("id").filter(length__gt=dt.timedelta(minutes=4)).values_list("id", "length")
    ),
    # -- documents
    "json: a key": lambda of: _albums(of).filter(notes__label="Odd"),
    "json: a number": lambda of: _albums(of).filter(notes__sides__gt=1),
    "json: a path": lambda of: _albums(of).filter(notes__tour__year=1999),
    "json: in a list": lambda of: _albums(of).filter(notes__guests__0="Eve"),
    "json: has a key": lambda of: _albums(of).filter(notes__has_key="guests"),
    "json: has keys": lambda of: _albums(of).filter(notes__has_any_keys=["tour", "no"]),
    "json: no key": lambda of: _albums(of).filter(notes__sides__isnull=True),
    "json: values": lambda of: _albums(of).values_list("id", "notes__label", "notes__tour"),
    "json: documents": lambda of: _albums(of).values_list("id", "notes"),
}
