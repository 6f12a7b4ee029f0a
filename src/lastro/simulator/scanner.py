"""Reads a code as the payer's bank would: the key of a static one, the signed charge behind a dynamic one of ours."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from lastro.simulator.network import Network, authority_of
from lastro.simulator.other_banks import Pay
from lastro.simulator.signing import Forged, header_of, verified
from lastro.simulator.wire import Refusal, bad_request, conflict
from lastro.values import brcode
from lastro.values.brcode import DynamicCode, StaticCode
from lastro.values.money import Money
from lastro.values.text import Invalid

_SECONDS = 3.0
_MOST_BYTES = 65_536
_DEFAULT_SECONDS = 86_400
_MISSING = (404, 410)


async def scanned(network: Network, order: Pay, text: str) -> Pay:
    """The order that the code makes of `order`, which may bring the amount where the code leaves it open.

    Raises Refusal: 400 for what is no code or asks for something else, 409 for a charge that can not be paid (any
    longer), 503 when nobody shows it.
    """
    try:
        code = brcode.read(text)
    except Invalid as error:
        raise bad_request(error.text.pt) from None
    match code:
        case StaticCode():
            key, amount, txid, description = code.key.value, code.amount, code.txid, code.description
        case DynamicCode():
            charge = await _charge_at(network, code.location)
            key, amount, txid = _string(charge, "chave"), _amount(charge), _string(charge, "txid")
            description = charge.get("solicitacaoPagador")
        case _:
            raise bad_request("O código não pede um pagamento.")
    if amount is None and order.amount is None:
        raise bad_request("O código deixa o valor livre: diga amount.")
    if amount is not None and order.amount not in (None, amount):
        raise bad_request("O código pede outro valor.")
    return order.model_copy(
        update={
            "qr_code_text": None,
            "key_value": key,
            "amount": amount or order.amount,
            "txid": txid,
            "description": order.description or description,
        }
    )


async def _charge_at(network: Network, location: str) -> Mapping[str, Any]:
    """The charge, once its signature proved to be of the host that the code names, if it can still be paid."""
    authority = location.partition("/")[0].lower()
    if not _reachable(network, authority):
        raise bad_request("O simulador só busca cobranças nesta máquina e no Lastro que ele conhece.")
    host, now = authority.partition(":")[0], network.clock.now()
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False, follow_redirects=False) as client:
            token = (await _get(client, f"http://{location}")).text.strip()
            header = header_of(token, f"http://{authority}/")
            jwks = (await _get(client, header["jku"])).json()
        charge = verified(token, header, jwks, host=host, now=now)
    except Forged as error:
        raise conflict(str(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise Refusal(503, "ServiceUnavailable", "Ninguém mostra a cobrança deste código.", retry_after=1) from None
    if charge.get("status") != "ATIVA":
        raise conflict("A cobrança já foi paga ou removida.")
    if now >= _expiry(charge):
        raise conflict("A cobrança expirou.")
    return charge


def _reachable(network: Network, authority: str) -> bool:
    """Loopback, and where this network delivers: a toy does not wander about."""
    if authority == authority_of(network.settings.deliver_to):
        return True
    host = authority.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _get(client: httpx.AsyncClient, url: str) -> httpx.Response:
    response = await client.get(url, headers={"accept": "application/jose, application/json"})
    if response.status_code in _MISSING:
        raise conflict("A cobrança deste código não existe, ou não existe mais.")
    response.raise_for_status()
    if len(response.content) > _MOST_BYTES:
        raise ValueError("too long")
    return response


def _string(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise conflict(f"A cobrança não diz {name}.")
    return value


def _amount(charge: Mapping[str, Any]) -> Money:
    try:
        return Money.parse(_string(charge["valor"], "original"))
    except (KeyError, TypeError, AttributeError, Invalid):
        raise conflict("A cobrança não diz quanto é.") from None


def _expiry(charge: Mapping[str, Any]) -> datetime:
    try:
        dates = charge["calendario"]
        lifetime = timedelta(seconds=int(dates.get("expiracao", _DEFAULT_SECONDS)))
        return datetime.fromisoformat(dates["criacao"]).astimezone(UTC) + lifetime
    except (KeyError, TypeError, ValueError, OverflowError):
        raise conflict("A cobrança não diz até quando vale.") from None
