"""Conditions as long as programs make them, and documents deeper than anybody can read them."""

from __future__ import annotations

import copy
import functools
import operator
import pickle

import pytest

from facade import configuration
from facade.exceptions import NestedTooDeeply
from facade.models import Case, CharField, ExpressionWrapper, F, OrderBy, Q, Sum, Value, When
from facade.models.functions import Abs, Coalesce, Concat, Greatest, Least, Lower, NullIf
from facade.models.lookups import Exact, GreaterThan
from facade.sql.plan import binding
from tests.models import Author, Book, Category, Everything, Publisher, Review

LENGTH = 1_500  # SQLite's trees have 1,000 levels at most
DEEP = 3_000


@pytest.fixture
def authors(database):
    database.create(Author)
    Author.objects.bulk_create([Author(name=name, age=age) for age, name in enumerate("abc")])


@pytest.mark.parametrize(
    ("join", "found"), [(operator.and_, 0), (operator.or_, 3), (operator.xor, 3)], ids=["and", "or", "xor"]
)
def test_a_long_condition(face, authors, join, found):
    long = functools.reduce(join, [Q(age=number) for number in range(LENGTH)])
    assert face(Author.objects.filter(long).count) == found
    assert face(Author.objects.exclude(long).count) == 3 - found


def test_a_thousand_filters(face, authors):
    rows = Author.objects.all()
    for number in range(1_100):
        rows = rows.filter(age__lt=number + 2)
    assert face.list(rows.order_by("age").values_list("name", flat=True)) == ["a", "b"]


def test_what_nests_without_a_meaning_is_flat(face, authors):
    for wrap in (lambda inner: Q(inner), lambda inner: Q(~inner), lambda inner: Q(age__gt=-1) & Q(inner)):
        deep = functools.reduce(lambda inner, _: wrap(inner), range(DEEP), Q(age=1))
        assert face.list(Author.objects.filter(deep).values_list("name", flat=True)) == ["b"]
    odd = functools.reduce(lambda inner, _: Q(~inner), range(DEEP + 1), Q(age=1))
    assert face(Author.objects.filter(odd).count) == 2


def deep_conditions():
    yield functools.reduce(lambda inner, age: Q(age=age) | ~(inner & Q(name="x")), range(DEEP), Q(age=1))
    yield functools.reduce(lambda inner, age: (inner & Q(age__gt=age)) | Q(age=age), range(DEEP), Q(age=1))


@pytest.mark.vendors("sqlite")  # no database is asked
def test_a_condition_that_is_nested_too_deeply(face, authors, assert_queries):
    for deep in deep_conditions():
        for ask in (
            lambda deep=deep: face(Author.objects.filter(deep).count),
            lambda deep=deep: face(Author.objects.exclude(deep).count),
            lambda deep=deep: face(Author.objects.filter(deep).delete),
            lambda deep=deep: face.list(Author.objects.annotate(x=Case(When(deep, then=1)))),
        ):
            with assert_queries(0), pytest.raises(NestedTooDeeply, match="nested more than 60 levels deep"):
                ask()


def test_a_deep_condition_is_an_object_like_any_other():
    for deep in (*deep_conditions(), functools.reduce(operator.xor, [Q(age=age) for age in range(DEEP)])):
        for same in (copy.copy(deep), copy.deepcopy(deep), pickle.loads(pickle.dumps(deep)), deep.copy()):
            assert same == deep
            assert hash(same) == hash(deep)
        assert deep != ~deep
        assert repr(deep).count("age") == str(deep).count("age") >= DEEP
        assert deep.referenced_base_fields <= {"age", "name"}


