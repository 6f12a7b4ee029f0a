"""The API as `lastro serve` runs it, with one difference: the network is in the process (bench/adapter.py).

Each server process imports this module before it can answer uvicorn's first health check, so it imports little.
"""

import argparse

import uvicorn
from starlette.types import ASGIApp

HEALTHCHECK_SECONDS = 60  # a machine that others use may let a process wait longer than uvicorn's five


def from_environment() -> ASGIApp:
    """As `lastro.app.from_environment`, with the adapter added."""
    from bench.adapter import adapters
    from lastro import app
    from lastro.settings import Settings

    return app.from_environment(adapters(Settings()))


def main() -> None:
    """Serve like `lastro serve`."""
    from lastro import logs
    from lastro.serving import OPTIONS
    from lastro.settings import Settings

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
        **{"timeout_worker_healthcheck": HEALTHCHECK_SECONDS, **OPTIONS},
    )


if __name__ == "__main__":
    main()
