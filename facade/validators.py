"""Checks of single values: callables that raise ValidationError."""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self
from urllib.parse import urlsplit

from facade.exceptions import ValidationError
from facade.foundation.deconstruct import Deconstructible
from facade.parsing.addresses import is_ipv4, is_ipv6

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "EMPTY_VALUES",
    "BaseValidator",
    "DecimalValidator",
    "DomainNameValidator",
    "EmailValidator",
    "FileExtensionValidator",
    "MaxLengthValidator",
    "MaxValueValidator",
    "MinLengthValidator",
    "MinValueValidator",
    "ProhibitNullCharactersValidator",
    "RegexValidator",
    "StepValueValidator",
    "URLValidator",
    "get_available_image_extensions",
    "int_list_validator",
    "integer_validator",
    "ip_address_validators",
    "validate_comma_separated_integer_list",
    "validate_domain_name",
    "validate_email",
    "validate_image_file_extension",
    "validate_integer",
    "validate_ipv4_address",
    "validate_ipv6_address",
    "validate_ipv46_address",
    "validate_slug",
    "validate_unicode_slug",
]

EMPTY_VALUES: tuple[Any, ...] = (None, "", [], (), {})
"""What counts as no value: `blank` decides about it, and validators are not asked."""


class _Counted(str):
    """A message in the plural that becomes singular when it is formatted with a count of one."""

    __slots__ = ("counted", "singular")
    singular: str
    counted: str

    def __new__(cls, text: str, counted: str) -> Self:
        """Make a message of `text`, which has its plural "s" in brackets; `counted` names the count."""
        made = super().__new__(cls, text.replace("[s]", "s"))
        made.singular, made.counted = text.replace("[s]", ""), counted
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self.counted

    def __mod__(self, values: object) -> str:
        single = isinstance(values, Mapping) and values.get(self.counted) == 1
        return str.__mod__(self.singular if single else self, values)


