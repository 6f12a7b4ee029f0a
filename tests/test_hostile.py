"""Whatever is sent, in any part of a request, is answered: never with a 5xx, always with a code and a request id."""

import json
import random
import string
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from build import API, JOAO, Account, Tenant, World, a_cnpj
from lastro.app import ROUTERS
from lastro.http import ApiRoute

SEED = 20_260_101
REQUESTS = 1_500
ROUTES = [
    (method, route.path.removeprefix(API))
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, ApiRoute)
    for method in sorted(route.methods or ())
]
TEXTS = [
    "",
    " ",
    "0",
    "-1",
    "1e400",
    "NaN",
    "null",
    "true",
    "1_500",
    "１５００",
    "٣",
    "' OR 1=1 --",
    '"; DROP TABLE accounts; --',
    "%00",
    "\x00",
    "\r\nX-Injected: 1",
    "\u202egpj",
    "a\u0303",
    "\u200b",
    "\U0001f600" * 40,
    "\ufffe",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "__proto__",
    "a" * 151,
    "x" * 5_000,
    "1970-01-01",
    "9999-12-31",
    "2026-02-30",
    "00000000-0000-0000-0000-000000000000",
    "550e8400-e29b-41d4-a716-446655440100",
    "urn:uuid:550e8400-e29b-41d4-a716-446655440100",
]
LITERALS = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "0.01",
    "10.001",
    "1e400",
    "-1E+2",
    "NaN",
    "Infinity",
    "90071992547409.93",
    "99999999999999999999",
    "9" * 400,
    "[]",
    "{}",
    "[[[[]]]]",
    '{"a":{"a":{"a":{"a":{"a":{}}}}}}',
    '{"a":1,"a":2}',
    '"\\u0000"',
    '"\\ud800"',
]
TYPES = [
    "application/json",
    "application/vnd.api+json",
    "text/plain",
    "application/json; charset=utf-16",
    "",
    "*/*",
    "a",
]


