"""What may be done with providers: add one, change it, make it the default one, take it away."""

import dataclasses
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.database import constraint_of
from lastro.errors import Conflict, Flaw
from lastro.idempotency import once
from lastro.keyring import CannotOpen
from lastro.paging import Found, page_of
from lastro.providers import credentials
from lastro.providers.directory import Adapter, access, no_provider
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.providers.states import ProviderStatus
from lastro.tenants.models import Tenant
from lastro.tenants.providers import resources, rules
from lastro.tenants.providers.order import Alteration, NewProvider, Terms
from lastro.tenants.providers.resources import ProviderDocument, ProviderQuery
from lastro.values.bank_account import AccountType
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id

_CODE_TAKEN = Text("Já existe um provedor com este código.", "There is a provider with this code already.")
_HAS_ACCOUNTS = Text("O provedor tem contas.", "The provider has accounts.")
_IS_DEFAULT = Text(
    "É o provedor padrão: torne outro o padrão antes.",
    "It is the default provider: make another one the default first.",
)
_NOT_ACTIVE = Text("O provedor não está ativo.", "The provider is not active.")
_NO_ADAPTER = Text("O adaptador deste provedor não existe mais.", "This provider's adapter is no longer there.")
_LOST = Text(
    "As credenciais guardadas não podem ser abertas: envie-as de novo.",
    "The credentials that are kept can not be opened: send them again.",
)


def drawn_up(bank: Bank, tenant_id: UUID, wanted: NewProvider, provider_id: UUID, now: datetime) -> ProviderRow:
    """A provider as it will be written, whoever adds it. Raises Validation, Unprocessable."""
    adapter = rules.adapter_of(wanted, bank.providers.adapters)
    row = ProviderRow(
        id=provider_id,
        tenant_id=tenant_id,
        ispb=wanted.ispb,
        adapter=wanted.adapter,
        house=wanted.ispb if adapter.one_book else str(provider_id),
        version=1,
        created_at=now,
    )
    _write(bank, row, wanted.terms, adapter, now)
    return row


def _write(bank: Bank, row: ProviderRow, terms: Terms, adapter: Adapter, now: datetime) -> None:
    """Judge the terms, and put them into the row. Raises Validation, Unprocessable."""
    refusal = rules.refusal_of(terms, adapter)
    if refusal is not None:
        raise refusal
    row.name, row.code, row.type, row.status = terms.name, terms.code, terms.type, terms.status
    row.supported_features = None if terms.features is None else [*terms.features]
    row.account_types = [*(AccountType if terms.account_types is None else terms.account_types)]
    row.strict_documents, row.hides_accounts = terms.strict_documents, terms.hides_accounts
    row.settings, row.extra, row.updated_at = dict(terms.settings), terms.metadata, now
    rules.try_access(adapter, access(row, terms.credentials))
    row.credentials = row.credentials_key_id = None
    if terms.credentials:
        sealed = credentials.seal(bank.key_ring, row.id, terms.credentials)
        row.credentials, row.credentials_key_id = sealed.ciphertext, sealed.key_id


async def add(tx: AsyncSession, row: ProviderRow) -> None:
    """Write it. Raises Conflict for a code that another provider of the tenant has."""
    tx.add(row)
    await _flush(tx)


async def _flush(tx: AsyncSession) -> None:
    try:
        await tx.flush()
    except IntegrityError as error:
        name = constraint_of(error) or ""
        if name == "uq_providers_tenant_id_code":
            raise Conflict(_CODE_TAKEN, flaws=[Flaw(_CODE_TAKEN, pointer="/data/attributes/code")]) from error
        if name.startswith("fk_"):
            raise Conflict(_HAS_ACCOUNTS) from error
        raise


async def create(bank: Bank, caller: Caller, wanted: NewProvider, attempt: Attempt | None) -> Answer:
    """Add a provider. Raises Forbidden, Validation, Unprocessable, Conflict."""
    caller.demand_the_whole_tenant()
    now = bank.now()

    async def apply(tx: AsyncSession) -> ProviderDocument:
        row = drawn_up(bank, caller.tenant_id, wanted, new_id(now), now)
        await add(tx, row)
        return resources.document(row, bank.providers.offer_of(row), is_default=False)

    return await once(bank.db, attempt, 201, now, apply)


async def get(bank: Bank, caller: Caller, provider_id: UUID) -> ProviderDocument:
    """One provider of the caller's. Raises Forbidden, NotFound."""
    async with bank.db.reading() as tx:
        row = await _read(tx, caller, provider_id)
        default = await _default_of(tx, caller)
    return resources.document(row, bank.providers.offer_of(row), is_default=row.id == default)


