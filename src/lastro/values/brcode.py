"""The text inside a Pix QR code, the BR Code: EMV's merchant-presented code with a Pix template in it.

A code is a row of fields: two digits of tag, two of length, the value. Tags 26 to 51, 62 and 80 to 99 hold such rows
themselves. A length counts characters; the checksum at the end runs over the bytes of the text in UTF-8. What we write
is ASCII and keeps every limit. What we read comes from some hundreds of banks, so it may be untidy wherever that can
not change who is paid, how much, or where we look.
"""

import re
import unicodedata
from binascii import crc_hqx
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lastro.values.money import Money
from lastro.values.pix_key import PixKey
from lastro.values.text import Invalid, Text

LONGEST = 512  # API Pix 2.9.0, pixCopiaECola
LONGEST_NAME = 25
LONGEST_CITY = 15

_GUI = "br.gov.bcb.pix"
_NO_TXID = "***"
_PAID_ONCE = "12"
_START = "000201"
_CRC_START = "6304"
_CRC_LENGTH = len(_CRC_START) + 4
_LONGEST_FIELD = 99
_FIELD_HEAD = 4  # a tag and a length

_MERCHANT_TEMPLATES = [f"{tag:02d}" for tag in range(26, 52)]
_UNRESERVED_TEMPLATES = [f"{tag:02d}" for tag in range(80, 100)]

_TWO_DIGITS = re.compile(r"[0-9]{2}")
_PRINTABLE = re.compile(r"[ -~]+")
_AMOUNT = re.compile(r"([0-9]{1,10})(?:\.([0-9]{0,2}))?")
_TXID = re.compile(r"[A-Za-z0-9]{1,25}")
_ISPB = re.compile(r"[0-9A-Z]{8}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# A host, perhaps a port, and a path: no scheme, no user, no query, nothing that a second reader could take otherwise.
_LOCATION = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[1-9][0-9]{{0,4}})?(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._~=+:-]+)+")
# Controls, formats (such as right-to-left), surrogates and line ends. No code needs them, and no database or screen.
_UNWANTED = {"Cc", "Cf", "Cs", "Zl", "Zp"}

# What Unicode does not take apart into a letter and an accent.
_PLAIN = str.maketrans(
    {
        "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "ß": "ss", "ẞ": "SS", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l",
        "Đ": "D", "đ": "d", "Ð": "D", "ð": "d", "Þ": "Th", "þ": "th", "ı": "i", "‘": "'", "’": "'", "´": "'",
        "“": '"', "”": '"', "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-", "•": "-", "€": "EUR",
    }
)  # fmt: skip

