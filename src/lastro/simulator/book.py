"""The network's own book: what is registered, what was ordered, what was settled, and what is yet to be told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Identity,
    Index,
    Integer,
    Sequence,
    Text,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy import Enum as EnumColumn
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from lastro.values.money import Money

_LOCK_OF_CREATION = 7_205_001  # any number, as long as every simulator takes the same


class Kind(StrEnum):
    """Which way the money goes, seen from the participant that Lastro serves."""

    SENT = "SENT"
    RECEIVED = "RECEIVED"
    RETURNED_BY_US = "RETURNED_BY_US"
    RETURNED_TO_US = "RETURNED_TO_US"


class Status(StrEnum):
    """pacs.002: settled, rejected, or accepted and on its way."""

    ACSC = "ACSC"
    RJCT = "RJCT"
    ACSP = "ACSP"


class _Centavos(TypeDecorator[Money]):
    """Money as a BIGINT of centavos."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Money | None, _dialect: Dialect) -> int | None:
        return None if value is None else value.centavos

    def process_result_value(self, value: int | None, _dialect: Dialect) -> Money | None:
        return None if value is None else Money(value)


class Base(DeclarativeBase):
    """Every table of the simulator."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        Money: _Centavos(),
        dict[str, Any]: JSONB(),
        Enum: EnumColumn(Enum, native_enum=False, length=16),
    }


ACCOUNT_NUMBERS = Sequence("account_number", start=100_001, metadata=Base.metadata)


class CustomerAccount(Base):
    """An account that the office opened; `request_id` is Lastro's id of it."""

    __tablename__ = "account"
    __table_args__ = (Index("uq_account_number", "ispb", "branch", "number", unique=True),)

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    ispb: Mapped[str]
    branch: Mapped[str]
    number: Mapped[str]
    type: Mapped[str]
    holder_name: Mapped[str]
    holder_tax_id: Mapped[str]
    opened_at: Mapped[datetime]


