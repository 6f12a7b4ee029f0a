"""The charges of other banks, fetched: what they may do to us, and what not."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from build import Tenant, World
from lastro.bank import Bank
from lastro.egress import Egress
from lastro.errors import BankError, InvalidQrCode, ProviderUnavailable
from lastro.pix.qrcodes import charge as payload
from lastro.pix.qrcodes.charge import Charge, ChargeStatus
from lastro.pix.qrcodes.decoding import understand
from lastro.pix.qrcodes.signer import Signer, self_signed
from lastro.values.brcode import DynamicCode, write
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from pix.qrcodes.codes import a_receiver
from servers import listening

KEY = PixKey(KeyType.CPF, "12345678901")
Answer = tuple[int, bytes]


class Issuer:
    """Another bank's server, as good or bad as a test wants it."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | None] = {}
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; a path without an answer hangs."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        self.asked.append(path)
        answer = self.answers.get(path, (404, b""))
        if answer is None:
            await asyncio.sleep(30)
            return
        status, body = answer
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        await writer.drain()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def code(self, path: str = "/qr/v2/1") -> str:
        """A code that leads here."""
        return write(DynamicCode(f"{self.authority}{path}", "LOJA ALHEIA", "RECIFE"))


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    running = Issuer()
    async with listening(running.serve) as running.port:
        yield running


def listing(bank: Bank, *issuers: Issuer) -> Bank:
    """The bank, had its operator listed these hosts."""
    return replace(bank, egress=Egress([f"http://{each.authority}" for each in issuers]))


@pytest.fixture
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    path = tmp_path_factory.mktemp("issuer") / "key.pem"
    path.write_bytes(self_signed("127.0.0.1", datetime.now(UTC)))
    return Signer.load(path)


def publishes(issuer: Issuer, signer: Signer, now: datetime, **changes: Any) -> None:
    """Put a signed charge on the issuer's server."""
    charge = Charge("A" * 32, KEY, Money(4_250), ChargeStatus.ACTIVE, now, now + timedelta(hours=1))
    charge = replace(charge, **changes)
    token = signer.sign(payload.write(charge, presented_at=now), key_set=f"http://{issuer.authority}/jwks")
    issuer.answers |= {"/qr/v2/1": (200, token.encode()), "/jwks": (200, json.dumps(signer.keys()).encode())}


async def refused(bank: Bank, text: str) -> BankError:
    with pytest.raises(BankError) as caught:
        await understand(bank, text)
    return caught.value


async def test_a_listed_bank_is_asked_for_its_charge_and_its_keys(world: World, issuer: Issuer, signer: Signer) -> None:
    publishes(issuer, signer, world.bank.now())

    decoded = await understand(listing(world.bank, issuer), issuer.code())

    assert (decoded.key, decoded.amount, decoded.txid) == (KEY, Money(4_250), "A" * 32)
    assert decoded.own is None
    assert issuer.asked == ["/qr/v2/1", "/jwks"]


async def test_a_bank_that_is_not_listed_is_not_asked(world: World, issuer: Issuer, signer: Signer) -> None:
    publishes(issuer, signer, world.bank.now())

    assert isinstance(await refused(listing(world.bank), issuer.code()), InvalidQrCode)
    assert issuer.asked == []


@pytest.mark.parametrize("status", [ChargeStatus.PAID, ChargeStatus.REMOVED_BY_PAYEE, ChargeStatus.REMOVED_BY_ITS_BANK])
async def test_what_is_no_longer_active_is_refused(
    world: World, issuer: Issuer, signer: Signer, status: ChargeStatus
) -> None:
    publishes(issuer, signer, world.bank.now(), status=status)

    assert isinstance(await refused(listing(world.bank, issuer), issuer.code()), InvalidQrCode)


async def test_what_has_expired_is_refused_whatever_its_status(world: World, issuer: Issuer, signer: Signer) -> None:
    now = world.bank.now()
    publishes(issuer, signer, now, created_at=now - timedelta(hours=2), expires_at=now - timedelta(hours=1))

    error = await refused(listing(world.bank, issuer), issuer.code())

    assert isinstance(error, InvalidQrCode)
    assert "expirou" in error.text.pt


@pytest.mark.parametrize("path", ["/qr/v2/1", "/jwks"])
async def test_a_bank_that_hangs_costs_three_seconds_at_most(
    world: World, issuer: Issuer, signer: Signer, path: str
) -> None:
    publishes(issuer, signer, world.bank.now())
    issuer.answers[path] = None
    started = time.monotonic()

    error = await refused(listing(world.bank, issuer), issuer.code())

    assert isinstance(error, ProviderUnavailable)
    assert error.retry_after is not None
    assert time.monotonic() - started < 3


async def test_a_bank_that_is_down_is_unavailable(world: World) -> None:
    nobody = Issuer()
    async with listening(nobody.serve) as nobody.port:
        pass

    assert isinstance(await refused(listing(world.bank, nobody), nobody.code()), ProviderUnavailable)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_charge_that_its_bank_does_not_show_is_invalid(world: World, issuer: Issuer, status: int) -> None:
    issuer.answers["/qr/v2/1"] = (status, b"{}")

    error = await refused(listing(world.bank, issuer), issuer.code())

    assert isinstance(error, InvalidQrCode)
    assert [flaw.pointer for flaw in error.flaws] == ["/data/attributes/qrCodeText"]


def _other_signature(token: bytes) -> bytes:
    head, body, signature = token.split(b".")
    return b".".join([head, body, signature[::-1]])


def _other_payload(token: bytes) -> bytes:
    head, body, signature = token.split(b".")
    return b".".join([head, body[:-4] + b"AAAA", signature])


@pytest.mark.parametrize("spoil", [_other_signature, _other_payload, lambda token: token[:-10], lambda _: b"{}"])
async def test_what_is_not_signed_as_it_stands_is_refused(
    world: World, issuer: Issuer, signer: Signer, spoil: Callable[[bytes], bytes]
) -> None:
    publishes(issuer, signer, world.bank.now())
    status, token = issuer.answers["/qr/v2/1"] or (0, b"")
    issuer.answers["/qr/v2/1"] = (status, spoil(token))

    assert isinstance(await refused(listing(world.bank, issuer), issuer.code()), InvalidQrCode)


async def test_keys_elsewhere_are_not_fetched(world: World, issuer: Issuer, signer: Signer) -> None:
    elsewhere = Issuer()
    async with listening(elsewhere.serve) as elsewhere.port:
        publishes(elsewhere, signer, world.bank.now())
        issuer.answers["/qr/v2/1"] = elsewhere.answers["/qr/v2/1"]

        assert isinstance(await refused(listing(world.bank, issuer, elsewhere), issuer.code()), InvalidQrCode)
        assert elsewhere.asked == []


async def test_one_house_reads_the_code_of_another(world: World, tenant: Tenant) -> None:
    """The same Lastro under another name: to it, our codes are a stranger's, and fetched."""
    shop = await a_receiver(tenant)
    made = (await shop.code("DYNAMIC", amount=12.34, description="Entre casas")).attributes
    other = replace(world.bank, publication=replace(world.bank.publication, location=f"{uuid4().hex}.example/qr/v2"))

    decoded = await understand(other, made["qrCodeText"])

    assert decoded.own is None
    assert decoded.key is not None
    assert (decoded.key.value, decoded.amount, decoded.txid) == (shop.key, Money(1_234), made["txid"])
    assert (decoded.description, decoded.name) == ("Entre casas", "Loja de Teste Ltda")
