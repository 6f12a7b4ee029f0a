"""SPI: settles payments between banks, up to a hundred at a time, each end-to-end id once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator import orders
from lastro.simulator.book import Kind, Payment
from lastro.simulator.charges import Charges
from lastro.simulator.network import TheNetwork
from lastro.simulator.orders import Decision
from lastro.simulator.reject_codes import rejecting_key
from lastro.simulator.rules import Rules
from lastro.simulator.wire import (
    Account,
    BareTaxId,
    Instant,
    KeyText,
    Line,
    Party,
    PaymentId,
    Strict,
    TransactionId,
    WireAmount,
    answer,
    bad_request,
    fingerprint,
    not_found,
    read_json,
)
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.text import Invalid

router = APIRouter(prefix="/spi/payments")

MOST_MESSAGES = 100

_Place = tuple[str, str, str]  # ISPB, branch, number

# Whoever holds these accounts: customers of ours, and everybody who ever stood in the directory.
_HOLDERS = text("""
    WITH place AS (
        SELECT * FROM unnest(CAST(:ispbs AS text[]), CAST(:branches AS text[]), CAST(:numbers AS text[]))
            AS place (ispb, branch, number)
    )
    SELECT ispb, branch, number, holder_tax_id, request_id FROM account JOIN place USING (ispb, branch, number)
    UNION ALL
    SELECT ispb, branch, number, owner_tax_id, NULL FROM entry JOIN place USING (ispb, branch, number)
""")


class Payee(Strict):
    """Whom a payment is for: like SPI's, it carries no name."""

    tax_id: BareTaxId
    account: Account
    key: KeyText


class Order(Strict):
    """pacs.008."""

    end_to_end_id: PaymentId
    amount: WireAmount
    accepted_at: Instant
    initiation: Literal["DICT", "QRES", "QRDN"]
    payer: Party
    payee: Payee
    txid: TransactionId | None
    remittance_information: Line | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A message as it was understood: an order, or the code with which it is rejected without a trace in the book."""

    end_to_end_id: str
    flaw: str | None
    message: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    maybe_order: Order | None = None

    @property
    def order(self) -> Order:
        """The order of a message without flaw."""
        assert self.maybe_order is not None  # noqa: S101 - only a bug can break it
        return self.maybe_order


@dataclass(frozen=True, slots=True)
class _Holders:
    """Who holds which account: tax ids, and the office's id when it opened the account."""

    tax_ids: Mapping[_Place, Collection[str]]
    account_ids: Mapping[_Place, UUID]


@router.put("")
async def settle(request: Request, network: TheNetwork) -> Response:
    """Settle a batch. 504 instead of an answer when a rule says so: the batch is in the book all the same."""
    messages = _messages(await read_json(request))
    now, metered = network.clock.now(), network.settings.limit_lookups
    async with network.book.transaction() as tx:
        statuses, answered = await _settled(tx, messages, now, metered=metered)
    return JSONResponse({"statuses": statuses}) if answered else Response(status_code=504)


@router.get("/{end_to_end_id}")
async def show(end_to_end_id: str, network: TheNetwork) -> Response:
    """What the network knows of a payment or return."""
    try:
        wanted = EndToEndId.parse(end_to_end_id)
    except Invalid:
        raise not_found("A rede não conhece esse identificador.") from None
    async with network.book.transaction() as tx:
        payment = await tx.get(Payment, wanted)
    if payment is None:
        raise not_found("A rede não conhece esse identificador.")
    return answer(orders.status_of(payment))


def _messages(body: object) -> Sequence[dict[str, Any]]:
    """The messages of a batch. Each must have an id, by which it is answered. Raises Refusal 400."""
    match body:
        case {"messages": list(messages), **others} if not others and 1 <= len(messages) <= MOST_MESSAGES:
            if all(isinstance(each, dict) and isinstance(each.get("endToEndId"), str) for each in messages):
                return messages
    raise bad_request(f"Mande messages, com 1 a {MOST_MESSAGES} mensagens que tenham endToEndId.")


