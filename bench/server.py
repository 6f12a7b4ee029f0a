"""The API as `lastro serve` runs it, with one difference: the network is in the process (bench/adapter.py)."""

import argparse

import uvicorn
from starlette.types import ASGIApp

from bench.adapter import adapters
from lastro import app, logs
from lastro.serving import OPTIONS
from lastro.settings import Settings


def from_environment() -> ASGIApp:
    """As `lastro.app.from_environment`, with the adapter added."""
    return app.from_environment(adapters(Settings()))


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
        **OPTIONS,
    )


if __name__ == "__main__":
    main()
