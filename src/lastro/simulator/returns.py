"""SPI: the returns (devoluções) that we send of a Pix that we received."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, ValidationError
from sqlalchemy import BigInteger, cast, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator import orders
from lastro.simulator.book import Kind, Payment, Status
from lastro.simulator.network import TheNetwork
from lastro.simulator.orders import Decision
from lastro.simulator.rules import Rules
from lastro.simulator.wire import (
    Instant,
    PaymentId,
    Refusal,
    Strict,
    WireAmount,
    answer,
    bad_request,
    fingerprint,
    read_json,
)
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.text import Invalid

router = APIRouter(prefix="/spi/returns")

_DEADLINE = timedelta(days=90)  # from the settlement; Regulamento do Pix (Resolução BCB 1/2020), art. 41


class ReturnOrder(Strict):
    """pacs.004."""

    return_id: PaymentId
    original_end_to_end_id: PaymentId
    amount: WireAmount
    reason: str = Field(pattern=r"^[A-Z0-9]{4}$")
    created_at: Instant


@router.post("")
async def give_back(request: Request, network: TheNetwork) -> Response:
    """Return a Pix or part of it. 504 instead of an answer when a rule says so."""
    message = await read_json(request)
    if not isinstance(message, dict) or not isinstance(return_id := message.get("returnId"), str):
        raise bad_request("Falta returnId.")
    order = _read(message, return_id)
    if isinstance(order, str):
        return answer(orders.rejected(return_id, order))
    metered = network.settings.limit_lookups
    async with network.book.transaction() as tx:
        status, answered = await _returned(tx, order, message, network.clock.now(), metered=metered)
    return answer(status) if answered else Response(status_code=504)


def _read(message: dict[str, Any], return_id: str) -> ReturnOrder | str:
    """The order, or the code for a message that is none."""
    try:
        if not EndToEndId.parse(return_id).is_return:
            return "FF08"
    except Invalid:
        return "FF08"
    try:
        return ReturnOrder.model_validate(message)
    except ValidationError:
        return "CH16"


async def _returned(
    tx: AsyncSession, order: ReturnOrder, message: dict[str, Any], now: datetime, *, metered: bool
) -> tuple[dict[str, Any], bool]:
    """Its status, and whether it may be answered."""
    rules = await Rules.hold(tx)
    # The original is locked first: returns of one Pix take turns, or together they would exceed it.
    original = await tx.get(Payment, order.original_end_to_end_id, with_for_update=True)
    recorded = await orders.known(tx, [order.return_id])
    if order.return_id in recorded:
        dropped = rules.use_for_answer(end_to_end_id=order.original_end_to_end_id) is not None
    else:
        if original is not None and original.status is Status.ACSP:
            # Our own answer to it was lost and will be asked for again; until then nobody knows whether it is ours.
            raise Refusal(503, "ServiceUnavailable", "O Pix original ainda não foi liquidado.", retry_after=1)
        rule = rules.use(end_to_end_id=order.original_end_to_end_id)
        decision = Decision(
            end_to_end_id=order.return_id,
            kind=Kind.RETURNED_BY_US,
            amount=order.amount,
            account_id=original.account_id if original else None,
            fingerprint=fingerprint(message),
            facts={"original_end_to_end_id": order.original_end_to_end_id},
            created_at=now,
            verdict=await _verdict(tx, order, original, now) or (rule.reject if rule else None),
            external_ref=orders.new_reference(),
            rule=rule,
        )
        await orders.write(tx, [decision], metered=metered)
        recorded = await orders.known(tx, [order.return_id])
        dropped = rule is not None and rule.drop_answer
    await rules.keep(tx)
    return orders.answer_to(fingerprint(message), recorded[order.return_id]), not dropped


async def _verdict(tx: AsyncSession, order: ReturnOrder, original: Payment | None, now: datetime) -> str | None:
    """Why the return is rejected, if it is."""
    if not order.amount:
        return "AM01"
    if order.original_end_to_end_id.is_return:
        return "AG13"
    if original is None or original.kind is not Kind.RECEIVED or original.settled_at is None:
        return "FF08"
    if now > original.settled_at + _DEADLINE:
        return "DT05"
    if order.amount.centavos > original.amount.centavos - await given_back(tx, order.original_end_to_end_id):
        return "AM09"
    return None


async def given_back(tx: AsyncSession, end_to_end_id: str) -> int:
    """How many centavos of a Pix came or are coming back: its returns that were not rejected."""
    centavos = func.coalesce(cast(func.sum(type_coerce(Payment.amount, BigInteger)), BigInteger), 0)
    returns = (Payment.original_end_to_end_id == end_to_end_id, Payment.status != Status.RJCT)
    return (await tx.execute(select(centavos).where(*returns))).scalar_one()
