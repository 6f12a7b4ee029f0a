"""A company with its account at OpenPix, through our API: it is paid, pays, gives back, and no centavo is lost.

The bank is the real one, with its worker; OpenPix is the double, which tells its news to our door, each of them twice.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, text

from build import Account, Answered, Tenant, World, a_cnpj, until
from lastro.outbox.models import Alert
from lastro.providers import openpix_http
from lastro.providers.directory import OPENPIX
from lastro.settings import Settings
from lastro.values.brcode import StaticCode, read
from lastro.wiring import _adapters
from providers.openpix_double import APP_ID, ISPB, KEY, Accounts, Double, Fault, Somebody
from simulator.world import served

ANA = "ana@exemplo.com.br"


@dataclass
class Shop:
    """A tenant whose provider is OpenPix, with an open account there."""

    double: Double
    tenant: Tenant
    account: Account
    other: Double
    """Another account at OpenPix, under another AppID."""

    async def acts_by(self, double: Double) -> None:
        """From now on the provider has this account's AppID."""
        path = f"/providers/{self.tenant.provider_id}"
        changed = await self.tenant.patch(path, "providers", {"credentials": {"apiKey": double.app_id}})
        assert changed.status == 200, changed.body

    async def holds(self, reais: str) -> None:
        """The account comes to hold this much, here and there."""

        async def does() -> bool:
            return str(await self.account.balance()) == reais

        await until(does)
        assert self.double.balance == int(reais.replace(".", ""))

    async def code(self, kind: str, **more: Any) -> Answered:
        order = {"accountId": self.account.id, "type": kind} | more
        return await self.tenant.post("/pix/qrcode", "pix-qrcode", order)

    async def alerts(self) -> list[Alert]:
        async with self.tenant.world.bank.db.transaction() as tx:
            found = await tx.execute(select(Alert).where(Alert.account_id == self.tenant.provider_id))
            return list(found.scalars())


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    double = Double(a_cnpj(), balance=0, duplicates=1)
    double.directory[ANA] = Somebody("Ana Conceição", "39053344705", "EMAIL")
    yield double
    await double.told()
    assert double.bugs == [], "the double does not keep to the specification"


@pytest.fixture
async def shop(world: World, tenant: Tenant, double: Double) -> AsyncIterator[Shop]:
    other = Double(double.tax_id, app_id="another", account="00000000000000999999")
    async with served(Accounts([double, other])) as address, httpx.AsyncClient(trust_env=False) as client:
        adapters = cast("dict[str, Any]", world.bank.providers.adapters)
        adapters[OPENPIX] = openpix_http.adapter(client, base_url=address)
        added = await tenant.post(
            "/providers",
            "providers",
            {
                "name": "OpenPix",
                "code": "OPX",
                "ispb": ISPB,
                "adapter": OPENPIX,
                "credentials": {"apiKey": APP_ID},
                "settings": {"webhookPublicKeys": double.public_key.replace("\n", " ")},
            },
        )
        assert added.status == 201, added.body
        tenant.provider_id = UUID(added.id)
        double.deliver_to = f"{world.http.base_url}/network/{added.id}/notifications"
        opened = await tenant.post(
            "/accounts", "accounts", tenant.application(holderDocument=double.tax_id, type="PAYMENT")
        )
        assert opened.status == 201, opened.body
        account = Account(tenant, opened.id)
        await until(lambda: account.has_status("ACTIVE"))
        yield Shop(double, tenant, account, other)
        await double.told()
        double.deliver_to = None
        await until(lambda: nothing_is_owed(tenant), seconds=30)  # the double goes away, and its address with it
        del adapters[OPENPIX]


async def test_what_it_says_is_no_word_of_the_networks(shop: Shop, world: World) -> None:
    """The tenant itself says which key signs, so it can make OpenPix tell of any Pix: of a neighbour's, for one."""
    told = shop.double.is_paid(10_000)
    await shop.holds("100.00")
    neighbour = await (await world.tenant("Vizinha")).account()

    pix = await neighbour.receives("7.00", endToEndId=told)

    assert pix["status"] == "ACSC"
    assert await neighbour.available() == 7
    await shop.holds("100.00")


async def nothing_is_owed(tenant: Tenant) -> bool:
    """Whether the worker has kept every promise about this provider."""
    query = text("SELECT topic FROM outbox JOIN accounts a ON a.id = account_id WHERE provider_id = :id")
    async with tenant.world.bank.db.transaction() as tx:
        return (await tx.execute(query, {"id": tenant.provider_id})).all() == []


