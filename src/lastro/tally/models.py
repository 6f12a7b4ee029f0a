"""The roll-up of what the lists count, and the changes that are not rolled up yet."""

from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Identity, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base

EVERY_ACCOUNT = UUID(int=0)
"""In the place of an account: all of the tenant's together."""


class Tally(Base):
    """How many rows of a table (`kind`) have a status (`label`) and are of a day in São Paulo. Never zero.

    Only the worker writes here, so no payment ever waits for a row of it.
    """

    __tablename__ = "tally"
    __table_args__ = ({"postgresql_with": {"fillfactor": 80}},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class TallyChange(Base):
    """What one statement did to one cell of the tenant: `n` rows more or less, and `counts` of them by account.

    Written by the triggers of the tables that are counted, in the transaction that changes them.
    """

    __tablename__ = "tally_changes"
    # A row lives for a few seconds: neither compressed nor put aside.
    __table_args__ = ({"postgresql_with": {"toast_tuple_target": 8160}},)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    tenant_id: Mapped[UUID]
    label: Mapped[str]
    day: Mapped[date]
    n: Mapped[int] = mapped_column(BigInteger)
    account_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger()))
