"""Who wrote a published charge: the signature around it (JWS), and the certificates and keys that vouch for it (JWKS).

A signature says which key made it and where that key is published. Everything in it is the sender's claim until the
last check is done, so each claim is held against what is known: the host that the code named, and the certificate that
belongs to that host.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from lastro.errors import InvalidQrCode
from lastro.jsonapi import strict_json
from lastro.values.text import Invalid, Text

LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
ALGORITHMS = sorted(_RSA_ALGORITHMS | set(_CURVES))
_THUMBPRINTS = {"x5t": hashlib.sha1, "x5t#S256": hashlib.sha256}  # RFC 7515; the certificate itself is compared too

# A certificate is read piece by piece, and each piece has its own way to be wrong.
_UNREADABLE_CERTIFICATE = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_HEADER = 4096

_UNTRUSTED = Text(
    "A assinatura da cobrança deste QR Code não é válida: {pt}.",
    "The signature of this QR code's charge is invalid: {en}.",
)


def _untrusted(pt: str, en: str) -> InvalidQrCode:
    return InvalidQrCode(_UNTRUSTED.fill(pt=pt, en=en))


class _Registry(jws.JWSRegistry):
    """Headers of the usual kind, certificates inside them included, are longer than the library expects."""

    max_header_length = _LONGEST_HEADER


@dataclass(frozen=True, slots=True)
class SignedCharge:
    """A published charge whose signature is not checked yet. Made by `open_envelope`; `verified` lets it out."""

    text: str
    header: Mapping[str, Any]
    host: str
    key_set: str
    """Where its keys are published: host and path, the host the same as the code's."""

    def verified(self, key_set: bytes, now: datetime) -> bytes:
        """The charge, if the host that published it also signed it. Raises `InvalidQrCode`.

        No authority vouches for the certificate here: that the keys came over TLS from a host of the operator's list
        says whose they are.
        """
        try:
            return self._verified(self._key(key_set), now)
        except _UNREADABLE_CERTIFICATE:
            raise _untrusted("o certificado não se pode ler", "its certificate can not be read") from None

    def _verified(self, key: Mapping[str, Any], now: datetime) -> bytes:
        leaf = _leaf(key)
        self._check_thumbprints(leaf)
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            raise _untrusted("o certificado está fora da validade", "the certificate is out of its validity")
        if not _is_for(leaf, self.host):
            raise _untrusted("o certificado é de outro servidor", "the certificate is another host's")
        public = self._public_key(leaf)
        if not _is_the_same(public, key):
            raise _untrusted("a chave não é a do certificado", "the key is not the certificate's")
        algorithm = self.header["alg"]
        try:
            registry = _Registry(algorithms=[algorithm], strict_check_header=False)
            return jws.deserialize_compact(self.text, public, registry=registry).payload
        except (JoseError, ValueError, TypeError):
            raise _untrusted("a assinatura não confere", "the signature does not match") from None

    def _key(self, key_set: bytes) -> Mapping[str, Any]:
        try:
            document = strict_json.parse(key_set)
        except Invalid:
            document = None
        keys = document.get("keys") if isinstance(document, dict) else None
        found = [
            each
            for each in (keys if isinstance(keys, list) else [])
            if isinstance(each, dict) and each.get("kid") == self.header["kid"]
        ]
        if len(found) != 1:
            raise _untrusted("a chave não está publicada", "its key is not published")
        key = found[0]
        operations = key.get("key_ops", ["verify"])
        if (
            key.get("use", "sig") != "sig"
            or operations != ["verify"]
            or key.get("alg", self.header["alg"]) != self.header["alg"]
        ):
            raise _untrusted("a chave não é para isto", "its key is not for this use")
        return key

    def _check_thumbprints(self, leaf: x509.Certificate) -> None:
        der = leaf.public_bytes(Encoding.DER)
        for name, digest in _THUMBPRINTS.items():
            if name in self.header and self.header[name] != _encoded(digest(der).digest()):
                raise _untrusted("o certificado é outro", "the certificate is another")

    def _public_key(self, leaf: x509.Certificate) -> RSAKey | ECKey:
        """The key of the leaf, which must be of the kind that the algorithm asks for."""
        algorithm, key = self.header["alg"], leaf.public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA_ALGORITHMS:
            if LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
                return RSAKey.import_key(pem)
        elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == _CURVES.get(algorithm):
            return ECKey.import_key(pem)
        raise _untrusted("a chave não serve ao algoritmo", "the key does not fit the algorithm")


