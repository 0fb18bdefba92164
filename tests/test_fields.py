"""Fields: their options, their values on the way in and out, and what they refuse."""

import copy
import datetime as dt
import enum
import pickle
import uuid
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from facade import fields, models, validators
from facade.configuration import override
from facade.exceptions import DataError, IntegrityError, ValidationError
from facade.expressions.lists import ExpressionList
from facade.fields import lookup_registry as registry
from facade.models import F
from facade.models.expressions import RawSQL
from facade.models.lookups import GreaterThan
from facade.timezone import UTC

ALL = [
    kind
    for kind in vars(fields).values()
    if isinstance(kind, type)
    and issubclass(kind, fields.Field)
    and kind not in (fields.GeneratedField, fields.CompositePrimaryKey, fields.TypedField)
]


class Suit(models.IntegerChoices):
    HEART = 1, "Hearts"
    SPADE = 2


class Size(models.TextChoices):
    SMALL = "S", "small"
    LARGE = "L"


class EachField(models.Model):
    big = models.BigIntegerField(null=True)
    small = models.SmallIntegerField(null=True)
    positive = models.PositiveIntegerField(null=True)
    positive_big = models.PositiveBigIntegerField(null=True)
    positive_small = models.PositiveSmallIntegerField(null=True)
    number = models.IntegerField(null=True, choices=Suit)
    ratio = models.FloatField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    flag = models.BooleanField(null=True)
    data = models.BinaryField(null=True)
    name = models.CharField(max_length=100, null=True, choices=Size)
    text = models.TextField(null=True)
    slug = models.SlugField(null=True)
    email = models.EmailField(null=True)
    url = models.URLField(null=True)
    path = models.FilePathField(null=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    time = models.TimeField(null=True)
    length = models.DurationField(null=True)
    key = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    document = models.JSONField(null=True)


class Stamped(models.Model):
    note = models.CharField(max_length=10)
    added_on = models.DateField(auto_now_add=True)
    added = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)
    changed_at = models.TimeField(auto_now=True)


VALUES = {
    "big": -(2**63),
    "small": 2**15 - 1,
    "positive": 2**31 - 1,
    "positive_big": 2**63 - 1,
    "positive_small": 0,
    "number": Suit.SPADE,
    "ratio": 0.1,
    "price": Decimal("123456.70"),
    "flag": False,
    "data": b"\0\xff",
    "name": Size.LARGE,
    "text": "Ünïcödé 😀 ' \" \\ %",
    "slug": "a-b_c",
    "email": "a@example.com",
    "url": "https://example.com/",
    "path": "/tmp/x",
    "day": dt.date(2024, 2, 29),
    "moment": dt.datetime(2024, 7, 1, 12, 30, 5, 6, tzinfo=UTC),
    "time": dt.time(23, 59, 59, 999999),
    "length": dt.timedelta(days=-1, microseconds=1),
    "key": uuid.UUID(int=1),
    "address": "2001:db8::1",
    "document": {"a": [1, None, "é"]},
}


# Name, what is given, what is stored.
SPELLINGS = [
    ("number", "10", 10),
    ("ratio", "1.5", 1.5),
    ("price", "12.5", Decimal("12.50")),
    ("price", 12, Decimal("12.00")),
    ("flag", "t", True),
    ("text", 5, "5"),
    ("day", "2024-02-29", dt.date(2024, 2, 29)),
    ("moment", "2024-07-01T12:00:00+02:00", dt.datetime(2024, 7, 1, 10, tzinfo=UTC)),
    ("time", "7:05", dt.time(7, 5)),
    ("length", "1:00", dt.timedelta(minutes=1)),
    ("key", "0" * 31 + "1", uuid.UUID(int=1)),
    ("address", "2001:DB8:0::1", "2001:db8::1"),
    ("address", "", None),
]

