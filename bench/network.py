"""The simulator as `lastro simulator` runs it, except that one payer may ask the directory as often as it likes.

DICT's buckets would end a run after some hundred payments of one payer; what is measured here is Lastro.
"""

import uvicorn

from lastro import logs
from lastro.clock import Clock
from lastro.settings import Settings
from lastro.simulator.app import standalone
from lastro.simulator.network import SimulatorSettings


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings()
    logs.configure(settings.log_level)
    assert settings.simulator_database_url is not None
    assert settings.simulator_deliver_to is not None
    network = SimulatorSettings(
        database_url=settings.simulator_database_url,
        secret=settings.network_secret.get_secret_value(),
        deliver_to=settings.simulator_deliver_to,
        limit_lookups=False,
    )
    uvicorn.run(standalone(network, Clock()), host=settings.host, port=settings.port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
