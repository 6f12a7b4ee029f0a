"""A network in the process: a directory of one key at hand, and a rail that settles everything at once.

One HTTP call for each payment costs more than the payment itself, and the simulator shares the cores with what is
measured. The table shows figures with and without both, and says which is which.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import httpx

from bench.seed import PAYEE, RECIPIENT, RECIPIENT_SINCE
from lastro.errors import KeyNotFound
from lastro.providers.directory import Adapter
from lastro.providers.network_http import FEATURES, NetworkHttp
from lastro.providers.protocol import Instruction, KeyOwner, Outcome, Settled
from lastro.settings import Settings
from lastro.values.bank_account import AccountType
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Text

ADAPTER = "bench"
"""The name in the provider's row that leads here."""

_OWNER = KeyOwner(RECIPIENT, PAYEE, RECIPIENT_SINCE)


class InProcessNetwork(NetworkHttp):
    """For all else it is the usual network: it reads signed notifications, and nobody asks it anything here."""

    async def find_key(self, key: PixKey, *, ispb: str, payer_tax_id: TaxId, end_to_end_id: EndToEndId) -> KeyOwner:
        """Raise KeyNotFound for every other key."""
        _ = ispb, payer_tax_id, end_to_end_id
        if key != RECIPIENT:
            raise KeyNotFound(Text("Chave Pix não encontrada.", "Pix key not found."))
        return _OWNER

    async def settle(self, instructions: Sequence[Instruction]) -> Sequence[Outcome]:
        """Everything settles now, under a reference as long as the simulator's."""
        now = datetime.now(UTC)
        return [Settled(now, f"SPI{secrets.token_hex(16)}") for _ in instructions]


def adapters(settings: Settings) -> Mapping[str, Adapter]:
    """What to put beside the adapters that Lastro has."""
    secret = settings.network_secret.get_secret_value()
    network = InProcessNetwork(httpx.AsyncClient(trust_env=False), base_url=settings.network_url, secret=secret)
    return {ADAPTER: Adapter(FEATURES, frozenset(AccountType), lambda _access: network, one_book=True)}
