"""Codes in the simulator: those of its other banks, and what its people pay by ours."""

import asyncio
import base64
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from lastro.values import brcode
from lastro.values.brcode import DynamicCode, StaticCode
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from simulator.world import World, message


async def charge(world: World, **body: Any) -> Any:
    answer = await world.steering.post("/charges", json={"type": "DYNAMIC", "amount": 42.5} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def read(world: World, location: str) -> Any:
    """What is published there, its signature checked."""
    answer = await world.steering.get(f"http://{location}")
    assert answer.headers["content-type"] == "application/jose"
    head = answer.text.split(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    (key,) = (await world.steering.get(header["jku"])).json()["keys"]
    return json.loads(jws.deserialize_compact(answer.text, ECKey.import_key(key), algorithms=["ES256"]).payload)


async def test_another_banks_static_code_names_its_key(world: World) -> None:
    somebody = await world.somebody()

    made = await charge(world, type="STATIC", amount=10.5, keyValue=somebody["key"], description="Bolo")
    said = brcode.read(made["qrCodeText"])

    assert isinstance(said, StaticCode)
    assert (said.key.value, str(said.amount), said.txid, said.description) == (
        somebody["key"],
        "10.50",
        made["txid"],
        "Bolo",
    )
    assert "location" not in made


async def test_another_banks_charge_is_published_and_signed(world: World) -> None:
    somebody = await world.somebody()

    made = await charge(world, keyValue=somebody["key"], expiresInMinutes=30, description="Conta de luz")
    said = brcode.read(made["qrCodeText"])
    shown = await read(world, made["location"])

    assert isinstance(said, DynamicCode)
    assert said.location == made["location"]
    assert (shown["txid"], shown["chave"], shown["status"]) == (made["txid"], somebody["key"], "ATIVA")
    assert shown["valor"] == {"original": "42.50"}
    assert shown["calendario"]["expiracao"] == 1800
    assert shown["solicitacaoPagador"] == "Conta de luz"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "DYNAMIC"}, 400),
        ({"type": "STATIC", "expiresInMinutes": 5}, 400),
        ({"type": "DYNAMIC", "amount": 1, "expiresInMinutes": 0}, 400),
        ({"type": "DYNAMIC", "amount": 0}, 400),
        ({"type": "OTHER", "amount": 1}, 400),
        ({"type": "STATIC", "keyValue": "nobody@nowhere.example"}, 404),
        ({"type": "STATIC", "amount": 10_000_000_000}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(world: World, body: Any, status: int) -> None:
    somebody = await world.somebody()

    answer = await world.steering.post("/charges", json={"keyValue": somebody["key"]} | body)

    assert answer.status_code == status, answer.text


async def test_nobodys_charge_is_not_found(world: World) -> None:
    assert (await world.steering.get("/qr/v2/0123")).status_code == 404
    assert (await world.steering.get("/qr/v2/" + "a" * 3000)).status_code == 404


async def by_code(world: World, made: Any, somebody: Any, amount: str = "42.50", **changes: Any) -> Any:
    """One of ours pays the charge."""
    payer = await world.open_account()
    order = message(payer, somebody, amount, initiation="QRDN", txid=made["txid"], **changes)
    (status,) = await world.settle(order)
    return order, status


async def test_a_charge_is_paid_once(world: World) -> None:
    somebody = await world.somebody()
    made = await charge(world, keyValue=somebody["key"])

    order, first = await by_code(world, made, somebody)
    _, second = await by_code(world, made, somebody)
    (again,) = await world.settle(order)

    assert (first["status"], second["status"], second["reason"]) == ("ACSC", "RJCT", "DUPL")
    assert again == first
    assert (await read(world, made["location"]))["status"] == "CONCLUIDA"


async def test_two_in_one_batch_or_at_once_pay_it_once(world: World) -> None:
    somebody, payer = await world.somebody(), await world.open_account()
    made = [await charge(world, keyValue=somebody["key"]) for _ in range(2)]

    def order(which: int) -> Any:
        return message(payer, somebody, "42.50", initiation="QRDN", txid=made[which]["txid"])

    batch = await world.settle(order(0), order(0))
    apart = await asyncio.gather(*(world.settle(order(1)) for _ in range(5)))

    assert [status["reason"] for status in batch] == [None, "DUPL"]
    assert sorted(str(status["reason"]) for (status,) in apart) == ["DUPL"] * 4 + ["None"]


async def test_another_amount_is_refused_and_leaves_the_charge_payable(world: World) -> None:
    somebody = await world.somebody()
    made = await charge(world, keyValue=somebody["key"])

    _, wrong = await by_code(world, made, somebody, "42.49")
    _, right = await by_code(world, made, somebody)

    assert (wrong["reason"], right["status"]) == ("INDT", "ACSC")


async def test_an_expired_charge_is_refused(world: World) -> None:
    somebody = await world.somebody()
    made = await charge(world, keyValue=somebody["key"], expiresInMinutes=1)
    await world.steering.post("/clock", json={"advanceSeconds": 61})

    _, late = await by_code(world, made, somebody)

    assert late["reason"] == "BE17"
    assert (await read(world, made["location"]))["status"] == "ATIVA"


async def test_a_payment_that_a_rule_rejects_leaves_the_charge_payable(world: World) -> None:
    somebody = await world.somebody()
    made = await charge(world, keyValue=somebody["key"])
    await world.rule(key=somebody["key"], reject="AB09", times=1)

    _, rejected = await by_code(world, made, somebody)
    _, settled = await by_code(world, made, somebody)

    assert (rejected["reason"], settled["status"]) == ("AB09", "ACSC")


async def test_the_txid_of_a_charge_means_nothing_under_another_key(world: World) -> None:
    somebody, other = await world.somebody(), await world.somebody()
    made = await charge(world, keyValue=somebody["key"])

    _, status = await by_code(world, made, other, "1.00")

    assert status["status"] == "ACSC"
    assert (await read(world, made["location"]))["status"] == "ATIVA"


async def test_somebody_pays_our_static_code(world: World) -> None:
    account = await world.open_account()
    key = await world.register(account)
    text = brcode.write(StaticCode(PixKey(KeyType.EVP, key), Money(1_050), "LOJA", "RECIFE", "MESA4", "Coco"))

    answer = await world.steering.post("/pix", json={"qrCodeText": text})

    assert answer.status_code == 201, answer.text
    (heard,) = world.lastro.about(answer.json()["endToEndId"])
    payment = heard["payment"]
    assert (payment["amount"], payment["txid"], payment["payee"]["key"]) == ("10.50", "MESA4", key)
    assert payment["remittanceInformation"] == "Coco"


async def test_where_our_code_leaves_the_amount_open_the_payer_says_it(world: World) -> None:
    key = await world.register(await world.open_account())
    text = brcode.write(StaticCode(PixKey(KeyType.EVP, key), None, "LOJA", "RECIFE"))

    silent = await world.steering.post("/pix", json={"qrCodeText": text})
    said = await world.steering.post("/pix", json={"qrCodeText": text, "amount": 3})

    assert silent.status_code == 400
    assert "amount" in silent.json()["title"]
    (heard,) = world.lastro.about(said.json()["endToEndId"])
    assert (heard["payment"]["amount"], heard["payment"]["txid"]) == ("3.00", None)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"qrCodeText": "000201"}, 400),
        ({"amount": 9}, 400),
        ({"txid": "OUTRO"}, 400),
        ({"keyValue": "12345678901"}, 400),
        ({"qrCodeText": brcode.write(DynamicCode("pix.example.com/qr/v2/1", "LOJA", "RECIFE"))}, 400),
        ({"qrCodeText": brcode.write(DynamicCode("127.0.0.1:9/qr/v2/1", "LOJA", "RECIFE"))}, 503),
    ],
)
async def test_a_code_that_can_not_be_paid_is_refused(world: World, changes: Any, status: int) -> None:
    key = await world.register(await world.open_account())
    text = brcode.write(StaticCode(PixKey(KeyType.EVP, key), Money(1_050), "LOJA", "RECIFE"))

    answer = await world.steering.post("/pix", json={"qrCodeText": text} | changes)

    assert answer.status_code == status, answer.text
    assert answer.json()["title"]


async def test_the_banks_of_the_simulator_believe_each_other(world: World) -> None:
    """Its reader of charges against its publisher; the payee is nobody's customer here, so SPI knows no account."""
    somebody = await world.somebody()
    made = await charge(world, keyValue=somebody["key"])

    answer = await world.steering.post("/pix", json={"qrCodeText": made["qrCodeText"]})

    assert answer.status_code == 201, answer.text
