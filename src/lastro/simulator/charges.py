"""Codes of other banks: a tester orders one, anybody finds its charge, and SPI pays it once."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, StrictInt, model_validator
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator.book import Charge, DirectoryEntry
from lastro.simulator.directory import entry_of
from lastro.simulator.network import Network, TheNetwork
from lastro.simulator.wire import KeyText, Line, Reais, Strict, answer, bad_request, not_found, read, rfc3339
from lastro.values import brcode
from lastro.values.brcode import LONGEST_CITY, LONGEST_NAME, DynamicCode, StaticCode, fold
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.random_text import letters_and_digits
from lastro.values.text import Invalid

router = APIRouter()

JOAO = "12345678901"
PAID_BEFORE, EXPIRED, OTHER_AMOUNT = "DUPL", "BE17", "INDT"

_MOST_MINUTES = 43_200
_DEFAULT_MINUTES = 1_440
_TXID_LENGTHS = {"STATIC": 25, "DYNAMIC": 32}
_CITY = "SAO PAULO"


class NewCharge(Strict):
    """`POST /simulator/charges`."""

    type: Literal["STATIC", "DYNAMIC"]
    amount: Reais | None = None
    key_value: KeyText = JOAO
    expires_in_minutes: Annotated[StrictInt, Field(ge=1, le=_MOST_MINUTES)] | None = None
    description: Line | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type == "DYNAMIC" and self.amount is None:
            raise ValueError("uma cobrança dinâmica tem amount")
        if self.type == "STATIC" and self.expires_in_minutes is not None:
            raise ValueError("só uma cobrança dinâmica tem expiresInMinutes")
        return self


@router.post("/charges")
async def make(request: Request, network: TheNetwork) -> Response:
    """A customer of another bank wants to be paid by code."""
    body = await read(request, NewCharge)
    now = network.clock.now()
    txid = letters_and_digits(_TXID_LENGTHS[body.type])
    async with network.book.transaction() as tx:
        entry = await entry_of(tx, body.key_value, "")
        if entry is None:
            raise not_found("A chave não está no diretório.")
        charge = _charge(body, txid, now) if body.amount is not None and body.type == "DYNAMIC" else None
        if charge is not None:
            tx.add(charge)
        location = None if charge is None else f"{_authority(network, request)}/simulator/qr/v2/{charge.token}"
        told: dict[str, object] = {"qrCodeText": _text(body, entry, txid, location), "txid": txid}
    return answer(told if location is None else {**told, "location": location}, 201)


@router.get("/qr/v2/{token}")
async def show(token: str, request: Request, network: TheNetwork) -> Response:
    """The charge behind a code, signed: what every bank fetches before it pays. Anybody may."""
    async with network.book.transaction() as tx:
        charge = (await tx.execute(select(Charge).where(Charge.token == token[:64]))).scalar_one_or_none()
    if charge is None:
        raise not_found("Não há cobrança neste endereço.")
    authority = _authority(network, request)
    jku = f"http://{authority}/simulator/.well-known/jwks.json"
    signed = network.seal_of(authority).sign(_payload(charge, network.clock.now()), jku=jku)
    return Response(signed, media_type="application/jose")


@router.get("/.well-known/jwks.json")
async def show_keys(request: Request, network: TheNetwork) -> Response:
    """The key of those signatures."""
    return answer(network.seal_of(_authority(network, request)).jwks)


def _authority(network: Network, request: Request) -> str:
    """Where others find this network: as it was told, else as whoever asks has found it."""
    return (network.settings.authority or request.headers.get("host", "")).lower()


def _charge(body: NewCharge, txid: str, now: datetime) -> Charge:
    assert body.amount is not None  # noqa: S101 - the body was checked
    return Charge(
        txid=txid,
        token=secrets.token_hex(16),
        key=body.key_value,
        amount=body.amount,
        description=body.description,
        created_at=now,
        expires_at=now + timedelta(minutes=body.expires_in_minutes or _DEFAULT_MINUTES),
    )


def _text(body: NewCharge, entry: DirectoryEntry, txid: str, location: str | None) -> str:
    name = fold(entry.owner_name, LONGEST_NAME) or "RECEBEDOR"
    city = fold(_CITY, LONGEST_CITY)
    key = PixKey(KeyType(entry.key_type), entry.key)
    static = StaticCode(key, body.amount, name, city, txid, body.description)
    try:
        return brcode.write(static if location is None else DynamicCode(location, name, city))
    except Invalid as error:  # an amount beyond ten digits, a Host that is none
        raise bad_request(error.text.pt) from None


def _payload(charge: Charge, now: datetime) -> dict[str, Any]:
    """A `cob` of API Pix 2.9.0."""
    about = {} if charge.description is None else {"solicitacaoPagador": charge.description}
    return {
        "txid": charge.txid,
        "revisao": 0,
        "calendario": {
            "criacao": rfc3339(charge.created_at),
            "apresentacao": rfc3339(now),
            "expiracao": int((charge.expires_at - charge.created_at).total_seconds()),
        },
        "status": "ATIVA" if charge.end_to_end_id is None else "CONCLUIDA",
        "valor": {"original": str(charge.amount)},
        "chave": charge.key,
        **about,
    }


@dataclass(slots=True)
class Charges:
    """The charges that a batch of payments names, locked until its transaction ends."""

    _charges: Mapping[str, Charge]
    _paid: dict[str, str] = field(default_factory=dict)  # charge and payment, both by their ids

    @classmethod
    async def hold(cls, tx: AsyncSession, txids: Sequence[str]) -> Self:
        """Lock them, in one order everywhere."""
        if not txids:
            return cls({})
        named = select(Charge).where(Charge.txid.in_(txids)).order_by(Charge.txid).with_for_update()
        return cls({charge.txid: charge for charge in (await tx.execute(named)).scalars()})

    def refusal(self, txid: str | None, key: str, amount: Money, now: datetime) -> str | None:
        """Why the payee's bank rejects a payment that names one of its charges, if it does."""
        charge = self._of(txid, key)
        if charge is None:
            return None
        if charge.end_to_end_id is not None or charge.txid in self._paid:
            return PAID_BEFORE
        if now >= charge.expires_at:
            return EXPIRED
        return OTHER_AMOUNT if amount != charge.amount else None

    def take(self, txid: str | None, key: str, end_to_end_id: str) -> None:
        """The payment will settle: its charge takes no other."""
        charge = self._of(txid, key)
        if charge is not None:
            self._paid[charge.txid] = end_to_end_id

    def keep(self, written: set[str]) -> None:
        """Write down what was paid by those payments that this batch wrote."""
        for txid, end_to_end_id in self._paid.items():
            if end_to_end_id in written:
                self._charges[txid].end_to_end_id = end_to_end_id

    def _of(self, txid: str | None, key: str) -> Charge | None:
        charge = self._charges.get(txid) if txid is not None else None
        return charge if charge is not None and charge.key == key else None
