"""Secrets, and signatures that a library verifies which is not ours."""

import base64
import time
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from conftest import ENCRYPTION_KEYS
from lastro.keyring import CannotOpen, KeyRing, Sealed
from lastro.webhooks import secrets
from lastro.webhooks.claiming import SealedSecret
from lastro.webhooks.signature import OURS, headers, sign

BODY = '{"type":"pix.transfer.received","data":{"payer":"João"}}'.encode()
RING = KeyRing.parse(ENCRYPTION_KEYS)


def test_a_secret_is_32_random_bytes_in_the_form_of_the_standard() -> None:
    one, other = secrets.new(), secrets.new()
    assert one != other
    assert one.startswith("whsec_")
    assert len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32


def test_the_standard_library_verifies_what_we_sign() -> None:
    old, new = secrets.new(), secrets.new()
    sent = headers([new, old], {}, event_id=uuid4(), timestamp=int(time.time()), body=BODY)
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, sent)["type"] == "pix.transfer.received"


@pytest.mark.parametrize("changed", ["body", "id", "timestamp", "secret"])
def test_and_nothing_that_was_changed(changed: str) -> None:
    secret, now = secrets.new(), int(time.time())
    sent = headers([secret], {}, event_id="one", timestamp=now, body=BODY)
    body = BODY + b" " if changed == "body" else BODY
    if changed == "id":
        sent["webhook-id"] = "two"
    if changed == "timestamp":
        sent["webhook-timestamp"] = str(now + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets.new() if changed == "secret" else secret).verify(body, sent)


def test_one_signature_for_each_secret_in_the_order_given() -> None:
    old, new = secrets.new(), secrets.new()
    both = sign([new, old], event_id="e", timestamp=1, body=BODY)
    assert both.split() == [
        sign([new], event_id="e", timestamp=1, body=BODY),
        sign([old], event_id="e", timestamp=1, body=BODY),
    ]


def test_what_a_subscription_adds_never_takes_the_place_of_ours() -> None:
    custom = {name.title(): "theirs" for name in OURS} | {"Authorization": "Bearer x", "X-Own": "1"}
    sent = headers([secrets.new()], custom, event_id="e", timestamp=1, body=BODY)
    assert "theirs" not in sent.values()
    assert (sent["Authorization"], sent["X-Own"], sent["content-type"]) == ("Bearer x", "1", "application/json")


def test_a_secret_opens_in_its_own_row_alone() -> None:
    secret, subscription_id, secret_id = secrets.new(), uuid4(), uuid4()
    sealed = secrets.sealed(RING, secret, subscription_id, secret_id)
    assert secret.encode() not in sealed.ciphertext
    assert secrets.opened(RING, SealedSecret(subscription_id, secret_id, sealed.key_id, sealed.ciphertext)) == secret
    for elsewhere in ((uuid4(), secret_id), (subscription_id, uuid4())):
        with pytest.raises(CannotOpen):
            secrets.opened(RING, SealedSecret(*elsewhere, sealed.key_id, sealed.ciphertext))


def test_headers_open_for_their_own_subscription_alone() -> None:
    subscription_id, told = uuid4(), {"Authorization": "Bearer segredo", "X-Nome": "ação"}
    sealed = secrets.sealed_headers(RING, told, subscription_id)
    assert b"segredo" not in sealed.ciphertext
    assert secrets.opened_headers(RING, Sealed(sealed.key_id, sealed.ciphertext), subscription_id) == told
    with pytest.raises(CannotOpen):
        secrets.opened_headers(RING, sealed, uuid4())
