"""CSV: what Python's own reader reads is what was meant, and no cell is a formula."""

import csv
import io

import pytest

from lastro.statements import csv_file
from lastro.statements.csv_file import HEADER, defused
from lastro.statements.lines import Direction
from lastro.statements.origins import NAMES
from statements.written import a_history, a_statement, written


async def rows() -> list[dict[str, str]]:
    content = await written(csv_file.write, a_statement(a_history()), a_history())
    assert content.startswith(b"\xef\xbb\xbfData;Hora;")
    text = content.decode("utf-8-sig")
    assert "\n" not in text.replace("\r\n", "").replace("quebra\nde linha", "")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";", strict=True))


async def test_each_line_is_a_row_that_reads_back() -> None:
    lines, found = a_history(), await rows()
    assert len(found) == len(lines)
    for line, row in zip(lines, found, strict=True):
        assert tuple(row) == HEADER
        assert row["Lançamento"] == NAMES[line.origin.type]
        assert row["Contraparte"].removeprefix("'") == line.origin.counterparty.name.removeprefix("'")
        assert row["Descrição"].removeprefix("'") == (line.origin.description or "")
        signed = line.amount.reais if line.direction is Direction.CREDIT else -line.amount.reais
        assert row["Valor"] == f"{signed:.2f}".replace(".", ",")
        assert row["Saldo"] == f"{line.balance_after.reais:.2f}".replace(".", ",")
        assert row["ID do lançamento"] == str(line.id)


async def test_times_are_sao_paulos() -> None:
    first, second, *_ = await rows()
    assert (first["Data"], first["Hora"]) == ("01/03/2026", "00:00:00")
    assert (second["Data"], second["Hora"]) == ("01/03/2026", "13:00:00")


async def test_no_cell_of_a_strangers_is_a_formula() -> None:
    dangerous = ("=", "+", "-", "@", "\t", "\r", "\n")
    for row in await rows():
        for name, cell in row.items():
            assert name == "Valor" or not cell.lstrip(" ").startswith(dangerous), (name, cell)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        (None, ""),
        ("", ""),
        ("Maria", "Maria"),
        ("a=b", "a=b"),
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("\t=1", "'\t=1"),
        ("\r1", "'\r1"),
        (" =1", "' =1"),
    ],
)
def test_only_what_begins_like_a_formula_is_marked(text: str | None, cell: str) -> None:
    assert defused(text) == cell


async def test_nothing_happened_is_a_header_alone() -> None:
    content = await written(csv_file.write, a_statement(), [])
    assert content.decode("utf-8-sig").splitlines() == [";".join(HEADER)]
