"""Our codes in the hands of payers at other banks, who read and verify them as any bank does."""

from datetime import datetime

import pytest

from build import Tenant, World, reais
from pix.qrcodes.codes import Receiver, a_receiver


@pytest.fixture
async def shop(tenant: Tenant) -> Receiver:
    return await a_receiver(tenant)


async def test_a_dynamic_code_is_fetched_verified_and_paid(shop: Receiver, world: World) -> None:
    made = await shop.code("DYNAMIC", amount=250.00, description="Pedido 1")

    paid = await world.simulate("POST", "/pix", {"qrCodeText": made.attributes["qrCodeText"]})

    assert paid["status"] == "ACSC"
    found = (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes
    assert found["status"] == "PAID"
    (payment,) = found["payments"]
    assert (payment["e2eId"], payment["amount"]) == (paid["endToEndId"], 250.0)
    assert datetime.fromisoformat(payment["paidAt"]) >= datetime.fromisoformat(found["createdAt"])
    assert await shop.account.available() == reais(250)
    transfer = (await shop.tenant.get(f"/pix/transfers/{payment['transferId']}")).attributes
    assert (transfer["txid"], transfer["keyValue"]) == (made.attributes["txid"], shop.key)


async def test_a_paid_or_expired_code_is_not_paid_again(shop: Receiver, world: World) -> None:
    paid = await shop.code("DYNAMIC")
    await world.simulate("POST", "/pix", {"qrCodeText": paid.attributes["qrCodeText"]})
    expired = await shop.code("DYNAMIC", expiresInMinutes=1)
    await world.simulate("POST", "/clock", {"advanceSeconds": 61})

    for code in (paid, expired):
        answer = await world.http.post("/simulator/pix", json={"qrCodeText": code.attributes["qrCodeText"]})
        assert answer.status_code == 409, answer.text

    assert len((await shop.tenant.get(f"/pix/qrcode/{paid.id}")).attributes["payments"]) == 1
    assert (await shop.tenant.get(f"/pix/qrcode/{expired.id}")).attributes["payments"] == []


async def test_a_static_code_is_paid_as_often_as_people_like(shop: Receiver, world: World) -> None:
    made = await shop.code("STATIC", amount=5.00)

    for _ in range(2):
        assert (await world.simulate("POST", "/pix", {"qrCodeText": made.attributes["qrCodeText"]}))["status"] == "ACSC"

    found = (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes
    assert found["status"] == "ACTIVE"
    assert [each["amount"] for each in found["payments"]] == [5.0, 5.0]


@pytest.mark.parametrize(("amount", "reason"), [("24.99", "INDT"), ("25.01", "INDT")])
async def test_another_amount_under_a_charges_txid_is_sent_back(shop: Receiver, amount: str, reason: str) -> None:
    made = await shop.code("DYNAMIC", amount=25.00)

    answered = await shop.account.receives(amount, txid=made.attributes["txid"])

    assert (answered["status"], answered["reason"]) == ("RJCT", reason)
    assert (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes["status"] == "ACTIVE"
