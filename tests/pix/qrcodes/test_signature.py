"""Only the host that a code names can sign its charge, and only in the ways that can be trusted."""

import base64
import hashlib
import hmac
import ipaddress
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from lastro.errors import InvalidQrCode, SetupError
from lastro.pix.qrcodes.signature import ALGORITHMS, open_envelope
from lastro.pix.qrcodes.signer import Signer, self_signed

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOST = "pix.example.com"
LOCATION = f"{HOST}/qr/v2/abc"
JKU = f"https://{HOST}/jwks.json"
PAYLOAD = b'{"txid":"abc"}'

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
KEYS: dict[str, Private] = dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], RSA) | {
    "ES256": P256,
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
}


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def segment(value: object) -> str:
    return b64(json.dumps(value).encode())


def jose(key: Private) -> RSAKey | ECKey:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return RSAKey.import_key(pem) if isinstance(key, rsa.RSAPrivateKey) else ECKey.import_key(pem)


def certificate(
    key: Private,
    *,
    common_name: str | None = HOST,
    names: Sequence[x509.GeneralName] = (),
    issuer_names: Sequence[x509.GeneralName] = (),
    since: datetime = NOW - DAY,
    until: datetime = NOW + DAY,
) -> x509.Certificate:
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if issuer_names:
        builder = builder.add_extension(x509.IssuerAlternativeName(issuer_names), critical=False)
    return builder.sign(key, hashes.SHA256())


@dataclass
class Bank:
    """Another bank: it signs, and it publishes its keys. A test changes what it likes."""

    algorithm: str = "ES256"

    def __post_init__(self) -> None:
        self.key = KEYS[self.algorithm]
        self.leaf = certificate(self.key)
        self.header: dict[str, Any] = {"alg": self.algorithm, "kid": "one", "jku": JKU, "typ": "JWS"}
        self.published: dict[str, Any] = {}
        self.certify(self.leaf)

    def certify(self, leaf: x509.Certificate) -> None:
        der = leaf.public_bytes(Encoding.DER)
        self.leaf = leaf
        self.header["x5t#S256"] = b64(hashlib.sha256(der).digest())
        self.published = {
            **jose(self.key).as_dict(private=False),
            "kid": "one",
            "x5c": [base64.b64encode(der).decode()],
        }

    @property
    def jwks(self) -> bytes:
        return json.dumps({"keys": [{"kty": "EC", "kid": "other"}, self.published]}).encode()

    def token(self, payload: bytes = PAYLOAD) -> bytes:
        registry = jws.JWSRegistry(algorithms=[self.algorithm], strict_check_header=False)
        return jws.serialize_compact(
            {**self.header, "alg": self.algorithm}, payload, jose(self.key), registry=registry
        ).encode()

    def signed_as_is(self, header: dict[str, Any]) -> bytes:
        """A right signature under a header that no library would write."""
        text = f"{segment(header)}.{b64(PAYLOAD)}".encode()
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(self.key.sign(text, ec.ECDSA(hashes.SHA256())))
        return text + b"." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big")).encode()


def check(token: bytes, jwks: bytes, *, location: str = LOCATION, scheme: str = "https", now: datetime = NOW) -> bytes:
    return open_envelope(token, location=location, scheme=scheme).verified(jwks, now)


def refused(bank: Bank, reason: str, token: bytes | None = None, **how: Any) -> None:
    with pytest.raises(InvalidQrCode) as refusal:
        check(token or bank.token(), bank.jwks, **how)
    assert reason in refusal.value.text.en
    assert "{" not in refusal.value.text.pt


# What is trusted


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_charge_that_its_host_signed_is_let_out(algorithm: str) -> None:
    bank = Bank(algorithm)
    envelope = open_envelope(bank.token(), location=LOCATION)
    assert envelope.key_set == f"{HOST}/jwks.json"
    assert envelope.verified(bank.jwks, NOW) == PAYLOAD


