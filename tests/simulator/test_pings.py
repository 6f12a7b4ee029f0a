"""Whether the network is there can be asked by who knows the secret, for a participant, and changes nothing."""

import httpx
import pytest

from simulator.world import OUR_ISPB, World

PATHS = ("/ping", "/dict/ping", "/spi/ping")
FOR_US = {"PI-RequestingParticipant": OUR_ISPB}


@pytest.mark.parametrize("path", PATHS)
async def test_whoever_knows_the_secret_hears_that_it_is_up(world: World, path: str) -> None:
    answer = await world.network.get(path, headers=FOR_US)
    assert (answer.status_code, answer.json()) == (200, {"status": "UP"})


@pytest.mark.parametrize("path", PATHS)
async def test_a_stranger_hears_nothing(world: World, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.get(f"{world.base}/network{path}", headers=FOR_US)
    assert (answer.status_code, answer.json()["type"]) == (401, "Unauthorized")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ispb", ["", "123", "0000-000"])
async def test_a_participant_must_be_named(world: World, path: str, ispb: str) -> None:
    answer = await world.network.get(path, headers={"PI-RequestingParticipant": ispb})
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")
