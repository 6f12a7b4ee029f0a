"""The gate, over real sockets: sizes, deadlines, ids, headers, languages, the log, and what is said of a bug."""

import asyncio
import io
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text

from build import API, JOAO, Tenant, World, a_cpf, until
from lastro import gate, logs, metrics
from lastro.app import create_app, serving
from lastro.bank import Bank
from lastro.embedded.server import Postgres
from lastro.settings import Settings
from lastro.wiring import build

ACCOUNTS = f"{API}/accounts"
PAYMENTS = f"{API}/pix/payments"
JSON_TYPE = "Content-Type: application/json"


@dataclass
class Reply:
    """One answer, as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@asynccontextmanager
async def connection(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.settings.port)
    try:
        yield reader, writer
    finally:
        writer.close()


def head(method: str, path: str, *headers: str) -> bytes:
    """The first part of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: lastro", *headers, "", ""]).encode("latin-1")


async def reply(reader: asyncio.StreamReader) -> Reply:
    """Read one answer; when the server says that it closes, it does, and says no more."""
    top = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in top[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if headers.get("connection") == "close":
        with suppress(ConnectionError):  # who writes on to a server that has answered is reset
            assert await asyncio.wait_for(reader.read(), 10) == b""
    return Reply(int(top[0].split()[1]), headers, body)


async def sent(world: World, *parts: bytes) -> Reply:
    """Write these bytes on a fresh connection; the first answer."""
    async with connection(world) as (reader, writer):
        writer.write(b"".join(parts))
        return await reply(reader)


def bearer(tenant: Tenant) -> str:
    return f"Authorization: Bearer {tenant.token}"


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this application behind its gate."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=serving(app)), base_url="http://lastro") as client:
        yield client


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged during the test, as it would stand on standard error."""
    before, was_configured = structlog.get_config(), structlog.is_configured()
    buffer = io.StringIO()
    monkeypatch.setattr(logs, "_standard_error", lambda: buffer)
    logs.configure("info")
    yield buffer
    if was_configured:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """Every line of the log; each must be JSON of its own."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


# Sizes


async def test_a_body_that_is_declared_too_large_is_refused_before_it_comes(world: World, tenant: Tenant) -> None:
    declared = f"Content-Length: {gate.LARGEST_BODY + 1}"

    answer = await sent(world, head("POST", ACCOUNTS, bearer(tenant), JSON_TYPE, declared))

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["connection"] == "close"


async def test_a_body_that_grows_too_large_is_refused_while_it_comes(world: World, tenant: Tenant) -> None:
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    async with connection(world) as (reader, writer):
        writer.write(head("POST", ACCOUNTS, bearer(tenant), JSON_TYPE, "Transfer-Encoding: chunked") + chunk * 4)
        await asyncio.sleep(0.05)
        writer.write(b"1\r\n \r\n")

        answer = await reply(reader)

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


# Large bodies, at the one place that takes them


def kyc_of(account_id: object = None) -> str:
    return f"{ACCOUNTS}/{account_id or uuid4()}/kyc"


async def test_documents_may_be_twenty_four_megabytes(world: World, tenant: Tenant) -> None:
    body = b"{}" + b" " * (gate.LARGEST_KYC_BODY - 2)

    answer = await sent(world, head("POST", kyc_of(), bearer(tenant), JSON_TYPE, f"Content-Length: {len(body)}"), body)

    assert (answer.status, answer.code) == (400, "VALIDATION")


async def test_and_not_a_byte_more(world: World, tenant: Tenant) -> None:
    declared = f"Content-Length: {gate.LARGEST_KYC_BODY + 1}"

    answer = await sent(world, head("POST", kyc_of(), bearer(tenant), JSON_TYPE, declared))

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", kyc_of()),
        ("PATCH", kyc_of()),
        ("POST", f"{kyc_of()}/"),
        ("POST", f"{kyc_of()}%2f"),
        ("POST", kyc_of("x")),
        ("POST", kyc_of().replace("/baas", "/network")),
        ("POST", f"{ACCOUNTS}/{uuid4()}/close"),
    ],
)
async def test_nor_anywhere_else(world: World, tenant: Tenant, method: str, path: str) -> None:
    declared = f"Content-Length: {gate.LARGEST_BODY + 1}"

    answer = await sent(world, head(method, path, bearer(tenant), JSON_TYPE, declared))

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_large_body_of_nobody_is_not_read(world: World) -> None:
    declared = f"Content-Length: {gate.LARGEST_BODY + 1}"

    answer = await sent(world, head("POST", kyc_of(), JSON_TYPE, declared))

    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["connection"] == "close"
    assert answer.headers["www-authenticate"]


