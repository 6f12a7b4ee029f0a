"""The KYC desk: takes documents in, approves complete files after a moment, or decides as a tester says."""

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator.book import KycCase
from lastro.simulator.delivery import announce, database_now, leased
from lastro.simulator.network import TheNetwork
from lastro.simulator.office import AccountHolder
from lastro.simulator.wire import Ispb, Refusal, Strict, answer, bad_request, conflict, fingerprint, read

router = APIRouter(prefix="/office/kyc")
steered = APIRouter(prefix="/kyc")

THINKING_TIME = timedelta(seconds=0.5)
_MOST_BYTES = 64 * 1024 * 1024
_AT_ONCE = 200
_IDENTITIES = {"RG", "CNH", "PASSPORT", "RNE"}
_COMPANY_DIGITS = 14

DocumentKind = Literal[
    "RG", "CNH", "PASSPORT", "RNE", "SELFIE", "PROOF_OF_ADDRESS", "PROOF_OF_INCOME", "ARTICLES_OF_INCORPORATION"
]
Verdict = Literal["APPROVED", "REJECTED", "REQUIRES_UPDATE"]


def _whole(value: object) -> object:
    """A side whose content is what its hash says; the content itself is not kept."""
    if isinstance(value, Mapping):
        try:
            content = b64decode(str(value.get("content")), validate=True)
        except (NotBase64, ValueError):
            raise ValueError("content não é base64") from None
        if hashlib.sha256(content).hexdigest() != value.get("sha256"):
            raise ValueError("o sha256 não é do content")
        return {**value, "content": len(content)}
    return value


class DocumentSide(Strict):
    """One side of a document; of its content, the size."""

    media_type: Literal["image/jpeg", "image/png", "application/pdf"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    content: int


Side = Annotated[DocumentSide, BeforeValidator(_whole)]


class Document(Strict):
    """A document of a submission."""

    type: DocumentKind
    front: Side
    back: Side | None = None


class Submission(Strict):
    """`POST /office/kyc`; `request_id` is Lastro's id of the submission."""

    request_id: UUID
    account_id: UUID
    provider_id: UUID
    ispb: Ispb
    holder: AccountHolder
    documents: Annotated[list[Document], Field(min_length=1, max_length=8)]


class DocumentVerdict(Strict):
    """What a tester thinks of one document."""

    type: DocumentKind
    status: Verdict


class Decision(Strict):
    """`POST /simulator/kyc/{accountId}`."""

    status: Literal["IN_PROGRESS", "APPROVED", "REJECTED", "REQUIRES_UPDATE"]
    review_note: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None
    documents: tuple[DocumentVerdict, ...] = ()


_APPROVED = Decision(status="APPROVED")


@router.post("")
async def submit(request: Request, network: TheNetwork) -> Response:
    """Take a submission in; brought again, it is the same."""
    body = await read(request, Submission, most_bytes=_MOST_BYTES)
    facts = body.model_dump(mode="json", by_alias=True)
    documents = {each["type"]: each for each in facts["documents"]}
    if len(documents) != len(body.documents):
        raise bad_request("O mesmo tipo de documento aparece duas vezes.")
    row = {
        "request_id": body.request_id,
        "account_id": body.account_id,
        "provider_id": body.provider_id,
        "fingerprint": fingerprint(facts),
        "holder_name": body.holder.name,
        "holder_tax_id": body.holder.tax_id,
        "documents": documents,
    }
    now = network.clock.now()
    async with network.book.transaction() as tx:
        # A newer submission takes the place of the older, which nobody decides about any more by itself.
        older = (KycCase.account_id == body.account_id, KycCase.request_id != body.request_id)
        made = insert(KycCase).values(**row, submitted_at=now, decide_at=now + THINKING_TIME).on_conflict_do_nothing()
        if (await tx.execute(made.returning(KycCase.request_id))).first() is not None:
            await tx.execute(update(KycCase).where(*older).values(decide_at=None))
        case = await tx.get_one(KycCase, body.request_id)
    if case.fingerprint != row["fingerprint"]:
        raise Refusal(409, "RequestIdAlreadyUsed", "O requestId já serviu para outros documentos.")
    return answer({"requestId": str(case.request_id), "status": case.status or "IN_PROGRESS"}, 202)


async def decide_due(tx: AsyncSession, now: datetime) -> bool:
    """Decide what has been thought about long enough, and tell Lastro; return whether there was any."""
    due = select(KycCase).where(KycCase.decide_at <= now).order_by(KycCase.decide_at, KycCase.request_id)
    cases = (await tx.execute(due.limit(_AT_ONCE).with_for_update(skip_locked=True))).scalars().all()
    for case in cases:
        missing = _missing(case.documents, company=len(case.holder_tax_id) == _COMPANY_DIGITS)
        decision = _APPROVED
        if missing:
            note = f"Faltam documentos: {', '.join(missing)}."
            decision = Decision.model_validate({"status": "REQUIRES_UPDATE", "reviewNote": note})
        await _decide(tx, case, decision, now, due_at=await database_now(tx))
    return bool(cases)


def _missing(documents: Mapping[str, Any], *, company: bool) -> Sequence[str]:
    wanted = ["SELFIE", "PROOF_OF_ADDRESS", *(["ARTICLES_OF_INCORPORATION"] if company else [])]
    identity = [] if _IDENTITIES & documents.keys() else ["RG, CNH, PASSPORT ou RNE"]
    return [*identity, *(each for each in wanted if each not in documents)]


@steered.post("/{account_id}")
async def decide(account_id: UUID, request: Request, network: TheNetwork) -> Response:
    """A tester decides about the newest submission of an account, and Lastro hears it at once."""
    decision = await read(request, Decision)
    async with network.book.transaction() as tx:
        newest = select(KycCase).where(KycCase.account_id == account_id).order_by(KycCase.number.desc()).limit(1)
        case = (await tx.execute(newest.with_for_update())).scalar_one_or_none()
        if case is None:
            raise conflict("A conta não enviou documentos a esta rede.")
        due_at = leased(await database_now(tx))
        notice_id = await _decide(tx, case, decision, network.clock.now(), due_at=due_at)
    await network.deliveries.deliver(notice_id)
    return answer({"accountId": str(account_id), "requestId": str(case.request_id), "status": case.status})


async def _decide(tx: AsyncSession, case: KycCase, decision: Decision, now: datetime, *, due_at: datetime) -> UUID:
    case.decide_at, case.status, case.decided_at = None, decision.status, now
    review = {
        "accountId": str(case.account_id),
        "requestId": str(case.request_id),
        "status": decision.status,
        "reviewNote": decision.review_note,
        "documents": [{"type": each.type, "status": each.status} for each in decision.documents],
    }
    message = {"type": "kyc.reviewed", "review": review}
    return announce(tx, str(case.request_id), case.provider_id, message, due_at=due_at)
