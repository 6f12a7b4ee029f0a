"""Refunds as a client meets them: total, partial, several, followed; released when refused; never too much."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from build import Account, Answered, Tenant, World, reais, until

MONEY = Decimal("100.00")


@pytest.fixture
async def account(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


async def only_transfer(account: Account) -> str:
    """The id of the one Pix that the account received."""
    (transfer,) = (await account.tenant.get(f"/pix/transfers?filter[accountId]={account.id}")).data
    return str(transfer["id"])


async def refund(account: Account, transfer_id: str, **attributes: Any) -> Answered:
    """Ask for a refund."""
    headers = attributes.pop("headers", None)
    return await account.tenant.post(f"/pix/transfers/{transfer_id}/refund", "pix-refunds", attributes, headers=headers)


async def becomes(account: Account, refund_id: str, status: str) -> Any:
    """Wait until the refund has this status; its attributes."""

    async def attributes() -> Any:
        return (await account.tenant.get(f"/pix/refunds/{refund_id}")).attributes

    async def is_there() -> bool:
        return bool((await attributes())["status"] == status)

    await until(is_there)
    return await attributes()


async def refunded(account: Account, transfer_id: str) -> Decimal:
    return reais((await account.tenant.get(f"/pix/transfers/{transfer_id}")).attributes["refundedAmount"])


async def test_the_answer_is_the_contracts(account: Account) -> None:
    transfer_id = await only_transfer(account)

    taken = await refund(account, transfer_id, amount=40.00, reason="Produto devolvido pelo cliente")

    assert taken.status == 201
    assert set(taken.data) == {"type", "id", "attributes"}
    assert taken.data["type"] == "pix-refunds"
    shown = taken.attributes
    assert shown["transferId"] == transfer_id
    assert shown["amount"] == 40.00
    assert shown["status"] == "PROCESSING"
    assert shown["reason"] == "Produto devolvido pelo cliente"
    assert len(shown["e2eId"]) == 32
    assert shown["e2eId"].startswith("D00000000")
    assert shown["createdAt"] == shown["updatedAt"]
    assert await account.available() == Decimal("60.00")


async def test_a_refund_is_settled_and_both_books_agree(account: Account) -> None:
    transfer_id = await only_transfer(account)
    taken = await refund(account, transfer_id, amount=40)

    done = await becomes(account, taken.id, "COMPLETED")

    assert done["completedAt"] is not None
    assert done["failureReason"] is None
    assert await account.balance() == await account.available() == Decimal("60.00")
    book = await account.tenant.world.simulate("GET", f"/book?endToEndId={taken.attributes['e2eId']}")
    (line,) = book["payments"]
    assert (line["kind"], line["status"], line["amount"]) == ("RETURNED_BY_US", "ACSC", 40.00)
    assert await refunded(account, transfer_id) == Decimal("40.00")


async def test_an_omitted_amount_is_what_is_left(account: Account) -> None:
    transfer_id = await only_transfer(account)
    await refund(account, transfer_id, amount=99.99)

    rest = await refund(account, transfer_id)

    assert (rest.status, rest.attributes["amount"]) == (201, 0.01)
    for nothing in (await refund(account, transfer_id), await refund(account, transfer_id, amount=0.01)):
        assert (nothing.status, nothing.code) == (409, "REFUND_EXCEEDED")


async def test_more_than_was_received_is_too_much(account: Account) -> None:
    await account.receives("50.00")
    transfers = (await account.tenant.get("/pix/transfers")).data
    first = next(each["id"] for each in transfers if each["attributes"]["amount"] == 100)

    refused = await refund(account, first, amount=100.01)

    assert (refused.status, refused.code) == (409, "REFUND_EXCEEDED")
    assert refused.pointers == ["/data/attributes/amount"]
    assert await account.available() == Decimal("150.00")


async def test_refunds_under_way_count(account: Account) -> None:
    transfer_id = await only_transfer(account)
    world = account.tenant.world
    e2e_id = (await account.tenant.get(f"/pix/transfers/{transfer_id}")).attributes["e2eId"]
    await world.rule(endToEndId=e2e_id, delaySeconds=2, times=1)
    await refund(account, transfer_id, amount=60)

    refused = await refund(account, transfer_id, amount=60)

    assert (refused.status, refused.code) == (409, "REFUND_EXCEEDED")


async def test_a_rejected_refund_gives_the_money_back(account: Account) -> None:
    transfer_id = await only_transfer(account)
    e2e_id = (await account.tenant.get(f"/pix/transfers/{transfer_id}")).attributes["e2eId"]
    await account.tenant.world.rule(endToEndId=e2e_id, reject="AC06", times=1)
    taken = await refund(account, transfer_id, amount=40)

    failed = await becomes(account, taken.id, "FAILED")

    assert failed["failureReason"] == "AC06: conta do recebedor bloqueada"
    assert await account.available() == MONEY
    assert await refunded(account, transfer_id) == 0
    again = await refund(account, transfer_id)
    assert again.attributes["amount"] == 100


async def test_an_answer_that_was_lost_is_asked_for_again_and_takes_effect_once(account: Account) -> None:
    transfer_id = await only_transfer(account)
    e2e_id = (await account.tenant.get(f"/pix/transfers/{transfer_id}")).attributes["e2eId"]
    await account.tenant.world.rule(endToEndId=e2e_id, dropAnswer=True, times=2)
    taken = await refund(account, transfer_id, amount=40)

    await becomes(account, taken.id, "COMPLETED")

    assert await account.balance() == Decimal("60.00")
    book = await account.tenant.world.simulate("GET", f"/book?accountId={account.id}")
    assert book["totals"]["returnedByUs"] == 40.00


async def test_a_refund_needs_funds(account: Account) -> None:
    transfer_id = await only_transfer(account)
    payment = await account.pays(70)
    await account.payment_becomes(payment.id, "COMPLETED")

    refused = await refund(account, transfer_id, amount=30.01)

    assert (refused.status, refused.code) == (400, "INSUFFICIENT_BALANCE")
    assert (await refund(account, transfer_id, amount=30)).status == 201


async def test_after_90_days_it_is_too_late(account: Account) -> None:
    transfer_id = await only_transfer(account)

    bank = account.tenant.world.bank

    async def received(**ago: int) -> None:
        async with bank.db.transaction() as tx:
            await tx.execute(
                text("UPDATE pix_transfers SET created_at = :then WHERE id = :id"),
                {"then": bank.now() - timedelta(**ago), "id": transfer_id},
            )

    await received(days=90, seconds=2)
    late = await refund(account, transfer_id, amount=1)
    await received(days=89, hours=23, minutes=59)
    in_time = await refund(account, transfer_id, amount=1)
    await received(seconds=1)

    assert (late.status, late.code, late.body["details"]["reason"]) == (422, "UNPROCESSABLE", "DT05")
    assert in_time.status == 201


async def test_a_payments_id_is_nobodys_transfer(account: Account) -> None:
    payment = await account.pays(10)

    refused = await refund(account, payment.id, amount=1)

    assert (refused.status, refused.code) == (404, "NOT_FOUND")


async def test_a_blocked_account_gives_nothing_back(account: Account) -> None:
    transfer_id = await only_transfer(account)
    await account.tenant.post(f"/accounts/{account.id}/block")

    refused = await refund(account, transfer_id, amount=1)

    assert (refused.status, refused.code) == (409, "CONFLICT")


@pytest.mark.parametrize("amount", [0, -1, "10.00", True, 10.001, 1e15])
async def test_an_amount_that_is_none_is_refused(account: Account, amount: Any) -> None:
    refused = await refund(account, await only_transfer(account), amount=amount)

    assert (refused.status, refused.code) == (400, "VALIDATION")
    assert refused.pointers == ["/data/attributes/amount"]


async def test_a_repetition_gets_the_same_bytes_and_has_no_effect(account: Account) -> None:
    transfer_id = await only_transfer(account)
    key = {"idempotency-key": uuid4().hex}

    first = await refund(account, transfer_id, amount=10, headers=key)
    again = await refund(account, transfer_id, amount=10, headers=key)
    other = await refund(account, transfer_id, amount=11, headers=key)

    assert first.response.content == again.response.content
    assert again.response.headers["idempotency-replayed"] == "true"
    assert (other.status, other.code) == (422, "UNPROCESSABLE")
    assert await refunded(account, transfer_id) == Decimal("10.00")


async def test_refunds_can_be_followed(account: Account) -> None:
    transfer_id = await only_transfer(account)
    first = await refund(account, transfer_id, amount=1)
    second = await refund(account, transfer_id, amount=2)

    of_transfer = await account.tenant.get(f"/pix/transfers/{transfer_id}/refunds")
    by_e2e_id = await account.tenant.get(f"/pix/refunds?filter[e2eId]={first.attributes['e2eId']}")
    by_account = await account.tenant.get(f"/pix/refunds?filter[accountId]={account.id}&page[size]=1")
    elsewhere = await account.tenant.get(f"/pix/refunds?filter[transferId]={uuid4()}")

    assert [each["id"] for each in of_transfer.data] == [second.id, first.id]
    assert [each["id"] for each in by_e2e_id.data] == [first.id]
    assert ([each["id"] for each in by_account.data], by_account.body["meta"]["totalItems"]) == ([second.id], 2)
    assert elsewhere.data == []


async def test_the_news_is_told_once(account: Account, world: World) -> None:
    transfer_id = await only_transfer(account)
    taken = await refund(account, transfer_id, amount=40)
    await becomes(account, taken.id, "COMPLETED")

    async with world.bank.db.transaction() as tx:
        rows = await tx.execute(text("SELECT type FROM events WHERE resource_id = :id"), {"id": taken.id})
    assert [row.type for row in rows] == ["pix.refund.completed"]


@pytest.mark.parametrize("omitted", [True, False], ids=["of what is left", "of a part"])
async def test_refunds_that_race_never_exceed_the_transfer(tenant: Tenant, omitted: bool) -> None:
    """Fifty at once, of a Pix that has room for one (or for three): no double effect, no 5xx."""
    account = await tenant.account(available="100.00")
    await account.receives("1000.00")
    transfers = (await tenant.get("/pix/transfers")).data
    transfer_id = next(each["id"] for each in transfers if each["attributes"]["amount"] == 100)
    order = {} if omitted else {"amount": 33.00}

    answers = await asyncio.gather(*(refund(account, transfer_id, **order) for _ in range(50)))

    taken = [each for each in answers if each.status == 201]
    assert len(taken) == (1 if omitted else 3)
    assert {(each.status, each.code) for each in answers if each.status != 201} == {(409, "REFUND_EXCEEDED")}
    assert await refunded(account, transfer_id) == Decimal("100.00" if omitted else "99.00")
    for each in taken:
        await becomes(account, each.id, "COMPLETED")
    assert await account.balance() == Decimal("1000.00" if omitted else "1001.00")


async def test_a_refund_and_a_payment_that_race_share_the_money(tenant: Tenant) -> None:
    for _ in range(10):
        account = await tenant.account(available="100.00")
        transfer_id = await only_transfer(account)

        taken, paid = await asyncio.gather(refund(account, transfer_id), account.pays(100))

        assert sorted([taken.status, paid.status]) == [201, 400]
        assert await account.available() == 0


async def test_closing_waits_for_refunds_under_way(account: Account) -> None:
    transfer_id = await only_transfer(account)
    e2e_id = (await account.tenant.get(f"/pix/transfers/{transfer_id}")).attributes["e2eId"]
    await account.tenant.world.rule(endToEndId=e2e_id, delaySeconds=1, times=1)
    taken = await refund(account, transfer_id)

    refused = await account.tenant.post(f"/accounts/{account.id}/close")
    await becomes(account, taken.id, "COMPLETED")
    closed = await account.tenant.post(f"/accounts/{account.id}/close")

    assert (refused.status, refused.code) == (409, "CONFLICT")
    assert closed.status == 200