class _Expression:
    """A regular expression that is compiled when it is first used: those of hosts take longer than to import all the rest."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._given = (pattern, flags)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(*self._given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    if not TYPE_CHECKING:
        __class__ = property(lambda self: re.Pattern)

    def __eq__(self, other: object) -> bool:
        return self._compiled == (other._compiled if type(other) is _Expression else other)

    def __hash__(self) -> int:
        return hash(self._compiled)

    def __repr__(self) -> str:
        return repr(self._compiled)

    def __reduce__(self) -> tuple[Any, ...]:
        return re.compile, self._given


class _Validator(Deconstructible):
    """Base of the validators: equal are those of one class with the same settings."""

    message: Any = "Enter a valid value."
    code: str = "invalid"

    def _settings(self) -> tuple[Any, ...]:
        """Return what makes two validators of this class equal."""
        return (self.message, self.code)

    def _take(self, message: object, code: str | None) -> None:
        if message is not None:
            self.message = message
        if code is not None:
            self.code = code

    def _refuse(self, value: object, **params: Any) -> NoReturn:
        raise ValidationError(self.message, code=self.code, params={**params, "value": value})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Validator):
            return NotImplemented
        return type(self) is type(other) and self._settings() == other._settings()

    def __hash__(self) -> int:
        return hash((type(self), self.message, self.code))


class RegexValidator(_Validator):
    """The text must match `regex` somewhere; with `inverse_match`, it must not.

    >>> RegexValidator(r"^[a-f]+$", message="Hexadecimal, please.")("xyz")
    Traceback (most recent call last):
    facade.exceptions.ValidationError: ['Hexadecimal, please.']
    """

    regex: Any = ""
    inverse_match = False
    flags: int = 0

    def __init__(
        self,
        regex: str | re.Pattern[str] | None = None,
        message: object = None,
        code: str | None = None,
        inverse_match: bool | None = None,
        flags: int | None = None,
    ) -> None:
        self._take(message, code)
        if inverse_match is not None:
            self.inverse_match = inverse_match
        if flags is not None:
            self.flags = flags
        pattern = self.regex if regex is None else regex
        if self.flags and not isinstance(pattern, str):
            raise TypeError("If the flags are set, regex must be a regular expression string.")
        self.regex = pattern if type(pattern) is _Expression else re.compile(pattern, self.flags)

    def __call__(self, value: object) -> None:
        if bool(self.regex.search(str(value))) is self.inverse_match:
            self._refuse(value)

    def _settings(self) -> tuple[Any, ...]:
        return (self.regex.pattern, self.regex.flags, self.message, self.code, self.inverse_match)


# Host names: labels of at most 63 characters, joined by dots, none of which begins or ends with a hyphen.
_LETTER = "a-z\u00a1-\uffff"
_LABEL = rf"(?!-)[{_LETTER}0-9-]{{1,63}}(?<!-)"
_TOP_LEVEL = rf"(?:(?!-)[{_LETTER}-]{{2,63}}(?<!-)|xn--[a-z0-9]{{1,59}}(?<!-))"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.{_TOP_LEVEL}"
_ASCII_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_ASCII_DOMAIN = rf"{_ASCII_LABEL}(?:\.{_ASCII_LABEL})*\.(?!-)[a-z0-9-]{{2,63}}(?<!-)"
_DOMAIN_NAME: Any = _Expression(rf"\A{_DOMAIN}\.?\Z", re.IGNORECASE)
_ASCII_DOMAIN_NAME: Any = _Expression(rf"\A{_ASCII_DOMAIN}\.?\Z", re.IGNORECASE)


class DomainNameValidator(RegexValidator):
    """The text must be a domain name with a top-level domain; `accept_idna=False`: in ASCII."""

    message = "Enter a valid domain name."
    max_length = 255
    #: The parts of a name as regular expressions, to build others of.
    ul = _LETTER
    hostname_re = _LABEL
    domain_re = rf"(?:\.{_LABEL})*"
    tld_re = rf"\.{_TOP_LEVEL}\.?"

    def __init__(self, *, accept_idna: bool = True, **options: Any) -> None:
        self.accept_idna = accept_idna
        super().__init__(_DOMAIN_NAME if accept_idna else _ASCII_DOMAIN_NAME, **options)
        self.flags = re.IGNORECASE

    def __call__(self, value: object) -> None:
        if not isinstance(value, str) or len(value) > self.max_length:
            self._refuse(value)
        if not self.accept_idna and not value.isascii():
            self._refuse(value)
        super().__call__(value)


_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_URL = _Expression(
    r"\A[a-z0-9.+-]*://"
    r"(?:[^\s:@/]+(?::[^\s:@/]*)?@)?"  # user, password
    rf"(?:{_BYTE}(?:\.{_BYTE}){{3}}|\[[0-9a-f:.]+\]|{_DOMAIN}\.?|localhost)"
    r"(?::[0-9]{1,5})?"
    r"(?:[/?#]\S*)?\Z",
    re.IGNORECASE,
)


class URLValidator(RegexValidator):
    """The text must be an absolute URL of one of `schemes`, with a host."""

    regex = _URL
    message = "Enter a valid URL."
    schemes: Collection[str] = ("http", "https", "ftp", "ftps")
    unsafe_chars = frozenset("\t\r\n")
    max_length = 2048
    max_host_length = 253

    def __init__(self, schemes: Collection[str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        if schemes is not None:
            self.schemes = schemes

    def __call__(self, value: object) -> None:
        if (
            not isinstance(value, str)
            or len(value) > self.max_length
            or self.unsafe_chars.intersection(value)
        ):
            self._refuse(value)
        if value.partition("://")[0].lower() not in self.schemes:
            self._refuse(value)
        try:
            parts = urlsplit(value)
        except ValueError:
            self._refuse(value)
        super().__call__(value)
        self._check_host(value, parts.hostname, in_brackets="[" in parts.netloc)

    def _check_host(self, value: str, host: str | None, in_brackets: bool) -> None:
        if host is None or len(host) > self.max_host_length or (in_brackets and not is_ipv6(host)):
            self._refuse(value)

    def _settings(self) -> tuple[Any, ...]:
        return (*super()._settings(), set(self.schemes))


class EmailValidator(_Validator):
    """The text must be an email address; domains of `allowlist` need no top-level domain."""

    message = "Enter a valid email address."
    user_regex = _Expression(
        r"[-!#$%&'*+/=?^_`{}|~0-9A-Z]+(?:\.[-!#$%&'*+/=?^_`{}|~0-9A-Z]+)*"
        r'|"(?:[\x01-\x08\x0b\x0c\x0e-\x1f!#-\[\]-\x7f]|\\[\x01-\x09\x0b\x0c\x0e-\x7f])*"',
        re.IGNORECASE,
    )
    domain_regex = _Expression(_DOMAIN, re.IGNORECASE)
    literal_regex = _Expression(r"\[([A-F0-9:.]+)\]", re.IGNORECASE)
    domain_allowlist: Collection[str] = ("localhost",)
    max_length = 320

    def __init__(
        self, message: object = None, code: str | None = None, allowlist: Collection[str] | None = None
    ) -> None:
        self._take(message, code)
        if allowlist is not None:
            self.domain_allowlist = allowlist

    def __call__(self, value: object) -> None:
        if not isinstance(value, str) or "@" not in value or len(value) > self.max_length:
            self._refuse(value)
        user, _, domain = value.rpartition("@")
        if not self.user_regex.fullmatch(user):
            self._refuse(value)
        if domain not in self.domain_allowlist and not self.validate_domain_part(domain):
            self._refuse(value)

    def validate_domain_part(self, domain_part: str) -> bool:
        """Return whether the text behind the @ is a domain, or an IP address in brackets."""
        if self.domain_regex.fullmatch(domain_part):
            return True
        literal = self.literal_regex.fullmatch(domain_part)
        return literal is not None and (is_ipv4(literal[1]) or is_ipv6(literal[1]))

    def _settings(self) -> tuple[Any, ...]:
        return (*super()._settings(), set(self.domain_allowlist))


def _refuse_address(value: object, protocol: str) -> NoReturn:
    raise ValidationError(
        "Enter a valid %(protocol)s address.", code="invalid", params={"protocol": protocol, "value": value}
    )


def validate_ipv4_address(value: object) -> None:
    """The value must be an IPv4 address."""
    if not is_ipv4(value):
        _refuse_address(value, "IPv4")


def validate_ipv6_address(value: object) -> None:
    """The value must be an IPv6 address."""
    if not is_ipv6(value):
        _refuse_address(value, "IPv6")


def validate_ipv46_address(value: object) -> None:
    """The value must be an IPv4 or IPv6 address."""
    if not is_ipv4(value) and not is_ipv6(value):
        _refuse_address(value, "IPv4 or IPv6")


_ADDRESS_VALIDATORS: dict[str, list[Callable[[Any], None]]] = {
    "both": [validate_ipv46_address],
    "ipv4": [validate_ipv4_address],
    "ipv6": [validate_ipv6_address],
}


def ip_address_validators(protocol: str, unpack_ipv4: bool) -> list[Callable[[Any], None]]:
    """Return the validators for `protocol`: "both", "ipv4" or "ipv6", in any case. Raises ValueError."""
    if protocol != "both" and unpack_ipv4:
        raise ValueError("You can only use `unpack_ipv4` if `protocol` is set to 'both'")
    try:
        return _ADDRESS_VALIDATORS[protocol.lower()]
    except KeyError:
        supported = list(_ADDRESS_VALIDATORS)
        raise ValueError(f"The protocol '{protocol}' is unknown. Supported: {supported}")


def int_list_validator(
    sep: str = ",", message: object = None, code: str = "invalid", allow_negative: bool = False
) -> RegexValidator:
    """Return a validator of integers joined by `sep`."""
    number = r"-?\d+" if allow_negative else r"\d+"
    return RegexValidator(rf"\A{number}(?:{re.escape(sep)}{number})*\Z", message=message, code=code)


class BaseValidator(_Validator):
    """Base of validators that compare a value with `limit_value`, which may be a function.

    A subclass says in `compare(value, limit)` what is wrong, and in `clean(value)` what is compared.
    """

    message = "Ensure this value is %(limit_value)s (it is %(show_value)s)."
    code = "limit_value"

    def __init__(self, limit_value: object, message: object = None) -> None:
        self.limit_value = limit_value
        self._take(message or None, None)

    def __call__(self, value: object) -> None:
        cleaned = self.clean(value)
        limit = self.limit_value() if callable(self.limit_value) else self.limit_value
        if self.compare(cleaned, limit):
            self._refuse(value, limit_value=limit, show_value=cleaned)

    def _settings(self) -> tuple[Any, ...]:
        return (*super()._settings(), self.limit_value)

    def compare(self, a: object, b: object) -> bool:
        return a is not b

    def clean(self, x: object) -> Any:
        return x


class _Above(BaseValidator):
    """What is greater than the limit is refused."""

    def compare(self, a: Any, b: Any) -> bool:
        return bool(a > b)


class _Below(BaseValidator):
    """What is less than the limit is refused."""

    def compare(self, a: Any, b: Any) -> bool:
        return bool(a < b)


class _Measured(BaseValidator):
    """The number of elements is compared."""

    def clean(self, x: Any) -> int:
        return len(x)


class MaxValueValidator(_Above):
    """The value must not be greater than the limit."""

    message = "Ensure this value is less than or equal to %(limit_value)s."
    code = "max_value"


class MinValueValidator(_Below):
    """The value must not be less than the limit."""

    message = "Ensure this value is greater than or equal to %(limit_value)s."
    code = "min_value"


class StepValueValidator(BaseValidator):
    """The value must lie a multiple of the limit away from `offset`."""

    message = "Ensure this value is a multiple of step size %(limit_value)s."
    message_with_offset = (
        "Ensure this value is a multiple of step size %(limit_value)s, starting from %(offset)s, "
        "e.g. %(offset)s, %(valid_value1)s, %(valid_value2)s, and so on."
    )
    code = "step_size"

    def __init__(self, limit_value: object, message: object = None, offset: object = None) -> None:
        super().__init__(limit_value, message)
        self.offset = offset
        if offset is not None:
            self.message = self.message_with_offset

    def _refuse(self, value: object, **params: Any) -> NoReturn:
        if self.offset is not None:
            offset, step = type(params["show_value"])(self.offset), params["limit_value"]
            params |= {"offset": offset, "valid_value1": offset + step, "valid_value2": offset + 2 * step}
        super()._refuse(value, **params)

    def _settings(self) -> tuple[Any, ...]:
        return (*super()._settings(), self.offset)

    def compare(self, a: Any, b: Any) -> bool:
        return not math.isclose(math.remainder(a - (self.offset or 0), b), 0, abs_tol=1e-9)


class MinLengthValidator(_Measured, _Below):
    """The value must have at least that many elements."""

    message = _Counted(
        "Ensure this value has at least %(limit_value)d character[s] (it has %(show_value)d).", "limit_value"
    )
    code = "min_length"


class MaxLengthValidator(_Measured, _Above):
    """The value must not have more elements than that."""

    message = _Counted(
        "Ensure this value has at most %(limit_value)d character[s] (it has %(show_value)d).", "limit_value"
    )
    code = "max_length"


class DecimalValidator(_Validator):
    """A decimal must have no more digits in all, and behind the point, than given; None: any number.

    >>> from decimal import Decimal
    >>> DecimalValidator(max_digits=4, decimal_places=2)(Decimal("123.4"))
    Traceback (most recent call last):
    facade.exceptions.ValidationError: ['Ensure that there are no more than 2 digits before the decimal point.']
    """

    messages: ClassVar[dict[str, Any]] = {
        "invalid": "Enter a number.",
        "max_digits": _Counted("Ensure that there are no more than %(max)s digit[s] in total.", "max"),
        "max_decimal_places": _Counted("Ensure that there are no more than %(max)s decimal place[s].", "max"),
        "max_whole_digits": _Counted(
            "Ensure that there are no more than %(max)s digit[s] before the decimal point.", "max"
        ),
    }

    def __init__(self, max_digits: int | None, decimal_places: int | None) -> None:
        self.max_digits = max_digits
        self.decimal_places = decimal_places

    def __call__(self, value: Decimal) -> None:
        if not value.is_finite():
            raise ValidationError(self.messages["invalid"], code="invalid", params={"value": value})
        digits, decimals = _count_digits(value)
        whole = None
        if self.max_digits is not None and self.decimal_places is not None:
            whole = self.max_digits - self.decimal_places
        self._limit("max_digits", digits, self.max_digits, value)
        self._limit("max_decimal_places", decimals, self.decimal_places, value)
        self._limit("max_whole_digits", digits - decimals, whole, value)

    def _limit(self, code: str, count: int, limit: int | None, value: Decimal) -> None:
        if limit is not None and count > limit:
            raise ValidationError(self.messages[code], code=code, params={"max": limit, "value": value})

    def _settings(self) -> tuple[Any, ...]:
        return (self.max_digits, self.decimal_places)


def _count_digits(value: Decimal) -> tuple[int, int]:
    """Return how many digits the value has in all, and how many behind the point."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # finite
    if exponent < 0:
        return max(len(digits), -exponent), -exponent
    return (len(digits) + exponent if value else 1), 0