def test_space_around_a_signature_and_what_a_header_says_besides_do_no_harm() -> None:
    bank = Bank()
    bank.header |= {"x5c": bank.published["x5c"], "iat": 1, "kty": "?"}
    assert check(bank.token() + b"\r\n", bank.jwks) == PAYLOAD


def test_either_thumbprint_will_do_and_both_must_be_right() -> None:
    bank = Bank()
    old = b64(hashlib.sha1(bank.leaf.public_bytes(Encoding.DER)).digest())
    right = bank.header["x5t#S256"]
    bank.header["x5t"] = old
    assert check(bank.token(), bank.jwks) == PAYLOAD
    bank.header["x5t#S256"] = old
    refused(bank, "certificate is another")
    del bank.header["x5t#S256"]
    assert check(bank.token(), bank.jwks) == PAYLOAD
    bank.header |= {"x5t": right, "x5t#S256": right}
    refused(bank, "certificate is another")


@pytest.mark.parametrize(
    ("common_name", "names", "host", "fits"),
    [
        (HOST, [], HOST, True),
        ("PIX.Example.com", [], HOST, True),
        (None, [x509.DNSName(HOST)], HOST, True),
        ("Banco SA", [x509.DNSName("a.example"), x509.DNSName(HOST)], HOST, True),
        (HOST, [x509.DNSName("a.example")], HOST, True),
        (None, [x509.DNSName("*.example.com")], HOST, True),
        ("127.0.0.1", [], "127.0.0.1", True),
        (None, [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))], "127.0.0.1", True),
        ("Banco SA", [], HOST, False),
        (None, [], HOST, False),
        (None, [x509.DNSName("*.example.com")], "a.pix.example.com", False),
        (None, [x509.DNSName("*.example.com")], "example.com", False),
        (None, [x509.DNSName("*.com")], "example.com", False),
        (None, [x509.DNSName("*")], HOST, False),
        (None, [x509.DNSName("pix.*.com")], HOST, False),
        (None, [x509.DNSName("example.com")], HOST, False),
        (None, [x509.UniformResourceIdentifier(f"https://{HOST}")], HOST, False),
    ],
)
def test_a_certificate_names_the_host(
    common_name: str | None, names: list[x509.GeneralName], host: str, fits: bool
) -> None:
    bank = Bank()
    bank.certify(certificate(bank.key, common_name=common_name, names=names))
    bank.header["jku"] = f"https://{host}/jwks.json"
    if fits:
        assert check(bank.token(), bank.jwks, location=f"{host}/a") == PAYLOAD
    else:
        refused(bank, "another host's", location=f"{host}/a")


# What is not


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "HS384", "HS512", "EdDSA", "ES256K", "", None, ["ES256"], 1]
)
def test_only_signatures_of_known_kinds_count(algorithm: object) -> None:
    bank = Bank()
    refused(bank, "algorithm is not accepted", bank.signed_as_is({**bank.header, "alg": algorithm}))


def test_the_public_key_is_no_shared_secret() -> None:
    bank = Bank()
    text = f"{segment({**bank.header, 'alg': 'HS256'})}.{b64(PAYLOAD)}"
    pem = bank.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = f"{text}.{b64(hmac.digest(pem, text.encode(), 'sha256'))}"
    refused(bank, "algorithm is not accepted", forged.encode())


def test_an_algorithm_must_fit_the_key() -> None:
    for claimed in ("RS256", "PS256", "ES384", "ES512"):
        bank = Bank("ES256")
        refused(bank, "does not fit", bank.signed_as_is({**bank.header, "alg": claimed}))
    bank = Bank("RS256")
    token = bank.token().decode().split(".")
    refused(bank, "does not fit", ".".join([segment({**bank.header, "alg": "ES256"}), *token[1:]]).encode())


def test_a_key_of_a_kind_that_we_do_not_know_signs_nothing() -> None:
    bank = Bank()
    strange = ed25519.Ed25519PrivateKey.generate()
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)]))
        .issuer_name(x509.Name([]))
        .public_key(strange.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .sign(strange, None)
    )
    bank.certify(made)
    refused(bank, "does not fit")