@pytest.mark.parametrize("steps", [3, 90, 120])
def test_long_arithmetic(face, authors, steps):
    found = Author.objects.annotate(x=functools.reduce(lambda left, _: left + 1, range(steps), F("age")))
    assert face.list(found.order_by("x").values_list("x", flat=True)) == [steps, steps + 1, steps + 2]
    halves = functools.reduce(lambda left, _: left * 2.0 / 2.0, range(steps // 2), F("age"))
    assert face.list(
        Author.objects.filter(age=halves - 1 + 1).order_by("age").values_list("age", flat=True)
    ) == [0, 1, 2]


def test_long_arithmetic_is_an_object_like_any_other():
    for one in (1, 1.5):
        left = functools.reduce(lambda inner, _, one=one: inner + one, range(DEEP), F("age"))
        right = functools.reduce(lambda inner, _, one=one: one - inner, range(DEEP), F("age"))
        for deep in (left, right):
            for same in (copy.copy(deep), copy.deepcopy(deep), pickle.loads(pickle.dumps(deep)), deep.copy()):
                assert same == deep
                assert hash(same) == hash(deep)
            assert deep != deep + 1
            assert repr(deep).count(f"Value({one})") == DEEP
    assert str(F("a") - 1 + 2 * F("b")) == "F(a) - Value(1) + Value(2) * F(b)"
    assert F("a") - (F("b") - F("c")) != F("a") - F("b") - F("c")


def nested():
    """What is no operation, but holds as much of its kind."""
    yield functools.reduce(lambda inner, _: Lower(inner), range(LENGTH), F("name"))
    yield functools.reduce(
        lambda inner, _: Lower(inner, output_field=CharField()) + 1, range(LENGTH), F("name")
    )
    yield functools.reduce(lambda inner, n: Case(When(age=n, then=1), default=inner), range(LENGTH), F("age"))
    yield functools.reduce(lambda inner, n: Case(When(age=n, then=inner), default=1), range(LENGTH), F("age"))
    yield functools.reduce(lambda inner, _: Coalesce(inner, "name"), range(LENGTH), F("name"))
    yield functools.reduce(lambda inner, _: ExpressionWrapper(inner, CharField()), range(LENGTH), F("name"))
    yield functools.reduce(lambda inner, _: GreaterThan(inner, 0), range(LENGTH), F("age"))
    yield functools.reduce(lambda inner, _: Sum(inner), range(LENGTH), F("age"))


def depth(expression):
    """Count the expressions of a tree."""
    return sum(1 for _ in expression.flatten())


def test_what_is_nested_deeply_is_an_object_like_any_other():
    for deep in (*nested(), Exact(next(nested()), "x"), OrderBy(next(nested()))):
        for same in (copy.copy(deep), copy.deepcopy(deep), pickle.loads(pickle.dumps(deep)), deep.copy()):
            assert type(same) is type(deep)
            assert depth(same) == depth(deep) >= LENGTH
        assert "…" in repr(deep)
        assert "…" in str(deep)
        for compare in (hash, lambda one: one == copy.deepcopy(one)):
            with pytest.raises(NestedTooDeeply, match="nested too deeply"):
                compare(deep)
    for deep in map(functools.partial(Q, name="x"), nested()):
        assert "…" in repr(deep)
        assert isinstance(pickle.loads(pickle.dumps(deep)), Q)
        assert isinstance(copy.deepcopy(deep), Q)


def test_copies_keep_what_is_shared():
    inner = Lower("name")
    for same in (copy.deepcopy(Concat(inner, inner)), pickle.loads(pickle.dumps(Concat(inner, inner)))):
        first, second = same.get_source_expressions()
        assert first is second is not inner
        assert same == Concat(inner, inner)


def too_deep():
    authors = Author.objects
    for one in (1, 1.5):
        chain = functools.reduce(lambda left, _, one=one: left + one, range(DEEP), F("age"))
        right = functools.reduce(lambda left, _, one=one: one + left, range(DEEP), F("age"))
        for deep in (chain, right):
            yield lambda face, deep=deep: face(authors.filter(age=deep).count)
            yield lambda face, deep=deep: face(authors.annotate(x=deep).count)
            yield lambda face, deep=deep: face(authors.order_by(deep).first)
            yield lambda face, deep=deep: face(authors.values_list(deep).first)
            yield lambda face, deep=deep: face(authors.aggregate, x=Sum(deep))
            yield lambda face, deep=deep: face(authors.update, age=deep)
            yield lambda face, deep=deep: face(authors.create, name="x", age=deep)
            yield lambda face, deep=deep: face(authors.bulk_create, [Author(name="x", age=deep)])
            yield lambda face, deep=deep: face(Author(pk=1, name="x", age=deep).save)
    lowered = functools.reduce(lambda inner, _: Lower(inner), range(DEEP), F("name"))
    yield lambda face: face(authors.filter(name=lowered).count)
    cases = functools.reduce(
        lambda inner, age: Case(When(age=age, then=1), default=inner), range(DEEP), F("age")
    )
    yield lambda face: face(authors.annotate(x=cases).count)
    yield lambda face: face(repeated(lambda inner, _: authors.filter(pk__in=inner), 300).first)
    yield lambda face: face(repeated(lambda inner, _: inner.union(authors.all()), 600).first)
    yield lambda face: face(repeated(lambda rows, n: rows.annotate(**{f"x{n}": next_to(n)}), 300).first)


def repeated(change, times):
    return functools.reduce(change, range(times), Author.objects.all())


def next_to(number):
    return Abs(f"x{number - 1}" if number else "age")


@pytest.mark.vendors("sqlite")  # no database is asked
def test_what_is_nested_too_deeply(face, authors, assert_queries):
    for ask in too_deep():
        with assert_queries(0), pytest.raises(NestedTooDeeply, match="nested too deeply") as refused:
            ask(face)
        assert isinstance(refused.value, ValueError)


def test_what_the_database_finds_too_deep(face, authors, database):
    """How deep is too deep is each database's own affair; the error is the same one."""
    rows = Author.objects.all()
    for _ in range(30):
        rows = Author.objects.filter(pk__in=rows)
    try:
        assert face(rows.count) == 3
    except NestedTooDeeply as refused:
        assert "as the database says" in str(refused)  # noqa: PT017 - some can
    assert face(Author.objects.count) == 3


def test_functions_of_thousands_of_arguments(face, authors):
    def value(expression):
        return face.list(Author.objects.annotate(x=expression).order_by("age").values_list("x", flat=True))

    many = 1_500
    assert value(Concat(*[Value("x")] * many)) == ["x" * many] * 3
    assert value(Concat("name", *[Value(str(n)) for n in range(many)]))[1] == "b" + "".join(
        map(str, range(many))
    )
    assert value(Coalesce(*[NullIf("age", "age")] * many, "age")) == [0, 1, 2]
    assert value(Greatest("age", *[Value(-n) for n in range(many)], 1)) == [1, 1, 2]
    assert value(Least("age", *[Value(n + 1) for n in range(many)])) == [0, 1, 1]
    assert value(Case(*[When(age=n, then=n + 1) for n in range(many)])) == [1, 2, 3]


def test_select_related_in_a_long_row(face, database, assert_queries):
    database.create(Category)
    parent = None
    for name in "ab":
        parent = Category.objects.create(name=name, parent=parent)
    rows = Category.objects.order_by("name")
    found = face.list(rows.select_related("__".join(["parent"] * 50)))
    assert [row.parent and row.parent.name for row in found] == [None, "a"]
    for length in (100, 200, 1_500):
        with assert_queries(0), pytest.raises(NestedTooDeeply, match="select_related"):
            face.list(rows.select_related("__".join(["parent"] * length)))


def test_a_dot_in_a_key_of_a_document(face, database):
    database.create(Everything)
    for number in (1, 2):
        Everything.objects.create(json={"a.b": 9 - number}, integer=number)
    assert face.list(Everything.objects.order_by("json__a.b").values_list("integer", flat=True)) == [2, 1]
    assert face.list(Everything.objects.order_by("-json__a.b").values_list("integer", flat=True)) == [1, 2]


def test_a_document_that_is_nested_too_deeply(face, database):
    database.create(Everything)
    deep = functools.reduce(lambda inner, _: [inner], range(100_000), [])
    for ask in (
        lambda: face(Everything.objects.create, json=deep),
        lambda: face(Everything.objects.filter(json=deep).count),
        lambda: face(Everything.objects.filter(json__key=deep).count),
    ):
        with pytest.raises(ValueError, match="nested too deeply"):
            ask()


def test_the_loop_that_binds_many_values_gives_what_the_generated_function_gives(face, database, monkeypatch):
    database.create(Publisher, Author, Book, Review)
    ada = Author.objects.create(name="Ada", age=36)
    for number in range(5):
        Book.objects.create(title=f"T{number}", author=ada, pages=number, price=number)

    def ask():
        found = Book.objects.filter(Q(pages__gt=1, price__lt=4) | Q(title__in=["T0", "x"], author__age=36))
        found = found.annotate(more=F("pages") + 7, kind=Value("k")).order_by("id")
        return face.list(found.values_list("title", "more", "kind")), found.query.sql_with_params()

    with configuration.override(FACADE_SHAPE_CACHE=False):
        generated = ask()
        monkeypatch.setattr(binding, "LONG", 0)
        assert ask() == generated
    assert [row[0] for row in generated[0]] == ["T0", "T2", "T3"]
