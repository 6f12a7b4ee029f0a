"""A request that may be a repetition, and an answer that can be given again to the byte."""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID


class Overtaken(Exception):  # not an error: the other one was faster
    """Another transaction wrote the same key or the same message first; roll back and look again."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that may be a repetition: who asks for what under which key, and what exactly (`fingerprint`)."""

    tenant_id: UUID
    operation: str
    key: str
    fingerprint: bytes

    @property
    def identity(self) -> tuple[UUID, str, str]:
        """What must be unique."""
        return self.tenant_id, self.operation, self.key


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as bytes, so that a repetition gets the very same."""

    status: int
    body: bytes
    replayed: bool = False


def fingerprint(path: str, body: Any) -> bytes:
    """SHA-256 over what was asked: the path with its ids, and the parsed body in canonical form."""
    return hashlib.sha256(_encode([path, body]).encode()).digest()


def _number(value: Any) -> int | str:
    """One spelling for each number: 10, 10.0 and 10.00 are the same. No text looks like it, for none holds a NUL."""
    assert isinstance(value, Decimal)  # noqa: S101 - strict JSON knows nothing else
    whole = int(value)
    return whole if whole == value else f"\x00{value.normalize():f}"


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_number).encode
