"""Who may do what, generated from the routes: every route with every permission, every id with one that is not his.

What is not his is another tenant's, or, for a token that is bound to accounts, of another account of the same tenant.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter
from starlette.routing import Route

from build import API, JOAO, TINY_PICTURE, Account, Answered, Tenant, World, a_cnpj, until
from lastro.app import ROUTERS, api_routes, create_app
from lastro.auth.binding import Binding
from lastro.auth.permissions import Permission
from lastro.http import ApiRoute
from lastro.pix.keys import possession

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
    "POST /clients": "BAAS_CLIENTS_CREATE",
    "GET /clients": "BAAS_CLIENTS_READ",
    "GET /clients/:id": "BAAS_CLIENTS_READ",
    "PATCH /clients/:id": "BAAS_CLIENTS_UPDATE",
    "POST /clients/:id/rotate-secret": "BAAS_CLIENTS_UPDATE",
    "DELETE /clients/:id": "BAAS_CLIENTS_DELETE",
    "POST /tokens": "BAAS_TOKENS_CREATE",
    "GET /tokens": "BAAS_TOKENS_READ",
    "DELETE /tokens/:id": "BAAS_TOKENS_DELETE",
    "GET /tenant": "BAAS_TENANT_READ",
    "PATCH /tenant": "BAAS_TENANT_UPDATE",
    "POST /providers": "BAAS_PROVIDERS_CREATE",
    "GET /providers": "BAAS_PROVIDERS_READ",
    "GET /providers/:id": "BAAS_PROVIDERS_READ",
    "PATCH /providers/:id": "BAAS_PROVIDERS_UPDATE",
    "DELETE /providers/:id": "BAAS_PROVIDERS_DELETE",
    "POST /providers/:id/test": "BAAS_PROVIDERS_UPDATE",
    "POST /providers/:id/set-default": "BAAS_PROVIDERS_UPDATE",
    "POST /webhook-subscriptions": "BAAS_WEBHOOKS_CREATE",
    "GET /webhook-subscriptions": "BAAS_WEBHOOKS_READ",
    "GET /webhook-subscriptions/:id": "BAAS_WEBHOOKS_READ",
    "PATCH /webhook-subscriptions/:id": "BAAS_WEBHOOKS_UPDATE",
    "DELETE /webhook-subscriptions/:id": "BAAS_WEBHOOKS_DELETE",
    "POST /webhook-subscriptions/:id/pause": "BAAS_WEBHOOKS_UPDATE",
    "POST /webhook-subscriptions/:id/resume": "BAAS_WEBHOOKS_UPDATE",
    "POST /webhook-subscriptions/:id/rotate-secret": "BAAS_WEBHOOKS_UPDATE",
    "POST /webhook-subscriptions/:id/test": "BAAS_WEBHOOKS_UPDATE",
    "POST /webhook-subscriptions/:id/replay": "BAAS_WEBHOOKS_UPDATE",
    "GET /webhook-deliveries": "BAAS_WEBHOOKS_READ",
    "GET /webhook-deliveries/:id": "BAAS_WEBHOOKS_READ",
    "GET /webhook-deliveries/:id/attempts": "BAAS_WEBHOOKS_READ",
    "POST /webhook-deliveries/:id/replay": "BAAS_WEBHOOKS_UPDATE",
    "GET /events": "BAAS_EVENTS_READ",
    "GET /events/:id": "BAAS_EVENTS_READ",
}
# What belongs to the tenant as a whole: 403 for a token that is bound to accounts.
WHOLE_TENANT = {"POST /accounts", "GET /tenant", "PATCH /tenant"} | {
    name for name in PROMISED if name.partition(" ")[2].startswith("/providers")
}
# What needs no token, and why that is all right.
OPEN = {
    "/openapi.json": "the description; off unless turned on",
    "/docs": "the same",
    "/docs/{name}": "the same",
    "/health/live": "says one word",
    "/health/ready": "says a few",
    "/metrics": "figures of no tenant",
    "/oauth/token": "takes a client's id and secret",
    "/oauth/revoke": "the same",
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
        ("GET /providers/:id", "provider_id"),
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
    """An account, what it sent, received, gave back and moved to another of the tenant; a key, a code; who uses it."""

    tenant: Tenant
    account: Account
    ids: dict[str, str]
    texts: dict[str, str]
    token: str = ""

    async def seen(self) -> Any:
        """Everything that the tenant can see of itself."""
        lists = (
            *("/accounts", "/pix/payments", "/pix/transfers", "/pix/refunds", "/pix/keys", "/transfers/internal"),
            *("/clients", "/tokens", "/providers", "/webhook-subscriptions"),
        )
        return [(await self.tenant.get(path)).data for path in lists]


SUBSCRIPTION = {"name": "x", "endpointUrl": "http://127.0.0.1:9/", "eventFilters": ["account.activated"]}
"""Nobody listens there."""


async def household(tenant: Tenant) -> Household:
    subscription = await tenant.post("/webhook-subscriptions", "webhook-subscriptions", SUBSCRIPTION)
    account = await tenant.account(available="10.00")
    narrowed = {"type": "webhook-subscriptions", "attributes": {"accountIds": [account.id]}}
    await tenant.call("PATCH", f"/webhook-subscriptions/{subscription.id}", {"data": narrowed})
    reference = uuid4().hex
    payment = await account.pays(1.00, extra={"correlationId": reference})
    paid = await account.payment_becomes(payment.id, "COMPLETED")
    (transfer,) = (await tenant.get(f"/pix/transfers?filter[accountId]={account.id}")).data
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
    access = {"name": "loja", "permissions": ["BAAS_PIX_READ"], "accountIds": [account.id]}
    client = await tenant.post("/clients", "clients", access)
    token = await tenant.post("/tokens", "tokens", access)

    async def is_told() -> bool:
        return bool((await tenant.get(f"/webhook-deliveries?filter[subscriptionId]={subscription.id}")).data)

    await until(is_told)
    delivery = (await tenant.get(f"/webhook-deliveries?filter[subscriptionId]={subscription.id}")).data[0]
    event_id = delivery["attributes"]["eventId"]
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
            "client_id": client.id,
            "token_id": token.id,
            "mainAccountId": account.id,
            "provider_id": str(tenant.provider_id),
            "subscription_id": subscription.id,
            "filter[subscriptionId]": subscription.id,
            "delivery_id": delivery["id"],
            "event_id": event_id,
            "filter[eventId]": event_id,
            "after": event_id,
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
        token=tenant.token,
    )


@pytest.fixture(scope="session")
async def own(world: World) -> Household:
    return await household(await world.tenant("own"))


@pytest.fixture(scope="session")
async def theirs(world: World) -> Household:
    return await household(await world.tenant("theirs"))


@pytest.fixture(scope="session")
async def bound(world: World) -> tuple[Household, Household]:
    """Two accounts of one tenant: one with a token that reaches it alone, and the other."""
    tenant = await world.tenant("bound")
    mine, other = await household(tenant), await household(tenant)
    binding = Binding(accounts=frozenset({UUID(mine.account.id)}))
    return replace(mine, token=await tenant.new_token(*Permission, binding=binding)), other


@pytest.fixture(scope="session", params=["of another tenant", "outside of the binding"])
async def pair(
    request: pytest.FixtureRequest, own: Household, theirs: Household, bound: tuple[Household, Household]
) -> tuple[Household, Household]:
    """Who asks, and whose things he must not tell from nobody's."""
    return bound if request.param == "outside of the binding" else (own, theirs)


