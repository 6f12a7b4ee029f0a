"""A tenant: a company that offers accounts to its own customers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class Tenant(Base):
    """One company. `tax_id` is its own CNPJ or CPF, bare; never one of its customers'.

    `default_provider_id` is where an account opens that names no provider.
    """

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    tax_id: Mapped[str]
    default_provider_id: Mapped[UUID | None] = mapped_column(ForeignKey("providers.id", use_alter=True))
    created_at: Mapped[datetime]