# Name, what is given, the error and its words.
REFUSED = [
    ("number", "x", ValueError, "Field 'number' expected a number but got 'x'"),
    ("number", [1], TypeError, r"Field 'number' expected a number but got \[1\]"),
    ("number", {}, TypeError, "Field 'number' expected a number but got {}"),
    ("number", 1.5, ValueError, "Field 'number' expected a whole number but got 1.5"),
    ("number", Decimal("1.5"), ValueError, "Field 'number' expected a whole number"),
    ("number", float("nan"), ValueError, "Field 'number' expected a number but got nan"),
    ("number", float("inf"), ValueError, "Field 'number' expected a number but got inf"),
    ("big", 2**63, DataError, "Field 'big' cannot hold 9223372036854775808"),
    ("positive", -1, DataError, "Field 'positive' cannot hold -1: its numbers go from 0"),
    ("ratio", "x", ValueError, "Field 'ratio' expected a number but got 'x'"),
    ("ratio", {}, TypeError, "Field 'ratio' expected a number but got {}"),
    ("price", "x", ValidationError, "“x” value must be a decimal number"),
    ("price", float("nan"), ValidationError, "“nan” value must be a decimal number"),
    ("flag", "maybe", ValidationError, "“maybe” value must be either True, False, or None"),
    ("text", "a\0b", ValueError, r"Field 'text' got 'a\\x00b'.* cannot contain NUL"),
    ("name", "\ud83d", ValueError, "Field 'name' got .*surrogate"),
    ("path", "a\0b", ValueError, "Field 'path' got .*NUL"),
    ("address", "a\0b", ValueError, "Field 'address' got .*NUL"),
    ("data", "text", TypeError, "Field 'data' expected bytes but got 'text'"),
    ("day", "2024-02-30", ValidationError, "it is an invalid date"),
    ("moment", "yesterday", ValidationError, "has an invalid format"),
    ("time", 5, ValidationError, "has an invalid format"),
    ("length", "x", ValidationError, "has an invalid format"),
    ("key", "x", ValidationError, "“x” is not a valid UUID"),
    ("key", [], ValidationError, "is not a valid UUID"),
    ("document", {"a": float("nan")}, ValueError, "Field 'document' cannot hold"),
    ("document", {"a": {1, 2}}, TypeError, "Field 'document' cannot hold .*is not JSON serializable"),
    ("document", ["\0"], ValueError, "Field 'document' cannot hold .*NUL"),
]


class TestRoundTrip:
    @pytest.fixture(autouse=True)
    def table(self, database):
        database.create(EachField)

    def test_values_come_back(self, face):
        made = face(EachField.objects.create, **VALUES)
        found = face(EachField.objects.get, pk=made.pk)
        for name, value in VALUES.items():
            assert getattr(found, name) == value, name
            plain = value.value if isinstance(value, enum.Enum) else value
            assert isinstance(getattr(found, name), type(plain)), name

    def test_a_value_finds_its_row(self, face):
        made = face(EachField.objects.create, **VALUES)
        face(EachField.objects.create)
        for name in VALUES.keys() - {"data", "document"}:
            assert face(EachField.objects.get, **{name: VALUES[name]}) == made, name
            assert face(EachField.objects.filter(**{f"{name}__in": [VALUES[name]]}).count) == 1, name

    def test_other_spellings_are_stored_as_the_value(self, face):
        for name, given, expected in SPELLINGS:
            made = face(EachField.objects.create, **{name: given})
            assert getattr(face(EachField.objects.get, pk=made.pk), name) == expected, (name, given)

    def test_what_cannot_be_stored_is_refused_with_names(self, face, database):
        for name, value, error, words in REFUSED:
            with pytest.raises(error, match=words):
                face(EachField.objects.create, **{name: value})
        assert database.count("tests_eachfield") == 0

    @pytest.mark.without(
        "mariadb", reason="its unsigned columns have no check: the number is out of their range"
    )
    def test_a_number_that_the_check_of_its_column_refuses_is_an_integrity_error(self, face, database):
        row = face(EachField.objects.create, positive=1)
        row.positive = -1
        rows = EachField.objects
        for write, given in [
            (rows.update, {"positive": -1}),
            (rows.update, {"positive": F("positive") - 2}),
            (rows.bulk_update, {"objs": [row], "fields": ["positive"]}),
            (rows.bulk_create, {"objs": [EachField(positive_big=-1)]}),
            (rows.create, {"positive_small": -1}),
            (row.save, {}),
        ]:
            with pytest.raises(IntegrityError):
                face(write, **given)
        with pytest.raises(DataError) as caught:
            face(EachField.objects.create, positive=2**70)
        assert not isinstance(caught.value, IntegrityError)

    def test_fields_take_the_present_by_themselves(self, face, database):
        database.create(Stamped)
        row = face(Stamped.objects.create, note="a")
        added, changed = row.added, row.changed
        assert abs(dt.datetime.now(UTC) - added) < dt.timedelta(seconds=20)
        assert row.added_on in (added.date(), dt.datetime.now(UTC).date())
        face(row.save)
        assert row.added == added
        assert row.changed > changed
        found = face(Stamped.objects.get, pk=row.pk)
        assert (found.added, found.changed, found.changed_at) == (row.added, row.changed, row.changed_at)

    def test_choices_have_a_display_name(self, face):
        row = face(EachField.objects.create, number=1, name="S")
        assert (row.get_number_display(), row.get_name_display()) == ("Hearts", "small")
        assert EachField(number=99).get_number_display() == 99


