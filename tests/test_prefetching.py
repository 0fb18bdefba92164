"""What prefetching leaves behind: related objects that ask nothing, and querysets that are made when they are looked at."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import pytest

from facade import models
from facade.models import FETCH_PEERS, Prefetch, QuerySet, prefetch_related_objects

CACHE = "_prefetched_objects_cache"


class Song(models.Model):
    title = models.CharField(max_length=20)


class Choir(models.Model):
    name = models.CharField(max_length=20)


class Singer(models.Model):
    name = models.CharField(max_length=20)
    choir = models.ForeignKey(Choir, models.CASCADE, null=True, related_name="singers")
    songs = models.ManyToManyField(Song, related_name="singers")


class Soloist(Singer):
    fee = models.IntegerField(default=1)


class Town(models.Model):
    code = models.CharField(max_length=5, unique=True, null=True)


class Hall(models.Model):
    name = models.CharField(max_length=20)
    town = models.ForeignKey(Town, models.CASCADE, to_field="code", null=True, related_name="halls")


class SoberManager(models.Manager):
    """Looks at the object that its rows belong to."""

    def get_queryset(self):
        return super().get_queryset().exclude(title=getattr(self, "instance", None) and self.instance.name)


class Act(models.Model):
    title = models.CharField(max_length=20)
    choir = models.ForeignKey(Choir, models.CASCADE, related_name="acts")
    objects = SoberManager()


class Closed(models.Model):
    """Says itself what is pickled."""

    name = models.CharField(max_length=20)
    songs = models.ManyToManyField(Song, related_name="closed", through="Take")

    def __getstate__(self):
        return {**self.__dict__, "_state": self._state}


class Take(models.Model):
    """Forbids no pair, however often it is there."""

    song = models.ForeignKey(Song, models.CASCADE)
    closed = models.ForeignKey(Closed, models.CASCADE)


@pytest.fixture
def stage(database):
    database.create(Song, Choir, Singer, Singer.songs.through, Soloist, Town, Hall, Act, Closed, Take)
    first, second, _ = [Choir.objects.create(name=name) for name in ("first", "second", "third")]
    ann, bob, cid = [
        Singer.objects.create(name=name, choir=choir)
        for name, choir in (("ann", first), ("bob", first), ("cid", second))
    ]
    Singer.objects.create(name="dot")
    one, two, three = [Song.objects.create(title=title) for title in ("one", "two", "three")]
    ann.songs.set([one, two])
    bob.songs.set([two])
    cid.songs.set([three, two])
    return database


def choirs(face, *lookups):
    return face.list(Choir.objects.order_by("name").prefetch_related(*lookups))


def singers(face, *lookups):
    return face.list(Singer.objects.order_by("name").prefetch_related(*lookups))


def texts(rows):
    return sorted(getattr(row, "name", None) or row.title for row in rows)


def of(relation):
    """Return a function that loads objects with a prefetched relation, and the relation's first texts."""
    return {
        "singers": lambda face, *more: choirs(face, relation, *more),
        "songs": lambda face, *more: singers(face, relation, *more),
    }[relation]


both = pytest.mark.parametrize("relation", ["singers", "songs"])
EXPECTED = {
    "singers": [["ann", "bob"], ["cid"], []],
    "songs": [["one", "two"], ["two"], ["three", "two"], []],
}


def waiting(instance):
    """Return the names of the relations whose querysets nobody has looked at."""
    return [name for name, item in instance.__dict__[CACHE].items() if not isinstance(item, QuerySet)]


# -- reading -----------------------------------------------------------------------------------------------


@both
def test_prefetched_relations_ask_nothing(face, stage, assert_queries, relation):
    with assert_queries(2):
        rows = of(relation)(face)
        assert [texts(getattr(row, relation).all()) for row in rows] == EXPECTED[relation]
        assert [len(getattr(row, relation).all()) for row in rows] == [len(e) for e in EXPECTED[relation]]
        assert [face(getattr(row, relation).count) for row in rows] == [len(e) for e in EXPECTED[relation]]
        assert [face(getattr(row, relation).exists) for row in rows] == [bool(e) for e in EXPECTED[relation]]