def test_a_short_rsa_key_signs_nothing() -> None:
    bank = Bank("RS256")
    short = rsa.generate_private_key(65537, 1024)
    bank.certify(certificate(short))
    text = f"{segment(bank.header)}.{b64(PAYLOAD)}"
    signature = b64(short.sign(text.encode(), PKCS1v15(), hashes.SHA256()))
    refused(bank, "does not fit", f"{text}.{signature}".encode())


@pytest.mark.parametrize(
    "jku",
    [
        "https://evil.example/jwks.json",
        f"http://{HOST}/jwks.json",
        f"https://{HOST}:8443/jwks.json",
        f"https://{HOST}.evil.example/jwks.json",
        f"https://{HOST}@evil.example/jwks.json",
        f"https://evil.example@{HOST}/jwks.json",
        f"https://{HOST}\\@evil.example/jwks.json",
        f"https://evil.example#@{HOST}/",
        f"https://evil.example?/{HOST}/",
        f"https://{HOST}",
        f"//{HOST}/jwks.json",
        f"{HOST}/jwks.json",
        f" https://{HOST}/jwks.json",
        "file:///etc/passwd",
        "data:application/json,{}",
        "",
        None,
        [JKU],
    ],
)
def test_keys_are_published_where_the_charge_is(jku: object) -> None:
    bank = Bank()
    refused(bank, "keys are on another host", bank.signed_as_is({**bank.header, "jku": jku}))


def test_a_demo_publishes_its_keys_over_http_and_nobody_else() -> None:
    bank = Bank()
    bank.header["jku"] = f"http://{HOST}:8000/jwks.json"
    place = f"{HOST}:8000/qr/v2/x"
    assert check(bank.token(), bank.jwks, scheme="http", location=place) == PAYLOAD
    refused(bank, "another host", location=place)
    bank.header["jku"] = JKU
    refused(bank, "another host", scheme="http")


def test_a_header_that_names_keys_elsewhere_is_not_followed() -> None:
    bank, evil = Bank(), Bank()
    evil.key = ec.generate_private_key(ec.SECP256R1())
    evil.certify(certificate(evil.key))
    evil.header |= {"x5u": "https://evil.example/leaf.pem", "jwk": jose(evil.key).as_dict(private=False)}
    evil.header["x5c"] = evil.published["x5c"]
    refused(bank, "certificate is another", evil.token())


@pytest.mark.parametrize(
    "extension", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False}, {"b64": False, "crit": ["b64"]}]
)
def test_extensions_are_not_understood(extension: dict[str, Any]) -> None:
    bank = Bank()
    refused(bank, "demands extensions", bank.signed_as_is({**bank.header, **extension}))


@pytest.mark.parametrize("missing", ["kid", "x5t#S256", "jku", "alg"])
def test_a_header_says_who_signed(missing: str) -> None:
    bank = Bank()
    header = {name: value for name, value in bank.header.items() if name != missing}
    refused(bank, "", bank.signed_as_is(header))
    refused(bank, "", bank.signed_as_is({**bank.header, missing: 1}))


def test_two_signatures_a_detached_charge_and_other_shapes_are_refused() -> None:
    bank = Bank()
    head, body, signature = bank.token().decode().split(".")
    shapes = [
        "",
        "..",
        f"{head}..{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature}.{signature}",
        f"{head}.{body}.{signature}.a.b",
        f"{head}. {body}.{signature}",
        f"{head}.{body}=.{signature}",
        f"{head}.{body}.{signature}é",
        json.dumps({"payload": body, "protected": head, "signature": signature}),
        json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}] * 2}),
    ]
    for shape in shapes:
        refused(bank, "not a compact JWS", shape.encode() or b" ")
    refused(bank, "not a compact JWS", b"\xff" + bank.token())


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"null", b"{", b'{"alg":"ES256","alg":"none"}', b"\xff", b"{}" + b" " * 5000]
)
def test_a_header_is_a_small_object_without_repetition(header: bytes) -> None:
    bank = Bank()
    _, body, signature = bank.token().decode().split(".")
    refused(bank, "header can not be read", f"{b64(header) or 'A'}.{body}.{signature}".encode())


