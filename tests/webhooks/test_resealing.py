"""A new key in front of the old one: secrets and headers are sealed anew, once, and mean the same."""

from conftest import ENCRYPTION_KEYS
from lastro.keyring import KeyRing
from lastro.webhooks.courier import Courier
from lastro.webhooks.resealing import reseal
from webhooks.newsroom import Newsroom, bring_all
from webhooks.receiver import receiving, saying
from webhooks.test_courier import verify

NEWER = f"newer:{'A' * 43}="


async def test_after_resealing_the_old_key_can_go(newsroom: Newsroom, courier: Courier) -> None:
    bank = newsroom.bank
    old = bank.key_ring
    try:
        async with receiving(saying(200)) as receiver:
            subscribed = await newsroom.subscribe(receiver.url, headers={"X-A": "1"})
            newer = await subscribed.add_secret()
            bank.key_ring = KeyRing.parse(f"{NEWER},{ENCRYPTION_KEYS}")
            assert await reseal(bank) >= 3
            assert await reseal(bank) == 0
            bank.key_ring = KeyRing.parse(NEWER)
            await newsroom.happens()
            await bring_all(courier)
        (post,) = receiver.received
        verify(post, subscribed.secret, newer)
        assert post.headers["x-a"] == "1"
    finally:
        bank.key_ring = KeyRing.parse(f"{ENCRYPTION_KEYS},{NEWER}")
        await reseal(bank)
        bank.key_ring = old
