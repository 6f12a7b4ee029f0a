"""How uvicorn serves Lastro: its options in one place, and a deadline for headers, which it does not have itself."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0


class HurriedProtocol(HttpToolsProtocol):
    """Hangs up on a connection that says nothing, or does not get to the end of a request's headers.

    Bodies have their deadline in the gate, idle connections theirs in uvicorn.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._start()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start()

    def on_headers_complete(self) -> None:
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._stop()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._hang_up)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


OPTIONS: dict[str, Any] = {
    "http": HurriedProtocol,
    "log_config": None,  # structlog writes the lines
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # whom to believe of a client's address is ours to say: see auth/origin.py
    "timeout_graceful_shutdown": 15,
    # A process that is starting on a busy machine, and imports, is not dead: killed after uvicorn's five seconds, it
    # would begin again, and again.
    "timeout_worker_healthcheck": 60,
}
"""For `uvicorn.run` and `uvicorn.Config`, in production and in `lastro dev` alike."""