async def test_the_account_is_the_one_that_openpix_has_and_opens_without_documents(shop: Shop) -> None:
    attributes = await shop.account.attributes()
    assert (attributes["branch"], attributes["accountNumber"]) == ("0001", "12345-6")
    assert (await shop.account.sends()).status == 422
    key = {"accountId": shop.account.id, "keyType": "EVP"}
    assert (await shop.tenant.post("/pix/keys", "pix-keys", key)).status == 422


async def test_it_is_paid_and_pays_and_gets_back_and_gives_back(shop: Shop) -> None:
    paid = shop.double.is_paid(10_000, comment="Oi")
    await shop.holds("100.00")

    sent = await shop.account.pays(40.0, ANA, "EMAIL")
    assert sent.status == 201, sent.body
    payment = await shop.account.payment_becomes(sent.id, "COMPLETED")
    (left,) = shop.double.left
    assert (left["correlationID"], left["value"]) == (payment["e2eId"], 4000)
    assert payment["externalRef"] == payment["e2eId"]
    await shop.holds("60.00")

    shop.double.comes_back(payment["e2eId"], 1500)
    await shop.holds("75.00")

    (transfer,) = (await shop.tenant.get(f"/pix/transfers?filter[accountId]={shop.account.id}")).body["data"]
    assert transfer["attributes"]["e2eId"] == paid
    back = await shop.tenant.post(f"/pix/transfers/{transfer['id']}/refund", "pix-refunds", {"amount": 25.0})
    assert back.status == 201, back.body

    async def is_back() -> bool:
        refund = (await shop.tenant.get(f"/pix/refunds/{back.id}")).attributes
        return bool(refund["status"] == "COMPLETED")

    await until(is_back)
    await shop.holds("50.00")
    await shop.double.told()
    assert set(shop.double.answered) == {200}


@pytest.mark.parametrize("knows_the_pix", [True, False])
async def test_a_refund_that_one_account_began_is_no_other_accounts_to_do_or_to_judge(
    shop: Shop, knows_the_pix: bool
) -> None:
    """It has left, nobody here knows, and then the AppID becomes another account's, and the first one's again."""
    received = shop.double.is_paid(10_000)
    await shop.holds("100.00")
    if knows_the_pix:
        shop.other.received[received] = 10_000
    faults = [Fault("POST /refund", dropped=True), Fault("POST /refund", status=503, times=1000)]
    shop.double.faults += faults
    (transfer,) = (await shop.tenant.get(f"/pix/transfers?filter[accountId]={shop.account.id}")).body["data"]
    back = await shop.tenant.post(f"/pix/transfers/{transfer['id']}/refund", "pix-refunds", {"amount": 25.0})
    assert back.status == 201, back.body

    async def status() -> str:
        return str((await shop.tenant.get(f"/pix/refunds/{back.id}")).attributes["status"])

    async def has_left() -> bool:
        return bool(shop.double.left)

    async def was_asked_twice() -> bool:
        return shop.other.calls.count("GET /account/") >= 2 or await status() != "PROCESSING"

    await until(has_left)
    await shop.acts_by(shop.other)
    await until(was_asked_twice, seconds=30)
    assert (await status(), shop.other.left) == ("PROCESSING", [])

    faults[1].times = 0
    await shop.acts_by(shop.double)

    async def is_back() -> bool:
        return await status() == "COMPLETED"

    await until(is_back, seconds=60)
    await shop.holds("75.00")
    assert [each["value"] for each in shop.double.left] == [2500]
    assert shop.other.bugs == []


