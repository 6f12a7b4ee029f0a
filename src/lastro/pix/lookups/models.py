"""Budgets of questions to the directory, and answers that a payment may still use."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.pix.parties import PartyColumn
from lastro.providers.protocol import Party
from lastro.values.pix_key import KeyType


class BudgetLevel(StrEnum):
    """Whose budget it is: the payer's (by CPF or CNPJ), the tenant's, or that of the whole platform."""

    PAYER = "PAYER"
    TENANT = "TENANT"
    PLATFORM = "PLATFORM"


class LookupBudget(Base):
    """A token bucket, in thousandths of a token as of `refilled_at`; a holder without a row has a full one."""

    __tablename__ = "lookup_budgets"

    level: Mapped[BudgetLevel] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(primary_key=True)
    millitokens: Mapped[int] = mapped_column(BigInteger)
    refilled_at: Mapped[datetime]


class PixLookup(Base):
    """An answer of the directory to an account, kept for the minutes in which a payment may go out under its id."""

    __tablename__ = "pix_lookups"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    e2e_id: Mapped[str] = mapped_column(primary_key=True)
    key_type: Mapped[KeyType]
    key_value: Mapped[str]
    owner: Mapped[Party] = mapped_column(PartyColumn)
    payee_account_id: Mapped[UUID | None]
    created_at: Mapped[datetime]