@both
def test_a_queryset_is_made_when_it_is_looked_at_and_stays_the_same(face, stage, relation):
    row, *others = of(relation)(face)
    assert waiting(row) == [relation]
    found = getattr(row, relation).all()
    assert isinstance(found, QuerySet)
    assert found is getattr(row, relation).all() is row._prefetched_objects_cache[relation]
    assert waiting(row) == []
    assert all(waiting(other) == [relation] for other in others)


@both
def test_the_cache_is_a_dict_of_querysets_for_all_who_read_it(face, stage, assert_queries, relation):
    row = of(relation)(face)[0]
    with assert_queries(0):
        assert type(row._prefetched_objects_cache) is dict
        assert relation in row._prefetched_objects_cache
        (found,) = row._prefetched_objects_cache.values()
        assert isinstance(found, QuerySet)
        assert texts(found) == EXPECTED[relation][0]
    row._prefetched_objects_cache = {}
    with assert_queries(1):
        assert texts(face.list(getattr(row, relation).all())) == EXPECTED[relation][0]


def test_the_cache_is_there_once_something_was_prefetched(face, stage):
    choir = face(Choir.objects.get, name="first")
    with pytest.raises(AttributeError, match=CACHE):
        _ = choir._prefetched_objects_cache
    with pytest.raises(AttributeError, match=CACHE):
        del choir._prefetched_objects_cache
    face(prefetch_related_objects, [choir], "singers")
    assert hasattr(choir, CACHE)
    del choir._prefetched_objects_cache
    assert not hasattr(choir, CACHE)


@both
def test_narrowing_asks_for_the_own_objects(face, stage, assert_queries, relation):
    rows = of(relation)(face)
    for row, expected in zip(rows, EXPECTED[relation], strict=True):
        manager = getattr(row, relation)
        for queryset in (manager.filter(pk__gt=0), manager.all().filter(pk__gt=0), manager.all().all()):
            with assert_queries(1):
                assert texts(face.list(queryset)) == expected


def test_narrowed_rows_know_their_object(face, stage, assert_queries):
    rows = choirs(face, "singers")
    with assert_queries(0):
        assert all(singer.choir is row for row in rows for singer in row.singers.all())
    for row in rows[:2]:
        found = face.list(row.singers.all().filter(pk__gt=0))
        with assert_queries(0):
            assert [singer.choir for singer in found] == [row] * len(found)
            assert all(singer.choir is row for singer in found)


def test_an_object_that_rows_know_already_stays(face, stage):
    choir = choirs(face, Prefetch("singers", Singer.objects.select_related("choir")))[0]
    singer = choir.singers.all()[0]
    assert singer.choir == choir
    assert singer.choir is not choir


@both
def test_querysets_hint_at_their_own_object(face, stage, relation):
    for row in of(relation)(face):
        assert getattr(row, relation).all()._hints["instance"] is row
        assert row._state.db == "default"
        assert all(item._state.db == "default" for item in getattr(row, relation).all())
        assert not any(item._state.adding for item in getattr(row, relation).all())


@both
def test_objects_keep_their_database(face, database, relation):
    database.create(Song, Choir, Singer, Singer.songs.through, using="other")
    choir = Choir.objects.using("other").create(name="far")
    singer = Singer.objects.using("other").create(name="ann", choir=choir)
    singer.songs.add(Song.objects.using("other").create(title="one"))
    model = {"singers": Choir, "songs": Singer}[relation]
    (row,) = face.list(model.objects.using("other").prefetch_related(relation))
    (item,) = getattr(row, relation).all()
    assert (row._state.db, item._state.db) == ("other", "other")
    assert getattr(row, relation).all().db == "other"
    assert texts(face.list(getattr(row, relation).all().filter(pk=item.pk))) == texts([item])


def test_querysets_fetch_as_their_object_does(face, stage):
    rows = face.list(Choir.objects.fetch_mode(FETCH_PEERS).order_by("name").prefetch_related("singers"))
    assert [row.singers.all()._fetch_mode for row in rows] == [FETCH_PEERS] * 3


