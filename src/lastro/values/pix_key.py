"""A Pix key in the one spelling that the directory (DICT) knows it by."""

import re
from dataclasses import dataclass
from enum import StrEnum

from lastro.values.tax_id import DocumentType, TaxId
from lastro.values.text import Invalid, Text

MAX_LENGTH = 77


class KeyType(StrEnum):
    """The five kinds of Pix key; EVP is the random one, which DICT makes."""

    CPF = "CPF"
    CNPJ = "CNPJ"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    EVP = "EVP"


_DOCUMENT_TYPES = {KeyType.CPF: DocumentType.CPF, KeyType.CNPJ: DocumentType.CNPJ}

# DICT API 2.12.1, tag Entry, with [0-9] for \d.
_DOMAIN_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SHAPES = {
    KeyType.EMAIL: re.compile(rf"[a-z0-9.!#$'*+/=?^_`{{|}}~-]+@{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*"),
    KeyType.PHONE: re.compile(r"\+[1-9][0-9]{1,14}"),
    # Of any UUID version: the Central Bank's own sample is not a version 4.
    KeyType.EVP: re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
}
_BARE_CPF = re.compile(r"[0-9]{11}")
_BARE_CNPJ = re.compile(r"[0-9A-Za-z]{12}[0-9]{2}")
_PHONE_PUNCTUATION = str.maketrans("", "", " -()")

_TOO_LONG = Text(f"A chave Pix passa de {MAX_LENGTH} caracteres.", f"The Pix key exceeds {MAX_LENGTH} characters.")
_NOT_ASCII = Text(
    "A chave Pix tem caracteres que não são permitidos.", "The Pix key holds characters it must not hold."
)
_NO_KNOWN_TYPE = Text(
    "A chave não tem a forma de nenhum tipo de chave Pix.", "The key has the shape of no type of Pix key."
)
_WRONG_SHAPE = {
    KeyType.EMAIL: Text("A chave não é um e-mail.", "The key is not an e-mail address."),
    KeyType.PHONE: Text(
        "A chave não é um telefone com + e código do país, como +5511912345678.",
        "The key is not a phone number with + and a country code, such as +5511912345678.",
    ),
    KeyType.EVP: Text("A chave não é uma chave aleatória (UUID).", "The key is not a random key (UUID)."),
}


@dataclass(frozen=True, slots=True)
class PixKey:
    """A key and its type, normalised, because DICT compares keys character by character. Made by `parse`."""

    kind: KeyType
    value: str

    @classmethod
    def parse(cls, kind: KeyType, text: str) -> "PixKey":
        """Read a key of a known type as a person may type it: spaces around it, punctuation, capitals.

        Looks at the shape only; check digits are for `has_valid_check_digits`. Raises `Invalid`.
        """
        return cls(kind, _normalised(kind, _trimmed(text)))

    @classmethod
    def of_unknown_kind(cls, text: str) -> "PixKey":
        """Read a key out of a BR Code, which does not say its type; there, 11 bare digits are a CPF, never a phone.

        Fourteen letters or digits can be nothing but a CNPJ. As for `parse`, its check digits do not matter: whether
        a key exists is the directory's to say. Raises `Invalid`.
        """
        return cls.parse(_kind_of(_trimmed(text)), text)

    @property
    def has_valid_check_digits(self) -> bool:
        """Whether a CPF or CNPJ key is arithmetically right; true of the other types, which have no check digits."""
        document_type = _DOCUMENT_TYPES.get(self.kind)
        return document_type is None or TaxId(self.value, document_type).has_valid_check_digits

    @property
    def masked(self) -> str:
        """For logs: a document as `TaxId.masked`, else the first and the last two characters of eight or more."""
        document_type = _DOCUMENT_TYPES.get(self.kind)
        if document_type is not None:
            return TaxId(self.value, document_type).masked
        hidden = len(self.value) - 4
        if hidden < 4:  # noqa: PLR2004 - then the shown part would be most of the key
            return "*" * len(self.value)
        return f"{self.value[:2]}{'*' * hidden}{self.value[-2:]}"

    def __str__(self) -> str:
        return self.value


def _trimmed(text: str) -> str:
    """The text without the spaces around it. Raises `Invalid` when it is too long or leaves ASCII."""
    trimmed = text.strip(" ")
    if len(trimmed) > MAX_LENGTH:
        raise Invalid(_TOO_LONG)
    # Before lower(), which turns some foreign letters into ASCII ones (the Kelvin sign becomes k).
    if not trimmed.isascii():
        raise Invalid(_NOT_ASCII)
    return trimmed


def _normalised(kind: KeyType, text: str) -> str:
    document_type = _DOCUMENT_TYPES.get(kind)
    if document_type is not None:
        return TaxId.parse(text, document_type).value
    value = text.translate(_PHONE_PUNCTUATION) if kind is KeyType.PHONE else text.lower()
    if not _SHAPES[kind].fullmatch(value):
        raise Invalid(_WRONG_SHAPE[kind])
    return value


def _kind_of(text: str) -> KeyType:
    """The type that the look of a key implies. The e-mail comes first: its name may begin with a plus."""
    if "@" in text:
        return KeyType.EMAIL
    if text.startswith("+"):
        return KeyType.PHONE
    if _SHAPES[KeyType.EVP].fullmatch(text.lower()):
        return KeyType.EVP
    if _BARE_CPF.fullmatch(text):
        return KeyType.CPF
    if _BARE_CNPJ.fullmatch(text):
        return KeyType.CNPJ
    raise Invalid(_NO_KNOWN_TYPE)
