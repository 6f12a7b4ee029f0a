"""What may be asked about an account's money: a statement of some days, page by page or all of it in pieces."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.rules import no_account
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.errors import Unavailable
from lastro.jsonapi.log import Looked
from lastro.ledger import history
from lastro.ledger.history import Span
from lastro.paging import no_such_cursor
from lastro.providers.models import ProviderRow
from lastro.statements import lines
from lastro.statements.lines import ALL, Line, Wanted
from lastro.statements.period import Period
from lastro.values.bank_account import AccountType
from lastro.values.participants import Participant, participant
from lastro.values.tax_id import TaxId

PIECE = 250  # lines: some milliseconds of work, between which others have their turn
PATIENCE_SECONDS = (0.5, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is, and where. Without a number, it never opened."""

    account_id: UUID
    name: str
    tax_id: TaxId
    type: AccountType
    branch: str | None
    number: str | None
    ispb: str

    @property
    def bank(self) -> Participant | None:
        """The institution, if it is on the list of participants."""
        return participant(self.ispb)

    @property
    def bank_name(self) -> str:
        """What people call the institution."""
        return self.bank.short_name if self.bank else f"ISPB {self.ispb}"


@dataclass(frozen=True, slots=True)
class Statement:
    """An account, some days, and which movements are theirs. What happens later changes nothing of it."""

    holder: Holder
    period: Period
    span: Span


async def holder(tx: AsyncSession, caller: Caller, account_id: UUID) -> Holder:
    """The account and its holder, whatever its status. Raises NotFound."""
    query = (
        owned(Account, caller)
        .join(ProviderRow, ProviderRow.id == Account.provider_id)
        .where(Account.id == account_id)
        .add_columns(ProviderRow.ispb)
    )
    found = (await tx.execute(query)).one_or_none()
    if found is None:
        raise no_account()
    account, ispb = found
    return Holder(
        account_id=account.id,
        name=account.holder_name,
        tax_id=TaxId(account.holder_document, account.holder_document_type),
        type=account.type,
        branch=account.branch,
        number=account.account_number,
        ispb=ispb,
    )


async def statement(tx: AsyncSession, caller: Caller, account_id: UUID, period: Period) -> Statement:
    """The statement of these days. Raises NotFound."""
    whose = await holder(tx, caller, account_id)
    return Statement(whose, period, await history.span(tx, account_id, period.since, period.until))


async def page(tx: AsyncSession, of: Statement, *, after: UUID | None, size: int, wanted: Wanted) -> Looked[Line]:
    """So many lines, oldest first, after the one with this id. Raises Validation for an id of no line here."""
    start = of.span.before
    if after is not None:
        seq = lines.seq_of(of.holder.account_id, after)
        if seq is None:
            raise no_such_cursor()
        start = max(start, seq)
    found = await lines.read(tx, of.holder.account_id, after=start, last=of.span.last, limit=size + 1, wanted=wanted)
    shown = found[:size]
    return Looked(shown, shown[-1].id if shown else None, has_next=len(found) > size)


async def pieces(
    bank: Bank, of: Statement, wanted: Wanted = ALL, *, size: int = PIECE
) -> AsyncIterator[Sequence[Line]]:
    """All lines, oldest first, in pieces; each is a read of its own, and none waits in memory for another.

    Raises Unavailable when the database refuses again and again.
    """
    after = of.span.before
    while after < of.span.last:
        found = await _piece(bank, of, after, wanted, size)
        if found:
            yield found
        if len(found) < size:
            return
        after = found[-1].seq


async def _piece(bank: Bank, of: Statement, after: int, wanted: Wanted, size: int) -> Sequence[Line]:
    """A long answer is under way and can not be taken back: a database that is busy for a moment is waited for."""
    for seconds in (*PATIENCE_SECONDS, None):
        try:
            async with bank.db.reading() as tx:
                return await lines.read(
                    tx, of.holder.account_id, after=after, last=of.span.last, limit=size, wanted=wanted
                )
        except Unavailable:
            if seconds is None:
                raise
            await asyncio.sleep(seconds)
    raise AssertionError("the last try returns or raises")
