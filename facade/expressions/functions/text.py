"""Functions of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from facade import fields
from facade.expressions.base import Value
from facade.expressions.calls import Func
from facade.expressions.comparisons import Transform
from facade.expressions.functions.vendors import VendorFunc
from facade.expressions.sqltext.fragments import template
from facade.fields.kinds.text import part_of_text

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Resolvable


class Chr(VendorFunc, Transform):
    """The character with a code point."""

    function = "CHR"
    lookup_name = "chr"
    _output_field = fields.CharField()
    spellings: ClassVar[dict[str, dict[str, str]]] = {
        "mysql": {"template": "CONVERT(CHAR(%(expressions)s USING utf32) USING utf8mb4)"},
        "sqlite": {"function": "CHAR"},
    }


class Concat(Func):
    """Texts one after the other; NULL counts as the empty text."""

    function = "CONCAT"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        if len(expressions) < 2:
            raise ValueError("Concat must take at least two expressions")
        super().__init__(*expressions, **extra)

    def as_core(self, compiler: Compiler) -> Any:
        words = compiler.words
        texts = [words.text_argument(compiler.process(item), item.value_kind) for item in self._sources()]
        return words.concatenated(texts, self.column_type)


class Left(Func):
    """The first `length` characters."""

    function = "LEFT"
    arity = 2
    _output_field = fields.CharField()
    _by_position = "SUBSTR(%s, 1, %s)"

    def __init__(self, expression: object, length: int | Resolvable, **extra: Any) -> None:
        if not hasattr(length, "resolve_expression") and length < 1:
            raise ValueError("'length' must be greater than 0.")
        super().__init__(expression, length, **extra)

    def as_core(self, compiler: Compiler) -> Any:
        if compiler.words.cuts_ends:
            return super().as_core(compiler)
        core, length = (compiler.process(source) for source in self._sources())
        arguments = (core, *[length] * (self._by_position.count("%s") - 1))
        return template(self._by_position, *arguments, type_=self.output_field.column_type)


class Right(Left):
    """The last `length` characters."""

    function = "RIGHT"
    _by_position = "SUBSTR(%s, -(%s), %s)"


class Length(VendorFunc, Transform):
    """The number of characters."""

    function = "LENGTH"
    lookup_name = "length"
    _output_field = fields.IntegerField()
    spellings: ClassVar[dict[str, dict[str, str]]] = {"mysql": {"function": "CHAR_LENGTH"}}


class Lower(Transform):
    """In lower case."""

    function = "LOWER"
    lookup_name = "lower"


class LPad(Func):
    """Filled up on the left to `length` characters; longer texts are cut."""

    function = "LPAD"
    _output_field = fields.CharField()

    def __init__(
        self, expression: object, length: int | Resolvable | None, fill_text: object = None, **extra: Any
    ) -> None:
        if not hasattr(length, "resolve_expression") and length is not None and length < 0:
            raise ValueError("'length' must be greater or equal to 0.")
        super().__init__(expression, length, Value(" ") if fill_text is None else fill_text, **extra)


class RPad(LPad):
    """Filled up on the right to `length` characters; longer texts are cut."""

    function = "RPAD"


class LTrim(Transform):
    """Without spaces at the beginning."""

    function = "LTRIM"
    lookup_name = "ltrim"


class RTrim(Transform):
    """Without spaces at the end."""

    function = "RTRIM"
    lookup_name = "rtrim"


class Trim(Transform):
    """Without spaces at both ends."""

    function = "TRIM"
    lookup_name = "trim"


class Ord(VendorFunc, Transform):
    """The code point of the first character."""

    function = "ASCII"
    lookup_name = "ord"
    _output_field = fields.IntegerField()
    spellings: ClassVar[dict[str, dict[str, str]]] = {
        "mysql": {"function": "ORD"},
        "sqlite": {"function": "UNICODE"},
    }


class Repeat(Func):
    """The text `number` times."""

    function = "REPEAT"
    _output_field = fields.CharField()

    def __init__(self, expression: object, number: int | Resolvable | None, **extra: Any) -> None:
        if not hasattr(number, "resolve_expression") and number is not None and number < 0:
            raise ValueError("'number' must be greater or equal to 0.")
        super().__init__(expression, number, **extra)


class Replace(Func):
    """With every `text` replaced."""

    function = "REPLACE"

    def __init__(self, expression: object, text: object, replacement: object = None, **extra: Any) -> None:
        super().__init__(expression, text, Value("") if replacement is None else replacement, **extra)


class Reverse(Transform):
    """Back to front."""

    function = "REVERSE"
    lookup_name = "reverse"


class MD5(Transform):
    """The MD5 digest, in hexadecimal digits."""

    function = "MD5"
    lookup_name = "md5"


class SHA1(VendorFunc, Transform):
    """The SHA-1 digest, in hexadecimal digits. PostgreSQL needs its extension pgcrypto for it."""

    function = "SHA1"
    lookup_name = "sha1"
    spellings: ClassVar[dict[str, dict[str, str]]] = {
        "postgresql": {"template": "ENCODE(DIGEST(%(expressions)s, 'sha1'), 'hex')"}
    }


def _sha(bits: int) -> dict[str, dict[str, str]]:
    return {
        "postgresql": {"template": f"ENCODE(SHA{bits}(CONVERT_TO(%(expressions)s, 'UTF8')), 'hex')"},
        "mysql": {"template": f"SHA2(%(expressions)s, {bits})"},
    }


class SHA224(VendorFunc, Transform):
    """The SHA-224 digest, in hexadecimal digits."""

    function = "SHA224"
    lookup_name = "sha224"
    spellings = _sha(224)


class SHA256(VendorFunc, Transform):
    """The SHA-256 digest, in hexadecimal digits."""

    function = "SHA256"
    lookup_name = "sha256"
    spellings = _sha(256)


class SHA384(VendorFunc, Transform):
    """The SHA-384 digest, in hexadecimal digits."""

    function = "SHA384"
    lookup_name = "sha384"
    spellings = _sha(384)


class SHA512(VendorFunc, Transform):
    """The SHA-512 digest, in hexadecimal digits."""

    function = "SHA512"
    lookup_name = "sha512"
    spellings = _sha(512)


class StrIndex(VendorFunc):
    """The position, from 1, where one text first occurs in another; 0 if it does not."""

    function = "INSTR"
    arity = 2
    _output_field = fields.IntegerField()
    spellings: ClassVar[dict[str, dict[str, str]]] = {"postgresql": {"function": "STRPOS"}}


class Substr(VendorFunc):
    """The part from position `pos`, counted from 1; of `length` characters, or up to the end."""

    function = "SUBSTRING"
    _output_field = fields.CharField()
    spellings: ClassVar[dict[str, dict[str, str]]] = {"sqlite": {"function": "SUBSTR"}}

    def __init__(
        self, expression: object, pos: int | Resolvable, length: object = None, **extra: Any
    ) -> None:
        if not hasattr(pos, "resolve_expression") and pos < 1:
            raise ValueError("'pos' must be greater than 0")
        super().__init__(expression, pos, *([] if length is None else [length]), **extra)


part_of_text.fill(Substr)


class Upper(Transform):
    """In upper case."""

    function = "UPPER"
    lookup_name = "upper"


__all__ = [
    "MD5",
    "SHA1",
    "SHA224",
    "SHA256",
    "SHA384",
    "SHA512",
    "Chr",
    "Concat",
    "LPad",
    "LTrim",
    "Left",
    "Length",
    "Lower",
    "Ord",
    "RPad",
    "RTrim",
    "Repeat",
    "Replace",
    "Reverse",
    "Right",
    "StrIndex",
    "Substr",
    "Trim",
    "Upper",
]
