"""Payments by QR code: the code says to whom; what it fixes is enforced; a charge is paid once, inside the bank too."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.orm import make_transient

from build import JOAO, Account, Answered, Tenant, World, until
from lastro.bank import Bank
from lastro.pix.lookups.models import PixLookup
from lastro.pix.qrcodes import foreign
from pix.qrcodes.codes import Receiver, a_receiver


@pytest.fixture
async def payer(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


@pytest.fixture
async def shop(stranger: Tenant) -> Receiver:
    return await a_receiver(stranger)


async def pays(account: Account, amount: float, code: str, **more: Any) -> Answered:
    attributes = {"accountId": account.id, "amount": amount, "qrCodeText": code}
    return await account.tenant.post("/pix/payments", "pix-payments", attributes | more)


async def charge(world: World, **order: Any) -> Any:
    """A code of another bank."""
    return await world.simulate("POST", "/charges", order)


async def line(world: World, end_to_end_id: str) -> Any:
    (found,) = (await world.simulate("GET", f"/book?endToEndId={end_to_end_id}"))["payments"]
    return found


async def test_a_static_code_of_another_bank_is_paid_with_its_txid(payer: Account, world: World) -> None:
    made = await charge(world, type="STATIC", amount=12.00)

    taken = await pays(payer, 12.00, made["qrCodeText"])
    done = await payer.payment_becomes(taken.id, "COMPLETED")

    assert taken.status == 201
    assert (done["recipientKeyType"], done["recipientKeyValue"]) == ("CPF", JOAO)
    assert (await line(world, done["e2eId"]))["txid"] == made["txid"]


async def test_a_charge_of_another_bank_is_fetched_and_paid_once(payer: Account, world: World) -> None:
    made = await charge(world, type="DYNAMIC", amount=12.00)

    taken = await pays(payer, 12.00, made["qrCodeText"])
    done = await payer.payment_becomes(taken.id, "COMPLETED")
    again = await pays(payer, 12.00, made["qrCodeText"])

    assert (await line(world, done["e2eId"]))["txid"] == made["txid"]
    assert (again.status, again.code) == (422, "INVALID_QRCODE")


async def test_a_charge_that_two_pay_at_once_is_settled_once(payer: Account, world: World) -> None:
    made = await charge(world, type="DYNAMIC", amount=12.00)

    taken = await asyncio.gather(*(pays(payer, 12.00, made["qrCodeText"]) for _ in range(3)))
    accepted = [each.id for each in taken if each.status == 201]

    async def all_ended() -> bool:
        statuses = [(await payer.payment(each))["status"] for each in accepted]
        return not set(statuses) & {"PROCESSING"}

    await until(all_ended)
    ended = [await payer.payment(each) for each in accepted]
    assert [each["status"] for each in ended].count("COMPLETED") == 1
    assert {each["failureReason"] for each in ended if each["status"] == "FAILED"} <= {
        "DUPL: identificador de conciliação já pago"
    }
    assert await payer.balance() == Decimal("88.00")


@pytest.mark.parametrize("kind", ["STATIC", "DYNAMIC"])
async def test_the_codes_amount_is_the_amount(payer: Account, world: World, kind: str) -> None:
    made = await charge(world, type=kind, amount=12.00)

    refused = await pays(payer, 11.99, made["qrCodeText"])

    assert (refused.status, refused.code) == (422, "UNPROCESSABLE")
    assert refused.pointers == ["/data/attributes/amount"]
    assert refused.body["message"] == "O QR Code pede R$ 12,00."
    assert await payer.available() == Decimal("100.00")


async def test_a_code_without_an_amount_takes_the_payers(payer: Account, world: World) -> None:
    made = await charge(world, type="STATIC")

    assert (await pays(payer, 7.77, made["qrCodeText"])).status == 201


async def test_an_expired_charge_is_not_paid(payer: Account, shop: Receiver, world: World) -> None:
    made = await shop.code("DYNAMIC", amount=12.00)
    async with world.bank.db.transaction() as tx:
        await tx.execute(
            text("UPDATE pix_qrcodes SET expires_at = created_at + interval '1 ms' WHERE id = :id"), {"id": made.id}
        )

    refused = await pays(payer, 12.00, made.attributes["qrCodeText"])

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")


async def test_a_charge_of_a_customer_next_door_is_paid_inside_once(
    payer: Account, shop: Receiver, world: World
) -> None:
    made = await shop.code("DYNAMIC", amount=12.00)
    code = made.attributes["qrCodeText"]

    taken = await pays(payer, 12.00, code)
    await payer.payment_becomes(taken.id, "COMPLETED")
    again = await pays(payer, 12.00, code)

    assert (again.status, again.code) == (422, "INVALID_QRCODE")
    shown = (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes
    assert shown["status"] == "PAID"
    (through,) = shown["payments"]
    assert (through["amount"], through["e2eId"]) == (12.00, taken.attributes["e2eId"])
    async with world.bank.db.transaction() as tx:
        rows = await tx.execute(text("SELECT type FROM events WHERE resource_id = :id"), {"id": made.id})
    assert [row.type for row in rows] == ["pix.qrcode.paid"]


async def test_a_charge_next_door_that_many_pay_at_once_is_paid_once(payer: Account, shop: Receiver) -> None:
    made = await shop.code("DYNAMIC", amount=1.00)
    code = made.attributes["qrCodeText"]

    taken = await asyncio.gather(*(pays(payer, 1.00, code) for _ in range(20)))
    accepted = [each for each in taken if each.status == 201]

    async def all_ended() -> bool:
        return await payer.balance() == await payer.available()

    await until(all_ended)
    statuses = [(await payer.payment(each.id))["status"] for each in accepted]
    assert {each.status for each in taken} <= {201, 422}
    assert statuses.count("COMPLETED") == 1
    assert await payer.balance() == Decimal("99.00")
    assert await shop.account.balance() == Decimal("1.00")


async def test_ones_own_code_is_no_payee(shop: Receiver) -> None:
    made = await shop.code("STATIC", amount=1.00)

    refused = await pays(shop.account, 1.00, made.attributes["qrCodeText"])

    assert (refused.status, refused.code) == (422, "UNPROCESSABLE")


async def test_what_is_no_code_is_refused(payer: Account) -> None:
    refused = await pays(payer, 1.00, "00020126580014br.gov.bcb.pix0136550e8400-e29b-41d4-a716-446655440100...")

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")


async def test_a_code_that_only_authorises_pays_nothing(payer: Account) -> None:
    recurrence = (
        "00020126180014br.gov.bcb.pix5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***"
        "80800014br.gov.bcb.pix2558pix.example.com/qr/v2/rec/2353c790eefb11eaadc10242ac120002630462C9"
    )

    refused = await pays(payer, 1.00, recurrence)

    assert (refused.status, refused.code) == (422, "UNPROCESSABLE")
    assert refused.pointers == ["/data/attributes/qrCodeText"]


@pytest.mark.parametrize(
    ("extra", "pointers"),
    [
        ({"recipientKeyValue": JOAO}, ["/data/attributes/recipientKeyValue"]),
        (
            {"recipientKeyType": "CPF", "recipientKeyValue": JOAO},
            ["/data/attributes/recipientKeyType", "/data/attributes/recipientKeyValue"],
        ),
    ],
)
async def test_a_key_beside_a_code_is_one_too_many(payer: Account, extra: Any, pointers: list[str]) -> None:
    refused = await pays(payer, 1.00, "anything", **extra)

    assert (refused.status, refused.code, refused.pointers) == (400, "VALIDATION", pointers)


@pytest.mark.parametrize("missing", ["recipientKeyType", "recipientKeyValue"])
async def test_without_a_code_the_key_is_required(payer: Account, missing: str) -> None:
    attributes = {"accountId": payer.id, "amount": 1, "recipientKeyType": "CPF", "recipientKeyValue": JOAO}
    del attributes[missing]

    refused = await payer.tenant.post("/pix/payments", "pix-payments", attributes)

    assert (refused.status, refused.pointers) == (400, [f"/data/attributes/{missing}"])


async def test_a_repetition_does_not_read_the_code_again(payer: Account, world: World) -> None:
    made = await charge(world, type="DYNAMIC", amount=12.00)
    order = {"accountId": payer.id, "amount": 12.00, "qrCodeText": made["qrCodeText"]}
    key = {"idempotency-key": made["txid"]}
    first = await payer.tenant.post("/pix/payments", "pix-payments", order, headers=key)
    await payer.payment_becomes(first.id, "COMPLETED")

    again = await payer.tenant.post("/pix/payments", "pix-payments", order, headers=key)

    assert (again.status, again.response.content) == (201, first.response.content)


async def test_a_twin_that_reads_the_charge_when_it_is_paid_gets_the_first_answer(
    payer: Account, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await charge(world, type="DYNAMIC", amount=12.00)
    order = {"accountId": payer.id, "amount": 12.00, "qrCodeText": made["qrCodeText"]}
    key = {"idempotency-key": made["txid"]}
    fetch, fetched, paid = foreign.charge_at, asyncio.Event(), asyncio.Event()

    async def slow_for_the_second(bank: Bank, location: str) -> Any:
        if fetched.is_set():
            await paid.wait()
        fetched.set()
        return await fetch(bank, location)

    monkeypatch.setattr(foreign, "charge_at", slow_for_the_second)
    twins = [asyncio.create_task(payer.tenant.post("/pix/payments", "pix-payments", order, headers=key)) for _ in "ab"]
    done, waiting = await asyncio.wait(twins, return_when=asyncio.FIRST_COMPLETED)
    first = done.pop().result()
    await payer.payment_becomes(first.id, "COMPLETED")
    paid.set()
    second = await waiting.pop()

    assert (first.status, second.status) == (201, 201)
    assert first.response.content == second.response.content


async def test_twins_under_one_lookup_get_one_answer(payer: Account) -> None:
    for turn in range(20):
        asked = {"keyType": "CPF", "keyValue": JOAO, "accountId": payer.id}
        looked_up = await payer.tenant.post("/pix/keys/lookup", "pix-key-lookup", asked)
        extra = {"lookupE2eId": looked_up.attributes["e2eId"]}
        key = {"idempotency-key": f"{payer.id}.{turn}"}

        async def late(place: int, extra: Any = extra, key: Any = key) -> Answered:
            await asyncio.sleep(0.002 * place)
            return await payer.pays(0.10, extra=extra, headers=key)

        answers = await asyncio.gather(*(late(place) for place in range(12)))

        assert {(each.status, each.id) for each in answers} == {(201, answers[0].id)}


async def test_a_payment_goes_out_under_the_id_of_its_lookup_once(payer: Account) -> None:
    asked = {"keyType": "CPF", "keyValue": JOAO, "accountId": payer.id}
    looked_up = await payer.tenant.post("/pix/keys/lookup", "pix-key-lookup", asked)
    e2e_id = looked_up.attributes["e2eId"]

    other_key = await payer.pays(1, "outra@rejeita.example", "EMAIL", extra={"lookupE2eId": e2e_id})
    taken = await asyncio.gather(*(payer.pays(1, extra={"lookupE2eId": e2e_id}) for _ in range(5)))

    assert (other_key.status, other_key.pointers) == (422, ["/data/attributes/lookupE2eId"])
    (accepted,) = (each for each in taken if each.status == 201)
    assert accepted.attributes["e2eId"] == e2e_id
    assert {each.status for each in taken} == {201, 422}
    await payer.payment_becomes(accepted.id, "COMPLETED")


async def test_a_lookup_that_is_older_than_15_minutes_is_too_old(payer: Account, world: World) -> None:
    asked = {"keyType": "CPF", "keyValue": JOAO, "accountId": payer.id}
    e2e_id = (await payer.tenant.post("/pix/keys/lookup", "pix-key-lookup", asked)).attributes["e2eId"]
    async with world.bank.db.transaction() as tx:
        found = (await tx.execute(select(PixLookup).where(PixLookup.e2e_id == e2e_id))).scalar_one()
        await tx.execute(delete(PixLookup).where(PixLookup.e2e_id == e2e_id))
        make_transient(found)
        found.created_at -= timedelta(minutes=16)
        tx.add(found)

    refused = await payer.pays(1, extra={"lookupE2eId": e2e_id})

    assert (refused.status, refused.pointers) == (422, ["/data/attributes/lookupE2eId"])


async def test_a_strangers_lookup_is_nobodys(payer: Account, stranger: Tenant) -> None:
    other = await stranger.account()
    asked = {"keyType": "CPF", "keyValue": JOAO, "accountId": other.id}
    e2e_id = (await stranger.post("/pix/keys/lookup", "pix-key-lookup", asked)).attributes["e2eId"]

    refused = await payer.pays(1, extra={"lookupE2eId": e2e_id})

    assert (refused.status, refused.code) == (422, "UNPROCESSABLE")
