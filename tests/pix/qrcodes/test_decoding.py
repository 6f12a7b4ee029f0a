"""POST /pix/qr-codes/decode, over HTTP: our codes, other banks' codes, and what only looks like one."""

import asyncio
import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from build import JOAO, Tenant, World, a_cpf, reached
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import BankError, ProviderUnavailable, RateLimited, Unavailable
from lastro.pix.qrcodes import service
from lastro.providers.directory import NETWORK, ProviderDirectory
from lastro.values.brcode import DynamicCode, StaticCode, write
from lastro.values.money import Money
from lastro.values.pix_key import PixKey
from lastro.values.text import Text
from pix.qrcodes.codes import Receiver, a_receiver, decode

DOCUMENTED = [
    "type",
    "keyType",
    "keyValue",
    "amount",
    "description",
    "recipient",
    "expiresAt",
    "createdAt",
]
VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "values/brcodes.json").read_text("utf-8"))


@pytest.fixture
async def shop(tenant: Tenant) -> Receiver:
    return await a_receiver(tenant)


def static(key: str, **more: Any) -> str:
    """A code that some other bank has made."""
    return write(StaticCode(PixKey.of_unknown_kind(key), more.pop("amount", None), "NOME NO CODIGO", "RECIFE", **more))


async def test_our_static_code_says_whom_and_how_much(shop: Receiver, stranger: Tenant) -> None:
    made = await shop.code("STATIC", amount=25.00, description="Água de coco")

    read = await decode(stranger, made.attributes["qrCodeText"])

    assert read.status == 200
    assert set(read.body) == {"data"}
    assert set(read.data) == {"type", "attributes"}
    assert list(read.attributes) == [*DOCUMENTED, "txid", "automaticPix"]
    assert read.attributes["type"] == "STATIC"
    assert (read.attributes["keyType"], read.attributes["keyValue"]) == ("EVP", shop.key)
    assert read.attributes["amount"] == 25.0
    assert read.attributes["description"] == "Água de coco"
    assert read.attributes["txid"] == made.attributes["txid"]
    assert read.attributes["createdAt"] == made.attributes["createdAt"]
    assert read.attributes["expiresAt"] is None
    assert read.attributes["automaticPix"] is False


async def test_a_company_is_named_whole_with_its_bank(shop: Receiver) -> None:
    facts = await shop.account.attributes()

    read = await decode(shop.tenant, (await shop.code()).attributes["qrCodeText"])

    assert read.attributes["recipient"] == {
        "name": facts["holderName"],
        "document": facts["holderDocument"],
        "documentType": "CNPJ",
        "bankName": "Banco do Brasil",
        "bankCode": "001",
        "verified": True,
    }


async def test_a_persons_document_is_covered(tenant: Tenant) -> None:
    cpf = a_cpf()
    shop = await a_receiver(tenant, holderDocument=cpf, holderDocumentType="CPF", holderName="Maria de Souza")

    for kind in ("STATIC", "DYNAMIC"):
        recipient = (await decode(tenant, (await shop.code(kind)).attributes["qrCodeText"])).attributes["recipient"]
        assert recipient["document"] == f"***{cpf[3:9]}**"
        assert recipient["documentType"] == "CPF"


async def test_our_dynamic_code_says_what_the_charge_says(shop: Receiver, stranger: Tenant) -> None:
    made = (await shop.code("DYNAMIC", amount=250.00, description="Pagamento pedido #1234")).attributes

    read = (await decode(stranger, f"  {made['qrCodeText']}\n")).attributes

    assert read["type"] == "DYNAMIC"
    assert (read["keyType"], read["keyValue"]) == ("EVP", shop.key)
    assert (read["amount"], read["description"]) == (250.0, "Pagamento pedido #1234")
    assert (read["expiresAt"], read["createdAt"]) == (made["expiresAt"], made["createdAt"])
    assert read["txid"] == made["txid"]
    assert read["recipient"]["name"] == "Loja de Teste Ltda"


async def test_a_code_of_another_bank_names_whom_the_directory_names(tenant: Tenant) -> None:
    read = (await decode(tenant, static(JOAO, amount=Money(1_050), txid="PEDIDO1", description="Pedido 1"))).attributes

    assert read["recipient"] == {
        "name": "João Silva",
        "document": "***456789**",
        "documentType": "CPF",
        "bankName": "Nu Pagamentos",
        "bankCode": "260",
        "verified": True,
    }
    assert (read["amount"], read["txid"], read["description"]) == (10.5, "PEDIDO1", "Pedido 1")
    assert read["createdAt"] is None


