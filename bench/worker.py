"""`lastro worker`, with two differences: the network is in the process, and webhooks may go to this machine."""

import asyncio
import signal

from bench.adapter import adapters
from lastro import logs
from lastro.settings import Settings
from lastro.wiring import build
from lastro.worker import Worker


async def _work(settings: Settings) -> None:
    assembly = build(settings, adapters=adapters(settings), loopback_endpoints=True)
    working = Worker(assembly.bank, settings.database_url)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, working.stop)
    try:
        await working.run()
    finally:
        await assembly.close()


def main() -> None:
    """Work until SIGTERM."""
    settings = Settings()
    logs.configure(settings.log_level)
    asyncio.run(_work(settings))


if __name__ == "__main__":
    main()
