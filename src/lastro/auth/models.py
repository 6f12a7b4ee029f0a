"""Tokens at rest: an id to find them by, an HMAC of the secret, never the secret."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class ApiToken(Base):
    """One bearer token of a tenant. A dump of this table opens nothing: the pepper lies outside the database."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    secret_hmac: Mapped[bytes] = mapped_column(LargeBinary)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
