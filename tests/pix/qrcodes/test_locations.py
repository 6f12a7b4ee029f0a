"""What other banks find of our charges: signed by us, checked here with nothing of ours."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from joserfc import jws
from joserfc.jwk import ECKey

from build import Tenant, World
from lastro.app import create_app, serving
from lastro.bank import Bank
from lastro.values import brcode
from lastro.values.brcode import DynamicCode
from pix.qrcodes.codes import Receiver, a_receiver


@pytest.fixture
async def shop(tenant: Tenant) -> Receiver:
    return await a_receiver(tenant)


def location_of(text: str) -> str:
    said = brcode.read(text)
    assert isinstance(said, DynamicCode)
    return said.location


async def published(world: World, location: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload of a charge, believed only as a stranger would."""
    answer = await world.http.get(f"http://{location}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jose"
    head = answer.text.split(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    keys = (await world.http.get(header["jku"])).json()["keys"]
    (key,) = (each for each in keys if each["kid"] == header["kid"])
    believed = jws.deserialize_compact(answer.text, ECKey.import_key(key), algorithms=["ES256"])
    payload: dict[str, Any] = json.loads(believed.payload)
    return header, payload


async def test_the_code_names_an_address_that_shows_the_charge(shop: Receiver, world: World) -> None:
    made = (await shop.code("DYNAMIC", amount=250.00, description="Pedido nº 1", expiresInMinutes=30)).attributes
    location = location_of(made["qrCodeText"])

    header, payload = await published(world, location)

    assert len(location) <= 77
    assert payload["txid"] == made["txid"]
    assert 26 <= len(payload["txid"]) <= 35
    assert payload["valor"] == {"original": "250.00"}
    assert payload["chave"] == shop.key
    assert payload["status"] == "ATIVA"
    assert payload["solicitacaoPagador"] == "Pedido nº 1"
    assert payload["calendario"]["expiracao"] == 1800
    assert payload["calendario"]["criacao"].startswith(made["createdAt"][:19])
    assert header["alg"] == "ES256"
    assert header["jku"].startswith(f"http://{location.partition('/')[0]}/")


async def test_the_certificate_beside_the_key_is_the_one_that_the_signature_names(shop: Receiver, world: World) -> None:
    header, _ = await published(world, location_of((await shop.code("DYNAMIC")).attributes["qrCodeText"]))
    (key,) = (await world.http.get("/.well-known/jwks.json")).json()["keys"]
    leaf = base64.b64decode(key["x5c"][0])
    digest = base64.urlsafe_b64encode(hashlib.sha256(leaf).digest()).rstrip(b"=").decode()

    assert digest == header["x5t#S256"] == key["x5t#S256"]
    assert "d" not in key
    names = x509.load_der_x509_certificate(leaf).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(each) for each in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


async def test_a_paid_charge_says_so(shop: Receiver, world: World) -> None:
    made = (await shop.code("DYNAMIC", amount=25.00)).attributes
    await shop.account.receives("25.00", txid=made["txid"])

    _, payload = await published(world, location_of(made["qrCodeText"]))

    assert payload["status"] == "CONCLUIDA"


async def test_a_charge_whose_key_is_gone_is_shown_as_removed(shop: Receiver, world: World) -> None:
    made = (await shop.code("DYNAMIC")).attributes
    (key,) = (await shop.tenant.get(f"/pix/keys?filter[accountId]={shop.account.id}")).data
    await shop.tenant.call("DELETE", f"/pix/keys/{key['id']}")

    _, payload = await published(world, location_of(made["qrCodeText"]))

    assert payload["status"] == "REMOVIDA_PELO_PSP"


async def test_two_charges_have_nothing_in_common(shop: Receiver) -> None:
    tokens = [location_of((await shop.code("DYNAMIC")).attributes["qrCodeText"])[-32:] for _ in range(3)]

    assert len({token[:6] for token in tokens}) == 3
    assert all(len(set(token)) > 4 for token in tokens)


@pytest.mark.parametrize("token", [uuid4().hex, "a", "A" * 32, "%00", "..", "a" * 5000, "1' OR '1'='1"])
async def test_nobodys_charge_is_a_problem(world: World, token: str) -> None:
    answer = await world.http.get(f"/qr/v2/{token}")

    assert answer.status_code == 404
    if answer.request.url.path.startswith("/qr/v2/"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 404


async def test_the_address_shows_nothing_that_the_payer_must_not_know(shop: Receiver, world: World) -> None:
    made = await shop.code("DYNAMIC")

    _, payload = await published(world, location_of(made.attributes["qrCodeText"]))

    text = json.dumps(payload)
    facts = await shop.account.attributes()
    for secret in (shop.account.id, made.id, facts["accountNumber"], facts["holderDocument"], str(shop.tenant.id)):
        assert secret not in text


def unsigned(bank: Bank) -> httpx.AsyncClient:
    """The same bank, had its operator set no certificate."""
    app = serving(create_app(replace(bank, publication=replace(bank.publication, signer=None))))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://lastro.test")


async def test_without_a_certificate_there_are_static_codes_only(shop: Receiver, world: World) -> None:
    made = location_of((await shop.code("DYNAMIC")).attributes["qrCodeText"])
    headers = {"authorization": f"Bearer {shop.tenant.token}"}

    def wanted(kind: str) -> Any:
        attributes = {"accountId": shop.account.id, "type": kind, "amount": 1.00}
        return {"data": {"type": "pix-qrcode", "attributes": attributes}}

    async with unsigned(world.bank) as client:
        static = await client.post("/baas/api/v1/pix/qrcode", json=wanted("STATIC"), headers=headers)
        dynamic = await client.post("/baas/api/v1/pix/qrcode", json=wanted("DYNAMIC"), headers=headers)
        shown = await client.get(f"/qr/v2/{made[-32:]}")
        keys = await client.get("/.well-known/jwks.json")

    assert static.status_code == 201
    assert (dynamic.status_code, dynamic.json()["code"]) == (422, "UNPROCESSABLE")
    assert "LASTRO_QR_CERTIFICATE" in dynamic.json()["message"]
    assert shown.status_code == 404
    assert keys.json() == {"keys": []}