def test_what_was_changed_after_signing_is_refused() -> None:
    bank = Bank()
    head, body, signature = bank.token().decode().split(".")
    other = b64(b'{"txid":"abd"}')
    refused(bank, "signature does not match", f"{head}.{other}.{signature}".encode())
    refused(bank, "signature does not match", f"{head}.{body}.{b64(bytes(64))}".encode())
    refused(bank, "signature does not match", f"{head}.{body}.{b64(b'short')}".encode())
    refused(bank, "signature does not match", f"{segment({**bank.header, 'typ': 'jose'})}.{body}.{signature}".encode())


def test_a_certificate_is_good_from_its_first_to_its_last_second() -> None:
    bank = Bank()
    for now in (NOW - DAY, NOW + DAY):
        assert check(bank.token(), bank.jwks, now=now) == PAYLOAD
    for now in (NOW - DAY - timedelta(seconds=1), NOW + DAY + timedelta(seconds=1)):
        refused(bank, "out of its validity", now=now)


def test_a_published_key_is_the_certificates() -> None:
    bank = Bank()
    other = ec.generate_private_key(ec.SECP256R1())
    bank.published |= jose(other).as_dict(private=False)
    bank.published["kid"] = "one"
    refused(bank, "not the certificate's")
    bank.key = other  # signs with the key, and shows a certificate that is somebody else's
    refused(bank, "not the certificate's")
    bank.certify(certificate(other))
    assert check(bank.token(), bank.jwks) == PAYLOAD


@pytest.mark.parametrize(
    "change",
    [{"kty": "RSA"}, {"kty": "oct", "k": "AAAA"}, {"crv": "P-384"}, {"x": None}, {"x": "é"}, {"x": ["A"]}, {"y": "A"}],
)
def test_a_published_key_that_is_none_is_refused(change: dict[str, Any]) -> None:
    bank = Bank()
    bank.published |= change
    refused(bank, "not the certificate's")


