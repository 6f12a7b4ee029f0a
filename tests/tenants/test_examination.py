"""A test asks the provider now, measures, and says what it found: a dead provider is knowledge, no error."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from build import Tenant, World, reached
from lastro.errors import ProviderUnavailable
from lastro.providers.breaker import FAILURES
from lastro.providers.protocol import Probe
from lastro.tenants.providers import examination
from lastro.values.text import Text


class Patient:
    """A provider that says of itself what a test wants."""

    def __init__(self) -> None:
        self.probes: list[Probe] = [Probe("DICT", 7, None)]
        self.error: Exception | None = None
        self.hangs = False
        self.examined = 0

    async def examine(self, *, ispb: str) -> Sequence[Probe]:
        assert ispb == "00000000"
        self.examined += 1
        if self.hangs:
            await asyncio.sleep(60)
        if self.error is not None:
            raise self.error
        return self.probes

    async def settle(self, *_: Any) -> Any:
        raise ProviderUnavailable(Text("", ""))


@pytest.fixture
def patient(world: World, monkeypatch: pytest.MonkeyPatch) -> Patient:
    made = Patient()
    monkeypatch.setitem(world.bank.providers.adapters, "patient", reached(made))
    return made


async def patients(tenant: Tenant) -> str:
    """The id of a provider that is reached through the patient."""
    attributes = {"name": "Paciente", "code": "999", "ispb": "00000000", "adapter": "patient"}
    return (await tenant.post("/providers", "providers", attributes)).id


async def test_the_network_is_asked_and_its_latency_measured(tenant: Tenant) -> None:
    tested = await tenant.post(f"/providers/{tenant.provider_id}/test")

    assert tested.status == 200
    assert tested.data["type"] == "provider-tests"
    attributes = tested.attributes
    assert (attributes["status"], attributes["providerId"]) == ("OK", str(tenant.provider_id))
    assert [(probe["name"], probe["ok"], probe["problem"]) for probe in attributes["probes"]] == [
        ("AUTH", True, None),
        ("DICT", True, None),
        ("SPI", True, None),
    ]
    assert all(0 <= probe["latencyMs"] < 5_000 for probe in attributes["probes"])
    assert attributes["breakers"] == dict.fromkeys(("directory", "settlement", "office", "messages"), "CLOSED")


async def test_one_problem_is_enough(tenant: Tenant, patient: Patient) -> None:
    patient.probes = [Probe("DICT", 7, None), Probe("SPI", 12, "503")]

    attributes = (await tenant.post(f"/providers/{await patients(tenant)}/test")).attributes

    assert attributes["status"] == "FAILED"
    assert attributes["probes"] == [
        {"name": "DICT", "ok": True, "latencyMs": 7, "problem": None},
        {"name": "SPI", "ok": False, "latencyMs": 12, "problem": "503"},
    ]


@pytest.mark.parametrize("error", [ProviderUnavailable(Text("", "")), RuntimeError("segredo"), None])
async def test_a_provider_that_can_not_say_is_not_well(tenant: Tenant, patient: Patient, error: Any) -> None:
    patient.error, patient.probes = error, []

    tested = await tenant.post(f"/providers/{await patients(tenant)}/test")

    assert (tested.status, tested.attributes["status"]) == (200, "FAILED")
    assert "segredo" not in tested.response.text


async def test_a_provider_that_hangs_is_told_of_within_seconds(
    tenant: Tenant, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "MOST_SECONDS", 0.3)
    patient.hangs = True
    began = time.monotonic()

    attributes = (await tenant.post(f"/providers/{await patients(tenant)}/test")).attributes

    assert time.monotonic() - began < 5
    (probe,) = attributes["probes"]
    assert (attributes["status"], probe["problem"]) == ("FAILED", "TimeoutError")
    assert probe["latencyMs"] >= 300


async def test_it_goes_past_an_open_breaker_and_tells_of_it(world: World, tenant: Tenant, patient: Patient) -> None:
    provider_id = await patients(tenant)
    network = (await world.bank.providers.get(UUID(provider_id))).speaks
    for _ in range(FAILURES):
        with pytest.raises(ProviderUnavailable):
            await network.settle([])

    attributes = (await tenant.post(f"/providers/{provider_id}/test")).attributes

    assert (attributes["status"], patient.examined) == ("OK", 1)
    assert attributes["breakers"]["settlement"] == "OPEN"
    assert attributes["breakers"]["directory"] == "CLOSED"


async def test_a_suspended_provider_can_be_tested(tenant: Tenant) -> None:
    await tenant.patch(f"/providers/{tenant.provider_id}", "providers", {"status": "SUSPENDED"})

    assert (await tenant.post(f"/providers/{tenant.provider_id}/test")).attributes["status"] == "OK"
