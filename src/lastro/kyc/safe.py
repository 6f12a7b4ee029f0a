"""Puts a document's sides under lock and key, and takes them out again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lastro.keyring import CannotOpen, KeyRing, Sealed, place
from lastro.kyc.images import Side
from lastro.kyc.models import ImageSide, KycImage
from lastro.kyc.order import Upload


@dataclass(frozen=True, slots=True)
class Filed:
    """An upload with the id of its document, and the rows of its sides, as values for an INSERT."""

    document_id: UUID
    upload: Upload
    rows: list[dict[str, Any]]


def filed(
    keys: KeyRing, upload: Upload, *, account_id: UUID, tenant_id: UUID, document_id: UUID, now: datetime
) -> Filed:
    """Seal the sides of one document. Takes milliseconds a megabyte: off the event loop, please."""
    sides = {ImageSide.FRONT: upload.front, ImageSide.BACK: upload.back}
    rows = []
    for name, side in sides.items():
        if side is not None:
            row = {"account_id": account_id, "document_id": document_id, "side": name, "tenant_id": tenant_id}
            rows.append({**row, **_sealed(keys, side, _place(account_id, document_id, name)), "created_at": now})
    return Filed(document_id, upload, rows)


def _sealed(keys: KeyRing, side: Side, where: bytes) -> dict[str, Any]:
    sealed = keys.seal(side.content, where)
    return {
        "media_type": side.media_type.value,
        "width": side.width,
        "height": side.height,
        "size": len(side.content),
        "sha256": side.sha256,
        "key_id": sealed.key_id,
        "sealed": sealed.ciphertext,
    }


def content_of(keys: KeyRing, image: KycImage) -> bytes:
    """What a row holds. Raises CannotOpen."""
    where = _place(image.account_id, image.document_id, image.side)
    content = keys.open(Sealed(image.key_id, image.sealed), where)
    if len(content) != image.size:
        raise CannotOpen("another size than was sealed")
    return content


def resealed(keys: KeyRing, image: KycImage) -> Sealed:
    """The same content under the newest key. Raises CannotOpen."""
    return keys.seal(content_of(keys, image), _place(image.account_id, image.document_id, image.side))


def _place(account_id: UUID, document_id: UUID, side: ImageSide) -> bytes:
    return place("kyc_images", "sealed", f"{account_id}/{document_id}/{side}")
