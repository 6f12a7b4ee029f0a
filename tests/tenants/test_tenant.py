"""/tenant: the company sees itself, and says which account it keeps for itself."""

from uuid import UUID, uuid4

from build import Tenant
from lastro.auth.binding import Binding
from lastro.auth.permissions import Permission


async def test_a_tenant_sees_itself(tenant: Tenant) -> None:
    seen = await tenant.get("/tenant")

    assert seen.status == 200
    assert (seen.data["type"], seen.id) == ("tenants", str(tenant.id))
    assert seen.data["links"] == {"self": "/baas/api/v1/tenant"}
    assert seen.attributes | {"name": "…", "createdAt": "…"} == {
        "name": "…",
        "taxId": "11.222.333/0001-81",
        "mainAccountId": None,
        "defaultProviderId": None,
        "createdAt": "…",
    }


async def test_the_main_account_is_one_of_its_own(tenant: Tenant, stranger: Tenant) -> None:
    account, theirs = await tenant.account(), await stranger.account()

    changed = await tenant.patch("/tenant", "tenants", {"mainAccountId": account.id})
    refused = [await tenant.patch("/tenant", "tenants", {"mainAccountId": each}) for each in (theirs.id, str(uuid4()))]

    assert (changed.status, changed.attributes["mainAccountId"]) == (200, account.id)
    assert [(each.status, each.pointers) for each in refused] == [(404, ["/data/attributes/mainAccountId"])] * 2
    assert (await tenant.get("/tenant")).attributes["mainAccountId"] == account.id
    assert (await stranger.get("/tenant")).attributes["mainAccountId"] is None
    assert (await tenant.patch("/tenant", "tenants", {"mainAccountId": None})).attributes["mainAccountId"] is None


async def test_a_closed_account_does_not_become_the_main_one(tenant: Tenant) -> None:
    account = await tenant.account()
    assert (await tenant.post(f"/accounts/{account.id}/close")).status == 200

    refused = await tenant.patch("/tenant", "tenants", {"mainAccountId": account.id})

    assert (refused.status, refused.code, refused.pointers) == (409, "CONFLICT", ["/data/attributes/mainAccountId"])


async def test_nothing_else_of_a_tenant_is_changed_here(tenant: Tenant) -> None:
    for attributes in ({}, {"name": "x"}, {"mainAccountId": None, "taxId": "x"}, {"mainAccountId": "x"}):
        assert (await tenant.patch("/tenant", "tenants", attributes)).status == 400
    body = {"data": {"type": "tenants", "id": str(uuid4()), "attributes": {"mainAccountId": None}}}
    assert (await tenant.call("PATCH", "/tenant", body)).pointers == ["/data/id"]


async def test_a_token_that_is_bound_to_accounts_is_not_the_tenant(tenant: Tenant) -> None:
    account = await tenant.account()
    token = await tenant.new_token(*Permission, binding=Binding(accounts=frozenset({UUID(account.id)})))

    assert (await tenant.get("/tenant", token=token)).status == 403
    changed = await tenant.patch("/tenant", "tenants", {"mainAccountId": account.id}, token=token)
    assert changed.status == 403