def sample(call: Call, own: Household) -> Any:
    """A body that this route takes from this tenant."""
    schema = call.body_schema
    if schema is None:
        return None
    if call.name == "POST /webhook-subscriptions/:id/replay":  # no combination of all its attributes makes sense
        return {"data": {"type": "webhook-replays", "attributes": {"from": "2026-01-01T00:00:00Z"}}}
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
        "permissions": ["BAAS_PIX_READ"],
        "accountIds": [own.account.id],
        "networks": ["127.0.0.0/8"],
        "accountTypes": ["CHECKING"],
        "ispb": "00000000",
        "credentials": {},
        "customHeaders": {},
        "timeoutMs": 5_000,
        **SUBSCRIPTION,
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


async def probed(call: Call, own: Household, path: str, body: Any = None) -> Answered:
    return await own.tenant.call(call.method, path, body, token=own.token)


def refused(call: Call, own: Household) -> int:
    """How an id is answered that is not his."""
    return 403 if own.token != own.tenant.token and call.name in WHOLE_TENANT else 404


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name in call.path_ids],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
async def test_an_id_in_the_path_that_is_not_his_is_nobodys_id(
    call: Call, name: str, pair: tuple[Household, Household]
) -> None:
    own, theirs = pair
    before = await theirs.seen()
    answers = []
    for each in (theirs.ids[name], nobodys()):
        path = call.path.replace(f"{{{name}}}", each).format(**own.ids)
        answers.append(told(await probed(call, own, path, sample(call, own)), each))

    assert answers[0] == answers[1]
    assert answers[0][0] == refused(call, own)
    assert await theirs.seen() == before


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name in call.body_ids],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
async def test_an_id_in_the_body_that_is_not_his_is_nobodys_id(
    call: Call, name: str, pair: tuple[Household, Household]
) -> None:
    own, theirs = pair
    before = await theirs.seen()
    answers = []
    for each in (theirs.ids[name], nobodys()):
        body = sample(call, own)
        body["data"]["attributes"][name] = each
        answers.append(told(await probed(call, own, call.path.format(**own.ids), body), each))

    assert answers[0] == answers[1]
    assert answers[0][0] == refused(call, own)
    assert await theirs.seen() == before


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name, schema in call.parameters.items() if is_id(schema)],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
async def test_an_id_in_a_filter_that_is_not_his_is_nobodys_id(
    call: Call, name: str, pair: tuple[Household, Household]
) -> None:
    own, theirs = pair
    if theirs.ids[name] == own.ids[name] != "see below":
        return  # the provider of both accounts
    if refused(call, own) == 403:
        return  # no list of his at all
    answers = []
    listed = {each["id"] for each in (await theirs.tenant.get(call.path.format(**theirs.ids))).data}
    listed -= {each["id"] for each in (await probed(call, own, call.path.format(**own.ids))).data}
    for each in (min(listed) if name == "page[after]" else theirs.ids[name], nobodys()):
        answered = await probed(call, own, f"{call.path.format(**own.ids)}?{name}={each}")
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
async def test_a_reference_in_a_filter_that_is_not_his_finds_nothing(
    call: Call, name: str, pair: tuple[Household, Household]
) -> None:
    own, theirs = pair
    value = theirs.texts.get(name) or theirs.texts[call.path.rsplit("/", 1)[-1]]

    today = datetime.now(ZoneInfo("America/Sao_Paulo")).date()
    days = f"&filter[dateFrom]={today - timedelta(days=1)}&filter[dateTo]={today}" if "externalRef" in name else ""
    answered = await probed(call, own, f"{call.path}?{name}={value}{days}")

    assert answered.status == 200
    assert answered.data == []
    assert answered.body["meta"]["totalItems"] == 0


