"""Fifty times each: two that want the same thing at once. No double effect, no 5xx, whoever is faster."""

import asyncio
from decimal import Decimal

from build import Account, Tenant, a_cnpj, until

TIMES = 50


async def test_two_refunds_of_one_pix(tenant: Tenant) -> None:
    account = await tenant.account(available="1000.00")
    for _ in range(TIMES):
        told = await account.receives("1.00")
        (transfer,) = (await tenant.get(f"/pix/transfers?filter[e2eId]={told['endToEndId']}")).data
        path = f"/pix/transfers/{transfer['id']}/refund"

        answers = await asyncio.gather(*(tenant.post(path, "pix-refunds", {}) for _ in range(2)))

        assert sorted(each.status for each in answers) == [201, 409]

    async def nothing_under_way() -> bool:
        return await account.balance() == await account.available()

    await until(nothing_under_way)
    assert await account.balance() == Decimal("1000.00")


async def test_two_registrations_of_one_key(tenant: Tenant, stranger: Tenant) -> None:
    document = a_cnpj()
    accounts = [await each.account(holderDocument=document) for each in (tenant, stranger)]

    async def register(account: Account) -> tuple[int, str]:
        wanted = {"accountId": account.id, "keyType": "CNPJ", "keyValue": document}
        answered = await account.tenant.post("/pix/keys", "pix-keys", wanted)
        return answered.status, answered.id if answered.status == 201 else answered.code

    for _ in range(TIMES):
        answers = await asyncio.gather(*(register(account) for account in accounts))

        assert sorted(status for status, _ in answers) == [201, 409]
        winner = next(index for index, (status, _) in enumerate(answers) if status == 201)
        assert answers[1 - winner][1] == "CONFLICT"
        key_id = answers[winner][1]
        assert (await accounts[winner].tenant.get(f"/pix/keys/{key_id}")).attributes["status"] == "ACTIVE"
        assert (await accounts[winner].tenant.call("DELETE", f"/pix/keys/{key_id}")).status == 204


async def test_closing_and_a_credit_from_outside(tenant: Tenant) -> None:
    outcomes = set()
    for turn in range(TIMES):
        account = await tenant.account()

        async def close(account: Account = account, late: float = turn % 10 / 1000) -> int:
            await asyncio.sleep(late)  # the credit has one more hop to make
            return (await tenant.post(f"/accounts/{account.id}/close")).status

        told, closed = await asyncio.gather(account.receives("1.00"), close())

        outcomes.add((closed, told["status"], told["reason"]))
        assert await account.balance() == (Decimal("1.00") if told["status"] == "ACSC" else 0)
    assert outcomes <= {(200, "RJCT", "AC07"), (409, "ACSC", None)}
