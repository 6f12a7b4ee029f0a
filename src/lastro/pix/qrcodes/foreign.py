"""Fetches the charges that other banks publish, from listed hosts alone, and believes only what they have signed."""

import asyncio
from datetime import datetime

from lastro.bank import Bank
from lastro.egress import SILENT, Egress
from lastro.errors import InvalidQrCode, ProviderUnavailable
from lastro.pix.qrcodes import charge, rules
from lastro.pix.qrcodes.charge import Charge
from lastro.pix.qrcodes.signature import open_envelope

SECONDS = 2.5  # for the charge and the keys together: who waits for it holds a telephone


async def charge_at(bank: Bank, location: str) -> Charge:
    """The charge at a location (host and path). Raises InvalidQrCode, ProviderUnavailable."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _fetched(bank.egress, location, bank.now())
    except TimeoutError:
        raise ProviderUnavailable(SILENT, retry_after=2) from None
    except InvalidQrCode as error:
        raise rules.unreadable(error.text) from error


async def _fetched(egress: Egress, location: str, now: datetime) -> Charge:
    scheme = egress.scheme(location)
    token = await egress.get(location, accept="application/jose")
    envelope = open_envelope(token, location=location, scheme=scheme)
    keys = await egress.get(envelope.key_set, accept="application/json")
    return charge.read(envelope.verified(keys, now))
