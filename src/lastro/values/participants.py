"""Who takes part in Pix: the 280 institutions of the participants list of August 2026, by ISPB.

`participants.csv` holds the Pix participants among the Central Bank's STR and Pix lists as the BancosBrasileiros
project had gathered them on 2026-08-22. `name` is the list's own; `short_name` is what people call the institution,
derived from it by hand and by rule (no legal form, no capitals). Names change often: an ISPB is for ever.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Participant:
    """An institution: its ISPB (8 characters), its COMPE bank code (3 digits, not all have one) and its names."""

    ispb: str
    compe: str | None
    name: str
    short_name: str


def participant(ispb: str) -> Participant | None:
    """The participant with this ISPB, if it is on the list."""
    return _participants().get(ispb)


@cache
def _participants() -> dict[str, Participant]:
    """All of them, read from the package once, when the first is asked for."""
    text = resources.files("lastro.values").joinpath("participants.csv").read_text(encoding="utf-8")
    return {
        row["ispb"]: Participant(row["ispb"], row["compe"] or None, row["name"], row["short_name"])
        for row in csv.DictReader(text.splitlines())
    }
