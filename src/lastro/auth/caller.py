"""The caller of a request, and the one way to read what belongs to a tenant."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from lastro.auth.permissions import EVERYTHING, Permission
from lastro.errors import Forbidden
from lastro.values.money import Money
from lastro.values.text import Text

_WHOLE_TENANT = Text(
    "Este token só alcança algumas contas; a operação é da empresa inteira.",
    "This token reaches some accounts only; this belongs to the company as a whole.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant, through one of its tokens, within the token's bindings.

    `accounts`: the only ones that it reaches; None means all of the tenant's, present and future: such a token
    administers. `most_each` and `most_a_day` bound what it may send out, an order and a day of São Paulo; the day's
    sum is kept under `spender`, which all tokens of one client share. `realm` is where the Idempotency-Keys of a client
    or of a bound token lie; without one they lie with the tenant's.
    """

    tenant_id: UUID
    token_id: str
    permissions: frozenset[str]
    accounts: frozenset[UUID] | None = None
    most_each: Money | None = None
    most_a_day: Money | None = None
    spender: str = ""
    realm: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether the token holds this permission."""
        return permission in self.permissions or EVERYTHING in self.permissions

    def demand(self, permission: Permission) -> None:
        """Raise Forbidden unless the token holds this permission."""
        if not self.may(permission):
            sentence = f"Permission denied: {permission} required"
            raise Forbidden(Text(sentence, sentence))

    def reaches(self, account_id: UUID) -> bool:
        """Whether the token is bound to no accounts, or to this one too. Says nothing of whose account it is."""
        return self.accounts is None or account_id in self.accounts

    def reaches_all(self, account_ids: Collection[UUID]) -> bool:
        """Whether it reaches each of these."""
        return self.accounts is None or self.accounts.issuperset(account_ids)

    def demand_the_whole_tenant(self) -> None:
        """Raise Forbidden for a token that is bound to accounts: what follows belongs to no account."""
        if self.accounts is not None:
            raise Forbidden(_WHOLE_TENANT)


class _Owned(Protocol):
    tenant_id: Any


Model = TypeVar("Model", bound=_Owned)


def owned(model: type[Model], caller: Caller, *, along_accounts: bool = False) -> Select[Model]:
    """What the caller's tenant owns of `model`, as far as the token reaches. Every read of the API starts here: this
    is the lock on the door.

    A token that is bound to accounts sees rows of theirs (`model.account_id`), and of a model that belongs to no
    account nothing at all: Forbidden.

    `along_accounts` is for lists of one account. The condition is the same in words that no index serves: or Postgres
    might follow the tenant's rows, and those of an account that was busy long ago lie under millions of others.
    """
    tenant_id: Any = model.tenant_id
    belongs: ColumnElement[bool] = tenant_id == caller.tenant_id
    if along_accounts:
        belongs = tenant_id.is_not_distinct_from(caller.tenant_id)
    scope = select(model).where(belongs)
    if caller.accounts is None:
        return scope
    account_id: Any = getattr(model, "account_id", None)
    if account_id is None:
        caller.demand_the_whole_tenant()
    return scope.where(account_id.in_(caller.accounts))
