"""Asks the directory who stands behind a key, for a client, and charges the question first."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro import metrics
from lastro.accounts.models import Account
from lastro.accounts.rules import NOT_ACTIVE, no_account
from lastro.accounts.states import AccountStatus
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.errors import (
    BankError,
    Conflict,
    KeyNotFound,
    RateLimited,
    Unprocessable,
)
from lastro.pix.keys.holders import Holder
from lastro.pix.lookups.budgets import Asker, Purpose
from lastro.pix.lookups.metering import COST_OF_FOUND, Question, after, priced
from lastro.pix.lookups.models import PixLookup
from lastro.providers.directory import ProviderFacts
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import KeyOwner, Party
from lastro.providers.refusals import NO_SUCH_KEY
from lastro.tenants.models import Tenant
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Text as Sentence

KEPT_FOR = timedelta(minutes=15)
"""How long a payment may go out under the id of a lookup."""

_NO_PROVIDER = Sentence(
    "Não há provedor para consultar: informe accountId ou cadastre um provedor.",
    "There is no provider to ask: give an accountId, or have a provider added.",
)


@dataclass(frozen=True, slots=True)
class Found:
    """Who stands behind a key. `payee_account_id`: our own customer, at the very participant that asks."""

    owner: KeyOwner
    payee_account_id: UUID | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client wants to know; with an account of its own, for a payment that may follow."""

    key: PixKey
    account_id: UUID | None


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The answer to a client. `end_to_end_id` is for a payment of the account that was named."""

    owner: KeyOwner
    end_to_end_id: EndToEndId | None
    hides_account: bool


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an account was told under an end-to-end id."""

    key: PixKey
    payee: Party
    payee_account_id: UUID | None
    created_at: datetime

    def has_expired(self, now: datetime) -> bool:
        """Whether it is too old for a payment."""
        return now - self.created_at > KEPT_FOR


async def ask(
    bank: Bank,
    provider: ProviderFacts,
    key: PixKey,
    *,
    payer_tax_id: TaxId,
    tenant_id: UUID,
    end_to_end_id: EndToEndId,
) -> Found:
    """Who stands behind this key, for a client who wants to know. Call it outside of any transaction.

    Our own customer costs what a foreign key does, or it would be free to find out who is a customer. Raises
    KeyNotFound, RateLimited, Unprocessable, ProviderUnavailable, Unavailable.
    """
    if provider.strict_documents and not key.has_valid_check_digits:
        raise no_key()
    asker = Asker(payer_tax_id, tenant_id, provider.ispb)
    verdict = await bank.metering.submit(Question(asker, key, provider.house))
    if isinstance(verdict, RateLimited):
        _count("refused")
        raise verdict
    if isinstance(verdict, Holder):
        _settle(bank, asker, COST_OF_FOUND)
        _count("ours")
        return Found(verdict.owner, verdict.account_id)
    try:
        owner = await provider.speaks.find_key(
            key, ispb=provider.ispb, payer_tax_id=payer_tax_id, end_to_end_id=end_to_end_id
        )
    except BankError as error:
        price, outcome = priced(error)
        _settle(bank, asker, price)
        _count(outcome)
        raise
    except asyncio.CancelledError:  # whoever asked waits no longer: silence costs nothing
        _settle(bank, asker, 0)
        raise
    _settle(bank, asker, COST_OF_FOUND)
    _count("found")
    return Found(owner, None)


def no_key() -> KeyNotFound:
    """Of a key with wrong check digits it is not charged: it tells nothing that arithmetic does not."""
    return KeyNotFound(NO_SUCH_KEY)


def _settle(bank: Bank, asker: Asker, price: int) -> None:
    entry = after(asker, price)
    if entry.tokens:
        bank.metering.leave(entry)


def _count(outcome: str) -> None:
    metrics.LOOKUPS.labels(Purpose.LOOKUP, outcome).inc()


async def lookup(bank: Bank, caller: Caller, wanted: Wanted) -> LookedUp:
    """Tell a client who stands behind a key; on behalf of an account, so that a payment may follow, or of the tenant.

    Raises Forbidden, NotFound, Conflict, KeyNotFound, RateLimited, Unprocessable, ProviderUnavailable, Unavailable.
    """
    async with bank.db.transaction() as tx:
        provider_id, payer = await _payer(tx, caller, wanted.account_id)
    provider = await bank.providers.get(provider_id)
    provider.offer.demand(Feature.PIX_LOOKUP)
    asked_at = bank.now()
    end_to_end_id = EndToEndId.new(provider.ispb, asked_at)
    found = await ask(
        bank,
        provider,
        wanted.key,
        payer_tax_id=payer,
        tenant_id=caller.tenant_id,
        end_to_end_id=end_to_end_id,
    )
    if wanted.account_id is None:
        return LookedUp(found.owner, None, provider.hides_accounts)
    end_to_end_id = found.owner.end_to_end_id or end_to_end_id
    async with bank.db.transaction() as tx:
        await _remember(tx, wanted.account_id, end_to_end_id, found, now=asked_at)
    return LookedUp(found.owner, end_to_end_id, provider.hides_accounts)


async def _payer(tx: AsyncSession, caller: Caller, account_id: UUID | None) -> tuple[UUID, TaxId]:
    """Which provider asks, and for whom: an active account's holder, or the tenant itself at its default or its oldest
    provider."""
    if account_id is not None:
        account = (await tx.execute(owned(Account, caller).where(Account.id == account_id))).scalar_one_or_none()
        if account is None:
            raise no_account("/data/attributes/accountId")
        if account.status is not AccountStatus.ACTIVE:
            raise Conflict(NOT_ACTIVE)
        return account.provider_id, TaxId(account.holder_document, account.holder_document_type)
    caller.demand_the_whole_tenant()
    row = (
        await tx.execute(
            select(ProviderRow.id, Tenant.tax_id)
            .join(Tenant, Tenant.id == ProviderRow.tenant_id)
            .where(ProviderRow.tenant_id == caller.tenant_id)
            .order_by(ProviderRow.id != Tenant.default_provider_id, ProviderRow.created_at, ProviderRow.id)
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        raise Unprocessable(_NO_PROVIDER)
    return row.id, TaxId.parse(row.tax_id)


async def _remember(
    tx: AsyncSession, account_id: UUID, end_to_end_id: EndToEndId, found: Found, *, now: datetime
) -> None:
    expired = delete(PixLookup).where(PixLookup.account_id == account_id, PixLookup.created_at < now - KEPT_FOR)
    await tx.execute(expired.execution_options(synchronize_session=False))
    tx.add(
        PixLookup(
            account_id=account_id,
            e2e_id=end_to_end_id,
            key_type=found.owner.key.kind,
            key_value=found.owner.key.value,
            owner=found.owner.party,
            payee_account_id=found.payee_account_id,
            created_at=now,
        )
    )
