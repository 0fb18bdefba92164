"""The exceptions: their families, and ValidationError's ways to tell what is wrong."""

import copy
import pickle

import pytest
import sqlalchemy.exc

from facade import exceptions
from facade.exceptions import NON_FIELD_ERRORS, ValidationError


class TestFamilies:
    @pytest.mark.parametrize(
        ("name", "family"),
        [
            ("Error", sqlalchemy.exc.DBAPIError),
            ("IntegrityError", sqlalchemy.exc.DatabaseError),
            ("TransactionManagementError", sqlalchemy.exc.ProgrammingError),
            ("DetachedOperation", exceptions.TransactionManagementError),
            ("CommitOutcomeUnknown", sqlalchemy.exc.OperationalError),
            ("DeadlockDetected", sqlalchemy.exc.OperationalError),
            ("SerializationFailure", sqlalchemy.exc.OperationalError),
            ("PoolExhausted", sqlalchemy.exc.TimeoutError),
            ("UnsupportedFeature", sqlalchemy.exc.NotSupportedError),
            ("NumericValueOutOfRange", sqlalchemy.exc.DataError),
            ("NumericValueOutOfRange", OverflowError),
            ("CheckViolation", sqlalchemy.exc.IntegrityError),
            ("CheckViolation", exceptions.NumericValueOutOfRange),
            ("ObjectNotUpdated", sqlalchemy.exc.DatabaseError),
            ("ProtectedError", sqlalchemy.exc.IntegrityError),
            ("RestrictedError", sqlalchemy.exc.IntegrityError),
            ("FieldFetchBlocked", exceptions.FieldError),
            ("SuspiciousFileOperation", exceptions.SuspiciousOperation),
        ],
    )
    def test_an_error_is_caught_by_its_family(self, name, family):
        assert issubclass(getattr(exceptions, name), family)

    def test_every_public_name_is_there(self):
        assert all(hasattr(exceptions, name) for name in exceptions.__all__)

    @pytest.mark.parametrize(
        "kind",
        [
            exceptions.TransactionManagementError,
            exceptions.CommitOutcomeUnknown,
            exceptions.UnsupportedFeature,
            exceptions.NumericValueOutOfRange,
            exceptions.CheckViolation,
            exceptions.ObjectNotUpdated,
        ],
    )
    def test_what_facade_finds_itself_is_told_in_one_message(self, kind):
        error = kind("No good.")
        assert str(error) == "No good."
        assert error.args == ("No good.",)
        assert str(pickle.loads(pickle.dumps(error))) == "No good."

    def test_a_cause_may_be_kept(self):
        cause = ConnectionError("gone")
        assert exceptions.CommitOutcomeUnknown("Who knows?", cause).orig is cause

    @pytest.mark.parametrize(
        ("kind", "attribute"),
        [
            (exceptions.ProtectedError, "protected_objects"),
            (exceptions.RestrictedError, "restricted_objects"),
        ],
    )
    def test_a_refused_deletion_names_the_objects(self, kind, attribute):
        error = pickle.loads(pickle.dumps(kind("In use.", {1, 2})))
        assert getattr(error, attribute) == {1, 2}
        assert error.args == ("In use.", {1, 2})
        assert str(error) == "In use."


class TestValidationError:
    def test_one_message_is_formatted_with_its_params(self):
        error = ValidationError("%(value)s is odd", code="odd", params={"value": 3})
        assert (error.message, error.code, error.params) == ("%(value)s is odd", "odd", {"value": 3})
        assert error.messages == list(error) == ["3 is odd"]
        assert error.error_list == [error]

    def test_a_percent_sign_without_params_stays(self):
        assert ValidationError("100%").messages == ["100%"]

    def test_a_list_is_flattened(self):
        inner = ValidationError(["b", ValidationError("c", code="third")])
        error = ValidationError(["a", inner, ValidationError({"x": ["d"], "y": "e"})])
        assert error.messages == ["a", "b", "c", "d", "e"]
        assert [single.code for single in error.error_list] == [None, None, "third", None, None]
        assert not hasattr(error, "message")

    def test_a_dict_has_messages_per_name(self):
        error = ValidationError({"age": ["old", ValidationError("odd")], "name": "long"})
        assert error.message_dict == dict(error) == {"age": ["old", "odd"], "name": ["long"]}
        assert error.messages == ["old", "odd", "long"]
        assert not hasattr(error, "error_list")

    def test_without_names_there_is_no_message_dict(self):
        with pytest.raises(AttributeError, match="error_dict"):
            ValidationError("a").message_dict  # noqa: B018

    @pytest.mark.parametrize("message", ["a", ["a", "b"], {"x": ["a"]}], ids=repr)
    def test_an_error_made_of_an_error_says_the_same(self, message):
        error = ValidationError(message, code="c" if isinstance(message, str) else None)
        again = ValidationError(error)
        assert again == error
        assert str(again) == str(error)
        assert getattr(again, "code", None) == getattr(error, "code", None)

    def test_errors_are_collected_by_name(self):
        found = {"age": [ValidationError("old")]}
        ValidationError({"age": ["odd"], "name": ["long"]}).update_error_dict(found)
        assert ValidationError(["whole", "thing"]).update_error_dict(found) is found
        assert ValidationError(found).message_dict == {
            "age": ["old", "odd"],
            "name": ["long"],
            NON_FIELD_ERRORS: ["whole", "thing"],
        }

    def test_it_reads_as_its_messages(self):
        assert str(ValidationError("a")) == "['a']"
        assert repr(ValidationError(["a", "b"])) == "ValidationError(['a', 'b'])"
        assert repr(ValidationError({"x": ["a"]})) == "ValidationError({'x': ['a']})"

    def test_equal_are_those_that_say_the_same(self):
        error = ValidationError("m", code="c", params={"a": [1], "b": {"x": 2}})
        assert error == ValidationError("m", code="c", params={"b": {"x": 2}, "a": [1]})
        assert error != ValidationError("m", code="other", params=error.params)
        assert error != ValidationError("m", code="c")
        assert ValidationError(["a", "b"]) == ValidationError(["b", "a"])
        assert ValidationError({"x": "a", "y": "b"}) == ValidationError({"y": "b", "x": "a"})
        assert ValidationError({"x": "a"}) != ValidationError({"x": "b"})
        assert len({error, copy.copy(error), ValidationError("m")}) == 2
        assert error != "m"

    @pytest.mark.parametrize("message", ["a", ["a", "b"], {"x": ["a"], "y": ["b"]}], ids=repr)
    def test_it_can_be_pickled_and_copied(self, message):
        error = ValidationError(message)
        assert pickle.loads(pickle.dumps(error)) == copy.deepcopy(error) == error
