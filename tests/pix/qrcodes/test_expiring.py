"""A charge that nobody paid in time is told as expired: once, and never one that was paid."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from build import Tenant, World, until
from lastro.attempt import Overtaken
from lastro.pix.qrcodes import expiring
from lastro.pix.qrcodes.expiring import AT_ONCE, GRACE
from lastro.pix.qrcodes.models import PixQrCode
from lastro.wiring import Assembly
from pix.payments.test_acceptance import Shop
from pix.qrcodes.codes import a_receiver
from pix.transfers.test_acceptance import CHARGED, Receiver, verdicts

JUST_OVER = timedelta(hours=1) + GRACE


@pytest.fixture
async def shop(quiet: Assembly) -> Shop:
    return await Shop.open(quiet)


async def sweep(shop: Shop, later: timedelta) -> None:
    """What the worker does, so much later, until there is nothing left."""
    expired = AT_ONCE
    while expired == AT_ONCE:
        async with shop.assembly.bank.db.transaction() as tx:
            expired = await expiring.expire(tx, now=shop.assembly.bank.now() + later)


async def charge(receiver: Receiver) -> PixQrCode:
    async with receiver.shop.assembly.bank.db.transaction() as tx:
        return (await tx.execute(select(PixQrCode).where(PixQrCode.account_id == receiver.account_id))).scalar_one()


async def news(receiver: Receiver, code_id: UUID) -> list[Any]:
    async with receiver.shop.assembly.bank.db.transaction() as tx:
        query = text("SELECT resource_version, body FROM events WHERE resource_id = :id ORDER BY resource_version")
        rows = await tx.execute(query, {"id": code_id})
        return [(row.resource_version, json.loads(row.body)) for row in rows]


async def test_an_unpaid_charge_expires_once_with_news(shop: Shop) -> None:
    receiver = await Receiver.open(shop)
    await receiver.charge(uuid4().hex)

    await sweep(shop, JUST_OVER)
    await sweep(shop, JUST_OVER)

    code = await charge(receiver)
    ((version, told),) = await news(receiver, code.id)
    assert (told["type"], told["version"], version) == ("pix.qrcode.expired", 2, 2)
    assert told["data"]["id"] == str(code.id)
    assert told["data"]["attributes"]["status"] == "EXPIRED"
    assert code.expired_at is not None


async def test_what_arrived_in_time_has_time_to_be_written_down(shop: Shop) -> None:
    receiver = await Receiver.open(shop)
    await receiver.charge(uuid4().hex)

    await sweep(shop, JUST_OVER - timedelta(seconds=5))

    assert (await charge(receiver)).expired_at is None


async def test_a_paid_charge_does_not_expire(shop: Shop) -> None:
    receiver, txid = await Receiver.open(shop), uuid4().hex
    await receiver.charge(txid)
    assert await verdicts(shop, [receiver.told(CHARGED, txid=txid)]) == [None]

    await sweep(shop, JUST_OVER)

    code = await charge(receiver)
    assert code.expired_at is None
    assert [(version, told["type"], told["version"]) for version, told in await news(receiver, code.id)] == [
        (2, "pix.qrcode.paid", 2)
    ]


async def test_a_charge_that_expires_while_it_is_paid_is_not_paid(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, txid, db = await Receiver.open(shop), uuid4().hex, shop.assembly.bank.db
    await receiver.charge(txid)
    arrival, call = receiver.told(CHARGED, txid=txid), db.call

    async def first_it_expires(statement: str, *arguments: Any) -> Any:
        if "credit_pix" in statement:
            monkeypatch.setattr(db, "call", call)
            await sweep(shop, JUST_OVER)
        return await call(statement, *arguments)

    monkeypatch.setattr(db, "call", first_it_expires)

    with pytest.raises(Overtaken):
        await verdicts(shop, [arrival])
    assert await receiver.history() == []
    assert await verdicts(shop, [arrival]) == ["BE17"]
    code = await charge(receiver)
    assert [told["type"] for _, told in await news(receiver, code.id)] == ["pix.qrcode.expired"]


async def test_a_charge_that_somebody_holds_is_passed_by(shop: Shop) -> None:
    receiver = await Receiver.open(shop)
    await receiver.charge(uuid4().hex)
    async with shop.assembly.bank.db.transaction() as paying:
        held = update(PixQrCode).where(PixQrCode.account_id == receiver.account_id).values(description="being paid")
        await paying.execute(held)
        await sweep(shop, JUST_OVER)
        await paying.rollback()
    assert (await charge(receiver)).expired_at is None

    await sweep(shop, JUST_OVER)
    assert (await charge(receiver)).expired_at is not None


async def test_the_worker_tells_which_charges_expired(tenant: Tenant, world: World) -> None:
    receiver = await a_receiver(tenant)
    made = await receiver.code("DYNAMIC", expiresInMinutes=1)
    await world.simulate("POST", "/clock", {"advanceSeconds": 61 + int(GRACE.total_seconds())})

    async def is_told() -> bool:
        async with world.bank.db.transaction() as tx:
            query = text("SELECT type FROM events WHERE resource_id = :id")
            return (await tx.execute(query, {"id": UUID(made.id)})).scalars().all() == ["pix.qrcode.expired"]

    await until(is_told)
    assert (await tenant.get(f"/pix/qrcode/{made.id}")).attributes["status"] == "EXPIRED"