LISTS = [call for call in CALLS if "page[after]" in call.parameters]
every_list = pytest.mark.parametrize("call", [each for each in LISTS if not each.path_ids], ids=lambda call: call.name)


@every_list
async def test_a_list_holds_nothing_of_a_stranger(call: Call, own: Household, theirs: Household) -> None:
    mine, other = await own.tenant.get(call.path), await theirs.tenant.get(call.path)

    assert mine.data
    assert not {each["id"] for each in mine.data} & {each["id"] for each in other.data}
    assert "totalItems" not in mine.body["meta"] or mine.body["meta"]["totalItems"] == len(mine.data)


@pytest.mark.parametrize(
    "call",
    [each for each in LISTS if not each.path_ids and each.name not in WHOLE_TENANT],
    ids=lambda call: call.name,
)
async def test_a_bound_token_sees_and_counts_what_is_its_accounts(
    call: Call, bound: tuple[Household, Household]
) -> None:
    own, other = bound
    last = call.path.rsplit("/", 1)[-1]
    name = {
        "internal": "internal_transfer_id",
        "webhook-subscriptions": "subscription_id",
        "webhook-deliveries": "delivery_id",
    }.get(last, f"{last.removesuffix('s')}_id")

    seen = await probed(call, own, call.path)
    everything = await own.tenant.get(call.path)

    assert own.ids[name] in {each["id"] for each in seen.data}
    assert other.ids[name] not in {each["id"] for each in seen.data}
    assert {own.ids[name], other.ids[name]} <= {each["id"] for each in everything.data}
    if "totalItems" not in seen.body["meta"]:  # a log, or the feed
        return
    others = {each["id"] for each in seen.data if each["attributes"].get("accountIds") != [own.account.id]}
    assert others == {own.ids[name]} - {own.ids[each] for each in ("client_id", "token_id", "subscription_id")}
    assert seen.body["meta"]["totalItems"] == len(seen.data)
    assert everything.body["meta"]["totalItems"] >= 2
    if "filter[accountId]" in call.parameters:
        for account, total in ((own.account, 1), (other.account, 0)):
            told = await probed(call, own, f"{call.path}?filter[accountId]={account.id}")
            assert told.body["meta"]["totalItems"] == total == len(told.data)
    if "filter[status]" in call.parameters:
        for status in {each["attributes"]["status"] for each in everything.data}:
            told = await probed(call, own, f"{call.path}?filter[status]={status}")
            assert told.body["meta"]["totalItems"] == len(told.data) <= 1


