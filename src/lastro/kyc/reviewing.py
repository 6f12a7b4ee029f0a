"""Keeps the promise to bring a file to the provider, and takes in what the provider's desk decides about it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.service import OPEN
from lastro.accounts.states import AccountStatus
from lastro.bank import Bank
from lastro.keyring import KeyRing
from lastro.kyc import dossier as desk
from lastro.kyc import rules, safe
from lastro.kyc.dossier import Dossier
from lastro.kyc.models import ImageSide, KycDocument, KycImage, KycSubmission
from lastro.kyc.states import UNDER_REVIEW, VERDICTS, DocumentKind, KycStatus
from lastro.ledger import book
from lastro.outbox import queue
from lastro.outbox.queue import Claimed, Concern, Promise, Waiting
from lastro.providers.protocol import Holder, KycPaper, KycReviewed, KycSide
from lastro.values.tax_id import TaxId

_AT_ONCE = 4  # files under way to the provider: each may be twenty megabytes
_SECONDS = 8.0  # after which no further file is begun: other promises wait behind these

_NO_SUCH_ACCOUNT = "AC03"


async def submit_files(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Bring each file to its provider; repeating is harmless. Says which could not be brought now, and why."""
    turns, began = asyncio.Semaphore(_AT_ONCE), time.monotonic()

    async def one(each: Claimed) -> Waiting | None:
        async with turns:
            if time.monotonic() - began > _SECONDS:
                return Waiting(each, "those before it took too long")
            try:
                await _submit(bank, each)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next file has its turn
                return Waiting(each, f"{type(error).__name__}: {error}")
            return None

    tried = await asyncio.gather(*(one(each) for each in claimed))
    return [waiting for waiting in tried if waiting is not None]


async def _submit(bank: Bank, claimed: Claimed) -> None:
    async with bank.db.transaction() as tx:
        account = (await tx.execute(select(Account).where(Account.id == claimed.account_id))).scalar_one()
        submission = await _submission(tx, claimed.account_id, claimed.reference)
        current = await desk.read(tx, account)
        wanted = submission is not None and _is_awaited(current, submission)
        images = await _images(tx, current.documents) if wanted else []
    if submission is not None and wanted:
        papers = await asyncio.to_thread(_papers, bank.key_ring, current.documents, images)
        provider = await bank.providers.get(account.provider_id)
        holder = Holder(submission.holder_name, TaxId(account.holder_document, account.holder_document_type))
        await provider.speaks.submit_kyc(
            account.id,
            holder,
            papers,
            ispb=provider.ispb,
            provider_id=provider.id,
            request_id=submission.id,
        )
    async with bank.db.transaction() as tx:
        dossier = await desk.locked(tx, account)
        if submission is not None and dossier is not None and _is_awaited(dossier, submission):
            for each in dossier.documents:
                if each.status is KycStatus.PENDING:
                    each.status = KycStatus.IN_PROGRESS
            await desk.cross(tx, dossier, KycStatus.IN_PROGRESS, note=None, now=bank.now())
        await queue.keep(tx, [claimed.id])


def _is_awaited(dossier: Dossier, submission: KycSubmission) -> bool:
    """Whether the provider must still get this: not when something newer was sent, or when it has spoken already."""
    return dossier.file.submission == submission.number and dossier.file.status is KycStatus.PENDING


async def _submission(tx: AsyncSession, account_id: UUID, submission_id: UUID) -> KycSubmission | None:
    query = select(KycSubmission).where(KycSubmission.account_id == account_id, KycSubmission.id == submission_id)
    return (await tx.execute(query)).scalar_one_or_none()


async def _images(tx: AsyncSession, documents: Sequence[KycDocument]) -> Sequence[KycImage]:
    wanted = [each for each in documents if rules.counts(each.status)]
    query = select(KycImage).where(
        KycImage.account_id.in_([each.account_id for each in wanted]),
        KycImage.document_id.in_([each.id for each in wanted]),
    )
    return (await tx.execute(query)).scalars().all()


def _papers(keys: KeyRing, documents: Sequence[KycDocument], images: Sequence[KycImage]) -> Sequence[KycPaper]:
    """Take the sides out of the safe."""
    sides = {
        (image.document_id, image.side): KycSide(image.media_type, safe.content_of(keys, image)) for image in images
    }
    return [
        KycPaper(each.type, front, sides.get((each.id, ImageSide.BACK)))
        for each in documents
        if (front := sides.get((each.id, ImageSide.FRONT))) is not None
    ]


async def hear(tx: AsyncSession, provider_id: UUID, reviewed: KycReviewed, *, now: datetime) -> str | None:
    """Take in what the provider's desk says of a submission; the reason code when it is about nothing of its own.

    A submission is decided once. What is said of it later, or of one that was superseded, changes nothing.
    """
    await book.lock(tx, [reviewed.account_id])
    query = select(Account).where(Account.id == reviewed.account_id, Account.provider_id == provider_id)
    account = (await tx.execute(query.with_for_update(key_share=True))).scalar_one_or_none()
    dossier = await desk.locked(tx, account) if account is not None else None
    submission = await _submission(tx, reviewed.account_id, reviewed.submission)
    if dossier is None or submission is None:
        return _NO_SUCH_ACCOUNT
    status = KycStatus(reviewed.status)
    if submission.verdict is not None:
        await _compare(tx, submission, status)
    elif dossier.file.submission == submission.number and dossier.file.status in UNDER_REVIEW:
        await _apply(tx, dossier, submission, reviewed, now=now)
    return None


async def _compare(tx: AsyncSession, submission: KycSubmission, status: KycStatus) -> None:
    """The first decision stands; another one is for a human."""
    if status in VERDICTS and status is not submission.verdict:
        detail = f"the KYC desk decided {submission.verdict}, then {status}"
        await queue.alert(tx, [Concern("contradiction", submission.account_id, submission.id, detail)])


async def _apply(
    tx: AsyncSession, dossier: Dossier, submission: KycSubmission, reviewed: KycReviewed, *, now: datetime
) -> None:
    file, status = dossier.file, KycStatus(reviewed.status)
    named = {DocumentKind(kind): KycStatus(verdict) for kind, verdict in reviewed.documents.items()}
    verdicts = rules.reviewed(status, named, dossier.states)
    for each in dossier.documents:
        if each.type in verdicts:
            each.status = verdicts[each.type]
            each.reviewed_at = now if each.status in VERDICTS else each.reviewed_at
    if status in VERDICTS:
        submission.verdict, submission.decided_at = status, now
    note = reviewed.note
    if status is KycStatus.REQUIRES_UPDATE and note is None:
        note = rules.note(rules.lacking(dossier.account.holder_document_type, dossier.states), dossier.states)
    if status is KycStatus.APPROVED and file.approved_at is None:
        file.approved_at = now
        dossier.account.approved_name = submission.holder_name
        if dossier.account.status is AccountStatus.PENDING:
            await queue.promise(tx, [Promise(OPEN, dossier.account.id, dossier.account.id)])
    if status is not file.status:
        await desk.cross(tx, dossier, status, note=note, now=now)
