"""The providers table: which bank stands behind a tenant's accounts, and how it is reached."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Computed, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.providers.states import ProviderStatus, ProviderType


class ProviderRow(Base):
    """One provider of one tenant. `ispb`, `adapter` and `house` never change; the rest may, and is known to every
    process within a second.

    `voucher`: whose key vouches for what it tells. Empty: the operator's, as for all of the network; else it is the
    provider alone, for its tenant says which key that is.

    `house`: customers of one house pay each other in the ledger, and no network hears of it. `supported_features` is
    None when the tenant uses all that the adapter can do. `credentials` are sealed (`providers/credentials.py`).
    """

    __tablename__ = "providers"
    __table_args__ = (
        CheckConstraint("ispb ~ '^[0-9A-Z]{8}$'", name="ispb_shape"),
        CheckConstraint("(credentials IS NULL) = (credentials_key_id IS NULL)", name="sealed_under_a_key"),
        UniqueConstraint("tenant_id", "code"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    code: Mapped[str | None]
    type: Mapped[ProviderType] = mapped_column(server_default=text("'FULL'"))
    status: Mapped[ProviderStatus] = mapped_column(server_default=text("'ACTIVE'"))
    ispb: Mapped[str]
    adapter: Mapped[str]
    house: Mapped[str]
    voucher: Mapped[str] = mapped_column(Computed("CASE WHEN house = ispb THEN '' ELSE house END", persisted=True))
    account_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    supported_features: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    strict_documents: Mapped[bool]
    hides_accounts: Mapped[bool] = mapped_column(server_default=text("false"))
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    credentials_key_id: Mapped[str | None]
    credentials: Mapped[bytes | None]
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB(none_as_null=True))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
