"""/clients: made, read, changed, given another secret, ended; and nobody gives more than he has."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from access.callers import READ, SEND, Client, soon
from build import Tenant
from lastro.auth.binding import Binding
from lastro.auth.permissions import Permission
from lastro.values.money import Money
from lastro.values.network import parse_network

Make = Callable[..., Awaitable[Client]]


def wanted(**more: Any) -> dict[str, Any]:
    return {"name": "Loja 12", "permissions": [READ]} | more


async def test_a_client_is_made_with_what_it_is_bound_to(tenant: Tenant) -> None:
    account = await tenant.account()

    made = await tenant.post(
        "/clients",
        "clients",
        wanted(
            permissions=[SEND, READ, READ],
            accountIds=[account.id, account.id],
            networks=["203.0.113.0/24", "2001:DB8::/32", "203.0.113.0/24"],
            maxAmountPerPayment=1500.50,
            maxAmountPerDay=20000,
        ),
    )

    assert made.status == 201
    attributes = made.attributes
    assert re.fullmatch(r"lastro_test_client_[0-9A-Za-z_-]{49}", attributes.pop("clientSecret"))
    assert attributes == {
        "name": "Loja 12",
        "permissions": [READ, SEND],
        "accountIds": [account.id],
        "networks": ["203.0.113.0/24", "2001:db8::/32"],
        "maxAmountPerPayment": 1500.5,
        "maxAmountPerDay": 20000.0,
        "status": "ACTIVE",
        "createdAt": attributes["createdAt"],
        "updatedAt": attributes["createdAt"],
    }
    read = await tenant.get(f"/clients/{made.id}")
    assert read.attributes == attributes
    assert read.data["links"]["self"] == f"/baas/api/v1/clients/{made.id}"


async def test_what_is_not_said_is_not_bound(tenant: Tenant) -> None:
    made = await tenant.post("/clients", "clients", wanted())

    bounds = ("accountIds", "networks", "maxAmountPerPayment", "maxAmountPerDay")
    assert [made.attributes[name] for name in bounds] == [None] * 4


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": None}, "name"),
        ({"permissions": []}, "permissions"),
        ({"permissions": None}, "permissions"),
        ({"permissions": "BAAS_PIX_SEND"}, "permissions"),
        ({"permissions": ["*"]}, "permissions/0"),
        ({"permissions": [READ, "BAAS_NOTHING"]}, "permissions/1"),
        ({"accountIds": []}, "accountIds"),
        ({"accountIds": ["x"]}, "accountIds/0"),
        ({"accountIds": [str(uuid4()) for _ in range(101)]}, "accountIds"),
        ({"networks": []}, "networks"),
        ({"networks": ["203.0.113.7/24"]}, "networks/0"),
        ({"networks": ["10.0.0.0/8", "x"]}, "networks/1"),
        ({"networks": [7]}, "networks/0"),
        ({"networks": [f"10.0.{number}.0/24" for number in range(51)]}, "networks"),
        ({"maxAmountPerPayment": 0}, "maxAmountPerPayment"),
        ({"maxAmountPerPayment": "10.00"}, "maxAmountPerPayment"),
        ({"maxAmountPerDay": -1}, "maxAmountPerDay"),
        ({"maxAmountPerDay": 0.001}, "maxAmountPerDay"),
        ({"clientSecret": "mine"}, "clientSecret"),
        ({"status": "ACTIVE"}, "status"),
    ],
)
async def test_what_makes_no_sense_is_said_to_be_wrong(
    tenant: Tenant, attributes: dict[str, Any], pointer: str
) -> None:
    refused = await tenant.post("/clients", "clients", wanted(**attributes))

    assert refused.status == 400
    assert refused.pointers == [f"/data/attributes/{pointer}"]


async def test_accounts_are_the_tenants_own(tenant: Tenant, stranger: Tenant) -> None:
    mine, theirs = await tenant.account(), await stranger.account()

    for path, kind in (("/clients", "clients"), ("/tokens", "tokens")):
        answers = []
        for account_id in (theirs.id, str(uuid4())):
            refused = await tenant.post(path, kind, wanted(accountIds=[mine.id, account_id]))
            assert refused.pointers == ["/data/attributes/accountIds"]
            answers.append((refused.status, refused.body["message"]))
        assert answers == [(404, "Conta não encontrada.")] * 2


async def test_a_change_changes_what_it_says_and_null_takes_a_bound_away(make_client: Make, tenant: Tenant) -> None:
    client = await make_client(networks=["10.0.0.0/8"], maxAmountPerDay=10)

    renamed = await tenant.patch(f"/clients/{client.id}", "clients", {"name": "Loja 13"})
    freed = await tenant.patch(f"/clients/{client.id}", "clients", {"networks": None, "permissions": [READ]})

    assert (renamed.attributes["name"], renamed.attributes["networks"]) == ("Loja 13", ["10.0.0.0/8"])
    assert freed.status == 200
    attributes = (await tenant.get(f"/clients/{client.id}")).attributes
    assert attributes == freed.attributes
    assert (attributes["networks"], attributes["maxAmountPerDay"], attributes["permissions"]) == (None, 10.0, [READ])
    assert "clientSecret" not in attributes


async def test_a_change_that_says_nothing_or_nonsense_is_refused(client: Client) -> None:
    nothings: list[dict[str, Any]] = [{}, {"name": None}, {"permissions": None}, {"permissions": []}, {"secret": "x"}]
    for attributes in nothings:
        refused = await client.tenant.patch(f"/clients/{client.id}", "clients", attributes)
        assert refused.status == 400
    body = {"data": {"type": "clients", "id": str(uuid4()), "attributes": {"name": "x"}}}
    assert (await client.tenant.call("PATCH", f"/clients/{client.id}", body)).pointers == ["/data/id"]


async def test_a_revoked_client_can_be_read_and_nothing_else(client: Client) -> None:
    tenant, path = client.tenant, f"/clients/{client.id}"

    assert (await tenant.call("DELETE", path)).status == 204

    assert (await tenant.get(path)).attributes["status"] == "REVOKED"
    assert client.id in {each["id"] for each in (await tenant.get("/clients")).data}
    assert (await tenant.call("DELETE", path)).status == 404
    assert (await tenant.patch(path, "clients", {"name": "x"})).status == 409
    assert (await tenant.post(f"{path}/rotate-secret")).status == 409


async def test_a_repetition_makes_nothing_and_shows_no_secret(tenant: Tenant) -> None:
    headers = {"idempotency-key": uuid4().hex}
    first = await tenant.post("/clients", "clients", wanted(), headers=headers)
    again = await tenant.post("/clients", "clients", wanted(), headers=headers)
    other = await tenant.post("/clients", "clients", wanted(name="x"), headers=headers)

    assert again.response.headers["idempotency-replayed"] == "true"
    assert "clientSecret" in first.attributes
    assert again.id == first.id
    assert again.attributes == {name: first.attributes[name] for name in first.attributes if name != "clientSecret"}
    assert other.status == 422
    assert (await tenant.get("/clients")).body["meta"]["totalItems"] == 1


async def test_a_repeated_rotation_rotates_once(client: Client) -> None:
    headers, path = {"idempotency-key": uuid4().hex}, f"/clients/{client.id}/rotate-secret"
    first = await client.tenant.post(path, headers=headers)
    again = await client.tenant.post(path, headers=headers)

    assert "clientSecret" not in again.attributes
    client.secret = first.attributes["clientSecret"]
    assert (await client.asks()).status_code == 200


GIVING = (Permission.CLIENTS_CREATE, Permission.CLIENTS_UPDATE, Permission.CLIENTS_READ, Permission.TOKENS_CREATE)


async def test_nobody_gives_more_than_he_has(tenant: Tenant) -> None:
    one, two = await tenant.account(), await tenant.account()
    binding = Binding(
        accounts=frozenset({UUID(one.id)}),
        networks=(parse_network("127.0.0.0/8"),),
        most_each=Money(100_00),
    )
    token = await tenant.new_token(*GIVING, Permission.ACCOUNTS_READ, binding=binding)
    own = wanted(accountIds=[one.id], networks=["127.0.0.1"], maxAmountPerPayment=100.00)
    beyond: list[tuple[dict[str, Any], str]] = [
        ({"permissions": [READ, SEND]}, "permissions"),
        ({"accountIds": None}, "accountIds"),
        ({"accountIds": [one.id, two.id]}, "accountIds"),
        ({"accountIds": [str(uuid4())]}, "accountIds"),
        ({"networks": None}, "networks"),
        ({"networks": ["127.0.0.1", "128.0.0.1"]}, "networks"),
        ({"maxAmountPerPayment": None}, "maxAmountPerPayment"),
        ({"maxAmountPerPayment": 100.01}, "maxAmountPerPayment"),
    ]

    made = await tenant.post("/clients", "clients", own, token=token)
    assert made.status == 201
    assert (await tenant.post("/tokens", "tokens", own, token=token)).status == 201
    for more, name in beyond:
        refusals = [
            await tenant.post("/clients", "clients", own | more, token=token),
            await tenant.post("/tokens", "tokens", own | more, token=token),
            await tenant.patch(f"/clients/{made.id}", "clients", more, token=token),
        ]
        for refused in refusals:
            assert (refused.status, refused.code) == (403, "FORBIDDEN"), more
            assert refused.pointers == [f"/data/attributes/{name}"]


async def test_a_limit_of_the_day_is_not_multiplied(tenant: Tenant, client: Client) -> None:
    everything = [*map(str, Permission)]
    capped = await tenant.new_token(*Permission, binding=Binding(most_a_day=Money(100_00)))

    for refused in (
        await tenant.post("/tokens", "tokens", wanted(maxAmountPerDay=1.00), token=capped),
        await tenant.post("/clients", "clients", wanted(permissions=everything, maxAmountPerDay=1.00), token=capped),
        await tenant.post(f"/clients/{client.id}/rotate-secret", token=capped),
        await tenant.patch(f"/clients/{client.id}", "clients", {"maxAmountPerDay": 1.00}, token=capped),
    ):
        assert refused.status == 403
        assert refused.pointers == ["/data/attributes/maxAmountPerDay"]
    assert (await tenant.patch(f"/clients/{client.id}", "clients", {"name": "x"}, token=capped)).status == 200


async def test_nobody_takes_over_a_client_that_may_more_than_he(client: Client) -> None:
    tenant, path = client.tenant, f"/clients/{client.id}"
    weak = await tenant.new_token(*GIVING, Permission.ACCOUNTS_READ)

    stolen = await tenant.post(f"{path}/rotate-secret", token=weak)
    moved = await tenant.patch(path, "clients", {"networks": ["10.0.0.0/8"]}, token=weak)
    lowered = await tenant.patch(path, "clients", {"permissions": [READ]}, token=weak)

    assert [each.status for each in (stolen, moved, lowered)] == [403, 403, 403]
    assert (await client.asks()).status_code == 200
    assert (await tenant.get(path)).attributes["permissions"] == [READ, SEND]


async def test_a_token_of_a_client_gives_what_its_client_may_at_this_moment(tenant: Tenant, make_client: Make) -> None:
    giver = await make_client(permissions=[READ, SEND, "BAAS_TOKENS_CREATE"])
    token = await giver.token()
    assert (await tenant.post("/tokens", "tokens", wanted(permissions=[SEND]), token=token)).status == 201

    await tenant.patch(f"/clients/{giver.id}", "clients", {"permissions": [READ, "BAAS_TOKENS_CREATE"]})

    # At once: what may be given is read in the transaction that gives it.
    assert (await tenant.post("/tokens", "tokens", wanted(permissions=[SEND]), token=token)).status == 403
    assert (await tenant.post("/tokens", "tokens", wanted(permissions=[READ]), token=token)).status == 201


async def test_a_bound_token_sees_the_clients_of_its_accounts(tenant: Tenant, make_client: Make) -> None:
    one, two = await tenant.account(), await tenant.account()
    mine, both, all_of_them = [await make_client(accountIds=ids) for ids in ([one.id], [one.id, two.id], None)]
    token = await tenant.new_token(*Permission, binding=Binding(accounts=frozenset({UUID(one.id)})))

    listed = await tenant.get("/clients", token=token)

    assert ([each["id"] for each in listed.data], listed.body["meta"]["totalItems"]) == ([mine.id], 1)
    for client, status in ((mine, 204), (both, 404), (all_of_them, 404)):
        assert (await tenant.call("DELETE", f"/clients/{client.id}", token=token)).status == status


async def test_a_token_lives_long_and_is_shown_once(tenant: Tenant) -> None:
    account = await tenant.account()
    bounds = {"accountIds": [account.id], "networks": ["127.0.0.0/8"], "maxAmountPerDay": 7.5}
    headers = {"idempotency-key": uuid4().hex}

    made = await tenant.post("/tokens", "tokens", wanted(**bounds), headers=headers)
    again = await tenant.post("/tokens", "tokens", wanted(**bounds), headers=headers)

    assert made.status == 201
    token = made.attributes["token"]
    assert token.startswith(f"{made.attributes['prefix']}_")
    assert "token" not in again.attributes
    assert again.id == made.id
    (listed,) = [each for each in (await tenant.get("/tokens")).data if each["id"] == made.id]
    assert listed["attributes"] == again.attributes
    assert {name: listed["attributes"][name] for name in bounds} == bounds
    assert listed["attributes"]["status"] == "ACTIVE"
    assert (await tenant.get(f"/accounts/{account.id}", token=token)).status == 200

    assert (await tenant.call("DELETE", f"/tokens/{made.id}")).status == 204

    async def over() -> bool:
        return (await tenant.get(f"/accounts/{account.id}", token=token)).status == 401

    assert await soon(over)
    assert (await tenant.call("DELETE", f"/tokens/{made.id}")).status == 404
    (listed,) = [each for each in (await tenant.get("/tokens")).data if each["id"] == made.id]
    assert listed["attributes"]["status"] == "REVOKED"


@pytest.mark.parametrize(
    "expires_at",
    [
        "2020-01-01T00:00:00Z",
        "2200-01-01T00:00:00Z",
        "2030-02-30T00:00:00Z",
        "2030-01-01",
        "2030-01-01T00:00:00",
        "2030-01-01T00:00:00-03:00",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        1893456000,
        "",
    ],
)
async def test_a_token_ends_in_the_future_and_within_ten_years(tenant: Tenant, expires_at: Any) -> None:
    refused = await tenant.post("/tokens", "tokens", wanted(expiresAt=expires_at))

    assert refused.status == 400
    assert refused.pointers == ["/data/attributes/expiresAt"]


async def test_tokens_of_clients_are_not_among_those_that_live_long(client: Client) -> None:
    before = (await client.tenant.get("/tokens")).body["meta"]["totalItems"]

    await client.token()

    assert (await client.tenant.get("/tokens")).body["meta"]["totalItems"] == before
