"""The door: who shows no good token learns nothing; who lacks a permission learns which; no body is read first."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from build import API, Tenant
from lastro.auth.caller import Caller
from lastro.auth.permissions import EVERYTHING, Permission
from lastro.auth.tokens import issue
from lastro.errors import Forbidden

BAD_JSON = b'{"data":'
JSON = ("content-type", "application/json")


async def knock(tenant: Tenant, *authorization: str, path: str = "/accounts", **more: Any) -> httpx.Response:
    """A request with these `Authorization` headers."""
    headers = [*more.pop("headers", []), *(("authorization", value) for value in authorization)]
    return await tenant.world.http.request(more.pop("method", "GET"), f"{API}{path}", headers=headers, **more)


def without_ids(response: httpx.Response) -> Any:
    """The body, without the one thing that differs from answer to answer."""
    body = response.json()
    del body["details"]["requestId"]
    for error in body["errors"]:
        del error["meta"]
    return body


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_the_scheme_may_be_written_in_any_case(tenant: Tenant, scheme: str) -> None:
    assert (await knock(tenant, f"{scheme} {tenant.token}")).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "{token}",
        "Basic {token}",
        "Token {token}",
        "Bearer{token}",
        "Bearer  {token}",
        "Bearer\t{token}",
        "Bearer {token}x",
        "Bearer {token},Bearer {token}",
        'Bearer "{token}"',
        "Bearer token={token}",
        "Bearer {upper}",
        "Bearer {short}",
        "Bearer null",
        "Bearer undefined",
        "Bearer *",
        "Bearer ' OR 1=1 --",
        "Bearer %00",
    ],
)
async def test_anything_but_a_good_token_is_refused(tenant: Tenant, authorization: str) -> None:
    token = tenant.token
    shown = authorization.format(token=token, upper=token.upper(), short=token[:-1])

    response = await knock(tenant, shown)

    assert response.status_code == 401
    assert response.json()["code"] == "UNAUTHORIZED"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert token not in response.text


async def test_a_token_with_foreign_letters_is_refused(tenant: Tenant) -> None:
    for junk in (b"\xff\xfe", "é".encode(), "\u0663".encode()):
        response = await tenant.world.http.get(f"{API}/accounts", headers=[(b"authorization", b"Bearer " + junk)])
        assert response.status_code == 401


async def test_two_headers_are_refused_even_if_both_are_good(tenant: Tenant, stranger: Tenant) -> None:
    for second in (tenant.token, stranger.token, "x"):
        assert (await knock(tenant, f"Bearer {tenant.token}", f"Bearer {second}")).status_code == 401


@pytest.mark.parametrize(("size", "status"), [(10_000, 401), (1_000_000, 413)])
async def test_a_token_of_any_size_is_refused(tenant: Tenant, size: int, status: int) -> None:
    assert (await knock(tenant, "Bearer " + "a" * size)).status_code == status


async def test_a_token_anywhere_else_is_none(tenant: Tenant) -> None:
    token = tenant.token

    for query in (f"access_token={token}", f"token={token}", f"Authorization=Bearer%20{token}"):
        assert (await knock(tenant, path=f"/accounts?{query}")).status_code == 401
    for header in ("cookie", "x-api-key", "proxy-authorization", "x-authorization"):
        assert (await knock(tenant, headers=[(header, f"Bearer {token}")])).status_code == 401
    body = {"access_token": token}
    assert (await knock(tenant, path="/accounts", method="POST", json=body)).status_code == 401


async def test_all_who_are_refused_are_told_the_same(tenant: Tenant) -> None:
    expired = await tenant.new_token(*Permission, days=-1)
    unknown = issue("test", b"pepper").text

    shown = ((), ("x",), (f"Bearer {expired}",), (f"Bearer {unknown}",), ("Bearer SEU_TOKEM",))
    told = [without_ids(await knock(tenant, *each)) for each in shown]

    assert all(each == told[0] for each in told)


async def test_without_a_token_nothing_of_the_request_is_looked_at(tenant: Tenant) -> None:
    requests: list[dict[str, Any]] = [
        {"method": "POST", "content": BAD_JSON, "headers": [JSON]},
        {"method": "POST"},
        {"method": "POST", "content": b"x", "headers": [("content-type", "text/plain")]},
        {"path": "/accounts/no-uuid"},
        {"path": f"/accounts/{uuid4()}", "method": "PATCH", "content": BAD_JSON, "headers": [JSON]},
        {"path": "/accounts?page[size]=0&page[size]=0&nonsense"},
        {"path": f"/accounts/{uuid4()}/close", "method": "POST", "content": b"unwanted"},
        {"path": "/pix/payments", "method": "POST", "headers": [("idempotency-key", "")]},
    ]
    for request in requests:
        assert (await knock(tenant, **request)).status_code == 401, request


async def test_without_the_permission_nothing_of_the_request_is_looked_at(tenant: Tenant) -> None:
    token = await tenant.new_token(Permission.PIX_READ)
    requests: list[dict[str, Any]] = [
        {"method": "POST", "content": BAD_JSON, "headers": [JSON]},
        {"path": "/accounts/no-uuid"},
        {"path": "/accounts?nonsense"},
        {"path": f"/accounts/{uuid4()}/close", "method": "POST", "content": b"unwanted"},
    ]
    for request in requests:
        assert (await knock(tenant, f"Bearer {token}", **request)).status_code == 403, request


@pytest.mark.parametrize("language", ["pt-BR", "en"])
async def test_who_lacks_a_permission_is_told_which(tenant: Tenant, language: str) -> None:
    token = await tenant.new_token(Permission.PIX_READ)

    refused = await tenant.get("/accounts", token=token, headers={"accept-language": language})

    assert refused.status == 403
    assert refused.code == "FORBIDDEN"
    assert refused.body["message"] == "Permission denied: BAAS_ACCOUNTS_READ required"


async def test_a_path_that_nobody_knows_needs_no_token(tenant: Tenant) -> None:
    for path in ("/nothing", "/accounts/a/b/c", ""):
        response = await knock(tenant, path=path)
        assert response.status_code == 404
        assert response.json()["code"] == "NOT_FOUND"


def test_a_caller_may_what_was_given_and_nothing_else() -> None:
    caller = Caller(uuid4(), "token", frozenset({Permission.PIX_READ}))

    caller.demand(Permission.PIX_READ)
    for permission in set(Permission) - {Permission.PIX_READ}:
        with pytest.raises(Forbidden):
            caller.demand(permission)


def test_the_token_of_the_demo_may_everything() -> None:
    for permission in Permission:
        Caller(uuid4(), "token", frozenset({EVERYTHING})).demand(permission)


def test_part_of_a_permission_is_no_permission() -> None:
    caller = Caller(uuid4(), "token", frozenset({"BAAS_PIX", "baas_pix_send", "BAAS_PIX_SEND ", "BAAS_*", ""}))

    with pytest.raises(Forbidden):
        caller.demand(Permission.PIX_SEND)