class Fuzz:
    """Makes requests out of a seed: mostly right, with something wrong somewhere."""

    def __init__(self, seed: int, account: Account, others: list[str]) -> None:
        self._random = random.Random(seed)
        self._account = account
        self._others = others

    def maybe(self, chance: float) -> bool:
        return self._random.random() < chance

    def text(self) -> str:
        if self.maybe(0.7):
            return self._random.choice(TEXTS)
        alphabet = string.printable + "çãé\u2028\u0000\U0001f600"
        return "".join(self._random.choice(alphabet) for _ in range(self._random.randrange(30)))

    def id(self) -> str:
        known = [self._account.id, str(self._account.tenant.provider_id), *self._others, str(uuid4())]
        return self.text() if self.maybe(0.3) else self._random.choice(known)

    def literal(self) -> str:
        """A JSON value, not always a good one."""
        if self.maybe(0.5):
            return self._random.choice(LITERALS)
        return json.dumps(self.id() if self.maybe(0.3) else self.text())

    def path(self, template: str) -> str:
        path = template
        while "{" in path:
            before, _, after = path.partition("{")
            path = before + quote(self.id(), safe="") + after.partition("}")[2]
        if self.maybe(0.05):
            path += self._random.choice(["/", "//", "/..", "/%2e%2e/", "/x", "%00", ";a=b", ".json"])
        return path + self.query()

    def query(self) -> str:
        if self.maybe(0.5):
            return ""
        names = [
            "page[number]",
            "page[size]",
            "page[after]",
            "filter[status]",
            "filter[type]",
            "filter[providerId]",
            "filter[accountId]",
            "filter[dateFrom]",
            "filter[dateTo]",
            "filter[e2eId]",
            "filter[externalRef]",
            "filter[txid]",
            "sort",
            "",
        ]
        values = ["1", "100", "ACTIVE", "COMPLETED", "CHECKING", "2026-01-01"]
        pairs = []
        for _ in range(self._random.randrange(1, 4)):
            name = self.text() if self.maybe(0.05) else self._random.choice(names)
            pick: Callable[[], str] = self._random.choice([self.text, self.id, lambda: self._random.choice(values)])
            pairs.append(f"{quote(name[:300], safe='[]')}={quote(pick()[:300], safe='')}")
        return "?" + "&".join(pairs)

    def body(self, path: str) -> bytes:
        kind = "pix-payments" if "payments" in path else "accounts"
        attributes: dict[str, str] = (
            {
                "accountId": json.dumps(self.id()),
                "amount": "0.01",
                "recipientKeyType": '"CPF"',
                "recipientKeyValue": json.dumps(JOAO),
                "description": json.dumps(self.text()),
            }
            if kind == "pix-payments"
            else {
                "providerId": json.dumps(self.id()),
                "holderName": '"Nome"',
                "holderDocument": json.dumps(a_cnpj()),
                "holderDocumentType": '"CNPJ"',
                "metadata": json.dumps({self.text(): self.text()}),
            }
        )
        for _ in range(self._random.randrange(3)):
            name = self._random.choice([*attributes, *attributes, "balance", "status", "tenantId", self.text()])
            attributes[name] = self.literal()
            if self.maybe(0.1):
                del attributes[name]
        inner = ",".join(f"{json.dumps(name)}:{value}" for name, value in attributes.items())
        given = f'"{kind}"' if self.maybe(0.9) else self.literal()
        body = bytearray(f'{{"data":{{"type":{given},"attributes":{{{inner}}}}}}}'.encode("utf-8", "replace"))
        if self.maybe(0.15):
            for _ in range(self._random.randrange(1, 5)):
                body[self._random.randrange(len(body))] = self._random.randrange(256)
        if self.maybe(0.03):
            body = bytearray(b"[" * self._random.choice([17, 1_000, 60_000]))
        return bytes(body)

    def header(self) -> bytes:
        text = self.text() if self.maybe(0.8) else f'"{self._random.randrange(3)}.0"'
        return "".join(each for each in text if each.isprintable()).strip().encode("utf-8")[:2_000]

    def headers(self, token: str) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        if self.maybe(0.95):
            headers.append((b"authorization", f"Bearer {token}".encode()))
        right = self.maybe(0.85)
        headers.append((b"content-type", (TYPES[0] if right else self._random.choice(TYPES)).encode()))
        names = ["idempotency-key", "if-match", "x-request-id", "accept", "accept-language", "content-encoding"]
        chosen = [name for name in names if self.maybe(0.02 if name == "content-encoding" else 0.12)]
        headers += [(name.encode(), self.header()) for name in chosen]
        return headers

    def request(self, client: httpx.AsyncClient, token: str) -> httpx.Request:
        method, template = self._random.choice(ROUTES)
        has_body = method in {"POST", "PATCH"} and self.maybe(0.9)
        content = self.body(template) if has_body else b""
        if self.maybe(0.03):
            method = self._random.choice(["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "GET", "POST"])
        return client.build_request(method, API + self.path(template), content=content, headers=self.headers(token))


def check(response: httpx.Response) -> None:
    """An answer is good, or an error that says what it is and which request it was."""
    assert response.status_code < 500, (response.request.method, response.request.url, response.text)
    assert response.headers["x-request-id"]
    assert "x-injected" not in response.headers
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    body = response.json()
    errors = body["errors"]
    if response.headers["content-type"] == "application/json":
        assert body["statusCode"] == response.status_code
        assert body["details"]["requestId"] == response.headers["x-request-id"]
        assert body["code"] == errors[0]["code"]
        assert body["message"]
    assert errors
    for error in errors:
        assert error["status"] == str(response.status_code)
        assert error["meta"]["requestId"] == response.headers["x-request-id"]
        assert error["detail"]


async def test_no_request_whatever_breaks_the_house(world: World, tenant: Tenant, stranger: Tenant) -> None:
    account = await tenant.account(available="5.00")
    foreign = await stranger.account(available="5.00")
    fuzz = Fuzz(SEED, account, [foreign.id, str(stranger.provider_id)])
    statuses: Counter[int] = Counter()
    started_at = time.monotonic()

    for _ in range(REQUESTS):
        response = await world.http.send(fuzz.request(world.http, tenant.token))
        check(response)
        statuses[response.status_code] += 1
        if time.monotonic() - started_at > 12:  # on a machine that does other things, fewer will do
            break

    assert statuses.total() > REQUESTS // 10
    assert {200, 400, 401, 404, 405, 415} <= set(statuses)
    assert (await foreign.attributes())["status"] == "ACTIVE"
    assert await foreign.balance() == 5
    assert (await stranger.get("/pix/payments")).data == []


ROWS: Mapping[str, tuple[str, Callable[[Account], dict[str, Any]]]] = {
    "accounts": ("POST /accounts", lambda account: account.tenant.application()),
    "changes": ("PATCH /accounts/{}", lambda _account: {"holderName": "Outro"}),
    "payments": (
        "POST /pix/payments",
        lambda account: {
            "accountId": account.id,
            "amount": 0.01,
            "recipientKeyType": "CPF",
            "recipientKeyValue": JOAO,
        },
    ),
    "keys": ("POST /pix/keys", lambda account: {"accountId": account.id, "keyType": "EVP"}),
}


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "tenantId",
        "tenant_id",
        "balance",
        "availableBalance",
        "status",
        "branch",
        "accountNumber",
        "currency",
        "createdAt",
        "updatedAt",
        "version",
        "e2eId",
        "externalRef",
        "completedAt",
        "failureReason",
        "returnedAmount",
        "attributes",
        "__proto__",
        "constructor",
        "$where",
        "",
    ],
)
async def test_nothing_is_assigned_that_was_not_asked_for(tenant: Tenant, name: str) -> None:
    account = await tenant.account()
    before = await account.attributes()

    for route, attributes in ROWS.values():
        method, _, path = route.partition(" ")
        kind = {"/pix/payments": "pix-payments", "/pix/keys": "pix-keys"}.get(path, "accounts")
        body = {"data": {"type": kind, "attributes": attributes(account) | {name: "ACTIVE"}}}
        refused = await tenant.call(method, path.format(account.id), body)
        assert (refused.status, refused.code) == (400, "VALIDATION")
        assert f"/data/attributes/{name}" in refused.pointers

    assert await account.attributes() == before