async def test_a_key_that_the_directory_does_not_hold_leaves_the_name_of_the_code(tenant: Tenant) -> None:
    read = await decode(tenant, static(str(uuid4())))

    assert read.status == 200
    assert read.attributes["amount"] is None
    assert read.attributes["recipient"] == {
        "name": "NOME NO CODIGO",
        "document": None,
        "documentType": None,
        "bankName": None,
        "bankCode": None,
        "verified": False,
    }


class Directory:
    """A directory that answers every question in one way."""

    def __init__(self, error: BankError | None) -> None:
        self._error = error

    async def find_key(self, *_: object, **__: object) -> None:
        """Fail as told, or not answer."""
        if self._error is not None:
            raise self._error
        await asyncio.sleep(30)


@pytest.mark.parametrize(
    "error", [RateLimited(Text("", "")), ProviderUnavailable(Text("", "")), Unavailable(Text("", "")), None]
)
async def test_a_directory_that_does_not_say_keeps_nobody_from_reading(
    tenant: Tenant, world: World, error: BankError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "DIRECTORY_SECONDS", 0.3)
    providers = ProviderDirectory(world.bank.db, {NETWORK: reached(Directory(error))}, world.bank.key_ring)
    caller = Caller(tenant.id, "test", frozenset(Permission))

    read = await service.decode(replace(world.bank, providers=providers), caller, static(JOAO))

    recipient = read.data.attributes.recipient
    assert (recipient.name, recipient.document, recipient.bank_name) == ("NOME NO CODIGO", None, None)


async def test_a_forged_copy_of_our_code_is_not_taken_for_ours(shop: Receiver) -> None:
    made = await shop.code("STATIC", amount=25.00)
    forged = static(shop.key, amount=Money(1), txid=made.attributes["txid"])

    read = (await decode(shop.tenant, forged)).attributes

    assert read["amount"] == 0.01
    assert read["createdAt"] is None


async def test_an_expired_charge_is_not_payable(shop: Receiver, world: World) -> None:
    made = await shop.code("DYNAMIC", expiresInMinutes=1)
    await world.simulate("POST", "/clock", {"advanceSeconds": 61})

    refused = await decode(shop.tenant, made.attributes["qrCodeText"])

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")
    assert "expirou" in refused.body["message"]
    assert refused.pointers == ["/data/attributes/qrCodeText"]
    assert (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes["status"] == "EXPIRED"


async def test_a_paid_charge_is_not_payable(shop: Receiver) -> None:
    made = await shop.code("DYNAMIC", amount=25.00)
    paid = await shop.account.receives("25.00", txid=made.attributes["txid"])
    assert paid["status"] == "ACSC"

    refused = await decode(shop.tenant, made.attributes["qrCodeText"])

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")
    assert "paga" in refused.body["message"]


async def test_a_charge_whose_key_is_gone_is_not_payable(shop: Receiver) -> None:
    made = await shop.code("DYNAMIC")
    (key,) = (await shop.tenant.get(f"/pix/keys?filter[accountId]={shop.account.id}")).data
    assert (await shop.tenant.call("DELETE", f"/pix/keys/{key['id']}")).status == 204

    refused = await decode(shop.tenant, made.attributes["qrCodeText"])

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")
    assert "removida" in refused.body["message"]


async def test_a_charge_that_never_was_is_no_charge(shop: Receiver, world: World) -> None:
    text = write(DynamicCode(f"{world.bank.publication.location}/{uuid4().hex}", "LOJA", "RECIFE"))

    refused = await decode(shop.tenant, text)

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")


async def test_a_recurrence_alone_asks_for_no_payment(tenant: Tenant) -> None:
    text = (  # API Pix 2.9.0's own
        "00020126180014br.gov.bcb.pix5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***"
        "80800014br.gov.bcb.pix2558pix.example.com/qr/v2/rec/2353c790eefb11eaadc10242ac120002630462C9"
    )

    read = (await decode(tenant, text)).attributes

    assert (read["type"], read["keyValue"], read["automaticPix"]) == ("DYNAMIC", None, True)
    assert read["recipient"]["name"] == "Fulano de Tal"


# Other banks' charges


async def charge(world: World, **more: Any) -> Any:
    """A code of another bank."""
    return await world.simulate("POST", "/charges", {"type": "DYNAMIC", "amount": 42.5} | more)


async def test_the_charge_of_another_bank_is_fetched_and_believed(tenant: Tenant, world: World) -> None:
    made = await charge(world, description="Conta de luz", expiresInMinutes=30)

    read = (await decode(tenant, made["qrCodeText"])).attributes

    assert (read["type"], read["keyType"], read["keyValue"]) == ("DYNAMIC", "CPF", JOAO)
    assert (read["amount"], read["description"], read["txid"]) == (42.5, "Conta de luz", made["txid"])
    assert read["recipient"]["name"] == "João Silva"
    assert read["expiresAt"] > read["createdAt"]


async def test_an_expired_charge_of_another_bank_is_not_payable(tenant: Tenant, world: World) -> None:
    made = await charge(world, expiresInMinutes=1)
    await world.simulate("POST", "/clock", {"advanceSeconds": 61})

    refused = await decode(tenant, made["qrCodeText"])

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")
    assert "expirou" in refused.body["message"]
    assert refused.pointers == ["/data/attributes/qrCodeText"]


async def test_a_charge_that_another_bank_does_not_show_is_none(tenant: Tenant, world: World) -> None:
    location = (await charge(world))["location"].rpartition("/")[0]

    refused = await decode(tenant, write(DynamicCode(f"{location}/{uuid4().hex}", "LOJA", "RECIFE")))

    assert (refused.status, refused.code) == (422, "INVALID_QRCODE")


async def test_a_host_that_is_not_listed_hears_nothing(tenant: Tenant) -> None:
    heard = []

    async def hear(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(1)
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"127.1:{port}", f"0x7f000001:{port}"):
            refused = await decode(tenant, write(DynamicCode(f"{host}/qr/v2/{uuid4().hex}", "LOJA", "RECIFE")))
            assert (refused.status, refused.code) == (422, "INVALID_QRCODE")
            assert refused.pointers == ["/data/attributes/qrCodeText"]

    assert heard == []


# What is no code


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "00020126580014br.gov.bcb.pix0136550e8400-e29b-41d4-a716-446655440100...",
        "pix",
        "0" * 513,
        "0" * 60_000,
        "\u0000",
        "０００２０１",
        "000201" + "26" * 200,
        "javascript:alert(1)",
        "file:///etc/passwd",
    ],
)
async def test_what_is_no_code_is_refused_with_a_reason(tenant: Tenant, text: str) -> None:
    refused = await decode(tenant, text)

    assert refused.status in {400, 422}
    assert refused.code in {"INVALID_QRCODE", "VALIDATION"}
    assert "\u0000" in text or (refused.status, refused.pointers) == (422, ["/data/attributes/qrCodeText"])


