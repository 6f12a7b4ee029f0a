"""How a tenant looks on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from lastro.jsonapi.document import Change, Document, Incoming, Resource, Schema, SelfLink, link
from lastro.jsonapi.fields import Timestamp
from lastro.tenants.models import Tenant
from lastro.values.tax_id import TaxId

Kind = Literal["tenants"]


class TenantChanges(Incoming):
    """What a tenant may change of itself."""

    main_account_id: Annotated[UUID | None, Field(description="A conta da própria empresa; null: nenhuma")]


class TenantAttributes(Schema):
    """A tenant as it sees itself."""

    name: str
    tax_id: str
    main_account_id: UUID | None
    default_provider_id: UUID | None
    created_at: Timestamp


TenantChange = Change[Kind, TenantChanges]
TenantDocument = Document[Kind, TenantAttributes]


def document(tenant: Tenant) -> TenantDocument:
    """The answer about the tenant."""
    data = Resource[Kind, TenantAttributes](
        type="tenants",
        id=tenant.id,
        links=SelfLink(self=link("/tenant")),
        attributes=TenantAttributes(
            name=tenant.name,
            tax_id=TaxId.parse(tenant.tax_id).punctuated,
            main_account_id=tenant.main_account_id,
            default_provider_id=tenant.default_provider_id,
            created_at=tenant.created_at,
        ),
    )
    return TenantDocument(data=data, links=data.links)
