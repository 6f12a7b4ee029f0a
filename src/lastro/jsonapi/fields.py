"""The scalars of the wire: amounts, times, names, dates. Each is read strictly and written in exactly one way."""

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lastro.jsonapi.errors import NO_JSON_OBJECT
from lastro.values.money import Money
from lastro.values.text import Invalid, Text

BUSINESS_TIME = ZoneInfo("America/Sao_Paulo")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # nothing here is older, and ids by time start there

_AMOUNT_SHAPE = Text(
    "Deve ser um número em reais, maior que zero, com até duas casas decimais.",
    "Must be a number of reais, greater than zero, with at most two decimals.",
)
_DATE_SHAPE = Text("Deve ser uma data no formato AAAA-MM-DD.", "Must be a date such as 2026-01-31.")
_MOMENT_SHAPE = Text(
    "Deve ser um instante RFC 3339 com fuso, como 2026-01-31T10:30:00Z.",
    "Must be an RFC 3339 time with an offset, such as 2026-01-31T10:30:00Z.",
)
_CONTROL = Text(
    "Não pode conter quebras de linha nem caracteres de controle.",
    "May not contain line breaks or control characters.",
)
_TOO_LONG = Text("Deve ter no máximo {longest} caracteres.", "Must have at most {longest} characters.")
_NULL = Text("Não pode ser nulo.", "May not be null.")
_BLANK = Text("Não pode ser vazio.", "May not be blank.")
_CORRELATION = Text(
    "Deve ter de 1 a 64 caracteres ASCII visíveis, sem espaços.",
    "Must have 1 to 64 visible ASCII characters, no spaces.",
)
_METADATA_SIZE = Text("Limite: 16 kB, profundidade 4 e 50 chaves ao todo.", "Limit: 16 kB, depth 4 and 50 keys in all.")
_METADATA_NUMBER = Text(
    "Número sem representação exata: envie-o como texto.", "A number without an exact representation: send it as text."
)


def _read_amount(value: Any) -> Money:
    """A JSON number only: no strings, no booleans; judged exactly, never through a float."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Invalid(_AMOUNT_SHAPE)
    try:
        amount = Money.from_reais(Decimal(value))
    except Invalid as error:
        raise Invalid(_AMOUNT_SHAPE) from error
    if amount.centavos <= 0:
        raise Invalid(_AMOUNT_SHAPE)
    return amount


def write_amount(amount: Money) -> float:
    """The nearest double prints back the same two decimals for anything under R$ 100 billion (15 digits)."""
    return amount.centavos / 100


Amount = Annotated[
    Money,
    PlainValidator(_read_amount),
    PlainSerializer(write_amount, return_type=float, when_used="json"),
    # Without `multipleOf`: to a validator that divides doubles, 0.29 is no multiple of 0.01.
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100_000_000_000}, mode="validation"),
    Field(examples=[1500.00]),
]
"""A positive amount of reais with at most two decimals; `Money` inside."""

Reais = Annotated[
    Money,
    PlainValidator(lambda value: value),
    PlainSerializer(write_amount, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
"""An amount that we answer; may be zero."""


class NeverNull:
    """Tells the description of a field that it may be absent, but not null, which stands for absence in the code."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, describe: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = describe(schema)
        (kind,) = (each for each in described.pop("anyOf") if each != {"type": "null"})
        return {**kind, **described}


def _given(value: Any) -> Any:
    if value is None:
        raise Invalid(_NULL)
    return value


Kind = TypeVar("Kind")
Given = Annotated[Kind | None, BeforeValidator(_given), NeverNull()]
"""An attribute that a client may leave out, so that it stays as it is, but not send as null."""


def quoted(text: str | None) -> str:
    """A text as JSON."""
    return "null" if text is None else encode_basestring(text)


@lru_cache(maxsize=1_024)  # nearly all that is written is written about now
def timestamp(moment: datetime) -> str:
    """`2024-01-15T10:30:00Z`."""
    return f"{moment.astimezone(UTC).isoformat(timespec='seconds')[:-6]}Z"


