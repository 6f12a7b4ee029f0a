"""How a route names its permission: `Sender = Annotated[Caller, requires(Permission.PIX_SEND)]`."""

from typing import Any

from fastapi import Depends

from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission


class Requirement:
    """The permission of one route. The route's own class checks it before a byte of the body is parsed."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self) -> Caller:
        """Tells FastAPI what a handler gets; the route's own class checks and gives it."""
        raise NotImplementedError


def requires(permission: Permission) -> Any:
    """Let in who holds this permission; everybody else gets 401 or 403."""
    return Depends(Requirement(permission))