@asynccontextmanager
async def large_ones(world: World, tenant: Tenant, count: int) -> AsyncIterator[None]:
    """So many large bodies that do not get to their end."""
    async with AsyncExitStack() as stack:
        for number in range(count):
            _, writer = await stack.enter_async_context(connection(world))
            if number % 2:
                writer.write(head("POST", kyc_of(), bearer(tenant), JSON_TYPE, "Content-Length: 1000000"))
            else:  # one that does not say how large it is
                chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
                headers = (bearer(tenant), JSON_TYPE, "Transfer-Encoding: chunked")
                writer.write(head("POST", kyc_of(), *headers) + chunk * 5)
        await asyncio.sleep(0.2)
        yield
    await asyncio.sleep(0.2)


async def test_few_large_bodies_are_read_at_once_and_small_ones_do_not_wait(world: World, tenant: Tenant) -> None:
    large = head("POST", kyc_of(), bearer(tenant), JSON_TYPE, "Content-Length: 1000000") + b" " * 1_000_000
    small = head("POST", kyc_of(), bearer(tenant), JSON_TYPE, "Content-Length: 2") + b"{}"

    async with large_ones(world, tenant, gate.MOST_LARGE_BODIES - 1):
        assert (await sent(world, large)).status == 400
    async with large_ones(world, tenant, gate.MOST_LARGE_BODIES):
        refused = await sent(world, large[:2_000])
        assert (refused.status, refused.code) == (503, "UNAVAILABLE")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("5", "close")
        assert (await sent(world, small)).status == 400
    # Those who left have given their places back, and so have those who were answered.
    for _ in range(gate.MOST_LARGE_BODIES + 1):
        assert (await sent(world, large)).status == 400


async def test_documents_have_a_minute_to_come_and_the_rest_has_not(
    world: World, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(gate, "KYC_SECONDS", 0.4)
    loop = asyncio.get_running_loop()
    took = []
    for path in (ACCOUNTS, kyc_of()):
        began = loop.time()
        answer = await sent(world, head("POST", path, bearer(tenant), JSON_TYPE, "Content-Length: 9"), b"{")
        assert answer.status == 408
        took.append(loop.time() - began)

    assert took[0] < 0.4 <= took[1]


async def test_a_body_of_the_largest_size_is_read(world: World, tenant: Tenant) -> None:
    body = b"{}" + b" " * (gate.LARGEST_BODY - 2)

    answer = await sent(world, head("POST", ACCOUNTS, bearer(tenant), JSON_TYPE, f"Content-Length: {len(body)}"), body)

    assert (answer.status, answer.code) == (400, "VALIDATION")


async def test_a_body_in_chunks_is_read_like_any_other(world: World, tenant: Tenant) -> None:
    body = json.dumps({"data": {"type": "accounts", "attributes": tenant.application()}}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:11], body[11:]))

    chunked = head("POST", ACCOUNTS, bearer(tenant), JSON_TYPE, "Transfer-Encoding: chunked")

    assert (await sent(world, chunked, chunks, b"0\r\n\r\n")).status == 201


@pytest.mark.parametrize("size", [gate.LARGEST_HEADERS, 1_000_000])
async def test_headers_that_are_too_large_are_refused(world: World, size: int) -> None:
    answer = await sent(world, head("GET", "/health/live", "X-Junk: " + "a" * size))

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