class DirectoryEntry(Base):
    """A key and the account behind it. It stays after its removal: requests are remembered, accounts outlive keys."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("uq_entry_key", "key", unique=True, postgresql_where=text("removed_at IS NULL")),
        Index("ix_entry_account", "ispb", "branch", "number"),
    )

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    key_type: Mapped[str]
    ispb: Mapped[str]
    branch: Mapped[str]
    number: Mapped[str]
    type: Mapped[str]
    opened_at: Mapped[datetime]
    owner_name: Mapped[str]
    owner_tax_id: Mapped[str]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removal_id: Mapped[UUID | None] = mapped_column(unique=True)


class Payment(Base):
    """A Pix or a return of one. `payer` and `payee` are kept as they crossed the wire; of a return, there is neither.

    While it waits for a rule's delay, `settle_at` (the network's clock) and what is to happen then are filled.
    """

    __tablename__ = "payment"
    __table_args__ = (
        Index("ix_payment_newest", "created_at", "end_to_end_id"),
        Index("ix_payment_waiting", "settle_at", postgresql_where=text("settle_at IS NOT NULL")),
    )

    end_to_end_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[Kind]
    status: Mapped[Status]
    reason: Mapped[str | None]
    amount: Mapped[Money]
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    original_end_to_end_id: Mapped[str | None] = mapped_column(index=True)
    payer: Mapped[dict[str, Any] | None]
    payee: Mapped[dict[str, Any] | None]
    key: Mapped[str | None]
    txid: Mapped[str | None]
    description: Mapped[str | None]
    fingerprint: Mapped[str | None]
    external_ref: Mapped[str | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settle_at: Mapped[datetime | None]
    verdict: Mapped[str | None]  # the code with which it will be rejected then; None: it will settle
    copies: Mapped[int]  # how often Lastro is told then
    contradict: Mapped[bool]


class Charge(Base):
    """A dynamic code of another bank; `end_to_end_id` is the one payment that pays it."""

    __tablename__ = "charge"

    txid: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str]
    amount: Mapped[Money]
    description: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    end_to_end_id: Mapped[str | None]


class KycCase(Base):
    """Documents that somebody's KYC is to be judged by: what they are and their hashes, not what they show.

    While it is thought about, `decide_at` (the network's clock) is filled. `number` counts the cases.
    """

    __tablename__ = "kyc_case"
    __table_args__ = (Index("ix_kyc_case_due", "decide_at", postgresql_where=text("decide_at IS NOT NULL")),)

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    account_id: Mapped[UUID] = mapped_column(index=True)
    provider_id: Mapped[UUID]
    fingerprint: Mapped[str]
    holder_name: Mapped[str]
    holder_tax_id: Mapped[str]
    documents: Mapped[dict[str, Any]]
    submitted_at: Mapped[datetime]
    decide_at: Mapped[datetime | None]
    status: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class Notice(Base):
    """Something that Lastro is told until it has heard it. `due_at` is the database's own time."""

    __tablename__ = "notice"
    __table_args__ = (Index("ix_notice_due", "due_at", postgresql_where=text("heard_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    end_to_end_id: Mapped[str] = mapped_column(index=True)
    provider_id: Mapped[UUID]
    body: Mapped[str]
    attempts: Mapped[int]
    due_at: Mapped[datetime]
    heard_at: Mapped[datetime | None]


class Rule(Base):
    """What a tester wants to happen to the payments that match; `remaining` None is for ever."""

    __tablename__ = "rule"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str | None]
    amount: Mapped[Money | None]
    end_to_end_id: Mapped[str | None]
    delay: Mapped[timedelta | None]
    drop_answer: Mapped[bool]
    reject: Mapped[str | None]
    duplicate: Mapped[bool]
    contradict: Mapped[bool]
    times: Mapped[int | None]
    remaining: Mapped[int | None]


class ClockOffset(Base):
    """How far the network's clock was moved; one row."""

    __tablename__ = "clock"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seconds: Mapped[int] = mapped_column(BigInteger)


class LookupBucket(Base):
    """How much a payer may still ask the directory, in thousandths of a token; it may be negative."""

    __tablename__ = "lookup_bucket"

    payer_id: Mapped[str] = mapped_column(primary_key=True)
    thousandths: Mapped[int] = mapped_column(BigInteger)
    refilled_at: Mapped[datetime]


class Lookup(Base):
    """A lookup that a payment may still follow, and give tokens back."""

    __tablename__ = "lookup"

    end_to_end_id: Mapped[str] = mapped_column(primary_key=True)
    payer_id: Mapped[str]


class Message(Base):
    """What was sent to a customer. `read_at`: a simulated customer has looked at it, whoever's it was."""

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_to", "to", "sent_at"),
        Index("ix_message_unread", "sent_at", postgresql_where=text("read_at IS NULL")),
    )

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str]
    to: Mapped[str]
    code: Mapped[str]
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


class Book:
    """The simulator's database."""

    def __init__(self, database_url: str) -> None:
        """`database_url` is postgresql://… or postgresql+asyncpg://…; nothing is connected yet."""
        _, _, rest = database_url.partition("://")
        self._engine = create_async_engine(
            f"postgresql+asyncpg://{rest}",
            pool_size=10,
            max_overflow=0,
            hide_parameters=True,  # or documents and keys would stand in the text of errors
            pool_timeout=5,
            connect_args={
                "timeout": 5,
                "command_timeout": 15,
                "server_settings": {
                    "application_name": "lastro-simulator",
                    "timezone": "UTC",
                    "lock_timeout": "5s",
                    "statement_timeout": "10s",
                    "jit": "off",
                },
            },
        )

    async def create(self) -> None:
        """Make whatever tables are missing; safe when two start at once."""
        async with self._engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK_OF_CREATION})
            await connection.run_sync(Base.metadata.create_all)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: commits at the end of the block, rolls back on any exception."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()
