"""POST /pix/qrcode and GET /pix/qrcode/:id, over HTTP."""

import base64
import io
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
import segno
import zxingcpp
from brcode.utils.brcodeId import jsonFromBrcode  # type: ignore[import-untyped]
from PIL import Image

from build import Tenant, World
from lastro.values import brcode
from lastro.values.brcode import StaticCode
from pix.qrcodes.codes import KIND, Receiver, a_key, a_receiver, scanned

DOCUMENTED = [
    "accountId",
    "type",
    "amount",
    "description",
    "qrCodeText",
    "qrCodeImage",
    "expiresAt",
    "createdAt",
]


@pytest.fixture
async def shop(tenant: Tenant) -> Receiver:
    return await a_receiver(tenant)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_static_code_has_the_documented_attributes_then_ours(shop: Receiver) -> None:
    made = await shop.makes("STATIC", amount=25.5, description="Mesa 4")

    assert made.status == 201
    assert set(made.body) == {"data"}
    assert set(made.data) == {"type", "id", "attributes"}
    assert list(made.attributes) == [*DOCUMENTED, "txid", "status"]
    assert made.attributes["status"] == "ACTIVE"
    assert made.attributes["amount"] == 25.5
    assert made.attributes["expiresAt"] is None


async def test_a_static_code_says_key_amount_txid_and_description(shop: Receiver) -> None:
    made = await shop.code("STATIC", amount=25.5, description="Água de coco nº 4")
    said = brcode.read(made.attributes["qrCodeText"])

    assert isinstance(said, StaticCode)
    assert said.key.value == shop.key
    assert str(said.amount) == "25.50"
    assert said.txid == made.attributes["txid"]
    assert len(said.txid or "") == 25
    assert said.description == "Agua de coco no 4"
    assert (said.merchant_name, said.merchant_city) == ("Loja de Teste Ltda", "BRASILIA")


async def test_a_static_code_may_leave_the_amount_to_the_payer(shop: Receiver) -> None:
    made = await shop.code("STATIC")
    said = brcode.read(made.attributes["qrCodeText"])

    assert isinstance(said, StaticCode)
    assert made.attributes["amount"] is None
    assert said.amount is None


async def test_our_text_is_read_by_an_implementation_that_we_did_not_write(shop: Receiver) -> None:
    made = await shop.code("STATIC", amount=9.99, description="Pedido 1234")
    said = jsonFromBrcode(made.attributes["qrCodeText"])

    assert said["26"]["01"] == shop.key
    assert said["54"] == "9.99"
    assert said["62"]["05"] == made.attributes["txid"]


@pytest.mark.parametrize("attributes", [{}, {"amount": 9_999_999_999.99, "description": "ã" * 140}])
async def test_a_scanner_reads_the_image(shop: Receiver, attributes: dict[str, Any]) -> None:
    made = (await shop.code("STATIC", **attributes)).attributes

    assert made["qrCodeImage"].startswith("iVBORw0KGgo")  # PNG in base64, no data: before it
    assert scanned(made["qrCodeImage"]) == made["qrCodeText"]


async def test_the_scanner_of_this_test_is_not_judged_by_our_own_images_alone(shop: Receiver) -> None:
    text = (await shop.code("STATIC")).attributes["qrCodeText"]
    file = io.BytesIO()
    segno.make(text, micro=False).save(file, kind="png", scale=8)

    assert scanned(base64.b64encode(file.getvalue()).decode()) == text


async def test_the_image_has_a_quiet_zone(shop: Receiver) -> None:
    png = base64.b64decode((await shop.code("STATIC")).attributes["qrCodeImage"])
    image = Image.open(io.BytesIO(png)).convert("L")
    border = [image.getpixel((x, y)) for x in range(image.width) for y in range(32)]

    assert set(border) == {255}
    found = zxingcpp.read_barcode(image)
    assert found is not None
    assert found.format == zxingcpp.BarcodeFormat.QRCode


async def test_two_codes_never_share_a_txid(shop: Receiver) -> None:
    txids = {(await shop.code("STATIC")).attributes["txid"] for _ in range(5)}

    assert len(txids) == 5
    assert all(txid.isalnum() and txid.isascii() for txid in txids)


async def test_a_random_key_is_shown_before_any_other(tenant: Tenant) -> None:
    account = await tenant.account()
    email = await a_key(account, "EMAIL", f"{uuid4().hex}@empresa.example")
    shop = Receiver(account, email)
    before = brcode.read((await shop.code()).attributes["qrCodeText"])
    evp = await a_key(account)
    after = brcode.read((await shop.code()).attributes["qrCodeText"])

    assert isinstance(before, StaticCode)
    assert isinstance(after, StaticCode)
    assert (before.key.value, after.key.value) == (email, evp)


async def test_without_a_random_key_the_oldest_is_shown(tenant: Tenant) -> None:
    account = await tenant.account()
    oldest = await a_key(account, "EMAIL", f"z{uuid4().hex}@empresa.example")
    await a_key(account, "EMAIL", f"a{uuid4().hex}@empresa.example")
    said = brcode.read((await Receiver(account, oldest).code()).attributes["qrCodeText"])

    assert isinstance(said, StaticCode)
    assert said.key.value == oldest