@pytest.mark.parametrize("change", [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": []}, {"alg": "ES384"}])
def test_a_key_for_something_else_is_refused(change: dict[str, Any]) -> None:
    bank = Bank()
    bank.published |= change
    refused(bank, "not for this use")


@pytest.mark.parametrize("chain", [None, [], "x", [1], [""], ["!"], ["AAAA"], {"0": "x"}])
def test_a_key_without_a_certificate_is_refused(chain: object) -> None:
    bank = Bank()
    bank.published["x5c"] = chain
    refused(bank, "no certificate")


def test_a_key_is_published_once() -> None:
    bank = Bank()
    key_sets: list[Any] = [
        {"keys": []},
        {"keys": [bank.published, bank.published]},
        {"keys": [{**bank.published, "kid": "two"}]},
        {"keys": {"one": bank.published}},
        {"keys": ["one", None]},
        {},
        [],
    ]
    for key_set in key_sets:
        with pytest.raises(InvalidQrCode, match="not published"):
            check(bank.token(), json.dumps(key_set).encode())
    for noise in (b"", b"{", b"\xff"):
        with pytest.raises(InvalidQrCode, match="not published"):
            check(bank.token(), noise)


@pytest.mark.filterwarnings("ignore")  # of odd certificates the library warns
def test_nothing_but_a_refusal_comes_of_a_broken_certificate() -> None:
    bank = Bank()
    bank.certify(certificate(bank.key, names=[x509.DNSName(HOST), x509.RFC822Name("a@b.c")]))
    whole = bank.leaf.public_bytes(Encoding.DER)
    choose = random.Random(7)
    let_out = 0
    for _ in range(4000):
        der = bytearray(whole)
        for _ in range(choose.randrange(1, 4)):
            der[choose.randrange(len(der))] = choose.randrange(256)
        bank.published["x5c"] = [base64.b64encode(der).decode()]
        bank.header["x5t#S256"] = b64(hashlib.sha256(der).digest())
        try:
            assert check(bank.signed_as_is(bank.header), bank.jwks) == PAYLOAD
        except InvalidQrCode:
            continue
        let_out += 1
    assert let_out > 100  # a certificate has places that nobody reads, and nobody vouches for this one


def test_a_certificate_that_says_a_thing_twice_is_refused() -> None:
    bank = Bank()
    issuer_name, subject_name = b"\x55\x1d\x12", b"\x55\x1d\x11"
    made = certificate(bank.key, names=[x509.DNSName(HOST)], issuer_names=[x509.DNSName(HOST)])
    twice = made.public_bytes(Encoding.DER).replace(issuer_name, subject_name)
    bank.certify(made)
    bank.published["x5c"] = [base64.b64encode(twice).decode()]
    bank.header["x5t#S256"] = b64(hashlib.sha256(twice).digest())
    refused(bank, "certificate can not be read")


# Our own


@pytest.mark.parametrize("key_first", [True, False])
@pytest.mark.parametrize("key", [RSA, P256])
def test_what_we_sign_others_can_check(key: Private, key_first: bool, tmp_path: Path) -> None:
    leaf, issuer = certificate(key), certificate(KEYS["ES384"], common_name="Issuer")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = leaf.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM)
    path = tmp_path / "qr.pem"
    path.write_bytes(secret + chain if key_first else chain + secret)
    signer = Signer.load(path)
    token, published = signer.sign(PAYLOAD, key_set=JKU), signer.keys()
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    (shown,) = published["keys"]
    assert header == {
        "alg": "RS256" if key is RSA else "ES256",
        "kid": shown["kid"],
        "jku": JKU,
        "x5t#S256": shown["x5t#S256"],
        "typ": "JWS",
    }
    assert len(shown["x5c"]) == 2
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(shown)
    assert check(token.encode(), json.dumps(published).encode()) == PAYLOAD


@pytest.mark.parametrize("host", ["pix.example.com", "127.0.0.1", "localhost"])
def test_a_demo_signs_for_itself(host: str, tmp_path: Path) -> None:
    path = tmp_path / "qr.pem"
    path.write_bytes(self_signed(host, NOW))
    (leaf,) = x509.load_pem_x509_certificates(path.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == [host]
    assert isinstance(next(iter(names)), x509.IPAddress if host == "127.0.0.1" else x509.DNSName)
    signer = Signer.load(path)
    token = signer.sign(PAYLOAD, key_set=f"http://{host}:8000/jwks.json").encode()
    jwks = json.dumps(signer.keys()).encode()
    for now in (NOW, NOW + 3000 * DAY):
        assert check(token, jwks, location=f"{host}:8000/qr/v2/x", scheme="http", now=now) == PAYLOAD


def test_a_file_that_can_not_sign_is_refused_at_the_start(tmp_path: Path) -> None:
    secret = PrivateFormat.PKCS8
    good = P256.private_bytes(Encoding.PEM, secret, NoEncryption())
    leaf = certificate(P256).public_bytes(Encoding.PEM)
    wrong_curve = KEYS["ES384"]
    short = rsa.generate_private_key(65537, 1024)
    for content in (
        b"",
        b"no pem",
        good,
        leaf,
        P256.private_bytes(Encoding.PEM, secret, BestAvailableEncryption(b"word")) + leaf,
        good + certificate(RSA).public_bytes(Encoding.PEM),
        wrong_curve.private_bytes(Encoding.PEM, secret, NoEncryption())
        + certificate(wrong_curve).public_bytes(Encoding.PEM),
        short.private_bytes(Encoding.PEM, secret, NoEncryption()) + certificate(short).public_bytes(Encoding.PEM),
    ):
        path = tmp_path / "qr.pem"
        path.write_bytes(content)
        with pytest.raises(SetupError, match="LASTRO_QR_CERTIFICATE"):
            Signer.load(path)
    with pytest.raises(SetupError, match="LASTRO_QR_CERTIFICATE"):
        Signer.load(tmp_path / "absent.pem")
