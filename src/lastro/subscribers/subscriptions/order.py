"""What a tenant orders about an endpoint of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lastro.accounts.order import Unchanged

COVERED = "***"
"""How the value of a header is shown. In a change it means: as it was."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An endpoint that wants to be told. `account_ids` None: of all that the token reaches."""

    name: str
    endpoint_url: str
    event_filters: Sequence[str]
    account_ids: Sequence[UUID] | None
    custom_headers: Mapping[str, str]
    timeout_ms: int
    retry_config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alteration:
    """What changes about it."""

    name: str | Unchanged
    endpoint_url: str | Unchanged
    event_filters: Sequence[str] | Unchanged
    account_ids: Sequence[UUID] | Unchanged | None
    custom_headers: Mapping[str, str] | Unchanged
    timeout_ms: int | Unchanged
    retry_config: Mapping[str, Any] | Unchanged


@dataclass(frozen=True, slots=True)
class Again:
    """Which events are to be told again: these, or of a time; then of these types (None: as the subscription says).

    `after` is the event up to which an earlier call came.
    """

    event_ids: Sequence[UUID] | None
    since: datetime | None
    until: datetime | None
    event_filters: Sequence[str] | None
    after: UUID | None