async def search(bank: Bank, caller: Caller, query: ProviderQuery) -> resources.ProviderCollection:
    """The caller's providers under the query's filters, newest first. Raises Forbidden."""
    filters: list[ColumnElement[bool]] = [
        column == wanted
        for column, wanted in (
            (ProviderRow.status, query.status),
            (ProviderRow.type, query.type),
            (ProviderRow.adapter, query.adapter),
            (ProviderRow.code, query.code),
        )
        if wanted is not None
    ]
    async with bank.db.reading() as tx:
        order = [ProviderRow.created_at, ProviderRow.id]
        found: Found[ProviderRow] = await page_of(tx, owned(ProviderRow, caller), filters, order, query.page())
        default = await _default_of(tx, caller)
    return resources.listing(found, {row.id: bank.providers.offer_of(row) for row in found.rows}, query, default)


async def change(bank: Bank, caller: Caller, provider_id: UUID, alteration: Alteration) -> ProviderDocument:
    """Change what was mentioned; other processes know it within a second.

    Raises Forbidden, NotFound, Validation, Unprocessable, Conflict.
    """
    async with bank.db.transaction() as tx:
        row = await _read(tx, caller, provider_id, locked=True)
        adapter = bank.providers.adapters.get(row.adapter)
        if adapter is None:
            raise Conflict(_NO_ADAPTER)
        _write(bank, row, _changed(bank, row, adapter, alteration), adapter, bank.now())
        row.version += 1
        await _flush(tx)
        default = await _default_of(tx, caller)
    bank.providers.forget(provider_id)
    return resources.document(row, bank.providers.offer_of(row), is_default=row.id == default)


def _changed(bank: Bank, row: ProviderRow, adapter: Adapter, alteration: Alteration) -> Terms:
    """The terms as they stand, with the changes: what results is judged like a new provider."""
    kept: dict[str, Any] = {}
    if "credentials" not in alteration:
        try:
            kept["credentials"] = credentials.opened(bank.key_ring, row)
        except CannotOpen as error:
            raise Conflict(_LOST) from error
    features = None
    if row.supported_features is not None:  # an adapter that has learnt to do less changes nobody's wishes
        features = tuple(each for each in map(Feature, row.supported_features) if each in adapter.features)
    types = tuple(each for each in map(AccountType, row.account_types) if each in adapter.account_types)
    standing = Terms(
        name=row.name,
        code=row.code,
        type=row.type,
        status=row.status,
        features=features,
        account_types=types,
        strict_documents=row.strict_documents,
        hides_accounts=row.hides_accounts,
        settings=row.settings,
        metadata=row.extra,
        **kept,
    )
    return dataclasses.replace(standing, **alteration)


async def make_default(bank: Bank, caller: Caller, provider_id: UUID, attempt: Attempt | None) -> Answer:
    """From now on an account that names no provider opens here. Raises Forbidden, NotFound, Conflict."""

    async def apply(tx: AsyncSession) -> ProviderDocument:
        tenant = await _locked_tenant(tx, caller)
        row = await _read(tx, caller, provider_id, locked=True)
        if row.status is not ProviderStatus.ACTIVE:
            raise Conflict(_NOT_ACTIVE)
        tenant.default_provider_id = provider_id
        await tx.flush()
        return resources.document(row, bank.providers.offer_of(row), is_default=True)

    return await once(bank.db, attempt, 200, bank.now(), apply)


async def remove(bank: Bank, caller: Caller, provider_id: UUID) -> None:
    """Take away a provider that never had an account. Raises Forbidden, NotFound, Conflict."""
    async with bank.db.transaction() as tx:
        row = await _read(tx, caller, provider_id)
        # In the order of `make_default`: the tenant first.
        if (await _locked_tenant(tx, caller)).default_provider_id == provider_id:
            raise Conflict(_IS_DEFAULT)
        await tx.delete(row)
        await _flush(tx)
    bank.providers.forget(provider_id)


async def _read(tx: AsyncSession, caller: Caller, provider_id: UUID, *, locked: bool = False) -> ProviderRow:
    query = owned(ProviderRow, caller).where(ProviderRow.id == provider_id)
    row = (await tx.execute(query.with_for_update(key_share=True) if locked else query)).scalar_one_or_none()
    if row is None:
        raise no_provider()
    return row


async def _locked_tenant(tx: AsyncSession, caller: Caller) -> Tenant:
    query = select(Tenant).where(Tenant.id == caller.tenant_id).with_for_update(key_share=True)
    return (await tx.execute(query)).scalar_one()


async def _default_of(tx: AsyncSession, caller: Caller) -> UUID | None:
    query = select(Tenant.default_provider_id).where(Tenant.id == caller.tenant_id)
    return (await tx.execute(query)).scalar_one()
