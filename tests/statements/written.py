"""Statements without a database, for what is only about writing: odd names, long names, every type of line."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from lastro.ledger.history import Span
from lastro.statements.lines import Direction, Line, line_id
from lastro.statements.origins import Counterparty, LineType, Origin, ResourceType
from lastro.statements.period import Period
from lastro.statements.service import Holder, Statement
from lastro.values.bank_account import AccountType
from lastro.values.money import Money
from lastro.values.tax_id import TaxId

ACCOUNT = UUID("01999999-0000-7000-8000-000000000001")
LATER = datetime(2026, 4, 2, 12, tzinfo=UTC)
NASTY = (
    'Ação; "Irmãos" & Cia',
    "=cmd|' /C calc'!A0",
    "+55 11 99999-9999",
    "-2+3",
    "@SUM(A1)",
    "\tTab",
    "\rCR",
    "  =1+1",
    "quebra\nde linha\r\ndupla",
    "Pão 🍞 e — travessão “aspas” …",
    "<STMTTRN></OFX> & co",
    "Łódź Şirketi 株式会社",
    "N" * 140,
    "R$ 1,00\x00\x07",
)
_RESOURCES: dict[LineType, ResourceType] = {
    LineType.PIX_RECEIVED: "pix-transfers",
    LineType.PIX_REFUND_SENT: "pix-refunds",
    LineType.TRANSFER_SENT: "internal-transfers",
    LineType.TRANSFER_RECEIVED: "internal-transfers",
}
_CREDITS = {LineType.PIX_RECEIVED, LineType.PIX_REFUND_RECEIVED, LineType.TRANSFER_RECEIVED}


def a_statement(  # noqa: PLR0917 - one fact each
    lines: Sequence[Line] = (),
    opening: int = 0,
    asked_at: datetime = LATER,
    name: str = "Padaria Pão & Cia Ltda",
    tax_id: str = "11222333000181",
    number: str | None = "12345-6",
    ispb: str = "00000000",
) -> Statement:
    """Of March 2026."""
    holder = Holder(ACCOUNT, name, TaxId.parse(tax_id), AccountType.CHECKING, "0001" if number else None, number, ispb)
    closing = lines[-1].balance_after if lines else Money(opening)
    span = Span(before=10, last=10 + len(lines), opening=Money(opening), closing=closing)
    return Statement(holder, Period(date(2026, 3, 1), date(2026, 3, 31), asked_at), span)


def a_history(opening: int = 0, texts: Sequence[str] = NASTY) -> list[Line]:
    """A line of each type and each text, with the balances that follow."""
    balance = opening
    lines: list[Line] = []
    for number, text in enumerate([*texts, *(f"Nome {kind}" for kind in LineType)], start=11):
        kind = list(LineType)[number % len(LineType)] if number > 11 else LineType.PIX_RECEIVED
        centavos = 100_000_00 if number == 11 else number * 101
        is_credit = kind in _CREDITS
        balance += centavos if is_credit else -centavos
        lines.append(
            Line(
                id=line_id(ACCOUNT, number),
                seq=number,
                posted_at=datetime(2026, 3, 1, 3, tzinfo=UTC) + timedelta(hours=13 * (number - 11)),
                direction=Direction.CREDIT if is_credit else Direction.DEBIT,
                amount=Money(centavos),
                balance_after=Money(balance),
                origin=Origin(
                    kind,
                    _RESOURCES.get(kind, "pix-payments"),
                    UUID(int=number),
                    Counterparty(text, "***456789**", "Banco Inter", "00416968"),
                    text if number % 2 else None,
                    None if kind.startswith("TRANSFER") else f"E00416968202603011200{number:012}",
                    "=ref" if number % 3 == 0 else None,
                ),
            )
        )
    return lines


Write = Callable[[Statement, AsyncIterator[Sequence[Line]]], AsyncIterator[bytes]]


async def written(write: Write, of: Statement, lines: Sequence[Line], *, piece: int = 4) -> bytes:
    """The whole file, written from pieces of this size."""

    async def pieces() -> AsyncIterator[Sequence[Line]]:
        for start in range(0, len(lines), piece):
            yield lines[start : start + piece]

    return b"".join([part async for part in write(of, pieces())])