_TOO_LONG = Text(f"O código passa de {LONGEST} caracteres.", f"The code exceeds {LONGEST} characters.")
_UNWANTED_CHARACTERS = Text(
    "O código tem caracteres que nenhum QR Code tem.", "The code holds characters that no QR code holds."
)
_NOT_A_CODE = Text(
    f"O texto não é um BR Code: não começa com {_START}.", f"The text is not a BR Code: it does not start {_START}."
)
_NO_CRC = Text(
    "O código não termina com o campo 63: está incompleto.", "The code does not end in field 63: it is incomplete."
)
_WRONG_CRC = Text(
    "O CRC (campo 63) não confere: o código foi cortado ou alterado.",
    "The CRC (field 63) is wrong: the code was cut or changed.",
)
_MALFORMED = Text("O campo {tag} está malformado ou cortado.", "Field {tag} is malformed or cut.")
_TWICE = Text("O campo {tag} aparece duas vezes.", "Field {tag} appears twice.")
_CRC_NOT_LAST = Text("O campo 63 (CRC) deve ser o último.", "Field 63 (CRC) must be the last.")
_NOT_PIX = Text(
    "O código não é Pix: nenhum dos campos 26 a 51 é de br.gov.bcb.pix.",
    "The code is not Pix: none of the fields 26 to 51 belongs to br.gov.bcb.pix.",
)
_TWO_TEMPLATES = Text("Os campos {tag} são ambos do Pix.", "The fields {tag} are both of Pix.")
_MISSING = Text("Falta o campo {tag}.", "Field {tag} is missing.")
_WRONG = Text("O campo {tag} deve ser {value}.", "Field {tag} must be {value}.")
_BOTH = Text("O código tem chave ({tag}-01) e URL ({tag}-25).", "The code has a key ({tag}-01) and a URL ({tag}-25).")
_NEITHER = Text(
    "O código não tem chave ({tag}-01) nem URL ({tag}-25).",
    "The code has neither a key ({tag}-01) nor a URL ({tag}-25).",
)
_BAD_LOCATION = Text(
    "A URL (campo {tag}) deve ser um endereço sem protocolo, com servidor e caminho.",
    "The URL (field {tag}) must be an address without a scheme, with a host and a path.",
)
_BAD_KEY = Text("Campo {tag}: {pt}", "Field {tag}: {en}")
_BAD_AMOUNT = Text("O valor (campo 54) não é um valor em reais.", "The amount (field 54) is not an amount of reais.")
_BAD_TXID = Text(
    "O txid (campo 62-05) deve ter de 1 a 25 letras ou algarismos.",
    "The txid (field 62-05) must have 1 to 25 letters or digits.",
)
_BAD_FACILITATOR = Text(
    "O facilitador de saque (campo {tag}) não é um ISPB.", "The withdrawal facilitator (field {tag}) is not an ISPB."
)
_BAD_NAME = Text(
    "O campo {tag} deve ter de 1 a {longest} caracteres ASCII.",
    "Field {tag} must have 1 to {longest} ASCII characters.",
)
_NO_ROOM = Text("O campo {tag} passa de 99 caracteres.", "Field {tag} exceeds 99 characters.")


@dataclass(frozen=True, slots=True)
class StaticCode:
    """A code that names the key to pay. It may be paid many times; with an amount, that amount is meant.

    With a `withdrawal_facilitator`, the ISPB of whoever hands out the cash, it is a Pix Saque.
    """

    key: PixKey
    amount: Money | None
    merchant_name: str
    merchant_city: str
    txid: str | None = None
    description: str | None = None
    withdrawal_facilitator: str | None = None
    recurrence: str | None = None


@dataclass(frozen=True, slots=True)
class DynamicCode:
    """A code that names where its charge is published: host and path. Amount and txid are the charge's to say.

    `recurrence` is where a Pix Automático is published that the payer may agree to along with this payment.
    """

    location: str
    merchant_name: str
    merchant_city: str
    recurrence: str | None = None


@dataclass(frozen=True, slots=True)
class RecurrenceCode:
    """A code that asks for a Pix Automático and for no payment now."""

    recurrence: str
    merchant_name: str
    merchant_city: str


def read(text: str) -> StaticCode | DynamicCode | RecurrenceCode:
    """What a BR Code says, however some bank has spelled it. Raises `Invalid`, which names the field.

    Static or dynamic is told by key or URL, never by field 01, which banks set as they please.
    """
    fields = _fields(_checked(text))
    if "63" in fields:
        raise Invalid(_CRC_NOT_LAST)
    tag, pix = _pix_template(fields)
    _demand_reais_in_brazil(fields)
    name, city = _present(fields, "59"), _present(fields, "60")
    recurrence = _recurrence(fields)
    key, location = pix.get("01"), pix.get("25")
    if key and location:
        raise Invalid(_BOTH.fill(tag=tag))
    if location:
        return DynamicCode(_location(location, f"{tag}-25"), name, city, recurrence)
    if key:
        return StaticCode(
            _key(key, f"{tag}-01"),
            _amount(fields.get("54")),
            name,
            city,
            _txid(fields.get("62", "")),
            pix.get("02") or None,
            _facilitator(pix.get("03"), f"{tag}-03"),
            recurrence,
        )
    if recurrence:
        return RecurrenceCode(recurrence, name, city)
    raise Invalid(_NEITHER.fill(tag=tag))