async def test_an_address_that_is_too_large_is_refused(world: World) -> None:
    assert (await sent(world, head("GET", f"{ACCOUNTS}?a=" + "a" * 100_000))).status in {400, 414}


async def test_a_length_in_too_many_digits_is_refused(world: World, tenant: Tenant) -> None:
    length = "0" * 5_000 + "2"

    answer = await sent(world, head("POST", ACCOUNTS, bearer(tenant), JSON_TYPE, f"Content-Length: {length}"), b"{}")

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 4"],
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: 9999999999999999999999"],
        ["Content-Length: -1"],
        ["Content-Length: 4x"],
        ["Transfer-Encoding: xchunked"],
    ],
)
async def test_a_second_request_can_not_be_smuggled_in(world: World, headers: list[str]) -> None:
    smuggled = b"0\r\n\r\n" + head("GET", "/health/live")
    async with connection(world) as (reader, writer):
        writer.write(head("POST", ACCOUNTS, JSON_TYPE, *headers) + smuggled)
        answer = await asyncio.wait_for(reader.read(), 10)

    assert answer.startswith(b"HTTP/1.1 4")
    assert b"live" not in answer


# Deadlines


async def test_a_body_that_trickles_in_is_given_up(
    world: World, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.2)
    async with connection(world) as (reader, writer):
        writer.write(head("POST", ACCOUNTS, bearer(tenant), JSON_TYPE, "Content-Length: 100"))
        for _ in range(3):  # and no more: bytes that nobody reads any longer would cut off the answer
            writer.write(b" ")
            await asyncio.sleep(0.05)
        answer = await reply(reader)

    assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
    assert answer.headers["connection"] == "close"


async def test_who_trickles_keeps_nobody_waiting(world: World, tenant: Tenant) -> None:
    waiting = [await asyncio.open_connection("127.0.0.1", world.settings.port) for _ in range(100)]
    for _, writer in waiting:
        writer.write(head("POST", ACCOUNTS, bearer(tenant), JSON_TYPE, "Content-Length: 100") + b"{")
    try:
        async with asyncio.timeout(5):
            assert (await tenant.get("/accounts")).status == 200
    finally:
        for _, writer in waiting:
            writer.close()


