"""Sheets of paper: what our PDFs have in common. Letters are those of the fonts that every reader has."""

from datetime import datetime

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from lastro.statements import brazilian
from lastro.statements.period import local

ENCODING = "latin-1"
INK, GREY, PALE, RED, GREEN = (33, 37, 41), (108, 117, 125), (233, 236, 239), (176, 42, 55), (20, 108, 67)
MARGIN = 15
_FONT = "helvetica"


class Paper(FPDF):
    """A4, upright. Each sheet says whose institution made it, when, and which sheet of how many it is."""

    def __init__(self, *, title: str, made_by: str, made_at: datetime) -> None:
        """Begin with an empty first sheet."""
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._made_by = brazilian.lettered(made_by, ENCODING)
        self._made_at = local(made_at)
        self.set_title(brazilian.lettered(title, ENCODING))
        self.set_creator("Lastro")
        self.set_lang("pt-BR")
        self.set_creation_date(made_at)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=20)
        self.add_page()

    def footer(self) -> None:
        """The last line of each sheet."""
        self.set_y(-14)
        self.set_draw_color(PALE)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        made = f"{self._made_by} · emitido em {self._made_at:%d/%m/%Y %H:%M:%S} (horário de Brasília)"
        self.words(made, size=7, ink=GREY, width=self.epw - 30, height=6)
        self.words(f"Página {self.page_no()} de {{nb}}", size=7, ink=GREY, width=30, height=6, align="R")

    def words(
        self,
        text: str,
        *,
        size: float = 9,
        bold: bool = False,
        ink: tuple[int, int, int] = INK,
        width: float = 0,
        height: float = 5,
        align: str = "L",
        ends_line: bool = False,
    ) -> None:
        """A text in one line, cut to its width."""
        self.set_font(_FONT, "B" if bold else "", size)
        self.set_text_color(ink)
        self.cell(
            width,
            height,
            self._cut(brazilian.lettered(text, ENCODING), width or self.epw),
            align=align,
            new_x=XPos.LMARGIN if ends_line else XPos.RIGHT,
            new_y=YPos.NEXT if ends_line else YPos.TOP,
        )

    def paragraph(self, text: str, *, width: float, height: float) -> None:
        """A text whole, in as many lines as it takes."""
        self.set_font(_FONT, "", 9)
        self.set_text_color(INK)
        lettered = brazilian.lettered(text, ENCODING)
        self.multi_cell(width, height, lettered, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _cut(self, text: str, width: float) -> str:
        room = width - 2 * self.c_margin
        if self.get_string_width(text) <= room:
            return text
        while text and self.get_string_width(f"{text}...") > room:
            text = text[:-1]
        return f"{text.rstrip()}..."

    def bytes(self) -> bytes:
        """The whole document."""
        return bytes(self.output())
