"""PDF: the words of the statement are there for who reads them, on as many numbered sheets as it takes."""

import io

import pypdf

from lastro.statements import pdf
from statements.written import a_history, a_statement


def sheets(lines_count: int | None = None) -> list[str]:
    lines = a_history(12_345)
    if lines_count is not None:
        lines = lines * (lines_count // len(lines) + 1)
        lines = lines[:lines_count]
    content = pdf.render(a_statement(lines, 12_345), lines)
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]


def test_it_says_whose_it_is_and_what_there_was_and_is() -> None:
    (first, *_) = sheets()
    for words in (
        "Extrato de conta",
        "Padaria Pão & Cia Ltda",
        "11.222.333/0001-81",
        "Agência 0001",
        "Conta 12345-6",
        "01/03/2026 a 31/03/2026",
        "R$ 123,45",
        "Pix recebido · Ação",
        "Devolução de Pix enviada",
        "+100.000,00",
    ):
        assert words in first, words


def test_the_closing_balance_stands_at_the_end() -> None:
    closing = f"{a_history(12_345)[-1].balance_after.reais:,.2f}"
    closing = closing.replace(",", "_").replace(".", ",").replace("_", ".")
    assert f"R$ {closing}" in sheets()[0]
    assert "Saldo em 31/03/2026" in sheets()[-1]


def test_letters_that_the_font_lacks_are_replaced() -> None:
    assert "Pão ? e - travessão" in "".join(sheets())


def test_each_sheet_is_numbered_and_has_the_heads() -> None:
    pages = sheets(200)
    assert len(pages) > 3
    for number, text in enumerate(pages, start=1):
        assert f"Página {number} de {len(pages)}" in text
        assert "Lançamento" in text
        assert "Saldo (R$)" in text
    assert sum(text.count("***456789**") for text in pages) == 200


def test_an_empty_period_says_so() -> None:
    content = pdf.render(a_statement(opening=700), [])
    (page,) = pypdf.PdfReader(io.BytesIO(content)).pages
    assert "Não houve lançamentos no período." in page.extract_text()
    assert page.extract_text().count("R$ 7,00") == 3
