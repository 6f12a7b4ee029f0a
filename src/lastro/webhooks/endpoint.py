"""Judges the URL of an endpoint when it is registered. Where its name leads, `outlet` judges at each delivery."""

import re
from collections.abc import Collection

from lastro.values.network import is_loopback, is_public
from lastro.values.text import Invalid, Text

LONGEST = 2048
HTTPS_PORTS = frozenset({443, 8443})
_LONGEST_NAME = 253

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]\\%]+)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>(?:/[\x21-\x7e]*)?(?:\?[\x21-\x7e]*)?)"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_A_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a name whose last label is one is an address, to many a resolver

# Names that lead nowhere, or to the network that we run in.
_INSIDE = ("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa")

_NO_URL = Text(
    "Não é uma URL: use, por exemplo, https://api.exemplo.com.br/webhooks, em ASCII (domínios com acento em punycode).",
    "Not a URL: use, for example, https://api.example.com/webhooks, in ASCII (other domains in punycode).",
)
_TOO_LONG = Text(f"No máximo {LONGEST} caracteres.", f"At most {LONGEST} characters.")
_ONLY_HTTPS = Text("Somente https.", "Only https.")
_ONLY_PORTS = Text("Somente as portas 443 e 8443.", "Only ports 443 and 8443.")
_NO_USER = Text(
    "Sem usuário nem senha na URL: use customHeaders.", "No user and no password in the URL: use customHeaders."
)
_NO_FRAGMENT = Text("Sem fragmento (#) na URL.", "No fragment (#) in the URL.")
_NOT_PUBLIC = Text(
    "O endereço não é público: não é alcançável pela internet.",
    "The address is not public: the internet does not reach it.",
)
_OURS = Text("Este endereço é do próprio servidor.", "This is the address of the server itself.")


def parse(url: str, *, loopback: bool, own: Collection[str] = ()) -> str:
    """The URL as it is kept: scheme and host in lower case. Raises Invalid.

    `loopback`: http to this very machine is fine too, on any port (`lastro dev`). `own`: hosts that are ours.
    """
    if len(url) > LONGEST:
        raise Invalid(_TOO_LONG)
    match = _match(url)
    scheme, host, port = match["scheme"].lower(), match["host"].lower(), int(match["port"] or 0)
    if scheme == "http" and loopback and (host == "localhost" or is_loopback(host.strip("[]"))) and port <= 65535:  # noqa: PLR2004
        return _kept(scheme, host, port, match["rest"])
    if scheme != "https":
        raise Invalid(_ONLY_HTTPS)
    if port and port not in HTTPS_PORTS:
        raise Invalid(_ONLY_PORTS)
    if host in own:
        raise Invalid(_OURS)
    _demand_public(host)
    return _kept(scheme, host, port, match["rest"])


def _match(url: str) -> re.Match[str]:
    authority = re.split(r"[/?#\\]", url.partition("://")[2], maxsplit=1)[0]
    if "@" in authority:
        raise Invalid(_NO_USER)
    if "#" in url:
        raise Invalid(_NO_FRAGMENT)
    match = _URL.fullmatch(url)
    if match is None or "\\" in url:
        raise Invalid(_NO_URL)
    return match


def _demand_public(host: str) -> None:
    if host.startswith("["):
        if not is_public(host[1:-1]):
            raise Invalid(_NOT_PUBLIC)
        return
    labels = host.split(".")
    if len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise Invalid(_NO_URL)
    if _A_NUMBER.fullmatch(labels[-1]):
        # Only the plain spelling of an IPv4 address; whatever else a resolver may take for one is none of the public's.
        if not is_public(host):
            raise Invalid(_NOT_PUBLIC)
        return
    if len(labels) == 1 or labels[-1] in _INSIDE:
        raise Invalid(_NOT_PUBLIC)


def _kept(scheme: str, host: str, port: int, rest: str) -> str:
    return f"{scheme}://{host}{f':{port}' if port else ''}{rest}"