async def test_the_id_of_a_change_is_that_of_its_path(tenant: Tenant) -> None:
    account, other = await tenant.account(), await tenant.account()
    change = {"data": {"type": "accounts", "id": other.id, "attributes": {"holderName": "Outro"}}}

    refused = await tenant.call("PATCH", f"/accounts/{account.id}", change)

    assert (refused.status, refused.pointers) == (400, ["/data/id"])


@pytest.mark.parametrize(
    "literal",
    [
        "true",
        '"10.00"',
        '"1_500"',
        "10.001",
        "0",
        "-5",
        "1e400",
        "1E+2",
        "NaN",
        "1e15",
        "100000000000.01",
        "[1]",
        "null",
    ],
)
async def test_no_other_amount_is_paid_than_the_one_that_was_written(tenant: Tenant, literal: str) -> None:
    account = await tenant.account(available="20.00")
    body = (
        f'{{"data":{{"type":"pix-payments","attributes":{{"accountId":"{account.id}","amount":{literal},'
        f'"recipientKeyType":"CPF","recipientKeyValue":"{JOAO}"}}}}}}'
    )

    refused = await tenant.post("/pix/payments", content=body.encode())

    assert (refused.status, refused.code) == (400, "VALIDATION")
    assert await account.available() == 20


@pytest.mark.parametrize("name", ["a\r\nb", "a\u202eb", "a\x00b", "a\u200bb"])
async def test_no_name_breaks_its_line(tenant: Tenant, name: str) -> None:
    for kind, attributes in (
        ("accounts", tenant.application(holderName=name)),
        ("pix-payments", {"accountId": str(uuid4()), "amount": 1, "recipientKeyType": "CPF", "description": name}),
    ):
        path = "/accounts" if kind == "accounts" else "/pix/payments"
        assert (await tenant.post(path, kind, attributes)).status == 400


async def test_a_field_has_one_name(tenant: Tenant) -> None:
    application = tenant.application()
    application["holder_name"] = application.pop("holderName")

    assert (await tenant.post("/accounts", "accounts", application)).status == 400