def open_envelope(token: bytes, *, location: str, scheme: str = "https") -> SignedCharge:
    """Read the outside of what was published at `location` (host and path). Raises `InvalidQrCode`.

    `scheme` is how the location is asked, and so where its keys must be: http for a demo, else https.
    """
    text = token.decode("ascii", "replace").strip()
    match = _COMPACT.fullmatch(text)
    if match is None:
        raise _untrusted("não é um JWS compacto", "it is not a compact JWS")
    header = _header(match[1])
    if header.get("alg") not in ALGORITHMS:
        raise _untrusted("o algoritmo não é aceito", "its algorithm is not accepted")
    if "crit" in header or "b64" in header:
        raise _untrusted("exige extensões", "it demands extensions")
    if not isinstance(header.get("kid"), str):
        raise _untrusted("não diz com que chave foi feita", "it does not say which key made it")
    if not any(name in header for name in _THUMBPRINTS):
        raise _untrusted("não diz que certificado a garante", "it does not say which certificate vouches for it")
    authority = location.partition("/")[0].lower()
    return SignedCharge(text, header, authority.partition(":")[0], _key_set(header.get("jku"), scheme, authority))


def _header(segment: str) -> Mapping[str, Any]:
    try:
        header = strict_json.parse(_decoded(segment)) if len(segment) <= _LONGEST_HEADER else None
    except (Invalid, ValueError):
        header = None
    if not isinstance(header, dict):
        raise _untrusted("o cabeçalho não se pode ler", "its header can not be read")
    return header


def _key_set(jku: object, scheme: str, authority: str) -> str:
    """Host and path of the keys. They must be where the charge is: only a code's host may say what its keys are."""
    asked, _, place = (jku if isinstance(jku, str) else "").partition("://")
    host, slash, _ = place.partition("/")
    if asked.lower() != scheme or not slash or host.lower() != authority:
        raise _untrusted("as chaves estão em outro servidor", "its keys are on another host")
    return place


def _leaf(key: Mapping[str, Any]) -> x509.Certificate:
    chain = key.get("x5c")
    try:
        if isinstance(chain, list) and chain and isinstance(chain[0], str):
            return x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))
    except (ValueError, binascii.Error):
        pass
    raise _untrusted("a chave não tem certificado", "its key has no certificate")


def _is_for(leaf: x509.Certificate, host: str) -> bool:
    """Whether the certificate names the host: as common name, as Brazil's authorities do, or among the alternatives."""
    named = [str(each.value) for each in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        named += alternatives.get_values_for_type(x509.DNSName)
        named += map(str, alternatives.get_values_for_type(x509.IPAddress))
    return any(_names(each, host) for each in named)


def _names(pattern: str, host: str) -> bool:
    """A star stands for one whole first label (RFC 6125)."""
    pattern = pattern.lower()
    if pattern.startswith("*."):
        label, dot, rest = host.partition(".")
        return bool(label and dot) and "." in rest and rest == pattern[2:]
    return pattern == host


def _is_the_same(public: RSAKey | ECKey, key: Mapping[str, Any]) -> bool:
    """Whether the published key is the certificate's: its numbers are compared, nothing is made of them."""
    ours = public.as_dict(private=False)
    if key.get("kty") != ours["kty"] or key.get("crv") != ours.get("crv"):
        return False
    return all(_number(key.get(name)) == _number(ours[name]) for name in ("n", "e", "x", "y") if name in ours)


def _number(text: object) -> int | None:
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        return None
    try:
        return int.from_bytes(_decoded(text), "big")
    except ValueError:
        return None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def thumbprint(certificate: x509.Certificate) -> str:
    """`x5t#S256` of a certificate."""
    return _encoded(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())
