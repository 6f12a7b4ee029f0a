"""A statement as CSV for spreadsheets set to Brazil: semicolons, decimal commas, UTF-8 that says so."""

import codecs
import csv
import io
from collections.abc import AsyncIterator, Sequence

from lastro.statements import brazilian
from lastro.statements.lines import Direction, Line
from lastro.statements.origins import NAMES
from lastro.statements.period import local
from lastro.statements.service import Statement

HEADER = (
    "Data",
    "Hora",
    "Lançamento",
    "Descrição",
    "Contraparte",
    "Documento",
    "Instituição",
    "ISPB",
    "Valor",
    "Saldo",
    "Identificador Pix",
    "Referência",
    "ID do lançamento",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def write(_of: Statement, pieces: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
    """The file, piece by piece."""
    yield codecs.BOM_UTF8 + _rows([HEADER])
    async for piece in pieces:
        yield _rows([_row(line) for line in piece])


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _row(line: Line) -> Sequence[str]:
    moment, origin = local(line.posted_at), line.origin
    other = origin.counterparty
    return (
        brazilian.day(moment),
        f"{moment:%H:%M:%S}",
        NAMES[origin.type],
        defused(origin.description),
        defused(other.name),
        other.document,
        other.bank_name or "",
        other.ispb,
        brazilian.amount(line.amount if line.direction is Direction.CREDIT else -line.amount, grouped=False),
        brazilian.amount(line.balance_after, grouped=False),
        origin.e2e_id or "",
        defused(origin.correlation_id),
        str(line.id),
    )


def defused(text: str | None) -> str:
    """A text of strangers that no spreadsheet takes for a formula: an apostrophe says that it is text (OWASP)."""
    if not text:
        return ""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
