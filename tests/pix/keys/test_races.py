"""Keys side by side: whoever comes second is told so, nobody gets more than he may, and nothing is left behind."""

import asyncio
from collections import Counter

from sqlalchemy import text

from build import Account, Tenant, World, a_cnpj, a_cpf, until
from meeting import process
from pix.keys.customers import code_of, delete, in_the_directory, key, news, register, type_code

API = "/baas/api/v1"


async def stage_of(world: World, key_id: str) -> str:
    async with world.bank.db.transaction() as tx:
        return str((await tx.execute(text("SELECT stage FROM pix_keys WHERE id = :id"), {"id": key_id})).scalar_one())


async def rests(world: World, account: Account) -> None:
    """Wait until nothing is promised about the account any more."""

    async def nothing() -> bool:
        async with world.bank.db.transaction() as tx:
            query = text("SELECT count(*) FROM outbox WHERE account_id = :id")
            return not (await tx.execute(query, {"id": account.id})).scalar_one()

    await until(nothing)


async def test_of_two_accounts_that_want_one_key_exactly_one_gets_it(
    world: World, tenant: Tenant, stranger: Tenant
) -> None:
    """Two tenants with the same customer; each has an account of it at a provider of its own."""

    async def race() -> list[int]:
        document = a_cnpj()
        accounts = [await each.account(holderDocument=document) for each in (tenant, stranger)]
        answers = await asyncio.gather(*(register(each, "CNPJ", document) for each in accounts))
        assert {each.body["message"] for each in answers if each.status == 409} == {
            "Chave Pix já registrada em outra conta."
        }
        return sorted(each.status for each in answers)

    assert [await race() for _ in range(5)] == [[201, 409]] * 5


async def test_of_two_proven_owners_of_an_address_one_gets_it(world: World, tenant: Tenant, stranger: Tenant) -> None:
    address = "both@empresa.example"
    accounts = [await each.account() for each in (tenant, stranger)]
    asked = await asyncio.gather(*(register(each, "EMAIL", address) for each in accounts))
    codes = [await code_of(each.tenant, one.id, address) for each, one in zip(accounts, asked, strict=True)]

    answers = await asyncio.gather(
        *(type_code(each.tenant, one.id, code) for each, one, code in zip(accounts, asked, codes, strict=True))
    )

    assert sorted(each.status for each in answers) == [200, 409]


async def test_twenty_at_once_leave_a_person_with_five_keys_in_two_processes(world: World, tenant: Tenant) -> None:
    account = await tenant.account(holderDocument=a_cpf(), holderDocumentType="CPF")
    body = {"data": {"type": "pix-keys", "attributes": {"accountId": account.id, "keyType": "EVP"}}}
    headers = {"authorization": f"Bearer {tenant.token}"}
    async with process(world) as other:
        answers = await asyncio.gather(
            *(world.http.post(f"{API}/pix/keys", json=body, headers=headers) for _ in range(10)),
            *(other.post(f"{API}/pix/keys", json=body, headers=headers) for _ in range(10)),
        )

    assert Counter(each.status_code for each in answers) == {201: 5, 409: 15}
    assert "5 chaves" in next(each.json()["message"] for each in answers if each.status_code == 409)
    assert (await tenant.get("/pix/keys")).body["meta"]["totalItems"] == 5


async def test_a_company_has_twenty_and_a_deleted_one_makes_room(world: World, tenant: Tenant) -> None:
    account = await tenant.account()
    made = [each.id for each in await asyncio.gather(*(register(account, "EVP") for _ in range(20)))]
    assert (await register(account, "EVP")).status == 409

    assert await delete(tenant, made[0]) == 204
    await rests(world, account)

    assert (await register(account, "EVP")).status == 201


async def test_of_many_who_delete_a_key_one_has_done_it(tenant: Tenant) -> None:
    made = await register(await tenant.account(), "EVP")
    assert sorted(await asyncio.gather(*(delete(tenant, made.id) for _ in range(8)))) == [204] + [404] * 7
    assert await news(tenant, made.id) == ["pix.key.registered", "pix.key.removed"]


async def test_a_key_deleted_while_it_is_registered_ends_outside_of_the_directory(world: World, tenant: Tenant) -> None:
    for _ in range(10):
        document = a_cnpj()
        account = await tenant.account(holderDocument=document)
        asking = asyncio.create_task(register(account, "CNPJ", document))
        ids: list[str] = []

        async def written(ids: list[str] = ids, account: Account = account) -> bool:
            ids[:] = [each["id"] for each in (await tenant.get(f"/pix/keys?filter[accountId]={account.id}")).data]
            return bool(ids)

        await until(written)
        assert await delete(tenant, ids[0]) == 204
        assert (await asking).status in {201, 409}  # it was active for a moment, or never
        await rests(world, account)
        assert await stage_of(world, ids[0]) == "INACTIVE"
        assert not await in_the_directory(tenant, document)


async def test_an_account_that_closes_takes_its_keys_along(world: World, tenant: Tenant) -> None:
    document = a_cnpj()
    account = await tenant.account(holderDocument=document)
    evp, company = await register(account, "EVP"), await register(account, "CNPJ", document)

    assert (await tenant.post(f"/accounts/{account.id}/close")).status == 200

    assert [(await key(tenant, each.id))["status"] for each in (evp, company)] == ["INACTIVE"] * 2
    await rests(world, account)
    assert not await in_the_directory(tenant, document)
    assert not await in_the_directory(tenant, evp.attributes["keyValue"])
    assert await news(tenant, evp.id) == ["pix.key.registered", "pix.key.removed"]


async def test_closing_races_with_registering_and_leaves_no_key_alive(world: World, tenant: Tenant) -> None:
    async def race() -> None:
        account = await tenant.account()
        *answers, closed = await asyncio.gather(
            *(register(account, "EVP") for _ in range(4)), tenant.post(f"/accounts/{account.id}/close")
        )
        assert closed.status == 200
        assert {each.status for each in answers} <= {201, 409}
        await rests(world, account)
        listed = await tenant.get(f"/pix/keys?filter[accountId]={account.id}")
        assert listed.data == []

    for _ in range(3):
        await asyncio.gather(*(race() for _ in range(5)))


async def test_one_idempotency_key_is_one_registration(tenant: Tenant) -> None:
    """Two questions under one key, at once: one is taken, the other refused before anything is written."""
    account = await tenant.account()
    for turn in range(5):
        key = {"idempotency-key": f"{account.id}.{turn}"}
        wanted = (
            {"accountId": account.id, "keyType": "EVP"},
            {"accountId": account.id, "keyType": "EMAIL", "keyValue": f"loja{turn}.{account.id}@empresa.example"},
        )

        answers = await asyncio.gather(*(tenant.post("/pix/keys", "pix-keys", each, headers=key) for each in wanted))

        assert sorted(each.status for each in answers) == [201, 422]
    assert (await tenant.get("/pix/keys")).body["meta"]["totalItems"] == 5