async def test_a_text_that_is_none_is_malformed(tenant: Tenant) -> None:
    for body in ({}, {"qrCodeText": None}, {"qrCodeText": 1}, {"qrCodeText": ["000201"]}):
        refused = await tenant.post("/pix/qr-codes/decode", "pix-qrcode-decode", body)
        assert (refused.status, refused.pointers) == (400, ["/data/attributes/qrCodeText"])


async def test_whatever_is_sent_is_answered_and_soon(tenant: Tenant, shop: Receiver) -> None:
    """Flips, cuts, repetitions and lies about lengths, of good codes, with and without a right checksum."""
    chance = random.Random(20261122)
    good = [each["text"] for each in VECTORS]
    good += [(await shop.code(kind)).attributes["qrCodeText"] for kind in ("STATIC", "DYNAMIC")]
    answers = set()
    slowest = 0.0
    for _ in range(300):
        text = spoilt(chance.choice(good), chance)
        started = time.monotonic()
        answered = await decode(tenant, text)
        slowest = max(slowest, time.monotonic() - started)
        answers.add((answered.status, answered.body.get("code")))

    assert answers <= {(200, None), (422, "INVALID_QRCODE"), (400, "VALIDATION")}
    assert (422, "INVALID_QRCODE") in answers
    assert slowest < 3


def spoilt(text: str, chance: random.Random) -> str:
    """A code with something wrong; half of the time its checksum is made right again."""
    from binascii import crc_hqx

    at = chance.randrange(len(text))
    match chance.randrange(6):
        case 0:
            text = text[:at] + chr(chance.randrange(32, 0x2FFF)) + text[at + 1 :]
        case 1:
            text = text[:at]
        case 2:
            text = text[:at] + text[at : at + chance.randrange(1, 40)] * chance.randrange(2, 5) + text[at:]
        case 3:
            text = text[:at] + f"{chance.randrange(100):02d}" + text[at + 2 :]
        case 4:
            text = text[:at] + text[at + 1 :]
        case _:
            text = text.lower() if chance.random() < 0.5 else text[::-1]
    if chance.random() < 0.5 and len(text) > 8:
        body = text[:-8] + "6304"
        text = body + f"{crc_hqx(body.encode('utf-8', 'replace'), 0xFFFF):04X}"
    return text
