"""Where a request comes from: forged and malformed headers help nobody."""

from typing import Any

import pytest

from lastro.auth.origin import Proxies
from lastro.values.text import Invalid

PROXIES = Proxies.parse("10.0.0.0/8, fd00::/8")
CLIENT = "198.51.100.7"


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded]
    return {"client": None if peer is None else (peer, 1234), "headers": [(b"host", b"x"), *headers]}


def seen(peer: str | None, *forwarded: str, proxies: Proxies = PROXIES) -> str | None:
    address = proxies.client_of(scope(peer, *forwarded))
    return None if address is None else str(address)


def test_without_proxies_the_peer_is_the_client_whatever_it_says() -> None:
    for forwarded in ((), ("10.0.0.1",), ("junk",), ("10.0.0.1, 10.0.0.2", "203.0.113.1")):
        assert seen(CLIENT, *forwarded, proxies=Proxies()) == CLIENT


def test_who_is_no_proxy_of_ours_is_not_believed() -> None:
    assert seen(CLIENT, "10.0.0.1") == CLIENT
    assert seen("2001:db8::1", "10.0.0.1") == "2001:db8::1"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ((CLIENT,), CLIENT),
        ((f"203.0.113.9, {CLIENT}",), CLIENT),  # whoever asks wrote the first one
        ((f"203.0.113.9, {CLIENT}, 10.0.0.2",), CLIENT),  # through two of ours
        (("203.0.113.9", CLIENT), CLIENT),  # two headers are one list
        ((f"10.9.9.9,{CLIENT},10.0.0.2 ,  fd00::1",), CLIENT),
        ((f"junk, {CLIENT}",), CLIENT),  # what stands left of the client is anybody's
        ((f"::ffff:{CLIENT}",), CLIENT),
        (("2001:db8::5",), "2001:db8::5"),
        ((), "10.0.0.1"),  # it asks for itself
        (("",), "10.0.0.1"),
        (("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
    ],
)
def test_a_proxy_says_who_asked_it(forwarded: tuple[str, ...], client: str) -> None:
    assert seen("10.0.0.1", *forwarded) == client


@pytest.mark.parametrize(
    "forwarded",
    [
        "junk",
        f"{CLIENT}, junk",
        f"{CLIENT}, unknown, 10.0.0.2",
        f"{CLIENT}:4711",
        f"{CLIENT}, ",
        f"{CLIENT},,10.0.0.2",
        "\u00e9",
        "[2001:db8::5]",
        "fe80::1%eth0",
    ],
)
def test_what_can_not_be_read_is_nobody(forwarded: str) -> None:
    assert seen("10.0.0.1", forwarded) is None


@pytest.mark.parametrize("peer", [None, "", "/run/lastro.sock"])
def test_a_peer_without_an_address_is_nobody(peer: str | None) -> None:
    assert seen(peer, CLIENT) is None


def test_proxies_are_networks() -> None:
    assert Proxies.parse("") == Proxies()
    with pytest.raises(Invalid):
        Proxies.parse("10.0.0.0/8, proxy.internal")