def test_a_reference_to_a_field_that_is_no_key(face, stage, assert_queries):
    rows = [Town.objects.create(code=code) for code in ("AT", "DE", None)]
    for name, town in (("a", rows[0]), ("b", rows[0]), ("c", rows[1])):
        Hall.objects.create(name=name, town=town)
    Hall.objects.create(name="nowhere")
    with assert_queries(2):
        towns = face.list(Town.objects.order_by("pk").prefetch_related("halls"))
        assert [texts(town.halls.all()) for town in towns] == [["a", "b"], ["c"], []]
    assert texts(face.list(towns[0].halls.filter(name="b"))) == ["b"]


def test_inherited_relations(face, stage, assert_queries):
    choir = Choir.objects.create(name="solo")
    eve, fay = [Soloist.objects.create(name=name, choir=choir) for name in ("eve", "fay")]
    face(eve.songs.set, Song.objects.filter(title="one"))
    with assert_queries(2):
        rows = face.list(Soloist.objects.order_by("name").prefetch_related("songs"))
        assert [texts(row.songs.all()) for row in rows] == [["one"], []]
    with assert_queries(2):
        (found,) = face.list(Choir.objects.filter(pk=choir.pk).prefetch_related("singers"))
        assert texts(found.singers.all()) == ["eve", "fay"]
    # objects of the model and of one beneath it, together
    mixed = [face(Singer.objects.get, name="ann"), face(Soloist.objects.get, name="eve")]
    with assert_queries(1):
        face(prefetch_related_objects, mixed, "songs")
        assert [texts(row.songs.all()) for row in mixed] == [["one", "two"], ["one"]]
    assert texts(face.list(mixed[1].songs.filter(title="one"))) == ["one"]
    assert fay.pk


# -- which objects, and where they go ------------------------------------------------------------------------


def test_paths_go_on_beyond_to_many_relations(face, stage, assert_queries):
    with assert_queries(3):
        rows = choirs(face, "singers__songs")
        assert [
            [texts(s.songs.all()) for s in sorted(row.singers.all(), key=lambda s: s.name)] for row in rows
        ] == [[["one", "two"], ["two"]], [["three", "two"]], []]
    with assert_queries(3):
        songs = face.list(Song.objects.order_by("title").prefetch_related("singers__choir"))
        assert [sorted(s.choir.name for s in song.singers.all()) for song in songs] == [
            ["first"],
            ["second"],
            ["first", "first", "second"],
        ]


def test_what_was_prefetched_is_gone_on_from(face, stage, assert_queries):
    rows = choirs(face, "singers")
    with assert_queries(1):
        face(prefetch_related_objects, rows, "singers__songs")
        assert texts(rows[1].singers.all()[0].songs.all()) == ["three", "two"]
    with assert_queries(0):
        face(prefetch_related_objects, rows, "singers__songs")


@both
def test_a_queryset_of_ones_own_decides_and_orders(face, stage, assert_queries, relation):
    model, name = {"singers": (Singer, "name"), "songs": (Song, "title")}[relation]
    wanted = model.objects.exclude(**{name: "two"}).order_by(f"-{name}")
    expected = [[item for item in reversed(items) if item != "two"] for items in EXPECTED[relation]]
    load = {"singers": choirs, "songs": singers}[relation]
    with assert_queries(2):
        rows = load(face, Prefetch(relation, wanted))
        assert [[getattr(i, name) for i in getattr(row, relation).all()] for row in rows] == expected
    with assert_queries(1):
        narrowed = getattr(rows[0], relation).all().filter(pk__gt=0)
        assert [getattr(item, name) for item in face.list(narrowed)] == expected[0]
    with assert_queries(2):
        rows = load(face, Prefetch(relation, wanted, to_attr="found"))
        assert [[getattr(i, name) for i in row.found] for row in rows] == expected
        assert all(type(row.found) is list for row in rows)
    assert all(CACHE not in vars(row) or relation not in vars(row)[CACHE] for row in rows)


