"""The secrets under which deliveries are signed, and the headers that a tenant adds: sealed, each for its own row."""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from lastro.keyring import CannotOpen, KeyRing, Sealed, place

PREFIX = "whsec_"
_BYTES = 32


class SecretRow(Protocol):
    """What of a row of `webhook_secrets` is needed to open it."""

    @property
    def subscription_id(self) -> UUID:
        """Whose it is."""
        ...

    @property
    def id(self) -> UUID:
        """Which."""
        ...

    @property
    def key_id(self) -> str:
        """The key that opens it."""
        ...

    @property
    def ciphertext(self) -> bytes:
        """Sealed."""
        ...


def new() -> str:
    """A fresh secret in the form of Standard Webhooks: `whsec_` and base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(os.urandom(_BYTES)).decode()


def sealed(ring: KeyRing, text: str, subscription_id: UUID, secret_id: UUID) -> Sealed:
    """A secret for the row that has this id."""
    return ring.seal(text.encode(), _place_of_secret(subscription_id, secret_id))


def opened(ring: KeyRing, row: SecretRow) -> str:
    """The secret of a row. Raises CannotOpen."""
    where = _place_of_secret(row.subscription_id, row.id)
    return ring.open(Sealed(row.key_id, row.ciphertext), where).decode()


def all_opened(ring: KeyRing, rows: Sequence[SecretRow]) -> list[str]:
    """Those of these secrets that can be opened: a new one signs, even if the key of the old one is lost.

    Raises CannotOpen when none can.
    """
    found: list[str] = []
    why = "no secret is in force"
    for row in rows:
        try:
            found.append(opened(ring, row))
        except CannotOpen as error:
            why = str(error)
    if not found:
        raise CannotOpen(why)
    return found


def sealed_headers(ring: KeyRing, headers: Mapping[str, str], subscription_id: UUID) -> Sealed:
    """A tenant's own headers, for the row of their subscription."""
    return ring.seal(json.dumps(dict(headers)).encode(), _place_of_headers(subscription_id))


def opened_headers(ring: KeyRing, headers: Sealed, subscription_id: UUID) -> dict[str, str]:
    """Name → value. Raises CannotOpen."""
    found: dict[str, str] = json.loads(ring.open(headers, _place_of_headers(subscription_id)))
    return found


def _place_of_secret(subscription_id: UUID, secret_id: UUID) -> bytes:
    return place("webhook_secrets", "ciphertext", f"{subscription_id}|{secret_id}")


def _place_of_headers(subscription_id: UUID) -> bytes:
    return place("webhook_subscriptions", "custom_headers", str(subscription_id))
