"""The account office: opens accounts at once and gives them numbers."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator.book import ACCOUNT_NUMBERS, CustomerAccount
from lastro.simulator.network import TheNetwork
from lastro.simulator.wire import BareTaxId, Ispb, Line, Refusal, Strict, answer, read

router = APIRouter(prefix="/office/accounts")

_BRANCH = "0001"


class AccountHolder(Strict):
    """Who will own the account."""

    name: Line
    tax_id: BareTaxId


class Opening(Strict):
    """`POST /office/accounts`; `request_id` is Lastro's id of the account."""

    request_id: UUID
    provider_id: UUID
    ispb: Ispb
    holder: AccountHolder
    type: Literal["CACC", "SVGS", "TRAN"]


@router.post("")
async def open_account(request: Request, network: TheNetwork) -> Response:
    """Open an account; asked again, give the same answer."""
    opening = await read(request, Opening)
    wanted = {
        "provider_id": opening.provider_id,
        "ispb": opening.ispb,
        "holder_name": opening.holder.name,
        "holder_tax_id": opening.holder.tax_id,
        "type": opening.type,
    }
    async with network.book.transaction() as tx:
        account = await tx.get(CustomerAccount, opening.request_id)
        if account is None:
            number = await _next_number(tx)
            opened = insert(CustomerAccount).values(
                request_id=opening.request_id, branch=_BRANCH, number=number, opened_at=network.clock.now(), **wanted
            )
            # Two that ask at once get one account: the second waits here and then finds what the first opened.
            await tx.execute(opened.on_conflict_do_nothing(index_elements=[CustomerAccount.request_id]))
            account = await tx.get_one(CustomerAccount, opening.request_id)
    if any(getattr(account, name) != value for name, value in wanted.items()):
        raise Refusal(409, "RequestIdAlreadyUsed", "O requestId já serviu para abrir outra conta.")
    return answer({"branch": account.branch, "number": account.number}, 201)


async def _next_number(tx: AsyncSession) -> str:
    number = str((await tx.execute(select(ACCOUNT_NUMBERS.next_value()))).scalar_one())
    return number + check_digit(number)


def check_digit(number: str) -> str:
    """Modulo 11 with weights 2 to 9 from the right; 10 and 11 become 0, so that it is always a digit."""
    total = sum(int(digit) * (2 + place % 8) for place, digit in enumerate(reversed(number)))
    digit = 11 - total % 11
    return str(digit) if digit <= 9 else "0"  # noqa: PLR2004
