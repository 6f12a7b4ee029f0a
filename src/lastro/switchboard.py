"""Leads a request to its route: the API's by a look into a table, everything else through FastAPI."""

from collections import defaultdict

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from lastro.http import LeanRoute


class Switchboard:
    """Wraps the application. FastAPI would try one route after the other, behind six layers of middleware.

    Unknown paths and methods, health, documentation are FastAPI's.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._whole: dict[tuple[str, str], LeanRoute] = {}
        self._with_ids: defaultdict[tuple[str, int], list[LeanRoute]] = defaultdict(list)
        for route in app.routes:
            if isinstance(route, LeanRoute):
                for method in route.methods or ():
                    if route.param_convertors:
                        self._with_ids[method, route.path.count("/")].append(route)
                    else:
                        self._whole[method, route.path] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            route = self._route(scope)
            if route is not None:
                scope["app"], scope["route"] = self._app, route
                await route.serve(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> LeanRoute | None:
        method, path = scope["method"], scope["path"]
        route = self._whole.get((method, path))
        if route is not None:
            scope["path_params"] = {}
            return route
        for candidate in self._with_ids.get((method, path.count("/")), ()):
            match = candidate.path_regex.match(path)
            if match is not None:
                scope["path_params"] = match.groupdict()
                return candidate
        return None
