"""What ``Model.check()`` finds wrong with declarations."""

from __future__ import annotations

import pytest

from facade import models
from facade.apps import isolate_apps
from facade.models import F, Q
from facade.models.expressions import RawSQL
from tests import models as shared


@pytest.fixture(autouse=True)
def registry():
    with isolate_apps("tests") as registry:
        yield registry


def declare(name="Thing", bases=(models.Model,), meta=None, **members):
    """Return a model of these fields, and options of ``class Meta``."""
    if meta is not None:
        members["Meta"] = type("Meta", (), meta)
    return type(name, bases, {"__module__": __name__, **members})


def ids(model, **options):
    return [message.id for message in model.check(**options)]


@pytest.mark.parametrize("model", [one for one in vars(shared).values() if hasattr(one, "_meta")])
def test_nothing_is_wrong_with_models_that_work(model):
    assert ids(model, databases=["default"]) == []


def number(**options):
    return models.IntegerField(**options)


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ({"id": number()}, ["models.E004"]),
        ({"a": number(), "b": number(db_column="a")}, ["models.E007"]),
        ({"a": number(primary_key=True), "b": number(primary_key=True)}, ["models.E026"]),
        ({"name": "Thing_"}, ["models.E023"]),
        ({"name": "Some__Thing"}, ["models.E024"]),
        ({"a_": number()}, ["fields.E001"]),
        ({"meta": {"unique_together": 42}}, ["models.E010"]),
        ({"meta": {"unique_together": [("id",), 42]}}, ["models.E011"]),
        ({"meta": {"unique_together": [("id", "missing")]}}, ["models.E012"]),
        ({"meta": {"ordering": "id"}}, ["models.E014"]),
        ({"meta": {"ordering": ["?", "-id", "pk", F("id")]}}, []),
        ({"meta": {"ordering": ["missing", "id__nothing"]}}, ["models.E015", "models.E015"]),
        ({"d": models.DateField(), "meta": {"ordering": ["d__year"]}}, []),
        ({"t": models.ForeignKey("self", models.CASCADE), "meta": {"ordering": ["t__t__pk", "t_id"]}}, []),
        ({"t": models.ForeignKey("Missing", models.CASCADE)}, ["fields.E300"]),
        ({"t": models.ForeignKey("self", models.SET_NULL)}, ["fields.E320"]),
        ({"t": models.ForeignKey("self", models.SET_DEFAULT)}, ["fields.E321"]),
        ({"t": models.ForeignKey("self", models.DB_SET_DEFAULT)}, ["fields.E322"]),
        ({"t": models.ForeignKey("self", models.CASCADE, unique=True)}, ["fields.W342"]),
        ({"t": models.OneToOneField("self", models.CASCADE)}, []),
        ({"t": models.ForeignKey("self", models.CASCADE, related_name="no name")}, ["fields.E306"]),
        ({"t": models.ForeignKey("self", models.CASCADE, related_query_name="a__b")}, ["fields.E309"]),
        ({"t": models.ForeignKey("self", models.CASCADE, related_query_name="b_")}, ["fields.E308"]),
        ({"t": models.ForeignKey("self", models.CASCADE, related_name="a"), "a": number()}, ["fields.E302", "fields.E303"]),
        ({"m": models.ManyToManyField("self", null=True, related_name="x")}, ["fields.W340", "fields.W345"]),
        ({"m": models.ManyToManyField("self", validators=[print])}, ["fields.W341"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_declaration_is_found(declaration, expected):
    assert ids(declare(**declaration)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"constraints": [models.UniqueConstraint(fields=["x", "a"], name="n")]}, ["models.E012"]),
        ({"constraints": [models.UniqueConstraint(fields=["m"], name="n")]}, ["models.E013"]),
        ({"constraints": [models.UniqueConstraint(F("a") + F("x"), name="n")]}, ["models.E012"]),
        ({"constraints": [models.CheckConstraint(condition=Q(a__gt=F("x")), name="n")]}, ["models.E012"]),
        ({"constraints": [models.CheckConstraint(condition=Q(t__a=1), name="n")]}, ["models.E041"]),
        ({"constraints": [models.CheckConstraint(condition=Q(t__gt=1, pk__gt=1), name="n")]}, []),
        (
            {
                "constraints": [
                    models.CheckConstraint(condition=Q(RawSQL("a > 1", (), models.BooleanField())), name="n")
                ]
            },
            ["models.W045"],
        ),
        ({"indexes": [models.Index(fields=["a", "-x"], name="n")]}, ["models.E012"]),
        ({"indexes": [models.Index(F("x"), name="n")]}, ["models.E012"]),
    ],
)
def test_constraints_and_indexes_name_columns_of_the_table(options, expected):
    members = {
        "a": number(),
        "t": models.ForeignKey("self", models.CASCADE),
        "m": models.ManyToManyField("self"),
    }
    model = declare(**members, meta=options)
    assert ids(model, databases=["default"]) == expected
    assert ids(model) == []


