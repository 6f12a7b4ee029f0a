"""Errors on the wire: the one table of HTTP statuses, the two bodies, the two languages."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lastro.errors import INVALID_DATA, BankError, ErrorCode, Flaw, Validation
from lastro.values.text import Invalid, Text

JSON = "application/json"
JSON_API = "application/vnd.api+json"

STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.VALIDATION: 400,
    ErrorCode.INSUFFICIENT_BALANCE: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.KEY_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.REQUEST_TIMEOUT: 408,
    ErrorCode.CONFLICT: 409,
    ErrorCode.REFUND_EXCEEDED: 409,
    ErrorCode.PRECONDITION_FAILED: 412,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.UNPROCESSABLE: 422,
    ErrorCode.INVALID_QRCODE: 422,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL: 500,
    ErrorCode.PROVIDER_UNAVAILABLE: 503,
    ErrorCode.UNAVAILABLE: 503,
}

OAUTH = "/oauth/"
"""Under these paths errors also speak RFC 6749. A `reason` is a word of it there."""

# What has no word of its own is invalid_request.
_OAUTH_ERRORS: Mapping[ErrorCode, str] = {
    ErrorCode.UNAUTHORIZED: "invalid_client",
    ErrorCode.RATE_LIMITED: "temporarily_unavailable",
    ErrorCode.UNAVAILABLE: "temporarily_unavailable",
    ErrorCode.INTERNAL: "server_error",
}


REQUIRED = Text("Campo obrigatório.", "Required field.")
NO_STRING = Text("Deve ser um texto.", "Must be a string.")
NO_INTEGER = Text("Deve ser um número inteiro.", "Must be an integer.")
_NO_UUID = Text("Deve ser um UUID.", "Must be a UUID.")
_NO_OBJECT = Text("Deve ser um objeto.", "Must be an object.")
NO_JSON_OBJECT = Text("Deve ser um objeto JSON.", "Must be a JSON object.")
_NO_LIST = Text("Deve ser uma lista.", "Must be a list.")

# What Pydantic found, in our words. Its own words may quote the value, and know only English.
_FINDINGS: Mapping[str, Text] = {
    "missing": REQUIRED,
    "extra_forbidden": Text("Campo ou parâmetro desconhecido.", "Unknown field or parameter."),
    "string_type": NO_STRING,
    "string_too_long": Text(
        "Deve ter no máximo {max_length} caracteres.", "Must have at most {max_length} characters."
    ),
    "string_too_short": Text(
        "Deve ter ao menos {min_length} caractere(s).", "Must have at least {min_length} character(s)."
    ),
    "enum": Text("Deve ser um destes: {expected}.", "Must be one of: {expected}."),
    "literal_error": Text("Deve ser: {expected}.", "Must be: {expected}."),
    "uuid_parsing": _NO_UUID,
    "uuid_type": _NO_UUID,
    "int_parsing": NO_INTEGER,
    "int_type": NO_INTEGER,
    "bool_type": Text("Deve ser true ou false.", "Must be true or false."),
    "greater_than_equal": Text("Deve ser no mínimo {ge}.", "Must be at least {ge}."),
    "less_than_equal": Text("Deve ser no máximo {le}.", "Must be at most {le}."),
    "model_type": _NO_OBJECT,
    "model_attributes_type": NO_JSON_OBJECT,
    "dict_type": _NO_OBJECT,
    "list_type": _NO_LIST,
    "frozen_set_type": _NO_LIST,
    "tuple_type": _NO_LIST,
    "too_short": Text("Deve ter ao menos {min_length} item(ns).", "Must have at least {min_length} item(s)."),
    "too_long": Text("Deve ter no máximo {max_length} item(ns).", "Must have at most {max_length} item(s)."),
    "string_pattern_mismatch": Text("Deve ter o formato {pattern}.", "Must match {pattern}."),
}


def validation(findings: Sequence[Mapping[str, Any]]) -> Validation:
    """Pydantic's findings as one Validation, each with where it is; never with the value."""
    return Validation(INVALID_DATA, flaws=[_flaw(finding) for finding in findings])