Timestamp = Annotated[
    datetime,
    PlainSerializer(timestamp, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2024-01-15T10:30:00Z"]}),
]


_FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Co"}


def _one_line(value: str, longest: int) -> str:
    """Trimmed and composed (NFC); refuses control characters, line and paragraph separators, and bidi overrides."""
    line = unicodedata.normalize("NFC", value).strip()
    plain = line.isascii() and line.isprintable()
    if not plain and any(unicodedata.category(character) in _FORBIDDEN for character in line):
        raise Invalid(_CONTROL)
    if not line:
        raise Invalid(_BLANK)
    if len(line) > longest:  # a few characters are longer when composed
        raise Invalid(_TOO_LONG.fill(longest=longest))
    return line


def line(longest: int) -> tuple[Any, ...]:
    """What makes a `str` a non-blank single line of at most `longest` characters: `Annotated[str, *line(140)]`."""
    return Field(strict=True, min_length=1, max_length=longest), AfterValidator(lambda value: _one_line(value, longest))


def _read_correlation(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,64}", value):
        raise Invalid(_CORRELATION)
    return value


CorrelationId = Annotated[
    str,
    PlainValidator(_read_correlation),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"}),
    Field(description="Referência do cliente, livre e não única", examples=["pedido-1042"]),
]
"""The client's own reference: 1 to 64 visible ASCII characters, as in an Idempotency-Key. Nothing makes it unique."""


def _read_date(value: Any) -> date:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}", value):
        raise Invalid(_DATE_SHAPE)
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise Invalid(_DATE_SHAPE) from error
    if day.year > 9998:  # noqa: PLR2004 - the day after must exist
        raise Invalid(_DATE_SHAPE)
    return day


Day = Annotated[date, BeforeValidator(_read_date)]
"""A calendar day in São Paulo."""


def _read_moment(value: Any) -> datetime:
    """RFC 3339 with its offset: a time without one is nobody's."""
    shape = r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
    if not isinstance(value, str) or not re.fullmatch(shape, value):
        raise Invalid(_MOMENT_SHAPE)
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(_MOMENT_SHAPE) from error
    if moment.year > 9998:  # noqa: PLR2004 - a moment later must exist
        raise Invalid(_MOMENT_SHAPE)
    return max(moment, _EPOCH)


Moment = Annotated[
    datetime,
    PlainValidator(_read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2024-01-15T10:30:00Z"]}),
]
"""A moment that a client names, in UTC; what lies before 1970 is 1970."""


def start_of(day: date) -> datetime:
    """The first moment of a São Paulo day, in UTC; of a day before 1970, the first moment of 1970."""
    return max(datetime.combine(day, time.min, BUSINESS_TIME).astimezone(UTC), _EPOCH)


def end_of(day: date) -> datetime:
    """The first moment after a São Paulo day, in UTC."""
    return start_of(day + timedelta(days=1))


def _read_metadata(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(NO_JSON_OBJECT)
    size = _Size()
    result = _settled(value, 1, size)
    if size.keys > 50 or size.bytes > 16_384:  # noqa: PLR2004
        raise Invalid(_METADATA_SIZE)
    assert isinstance(result, dict)  # noqa: S101 - an object stays an object
    return result


class _Size:
    keys = 0
    bytes = 2


def _settled(node: Any, depth: int, size: _Size) -> Any:
    """A copy that Postgres and every JSON reader will give back unchanged, measured on the way."""
    if isinstance(node, dict | list) and depth > 4:  # noqa: PLR2004
        raise Invalid(_METADATA_SIZE)
    match node:
        case dict():
            size.keys += len(node)
            size.bytes += sum(len(name.encode()) + 4 for name in node)
            return {name: _settled(child, depth + 1, size) for name, child in node.items()}
        case list():
            size.bytes += len(node) + 2
            return [_settled(child, depth + 1, size) for child in node]
        case str():
            size.bytes += len(node.encode()) + 2
        case Decimal():
            size.bytes += len(str(node))
            if Decimal(repr(float(node))) != node:
                raise Invalid(_METADATA_NUMBER)
            return float(node)
        case int():
            size.bytes += len(str(node))
            if abs(node) > 2**53:
                raise Invalid(_METADATA_NUMBER)
        case _:
            size.bytes += 5
    return node


Metadata = Annotated[
    dict[str, Any],
    PlainValidator(_read_metadata),
    WithJsonSchema({"type": "object", "maxProperties": 50, "additionalProperties": True}),
]
"""A tenant's own data: at most 16 kB, depth 4, 50 keys."""
