"""CNAB 240: a reader that is not ours finds every field, and every record has 240 columns of ASCII."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lastro.errors import Unprocessable
from lastro.statements import cnab240
from lastro.statements.lines import Direction
from lastro.values.money import Money
from lastro.values.tax_id import TaxId
from statements.readers import CnabFile, cnab
from statements.written import a_history, a_statement, written

OPENING = 12_345


async def content() -> bytes:
    lines = a_history(OPENING)
    return await written(cnab240.write, a_statement(lines, OPENING), lines)


async def test_each_record_has_240_columns_of_ascii_and_ends_as_the_standard_says() -> None:
    text = (await content()).decode("ascii")
    records = text.split("\r\n")
    assert records.pop() == ""
    assert {len(record) for record in records} == {240}
    assert all(record.isprintable() and record == record.upper() for record in records)
    assert [record[7] for record in records] == ["0", "1", *("3" * len(a_history())), "5", "9"]
    assert [record[13] for record in records if record[7] == "3"] == ["E"] * len(a_history())


async def test_another_program_finds_account_balances_and_totals() -> None:
    lines, file = a_history(OPENING), cnab(await content())
    header = file.header.todict()
    assert (header["controle_banco"], header["arquivo_codigo"]) == (1, 2)
    assert (header["cedente_inscricao_tipo"], header["cedente_inscricao_numero"]) == (2, 11222333000181)
    assert (header["cedente_agencia"], header["cedente_conta"], header["cedente_conta_dv"]) == (1, 12345, "6")
    assert (header["cedente_nome"], header["nome_do_banco"]) == ("PADARIA PAO & CIA LTDA", "BANCO DO BRASIL")
    assert (header["arquivo_data_de_geracao"], header["arquivo_hora_de_geracao"]) == (2042026, 90000)
    (batch,) = file.lotes
    opening, closing = batch.header.todict(), batch.trailer.todict()
    assert (opening["servico_operacao"], opening["servico_servico"], opening["servico_layout"]) == ("E", 4, 33)
    assert (opening["data_saldo_inicial"], opening["valor_saldo_inicial"]) == (28022026, Money(OPENING).reais)
    assert (opening["situacao_saldo_inicial"], opening["moeda"]) == ("C", "BRL")
    assert (closing["data_saldo_final"], closing["valor_saldo_final"]) == (31032026, lines[-1].balance_after.reais)
    assert (closing["situacao_saldo_final"], closing["posicao_saldo_final"]) == ("C", "F")
    assert closing["quantidade_registros"] == len(lines) + 2
    sums = {
        direction: sum((line.amount.reais for line in lines if line.direction is direction), Decimal())
        for direction in Direction
    }
    assert (closing["valor_debitos"], closing["valor_creditos"]) == (sums[Direction.DEBIT], sums[Direction.CREDIT])
    assert (
        opening["valor_saldo_inicial"] + sums[Direction.CREDIT] - sums[Direction.DEBIT] == closing["valor_saldo_final"]
    )
    trailer = file.trailer.todict()
    assert (trailer["controle_lote"], trailer["totais_quantidade_lotes"]) == (9999, 1)
    assert (trailer["totais_quantidade_registros"], trailer["vazio2"]) == (len(lines) + 4, 1)


async def test_another_program_finds_every_line() -> None:
    (batch,) = cnab(await content()).lotes
    found = [event.segmentos[0].todict() for event in batch.eventos]
    for number, (line, entry) in enumerate(zip(a_history(OPENING), found, strict=True), start=1):
        assert entry["servico_numero_registro"] == number
        assert entry["valor_lancamento"] == line.amount.reais
        assert entry["tipo_lancamento"] == line.direction[0]
        assert entry["natureza_lancamento"] == "DPV"
        assert entry["numero_documento"] == (line.origin.e2e_id or str(line.origin.resource_id).upper())
        category = int(entry["categoria_lancamento"])
        assert 200 <= category <= 299 if line.direction is Direction.CREDIT else 100 <= category <= 199
    assert found[0]["data_lancamento"] == found[0]["data_contabil"] == 1032026
    assert found[0]["descricao_historico"] == 'PIX RECEBIDO ACAO; "IRMAO'


async def test_an_empty_period_has_both_balances_and_no_line() -> None:
    file: CnabFile = cnab(await written(cnab240.write, a_statement(opening=700), []))
    (batch,) = file.lotes
    assert batch.eventos == []
    assert batch.header.valor_saldo_inicial == batch.trailer.valor_saldo_final == Decimal("7.00")
    assert batch.trailer.quantidade_registros == 2


async def test_a_period_that_is_not_over_says_so() -> None:
    now = datetime(2026, 3, 15, 12, tzinfo=UTC)
    (batch,) = cnab(await written(cnab240.write, a_statement(asked_at=now), [])).lotes
    assert (batch.trailer.posicao_saldo_final, batch.trailer.data_saldo_final) == ("P", 15032026)


async def test_a_person_and_a_company_with_letters_stand_where_digits_stood() -> None:
    person = await written(cnab240.write, a_statement(tax_id="39053344705"), [])
    assert person[17:32] == b"100039053344705"
    lettered = TaxId.parse("12ABC34501DE35")
    company = await written(cnab240.write, a_statement(tax_id=lettered.value), [])
    assert company[17:32] == b"212ABC34501DE35"
    assert {len(record) for record in company.splitlines()} == {240}


async def test_a_bank_without_a_number_has_zeros() -> None:
    content = await written(cnab240.write, a_statement(ispb="99999999"), [])
    assert {record[:3] for record in content.splitlines()} == {b"000"}


@pytest.mark.parametrize("number", ["1234567890123-4", "12A45-6"])
def test_a_number_that_does_not_fit_is_refused(number: str) -> None:
    with pytest.raises(Unprocessable):
        cnab240.demand_a_fitting_number(a_statement(number=number).holder)


def test_the_longest_file_is_just_within_six_digits() -> None:
    lines = cnab240.most_lines()
    batches = -(-lines // cnab240.LINES_A_BATCH)
    assert lines + 2 * batches + 2 <= cnab240.MOST_RECORDS < lines + 1 + 2 * batches + 2 + 1
