"""What may be done with an account's KYC file: send documents, read it, open it again for another name."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.rules import no_account
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.errors import Flaw, Unprocessable
from lastro.idempotency import find, once
from lastro.isolated import Isolated
from lastro.keyring import KeyRing
from lastro.kyc import dossier as desk
from lastro.kyc import resources, rules, safe
from lastro.kyc.dossier import Dossier
from lastro.kyc.images import Side, judged
from lastro.kyc.models import KycFile, KycImage
from lastro.kyc.order import Paper, Upload
from lastro.kyc.safe import Filed
from lastro.kyc.states import UNDER_REVIEW, DocumentKind, KycStatus
from lastro.ledger import book
from lastro.providers.features import Feature
from lastro.values.text import Invalid, Text
from lastro.values.time_ordered_id import new_id

_NO_GOOD = Text("Formato de imagem inválido ou tamanho excedido.", "Invalid image, or too large.")


async def get(tx: AsyncSession, caller: Caller, account_id: UUID) -> resources.KycDocumentAnswer:
    """The file of one of the caller's accounts, begun or not. Raises NotFound."""
    account, file = await _read(tx, caller, account_id)
    documents = await desk.documents_of(tx, account_id) if file else []
    return resources.document(account, file, documents)


async def _read(tx: AsyncSession, caller: Caller, account_id: UUID) -> tuple[Account, KycFile | None]:
    account = (await tx.execute(owned(Account, caller).where(Account.id == account_id))).scalar_one_or_none()
    if account is None:
        raise no_account()
    file = (await tx.execute(owned(KycFile, caller).where(KycFile.account_id == account_id))).scalar_one_or_none()
    return account, file


async def send(
    bank: Bank, caller: Caller, account_id: UUID, papers: Sequence[Paper], attempt: Attempt | None
) -> Answer:
    """Take documents in; a file that is complete goes to the provider. Raises NotFound, Conflict, Unprocessable,
    Unavailable."""
    async with bank.db.transaction() as tx:
        provider_id = await _refuse_early(tx, caller, account_id, attempt)
    if provider_id is not None:
        (await bank.providers.get(provider_id)).offer.demand(Feature.KYC)
    uploads = await _judged(bank.images, papers, caller.tenant_id)
    now = bank.now()
    files = await asyncio.to_thread(_filed, bank.key_ring, uploads, account_id, caller.tenant_id, now)

    async def apply(tx: AsyncSession) -> resources.KycDocumentAnswer:
        # The images first, for they take the longest: the account is locked for the rest alone.
        await tx.execute(insert(KycImage), [row for each in files for row in each.rows])
        await book.lock(tx, [account_id])
        dossier = await _take_in(tx, caller, account_id, files, now=bank.now())
        return dossier.document()

    answer = await once(bank.db, attempt, 200, now, apply)
    bank.doorbell.ring()
    return answer


async def _refuse_early(tx: AsyncSession, caller: Caller, account_id: UUID, attempt: Attempt | None) -> UUID | None:
    """Decode nothing for what is bound to be refused; the provider that would get it.

    None: a repetition, which is let through, as it is answered what it was.
    """
    if attempt and await find(tx, [attempt]):
        return None
    account, file = await _read(tx, caller, account_id)
    refusal = rules.may_send(account.status, file.status if file else KycStatus.NOT_STARTED)
    if refusal is not None:
        raise refusal
    return account.provider_id


async def _judged(isolated: Isolated, papers: Sequence[Paper], tenant_id: UUID) -> Sequence[Upload]:
    """Look at every side, so that all that is wrong is told at once. Raises Unprocessable."""
    sides = [
        (number, name, paper.type, text)
        for number, paper in enumerate(papers)
        for name, text in (("front", paper.front), ("back", paper.back))
        if text is not None
    ]
    found = await asyncio.gather(
        *(
            judged(isolated, text, pdf=kind is not DocumentKind.SELFIE, tenant_id=tenant_id)
            for _, _, kind, text in sides
        ),
        return_exceptions=True,
    )
    good: dict[tuple[int, str], Side] = {}
    flaws: list[Flaw] = []
    for (number, name, _, _), side in zip(sides, found, strict=True):
        if isinstance(side, Invalid):
            flaws.append(Flaw(side.text, pointer=f"/data/attributes/documents/{number}/{name}"))
        elif isinstance(side, BaseException):
            raise side
        else:
            good[number, name] = side
    if flaws:
        raise Unprocessable(_NO_GOOD, flaws=flaws)
    return [
        Upload(paper.type, good[number, "front"], good.get((number, "back"))) for number, paper in enumerate(papers)
    ]


def _filed(
    keys: KeyRing, uploads: Sequence[Upload], account_id: UUID, tenant_id: UUID, now: datetime
) -> Sequence[Filed]:
    return [
        safe.filed(keys, upload, account_id=account_id, tenant_id=tenant_id, document_id=new_id(now), now=now)
        for upload in uploads
    ]


async def _take_in(
    tx: AsyncSession, caller: Caller, account_id: UUID, files: Sequence[Filed], *, now: datetime
) -> Dossier:
    """The balance is locked; lock account and file, judge again, and say what the file is now."""
    query = owned(Account, caller).where(Account.id == account_id).with_for_update(key_share=True)
    account = (await tx.execute(query)).scalar_one_or_none()
    if account is None:
        raise no_account()
    dossier = await desk.locked(tx, account)
    refusal = rules.may_send(account.status, dossier.file.status if dossier else KycStatus.NOT_STARTED)
    if refusal is not None:
        raise refusal
    if dossier is None:
        dossier = desk.begun(tx, account, file_id=resources.file_id(account_id), now=now)
    await desk.file_uploads(tx, dossier, [(each.document_id, each.upload) for each in files], now=now)
    wanted = rules.lacking(account.holder_document_type, dossier.states)
    if wanted:
        note = rules.note(wanted, dossier.states)
        await desk.cross(tx, dossier, KycStatus.REQUIRES_UPDATE, note=note, now=now)
    else:
        await desk.submit(tx, dossier, now=now)
    return dossier


async def renamed(tx: AsyncSession, account_id: UUID, now: datetime) -> None:
    """The holder has another name: whoever was checked was checked under the old one. The account row is locked."""
    account = (await tx.execute(select(Account).where(Account.id == account_id))).scalar_one()
    dossier = await desk.locked(tx, account)
    if dossier is None:
        return
    if dossier.file.status in UNDER_REVIEW:
        await desk.submit(tx, dossier, now=now)
        return
    holder = account.holder_document_type
    old = [
        each
        for each in dossier.documents
        if each.type in rules.bears_the_name(holder).kinds and each.status is KycStatus.APPROVED
    ]
    for each in old:
        each.status = KycStatus.REQUIRES_UPDATE
    if dossier.file.status is KycStatus.APPROVED:
        note = rules.note_of_another_name(holder)
        await desk.cross(tx, dossier, KycStatus.REQUIRES_UPDATE, note=note, now=now)
    elif dossier.file.status is KycStatus.REQUIRES_UPDATE and old:
        note = rules.note(rules.lacking(holder, dossier.states), dossier.states)
        await desk.cross(tx, dossier, KycStatus.REQUIRES_UPDATE, note=note, now=now)
