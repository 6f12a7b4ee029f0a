"""A new key in front of the old one: whatever the old one sealed is sealed anew, once."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select

from conftest import ENCRYPTION_KEYS
from lastro.bank import Bank
from lastro.keyring import KeyRing
from lastro.kyc import safe
from lastro.kyc.images import MediaType, Side
from lastro.kyc.models import KycImage
from lastro.kyc.order import Upload
from lastro.kyc.resealing import reseal
from lastro.kyc.states import DocumentKind
from lastro.wiring import Assembly

NEWER = f"newer:{'A' * 43}=,{ENCRYPTION_KEYS}"
ACCOUNT = uuid4()


@pytest.fixture
async def bank(quiet: Assembly) -> AsyncIterator[Bank]:
    """Twenty images under the old key."""
    bank = quiet.bank
    sides = [Upload(DocumentKind.RG, Side(bytes([number]), MediaType.PDF, None, None), None) for number in range(20)]
    made = [
        safe.filed(bank.key_ring, each, account_id=ACCOUNT, tenant_id=uuid4(), document_id=uuid4(), now=bank.now())
        for each in sides
    ]
    async with bank.db.transaction() as tx:
        await tx.execute(insert(KycImage), [row for each in made for row in each.rows])
    yield bank
    bank.key_ring = KeyRing.parse(ENCRYPTION_KEYS)


async def images(bank: Bank) -> dict[UUID, KycImage]:
    async with bank.db.transaction() as tx:
        found = (await tx.execute(select(KycImage).where(KycImage.account_id == ACCOUNT))).scalars()
        return {each.document_id: each for each in found}


async def test_everything_is_sealed_anew_once_and_means_the_same(bank: Bank) -> None:
    before = await images(bank)
    assert await reseal(bank) == 0
    bank.key_ring = KeyRing.parse(NEWER)

    done = await reseal(bank)

    after = await images(bank)
    assert done == len(before) == len(after)
    assert {each.key_id for each in after.values()} == {"newer"}
    newest_alone = KeyRing.parse(NEWER.split(",", maxsplit=1)[0])
    for document_id, image in after.items():
        assert safe.content_of(newest_alone, image) == safe.content_of(bank.key_ring, before[document_id])
        assert image.sha256 == before[document_id].sha256
    assert await reseal(bank) == 0


async def test_the_application_can_not_forget_an_image(bank: Bank) -> None:
    from sqlalchemy.exc import ProgrammingError

    with pytest.raises(ProgrammingError, match="permission denied"):
        async with bank.db.transaction() as tx:
            await tx.execute(delete(KycImage))
