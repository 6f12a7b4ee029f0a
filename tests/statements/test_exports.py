"""The files of a statement, over HTTP: the whole period, under the right name, read by programs that are not ours."""

import asyncio
import csv
import gc
import io
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pypdf
import pytest

from build import API, Tenant, World, until
from lastro import gate
from lastro.accounts.rules import NO_ACCOUNT
from lastro.errors import RateLimited, Unavailable, Unprocessable
from lastro.statements import cnab240, exports, pdf, service
from lastro.statements.exports import MOST_OF_ONE_TENANT
from lastro.statements.lines import Line
from lastro.statements.resources import Format, StatementQuery
from lastro.statements.service import Statement
from lastro.wiring import Assembly
from statements.ledger_book import NOON, LedgerBook
from statements.readers import CnabFile, cnab, ofx
from statements.test_statement import Story

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ofx": "application/x-ofx",
    "cnab240": "application/vnd.febraban.cnab240",
    "pdf": "application/pdf",
}


@pytest.fixture(scope="module")
async def story(world: World) -> Story:
    return await Story.told(await world.tenant("files"), await world.tenant("files' neighbour"))


async def content(story: Story, chosen: str, more: str = "") -> bytes:
    found = await story.account.tenant.get(f"/accounts/{story.account.id}/statement?format={chosen}{more}")
    assert found.status == 200, found.body
    return found.response.content


