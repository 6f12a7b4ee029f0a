"""Charges when money arrives for them: found behind the account's lock, paid once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.pix.qrcodes import resources
from lastro.pix.qrcodes.models import PixQrCode
from lastro.pix.qrcodes.rules import Charge
from lastro.pix.qrcodes.states import QrCodeStatus, QrCodeType
from lastro.webhooks.announce import News, announce

PAID = "pix.qrcode.paid"


async def find(tx: AsyncSession, named: Collection[tuple[UUID, str]]) -> Mapping[tuple[UUID, str], PixQrCode]:
    """The dynamic codes among these pairs of account and txid. The accounts' balances are locked."""
    if not named:
        return {}
    query = select(PixQrCode).where(
        among(PixQrCode.account_id, {account_id for account_id, _ in named}),
        among(PixQrCode.txid, {txid for _, txid in named}),
        PixQrCode.type == QrCodeType.DYNAMIC,
    )
    found = (await tx.execute(query)).scalars()
    return {(each.account_id, each.txid): each for each in found if (each.account_id, each.txid) in named}


def facts(charge: PixQrCode) -> Charge:
    """What the rules need to know."""
    assert charge.amount is not None  # noqa: S101 - a CHECK says so
    assert charge.expires_at is not None  # noqa: S101
    return Charge(charge.amount, charge.expires_at, paid=charge.transfer_id is not None)


async def pay(tx: AsyncSession, paid: Sequence[tuple[PixQrCode, UUID]], *, now: datetime) -> None:
    """Write down which transfer paid which charge, and tell it."""
    for charge, transfer_id in paid:
        charge.transfer_id, charge.paid_at, charge.updated_at = transfer_id, now, now
        charge.version += 1
    if not paid:
        return
    await tx.flush()
    await announce(
        tx,
        [
            News(
                PAID,
                charge.tenant_id,
                charge.account_id,
                charge.id,
                charge.version,
                resources.resource(charge, QrCodeStatus.PAID),
            )
            for charge, _ in paid
        ],
        now=now,
    )
