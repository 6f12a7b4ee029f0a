"""What a request brings: the bank it stands before, its parameters, strict JSON, and the attempt that it is."""

import asyncio
import re
from collections import Counter
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request

from lastro.attempt import Attempt, fingerprint
from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.errors import Flaw, UnsupportedMediaType, Validation
from lastro.jsonapi import strict_json
from lastro.jsonapi.document import Change
from lastro.jsonapi.errors import JSON, JSON_API
from lastro.values.text import Invalid, Text

_NOT_JSON = Text(
    "Envie o corpo como application/json ou application/vnd.api+json.",
    "Send the body as application/json or application/vnd.api+json.",
)
_BODY_MISSING = Text("Falta o corpo da requisição.", "The request body is missing.")
_BODY_UNWANTED = Text("Esta rota não recebe corpo.", "This route takes no body.")
REPEATED = Text("Parâmetro repetido.", "Repeated parameter.")
_UNKNOWN = Text("Esta rota não tem este parâmetro.", "This route has no such parameter.")
_OTHER_ID = Text("Deve ser o id do próprio recurso.", "Must be the id of the resource itself.")
_NUL = Text("Não pode conter NUL.", "May not contain NUL.")
_KEY_SHAPE = Text(
    "Idempotency-Key deve ser única na requisição e ter de 1 a 255 caracteres ASCII visíveis.",
    "Idempotency-Key must appear once and have 1 to 255 visible ASCII characters.",
)
LARGE_BYTES = 65_536  # of a body; only documents have more
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_MEDIA_TYPE = re.compile(
    rf"\s*(?:{re.escape(JSON)}|{re.escape(JSON_API)})\s*(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE
)


def bank_of(request: Request) -> Bank:
    """The bank that this application serves."""
    bank = request.app.state.bank
    assert isinstance(bank, Bank)  # noqa: S101 - set by create_app
    return bank


async def the_bank(request: Request) -> Bank:
    """The bank, for the routes that FastAPI runs; it would send a plain function to a thread."""
    return bank_of(request)


TheBank = Annotated[Bank, Depends(the_bank)]


def demand_id(change: Change[Any, Any], own: UUID) -> None:
    """A change may repeat the id of what it changes, and no other. Raises Validation."""
    if change.data.id not in {None, own}:
        raise Validation(_OTHER_ID, flaws=[Flaw(_OTHER_ID, pointer="/data/id")])


class StrictRequest(Request):
    """A request whose JSON was read once, strictly: `parsed`."""

    parsed: Any = None


def check_parameters(request: Request, *, any_allowed: bool) -> None:
    """What no model sees: repetitions, NUL (Postgres knows no such text), and anything where nothing is taken.

    Raises Validation.
    """
    if not request.scope["query_string"]:
        return
    items = request.query_params.multi_items()
    counts = Counter(name for name, _ in items)
    for text, wrong in (
        (REPEATED, {name for name, count in counts.items() if count > 1}),
        (_NUL, {name for name, value in items if "\x00" in name or "\x00" in value}),
        (_UNKNOWN, set() if any_allowed else set(counts)),
    ):
        if wrong:
            raise Validation(text, flaws=[Flaw(text, parameter=name) for name in sorted(wrong)])


async def parse(request: StrictRequest, *, takes_body: bool) -> None:
    """The body, if one belongs here, into `request.parsed`. Raises Validation, UnsupportedMediaType."""
    body: bytes = request.scope["state"]["body"]  # the gate has read it
    if not takes_body:
        if body.strip() not in {b"", b"{}"}:
            raise Validation(_BODY_UNWANTED, flaws=[Flaw(_BODY_UNWANTED, pointer="")])
        return
    if not body:
        raise Validation(_BODY_MISSING, flaws=[Flaw(_BODY_MISSING, pointer="")])
    if not _MEDIA_TYPE.fullmatch(request.headers.get("content-type", "")):
        raise UnsupportedMediaType(_NOT_JSON)
    try:
        # Megabytes take a while: other requests go on meanwhile.
        large = len(body) > LARGE_BYTES
        request.parsed = await asyncio.to_thread(strict_json.parse, body) if large else strict_json.parse(body)
    except Invalid as error:
        raise Validation(error.text, flaws=[Flaw(error.text, pointer="")]) from error


async def the_attempt(
    _described: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Repetir a requisição com a mesma chave devolve a mesma resposta, sem um segundo efeito.",
            json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        ),
    ] = None,
) -> Attempt | None:
    """Describes the header. What a handler gets is `attempt_of` the request."""
    raise NotImplementedError


TheAttempt = Annotated[Attempt | None, Depends(the_attempt)]


async def attempt_of(request: StrictRequest, caller: Caller) -> Attempt | None:
    """The request as something that may be repeated, if it carries an Idempotency-Key. Raises Validation."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        raise Validation(_KEY_SHAPE, flaws=[Flaw(_KEY_SHAPE, header="Idempotency-Key")])
    scope = request.scope
    question = scope["path"], request.parsed
    large = len(scope["state"]["body"]) > LARGE_BYTES
    return Attempt(
        tenant_id=caller.tenant_id,
        operation=f"{scope['method']} {scope['route'].path}",
        key=f"{caller.realm} {keys[0]}" if caller.realm else keys[0],  # no key holds a space
        fingerprint=await asyncio.to_thread(fingerprint, *question) if large else fingerprint(*question),
    )