async def _settled(
    tx: AsyncSession, messages: Sequence[dict[str, Any]], now: datetime, *, metered: bool
) -> tuple[list[dict[str, Any]], bool]:
    """One status each, in order, and whether they may be answered."""
    rules = await Rules.hold(tx)
    readings = [_read(message) for message in messages]
    firsts: dict[str, _Reading] = {}
    for reading in readings:
        if reading.flaw is None:
            firsts.setdefault(reading.end_to_end_id, reading)
    # Without rules it is enough to find out while writing which are known already.
    recorded = await orders.known(tx, firsts) if rules.in_force else {}
    dropped = _dropped_again([firsts[end_to_end_id].order for end_to_end_id in recorded], rules)
    new = [reading for end_to_end_id, reading in firsts.items() if end_to_end_id not in recorded]
    holders = await _holders(tx, [reading.order for reading in new])
    charges = await Charges.hold(tx, [reading.order.txid for reading in new if reading.order.txid is not None])
    decisions = [_decided(reading, holders, rules, charges, now) for reading in new]
    mine = await orders.write(tx, decisions, metered=metered)
    charges.keep(mine)
    await rules.keep(tx)
    dropped |= any(decision.rule is not None and decision.rule.drop_answer for decision in decisions)
    recorded |= {decision.end_to_end_id: decision for decision in decisions}
    if overtaken := [decision.end_to_end_id for decision in decisions if decision.end_to_end_id not in mine]:
        recorded |= await orders.known(tx, overtaken)
    return [_answer(reading, recorded) for reading in readings], not dropped


def _read(message: dict[str, Any]) -> _Reading:
    """One message that is no order does not stop the others of its batch."""
    end_to_end_id = message["endToEndId"]
    try:
        if EndToEndId.parse(end_to_end_id).is_return:
            return _Reading(end_to_end_id, flaw="FF08")
    except Invalid:
        return _Reading(end_to_end_id, flaw="FF08")
    try:
        order = Order.model_validate(message)
    except ValidationError:
        return _Reading(end_to_end_id, flaw="CH16")
    return _Reading(end_to_end_id, None, message, fingerprint(message), order)


def _answer(reading: _Reading, recorded: Mapping[str, orders.Facts]) -> dict[str, Any]:
    if reading.flaw is not None:
        return orders.rejected(reading.end_to_end_id, reading.flaw)
    return orders.answer_to(reading.fingerprint, recorded[reading.end_to_end_id])


def _dropped_again(recorded: Sequence[Order], rules: Rules) -> bool:
    """Whether a rule wants the answer about a payment that is already in the book to be lost once more."""
    used = [
        rules.use_for_answer(key=order.payee.key, amount=order.amount, end_to_end_id=order.end_to_end_id)
        for order in recorded
    ]
    return any(rule is not None for rule in used)


async def _holders(tx: AsyncSession, batch: Sequence[Order]) -> _Holders:
    places = sorted({_place(side.account) for order in batch for side in (order.payer, order.payee)})
    tax_ids: dict[_Place, set[str]] = {}
    account_ids: dict[_Place, UUID] = {}
    if places:
        ispbs, branches, numbers = (list(column) for column in zip(*places, strict=True))
        found = await tx.execute(_HOLDERS, {"ispbs": ispbs, "branches": branches, "numbers": numbers})
        for ispb, branch, number, tax_id, account_id in found:
            tax_ids.setdefault((ispb, branch, number), set()).add(tax_id)
            if account_id is not None:
                account_ids[ispb, branch, number] = account_id
    return _Holders(tax_ids, account_ids)


def _decided(reading: _Reading, holders: _Holders, rules: Rules, charges: Charges, now: datetime) -> Decision:
    order, message = reading.order, reading.message
    rule = rules.use(key=order.payee.key, amount=order.amount, end_to_end_id=order.end_to_end_id)
    verdict = _own_verdict(order) or (rule.reject if rule else None) or _verdict_of_payees_bank(order, holders)
    verdict = verdict or charges.refusal(order.txid, order.payee.key, order.amount, now)
    if verdict is None:
        charges.take(order.txid, order.payee.key, order.end_to_end_id)
    return Decision(
        end_to_end_id=order.end_to_end_id,
        kind=Kind.SENT,
        amount=order.amount,
        account_id=holders.account_ids.get(_place(order.payer.account)),
        fingerprint=reading.fingerprint,
        facts={
            "payer": message["payer"],
            "payee": message["payee"],
            "key": order.payee.key,
            "txid": order.txid,
            "description": order.remittance_information,
        },
        created_at=now,
        verdict=verdict,
        external_ref=orders.new_reference(),
        rule=rule,
    )


def _own_verdict(order: Order) -> str | None:
    """Why SPI itself rejects, if it does."""
    if not order.amount:
        return "AM01"
    if order.payer.account.ispb == order.payee.account.ispb:
        return "AG12"
    return None


def _verdict_of_payees_bank(order: Order, holders: _Holders) -> str | None:
    """Why the bank of the payee rejects, if it does: a key that exists to be rejected, no such account, not theirs."""
    if (code := rejecting_key(order.payee.key)) is not None:
        return code.code
    tax_ids = holders.tax_ids.get(_place(order.payee.account))
    if tax_ids is None:
        return "AC03"
    return None if order.payee.tax_id in tax_ids else "BE01"


def _place(account: Account) -> _Place:
    return account.ispb, account.branch, account.number
