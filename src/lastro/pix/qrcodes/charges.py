"""Charges when money arrives for them: found, judged, told as paid."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.pix.qrcodes import resources
from lastro.pix.qrcodes.models import PixQrCode
from lastro.pix.qrcodes.rules import Charge
from lastro.pix.qrcodes.states import QrCodeStatus, QrCodeType
from lastro.webhooks.announce import frozen

PAID = "pix.qrcode.paid"


async def find(tx: AsyncSession, named: Collection[tuple[UUID, str]]) -> Mapping[tuple[UUID, str], PixQrCode]:
    """The dynamic codes among these pairs of account and txid."""
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
    return Charge(
        charge.amount, charge.expires_at, paid=charge.transfer_id is not None, over=charge.expired_at is not None
    )


def told_as_paid(charge: PixQrCode, *, now: datetime) -> bytes:
    """The news that it is paid now, which makes another version of it."""
    return frozen(PAID, resources.resource(charge, QrCodeStatus.PAID), version=charge.version + 1, now=now)
