"""The API as `lastro serve` runs it, with one difference: the payee is found in the process, not over HTTP.

One HTTP call for each payment costs more than the payment itself; the table shows both, and says which is which.
"""

import argparse

import httpx
import uvicorn
from starlette.types import ASGIApp

from bench.seed import PAYEE, RECIPIENT, RECIPIENT_SINCE
from lastro import app, logs
from lastro.errors import KeyNotFound
from lastro.providers.network_http import NetworkHttp
from lastro.providers.protocol import KeyOwner
from lastro.settings import Settings
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Text

ADAPTER = "bench"
"""The name in the provider's row that leads here."""

_OWNER = KeyOwner(RECIPIENT, PAYEE, RECIPIENT_SINCE)


class InProcessDirectory(NetworkHttp):
    """A directory with one key, at hand. For all else it is the usual network, which nobody asks here."""

    async def find_key(self, key: PixKey, *, ispb: str, payer_tax_id: TaxId, end_to_end_id: EndToEndId) -> KeyOwner:
        """Raise KeyNotFound for every other key."""
        _ = ispb, payer_tax_id, end_to_end_id
        if key != RECIPIENT:
            raise KeyNotFound(Text("Chave Pix não encontrada.", "Pix key not found."))
        return _OWNER


def from_environment() -> ASGIApp:
    """As `lastro.app.from_environment`, with the adapter added."""
    settings = Settings()
    directory = InProcessDirectory(
        httpx.AsyncClient(trust_env=False),
        base_url=settings.network_url,
        secret=settings.network_secret.get_secret_value(),
    )
    return app.from_environment({ADAPTER: directory})


def main() -> None:
    """Serve like `lastro serve`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1)
    processes: int = parser.parse_args().processes
    settings = Settings()
    logs.configure(settings.log_level)
    uvicorn.run(
        "bench.server:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=processes,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
