"""One account's file as it lies on the desk: its rows, locked, and the steps that may be taken with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.kyc import resources
from lastro.kyc.models import KycDocument, KycFile, KycSubmission
from lastro.kyc.order import Upload
from lastro.kyc.states import EDGES, DocumentKind, KycStatus
from lastro.outbox import queue
from lastro.outbox.queue import Promise
from lastro.values.time_ordered_id import new_id
from lastro.webhooks.announce import News, announce

SUBMIT = "kyc.submit"
"""The promise to bring a complete file to the provider; its reference is the submission's id."""


@dataclass(slots=True)
class Dossier:
    """The account, its file, and of each kind the document that counts."""

    account: Account
    file: KycFile
    documents: list[KycDocument]

    @property
    def states(self) -> Mapping[DocumentKind, KycStatus]:
        """How each document stands."""
        return {each.type: each.status for each in self.documents}

    def document(self) -> resources.KycDocumentAnswer:
        """The answer about it."""
        return resources.document(self.account, self.file, self.documents)


async def documents_of(tx: AsyncSession, account_id: UUID) -> list[KycDocument]:
    """Those that were not superseded."""
    query = select(KycDocument).where(KycDocument.account_id == account_id, KycDocument.superseded_at.is_(None))
    return list((await tx.execute(query)).scalars())


async def locked(tx: AsyncSession, account: Account) -> Dossier | None:
    """The file of an account, locked until the end of `tx`; None when nothing was sent yet."""
    query = select(KycFile).where(KycFile.account_id == account.id).with_for_update(key_share=True)
    file = (await tx.execute(query)).scalar_one_or_none()
    return None if file is None else Dossier(account, file, await documents_of(tx, account.id))


async def read(tx: AsyncSession, account: Account) -> Dossier:
    """The file of an account that has one, as it is at this moment."""
    file = (await tx.execute(select(KycFile).where(KycFile.account_id == account.id))).scalar_one()
    return Dossier(account, file, await documents_of(tx, account.id))


def begun(tx: AsyncSession, account: Account, *, file_id: UUID, now: datetime) -> Dossier:
    """A new file, with nothing in it. The account must be locked: it has one file."""
    file = KycFile(
        account_id=account.id,
        id=file_id,
        tenant_id=account.tenant_id,
        status=KycStatus.NOT_STARTED,
        submission=0,
        version=0,
        created_at=now,
        updated_at=now,
    )
    tx.add(file)
    return Dossier(account, file, [])


async def file_uploads(
    tx: AsyncSession, dossier: Dossier, uploads: Sequence[tuple[UUID, Upload]], *, now: datetime
) -> None:
    """Put documents into the file, each in the place of an older one of its kind."""
    kinds = {upload.type for _, upload in uploads}
    for old in dossier.documents:
        if old.type in kinds:
            old.superseded_at = now
    if dossier.file.status is not KycStatus.NOT_STARTED:
        await tx.flush()  # the old must have gone before the new can take its place
    new = [
        KycDocument(
            account_id=dossier.account.id,
            id=document_id,
            tenant_id=dossier.account.tenant_id,
            type=upload.type,
            status=KycStatus.PENDING,
            uploaded_at=now,
        )
        for document_id, upload in uploads
    ]
    tx.add_all(new)
    dossier.documents = [each for each in dossier.documents if each.superseded_at is None] + new


async def submit(tx: AsyncSession, dossier: Dossier, *, now: datetime) -> None:
    """Promise to bring the file to the provider as it is now. What is said of older submissions is void."""
    submission = await enter(tx, dossier, now=now)
    await queue.promise(tx, [Promise(SUBMIT, dossier.account.id, submission.id)])


async def enter(tx: AsyncSession, dossier: Dossier, *, now: datetime) -> KycSubmission:
    """Write down that the file as it is now is what counts."""
    account, file = dossier.account, dossier.file
    file.submission += 1
    submission = KycSubmission(
        account_id=account.id,
        number=file.submission,
        id=new_id(now),
        tenant_id=account.tenant_id,
        holder_name=account.holder_name,
        created_at=now,
    )
    tx.add(submission)
    for each in dossier.documents:
        if each.status is KycStatus.IN_PROGRESS:
            each.status = KycStatus.PENDING
    await cross(tx, dossier, KycStatus.PENDING, note=None, now=now)
    return submission


async def cross(tx: AsyncSession, dossier: Dossier, to: KycStatus, *, note: str | None, now: datetime) -> None:
    """Take one step of the file's life: the status and its news land together."""
    file = dossier.file
    edge = EDGES[file.status, to]
    file.status, file.review_note = to, note
    file.version += 1
    file.updated_at = now
    await tx.flush()
    if edge.emits is not None:
        resource = resources.resource(dossier.account, file, dossier.documents)
        news = News(edge.emits, file.tenant_id, file.account_id, file.id, file.version, resource)
        await announce(tx, [news], now=now)
