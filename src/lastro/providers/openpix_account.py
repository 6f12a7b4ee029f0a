"""Which account an AppID acts on, so that what one account began is never asked of another.

OpenPix knows our ids by account. An AppID of another one, or another default account in its panel, would be asked to
do again what the first has done already; and if it refuses, or has never heard of it, that says nothing of the first.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import quote

from lastro import logs
from lastro.providers import openpix_wire as wire
from lastro.values.bank_account import BankAccount
from lastro.values.tax_id import TaxId

_log = logs.logger("openpix")

Ask = Callable[[str, str], Awaitable[Any]]
"""Method and path; the answer. Raises whatever it raises."""


class OwnAccount:
    """The account of one AppID, as OpenPix shows it. It may become another at any time, so each answer ages."""

    def __init__(self, ask: Ask, ispb: str) -> None:
        self._ask = ask
        self._ispb = ispb
        self._reading = asyncio.Lock()
        self._known: BankAccount | None = None
        self._read_at = float("-inf")

    async def found(self, ispb: str) -> tuple[TaxId, BankAccount] | None:
        """Whose account it is on which the AppID acts, and which. Raises what asking raises, and ValueError."""
        account_id = wire.default_account_in(await self._ask("GET", "/account/"))
        if account_id is None:
            return None
        return wire.own_account_in(await self._ask("GET", f"/account/{quote(account_id, safe='')}"), ispb)

    async def must_be(self, accounts: Collection[BankAccount], *, sure_for: float = 0.0) -> None:
        """Raise ValueError unless the AppID acts on all of these, so on the one that they all are.

        A good answer is believed for `sure_for` seconds. Without them, or after a bad one, only an answer to a question
        that was put after this call began will do: those who call together share it. Raises what asking raises.
        """
        called_at = time.monotonic()
        wanted = {(each.branch, each.number) for each in accounts}
        async with self._reading:
            good = self._shows(wanted)
            if self._read_at < called_at - (sure_for if good else 0.0):
                asked_at = time.monotonic()
                found = await self.found(self._ispb)
                self._known, self._read_at = None if found is None else found[1], asked_at
                good = self._shows(wanted)
        if not good:
            _log.error("openpix_acts_on_another_account")
            raise ValueError("the AppID acts on another account than the one that this is about")

    def _shows(self, wanted: Collection[tuple[str, str]]) -> bool:
        return self._known is not None and all(each == (self._known.branch, self._known.number) for each in wanted)