class FileExtensionValidator(_Validator):
    """The name of the file must end with one of `allowed_extensions`, in any case; None: with any."""

    message = "File extension “%(extension)s” is not allowed. Allowed extensions are: %(allowed_extensions)s."
    code = "invalid_extension"

    def __init__(
        self, allowed_extensions: Iterable[str] | None = None, message: object = None, code: str | None = None
    ) -> None:
        allowed = None if allowed_extensions is None else [name.lower() for name in allowed_extensions]
        self.allowed_extensions = allowed
        self._take(message, code)

    def __call__(self, value: Any) -> None:
        extension = PurePath(value.name).suffix[1:].lower()
        if self.allowed_extensions is not None and extension not in self.allowed_extensions:
            self._refuse(value, extension=extension, allowed_extensions=", ".join(self.allowed_extensions))

    def _settings(self) -> tuple[Any, ...]:
        return (*super()._settings(), set(self.allowed_extensions or ()))


class ProhibitNullCharactersValidator(_Validator):
    """The text must not hold the NUL character."""

    message = "Null characters are not allowed."
    code = "null_characters_not_allowed"

    def __init__(self, message: object = None, code: str | None = None) -> None:
        self._take(message, code)

    def __call__(self, value: object) -> None:
        if "\x00" in str(value):
            self._refuse(value)


