"""Steering rules: which payments are delayed, rejected, left without an answer, told twice or contradicted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, PlainValidator, StrictBool, StrictInt, model_validator
from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator.book import Rule
from lastro.simulator.network import TheNetwork
from lastro.simulator.reject_codes import REJECT_CODES
from lastro.simulator.wire import KeyText, PaymentId, Reais, Strict, answer, not_found, read
from lastro.values.money import Money

router = APIRouter(prefix="/rules")

_LONGEST_DELAY_SECONDS = 86_400
_MOST_DIGITS_OF_AN_ID = 18


def _delay(value: object) -> timedelta:
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 < value <= _LONGEST_DELAY_SECONDS:
        return timedelta(milliseconds=int(value * 1000))
    raise ValueError("deve ser um número de segundos, até 86400")


def _code(value: object) -> str:
    if isinstance(value, str) and value in REJECT_CODES:
        return value
    raise ValueError("deve ser um código de rejeição do SPI, como AC03")


class RuleBody(Strict):
    """`POST /simulator/rules`: one thing to match, at least one thing to do."""

    key: KeyText | None = None
    amount: Reais | None = None
    end_to_end_id: PaymentId | None = None
    delay_seconds: Annotated[timedelta, PlainValidator(_delay)] | None = None
    drop_answer: StrictBool = False
    reject: Annotated[str, PlainValidator(_code)] | None = None
    duplicate: StrictBool = False
    contradict: StrictBool = False
    times: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if sum(match is not None for match in (self.key, self.amount, self.end_to_end_id)) != 1:
            raise ValueError("diga um só entre key, amount e endToEndId")
        if not any((self.delay_seconds, self.drop_answer, self.reject, self.duplicate, self.contradict)):
            raise ValueError("diga o que fazer: delaySeconds, dropAnswer, reject, duplicate ou contradict")
        return self


@router.post("")
async def add(request: Request, network: TheNetwork) -> Response:
    """A new rule, which comes after those that exist."""
    body = await read(request, RuleBody)
    rule = Rule(
        key=body.key,
        amount=body.amount,
        end_to_end_id=body.end_to_end_id,
        delay=body.delay_seconds,
        drop_answer=body.drop_answer,
        reject=body.reject,
        duplicate=body.duplicate,
        contradict=body.contradict,
        times=body.times,
        remaining=body.times,
    )
    async with network.book.transaction() as tx:
        tx.add(rule)
    return answer(_written(rule), 201)


@router.get("")
async def show(network: TheNetwork) -> Response:
    """Every rule, oldest first, also those that are used up."""
    async with network.book.transaction() as tx:
        rules = (await tx.execute(select(Rule).order_by(Rule.id))).scalars().all()
    return answer({"rules": [_written(rule) for rule in rules]})


@router.delete("")
async def forget_all(network: TheNetwork) -> Response:
    """No rules any more."""
    async with network.book.transaction() as tx:
        await tx.execute(delete(Rule))
    return Response(status_code=204)


@router.delete("/{rule_id}")
async def forget(rule_id: str, network: TheNetwork) -> Response:
    """One rule less."""
    is_id = rule_id.isascii() and rule_id.isdigit() and len(rule_id) <= _MOST_DIGITS_OF_AN_ID
    async with network.book.transaction() as tx:
        gone = delete(Rule).where(Rule.id == int(rule_id)).returning(Rule.id) if is_id else None
        if gone is None or (await tx.execute(gone)).first() is None:
            raise not_found("Não há regra com esse id.")
    return Response(status_code=204)


@dataclass(slots=True)
class Rules:
    """The rules in force, locked until the transaction ends, and how often each was used in it."""

    _rules: Sequence[Rule]
    _used: Counter[int]

    @classmethod
    async def hold(cls, tx: AsyncSession) -> Self:
        """Read them; whoever else wants to use a rule waits, so that `times` is exact."""
        in_force = select(Rule).where(or_(Rule.remaining.is_(None), Rule.remaining > 0))
        return cls((await tx.execute(in_force.order_by(Rule.id).with_for_update())).scalars().all(), Counter())

    @property
    def in_force(self) -> bool:
        """Whether there is any rule at all."""
        return bool(self._rules)

    def use(self, *, key: str | None = None, amount: Money | None = None, end_to_end_id: str) -> Rule | None:
        """The oldest rule that matches a new payment and is not used up; it counts."""
        return self._use([rule for rule in self._rules if _matches(rule, key, amount, end_to_end_id)])

    def use_for_answer(self, *, key: str | None = None, amount: Money | None = None, end_to_end_id: str) -> Rule | None:
        """For a payment that is already in the book only losing its answer again is left to do."""
        matching = (rule for rule in self._rules if rule.drop_answer)
        return self._use([rule for rule in matching if _matches(rule, key, amount, end_to_end_id)])

    async def keep(self, tx: AsyncSession) -> None:
        """Write down what was used."""
        for rule_id, times in self._used.items():
            limited = (Rule.id == rule_id, Rule.remaining.is_not(None))
            await tx.execute(update(Rule).where(*limited).values(remaining=Rule.remaining - times))

    def _use(self, matching: Sequence[Rule]) -> Rule | None:
        for rule in matching:
            if rule.remaining is None or rule.remaining > self._used[rule.id]:
                self._used[rule.id] += 1
                return rule
        return None


def _matches(rule: Rule, key: str | None, amount: Money | None, end_to_end_id: str) -> bool:
    if rule.key is not None:
        return rule.key == key
    if rule.amount is not None:
        return rule.amount == amount
    return rule.end_to_end_id == end_to_end_id


def _written(rule: Rule) -> dict[str, object]:
    """The rule as it was posted, without what it does not say, with `id` and what remains of its `times`."""
    delay = None if rule.delay is None else rule.delay / timedelta(seconds=1)
    facts: dict[str, object] = {
        "id": rule.id,
        "key": rule.key,
        "amount": rule.amount,
        "endToEndId": rule.end_to_end_id,
        "delaySeconds": delay,
        "dropAnswer": rule.drop_answer or None,
        "reject": rule.reject,
        "duplicate": rule.duplicate or None,
        "contradict": rule.contradict or None,
        "times": rule.times,
        "remaining": rule.remaining,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
