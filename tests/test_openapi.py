"""The description of the API is true: what is really answered fits it to the last field, and /docs shows it offline."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx
import jsonschema
import pytest

from build import API, JOAO, TINY_PICTURE, Account, Answered, Tenant, World, until
from lastro.app import ROUTERS, create_app, serving
from lastro.auth.permissions import Permission
from lastro.errors import ErrorCode
from lastro.http import EVERYWHERE, ApiRoute
from lastro.jsonapi.errors import STATUS
from lastro.statements.router import OFFERED
from pix.keys.customers import an_address, code_of

JSON = "application/json"
OPERATIONS = [
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, ApiRoute)
    for method in sorted(route.methods or ())
]
every_operation = pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS])


@pytest.fixture(scope="session")
async def description(world: World) -> Any:
    """What /openapi.json says."""
    answered = await world.http.get("/openapi.json")
    assert answered.status_code == 200
    return answered.json()


def operation_of(description: Any, method: str, path: str) -> Any:
    return description["paths"][path][method.lower()]


def validate(description: Any, method: str, path: str, answered: Answered) -> None:
    """An answer is of a status that the operation documents, and fits that status' schema."""
    documented = operation_of(description, method, path)["responses"]
    assert str(answered.status) in documented, (method, path, answered.status, answered.body)
    if answered.status == 204:
        assert "content" not in documented["204"]
        assert answered.response.content == b""
        return
    schema = documented[str(answered.status)]["content"][JSON]["schema"]
    whole = {**schema, "components": description["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(answered.body)


def nodes(node: Any) -> Iterator[Any]:
    """Every object in a document."""
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from nodes(child)
    elif isinstance(node, list):
        for child in node:
            yield from nodes(child)


def test_the_description_is_openapi_3_1_and_names_every_route(description: Any) -> None:
    assert description["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, item in description["paths"].items() for method in item}
    assert described == set(OPERATIONS)


def test_every_reference_leads_to_something(description: Any) -> None:
    references = {node["$ref"] for node in nodes(description) if isinstance(node.get("$ref"), str)}

    assert references
    for reference in references:
        target = description
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_schema_is_one(description: Any) -> None:
    for schema in description["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operation_has_a_name_of_its_own(description: Any) -> None:
    names = [operation_of(description, *each)["operationId"] for each in OPERATIONS]

    assert len(set(names)) == len(names)


@every_operation
def test_an_operation_says_what_it_does_and_what_it_demands(description: Any, method: str, path: str) -> None:
    operation = operation_of(description, method, path)

    assert operation["summary"]
    assert operation["tags"]
    permission = re.fullmatch(r"Permissão: `(BAAS_[A-Z_]+)`\.", operation["description"])
    assert permission is not None
    assert permission[1] in set(Permission)
    assert operation["security"] == [{"bearer": []}, {"oauth": [permission[1]]}]
    flow = description["components"]["securitySchemes"]["oauth"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/oauth/token"
    assert set(flow["scopes"]) == set(Permission)


@every_operation
def test_an_operation_names_the_errors_of_every_route(description: Any, method: str, path: str) -> None:
    responses = operation_of(description, method, path)["responses"]

    assert {int(status) for status in responses} >= {STATUS[code] for code in EVERYWHERE}
    for status, response in responses.items():
        if int(status) >= 400:
            assert response["content"][JSON]["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            assert set(response["description"].split(", ")) == {
                code for code in ErrorCode if STATUS[code] == int(status)
            }


def test_each_kind_of_file_is_described(description: Any) -> None:
    statement = operation_of(description, "GET", f"{API}/accounts/{{account_id}}/statement")["responses"]["200"]
    assert set(statement["content"]) == set(OFFERED) - {"application/vnd.api+json"}
    for kind in ("payments/{payment_id}", "transfers/{transfer_id}"):
        receipt = operation_of(description, "GET", f"{API}/pix/{kind}/receipt")["responses"]["200"]
        assert set(receipt["content"]) == {JSON, "application/pdf"}


def test_nothing_of_the_frameworks_own_errors_is_advertised(description: Any) -> None:
    assert "HTTPValidationError" not in description["components"]["schemas"]


def test_money_is_described_without_a_trap_for_validators(description: Any) -> None:
    # To a validator that divides doubles, 0.29 is no multiple of 0.01.
    assert not [node for node in nodes(description) if "multipleOf" in node]


def test_what_comes_in_knows_no_other_fields(description: Any) -> None:
    for method, path in OPERATIONS:
        body = operation_of(description, method, path).get("requestBody")
        if body is not None:
            name = body["content"][JSON]["schema"]["$ref"].rpartition("/")[2]
            assert description["components"]["schemas"][name]["additionalProperties"] is False


def test_the_example_of_an_error_is_an_error(description: Any) -> None:
    schema = description["components"]["schemas"]["ErrorBody"]

    whole = {**schema, "components": description["components"]}
    jsonschema.Draft202012Validator(whole).validate(schema["example"])


class Caller:
    """Calls operations by the path of their description; each answer is held against it."""

    def __init__(self, description: Any, tenant: Tenant) -> None:
        self._description = description
        self._tenant = tenant
        self.successes: set[tuple[str, str]] = set()

    async def call(self, method: str, template: str, *ids: str, query: str = "", **more: Any) -> Answered:
        path = API + template
        concrete = template
        for each in ids:
            concrete = re.sub("{[a-z_]+}", each, concrete, count=1)
        answered = await self._tenant.call(method, concrete + query, **more)
        validate(self._description, method, path, answered)
        if answered.status < 400:
            self.successes.add((method, path))
        return answered


def sending(account: Account, **changes: Any) -> Any:
    attributes = {"accountId": account.id, "amount": 0.29, "recipientKeyType": "CPF", "recipientKeyValue": JOAO}
    return {"data": {"type": "pix-payments", "attributes": attributes | changes}}


def registering(account: Account, **facts: str) -> Any:
    return {"data": {"type": "pix-keys", "attributes": {"accountId": account.id} | facts}}


async def calls_about_webhooks(caller: "Caller", tenant: Tenant) -> None:
    hooks, one = "/webhook-subscriptions", "/webhook-subscriptions/{subscription_id}"
    wanted = {"name": "x", "endpointUrl": "http://127.0.0.1:9/", "eventFilters": ["*"], "customHeaders": {"X-A": "b"}}
    made = await caller.call("POST", hooks, body={"data": {"type": "webhook-subscriptions", "attributes": wanted}})
    await caller.call("GET", hooks, query="?filter[status]=ACTIVE")
    await caller.call("GET", one, made.id)
    change = {"data": {"type": "webhook-subscriptions", "attributes": {"timeoutMs": 1000}}}
    await caller.call("PATCH", one, made.id, body=change)
    for step in ("rotate-secret", "test", "pause", "resume"):
        await caller.call("POST", f"{one}/{step}", made.id)
    again = {"data": {"type": "webhook-replays", "attributes": {"from": "2026-01-01T00:00:00Z"}}}
    await caller.call("POST", f"{one}/replay", made.id, body=again)
    (event, *_) = (await caller.call("GET", "/events", query="?filter[type]=account.*")).data
    await caller.call("GET", "/events/{event_id}", event["id"])

    async def was_tried() -> bool:
        return bool([each for each in (await tenant.get("/webhook-deliveries")).data if each["attributes"]["attempts"]])

    await until(was_tried)
    for delivery in (await caller.call("GET", "/webhook-deliveries")).data:
        await caller.call("GET", "/webhook-deliveries/{delivery_id}", delivery["id"])
        await caller.call("GET", "/webhook-deliveries/{delivery_id}/attempts", delivery["id"])
    await caller.call("POST", "/webhook-deliveries/{delivery_id}/replay", delivery["id"])
    await caller.call("DELETE", one, made.id)


async def test_what_is_really_answered_is_what_is_described(description: Any, tenant: Tenant) -> None:
    caller = Caller(description, tenant)
    account = await tenant.account(available="100.00", metadata={"a": [1, None]})
    empty = await tenant.account(type="PAYMENT")
    pending = {"data": {"type": "accounts", "attributes": tenant.application()}}
    change = {"data": {"type": "accounts", "attributes": {"metadata": None}}}

    await caller.call("POST", "/accounts", body=pending)
    await caller.call("GET", "/accounts")
    await caller.call("GET", "/accounts", query="?page[size]=1&filter[status]=ACTIVE")
    await caller.call("GET", "/accounts", query=f"?page[after]={account.id}")
    await caller.call("GET", "/accounts", query="?filter[status]=CLOSED")
    await caller.call("GET", "/accounts/{account_id}", account.id)
    await caller.call("PATCH", "/accounts/{account_id}", account.id, body=change)
    await caller.call("GET", "/accounts/{account_id}", account.id)
    fresh = await caller.call(
        "POST", "/accounts", body={"data": {"type": "accounts", "attributes": tenant.application()}}
    )
    await caller.call("GET", "/accounts/{account_id}/kyc", fresh.id)
    papers = {"documents": [{"type": "RG", "front": TINY_PICTURE, "back": None}]}
    await caller.call(
        "POST", "/accounts/{account_id}/kyc", fresh.id, body={"data": {"type": "kyc", "attributes": papers}}
    )
    await caller.call("GET", "/accounts/{account_id}/kyc", account.id)
    await caller.call("POST", "/accounts/{account_id}/block", empty.id)
    await caller.call("POST", "/accounts/{account_id}/unblock", empty.id)
    await caller.call("POST", "/accounts/{account_id}/close", empty.id)
    paid = await caller.call("POST", "/pix/payments", body=sending(account, description="Café"))
    await account.payment_becomes(paid.id, "COMPLETED")
    rejected = sending(account, recipientKeyType="EMAIL", recipientKeyValue="ac03@rejeita.example")
    failed = await caller.call("POST", "/pix/payments", body=rejected)
    await account.payment_becomes(failed.id, "FAILED")
    for each in (paid, failed):
        await caller.call("GET", "/pix/payments/{payment_id}", each.id)
    await caller.call("GET", "/pix/payments")
    await caller.call("GET", "/pix/payments/{payment_id}/receipt", paid.id)
    await caller.call("GET", "/pix/payments/{payment_id}/receipt", failed.id)
    await caller.call("GET", "/accounts/{account_id}/statement", account.id, query="?page[size]=1")
    looked_up = {"type": "pix-key-lookup", "attributes": {"keyType": "CPF", "keyValue": JOAO, "accountId": account.id}}
    await caller.call("POST", "/pix/keys/lookup", body={"data": looked_up})
    received = await caller.call("GET", "/pix/transfers")
    await caller.call("GET", "/pix/transfers/{transfer_id}", received.data[0]["id"])
    await caller.call("GET", "/pix/transfers/{transfer_id}/receipt", received.data[0]["id"])
    giving_back = {"data": {"type": "pix-refunds", "attributes": {"amount": 0.29, "reason": "Troco"}}}
    refund = await caller.call("POST", "/pix/transfers/{transfer_id}/refund", received.data[0]["id"], body=giving_back)
    await caller.call("GET", "/pix/transfers/{transfer_id}/refunds", received.data[0]["id"])
    await caller.call("GET", "/pix/refunds/{refund_id}", refund.id)
    await caller.call("GET", "/pix/refunds", query=f"?filter[transferId]={received.data[0]['id']}")
    made = await caller.call("POST", "/pix/keys", body=registering(account, keyType="EVP"))
    await caller.call("GET", "/pix/keys/{key_id}", made.id)
    for kind, changes in (("STATIC", {}), ("DYNAMIC", {"amount": 0.29, "description": "Café"})):
        wanted = {"type": "pix-qrcode", "attributes": {"accountId": account.id, "type": kind} | changes}
        drawn = await caller.call("POST", "/pix/qrcode", body={"data": wanted})
        await account.receives("0.29", txid=drawn.attributes["txid"])
        await caller.call("GET", "/pix/qrcode/{qrcode_id}", drawn.id)
        reading = {"type": "pix-qrcode-decode", "attributes": {"qrCodeText": drawn.attributes["qrCodeText"]}}
        await caller.call("POST", "/pix/qr-codes/decode", body={"data": reading})
    await caller.call("GET", "/pix/keys", query="?filter[status]=ACTIVE&filter[keyType]=EVP")
    await caller.call("DELETE", "/pix/keys/{key_id}", made.id)
    asked = await caller.call("POST", "/pix/keys", body=registering(account, keyType="EMAIL", keyValue=an_address()))
    code = await code_of(tenant, asked.id, asked.attributes["keyValue"])
    proof = {"data": {"type": "pix-keys", "attributes": {"code": code}}}
    await caller.call("POST", "/pix/keys/{key_id}/confirm", asked.id, body=proof)
    savings = await tenant.account()
    sides = {"accountId": account.id, "recipientAccountId": savings.id, "amount": 0.29, "correlationId": "reserva-1"}
    moving = {"data": {"type": "internal-transfers", "attributes": sides}}
    moved = await caller.call("POST", "/transfers/internal", body=moving)
    await caller.call("GET", "/transfers/internal/{internal_transfer_id}", moved.id)
    await caller.call("GET", "/transfers/internal", query=f"?filter[accountId]={savings.id}")
    await _manages_providers(caller)
    await who_may(caller, account)
    await calls_about_webhooks(caller, tenant)

    assert caller.successes == set(OPERATIONS), "call the new route here too"


async def _manages_providers(caller: Caller) -> None:
    bank = {"name": "Banco", "code": "b-2", "ispb": "60701190", "metadata": {"a": 1}}
    made = await caller.call("POST", "/providers", body={"data": {"type": "providers", "attributes": bank}})
    await caller.call("GET", "/providers", query="?filter[status]=ACTIVE")
    await caller.call("GET", "/providers/{provider_id}", made.id)
    change = {"data": {"type": "providers", "attributes": {"settings": {"strictDocuments": False}}}}
    await caller.call("PATCH", "/providers/{provider_id}", made.id, body=change)
    await caller.call("POST", "/providers/{provider_id}/test", made.id)
    await caller.call("DELETE", "/providers/{provider_id}", made.id)
    (own,) = (await caller.call("GET", "/providers")).data
    await caller.call("POST", "/providers/{provider_id}/set-default", own["id"])


async def who_may(caller: Caller, account: Account) -> None:
    """Clients, tokens, and the tenant behind them."""
    bounds = {"accountIds": [account.id], "networks": ["10.0.0.0/8"], "maxAmountPerPayment": 0.29, "maxAmountPerDay": 1}
    named = {"name": "Loja", "permissions": ["BAAS_PIX_READ"]}
    for more in ({}, bounds):
        client = await caller.call("POST", "/clients", body={"data": {"type": "clients", "attributes": named | more}})
        token = await caller.call("POST", "/tokens", body={"data": {"type": "tokens", "attributes": named | more}})
    await caller.call("GET", "/clients")
    await caller.call("GET", "/clients/{client_id}", client.id)
    change = {"data": {"type": "clients", "id": client.id, "attributes": {"networks": None, "maxAmountPerDay": 0.57}}}
    await caller.call("PATCH", "/clients/{client_id}", client.id, body=change)
    await caller.call("POST", "/clients/{client_id}/rotate-secret", client.id)
    await caller.call("DELETE", "/clients/{client_id}", client.id)
    await caller.call("DELETE", "/tokens/{token_id}", token.id)
    await caller.call("GET", "/tokens")
    await caller.call("GET", "/tenant")
    main = {"data": {"type": "tenants", "attributes": {"mainAccountId": account.id}}}
    await caller.call("PATCH", "/tenant", body=main)


@every_operation
async def test_what_is_really_refused_is_what_is_described(
    description: Any, tenant: Tenant, method: str, path: str
) -> None:
    template = path.removeprefix(API)
    caller, nobody = Caller(description, tenant), [str(uuid4())] * path.count("{")
    powerless = await tenant.new_token()

    refused = [
        await caller.call(method, template, *nobody, token="unknown"),
        await caller.call(method, template, *nobody, token=powerless),
        await caller.call(method, template, *nobody, query="?nonsense=1"),
        await caller.call(method, template, *nobody, content=b"{"),
        await caller.call(method, template, *nobody, content=b"x", headers={"content-encoding": "gzip"}),
        await caller.call(method, template, *nobody, content=b"x" * 70_000),
    ]
    if nobody:
        refused += [await caller.call(method, template, "1"), await caller.call(method, template, *nobody)]

    statuses = [each.status for each in refused]
    documents = method == "POST" and path.endswith("/kyc")  # the one place that takes more
    assert statuses[:6] == [401, 403, 400, 400, 415, 400 if documents else 413]
    assert all(each.body["statusCode"] == each.status for each in refused)


async def test_the_refusals_of_the_bank_are_described(description: Any, tenant: Tenant) -> None:
    caller = Caller(description, tenant)
    account = await tenant.account(available="1.00")
    twin = {"data": {"type": "accounts", "attributes": tenant.application()}}
    await caller.call("POST", "/accounts", body=twin)
    savings = {"data": {"type": "accounts", "attributes": tenant.application(type="SAVINGS")}}
    change = {"data": {"type": "accounts", "attributes": {"holderName": "Outro Nome"}}}
    stale = {"if-match": '"99.0"'}
    nobodys = sending(account, recipientKeyType="EMAIL", recipientKeyValue="ninguem@nenhures.example")

    refused = [
        await caller.call("POST", "/accounts", body=twin),
        await caller.call("POST", "/accounts", body=savings),
        await caller.call("PATCH", "/accounts/{account_id}", account.id, body=change, headers=stale),
        await caller.call("POST", "/accounts/{account_id}/close", account.id),
        await caller.call("POST", "/accounts/{account_id}/unblock", account.id),
        await caller.call("POST", "/pix/payments", body=sending(account, amount=1.01)),
        await caller.call("POST", "/pix/payments", body=nobodys),
        await caller.call("POST", "/pix/payments", body=sending(account), headers={"idempotency-key": "x" * 256}),
    ]

    assert [(each.status, each.code) for each in refused] == [
        (409, "CONFLICT"),
        (422, "UNPROCESSABLE"),
        (412, "PRECONDITION_FAILED"),
        (409, "CONFLICT"),
        (409, "CONFLICT"),
        (400, "INSUFFICIENT_BALANCE"),
        (422, "UNPROCESSABLE"),
        (400, "VALIDATION"),
    ]


# /docs


class Links(HTMLParser):
    """Collects what a page loads, and every script that stands in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loaded += [value for name in ("src", "href") if (value := given.get(name))]
        self.inline += tag == "script" and "src" not in given


async def test_docs_loads_nothing_from_anywhere_else(world: World) -> None:
    page = await world.http.get("/docs")
    links = Links()
    links.feed(page.text)

    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy.replace("'self'", "")
    assert links.inline == 0
    assert len(links.loaded) >= 3
    for address in links.loaded:
        assert address.startswith("/docs/")
        asset = await world.http.get(address)
        assert asset.status_code == 200
        assert asset.headers["content-type"].split(";")[0] in {"text/css", "text/javascript"}
        assert asset.headers["x-content-type-options"] == "nosniff"
    start = (await world.http.get("/docs/start.js")).text
    assert "'/openapi.json'" in start
    assert "://" not in start


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "ui.css%00", "UI.CSS"])
async def test_docs_serves_its_own_files_and_no_others(world: World, name: str) -> None:
    assert (await world.http.get(f"/docs/{name}")).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/docs/ui.js", "/openapi.json", "/redoc"])
async def test_without_docs_there_is_no_description(world: World, path: str) -> None:
    app = serving(create_app(world.bank))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://lastro") as client:
        assert (await client.get(path)).status_code == 404


# Health and figures


async def test_whoever_lives_says_so(world: World) -> None:
    answered = await world.http.get("/health/live")

    assert (answered.status_code, answered.json()) == (200, {"status": "live"})


async def test_whoever_is_ready_says_why(world: World) -> None:
    answered = await world.http.get("/health/ready")

    assert answered.status_code == 200
    assert answered.json()["status"] == "ready"
    assert answered.json()["checks"]["database"] is True
    assert all(answered.json()["checks"].values())


async def test_one_check_that_fails_is_enough_not_to_be_ready(world: World) -> None:
    async def checks() -> dict[str, bool]:
        return {"worker": False}

    app = serving(create_app(world.bank, checks=checks))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://lastro") as client:
        answered = await client.get("/health/ready")

    assert answered.status_code == 503
    assert answered.json() == {"status": "not ready", "checks": {"database": True, "worker": False}}


async def test_the_figures_count_routes_and_name_nobody(world: World, tenant: Tenant) -> None:
    account = await tenant.account(available="1.00")
    payment = await account.pays(0.29)
    await account.payment_becomes(payment.id, "COMPLETED")
    await tenant.get("/nothing/12345678901")

    answered = await world.http.get("/metrics")

    assert answered.headers["content-type"].startswith("text/plain; version=0.0.4")
    figures = answered.text
    assert f'lastro_http_requests_total{{method="POST",route="{API}/pix/payments",status="201"}}' in figures
    assert f'lastro_http_requests_total{{method="GET",route="{API}/accounts/{{account_id}}",status="200"}}' in figures
    assert 'route="unmatched",status="404"' in figures
    for name in ("lastro_http_request_seconds_bucket", "lastro_till_batch_orders_bucket", "lastro_outbox_kept_total"):
        assert name in figures
    for personal in (account.id, payment.id, str(tenant.id), tenant.token, JOAO, "nothing/"):
        assert personal not in figures
