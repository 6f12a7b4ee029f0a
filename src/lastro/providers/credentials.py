"""What opens a provider's door: sealed at rest, open only in the hands of its adapter, never shown again."""

import json
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from lastro.keyring import KeyRing, Sealed, place

NAMES = frozenset({"clientId", "clientSecret", "apiKey", "certificate", "environment"})


class Holder(Protocol):
    """A row with sealed credentials, or without any."""

    id: UUID
    credentials_key_id: str | None
    credentials: bytes | None


def where(provider_id: UUID) -> bytes:
    """The place for which they are sealed."""
    return place("providers", "credentials", str(provider_id))


def seal(ring: KeyRing, provider_id: UUID, credentials: Mapping[str, str]) -> Sealed:
    """All of them as one JSON, under the newest key."""
    return ring.seal(json.dumps(dict(credentials), sort_keys=True).encode(), where(provider_id))


def opened(ring: KeyRing, row: Holder) -> Mapping[str, str]:
    """In the clear; none when there are none. Raises CannotOpen."""
    if row.credentials is None or row.credentials_key_id is None:
        return {}
    secret = ring.open(Sealed(row.credentials_key_id, row.credentials), where(row.id))
    found: Mapping[str, str] = json.loads(secret)
    return found
