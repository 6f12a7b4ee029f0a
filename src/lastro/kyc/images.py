"""What a client sends as a document's side: base64, then a picture or a PDF, judged before anything keeps it."""

import asyncio
import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from lastro.isolated import Broken, Isolated
from lastro.kyc import limited
from lastro.values.text import Invalid, Text

LARGEST = 5 * 1024 * 1024
_LARGEST_TEXT = -(-LARGEST // 3) * 4  # of base64

_NOT_BASE64 = Text(
    "Deve ser uma imagem em base64 (RFC 4648, com preenchimento, sem espaços e sem data:).",
    "Must be an image in base64 (RFC 4648, padded, without white space and without data:).",
)
_TOO_LARGE = Text("Imagem grande demais: o limite é 5 MB.", "The image is too large: the limit is 5 MB.")
_NO_PICTURE = Text(
    "Formato de imagem inválido: envie JPEG ou PNG de uma só imagem, de 32×32 até 25 megapixels.",
    "Invalid image: send a JPEG or PNG of one picture, from 32×32 up to 25 megapixels.",
)
_NO_DOCUMENT = Text(
    "Formato de imagem inválido: envie JPEG ou PNG (de 32×32 até 25 megapixels) ou PDF.",
    "Invalid image: send a JPEG or PNG (from 32×32 up to 25 megapixels) or a PDF.",
)

_PDF_HEADS = (b"%PDF-1.", b"%PDF-2.")
_PDF_TAIL_BYTES = 1024
_MAGIC = {b"\xff\xd8\xff": limited.JPEG, b"\x89PNG\r\n\x1a\n": limited.PNG}


class MediaType(StrEnum):
    """What is kept."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    PDF = "application/pdf"


_MEDIA_TYPES = {limited.JPEG: MediaType.JPEG, limited.PNG: MediaType.PNG}


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a document, fit to be kept. A PDF has no width and no height."""

    content: bytes = field(repr=False)
    media_type: MediaType
    width: int | None
    height: int | None

    @property
    def sha256(self) -> bytes:
        """Of the content as it is kept."""
        return hashlib.sha256(self.content).digest()


async def judged(isolated: Isolated, text: str, *, pdf: bool, tenant_id: UUID | None = None) -> Side:
    """What the text holds, encoded anew if it is a picture. Raises Invalid, which never repeats it."""
    content = await asyncio.to_thread(decoded, text)
    wrong = _NO_DOCUMENT if pdf else _NO_PICTURE
    letter = next((letter for magic, letter in _MAGIC.items() if content.startswith(magic)), None)
    if letter is not None:
        return await _renewed(isolated, letter + content, wrong, tenant_id)
    if pdf and content.startswith(_PDF_HEADS) and b"%%EOF" in content[-_PDF_TAIL_BYTES:]:
        return Side(content, MediaType.PDF, None, None)
    raise Invalid(wrong)


def decoded(text: str) -> bytes:
    """Base64 as RFC 4648 has it, of one spelling only. Raises Invalid."""
    if len(text) > _LARGEST_TEXT:
        raise Invalid(_TOO_LARGE)
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(_NOT_BASE64) from error
    # Python lets a stray `=` pass, and bits that mean nothing in the last letter.
    if not content or base64.b64encode(content) != text.encode("ascii"):
        raise Invalid(_NOT_BASE64)
    if len(content) > LARGEST:
        raise Invalid(_TOO_LARGE)
    return content


async def _renewed(isolated: Isolated, frame: bytes, wrong: Text, tenant_id: UUID | None) -> Side:
    try:
        answer = await isolated.ask(frame, on_behalf_of=tenant_id)
    except Broken as error:
        raise Invalid(wrong) from error
    if not answer.startswith(limited.GOOD):
        raise Invalid(wrong)
    width, height = struct.unpack(">II", answer[2:10])
    return Side(answer[10:], _MEDIA_TYPES[answer[1:2]], width, height)
