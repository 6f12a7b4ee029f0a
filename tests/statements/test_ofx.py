"""OFX: ofxparse reads it, every line is strict, and the sum of its amounts is the way between the two balances."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from lastro.statements import ofx
from lastro.statements.lines import Direction
from lastro.values.money import Money
from statements import readers
from statements.written import a_history, a_statement, written

OPENING = 12_345
_ELEMENTS_ALONE = {"REFNUM"}


async def content() -> bytes:
    lines = a_history(OPENING)
    return await written(ofx.write, a_statement(lines, OPENING), lines)


async def test_another_program_reads_account_lines_and_balance() -> None:
    lines, account = a_history(OPENING), readers.ofx(await content())
    assert (account.routing_number, account.branch_id, account.number) == ("001", "0001", "12345-6")
    assert (account.account_type, account.curdef) == ("CHECKING", "BRL")
    statement = account.statement
    assert (statement.start_date.date(), statement.end_date.date()) == (
        datetime(2026, 3, 1).date(),  # noqa: DTZ001 - it gives naive ones
        datetime(2026, 4, 1).date(),  # noqa: DTZ001 - the last second of March, told in UTC
    )
    assert statement.balance == lines[-1].balance_after.reais
    assert len(statement.transactions) == len(lines)
    for line, found in zip(lines, statement.transactions, strict=True):
        assert found.id == str(line.id)
        assert found.type == line.direction.lower()
        assert found.amount == (line.amount.reais if line.direction is Direction.CREDIT else -line.amount.reais)
        assert found.date.replace(tzinfo=UTC) == line.posted_at.replace(microsecond=0)


async def test_the_amounts_lead_from_balance_to_balance() -> None:
    statement = readers.ofx(await content()).statement
    assert Money(OPENING).reais + sum(each.amount for each in statement.transactions) == statement.balance


async def test_ids_are_unique_and_stay_the_same() -> None:
    first, second = [readers.ofx(await content()).statement.transactions for _ in range(2)]
    assert [each.id for each in first] == [each.id for each in second]
    assert len({each.id for each in first}) == len(first)


async def test_names_lose_nothing_but_what_the_charset_lacks() -> None:
    found = [each.payee for each in readers.ofx(await content()).statement.transactions]
    assert found[0] == 'Ação; "Irmãos" & Cia'
    assert found[8] == "quebra de linha dupla"
    assert found[9] == 'Pão ? e - travessão "aspas" ...'
    assert found[10] == "<STMTTRN></OFX> & co"
    assert found[11].startswith("?ódz Sirketi ?")
    assert found[12] == "N" * 32


async def test_each_line_of_the_file_is_a_header_a_tag_or_an_element() -> None:
    text = (await content()).decode("cp1252")
    header, _, body = text.partition("\r\n\r\n")
    assert header.split("\r\n") == [
        "OFXHEADER:100",
        "DATA:OFXSGML",
        "VERSION:102",
        "SECURITY:NONE",
        "ENCODING:USASCII",
        "CHARSET:1252",
        "COMPRESSION:NONE",
        "OLDFILEUID:NONE",
        "NEWFILEUID:NONE",
    ]
    assert body.endswith("\r\n")
    open_tags: list[str] = []
    for line in body.removesuffix("\r\n").split("\r\n"):
        match = re.fullmatch(r"<(/?)([A-Z0-9]+)>(.*)", line)
        assert match, line
        closes, tag, value = match.groups()
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", value), line
        if closes:
            assert open_tags.pop() == tag
        elif not value:
            open_tags.append(tag)
        if tag.startswith("DT"):
            assert re.fullmatch(r"[0-9]{14}\[-3:BRT\]", value)
        if tag in {"TRNAMT", "BALAMT"}:
            assert re.fullmatch(r"-?[0-9]+\.[0-9]{2}", value)
    assert open_tags == []


async def test_an_empty_period_has_its_balance() -> None:
    account = readers.ofx(await written(ofx.write, a_statement(opening=700), []))
    assert account.statement.transactions == []
    assert account.statement.balance == Decimal("7.00")


async def test_the_balance_is_of_the_end_or_of_now() -> None:
    over = await written(ofx.write, a_statement(), [])
    assert b"<DTASOF>20260331235959[-3:BRT]" in over
    now = datetime(2026, 3, 15, 12, tzinfo=UTC)
    assert b"<DTASOF>20260315090000[-3:BRT]" in await written(ofx.write, a_statement(asked_at=now), [])
    assert now + timedelta() == now


async def test_a_bank_without_a_number_is_named_by_its_ispb() -> None:
    content = await written(ofx.write, a_statement(ispb="99999999"), [])
    assert b"<BANKID>99999999\r\n" in content
    assert b"<ORG>ISPB 99999999\r\n" in content
