"""Puts a provider to the test: asks it now, past the breakers, and says what was measured."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.errors import ProviderUnavailable
from lastro.providers.breaker import Circuits
from lastro.providers.protocol import Probe, Provider
from lastro.tenants.providers import resources, service

MOST_SECONDS = 6.0


async def examine(bank: Bank, caller: Caller, provider_id: UUID) -> resources.TestDocument:
    """Whether the provider answers. A dead one is knowledge, and no error. Raises Forbidden, NotFound."""
    await service.get(bank, caller, provider_id)
    bank.providers.forget(provider_id)  # as it is set up now
    began = time.monotonic()
    try:
        facts = await bank.providers.get(provider_id)
    except ProviderUnavailable:
        probe = _failed("ACCESS", began, "the credentials can not be used")
        return resources.tested(provider_id, [probe], Circuits().states(), bank.now())
    probes = await _asked(facts.speaks, facts.ispb)
    return resources.tested(provider_id, probes, facts.circuits.states(), bank.now())


async def _asked(provider: Provider, ispb: str) -> Sequence[Probe]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(MOST_SECONDS):
            return await provider.examine(ispb=ispb)
    except Exception as error:  # noqa: BLE001 - whatever it was, the provider can not be told to be well
        return [_failed("ANSWER", began, type(error).__name__)]


def _failed(name: str, began: float, problem: str) -> Probe:
    return Probe(name, round((time.monotonic() - began) * 1000), problem)
