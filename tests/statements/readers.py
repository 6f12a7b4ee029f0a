"""Readers of files that are not ours."""

import io
import warnings
from typing import Any

import ofxparse  # type: ignore[import-untyped]
from cnab240.bancos import sicoob  # type: ignore[import-untyped]
from cnab240.tipos import Arquivo  # type: ignore[import-untyped]

CnabFile = Any


def cnab(content: bytes) -> CnabFile:
    """A CNAB 240 file, as python3-cnab reads it. Its layout of Sicoob's statement is FEBRABAN's, column by column."""
    with io.TextIOWrapper(io.BytesIO(content), encoding="ascii", newline="\r\n") as lines:
        return Arquivo(sicoob, arquivo=lines)


def ofx(content: bytes) -> Any:
    """An OFX file's account, as ofxparse reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it speaks an older dialect of its own parser
        return ofxparse.OfxParser.parse(io.BytesIO(content)).account
