"""Amounts, days and letters as files for Brazilian readers write them."""

import unicodedata
from datetime import date

from lastro.values.money import Money

_PLAINER = str.maketrans({"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "€": "EUR"})


def amount(money: Money, *, grouped: bool = True) -> str:
    """ "1.234,56", or "1234,56" for machines."""
    reais, centavos = divmod(abs(money.centavos), 100)
    whole = f"{reais:,}".replace(",", ".") if grouped else str(reais)
    return f"{'-' if money.centavos < 0 else ''}{whole},{centavos:02}"


def day(value: date) -> str:
    """ "31/01/2026"."""
    return f"{value:%d/%m/%Y}"


def lettered(text: str, encoding: str) -> str:
    """The text in one line, in letters that this encoding has: a letter without its accent rather than none."""
    line = " ".join(text.split()).translate(_PLAINER)
    if line.isprintable() and len(line.encode(encoding, "ignore")) == len(line):  # each of these has a byte a letter
        return line
    return "".join(_letter(character, encoding) for character in line)


def _letter(character: str, encoding: str) -> str:
    for spelling in (character, unicodedata.normalize("NFKD", character)):
        known = spelling.encode(encoding, "ignore").decode(encoding)
        if known:
            return known if known.isprintable() else " "
    return "?"
