"""Tokens and clients at rest: an id to find them by, an HMAC of the secret, never the secret."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lastro.auth.binding import UNBOUND, Binding, Rights
from lastro.database import Base
from lastro.values.money import Money
from lastro.values.network import parse_network


class Bound:
    """What tokens and clients have in common: permissions, and what they are bound to."""

    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    account_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    networks: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    most_each: Mapped[Money | None] = mapped_column("most_each_centavos")
    most_a_day: Mapped[Money | None] = mapped_column("most_a_day_centavos")

    @property
    def rights(self) -> Rights:
        """The columns in our words."""
        return Rights(
            frozenset(self.permissions),
            Binding(
                accounts=None if self.account_ids is None else frozenset(self.account_ids),
                networks=None if self.networks is None else tuple(map(parse_network, self.networks)),
                most_each=self.most_each,
                most_a_day=self.most_a_day,
            ),
        )

    @rights.setter
    def rights(self, rights: Rights) -> None:
        binding = rights.binding
        self.permissions = sorted(rights.permissions)
        self.account_ids = None if binding.accounts is None else sorted(binding.accounts)
        self.networks = None if binding.networks is None else [str(network) for network in binding.networks]
        self.most_each, self.most_a_day = binding.most_each, binding.most_a_day


class ApiClient(Bound, Base):
    """A client that makes itself tokens of an hour out of an id and a secret.

    `millitokens` and `refilled_at` are the bucket that says how fast: thousandths of a token, and the moment of which.
    """

    __tablename__ = "api_clients"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        CheckConstraint("most_each_centavos > 0", name="most_each_positive"),
        CheckConstraint("most_a_day_centavos > 0", name="most_a_day_positive"),
        CheckConstraint("millitokens >= 0", name="bucket_not_negative"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    secret_hmac: Mapped[bytes] = mapped_column(LargeBinary)
    millitokens: Mapped[int] = mapped_column(BigInteger)
    refilled_at: Mapped[datetime]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ApiToken(Bound, Base):
    """One bearer token of a tenant. A dump of this table opens nothing: the pepper lies outside the database.

    `id` is the part of its text that finds it, `resource_id` its name in the API. A client's token is bound as its
    client is at the moment it is used, so it has no binding of its own; it always expires.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        UniqueConstraint("resource_id"),
        ForeignKeyConstraint(["tenant_id", "client_id"], ["api_clients.tenant_id", "api_clients.id"]),
        CheckConstraint("most_each_centavos > 0", name="most_each_positive"),
        CheckConstraint("most_a_day_centavos > 0", name="most_a_day_positive"),
        CheckConstraint(
            "client_id IS NULL OR (expires_at IS NOT NULL AND num_nonnulls(account_ids, networks, most_each_centavos,"
            " most_a_day_centavos) = 0)",
            name="bound_as_its_client",
        ),
        Index("ix_api_tokens_spent", "expires_at", postgresql_where=text("client_id IS NOT NULL")),
        Index(
            "ix_api_tokens_tenant_id_created_at_resource_id",
            "tenant_id",
            "created_at",
            "resource_id",
            postgresql_where=text("client_id IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    resource_id: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    client_id: Mapped[UUID | None]
    name: Mapped[str]
    secret_hmac: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def is_bound(self) -> bool:
        """By itself, or by its client, which may be bound at any moment."""
        return self.client_id is not None or self.rights.binding != UNBOUND
