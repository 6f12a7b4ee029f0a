"""The mailbox and the phone of every customer: what was sent to them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from lastro.simulator.book import Message
from lastro.simulator.network import TheNetwork
from lastro.simulator.wire import KeyText, Strict, answer, read, validated

router = APIRouter(prefix="/office/messages")
readers = APIRouter()

_MOST_MESSAGES = 100


class Sending(Strict):
    """`POST /office/messages`; `request_id` is Lastro's id of the key."""

    request_id: UUID
    channel: Literal["EMAIL", "SMS"]
    to: KeyText
    code: str = Field(pattern=r"^[0-9]{6}$")
    expires_at: AwareDatetime


class MailboxQuery(Strict):
    """`GET /simulator/mailbox`."""

    to: KeyText


@router.post("")
async def send(request: Request, network: TheNetwork) -> Response:
    """Send a message; asked again, it was sent already."""
    sending = await read(request, Sending)
    row = insert(Message).values(**sending.model_dump(), sent_at=network.clock.now())
    async with network.book.transaction() as tx:
        await tx.execute(row.on_conflict_do_nothing(index_elements=[Message.request_id]))
    network.customers.wake()
    return answer({}, 202)


@readers.get("/mailbox")
async def show(request: Request, network: TheNetwork) -> Response:
    """What somebody got, newest first."""
    query = validated(MailboxQuery, dict(request.query_params))
    found = select(Message).where(Message.to == query.to).order_by(Message.sent_at.desc()).limit(_MOST_MESSAGES)
    async with network.book.transaction() as tx:
        messages = (await tx.execute(found)).scalars().all()
    return answer({"messages": [_written(message) for message in messages]})


def _written(message: Message) -> dict[str, str | datetime]:
    return {
        "keyId": str(message.request_id),
        "channel": message.channel,
        "to": message.to,
        "code": message.code,
        "expiresAt": message.expires_at,
        "sentAt": message.sent_at,
    }
