"""What an operator does with tenants and their providers, and what a tenant sees and says of itself."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.rules import CLOSED, WRONG_CHECK_DIGITS, no_account
from lastro.accounts.states import AccountStatus
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.errors import Conflict, Flaw, NotFound, Validation
from lastro.providers.directory import NETWORK
from lastro.providers.models import ProviderRow
from lastro.tenants.models import Tenant
from lastro.tenants.providers import service as providers
from lastro.tenants.providers.order import NewProvider, Terms
from lastro.values.bank_account import AccountType
from lastro.values.tax_id import TaxId
from lastro.values.text import Invalid, Text
from lastro.values.time_ordered_id import new_id

NO_TENANT = Text("Empresa não encontrada.", "Tenant not found.")
_MAIN_ACCOUNT = "/data/attributes/mainAccountId"


async def create_tenant(bank: Bank, name: str, tax_id: str) -> UUID:
    """Let a company in. Raises Validation for a document that is none."""
    try:
        document = TaxId.parse(tax_id)
    except Invalid as error:
        raise Validation(error.text, flaws=[Flaw(error.text, parameter="tax-id")]) from error
    if not document.has_valid_check_digits:
        raise Validation(WRONG_CHECK_DIGITS, flaws=[Flaw(WRONG_CHECK_DIGITS, parameter="tax-id")])
    now = bank.now()
    tenant = Tenant(id=new_id(now), name=name, tax_id=document.value, created_at=now)
    async with bank.db.transaction() as tx:
        tx.add(tenant)
    return tenant.id


async def get(tx: AsyncSession, caller: Caller) -> Tenant:
    """The caller's own tenant. Raises Forbidden for a token that is bound to accounts."""
    caller.demand_the_whole_tenant()
    return await tx.get_one(Tenant, caller.tenant_id)


async def change_main_account(tx: AsyncSession, caller: Caller, account_id: UUID | None) -> Tenant:
    """Say which account the tenant keeps for itself, or that none is. Raises Forbidden, NotFound, Conflict."""
    tenant = await get(tx, caller)
    if account_id is not None:
        # Held as it is until the end: who closes it waits.
        query = owned(Account, caller).where(Account.id == account_id).with_for_update(read=True)
        account = (await tx.execute(query)).scalar_one_or_none()
        if account is None:
            raise no_account(_MAIN_ACCOUNT)
        if account.status is AccountStatus.CLOSED:
            raise Conflict(CLOSED, flaws=[Flaw(CLOSED, pointer=_MAIN_ACCOUNT)])
    tenant.main_account_id = account_id
    await tx.flush()
    return tenant


async def everybody(bank: Bank) -> Sequence[tuple[Tenant, Sequence[ProviderRow]]]:
    """All tenants, oldest first, each with its providers."""
    async with bank.db.transaction() as tx:
        rows = (await tx.execute(select(Tenant).order_by(Tenant.created_at))).scalars().all()
        banks = (await tx.execute(select(ProviderRow).order_by(ProviderRow.created_at))).scalars().all()
    return [(tenant, [row for row in banks if row.tenant_id == tenant.id]) for tenant in rows]


async def add_provider(
    bank: Bank,
    *,
    tenant_id: UUID,
    name: str,
    code: str | None,
    ispb: str,
    account_types: Sequence[AccountType],
    strict_documents: bool,
    hides_accounts: bool = False,
) -> UUID:
    """Give a tenant a bank at the network. Raises NotFound for a tenant that nobody has, Validation for an ISPB outside
    of Pix, Conflict for a code that another of its banks has."""
    terms = Terms(
        name=name,
        code=code,
        account_types=tuple(account_types),
        strict_documents=strict_documents,
        hides_accounts=hides_accounts,
    )
    now = bank.now()
    row = providers.drawn_up(bank, tenant_id, NewProvider(ispb, NETWORK, terms), new_id(now), now)
    async with bank.db.transaction() as tx:
        if await tx.get(Tenant, tenant_id) is None:
            raise NotFound(NO_TENANT)
        await providers.add(tx, row)
    return row.id
