"""A statement as CNAB 240 (FEBRABAN): "extrato de conta corrente para conciliação bancária", segment E.

Fields and columns after FEBRABAN's "Layout Padrão de Arquivos" 10, service 04, batch layout 033.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from lastro.errors import Unprocessable
from lastro.statements import brazilian
from lastro.statements.lines import Direction, Line
from lastro.statements.origins import LineType
from lastro.statements.period import local
from lastro.statements.service import Holder, Statement
from lastro.values.money import ZERO, Money
from lastro.values.tax_id import DocumentType
from lastro.values.text import Text

ENCODING = "ascii"
MOST_RECORDS = 999_999  # what the file's trailer can count, headers and trailers included
LINES_A_BATCH = 99_999  # what five digits can number

_BATCH_OVERHEAD, _FILE_OVERHEAD, _ACCOUNT_DIGITS = 2, 2, 12
_NO_CODE = "000"
_FIRST_FILE = date(2020, 1, 1)

# FEBRABAN G092: 101 to 199 are debits, 201 to 299 credits; transfer between banks, reversal, between accounts.
_CATEGORIES: Mapping[LineType, tuple[str, str, str]] = {
    LineType.PIX_SENT: ("120", "0001", "PIX ENVIADO"),
    LineType.PIX_RECEIVED: ("209", "0002", "PIX RECEBIDO"),
    LineType.PIX_REFUND_SENT: ("103", "0003", "DEV PIX ENVIADA"),
    LineType.PIX_REFUND_RECEIVED: ("204", "0004", "DEV PIX RECEBIDA"),
    LineType.TRANSFER_SENT: ("117", "0005", "TRANSF ENVIADA"),
    LineType.TRANSFER_RECEIVED: ("213", "0006", "TRANSF RECEBIDA"),
}
"""Category, our code of the entry, its name."""

_LONG_NUMBER = Text(
    "O número da conta não cabe no CNAB 240, que só tem 12 algarismos. Use CSV ou OFX.",
    "The account number does not fit CNAB 240, which has 12 digits for it. Use CSV or OFX.",
)


def most_lines() -> int:
    """How many lines one file can hold: its trailer counts records in six digits."""
    batches = -(-MOST_RECORDS // (LINES_A_BATCH + _BATCH_OVERHEAD))
    return MOST_RECORDS - _FILE_OVERHEAD - batches * _BATCH_OVERHEAD


def demand_a_fitting_number(holder: Holder) -> None:
    """Raise Unprocessable when the account's number has letters, or more digits than there is room for."""
    number = (holder.number or "").partition("-")[0]
    if len(number) > _ACCOUNT_DIGITS or not number.isdecimal():
        raise Unprocessable(_LONG_NUMBER)


@dataclass(slots=True)
class _Batch:
    """One batch under way: its number, and what its trailer will say."""

    number: int
    lines: int = 0
    debits: Money = ZERO
    credits: Money = ZERO
    balance: Money = field(kw_only=True)
    day: date = field(kw_only=True)

    def add(self, line: Line) -> None:
        self.lines += 1
        self.balance = line.balance_after
        self.day = local(line.posted_at).date()
        if line.direction is Direction.CREDIT:
            self.credits += line.amount
        else:
            self.debits += line.amount


async def write(of: Statement, pieces: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
    """The file, piece by piece. A batch that is full is closed, and the next one goes on from its balance."""
    record = _Records(of)
    batch = _Batch(1, balance=of.span.opening, day=of.period.first - timedelta(days=1))
    records = _FILE_OVERHEAD + _BATCH_OVERHEAD
    yield _bytes(record.file_header(), record.batch_header(batch))
    async for piece in pieces:
        written: list[str] = []
        for line in piece:
            if batch.lines == LINES_A_BATCH:
                written.append(record.batch_trailer(batch, is_last=False))
                batch = _Batch(batch.number + 1, balance=batch.balance, day=batch.day)
                written.append(record.batch_header(batch))
                records += _BATCH_OVERHEAD
            batch.add(line)
            written.append(record.entry(batch, line))
        records += len(piece)
        yield _bytes(*written)
    yield _bytes(record.batch_trailer(batch, is_last=True), record.file_trailer(batch.number, records))


class _Records:
    """Each record of one statement's file, without its line end."""

    def __init__(self, of: Statement) -> None:
        """Write what all records share: bank, holder, account."""
        holder = of.holder
        number, _, digit = (holder.number or "").partition("-")
        self._of = of
        self._bank = holder.bank.compe if holder.bank and holder.bank.compe else _NO_CODE
        # A CNPJ may have letters since 2026: they stand where its digits stood.
        kind = "1" if holder.tax_id.kind is DocumentType.CPF else "2"
        account = f"{_digits(holder.branch or '0', 5)} {_digits(number, 12)}{_text(digit, 1)} "
        self._account = f"{kind}{holder.tax_id.value:0>14}{'':20}{account}"
        self._name = _text(holder.name, 30)
        # Files of later days have higher numbers, and the same days have the same.
        self._sequence = (of.period.last - _FIRST_FILE).days % 100_000

    def file_header(self) -> str:
        made = local(self._of.period.asked_at)
        return (
            f"{self._bank}00000{'':9}{self._account}{self._name}{_text(self._of.holder.bank_name, 30)}{'':10}"
            f"2{made:%d%m%Y%H%M%S}{_digits(self._sequence, 6)}10300000{'':69}"
        )

    def batch_header(self, batch: _Batch) -> str:
        return (
            f"{self._bank}{batch.number:04}1E0440033 {self._account}{self._name}{'':40}"
            f"{batch.day:%d%m%Y}{_amount(batch.balance)}CFBRL{_digits(self._sequence, 5)}{'':62}"
        )

    def entry(self, batch: _Batch, line: Line) -> str:
        category, code, name = _CATEGORIES[line.origin.type]
        day = f"{local(line.posted_at):%d%m%Y}"
        credit_or_debit = "C" if line.direction is Direction.CREDIT else "D"
        reference = line.origin.e2e_id or str(line.origin.resource_id)
        return (
            f"{self._bank}{batch.number:04}3{batch.lines:05}E{'':3}{self._account}{self._name}{'':6}"
            f"DPV00{'':20}S{day}{day}{_amount(line.amount)}{credit_or_debit}{category}{code}"
            f"{_text(f'{name} {line.origin.counterparty.name}', 25)}{_text(reference, 39)}"
        )

    def batch_trailer(self, batch: _Batch, *, is_last: bool) -> str:
        period = self._of.period
        day = min(period.last, local(period.asked_at).date()) if is_last else batch.day
        position = "F" if is_last and period.is_over else "P"
        return (
            f"{self._bank}{batch.number:04}5{'':9}{self._account}{'':16}{_amount(ZERO) * 3}"
            f"{day:%d%m%Y}{_amount(batch.balance)}C{position}{_digits(batch.lines + _BATCH_OVERHEAD, 6)}"
            f"{_amount(batch.debits)}{_amount(batch.credits)}{'':28}"
        )

    def file_trailer(self, batches: int, records: int) -> str:
        return f"{self._bank}99999{'':9}{batches:06}{_digits(records, 6)}{batches:06}{'':205}"


def _bytes(*records: str) -> bytes:
    return "".join(f"{record}\r\n" for record in records).encode(ENCODING)


def _text(text: str, columns: int) -> str:
    return f"{brazilian.lettered(text, ENCODING).upper()[:columns]:{columns}}"


def _digits(number: int | str, columns: int) -> str:
    return f"{number:0>{columns}}"


def _amount(money: Money) -> str:
    return _digits(money.centavos, 18)
