"""Writes the news in the transaction that makes it true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, LargeBinary, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.jsonapi.document import Resource, Schema
from lastro.jsonapi.fields import Timestamp, timestamp
from lastro.values.time_ordered_id import new_id


class EventBody(Schema):
    """What a subscriber receives: the type, when, and the resource as GET answered it at that moment.

    `version` is the resource's: of two bodies about one resource, the higher is the newer, whatever came first.
    """

    type: str
    timestamp: Timestamp
    version: int
    data: Any


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to a resource of an account; `resource` is what is shown, and whose version it is.

    `resource_id` is what happened: nearly always the id of the resource that is shown.
    """

    type: str
    tenant_id: UUID
    account_id: UUID
    resource_id: UUID
    resource_version: int
    resource: Resource[Any, Any]


def frozen(kind: str, resource: Resource[Any, Any] | str, *, version: int, now: datetime) -> bytes:
    """What a subscriber receives, as bytes: every delivery and every retry carries the same.

    An `EventBody` about this version of the resource, which may be JSON already.
    """
    data = resource if isinstance(resource, str) else resource.model_dump_json(by_alias=True)
    return f'{{"type":"{kind}","timestamp":"{timestamp(now)}","version":{version},"data":{data}}}'.encode()


_ANNOUNCE = text(
    """
    INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
    SELECT u.*, :created_at FROM unnest(:account_ids, :ids, :tenant_ids, :types, :resource_ids, :versions, :bodies)
        AS u(account_id, id, tenant_id, type, resource_id, resource_version, body)
    """
).bindparams(
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("tenant_ids", type_=ARRAY(Uuid())),
    bindparam("types", type_=ARRAY(Text())),
    bindparam("resource_ids", type_=ARRAY(Uuid())),
    bindparam("versions", type_=ARRAY(BigInteger())),
    bindparam("bodies", type_=ARRAY(LargeBinary())),
)


async def announce(tx: AsyncSession, news: Sequence[News], *, now: datetime) -> None:
    """Freeze each piece of news as bytes. A version of a resource is announced at most once, for ever."""
    if not news:
        return
    await tx.execute(
        _ANNOUNCE,
        {
            "account_ids": [each.account_id for each in news],
            "ids": [new_id(now) for _ in news],
            "tenant_ids": [each.tenant_id for each in news],
            "types": [each.type for each in news],
            "resource_ids": [each.resource_id for each in news],
            "versions": [each.resource_version for each in news],
            "bodies": [frozen(each.type, each.resource, version=each.resource_version, now=now) for each in news],
            "created_at": now,
        },
    )
