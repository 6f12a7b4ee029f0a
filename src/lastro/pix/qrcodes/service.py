"""What may be done with codes: make one, find it again with what was paid through it, read anybody's."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.rules import no_account
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank, Publication
from lastro.errors import BankError, NotFound
from lastro.idempotency import find, once
from lastro.pix.keys.models import PixKeyRow
from lastro.pix.keys.states import KeyStage
from lastro.pix.lookups import service as lookups
from lastro.pix.lookups.service import Wanted
from lastro.pix.qrcodes import resources, rules
from lastro.pix.qrcodes.decoding import understand
from lastro.pix.qrcodes.image import drawn
from lastro.pix.qrcodes.models import ARRIVED, PixQrCode, QrCodeLocation
from lastro.pix.qrcodes.order import CodeOrder
from lastro.pix.qrcodes.resources import CodePayment, DecodedDocument, QrCodeDocument, ReadDocument
from lastro.pix.qrcodes.states import QrCodeType, status_of
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.providers.offer import Offer
from lastro.providers.protocol import MadeCode, Party, WantedCode
from lastro.values import brcode
from lastro.values.brcode import LONGEST_CITY, LONGEST_NAME, DynamicCode, StaticCode, fold
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.random_text import letters_and_digits
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id

DIRECTORY_SECONDS = 3.0
MOST_PAYMENTS = 100
"""Of one code, the newest; /pix/transfers lists them all."""

_NO_CODE = Text("QR Code não encontrado.", "QR code not found.")
_TXID_LENGTHS = {QrCodeType.STATIC: 25, QrCodeType.DYNAMIC: 32}  # at most 25 in a BR Code, 26 to 35 in API Pix
_NAMELESS = "RECEBEDOR"  # for a holder whose name has no letter that a code can hold


async def create(bank: Bank, caller: Caller, order: CodeOrder, attempt: Attempt | None) -> Answer:
    """Make a code for an account, or have its provider make it. Raises NotFound, Conflict, Unprocessable,
    ProviderUnavailable."""
    offer, made = await _made_elsewhere(bank, caller, order, attempt)

    async def apply(tx: AsyncSession) -> QrCodeDocument:
        account = await _receiving(tx, caller, order.account_id)
        if offer is None:  # opened just now
            raise no_account("/data/attributes/accountId")
        key = await _key_of(tx, account.id)
        signed = bank.publication.signer is not None
        refusal = rules.may_be_made(
            order.type, account.status, elsewhere=made is not None, has_key=key is not None, signed=signed
        )
        if refusal is not None:
            raise refusal
        offer.demand(Feature.PIX_RECEIVE)
        if made is not None:
            code = _taken_over(order, account, *made)
        else:
            assert key is not None  # noqa: S101 - the rule has seen to it
            code = _made(order, account, key, bank.publication, bank.now())
            if code.location_token is not None:
                tx.add(QrCodeLocation(token=code.location_token, account_id=code.account_id, qrcode_id=code.id))
        tx.add(code)
        await tx.flush()
        return resources.made(code, await drawn(code.text))

    return await once(bank.db, attempt, 201, bank.now(), apply)


async def _made_elsewhere(
    bank: Bank, caller: Caller, order: CodeOrder, attempt: Attempt | None
) -> tuple[Offer | None, tuple[MadeCode, UUID, datetime] | None]:
    """What the account's provider does for us, and the code that it made, under the id that ours will have.

    No code: we make it ourselves, or the request is a repetition, which is answered what it was, or there is no such
    account. What comes of a call whose end nobody sees is a code at the provider that nobody is ever shown.
    """
    query = owned(Account, caller).where(Account.id == order.account_id)
    query = query.join_from(Account, ProviderRow, ProviderRow.id == Account.provider_id)
    async with bank.db.reading() as tx:
        found = (
            await tx.execute(query.with_only_columns(Account.holder_name, Account.status, ProviderRow))
        ).one_or_none()
        if found is None:
            return None, None
        name, status, row = found
        offer = bank.providers.offer_of(row)
        if Feature.PIX_QRCODE not in offer.features or (attempt and await find(tx, [attempt])):
            return offer, None
    refusal = rules.may_be_made(order.type, status, elsewhere=True, has_key=False, signed=False)
    if refusal is not None:
        raise refusal
    offer.demand(Feature.PIX_RECEIVE, Feature.PIX_QRCODE)
    now = bank.now()
    wanted = WantedCode(new_id(now), name, order.amount, order.description, order.lifetime)
    provider = await bank.providers.get(row.id)
    return offer, (await provider.speaks.make_code(wanted), wanted.id, now)


async def _receiving(tx: AsyncSession, caller: Caller, account_id: UUID) -> Account:
    """The account, held as it is: who closes or blocks it waits for us. Its balance is not locked, so nobody else does.

    Raises NotFound.
    """
    query = owned(Account, caller).where(Account.id == account_id).with_for_update(read=True)
    account = (await tx.execute(query)).scalar_one_or_none()
    if account is None:
        raise no_account("/data/attributes/accountId")
    return account


async def _key_of(tx: AsyncSession, account_id: UUID) -> PixKey | None:
    """The key that the account is paid under: a random one tells strangers nothing; else its oldest."""
    row = (
        await tx.execute(
            select(PixKeyRow.type, PixKeyRow.value)
            .where(PixKeyRow.account_id == account_id, PixKeyRow.stage == KeyStage.ACTIVE)
            .order_by(PixKeyRow.type != KeyType.EVP, PixKeyRow.created_at, PixKeyRow.id)
            .limit(1)
        )
    ).one_or_none()
    return PixKey(row.type, row.value) if row is not None and row.value is not None else None


def _made(order: CodeOrder, account: Account, key: PixKey, publication: Publication, now: datetime) -> PixQrCode:
    txid = letters_and_digits(_TXID_LENGTHS[order.type])
    token = secrets.token_hex(16) if order.type is QrCodeType.DYNAMIC else None
    name = fold(account.holder_name, LONGEST_NAME) or _NAMELESS
    city = fold(publication.city, LONGEST_CITY)
    says = (
        StaticCode(key, order.amount, name, city, txid, order.description)
        if token is None
        else DynamicCode(f"{publication.location}/{token}", name, city)
    )
    return PixQrCode(
        account_id=account.id,
        id=new_id(now),
        tenant_id=account.tenant_id,
        provider_id=account.provider_id,
        type=order.type,
        amount=order.amount,
        description=order.description,
        key_type=key.kind,
        key_value=key.value,
        txid=txid,
        text=brcode.write(says),
        location_token=token,
        expires_at=None if order.lifetime is None else now + order.lifetime,
        version=1,
        created_at=now,
        updated_at=now,
    )


def _taken_over(order: CodeOrder, account: Account, made: MadeCode, code_id: UUID, now: datetime) -> PixQrCode:
    """A provider's code among ours. It publishes the charge: we know its address, and answer under none of our own."""
    said = brcode.read(made.text)
    return PixQrCode(
        account_id=account.id,
        id=code_id,
        tenant_id=account.tenant_id,
        provider_id=account.provider_id,
        type=order.type,
        amount=order.amount,
        description=order.description,
        key_type=made.key.kind,
        key_value=made.key.value,
        txid=made.txid,
        text=made.text,
        location_token=said.location.rpartition("/")[2] if isinstance(said, DynamicCode) else None,
        expires_at=made.expires_at,
        version=1,
        created_at=now,
        updated_at=now,
    )


