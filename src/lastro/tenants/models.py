"""A tenant: a company that offers accounts to its own customers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class Tenant(Base):
    """One company. `tax_id` is its own CNPJ or CPF, bare; never one of its customers'."""

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    tax_id: Mapped[str]
    created_at: Mapped[datetime]