@both
def test_lists_of_objects_without_related_ones_are_their_own(face, stage, relation):
    load = {"singers": choirs, "songs": singers}[relation]
    *_, third = load(face, relation)
    (*_, again), last = load(face, Prefetch(relation, to_attr="found")), third
    again.found.append("x")
    assert list(getattr(last, relation).all()) == []
    empty = [list(getattr(row, relation).all()) for row in load(face, relation)]
    assert empty[-1] == []


def test_pairs_that_are_there_twice_give_their_object_twice(face, stage):
    closed, other = Closed.objects.bulk_create([Closed(name="x"), Closed(name="y")])
    one, two = face.list(Song.objects.filter(title__in=["one", "two"]).order_by("title"))
    pairs = [(one, closed), (one, closed), (two, closed), (one, other)]
    Take.objects.bulk_create([Take(song=song, closed=of) for song, of in pairs])
    rows = face.list(Closed.objects.order_by("name").prefetch_related("songs"))
    assert [texts(row.songs.all()) for row in rows] == [["one", "one", "two"], ["one"]]
    assert len({id(song) for row in rows for song in row.songs.all()}) == 4


def test_a_queryset_that_follows_the_relation_itself_speaks_of_the_same_pair(face, stage):
    wanted = Song.objects.filter(singers__name__in=["ann", "bob"])
    rows = singers(face, Prefetch("songs", wanted))
    assert [texts(row.songs.all()) for row in rows] == [["one", "two"], ["two"], [], []]


def test_one_object_that_is_given_twice_has_its_rows_in_both(face, stage, assert_queries):
    first, twin = (face(Choir.objects.get, name="first") for _ in range(2))
    with assert_queries(1):
        face(prefetch_related_objects, [first, twin, first], "singers")
    assert texts(first.singers.all()) == texts(twin.singers.all()) == ["ann", "bob"]


@both
def test_unsaved_objects_are_refused(face, stage, relation):
    model = {"singers": Choir, "songs": Singer}[relation]
    with pytest.raises(ValueError, match="Model instances passed to related filters must be saved"):
        face(prefetch_related_objects, [face(model.objects.first), model()], relation)


@both
def test_objects_of_another_model_are_refused(face, stage, relation):
    model = {"singers": Choir, "songs": Singer}[relation]
    strangers = [face(model.objects.first), face(Closed.objects.create, name="x")]
    with pytest.raises(ValueError, match=f'Must be "{model.__name__}" instance'):
        face(prefetch_related_objects, strangers, relation)


def test_a_manager_of_ones_own_is_asked_for_each_object(face, stage, assert_queries):
    rows = face.list(Choir.objects.order_by("name"))
    Act.objects.bulk_create([Act(title=title, choir=row) for row in rows for title in ("first", "x")])
    with assert_queries(1):
        face(prefetch_related_objects, rows, "acts")
    assert waiting(rows[0]) == []
    assert texts(face.list(rows[0].acts.all().filter(pk__gt=0))) == ["x"]
    assert texts(face.list(rows[1].acts.all().filter(pk__gt=0))) == ["first", "x"]


# -- what ends it ----------------------------------------------------------------------------------------------


CHANGES = {
    "add": lambda manager, item: (manager.add, item),
    "remove": lambda manager, item: (manager.remove, item),
    "set": lambda manager, item: (manager.set, [item]),
    "set, clearing first": lambda manager, item: (manager.set, [item], {"clear": True}),
    "clear": lambda manager, item: (manager.clear,),
    "create": lambda manager, item: (manager.create, {"title" if manager.model is Song else "name": "new"}),
}
AFTER = {
    "add": ["a", "b"],
    "remove": ["b"],
    "set": ["a"],
    "set, clearing first": ["a"],
    "clear": [],
    "create": ["a", "b", "new"],
}