async def test_what_takes_too_long_is_answered_as_unknown_and_still_happens(
    tenant: Tenant, cluster: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await tenant.account(available="10.00")
    key = {"idempotency-key": uuid4().hex}
    owner = await asyncpg.connect(cluster.server.url("lastro").replace("+asyncpg", ""))
    try:
        async with owner.transaction():
            await owner.execute("SELECT 1 FROM balances WHERE account_id = $1 FOR UPDATE", account.id)
            monkeypatch.setattr(gate, "ANSWER_SECONDS", 0.5)
            given_up = await account.pays(1.00, headers=key)
            monkeypatch.undo()
    finally:
        await owner.close()

    assert (given_up.status, given_up.code) == (503, "UNAVAILABLE")
    assert given_up.response.headers["retry-after"] == "1"
    assert given_up.body["message"].startswith("O processamento passou do prazo")
    repeated = await account.pays(1.00, headers=key)
    assert repeated.status == 201
    assert (await tenant.get("/pix/payments")).body["meta"]["totalItems"] == 1
    await account.payment_becomes(repeated.id, "COMPLETED")


async def test_a_client_that_leaves_does_not_take_its_payment_back(world: World, tenant: Tenant) -> None:
    account = await tenant.account(available="10.00")
    attributes = {"accountId": account.id, "amount": 1.00, "recipientKeyType": "CPF", "recipientKeyValue": JOAO}
    body = json.dumps({"data": {"type": "pix-payments", "attributes": attributes}}).encode()

    async with connection(world) as (_, writer):
        writer.write(head("POST", PAYMENTS, bearer(tenant), JSON_TYPE, f"Content-Length: {len(body)}") + body)
        await writer.drain()

    async def is_paid() -> bool:
        return [each["attributes"]["status"] for each in (await tenant.get("/pix/payments")).data] == ["COMPLETED"]

    await until(is_paid)


async def test_a_client_that_leaves_in_the_middle_of_its_body_has_said_nothing(
    world: World, tenant: Tenant, log: io.StringIO
) -> None:
    account = await tenant.account(available="10.00")
    attributes = {"accountId": account.id, "amount": 1.00, "recipientKeyType": "CPF", "recipientKeyValue": JOAO}
    body = json.dumps({"data": {"type": "pix-payments", "attributes": attributes}}).encode()
    request_id = uuid4().hex
    headers = [bearer(tenant), JSON_TYPE, f"X-Request-Id: {request_id}", f"Content-Length: {len(body) + 1}"]

    async with connection(world) as (_, writer):
        writer.write(head("POST", PAYMENTS, *headers) + body)
        await writer.drain()

    async def is_logged() -> bool:
        return any(line.get("request_id") == request_id and line["status"] == 499 for line in lines(log))

    await until(is_logged)
    assert (await tenant.get("/pix/payments")).data == []


# What a body may be


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip"])
async def test_a_compressed_body_is_refused(tenant: Tenant, encoding: str) -> None:
    refused = await tenant.post("/accounts", content=b"\x1f\x8b", headers={"content-encoding": encoding})

    assert (refused.status, refused.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "xapplication/json",
        "application/*",
    ],
)
async def test_a_body_that_is_not_declared_as_json_is_refused(tenant: Tenant, media_type: str) -> None:
    refused = await tenant.post("/accounts", content=b"{}", headers={"content-type": media_type})

    assert (refused.status, refused.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_body_without_a_type_is_refused(world: World, tenant: Tenant) -> None:
    answer = await sent(world, head("POST", ACCOUNTS, bearer(tenant), "Content-Length: 2"), b"{}")

    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/vnd.api+json",
    ],
)
async def test_a_body_that_is_declared_as_json_is_read(tenant: Tenant, media_type: str) -> None:
    body = json.dumps({"data": {"type": "accounts", "attributes": tenant.application()}}).encode()

    assert (await tenant.post("/accounts", content=body, headers={"content-type": media_type})).status == 201


async def test_a_body_that_is_missing_is_asked_for(tenant: Tenant) -> None:
    refused = await tenant.post("/accounts", headers={"content-type": "application/json"})

    assert (refused.status, refused.code) == (400, "VALIDATION")
    assert refused.pointers == [""]


async def test_a_body_where_none_is_wanted_is_refused(tenant: Tenant) -> None:
    account = await tenant.account()

    for method, path in (("POST", "/block"), ("POST", "/close"), ("GET", "")):
        refused = await tenant.call(method, f"/accounts/{account.id}{path}", content=b'{"force":true}')
        assert (refused.status, refused.code) == (400, "VALIDATION"), path
    assert await account.has_status("ACTIVE")
    for empty in (b"", b"{}", b" {} \n"):
        assert (await tenant.post(f"/accounts/{account.id}/block", content=empty)).status in {200, 409}


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b"NaN", b'{"data":1,"data":2}', b'"\\u0000"', '{"a":1}'.encode("utf-16")]
)
async def test_a_body_that_is_no_strict_json_is_refused_as_a_whole(tenant: Tenant, body: bytes) -> None:
    refused = await tenant.post("/accounts", content=body)

    assert (refused.status, refused.code) == (400, "VALIDATION")
    assert refused.pointers == [""]
    assert list(refused.body["details"]) == ["body", "requestId"]


# Paths, methods, parameters


