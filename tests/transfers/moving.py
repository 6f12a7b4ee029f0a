"""How the tests move money between accounts of one tenant."""

from typing import Any

from build import Account, Answered

PATH, KIND = "/transfers/internal", "internal-transfers"


async def move(giver: Account, taker: Account | str, amount: Any, **more: Any) -> Answered:
    """Ask for a transfer; attributes beside the three in `extra`."""
    recipient = taker if isinstance(taker, str) else taker.id
    attributes = {"accountId": giver.id, "recipientAccountId": recipient, "amount": amount} | more.pop("extra", {})
    return await giver.tenant.post(PATH, KIND, attributes, **more)