@both
@pytest.mark.parametrize("looked_at", [True, False], ids=["looked at", "waiting"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_forgets_what_was_prefetched(face, stage, assert_queries, change, looked_at, relation):
    row = of(relation)(face)[0]
    before = list(EXPECTED[relation][0])
    item = min(
        list(getattr(row, relation).all())
        if looked_at
        else face.list(getattr(row, relation).filter(pk__gt=0)),
        key=lambda one: one.pk,
    )
    method, *arguments = CHANGES[change](getattr(row, relation), item)
    keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    face(method, *arguments, **keywords)
    assert relation not in row._prefetched_objects_cache
    with assert_queries(1):
        found = texts(face.list(getattr(row, relation).all()))
    stands = {"a": before[0], "b": before[1], "new": "new"}
    assert found == sorted(stands[name] for name in AFTER[change])


def test_a_change_leaves_what_else_was_prefetched(face, stage, assert_queries):
    choir = choirs(face, "singers", "acts")[0]
    face(choir.singers.clear)
    with assert_queries(0):
        assert list(choir.acts.all()) == []


def test_refreshing_forgets_what_was_prefetched(face, stage, assert_queries):
    first, second, _ = choirs(face, "singers", "acts")
    face(first.refresh_from_db)
    assert first._prefetched_objects_cache == {}
    with assert_queries(1):
        assert len(face.list(first.singers.all())) == 2
    with assert_queries(0):
        face(second.refresh_from_db, fields=["singers"])
        assert list(second.acts.all()) == []
    with assert_queries(1):
        assert len(face.list(second.singers.all())) == 1


# -- copies --------------------------------------------------------------------------------------------------


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


@both
def test_prefetched_objects_are_pickled_with_their_objects(face, stage, assert_queries, relation):
    with assert_queries(2):
        rows = pickled(of(relation)(face))
        assert [texts(getattr(row, relation).all()) for row in rows] == EXPECTED[relation]
    with assert_queries(1):
        assert texts(face.list(getattr(rows[0], relation).filter(pk__gt=0))) == EXPECTED[relation][0]


@both
def test_an_object_that_lost_its_key_keeps_what_was_prefetched(face, stage, relation):
    row = of(relation)(face)[0]
    row.pk = None
    for found in (pickled(row)._prefetched_objects_cache[relation], row._prefetched_objects_cache[relation]):
        assert texts(found) == EXPECTED[relation][0]
        assert texts(face.list(found.filter(pk__gt=0))) == EXPECTED[relation][0]


def test_a_model_that_says_what_is_pickled_may_pickle_everything(face, stage, assert_queries):
    face(Closed.objects.create, name="x")
    face(face(Closed.objects.get).songs.set, Song.objects.exclude(title="two"))
    with assert_queries(2):
        row = pickled(face(Closed.objects.prefetch_related("songs").get))
        assert texts(row.songs.all()) == ["one", "three"]
    with assert_queries(1):
        assert texts(face.list(row.songs.all().filter(title="one"))) == ["one"]


@both
def test_a_copy_shares_what_was_prefetched_and_a_deep_one_does_not(face, stage, assert_queries, relation):
    row = of(relation)(face)[0]
    shallow, deep = copy.copy(row), copy.deepcopy(row)
    with assert_queries(0):
        assert getattr(shallow, relation).all() is getattr(row, relation).all()
    with assert_queries(1):
        assert texts(face.list(getattr(deep, relation).all())) == EXPECTED[relation][0]


# -- what it costs -------------------------------------------------------------------------------------------


@both
def test_no_queryset_is_made_for_an_object_until_somebody_looks(face, stage, relation):
    of(relation)(face)
    gc.collect()
    before = {id(item) for item in gc.get_objects() if isinstance(item, QuerySet)}
    rows = of(relation)(face)
    new = [item for item in gc.get_objects() if isinstance(item, QuerySet) and id(item) not in before]
    assert not [item for item in new if item._hints.get("instance") in rows[1:]]
    assert rows[1].__dict__[CACHE].keys() == {relation}


def test_what_waits_keeps_no_other_object_alive(face, stage):
    gc.disable()  # nothing here refers to itself
    try:
        rows = singers(face, "songs")
        last, others = rows[-1], [weakref.ref(row) for row in rows[:-1]]
        del rows
        assert waiting(last) == ["songs"]
        assert [reference() for reference in others] == [None] * 3
    finally:
        gc.enable()