@pytest.mark.parametrize(
    "path", ["/", "/nothing", f"{API}/", f"{ACCOUNTS}/", f"{PAYMENTS}/a/b", "//evil.example/x", f"{API}/%2e%2e/health"]
)
async def test_an_unknown_path_is_not_found_and_leads_nowhere_else(world: World, path: str) -> None:
    answer = await sent(world, head("GET", path))

    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", ACCOUNTS, "GET, POST"),
        ("DELETE", ACCOUNTS, "GET, POST"),
        ("POST", f"{ACCOUNTS}/{uuid4()}", "GET, PATCH"),
        ("GET", f"{ACCOUNTS}/{uuid4()}/close", "POST"),
        ("DELETE", f"{PAYMENTS}/{uuid4()}", "GET"),
        ("OPTIONS", PAYMENTS, "GET, POST"),
        ("TRACE", PAYMENTS, "GET, POST"),
        ("PROPFIND", PAYMENTS, "GET, POST"),
        ("POST", "/health/live", "GET"),
    ],
)
async def test_a_wrong_method_is_told_all_the_right_ones(world: World, method: str, path: str, allowed: str) -> None:
    answer = await sent(world, head(method, path))

    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allowed


async def test_head_is_answered_without_a_body(world: World) -> None:
    async with connection(world) as (reader, writer):
        writer.write(head("HEAD", ACCOUNTS, "Connection: close"))
        answer = await asyncio.wait_for(reader.read(), 10)

    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_no_page_of_another_origin_is_let_in(world: World) -> None:
    preflight = ["Origin: https://evil.example", "Access-Control-Request-Method: POST"]

    answer = await sent(world, head("OPTIONS", PAYMENTS, *preflight))

    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("page[size]=1&page[size]=2", ["page[size]"]),
        ("page[size]=1&page%5Bsize%5D=1", ["page[size]"]),
        ("b=1&a=1&b=2&a=2", ["a", "b"]),
        ("page[sizes]=1", ["page[sizes]"]),
        ("filter[status][]=ACTIVE", ["filter[status][]"]),
        ("filter[balance]=1", ["filter[balance]"]),
        ("filter[status]=active", ["filter[status]"]),
        ("filter[status]=ACTIVE'--", ["filter[status]"]),
        ("filter[providerId]=1", ["filter[providerId]"]),
        ("sort=-createdAt", ["sort"]),
        ("include=provider", ["include"]),
        ("a%00=1", ["a\x00"]),
    ],
)
async def test_a_parameter_that_is_wrong_unknown_or_repeated_is_named(
    tenant: Tenant, query: str, wrong: list[str]
) -> None:
    refused = await tenant.get(f"/accounts?{query}")

    assert (refused.status, refused.code) == (400, "VALIDATION")
    assert refused.pointers == wrong
    assert {next(iter(error["source"])) for error in refused.body["errors"]} == {"parameter"}


@pytest.mark.parametrize("query", ["dryRun=true", "include=account", "access_token=x", "fields[accounts]=id", "x"])
async def test_where_no_parameter_is_taken_none_is_ignored(tenant: Tenant, query: str) -> None:
    account = await tenant.account()
    asked = [("GET", ""), ("PATCH", ""), ("POST", "/close"), ("POST", "/block")]

    for method, path in asked:
        refused = await tenant.call(method, f"/accounts/{account.id}{path}?{query}")
        assert (refused.status, refused.pointers) == (400, [query.partition("=")[0]])
    assert (await account.pays(1.00, extra={})).status == 400
    assert await account.has_status("ACTIVE")


@pytest.mark.parametrize(
    "query", ["filter[e2eId]=%00", "filter[externalRef]=a%00b", "filter[e2eId]=%ED%A0%80", "filter[e2eId]=%FF"]
)
async def test_a_text_that_postgres_does_not_know_breaks_nothing(tenant: Tenant, query: str) -> None:
    assert (await tenant.get(f"/pix/payments?{query}")).status in {200, 400}


@pytest.mark.parametrize("day", ["1000-01-01", "1969-12-31", "1970-01-01", "9998-12-31"])
async def test_no_day_lies_too_far_away(tenant: Tenant, day: str) -> None:
    for path in ("/pix/payments", "/pix/transfers"):
        for name in ("dateFrom", "dateTo"):
            assert (await tenant.get(f"{path}?filter[{name}]={day}")).data == []


