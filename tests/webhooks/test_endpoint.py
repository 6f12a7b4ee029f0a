"""Which URLs may be registered, and more than a hundred that may not."""

import pytest

from lastro.values.text import Invalid
from lastro.webhooks.endpoint import parse


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.example.com/webhooks", None),
        ("https://api.example.com", None),
        ("https://api.example.com?token=abc", None),
        ("https://api.example.com:443/x", None),
        ("https://api.example.com:8443/x", None),
        ("HTTPS://API.Example.COM/Webhooks?A=b", "https://api.example.com/Webhooks?A=b"),
        ("https://xn--aa-uia.com.br/a%20b", None),
        ("https://a-b.c1.example.com.br/~x/(y)", None),
        ("https://8.8.8.8/x", None),
        ("https://[2606:4700::1111]/x", None),
        ("https://127.0.0.1.example.com/x", None),
        ("https://localhost.example.com/x", None),
        ("https://example.com/@x", None),
        ("https://example.com/x?u=http://127.0.0.1/", None),
    ],
)
def test_public_https_is_kept(url: str, kept: str | None) -> None:
    assert parse(url, loopback=False) == (kept or url)


LOOPBACK = (
    "http://127.0.0.1:9000/x",
    "http://localhost:9000/x",
    "http://localhost/x",
    "http://[::1]:9000/x",
    "http://127.0.0.1/x",
    "http://127.8.9.10:65535/x",
)


@pytest.mark.parametrize("url", LOOPBACK)
def test_http_to_this_very_machine_is_for_demos_alone(url: str) -> None:
    assert parse(url, loopback=True) == url
    with pytest.raises(Invalid):
        parse(url, loopback=False)


def test_what_is_ours_is_not_registered() -> None:
    with pytest.raises(Invalid):
        parse("https://Pix.Example.com/network/x", loopback=False, own={"pix.example.com"})


HOSTILE = (
    # Not https
    *("http://api.example.com/x", "ftp://api.example.com/x", "file:///etc/passwd", "file://api.example.com/etc/passwd"),
    *(
        "gopher://api.example.com:443/x",
        "dict://api.example.com:443/x",
        "ldap://api.example.com/x",
        "ws://a.example.com",
    ),
    *("javascript:alert(1)", "data:text/plain,x", "jar:https://api.example.com!/x", "httpss://api.example.com/x"),
    # No URL at all
    *("", " ", "https", "https:", "https:/", "https://", "https:///x", "//api.example.com/x", "api.example.com/x"),
    *("https:api.example.com/x", "https:/api.example.com/x", "https://?x", "https://:443/x", "https://.example.com/x"),
    *("https://a..example.com/x", "https://-a.example.com/x", "https://a-.example.com/x", "https://a_b.example.com/x"),
    *(
        "https://api.example.com:/x",
        "https://api.example.com:0/x",
        "https://api.example.com:x/x",
        "https://*.example.com",
    ),
    *(f"https://{'a' * 64}.example.com/x", f"https://{'a.' * 127}example.com/x", f"https://a.example.com/{'x' * 2048}"),
    # Other ports
    *(f"https://api.example.com:{port}/x" for port in (1, 22, 25, 80, 444, 3306, 5432, 6379, 8080, 9443, 65536, 99999)),
    # Somebody else's name in front of, or behind, the host
    *("https://user@api.example.com/x", "https://user:word@api.example.com/x", "https://@api.example.com/x"),
    *("https://api.example.com@127.0.0.1/x", "https://api.example.com:443@169.254.169.254/x", "https://a@b@c.com/x"),
    *("https://api.example.com#@127.0.0.1/x", "https://api.example.com/x#fragment", "https://api.example.com/#"),
    *("https://api.example.com\\@127.0.0.1/x", "https://127.0.0.1\\.example.com/x", "https:\\\\api.example.com\\x"),
    *("https://api.example.com%2f@127.0.0.1/", "https://127.0.0.1%2f.example.com/", "https://%31%32%37.0.0.1/x"),
    # Blanks, controls, other alphabets
    *(
        " https://api.example.com/x",
        "https://api.example.com/x ",
        "https://api.example.com/a b",
        "https://api.exa mple.com",
    ),
    *(
        "https://api.example.com/x\r\nHost: a",
        "https://api.example.com/\x00",
        "https://api.example.com\n/x",
        "https://\t/x",
    ),
    *("https://ação.com.br/x", "https://api.example.com/ção", "https://ⓔⓧⓐⓜⓟⓛⓔ.com/x", "https://127。0。0。1/x"),
    *("https://１２７.0.0.1/x", "https://api\u200b.example.com/x", "https://еxample.com/x"),
    # Ourselves
    *("https://localhost/x", "https://LOCALHOST/x", "https://localhost:8443/x", "https://a.localhost/x", "https://0/x"),
    *(
        "https://localhost./x",
        "https://api.example.com./x",
        "https://localhost.localdomain/x",
        "https://ip6-localhost/x",
    ),
    *("https://127.0.0.1/x", "https://127.0.0.1:8443/x", "https://127.1/x", "https://127.0.1/x", "https://0.0.0.0/x"),
    *(
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.0.0.1/x",
        "https://0177.0.0.1/x",
        "https://017700000001",
    ),
    *(
        "https://127.0.0.0x1/x",
        "https://127.000.000.001/x",
        "https://127.0.0.1./x",
        "https://4294967296/x",
        "https://1.1/x",
    ),
    *(
        "https://[::1]/x",
        "https://[::]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[::7f00:1]",
    ),
    *(
        "https://[0:0:0:0:0:0:0:1]/x",
        "https://[::1%25lo]/x",
        "https://[fe80::1%eth0]/x",
        "https://[::1]:8443/x",
        "https://::1",
    ),
    # The network that we run in
    *(
        "https://10.0.0.1/x",
        "https://172.16.0.1/x",
        "https://172.31.255.255/x",
        "https://192.168.1.1/x",
        "https://100.64.0.1",
    ),
    *(
        "https://169.254.169.254/latest/meta-data/",
        "https://169.254.170.2/x",
        "https://[fd00:ec2::254]/x",
        "https://0xa9fea9fe",
    ),
    *(
        "https://[fe80::1]/x",
        "https://[fc00::1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[2001::1]",
    ),
    *(
        "https://224.0.0.1/x",
        "https://255.255.255.255/x",
        "https://240.0.0.1/x",
        "https://192.0.2.1/x",
        "https://198.18.0.1/x",
    ),
    *("https://metadata.google.internal/x", "https://db.internal/x", "https://postgres/x", "https://printer.local/x"),
    *(
        "https://intranet/x",
        "https://nas.lan/x",
        "https://router.home/x",
        "https://wiki.corp/x",
        "https://1.0.0.127.in-addr.arpa",
    ),
    # And no address
    *(
        "https://[]/x",
        "https://[1::2::3]/x",
        "https://[12345::]/x",
        "https://[127.0.0.1]/x",
        "https://256.256.256.256/x",
    ),
    *("https://1.2.3/x", "https://1.2.3.4.5/x", "https://a.1/x", "https://example.0x7f/x", "https://[v1.x]/x"),
)


def test_there_are_more_than_a_hundred() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 100


@pytest.mark.parametrize("url", HOSTILE)
def test_none_of_these_is_registered(url: str) -> None:
    for loopback in (False, True):
        with pytest.raises(Invalid) as refused:
            parse(url, loopback=loopback)
        assert refused.value.text.pt != refused.value.text.en