async def test_a_charge_of_openpix_is_made_paid_and_given_back(shop: Shop) -> None:
    made = await shop.code("DYNAMIC", amount=25.0, expiresInMinutes=60)
    assert made.status == 201, made.body
    (charge,) = shop.double.charges.values()
    assert (charge["correlationID"], charge["brCode"]) == (made.id, made.attributes["qrCodeText"])
    assert made.attributes["txid"] == charge["transactionID"]
    assert (await shop.tenant.world.http.get(f"/qr/v2/{charge['transactionID']}")).status_code == 404

    shop.double.charge_is_paid(made.attributes["txid"])
    await shop.holds("25.00")
    shown = (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes
    assert shown["status"] == "PAID"
    (payment,) = shown["payments"]
    back = await shop.tenant.post(f"/pix/transfers/{payment['transferId']}/refund", "pix-refunds", {"amount": 25.0})
    assert back.status == 201, back.body
    await shop.holds("0.00")


async def test_a_static_code_of_openpix_names_its_own_key(shop: Shop) -> None:
    made = await shop.code("STATIC", amount=7.0, description="Café")
    assert made.status == 201, made.body
    said = read(made.attributes["qrCodeText"])
    assert isinstance(said, StaticCode)
    assert said.key.value == KEY
    shop.double.is_paid(700, txid=made.attributes["txid"], kind="STATIC")
    await shop.holds("7.00")
    (payment,) = (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes["payments"]
    assert payment["amount"] == 7.0


async def test_one_order_of_a_code_is_one_code_at_openpix(shop: Shop) -> None:
    order = {"data": {"type": "pix-qrcode", "attributes": {"accountId": shop.account.id, "type": "STATIC"}}}
    headers = {"idempotency-key": str(uuid4())}
    first, again = [await shop.tenant.call("POST", "/pix/qrcode", order, headers=headers) for _ in range(2)]
    assert (first.status, again.body) == (201, first.body)
    assert len(shop.double.statics) == 1


async def test_for_an_account_that_is_blocked_no_code_is_made_there_either(shop: Shop) -> None:
    made = await shop.code("STATIC")
    assert (await shop.tenant.post(f"/accounts/{shop.account.id}/block")).status == 200
    assert (await shop.code("STATIC")).status == 409
    nobodys = {"accountId": str(uuid4()), "type": "STATIC"}
    assert (await shop.tenant.post("/pix/qrcode", "pix-qrcode", nobodys)).status == 404
    assert len(shop.double.statics) == 1
    assert (await shop.tenant.get(f"/pix/qrcode/{made.id}")).status == 200


async def test_openpix_says_no_or_nothing_to_a_code_and_there_is_none(shop: Shop) -> None:
    short = await shop.code("DYNAMIC", amount=1.0, expiresInMinutes=1)
    assert (short.status, short.pointers) == (422, ["/data/attributes/expiresInMinutes"])
    shop.double.faults.append(Fault("POST /charge", dropped=True))
    assert (await shop.code("DYNAMIC", amount=1.0)).status == 503
    shop.double.faults.append(Fault("POST /charge", status=400))
    assert (await shop.code("DYNAMIC", amount=1.0)).status == 422


async def test_a_payment_under_an_earlier_lookup_goes_out_under_its_id(shop: Shop) -> None:
    shop.double.is_paid(1000)
    await shop.holds("10.00")
    question = {"keyType": "EMAIL", "keyValue": ANA, "accountId": shop.account.id}
    told = (await shop.tenant.post("/pix/keys/lookup", "pix-key-lookup", question)).attributes
    assert told["owner"] == {"name": "Ana Conceição", "document": "390******05", "documentType": "CPF"}
    assert (told["account"]["branch"], told["account"]["accountNumber"], told["account"]["accountType"]) == (None,) * 3
    assert told["createdAt"] is None
    sent = await shop.account.pays(10.0, ANA, "EMAIL", extra={"lookupE2eId": told["e2eId"]})
    assert sent.status == 201, sent.body
    payment = await shop.account.payment_becomes(sent.id, "COMPLETED")
    assert payment["e2eId"] == told["e2eId"]
    assert [each for each in shop.double.calls if each == "POST /pix-keys/check"] == ["POST /pix-keys/check"]


@pytest.mark.parametrize("fault", [{"dropped": True}, {"lost": True}, {"status": 502, "dropped": True}])
async def test_whatever_is_lost_on_the_way_money_leaves_once(shop: Shop, fault: dict[str, Any]) -> None:
    shop.double.is_paid(1000)
    await shop.holds("10.00")
    shop.double.faults += [Fault("POST /payment", **fault), Fault("POST /payment/approve", **fault)]
    sent = await shop.account.pays(10.0, ANA, "EMAIL")
    await shop.account.payment_becomes(sent.id, "COMPLETED", seconds=30)
    await shop.holds("0.00")
    assert [each["value"] for each in shop.double.left] == [1000]


async def test_a_payment_that_fails_gives_its_money_back(shop: Shop) -> None:
    shop.double.is_paid(1000)
    await shop.holds("10.00")
    shop.double.refused_keys[ANA] = "AC07"
    sent = await shop.account.pays(10.0, ANA, "EMAIL")
    payment = await shop.account.payment_becomes(sent.id, "FAILED")
    assert payment["failureReason"].startswith("AC07")
    await shop.holds("10.00")


async def test_what_was_paid_in_time_is_paid_however_late_we_hear_of_it(shop: Shop) -> None:
    made = await shop.code("DYNAMIC", amount=25.0)
    async with shop.tenant.world.bank.db.transaction() as tx:
        await tx.execute(
            text("UPDATE pix_qrcodes SET created_at = created_at - interval '1 hour', expires_at = :at WHERE id = :id"),
            {"at": shop.tenant.world.bank.now() + timedelta(seconds=1), "id": UUID(made.id)},
        )
    address, shop.double.deliver_to = shop.double.deliver_to, None
    shop.double.charge_is_paid(made.attributes["txid"])
    await asyncio.sleep(1.1)
    assert address is not None
    headers, body = shop.double.letters[-1]
    assert (await shop.tenant.world.http.post(address, headers=headers, content=body)).status_code == 200
    await shop.holds("25.00")
    assert (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes["status"] == "PAID"


async def test_what_comes_for_a_charge_that_is_over_is_credited_and_pays_no_charge(shop: Shop) -> None:
    made = await shop.code("DYNAMIC", amount=25.0)
    async with shop.tenant.world.bank.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE pix_qrcodes SET created_at = created_at - interval '1 hour', version = version + 1,"
                " expires_at = now() - interval '2 minutes' WHERE id = :id"
            ),
            {"id": UUID(made.id)},
        )

    async def is_told_as_expired() -> bool:
        async with shop.tenant.world.bank.db.transaction() as tx:
            query = text("SELECT expired_at IS NOT NULL FROM pix_qrcodes WHERE id = :id")
            return bool((await tx.execute(query, {"id": UUID(made.id)})).scalar_one())

    await until(is_told_as_expired)
    shop.double.charge_is_paid(made.attributes["txid"])
    await shop.holds("25.00")
    assert (await shop.tenant.get(f"/pix/qrcode/{made.id}")).attributes["status"] == "EXPIRED"
    assert await shop.alerts() == []


async def test_money_that_finds_no_account_here_lies_there_and_a_human_is_told_once(shop: Shop) -> None:
    shop.double.account = "00000000000000999999"
    end_to_end_id = shop.double.is_paid(1000)
    await shop.double.told()
    assert shop.double.answered == [200, 200]
    (alert,) = await shop.alerts()
    assert alert.kind == "refused_too_late"
    assert end_to_end_id in alert.detail
    assert "AC03" in alert.detail


async def test_what_is_not_signed_is_not_let_in(shop: Shop) -> None:
    shop.double.is_paid(1000)
    await shop.double.told()
    await shop.holds("10.00")
    headers, body = shop.double.letters[-1]
    post = shop.tenant.world.http.post
    assert shop.double.deliver_to is not None
    for forged in ({}, headers | {"x-webhook-signature": "AAAA"}):
        assert (await post(shop.double.deliver_to, headers=forged, content=body)).status_code == 401
    assert (await post(shop.double.deliver_to, headers=headers, content=body + b" ")).status_code == 401
    test_call = shop.double.signed({"event": "OPENPIX:CHARGE_COMPLETED", "data_criacao": "2024-01-23T20:32:14.429Z"})
    assert (await post(shop.double.deliver_to, headers=test_call[0], content=test_call[1])).status_code == 200
    nonsense = shop.double.signed({"event": "OPENPIX:TRANSACTION_RECEIVED", "pix": {}})
    assert (await post(shop.double.deliver_to, headers=nonsense[0], content=nonsense[1])).status_code == 400


async def test_a_provider_is_examined(shop: Shop) -> None:
    answer = await shop.tenant.post(f"/providers/{shop.tenant.provider_id}/test")
    assert answer.status == 200, answer.body


async def test_openpix_is_there_only_where_the_operator_says_so(settings_of_quiet: Settings) -> None:
    async with httpx.AsyncClient() as client:
        assert OPENPIX not in _adapters(settings_of_quiet, client)
        told = settings_of_quiet.model_copy(update={"openpix_url": "http://127.0.0.1:1"})
        assert OPENPIX in _adapters(told, client)
