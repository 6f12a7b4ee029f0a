"""The caller of a request, and the one way to read what belongs to a tenant."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from lastro.auth.permissions import EVERYTHING, Permission
from lastro.errors import Forbidden
from lastro.values.text import Text


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant, through one of its tokens."""

    tenant_id: UUID
    token_id: str
    permissions: frozenset[str]

    def may(self, permission: Permission) -> bool:
        """Whether the token holds this permission."""
        return permission in self.permissions or EVERYTHING in self.permissions

    def demand(self, permission: Permission) -> None:
        """Raise Forbidden unless the token holds this permission."""
        if not self.may(permission):
            sentence = f"Permission denied: {permission} required"
            raise Forbidden(Text(sentence, sentence))


class _Owned(Protocol):
    tenant_id: Any


Model = TypeVar("Model", bound=_Owned)


def owned(model: type[Model], caller: Caller, *, along_accounts: bool = False) -> Select[Model]:
    """What the caller's tenant owns of `model`. Every read of the API starts here: this is the lock on the door.

    `along_accounts` is for lists of one account. The condition is the same in words that no index serves: or Postgres
    might follow the tenant's rows, and those of an account that was busy long ago lie under millions of others.
    """
    tenant_id: Any = model.tenant_id
    belongs: ColumnElement[bool] = tenant_id == caller.tenant_id
    if along_accounts:
        belongs = tenant_id.is_not_distinct_from(caller.tenant_id)
    return select(model).where(belongs)
