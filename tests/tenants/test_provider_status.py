"""What a provider does not do, or not now, is refused before anybody is called; what is under way goes on."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from build import JOAO, Account, Answered, Tenant, World, a_cnpj, until


async def becomes(tenant: Tenant, **changes: Any) -> None:
    changed = await tenant.patch(f"/providers/{tenant.provider_id}", "providers", changes)
    assert changed.status == 200, changed.body


def refused(answered: Answered) -> bool:
    return answered.status == 422 and answered.code == "UNPROCESSABLE"


async def looks_up(account: Account) -> Answered:
    asked = {"keyType": "CPF", "keyValue": JOAO, "accountId": account.id}
    return await account.tenant.post("/pix/keys/lookup", "pix-key-lookup", asked)


async def registers(account: Account, **key: Any) -> Answered:
    asked = {"accountId": account.id, "keyType": "EVP"} | key
    return await account.tenant.post("/pix/keys", "pix-keys", asked)


async def makes_a_code(account: Account) -> Answered:
    return await account.tenant.post("/pix/qrcode", "pix-qrcode", {"accountId": account.id, "type": "STATIC"})


async def refunds(account: Account) -> Answered:
    transfer = (await account.tenant.get(f"/pix/transfers?filter[accountId]={account.id}")).data[0]["id"]
    return await account.tenant.post(f"/pix/transfers/{transfer}/refund", "pix-refunds", {"amount": 1.00})


async def applies(tenant: Tenant, **changes: Any) -> Answered:
    return await tenant.post("/accounts", "accounts", tenant.application(**changes))


@pytest.fixture
async def account(tenant: Tenant) -> Account:
    """With money, a key, and a directory that has been told."""
    made = await tenant.account(available="10.00")
    assert (await registers(made)).status == 201
    return made


WITHOUT: dict[str, Callable[[Account], Awaitable[Answered]]] = {
    "ACCOUNTS": lambda account: applies(account.tenant),
    "KYC": lambda account: applies(account.tenant),
    "PIX_LOOKUP": looks_up,
    "PIX_SEND": lambda account: account.pays(1.00),
    "PIX_REFUND": refunds,
    "PIX_KEYS": registers,
    "PIX_RECEIVE": makes_a_code,
    "MESSAGES": lambda account: registers(account, keyType="EMAIL", keyValue=f"{uuid4().hex}@loja.example"),
}


@pytest.mark.parametrize("feature", WITHOUT)
async def test_what_the_provider_does_not_offer_is_unprocessable(
    tenant: Tenant, account: Account, feature: str
) -> None:
    everything = (await tenant.get(f"/providers/{tenant.provider_id}")).attributes["supportedFeatures"]
    await becomes(tenant, supportedFeatures=[each for each in everything if each != feature])

    answered = await WITHOUT[feature](account)

    assert refused(answered)
    assert feature in answered.body["message"]
    for other, call in WITHOUT.items():
        if (
            other != feature
            and {feature, other} != {"ACCOUNTS", "KYC"}
            and (feature, other) != ("PIX_KEYS", "MESSAGES")
        ):
            assert (await call(account)).status in {200, 201}, other
    assert await account.available() <= 10


async def test_documents_go_nowhere_where_nobody_reviews_them(tenant: Tenant) -> None:
    made = await applies(tenant)
    await becomes(tenant, supportedFeatures=["ACCOUNTS", "PIX_SEND"])

    assert refused(await Account(tenant, made.id).sends())


async def test_an_account_type_that_the_provider_lacks_is_unprocessable(tenant: Tenant) -> None:
    await becomes(tenant, accountTypes=["PAYMENT"])

    answered = await applies(tenant, type="CHECKING")

    assert (refused(answered), answered.pointers) == (True, ["/data/attributes/type"])
    assert (await applies(tenant, type="PAYMENT")).status == 201


async def test_an_inactive_provider_opens_nothing_new_and_serves_what_it_has(tenant: Tenant, account: Account) -> None:
    applied = await applies(tenant)
    await becomes(tenant, status="INACTIVE")

    answered = await applies(tenant)
    assert (refused(answered), answered.pointers) == (True, ["/data/attributes/providerId"])

    assert (await looks_up(account)).status == 200
    paid = await account.pays(1.00)
    await account.payment_becomes(paid.id, "COMPLETED")
    assert (await refunds(account)).status == 201
    assert (await makes_a_code(account)).status == 201
    begun = Account(tenant, applied.id)  # was applied for in time
    await begun.is_approved()
    await until(lambda: begun.has_status("ACTIVE"))


async def test_nothing_new_goes_out_through_a_suspended_provider(tenant: Tenant, account: Account) -> None:
    applied = await applies(tenant)
    await becomes(tenant, status="SUSPENDED")

    for call in WITHOUT.values():
        assert refused(await call(account))
    assert refused(await Account(tenant, applied.id).sends())
    assert await account.available() == 10


async def test_what_arrives_at_a_suspended_provider_is_credited(tenant: Tenant, account: Account) -> None:
    await becomes(tenant, status="SUSPENDED")

    said = await account.receives("5.00")

    assert said["status"] == "ACSC"
    assert await account.available() == 15


async def test_what_is_under_way_settles_after_the_suspension(world: World, tenant: Tenant, account: Account) -> None:
    await world.rule(amount=1.23, delaySeconds=2, times=1)
    paid = await account.pays(1.23)
    await becomes(tenant, status="SUSPENDED")
    await world.simulate("POST", "/clock", {"advanceSeconds": 3})

    await account.payment_becomes(paid.id, "COMPLETED")


async def test_a_payment_is_answered_again_whatever_its_provider_has_become(tenant: Tenant, account: Account) -> None:
    headers = {"idempotency-key": str(uuid4())}
    first = await account.pays(1.00, headers=headers)
    await becomes(tenant, status="SUSPENDED")

    again = await account.pays(1.00, headers=headers)

    assert (again.status, again.response.text) == (201, first.response.text)


async def test_what_exists_can_be_taken_away_while_suspended(tenant: Tenant, account: Account) -> None:
    (key,) = (await tenant.get(f"/pix/keys?filter[accountId]={account.id}")).data
    empty = await tenant.account()
    await becomes(tenant, status="SUSPENDED")

    assert (await tenant.call("DELETE", f"/pix/keys/{key['id']}")).status == 204
    assert (await tenant.post(f"/accounts/{empty.id}/close")).status == 200


async def test_another_tenant_feels_nothing_of_it(tenant: Tenant, stranger: Tenant) -> None:
    await becomes(tenant, status="SUSPENDED")

    assert (await applies(stranger, holderDocument=a_cnpj())).status == 201


async def test_a_lookup_without_an_account_is_asked_through_the_default_provider(tenant: Tenant) -> None:
    async def asks() -> Answered:
        return await tenant.post("/pix/keys/lookup", "pix-key-lookup", {"keyType": "CPF", "keyValue": JOAO})

    attributes = {
        "name": "Outro",
        "code": "2",
        "ispb": "00000000",
        "settings": {"strictDocuments": False, "hidesAccounts": True},
    }
    second = await tenant.post("/providers", "providers", attributes)
    first = await asks()
    assert first.status == 200, first.body
    assert first.attributes["account"]["branch"] is not None
    await tenant.post(f"/providers/{second.id}/set-default")

    assert (await asks()).attributes["account"].get("branch") is None