@pytest.mark.parametrize("given", ["1", "null", "550e8400-e29b-41d4-a716-44665544010g", "%00", "'", "*", "{}", "ç"])
async def test_a_malformed_id_in_the_path_is_refused(tenant: Tenant, given: str) -> None:
    for path in ("/accounts/{}", "/accounts/{}/close", "/pix/payments/{}", "/pix/transfers/{}"):
        method = "POST" if path.endswith("close") else "GET"
        refused = await tenant.call(method, path.format(given))
        assert (refused.status, refused.code) == (400, "VALIDATION")


# Ids, headers, media types, languages


@pytest.mark.parametrize("given", ["a", "0123-abc_DEF.9", "A" * 64])
async def test_a_good_request_id_comes_back(tenant: Tenant, given: str) -> None:
    answered = await tenant.get("/nothing", headers={"x-request-id": given})

    assert answered.response.headers["x-request-id"] == given
    assert answered.body["details"]["requestId"] == given
    assert answered.body["errors"][0]["meta"]["requestId"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 65, "a;b", "{}", "ç", '"', "<script>"])
async def test_any_other_request_id_is_replaced(tenant: Tenant, given: str) -> None:
    headers = {"x-request-id": given.encode("latin-1")}

    answered = await tenant.world.http.get("/nothing", headers=headers)  # type: ignore[arg-type]

    assert re.fullmatch(r"[0-9a-f]{32}", answered.headers["x-request-id"])


async def test_every_answer_carries_the_headers_that_protect_it(world: World, tenant: Tenant) -> None:
    chunked = head("POST", ACCOUNTS, bearer(tenant), "Transfer-Encoding: chunked")
    answers = [
        await sent(world, head("GET", "/health/live")),
        await sent(world, head("GET", "/health/ready")),
        await sent(world, head("GET", "/metrics")),
        await sent(world, head("GET", "/openapi.json")),
        await sent(world, head("GET", "/docs")),
        await sent(world, head("GET", "/docs/ui.js")),
        await sent(world, head("GET", ACCOUNTS, bearer(tenant))),
        await sent(world, head("GET", f"{ACCOUNTS}/1", bearer(tenant))),
        await sent(world, head("GET", ACCOUNTS)),
        await sent(world, head("GET", "/nothing")),
        await sent(world, head("PUT", ACCOUNTS)),
        await sent(world, head("GET", "/nothing", "X: " + "a" * 20_000)),
        await sent(world, head("POST", ACCOUNTS, "Content-Length: 99999999")),
        await sent(world, head("POST", ACCOUNTS, "Content-Encoding: gzip", "Content-Length: 1"), b"x"),
        await sent(world, chunked, b"2\r\n{}\r\n0\r\n\r\n"),
        await sent(world, head("POST", f"/network/{tenant.provider_id}/notifications", "Content-Length: 2"), b"{}"),
    ]

    assert {answer.status for answer in answers} == {200, 400, 401, 404, 405, 413, 415}
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]
        assert "x-powered-by" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ],
)
async def test_answers_come_in_the_media_type_that_was_asked_for(tenant: Tenant, accept: str, media_type: str) -> None:
    for path in ("/accounts", "/accounts?x=1", "/accounts/1", "/nothing", f"/accounts/{uuid4()}"):
        answered = await tenant.get(path, headers={"accept": accept})
        assert answered.response.headers["content-type"] == media_type
        assert "accept" in answered.response.headers["vary"].lower()
        if answered.status >= 400:
            assert ("code" in answered.body) is (media_type == "application/json")


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("pt-BR", "Token ausente, inválido, expirado ou revogado."),
        ("", "Token ausente, inválido, expirado ou revogado."),
        ("en-US,en;q=0.9", "Token missing, invalid, expired or revoked."),
    ],
)
async def test_errors_speak_the_language_that_was_asked_for(world: World, language: str, message: str) -> None:
    answered = await world.http.get(ACCOUNTS, headers={"accept-language": language})

    assert answered.json()["message"] == message


# When all goes wrong


