"""Nobody gives more than he has."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.rules import no_account
from lastro.auth.binding import Rights
from lastro.auth.caller import Caller
from lastro.auth.models import ApiClient, ApiToken
from lastro.auth.tokens import REFUSED, rights_of
from lastro.errors import Flaw, Forbidden, NotFound, Unauthorized
from lastro.tenants.models import Tenant
from lastro.tenants.service import NO_TENANT
from lastro.values.text import Text

Model = TypeVar("Model", ApiClient, ApiToken)

_BEYOND = Text("Ninguém dá mais do que tem.", "Nobody gives more than he has.")
_FLAWS = {
    "permissions": Text(
        "Este token não tem todas estas permissões.", "This token does not hold all these permissions."
    ),
    "accountIds": Text("Este token não alcança todas estas contas.", "This token does not reach all these accounts."),
    "networks": Text("Este token só vale em redes mais estreitas.", "This token is good in narrower networks only."),
    "maxAmountPerPayment": Text("Este token tem um limite menor.", "This token has a smaller limit."),
    "maxAmountPerDay": Text(
        "Um token com limite diário não cria nem altera outros.",
        "A token with a limit for the day neither makes nor changes others.",
    ),
}


def within_reach(model: type[Model], caller: Caller) -> Select[Model]:
    """The tenant's; for a caller who is bound to accounts, those that are bound within the same."""
    scope = select(model).where(model.tenant_id == caller.tenant_id)
    if caller.accounts is None:
        return scope
    return scope.where(model.account_ids.op("<@")(sorted(caller.accounts)))


async def demand(tx: AsyncSession, caller: Caller, *wanted: Rights) -> None:
    """Raise Forbidden for rights that the caller does not have himself, NotFound for accounts that nobody has.

    What he has is read anew: he may have been bound since he was heard.
    """
    query = (
        select(ApiToken, ApiClient)
        .outerjoin(ApiClient, ApiClient.id == ApiToken.client_id)
        .where(ApiToken.id == caller.token_id, ApiToken.revoked_at.is_(None), ApiClient.revoked_at.is_(None))
    )
    found = (await tx.execute(query)).one_or_none()
    if found is None:
        raise Unauthorized(REFUSED)
    own = rights_of(found[0], found[1])
    excess = dict.fromkeys(name for rights in wanted for name in rights.beyond(own))
    if excess:
        raise Forbidden(_BEYOND, flaws=[Flaw(_FLAWS[name], pointer=f"/data/attributes/{name}") for name in excess])
    for rights in wanted:
        await demand_there(tx, caller.tenant_id, rights)


async def demand_there(tx: AsyncSession, tenant_id: UUID, rights: Rights) -> None:
    """Raise NotFound unless there is such a tenant, with these accounts."""
    if await tx.get(Tenant, tenant_id) is None:
        raise NotFound(NO_TENANT)
    asked = rights.binding.accounts
    if asked is None:
        return
    query = select(func.count()).where(Account.tenant_id == tenant_id, Account.id.in_(asked))
    if (await tx.execute(query)).scalar_one() != len(asked):
        raise no_account("/data/attributes/accountIds")