class TestAttribute:
    def test_the_class_attribute_knows_its_field(self):
        assert type(EachField.number) is fields.DeferredAttribute
        assert EachField.number.field is EachField._meta.get_field("number")

    def test_the_type_of_the_attribute_is_for_type_checkers_only(self):
        assert models.CharField[str] is models.CharField
        assert models.ForeignKey["Author"] is models.ForeignKey

    def test_a_field_in_another_class_is_a_plain_attribute(self):
        class Report:
            column = EachField.number
            kind = models.IntegerField()

        assert Report().column is EachField.number
        assert isinstance(Report().kind, models.IntegerField)

    def test_a_field_may_have_an_attribute_of_its_own(self):
        class Loud(fields.DeferredAttribute):
            def __get__(self, instance, owner=None):
                value = super().__get__(instance, owner)
                return value if instance is None else value.upper()

            def __set__(self, instance, value):
                instance.__dict__[self.field.attname] = value

        class LoudField(models.CharField):
            descriptor_class = Loud

        class Shout(models.Model):
            word = LoudField(max_length=10)

            class Meta:
                app_label = "tests"
                managed = False

        assert Shout(word="hey").word == "HEY"
        assert Shout.word.field.name == "word"


def make(kind, **options):
    if issubclass(kind, fields.AutoFieldMixin):
        options["primary_key"] = True
    return kind(**options)


class TestIdentity:
    @pytest.mark.parametrize("kind", ALL)
    def test_deconstructing_says_how_to_make_an_equal_field(self, kind):
        field = make(kind, db_column="c", help_text="h", verbose_name="v")
        name, path, args, options = field.deconstruct()
        assert (name, path, args) == (None, f"facade.models.{kind.__name__}", [])
        assert kind(**options).deconstruct() == field.clone().deconstruct() == field.deconstruct()

    @pytest.mark.parametrize("kind", ALL)
    def test_options_left_alone_are_not_told(self, kind):
        *_, options = make(kind).deconstruct()
        assert set(options) <= {"primary_key", "max_length", "upload_to"}

    def test_every_option_is_told(self):
        told = {
            "verbose_name": "v",
            "max_length": 9,
            "unique": True,
            "blank": True,
            "null": True,
            "db_index": True,
            "default": "d",
            "editable": False,
            "serialize": False,
            "unique_for_date": "day",
            "unique_for_month": "day",
            "unique_for_year": "day",
            "choices": [("d", "D")],
            "help_text": "h",
            "db_column": "c",
            "db_comment": "x",
            "db_tablespace": "t",
            "validators": [str],
            "error_messages": {"null": "!"},
            "db_collation": "nocase",
        }
        *_, options = models.CharField(**told).deconstruct()
        assert options == told

    def test_choices_of_a_function_stay_a_function(self):
        def choices():
            return {1: "One"}

        assert models.IntegerField(choices=choices).deconstruct()[-1] == {"choices": choices}

    def test_a_field_of_ones_own_has_its_own_path(self):
        class Mine(models.CharField):
            pass

        assert Mine().deconstruct()[1].endswith("Mine")
        assert Mine().deconstruct()[1].startswith(__name__)

    def test_fields_are_ordered_as_they_were_defined(self):
        first, automatic, second = models.Field(), models.Field(auto_created=True), models.Field()
        assert automatic < first < second
        assert sorted([second, first, automatic]) == [automatic, first, second]
        assert first != second
        assert first not in (None, 1, "")

    def test_a_copy_is_equal_and_apart(self):
        field = models.CharField(max_length=3)
        for made in (copy.copy(field), copy.deepcopy(field)):
            assert made == field
            assert made is not field
            made.max_length = 5
        assert field.max_length == 3
        assert hash(copy.copy(field)) == hash(field)

    def test_a_pickled_field_of_a_model_is_the_models_own(self):
        assert pickle.loads(pickle.dumps(EachField.name)) is EachField.name

    def test_a_field_without_a_model_can_be_pickled(self):
        field = models.CharField(max_length=3, default="x")
        field.get_default(), field.column_type
        assert pickle.loads(pickle.dumps(field)).deconstruct() == field.deconstruct()

    def test_it_reads_as_its_place(self):
        assert str(EachField.name.field) == "tests.EachField.name"
        assert repr(EachField.name.field) == "<facade.models.fields.CharField: name>"
        assert repr(models.CharField()) == str(models.CharField()) == "<facade.models.fields.CharField>"


