"""Shows our charges to the banks of those who pay them: each under its unguessable address, signed."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.bank import Bank
from lastro.pix.keys.models import PixKeyRow
from lastro.pix.keys.states import KeyStage
from lastro.pix.qrcodes import charge as payload
from lastro.pix.qrcodes.charge import Charge, ChargeStatus
from lastro.pix.qrcodes.models import PixQrCode, QrCodeLocation
from lastro.values.pix_key import PixKey

JWKS_PATH = "/.well-known/jwks.json"

_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Published:
    """A charge of ours. `removed`: its key is the account's no longer, so nobody can pay it."""

    code: PixQrCode
    removed: bool


async def find(tx: AsyncSession, token: str) -> Published | None:
    """The charge at an address of ours."""
    if not _TOKEN.fullmatch(token):
        return None
    query = (
        select(PixQrCode)
        .join(
            QrCodeLocation,
            (QrCodeLocation.account_id == PixQrCode.account_id) & (QrCodeLocation.qrcode_id == PixQrCode.id),
        )
        .where(QrCodeLocation.token == token)
    )
    code = (await tx.execute(query)).scalar_one_or_none()
    if code is None:
        return None
    holds = select(PixKeyRow.id).where(
        PixKeyRow.account_id == code.account_id,
        PixKeyRow.value == code.key_value,
        PixKeyRow.stage == KeyStage.ACTIVE,
    )
    return Published(code, removed=(await tx.execute(holds.limit(1))).first() is None)


async def envelope(bank: Bank, token: str) -> str | None:
    """The charge as a signed JWS; None when there is none, or nobody to sign it.

    An expired or paid one is shown too, and says so: whoever reads it must judge.
    """
    signer = bank.publication.signer
    if signer is None:
        return None
    async with bank.db.transaction() as tx:
        found = await find(tx, token)
    if found is None:
        return None
    now = bank.now()
    return signer.sign(payload.write(_charge(found), presented_at=now), key_set=_key_set(bank))


def _charge(found: Published) -> Charge:
    code = found.code
    assert code.expires_at is not None  # noqa: S101 - a CHECK says so
    return Charge(
        txid=code.txid,
        key=PixKey(code.key_type, code.key_value),
        amount=code.amount,
        status=_status(code.paid_at, removed=found.removed),
        created_at=code.created_at,
        expires_at=code.expires_at,
        description=code.description,
    )


def _status(paid_at: datetime | None, *, removed: bool) -> ChargeStatus:
    if paid_at is not None:
        return ChargeStatus.PAID
    return ChargeStatus.REMOVED_BY_ITS_BANK if removed else ChargeStatus.ACTIVE


def _key_set(bank: Bank) -> str:
    authority = bank.publication.location.partition("/")[0]
    return f"{bank.publication.scheme}://{authority}{JWKS_PATH}"
