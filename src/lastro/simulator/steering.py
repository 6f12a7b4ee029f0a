"""What a tester says to the network: let somebody pay, give back, move the clock, show the book."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, StrictInt
from sqlalchemy import BigInteger, ColumnElement, cast, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator import clock_offset, other_banks, scanner
from lastro.simulator.book import Kind, Payment, Status
from lastro.simulator.network import Network, TheNetwork
from lastro.simulator.other_banks import GiveBack, Pay
from lastro.simulator.wire import PaymentId, Strict, answer, read, validated

router = APIRouter()

_MOST_PAYMENTS = 500
_LONGEST_STEP_SECONDS = 10 * 366 * 86_400
_TOTALS = {
    "sentSettled": Kind.SENT,
    "receivedSettled": Kind.RECEIVED,
    "returnedToUs": Kind.RETURNED_TO_US,
    "returnedByUs": Kind.RETURNED_BY_US,
}


class Step(Strict):
    """`POST /simulator/clock`."""

    advance_seconds: Annotated[StrictInt, Field(ge=1, le=_LONGEST_STEP_SECONDS)]


class BookQuery(Strict):
    """`GET /simulator/book`."""

    end_to_end_id: PaymentId | None = None
    account_id: UUID | None = None


@router.post("/pix")
async def pay(request: Request, network: TheNetwork) -> Response:
    """Somebody at another bank pays one of our customers."""
    body = await read(request, Pay)
    if body.qr_code_text is not None:
        body = await scanner.scanned(network, body, body.qr_code_text)
    async with network.book.transaction() as tx:
        end_to_end_id, notice_id = await other_banks.pay(tx, body, network.clock.now())
    return await _delivered(network, "endToEndId", end_to_end_id, notice_id)


@router.post("/returns")
async def give_back(request: Request, network: TheNetwork) -> Response:
    """The payee of a Pix that we sent gives (part of) it back."""
    body = await read(request, GiveBack)
    async with network.book.transaction() as tx:
        return_id, notice_id = await other_banks.give_back(tx, body, network.clock.now())
    return await _delivered(network, "returnId", return_id, notice_id)


@router.get("/book")
async def show_book(request: Request, network: TheNetwork) -> Response:
    """What the network holds to be true; totals are of all that matches, payments the newest of it."""
    query = validated(BookQuery, dict(request.query_params))
    matching: list[ColumnElement[bool]] = []
    if query.end_to_end_id is not None:
        matching.append(Payment.end_to_end_id == query.end_to_end_id)
    if query.account_id is not None:
        matching.append(Payment.account_id == query.account_id)
    newest = (Payment.created_at.desc(), Payment.end_to_end_id.desc())
    async with network.book.transaction() as tx:
        totals = await _totals(tx, matching)
        found = select(Payment).where(*matching).order_by(*newest).limit(_MOST_PAYMENTS)
        payments = (await tx.execute(found)).scalars().all()
    return answer({"totals": totals, "payments": [_written(payment) for payment in payments]})


@router.post("/clock")
async def advance(request: Request, network: TheNetwork) -> Response:
    """Time moves forward."""
    step = await read(request, Step)
    async with network.book.transaction() as tx:
        offset = await clock_offset.advance(tx, step.advance_seconds)
    network.clock.move_to_offset(offset)
    network.deliveries.wake()
    return answer({"now": network.clock.now(), "offsetSeconds": int(offset.total_seconds())})


async def _delivered(network: Network, name: str, end_to_end_id: str, notice_id: UUID | None) -> Response:
    """Deliver the notice, then say how the book stands: ACSP when nobody answered."""
    if notice_id is not None:
        await network.deliveries.deliver(notice_id)
    async with network.book.transaction() as tx:
        payment = await tx.get_one(Payment, end_to_end_id)
    return answer({name: end_to_end_id, "status": payment.status, "reason": payment.reason}, 201)


async def _totals(tx: AsyncSession, matching: Sequence[ColumnElement[bool]]) -> dict[str, object]:
    """Reais that settled, by kind. A sum may exceed what one Money holds: it is a Decimal."""
    centavos = cast(func.sum(type_coerce(Payment.amount, BigInteger)), BigInteger)
    settled = select(Payment.kind, centavos).where(Payment.status == Status.ACSC, *matching).group_by(Payment.kind)
    sums = dict((await tx.execute(settled)).all())
    return {name: _reais(sums.get(kind, 0)) for name, kind in _TOTALS.items()}


def _reais(centavos: int) -> Decimal:
    return Decimal(centavos).scaleb(-2)


def _written(payment: Payment) -> dict[str, Any]:
    return {
        "endToEndId": payment.end_to_end_id,
        "kind": payment.kind,
        "status": payment.status,
        "reason": payment.reason,
        "amount": payment.amount,
        "accountId": None if payment.account_id is None else str(payment.account_id),
        "originalEndToEndId": payment.original_end_to_end_id,
        "payer": payment.payer,
        "payee": payment.payee,
        "key": payment.key,
        "txid": payment.txid,
        "description": payment.description,
        "createdAt": payment.created_at,
        "settledAt": payment.settled_at,
        "externalRef": payment.external_ref,
    }
