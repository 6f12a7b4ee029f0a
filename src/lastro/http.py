"""The routes of the API: the door, strict reading, the answer. FastAPI describes them, and they run by themselves."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.types import Receive, Scope, Send

from lastro.asking import StrictRequest, attempt_of, bank_of, check_parameters, read, the_bank
from lastro.attempt import Answer
from lastro.auth.permissions import Permission
from lastro.auth.requires import Requirement
from lastro.errors import BankError, ErrorCode
from lastro.jsonapi.document import BASE_PATH
from lastro.jsonapi.errors import JSON, STATUS, body_of, headers_of, validation

Source = Callable[[StrictRequest, Response], Awaitable[Any]]
"""Where a handler's argument comes from."""


class ApiRoute(APIRoute):
    """A route of the API: the token and the permission first, then the parameters, then the body, strictly.

    FastAPI describes it, and is not asked again: solving a signature anew for each request costs as much as a payment.
    A handler may take what `_sources` knows, and returns a document, a Response or nothing. Whatever a client did wrong
    is answered here; what is nobody's fault but ours is left to the gate.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sources = _sources(self.dependant)
        self._takes_parameters = bool(self.dependant.query_params)
        self.app = self.serve

    @property
    def permission(self) -> Permission | None:
        """The permission that the signature names."""
        for dependency in self.dependant.dependencies:
            if isinstance(dependency.call, Requirement):
                return dependency.call.permission
        return None

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = StrictRequest(scope, receive)
        try:
            response = await self._answer(request)
        except BankError as error:
            response = refuse(request, error)
        await response(scope, receive, send)

    async def _answer(self, request: StrictRequest) -> Response:
        permission = self.permission
        if permission is not None:
            caller = await bank_of(request).tokens.caller_of(request.headers.getlist("authorization"))
            caller.demand(permission)
            request.state.caller = caller
        await self._take_in(request)
        response = Response(status_code=self.status_code or 200, media_type=JSON)
        arguments = self._validated(request)
        for name, source in self._sources.items():
            arguments[name] = await source(request, response)
        said = await self.endpoint(**arguments)
        return said if isinstance(said, Response) else _written(said, response)

    async def _take_in(self, request: StrictRequest) -> None:
        """Parameters and body, as far as no model sees them. Raises Validation, UnsupportedMediaType."""
        check_parameters(request, any_allowed=self._takes_parameters)
        await read(request, takes_body=self.body_field is not None)

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


def _sources(dependant: Dependant) -> dict[str, Source]:
    """By a handler's parameter, everything that is not validated. Raises TypeError at what no route may take."""
    sources: dict[str, Source] = {field.name: _nothing for field in dependant.header_params}  # read by the handler
    if dependant.request_param_name:
        sources[dependant.request_param_name] = _request
    if dependant.response_param_name:
        sources[dependant.response_param_name] = _response
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requirement):
            sources[str(dependency.name)] = _caller
        elif dependency.call is the_bank:
            sources[str(dependency.name)] = _bank
        elif dependency.call is attempt_of:
            sources[str(dependency.name)] = _attempt
        else:
            raise TypeError(f"no route may take {dependency.name}")
    return sources


async def _nothing(_request: StrictRequest, _response: Response) -> None: ...


async def _request(request: StrictRequest, _response: Response) -> Request:
    return request


async def _response(_request: StrictRequest, response: Response) -> Response:
    return response


async def _caller(request: StrictRequest, _response: Response) -> Any:
    return request.state.caller


async def _bank(request: StrictRequest, _response: Response) -> Any:
    return bank_of(request)


async def _attempt(request: StrictRequest, _response: Response) -> Any:
    return await attempt_of(request)


def _written(document: BaseModel | None, response: Response) -> Response:
    """The document as bytes, once; headers that the handler set are kept."""
    if document is None:
        return Response(status_code=response.status_code)
    body = document.model_dump_json(by_alias=True).encode()
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, status_code=response.status_code, media_type=JSON, headers=headers)


def refuse(request: Request, error: BankError) -> Response:
    """An error as a response, in the client's language."""
    body = body_of(
        error,
        accept=request.headers.get("accept", ""),
        accept_language=request.headers.get("accept-language", ""),
        request_id=request.scope["state"].get("request_id"),
    )
    return Response(body, status_code=STATUS[error.code], media_type=JSON, headers=headers_of(error))


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
