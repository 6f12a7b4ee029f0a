"""A shop with a web server: where webhooks can go before one has a server of one's own, and be looked at.

Bodies are kept as text, to the letter: that is what signatures are made over.
"""

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from lastro.simulator.network import TheNetwork
from lastro.simulator.wire import Refusal, answer

router = APIRouter(prefix="/hooks")

_MOST_BYTES = 256 * 1024
_SHOWN = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "user-agent")


@router.post("/{name}")
async def hear(name: str, request: Request, network: TheNetwork) -> Response:
    """Take a webhook, whatever it says."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise Refusal(413, "TooLarge", "Grande demais para esta loja.")
    except ClientDisconnect:
        return answer({}, 400)
    headers = {header: request.headers[header] for header in _SHOWN if header in request.headers}
    network.shops.hear(
        name, {"headers": headers, "body": body.decode(errors="replace"), "receivedAt": network.clock.now()}
    )
    return Response(status_code=204)


@router.get("/{name}")
async def show(name: str, network: TheNetwork) -> Response:
    """What came, newest first."""
    return answer({"received": network.shops.heard(name)})
