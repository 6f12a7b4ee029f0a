"""A ring of keys seals under the first and opens under all; what was altered or moved does not open."""

import base64

import pytest

from lastro.keyring import NONCE_BYTES, TAG_BYTES, CannotOpen, KeyRing, Sealed, place

OLD, NEW = (f"{name}:{base64.b64encode(name.encode().ljust(32)).decode()}" for name in ("k2024", "k2025"))
WHERE = place("kyc_images", "sealed", "1")


def test_what_is_sealed_opens_again_and_looks_different_each_time() -> None:
    ring = KeyRing.parse(NEW)
    first, second = ring.seal(b"a face", WHERE), ring.seal(b"a face", WHERE)

    assert ring.open(first, WHERE) == ring.open(second, WHERE) == b"a face"
    assert first.ciphertext != second.ciphertext
    assert b"a face" not in first.ciphertext
    assert len(first.ciphertext) == len(b"a face") + NONCE_BYTES + TAG_BYTES


def test_the_first_key_seals_and_every_key_opens() -> None:
    old = KeyRing.parse(OLD).seal(b"a face", WHERE)
    ring = KeyRing.parse(f"{NEW}, {OLD}")

    assert ring.open(old, WHERE) == b"a face"
    assert (old.key_id, ring.seal(b"", WHERE).key_id) == ("k2024", "k2025")
    assert ring.names == {"k2024", "k2025"}


@pytest.mark.parametrize(
    "changed",
    [
        lambda sealed: (sealed, place("kyc_images", "sealed", "2")),
        lambda sealed: (Sealed("k2024", sealed.ciphertext), WHERE),
        lambda sealed: (Sealed("k1999", sealed.ciphertext), WHERE),
        lambda sealed: (Sealed(sealed.key_id, sealed.ciphertext[:-1] + b"\x00"), WHERE),
        lambda sealed: (Sealed(sealed.key_id, b"\x00" + sealed.ciphertext[1:]), WHERE),
        lambda sealed: (Sealed(sealed.key_id, b""), WHERE),
        lambda sealed: (Sealed(sealed.key_id, sealed.ciphertext[:14]), WHERE),
    ],
)
def test_what_was_altered_or_moved_does_not_open(changed: object) -> None:
    ring = KeyRing.parse(f"{NEW},{OLD}")
    assert callable(changed)
    sealed, where = changed(ring.seal(b"a face", WHERE))

    with pytest.raises(CannotOpen):
        ring.open(sealed, where)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "k",
        "k:",
        ":AAAA",
        OLD.split(":")[1],
        f"{OLD},",
        f"{OLD},{OLD}",
        "k:AAAA",
        f"a b:{OLD.split(':')[1]}",
        OLD[:-1],
    ],
)
def test_a_ring_that_is_none_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - Pydantic wants a ValueError
        KeyRing.parse(wrong)

    assert "key " in str(raised.value)
    assert OLD.split(":")[1][:8] not in str(raised.value)


def test_a_ring_does_not_show_its_keys() -> None:
    assert OLD.split(":")[1] not in repr(KeyRing.parse(OLD))
