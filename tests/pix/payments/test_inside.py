"""Payments between two customers of one bank: no directory, no network, both sides told, never money out of nothing."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from build import Account, Answered, Tenant, World, until


async def evp_of(account: Account) -> str:
    """A random key of the account."""
    made = await account.tenant.post("/pix/keys", "pix-keys", {"accountId": account.id, "keyType": "EVP"})
    assert made.attributes["status"] == "ACTIVE", made.body
    return str(made.attributes["keyValue"])


@pytest.fixture
async def payer(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


@pytest.fixture
async def payee(stranger: Tenant) -> Account:
    return await stranger.account()


@pytest.fixture
async def key(payee: Account) -> str:
    return await evp_of(payee)


async def received(account: Account, count: int = 1) -> list[Any]:
    """What the account received, once it is that many."""

    async def there() -> bool:
        return len((await account.tenant.get(f"/pix/transfers?filter[accountId]={account.id}")).data) >= count

    await until(there)
    return list((await account.tenant.get(f"/pix/transfers?filter[accountId]={account.id}")).data)


async def refund(account: Account, transfer_id: str, **attributes: Any) -> Answered:
    return await account.tenant.post(f"/pix/transfers/{transfer_id}/refund", "pix-refunds", attributes)


async def test_it_is_accepted_like_any_other_and_concluded_at_once(payer: Account, payee: Account, key: str) -> None:
    taken = await payer.pays(40, key, "EVP", extra={"description": "Aluguel"})
    assert (taken.status, taken.attributes["status"]) == (201, "PROCESSING")

    done = await payer.payment_becomes(taken.id, "COMPLETED")

    (transfer,) = await received(payee)
    assert await payer.balance() == await payer.available() == Decimal("60.00")
    assert await payee.balance() == Decimal("40.00")
    shown = transfer["attributes"]
    assert (shown["e2eId"], shown["amount"], shown["description"]) == (done["e2eId"], 40.00, "Aluguel")
    assert shown["keyValue"] == key
    assert shown["payer"]["name"] == "Loja de Teste Ltda"


async def test_the_network_never_hears_of_it(payer: Account, payee: Account, key: str, world: World) -> None:
    taken = await payer.pays(40, key, "EVP")
    await payer.payment_becomes(taken.id, "COMPLETED")

    book = await world.simulate("GET", f"/book?endToEndId={taken.attributes['e2eId']}")

    assert book["payments"] == []


async def test_both_sides_are_told(payer: Account, payee: Account, key: str, world: World) -> None:
    taken = await payer.pays(40, key, "EVP")
    await payer.payment_becomes(taken.id, "COMPLETED")
    (transfer,) = await received(payee)

    async with world.bank.db.transaction() as tx:
        rows = await tx.execute(
            text("SELECT type, tenant_id FROM events WHERE resource_id IN (:payment, :transfer)"),
            {"payment": taken.id, "transfer": transfer["id"]},
        )
    assert {(row.type, row.tenant_id) for row in rows} == {
        ("pix.payment.completed", payer.tenant.id),
        ("pix.transfer.received", payee.tenant.id),
    }


async def test_a_payee_that_was_blocked_meanwhile_is_refused_in_spis_words(
    payer: Account, payee: Account, key: str
) -> None:
    await payee.tenant.post(f"/accounts/{payee.id}/block")

    taken = await payer.pays(40, key, "EVP")
    failed = await payer.payment_becomes(taken.id, "FAILED")

    assert failed["failureReason"] == "AC06: conta do recebedor bloqueada"
    assert await payer.available() == Decimal("100.00")
    assert await payee.balance() == 0


async def test_ones_own_key_is_no_payee(payer: Account) -> None:
    own = await evp_of(payer)

    refused = await payer.pays(1, own, "EVP")

    assert (refused.status, refused.code) == (422, "UNPROCESSABLE")
    assert refused.pointers == ["/data/attributes/recipientKeyValue"]


async def test_a_key_that_was_deleted_is_nobodys(payer: Account, payee: Account, key: str) -> None:
    (row,) = (await payee.tenant.get("/pix/keys")).data
    await payee.tenant.call("DELETE", f"/pix/keys/{row['id']}")

    refused = await payer.pays(1, key, "EVP")

    assert (refused.status, refused.code) == (422, "UNPROCESSABLE")


async def test_a_refund_comes_back_inside(payer: Account, payee: Account, key: str, world: World) -> None:
    taken = await payer.pays(40, key, "EVP")
    await payer.payment_becomes(taken.id, "COMPLETED")
    (transfer,) = await received(payee)

    part = await refund(payee, transfer["id"], amount=15)
    rest = await refund(payee, transfer["id"])
    back = await payer.payment_becomes(taken.id, "REVERSED")

    assert (part.status, rest.status, rest.attributes["amount"]) == (201, 201, 25.00)
    assert back["returnedAmount"] == 40.00
    assert await payer.balance() == Decimal("100.00")
    assert await payee.balance() == 0
    book = await world.simulate("GET", f"/book?endToEndId={rest.attributes['e2eId']}")
    assert book["payments"] == []


async def test_a_part_that_comes_back_leaves_it_completed(payer: Account, payee: Account, key: str) -> None:
    taken = await payer.pays(40, key, "EVP")
    await payer.payment_becomes(taken.id, "COMPLETED")
    (transfer,) = await received(payee)
    await refund(payee, transfer["id"], amount=15)

    async def came_back() -> bool:
        return bool((await payer.payment(taken.id))["returnedAmount"] == 15)

    await until(came_back)
    assert (await payer.payment(taken.id))["status"] == "COMPLETED"
    assert await payer.available() == Decimal("75.00")


async def test_nothing_comes_back_to_a_closed_account(payee: Account, key: str, tenant: Tenant) -> None:
    payer = await tenant.account(available="40.00")
    taken = await payer.pays(40, key, "EVP")
    await payer.payment_becomes(taken.id, "COMPLETED")
    (transfer,) = await received(payee)
    assert (await tenant.post(f"/accounts/{payer.id}/close")).status == 200

    asked = await refund(payee, transfer["id"])

    async def failed() -> bool:
        return bool((await payee.tenant.get(f"/pix/refunds/{asked.id}")).attributes["status"] == "FAILED")

    await until(failed)
    assert await payee.available() == Decimal("40.00")


async def test_two_that_pay_each_other_at_once_never_wait_for_each_other(tenant: Tenant, stranger: Tenant) -> None:
    one, other = await tenant.account(available="100.00"), await stranger.account(available="100.00")
    key_of_one, key_of_other = await evp_of(one), await evp_of(other)

    answers = await asyncio.gather(
        *(one.pays(1, key_of_other, "EVP") for _ in range(25)), *(other.pays(1, key_of_one, "EVP") for _ in range(25))
    )

    assert {answer.status for answer in answers} == {201}
    await received(one, 20)  # a page
    for account, some in ((one, answers[:25]), (other, answers[25:])):
        for answer in some:
            await account.payment_becomes(answer.id, "COMPLETED")
    assert await one.balance() == await other.balance() == Decimal("100.00")


async def test_closing_races_a_credit_from_next_door(payer: Account, stranger: Tenant) -> None:
    """Fifty times: the payee closes while it is being paid. Either it closed empty, or it holds the money."""
    for _ in range(50):
        payee = await stranger.account()
        key = await evp_of(payee)

        paid, closed = await asyncio.gather(payer.pays(1, key, "EVP"), stranger.post(f"/accounts/{payee.id}/close"))

        assert closed.status in {200, 409}
        if paid.status != 201:  # the key was gone
            assert (paid.status, closed.status) == (422, 200)
            continue
        status = "FAILED" if closed.status == 200 else "COMPLETED"
        await payer.payment_becomes(paid.id, status)
        assert await payee.balance() == (0 if closed.status == 200 else 1)
    assert await payer.balance() >= Decimal("50.00")
