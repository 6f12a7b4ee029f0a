"""What a tenant asks for when it opens or changes an account."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

from lastro.values.bank_account import AccountType
from lastro.values.tax_id import TaxId


@dataclass(frozen=True, slots=True)
class Application:
    """An account to be opened, at this provider."""

    provider_id: UUID
    holder_name: str
    holder_document: TaxId
    type: AccountType
    metadata: dict[str, Any] | None


class Unchanged(Enum):
    """The client did not mention the attribute, which is not the same as null."""

    TOKEN = 0


UNCHANGED: Final = Unchanged.TOKEN


@dataclass(frozen=True, slots=True)
class Alteration:
    """What changes about an account, and the version that the client has seen, if it says."""

    holder_name: str | Unchanged
    metadata: dict[str, Any] | Unchanged | None
    seen_versions: frozenset[int] | None
