"""How the simulator reads and writes JSON: strict bodies in, exact amounts out, refusals in the network's words."""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError
from pydantic.alias_generators import to_camel

from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import MAX_LENGTH
from lastro.values.tax_id import TaxId

MAX_BODY_BYTES = 1_048_576  # a hundred of the longest messages are a fifth of this
MAX_KEY_LENGTH = MAX_LENGTH

_WIRE_AMOUNT = re.compile(r"[0-9]{1,11}\.[0-9]{2}")
_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_ANSWERS_TO_FLAWS = {"missing": "falta", "extra_forbidden": "não é conhecido", "value_error": "{error}"}


class Refusal(Exception):
    """An answer other than 2xx: a `type` of the arrangement and a `title` in Portuguese."""

    def __init__(self, status: int, kind: str, title: str, *, retry_after: int | None = None) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.title = title
        self.retry_after = retry_after


def bad_request(title: str) -> Refusal:
    """A question that makes no sense: 400."""
    return Refusal(400, "BadRequest", title)


def not_found(title: str) -> Refusal:
    """Something that is not there: 404."""
    return Refusal(404, "NotFound", title)


def conflict(title: str) -> Refusal:
    """The state of things forbids it: 409."""
    return Refusal(409, "ResourceConflict", title)


class Strict(BaseModel):
    """A body or a part of one: camelCase names, and nothing that was not agreed."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, arbitrary_types_allowed=True)


def _wire_amount(value: object) -> Money:
    if isinstance(value, str) and _WIRE_AMOUNT.fullmatch(value):
        return Money.parse(value)
    raise ValueError('deve ser um texto como "1500.00"')


def _reais(value: object) -> Money:
    """An amount in the hands of a person: a JSON number, more than zero, at most two decimals."""
    if type(value) is int:
        # A number of thousands of digits is not worth turning into a Decimal.
        value = Decimal(value) if abs(value) < 10**18 else Decimal("Infinity")
    if not isinstance(value, Decimal):
        raise ValueError("deve ser um número")  # noqa: TRY004 - Pydantic reports ValueErrors only
    amount = Money.from_reais(value)
    if amount <= Money(0):
        raise ValueError("deve ser maior que zero")
    return amount


def _end_to_end_id(value: object) -> EndToEndId:
    return EndToEndId.parse(value if isinstance(value, str) else "")


def _document(value: object) -> TaxId:
    return TaxId.parse(value if isinstance(value, str) else "")


def _text(value: object) -> object:
    # Postgres stores every character but NUL and the halves of a pair, which JSON can spell.
    if isinstance(value, str) and _NOT_STORABLE.search(value):
        raise ValueError("tem um caractere que não pode ser guardado")
    return value


WireAmount = Annotated[Money, PlainValidator(_wire_amount)]
Reais = Annotated[Money, PlainValidator(_reais)]
PaymentId = Annotated[EndToEndId, PlainValidator(_end_to_end_id)]
Document = Annotated[TaxId, PlainValidator(_document)]
Line = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=140)]
KeyText = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=MAX_KEY_LENGTH)]
CodeText = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=1_024)]
Ispb = Annotated[str, Field(pattern=r"^[0-9A-Z]{8}$")]
BareTaxId = Annotated[str, Field(pattern=r"^([0-9]{11}|[0-9A-Z]{12}[0-9]{2})$")]
TransactionId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]{1,35}$")]
Instant = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$")]


class Account(Strict):
    """An account as the directory writes it: check digit included, no hyphen."""

    ispb: Ispb
    branch: str = Field(pattern=r"^[0-9]{1,4}$")
    number: str = Field(pattern=r"^[0-9A-Za-z]{1,20}$")
    type: Literal["CACC", "SVGS", "TRAN"]


class Party(Strict):
    """One side of a Pix."""

    name: Line
    tax_id: BareTaxId
    account: Account


Model = TypeVar("Model", bound=Strict)


async def read_json(request: Request, *, most_bytes: int = MAX_BODY_BYTES) -> Any:
    """The body as JSON; fractions become Decimals. Raises Refusal 400 or 413."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > most_bytes:
            raise Refusal(413, "PayloadTooLarge", "O corpo é grande demais.")
    try:
        return json.loads(
            raw.decode(), parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_without_repetition
        )
    except (ValueError, ArithmeticError, RecursionError):
        raise bad_request("O corpo não é um JSON válido.") from None


async def read(request: Request, model: type[Model], *, most_bytes: int = MAX_BODY_BYTES) -> Model:
    """The body as `model`. Raises Refusal 400 that names the first field that is wrong."""
    return validated(model, await read_json(request, most_bytes=most_bytes))


def validated(model: type[Model], body: object) -> Model:
    """`body` as `model`. Raises Refusal 400 that names the first field that is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise bad_request(_title(error)) from None


def _title(error: ValidationError) -> str:
    flaw = error.errors(include_url=False, include_input=False)[0]
    if not flaw["loc"]:
        reason = flaw.get("ctx", {}).get("error", "deve ser um objeto JSON")
        return f"O corpo não serve: {_portuguese(reason)}."
    # Names of unknown fields come from outside: the escapes of JSON keep them printable, and they are cut.
    place = json.dumps(".".join(str(step) for step in flaw["loc"]))[1:-1][:100]
    reason = _ANSWERS_TO_FLAWS.get(flaw["type"], "não tem um valor aceito")
    return f"O campo {place} {reason.format(error=_portuguese(flaw.get('ctx', {}).get('error')))}."


def _portuguese(reason: object) -> str:
    """The Portuguese half of an `Invalid`, or the words of a ValueError, which are Portuguese here."""
    text = getattr(reason, "text", None)
    return str(text.pt if text is not None else reason).rstrip(".")


def _no_number(_: str) -> None:
    raise ValueError("NaN and infinities are no JSON")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def fingerprint(message: object) -> str:
    """The SHA-256 of a validated message in its canonical form (sorted names, no spaces), as 64 hex digits."""
    return hashlib.sha256(_CANONICAL.encode(message).encode()).hexdigest()


def rfc3339(at: datetime) -> str:
    """A time as the network writes it: UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(value: object) -> str:
    """JSON in which Money and Decimals of reais are numbers with two decimals and a datetime is RFC 3339."""
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, datetime):
        return json.dumps(rfc3339(value))
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{written(member)}" for name, member in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(written(member) for member in value) + "]"
    return json.dumps(value)


def answer(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(written(body), status_code=status, media_type="application/json")