def _flaw(finding: Mapping[str, Any]) -> Flaw:
    context: Mapping[str, Any] = finding.get("ctx") or {}
    cause = context.get("error")
    if isinstance(cause, Invalid):
        text = cause.text
    else:
        template = _FINDINGS.get(str(finding["type"]), Text("Valor inválido.", "Invalid value."))
        text = template.fill(**{name: _plain(value) for name, value in context.items()})
    place, *path = [str(step) for step in finding["loc"]]
    if place == "body":
        return Flaw(text, pointer="".join(f"/{_escape(step)}" for step in path))
    if place == "path" and path[-1].endswith("_id"):  # the contract has one name for it, whatever it is the id of
        return Flaw(text, parameter="id")
    if place == "header":
        return Flaw(text, header="-".join(path))
    return Flaw(text, parameter="".join(path) or None)


def _plain(value: Any) -> str:
    return str(value).replace("'", "").replace(" or ", ", ")


def _escape(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def wants_json_api(accept: str) -> bool:
    """Whether the client asked for the JSON:API media type."""
    return JSON_API in accept.lower()


def prefers_english(accept_language: str) -> bool:
    """Whether English stands before Portuguese in `Accept-Language`; Portuguese when nothing is said."""
    weights = {"en": 0.0, "pt": 0.0}
    for item in accept_language.lower().split(","):
        tag, _, parameters = item.strip().partition(";")
        language = tag.split("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _weight(parameters))
    return weights["en"] > weights["pt"]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def headers_of(error: BankError, *, path: str = "") -> dict[str, str]:
    """What a status promises beside its body."""
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if error.code is ErrorCode.UNAUTHORIZED:
        scheme = "Basic" if path.startswith(OAUTH) else "Bearer"
        headers["www-authenticate"] = f'{scheme} realm="lastro"'
    return headers


def body_of(
    error: BankError, *, path: str = "", accept: str = "", accept_language: str = "", request_id: str | None = None
) -> bytes:
    """The body: JSON:API's errors alone for who asks for that type, else the contract's four fields and the errors.

    Under /oauth the two fields of RFC 6749 stand before them, whose description is ASCII, so in English.
    """
    english = prefers_english(accept_language)

    def say(text: Text) -> str:
        return text.en if english else text.pt

    status = STATUS[error.code]
    notes = _notes(error, request_id)
    message = say(error.text)
    flaws = error.flaws or (Flaw(error.text),)
    errors = [_error_object(flaw, status, error.code, message, say(flaw.text), notes) for flaw in flaws]
    oauth: dict[str, Any] = {}
    if path.startswith(OAUTH):
        word = error.reason or _OAUTH_ERRORS.get(error.code, "invalid_request")
        oauth = {"error": word, "error_description": error.text.en}
    elif wants_json_api(accept):
        return _dump({"errors": errors})
    named = {_field(flaw): say(flaw.text) for flaw in error.flaws}
    return _dump(
        {
            **oauth,
            "code": error.code,
            "message": message,
            "statusCode": status,
            "details": {**named, **notes},
            "errors": errors,
        }
    )


def _notes(error: BankError, request_id: str | None) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    if error.reason is not None:
        notes["reason"] = error.reason
    if error.retry_after is not None:
        notes["retryable"] = True
    if request_id is not None:
        notes["requestId"] = request_id
    return notes


def _error_object(  # noqa: PLR0917
    flaw: Flaw, status: int, code: ErrorCode, title: str, detail: str, notes: Mapping[str, Any]
) -> dict[str, Any]:
    source = {
        name: value
        for name, value in (("pointer", flaw.pointer), ("parameter", flaw.parameter), ("header", flaw.header))
        if value is not None
    }
    return {
        "status": str(status),
        "code": code,
        "title": title,
        "detail": detail,
        **({"source": source} if source else {}),
        **({"meta": dict(notes)} if notes else {}),
    }


def _field(flaw: Flaw) -> str:
    """The name under which `details` lists a flaw: `amount`, `page[size]`, `Idempotency-Key`."""
    if flaw.pointer is not None:
        return flaw.pointer.removeprefix("/data").removeprefix("/attributes").lstrip("/").replace("/", ".") or "body"
    return flaw.parameter or flaw.header or "request"


def _dump(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
