"""Puts under the newest key what an older one sealed, so that the older one can be taken off the ring."""

import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.bank import Bank
from lastro.keyring import KeyRing, Sealed
from lastro.kyc import safe
from lastro.kyc.models import KycImage

_AT_ONCE = 8  # images in one transaction


async def reseal(bank: Bank) -> int:
    """Go through all images; says how many had an older key. May run beside a working bank, and again."""
    done = 0
    while found := await _some(bank):
        done += found
    return done


async def _some(bank: Bank) -> int:
    async with bank.db.transaction() as tx:
        images = await _older(tx, bank.key_ring.newest)
        for image, sealed in zip(images, await asyncio.to_thread(_resealed, bank.key_ring, images), strict=True):
            image.key_id, image.sealed = sealed.key_id, sealed.ciphertext
    return len(images)


async def _older(tx: AsyncSession, newest: str) -> list[KycImage]:
    query = select(KycImage).where(KycImage.key_id != newest).limit(_AT_ONCE).with_for_update(skip_locked=True)
    return list((await tx.execute(query)).scalars())


def _resealed(keys: KeyRing, images: list[KycImage]) -> list[Sealed]:
    return [safe.resealed(keys, image) for image in images]
