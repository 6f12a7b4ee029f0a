"""Many small pools of connections: httpx looks through all connections and all waiting calls of a pool at each call."""

import itertools

import httpx

POOLS, CONNECTIONS_EACH = 8, 8
SECONDS_IDLE = 4.0  # given up before a server hangs up at five


class SmallPools(httpx.AsyncBaseTransport):
    """Sends calls by turns through pools so small that looking through one costs nothing."""

    def __init__(self) -> None:
        limits = httpx.Limits(
            max_connections=CONNECTIONS_EACH,
            max_keepalive_connections=CONNECTIONS_EACH,
            keepalive_expiry=SECONDS_IDLE,
        )
        self._pools = [httpx.AsyncHTTPTransport(limits=limits, trust_env=False) for _ in range(POOLS)]
        self._turns = itertools.cycle(self._pools)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it through the next pool; raises what httpx raises."""
        return await next(self._turns).handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.aclose()