class TestDefaults:
    def test_a_value_or_a_function(self):
        assert models.IntegerField(default=3).get_default() == 3
        assert models.IntegerField(default=lambda: 4).get_default() == 4

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            (models.CharField(), ""),
            (models.CharField(null=True), None),
            (models.IntegerField(), None),
            (models.BinaryField(), b""),
            (models.BinaryField(null=True), None),
            (models.JSONField(), None),
        ],
    )
    def test_without_one_a_text_is_empty_and_others_are_none(self, field, expected):
        assert field.get_default() == expected

    def test_a_falsy_default_is_one(self):
        assert models.BinaryField(default=None).get_default() is None
        assert models.IntegerField(default=0).has_default()
        assert not models.IntegerField().has_default()

    def test_a_primary_key_may_come_from_its_default(self):
        assert models.UUIDField(default=uuid.uuid4).get_pk_value_on_save(None)


class TestCleaning:
    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            (models.CharField(), "", "blank"),
            (models.CharField(), None, "null"),
            (models.CharField(max_length=2), "abc", "max_length"),
            (models.CharField(choices=[("a", "A")]), "b", "invalid_choice"),
            (models.IntegerField(), "x", "invalid"),
            (models.IntegerField(), 2**80, "max_value"),
            (models.PositiveIntegerField(), -1, "min_value"),
            (models.IntegerField(choices={"g": {1: "A"}}), 2, "invalid_choice"),
            (models.BooleanField(), None, "invalid"),
            (models.BooleanField(null=True), "x", "invalid_nullable"),
            (models.DecimalField(max_digits=3, decimal_places=1), "1.25", "max_decimal_places"),
            (models.FloatField(), "x", "invalid"),
            (models.DateField(), "2024-13-01", "invalid_date"),
            (models.DateTimeField(), "2024-01-01 25:00", "invalid_datetime"),
            (models.DateTimeField(), "2024-13-01", "invalid_date"),
            (models.TimeField(), "25:00", "invalid_time"),
            (models.DurationField(), "x", "invalid"),
            (models.UUIDField(), "x", "invalid"),
            (models.EmailField(), "x", "invalid"),
            (models.URLField(), "x", "invalid"),
            (models.SlugField(), "a b", "invalid"),
            (models.GenericIPAddressField(), "x", "invalid"),
            (models.GenericIPAddressField(protocol="IPv4"), "::1", "invalid"),
            (models.JSONField(), {1, 2}, "invalid"),
            (models.JSONField(), [float("nan")], "invalid"),
            (models.BinaryField(editable=True), "äöü", "invalid"),
        ],
    )
    def test_what_is_wrong_has_a_code(self, field, value, code):
        with pytest.raises(ValidationError) as caught:
            field.clean(value, None)
        assert [error.code for error in caught.value.error_list] == [code]

    @pytest.mark.parametrize(
        ("field", "value", "expected"),
        [
            (models.IntegerField(), "2", 2),
            (models.IntegerField(choices={"g": {10: "A"}, 30: "C"}), "10", 10),
            (models.IntegerField(choices=Suit), "1", 1),
            (models.CharField(choices=Size), "S", "S"),
            (models.CharField(choices=lambda: {"a": "A"}), "a", "a"),
            (models.CharField(blank=True), "", ""),
            (models.BooleanField(), 1, True),
            (models.BooleanField(), "False", False),
            (models.BooleanField(null=True, blank=True), "", None),
            (models.DecimalField(max_digits=4, decimal_places=2), "2.4", Decimal("2.4")),
            (models.DateField(), dt.datetime(2024, 1, 1, 23, tzinfo=UTC), dt.date(2024, 1, 1)),
            (models.DateTimeField(), "2024-01-01 10:00Z", dt.datetime(2024, 1, 1, 10, tzinfo=UTC)),
            (models.TimeField(), dt.datetime(2024, 1, 1, 10, tzinfo=UTC), dt.time(10)),
            (models.UUIDField(), 5, uuid.UUID(int=5)),
            (models.SlugField(allow_unicode=True), "ärger", "ärger"),
            (models.GenericIPAddressField(unpack_ipv4=True), " ::ffff:1.2.3.4 ", "1.2.3.4"),
            (models.JSONField(), {"a": 1}, {"a": 1}),
            (models.BinaryField(editable=True), "AP8=", b"\0\xff"),
        ],
    )
    def test_a_clean_value_has_the_fields_type(self, field, value, expected):
        assert field.clean(value, None) == expected

    def test_messages_may_be_replaced(self):
        field = models.CharField(
            max_length=1, error_messages={"blank": "Say something.", "max_length": "Too long."}
        )
        for value, message in (("", "Say something."), ("ab", "Too long.")):
            with pytest.raises(ValidationError, match=message):
                field.clean(value, None)

    def test_all_validators_are_heard(self):
        def refuse(value):
            raise ValidationError("No.")

        with pytest.raises(ValidationError) as caught:
            models.CharField(max_length=1, validators=[refuse]).run_validators("ab")
        assert len(caught.value.messages) == 2

    def test_fields_nobody_edits_are_not_validated(self):
        models.CharField(editable=False).validate(None, None)
        models.AutoField(primary_key=True).validate(None, None)

    def test_stricter_validators_replace_those_of_the_column(self):
        field = models.PositiveSmallIntegerField(
            validators=[validators.MinValueValidator(5), validators.MaxValueValidator(lambda: 10)]
        )
        assert len(field.validators) == 2

    def test_floats_are_rounded_to_the_digits_of_the_column(self):
        field = models.DecimalField(max_digits=4, decimal_places=2)
        assert field.to_python(3.1415926535897) == Decimal("3.142")

    @pytest.mark.parametrize("field", [models.DateField(), models.DateTimeField(), models.TimeField()])
    def test_text_for_serializers_is_iso(self, field):
        field.set_attributes_from_name("x")
        assert field.value_to_string(type("Row", (), {"x": None})()) == ""
        assert field.value_to_string(type("Row", (), {"x": dt.time(1)})()) == "01:00:00"