async def get(bank: Bank, caller: Caller, code_id: UUID) -> ReadDocument:
    """One code of the caller's, drawn anew, with the newest payments through it. Raises NotFound."""
    async with bank.db.transaction() as tx:
        query = owned(PixQrCode, caller).where(PixQrCode.id == code_id)
        code = (await tx.execute(query)).scalar_one_or_none()
        if code is None:
            raise NotFound(_NO_CODE)
        payments = await _payments_of(tx, code)
    status = status_of(code.paid_at, code.expires_at, bank.now())
    return resources.read(code, status, await drawn(code.text), payments)


async def _payments_of(tx: AsyncSession, code: PixQrCode) -> Sequence[CodePayment]:
    """What arrived with the code's txid; of a charge, only its one payment."""
    arrived = select(ARRIVED).where(ARRIVED.c.account_id == code.account_id)
    if code.type is QrCodeType.DYNAMIC:
        arrived = arrived.where(ARRIVED.c.id == code.transfer_id)
    else:
        arrived = arrived.where(ARRIVED.c.txid == code.txid)
    rows = await tx.execute(arrived.order_by(ARRIVED.c.created_at.desc(), ARRIVED.c.id.desc()).limit(MOST_PAYMENTS))
    return [
        CodePayment(transfer_id=row.id, e2e_id=row.e2e_id, amount=row.amount_centavos, paid_at=row.created_at)
        for row in rows
    ]


async def decode(bank: Bank, caller: Caller, text: str) -> DecodedDocument:
    """Tell a client what a code asks, and who would be paid. Raises InvalidQrCode, ProviderUnavailable."""
    decoded = await understand(bank, text)
    payee = decoded.own.payee if decoded.own is not None else await _looked_up(bank, caller, decoded.key)
    return resources.decoded(decoded, payee)


async def _looked_up(bank: Bank, caller: Caller, key: PixKey | None) -> Party | None:
    """Who the directory says it is. The code can be read without it: a miss, a limit or silence is no error here.

    Nor is a token that is bound to accounts, for which nobody asks in the company's name.
    """
    if key is None:
        return None
    try:
        async with asyncio.timeout(DIRECTORY_SECONDS):
            return (await lookups.lookup(bank, caller, Wanted(key, None))).owner.party
    except (BankError, TimeoutError):
        return None
