"""A tenant: a company that offers accounts to its own customers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class Tenant(Base):
    """One company. `tax_id` is its own CNPJ or CPF, bare; never one of its customers'.

    `main_account_id` is the account that it keeps for itself, `default_provider_id` where accounts are opened unless
    another is named.
    """

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    tax_id: Mapped[str]
    main_account_id: Mapped[UUID | None]
    default_provider_id: Mapped[UUID | None] = mapped_column(ForeignKey("providers.id", use_alter=True))
    created_at: Mapped[datetime]