class TestTimeZones:
    def test_a_naive_moment_is_one_of_the_default_zone_with_a_warning(self):
        naive = dt.datetime.fromisoformat("2024-07-01 12:00")
        with override(USE_TZ=True, TIME_ZONE="Europe/Vienna"):
            with pytest.warns(
                RuntimeWarning, match=r"EachField.moment received a naive datetime .* is active"
            ):
                found = EachField.moment.field.get_prep_value(naive)
            assert found == dt.datetime(2024, 7, 1, 10, tzinfo=UTC)

    def test_a_day_is_its_midnight(self):
        with override(USE_TZ=False):
            assert models.DateTimeField().to_python(dt.date(2024, 7, 1)) == dt.datetime.fromisoformat(
                "2024-07-01"
            )
        with override(USE_TZ=True), pytest.warns(RuntimeWarning, match=r"\(unbound\)"):
            assert models.DateTimeField().to_python(dt.date(2024, 7, 1)).tzinfo

    def test_the_day_of_a_moment_is_that_of_the_default_zone(self):
        with override(USE_TZ=True, TIME_ZONE="Asia/Tokyo"):
            found = models.DateField().to_python(dt.datetime(2024, 7, 1, 20, tzinfo=UTC))
        assert found == dt.date(2024, 7, 2)


class TestIntegers:
    @pytest.mark.parametrize(
        ("kind", "low", "high"),
        [
            (models.SmallIntegerField, -(2**15), 2**15 - 1),
            (models.IntegerField, -(2**31), 2**31 - 1),
            (models.BigIntegerField, -(2**63), 2**63 - 1),
            (models.PositiveSmallIntegerField, 0, 2**15 - 1),
            (models.AutoField, -(2**31), 2**31 - 1),
        ],
    )
    def test_a_column_has_a_range(self, kind, low, high):
        with override(DATABASES={"default": "postgresql://localhost/x"}):
            assert kind().integer_range == (low, high)
        with override(DATABASES={"default": "sqlite://"}):
            assert kind().integer_range == (low if low == 0 else -(2**63), 2**63 - 1)

    def test_every_counting_field_is_an_auto_field(self):
        assert isinstance(models.BigAutoField(), models.AutoField)
        assert issubclass(models.SmallAutoField, models.AutoField)
        assert not isinstance(models.IntegerField(), models.AutoField)
        assert not isinstance(models.AutoField(), models.BigAutoField)

    def test_a_model_counts_in_one_field_only(self):
        with pytest.raises(
            ValueError, match=r"Model tests\.Twice can't have more than one auto-generated field"
        ):

            class Twice(models.Model):
                one = models.AutoField(primary_key=True)
                two = models.AutoField()

                class Meta:
                    app_label = "tests"


DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect(), "mysql": mysql.dialect()}


class TestColumns:
    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            (models.AutoField(), ("INTEGER", "INTEGER", "INTEGER")),
            (models.BigAutoField(), ("INTEGER", "BIGINT", "BIGINT")),
            (models.SmallAutoField(), ("INTEGER", "SMALLINT", "SMALLINT")),
            (models.BigIntegerField(), ("BIGINT", "BIGINT", "BIGINT")),
            (models.PositiveIntegerField(), ("INTEGER", "INTEGER", "INTEGER UNSIGNED")),
            (models.PositiveSmallIntegerField(), ("SMALLINT", "SMALLINT", "SMALLINT UNSIGNED")),
            (models.BinaryField(), ("BLOB", "BYTEA", "LONGBLOB")),
            (models.BooleanField(), ("BOOLEAN", "BOOLEAN", "BOOL")),
            (models.CharField(max_length=9), ("VARCHAR(9)", "VARCHAR(9)", "VARCHAR(9)")),
            (models.DateTimeField(), ("DATETIME", "TIMESTAMP WITH TIME ZONE", "DATETIME(6)")),
            (models.DateField(), ("DATE", "DATE", "DATE")),
            (models.TimeField(), ("TIME", "TIME WITHOUT TIME ZONE", "TIME(6)")),
            (models.DecimalField(max_digits=5, decimal_places=2), ("NUMERIC(5, 2)",) * 3),
            (models.DurationField(), ("BIGINT", "INTERVAL", "BIGINT")),
            (models.FloatField(), ("DOUBLE", "DOUBLE PRECISION", "DOUBLE")),
            (models.GenericIPAddressField(), ("CHAR(39)", "INET", "CHAR(39)")),
            (models.JSONField(), ("TEXT", "JSONB", "JSON")),
            (models.TextField(), ("TEXT", "TEXT", "LONGTEXT")),
            (models.UUIDField(), ("CHAR(32)", "UUID", "CHAR(32)")),
            (models.TextField(db_collation="x"), ("TEXT COLLATE x", "TEXT COLLATE x", "LONGTEXT COLLATE x")),
        ],
        ids=lambda item: type(item).__name__ if isinstance(item, models.Field) else None,
    )
    def test_a_column_has_a_type_on_each_database(self, field, expected):
        found = (field.column_type.compile(dialect) for dialect in DIALECTS.values())
        assert tuple(text.replace('"', "") for text in found) == expected

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            (models.AutoField(), "INTEGER"),
            (models.BigAutoField(), "BIGINT"),
            (models.SmallAutoField(), "SMALLINT"),
            (models.PositiveIntegerField(), "INTEGER"),
            (models.UUIDField(), "UUID"),
        ],
    )
    def test_a_foreign_key_has_the_type_without_the_counting(self, field, expected):
        assert field.rel_column_type.compile(DIALECTS["postgresql"]) == expected

    def test_a_field_may_name_a_builtin_one(self):
        class Money(models.Field):
            def get_internal_type(self):
                return "IntegerField"

        assert isinstance(Money().column_type, sa.Integer)

    def test_a_field_may_write_its_type(self):
        class Hstore(models.Field):
            def db_type(self, connection):
                return f"hstore_of_{connection.vendor}"

        assert Hstore().column_type.compile(DIALECTS["postgresql"]) == "hstore_of_postgresql"
        assert Hstore().column_type.compile(DIALECTS["sqlite"]) == "hstore_of_sqlite"

    def test_a_plain_field_has_no_type(self):
        assert isinstance(models.Field().column_type, sa.types.NullType)


