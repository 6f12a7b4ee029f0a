"""Each error has one code, one status and two bodies, in the language that was asked for, and never the value."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lastro import errors
from lastro.errors import BankError, ErrorCode, Flaw
from lastro.http import ErrorBody
from lastro.jsonapi.document import Schema
from lastro.jsonapi.errors import JSON_API, STATUS, body_of, headers_of, prefers_english, validation, wants_json_api
from lastro.values.text import Text

# The official schema; `jsonschema` overlooks an empty pattern, so it gets one that matches as much.
SPECIFIED = (Path(__file__).parent / "jsonapi-1.0.schema.json").read_text("utf-8").replace('"": true', '"^": true')
JSON_API_SCHEMA = jsonschema.Draft202012Validator(json.loads(SPECIFIED))
TEXT = Text("Algo deu errado.", "Something went wrong.")
FLAW = Text("Campo ruim.", "Bad field.")

# What the contract and its clients rely on. A code that is missing here, or has another status, breaks them.
DOCUMENTED = {
    "VALIDATION": 400,
    "INSUFFICIENT_BALANCE": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "KEY_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "REQUEST_TIMEOUT": 408,
    "CONFLICT": 409,
    "REFUND_EXCEEDED": 409,
    "PRECONDITION_FAILED": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNPROCESSABLE": 422,
    "INVALID_QRCODE": 422,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "PROVIDER_UNAVAILABLE": 503,
    "UNAVAILABLE": 503,
}


def kinds(kind: type[BankError] = BankError) -> Iterator[type[BankError]]:
    """Every class of error that the product itself defines."""
    for each in kind.__subclasses__():
        yield from kinds(each)
        if each.__module__ == errors.__name__:
            yield each


every_kind = pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)


def body(error: BankError, **asked: Any) -> Any:
    """The body as a client reads it."""
    return json.loads(body_of(error, **asked))


def test_every_code_has_exactly_the_documented_status() -> None:
    assert {str(code): status for code, status in STATUS.items()} == DOCUMENTED
    assert set(STATUS) == set(ErrorCode)


def test_every_code_is_raised_by_exactly_one_class() -> None:
    codes = [kind.code for kind in kinds()]

    assert sorted(codes) == sorted(ErrorCode)


@every_kind
def test_the_ordinary_body_has_the_contracts_four_fields_and_the_errors(kind: type[BankError]) -> None:
    error = kind(TEXT, flaws=[Flaw(FLAW, pointer="/data/attributes/amount")], reason="AC03", retry_after=7)

    told = body(error, request_id="abc")

    assert list(told) == ["code", "message", "statusCode", "details", "errors"]
    assert told["code"] == kind.code
    assert told["message"] == "Algo deu errado."
    assert told["statusCode"] == DOCUMENTED[told["code"]]
    assert told["details"] == {"amount": "Campo ruim.", "reason": "AC03", "retryable": True, "requestId": "abc"}
    assert ErrorBody.model_validate(told, extra="forbid").errors[0].status == str(told["statusCode"])


@every_kind
@pytest.mark.parametrize(
    "flaws",
    [
        [],
        [Flaw(FLAW)],
        [Flaw(FLAW, pointer="")],
        [Flaw(FLAW, pointer="/data/attributes/amount"), Flaw(FLAW, parameter="page[size]"), Flaw(FLAW, header="X")],
    ],
    ids=len,
)
def test_under_its_own_media_type_the_body_is_what_json_api_specifies(kind: type[BankError], flaws: list[Flaw]) -> None:
    error = kind(TEXT, flaws=flaws, reason="AC03", retry_after=1)

    told = body(error, accept=JSON_API, request_id="abc")

    assert list(told) == ["errors"]
    JSON_API_SCHEMA.validate(told)
    assert len(told["errors"]) == max(len(flaws), 1)
    assert {each["status"] for each in told["errors"]} == {str(STATUS[kind.code])}
    assert {each["meta"]["requestId"] for each in told["errors"]} == {"abc"}


def test_each_flaw_says_where_it_is() -> None:
    flaws = [
        Flaw(FLAW, pointer="/data/attributes/amount"),
        Flaw(FLAW, pointer=""),
        Flaw(FLAW, parameter="filter[status]"),
        Flaw(FLAW, header="Idempotency-Key"),
        Flaw(FLAW),
    ]

    told = body(errors.Validation(TEXT, flaws=flaws))

    assert [each.get("source") for each in told["errors"]] == [
        {"pointer": "/data/attributes/amount"},
        {"pointer": ""},
        {"parameter": "filter[status]"},
        {"header": "Idempotency-Key"},
        None,
    ]
    assert set(told["details"]) == {"amount", "body", "filter[status]", "Idempotency-Key", "request"}


def test_only_what_may_be_repeated_says_so() -> None:
    assert headers_of(errors.Unavailable(TEXT, retry_after=1)) == {"retry-after": "1"}
    assert headers_of(errors.RateLimited(TEXT, retry_after=60)) == {"retry-after": "60"}
    assert headers_of(errors.Conflict(TEXT)) == {}
    assert "retryable" not in body(errors.Conflict(TEXT))["details"]


def test_who_is_not_known_is_told_how_to_introduce_himself() -> None:
    assert headers_of(errors.Unauthorized(TEXT))["www-authenticate"].startswith("Bearer")
    assert "www-authenticate" not in headers_of(errors.Forbidden(TEXT))
    assert headers_of(errors.Unauthorized(TEXT), path="/oauth/token")["www-authenticate"].startswith("Basic")


def test_under_oauth_an_error_also_speaks_the_language_of_the_rfc() -> None:
    ours = body(errors.Validation(TEXT, reason="invalid_scope"))
    both = body(errors.Validation(TEXT, reason="invalid_scope"), path="/oauth/token", accept=JSON_API)

    assert both == {"error": "invalid_scope", "error_description": TEXT.en} | ours
    words = {
        errors.Unauthorized: "invalid_client",
        errors.PayloadTooLarge: "invalid_request",
        errors.RateLimited: "temporarily_unavailable",
        errors.Unavailable: "temporarily_unavailable",
        errors.Internal: "server_error",
    }
    assert {kind: body(kind(TEXT), path="/oauth/revoke")["error"] for kind in words} == words
    assert "error" not in body(errors.Unauthorized(TEXT), path="/baas/api/v1/accounts")


@pytest.mark.parametrize(
    ("accept_language", "english"),
    [
        ("", False),
        ("pt-BR", False),
        ("en", True),
        ("en-US", True),
        ("EN-us", True),
        ("pt-BR,pt;q=0.9,en;q=0.8", False),
        ("en-US,en;q=0.9,pt-BR;q=0.8", True),
        ("en;q=0.5, pt;q=0.4", True),
        ("en;q=0", False),
        ("pt;q=0, en;q=0.1", True),
        ("de, fr;q=0.5", False),
        ("*", False),
        ("en;q=", False),
        ("en;q=nan", False),
        ("en;level=1", True),
        (";;;,,,q=q", False),
        ("english", False),
    ],
)
def test_the_language_is_the_one_that_is_preferred_and_portuguese_otherwise(
    accept_language: str, english: bool
) -> None:
    assert prefers_english(accept_language) is english
    told = body(errors.NotFound(TEXT, flaws=[Flaw(FLAW)]), accept_language=accept_language)
    assert told["message"] == (TEXT.en if english else TEXT.pt)
    assert told["errors"][0]["detail"] == (FLAW.en if english else FLAW.pt)


@given(st.text(max_size=40))
def test_no_language_header_breaks_anything(accept_language: str) -> None:
    assert body(errors.NotFound(TEXT), accept_language=accept_language)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/vnd.api+json", True),
        ("Application/VND.API+JSON", True),
        ("text/html, application/vnd.api+json;q=0.9, */*", True),
    ],
)
def test_json_api_is_for_who_asks_for_it(accept: str, wanted: bool) -> None:
    assert wants_json_api(accept) is wanted


class Inner(Schema):
    """Something inside something."""

    some_name: int


class Outer(Schema):
    """Something."""

    the_kind: str
    inner: Inner | None = None


def found(value: Any, place: str = "body") -> list[tuple[str | None, ...]]:
    """Where the flaws of a value are."""
    try:
        Outer.model_validate(value)
    except ValidationError as error:
        findings = [{**finding, "loc": (place, *finding["loc"])} for finding in error.errors()]
        return [(flaw.pointer, flaw.parameter, flaw.header) for flaw in validation(findings).flaws]
    return []


def test_what_pydantic_finds_is_pointed_at_in_the_names_of_the_wire() -> None:
    assert found({"theKind": "x", "inner": {"someName": "x"}}) == [("/inner/someName", None, None)]
    assert found({}) == [("/theKind", None, None)]
    assert found({"theKind": 1}, "query") == [(None, "theKind", None)]
    assert found({"theKind": 1}, "path") == [(None, "theKind", None)]
    assert found({"theKind": 1}, "header") == [(None, None, "theKind")]


def test_a_strange_name_is_escaped_in_its_pointer() -> None:
    assert found({"theKind": "x", "a/b~c": 1}) == [("/a~1b~0c", None, None)]


def test_a_finding_about_no_field_in_particular_points_nowhere() -> None:
    finding = {"type": "value_error", "loc": ("query",), "ctx": {}}

    assert "source" not in body(validation([finding]))["errors"][0]


@pytest.mark.parametrize(
    "value",
    [
        {"theKind": 12345678901},
        {"theKind": "x", "inner": "12345678901"},
        {"theKind": "x", "inner": {"someName": "x12345678901"}},
        {"theKind": ["12345678901"], "inner": ["12345678901"]},
    ],
)
def test_a_refusal_never_repeats_a_value_and_knows_both_languages(value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(value)

    error = validation([{**finding, "loc": ("body", *finding["loc"])} for finding in caught.value.errors()])

    for language in ("pt", "en"):
        told = body_of(error, accept_language=language).decode()
        assert "12345678901" not in told
        assert "Input" not in told
