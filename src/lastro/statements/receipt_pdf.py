"""A receipt as PDF, on one sheet."""

from collections.abc import Iterator
from datetime import datetime

from lastro.pix.payments.states import PaymentStatus
from lastro.statements import brazilian
from lastro.statements.lines import Direction
from lastro.statements.paper import GREEN, GREY, INK, MARGIN, PALE, RED, Paper
from lastro.statements.period import local
from lastro.statements.receipts import Receipt, Side

_LABEL = 48.0


def render(receipt: Receipt, *, made_at: datetime) -> bytes:
    """The document; a few milliseconds of work."""
    is_sent = receipt.direction is Direction.DEBIT
    issuer = _bank(receipt.issuer)
    paper = Paper(title=f"Comprovante de Pix {receipt.e2e_id}", made_by=issuer, made_at=made_at)
    paper.words(issuer, size=11, bold=True, ink=GREY, height=6, ends_line=True)
    title = "Comprovante de Pix enviado" if is_sent else "Comprovante de Pix recebido"
    paper.words(title, size=18, bold=True, height=10, ends_line=True)
    paper.ln(4)
    amount = f"R$ {brazilian.amount(receipt.amount)}"
    paper.words(amount, size=26, bold=True, ink=INK if is_sent else GREEN, height=13, ends_line=True)
    moment = local(receipt.concluded_at)
    when = f"{moment:%d/%m/%Y} às {moment:%H:%M:%S} (horário de Brasília)"
    paper.words(when, size=10, ink=GREY, height=6, ends_line=True)
    if receipt.returned:
        whole = receipt.status is PaymentStatus.REVERSED
        said = "Devolvido integralmente" if whole else "Devolvido em parte"
        text = f"{said}: R$ {brazilian.amount(receipt.returned)}"
        paper.words(text, size=11, bold=True, ink=RED, height=8, ends_line=True)
    for heading, rows in (
        ("Quem pagou", _about(receipt.payer)),
        ("Quem recebeu", _about(receipt.payee)),
        ("Transação", _transaction(receipt)),
    ):
        _section(paper, heading, list(rows))
    return paper.bytes()


def _about(side: Side) -> Iterator[tuple[str, str]]:
    yield "Nome", side.name
    yield str(side.document_type), side.document
    yield "Instituição", _bank(side)
    if side.number is not None:
        yield "Agência e conta", f"{side.branch} / {side.number}"


def _transaction(receipt: Receipt) -> Iterator[tuple[str, str]]:
    if receipt.key is not None:
        yield "Chave Pix", receipt.key
    if receipt.description is not None:
        yield "Descrição", receipt.description
    if receipt.txid is not None:
        yield "Identificador (txid)", receipt.txid
    yield "ID da transação", receipt.e2e_id
    yield "Autenticação", receipt.authentication


def _section(paper: Paper, heading: str, rows: list[tuple[str, str]]) -> None:
    paper.ln(5)
    paper.words(heading, size=11, bold=True, height=7, ends_line=True)
    paper.set_draw_color(PALE)
    paper.line(MARGIN, paper.get_y(), paper.w - MARGIN, paper.get_y())
    paper.ln(1)
    for label, text in rows:
        paper.words(label, ink=GREY, width=_LABEL, height=6)
        paper.paragraph(text, width=paper.epw - _LABEL, height=6)


def _bank(side: Side) -> str:
    return side.bank.short_name if side.bank else f"ISPB {side.ispb}"