class TestChecks:
    @pytest.mark.parametrize(
        ("field", "id"),
        [
            (models.CharField(name="a_"), "fields.E001"),
            (models.CharField(name="a__b"), "fields.E002"),
            (models.CharField(name="pk"), "fields.E003"),
            (models.CharField(choices=5), "fields.E004"),
            (models.CharField(choices={1, 2}), "fields.E004"),
            (models.CharField(choices=["ab"]), "fields.E005"),
            (models.CharField(choices=[("a", ["b"])]), "fields.E005"),
            (models.CharField(db_index="x"), "fields.E006"),
            (models.CharField(primary_key=True, null=True), "fields.E007"),
            (models.CharField(validators=[3]), "fields.E008"),
            (models.CharField(max_length=1, choices=[("g", [("ab", "A")])]), "fields.E009"),
            (models.JSONField(default={}), "fields.E010"),
            (models.AutoField(), "fields.E100"),
            (models.CharField(max_length=0), "fields.E121"),
            (models.CharField(max_length=True), "fields.E121"),
            (models.IntegerField(max_length=3), "fields.W122"),
            (models.DecimalField(max_digits=3, decimal_places=-1), "fields.E131"),
            (models.DecimalField(max_digits="x", decimal_places=1), "fields.E133"),
            (models.DecimalField(max_digits=1, decimal_places=2), "fields.E134"),
            (models.FilePathField(allow_files=False), "fields.E140"),
            (models.GenericIPAddressField(blank=True), "fields.E150"),
            (models.DateField(auto_now=True, auto_now_add=True), "fields.E160"),
            (models.BinaryField(default="x"), "fields.E170"),
            (models.FileField(primary_key=True), "fields.E201"),
            (models.FileField(upload_to="/x"), "fields.E202"),
        ],
    )
    def test_what_is_wrong_with_a_declaration_is_found(self, field, id):
        found = field.check()
        assert [message.id for message in found] == [id]
        assert found[0].obj is field
        assert id in str(found[0])

    def test_the_present_as_a_default_is_surely_a_mistake(self):
        present = dt.datetime.now(UTC)
        for field in (
            models.DateTimeField(default=present),
            models.DateField(default=present),
            models.DateField(default=present.date()),
            models.TimeField(default=present.time()),
        ):
            (message,) = field.check()
            assert message.id == "fields.W161"
            assert "`facade.timezone.now`" in message.hint

    @pytest.mark.parametrize("kind", ALL)
    def test_a_right_declaration_has_no_messages(self, kind):
        assert make(kind).check() == []

    def test_choices_and_past_dates_are_right(self):
        assert models.CharField(max_length=2, choices={"g": Size, "ab": "AB"}).check() == []
        assert models.DateField(default=dt.date(2000, 1, 1)).check() == []


class TestRegistry:
    @pytest.fixture
    def lookup(self):
        class Same:
            lookup_name = "same"

        return Same

    @pytest.fixture
    def transform(self):
        class Half:
            lookup_name = "half"
            bilateral = False

        return Half

    def test_a_lookup_is_known_to_the_class_and_its_children(self, lookup):
        models.CharField.register_lookup(lookup)
        try:
            assert models.SlugField().get_lookup("same") is lookup
            assert models.CharField.get_lookups()["same"] is lookup
            assert models.TextField().get_lookup("same") is None
        finally:
            models.CharField._unregister_lookup(lookup)
        assert models.SlugField().get_lookup("same") is None

    def test_the_nearest_class_wins(self, lookup):
        with_exact = models.SlugField.register_lookup(lookup, "exact")
        try:
            assert models.SlugField().get_lookup("exact") is with_exact
            assert models.CharField().get_lookup("exact") is not with_exact
        finally:
            models.SlugField._unregister_lookup(lookup, "exact")

    def test_one_field_may_have_a_lookup_of_its_own(self, lookup):
        mine, other = models.CharField(), models.CharField()
        mine.register_lookup(lookup)
        assert mine.get_lookup("same") is lookup
        assert mine.get_lookups()["same"] is lookup
        assert other.get_lookup("same") is None
        mine._unregister_lookup(lookup)
        assert mine.get_lookup("same") is None

    def test_transforms_are_no_lookups(self, lookup, transform):
        field = models.CharField()
        field.register_lookup(lookup)
        field.register_lookup(transform)
        assert (field.get_transform("half"), field.get_lookup("half")) == (transform, None)
        assert (field.get_transform("same"), field.get_lookup("same")) == (None, lookup)

    def test_registering_works_as_a_decorator(self):
        field = models.CharField()

        @field.register_lookup
        class Same:
            lookup_name = "same"

        assert field.get_lookup("same") is Same

    def test_who_keeps_lookups_is_told_of_changes(self, lookup):
        told = []
        registry.on_change(lambda: told.append(1))
        try:
            models.CharField().register_lookup(lookup)
        finally:
            registry.on_change.listeners.pop()
        assert told == [1]


