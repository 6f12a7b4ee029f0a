"""Networks and addresses: read strictly, compared by what they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.values.network import lie_within, lies_in, parse_address, parse_network
from lastro.values.text import Invalid


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.7", "203.0.113.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:0db8:0000::1", "2001:db8::1/128"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_has_one_spelling(written: str, kept: str) -> None:
    assert str(parse_network(written)) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "localhost",
        "203.0.113.7/24",  # has bits beyond the mask
        "2001:db8::1/32",
        "203.0.113.0/33",
        "203.0.113.0/-1",
        "203.0.113.0/",
        "203.0.113.0/24/24",
        "203.0.113.0/255.255.255.0",
        "203.0.113.0/0.0.0.255",
        "203.0.113",
        "203.0.113.0.1",
        "0203.0.113.0/24",
        "fe80::1%eth0",
        " 203.0.113.0/24",
        "203.0.113.0/24 ",
        "203.0.113.0/٢٤",
        "1" * 100,
    ],
)
def test_what_is_no_network_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        parse_network(written)


@pytest.mark.parametrize("written", ["", "unknown", "_hidden", "1.2.3.4:80", "[::1]", "1.2.3", "fe80::1%x", "1" * 200])
def test_what_is_no_address_is_none(written: str) -> None:
    assert parse_address(written) is None


def test_an_old_address_in_new_clothes_is_the_old_address() -> None:
    assert parse_address("::ffff:203.0.113.7") == parse_address("203.0.113.7")


def test_an_address_lies_in_networks_of_its_own_kind() -> None:
    networks = [parse_network("203.0.113.0/24"), parse_network("2001:db8::/32")]

    inside = ("203.0.113.0", "203.0.113.255", "2001:db8::1", "::ffff:203.0.113.9")
    outside = ("203.0.112.255", "203.0.114.0", "2001:db9::1", "::203.0.113.9", "::1")
    for address in inside:
        assert lies_in(parse_address(address), networks)  # type: ignore[arg-type]
    for address in outside:
        assert not lies_in(parse_address(address), networks)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inner", "outer", "yes"),
    [
        (["10.0.0.0/8"], ["10.0.0.0/8"], True),
        (["10.1.0.0/16", "10.2.3.4"], ["10.0.0.0/8"], True),
        (["10.0.0.0/8"], ["10.0.0.0/9"], False),
        (["10.0.0.0/8"], ["10.0.0.0/9", "10.128.0.0/9"], True),  # in two halves
        (["0.0.0.0/0"], ["::/0"], False),
        (["2001:db8::/48"], ["10.0.0.0/8", "2001:db8::/32"], True),
        (["10.0.0.1", "11.0.0.1"], ["10.0.0.0/8"], False),
    ],
)
def test_networks_lie_within_others(inner: list[str], outer: list[str], *, yes: bool) -> None:
    assert lie_within(map(parse_network, inner), map(parse_network, outer)) is yes


@given(st.ip_addresses(), st.integers(0, 32))
def test_every_address_lies_in_a_network_that_is_cut_around_it(address: object, bits: int) -> None:
    from ipaddress import ip_network

    parsed = parse_address(str(address))
    assert parsed is not None
    around = parse_network(str(ip_network(f"{parsed}/{bits}", strict=False)))
    assert lies_in(parsed, [around])
