"""Every code with which SPI rejects a payment, who says it, and what it means in Portuguese.

Source: catalogue of messages of SPI 5.13, pacs.002 1.17, StsRsnInf/Rsn/Cd.
"""

import re
from dataclasses import dataclass

_SPI, _PAYEE, _EITHER, _UNSTATED = "SPI", "recebedor", "SPI ou recebedor", "não informado"


@dataclass(frozen=True, slots=True)
class RejectCode:
    """A code, who rejects with it, and its meaning."""

    code: str
    by: str
    meaning: str


_ALL = (
    ("AB03", _SPI, "liquidação não terminou no tempo previsto"),
    ("AB09", _PAYEE, "erro no participante do recebedor"),
    ("AB11", _SPI, "o participante que emitiu a ordem não respondeu a tempo"),
    ("AC03", _PAYEE, "agência ou conta inexistente ou inválida"),
    ("AC06", _PAYEE, "conta bloqueada"),
    ("AC07", _PAYEE, "conta encerrada"),
    ("AC14", _PAYEE, "tipo de conta incorreto"),
    ("AG03", _PAYEE, "tipo de transação não aceito por essa conta"),
    ("AG12", _SPI, "pagador e recebedor na mesma instituição"),
    ("AG13", _SPI, "não se devolve uma devolução"),
    ("AGNT", _SPI, "o participante direto não liquida para essa instituição"),
    ("AM01", _SPI, "valor zero"),
    ("AM02", _PAYEE, "valor acima do limite do tipo de conta creditada"),
    ("AM04", _SPI, "saldo insuficiente na conta PI do participante pagador"),
    ("AM09", _PAYEE, "devolução maior do que resta do valor original"),
    ("AM12", _SPI, "compra e dinheiro não somam o total"),
    ("AM18", _SPI, "quantidade de transações inválida"),
    ("AM23", _SPI, "tributos acima do valor"),
    ("BE01", _PAYEE, "o CPF ou CNPJ não é do titular da conta"),
    ("BE05", _SPI, "CNPJ do iniciador não cadastrado"),
    ("BE15", _SPI, "identificador de conciliação do recebedor ausente ou incorreto"),
    ("BE17", _PAYEE, "QR Code rejeitado"),
    ("CH11", _PAYEE, "CPF ou CNPJ do recebedor incorreto"),
    ("CH16", _SPI, "conteúdo de um campo incorreto"),
    ("CN01", _UNSTATED, "agendamento recorrente cancelado"),
    ("DS02", _UNSTATED, "recusado por configuração do próprio participante"),
    ("DS04", _PAYEE, "ordem rejeitada pelo participante recebedor"),
    ("DS0G", _SPI, "quem assinou não tem permissão"),
    ("DS27", _SPI, "participante não cadastrado ou fora de operação"),
    ("DT02", _PAYEE, "data e hora inválidas"),
    ("DT05", _PAYEE, "prazo de devolução vencido"),
    ("DU03", _UNSTATED, "já pago em outro arranjo"),
    ("DUPL", _UNSTATED, "identificador de conciliação repetido"),
    ("ED05", _EITHER, "falha na liquidação"),
    ("FF07", _SPI, "finalidade não condiz com os dados estruturados"),
    ("FF08", _SPI, "identificador malformado"),
    ("FRAD", _PAYEE, "suspeita de fraude"),
    ("INDT", _UNSTATED, "dados diferem do QR Code"),
    ("MD01", _UNSTATED, "ISPB do facilitador desconhecido"),
    ("RC09", _SPI, "ISPB do pagador inválido ou desconhecido"),
    ("RC10", _SPI, "ISPB do recebedor inválido ou desconhecido"),
    ("RR04", _PAYEE, "sanções do Conselho de Segurança da ONU"),
    ("RR06", _SPI, "bloco de tributos só entre pessoas jurídicas"),
    ("SL02", _PAYEE, "a transação original não é Saque nem Troco"),
    ("UPAY", _UNSTATED, "nenhuma recorrência válida para a cobrança"),
)

REJECT_CODES = {code: RejectCode(code, by, meaning) for code, by, meaning in _ALL}

_REJECTING_KEY = re.compile(r"([a-z0-9]{4})@rejeita\.example")


def rejecting_key(key: str) -> RejectCode | None:
    """The code with which every payment to this key is rejected, for keys such as ac03@rejeita.example."""
    match = _REJECTING_KEY.fullmatch(key)
    return REJECT_CODES.get(match[1].upper()) if match else None
