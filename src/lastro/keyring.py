"""The keys under which secrets of customers lie in the database: the first seals, all of them open."""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES, TAG_BYTES = 12, 16
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")


class CannotOpen(ValueError):
    """Sealed under a key that is not on the ring, altered, or moved from where it was sealed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertext (nonce, then AES-256-GCM's output) and the name of the key that opens it."""

    key_id: str
    ciphertext: bytes


def place(table: str, column: str, row: str) -> bytes:
    """Where something is kept. It is sealed for that place, and opens nowhere else."""
    return f"{table}|{column}|{row}".encode()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """One key or more; a key is known by its name."""

    newest: str
    _keys: Mapping[str, AESGCM] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `name:base64-of-32-bytes[,name:base64…]`. Raises ValueError, which never repeats a key."""
        keys: dict[str, AESGCM] = {}
        for number, entry in enumerate(text.split(","), 1):
            name, _, secret = entry.strip().partition(":")
            if not _NAME.fullmatch(name) or name in keys:
                raise ValueError(f"key {number} needs a name of its own, of letters, digits, - or _, before a colon")
            keys[name] = AESGCM(_decoded(secret, number))
        return cls(next(iter(keys)), keys)

    @property
    def names(self) -> frozenset[str]:
        """The keys that are at hand."""
        return frozenset(self._keys)

    def seal(self, secret: bytes, where: bytes) -> Sealed:
        """Encrypt under the newest key, for one place."""
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(self.newest, nonce + self._keys[self.newest].encrypt(nonce, secret, where))

    def open(self, sealed: Sealed, where: bytes) -> bytes:
        """Decrypt what was sealed for this place. Raises CannotOpen."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise CannotOpen(f"there is no key {sealed.key_id!r} on the ring")
        nonce, rest = sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:]
        try:
            return key.decrypt(nonce, rest, where)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen(f"it was altered, or not sealed for this place under key {sealed.key_id!r}") from error


def _decoded(secret: str, number: int) -> bytes:
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"key {number} must be base64 of 32 bytes; make one with: openssl rand -base64 32") from None
    return key
