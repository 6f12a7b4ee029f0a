"""A tenant whose news nobody tells but the test."""

from collections.abc import AsyncIterator

import pytest

from lastro.webhooks.courier import Courier
from lastro.wiring import Assembly
from webhooks.newsroom import Newsroom


@pytest.fixture
async def newsroom(quiet: Assembly) -> AsyncIterator[Newsroom]:
    """On the quiet bank."""
    room = await Newsroom.open(quiet.bank)
    yield room
    await room.close()


@pytest.fixture
async def courier(quiet: Assembly) -> AsyncIterator[Courier]:
    """One that works when it is told to."""
    courier = Courier(quiet.bank)
    yield courier
    await courier.settle(0)
