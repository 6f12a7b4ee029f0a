"""How charges are signed between banks: JWS, each bank with its own key, published beside its charges."""

import base64
import hashlib
import ipaddress
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry

_ALGORITHMS = {"ES256": "EC", "RS256": "RSA", "PS256": "RSA"}
_LIFE = timedelta(days=36_500)  # the clock of a demo runs ahead by years
_NUMBERS = ("kty", "crv", "x", "y", "n", "e")


class Forged(Exception):
    """A charge that no bank would believe; the text says why, in Portuguese."""


class Seal:
    """The key under which the banks of this network publish charges at one host; made anew at each start."""

    def __init__(self, host: str, now: datetime) -> None:
        """Make the key, its certificate, and that of an authority that vouches for it."""
        authority, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = "Autoridade do simulador"
        own = _certificate(host, leaf, root, authority, now)
        above = _certificate(root, authority, root, authority, now)
        chain = [each.public_bytes(Encoding.DER) for each in (own, above)]
        self._thumbprint = _thumbprint(chain[0])
        self._key = ECKey.import_key(leaf)
        self.jwks: Mapping[str, Any] = {
            "keys": [
                {
                    **self._key.as_dict(private=False),
                    "kid": self._thumbprint,
                    "use": "sig",
                    "key_ops": ["verify"],
                    "alg": "ES256",
                    "x5t#S256": self._thumbprint,
                    "x5c": [base64.b64encode(each).decode() for each in chain],
                }
            ]
        }

    def sign(self, payload: Mapping[str, Any], *, jku: str) -> str:
        """A payload as compact JWS; `jku` is where the keys are published."""
        header = {"alg": "ES256", "typ": "JWS", "kid": self._thumbprint, "x5t#S256": self._thumbprint, "jku": jku}
        return jws.serialize_compact(header, json.dumps(payload, ensure_ascii=False), self._key, algorithms=["ES256"])


def header_of(token: str, keys_under: str) -> dict[str, Any]:
    """The header of a JWS, as yet unproven; its keys must be published under that address. Raises Forged."""
    head = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        raise Forged("A cobrança não é um JWS.") from None
    if not isinstance(header, dict) or header.get("alg") not in _ALGORITHMS or "crit" in header:
        raise Forged("A cobrança não está assinada com um algoritmo aceito.")
    if not all(isinstance(header.get(name), str) for name in ("jku", "kid", "x5t#S256")):
        raise Forged("A assinatura da cobrança não diz de quem é.")
    if not header["jku"].startswith(keys_under):
        raise Forged("As chaves da cobrança estão em outro servidor.")
    return header


def verified(token: str, header: Mapping[str, Any], jwks: object, *, host: str, now: datetime) -> dict[str, Any]:
    """What the token says, once its signature proved right under the key that its header names. Raises Forged."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    named = [each for each in keys or [] if isinstance(each, dict) and each.get("kid") == header["kid"]]
    if len(named) != 1:
        raise Forged("A chave da assinatura não está publicada.")
    try:
        key = _key(named[0], header, host, now)
        payload = json.loads(jws.deserialize_compact(token, key, algorithms=[header["alg"]]).payload)
    except (JoseError, InvalidSignature, ValueError, TypeError, KeyError):
        raise Forged("A assinatura da cobrança não confere.") from None
    if not isinstance(payload, dict):
        raise Forged("A cobrança não é um objeto JSON.")
    return payload


def _key(jwk: Mapping[str, Any], header: Mapping[str, Any], host: str, now: datetime) -> Any:
    """The published key, if the certificate that the header names is its own, is the host's and is in force."""
    leaf = base64.b64decode(jwk["x5c"][0], validate=True)
    certificate = x509.load_der_x509_certificate(leaf)
    if _thumbprint(leaf) != header["x5t#S256"]:
        raise ValueError("another certificate")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ValueError("a certificate that is not in force")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if _name_of(host) not in names:
        raise ValueError("another host's certificate")
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    certified = JWKRegistry.import_key(pem, _ALGORITHMS[header["alg"]])
    published = JWKRegistry.import_key({name: jwk[name] for name in _NUMBERS if name in jwk})
    if published.thumbprint() != certified.thumbprint():
        raise ValueError("a key that is not the certificate's")
    return certified


def _thumbprint(der: bytes) -> str:
    """A certificate's `x5t#S256`."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuers_key: ec.EllipticCurvePrivateKey,
    made_at: datetime,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_title(name))
        .issuer_name(_title(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made_at - timedelta(days=1))
        .not_valid_after(made_at + _LIFE)
        .add_extension(x509.BasicConstraints(ca=key is issuers_key, path_length=None), critical=True)
    )
    if key is not issuers_key:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name_of(name)]), critical=False)
    return builder.sign(issuers_key, SHA256())


def _title(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