@pytest.mark.parametrize("call", [call for call in CALLS if call.name in WHOLE_TENANT], ids=lambda call: call.name)
async def test_what_belongs_to_the_tenant_is_forbidden_to_a_bound_token(
    call: Call, bound: tuple[Household, Household]
) -> None:
    own, _ = bound

    refused = await probed(call, own, call.path.format(**own.ids), sample(call, own))

    assert refused.status == 403
    assert "contas" in refused.body["message"]


async def test_a_bound_token_asks_the_directory_for_its_account_and_not_for_the_tenant(
    bound: tuple[Household, Household],
) -> None:
    own, _ = bound
    key = {"keyType": "CPF", "keyValue": JOAO}

    async def asked(**more: str) -> Answered:
        return await own.tenant.post("/pix/keys/lookup", "pix-key-lookup", key | more, token=own.token)

    assert (await asked()).status == 403
    assert (await asked(accountId=own.account.id)).status == 200


async def test_a_bound_token_never_gets_what_another_binding_was_answered(bound: tuple[Household, Household]) -> None:
    own, other = bound
    elsewhere = Binding(accounts=frozenset({UUID(other.account.id)}))
    theirs = await own.tenant.new_token(*Permission, binding=elsewhere)
    again = await own.tenant.new_token(*Permission, binding=Binding(accounts=frozenset({UUID(own.account.id)})))
    code = {"type": "STATIC", "description": "a"}

    async def made(account: Account, token: str, key: str) -> Answered:
        attributes = code | {"accountId": account.id}
        headers = {"idempotency-key": key}
        return await own.tenant.post("/pix/qrcode", "pix-qrcode", attributes, token=token, headers=headers)

    key = uuid4().hex
    first = await made(other.account, own.tenant.token, key)
    assert first.status == 201
    # Neither the answer, nor a word that the key was used: not for the same question, not for one of its own.
    assert (await made(other.account, own.token, key)).status == 404
    mine = await made(own.account, own.token, key)
    assert mine.status == 201
    assert mine.id not in {first.id, (await made(other.account, theirs, key)).id}
    repeated = await made(own.account, again, key)
    assert repeated.response.headers["idempotency-replayed"] == "true"
    assert repeated.response.content == mine.response.content


async def test_a_bound_token_does_not_learn_that_an_address_is_a_neighbours_key(
    bound: tuple[Household, Household],
) -> None:
    own, other = bound
    address = f"{uuid4().hex}@empresa.example"
    wanted = {"keyType": "EMAIL", "keyValue": address}
    tenant = own.tenant
    held = await tenant.post("/pix/keys", "pix-keys", wanted | {"accountId": other.account.id})
    code = possession.code_of(UUID(held.id), tenant.world.bank.code_secret)
    proven = await tenant.post(f"/pix/keys/{held.id}/confirm", "pix-keys", {"code": code})
    assert proven.status in {200, 409}, proven.body  # 409: somebody typed it before us

    asked = await tenant.post("/pix/keys", "pix-keys", wanted | {"accountId": own.account.id}, token=own.token)
    unbound = await tenant.post("/pix/keys", "pix-keys", wanted | {"accountId": own.account.id})

    assert (asked.status, asked.attributes["status"]) == (201, "PENDING")
    assert unbound.status == 409


async def test_a_resource_of_one_kind_is_nobodys_under_another_kind(own: Household) -> None:
    kinds = {
        "/accounts": "account_id",
        "/pix/payments": "payment_id",
        "/pix/transfers": "transfer_id",
        "/pix/refunds": "refund_id",
        "/pix/keys": "key_id",
        "/pix/qrcode": "qrcode_id",
        "/transfers/internal": "internal_transfer_id",
        "/clients": "client_id",
        "/providers": "provider_id",
        "/webhook-subscriptions": "subscription_id",
        "/webhook-deliveries": "delivery_id",
        "/events": "event_id",
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
