"""The providers table: which bank stands behind a tenant's accounts, and how it is reached."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class ProviderRow(Base):
    """One provider of one tenant. Nothing here changes after it was added, so every process may remember it."""

    __tablename__ = "providers"
    __table_args__ = (CheckConstraint("ispb ~ '^[0-9A-Z]{8}$'", name="ispb_shape"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    code: Mapped[str | None]
    ispb: Mapped[str]
    adapter: Mapped[str]
    account_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    strict_documents: Mapped[bool]
    hides_accounts: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime]