def write(code: StaticCode | DynamicCode) -> str:
    """The BR Code, in ASCII. Names must fit and be ASCII already (`fold` them); a description is folded and cut.

    A static code has no field 01, as in the Central Bank's sample; a dynamic one has 12, to be paid once. Raises
    `Invalid`.
    """
    if isinstance(code, StaticCode):
        head, pix = "", _static_template(code)
        amount = "" if code.amount is None else _field("54", _written_amount(code.amount))
        txid = _NO_TXID if code.txid is None else _txid_of(code.txid)
    else:
        head, pix = _field("01", _PAID_ONCE), _field("25", _location(code.location, "26-25"))
        amount, txid = "", _NO_TXID
    body = "".join(
        [
            _START,
            head,
            _field("26", _field("00", _GUI) + pix),
            _field("52", "0000"),
            _field("53", "986"),
            amount,
            _field("58", "BR"),
            _field("59", _name(code.merchant_name, "59", LONGEST_NAME)),
            _field("60", _name(code.merchant_city, "60", LONGEST_CITY)),
            _field("62", _field("05", txid)),
            _written_recurrence(code.recurrence),
            _CRC_START,
        ]
    )
    return body + f"{_crc(body):04X}"


def fold(text: str, longest: int) -> str:
    """The text in printable ASCII, accents taken off, other scripts left out, and then cut: "São Paulo" is "Sao Paulo".

    Capitals and small letters stay as they are: EMV allows both, and the Central Bank's samples use both.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN)).translate(_PLAIN)
    spaced = "".join(" " if character.isspace() else character for character in plain)
    ascii_only = "".join(character for character in spaced if _PRINTABLE.fullmatch(character))
    return " ".join(ascii_only.split())[:longest].rstrip()


# Reading


def _checked(text: str) -> str:
    """The code without its checksum, which was right, and without the spaces and lines that people paste along."""
    if len(text) > 2 * LONGEST:  # before anything that takes time by the length
        raise Invalid(_TOO_LONG)
    code = text.strip()
    if len(code) > LONGEST:
        raise Invalid(_TOO_LONG)
    if any(unicodedata.category(character) in _UNWANTED for character in code):
        raise Invalid(_UNWANTED_CHARACTERS)
    if not code.startswith(_START):
        raise Invalid(_NOT_A_CODE)
    if code[-_CRC_LENGTH:-4] != _CRC_START:
        raise Invalid(_NO_CRC)
    # Small letters are wrong, and some banks write them.
    crc = _crc(code[:-4])
    if code[-4:] not in (f"{crc:04X}", f"{crc:04x}"):
        raise Invalid(_WRONG_CRC)
    return code[:-_CRC_LENGTH]


def _crc(text: str) -> int:
    """CRC-16/CCITT-FALSE over everything before it, its own tag and length included."""
    return crc_hqx(text.encode(), 0xFFFF)


class _Malformed(Invalid):
    """A text is not a row of fields."""


def _fields(text: str, within: str = "") -> dict[str, str]:
    """The fields of a code or of a template, by tag. Raises `Invalid` for what is cut and for what is there twice."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        tag, length = text[at : at + 2], text[at + 2 : at + 4]
        if not _TWO_DIGITS.fullmatch(tag):
            raise _Malformed(_MALFORMED.fill(tag=f"{within}??"))
        end = at + _FIELD_HEAD + int(length) if _TWO_DIGITS.fullmatch(length) else len(text) + 1
        if end > len(text):
            raise _Malformed(_MALFORMED.fill(tag=within + tag))
        if tag in found:
            raise Invalid(_TWICE.fill(tag=within + tag))
        found[tag] = text[at + _FIELD_HEAD : end]
        at = end
    return found