def test_names_clash_with_those_of_parents():
    first = declare("First", a=number())
    second = declare("Second", key=models.AutoField(primary_key=True), a=number())
    (found,) = declare("Both", (first, second)).check()
    assert found.id == "models.E005"
    assert (
        found.msg
        == "The field 'a' from parent model 'tests.first' clashes with the field 'a' from parent model "
        "'tests.second'."
    )
    near = declare("Near", thing=models.ForeignKey(first, models.CASCADE, related_name="far"))
    assert near.check() == []
    child = declare("Child", (first,), far=number())
    (found,) = child.check()
    assert (found.id, found.obj) == ("models.E006", child._meta.get_field("far"))


def test_two_relations_may_not_have_one_name_at_the_other_end():
    target = declare("Target")
    one, other = (models.ForeignKey(target, models.CASCADE) for _ in range(2))
    model = declare("Both", one=one, other=other)
    assert ids(model) == ["fields.E304", "fields.E304"]
    hint = model.check()[0].hint
    assert hint == (
        "Add or change a related_name argument to the definition for 'tests.Both.one' or 'tests.Both.other'."
    )
    silent = models.ForeignKey(target, models.CASCADE, related_name="+")
    assert ids(declare("Silent", one=silent)) == []


def test_a_property_hides_no_column():
    model = declare(t=models.ForeignKey("self", models.CASCADE))
    model.t_id = property(id)
    assert ids(model) == ["models.E025"]


def test_what_is_referred_to_has_to_be_unique():
    target = declare("Target", a=number(), b=number(unique=True))
    make = models.ForeignKey
    assert ids(declare("X", t=make(target, models.CASCADE, to_field="a"))) == ["fields.E311"]
    assert ids(declare("Y", t=make(target, models.CASCADE, to_field="b"))) == []
    assert ids(declare("Z", t=make(target, models.CASCADE, to_field="c"))) == ["fields.E312"]


def test_a_proxy_has_no_fields():
    thing = declare()
    proxy = declare("Proxy", (thing,), {"proxy": True})
    assert ids(proxy) == []
    number().contribute_to_class(proxy, "a")
    assert "models.E017" in ids(proxy)


def link(model, **options):
    return models.ForeignKey(model, models.CASCADE, related_name="+", **options)


@pytest.mark.parametrize(
    ("links", "options", "expected"),
    [
        ({"near": "Near", "far": "Far"}, {}, []),
        ({"near": "Near"}, {}, ["fields.E336"]),
        ({"near": "Near", "other": "Near", "far": "Far"}, {}, ["fields.E334"]),
        ({"near": "Near", "far": "Far", "other": "Far"}, {}, ["fields.E335"]),
        ({"near": "Near", "far": "Far", "other": "Far"}, {"through_fields": ("near", "other")}, []),
        ({"near": "Near", "far": "Far"}, {"through_fields": ("near", "")}, ["fields.E337"]),
        ({"near": "Near", "far": "Far"}, {"through_fields": ("near", "x")}, ["fields.E338"]),
        ({"near": "Near", "far": "Far"}, {"through_fields": ("far", "near")}, ["fields.E339"] * 2),
    ],
)
def test_the_model_between_has_one_foreign_key_to_each_side(links, options, expected):
    declare("Far")
    near = declare("Near", many=models.ManyToManyField("Far", through="Between", **options))
    declare("Between", **{name: link(to) for name, to in links.items()})
    assert ids(near) == expected


def test_a_relation_to_oneself_needs_to_know_its_two_foreign_keys():
    near = declare("Near", many=models.ManyToManyField("self", through="Between"))
    declare("Between", a=link("Near"), b=link("Near"), c=link("Near"))
    assert ids(near) == ["fields.E333"]


def test_a_table_between_is_nobody_elses():
    declare("Other", meta={"db_table": "tests_near_many"})
    near = declare("Near", many=models.ManyToManyField("self"))
    (found,) = near.check()
    assert found.id == "fields.E340"
    assert found.msg == (
        "The field's intermediary table 'tests_near_many' clashes with the table name of 'tests.Other'."
    )


def test_an_accessor_does_not_hide_a_manager():
    target = declare("Target", things=models.Manager())
    thing = declare(target=models.ForeignKey(target, models.CASCADE, related_name="things"))
    assert ids(thing) == ["fields.E348"]


def test_rules_of_the_database_and_of_python_do_not_mix():
    first = declare("First")
    second = declare("Second", first=link(first))
    third = declare("Third", second=models.ForeignKey(second, models.DB_CASCADE))
    assert ids(third) == ["fields.E323"]
    both = declare("Both", a=link(first), b=models.ForeignKey(first, models.DB_CASCADE))
    assert ids(both) == ["models.E050"]
    silent = declare("Silent", a=link(first), b=models.ForeignKey(first, models.DO_NOTHING))
    assert ids(silent) == []


def test_the_output_of_a_generated_field_is_checked():
    output = models.CharField(max_length=0)
    field = models.GeneratedField(expression=F("id"), output_field=output, db_persist=True)
    (found,) = declare(field=field).check()
    assert found.id == "fields.E223"
    assert found.msg.endswith("'max_length' must be a positive integer. (fields.E121)")
