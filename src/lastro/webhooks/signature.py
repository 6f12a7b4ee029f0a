"""How a delivery proves that it is ours and fresh: the signature of Standard Webhooks, and the headers around it."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from uuid import UUID

from lastro.webhooks.secrets import PREFIX

AGENT = "Lastro-Webhooks/1"

OURS = frozenset(
    {
        *("host", "content-length", "content-type", "transfer-encoding", "connection", "expect", "te", "trailer"),
        *("upgrade", "keep-alive", "proxy-connection", "accept-encoding", "user-agent"),
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
    }
)
"""Headers, in lower case, that no subscription may set."""


def sign(secrets: Sequence[str], *, event_id: UUID | str, timestamp: int, body: bytes) -> str:
    """One signature `v1,<base64>` for each secret, joined by spaces: HMAC-SHA-256 of `id.timestamp.body`."""
    content = f"{event_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signature(secret, content)}" for secret in secrets)


def headers(
    secrets: Sequence[str], custom: Mapping[str, str], *, event_id: UUID | str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Everything that goes out with a body; what a subscription adds never takes the place of what is ours."""
    return {
        **{name: value for name, value in custom.items() if name.lower() not in OURS},
        "content-type": "application/json",
        "user-agent": AGENT,
        "webhook-id": str(event_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, event_id=event_id, timestamp=timestamp, body=body),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
