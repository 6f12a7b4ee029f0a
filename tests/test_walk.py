"""A Pix all the way: taken, held, settled by itself, and told to the tenant; and the walks that end badly."""

from decimal import Decimal

import pytest

from build import Tenant, until


async def test_a_payment_settles_by_itself(tenant: Tenant) -> None:
    account = await tenant.account(available="100.00")

    taken = await account.pays(40.25)

    assert taken.status == 201
    assert taken.attributes["status"] == "PROCESSING"
    done = await account.payment_becomes(taken.id, "COMPLETED", seconds=2)
    assert done["externalRef"]
    assert done["completedAt"] >= done["createdAt"]
    assert await account.balance() == await account.available() == Decimal("59.75")


async def test_the_networks_book_agrees_to_the_centavo(tenant: Tenant) -> None:
    account = await tenant.account(available="100.00")
    taken = await account.pays(0.01)
    await account.payment_becomes(taken.id, "COMPLETED")

    book = await tenant.world.simulate("GET", f"/book?accountId={account.id}")

    assert book["totals"]["receivedSettled"] == 100.00
    assert book["totals"]["sentSettled"] == 0.01


@pytest.mark.parametrize("code", ["AC03", "AC06", "AC07", "AM02", "BE01", "DS04", "FRAD", "RR04", "AB03", "AB09"])
async def test_a_rejected_payment_gives_the_money_back(tenant: Tenant, code: str) -> None:
    account = await tenant.account(available="10.00")

    taken = await account.pays(10.00, f"{code.lower()}@rejeita.example", "EMAIL")

    assert taken.status == 201
    failed = await account.payment_becomes(taken.id, "FAILED")
    assert failed["failureReason"].startswith(f"{code}: ")
    assert failed["completedAt"] is None
    assert await account.available() == Decimal("10.00")


async def test_money_on_its_way_is_in_the_balance_and_not_available(tenant: Tenant) -> None:
    account = await tenant.account(available="50.00")
    await tenant.world.rule(amount=20.17, delaySeconds=1)

    taken = await account.pays(20.17)

    assert await account.balance() == Decimal("50.00")
    assert await account.available() == Decimal("29.83")
    await account.payment_becomes(taken.id, "COMPLETED")
    assert await account.balance() == Decimal("29.83")


async def test_a_lost_answer_is_asked_for_again_and_settles_once(tenant: Tenant) -> None:
    account = await tenant.account(available="50.00")
    await tenant.world.rule(amount=21.18, dropAnswer=True, times=2)

    taken = await account.pays(21.18)

    await account.payment_becomes(taken.id, "COMPLETED")
    book = await tenant.world.simulate("GET", f"/book?accountId={account.id}")
    assert book["totals"]["sentSettled"] == 21.18
    assert await account.balance() == Decimal("28.82")


async def test_a_verdict_told_twice_counts_once(tenant: Tenant) -> None:
    account = await tenant.account(available="50.00")
    await tenant.world.rule(amount=22.19, duplicate=True)

    taken = await account.pays(22.19)

    await account.payment_becomes(taken.id, "COMPLETED")
    assert await account.balance() == Decimal("27.81")


async def test_a_contradiction_changes_nothing_and_alerts_a_human(tenant: Tenant) -> None:
    from sqlalchemy import func, select

    from lastro.outbox.models import Alert

    account = await tenant.account(available="50.00")
    await tenant.world.rule(amount=23.21, contradict=True)

    taken = await account.pays(23.21)
    await account.payment_becomes(taken.id, "COMPLETED")

    async def alerted() -> bool:
        async with tenant.world.bank.db.transaction() as tx:
            query = select(func.count()).where(Alert.kind == "contradiction", Alert.reference == taken.id)
            return bool((await tx.execute(query)).scalar_one())

    await until(alerted)
    assert (await account.payment(taken.id))["status"] == "COMPLETED"
    assert await account.balance() == Decimal("26.79")


async def test_a_payment_that_comes_back_whole_is_reversed(tenant: Tenant) -> None:
    account = await tenant.account(available="50.00")
    taken = await account.pays(30.00)
    paid = await account.payment_becomes(taken.id, "COMPLETED")

    await tenant.world.simulate("POST", "/returns", {"endToEndId": paid["e2eId"], "amount": 10.00})
    assert (await account.payment(taken.id))["status"] == "COMPLETED"
    assert (await account.payment(taken.id))["returnedAmount"] == 10.00
    await tenant.world.simulate("POST", "/returns", {"endToEndId": paid["e2eId"]})

    assert (await account.payment(taken.id))["status"] == "REVERSED"
    assert await account.available() == Decimal("50.00")
