"""A statement as PDF, like the ones that banks send."""

from collections.abc import Sequence
from datetime import date, datetime

from lastro.statements import brazilian
from lastro.statements.lines import Direction, Line
from lastro.statements.origins import NAMES
from lastro.statements.paper import GREEN, GREY, INK, MARGIN, PALE, RED, Paper
from lastro.statements.period import local
from lastro.statements.service import Statement

MOST_LINES = 5_000
"""The document is made in memory, and nobody reads more on paper."""

_ROW, _TIME, _MONEY = 9.0, 16.0, 30.0


def render(of: Statement, lines: Sequence[Line]) -> bytes:
    """The document. Takes a second or so when there are thousands of lines: call it outside of the event loop."""
    paper = _Sheet(of)
    paper.summary()
    paper.heads()
    day: date | None = None
    for line in lines:
        posted = local(line.posted_at)
        if posted.date() != day:
            day = posted.date()
            paper.day(day)
        paper.entry(line, posted)
    paper.end(is_empty=not lines)
    return paper.bytes()


class _Sheet(Paper):
    """The statement's own shapes."""

    def __init__(self, of: Statement) -> None:
        self._of = of
        self._days = f"{brazilian.day(of.period.first)} a {brazilian.day(of.period.last)}"
        super().__init__(
            title=f"Extrato de conta - {self._days}", made_by=of.holder.bank_name, made_at=of.period.asked_at
        )

    @property
    def _text_width(self) -> float:
        return self.epw - _TIME - 2 * _MONEY

    def header(self) -> None:
        """The first sheet has a title, the others a line that says what they belong to."""
        holder = self._of.holder
        if self.page_no() == 1:
            self.words(holder.bank_name, size=11, bold=True, ink=GREY, height=6, ends_line=True)
            self.words("Extrato de conta", size=18, bold=True, height=10, ends_line=True)
            self.ln(2)
        else:
            self.words(f"{holder.name} · {self._days}", size=8, ink=GREY, height=6, ends_line=True)
            self.heads()

    def summary(self) -> None:
        """Whose account, which days, what there was before and after."""
        holder, span = self._of.holder, self._of.span
        place = f"Agência {holder.branch or '-'}   Conta {holder.number or '-'}"
        rows = (
            ("Titular", holder.name, "Saldo inicial", span.opening),
            (str(holder.tax_id.kind), holder.tax_id.punctuated, "Saldo final", span.closing),
            ("Conta", place, None, None),
            ("Período", self._days, None, None),
        )
        self.set_fill_color(PALE)
        self.rect(MARGIN, self.get_y(), self.epw, 6 * len(rows) + 4, style="F")
        self.ln(2)
        for label, text, money_label, money in rows:
            self.words(label, size=8, ink=GREY, width=18, height=6)
            self.words(text, bold=label == "Titular", width=92, height=6, ends_line=money is None)
            if money is not None:
                self.words(money_label or "", size=8, ink=GREY, width=25, height=6)
                reais = f"R$ {brazilian.amount(money)}"
                self.words(reais, bold=True, width=self.epw - 135, height=6, align="R", ends_line=True)
        self.ln(6)

    def heads(self) -> None:
        """What the columns hold."""
        for text, width, align in (
            ("Hora", _TIME, "L"),
            ("Lançamento", self._text_width, "L"),
            ("Valor (R$)", _MONEY, "R"),
        ):
            self.words(text, size=8, bold=True, ink=GREY, width=width, align=align)
        self.words("Saldo (R$)", size=8, bold=True, ink=GREY, width=_MONEY, align="R", ends_line=True)
        self._rule()

    def day(self, day: date) -> None:
        """A new day; never alone at the foot of a sheet."""
        if self.will_page_break(7 + _ROW):
            self.add_page()
        self.ln(1)
        self.words(brazilian.day(day), size=9, bold=True, height=6, ends_line=True)

    def entry(self, line: Line, posted: datetime) -> None:
        """A line in two: what it was and with whom, then what else is known. On a new sheet, after its day."""
        if self.will_page_break(_ROW):
            self.add_page()
            self.day(posted.date())
        origin, other = line.origin, line.origin.counterparty
        is_credit = line.direction is Direction.CREDIT
        amount = f"{'+' if is_credit else '-'}{brazilian.amount(line.amount)}"
        self.words(f"{posted:%H:%M}", size=8, ink=GREY, width=_TIME)
        self.words(f"{NAMES[origin.type]} · {other.name}", width=self._text_width)
        self.words(amount, bold=True, ink=GREEN if is_credit else RED, width=_MONEY, align="R")
        self.words(brazilian.amount(line.balance_after), width=_MONEY, align="R", ends_line=True)
        details = (other.document, other.bank_name or f"ISPB {other.ispb}", origin.e2e_id, origin.description)
        self.set_x(MARGIN + _TIME)
        text = " · ".join(filter(None, details))
        self.words(text, size=6.5, ink=GREY, width=self.epw - _TIME, height=3, ends_line=True)
        self.ln(_ROW - 8)

    def end(self, *, is_empty: bool) -> None:
        """The closing balance once more, under the lines."""
        if self.will_page_break(16):
            self.add_page()
        if is_empty:
            self.words("Não houve lançamentos no período.", ink=GREY, height=10, ends_line=True)
        self._rule()
        closing = f"R$ {brazilian.amount(self._of.span.closing)}"
        at = brazilian.day(min(self._of.period.last, local(self._of.period.asked_at).date()))
        self.words(f"Saldo em {at}", bold=True, width=self.epw / 2, height=8)
        self.words(closing, bold=True, ink=INK, width=self.epw / 2, height=8, align="R", ends_line=True)

    def _rule(self) -> None:
        self.set_draw_color(GREY)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.ln(1)