async def test_without_a_key_there_is_no_code_and_the_answer_says_what_to_do(tenant: Tenant) -> None:
    refused = await Receiver(await tenant.account(), "").makes()

    assert (refused.status, refused.code) == (409, "CONFLICT")
    assert "chave Pix" in refused.body["message"]
    assert "POST /baas/api/v1/pix/keys" in refused.body["message"]


async def test_a_blocked_account_gets_no_code(shop: Receiver) -> None:
    assert (await shop.tenant.post(f"/accounts/{shop.account.id}/block")).status == 200

    refused = await shop.makes()

    assert (refused.status, refused.code) == (409, "CONFLICT")


async def test_an_account_that_is_not_the_callers_is_not_found(shop: Receiver, stranger: Tenant) -> None:
    wanted = {"accountId": shop.account.id, "type": "STATIC"}

    refused = await stranger.post("/pix/qrcode", "pix-qrcode", wanted)

    assert (refused.status, refused.code) == (404, "NOT_FOUND")
    assert refused.pointers == ["/data/attributes/accountId"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"type": "DYNAMIC", "amount": None}, "/data/attributes/amount"),
        ({"type": "STATIC", "expiresInMinutes": 30}, "/data/attributes/expiresInMinutes"),
        ({"type": "DYNAMIC", "expiresInMinutes": 0}, "/data/attributes/expiresInMinutes"),
        ({"type": "DYNAMIC", "expiresInMinutes": 43_201}, "/data/attributes/expiresInMinutes"),
        ({"type": "DYNAMIC", "expiresInMinutes": 10**9}, "/data/attributes/expiresInMinutes"),
        ({"type": "DYNAMIC", "expiresInMinutes": 1.5}, "/data/attributes/expiresInMinutes"),
        ({"type": "DYNAMIC", "expiresInMinutes": True}, "/data/attributes/expiresInMinutes"),
        ({"type": "DYNAMIC", "expiresInMinutes": "30"}, "/data/attributes/expiresInMinutes"),
        ({"type": "BOTH"}, "/data/attributes/type"),
        ({"amount": 0}, "/data/attributes/amount"),
        ({"amount": 10_000_000_000}, "/data/attributes/amount"),
        ({"description": "a\nb"}, "/data/attributes/description"),
        ({"description": "a" * 141}, "/data/attributes/description"),
        ({"expires": 1}, "/data/attributes/expires"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_place(
    shop: Receiver, changes: dict[str, Any], pointer: str
) -> None:
    wanted = {"accountId": shop.account.id, "type": "STATIC", "amount": 1.00} | changes
    refused = await shop.tenant.post("/pix/qrcode", KIND, wanted)

    assert (refused.status, refused.code) == (400, "VALIDATION")
    assert refused.pointers == [pointer]


@pytest.mark.parametrize("text", ["5303840", "6304ABCD", "0014br.gov.bcb.pix0136", "62070503***6304", "%00", "'; --"])
async def test_a_description_can_not_become_another_field(shop: Receiver, text: str) -> None:
    made = (await shop.code("STATIC", amount=1.00, description=text)).attributes
    said = brcode.read(made["qrCodeText"])

    assert isinstance(said, StaticCode)
    assert (said.key.value, str(said.amount), said.txid) == (shop.key, "1.00", made["txid"])
    assert made["description"] == text


async def test_a_name_without_a_letter_that_a_code_can_hold_still_makes_a_code(tenant: Tenant) -> None:
    shop = await a_receiver(tenant, holderName="最佳运输")

    assert brcode.read((await shop.code()).attributes["qrCodeText"]).merchant_name == "RECEBEDOR"


async def test_the_same_key_makes_one_code(shop: Receiver) -> None:
    headers = {"idempotency-key": uuid4().hex}
    first, second = [await shop.makes("STATIC", amount=3.00, headers=headers) for _ in range(2)]
    other = await shop.makes("STATIC", amount=4.00, headers=headers)

    assert second.response.content == first.response.content
    assert second.response.headers["idempotency-replayed"] == "true"
    assert other.status == 422


async def test_a_code_can_be_read_again(shop: Receiver) -> None:
    made = await shop.code("STATIC", amount=3.00)

    found = await shop.tenant.get(f"/pix/qrcode/{made.id}")

    assert found.status == 200
    assert found.attributes == made.attributes | {"payments": []}


async def test_a_strangers_code_is_not_found(shop: Receiver, stranger: Tenant) -> None:
    made = await shop.code()

    assert (await stranger.get(f"/pix/qrcode/{made.id}")).status == 404
    assert (await stranger.get(f"/pix/qrcode/{uuid4()}")).status == 404


async def test_what_arrives_with_a_static_codes_txid_stands_under_the_code(shop: Receiver, world: World) -> None:
    made = await shop.code()
    other = await shop.code()
    paid = [await shop.account.receives(amount, txid=made.attributes["txid"]) for amount in ("1.00", "2.00")]
    await shop.account.receives("4.00")

    payments = (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes["payments"]

    assert [each["amount"] for each in payments] == [2.0, 1.0]
    assert [each["e2eId"] for each in payments] == [each["endToEndId"] for each in reversed(paid)]
    assert set(payments[0]) == {"transferId", "e2eId", "amount", "paidAt"}
    transfer = await shop.tenant.get(f"/pix/transfers/{payments[0]['transferId']}")
    assert transfer.attributes["createdAt"] == payments[0]["paidAt"]
    assert (await shop.tenant.get(f"/pix/qrcode/{other.id}")).attributes["payments"] == []
    assert (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes["status"] == "ACTIVE"
