"""Keys at rest: each account's, and whose a key is now."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.pix.keys.states import KeyStage
from lastro.values.pix_key import KeyType


class PixKeyRow(Base):
    """One key of one account, from its request on. `value` is null while the directory still has to make an EVP.

    `registration_id` and `removal_id` are what the directory knows our two requests by, so that both can be repeated.
    While the first of them is to be made, or may be under way, there is no `removal_id`: a key that is deleted before
    the directory has answered is taken out after it has. `holder_name` is what the directory is told, frozen, so that
    a repetition says the same. The possession code is not stored: it follows from the key's id and a secret of the
    bank; `tries` counts wrong ones.
    """

    __tablename__ = "pix_keys"
    __table_args__ = (
        Index("ix_pix_keys_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        Index("ix_pix_keys_tenant_id_id", "tenant_id", "id"),
        CheckConstraint(
            "key_value IS NOT NULL OR (key_type = 'EVP' AND stage IN ('REGISTERING', 'REMOVING', 'INACTIVE'))",
            name="named_once_made",
        ),
        CheckConstraint("stage <> 'AWAITING_CODE' OR code_expires_at IS NOT NULL", name="code_expires"),
        CheckConstraint(
            "(stage <> 'ACTIVE' OR activated_at IS NOT NULL) AND (stage NOT IN ('AWAITING_CODE', 'REGISTERING')"
            " OR activated_at IS NULL)",
            name="activated_at_with_active",
        ),
        CheckConstraint("failure_reason IS NULL OR stage = 'INACTIVE'", name="reason_with_inactive"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    provider_id: Mapped[UUID]
    type: Mapped[KeyType] = mapped_column("key_type")
    value: Mapped[str | None] = mapped_column("key_value")
    holder_name: Mapped[str]
    stage: Mapped[KeyStage]
    registration_id: Mapped[UUID]
    removal_id: Mapped[UUID | None]
    code_expires_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    failure_reason: Mapped[str | None]
    activated_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


def expired(key: PixKeyRow, now: datetime) -> bool:
    """Whether nobody proved possession in time. It is not written down: it shows."""
    return key.stage is KeyStage.AWAITING_CODE and key.code_expires_at is not None and key.code_expires_at <= now


class KeyHolder(Base):
    """Whose a key is: at most one account's, from the moment that we ask the directory until it is out of there."""

    __tablename__ = "key_holders"

    key_value: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    key_id: Mapped[UUID]