validate_domain_name = DomainNameValidator()
"""The text must be a domain name."""

validate_email = EmailValidator()
"""The text must be an email address."""

integer_validator = RegexValidator(r"\A-?\d+\Z", "Enter a valid integer.")
"""The text must be an integer."""

validate_slug = RegexValidator(
    r"\A[-a-zA-Z0-9_]+\Z", "Enter a valid “slug” consisting of letters, numbers, underscores or hyphens."
)
"""The text must consist of ASCII letters, digits, underscores and hyphens."""

validate_unicode_slug = RegexValidator(
    r"\A[-\w]+\Z", "Enter a valid “slug” consisting of Unicode letters, numbers, underscores, or hyphens."
)
"""The text must consist of letters and digits of any script, underscores and hyphens."""

validate_comma_separated_integer_list = int_list_validator(message="Enter only digits separated by commas.")
"""The text must be integers joined by commas."""


def validate_integer(value: object) -> None:
    """The value must be written as an integer."""
    integer_validator(value)


def get_available_image_extensions() -> list[str]:
    """Return the extensions of the image files that Pillow can read; none without Pillow."""
    if importlib.util.find_spec("PIL") is None:
        return []
    images = importlib.import_module("PIL.Image")
    images.init()
    return [extension.lower()[1:] for extension in images.EXTENSION]


def validate_image_file_extension(value: object) -> None:
    """The name of the file must have the extension of an image."""
    FileExtensionValidator(get_available_image_extensions())(value)