class TestGeneratedFields:
    def make(self, **options):
        return models.GeneratedField(
            expression=models.F("number") * 2, output_field=models.IntegerField(), db_persist=True, **options
        )

    def test_it_looks_like_its_output_field(self):
        field = self.make()
        assert isinstance(field.column_type, sa.Integer)
        assert field.get_internal_type() == "IntegerField"
        assert field.get_prep_value("5") == field.to_python("5") == 5
        assert field.get_lookup("gte") is models.IntegerField().get_lookup("gte")
        assert field.get_lookups() == models.IntegerField().get_lookups()
        assert field.integer_range == models.IntegerField().integer_range

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"editable": True}, "cannot be editable"),
            ({"blank": False}, "must be blank"),
            ({"default": 1}, "cannot have a default"),
            ({"db_default": 1}, "cannot have a database default"),
        ],
    )
    def test_options_that_make_no_sense_are_refused(self, options, words):
        with pytest.raises(ValueError, match=words):
            self.make(**options)

    def test_it_tells_how_it_was_made(self):
        field = self.make()
        assert field.deconstruct()[-1] == {
            "expression": field.expression,
            "output_field": field.output_field,
            "db_persist": True,
        }


class Reversed(models.JSONField):
    def from_db_value(self, value, expression, connection):
        return super().from_db_value(value, expression, connection)[::-1]


class Mirror(models.Model):
    items = Reversed()


class TestJSON:
    @pytest.mark.parametrize("word", ["encoder", "decoder"])
    def test_encoder_and_decoder_are_classes(self, word):
        with pytest.raises(ValueError, match=f"The {word} parameter must be a callable object"):
            models.JSONField(**{word: 5})

    def test_a_subclass_may_convert_what_was_read(self, face, database):
        database.create(Mirror)
        made = face(Mirror.objects.create, items=[1, 2])
        assert face(Mirror.objects.get, pk=made.pk).items == [2, 1]


class TestPaths:
    def test_every_option_of_a_path_is_told(self):
        told = {
            "path": "/x",
            "match": "y",
            "recursive": True,
            "allow_files": False,
            "allow_folders": True,
            "max_length": 9,
        }
        *_, options = models.FilePathField(**told).deconstruct()
        assert options == told


class TestLazyValues:
    class Promise:
        def __init__(self, value):
            self.value = value

        def _proxy____cast(self):
            return self.value

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (models.CharField(), "a"),
            (models.IntegerField(), 1),
            (models.FloatField(), 1.5),
            (models.BooleanField(), True),
            (models.DateField(), dt.date(2024, 1, 1)),
            (models.DecimalField(), Decimal(1)),
            (models.BinaryField(), b"a"),
            (models.JSONField(), {"a": 1}),
            (models.FileField(), "a"),
            (models.GenericIPAddressField(), "::1"),
        ],
        ids=lambda item: type(item).__name__,
    )
    def test_lazy_values_of_other_libraries_are_evaluated(self, field, value):
        found = field.get_prep_value(self.Promise(value))
        assert (type(found), found) == (type(value), value)

    @pytest.mark.parametrize("field", [models.CharField(), models.TextField()])
    def test_texts_reach_the_driver_as_plain_texts(self, field):
        assert type(field.get_prep_value(Size.SMALL)) is str
        assert type(models.IntegerField().get_prep_value(Suit.HEART)) is int


@pytest.mark.parametrize(
    ("default", "allowed"),
    [
        (1, True),
        (models.Value(1) + 1, True),
        (models.Case(models.When(GreaterThan(2, 1), then=3), default=4), True),
        (RawSQL("1", ()), True),
        (ExpressionList(models.Value(1), models.Value(2)), True),
        (ExpressionList(models.F("other")), False),
        (models.F("other"), False),
        (models.Value(1) + models.F("other"), False),
        (models.Case(models.When(other=1, then=3)), False),
    ],
)
def test_a_default_of_the_database_refers_to_no_field(default, allowed):
    field = models.IntegerField(db_default=default)
    assert [message.id for message in field.check()] == ([] if allowed else ["fields.E012"])
