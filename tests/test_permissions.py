"""Who may do what, generated from the routes: every route with every permission, every id with a stranger's."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter
from starlette.routing import Route

from build import API, JOAO, TINY_PICTURE, Account, Answered, Tenant, World, a_cnpj, until
from lastro.app import ROUTERS, api_routes, create_app
from lastro.auth.permissions import Permission
from lastro.http import ApiRoute

# Every route of the API and what it demands. A route that does not stand here has not been thought about.
PROMISED = {
    "POST /accounts": "BAAS_ACCOUNTS_CREATE",
    "GET /accounts": "BAAS_ACCOUNTS_READ",
    "GET /accounts/:id": "BAAS_ACCOUNTS_READ",
    "PATCH /accounts/:id": "BAAS_ACCOUNTS_UPDATE",
    "POST /accounts/:id/close": "BAAS_ACCOUNTS_CLOSE",
    "POST /accounts/:id/block": "BAAS_ACCOUNTS_BLOCK",
    "POST /accounts/:id/unblock": "BAAS_ACCOUNTS_BLOCK",
    "GET /accounts/:id/statement": "BAAS_STATEMENT_READ",
    "POST /accounts/:id/kyc": "BAAS_ACCOUNTS_KYC",
    "GET /accounts/:id/kyc": "BAAS_ACCOUNTS_KYC_READ",
    "POST /pix/payments": "BAAS_PIX_SEND",
    "GET /pix/payments": "BAAS_PIX_READ",
    "GET /pix/payments/:id": "BAAS_PIX_READ",
    "GET /pix/payments/:id/receipt": "BAAS_PIX_READ",
    "GET /pix/transfers": "BAAS_PIX_READ",
    "GET /pix/transfers/:id": "BAAS_PIX_READ",
    "GET /pix/transfers/:id/receipt": "BAAS_PIX_READ",
    "POST /pix/transfers/:id/refund": "BAAS_PIX_REFUND",
    "GET /pix/transfers/:id/refunds": "BAAS_PIX_READ",
    "GET /pix/refunds": "BAAS_PIX_READ",
    "GET /pix/refunds/:id": "BAAS_PIX_READ",
    "POST /pix/keys": "BAAS_PIX_KEYS_CREATE",
    "GET /pix/keys": "BAAS_PIX_KEYS_READ",
    "GET /pix/keys/:id": "BAAS_PIX_KEYS_READ",
    "DELETE /pix/keys/:id": "BAAS_PIX_KEYS_DELETE",
    "POST /pix/keys/:id/confirm": "BAAS_PIX_KEYS_CREATE",
    "POST /pix/keys/lookup": "BAAS_PIX_KEYS_READ",
    "POST /pix/qrcode": "BAAS_PIX_QRCODE_CREATE",
    "GET /pix/qrcode/:id": "BAAS_PIX_QRCODE_READ",
    "POST /pix/qr-codes/decode": "BAAS_PIX_QRCODE_READ",
    "POST /transfers/internal": "BAAS_TRANSFERS_CREATE",
    "GET /transfers/internal": "BAAS_TRANSFERS_READ",
    "GET /transfers/internal/:id": "BAAS_TRANSFERS_READ",
}
# What needs no token, and why that is all right.
OPEN = {
    "/openapi.json": "the description; off unless turned on",
    "/docs": "the same",
    "/docs/{name}": "the same",
    "/health/live": "says one word",
    "/health/ready": "says a few",
    "/metrics": "figures of no tenant",
    "/network/{provider_id}/notifications": "authenticated by its signature",
    "/qr/v2/{token}": "a charge under an address that only its code tells, for the payer's bank",
    "/.well-known/jwks.json": "the public key that proves those charges ours",
}


@dataclass(frozen=True)
class Call:
    """One method of one route."""

    method: str
    route: ApiRoute

    @property
    def name(self) -> str:
        return f"{self.method} {re.sub('{[a-z_]+}', ':id', self.path)}"

    @property
    def path(self) -> str:
        return self.route.path.removeprefix(API)

    @property
    def path_ids(self) -> list[str]:
        return re.findall("{([a-z_]+)}", self.path)

    @property
    def body_schema(self) -> Any:
        """What the route takes, as JSON Schema; None when it takes nothing."""
        if self.route.body_field is None:
            return None
        return schema_of(self.route.body_field.field_info.annotation)

    @property
    def body_ids(self) -> list[str]:
        """The attributes of the body that are ids."""
        schema = self.body_schema
        if schema is None:
            return []
        attributes = inside(schema, inside(schema, schema["properties"]["data"])["properties"]["attributes"])
        return [name for name, child in attributes["properties"].items() if is_id(inside(schema, child))]

    @property
    def parameters(self) -> dict[str, Any]:
        """The query parameters, each with its JSON Schema."""
        found: dict[str, Any] = {}
        for each in self.route.dependant.query_params:
            schema = schema_of(each.field_info.annotation)
            if schema.get("type") == "object":
                found |= {name: inside(schema, child) for name, child in schema["properties"].items()}
            else:
                found[each.alias] = inside(schema, schema)
        return found


def schema_of(annotation: Any) -> Any:
    """JSON Schema of a type."""
    return TypeAdapter(annotation).json_schema()


def inside(schema: Any, node: Any) -> Any:
    """The node itself, behind references and nullability."""
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
        elif "anyOf" in node:
            node = next(each for each in node["anyOf"] if each.get("type") != "null")
        else:
            return node


def is_id(schema: Any) -> bool:
    return bool(schema.get("format") == "uuid")


def calls() -> Iterator[Call]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, ApiRoute)
            for method in sorted(route.methods or ()):
                yield Call(method, route)


CALLS = list(calls())
every_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)


@dataclass
class Keyring:
    """Tokens of one tenant: each permission alone, all but each, none, all, and two that are over."""

    tenant: Tenant
    alone: dict[Permission, str] = field(default_factory=dict)
    all_but: dict[Permission, str] = field(default_factory=dict)
    none: str = ""
    over: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
async def keyring(world: World) -> Keyring:
    tenant = await world.tenant("keyring")
    ring = Keyring(tenant)
    for permission in Permission:
        ring.alone[permission] = await tenant.new_token(permission)
        ring.all_but[permission] = await tenant.new_token(*(set(Permission) - {permission}))
    ring.none = await tenant.new_token()
    ring.over = [await tenant.new_token(*Permission, days=-1)]
    return ring


def test_every_route_was_thought_about_and_demands_what_was_promised(world: World) -> None:
    app = create_app(world.bank, docs=True)
    routes = {
        Call(method, route).name: route.permission
        for route in api_routes(app)
        for method in sorted(route.methods or ())
    }

    assert routes == {name: PROMISED.get(name, "nothing promised") for name in routes}


def test_whatever_is_outside_of_the_api_is_known_to_be_open(world: World) -> None:
    app = create_app(world.bank, docs=True)

    outside = {getattr(route, "path", str(route)) for route in app.routes if not isinstance(route, ApiRoute)}

    assert outside == set(OPEN)
    assert all(isinstance(route, Route) for route in app.routes)


def test_the_ids_of_the_routes_are_seen() -> None:
    seen = {(call.name, name) for call in CALLS for name in (*call.path_ids, *call.body_ids, *call.parameters)}

    assert seen >= {
        ("POST /accounts", "providerId"),
        ("GET /accounts", "filter[providerId]"),
        ("PATCH /accounts/:id", "account_id"),
        ("POST /accounts/:id/close", "account_id"),
        ("POST /pix/payments", "accountId"),
        ("GET /pix/payments", "filter[accountId]"),
        ("GET /pix/payments", "page[after]"),
        ("GET /pix/transfers/:id", "transfer_id"),
        ("POST /pix/keys", "accountId"),
        ("GET /pix/keys", "filter[accountId]"),
        ("DELETE /pix/keys/:id", "key_id"),
        ("POST /pix/keys/:id/confirm", "key_id"),
        ("POST /pix/qrcode", "accountId"),
        ("GET /pix/qrcode/:id", "qrcode_id"),
        ("POST /transfers/internal", "recipientAccountId"),
        ("GET /transfers/internal", "filter[accountId]"),
    }


@every_call
async def test_a_route_opens_to_its_permission_and_to_no_other(call: Call, keyring: Keyring) -> None:
    tenant, needed = keyring.tenant, call.route.permission
    assert needed is not None
    path = re.sub("{[a-z_]+}", str(uuid4()), call.path)

    async def status(token: str) -> int:
        answered = await tenant.call(call.method, path, token=token)
        if answered.status == 403:
            assert answered.body["message"] == f"Permission denied: {needed} required"
        return answered.status

    wrong = [*(set(Permission) - {needed})]
    assert {permission: await status(keyring.alone[permission]) for permission in wrong} == dict.fromkeys(wrong, 403)
    assert await status(keyring.all_but[needed]) == 403
    assert await status(keyring.none) == 403
    assert [await status(token) for token in keyring.over] == [401]
    assert (await tenant.world.http.request(call.method, f"{API}{path}")).status_code == 401
    let_in = {await status(keyring.alone[needed]), await status(tenant.token)}
    assert len(let_in) == 1
    assert let_in <= {200, 400, 404}


@dataclass
class Household:
    """A tenant's account, a payment that it sent, a transfer received and partly given back, a key and a code, and a
    transfer to another account of the tenant."""

    tenant: Tenant
    account: Account
    ids: dict[str, str]
    texts: dict[str, str]

    async def seen(self) -> Any:
        """Everything that the tenant can see of itself."""
        lists = ("/accounts", "/pix/payments", "/pix/transfers", "/pix/refunds", "/pix/keys", "/transfers/internal")
        return [(await self.tenant.get(path)).data for path in lists]


async def household(tenant: Tenant) -> Household:
    account = await tenant.account(available="10.00")
    reference = uuid4().hex
    payment = await account.pays(1.00, extra={"correlationId": reference})
    paid = await account.payment_becomes(payment.id, "COMPLETED")
    (transfer,) = (await tenant.get("/pix/transfers")).data
    refund = await tenant.post(f"/pix/transfers/{transfer['id']}/refund", "pix-refunds", {"amount": 1.00})

    async def given_back() -> bool:
        return bool((await tenant.get(f"/pix/refunds/{refund.id}")).attributes["status"] == "COMPLETED")

    await until(given_back)
    key = await tenant.post("/pix/keys", "pix-keys", {"accountId": account.id, "keyType": "EVP"})
    code = await tenant.post("/pix/qrcode", "pix-qrcode", {"accountId": account.id, "type": "STATIC"})
    savings = await tenant.account()
    moved = await tenant.post(
        "/transfers/internal",
        "internal-transfers",
        {"accountId": account.id, "recipientAccountId": savings.id, "amount": 1.00, "correlationId": reference},
    )
    return Household(
        tenant,
        account,
        ids={
            "account_id": account.id,
            "accountId": account.id,
            "filter[accountId]": account.id,
            "payment_id": payment.id,
            "transfer_id": transfer["id"],
            "filter[transferId]": transfer["id"],
            "refund_id": refund.id,
            "key_id": key.id,
            "qrcode_id": code.id,
            "recipientAccountId": savings.id,
            "internal_transfer_id": moved.id,
            "providerId": str(tenant.provider_id),
            "filter[providerId]": str(tenant.provider_id),
            "page[after]": "see below",
        },
        texts={
            "payments": paid["e2eId"],
            "transfers": transfer["attributes"]["e2eId"],
            "refunds": refund.attributes["e2eId"],
            "filter[externalRef]": paid["externalRef"],
            "filter[correlationId]": reference,
        },
    )


@pytest.fixture(scope="session")
async def own(world: World) -> Household:
    return await household(await world.tenant("own"))


@pytest.fixture(scope="session")
async def theirs(world: World) -> Household:
    return await household(await world.tenant("theirs"))


def sample(call: Call, own: Household) -> Any:
    """A body that this route takes from this tenant."""
    schema = call.body_schema
    if schema is None:
        return None
    specimens: dict[str, Any] = {
        "holderDocument": a_cnpj(),
        "holderDocumentType": "CNPJ",
        "recipientKeyType": "CPF",
        "recipientKeyValue": JOAO,
        "amount": 1.00,
        "metadata": {"a": 1},
        "documents": [{"type": "SELFIE", "front": TINY_PICTURE}],
        "keyType": "EMAIL",
        "keyValue": f"{uuid4().hex}@empresa.example",
        "code": "123456",
    }

    def made(name: str, node: Any) -> Any:
        node = inside(schema, node)
        if name in specimens:
            return specimens[name]
        if is_id(node):
            return own.ids[name]
        if "properties" in node:
            required = node.get("required", [])
            wanted = required if name != "attributes" or required else node["properties"]
            if "keyType" in wanted:  # for the type of the specimen, the value is required
                wanted = [*dict.fromkeys([*wanted, "keyValue"])]
            if "recipientKeyType" in node["properties"]:  # or a QR code
                wanted = [*wanted, "recipientKeyType", "recipientKeyValue"]
            return {each: made(each, node["properties"][each]) for each in wanted}
        if "const" in node or "enum" in node:
            return node.get("const") or node["enum"][0]
        if "examples" in node:
            return node["examples"][0]
        return {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "array": []}[node["type"]]

    return made("", schema)


def told(answered: Answered, *ids: str) -> Any:
    """What an answer says, without what names the request or the id that was asked for."""
    text = answered.response.text
    for each in (answered.response.headers["x-request-id"], *ids):
        text = text.replace(each, "…")
    headers = {name for name in answered.response.headers if name != "content-length"}
    return answered.status, json.loads(text), headers


def nobodys() -> str:
    return str(uuid4())


async def probed(call: Call, own: Household, path: str, body: Any) -> Answered:
    return await own.tenant.call(call.method, path, body)


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name in call.path_ids],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
async def test_a_strangers_id_in_the_path_is_nobodys_id(
    call: Call, name: str, own: Household, theirs: Household
) -> None:
    before = await theirs.seen()
    answers = []
    for each in (theirs.ids[name], nobodys()):
        path = call.path.replace(f"{{{name}}}", each).format(**own.ids)
        answers.append(told(await probed(call, own, path, sample(call, own)), each))

    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert await theirs.seen() == before


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name in call.body_ids],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
async def test_a_strangers_id_in_the_body_is_nobodys_id(
    call: Call, name: str, own: Household, theirs: Household
) -> None:
    before = await theirs.seen()
    answers = []
    for each in (theirs.ids[name], nobodys()):
        body = sample(call, own)
        body["data"]["attributes"][name] = each
        answers.append(told(await probed(call, own, call.path.format(**own.ids), body), each))

    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert await theirs.seen() == before


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name, schema in call.parameters.items() if is_id(schema)],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
async def test_a_strangers_id_in_a_filter_is_nobodys_id(
    call: Call, name: str, own: Household, theirs: Household
) -> None:
    answers = []
    listed = (await theirs.tenant.get(call.path.format(**theirs.ids))).data[0]["id"]
    for each in (listed if name == "page[after]" else theirs.ids[name], nobodys()):
        answered = await own.tenant.get(f"{call.path.format(**own.ids)}?{name}={each}")
        answers.append(told(answered, each))

    assert answers[0] == answers[1]
    assert answers[0][0] == (400 if name == "page[after]" else 200)
    assert name == "page[after]" or answers[0][1]["data"] == []


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (call, name)
        for call in CALLS
        for name in call.parameters
        if name in {"filter[e2eId]", "filter[externalRef]", "filter[txid]", "filter[correlationId]"}
    ],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
async def test_a_strangers_reference_in_a_filter_finds_nothing(
    call: Call, name: str, own: Household, theirs: Household
) -> None:
    value = theirs.texts.get(name) or theirs.texts[call.path.rsplit("/", 1)[-1]]

    today = datetime.now(ZoneInfo("America/Sao_Paulo")).date()
    days = f"&filter[dateFrom]={today - timedelta(days=1)}&filter[dateTo]={today}" if "externalRef" in name else ""
    answered = await own.tenant.get(f"{call.path}?{name}={value}{days}")

    assert answered.status == 200
    assert answered.data == []
    assert answered.body["meta"]["totalItems"] == 0


@pytest.mark.parametrize("call", [call for call in CALLS if call.method == "GET" and not call.path_ids])
async def test_a_list_holds_nothing_of_a_stranger(call: Call, own: Household, theirs: Household) -> None:
    mine, other = await own.tenant.get(call.path), await theirs.tenant.get(call.path)

    assert mine.data
    assert not {each["id"] for each in mine.data} & {each["id"] for each in other.data}
    assert mine.body["meta"]["totalItems"] == len(mine.data)


async def test_a_resource_of_one_kind_is_nobodys_under_another_kind(own: Household) -> None:
    kinds = {
        "/accounts": "account_id",
        "/pix/payments": "payment_id",
        "/pix/transfers": "transfer_id",
        "/pix/refunds": "refund_id",
        "/pix/keys": "key_id",
        "/pix/qrcode": "qrcode_id",
        "/transfers/internal": "internal_transfer_id",
    }

    found = {
        (path, name): (await own.tenant.get(f"{path}/{own.ids[name]}")).status
        for path in kinds
        for name in kinds.values()
    }

    assert found == {(path, name): 200 if kinds[path] == name else 404 for path, name in found}


async def test_nobody_learns_whose_customer_a_document_is(own: Household, theirs: Household) -> None:
    document = a_cnpj()
    await theirs.tenant.account(holderDocument=document)

    mine = await own.tenant.post("/accounts", "accounts", own.tenant.application(holderDocument=document))
    again = await own.tenant.post("/accounts", "accounts", own.tenant.application(holderDocument=document))

    assert (mine.status, again.status) == (201, 409)
