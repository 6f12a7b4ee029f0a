"""What every route of the API shares: the bank at hand, the door (token, permission), strict JSON, the attempt."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from lastro.attempt import Answer, Attempt, fingerprint
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import Requirement
from lastro.bank import Bank
from lastro.errors import ErrorCode, Flaw, UnsupportedMediaType, Validation
from lastro.jsonapi import strict_json
from lastro.jsonapi.document import BASE_PATH
from lastro.jsonapi.errors import JSON, JSON_API, STATUS
from lastro.values.text import Invalid, Text

_NOT_JSON = Text(
    "Envie o corpo como application/json ou application/vnd.api+json.",
    "Send the body as application/json or application/vnd.api+json.",
)
_BODY_MISSING = Text("Falta o corpo da requisição.", "The request body is missing.")
_BODY_UNWANTED = Text("Esta rota não recebe corpo.", "This route takes no body.")
_REPEATED = Text("Parâmetro repetido.", "Repeated parameter.")
_UNKNOWN = Text("Esta rota não tem este parâmetro.", "This route has no such parameter.")
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


async def _the_bank(request: Request) -> Bank:
    return bank_of(request)  # async: FastAPI would send a plain function to a thread


TheBank = Annotated[Bank, Depends(_the_bank)]


class StrictRequest(Request):
    """A request whose JSON was read once, strictly."""

    parsed: Any = None

    async def json(self) -> Any:
        """What `strict_json` made of the body."""
        return self.parsed


class ApiRoute(APIRoute):
    """A route of the API: checks the token and the permission first, then reads the body strictly."""

    @property
    def permission(self) -> Permission | None:
        """The permission that the signature names."""
        return _permission(self.dependant)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind our door."""
        handle = super().get_route_handler()
        permission = self.permission
        takes_body = self.body_field is not None
        takes_parameters = bool(self.dependant.query_params)

        async def behind_the_door(request: Request) -> Response:
            if permission is not None:
                caller = await bank_of(request).tokens.caller_of(request.headers.getlist("authorization"))
                caller.demand(permission)
                request.state.caller = caller
            _check_parameters(request, any_allowed=takes_parameters)
            return await handle(await _read(request, takes_body=takes_body))

        return behind_the_door


def _permission(dependant: Dependant) -> Permission | None:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requirement):
            return dependency.call.permission
    return None


def _check_parameters(request: Request, *, any_allowed: bool) -> None:
    """What no model sees: repetitions, NUL (Postgres knows no such text), and anything where nothing is taken."""
    items = request.query_params.multi_items()
    counts = Counter(name for name, _ in items)
    for text, wrong in (
        (_REPEATED, {name for name, count in counts.items() if count > 1}),
        (_NUL, {name for name, value in items if "\x00" in name or "\x00" in value}),
        (_UNKNOWN, set() if any_allowed else set(counts)),
    ):
        if wrong:
            raise Validation(text, flaws=[Flaw(text, parameter=name) for name in sorted(wrong)])


async def _read(request: Request, *, takes_body: bool) -> StrictRequest:
    strict = StrictRequest(request.scope, request.receive)
    body = await strict.body()
    if not takes_body:
        if body.strip() not in {b"", b"{}"}:
            raise Validation(_BODY_UNWANTED, flaws=[Flaw(_BODY_UNWANTED, pointer="")])
        return strict
    if not body:
        raise Validation(_BODY_MISSING, flaws=[Flaw(_BODY_MISSING, pointer="")])
    if not _MEDIA_TYPE.fullmatch(request.headers.get("content-type", "")):
        raise UnsupportedMediaType(_NOT_JSON)
    try:
        # Megabytes take a while: other requests go on meanwhile.
        large = len(body) > LARGE_BYTES
        strict.parsed = await asyncio.to_thread(strict_json.parse, body) if large else strict_json.parse(body)
    except Invalid as error:
        raise Validation(error.text, flaws=[Flaw(error.text, pointer="")]) from error
    return strict


async def attempt_of(
    request: Request,
    _described: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Repetir a requisição com a mesma chave devolve a mesma resposta, sem um segundo efeito.",
            json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        ),
    ] = None,
) -> Attempt | None:
    """The request as something that may be repeated, if it carries an Idempotency-Key."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        raise Validation(_KEY_SHAPE, flaws=[Flaw(_KEY_SHAPE, header="Idempotency-Key")])
    caller = request.state.caller
    assert isinstance(caller, Caller)  # noqa: S101 - only routes with a permission ask for this
    body = request.parsed if isinstance(request, StrictRequest) else None
    route: APIRoute = request.scope["route"]
    path = request.url.path
    large = len(await request.body()) > LARGE_BYTES
    question = await asyncio.to_thread(fingerprint, path, body) if large else fingerprint(path, body)
    return Attempt(
        tenant_id=caller.tenant_id,
        operation=f"{request.method} {route.path}",
        key=keys[0],
        fingerprint=question,
    )


TheAttempt = Annotated[Attempt | None, Depends(attempt_of)]


def respond(answer: Answer) -> Response:
    """An answer's bytes as a response; says so when it is a repetition."""
    headers = {"idempotency-replayed": "true"} if answer.replayed else None
    return Response(answer.body, status_code=answer.status, media_type=JSON, headers=headers)


class ErrorSource(BaseModel):
    """Where a flaw is: one of the three."""

    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None


class ErrorObject(BaseModel):
    """One flaw, as JSON:API writes it."""

    status: str
    code: ErrorCode
    title: str
    detail: str
    source: ErrorSource | None = None
    meta: dict[str, Any] | None = None


class ErrorBody(BaseModel):
    """Every error under application/json. Under application/vnd.api+json it is `errors` alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "code": "VALIDATION",
                "message": "Dados inválidos.",
                "statusCode": 400,
                "details": {"amount": "Deve ser um número em reais, maior que zero, com até duas casas decimais."},
                "errors": [
                    {
                        "status": "400",
                        "code": "VALIDATION",
                        "title": "Dados inválidos.",
                        "detail": "Deve ser um número em reais, maior que zero, com até duas casas decimais.",
                        "source": {"pointer": "/data/attributes/amount"},
                    }
                ],
            }
        }
    )

    code: ErrorCode
    message: str
    statusCode: int  # noqa: N815 - the wire's name
    details: dict[str, Any]
    errors: list[ErrorObject]


EVERYWHERE = (
    ErrorCode.VALIDATION,
    ErrorCode.UNAUTHORIZED,
    ErrorCode.FORBIDDEN,
    ErrorCode.NOT_FOUND,
    ErrorCode.REQUEST_TIMEOUT,
    ErrorCode.CONFLICT,
    ErrorCode.PAYLOAD_TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.UNPROCESSABLE,
    ErrorCode.INTERNAL,
    ErrorCode.UNAVAILABLE,
)


Described = dict[int | str, dict[str, Any]]


def also(*codes: ErrorCode) -> Described:
    """For the description of a route: the errors that it knows beside those of every route."""
    return {
        status: {"model": ErrorBody, "description": ", ".join(code for code in ErrorCode if STATUS[code] == status)}
        for status in sorted({STATUS[code] for code in codes})
    }


def api_router(prefix: str, tag: str) -> APIRouter:
    """A router of the API, whose routes share the door and the error bodies."""
    return APIRouter(prefix=f"{BASE_PATH}{prefix}", tags=[tag], route_class=ApiRoute, responses=also(*EVERYWHERE))
