"""What somebody asks for who makes or changes tokens and clients."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lastro.auth.binding import Rights


@dataclass(frozen=True, slots=True)
class Wish:
    """A client or a token to be made; one that expires is a token."""

    name: str
    rights: Rights
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alteration:
    """What changes about a client: its name, if one is given, and what becomes of its rights."""

    name: str | None
    rights: Callable[[Rights], Rights]
    touches_rights: bool
