"""The peer: the same endpoint as a textbook writes it with FastAPI and SQLAlchemy's ORM, one transaction a payment.

It is meant to be good of its kind: a session for each request, objects, a lock on the balance, everything that Lastro
writes for a payment in one commit before the answer, the same token, the same idempotency. Payees are found in the
process, as in the rows that it is compared with. What it has not: batches, permissions, problem bodies, metrics.
"""

import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.seed import PAYEE, RECIPIENT
from lastro.accounts.models import Account
from lastro.attempt import fingerprint
from lastro.auth.models import ApiToken
from lastro.auth.tokens import seal
from lastro.idempotency import StoredAnswer
from lastro.ledger.models import Balance, MovementRow
from lastro.ledger.movements import Pot, Reason
from lastro.outbox.models import PromiseRow
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.states import PaymentStatus
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import Party
from lastro.settings import Settings
from lastro.values.bank_account import BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType
from lastro.values.tax_id import TaxId
from lastro.values.time_ordered_id import new_id

OPERATION = "POST /baas/api/v1/pix/payments"

settings = Settings()
# No overflow: what is opened beyond a pool is closed after each use, and opening costs more than the payment.
engine = create_async_engine(settings.database_url, pool_size=16, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Wire(BaseModel):
    """camelCase outside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class NewPayment(Wire):
    """What the client sends."""

    account_id: UUID
    amount: Annotated[Decimal, Field(gt=0, decimal_places=2)]
    recipient_key_type: KeyType
    recipient_key_value: Annotated[str, Field(min_length=1, max_length=100)]
    description: Annotated[str | None, Field(max_length=140)] = None


class NewResource(Wire):
    """Its envelope."""

    type: Literal["pix-payments"]
    attributes: NewPayment


class NewDocument(Wire):
    """The body."""

    data: NewResource


class PaymentAttributes(Wire):
    """What the client is told."""

    account_id: UUID
    amount: float
    recipient_key_type: KeyType
    recipient_key_value: str
    description: str | None
    status: PaymentStatus
    e2e_id: str
    created_at: datetime


class PaymentResource(Wire):
    """Its envelope."""

    type: Literal["pix-payments"] = "pix-payments"
    id: UUID
    attributes: PaymentAttributes


class PaymentDocument(Wire):
    """The answer."""

    data: PaymentResource


async def get_session() -> AsyncIterator[AsyncSession]:
    """One session a request; what was not committed is rolled back."""
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_tenant(
    session: Session, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> UUID:
    """Whose token it is."""
    _, _, token_id, _ = (credentials.credentials + "___").split("_", 3)
    token = await session.get(ApiToken, token_id)
    sealed = seal(credentials.credentials[:-6], settings.token_pepper.get_secret_value().encode())
    if token is None or token.revoked_at is not None or not hmac.compare_digest(token.secret_hmac, sealed):
        raise HTTPException(401)
    return token.tenant_id


@app.post("/baas/api/v1/pix/payments", status_code=201)
async def pay(
    body: NewDocument,
    session: Session,
    tenant_id: Annotated[UUID, Depends(get_tenant)],
    idempotency_key: Annotated[str, Header()],
) -> PaymentDocument:
    """Hold the money, promise the settlement, remember the answer."""
    asked = fingerprint(OPERATION, body.model_dump(mode="json"))
    stored = await session.get(StoredAnswer, (tenant_id, OPERATION, idempotency_key))
    if stored is not None:
        if stored.fingerprint != asked:
            raise HTTPException(422, "The key was used for another question.")
        return PaymentDocument.model_validate_json(stored.body)
    wanted = body.data.attributes
    account = await session.get(Account, wanted.account_id)
    if account is None or account.tenant_id != tenant_id:
        raise HTTPException(404)
    if account.status != "ACTIVE":
        raise HTTPException(409)
    if (wanted.recipient_key_type, wanted.recipient_key_value) != (RECIPIENT.kind, RECIPIENT.value):
        raise HTTPException(422, "There is no such key.")
    provider = await session.get_one(ProviderRow, account.provider_id)
    balance = await session.get_one(Balance, account.id, with_for_update=True)
    amount, now = Money(int(wanted.amount * 100)), datetime.now(UTC)
    if balance.available < amount:
        raise HTTPException(422, "Not enough money.")
    payment = _payment(account, provider, wanted, amount, now)
    balance.available, balance.in_transit = balance.available - amount, balance.in_transit + amount
    balance.seq, balance.moved_at = balance.seq + 1, now
    answer = _document(payment)
    session.add_all(
        (
            payment,
            _movement(balance, payment),
            PromiseRow(topic="pix.payment.settle", account_id=account.id, reference=payment.id),
            StoredAnswer(
                tenant_id=tenant_id,
                operation=OPERATION,
                key=idempotency_key,
                fingerprint=asked,
                status=201,
                body=answer.model_dump_json(by_alias=True).encode(),
                created_at=now,
            ),
        )
    )
    try:
        await session.commit()
    except IntegrityError as error:
        raise HTTPException(409, "A request with this key is under way.") from error
    return answer


def _payment(account: Account, provider: ProviderRow, wanted: NewPayment, amount: Money, now: datetime) -> PixPayment:
    paying = BankAccount(provider.ispb, account.branch or "", account.account_number or "", account.type)
    return PixPayment(
        account_id=account.id,
        id=new_id(now),
        tenant_id=account.tenant_id,
        provider_id=account.provider_id,
        amount=amount,
        status=PaymentStatus.PROCESSING,
        recipient_key_type=wanted.recipient_key_type,
        recipient_key_value=wanted.recipient_key_value,
        description=wanted.description,
        e2e_id=EndToEndId.new(provider.ispb, now),
        payer=Party(account.holder_name, TaxId.parse(account.holder_document), paying),
        payee=PAYEE,
        version=1,
        created_at=now,
        updated_at=now,
    )


def _movement(balance: Balance, payment: PixPayment) -> MovementRow:
    return MovementRow(
        account_id=balance.account_id,
        seq=balance.seq,
        source=Pot.AVAILABLE,
        target=Pot.IN_TRANSIT,
        amount=payment.amount,
        reason=Reason.HOLD,
        reference=payment.id,
        available_after=balance.available,
        in_transit_after=balance.in_transit,
        posted_at=payment.created_at,
    )


def _document(payment: PixPayment) -> PaymentDocument:
    attributes = PaymentAttributes(
        account_id=payment.account_id,
        amount=payment.amount.centavos / 100,
        recipient_key_type=payment.recipient_key_type,
        recipient_key_value=payment.recipient_key_value,
        description=payment.description,
        status=payment.status,
        e2e_id=payment.e2e_id,
        created_at=payment.created_at,
    )
    return PaymentDocument(data=PaymentResource(id=payment.id, attributes=attributes))
