"""What a tenant asks for when it registers a key."""

from dataclasses import dataclass
from uuid import UUID

from lastro.values.pix_key import KeyType, PixKey


@dataclass(frozen=True, slots=True)
class Registration:
    """A key to be registered for an account; an EVP has no `key` yet, because the directory makes it."""

    account_id: UUID
    kind: KeyType
    key: PixKey | None