@pytest.mark.parametrize(("chosen", "extension"), [("csv", "csv"), ("ofx", "ofx"), ("cnab240", "ret"), ("pdf", "pdf")])
async def test_a_file_has_its_type_and_a_name(story: Story, chosen: str, extension: str) -> None:
    days = "&filter[dateFrom]=2026-01-01&filter[dateTo]=2026-01-31"
    account = await story.account.attributes()
    by_parameter = await story.account.tenant.get(f"/accounts/{story.account.id}/statement?format={chosen}{days}")
    by_header = await story.account.tenant.get(
        f"/accounts/{story.account.id}/statement?{days[1:]}", headers={"accept": TYPES[chosen]}
    )

    place = f"{account['branch']}-{account['accountNumber']}"
    for each in (by_parameter, by_header):
        headers = each.response.headers
        assert each.status == 200
        assert headers["content-type"] == TYPES[chosen]
        name = f"extrato-{place}-2026-01-01-a-2026-01-31.{extension}"
        assert headers["content-disposition"] == f'attachment; filename="{name}"'
        assert "Accept" in headers["vary"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def test_every_file_tells_what_the_pages_tell(story: Story) -> None:
    pages = (await story.account.tenant.get(f"/accounts/{story.account.id}/statement")).data
    shown = [each["attributes"] for each in pages]
    signed = [each["amount"] if each["direction"] == "CREDIT" else -each["amount"] for each in shown]

    text = (await content(story, "csv")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    assert [float(row["Valor"].replace(",", ".")) for row in rows] == signed
    assert [row["ID do lançamento"] for row in rows] == [each["id"] for each in pages]

    parsed = ofx(await content(story, "ofx")).statement
    assert [float(each.amount) for each in parsed.transactions] == signed
    assert [each.id for each in parsed.transactions] == [each["id"] for each in pages]
    assert float(parsed.balance) == 61.5

    (batch,) = cnab(await content(story, "cnab240")).lotes
    entries = [event.segmentos[0] for event in batch.eventos]
    assert [float(each.valor_lancamento) * (1 if each.tipo_lancamento == "C" else -1) for each in entries] == signed

    paper = "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(await content(story, "pdf"))).pages)
    assert paper.count("João Silva") == 2
    assert "61,50" in paper


async def test_csv_can_be_filtered(story: Story) -> None:
    text = (await content(story, "csv", "&filter[type]=PIX_SENT")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    assert [row["Lançamento"] for row in rows] == ["Pix enviado", "Pix enviado"]


async def test_an_error_is_json_whatever_was_wanted(story: Story) -> None:
    path = f"/accounts/{uuid4()}/statement"
    found = await story.account.tenant.get(path, headers={"accept": "application/pdf"})
    assert (found.status, found.code) == (404, "NOT_FOUND")


# What the formats can not hold


@pytest.fixture
async def ledger(quiet: Assembly) -> LedgerBook:
    return await LedgerBook.open(quiet)


async def made(ledger: LedgerBook, chosen: Format, first: str = "2026-03-01", last: str = "2026-03-31") -> Any:
    of = await ledger.statement(first, last)
    return await exports.file(ledger.assembly.bank, ledger.caller, of, StatementQuery(), chosen)


async def whole(answer: Any) -> bytes:
    """What a response sends, to a client that stays."""
    parts: list[bytes] = []

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        parts.append(message.get("body", b""))

    await answer({"type": "http"}, receive, send)
    return b"".join(parts)


async def test_paper_has_an_end(ledger: LedgerBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MOST_LINES", 600)
    await ledger.fills(600, since=NOON, step=timedelta(seconds=1))
    assert (await whole(await made(ledger, Format.PDF))).startswith(b"%PDF-")
    await ledger.receives(1, NOON + timedelta(days=1))
    with pytest.raises(Unprocessable) as refused:
        await made(ledger, Format.PDF)
    assert "600" in refused.value.text.pt
    assert "CSV" in refused.value.text.pt


async def test_cnab_counts_in_six_digits(ledger: LedgerBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnab240, "MOST_RECORDS", 104)
    assert cnab240.most_lines() == 100
    await ledger.fills(100, since=NOON, step=timedelta(seconds=1))
    assert await made(ledger, Format.CNAB240)
    await ledger.receives(1, NOON + timedelta(days=1))
    with pytest.raises(Unprocessable):
        await made(ledger, Format.CNAB240)
    assert await made(ledger, Format.CSV)


async def test_what_is_no_line_does_not_count(ledger: LedgerBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnab240, "MOST_RECORDS", 6)
    await ledger.receives(100)
    await ledger.pays(10)  # two movements, one line
    assert await made(ledger, Format.CNAB240)


async def test_a_file_in_many_batches_goes_on_from_balance_to_balance(
    ledger: LedgerBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cnab240, "LINES_A_BATCH", 400)
    await ledger.fills(1_000, since=NOON, step=timedelta(minutes=1))

    read: CnabFile = cnab(await whole(await made(ledger, Format.CNAB240)))

    assert [len(batch.eventos) for batch in read.lotes] == [400, 400, 200]
    assert [batch.trailer.quantidade_registros for batch in read.lotes] == [402, 402, 202]
    closings = [batch.trailer.valor_saldo_final for batch in read.lotes]
    openings = [batch.header.valor_saldo_inicial for batch in read.lotes]
    assert openings[1:] == closings[:-1]
    assert read.trailer.totais_quantidade_lotes == 3
    assert read.trailer.totais_quantidade_registros == 1_000 + 3 * 2 + 2


# Streaming


async def test_few_files_are_made_at_once_for_one_tenant(ledger: LedgerBook) -> None:
    answers = [await made(ledger, Format.CSV) for _ in range(MOST_OF_ONE_TENANT)]
    with pytest.raises(RateLimited) as refused:
        await made(ledger, Format.CSV)
    assert refused.value.retry_after == 5
    for answer in answers:
        await whole(answer)
    await whole(await made(ledger, Format.CSV))


async def test_a_refusal_gives_its_place_back(ledger: LedgerBook, monkeypatch: pytest.MonkeyPatch) -> None:
    await ledger.fills(300, since=NOON, step=timedelta(seconds=1))
    monkeypatch.setattr(pdf, "MOST_LINES", 10)
    for _ in range(MOST_OF_ONE_TENANT + 1):
        with pytest.raises(Unprocessable):
            await made(ledger, Format.PDF)
    await whole(await made(ledger, Format.CSV))


async def test_who_leaves_is_read_for_no_longer(ledger: LedgerBook) -> None:
    await ledger.fills(service.PIECE * 8, since=NOON, step=timedelta(seconds=1))
    answer, sent, gone = await made(ledger, Format.CSV), [], asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 3:
            gone.set()
        await asyncio.sleep(0)

    await answer({"type": "http"}, receive, send)

    assert len(sent) <= 5
    assert sent[-1]["more_body"]
    await whole(await made(ledger, Format.CSV))  # its place is free


async def test_a_database_that_is_busy_for_a_moment_is_waited_for(
    ledger: LedgerBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.receives(7)
    monkeypatch.setattr(service, "PATIENCE_SECONDS", (0.0, 0.0))
    database, refusals = ledger.assembly.bank.db, iter([True, True, False])
    reading = database.reading

    def refusing() -> Any:
        if next(refusals):
            raise Unavailable(NO_ACCOUNT)
        return reading()

    of = await ledger.statement("2026-03-01", "2026-03-31")
    monkeypatch.setattr(database, "reading", refusing)
    found = [line async for piece in service.pieces(ledger.assembly.bank, of) for line in piece]
    assert [line.amount.centavos for line in found] == [7]
    with pytest.raises(StopIteration):
        next(refusals)


async def test_each_part_of_a_file_has_the_deadline_of_an_answer(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may take longer than an answer: half of the time passes before each of its four parts."""
    account = await tenant.account(available="1.00")

    async def slowly(_of: Statement, pieces: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
        for part in (b"a", b"b", b"c", b"d"):
            await asyncio.sleep(0.5)
            yield part

    monkeypatch.setattr(gate, "ANSWER_SECONDS", 1.0)
    slow = exports.FileKind("text/csv", "csv", slowly)
    monkeypatch.setattr(exports, "_STREAMED", {**exports._STREAMED, Format.CSV: slow})
    found = await tenant.get(f"/accounts/{account.id}/statement?format=csv")
    assert found.response.content == b"abcd"


async def test_a_part_that_does_not_come_ends_the_answer_unfinished(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await tenant.account(available="1.00")

    async def never(_of: Statement, pieces: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(60)

    slow = exports.FileKind("text/csv", "csv", never)
    monkeypatch.setattr(exports, "_STREAMED", {**exports._STREAMED, Format.CSV: slow})
    monkeypatch.setattr(gate, "ANSWER_SECONDS", 1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", tenant.world.settings.port)
    path = f"{API}/accounts/{account.id}/statement?format=csv"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {tenant.token}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b"transfer-encoding: chunked" in answer.lower()
    assert answer.endswith(b"1\r\na\r\n")  # no last chunk: every client knows that something is missing
    monkeypatch.undo()

    async def is_free() -> bool:
        return (await tenant.get(f"/accounts/{account.id}/statement?format=csv")).status == 200

    await until(is_free)


@pytest.mark.parametrize("chosen", [Format.CSV, Format.OFX, Format.CNAB240])
async def test_memory_is_that_of_a_piece_however_long_the_file(ledger: LedgerBook, chosen: Format) -> None:
    """Sixteen times the lines, and hardly more memory at the highest point."""
    await ledger.fills(8_000, since=NOON, step=timedelta(minutes=2))

    async def highest(last: str) -> tuple[int, int]:
        answer, sizes = await made(ledger, chosen, "2026-03-10", last), list[int]()

        async def receive() -> Any:
            await asyncio.sleep(3600)

        async def send(message: Any) -> None:
            sizes.append(len(message.get("body", b"")))

        collected_at = gc.get_threshold()
        gc.collect()
        gc.set_threshold(700, 10, 10)  # what is not needed any longer goes at once, and is not counted
        tracemalloc.start()
        try:
            await answer({"type": "http"}, receive, send)
            return tracemalloc.get_traced_memory()[1], sum(sizes)
        finally:
            tracemalloc.stop()
            gc.set_threshold(*collected_at)

    await highest("2026-03-10")  # what is remembered is remembered now
    # What else goes on in this process only adds: the least of three is ours.
    short, short_size = min([await highest("2026-03-10") for _ in range(3)])
    long, long_size = min([await highest("2026-03-31") for _ in range(3)])
    assert long_size > 15 * short_size
    assert long < short + 1_000_000, (short, long)
