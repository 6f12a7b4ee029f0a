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


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def fingerprint(path: str, body: Any) -> bytes:
    """SHA-256 over what was asked: the path with its ids, and the parsed body in canonical form."""
    canonical = _encode([path, _canonical(body)])
    return hashlib.sha256(canonical.encode()).digest()


def _canonical(value: Any) -> Any:
    """The value with one spelling for each number: 10, 10.0 and 10.00 are the same, and no text looks like them."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, dict):
        return {name: _canonical(child) for name, child in value.items()}
    if isinstance(value, list):
        return ["list", *(_canonical(child) for child in value)]
    assert isinstance(value, int | Decimal)  # noqa: S101 - strict JSON knows nothing else
    return ["number", f"{Decimal(value).normalize():f}"]
