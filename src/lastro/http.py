"""The routes of the API: the door, strict reading, the answer. FastAPI describes them, and they run by themselves."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.types import Receive, Scope, Send

from lastro.asking import StrictRequest, attempt_of, bank_of, check_parameters, parse, the_attempt, the_bank
from lastro.attempt import Answer
from lastro.auth.permissions import Permission
from lastro.auth.requires import Requirement
from lastro.errors import BankError, ErrorCode
from lastro.jsonapi.document import BASE_PATH
from lastro.jsonapi.errors import JSON, STATUS, body_of, headers_of, validation


class LeanRoute(APIRoute):
    """A route that runs by itself: FastAPI describes it, and does not solve its signature anew for each request.

    Whatever a client did wrong is answered here; what is nobody's fault but ours is left to the gate.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.permission = _permission(self.dependant)
        self._places = _places(self.dependant)
        self.app = self.serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = StrictRequest(scope, receive)
        try:
            response = await self._answer(request)
        except BankError as error:
            response = refuse(request, error)
        await response(scope, receive, send)

    async def _answer(self, request: StrictRequest) -> Response:
        bank, places, caller = bank_of(request), self._places, None
        if self.permission is not None:
            caller = await bank.tokens.caller_of(request.headers.getlist("authorization"), request.scope)
            caller.demand(self.permission)
        await self._take_in(request)
        arguments = self._validated(request)
        response = None
        if places.bank is not None:
            arguments[places.bank] = bank
        if places.caller is not None:
            arguments[places.caller] = caller
        if places.attempt is not None and caller is not None:
            arguments[places.attempt] = await attempt_of(request, caller)
        if places.request is not None:
            arguments[places.request] = request
        if places.response is not None:
            arguments[places.response] = response = Response()
        said = await self.endpoint(**arguments)
        return said if isinstance(said, Response) else _written(said, self.status_code or 200, response)

    async def _take_in(self, request: StrictRequest) -> None:
        """What must be so before anything is validated."""

    def _validated(self, request: StrictRequest) -> dict[str, Any]:
        """Path, parameters and body, with all their flaws at once. Raises Validation."""
        dependant = self.dependant
        asked: list[tuple[ModelField, tuple[str, ...], Any]] = [
            *((field, ("path", field.alias), request.path_params[field.alias]) for field in dependant.path_params),
            *((field, ("query",), dict(request.query_params)) for field in dependant.query_params),
            *((field, ("body",), request.parsed) for field in dependant.body_params),
        ]
        values: dict[str, Any] = {}
        findings: list[Any] = []
        for field, place, given in asked:
            values[field.name], found = field.validate(given, {}, loc=place)
            findings += found
        if findings:
            raise validation(findings)
        return values


class ApiRoute(LeanRoute):
    """A route of the API: the token and the permission first, then the parameters, then the body, strictly.

    FastAPI describes it, and is not asked again: solving a signature anew for each request costs as much as a payment.
    A handler may take what `_Places` knows, and returns a document, a Response or nothing. Whatever a client did wrong
    is answered here; what is nobody's fault but ours is left to the gate.
    """

    async def _take_in(self, request: StrictRequest) -> None:
        """Parameters and body, as far as no model sees them. Raises Validation, UnsupportedMediaType."""
        check_parameters(request, any_allowed=bool(self.dependant.query_params))
        await parse(request, takes_body=self.body_field is not None)


@dataclass(frozen=True, slots=True)
class _Places:
    """Under which names a handler takes what is not validated, if it takes it."""

    caller: str | None
    bank: str | None
    attempt: str | None
    request: str | None
    response: str | None


def _permission(dependant: Dependant) -> Permission | None:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requirement):
            return dependency.call.permission
    return None


def _places(dependant: Dependant) -> _Places:
    """Raises TypeError for a handler that wants what no route gives."""
    names: dict[str, str | None] = {}
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requirement):
            names["caller"] = dependency.name
        elif dependency.call is the_bank:
            names["bank"] = dependency.name
        elif dependency.call is the_attempt:
            names["attempt"] = dependency.name
        else:
            raise TypeError(f"{dependant.call}: nobody gives {dependency.name}")
    return _Places(
        caller=names.get("caller"),
        bank=names.get("bank"),
        attempt=names.get("attempt"),
        request=dependant.request_param_name,
        response=dependant.response_param_name,
    )


def _written(document: BaseModel | None, status: int, response: Response | None) -> Response:
    """The document as bytes, under the headers that the handler set."""
    headers = dict(response.headers) if response is not None else {}
    headers.pop("content-length", None)
    if document is None:
        return Response(status_code=status, headers=headers)
    return Response(
        document.model_dump_json(by_alias=True).encode(), status_code=status, media_type=JSON, headers=headers
    )


def refuse(request: Request, error: BankError) -> Response:
    """An error as a response, in the client's language."""
    path = request.scope["path"]
    body = body_of(
        error,
        path=path,
        accept=request.headers.get("accept", ""),
        accept_language=request.headers.get("accept-language", ""),
        request_id=request.scope["state"].get("request_id"),
    )
    return Response(body, status_code=STATUS[error.code], media_type=JSON, headers=headers_of(error, path=path))


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