def _pix_templates(fields: Mapping[str, str], tags: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Those of the templates that are of Pix, however they spell its name. What others put into theirs is theirs."""
    found = []
    for tag in tags:
        if _GUI in fields.get(tag, "").lower():
            template = _fields(fields[tag], f"{tag}-")
            if template.get("00", "").lower() == _GUI:
                found.append((tag, template))
    return found


def _pix_template(fields: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    found = _pix_templates(fields, _MERCHANT_TEMPLATES)
    if not found:
        raise Invalid(_NOT_PIX)
    if len(found) > 1:
        raise Invalid(_TWO_TEMPLATES.fill(tag=f"{found[0][0]}, {found[1][0]}"))
    return found[0]


def _recurrence(fields: Mapping[str, str]) -> str | None:
    found = [(tag, pix["25"]) for tag, pix in _pix_templates(fields, _UNRESERVED_TEMPLATES) if pix.get("25")]
    if not found:
        return None
    if len(found) > 1:
        raise Invalid(_TWO_TEMPLATES.fill(tag=f"{found[0][0]}, {found[1][0]}"))
    tag, location = found[0]
    return _location(location, f"{tag}-25")


def _demand_reais_in_brazil(fields: Mapping[str, str]) -> None:
    """EMV's mandatory fields, with Pix' values. Not field 62: only Pix demands it, and some leave it out."""
    _present(fields, "52")
    for tag, value in (("53", "986"), ("58", "BR")):
        if _present(fields, tag) != value:
            raise Invalid(_WRONG.fill(tag=tag, value=value))


def _present(fields: Mapping[str, str], tag: str) -> str:
    value = fields.get(tag, "")
    if not value.strip():
        raise Invalid(_MISSING.fill(tag=tag))
    return value


def _location(text: str, tag: str) -> str:
    if not _LOCATION.fullmatch(text):
        raise Invalid(_BAD_LOCATION.fill(tag=tag))
    return text


def _key(text: str, tag: str) -> PixKey:
    try:
        return PixKey.of_unknown_kind(text)
    except Invalid as refusal:
        raise Invalid(_BAD_KEY.fill(tag=tag, pt=refusal.text.pt, en=refusal.text.en)) from None


def _amount(text: str | None) -> Money | None:
    """The amount, with or without decimals; zero and nothing leave it to the payer."""
    if not text:
        return None
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise Invalid(_BAD_AMOUNT)
    centavos = (match[2] or "").ljust(2, "0")
    return Money(int(match[1] + centavos)) or None


def _txid(template: str) -> str | None:
    """The txid of field 62. A field 62 that is not a row of fields has none."""
    try:
        text = _fields(template, "62-").get("05")
    except _Malformed:
        return None
    return None if not text or text == _NO_TXID else _txid_of(text)


def _txid_of(text: str) -> str:
    if not _TXID.fullmatch(text):
        raise Invalid(_BAD_TXID)
    return text


def _facilitator(text: str | None, tag: str) -> str | None:
    if text and not _ISPB.fullmatch(text):
        raise Invalid(_BAD_FACILITATOR.fill(tag=tag))
    return text or None


# Writing


def _field(tag: str, value: str) -> str:
    """One field. What stands in its value can not end it early, because the length is counted."""
    if len(value) > _LONGEST_FIELD:
        raise Invalid(_NO_ROOM.fill(tag=tag))
    return f"{tag}{len(value):02d}{value}"


def _static_template(code: StaticCode) -> str:
    key = _key(code.key.value, "26-01")
    if key != code.key:
        raise Invalid(_MALFORMED.fill(tag="26-01"))
    required = _field("01", key.value)
    facilitator = _facilitator(code.withdrawal_facilitator, "26-03")
    after = _field("03", facilitator) if facilitator else ""
    room = _LONGEST_FIELD - len(_field("00", _GUI) + required + after) - _FIELD_HEAD
    description = fold(code.description or "", max(room, 0))
    return required + (_field("02", description) if description else "") + after


def _written_amount(amount: Money) -> str:
    written = str(amount)
    if amount.centavos <= 0 or not _AMOUNT.fullmatch(written):
        raise Invalid(_BAD_AMOUNT)
    return written


def _name(text: str, tag: str, longest: int) -> str:
    if len(text) > longest or not _PRINTABLE.fullmatch(text) or not text.strip():
        raise Invalid(_BAD_NAME.fill(tag=tag, longest=longest))
    return text


def _written_recurrence(location: str | None) -> str:
    return "" if location is None else _field("80", _field("00", _GUI) + _field("25", _location(location, "80-25")))