def raising(bank: Bank, error: Exception) -> FastAPI:
    """The application with a route that has a bug."""
    app = create_app(bank)

    @app.get("/bug")
    async def bug() -> None:
        raise error

    return app


@pytest.mark.parametrize("kind", [RuntimeError, TimeoutError, KeyError, AssertionError, UnicodeError])
async def test_of_a_bug_the_client_learns_an_id_and_the_log_the_rest(
    world: World, log: io.StringIO, kind: type[Exception]
) -> None:
    cpf, token = a_cpf(), "lastro_test_0123456789_" + "a" * 49
    app = raising(world.bank, kind(f"secret of {cpf} a@b.example +5511987654321 {token}"))

    async with client_of(app) as client:
        answered = await client.get("/bug", headers={"x-request-id": "the-bug", "accept-language": "en"})

    assert answered.status_code == 500
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert answered.json()["code"] == "INTERNAL"
    assert answered.json()["details"] == {"requestId": "the-bug"}
    for inside in ("secret", kind.__name__, "Traceback", "lastro.", cpf):
        assert inside not in answered.text
    (found,) = (line for line in lines(log) if line["event"] == "unhandled")
    assert found["request_id"] == "the-bug"
    assert "Traceback" in found["exception"]
    assert kind.__name__ in found["exception"]
    for personal in (cpf, "a@b.example", "+5511987654321", token):
        assert personal not in log.getvalue()
    assert [line["status"] for line in lines(log) if line["event"] == "answered"] == [500]


async def test_a_row_that_postgres_refuses_stays_out_of_the_log(world: World, tenant: Tenant, log: io.StringIO) -> None:
    account = await tenant.account(holderName="Fulana de Tal Ltda")
    app = create_app(world.bank)

    @app.get("/bug")
    async def bug() -> None:
        async with world.bank.db.transaction() as tx:
            await tx.execute(text("UPDATE accounts SET status = 'NONE' WHERE id = :id"), {"id": account.id})

    async with client_of(app) as client:
        assert (await client.get("/bug")).status_code == 500

    (found,) = (line for line in lines(log) if line["event"] == "unhandled")
    assert "CheckViolationError" in found["exception"]
    for personal in ("Fulana", account.id, re.sub(r"\D", "", (await account.attributes())["holderDocument"])):
        assert personal not in found["exception"]


