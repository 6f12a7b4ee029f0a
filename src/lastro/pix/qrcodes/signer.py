"""Our own signature under the charges of our dynamic codes, and the keys that others check it with."""

import base64
import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from lastro.errors import SetupError
from lastro.pix.qrcodes.signature import LEAST_RSA_BITS, thumbprint

SELF_SIGNED_DAYS = 3650  # a demo's clock may be years ahead


class Signer:
    """Holds the private key. Made by `load`."""

    def __init__(self, key: RSAKey | ECKey, chain: Sequence[x509.Certificate]) -> None:
        self._key = key
        self._chain = chain
        self._algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        self._kid = key.thumbprint()

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Read the PEM file of LASTRO_QR_CERTIFICATE. Raises `SetupError`, which says what is wrong with it."""
        try:
            pem = path.read_bytes()
            private, chain = load_pem_private_key(pem, None), x509.load_pem_x509_certificates(pem)
        except (OSError, ValueError, TypeError) as error:
            raise SetupError(
                f"LASTRO_QR_CERTIFICATE: {path} must hold a private key without a password and its certificates, in PEM"
                f" ({error})"
            ) from None
        secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        key: RSAKey | ECKey
        if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= LEAST_RSA_BITS:
            key = RSAKey.import_key(secret)
        elif isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
            key = ECKey.import_key(secret)
        else:
            raise SetupError(f"LASTRO_QR_CERTIFICATE: the key must be RSA of {LEAST_RSA_BITS} bits, or EC on P-256")
        spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        if private.public_key().public_bytes(*spki) != chain[0].public_key().public_bytes(*spki):
            raise SetupError("LASTRO_QR_CERTIFICATE: the first certificate must be that of the private key")
        return cls(key, chain)

    @property
    def good_until(self) -> datetime:
        """When the certificate expires: no bank believes a charge after that."""
        return self._chain[0].not_valid_after_utc

    def sign(self, payload: bytes, *, key_set: str) -> str:
        """The payload under our signature (a compact JWS); `key_set` is the URL where `keys` are published."""
        header = {
            "alg": self._algorithm,
            "kid": self._kid,
            "jku": key_set,
            "x5t#S256": thumbprint(self._chain[0]),
            "typ": "JWS",
        }
        return jws.serialize_compact(header, payload, self._key, algorithms=[self._algorithm])

    def keys(self) -> dict[str, Any]:
        """The JWKS to publish: our public key and its certificates, the leaf first."""
        chain = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in self._chain]
        about = {"kid": self._kid, "use": "sig", "key_ops": ["verify"], "alg": self._algorithm}
        certificate = {"x5c": chain, "x5t#S256": thumbprint(self._chain[0])}
        return {"keys": [{**self._key.as_dict(private=False), **about, **certificate}]}


def self_signed(host: str, now: datetime) -> bytes:
    """The PEM of a new key and of a certificate that nobody but itself vouches for, naming this host: for a demo."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
