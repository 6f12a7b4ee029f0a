"""A statement as one file: the whole period, in a format that other programs read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import Response

from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.errors import Conflict, Flaw, Unprocessable, Validation
from lastro.places import Places
from lastro.statements import cnab240, csv_file, lines, ofx, pdf, service
from lastro.statements.lines import Line
from lastro.statements.resources import Format, StatementQuery
from lastro.statements.service import Statement
from lastro.statements.streaming import Streamed
from lastro.values.text import Text

CNAB_TYPE = "application/vnd.febraban.cnab240"

MOST_AT_ONCE, MOST_OF_ONE_TENANT = 16, 2
_TOO_MANY_FILES = Text(
    "Muitos arquivos ao mesmo tempo. Espere terminar um deles.", "Too many files at once. Wait until one is complete."
)
_PLACES = Places(MOST_AT_ONCE, MOST_OF_ONE_TENANT, full=_TOO_MANY_FILES, retry_after=5)  # each may take minutes
_PAPERS_AT_ONCE = asyncio.Semaphore(1)  # of the processor's time, they take what they get

_INVALID = Text("Dados inválidos.", "Invalid data.")
_ONLY_JSON = Text("Arquivos trazem o período inteiro.", "Files hold the whole period.")
_ONLY_WHOLE = Text(
    "Este formato traz todos os lançamentos; filtre em JSON ou CSV.",
    "This format holds every line; filter JSON or CSV.",
)
_TOO_MANY = Text(
    "Mais de {most} lançamentos não cabem neste formato. Escolha um período menor ou CSV.",
    "More than {most} lines do not fit this format. Choose a shorter period, or CSV.",
)
_NO_NUMBER = Text(
    "A conta ainda não tem agência e número, que este formato exige.",
    "The account has no branch and number yet, which this format needs.",
)


@dataclass(frozen=True, slots=True)
class FileKind:
    """A format that is written as it is read."""

    media_type: str
    extension: str
    write: Callable[[Statement, AsyncIterator[Sequence[Line]]], AsyncIterator[bytes]]
    needs_number: bool = False


_STREAMED: Mapping[Format, FileKind] = {
    Format.CSV: FileKind("text/csv; charset=utf-8", "csv", csv_file.write),
    Format.OFX: FileKind("application/x-ofx", "ofx", ofx.write, needs_number=True),
    Format.CNAB240: FileKind(CNAB_TYPE, "ret", cnab240.write, needs_number=True),
}


def demand_a_whole(query: StatementQuery, chosen: Format) -> None:
    """Raise Validation for a page of a file, and for a filter on what must show every line."""
    wrong = {name: _ONLY_JSON for name in ("page[size]", "page[after]") if query.names(name)}
    if chosen is not Format.CSV:
        wrong |= {name: _ONLY_WHOLE for name in ("filter[direction]", "filter[type]") if query.names(name)}
    if wrong:
        raise Validation(_INVALID, flaws=[Flaw(text, parameter=name) for name, text in wrong.items()])


async def file(bank: Bank, caller: Caller, of: Statement, query: StatementQuery, chosen: Format) -> Response:
    """The file. Raises Conflict, Unprocessable, RateLimited, Unavailable before its first byte."""
    place = _PLACES.take(caller.tenant_id)
    try:
        if chosen is Format.PDF:
            answer = await _paper(bank, of)
            place.give_back()
            return answer
        await _demand_room(bank, of, chosen)
    except BaseException:
        place.give_back()
        raise
    kind = _STREAMED[chosen]
    parts = kind.write(of, service.pieces(bank, of, query.wanted))
    return Streamed(parts, place, headers(kind.media_type, filename(of, kind.extension)))


async def _paper(bank: Bank, of: Statement) -> Response:
    found: list[Line] = []
    async for piece in service.pieces(bank, of):
        found += piece
        if len(found) > pdf.MOST_LINES:
            raise Unprocessable(_TOO_MANY.fill(most=pdf.MOST_LINES))
    async with _PAPERS_AT_ONCE:
        content = await asyncio.to_thread(pdf.render, of, found)
    return Response(content, headers=headers("application/pdf", filename(of, "pdf")))


async def _demand_room(bank: Bank, of: Statement, chosen: Format) -> None:
    """Raise Conflict or Unprocessable for what the format can not say."""
    if _STREAMED[chosen].needs_number and of.holder.number is None:
        raise Conflict(_NO_NUMBER)
    if chosen is not Format.CNAB240:
        return
    cnab240.demand_a_fitting_number(of.holder)
    most, span = cnab240.most_lines(), of.span
    if span.last - span.before > most:  # counted only where it may matter: not every movement is a line
        async with bank.db.reading() as tx:
            many = await lines.are_more_than(tx, of.holder.account_id, most, after=span.before, last=span.last)
        if many:
            raise Unprocessable(_TOO_MANY.fill(most=most))


def headers(media_type: str, name: str) -> dict[str, str]:
    """Of a file: what it is, and what it is called. Other `Accept` headers get another answer."""
    return {"content-type": media_type, "content-disposition": f'attachment; filename="{name}"', "vary": "Accept"}


def filename(of: Statement, extension: str) -> str:
    """Letters, digits, hyphens and a dot."""
    holder = of.holder
    account = f"{holder.branch}-{holder.number}" if holder.number else str(holder.account_id)
    return f"extrato-{account}-{of.period.first}-a-{of.period.last}.{extension}"