@asynccontextmanager
async def homeless(settings: Settings, url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a bank whose database is elsewhere."""
    assembly = build(settings.model_copy(update={"database_url": url}))
    try:
        async with client_of(create_app(assembly.bank)) as client:
            yield client
    finally:
        await assembly.close()


async def test_while_the_database_is_away_everybody_is_asked_to_come_back(world: World, tenant: Tenant) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql+asyncpg://a:b@127.0.0.1:{unused.getsockname()[1]}/lastro"
        async with homeless(world.settings, url) as client:
            headers = {"authorization": f"Bearer {tenant.token}", "content-type": "application/json"}
            answers = [
                await client.get(ACCOUNTS, headers=headers),
                await client.post(PAYMENTS, content=b"{}", headers=headers),
            ]
            for answered in answers:
                assert answered.status_code == 503
                assert answered.headers["retry-after"] == "1"
                assert answered.json()["code"] == "UNAVAILABLE"
                assert answered.json()["details"]["retryable"] is True
                assert "127.0.0.1" not in answered.text
            assert (await client.get("/health/live")).status_code == 200
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["checks"]) == (503, {"database": False})
            assert (await client.get("/nothing")).status_code == 404
            assert (await client.get(ACCOUNTS)).status_code == 401


async def test_a_database_that_was_never_migrated_is_not_ready(world: World) -> None:
    url = world.settings.database_url.rpartition("/")[0] + "/postgres"

    async with homeless(world.settings, url) as client:
        ready = await client.get("/health/ready")

    assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "checks": {"database": False}})


async def test_more_at_once_than_can_be_answered_soon_waits_and_is_sent_away_but_health_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(gate, "WAITING_SECONDS", 0.2)
    go_on, app = asyncio.Event(), FastAPI()

    @app.get("/baas/slow")
    async def slow() -> dict[str, bool]:
        await go_on.wait()
        return {"done": True}

    @app.get("/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/network/told")
    async def told() -> dict[str, bool]:
        return {"told": True}

    @app.get("/oauth/told")
    async def granted() -> dict[str, bool]:
        return {"told": True}

    async with client_of(app) as client:
        waiting = [asyncio.create_task(client.get("/baas/slow")) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused, health = await client.get("/baas/slow"), await client.get("/health/live")
        network, oauth = await client.get("/network/told"), await client.get("/oauth/told")
        outside = asyncio.create_task(client.get("/baas/slow"))
        await asyncio.sleep(0.05)
        go_on.set()
        answered = await asyncio.gather(*waiting)
        after = await outside

    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (503, "1", "UNAVAILABLE")
    assert health.status_code == network.status_code == oauth.status_code == 200
    assert [each.status_code for each in (*answered, after)] == [200, 200, 200]


# The log and the figures


async def test_a_request_leaves_one_line_and_nobody_in_it(world: World, tenant: Tenant, log: io.StringIO) -> None:
    account = await tenant.account(available="10.00", holderName="Fulana de Tal Ltda")
    document = re.sub(r"\D", "", (await account.attributes())["holderDocument"])
    keys = [(JOAO, "CPF"), ("ninguem@nenhures.example", "EMAIL"), ("+5511987651234", "PHONE"), (a_cpf(), "CPF")]
    keys += [("ac03@rejeita.example", "EMAIL"), ("123", "CPF")]
    statuses = {}
    for key, kind in keys:
        request_id, secret = uuid4().hex, uuid4().hex
        headers = {"x-request-id": request_id, "idempotency-key": secret}
        extra = {"description": f"Segredo {secret}"}
        statuses[request_id] = (await account.pays(1.00, key, kind, headers=headers, extra=extra)).status
        await tenant.get(f"/pix/payments?filter[e2eId]={secret}", headers={"x-request-id": f"list-{request_id}"})
        assert secret not in log.getvalue()
    assert set(statuses.values()) == {201, 422, 400}

    async def is_over() -> bool:
        payments = (await tenant.get("/pix/payments")).data
        return {each["attributes"]["status"] for each in payments} == {"COMPLETED", "FAILED"}

    await until(is_over)
    answered = [line for line in lines(log) if line["event"] == "answered"]
    for request_id, status in statuses.items():
        (line,) = (line for line in answered if line.get("request_id") == request_id)
        assert (line["method"], line["route"], line["status"]) == ("POST", PAYMENTS, status)
        assert line["milliseconds"] > 0
    for personal in (*(key for key, _ in keys if key != "123"), document, "Fulana", tenant.token, account.id):
        assert personal not in log.getvalue(), personal


async def test_no_header_writes_into_the_log(world: World, log: io.StringIO) -> None:
    forged = b'x\r\n{"event":"forged"}'
    async with client_of(create_app(world.bank)) as client:
        headers = [(b"x-request-id", forged), (b"user-agent", forged), (b"accept-language", forged)]
        answered = await client.get("/nothing", headers=headers)

    assert answered.status_code == 404
    assert re.fullmatch(r"[0-9a-f]{32}", answered.headers["x-request-id"])
    assert "forged" not in log.getvalue()
    assert len([line for line in lines(log) if line.get("request_id") == answered.headers["x-request-id"]]) == 1


async def test_no_client_can_invent_a_figure(world: World) -> None:
    async def passage(method: str, path: str) -> None:
        async def nothing(_message: Any) -> None: ...

        async def body() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
        app: Callable[..., Awaitable[None]] = serving(create_app(world.bank))
        await app({**scope, "headers": [], "scheme": "http", "http_version": "1.1"}, body, nothing)

    for number in range(3):
        await passage(f"INVENTED{number}", f"/invented/{number}")

    page = metrics.page().decode()
    assert "invented" not in page.lower()
    assert 'method="other"' in page
