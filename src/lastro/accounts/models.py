"""Accounts, and the two small tables that keep unique what must be unique across accounts."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, synonym

from lastro.accounts.states import AccountStatus
from lastro.database import Base
from lastro.values.bank_account import AccountType
from lastro.values.tax_id import DocumentType


class Account(Base):
    """One account. `version` counts its changes; the money lies in the ledger, under the same id.

    `approved_name` is the holder's name when the first review approved it: the provider opens the account under that.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        Index("ix_accounts_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        CheckConstraint(
            "status = 'CLOSED' OR (status = 'PENDING') = (account_number IS NULL)", name="numbered_once_open"
        ),
        CheckConstraint("(status = 'CLOSED') = (closed_at IS NOT NULL)", name="closed_at_with_closed"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = synonym("id")  # like everything that belongs to an account
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("providers.id"))
    holder_name: Mapped[str]
    holder_document: Mapped[str]
    holder_document_type: Mapped[DocumentType]
    type: Mapped[AccountType]
    status: Mapped[AccountStatus]
    branch: Mapped[str | None]
    account_number: Mapped[str | None]
    currency: Mapped[str]
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB(none_as_null=True))
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    approved_name: Mapped[str | None]


class AccountFacts(NamedTuple):
    """What is shown of an account, as one query brings it: its columns without the machinery of an entity."""

    id: UUID
    provider_id: UUID
    holder_name: str
    holder_document: str
    holder_document_type: DocumentType
    type: AccountType
    status: AccountStatus
    branch: str | None
    account_number: str | None
    currency: str
    extra: dict[str, Any] | None
    version: int
    created_at: datetime
    updated_at: datetime


class OpenAccount(Base):
    """One open account per provider and document. The row goes when the account closes."""

    __tablename__ = "open_accounts"

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    holder_document: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]


class AccountNumber(Base):
    """Which account the network means by a branch and a number. Never goes: a closed account must answer AC07."""

    __tablename__ = "account_numbers"

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    branch: Mapped[str] = mapped_column(primary_key=True)
    account_number: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
